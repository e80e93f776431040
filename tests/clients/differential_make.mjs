// Copyright (c) 2026 The tailgate authors
// SPDX-License-Identifier: ISC
//
// Random conversations, each as a Responses and as a Messages request, and
// random chat streams with what a client must make of them.  Everything
// follows from a seed and a number.

// mulberry32: small, and the same everywhere.
export function random(seed) {
	let state = seed >>> 0;
	const next = () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let t = Math.imul(state ^ (state >>> 15), state | 1);

		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
	};
	const r = {
		below: (n) => Math.floor(next() * n),
		chance: (p) => next() < p,
		pick: (list) => list[Math.floor(next() * list.length)],
		some: (n, make) => Array.from({ length: r.below(n + 1) }, make),
	};

	return r;
}

const WORDS = ['so', 'ja', 'tök', '日本', '😀', '"q"', 'a\\b', '\n', '{}', '0.1',
	'</x>', '\u2028', 'data:', 'e\u0301', 'end'];
const NAMES = ['get_a', 'get_b', 'Bash', 'read-file', 'mcp__x__y'];

function text(r, most = 12) {
	const words = Array.from({ length: 1 + r.below(most) },
	    () => r.pick(WORDS));

	// A text of blanks alone is none to some.
	return `w${words.join(' ')}.`;
}

function value(r, depth) {
	switch (r.below(depth > 2 ? 4 : 6)) {
	case 0: return text(r, 3);
	case 1: return r.below(1e6) / 8;
	case 2: return r.chance(0.5);
	case 3: return null;
	case 4: return r.some(3, () => value(r, depth + 1));
	default: return members(r, depth + 1);
	}
}

function members(r, depth = 0) {
	const o = {};

	for (let i = r.below(4); i > 0; i--)
		o[`k${r.below(9)}`] = value(r, depth);
	return o;
}

// --- Conversations ----------------------------------------------------------

function turns(r) {
	const list = [];
	let n = 0;

	for (let i = r.below(4); i >= 0; i--) {
		list.push({ user: [text(r), ...r.some(1, () => text(r))],
			image: r.chance(0.2) ? 'aGFsbG8=' : null });
		for (let k = r.below(3); k > 0; k--)
			list.push({
				thought: r.chance(0.5) ? text(r) : null,
				said: r.chance(0.6) ? text(r) : null,
				calls: Array.from({ length: 1 + r.below(3) },
				    () => ({ id: `call_${n++}`,
					name: r.pick(NAMES), input: members(r),
					result: text(r) })) });
	}
	return list;
}

function shuffled(r, list) {
	const copy = [...list];

	for (let i = copy.length - 1; i > 0; i--) {
		const k = r.below(i + 1);

		[copy[i], copy[k]] = [copy[k], copy[i]];
	}
	return copy;
}

const schema = { type: 'object', properties: { x: { type: 'string' } } };

// Both requests, of the same conversation.
export function requests(seed, number, model) {
	const r = random(seed * 1e6 + number);
	const system = r.chance(0.7) ? text(r) : null;
	const input = [], messages = [];

	for (const t of turns(r)) {
		if (t.user) {
			input.push({ role: 'user', content: [
				...t.user.map((s) => ({ type: 'input_text', text: s })),
				...(t.image ? [{ type: 'input_image', image_url:
					`data:image/png;base64,${t.image}` }] : []) ] });
			messages.push({ role: 'user', content: [
				...t.user.map((s) => ({ type: 'text', text: s })),
				...(t.image ? [{ type: 'image', source: { type: 'base64',
					media_type: 'image/png', data: t.image } }] : []) ] });
			continue;
		}
		if (t.thought)
			input.push({ type: 'reasoning', id: `rs_${input.length}`,
				summary: [{ type: 'summary_text', text: t.thought }] });
		if (t.said)
			input.push({ role: 'assistant', content:
				[{ type: 'output_text', text: t.said }] });
		input.push(...t.calls.map((c) => ({ type: 'function_call',
			call_id: c.id, name: c.name,
			arguments: JSON.stringify(c.input) })));
		messages.push({ role: 'assistant', content: [
			...(t.thought ? [{ type: 'thinking', thinking: t.thought,
				signature: '' }] : []),
			...(t.said ? [{ type: 'text', text: t.said }] : []),
			...t.calls.map((c) => ({ type: 'tool_use', id: c.id,
				name: c.name, input: c.input })) ] });
		const done = shuffled(r, t.calls);

		input.push(...done.map((c) => ({ type: 'function_call_output',
			call_id: c.id, output: c.result })));
		messages.push({ role: 'user', content: done.map((c) => ({
			type: 'tool_result', tool_use_id: c.id,
			content: c.result })) });
	}
	const offered = NAMES.filter(() => r.chance(0.6));
	const choice = offered.length > 0 && r.chance(0.3);

	return {
		responses: { model, input, max_output_tokens: 99,
			...(system ? { instructions: system } : {}),
			tools: offered.map((name) => ({ type: 'function', name,
				description: 'does', parameters: schema,
				strict: false })),
			...(choice ? { tool_choice: 'required' } : {}) },
		messages: { model, messages, max_tokens: 99,
			...(system ? { system } : {}),
			tools: offered.map((name) => ({ name, description: 'does',
				input_schema: schema })),
			...(choice ? { tool_choice: { type: 'any' } } : {}) },
	};
}

// --- Streams ----------------------------------------------------------------

// A string in pieces, between any two UTF-16 units.
function pieces(r, s) {
	const list = [];

	for (let at = 0; at < s.length;) {
		const n = 1 + r.below(r.chance(0.3) ? 30 : 6);

		list.push(s.slice(at, at + n));
		at += n;
	}
	return list;
}

// The deltas of the calls: announced together or one after the other, told
// apart by index, id or both.
function callDeltas(r, calls) {
	const together = r.chance(0.5), by = r.pick(['both', 'index', 'id']);
	const of = (i) => ({ ...(by !== 'id' ? { index: i } : {}),
		...(by !== 'index' ? { id: calls[i].id } : {}) });
	const queues = calls.map((c, i) => {
		const parts = c.bare ? [''] : pieces(r, c.text);
		const first = together || r.chance(0.5) ? '' : parts.shift();
		const head = { ...of(i), id: calls[i].id, type: 'function',
			function: { name: c.name, arguments: first } };

		return [head, ...parts.map((p) => ({ ...of(i),
			function: { arguments: p } }))];
	});
	const deltas = [];

	if (together)
		deltas.push({ tool_calls: queues.map((q) => q.shift()) });
	while (queues.some((q) => q.length > 0)) {
		const open = queues.filter((q) => q.length > 0);

		deltas.push({ tool_calls: [
			(together ? r.pick(open) : open[0]).shift() ] });
	}
	return deltas;
}

const ENDS = { stop: 'stop', length: 'length', content_filter: 'filter',
	network_error: 'error', cut: 'error', error: 'error' };

// { events, wanted }: the stream's data, and what a client must get:
// { thought, text, calls: [[name, arguments]], end, usage }.
export function stream(seed, number) {
	const r = random(seed * 1e6 + number + 500000);
	const thought = r.chance(0.4) ? text(r) : '';
	const said = r.chance(0.7) ? text(r, 30) : '';
	let how = r.pick(['stop', 'stop', 'stop', 'stop', 'stop', 'length',
		'content_filter', 'network_error', 'cut', 'error']);
	const calls = how === 'stop' ? Array.from({ length: r.below(4) }, (_, i) => {
		const bare = r.chance(0.2);

		return { id: `c${number}_${i}`, name: r.pick(NAMES), bare,
			text: bare ? '{}' : JSON.stringify({ ...members(r), n: i }) };
	}) : [];

	// Something has come before it fails.
	if (thought + said === '' && calls.length === 0)
		how = 'stop';
	const usage = r.chance(0.7) ? { prompt_tokens: 50 + r.below(999),
		completion_tokens: 20 + r.below(99),
		prompt_tokens_details: { cached_tokens: r.below(50) },
		completion_tokens_details: { reasoning_tokens: r.below(20) } } : null;
	const reasoning = r.pick(['reasoning_content', 'reasoning']);
	const deltas = [{ role: 'assistant', content: r.pick(['', null]) },
		...pieces(r, thought).map((p) => ({ [reasoning]: p })),
		...pieces(r, said).map((p) => ({ content: p })),
		...callDeltas(r, calls)];
	const chunk = (delta, finish = null, more = {}) => ({ id: 'x',
		object: 'chat.completion.chunk', created: 1, model: 'u',
		choices: [{ index: 0, delta, finish_reason: finish }], ...more });
	const events = deltas.map((d) => chunk(d));
	const inLast = usage !== null && r.chance(0.5);

	if (usage !== null)
		usage.total_tokens = usage.prompt_tokens + usage.completion_tokens;
	if (how === 'error')
		events.push({ error: { message: `broke ${number}`, code: 500 } });
	else if (how !== 'cut')
		events.push(chunk({}, how === 'stop' && calls.length > 0 ?
		    'tool_calls' : how, inLast ? { usage } : {}));
	const fails = ENDS[how] === 'error';

	if (usage !== null && !inLast && how !== 'error' && how !== 'cut')
		events.push({ ...chunk({}), choices: [], usage });
	return { events, done: how !== 'cut' && how !== 'error' && r.chance(0.8),
		wanted: { thought, text: said,
			calls: calls.map((c) => [c.name, c.text]),
			end: ENDS[how], usage: fails ? null : usage },
		bytes: (events2) => packed(r, events2) };
}

// The stream's bytes: escapes, line ends, comments, and any packing.
function packed(r, events) {
	const ascii = (s) => s.replace(/[\u0080-\uffff]/g, (c) =>
		`\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
	// A half of a character has no other form than an escape.
	const wellFormed = (s) => r.chance(0.5) ? ascii(s) :
		JSON.stringify(JSON.parse(s));
	const end = r.pick(['\n', '\n', '\r\n']);
	let all = r.chance(0.2) ? `: hello${end}${end}` : '';

	for (const e of events) {
		const data = typeof e === 'string' ? e : wellFormed(JSON.stringify(e));

		all += r.chance(0.1) ? `: alive${end}` : '';
		all += `data:${r.chance(0.8) ? ' ' : ''}${data}${end}${end}`;
	}
	const bytes = Buffer.from(all), list = [];
	const whole = r.chance(0.3);

	for (let at = 0; at < bytes.length;) {
		const n = whole ? bytes.length : 1 + r.below(700);

		list.push(bytes.subarray(at, at + n));
		at += n;
	}
	return list;
}

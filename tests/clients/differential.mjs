// Copyright (c) 2026 The tailgate authors
// SPDX-License-Identifier: ISC
//
// The bridges against each other: a conversation that comes as a Responses
// and as a Messages request becomes the same chat request, and a chat stream
// becomes the same texts, calls, usage and end through both, as the official
// SDKs put them together.
//
// It is the chat upstream itself: its port goes to DIR/port; it begins when
// DIR/go is there, each line a gateway (base and key) that gets its share.  SEED and COUNT choose what; a number after FROM is where
// to begin, to play one again.
import fs from 'node:fs';
import http from 'node:http';
import OpenAI from 'openai';
import Anthropic from '@anthropic-ai/sdk';
import { requests, stream } from './differential_make.mjs';
import { DIR, report } from './say.mjs';

const SEED = Number(process.env.SEED ?? 1);
const COUNT = Number(process.env.COUNT ?? 2000);
const FROM = Number(process.env.FROM ?? 0);
const AT_ONCE = 16;
const asked = new Map(); // "NUMBER API": the chat body

// --- The upstream -----------------------------------------------------------

const upstream = http.createServer((req, res) => {
	const parts = [];

	req.on('data', (part) => parts.push(part));
	req.on('end', async () => {
		const body = JSON.parse(Buffer.concat(parts));
		const [number, api] = body.model.split('-');
		const s = stream(SEED, Number(number));
		const list = s.bytes([...s.events, ...(s.done ? ['[DONE]'] : [])]);

		asked.set(`${number} ${api}`, body);
		res.writeHead(200, { 'Content-Type': 'text/event-stream' });
		for (const bytes of list)
			if (!res.write(bytes))
				await new Promise((go) => res.once('drain', go));
		res.end();
	});
});

// --- What the SDKs make of it -----------------------------------------------

const TOLD = { completed: 'stop', max_output_tokens: 'length',
	content_filter: 'filter', end_turn: 'stop', tool_use: 'stop',
	max_tokens: 'length', refusal: 'filter' };

async function viaResponses(openai, body) {
	const got = { thought: '', text: '', calls: [], end: '', usage: null };
	const events = await openai.responses.stream(body);

	try {
		const all = await events.finalResponse();

		for (const item of all.output) {
			if (item.type === 'reasoning')
				got.thought += item.summary.map((s) => s.text).join('');
			else if (item.type === 'function_call')
				got.calls.push([item.name, item.arguments]);
			else
				got.text += item.content.map((c) => c.text).join('');
		}
		got.end = TOLD[all.incomplete_details?.reason ?? all.status];
		got.usage = [all.usage.input_tokens, all.usage.output_tokens,
			all.usage.input_tokens_details.cached_tokens];
	} catch (e) {
		if (!(e instanceof OpenAI.APIError))
			throw e;
		got.end = 'error';
	}
	return got;
}

async function viaMessages(anthropic, body) {
	const got = { thought: '', text: '', calls: [], end: '', usage: null };
	const raw = new Map();

	try {
		const events = anthropic.messages.stream(body);

		events.on('streamEvent', (e) => {
			if (e.delta?.type === 'input_json_delta')
				raw.set(e.index, (raw.get(e.index) ?? '') +
				    e.delta.partial_json);
		});
		const all = await events.finalMessage();

		all.content.forEach((block, i) => {
			if (block.type === 'thinking')
				got.thought += block.thinking;
			else if (block.type === 'text')
				got.text += block.text;
			else
				got.calls.push([block.name, raw.get(i)]);
			if (block.type === 'tool_use' && JSON.stringify(block.input) !==
			    JSON.stringify(JSON.parse(raw.get(i))))
				throw new Error('the SDK reads another input');
		});
		got.end = TOLD[all.stop_reason];
		got.usage = [all.usage.input_tokens +
			all.usage.cache_read_input_tokens, all.usage.output_tokens,
			all.usage.cache_read_input_tokens];
	} catch (e) {
		if (!(e instanceof Anthropic.APIError))
			throw e;
		got.end = 'error';
	}
	return got;
}

// --- One of them ------------------------------------------------------------

// Documented differences: none but the model, which tells us who asked.
function comparable(body) {
	return JSON.stringify({ ...body, model: '',
		messages: body.messages.map((m) => ({ ...m,
			...(m.tool_calls ? { tool_calls: m.tool_calls.map((c) =>
				({ ...c, function: { ...c.function, arguments:
					JSON.parse(c.function.arguments) } })) } : {}) })) },
	    (_, v) => v !== null && typeof v === 'object' && !Array.isArray(v) ?
	    Object.fromEntries(Object.entries(v).sort()) : v);
}

function same(what, got, want) {
	const [g, w] = [JSON.stringify(got), JSON.stringify(want)];

	if (g !== w)
		throw new Error(`${what}: got ${g}, want ${w}`);
}

async function one(number, openai, anthropic) {
	const { wanted } = stream(SEED, number);
	const a = await viaResponses(openai, requests(SEED, number,
	    `${number}-r`).responses);
	const b = await viaMessages(anthropic, requests(SEED, number,
	    `${number}-m`).messages);
	const u = wanted.usage;

	same('the chat requests', comparable(asked.get(`${number} m`)),
	    comparable(asked.get(`${number} r`)));
	same('both ends', [a.end, b.end], [wanted.end, wanted.end]);
	if (wanted.end === 'error')
		return;
	for (const key of ['thought', 'text', 'calls']) {
		same(`responses: ${key}`, a[key], wanted[key]);
		same(`messages: ${key}`, b[key], wanted[key]);
	}
	if (u !== null)
		same('responses: usage', a.usage, [u.prompt_tokens,
			u.completion_tokens, u.prompt_tokens_details.cached_tokens]);
	// Without one both are told the same estimate of the output.
	same('both usages', a.usage.slice(u === null ? 1 : 0),
	    b.usage.slice(u === null ? 1 : 0));
	fs.appendFileSync(`${DIR}/told`, [['r', a], ['m', b]].map(([api, x]) =>
		`${number}-${api} ${x.usage[1]}\n`).join(''));
}

async function when(path) {
	while (!fs.existsSync(path))
		await new Promise((go) => setTimeout(go, 20));
	return fs.readFileSync(path, 'utf8').trim().split('\n')
		.map((line) => line.split(' '));
}

upstream.listen(0, '127.0.0.1', async () => {
	fs.writeFileSync(`${DIR}/port.new`, `${upstream.address().port}`);
	fs.renameSync(`${DIR}/port.new`, `${DIR}/port`);
	const gateways = (await when(`${DIR}/go`)).map(([base, key]) => [
		new OpenAI({ baseURL: base, apiKey: key, maxRetries: 0 }),
		new Anthropic({ baseURL: base.replace(/\/v1$/, ''), apiKey: key,
			maxRetries: 0 })]);
	let next = FROM, bad = 0, good = 0;

	await Promise.all(Array.from({ length: AT_ONCE }, async () => {
		while (next < FROM + COUNT && bad < 5) {
			const number = next++;

			try {
				await one(number, ...gateways[number % gateways.length]);
				good++;
			} catch (e) {
				bad++;
				console.log(`# SEED=${SEED} FROM=${number} COUNT=1: ` +
				    `${e.message ?? e}`.replaceAll('\n', ' '));
			}
		}
	}));
	report(good === COUNT, `${COUNT} conversations are the same through both`,
	    `${good} are, ${bad} are not`);
	console.log('done');
	process.exit(0);
});

// Copyright (c) 2026 The tailgate authors
// SPDX-License-Identifier: ISC
//
// Anthropic's official SDK for JavaScript.  Whatever can be, is done twice:
// passed through to an upstream that speaks Messages, and bridged to one that
// speaks only chat completions.  Run by tests/clients_anthropic.sh.
import Anthropic from '@anthropic-ai/sdk';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { z } from 'zod';
import { API_KEY, BASE_URL, is, part, raises, report, requests, stub, thrown,
	until } from './say.mjs';

const baseURL = BASE_URL.replace(/\/v1$/, '');
const client = new Anthropic({ baseURL, apiKey: API_KEY, maxRetries: 0 });
const hello = [{ role: 'user', content: 'hello' }];
const weather = { name: 'weather', description: 'of a city',
	input_schema: { type: 'object', properties: {
		city: { type: 'string' } }, required: ['city'] } };

function ask(model, more) {
	return { model, max_tokens: 100, messages: hello, ...more };
}

async function plain(prefix, text) {
	const { data, response } = await client.messages.create(
	    ask(`${prefix}/plain`)).withResponse();

	is(data.content[0].text, text, `${prefix}: the answer`);
	is(data.stop_reason, 'end_turn', `${prefix}: why it stopped`);
	is([data.usage.input_tokens + (data.usage.cache_read_input_tokens ?? 0)
	    >= 11, data.usage.output_tokens], [true, 5],
	    `${prefix}: the usage`);
	is(response.headers.get('x-tailgate-provider'), prefix,
	    `${prefix}: x-tailgate-provider`);
	report(response.headers.get('x-request-id') !== null,
	    `${prefix}: a request id`);
}

async function streamed(prefix) {
	const stream = client.messages.stream(ask(`${prefix}/n=3`));
	const deltas = [];

	stream.on('text', (text) => deltas.push(text));
	const message = await stream.finalMessage();
	is(deltas, ['tök0 ', 'tök1 ', 'tök2 '], `${prefix}: stream: deltas`);
	is(message.content.map((block) => block.text), ['tök0 tök1 tök2 '],
	    `${prefix}: stream: the message`);
	is([message.stop_reason, message.usage.output_tokens], ['end_turn', 3],
	    `${prefix}: stream: the end`);
}

// Two turns: it calls the tool, and tells what the tool said.
async function tools(model, stream) {
	const how = stream ? 'streamed' : 'whole';
	const run = stream
	    ? (body) => client.messages.stream(body).finalMessage()
	    : (body) => client.messages.create(body);
	const first = await run(ask(model, { tools: [weather] }));
	const call = first.content.find((block) => block.type === 'tool_use');

	is([first.stop_reason, call?.name, call?.input],
	    ['tool_use', 'weather', { city: 'x' }],
	    `${model}: tools, ${how}: the call`);
	const second = await run(ask(model, { tools: [weather], messages: [
		...hello, { role: 'assistant', content: first.content },
		{ role: 'user', content: [{ type: 'tool_result',
			tool_use_id: call?.id, content: 'mild, 17 °C' }] },
	] }));
	is([second.stop_reason, second.content[0].text],
	    ['end_turn', 'mild, 17 °C'],
	    `${model}: tools, ${how}: the answer`);
}

async function structured(model) {
	const message = await client.messages.parse(ask(model, {
		output_config: { format: zodOutputFormat(z.object({
			name: z.string(), born: z.number().int() })) } }));

	is(message.parsed_output, { name: 'Ada', born: 1815 },
	    `${model}: structured output`);
}

for (const [prefix, text] of [['stub', 'Héllo'],
	['chat', 'Héllo from the stub, 世界']]) {
	await part(prefix, () => plain(prefix, text));
	await part(`${prefix}: stream`, () => streamed(prefix));
}
for (const model of ['passed', 'bridged']) {
	await part(`${model}: tools`, () => tools(model, false));
	await part(`${model}: tools, streamed`, () => tools(model, true));
	await part(`${model}: structured`, () => structured(model));
}

await part('tool runner', async () => {
	const runner = client.beta.messages.toolRunner({ model: 'bridged',
		max_tokens: 100, messages: hello, tools: [{ ...weather,
			run: ({ city }) => `rain in ${city}`,
			parse: (input) => input }] });
	const last = await runner;

	is(last.content[0].text, 'rain in x', 'tool runner: through the bridge');
});

await part('count_tokens', async () => {
	const { input_tokens } = await client.messages.countTokens(
	    { model: 'stub/plain', messages: hello });
	const { input_tokens: estimate } = await client.messages.countTokens(
	    { model: 'chat/plain', messages: hello });

	is(input_tokens, 11, 'count_tokens: passed through');
	report(estimate > 0 && estimate < 100, 'count_tokens: estimated',
	    estimate);
});

await part('models', async () => {
	const ids = [];

	for await (const model of client.models.list())
		ids.push(model.id);
	report(ids.includes('bridged'), 'models: listed', ids);
});

await part('errors', async () => {
	const bad = new Anthropic({ baseURL, apiKey: 'tg-wrong', maxRetries: 0 });
	const bearer = new Anthropic({ baseURL, apiKey: null,
		authToken: API_KEY, maxRetries: 0 });

	is((await bearer.messages.create(ask('stub/plain'))).content[0].text,
	    'Héllo', 'errors: none with the key as a bearer token');
	await raises(Anthropic.AuthenticationError,
	    { status: 401, type: 'authentication_error' },
	    () => bad.messages.create(ask('stub/plain')),
	    'errors: a wrong key');
	for (const [kind, status, type, model] of [
		[Anthropic.NotFoundError, 404, 'not_found_error', 'nothing'],
		[Anthropic.PermissionDeniedError, 403, 'permission_error',
			'hidden'],
		[Anthropic.BadRequestError, 400, 'invalid_request_error',
			'chat/400,toolong'],
		[Anthropic.RateLimitError, 429, 'overloaded_error', 'stub/429'],
		[Anthropic.RateLimitError, 429, 'rate_limit_error', 'chat/429'],
		[Anthropic.InternalServerError, 500, 'api_error', 'chat/500'],
		[Anthropic.InternalServerError, 502, 'api_error',
			'stub/502,html'],
		[Anthropic.InternalServerError, 502, 'api_error',
			'chat/502,html'],
	])
		await raises(kind, { status, type },
		    () => client.messages.create(ask(model)),
		    `errors: ${model}: ${status}`);
	const long = await thrown(() =>
		client.messages.create(ask('chat/400,toolong')));
	report(/prompt is too long/.test(long?.message),
	    'errors: too long in the words that Claude Code knows',
	    long?.message);
	await raises(Anthropic.BadRequestError,
	    { status: 400, type: 'invalid_request_error' },
	    () => client.messages.create(ask('chat/plain',
		{ container: 'container_1' })),
	    'errors: what the bridge cannot map');
});

await part('retries', async () => {
	const retrying = client.withOptions({ maxRetries: 2 });

	for (const [script, tries] of [['429,retry=0', 3], ['500,retry=0', 3],
		['400', 1], ['404', 1]])
		for (const prefix of ['stub', 'chat']) {
			const model = `${prefix}/${script}`;

			is(await requests(() => thrown(() =>
			    retrying.messages.create(ask(model)))), tries,
			    `retries: ${model}: ${tries} requests`);
		}
});

for (const model of ['stub/cut-mid,n=4', 'stub/error-mid,n=4',
	'stub/error-first', 'chat/cut-mid,n=4', 'chat/error-mid,n=4',
	'chat/cut-utf8,n=4', 'chat/error-first'])
	await part(model, async () => {
		const error = await thrown(() =>
			client.messages.stream(ask(model)).finalMessage());

		report(error instanceof Anthropic.AnthropicError ||
		    error instanceof TypeError,
		    `${model}: a broken stream raises`, error);
	});

for (const prefix of ['stub', 'chat']) {
	await part(`${prefix}: abort`, async () => {
		const before = (await stub('stats')).aborted;
		const stream = client.messages.stream(
		    ask(`${prefix}/n=10000,ms=20`));

		await new Promise((done) => stream.once('text', done));
		stream.abort();
		await thrown(() => stream.done());
		await until(async () => (await stub('stats')).aborted > before,
		    `${prefix}: abort: the upstream is told`);
	});
	await part(`${prefix}: timeout`, async () => {
		await raises(Anthropic.APIConnectionTimeoutError, {},
		    () => client.messages.create(ask(`${prefix}/stall-head`),
			{ timeout: 300 }),
		    `${prefix}: timeout: APIConnectionTimeoutError`);
		await stub('release');
	});
}
console.log('done');

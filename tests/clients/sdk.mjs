// Copyright (c) 2026 The tailgate authors
// SPDX-License-Identifier: ISC
//
// The official OpenAI SDK for JavaScript, doing each thing that an
// application does with it.  Run by tests/sdk_js.sh; one line per assertion,
// "ok TEXT" or "not ok TEXT".
import fs from 'node:fs';
import OpenAI, { toFile } from 'openai';
import { API_KEY, BASE_URL, DIR, is, part, raises, report, requests, stub,
	until } from './say.mjs';

const client = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0 });
const hello = [{ role: 'user', content: 'hello' }];
const whole = 'Héllo from the stub, 世界';

function chat(script, more) {
	return client.chat.completions.create({ model: `stub/${script}`,
		messages: hello, ...more });
}

await part('chat', async () => {
	const { data, response } = await client.chat.completions.create(
	    { model: 'stub/plain', messages: hello }).withResponse();

	is(data.choices[0].message.content, whole, 'chat: the answer');
	is(data.usage.total_tokens, 16, 'chat: the usage');
	is(response.headers.get('x-tailgate-provider'), 'stub',
	    'chat: x-tailgate-provider');
	is(response.headers.get('x-tailgate-place'), 'local',
	    'chat: x-tailgate-place');
	report(response.headers.get('x-request-id') !== null,
	    'chat: x-request-id');
});

await part('alias', async () => {
	const data = await client.chat.completions.create(
	    { model: 'gpt-4o-mini', messages: hello });

	is(data.choices[0].message.content, whole, 'alias: the answer');
});

await part('chat stream', async () => {
	const stream = await chat('gate,n=3', { stream: true,
		stream_options: { include_usage: true } });
	const deltas = [];
	let usage, finish;

	for await (const chunk of stream) {
		if (chunk.choices[0]?.delta?.content)
			deltas.push(chunk.choices[0].delta.content);
		finish = chunk.choices[0]?.finish_reason ?? finish;
		usage = chunk.usage ?? usage;
		if (deltas.length === 1 && finish === undefined) {
			// Only now may the upstream go on.
			is((await stub('stats')).in_flight, 1,
			    'stream: the first chunk is here before the second');
			await stub('release');
			finish = null;
		}
	}
	is(deltas, ['tök0 ', 'tök1 ', 'tök2 '], 'stream: all deltas');
	is(finish, 'stop', 'stream: the finish reason');
	is(usage?.total_tokens, 14, 'stream: the usage');
});

await part('stream helper', async () => {
	const runner = client.chat.completions.stream(
	    { model: 'stub/n=3', messages: hello });

	is(await runner.finalContent(), 'tök0 tök1 tök2 ',
	    'stream helper: the content');
});

await part('tools', async () => {
	const tools = [{ type: 'function', function: { name: 'get_time',
		parameters: { type: 'object', properties: {
			zone: { type: 'string' } } } } }];
	const data = await chat('tools', { tools });
	const runner = client.chat.completions.stream(
	    { model: 'stub/tools,n=3', messages: hello, tools });
	const message = await runner.finalMessage();

	is(JSON.parse(data.choices[0].message.tool_calls[0].function.arguments),
	    { zone: 'UTC' }, 'tools: the arguments');
	is(JSON.parse(message.tool_calls[0].function.arguments),
	    { zone: 'UTC' }, 'tools: the arguments, streamed');
});

await part('embeddings', async () => {
	const data = await client.embeddings.create({ model: 'stub/plain',
		input: ['one', 'two, three'] });

	is(data.data.map((d) => Array.from(d.embedding)),
	    [[1, 0.5, -0.25], [1, 0.5, -0.25]],
	    'embeddings: base64 by default, decoded');
});

await part('speech', async () => {
	const answer = await client.audio.speech.create(
	    { model: 'stub/size=100000,n=4', voice: 'alloy', input: 'hello' });
	const bytes = Buffer.from(await answer.arrayBuffer());
	let good = bytes.length === 100000;

	fs.writeFileSync(`${DIR}/speech.mp3`, bytes);
	for (let i = 0; good && i < bytes.length; i++)
		good = bytes[i] === ((i * 7 + Math.floor(i / 251)) & 255);
	report(good, 'speech: every byte', `${bytes.length} bytes`);
});

await part('transcription', async () => {
	const path = `${DIR}/speech.wav`;

	fs.writeFileSync(path, Buffer.alloc(300000, 'RIFF\r\n--x'));
	const data = await client.audio.transcriptions.create(
	    { model: 'stub/plain', file: fs.createReadStream(path) });
	is(data.text, 'Héllo from the stub', 'transcription: of a read stream');

	const stream = await client.audio.transcriptions.create(
	    { model: 'stub/n=2', stream: true,
	    file: await toFile(fs.readFileSync(path), 'a.wav') });
	let last;
	for await (const event of stream)
		last = event;
	is(last?.text, 'tök0 tök1 ', 'transcription: streamed');

	const translation = await client.audio.translations.create(
	    { model: 'stub/plain', file: fs.createReadStream(path) });
	is(translation.text, 'Héllo from the stub', 'translation');
});

await part('models', async () => {
	const ids = [];

	for await (const model of client.models.list())
		ids.push(model.id);
	report(ids.includes('plain'), 'models: listed', ids);
	is((await client.models.retrieve('plain')).id, 'plain',
	    'models: retrieved');
	await raises(OpenAI.NotFoundError,
	    { status: 404, code: 'model_not_found' },
	    () => client.models.retrieve('nothing'),
	    'models: an unknown one is a NotFoundError');
});

await part('responses', async () => {
	const data = await client.responses.create({ model: 'stub/n=3',
		input: 'hello' });
	const types = [];
	let text = '', last;

	is(data.output_text, 'tök0 tök1 tök2 ', 'responses: the answer');
	is(data.usage.total_tokens, 14, 'responses: the usage');
	const stream = await client.responses.create({ model: 'stub/n=3',
		input: 'hello', stream: true });
	for await (const event of stream) {
		types.push(event.type);
		if (event.type === 'response.output_text.delta')
			text += event.delta;
		last = event;
	}
	is(types[0], 'response.created', 'responses: the first event');
	is(text, 'tök0 tök1 tök2 ', 'responses: the deltas');
	is(last.type, 'response.completed', 'responses: the last event');
});

await part('completions', async () => {
	const data = await client.completions.create({ model: 'stub/plain',
		prompt: 'hello' });

	is(data.choices[0].text, 'Héllo', 'completions: the answer');
});

await part('errors', async () => {
	const bad = new OpenAI({ baseURL: BASE_URL, apiKey: 'tg-wrong',
		maxRetries: 0 });
	const retrying = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY,
		maxRetries: 2 });

	await raises(OpenAI.AuthenticationError,
	    { status: 401, code: 'invalid_api_key' },
	    () => bad.models.list(), 'errors: a wrong key');
	await raises(OpenAI.NotFoundError,
	    { status: 404, code: 'model_not_found' },
	    () => client.chat.completions.create(
		{ model: 'nothing', messages: hello }),
	    'errors: an unknown model');
	await raises(OpenAI.PermissionDeniedError,
	    { status: 403, code: 'model_not_allowed' },
	    () => client.chat.completions.create(
		{ model: 'hidden', messages: hello }),
	    'errors: a model of others');
	await raises(OpenAI.BadRequestError,
	    { status: 400, code: 'missing_model' },
	    () => client.chat.completions.create({ messages: hello }),
	    'errors: no model');
	await raises(OpenAI.BadRequestError,
	    { status: 400, code: 'context_length_exceeded' },
	    () => chat('400,toolong'), "errors: the upstream's 400");
	await raises(OpenAI.RateLimitError,
	    { status: 429, code: 'stub_error' },
	    () => chat('429'), "errors: the upstream's 429");
	await raises(OpenAI.InternalServerError,
	    { status: 500, code: 'stub_error' },
	    () => chat('500'), "errors: the upstream's 500");
	await raises(OpenAI.InternalServerError,
	    { status: 502, code: 'upstream_error' },
	    () => chat('502,html'), 'errors: a web page');

	const before = (await stub('stats')).requests;
	await raises(OpenAI.RateLimitError,
	    { status: 429, code: 'stub_error' },
	    () => retrying.chat.completions.create(
		{ model: 'stub/429,retry=0', messages: hello }),
	    'errors: 429 with retries left');
	is((await stub('stats')).requests - before, 3,
	    'errors: the SDK tried three times');
});

for (const script of ['cut-mid,n=4', 'error-mid,n=4', 'cut-utf8,n=4',
	'error-first'])
	await part(script, async () => {
		let chunks = 0, error;

		try {
			for await (const chunk of await chat(script,
			    { stream: true }))
				chunks++;
		} catch (e) {
			error = e;
		}
		report(error !== undefined,
		    `${script}: a broken stream raises`,
		    `${chunks} chunks and no exception`);
	});

await part('abort', async () => {
	const before = (await stub('stats')).aborted;
	const stream = await chat('n=10000,ms=20', { stream: true });

	for await (const chunk of stream)
		break;
	stream.controller.abort();
	await until(async () => (await stub('stats')).aborted > before,
	    'abort: the upstream is told');
});

await part('timeout', async () => {
	await raises(OpenAI.APIConnectionTimeoutError, {},
	    () => client.chat.completions.create(
		{ model: 'stub/stall-head', messages: hello },
		{ timeout: 300 }),
	    'timeout: APIConnectionTimeoutError');
	await stub('release');
});
console.log('done');

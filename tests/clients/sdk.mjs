// Copyright (c) 2026 The tailgate authors
// SPDX-License-Identifier: ISC
//
// The official OpenAI SDK for JavaScript, doing each thing that an
// application does with it.  Run by tests/sdk_js.sh; one line per assertion,
// "ok TEXT" or "not ok TEXT".
import fs from 'node:fs';
import OpenAI, { toFile } from 'openai';
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { API_KEY, BASE_URL, DIR, is, part, raises, report, requests, stub,
	thrown, until } from './say.mjs';

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

// A tool that the SDK runs itself, and the model's second turn.
await part('tool runner', async () => {
	const runner = client.chat.completions.runTools({ model: 'bridged',
		messages: hello, tools: [{ type: 'function', function: {
			name: 'weather', parse: JSON.parse,
			parameters: { type: 'object', required: ['city'],
				properties: { city: { type: 'string' } } },
			function: ({ city }) => `mild in ${city}` } }] });

	is(await runner.finalContent(), 'mild in x', 'tool runner: two turns');
});

await part('structured output', async () => {
	const person = z.object({ name: z.string(), born: z.number().int() });
	const want = { name: 'Ada', born: 1815 };
	const chat = await client.chat.completions.parse({ model: 'bridged',
		messages: hello,
		response_format: zodResponseFormat(person, 'person') });

	is(chat.choices[0].message.parsed, want, 'structured output: chat');
	for (const model of ['passed', 'bridged']) {
		const data = await client.responses.parse({ model,
			input: 'who?',
			text: { format: zodTextFormat(person, 'person') } });

		is(data.output_parsed, want,
		    `structured output: responses, ${model}`);
	}
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

await part('images', async () => {
	const made = await client.images.generate(
	    { model: 'stub/plain', prompt: 'a cat', n: 2 });
	is(made.data.map((one) => one.b64_json).join(),
	    'iVBORw0KGgo=,iVBORw0KGgo=', 'images: generated');

	const picture = () => toFile(
	    Buffer.from('89504e470d0a1a0a', 'hex'), 'a.png');
	const edited = await client.images.edit({ model: 'stub/plain',
		prompt: 'a dog', image: await picture() });
	is(edited.data.length, 1, 'images: edited');
	const varied = await client.images.createVariation(
	    { model: 'stub/plain', image: await picture() });
	is(varied.data.length, 1, 'images: a variation');

	let last;
	for await (const event of await client.images.generate(
	    { model: 'stub/n=2', prompt: 'a cat', stream: true }))
		last = event;
	is(last?.type, 'image_generation.completed', 'images: streamed');
});

await part('kept responses', async () => {
	is((await client.responses.retrieve('resp_stub')).id, 'resp_stub',
	    'a kept response: retrieved');
	is((await client.responses.cancel('resp_stub')).status, 'cancelled',
	    'a kept response: cancelled');
	await client.responses.delete('resp_stub');
	const items = await client.responses.inputItems.list('resp_stub');
	is(items.data.length, 0, 'a kept response: its input');
	const hello = { model: 'stub/plain', input: 'hello' };
	is((await client.responses.compact(hello)).object,
	    'response.compaction', 'responses: compacted');
	is((await client.responses.inputTokens.count(hello)).input_tokens, 11,
	    'responses: counted');
	const judged = await client.moderations.create({ input: 'hello' });
	is(judged.results[0].flagged, false, 'moderations: without a model');
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

// Passed through, and translated to chat completions.
for (const prefix of ['stub', 'chat'])
	await part(`${prefix}: responses stream helper`, async () => {
		const stream = client.responses.stream({
			model: `${prefix}/n=3`, input: 'hello' });
		const deltas = [];

		stream.on('response.output_text.delta',
		    (event) => deltas.push(event.delta));
		const last = await stream.finalResponse();
		is(deltas, ['tök0 ', 'tök1 ', 'tök2 '],
		    `${prefix}: responses stream helper: the deltas`);
		is([last.output_text, last.usage.output_tokens],
		    ['tök0 tök1 tök2 ', 3],
		    `${prefix}: responses stream helper: the end`);
	});

for (const model of ['passed', 'bridged'])
	await part(`${model}: responses tools`, async () => {
		const ask = { model, tools: [{ type: 'function',
			name: 'weather', strict: true, parameters: {
				type: 'object', required: ['city'],
				additionalProperties: false, properties: {
					city: { type: 'string' } } } }] };
		const input = [{ role: 'user', content: 'hello' }];
		const stream = client.responses.stream({ ...ask, input });
		const first = await stream.finalResponse();
		const call = first.output.find((item) =>
			item.type === 'function_call');

		is([call?.name, call?.arguments], ['weather', '{"city": "x"}'],
		    `${model}: responses tools: the call`);
		const second = await client.responses.create({ ...ask, input: [
			...input, ...first.output, { call_id: call?.call_id,
				type: 'function_call_output', output: 'mild' },
		] });
		is(second.output_text, 'mild',
		    `${model}: responses tools: the answer`);
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
	for (const [kind, status] of [[OpenAI.ConflictError, 409],
		[OpenAI.UnprocessableEntityError, 422],
		[OpenAI.RateLimitError, 429]])
		await raises(kind, { status, code: 'stub_error' },
		    () => chat(status), `errors: the upstream's ${status}`);
	await raises(OpenAI.InternalServerError,
	    { status: 500, code: 'stub_error' },
	    () => chat('500'), "errors: the upstream's 500");
	await raises(OpenAI.InternalServerError,
	    { status: 502, code: 'upstream_error' },
	    () => chat('502,html'), 'errors: a web page');

	for (const [script, tries] of [['429,retry=0', 3], ['500,retry=0', 3],
		['502,html,retry=0', 3], ['503,loading,retry=0', 3],
		['400', 1], ['404', 1]]) {
		is(await requests(() => thrown(() =>
		    retrying.chat.completions.create(
			{ model: `stub/${script}`, messages: hello }))),
		    tries, `errors: ${script}: ${tries} requests`);
	}
	is(await requests(() => thrown(() => retrying.chat.completions.create(
	    { model: 'hidden', messages: hello }))), 0,
	    'errors: what is refused here goes nowhere');
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

for (const model of ['stub/cut-mid,n=4', 'stub/error-mid,n=4',
	'stub/error-first', 'chat/cut-mid,n=4', 'chat/error-mid,n=4',
	'chat/cut-utf8,n=4', 'chat/error-first'])
	await part(`responses: ${model}`, async () => {
		const error = await thrown(async () => {
			for await (const event of await client.responses.create(
			    { model, input: 'hello', stream: true }))
				;
		});

		report(error instanceof OpenAI.APIError,
		    `responses: ${model}: a broken stream raises`, error);
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

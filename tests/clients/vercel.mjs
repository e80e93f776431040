// Copyright (c) 2026 The tailgate authors
// SPDX-License-Identifier: ISC
//
// The Vercel AI SDK with its provider for OpenAI, which checks each answer and
// event against a schema: as chat completions, as Responses passed through,
// and as Responses bridged to chat completions.  Run by
// tests/clients_vercel.sh.
import { createOpenAI } from '@ai-sdk/openai';
import { APICallError, Output, embedMany, experimental_generateSpeech,
	experimental_transcribe, generateSpeech, generateText, isStepCount,
	streamText, tool, transcribe } from 'ai';
import { z } from 'zod';
import { API_KEY, BASE_URL, is, part, report, requests, stub, thrown, until }
	from './say.mjs';

const openai = createOpenAI({ baseURL: BASE_URL, apiKey: API_KEY });
const quiet = { prompt: 'hello', maxRetries: 0, onError: () => {} };
const whole = 'Héllo from the stub, 世界';
const city = { weather: tool({ description: 'of a city',
	inputSchema: z.object({ city: z.string() }),
	execute: async ({ city }) => `mild in ${city}` }) };

globalThis.AI_SDK_LOG_WARNINGS = false;

// [what, a model of the stub, a model of the scripted one, the answer]
const ways = [
	['chat', (s) => openai.chat(`stub/${s}`), openai.chat('bridged'), whole],
	['passed', (s) => openai.responses(`stub/${s}`),
		openai.responses('passed'),
		'tök0 tök1 tök2 tök3 tök4 '],
	['bridged', (s) => openai.responses(`chat/${s}`),
		openai.responses('bridged'), whole],
];

async function drain(result) {
	const parts = [];

	for await (const part of result.fullStream ?? result.stream)
		parts.push(part);
	return parts;
}

async function text(way, model, want) {
	const result = await generateText({ model: model('plain'), ...quiet });

	is(result.text, want, `${way}: the answer`);
	is([result.finishReason, result.usage.outputTokens], ['stop', 5],
	    `${way}: its end and usage`);
	is(result.response.headers['x-tailgate-place'], 'local',
	    `${way}: x-tailgate-place`);
}

async function streamed(way, model) {
	const result = streamText({ model: model('n=3'), ...quiet });
	const parts = await drain(result);

	is(parts.filter((p) => p.type === 'text-delta').map((p) => p.text),
	    ['tök0 ', 'tök1 ', 'tök2 '], `${way}: stream: deltas`);
	is([await result.finishReason, (await result.usage).outputTokens],
	    ['stop', 3], `${way}: stream: its end and usage`);
	is(parts.filter((p) => p.type === 'error'), [],
	    `${way}: stream: no event it cannot read`);
}

async function tools(way, model) {
	const all = { model, tools: city, stopWhen: isStepCount(3), ...quiet };
	const result = await generateText(all);
	const stream = streamText(all);
	const parts = await drain(stream);

	is(result.text, 'mild in x', `${way}: tools: two steps`);
	is(parts.filter((p) => p.type === 'tool-call').map((p) => p.input),
	    [{ city: 'x' }], `${way}: tools: the call, streamed`);
	is(parts.filter((p) => p.type === 'text-delta').map((p) => p.text)
	    .join(''), 'mild in x', `${way}: tools: two steps, streamed`);
}

async function structured(way, model) {
	const { output } = await generateText({ model, ...quiet,
		output: Output.object({ schema: z.object({ name: z.string(),
			born: z.number() }) }) });

	is(output, { name: 'Ada', born: 1.5 }, `${way}: structured output`);
}

async function reasoning(way, model) {
	const result = await generateText({ model: model('reasoning'),
		...quiet });
	const stream = streamText({ model: model('reasoning,n=4'), ...quiet });
	const parts = await drain(stream);

	is(result.reasoningText, 'hm', `${way}: reasoning`);
	is(parts.filter((p) => p.type === 'reasoning-delta').map((p) => p.text),
	    ['tök0 ', 'tök1 '], `${way}: reasoning, streamed`);
	is(await stream.text, 'tök2 tök3 ', `${way}: and the text after it`);
}

async function errors(way, model) {
	for (const [script, status, retryable] of [['400', 400, false],
		['429', 429, true], ['500', 500, true],
		['502,html', 502, true]]) {
		const e = await thrown(() => generateText(
		    { model: model(script), ...quiet }));

		is([APICallError.isInstance(e), e?.statusCode, e?.isRetryable],
		    [true, status, retryable], `${way}: errors: ${script}`);
	}
	for (const [script, tries] of [['500,retry=0', 3], ['400', 1]])
		is(await requests(() => thrown(() => generateText({
			model: model(script), prompt: 'hello', maxRetries: 2,
		}))), tries, `${way}: retries: ${script}: ${tries} requests`);
}

async function broken(way, model, script) {
	const stream = streamText({ model: model(script), ...quiet });
	let failed = false;

	try {
		failed = (await drain(stream)).some((p) => p.type === 'error');
	} catch {
		failed = true;
	}
	report(failed, `${way}: ${script}: a broken stream is an error`);
}

async function abort(way, model) {
	const before = (await stub('stats')).aborted;
	const control = new AbortController();
	const stream = streamText({ model: model('n=10000,ms=20'), ...quiet,
		abortSignal: control.signal });

	await thrown(async () => {
		for await (const delta of stream.textStream)
			control.abort();
	});
	await until(async () => (await stub('stats')).aborted > before,
	    `${way}: abort: the upstream is told`);
}

for (const [way, model, scripted, want] of ways) {
	await part(`${way}: text`, () => text(way, model, want));
	await part(`${way}: stream`, () => streamed(way, model));
	await part(`${way}: tools`, () => tools(way, scripted));
	await part(`${way}: structured`, () => structured(way, scripted));
	await part(`${way}: errors`, () => errors(way, model));
	for (const script of ['cut-mid,n=4', 'error-mid,n=4', 'error-first'])
		await part(`${way}: ${script}`, () => broken(way, model, script));
	await part(`${way}: abort`, () => abort(way, model));
}
await part('bridged: reasoning', () => reasoning('bridged', ways[2][1]));

await part('embeddings', async () => {
	const { embeddings } = await embedMany({ maxRetries: 0,
		model: openai.embeddingModel('stub/plain'),
		values: ['one', 'two, three'] });

	is(embeddings, [[1, 0.5, -0.25], [1, 0.5, -0.25]], 'embeddings');
});

await part('audio', async () => {
	const speak = generateSpeech ?? experimental_generateSpeech;
	const listen = transcribe ?? experimental_transcribe;
	const { audio } = await speak({ model: openai.speech('stub/size=5000'),
		text: 'hello', voice: 'alloy', maxRetries: 0 });
	const { text } = await listen({ maxRetries: 0,
		model: openai.transcription('stub/plain'),
		audio: new TextEncoder().encode('RIFF\r\n--x'.repeat(1000)) });

	is(audio.uint8Array.length, 5000, 'speech: every byte');
	is(text, 'Héllo from the stub', 'transcription');
});
console.log('done');

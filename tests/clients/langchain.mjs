// Copyright (c) 2026 The tailgate authors
// SPDX-License-Identifier: ISC
//
// LangChain for JavaScript, as an application uses it, with chat completions,
// and with Responses passed through and bridged.  Run by
// tests/clients_langchain.sh.
import { HumanMessage, ToolMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { z } from 'zod';
import { API_KEY, BASE_URL, is, part, report, requests, stub, thrown, until }
	from './say.mjs';

const whole = 'Héllo from the stub, 世界';
const weather = tool(async ({ city }) => `mild in ${city}`, {
	name: 'weather', description: 'of a city',
	schema: z.object({ city: z.string() }) });

function chat(model, useResponsesApi, more) {
	return new ChatOpenAI({ model, apiKey: API_KEY, maxRetries: 0,
		useResponsesApi, configuration: { baseURL: BASE_URL }, ...more });
}

// [what, a model of the stub, the scripted one, the answer]
const ways = [
	['chat', (s, more) => chat(`stub/${s}`, false, more),
		chat('bridged', false), whole],
	['passed', (s, more) => chat(`stub/${s}`, true, more),
		chat('passed', true), 'tök0 tök1 tök2 tök3 tök4 '],
	['bridged', (s, more) => chat(`chat/${s}`, true, more),
		chat('bridged', true), whole],
];

async function invoke(way, model, want) {
	const message = await model('plain').invoke('hello');

	is(message.text, want, `${way}: the answer`);
	is(message.usage_metadata.output_tokens, 5, `${way}: the usage`);
}

async function stream(way, model) {
	const deltas = [];
	let all;

	for await (const chunk of await model('n=3').stream('hello')) {
		all = all === undefined ? chunk : all.concat(chunk);
		if (chunk.text !== '')
			deltas.push(chunk.text);
	}
	is(deltas, ['tök0 ', 'tök1 ', 'tök2 '], `${way}: stream: deltas`);
	is(all.usage_metadata?.output_tokens, 3, `${way}: stream: the usage`);
}

async function tools(way, scripted) {
	const model = scripted.bindTools([weather]);
	const asked = [new HumanMessage('hello')];
	const first = await model.invoke(asked);
	let streamed;

	is(first.tool_calls.map(({ name, args }) => [name, args]),
	    [['weather', { city: 'x' }]], `${way}: tools: the call`);
	const told = await weather.invoke(first.tool_calls[0]);
	report(told instanceof ToolMessage, `${way}: tools: it has run`);
	is((await model.invoke([...asked, first, told])).text, 'mild in x',
	    `${way}: tools: the answer`);
	for await (const chunk of await model.stream(asked))
		streamed = streamed === undefined ? chunk
		    : streamed.concat(chunk);
	is(streamed.tool_calls.map(({ name, args }) => [name, args]),
	    [['weather', { city: 'x' }]], `${way}: tools: the call, streamed`);
}

async function structured(way, scripted) {
	const model = scripted.withStructuredOutput(z.object({
		name: z.string(), born: z.number() }), { method: 'jsonSchema' });

	is(await model.invoke('who?'), { name: 'Ada', born: 1.5 },
	    `${way}: structured output`);
}

async function errors(way, model) {
	for (const [script, status] of [['400', 400], ['429', 429],
		['500', 500], ['502,html', 502]]) {
		const e = await thrown(() => model(script).invoke('hello'));

		is(e?.status, status, `${way}: errors: ${script}`);
	}
	const tries = await requests(() => thrown(() =>
		model('500,retry=0', { maxRetries: 1 }).invoke('hello')));
	is(tries, 2, `${way}: retries: 2 requests`);
	for (const script of ['cut-mid,n=4', 'error-mid,n=4', 'error-first']) {
		const e = await thrown(async () => {
			for await (const chunk of await model(script)
			    .stream('hello'))
				;
		});

		report(e !== undefined,
		    `${way}: ${script}: a broken stream raises`);
	}
}

async function abort(way, model) {
	const before = (await stub('stats')).aborted;
	const control = new AbortController();

	await thrown(async () => {
		for await (const chunk of await model('n=10000,ms=20')
		    .stream('hello', { signal: control.signal }))
			control.abort();
	});
	await until(async () => (await stub('stats')).aborted > before,
	    `${way}: abort: the upstream is told`);
}

for (const [way, model, scripted, want] of ways) {
	await part(`${way}: invoke`, () => invoke(way, model, want));
	await part(`${way}: stream`, () => stream(way, model));
	await part(`${way}: tools`, () => tools(way, scripted));
	await part(`${way}: structured`, () => structured(way, scripted));
	await part(`${way}: errors`, () => errors(way, model));
	await part(`${way}: abort`, () => abort(way, model));
}

await part('embeddings', async () => {
	const vectors = await new OpenAIEmbeddings({ model: 'stub/plain',
		apiKey: API_KEY, maxRetries: 0,
		configuration: { baseURL: BASE_URL },
	}).embedDocuments(['one', 'two']);

	is(vectors.map((v) => Array.from(v)),
	    [[1, 0.5, -0.25], [1, 0.5, -0.25]], 'embeddings');
});
console.log('done');

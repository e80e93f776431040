// Copyright (c) 2026 The tailgate authors
// SPDX-License-Identifier: ISC
//
// What the official SDKs raise for each row of tests/faults.tsv: one line
// for each row, "ID CLASS", the class "-" where nothing was raised.  Run by
// tests/faults.sh.
//
//	argument           none: no retries; default: the SDK's own
//	BASE_URL, API_KEY  the gateway
//	ROWS               the rows, each with its id in front
//	AUDIO              a file to upload
import fs from 'node:fs';
import OpenAI, { toFile } from 'openai';
import Anthropic from '@anthropic-ai/sdk';

const { BASE_URL, API_KEY, ROWS, AUDIO } = process.env;
const retries = process.argv[2] === 'none' ? { maxRetries: 0 } : {};
const timeout = 60000;
const openai = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY, timeout,
	...retries });
const anthropic = new Anthropic({ baseURL: BASE_URL.replace(/\/v1$/, ''),
	authToken: API_KEY, apiKey: null, timeout, ...retries });
const messages = [{ role: 'user', content: 'hello' }];
const audio = fs.readFileSync(AUDIO);

async function all(stream, answer) {
	if (stream)
		for await (const event of answer)
			;
}

const ask = {
	'chat': async (model, stream) => all(stream,
	    await openai.chat.completions.create({ model, messages, stream })),
	'completions': async (model, stream) => all(stream,
	    await openai.completions.create({ model, prompt: 'hello', stream })),
	'embeddings': (model) =>
	    openai.embeddings.create({ model, input: 'hello' }),
	'responses': async (model, stream) => all(stream,
	    await openai.responses.create({ model, input: 'hello', stream })),
	'messages': async (model, stream) => all(stream,
	    await anthropic.messages.create({ model, messages, max_tokens: 99,
		stream })),
	'count_tokens': (model) =>
	    anthropic.messages.countTokens({ model, messages }),
	'speech': async (model) => (await openai.audio.speech.create(
	    { model, input: 'hello', voice: 'alloy' })).arrayBuffer(),
	'transcriptions': async (model, stream) => all(stream,
	    await openai.audio.transcriptions.create({ model, stream,
		file: await toFile(audio, 'a.wav') })),
	'models': (model) => openai.models.retrieve(model),
};

async function row(line) {
	const [id, fault, endpoint, stream] = line.split('\t');
	const run = ask[endpoint.replace('-bridged', '')];

	if (run === undefined || fault.startsWith('leave'))
		return;
	try {
		await run(id, stream === 'yes');
		console.log(`${id} -`);
	} catch (e) {
		console.log(`${id} ${e?.constructor?.name}`);
		if (process.env.VERBOSE)
			console.error(`${id} ${e?.status} ${e}`);
	}
}

const lines = fs.readFileSync(ROWS, 'utf8').trim().split('\n');

// Many wait, few work.
await Promise.all(Array.from({ length: 40 }, async () => {
	while (lines.length > 0)
		await row(lines.shift());
}));

// Copyright (c) 2026 The tailgate authors
// SPDX-License-Identifier: ISC
//
// The official SDKs read streams that begin with comments and have comments
// in their middle, and see an error that comes after them.  Run by
// tests/heartbeat.sh; one line per assertion, "ok TEXT" or "not ok TEXT".
import OpenAI from 'openai';

const { BASE_URL, API_KEY } = process.env;
const client = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0 });
const hello = [{ role: 'user', content: 'hello' }];
const words = 'tök0 tök1 tök2 ';

function is(got, want, what)
{
	if (got === want)
		console.log(`ok ${what}`);
	else
		console.log(`not ok ${what}\n# got ${got}, not ${want}`);
}

async function raised(ask)
{
	try {
		for await (const event of await ask())
			if (event.type === 'response.failed')
				return `event ${event.response.error.message}`;
	} catch (e) {
		return `error ${e.message}`;
	}
	return 'nothing';
}

const chat = (script) => client.chat.completions.create(
    { model: `stub/${script}`, messages: hello, stream: true });
const respond = (script) => client.responses.create(
    { model: `stub/${script}`, input: 'hello', stream: true });

let text = '';
for await (const chunk of await chat('delay=800,ms=500,n=3'))
	text += chunk.choices[0]?.delta?.content ?? '';
is(text, words, 'openai: a chat stream with comments');

text = '';
let last = '';
for await (const event of await respond('delay=800,ms=500,n=3')) {
	text += event.type === 'response.output_text.delta' ? event.delta : '';
	last = event.type;
}
is(text, words, 'openai: a Responses stream with comments');
is(last, 'response.completed', 'openai: and its last event');
const whole = await client.responses.stream(
    { model: 'stub/delay=800,ms=500,n=3', input: 'hello' }).finalResponse();
is(whole.output_text, words, 'openai: the same, put together by the SDK');
is(/stub broke|rovider/.test(await raised(() => chat('delay=800,500'))), true,
    'openai: an error after comments is raised');
is(/stub broke|rovider/.test(await raised(() => respond('delay=800,500'))),
    true, 'openai: an error in a Responses stream is raised');

const anthropic = await import('@anthropic-ai/sdk').catch(() => null);
if (anthropic !== null) {
	const messages = new anthropic.default({ apiKey: API_KEY, maxRetries: 0,
		baseURL: BASE_URL.replace(/\/v1$/, '') }).messages;
	const ask = (script) => messages.create({ model: `stub/${script}`,
		max_tokens: 9, messages: hello, stream: true });

	text = '';
	for await (const event of await ask('delay=800,ms=500,n=3'))
		text += event.delta?.text ?? '';
	is(text, words, 'anthropic: a stream with comments');
	is((await raised(() => ask('delay=800,500'))).startsWith('error'), true,
	    'anthropic: an error after comments is raised');
}
console.log('done');

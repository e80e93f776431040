// Copyright (c) 2026 The tailgate authors
// SPDX-License-Identifier: ISC
//
// The official OpenAI SDK's classes for Realtime.  Run by tests/realtime_sdk.sh.
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { OpenAIRealtimeWebSocket } from 'openai/realtime/websocket';
import { OpenAIRealtimeWS as BetaWS } from 'openai/beta/realtime/ws';
import { OpenAIRealtimeWebSocket as BetaWebSocket }
    from 'openai/beta/realtime/websocket';
import { API_KEY, BASE_URL, is, part } from './say.mjs';

const client = (apiKey) => new OpenAI({ baseURL: BASE_URL, apiKey });

// What a session says: its events' types, and the text; or the error.
function session(Class, apiKey)
{
	return new Promise((done) => {
		const rt = new Class({ model: 'talk' }, client(apiKey));
		const types = [];
		let text = '';

		rt.on('error', (e) => done({ error: e.message }));
		rt.on('event', (event) => {
			types.push(event.type);
			if (event.type === 'session.created') {
				rt.send({ type: 'session.update', session: {
					type: 'realtime',
					instructions: 'Be brief. '.repeat(99) } });
				rt.send({ type: 'response.create' });
			}
			if (event.type === 'response.output_text.delta')
				text += event.delta;
			if (event.type !== 'response.done')
				return;
			rt.close();
			done({ types, text });
		});
	});
}

const want = { types: ['session.created', 'session.updated',
	'response.output_text.delta', 'response.output_text.delta',
	'response.done'], text: `Spoken ${'words. '.repeat(30)}` };

for (const [name, Class] of Object.entries({
	'OpenAIRealtimeWS': OpenAIRealtimeWS,
	'OpenAIRealtimeWebSocket': OpenAIRealtimeWebSocket,
	'beta OpenAIRealtimeWS': BetaWS,
	'beta OpenAIRealtimeWebSocket': BetaWebSocket }))
	await part(name, async () => is(await session(Class, API_KEY), want,
	    `${name}: a session`));
await part('a wrong key', async () => is(await session(OpenAIRealtimeWS,
    'tg-wrong'), { error: 'Unexpected server response: 401' },
    'OpenAIRealtimeWS: a wrong key is refused'));
await part('a wrong key', async () => is(typeof (await session(
    OpenAIRealtimeWebSocket, 'tg-wrong')).error, 'string',
    'OpenAIRealtimeWebSocket: a wrong key is refused'));
console.log('done');
// A socket that could not be opened may still be waited for.
process.exit(0);

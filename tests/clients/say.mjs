// Copyright (c) 2026 The tailgate authors
// SPDX-License-Identifier: ISC
//
// What the scripts here say and ask with.  One line per assertion, "ok TEXT"
// or "not ok TEXT", for `take` of tests/lib.sh.
//
//	BASE_URL, API_KEY  the gateway
//	STUB               the stub upstream behind it (tests/upstream.c)
//	DIR                a directory to write to
export const { BASE_URL, API_KEY, STUB, DIR } = process.env;

export function report(good, text, more) {
	console.log(`${good ? 'ok' : 'not ok'} ${text}`);
	if (!good && more !== undefined)
		console.log(`# ${String(more).replaceAll('\n', ' ')}`);
}

export function is(got, want, text) {
	const [g, w] = [JSON.stringify(got), JSON.stringify(want)];

	report(g === w, text, `got ${g}, want ${w}`);
}

export async function part(name, run) {
	try {
		await run();
	} catch (e) {
		report(false, `${name}: no exception`,
		    `${e?.constructor?.name}: ${e?.stack ?? e}`);
	}
}

// What run() throws; undefined where it does not.
export async function thrown(run) {
	try {
		await run();
	} catch (e) {
		return e;
	}
}

export async function raises(kind, want, run, text) {
	try {
		const got = await run();

		report(false, text, `no exception but ${JSON.stringify(got)}`);
	} catch (e) {
		const got = { kind: e?.constructor?.name };

		for (const key in want)
			got[key] = e?.[key];
		is(got, { kind: kind.name, ...want }, text);
	}
}

export async function stub(what) {
	return (await fetch(`${STUB}/_${what}`)).json();
}

// How many requests run() makes at the stub.
export async function requests(run) {
	const before = (await stub('stats')).requests;

	await run();
	return (await stub('stats')).requests - before;
}

export async function until(test, text) {
	for (let i = 0; i < 500; i++) {
		if (await test())
			return report(true, text);
		await new Promise((done) => setTimeout(done, 20));
	}
	report(false, text, 'not within 10 s');
}

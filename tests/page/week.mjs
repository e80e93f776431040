// Copyright (c) 2026 The tailgate authors
// SPDX-License-Identifier: ISC
//
// week.mjs FILE [DAYS]: writes a ledger of so many days (7) up to now, as a
// household with a few agents would fill it: a day's rhythm, a local model for
// most, two providers outside, some refusals, cuts and clients that left.  The
// chain is whole: `tailgate usage --verify` accepts it.  Always the same for
// the same moment.

import { createHash } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";

const [file, days = "7"] = process.argv.slice(2);

let seed = 20261122;
function random() {
	seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
	return seed / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const skewed = (typical) => Math.round(typical * Math.exp((random() - 0.5) * 2.4));

function pick(weighted) {
	let at = random() * weighted.reduce((n, w) => n + w[0], 0);
	return weighted.find((w) => (at -= w[0]) < 0) ?? weighted[0];
}

// [weight, route, provider, upstream model, place, host, input and output
// nano-USD per token, typical input, typical output]
const routes = [
	[46, "chat", "qwen-local", "qwen3-8b", "local", "127.0.0.1", 0, 0, 1800, 420],
	[20, "code", "qwen-local", "qwen3-coder-30b", "local", "127.0.0.1", 0, 0, 9500, 700],
	[12, "embed", "embed-local", "bge-m3", "local", "127.0.0.1", 0, 0, 320, 0],
	[9, "chat", "deepseek", "deepseek-chat", "external", "api.deepseek.com", 280, 420, 14000, 900],
	[5, "openrouter/*", "openrouter", "anthropic/claude-sonnet-4.5", "external", "openrouter.ai", 3000, 15000, 11000, 800],
	[3, "openrouter/*", "openrouter", "google/gemini-2.5-flash", "external", "openrouter.ai", 300, 2500, 6000, 500],
	[4, "notes", "qwen-local", "qwen3-8b", "local", "127.0.0.1", 0, 0, 700, 260],
];
const clients = [[30, "laptop"], [26, "codex"], [18, "claude-code"],
	[12, "phone"], [9, "backup-notes"], [5, "guest"]];
const refusals = [[4, 404, "model_not_found"], [3, 403, "private_route_blocked"],
	[5, 503, "local_queue_timeout"], [2, 403, "model_not_allowed"]];

const base = (time, n) => ({
	v: 1, time: new Date(time).toISOString(),
	id: `req_${createHash("sha256").update(`${n}`).digest("hex").slice(0, 20)}`,
	client: pick(clients)[1],
});

function refused(time, n) {
	const [, status, refusal] = pick(refusals);
	return { ...base(time, n), endpoint: "chat",
		model: status === 404 ? "gpt-5-typo" : "chat",
		route: status === 404 ? null : "chat", provider: null, place: null,
		status, refusal, bytes_in: skewed(3000), bytes_out: 260,
		usage: "none", input: 0, output: 0, cost_nanousd: null,
		queue_ms: null, first_byte_ms: null, total_ms: 2 + below(20) };
}

// A task of half a day.
const session = (time) => createHash("sha256")
	.update(`${Math.floor(time / 43200000)}`).digest("hex").slice(0, 16);

function served(time, n) {
	const [, route, provider, model, place, host, priceIn, priceOut, typicalIn,
		typicalOut] = pick(routes);
	const outside = place === "external", embed = route === "embed";
	const fate = random();
	const gone = fate < 0.012, cut = fate > 0.994;
	const failed = outside && fate > 0.97 && !cut;
	const input = failed ? 0 : skewed(typicalIn);
	const output = failed || embed ? 0 : skewed(typicalOut);
	const first = skewed(outside ? 900 : 240);
	const asked = route.endsWith("*") ? `openrouter/${model}` : route;

	return { ...base(time, n),
		...(route === "chat" ? { session: session(time) } : {}),
		endpoint: embed ? "embeddings" : "chat", model: asked, route, provider, upstream_model: model, place,
		sent: true, host,
		...(outside ? { allowed_by: `client, model ${route}` } : {}),
		tries: [{ provider, outcome: failed ? "error" : "ok", ms: first }],
		...(outside && route === "chat" ? { fallback: "too_long" } : {}),
		...(embed ? {} : { stream: true }),
		status: failed ? 502 : gone ? 499 : 200,
		...(failed ? { refusal: "upstream_error" } : {}),
		...(gone ? { refusal: "client_gone", client_gone: true } : {}),
		...(cut ? { cut: true } : {}),
		bytes_in: input * 5 + 400, bytes_out: output * 60,
		bytes_sent: input * 5 + 380,
		usage: gone || cut ? "estimated" : "reported", input, output,
		cost_nanousd: outside ? input * priceIn + output * priceOut : 0,
		queue_ms: outside ? 0 : below(4) === 0 ? skewed(1500) : 0,
		first_byte_ms: first, total_ms: first + output * (outside ? 11 : 24) };
}

// How busy an hour of a day is; weekends are quiet.
function weight(time) {
	const at = new Date(time), hour = at.getUTCHours();
	const awake = hour < 6 ? 0.08 : hour < 9 ? 0.5 : hour < 18 ? 1 : 0.6;
	return awake * (at.getUTCDay() % 6 === 0 ? 0.45 : 1);
}

const fd = openSync(file, "w", 0o640);
const end = Date.now() - 1500;
let prev = "0".repeat(32), n = 0, text = "";

for (let time = end - Number(days) * 86400000; time < end; time += 20000) {
	if (random() > weight(time) * 0.55)
		continue;
	n++;
	const at = Math.min(time + below(19000), end);
	const line = JSON.stringify({
		...(random() < 0.022 ? refused(at, n) : served(at, n)), n, prev });

	prev = createHash("sha256").update(line).digest("hex").slice(0, 32);
	text += `${line}\n`;
}
writeSync(fd, text);
closeSync(fd);

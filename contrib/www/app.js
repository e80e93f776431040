// Copyright (c) 2026 The tailgate authors
// SPDX-License-Identifier: ISC
//
// The status page: asks the gateway for its state every two seconds and draws
// it.  Any text in it may have been made up by a client, so all of it becomes
// text nodes.  Nothing is ever parsed as markup, and the Content-Security-Policy
// would not allow it.

const KEY = "tailgate.key";
const EVERY_MS = 2000;
const HIDDEN_MS = 60000;
const SLOWEST_MS = 30000;
const ROWS_EVERY_MS = 15000;
const DAYS = 30;
const RECENT = 100;
const SHOWN = 40;
const MODELS = 12;
const SVG = "http://www.w3.org/2000/svg";

const $ = (id) => document.getElementById(id);

// ---- Elements ---------------------------------------------------------------

function put(node, attributes, children) {
	for (const [name, value] of Object.entries(attributes))
		node.setAttribute(name, value);
	node.append(...children);
	return node;
}

const h = (tag, attributes = {}, ...children) =>
	put(document.createElement(tag), attributes, children);
const s = (tag, attributes = {}, ...children) =>
	put(document.createElementNS(SVG, tag), attributes, children);

// Touches only what has changed, so that a selection or a screen reader's place
// in a table survives.
function setText(node, text) {
	if (node.textContent !== text)
		node.textContent = text;
}

function setClass(node, name) {
	if (node.className !== name)
		node.className = name;
}

// Makes the children of a parent be one for each item, in their order.
function sync(parent, items, keyOf, make, update) {
	const old = parent.children_by_key ?? new Map();
	const now = new Map();
	let at = parent.firstChild;

	for (const item of items) {
		const key = keyOf(item);
		if (now.has(key))
			continue;
		const node = old.get(key) ?? make(item);
		now.set(key, node);
		update(node, item);
		if (node === at)
			at = at.nextSibling;
		else
			parent.insertBefore(node, at);
	}
	while (at) {
		const next = at.nextSibling;
		at.remove();
		at = next;
	}
	parent.children_by_key = now;
}

// A table that is filled by columns: {title, style, fill(cell, item), head}.
function table(element, columns, empty) {
	const body = h("tbody");
	const cells = columns.map((c) =>
		h("th", { scope: "col", class: c.style ?? "" }, c.title));

	element.append(h("thead", {}, h("tr", {}, ...cells)), body);
	return (items, keyOf) => {
		const none = items.length === 0;
		sync(body, none ? [null] : items,
			(item) => item === null ? "" : `=${keyOf(item)}`,
			(item) => item === null
				? h("tr", {}, h("td", { colspan: columns.length,
					class: "empty" }, empty))
				: h("tr", {}, ...columns.map((c) => c.head
					? h("th", { scope: "row", class: c.style ?? "" })
					: h("td", { class: c.style ?? "" }))),
			(row, item) => item !== null && columns.forEach((c, i) =>
				c.fill(row.children[i], item)));
		return body;
	};
}

// A cell with a second line, which replaces the columns that do not fit on a
// narrow screen.
function setTwo(cell, text, below) {
	if (cell.childNodes.length === 0)
		cell.append(h("span"), h("span", { class: "sub" }));
	setText(cell.firstChild, text);
	setText(cell.lastChild, below);
}

// ---- Words and numbers ------------------------------------------------------

// A name that somebody else chose, without control characters or characters
// that reverse the text around it.
function name(value, otherwise = "–") {
	if (typeof value !== "string" || value === "")
		return otherwise;
	const text = value.replace(
		/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu, "\ufffd");
	return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

const num = (value) => Number.isFinite(value) ? value : 0;
const list = (value) => Array.isArray(value)
	? value.filter((item) => item !== null && typeof item === "object") : [];
const known = (value) => Number.isFinite(value);

const whole = new Intl.NumberFormat("en");
const count = (n) => whole.format(num(n));
const many = (n, one, more = `${one}s`) => `${count(n)} ${n === 1 ? one : more}`;

// 1234567 → "1.23 M".
function short(n) {
	const units = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]];
	for (const [size, unit] of units)
		if (n >= size) {
			const v = n / (unit === "k" ? 1e3 : size);
			return `${v.toFixed(v < 10 ? 2 : v < 100 ? 1 : 0)} ${unit}`;
		}
	return count(n);
}

const bytes = (n) => n < 1e6 ? `${Math.ceil(n / 1e3)} kB`
	: n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(1)} GB`;

// Nano-USD as text: small amounts with two digits, larger ones with cents.
function usd(nano) {
	const v = num(nano) / 1e9;
	if (v === 0)
		return "$0";
	if (v < 0.000001)
		return "<$0.000001";
	if (v < 0.995)
		return `$${v.toFixed(Math.max(2, 1 - Math.floor(Math.log10(v))))}`;
	return `$${v.toLocaleString("en",
		{ minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

// An axis does not need "5.00 M".
const round = (text) => text.replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");

function duration(ms) {
	if (!known(ms))
		return "–";
	if (ms < 1000)
		return `${Math.round(ms)} ms`;
	if (ms < 59950)
		return `${(ms / 1000).toFixed(1)} s`;
	const seconds = Math.round(ms / 1000), minutes = Math.floor(seconds / 60);
	if (minutes < 60)
		return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
	return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const clockFormat = new Intl.DateTimeFormat("en-GB",
	{ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayFormat = new Intl.DateTimeFormat("en-GB",
	{ day: "numeric", month: "short", timeZone: "UTC" });
const dateFormat = new Intl.DateTimeFormat("en-GB",
	{ day: "numeric", month: "short" });

function clock(time) {
	const at = new Date(time);
	if (Number.isNaN(at.getTime()))
		return "–";
	return Date.now() - at.getTime() < 43200000
		? clockFormat.format(at)
		: `${dateFormat.format(at)} ${clockFormat.format(at).slice(0, 5)}`;
}

const placeText = (place) => place === "external" ? "↗ external"
	: place === "local" ? "local" : "–";
const placeClass = (place, style) =>
	place === "external" || place === "local" ? `${style} ${place}` : style;

function fillPlace(cell, item) {
	setClass(cell, placeClass(item.place, "w"));
	setText(cell, placeText(item.place));
}

// ---- Providers --------------------------------------------------------------

const outcome = (word) => word === "error" ? "server error" : name(word);

function health(p) {
	if (p.state === "open")
		return ["down", p.open_ms > 0
			? `down, next try in ${duration(Math.ceil(p.open_ms / 1000) * 1000)
				.replace(".0 s", " s")}` : "down, to be tried"];
	if (p.state === "half-open")
		return ["trying", "was down, next request tries"];
	if (p.wake?.asleep === true)
		return ["unknown", p.wake.waiting > 0
			? `waking up, ${many(p.wake.waiting, "request")} waiting` : "asleep"];
	if (p.failures > 0)
		return ["trying", `up, ${many(p.failures, "failure")} in a row`];
	if (list(p.held).length > 0)
		return ["trying", `up, ${many(list(p.held).length, "model")} left alone`];
	if (!(p.requests > 0) && !(p.in_flight > 0))
		return ["unknown", "not asked yet"];
	return ["up", "up"];
}

const showProviders = table($("providers"), [
	{ title: "Provider", head: true, fill: (cell, p) =>
		setTwo(cell, name(p.name), placeText(p.place)) },
	{ title: "Place", style: "w", fill: fillPlace },
	{ title: "Health", fill(cell, p) {
		const [state, text] = health(p);
		if (!cell.firstChild)
			cell.append(h("span"));
		setClass(cell.firstChild, `state ${state}`);
		setText(cell.firstChild, text);
	} },
	{ title: "Now", style: "n", fill: (cell, p) => setText(cell, count(p.in_flight)) },
	{ title: "First byte", style: "n ww", fill: (cell, p) =>
		setText(cell, duration(p.first_byte_p50_ms)) },
	{ title: "Requests", style: "n w", fill: (cell, p) =>
		setText(cell, count(p.requests)) },
	{ title: "Errors", style: "n w", fill(cell, p) {
		setClass(cell, p.errors > 0 ? "n w bad" : "n w");
		setText(cell, count(p.errors));
	} },
	{ title: "Last error", style: "w", fill: (cell, p) =>
		setText(cell, p.last_error
			? `${outcome(p.last_error)}, ${clock(p.last_error_at)}` : "none") },
], "There is no provider in the configuration.");

// ---- Slots ------------------------------------------------------------------

const CELLS_MAX = 16;

// A square for each slot and a dot for each request that waits; bars if there
// are too many to count at a glance.
function slotPicture(limit) {
	const slots = num(limit.slots), used = Math.min(num(limit.used), slots);
	const cells = Math.min(slots, CELLS_MAX), queue = Math.min(num(limit.queued), 12);
	const lit = slots <= CELLS_MAX ? used : Math.round(used / slots * CELLS_MAX);
	const width = cells * 16 + (queue > 0 ? queue * 9 + 8 : 0);
	const svg = s("svg", { width, height: 14, "aria-hidden": "true" });

	for (let i = 0; i < cells; i++)
		svg.append(s("rect", { x: i * 16 + 1, y: 1, width: 12, height: 12,
			rx: 2, class: i < lit ? "slot used" : "slot" }));
	for (let i = 0; i < queue; i++)
		svg.append(s("circle", { cx: cells * 16 + 10 + i * 9, cy: 7, r: 3,
			class: "queued" }));
	return svg;
}

function limitText(limit) {
	const waiting = num(limit.queued);
	return `${count(limit.used)} of ${many(num(limit.slots), "slot")} in use, ` +
		(waiting > 0 ? `${count(waiting)} waiting (room for ${count(limit.queue)})`
			: "nobody waits");
}

const showHolders = table($("holders"), [
	{ title: "Slot", style: "k", fill: (cell, r) => setText(cell,
		r.phase === "waiting" ? "waiting" : "running") },
	{ title: "Client", head: true, fill: (cell, r) =>
		setTwo(cell, name(r.client), name(r.model)) },
	{ title: "Model", style: "w", fill: (cell, r) => setText(cell, name(r.model)) },
	{ title: "Limit", style: "w", fill: (cell, r) => setText(cell, name(r.limit)) },
	{ title: "For", style: "n", fill: (cell, r) => setText(cell, duration(r.age_ms)) },
], "");
$("holders").prepend(h("caption", { class: "unseen" },
	"Requests that hold a slot or wait for one"));

function showLimits(status) {
	sync($("limits"), list(status.limits), (l) => String(l.name),
		() => h("li", {}, h("b"), h("span"), h("span", { class: "dim" })),
		(node, l) => {
			const drawn = [l.slots, l.used, l.queued].join();
			setText(node.children[0], name(l.name));
			setText(node.children[2], limitText(l));
			if (node.drawn !== drawn)
				node.children[1].replaceChildren(slotPicture(l));
			node.drawn = drawn;
		});
	const requests = list(status.requests).slice(0, 100);
	$("holders").hidden = requests.length === 0;
	showHolders(requests, (r) => `${r.request_id} ${r.limit}`);
}

// ---- The fleet --------------------------------------------------------------

const showFleetHosts = table($("fleet-hosts"), [
	{ title: "Host", head: true, fill: (cell, r) =>
		setTwo(cell, name(r.name), many(num(r.workers), "worker")) },
	{ title: "Workers", style: "n w", fill: (cell, r) => setText(cell, count(r.workers)) },
	{ title: "Slots held", style: "n", fill: (cell, r) => setText(cell, count(r.held)) },
	{ title: "Waiting", style: "n", fill: (cell, r) => setText(cell, count(r.waits)) },
], "");
const showFleetSlots = table($("fleet-slots"), [
	{ title: "Shared limit", head: true, fill: (cell, r) =>
		setTwo(cell, name(r.limit), `${name(r.client)} on ${name(r.host)}`) },
	{ title: "Host", style: "w", fill: (cell, r) => setText(cell, name(r.host)) },
	{ title: "Client", style: "w", fill: (cell, r) => setText(cell, name(r.client)) },
	{ title: "Slot", style: "k", fill: (cell, r) => setText(cell,
		r.age_ms === undefined ? "waiting" : "running") },
	{ title: "For", style: "n", fill: (cell, r) => setText(cell,
		r.age_ms === undefined ? "–" : duration(r.age_ms)) },
], "");
$("fleet-slots").prepend(h("caption", { class: "unseen" },
	"Requests that hold a slot of a shared limit or wait for one, over all hosts"));

function storeText(store) {
	const since = store.since ? ` since ${clock(store.since)}` : "";

	if (store.reachable)
		return `The store is reachable${since}, ${num(store.mean_us)} µs a call.`;
	return num(store.away) === num(store.workers) ? `The store is away${since}.`
		: `${many(num(store.away), "worker")} of ${count(store.workers)} ` +
			`can't reach the store${since}.`;
}

// What hosts share; hidden without a store.
function showFleet(status) {
	const fleet = status.fleet ?? {}, limits = list(fleet.limits);
	const rows = limits.flatMap((l) => [...list(l.holders), ...list(l.waiting)]
		.map((r) => ({ ...r, limit: l.name })));
	const of = (host, held) => rows.filter((r) => r.host === host.name &&
		(r.age_ms !== undefined) === held).length;

	$("fleet-part").hidden = status.store === undefined;
	if (status.store === undefined)
		return;
	setClass($("fleet-note"), status.store.reachable ? "dim" : "bad");
	setText($("fleet-note"), storeText(status.store));
	const hosts = list(fleet.hosts).map((host) => ({ ...host,
		held: of(host, true), waits: of(host, false) }));
	$("fleet-hosts").hidden = hosts.length === 0;
	showFleetHosts(hosts, (r) => String(r.name));
	$("fleet-slots").hidden = rows.length === 0;
	showFleetSlots(rows.slice(0, 100).map((r, i) => ({ ...r, i })),
		(r) => `${r.limit} ${r.host} ${r.pid} ${r.i}`);
}

// ---- Budgets ----------------------------------------------------------------

const boundNames = { usd_per_day: "USD a day", usd_per_month: "USD a month",
	tokens_per_day: "tokens a day", tokens_per_minute: "tokens a minute",
	requests_per_minute: "requests a minute", concurrent: "requests at once" };
const boundName = (b) => (boundNames[b.bound] ?? name(b.bound)) +
	(b.shared ? ", all hosts" : "");
const amount = (b, n) => String(b.bound).startsWith("usd")
	? usd(num(n) * 1e9) : short(num(n));
const usedShare = (b) => b.limit > 0
	? Math.min(1, (num(b.used) + num(b.held)) / b.limit) : 0;

const budgetTable = (element, empty) => table(element, [
	{ title: "Of", head: true, fill: (cell, b) => setTwo(cell, name(b.of),
		boundName(b)) },
	{ title: "Bound", style: "w", fill: (cell, b) =>
		setText(cell, boundName(b)) },
	{ title: "Spent", style: "n", fill: (cell, b) =>
		setText(cell, amount(b, num(b.used) + num(b.held))) },
	{ title: "Of", style: "n w", fill: (cell, b) =>
		setText(cell, amount(b, b.limit)) },
	{ title: "Left", style: "n", fill(cell, b) {
		setClass(cell, num(b.left) === 0 ? "n bad" : "n");
		setBar(cell, amount(b, b.left), usedShare(b),
			usedShare(b) > 0.9 ? "bar-external" : "bar-local");
	} },
	{ title: "New in", style: "n w", fill: (cell, b) => setText(cell,
		b.resets_in_ms > 0 ? duration(Math.ceil(b.resets_in_ms / 1000) * 1000)
			.replace(".0 s", " s") : "–") },
], empty);
const showBudgetRows = budgetTable($("budgets"), "");

// The fullest first: what will be refused next.
function showBudgets(status) {
	const bounds = list(status.budgets).sort((a, b) =>
		usedShare(b) - usedShare(a)).slice(0, 50);

	$("budgets-part").hidden = bounds.length === 0;
	showBudgetRows(bounds, (b) => `${b.of} ${b.bound}`);
}

// ---- The headline -----------------------------------------------------------

function headline(status) {
	const providers = list(status.providers);
	const down = providers.filter((p) => p.state === "open");
	const waiting = list(status.limits).reduce((n, l) => n + num(l.queued), 0);
	const running = providers.reduce((n, p) => n + num(p.in_flight), 0);
	const tried = providers.filter((p) => p.state === "half-open");
	const up = providers.length - down.length;
	const asked = providers.every((p) => health(p)[0] !== "unknown");
	const first = providers.length === 0 ? "No provider is configured."
		: down.length === 0 && tried.length > 0
			? `${tried.map((p) => name(p.name)).join(", ")} was down, ` +
				"the next request tries again."
		: down.length === 0
			? !asked ? "No provider is down."
				: providers.length === 1 ? "The provider is up."
				: `All ${providers.length} providers are up.`
		: up === 0 ? "No provider is up."
		: down.length === 1 ? `${name(down[0].name)} is down` +
			(down[0].last_error ? ` (${outcome(down[0].last_error)}).` : ".")
		: `${down.length} of ${providers.length} providers are down.`;
	const second = running === 0 && waiting === 0 ? "Nothing is running."
		: `${many(running, "request")} running, ` +
			(waiting === 0 ? "nobody waits." : `${count(waiting)} waiting.`);

	return [first, second, down.length > 0];
}

function showHeadline(status) {
	const [first, second, bad] = headline(status);
	const p = $("headline");

	if (!p.firstChild)
		p.append(h("span"), " ", h("span", { class: "dim" }));
	setClass(p.firstChild, bad ? "bad" : "");
	setText(p.firstChild, first);
	setText(p.lastChild, second);
	// A screen reader reads it out when it changes, not every two seconds.
	setText($("say"), first);
	document.title = bad ? "tailgate: trouble" : "tailgate";
}

// Content is kept nowhere, unless an operator records a client.
function showRecording(recording) {
	const p = $("recording");

	p.hidden = !recording;
	setText(p, recording ? `● Recording what client ${name(recording.client)} says, ` +
		`until ${String(recording.until).slice(11, 19)} UTC: ` +
		`${count(recording.exchanges)} of ${many(recording.most, "exchange")} so far.`
		: "");
}

// What leaves is refused meanwhile, unless `ledger.when_stuck` says otherwise.
function showLedger(ledger) {
	const p = $("ledger");

	p.hidden = !ledger || ledger.writable !== false;
	setText(p, p.hidden ? "" : "● The ledger can't be written: requests for external providers " +
		"may be refused. The gateway's log says why.");
}

// ---- Usage ------------------------------------------------------------------

const measures = ["requests", "failed", "unpriced", "estimated", "external",
	"external_bytes", "input", "output", "cost_nanousd"];

function zero() {
	return Object.fromEntries(measures.map((m) => [m, 0]));
}

function add(to, row) {
	for (const m of measures)
		to[m] += num(row[m]);
}

const tokens = (sum) => sum.input + sum.output;

// The days that are shown: from the first with any usage, at least a week.
function daysOf(usage, rows) {
	const today = Date.parse(`${String(usage.at).slice(0, 10)}T00:00:00Z`);
	const since = Date.parse(`${usage.since}T00:00:00Z`);
	const days = [];

	if (Number.isNaN(today) || Number.isNaN(since))
		return days;
	for (let t = Math.max(since, today - 60 * 86400000); t <= today; t += 86400000)
		days.push(new Date(t).toISOString().slice(0, 10));
	const first = days.findIndex((d) => rows.some((r) => r.day === d));
	return days.slice(Math.max(0, Math.min(first === -1 ? days.length : first,
		days.length - 7)));
}

// {place: {day: sums}} and the like, in one pass over the rows.
function sumsBy(rows, keyOf) {
	const sums = new Map();

	for (const row of rows) {
		const key = keyOf(row);
		if (!sums.has(key))
			sums.set(key, zero());
		add(sums.get(key), row);
	}
	return sums;
}

function figure(label, value, below, style = "") {
	return { label, value, below, style };
}

function showFigures(usage, rows) {
	const today = rows.filter((r) => r.day === String(usage.at).slice(0, 10));
	const local = sumsBy(today, (r) => r.place).get("local") ?? zero();
	const sum = zero();
	today.forEach((row) => add(sum, row));
	const out = sum.external, sent = local.requests + out;
	const share = sent === 0 ? "–" : out === 0 ? "100 %"
		: `${Math.min(99.9, local.requests / sent * 100).toFixed(1)} %`;
	const items = [
		figure("Requests today", count(sum.requests),
			sum.failed === 0 ? "none failed" : `${count(sum.failed)} failed`,
			sum.failed > 0 && sum.failed > sum.requests / 10 ? "wrong" : ""),
		figure("Stayed here", share, `${count(local.requests)} of ${count(sent)}`,
			sent > 0 ? "stayed" : ""),
		figure("Left this host", count(out), out === 0 ? "nothing went out"
			: `${bytes(sum.external_bytes)} went out`, out > 0 ? "left" : ""),
		figure("Tokens today", short(tokens(sum)),
			`${short(sum.input)} in, ${short(sum.output)} out`),
		figure("Cost today", usd(sum.cost_nanousd), sum.unpriced > 0
			? `${count(sum.unpriced)} without a price`
			: "as far as prices say"),
	];
	sync($("figures"), items, (item) => item.label,
		() => h("div", {}, h("dt"), h("dd"), h("dd")),
		(node, item) => {
			setClass(node, item.style);
			setText(node.children[0], item.label);
			setText(node.children[1], item.value);
			setText(node.children[2], item.below);
		});
}

// ---- Plots ------------------------------------------------------------------

const HEIGHT = 190, TOP = 10, BOTTOM = 22;

// The least of 1, 2, 5, 10 … of which three steps reach the greatest value.
function niceStep(max) {
	const raw = max / 3, unit = 10 ** Math.floor(Math.log10(raw));
	return [1, 2, 5, 10].map((n) => n * unit).find((n) => n >= raw * 0.999);
}

function swatch(style) {
	return s("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" },
		s("rect", { width: 12, height: 12, rx: 2, class: style }));
}

class Plot {
	constructor(element, title, places, format) {
		this.title = title;
		this.format = format;
		this.places = places;
		this.output = h("output", { "aria-live": "off" });
		this.svg = s("svg", { role: "img" });
		this.table = h("table", {}, h("caption", { class: "unseen" }, title));
		this.show = table(this.table, [
			{ title: "Day", head: true, fill: (c, r) => setText(c, dayText(r.day)) },
			...places.map((p, i) => ({ title: p.label, style: "n",
				fill: (c, r) => setText(c, format(r.values[i])) })),
		], "No day yet.");
		element.append(
			h("figcaption", {}, h("b", {}, title), this.output),
			this.svg,
			h("p", { class: "legend" }, ...places.map((p) =>
				h("span", {}, swatch(p.style), p.label))),
			h("details", {}, h("summary", {}, "The same as a table"), this.table));
		this.svg.addEventListener("pointerleave", () => this.select(-1));
		new ResizeObserver(() => this.draw()).observe(this.svg);
	}

	// rows: [{day, values: [one for each place]}]
	update(rows) {
		const drawn = JSON.stringify(rows);
		if (drawn === this.drawn)
			return;
		this.drawn = drawn;
		this.rows = rows;
		this.total = rows.reduce((n, r) => n + sumOf(r.values), 0);
		this.show([...rows].reverse(), (r) => r.day);
		this.draw();
	}

	select(index) {
		const row = this.rows?.[index];
		this.bands?.forEach((band, i) =>
			band.setAttribute("class", i === index ? "band on" : "band"));
		setText(this.output, row
			? `${dayText(row.day)}: ${row.values.map((v, i) =>
				`${this.format(v)} ${this.places[i].short}`)
				.filter((_, i) => row.values[i] > 0).join(", ") || this.format(0)}`
			: `${this.format(this.total)} in ${many(this.rows.length, "day")}`);
	}

	describe(max) {
		const best = this.rows.find((r) => sumOf(r.values) === max);
		this.svg.setAttribute("aria-label", max === 0
			? `${this.title}: none in ${many(this.rows.length, "day")}`
			: `${this.title}: ${this.format(this.total)} in ` +
				`${many(this.rows.length, "day")}, most on ${dayText(best.day)} ` +
				`with ${this.format(max)}. A table follows.`);
	}

	draw() {
		const width = this.svg.clientWidth;
		if (!this.rows || width === 0)
			return;
		const max = Math.max(...this.rows.map((r) => sumOf(r.values)), 0);
		const step = max > 0 ? niceStep(max) : 0;
		const top = max > 0 ? Math.ceil(max / step - 1e-9) * step : 1;
		const labels = [0];
		for (let v = step; max > 0 && v <= top * 1.001; v += step)
			labels.push(v);
		const left = 10 + 7.2 * Math.max(...labels.map((v) => round(this.format(v)).length));
		const y = (v) => HEIGHT - BOTTOM - v / top * (HEIGHT - TOP - BOTTOM);

		this.describe(max);
		this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
		this.svg.replaceChildren();
		for (const v of labels)
			this.svg.append(
				s("line", { x1: left, x2: width, y1: y(v), y2: y(v),
					class: v === 0 ? "base" : "grid" }),
				s("text", { x: left - 8, y: y(v) + 4, "text-anchor": "end" },
					round(this.format(v))));
		if (max === 0)
			this.svg.append(s("text", { x: (left + width) / 2, y: HEIGHT / 2,
				"text-anchor": "middle" }, "none so far"));
		this.drawBars(left, width, y);
		this.select(-1);
	}

	drawBars(left, width, y) {
		const band = (width - left) / Math.max(1, this.rows.length);
		const bar = Math.max(2, Math.min(30, Math.round(band * 0.7)));
		const every = Math.max(1, Math.ceil(44 / band));

		this.bands = this.rows.map((row, i) => {
			const x = left + band * i, from = Math.round(x + (band - bar) / 2);
			let sum = 0;

			row.values.forEach((value, p) => {
				if (value <= 0)
					return;
				const low = y(sum), high = y(sum += value);
				this.svg.append(s("rect", { x: from, width: bar, y: high,
					height: Math.max(low - high, 0.75),
					class: this.places[p].style }));
			});
			if ((this.rows.length - 1 - i) % every === 0)
				this.svg.append(s("text", { x: from + bar / 2, y: HEIGHT - 5,
					"text-anchor": i === this.rows.length - 1 && every > 1
						? "end" : "middle" }, dayText(row.day)));
			const over = s("rect", { x, width: band, y: 0,
				height: HEIGHT - BOTTOM, class: "band" });
			over.addEventListener("pointerenter", () => this.select(i));
			this.svg.append(over);
			return over;
		});
	}
}

const sumOf = (values) => values.reduce((a, b) => a + b, 0);
const dayText = (day) => dayFormat.format(new Date(`${day}T00:00:00Z`));

const places = [
	{ key: "local", label: "stayed here", short: "here", style: "bar-local" },
	{ key: "external", label: "went outside", short: "outside",
		style: "bar-external" },
];
const tokensPlot = new Plot($("tokens-plot"), "Tokens per day", places, short);
const costPlot = new Plot($("cost-plot"), "Cost per day", places, usd);

function showPlots(days, rows) {
	const by = sumsBy(rows, (r) => `${r.day} ${r.place}`);
	const of = (day, place) => by.get(`${day} ${place.key}`) ?? zero();

	tokensPlot.update(days.map((day) => ({ day,
		values: places.map((p) => tokens(of(day, p))) })));
	costPlot.update(days.map((day) => ({ day,
		values: places.map((p) => of(day, p).cost_nanousd) })));
}

// ---- By model ---------------------------------------------------------------

const BAR = 64;

function setBar(cell, text, share, style) {
	if (cell.childNodes.length === 0)
		cell.append(h("span"), " ", s("svg", { width: BAR, height: 10,
			class: "ww", "aria-hidden": "true" }, s("rect", { height: 10 })));
	const bar = cell.lastChild.firstChild;
	setText(cell.firstChild, text);
	bar.setAttribute("width", share > 0 ? Math.max(1, share * BAR) : 0);
	bar.setAttribute("class", style);
}

// Tokens per day as a line: whether it is used more or less than before.
function setSpark(cell, values, style) {
	const drawn = `${style}${values.join()}`, max = Math.max(...values, 1);
	const step = 84 / Math.max(1, values.length - 1);

	if (cell.drawn === drawn)
		return;
	cell.drawn = drawn;
	cell.replaceChildren();
	if (values.some((v) => v > 0))
		cell.append(s("svg", { width: 88, height: 20, "aria-hidden": "true" },
		s("polyline", { class: style, points: values.map((v, i) =>
			`${(2 + i * step).toFixed(1)},${(18 - v / max * 16).toFixed(1)}`)
			.join(" ") })));
}

const barOf = (m) => m.place === "external" ? "bar-external"
	: m.place === "local" ? "bar-local" : "bar-none";

const showModels = table($("models"), [
	{ title: "Model", head: true, fill: (cell, m) =>
		setTwo(cell, m.label, [name(m.provider, ""), placeText(m.place)]
			.filter((t) => t !== "" && t !== "–").join(", ")) },
	{ title: "Provider", style: "w", fill: (cell, m) =>
		setText(cell, name(m.provider, m.key === "" ? "–" : "not sent")) },
	{ title: "Place", style: "w", fill: fillPlace },
	{ title: "Requests", style: "n", fill: (cell, m) =>
		setText(cell, count(m.sum.requests)) },
	{ title: "Failed", style: "n w", fill(cell, m) {
		setClass(cell, m.sum.failed > m.sum.requests / 20 ? "n w bad" : "n w");
		setText(cell, count(m.sum.failed));
	} },
	{ title: "Tokens", style: "n", fill: (cell, m) => setBar(cell,
		short(tokens(m.sum)), m.tokensShare, barOf(m)) },
	{ title: "Cost", style: "n", fill: (cell, m) => setBar(cell,
		m.sum.unpriced > 0 && m.sum.cost_nanousd === 0 ? "no price"
			: usd(m.sum.cost_nanousd), m.costShare, barOf(m)) },
	{ title: "Tokens by day", style: "w", fill: (cell, m) => setSpark(cell, m.days,
		m.place === "external" ? "spark out" : "spark") },
], "No request has ended yet.");

function modelsOf(days, rows) {
	const models = new Map();
	const index = new Map(days.map((day, i) => [day, i]));

	for (const row of rows) {
		const key = JSON.stringify([row.model, row.provider, row.place]);
		if (!models.has(key))
			models.set(key, { key, provider: row.provider, place: row.place,
				label: name(row.model, "none (refused)"),
				sum: zero(), days: days.map(() => 0) });
		const m = models.get(key);
		add(m.sum, row);
		if (index.has(row.day))
			m.days[index.get(row.day)] += tokens(row);
	}
	return [...models.values()].sort((a, b) =>
		b.sum.cost_nanousd - a.sum.cost_nanousd ||
		tokens(b.sum) - tokens(a.sum) || b.sum.requests - a.sum.requests);
}

function showByModel(days, rows) {
	const all = modelsOf(days, rows), shown = all.slice(0, MODELS);
	const rest = all.slice(MODELS);

	if (rest.length === 1)
		shown.push(rest[0]);
	else if (rest.length > 1) {
		const others = { key: "", label: `${rest.length} others`, provider: "",
			place: "", sum: zero(), days: days.map(() => 0) };
		for (const m of rest) {
			add(others.sum, m.sum);
			m.days.forEach((n, i) => { others.days[i] += n; });
		}
		shown.push(others);
	}
	const mostTokens = Math.max(1, ...shown.map((m) => tokens(m.sum)));
	const mostCost = Math.max(1, ...shown.map((m) => m.sum.cost_nanousd));
	for (const m of shown) {
		m.tokensShare = tokens(m.sum) / mostTokens;
		m.costShare = m.sum.cost_nanousd / mostCost;
	}
	showModels(shown, (m) => m.key);
}

// ---- By client --------------------------------------------------------------

const showClientSums = table($("client-sums"), [
	{ title: "Client", head: true, fill: (cell, c) => setText(cell, c.label) },
	{ title: "Requests", style: "n", fill: (cell, c) =>
		setText(cell, count(c.sum.requests)) },
	{ title: "Failed", style: "n w", fill(cell, c) {
		setClass(cell, c.sum.failed > c.sum.requests / 20 ? "n w bad" : "n w");
		setText(cell, count(c.sum.failed));
	} },
	{ title: "Outside", style: "n w", fill: (cell, c) =>
		setText(cell, count(c.sum.external)) },
	{ title: "Tokens", style: "n", fill: (cell, c) => setBar(cell,
		short(tokens(c.sum)), c.tokensShare, "bar-none") },
	{ title: "Cost", style: "n", fill: (cell, c) => setBar(cell,
		usd(c.sum.cost_nanousd), c.costShare, "bar-none") },
	{ title: "Tokens by day", style: "w", fill: (cell, c) =>
		setSpark(cell, c.days, "spark") },
], "Nobody has asked yet.");

// If a line names no client, the client was not known: its key was wrong.
function showByClient(days, rows) {
	const index = new Map(days.map((day, i) => [day, i]));
	const by = new Map();

	for (const row of rows) {
		const key = String(row.client ?? "");
		if (!by.has(key))
			by.set(key, { key, label: name(row.client, "(not known)"),
				sum: zero(), days: days.map(() => 0) });
		const c = by.get(key);
		add(c.sum, row);
		if (index.has(row.day))
			c.days[index.get(row.day)] += tokens(row);
	}
	const all = [...by.values()];
	const mostTokens = Math.max(1, ...all.map((c) => tokens(c.sum)));
	const mostCost = Math.max(1, ...all.map((c) => c.sum.cost_nanousd));
	for (const c of all) {
		c.tokensShare = tokens(c.sum) / mostTokens;
		c.costShare = c.sum.cost_nanousd / mostCost;
	}
	showClientSums(all.sort((a, b) => b.sum.cost_nanousd - a.sum.cost_nanousd ||
		tokens(b.sum) - tokens(a.sum)).slice(0, 30), (c) => c.key);
}

const showSessionSums = table($("sessions"), [
	{ title: "Session", head: true, fill: (cell, c) =>
		setTwo(cell, c.label, `${c.client} · ${many(c.sum.requests, "request")}`) },
	{ title: "Client", style: "w", fill: (cell, c) => setText(cell, c.client) },
	{ title: "Requests", style: "n w", fill: (cell, c) =>
		setText(cell, count(c.sum.requests)) },
	{ title: "Failed", style: "n w", fill: (cell, c) =>
		setText(cell, count(c.sum.failed)) },
	{ title: "Tokens", style: "n", fill: (cell, c) => setBar(cell,
		short(tokens(c.sum)), c.tokensShare, "bar-none") },
	{ title: "Cost", style: "n", fill: (cell, c) => setBar(cell,
		usd(c.sum.cost_nanousd), c.costShare, "bar-none") },
], "No session is known.");

function showBySession(rows) {
	const all = rows.slice(0, MODELS).map((row) => {
		const sum = zero();
		add(sum, row);
		return { key: `${row.session} ${row.client}`, label: name(row.session),
			client: name(row.client, "(not known)"), sum };
	});
	const mostTokens = Math.max(1, ...all.map((c) => tokens(c.sum)));
	const mostCost = Math.max(1, ...all.map((c) => c.sum.cost_nanousd));

	for (const c of all) {
		c.tokensShare = tokens(c.sum) / mostTokens;
		c.costShare = c.sum.cost_nanousd / mostCost;
	}
	$("sessions-part").hidden = all.length === 0;
	showSessionSums(all, (c) => c.key);
}

function showUsage(usage) {
	const rows = list(usage.rows);
	const days = daysOf(usage, rows);
	const sum = zero();
	rows.forEach((row) => add(sum, row));

	setText($("usage-note"), usage.ledger === false
		? "No ledger is kept (ledger.enabled = false), so there is nothing to add up."
		: rows.length === 0 ? "No request has ended in the last 30 days. Give your " +
			`tools the base URL ${new URL("../v1", location.href).href} and a ` +
			"client's key."
		: `${many(sum.requests, "request")}, ${short(tokens(sum))} tokens and ` +
			`${usd(sum.cost_nanousd)} in ${many(days.length, "day")}.` +
			(sum.estimated > 0 ? ` The tokens of ${count(sum.estimated)} are ` +
				"estimates, where the provider said none." : ""));
	$("sums").hidden = rows.length === 0;
	showFigures(usage, rows);
	showPlots(days, rows);
	showByModel(days, rows);
	showByClient(days, list(usage.clients));
	showBySession(list(usage.sessions));
}

// ---- Requests as they end ---------------------------------------------------

const words = (value) => name(value).replaceAll("_", " ");

function statusText(r) {
	if (r.client_gone)
		return "client left";
	const text = known(r.status) ? String(r.status) : "–";
	return (r.refusal ? `${text} ${words(r.refusal)}` : text) +
		(r.cut ? ", cut" : "");
}

const isBad = (r) => !r.client_gone && (num(r.status) >= 400 || r.cut === true);
const tokensText = (r) => num(r.input) + num(r.output) === 0 ? "–"
	: `${r.usage === "estimated" ? "~" : ""}${short(num(r.input))} → ` +
		`${short(num(r.output))}`;

const showRecent = table($("recent"), [
	{ title: "Time", style: "k", fill(cell, r) {
		if (r.day !== undefined) {
			setText(cell, r.day);
			return;
		}
		if (!cell.firstChild) {
			const more = h("button", { type: "button", class: "more",
				"aria-controls": "detail" },
				h("time", { datetime: name(r.time), title: name(r.time) }));
			more.addEventListener("click", () => {
				open = open === String(r.id) ? null : String(r.id);
				showRequests(latest);
			});
			cell.append(more);
		}
		setText(cell.firstChild.firstChild, clock(r.time));
		cell.firstChild.setAttribute("aria-expanded", String(open === String(r.id)));
	} },
	{ title: "Client", style: "w who", fill: (cell, r) => setText(cell,
		r.day === undefined ? name(r.client) : "") },
	{ title: "Model", fill(cell, r) {
		if (r.day !== undefined)
			return;
		setTwo(cell, name(r.model, name(r.endpoint)),
			[name(r.client, ""), name(r.provider, "")]
				.filter((t) => t !== "").join(" → "));
	} },
	{ title: "Provider", style: "w", fill(cell, r) {
		if (r.day !== undefined)
			return;
		const sent = r.sent === true;
		// The request may have gone outside before a local provider
		// served it.
		const place = r.external === true ? "external" : r.place;
		setClass(cell, sent ? placeClass(place, "w") : "w");
		setText(cell, (r.external === true ? "↗ " : "") +
			name(r.provider) + (r.fallback ? `, ${words(r.fallback)}` : ""));
	} },
	{ title: "Status", fill(cell, r) {
		if (r.day !== undefined)
			return;
		setClass(cell, isBad(r) ? "bad" : "");
		setText(cell, statusText(r));
	} },
	{ title: "Tokens", style: "n ww", fill: (cell, r) =>
		setText(cell, r.day !== undefined ? "" : tokensText(r)) },
	{ title: "Cost", style: "n w", fill: (cell, r) =>
		setText(cell, r.day !== undefined ? "" : known(r.cost_nanousd) ? usd(r.cost_nanousd) : "–") },
	{ title: "First byte", style: "n w", fill: (cell, r) =>
		setText(cell, r.day !== undefined ? "" : duration(r.first_byte_ms)) },
	{ title: "Took", style: "n", fill: (cell, r) =>
		setText(cell, r.day !== undefined ? "" : duration(r.total_ms)) },
], "None yet.  It will be here a moment after it has ended.");

let seen = null, latest = null;

// The requests that match the filter and the range.
function chosen(requests) {
	const wanted = $("filter").value.trim().toLowerCase();
	const seconds = Number($("range").value);
	const since = seconds === 0 ? -Infinity : Date.now() - seconds * 1000;

	return requests.filter((r) => !(Date.parse(r.time) < since) &&
		(wanted === "" || [r.client, r.model, r.provider, r.id, r.endpoint,
			statusText(r), placeText(r.place)].some((value) =>
			String(value ?? "").toLowerCase().includes(wanted))));
}

function percentile(values, share) {
	const sorted = values.filter(known).sort((a, b) => a - b);

	return sorted.length === 0 ? undefined
		: sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

// Output tokens over the time from the first byte to the end.
function speed(r) {
	const ms = num(r.total_ms) - num(r.first_byte_ms);

	return num(r.output) > 0 && known(r.first_byte_ms) && ms > 0
		? num(r.output) / ms * 1000 : undefined;
}

const speedText = (v) => known(v) ? `${v < 10 ? v.toFixed(1) : Math.round(v)} tokens/s` : "–";

function summary(requests) {
	const of = (key) => requests.map((r) => known(r[key]) ? r[key] : undefined);
	const first = of("first_byte_ms"), total = of("total_ms");

	return `${many(requests.length, "request")}. First byte: half within ` +
		`${duration(percentile(first, 0.5))}, nineteen of twenty within ` +
		`${duration(percentile(first, 0.95))}; in all ` +
		`${duration(percentile(total, 0.5))} and ` +
		`${duration(percentile(total, 0.95))}. Speed: ` +
		`${speedText(percentile(requests.map(speed), 0.5))}.`;
}

const showClientRows = table($("clients"), [
	{ title: "Client", head: true, fill: (cell, c) => setText(cell, c.label) },
	{ title: "Requests", style: "n", fill: (cell, c) => setText(cell, count(c.requests)) },
	{ title: "Failed", style: "n w", fill(cell, c) {
		setClass(cell, c.failed > 0 ? "n w bad" : "n w");
		setText(cell, count(c.failed));
	} },
	{ title: "Outside", style: "n w", fill: (cell, c) => setText(cell, count(c.external)) },
	{ title: "Tokens", style: "n", fill: (cell, c) => setText(cell, short(c.tokens)) },
	{ title: "Cost", style: "n", fill: (cell, c) => setText(cell, usd(c.cost)) },
	{ title: "First byte", style: "n w", fill: (cell, c) =>
		setText(cell, duration(percentile(c.first, 0.5))) },
	{ title: "Speed", style: "n w", fill: (cell, c) =>
		setText(cell, speedText(percentile(c.speeds, 0.5))) },
], "Nobody has asked.");

function showClients(requests) {
	const by = new Map();

	for (const r of requests) {
		const key = String(r.client ?? "");
		if (!by.has(key))
			by.set(key, { key, label: name(r.client, "(not known)"), requests: 0,
				failed: 0, external: 0, tokens: 0, cost: 0, first: [], speeds: [] });
		const c = by.get(key);
		c.requests++;
		c.failed += isBad(r) ? 1 : 0;
		c.external += r.external === true ? 1 : 0;
		c.tokens += num(r.input) + num(r.output);
		c.cost += num(r.cost_nanousd);
		c.first.push(r.first_byte_ms);
		c.speeds.push(speed(r));
	}
	showClientRows([...by.values()].sort((a, b) => b.requests - a.requests)
		.slice(0, 30), (c) => c.key);
}

// A row for each request, and one before the first of each day.
function withDays(requests) {
	const rows = [];
	let day = dateFormat.format(new Date());

	for (const r of requests) {
		const at = new Date(r.time);
		const of = Number.isNaN(at.getTime()) ? day : dateFormat.format(at);
		if (of !== day)
			rows.push({ day: of, id: `day ${of}` });
		day = of;
		rows.push(r);
	}
	return rows;
}

// The id of the request whose details are shown, or null.
let open = null;

const details = [["Request id", (r) => name(r.id)],
	["Session", (r) => name(r.session)], ["Endpoint", (r) => name(r.endpoint)],
	["Streamed", (r) => r.stream === true ? "yes" : "no"],
	["Sent outside", (r) => r.external === true ? "yes" : "no"],
	["Fell back after", (r) => r.fallback ? words(r.fallback) : "–"],
	["Waited for a slot", (r) => duration(r.queue_ms)],
	["First byte", (r) => duration(r.first_byte_ms)],
	["In all", (r) => duration(r.total_ms)],
	["Tokens", tokensText], ["Speed", (r) => speedText(speed(r))],
	["Cost", (r) => known(r.cost_nanousd) ? usd(r.cost_nanousd) : "–"]];

function showDetail(requests) {
	const r = open === null ? undefined
		: requests.find((one) => String(one.id) === open);

	$("detail").hidden = r === undefined;
	if (r !== undefined)
		sync($("detail-list"), details, (d) => d[0],
			() => h("div", {}, h("dt"), h("dd")), (node, [label, of]) => {
				setText(node.firstChild, label);
				setText(node.lastChild, of(r));
			});
}

// A row for each, with a bar as long as its share of the longest.
function tally(element, title, empty) {
	const show = table(element, [
		{ title, head: true, fill: (cell, r) => setText(cell, r.label) },
		{ title: "Requests", style: "n", fill: (cell, r) =>
			setBar(cell, count(r.n), r.n / r.most, r.style) },
	], empty);

	return (rows) => {
		const most = Math.max(1, ...rows.map((r) => r.n));
		show(rows.map((r) => ({ ...r, most })), (r) => r.label);
	};
}

const showReasonRows = tally($("reasons"), "Reason", "None of these failed.");
const showFirstRows = tally($("first"), "First byte", "None of these sent one.");

function showReasons(requests) {
	const by = new Map();

	for (const r of requests.filter(isBad))
		by.set(statusText(r), (by.get(statusText(r)) ?? 0) + 1);
	showReasonRows([...by].map(([label, n]) => ({ label, n, style: "bar-external" }))
		.sort((a, b) => b.n - a.n).slice(0, 10));
}

const steps = [[100, "within 100 ms"], [300, "300 ms"], [1000, "1 s"], [3000, "3 s"],
	[10000, "10 s"], [30000, "30 s"], [Infinity, "later"]];

function showFirst(requests) {
	const times = requests.map((r) => r.first_byte_ms).filter((ms) => known(ms) && ms >= 0);
	let from = -1;
	const rows = steps.map(([to, label]) => {
		const n = times.filter((ms) => ms > from && ms <= to).length;
		from = to;
		return { label, n, style: "bar-local" };
	});

	showFirstRows(times.length === 0 ? [] : rows);
}

function showRequests(usage) {
	const all = list(usage.recent), left = chosen(all);
	const requests = withDays(left.slice(0, SHOWN));
	const body = showRecent(requests, (r) => String(r.id));

	latest = usage;
	setText($("recent-sum"), left.length === 0 ? "No request is like that."
		: summary(left));
	showReasons(left);
	showFirst(left);
	showClients(left);
	showDetail(all);

	if (seen !== null)
		requests.forEach((r, i) => {
			if (r.day === undefined && !seen.has(r.id) && body.children[i])
				body.children[i].classList.add("fresh");
		});
	seen = new Set(all.map((r) => r.id));
	$("recent-note").hidden = usage.ledger !== false;
	setText($("recent-note"), "No ledger is kept, so this stays empty.");
}

// ---- Asking -----------------------------------------------------------------

class Refused extends Error {
	constructor(status) {
		super(`status ${status}`);
		this.status = status;
	}
}

function readKey() {
	try {
		return sessionStorage.getItem(KEY) ?? "";
	} catch {
		return "";
	}
}

function keepKey(value) {
	try {
		if (value === "")
			sessionStorage.removeItem(KEY);
		else
			sessionStorage.setItem(KEY, value);
	} catch {
		// Storage is off: the key lives as long as the page.
	}
}

const state = { key: readKey(), own: false, paused: false, failures: 0, rows_at: -Infinity,
	good_at: null, timer: 0, turn: 0 };

function send(path, more = {}) {
	return fetch(path, {
		cache: "no-store", credentials: "same-origin", redirect: "error",
		referrerPolicy: "no-referrer", signal: AbortSignal.timeout(15000), ...more,
		headers: { ...more.headers,
			...state.key === "" ? {} : { Authorization: `Bearer ${state.key}` } },
	});
}

async function ask(path) {
	const answer = await send(path);
	if (!answer.ok)
		throw new Refused(answer.status);
	return answer.json();
}

function showClock() {
	const still = state.paused || state.failures > 0;
	$("clock").className = still ? "still" : "";
	setText($("clock"), state.good_at === null ? ""
		: still ? `as of ${clockFormat.format(state.good_at)}` : "live");
}

function showTrouble(text) {
	$("trouble").hidden = text === "";
	setText($("trouble"), text);
}

function showGate(message) {
	$("wait").hidden = $("page").hidden = $("buttons").hidden = true;
	$("own").hidden = $("setup").hidden = $("clock").hidden = true;
	$("gate").hidden = false;
	$("gate-error").hidden = message === "";
	setText($("gate-error"), message);
	$("key").setAttribute("aria-invalid", message === "" ? "false" : "true");
	showTrouble("");
	$("key").focus();
}

function showPage() {
	const gate = !$("gate").hidden;
	$("wait").hidden = $("gate").hidden = true;
	$("page").hidden = state.own;
	$("own").hidden = !state.own;
	$("setup").hidden = $("buttons").hidden = $("clock").hidden = false;
	showSetup();
	$("forget").hidden = state.key === "";
	if (gate)
		$("main").focus();
}

// ---- What a client that is no operator sees ---------------------------------

const showOwnBudgets = budgetTable($("own-budgets"),
	"There is no bound on what you may use.");
const showOwnModels = table($("own-models"), [
	{ title: "Model", head: true, fill: (cell, m) => setTwo(cell, name(m.id),
		m.place === "external" ? "↗ external" : name(m.place)) },
	{ title: "Place", style: "w", fill: fillPlace },
	{ title: "Ready", fill(cell, m) {
		setClass(cell, m.ready === false ? "bad" : "");
		setText(cell, m.ready === false ? "no" : "yes");
	} },
	{ title: "Context", style: "n", fill: (cell, m) => setText(cell,
		known(m.context_length) ? short(m.context_length) : "–") },
	{ title: "Tools", style: "w", fill: (cell, m) => setText(cell,
		m.tools === true ? "yes" : m.tools === false ? "no" : "–") },
], "None is listed by name.");

async function lookOwn() {
	const [usage, models] = await Promise.all([ask("usage.json"), ask("../v1/models")]);

	return () => {
		state.failures = 0;
		state.good_at = new Date();
		showTrouble("");
		showPage();
		setText($("own-title"), `You are ${name(usage.client)}`);
		setText($("own-note"), "What is spent, held and left of your bounds.");
		const bounds = list(usage.budgets);
		showOwnBudgets(bounds, (b) => `${b.of} ${b.bound}`);
		showOwnModels(list(models.data), (m) => String(m.id));
		showClock();
	};
}

// ---- Set up a tool ----------------------------------------------------------

let script_of = null;

// The gateway as the tools reach it: two steps up from this page.
const gateway = new URL("..", location.href).href.replace(/\/$/, "");

async function showScript() {
	const tool = $("setup-tool").value, model = $("setup-model").value.trim();
	const query = new URLSearchParams({ tool, url: gateway, model });

	script_of = `${tool} ${model}`;
	setText($("setup-say"), "");
	setText($("setup-run"), `sh ${tool}.sh`);
	$("setup-copy").disabled = true;
	setText($("setup-script"), model === "" ? "Name a model first." : "");
	if (model === "")
		return;
	const answer = await send(`../v1/tailgate/setup?${query}`);
	const text = answer.ok ? await answer.text()
		: "The gateway makes no script for this model.";
	if (script_of !== `${tool} ${model}`)
		return;
	$("setup-copy").disabled = !answer.ok;
	setText($("setup-script"), text);
}

async function showSetup() {
	if (script_of !== null)
		return;
	script_of = "";
	try {
		const [{ tools }, models] = await Promise.all([ask("../v1/tailgate/setup"),
			ask("../v1/models")]);
		const talking = list(models.data).filter((m) => m.architecture === undefined ||
			(m.architecture.output_modalities ?? []).includes("text"));
		const first = talking.find((m) => m.tools !== false) ?? talking[0];
		$("setup-tool").replaceChildren(...list(tools).map((t) =>
			h("option", { value: t.name }, name(t.title))));
		$("setup-models").replaceChildren(...talking.map((m) =>
			h("option", { value: m.id })));
		$("setup-tool").value = "codex";
		$("setup-model").value = first?.id ?? "";
		await showScript();
	} catch {
		script_of = null; // with the next look
	}
}

for (const id of ["setup-tool", "setup-model"])
	$(id).addEventListener("change", () => showScript().catch(() =>
		setText($("setup-say"), "The gateway does not answer.")));

$("setup-copy").addEventListener("click", async () => {
	const pre = $("setup-script");

	try {
		await navigator.clipboard.writeText(pre.textContent);
		setText($("setup-say"), "Copied.");
	} catch {
		// Without https there is no clipboard: at least selects the
		// text.
		getSelection().selectAllChildren(pre);
		setText($("setup-say"), "Selected; copy it with the keyboard.");
	}
});

// ---- Where would it go? -----------------------------------------------------

$("explain").addEventListener("submit", async (event) => {
	event.preventDefault();
	const out = $("explained");

	try {
		JSON.parse($("explain-body").value);
		const answer = await send(`../v1/${$("explain-endpoint").value}`, {
			method: "POST", body: $("explain-body").value,
			headers: { "Content-Type": "application/json", "X-Tailgate-Explain": "1",
				"anthropic-version": "2023-06-01" } });
		const text = await answer.text();
		setText(out, text);
	} catch (error) {
		setText(out, error instanceof SyntaxError ? `This is not JSON: ${error.message}`
			: "The gateway does not answer.");
	}
	out.hidden = false;
	out.focus();
});

// ---- Looking ----------------------------------------------------------------

async function lookOnce() {
	if (state.own)
		return lookOwn();
	try {
		return await lookAll();
	} catch (error) {
		if (!(error instanceof Refused) || error.status !== 403)
			throw error;
		const show = await lookOwn();
		return () => {
			state.own = true;
			show();
		};
	}
}

async function lookAll() {
	const whole_month = performance.now() - state.rows_at >= ROWS_EVERY_MS;
	const [status, usage] = await Promise.all([ask("status.json"),
		ask(`usage.json?days=${whole_month ? DAYS : 0}&recent=${RECENT}`)]);

	return () => {
		state.failures = 0;
		state.good_at = new Date();
		showTrouble("");
		showPage();
		showHeadline(status);
		showRecording(status.recording);
		showLedger(status.ledger);
		showProviders(list(status.providers), (p) => String(p.name));
		showLimits(status);
		showFleet(status);
		showBudgets(status);
		setText($("version"), status.version === undefined ? "tailgate"
			: `tailgate ${name(status.version)}`);
		if (whole_month) {
			state.rows_at = performance.now();
			showUsage(usage);
		}
		showRequests(usage);
		showClock();
	};
}

// Says that what is shown is old, so that it is not read as the present state.
function showOld(why) {
	const p = $("headline");

	document.title = "tailgate: no answer";
	setText($("say"), why);
	if (!p.firstChild)
		return;
	setClass(p.firstChild, "bad");
	setText(p.firstChild, "How things stand is not known.");
	setText(p.lastChild, "All below is what was known before.");
}

// True: the page may ask again by itself.
function fail(error) {
	const had_key = state.key !== "";

	if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
		state.key = "";
		keepKey("");
		state.rows_at = -Infinity;
		state.own = false;
		script_of = null;
		showGate(error.status === 403
			? "The gateway does not let you see even your own part."
			: had_key ? "The gateway does not know this key, or it has expired."
			: "");
		return false;
	}
	state.failures++;
	const why = error instanceof Refused
		? error.status === 404
			? "The web server does not hand status.json on to tailgate (404)."
			: `The gateway does not answer (the web server says ${error.status}).`
		: error instanceof SyntaxError ? "What answers here is not tailgate."
		: "There is no connection to the web server.";
	$("wait").hidden = true;
	showOld(why);
	showTrouble(`${why} ${state.good_at === null ? ""
		: `What you see is from ${clockFormat.format(state.good_at)}. `}` +
		`Next try in ${Math.round(delay() / 1000)} s.`);
	showClock();
	return true;
}

function delay() {
	if (document.hidden)
		return HIDDEN_MS;
	return Math.min(SLOWEST_MS, EVERY_MS * 2 ** Math.min(state.failures, 8));
}

// One look at a time.  A turn that was overtaken (another key, a pause) shows
// nothing and asks for nothing more.
async function look() {
	const turn = ++state.turn;
	let again = true;

	clearTimeout(state.timer);
	try {
		const show = await lookOnce();
		if (turn === state.turn)
			show();
	} catch (error) {
		if (turn === state.turn)
			again = fail(error);
	}
	if (turn === state.turn && again && !state.paused)
		state.timer = setTimeout(look, delay());
}

function stop() {
	state.turn++;
	clearTimeout(state.timer);
}

$("gate").addEventListener("submit", (event) => {
	event.preventDefault();
	const key = $("key").value.trim();
	if (!/^[\x21-\x7e]+$/.test(key)) {
		showGate(key === "" ? "Please type or paste a key."
			: "A key is made of plain letters, digits and marks.");
		return;
	}
	$("key").value = "";
	state.key = key;
	keepKey(key);
	look();
});

// Forgets what was shown together with the key.
$("forget").addEventListener("click", () => {
	stop();
	keepKey("");
	location.reload();
});

for (const id of ["filter", "range"])
	$(id).addEventListener("input", () => {
		if (latest !== null)
			showRequests(latest);
	});

$("pause").addEventListener("click", () => {
	state.paused = !state.paused;
	$("pause").setAttribute("aria-pressed", String(state.paused));
	if (state.paused)
		stop();
	else
		look();
	showClock();
});

document.addEventListener("visibilitychange", () => {
	if (state.paused || !$("gate").hidden)
		return;
	clearTimeout(state.timer);
	if (document.hidden)
		state.timer = setTimeout(look, delay());
	else
		look();
});

look();

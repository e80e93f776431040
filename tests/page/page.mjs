// Copyright (c) 2026 The tailgate authors
// SPDX-License-Identifier: ISC
//
// The status page in a real browser: what tests/page.sh has started is looked
// at as a person would, and a few things that a person would not see.  Prints
// "ok TEXT" and "not ok TEXT" lines, "done" last.
//
// From the environment: BASE, OPERATOR_KEY, CLIENT_KEY, GATEWAY_PID, CHROMIUM,
// and SHOTS, a directory for screenshots (none where it is not set).

import { chromium } from "playwright-core";

const { BASE, OPERATOR_KEY, CLIENT_KEY, GATEWAY_PID, CHROMIUM, SHOTS } = process.env;
const PAGE = `${BASE}/tailgate/`;
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; " +
	"img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

function check(what, good, detail = "") {
	console.log(`${good ? "ok" : "not ok"} ${what}`);
	if (!good)
		console.log(`# ${JSON.stringify(detail)}`);
}
const is = (what, got, want) => check(what, got === want, { got, want });

async function until(what, test, seconds = 20) {
	const end = Date.now() + seconds * 1000;
	let good = false;
	while (!(good = await test()) && Date.now() < end)
		await new Promise((done) => setTimeout(done, 50));
	check(what, good);
}

const asOperator = { headers: { Authorization: `Bearer ${OPERATOR_KEY}` } };
const usage = async (query) =>
	(await fetch(`${BASE}/tailgate/usage.json?${query}`, asOperator)).json();

async function chat(model) {
	const answer = await fetch(`${BASE}/v1/chat/completions`, {
		method: "POST",
		headers: { Authorization: `Bearer ${CLIENT_KEY}`,
			"Content-Type": "application/json" },
		body: JSON.stringify({ model, messages: [{ role: "user", content: "hi" }] }),
	});
	await answer.arrayBuffer();
	return answer.status;
}

const browser = await chromium.launch({ executablePath: CHROMIUM });

// All that a browser says and asks for is watched, in every page of the test.
const said = [], asked = new Set();
async function open(options = {}) {
	const context = await browser.newContext({
		viewport: { width: 1200, height: 900 }, ...options });
	const page = await context.newPage();

	page.on("console", (m) => said.push(`${m.type()}: ${m.text()}`));
	page.on("pageerror", (e) => said.push(`pageerror: ${e.message}`));
	page.on("request", (r) => asked.add(new URL(r.url()).origin));
	return page;
}

async function logIn(page, key = OPERATOR_KEY) {
	await page.goto(PAGE);
	await page.locator("#gate").waitFor();
	await page.fill("#key", key);
	await page.keyboard.press("Enter");
	if (key === OPERATOR_KEY)
		await page.locator("#providers tbody th").first().waitFor();
}

async function shoot(page, file) {
	if (!SHOTS)
		return;
	await page.screenshot({ path: `${SHOTS}/${file}.png`, fullPage: true });
	await page.evaluate(() => scrollTo(0, 0));
	await page.screenshot({ path: `${SHOTS}/${file}-top.png` });
}

// ---- What is served ---------------------------------------------------------

for (const [file, type] of [["", "text/html"], ["style.css", "text/css"],
	["app.js", "text/javascript"], ["icon.svg", "image/svg+xml"]]) {
	const answer = await fetch(PAGE + file);
	const head = (n) => answer.headers.get(n);

	await answer.arrayBuffer();
	is(`/tailgate/${file} has the strict Content-Security-Policy`,
		head("content-security-policy"), CSP);
	check(`/tailgate/${file} is ${type}, not to be sniffed, without referrer`,
		answer.status === 200 && head("content-type").startsWith(type) &&
		head("x-content-type-options") === "nosniff" &&
		head("referrer-policy") === "no-referrer", [...answer.headers]);
}

// ---- Who asks ---------------------------------------------------------------

const page = await open();
const error = page.locator("#gate-error");
const storage = () => page.evaluate(() => JSON.stringify([{ ...sessionStorage },
	{ ...localStorage }, document.cookie, location.href]));

await page.goto(PAGE);
await page.locator("#gate").waitFor();
check("without a key it asks for one, and says nothing is wrong yet",
	await error.isHidden() && await page.locator("#page").isHidden());
is("it says what to do", await page.locator("#gate button").textContent(), "Sign in");
is("the cursor is in the field", await page.evaluate(() =>
	document.activeElement.id), "key");
await page.keyboard.press("Enter");
await until("an empty key is not sent", async () =>
	(await error.textContent()).includes("type or paste"));
await logIn(page, "tg-wrong-key-that-nobody-has");
await until("a wrong key is named as such", async () =>
	(await error.textContent()).includes("does not know this key"));
check("and not kept", !(await storage()).includes("wrong-key"));
const mine = await open();
await logIn(mine, CLIENT_KEY);
await until("a client who is no operator sees its own part", async () =>
	(await mine.locator("#own").isVisible()) &&
	(await mine.locator("#own-title").textContent()) === "You are laptop");
check("its bounds", /USD a day\s+\S+\s+\$5\.00/.test(
	await mine.locator("#own-budgets").innerText()),
	await mine.locator("#own-budgets").innerText());
check("the models it may use", /^Model/.test(
	await mine.locator("#own-models").innerText()));
check("and nothing of others", await mine.locator("#page").isHidden() &&
	await mine.locator("#page td, #page dd, #page li, #page path").count() === 0);
is("where only patterns are known, it asks for a model",
	await mine.locator("#setup-script").textContent(), "Name a model first.");
await mine.fill("#setup-model", "free/one");
await mine.locator("#setup-model").press("Tab");
await until("a script sets up its tools", async () =>
	(await mine.locator("#setup-script").textContent()).startsWith("#!/bin/sh"));
check("for this gateway", (await mine.locator("#setup-script").textContent())
	.includes(`url='${BASE}'`));
await mine.locator("#setup-tool").selectOption("claude-code");
await until("for another tool", async () =>
	(await mine.locator("#setup-script").textContent()).includes("tool='claude-code'"));
check("without a key in it", !(await mine.locator("#setup-script").textContent())
	.includes(CLIENT_KEY));
await mine.locator("#setup-copy").focus();
await mine.keyboard.press("Enter");
await until("a key press copies or selects it", async () =>
	/Copied|Selected/.test(await mine.locator("#setup-say").textContent()));
if (SHOTS)
	await mine.screenshot({ path: `${SHOTS}/status-page-client.png`, fullPage: true });
await mine.context().close();
await page.fill("#key", "clé");
await page.keyboard.press("Enter");
await until("what can't be a key is not sent", async () =>
	(await error.textContent()).includes("plain letters"));
is("the page has shown nothing of anybody", await page.locator(
	"#page td, #page dd, #page li, #page path").count(), 0);

await logIn(page);
const [session, local, cookie, url] = JSON.parse(await storage());
is("the key is in session storage", session["tailgate.key"], OPERATOR_KEY);
check("and nowhere else", Object.keys(local).length === 0 && cookie === "" &&
	url === PAGE, [local, cookie, url]);
await page.reload();
await until("a reload does not ask again", () => page.locator("#page").isVisible());
const stranger = await open();
await stranger.goto(PAGE);
await until("another tab does", () => stranger.locator("#gate").isVisible());
await stranger.context().close();

// ---- What it shows ----------------------------------------------------------

const text = (selector) => page.locator(selector).innerText();

await until("providers with their place and health", async () =>
	/qwen-local\s+local\s+up\s+2/.test(await text("#providers")));
check("one of them outside, of which nothing is known", /deepseek\s+↗ external\s+not asked yet/.test(
	await text("#providers")), await text("#providers"));
await until("slots and the queue, live", async () =>
	/gpu\s+2 of 2 slots in use, 1 waiting \(room for 16\)/.test(await text("#limits")));
check("and who holds them", /running\s+laptop\s+stub\/gate/.test(
	await text("#holders")), await text("#holders"));
check("that a client is recorded, as long as it is",
	/^● Recording what client laptop says, until \d\d:\d\d:\d\d UTC: 0 of 1 exchange so far\.$/
		.test(await text("#recording")), await text("#recording"));
check("no fleet where there is no store", await page.locator("#fleet-part").isHidden());
check("the headline says it in words",
	/No provider is down\. 2 requests running, 1 waiting\./.test(
		await text("#headline")), await text("#headline"));

const month = await usage("days=30&recent=0");
const total = (m) => month.rows.reduce((n, r) => n + r[m], 0);
check("usage is that of the ledger", (await text("#usage-note")).startsWith(
	`${total("requests").toLocaleString("en")} requests,`), await text("#usage-note"));
for (const id of ["tokens-plot", "cost-plot"]) {
	const plot = page.locator(`#${id}`);
	const label = await plot.locator("svg[role=img]").getAttribute("aria-label");

	check(`${id} says in words what it shows`,
		/per day: .* in 8 days, most on \d+ \w+ with /.test(label), label);
	is(`${id} has a bar for each day and place`, await plot.locator(
		".bar-local, .bar-external").count() >= (id === "cost-plot" ? 8 : 16), true);
	await plot.locator("summary").click();
	is(`${id} has the same as a table`,
		await plot.locator("details tbody tr").count(), 8);
	await plot.locator("summary").click();
}
await page.locator("#tokens-plot .band").nth(3).hover();
await until("a bar that is pointed at is told", async () =>
	/\d+ \w+: [\d.]+ M here/.test(await text("#tokens-plot output")));
check("models with what they cost", /claude-sonnet-4\.5\s+openrouter\s+↗ external/.test(
	await text("#models")), await text("#models"));

await chat("free/fresh-one");
await until("a request is there a moment after it has ended", async () =>
	/free\/fresh-one\s+free-local\s+200/.test(await text("#recent")));
await until("which was the last that is recorded", () =>
	page.locator("#recording").isHidden());

// ---- What somebody made up --------------------------------------------------

const hostile = ["<script>owned = 1</script>", "<img src=x onerror='owned=1'>",
	"\"><svg onload=owned=1>", "javascript:owned=1"];
for (const model of hostile)
	await chat(model);
is("a name with what turns text is no model's", await chat("a\u202etxt.exe"), 400);
for (const model of hostile)
	await until(`shown as text: ${model}`, async () =>
		(await text("#recent")).includes(model));
check("nor is it shown", !(await text("body")).includes("\u202e"), "U+202E");
is("nothing of it became an element", await page.locator(
	"main script, main img, main [onerror], main [onload], main a").count(), 0);
is("nor ran", await page.evaluate(() => typeof owned), "undefined");
check("a provider's name in markup too", (await text("#recent"))
	.includes("<b>bold</b>"), await text("#recent"));
is("names nobody configured are no models of the usage",
	(await usage("days=30&recent=0")).rows.filter((r) =>
		r.model.includes("owned")).length, 0);

// ---- Who can read it --------------------------------------------------------

// Runs in the page: colours as the eye gets them, by WCAG's formula.
function contrasts() {
	const parse = (c) => (c.match(/[\d.]+/g) ?? []).map(Number);
	const ground = (e) => {
		for (; e; e = e.parentElement) {
			const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor);
			if (a > 0.99)
				return [r, g, b];
		}
		return [255, 255, 255];
	};
	const light = (c) => [0.2126, 0.7152, 0.0722].reduce((n, f, i) => {
		const v = c[i] / 255;
		return n + f * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
	}, 0);
	const low = [];
	let seen = 0;

	for (const e of document.querySelectorAll("body *")) {
		const own = [...e.childNodes].some((n) =>
			n.nodeType === 3 && n.textContent.trim() !== "");
		if (!own || !e.checkVisibility() || e.closest(".unseen, .skip, noscript"))
			continue;
		const style = getComputedStyle(e);
		const [a, b] = [light(parse(e instanceof SVGElement
			? style.fill : style.color)), light(ground(e))];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		seen++;
		if (ratio < 4.5)
			low.push(`${e.textContent.slice(0, 20)} ${ratio.toFixed(2)}`);
	}
	return { seen, low };
}

// ---- The fleet --------------------------------------------------------------

// tests/store_state.sh has a real one, of which this is the form.
const fleetPage = await open();
let store = { reachable: true, workers: 4, away: 0, since: new Date().toISOString(),
	mean_us: 1234, calls: 99, failed: 0 };
let fleet = { hosts: [{ name: "one", workers: 4 }, { name: "<b>two</b>", workers: 2 }],
	limits: [{ name: "card", slots: 2, used: 2, queued: 1, holders: [
		{ host: "one", pid: 7, client: "anna", age_ms: 61000 },
		{ host: "one", pid: 8, client: hostile[0], age_ms: 500 }],
	waiting: [{ host: "<b>two</b>", pid: 7, client: "berta" }] }] };
const fleetText = (selector) => fleetPage.locator(selector).innerText();

let stuck = false;
await fleetPage.route("**/status.json", async (route) => {
	const answer = await route.fetch();
	const status = { ...await answer.json(), store, fleet };
	if (stuck)
		status.ledger = { ...status.ledger, writable: false };
	await route.fulfill({ response: answer, json: status });
});
await logIn(fleetPage);
await until("the store is reachable, since when, and how fast", async () =>
	/^The store is reachable since \d\d:\d\d:\d\d, 1,?234 µs a call\.$/.test(
		await fleetText("#fleet-note")));
const hosts = await fleetText("#fleet-hosts"), held = await fleetText("#fleet-slots");
check("hosts with their workers, slots and what waits",
	/^Host\s+Workers\s+Slots held\s+Waiting\s+one\s+4\s+2\s+0\s+<b>two<\/b>\s+2\s+0\s+1$/
		.test(hosts), hosts);
check("who holds a slot of the fleet, and who waits",
	/card\s+one\s+anna\s+running\s+1 min/.test(held) &&
	/card\s+<b>two<\/b>\s+berta\s+waiting\s+–/.test(held), held);
check("names are text here, too", held.includes(hostile[0]) &&
	await fleetPage.locator("#fleet-part script, #fleet-part b").count() === 0, held);
for (const colorScheme of ["light", "dark"]) {
	await fleetPage.emulateMedia({ colorScheme, reducedMotion: "reduce" });
	const { low } = await fleetPage.evaluate(contrasts);
	check(`${colorScheme}: the fleet's contrast is 4.5 or more`, low.length === 0, low);
}
await fleetPage.setViewportSize({ width: 320, height: 740 });
await until("320 px: nothing of the fleet sticks out", () => fleetPage.evaluate(() =>
	document.documentElement.scrollWidth <= innerWidth));
check("but hosts and clients are there", /card\s+anna on one\s+running/.test(
	await fleetText("#fleet-slots")), await fleetText("#fleet-slots"));
check("nothing of a ledger that can be written",
	await fleetPage.locator("#ledger").isHidden());
stuck = true;
await until("a ledger that can't be", async () =>
	/^● The ledger can't be written: /.test(await fleetText("#ledger")));
stuck = false;
store = { ...store, reachable: false, away: 1 };
await until("a store that some can't reach", async () =>
	/^1 worker of 4 can't reach the store since /.test(await fleetText("#fleet-note")));
store = { ...store, away: 4 };
fleet = undefined;
await until("or nobody can", async () =>
	/^The store is away since \d\d:\d\d:\d\d\.$/.test(await fleetText("#fleet-note")));
check("of the fleet nothing old is shown then",
	await fleetPage.locator("#fleet-hosts").isHidden() &&
	await fleetPage.locator("#fleet-slots").isHidden());
store = undefined;
await until("nor anything without a store", () =>
	fleetPage.locator("#fleet-part").isHidden());
await fleetPage.unrouteAll({ behavior: "ignoreErrors" });
await fleetPage.context().close();

// ---- Budgets, clients, one request ------------------------------------------

check("budgets: what is spent, of what, what is left",
	/client laptop\s+USD a day\s+\S+\s+\$5\.00\s+\$/.test(await text("#budgets")) &&
	/client laptop\s+requests at once\s+3\s+10\s+7/.test(await text("#budgets")),
	await text("#budgets"));
check("a week by client", /laptop\s+[\d,.]+\s+[\d,.]+/.test(
	await text("#client-sums")), await text("#client-sums"));
check("sessions: what a task has cost", /^Session\s+Client\s+Requests\s+Failed\s+Tokens\s+Cost/
	.test(await text("#sessions")) && /[0-9a-f]{16}\s+[a-z]+\s+[\d,]+\s+[\d,]+\s+[\d.,]+( [kM])?\s+\$/
	.test(await text("#sessions")), (await text("#sessions")).slice(0, 300));
check("which have a title and a text for screen readers", await page.locator("#sessions")
	.evaluate((e) => document.getElementById(e.getAttribute("aria-labelledby"))
		?.textContent === "By session" && document.getElementById(
		e.getAttribute("aria-describedby")) !== null &&
		[...e.querySelectorAll("tbody th")].every((th) => th.scope === "row")));
check("requests by client", /laptop\s+\d+\s+\d+/.test(await text("#clients")),
	await text("#clients"));
check("how fast it was", /First byte: half within .* Speed: /.test(
	await text("#recent-sum")), await text("#recent-sum"));
check("errors by reason", /^Reason\s+Requests/.test(await text("#reasons")),
	await text("#reasons"));
check("times to the first byte", /within 100 ms\s+\d+/.test(await text("#first")),
	await text("#first"));
await page.fill("#explain-body", JSON.stringify({ model: "free/one",
	messages: [{ role: "user", content: "hi" }] }));
await page.locator("#explain button").click();
await until("an operator sees where a request would go", async () =>
	/free-local/.test(await text("#explained")));
await page.fill("#explain-body", "{");
await page.locator("#explain-body").press("Tab");
await page.keyboard.press("Enter");
await until("what is not JSON is said to be none", async () =>
	/not JSON/.test(await text("#explained")));
check("the version and where else to look",
	/^tailgate \d/.test(await text("#version")) &&
	await page.locator("footer a").count() === 4, await text("footer"));
const tomorrow = await open();
await tomorrow.clock.setFixedTime(Date.now() + 2 * 86400000);
await logIn(tomorrow);
await until("a date between days", async () => /^\d+ [A-Z][a-z]+$/.test(
	(await tomorrow.locator("#recent tbody td.k").first().innerText()).trim()));
await tomorrow.context().close();
await page.locator("#recent .more").first().click();
// Newer ones may come into the list meanwhile.
const ids = (await usage("days=0&recent=20")).recent.map((r) => r.id);
await until("more of a request, with its id, when it is asked for", async () => {
	const shown = await text("#detail");
	return ids.some((id) => shown.includes(id));
});
await page.locator("#recent .more[aria-expanded=true]").click();
await until("and away again", () => page.locator("#detail").isHidden());
const before = await page.locator("#recent tbody tr").count();
await page.fill("#filter", "fresh-one");
await until("a filter leaves what is like it", async () => {
	const left = await page.locator("#recent tbody tr").allInnerTexts();
	return left.length < before && left.filter((t) => !/^\d+ \S+$/.test(t.trim()))
		.every((t) => t.includes("fresh-one"));
});
await page.fill("#filter", "nothing is like this");
await until("or says that nothing is", async () =>
	await text("#recent-sum") === "No request is like that.");
await page.fill("#filter", "");
await page.selectOption("#range", "300");
await until("a range leaves what is as young", async () =>
	await page.locator("#recent tbody tr").count() < before);
await page.selectOption("#range", "0");

const grounds = {};
for (const colorScheme of ["light", "dark"]) {
	await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
	const { seen, low } = await page.evaluate(contrasts);
	check(`${colorScheme}: contrast is 4.5 or more for all text`,
		seen > 100 && low.length === 0, low.slice(0, 10));
	grounds[colorScheme] = await page.evaluate(() =>
		getComputedStyle(document.documentElement).backgroundColor);
	await shoot(page, `week-${colorScheme}`);
}
check("light and dark differ", grounds.light !== grounds.dark, grounds);

for (const width of [360, 320, 768]) {
	await page.setViewportSize({ width, height: 740 });
	await until(`${width} px: nothing sticks out`, () => page.evaluate(() =>
		document.documentElement.scrollWidth <= innerWidth));
}
await page.setViewportSize({ width: 360, height: 740 });
await shoot(page, "week-phone");
check("360 px: what has no column stands below the name",
	await page.locator("#recent tbody .sub").first().isVisible());
await page.setViewportSize({ width: 1200, height: 900 });

const bones = await page.evaluate(() => {
	const all = (s) => [...document.querySelectorAll(s)];
	const ids = all("[id]").map((e) => e.id);
	const named = (e) => e.textContent.trim() !== "" || e.ariaLabel ||
		(e.labels?.length ?? 0) > 0;
	const levels = all("h1, h2, h3").map((e) => Number(e.tagName[1]));

	return {
		language: document.documentElement.lang === "en" && document.title !== "",
		landmarks: ["header", "main", "footer", "h1"].every((s) =>
			all(`body > ${s}, header > ${s}`).length === 1),
		"sections with names": all("section").length >= 5 &&
			all("section").every((e) => document.getElementById(
				e.getAttribute("aria-labelledby"))?.textContent),
		"headings in order": levels.every((n, i) => i === 0 || n - levels[i - 1] <= 1),
		"names for all that is operated": all("button, input, select, summary").every(named),
		"tables with names and headings": all("table").length >= 5 &&
			all("table").every((t) => (t.caption?.textContent ||
				document.getElementById(t.getAttribute("aria-labelledby"))) &&
				t.querySelectorAll("thead th[scope=col]").length > 1),
		"pictures with words, or none wanted": all("svg").every((e) =>
			e.getAttribute("aria-hidden") === "true" || e.ariaLabel),
		"a live region that is polite": all("[role=status]").length === 1 &&
			document.getElementById("say").textContent.includes("No provider is down"),
		"ids once": new Set(ids).size === ids.length,
		"targets of 24 px": all("button").every((e) => !e.checkVisibility() ||
			e.getBoundingClientRect().height >= 24),
	};
});
for (const [what, good] of Object.entries(bones))
	check(what, Boolean(good));

// ---- By keyboard ------------------------------------------------------------

await page.reload();
await page.locator("#providers tbody th").first().waitFor();
await page.evaluate(() => document.activeElement.blur());
const reached = [];
for (let i = 0; i < 9; i++) {
	await page.keyboard.press("Tab");
	reached.push(await page.evaluate(() => {
		const e = document.activeElement, style = getComputedStyle(e);
		return [e.id || e.className || e.tagName.toLowerCase(),
			e.matches(":focus-visible") && style.outlineStyle !== "none" &&
			parseFloat(style.outlineWidth) >= 2];
	}));
}
const order = reached.map(([id]) => id).join(" ");
check("all of it is reached by Tab, in the order of reading",
	/^skip pause forget summary summary filter range more more/.test(order), order);
check("and shows that it is", reached.slice(0, 5).every(([, ring]) => ring), reached);

await page.locator("#pause").focus();
await page.keyboard.press("Space");
is("Pause is a switch", await page.locator("#pause").getAttribute("aria-pressed"),
	"true");
check("and says since when", (await text("#clock")).startsWith("as of "));
await page.keyboard.press("Space");
await until("which goes on again", async () => await text("#clock") === "live");

// ---- How often it asks ------------------------------------------------------

async function asks(prepare) {
	const quiet = await open();
	let n = 0;

	await quiet.clock.install();
	await logIn(quiet);
	await prepare(quiet);
	quiet.on("request", (r) => { n += r.url().includes("/status.json"); });
	for (let i = 0; i < 10; i++) {
		await quiet.clock.runFor(2000);
		await quiet.evaluate(() => fetch("icon.svg").then((a) => a.text()));
	}
	await quiet.context().close();
	return n;
}
const open20 = await asks(() => {});
check("every two seconds while it is looked at", open20 >= 5 && open20 <= 10, open20);
const hidden20 = await asks((p) => p.evaluate(() => {
	Object.defineProperty(document, "hidden", { get: () => true });
	document.dispatchEvent(new Event("visibilitychange"));
}));
is("not in twenty seconds of a hidden tab", hidden20, 0);
is("nor while it is paused", await asks((p) => p.locator("#pause").click()), 0);

// ---- What goes wrong --------------------------------------------------------

process.kill(Number(GATEWAY_PID), "SIGTERM");
process.kill(Number(GATEWAY_PID), "SIGTERM");
await until("a gateway that is down is told", async () =>
	/does not answer .* What you see is from [\d:]+\. Next try in \d+ s/.test(
		await page.locator("#trouble").textContent()));
check("and nothing old is said as if it were true",
	(await text("#headline")).startsWith("How things stand is not known.") &&
	await page.title() === "tailgate: no answer", await text("#headline"));
check("what was known stays", await page.locator("#page").isVisible() &&
	(await text("#clock")).startsWith("as of "));
await shoot(page, "down");

await page.locator("#forget").click();
await until("a forgotten key is gone, and all that it showed", async () =>
	await page.evaluate(() => sessionStorage.length === 0 &&
		!document.body.textContent.includes("qwen-local")));

// A browser says by itself that 401, 403 and 503 are errors.
const unexpected = said.filter((line) =>
	!/^error: Failed to load resource: .* status of (401|403|50[234])/.test(line));
check("the console is silent", unexpected.length === 0, unexpected);
is("nothing was asked of anybody else", [...asked].join(" "), BASE);

await browser.close();
console.log("done");

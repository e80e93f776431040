/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The request to a chat upstream, rule by rule: tests/bridge.cases, whose head
 * explains its form.  If a case has both a Responses and a Messages request,
 * both must give the same result.  Also how much memory a request costs.
 */
#include "config.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/jspan.h"
#include "bridge/bridge.h"
#include "check.h"
#include "config/schema.h"

#define MAX_BYTES ((size_t)1 << 26)
#define REQUESTS_MAX 4

struct asked {
	enum bridge kind;
	struct dialect dialect;
	char body[65536];
};

static struct {
	char name[200];
	struct asked requests[REQUESTS_MAX];
	size_t n;
	unsigned looked_at; /* expectations */
} row;

static int
pass(void *ctx, const struct jscan_value *v)
{
	(void)ctx;
	(void)v;
	return 0;
}

static bool
is_json(struct span text)
{
	struct jscan_error error;

	return jscan(text, JSCAN_DEPTH_MAX, pass, NULL, &error) == 0;
}

/* "reasoning=all": sets a target's setting, through the table of settings. */
static void
set(struct dialect *d, const char *word)
{
	char name[64];
	const char *value = strchr(word, '=');
	const struct schema *s;
	int index;

	snprintf(name, sizeof(name), "%.*s", (int)(value - word), word);
	s = schema_find("targets", name);
	index = schema_word(s->words, value + 1);
	CHECK(index >= 0, "%s is a setting", word);
	if (strcmp(name, "reasoning") == 0)
		d->reasoning = (enum reasoning)index;
	else if (strcmp(name, "reasoning_as") == 0)
		d->reasoning_as = (enum reasoning_as)index;
	else if (strcmp(name, "user") == 0)
		d->user = (enum user_as)index;
	else if (strcmp(name, "max_tokens") == 0)
		d->max_completion_tokens = index != 0;
	else if (strcmp(name, "strict") == 0)
		d->drop_strict = index != 0;
}

static struct bridge_run *
new_run(const struct asked *a)
{
	struct bridge_ask ask = { .request_id = "r",
		.model = "m",
		.upstream_model = "u",
		.dialect = a->dialect };

	return bridge_new(a->kind, &ask);
}

/* The result of the request for one expectation, as text. */
static char *
outcome(const struct asked *a, const char *name)
{
	struct bridge_run *run = new_run(a);
	struct refused refused = { .refusal = REFUSE_NONE };
	struct buf out, text;
	struct span chat, value;

	buf_init(&out, MAX_BYTES);
	buf_init(&text, MAX_BYTES);
	buf_puts(&text, "");
	if (bridge_request(run, span_of(a->body), &out, &refused) == -1) {
		buf_printf(
		    &text, "refused %s: %s", refused.param, refused.message);
	} else if (!is_json(buf_span(&out))) {
		buf_puts(&text, "no JSON");
	} else if (strcmp(name, "dropped") == 0) {
		buf_puts(&text,
		    bridge_dropped(run) == NULL ? "-" : bridge_dropped(run));
	} else {
		chat = jspan_document(buf_span(&out));
		value = jspan_member(chat, name);
		if (value.p == NULL)
			buf_puts(&text, "-");
		buf_add(&text, value.p, value.len);
	}
	bridge_free(run);
	buf_free(&out);
	return text.p;
}

static void
expect(const char *name, const char *want)
{
	char text[400];

	row.looked_at++;
	for (size_t i = 0; i < row.n; i++) {
		const struct asked *a = &row.requests[i];
		char *got = outcome(a, name);

		snprintf(text, sizeof(text), "refused %s", want);
		CHECK_STR(got, strcmp(name, "refused") == 0 ? text : want,
		    "%s: %s of the %s request", row.name, name,
		    a->kind == BRIDGE_MESSAGES ? "Messages" : "Responses");
		free(got);
	}
}

static void
begin_request(char *line)
{
	struct asked *a = &row.requests[row.n];
	char *word = strtok(line, " ");

	CHECK(row.n < REQUESTS_MAX, "%s: requests", row.name);
	memset(a, 0, sizeof(*a));
	a->kind =
	    strcmp(word, "messages") == 0 ? BRIDGE_MESSAGES : BRIDGE_RESPONSES;
	while ((word = strtok(NULL, " ")) != NULL)
		set(&a->dialect, word);
}

static void
take_line(char *line)
{
	char *rest = line + strcspn(line, " ");

	if (*line == '\0' || *line == '#')
		return;
	if (*line == '{') {
		snprintf(row.requests[row.n].body,
		    sizeof(row.requests[row.n].body), "%s", line);
		row.n++;
		return;
	}
	if (*rest != '\0')
		*rest++ = '\0';
	if (strcmp(line, "case") == 0) {
		CHECK(row.name[0] == '\0' || row.looked_at > 0,
		    "%s: something is expected", row.name);
		memset(&row, 0, sizeof(row));
		snprintf(row.name, sizeof(row.name), "%s", rest);
	} else if (strcmp(line, "ask") == 0) {
		begin_request(rest);
	} else {
		expect(line, rest);
	}
}

static void
test_cases(const char *srcdir)
{
	char path[1200], *line = NULL;
	size_t size = 0;
	ssize_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/bridge.cases", srcdir);
	f = fopen(path, "r");
	CHECK(f != NULL, "there are cases in %s", path);
	while (f != NULL && (n = getline(&line, &size, f)) > 0) {
		line[strcspn(line, "\n")] = '\0';
		take_line(line);
	}
	free(line);
	if (f != NULL)
		fclose(f);
}

/* --- There and back --- */

/* The client sends back what it got unchanged, with a result.  The upstream
 * must get its own calls again. */
static void
round_trip(enum bridge kind, const char *tools)
{
	static const char calls[] =
	    "[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":"
	    "\"n__a\",\"arguments\":\"{\\\"x\\\":1.0}\"},\"extra_content\":"
	    "{\"google\":{\"thought_signature\":\"A\\\"\\u00e9=\"}}},{\"id\":"
	    "\"c2\",\"type\":\"function\",\"function\":{\"name\":\"f\","
	    "\"arguments\":\"{}\"}},{\"id\":\"c3\",\"type\":\"function\","
	    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"},\"own\":\"s\"}"
	    "]";
	static struct asked a;
	struct refused refused = { .refusal = REFUSE_NONE };
	struct bridge_run *run;
	struct buf out, response;
	struct span message, again;

	buf_init(&out, MAX_BYTES);
	buf_init(&response, MAX_BYTES);
	a.kind = kind;
	snprintf(a.body, sizeof(a.body),
	    kind == BRIDGE_MESSAGES ? "{%s,\"messages\":[]}"
				    : "{%s,\"input\":[]}",
	    tools);
	run = new_run(&a);
	CHECK(bridge_request(run, span_of(a.body), &out, &refused) == 0,
	    "round trip: asked");
	buf_reset(&out);
	buf_puts(&out,
	    "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"t\","
	    "\"reasoning_content\":\"r\",\"tool_calls\":");
	buf_puts(&out, calls);
	buf_puts(&out, "},\"finish_reason\":\"tool_calls\"}]}");
	CHECK(bridge_response(run, buf_span(&out), &response) == BRIDGE_DONE,
	    "round trip: answered");
	bridge_free(run);
	message = jspan_member(jspan_document(buf_span(&response)),
	    kind == BRIDGE_MESSAGES ? "content" : "output");
	snprintf(a.body, sizeof(a.body),
	    kind == BRIDGE_MESSAGES
		? "{%s,\"messages\":[{\"role\":\"assistant\",\"content\":"
		  "%.*s}]}"
		: "{%s,\"input\":%.*s}",
	    tools, SPAN_FMT(message));
	again = span_of(outcome(&a, "messages"));
	CHECK(memmem(again.p, again.len, calls, sizeof(calls) - 1) != NULL,
	    "round trip: the upstream's calls come back: %.*s",
	    SPAN_FMT(again));
	free((char *)again.p);
	buf_free(&out);
	buf_free(&response);
}

/* --- Memory --- */

#define BODY_BYTES ((size_t)8 << 20)
#define BODIES_MAX 4 /* the body itself, and three more */

/* Writes head, then piece as often as it fits (the last one without its comma),
 * then tail. */
static void
fill(struct buf *b, const char *head, const char *piece, const char *tail)
{
	buf_init(b, 2 * BODY_BYTES);
	buf_puts(b, head);
	while (b->len < BODY_BYTES)
		buf_puts(b, piece);
	b->len--;
	buf_puts(b, tail);
}

static size_t
peak_bytes(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (size_t)used.ru_maxrss * 1024;
}

/* Runs in a process of its own, so that the peak is this request's.  Returns
 * the cost in hundredths of a body; the body itself counts as one. */
static int
cost_of(enum bridge kind, const struct buf *body)
{
	static struct asked a;
	struct refused refused;
	struct bridge_run *run;
	struct buf out;
	int status = 0;
	pid_t child;

	fflush(stdout);
	if ((child = fork()) == 0) {
		size_t before = peak_bytes(), cost;

		a.kind = kind;
		run = new_run(&a);
		buf_init(&out, MAX_BYTES);
		bridge_request(run, buf_span(body), &out, &refused);
		cost = (peak_bytes() - before) * 32 / body->len;
		_exit(cost > 200 ? 200 : (int)cost);
	}
	if (child == -1 || waitpid(child, &status, 0) == -1 ||
	    !WIFEXITED(status))
		return 10000;
	return 100 + WEXITSTATUS(status) * 100 / 32;
}

static void
test_memory(void)
{
	static const struct {
		const char *what;
		enum bridge kind;
		const char *head, *piece, *tail;
	} rows[] = {
		{ "a schema of empty objects", BRIDGE_MESSAGES,
		    "{\"messages\":[],\"tools\":[{\"name\":\"f\","
		    "\"input_schema\":{\"enum\":[",
		    "{},", "]}}]}" },
		{ "arguments of empty objects", BRIDGE_MESSAGES,
		    "{\"messages\":[{\"role\":\"assistant\",\"content\":[{"
		    "\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\","
		    "\"input\":{\"a\":[",
		    "{},", "]}}]}]}" },
		{ "arguments of empty strings", BRIDGE_MESSAGES,
		    "{\"messages\":[{\"role\":\"assistant\",\"content\":[{"
		    "\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\","
		    "\"input\":{\"a\":[",
		    "\"\",", "]}}]}]}" },
		{ "empty items", BRIDGE_RESPONSES, "{\"input\":[", "{},",
		    "]}" },
		{ "a hint of empty objects", BRIDGE_RESPONSES,
		    "{\"input\":\"x\",\"metadata\":[", "{},", "]}" },
		{ "small texts", BRIDGE_MESSAGES,
		    "{\"messages\":[{\"role\":\"user\",\"content\":[",
		    "{\"type\":\"text\",\"text\":\"a\"},", "]}]}" },
		{ "small messages", BRIDGE_RESPONSES, "{\"input\":[",
		    "{\"role\":\"user\",\"content\":\"a\"},", "]}" },
		{ "small results", BRIDGE_RESPONSES, "{\"input\":[",
		    "{\"type\":\"function_call_output\",\"call_id\":\"\","
		    "\"output\":\"\"},",
		    "]}" },
		{ "small calls", BRIDGE_RESPONSES, "{\"input\":[",
		    "{\"type\":\"function_call\",\"call_id\":\"\",\"name\":"
		    "\"f\",\"arguments\":\"\"},",
		    "]}" },
		{ "small tools", BRIDGE_RESPONSES,
		    "{\"input\":\"x\",\"tools\":[",
		    "{\"type\":\"custom\",\"name\":\"f\"},", "]}" },
	};
	struct buf body;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int cost;

		fill(&body, rows[i].head, rows[i].piece, rows[i].tail);
		CHECK(is_json(buf_span(&body)), "%s: JSON", rows[i].what);
		cost = cost_of(rows[i].kind, &body);
		CHECK(cost <= BODIES_MAX * 100,
		    "%s cost no more than %d bodies (%d.%02d)", rows[i].what,
		    BODIES_MAX, cost / 100, cost % 100);
		buf_free(&body);
	}
}

/* A sanitizer, valgrind or an emulator (tests/cross.sh) uses memory of its own,
 * which counts, too. */
static bool
is_watched(void)
{
	if (getenv("EMULATED") != NULL)
		return true;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	return true;
#endif
#endif
	return getenv("LD_PRELOAD") != NULL;
}

int
main(void)
{
	const char *srcdir = getenv("abs_srcdir");

	test_cases(srcdir == NULL ? "." : srcdir);
	round_trip(BRIDGE_MESSAGES,
	    "\"tools\":[{\"name\":\"n__a\",\"input_schema\":{}},{\"name\":"
	    "\"f\",\"input_schema\":{}}]");
	round_trip(BRIDGE_RESPONSES,
	    "\"tools\":[{\"type\":\"namespace\",\"name\":\"n\",\"tools\":[{"
	    "\"type\":\"function\",\"name\":\"a\"}]},{\"type\":\"function\","
	    "\"name\":\"f\"}]");
	if (!is_watched())
		test_memory();
	return check_done();
}

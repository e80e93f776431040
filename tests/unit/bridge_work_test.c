/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a bridge does for a request, as CPU time: it grows with the body, never
 * with the body times the number of its parts.  A client chooses the names and
 * the order of what it sends.
 */
#include "config.h"

#include "base/buf.h"
#include "base/clock.h"
#include "bridge/bridge.h"
#include "check.h"

#define MAX_BYTES ((size_t)1 << 27)
#define FEW 500
#define MANY 4000
/* MANY parts may take so many times what FEW take.  In proportion it would be
 * 8; if each looked at all others, 64. */
#define TIMES_MAX 24
#define TRIES 5

struct shape {
	const char *what;
	enum bridge kind;
	const char *head, *between, *tail;
	void (*part)(struct buf *, unsigned i);
	void (*second)(struct buf *, unsigned i); /* after between; or NULL */
};

/* A tool of a few hundred bytes. */
static void
put_tool(struct buf *out, unsigned i)
{
	buf_printf(out,
	    "{\"type\":\"function\",\"name\":\"tool%u\",\"description\":\"%"
	    "0300u\"}",
	    i, 0u);
}

/* The low bits of the usual hash of all these names are the same. */
static void
put_alike(struct buf *out, unsigned i)
{
	static unsigned next[MANY], n;
	char name[32];

	for (unsigned try = n == 0 ? 0 : next[n - 1] + 1; n <= i; try++) {
		uint32_t h = 2166136261u * 31;

		snprintf(name, sizeof(name), "n%u", try);
		for (const char *p = name; *p != '\0'; p++)
			h = (h ^ (unsigned char)*p) * 16777619u;
		if (h % 512 == 0)
			next[n++] = try;
	}
	buf_printf(out, "{\"type\":\"function\",\"name\":\"n%u\"}", next[i]);
}

static void
put_call(struct buf *out, unsigned i)
{
	buf_printf(out,
	    "{\"type\":\"function_call\",\"call_id\":\"c%u\",\"name\":\"f\","
	    "\"arguments\":\"{}\"}",
	    i);
}

static void
put_output(struct buf *out, unsigned i)
{
	buf_printf(out,
	    "{\"type\":\"function_call_output\",\"call_id\":\"c%u\","
	    "\"output\":\"x\"}",
	    MANY - i);
}

static void
put_hosted(struct buf *out, unsigned i)
{
	buf_printf(out, "{\"type\":\"hosted_%u\"}", i);
}

static void
put_use(struct buf *out, unsigned i)
{
	buf_printf(out,
	    "{\"type\":\"tool_use\",\"id\":\"c%u\",\"name\":\"f\",\"input\":{}"
	    "}",
	    i);
}

static void
put_result(struct buf *out, unsigned i)
{
	buf_printf(out,
	    "{\"type\":\"tool_result\",\"tool_use_id\":\"c%u\",\"content\":"
	    "\"x\"}",
	    MANY - i);
}

static void
put_reasoning(struct buf *out, unsigned i)
{
	buf_printf(out,
	    "{\"type\":\"reasoning\",\"id\":\"r%u\",\"summary\":[{\"type\":"
	    "\"summary_text\",\"text\":\"x\"}]}",
	    i);
}

static void
put_all(struct buf *body, const struct shape *s, unsigned n)
{
	buf_init(body, MAX_BYTES);
	buf_puts(body, s->head);
	for (unsigned i = 0; i < n; i++) {
		buf_puts(body, i == 0 ? "" : ",");
		s->part(body, i);
	}
	buf_puts(body, s->between);
	for (unsigned i = 0; s->second != NULL && i < n; i++) {
		buf_puts(body, i == 0 ? "" : ",");
		s->second(body, i);
	}
	buf_puts(body, s->tail);
}

/* The least of some tries: nothing but other work of the machine adds to it. */
static int64_t
work_ns(const struct shape *s, unsigned n)
{
	struct bridge_ask ask = { .request_id = "r",
		.model = "m",
		.upstream_model = "m",
		.max_bytes = MAX_BYTES };
	int64_t least = INT64_MAX;
	struct buf body;

	put_all(&body, s, n);
	for (int try = 0; try < TRIES; try++) {
		int64_t from = clock_cpu_ns(), took;
		struct bridge_run *run = bridge_new(s->kind, &ask);
		struct refused refused;
		struct buf out;
		int rc;

		buf_init(&out, MAX_BYTES);
		rc = bridge_request(run, buf_span(&body), &out, &refused);
		CHECK(rc == 0, "%s: is translated", s->what);
		buf_free(&out);
		bridge_free(run);
		took = clock_cpu_ns() - from;
		least = took < least ? took : least;
	}
	buf_free(&body);
	return least;
}

static const struct shape shapes[] = {
	{ "tools of a namespace", BRIDGE_RESPONSES,
	    "{\"input\":\"x\",\"tools\":[{\"type\":\"namespace\",\"name\":"
	    "\"s\","
	    "\"tools\":[",
	    "", "]}]}", put_tool, NULL },
	{ "tools whose names are alike", BRIDGE_RESPONSES,
	    "{\"input\":\"x\",\"tools\":[", "", "]}", put_alike, NULL },
	{ "tools that are allowed", BRIDGE_RESPONSES,
	    "{\"input\":\"x\",\"tools\":[",
	    "],\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":\"auto\","
	    "\"tools\":[",
	    "]}}", put_tool, put_tool },
	{ "tools of a provider", BRIDGE_RESPONSES,
	    "{\"input\":\"x\",\"tools\":[", "", "]}", put_hosted, NULL },
	{ "calls and their outputs", BRIDGE_RESPONSES, "{\"input\":[", ",",
	    "]}", put_call, put_output },
	{ "reasoning", BRIDGE_RESPONSES, "{\"input\":[",
	    ",{\"role\":\"user\",\"content\":\"x\"}", "]}", put_reasoning,
	    NULL },
	{ "uses of tools and their results", BRIDGE_MESSAGES,
	    "{\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":"
	    "\"x\"},{\"role\":\"assistant\",\"content\":[",
	    "]},{\"role\":\"user\",\"content\":[", "]}]}", put_use,
	    put_result },
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		int64_t few = work_ns(&shapes[i], FEW);
		int64_t many = work_ns(&shapes[i], MANY);

		CHECK(many < few * TIMES_MAX,
		    "%s: %d take no more than %d times what %d take "
		    "(%lld against %lld us)",
		    shapes[i].what, MANY, TIMES_MAX, FEW,
		    (long long)many / 1000, (long long)few / 1000);
	}
	return check_done();
}

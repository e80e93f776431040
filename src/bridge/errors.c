/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how an upstream's error becomes one of the client's API: its words, its
 * code, and its status.
 */
#include "config.h"

#include <stdlib.h>

#include "base/jscan.h"
#include "bridge/run.h"
#include "bridge/words.h"
#include "policy/blame.h"

static const struct {
	int status;
	const char *anthropic;
} types[] = {
	{ 401, "authentication_error" },
	{ 403, "permission_error" },
	{ 404, "not_found_error" },
	{ 413, "request_too_large" },
	{ 429, "rate_limit_error" },
	{ 503, "overloaded_error" },
	{ 529, "overloaded_error" },
};

static const char *
anthropic_type(int status)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (types[i].status == status)
			return types[i].anthropic;
	return status >= 400 && status < 500 ? "invalid_request_error"
					     : "api_error";
}

/* The other members of an error's object, at the top or in its `error`. */
struct marks {
	struct span code, type; /* insides of strings */
	int number; /* of `code`, `status` or `status_code`; 0: none */
	bool message; /* error.message is a string, and not empty */
	bool quotes; /* error.metadata.raw: another provider's words */
};

static int
number_of(struct span raw)
{
	char digits[4] = "";

	if (raw.len != 3)
		return 0;
	memcpy(digits, raw.p, 3);
	return atoi(digits);
}

static int
on_mark(void *ctx, const struct jscan_value *v)
{
	struct marks *m = ctx;
	const struct jscan_step *key;
	struct span inside = { NULL, 0 };

	if (v->depth == 3 && v->type == JSCAN_STRING &&
	    jscan_key_is(&v->path[0], "error") &&
	    jscan_key_is(&v->path[1], "metadata") &&
	    jscan_key_is(&v->path[2], "raw"))
		m->quotes = true;
	if (v->depth < 1 || v->depth > 2 || v->begin ||
	    v->path[v->depth - 1].key.p == NULL ||
	    (v->depth == 2 && !jscan_key_is(&v->path[0], "error")))
		return 0;
	key = &v->path[v->depth - 1];
	if (v->type == JSCAN_STRING)
		inside = (struct span){ v->raw.p + 1, v->raw.len - 2 };
	if (v->type == JSCAN_NUMBER &&
	    (jscan_key_is(key, "code") || jscan_key_is(key, "status") ||
		jscan_key_is(key, "status_code")))
		m->number = number_of(v->raw);
	else if (jscan_key_is(key, "code") && inside.len > 0)
		m->code = inside;
	else if (jscan_key_is(key, "type") && inside.len > 0)
		m->type = inside;
	else if (jscan_key_is(key, "message") && v->depth == 2)
		m->message = inside.len > 0;
	return 0;
}

static struct marks
marks_of(struct span body)
{
	struct jscan_error error;
	struct marks m;

	memset(&m, 0, sizeof(m));
	jscan(body, JSCAN_DEPTH_MAX, on_mark, &m, &error);
	return m;
}

static bool
mentions(const struct marks *m, const char *word)
{
	size_t n = strlen(word);

	return (m->code.len > 0 &&
		   memmem(m->code.p, m->code.len, word, n) != NULL) ||
	    (m->type.len > 0 &&
		memmem(m->type.p, m->type.len, word, n) != NULL);
}

/* A code that is a word passes; any other text is none. */
static const char *
code_of(struct bridge_run *run, struct span code)
{
	size_t n = 0;

	for (; n < code.len && n < sizeof(run->code) - 1; n++) {
		char c = code.p[n];

		if (c <= ' ' || c == '"' || c == '\\' || c == 0x7f)
			return "upstream_error";
		run->code[n] = c;
	}
	run->code[n] = '\0';
	return n == 0 || n < code.len ? "upstream_error" : run->code;
}

/* The upstream's 401 is about the gateway's key, not the client's. */
static int
status_of(const struct marks *m, int status)
{
	int number = m->number >= 400 && m->number < 600 ? m->number : status;

	if (mentions(m, "rate_limit"))
		return 429;
	if (mentions(m, "overloaded"))
		return 529;
	if (number == 0 && mentions(m, "invalid_request"))
		return 400;
	return number == 401 && status == 0 ? 500 : number;
}

struct bridge_error
bridge_error_of(struct bridge_run *run, int status, struct span body)
{
	struct marks m = marks_of(body);
	int meant = status_of(&m, status);
	struct bridge_error e = { .code = code_of(run, m.code),
		.anthropic = anthropic_type(meant) };

	buf_reset(&run->words);
	words_of(body, &run->words);
	if (run->words.len == 0 && status != 0)
		buf_printf(&run->words,
		    "The upstream answered with status %d and gave no reason.",
		    status);
	else if (run->words.len == 0)
		buf_puts(&run->words,
		    "The upstream sent an error and gave no reason.");
	e.message = run->words.p;
	if (meant == 429)
		e.code = "rate_limit_exceeded";
	if (blame_of(meant, body).blame == BLAME_LENGTH) {
		e.code = "context_length_exceeded";
		e.anthropic = anthropic_type(400);
	}
	return e;
}

/* --- Bodies of errors with a status of their own --- */

static void
add_messages_error(
    struct bridge_run *run, const struct bridge_error *e, struct buf *out)
{
	buf_puts(out, "{\"type\":\"error\",\"error\":{\"type\":");
	buf_json(out, span_of(e->anthropic));
	buf_puts(out, ",\"message\":");
	bridge_messages_text(e, out);
	buf_puts(out, "},\"request_id\":");
	buf_json(out, span_of(run->request_id));
	buf_puts(out, "}");
}

static void
add_responses_error(int status, const struct bridge_error *e, struct buf *out)
{
	buf_puts(out, "{\"error\":{\"message\":");
	buf_json(out, span_of(e->message));
	buf_printf(out, ",\"type\":\"%s\",\"param\":null,\"code\":",
	    status < 500 ? "invalid_request_error" : "server_error");
	buf_json(out, span_of(e->code));
	buf_puts(out, "}}");
}

void
bridge_error_body(
    struct bridge_run *run, int status, struct span body, struct buf *out)
{
	struct bridge_error e = bridge_error_of(run, status, body);
	struct marks m = marks_of(body);

	e.anthropic = anthropic_type(status);
	if (run->kind == BRIDGE_MESSAGES)
		add_messages_error(run, &e, out);
	else if (m.message && !m.quotes && arguments_is_object(body))
		buf_add(out, body.p, body.len);
	else
		add_responses_error(status, &e, out);
}

void
bridge_fail_upstream(
    struct bridge_run *run, int status, struct span body, struct buf *out)
{
	struct bridge_error e = bridge_error_of(run, status, body);

	bridge_break(run, e.message, &e, out);
}

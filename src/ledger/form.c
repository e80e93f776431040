/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the check of lines from processes that may have been taken over:
 * nothing in a line may pass for another line, or for the chain's members.
 */
#include "config.h"

#include <string.h>

#include "base/jscan.h"
#include "ledger/form.h"
#include "ledger/read.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
/* The line, its tries, a try, its members. */
#define DEPTH_MAX 4

enum kind { TEXT, FLAG, NUMBER, LIST };

struct member {
	const char *name;
	enum kind kind;
};

/* In the order of draft.c. */
static const struct member line_members[] = { { "v", NUMBER }, { "time", TEXT },
	{ "id", TEXT }, { "client", TEXT }, { "session", TEXT },
	{ "trace", TEXT }, { "endpoint", TEXT }, { "model", TEXT },
	{ "route", TEXT }, { "provider", TEXT }, { "place", TEXT },
	{ "sent", FLAG }, { "external", FLAG }, { "private", TEXT },
	{ "tries", LIST }, { "fallback", TEXT }, { "bridge", TEXT },
	{ "stream", FLAG }, { "status", NUMBER }, { "refusal", TEXT },
	{ "client_gone", FLAG }, { "cut", FLAG }, { "bytes_in", NUMBER },
	{ "bytes_out", NUMBER }, { "bytes_sent", NUMBER }, { "usage", TEXT },
	{ "input", NUMBER }, { "cached", NUMBER }, { "cache_write", NUMBER },
	{ "output", NUMBER }, { "reasoning", NUMBER }, { "characters", NUMBER },
	{ "audio_ms", NUMBER }, { "images", NUMBER },
	{ "cost_nanousd", NUMBER }, { "queue_ms", NUMBER },
	{ "first_byte_ms", NUMBER }, { "total_ms", NUMBER } };
static const struct member try_members[] = { { "provider", TEXT },
	{ "upstream_model", TEXT }, { "place", TEXT }, { "host", TEXT },
	{ "allowed_by", TEXT }, { "key", NUMBER }, { "outcome", TEXT },
	{ "sent", FLAG }, { "bytes_sent", NUMBER }, { "usage", TEXT },
	{ "input", NUMBER }, { "cached", NUMBER }, { "cache_write", NUMBER },
	{ "output", NUMBER }, { "reasoning", NUMBER }, { "characters", NUMBER },
	{ "audio_ms", NUMBER }, { "images", NUMBER },
	{ "cost_nanousd", NUMBER }, { "first_byte_ms", NUMBER },
	{ "at_ms", NUMBER }, { "queue_ms", NUMBER }, { "wake_ms", NUMBER },
	{ "ms", NUMBER } };

/* The members that may still come. */
struct form {
	size_t line, try;
};

/* Digits alone: no sign, no fraction, no exponent. */
static bool
is_count(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

static bool
has_kind(enum kind kind, const struct jscan_value *v)
{
	switch (v->type) {
	case JSCAN_NULL:
		return kind == TEXT || kind == NUMBER;
	case JSCAN_STRING:
		return kind == TEXT;
	case JSCAN_NUMBER:
		return kind == NUMBER && is_count(v->raw);
	case JSCAN_TRUE:
		return kind == FLAG;
	case JSCAN_ARRAY:
		return kind == LIST;
	default:
		return false;
	}
}

/* *next: the first of the members that may come; moves after this one. */
static bool
take(const struct member *members, size_t n, size_t *next,
    const struct jscan_value *v)
{
	const struct jscan_step *step = &v->path[v->depth - 1];
	size_t i = *next;

	while (i < n && !span_is(step->key, members[i].name))
		i++;
	if (i == n || step->key_escaped || !has_kind(members[i].kind, v))
		return false;
	*next = i + 1;
	return true;
}

static int
look(void *ctx, const struct jscan_value *v)
{
	struct form *form = ctx;
	bool nested = v->type == JSCAN_OBJECT || v->type == JSCAN_ARRAY;
	bool good;

	/* At its end again. */
	if (nested && !v->begin)
		return 0;
	switch (v->depth) {
	case 0:
		good = v->type == JSCAN_OBJECT;
		break;
	case 1:
		good = take(line_members, LENGTH(line_members), &form->line, v);
		break;
	case 2:
		good = v->type == JSCAN_OBJECT;
		form->try = 0;
		break;
	default:
		good = v->depth == 3 &&
		    take(try_members, LENGTH(try_members), &form->try, v);
	}
	return good ? 0 : 1;
}

bool
ledger_form_is_request(struct span line)
{
	static const char begin[] = "{\"v\":2,\"time\":\"";
	struct form form = { 0, 0 };
	struct jscan_error error;

	return line.len < LEDGER_LINE_MAX && line.len >= sizeof(begin) &&
	    memcmp(line.p, begin, sizeof(begin) - 1) == 0 &&
	    line.p[line.len - 1] == '}' && ledger_line_time(line) >= 0 &&
	    memchr(line.p, '\n', line.len) == NULL &&
	    jscan(line, DEPTH_MAX, look, &form, &error) == 0;
}

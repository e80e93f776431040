/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the vocabulary of finish reasons.
 */
#include "config.h"

#include <ctype.h>

#include "base/jscan.h"
#include "bridge/finish.h"

/* Longer than any reason's name; the rest is not looked at. */
#define REASON_BYTES 96

struct word {
	const char *text;
	enum finish finish;
};

/* Whole reasons.  Sources: the API references of OpenAI, Anthropic, Cohere,
 * Gemini, Hugging Face TGI and Together. */
static const struct word known[] = {
	{ "stop", FINISH_STOP },
	{ "stop_sequence", FINISH_STOP },
	{ "stop_token", FINISH_STOP },
	{ "stop_string", FINISH_STOP },
	{ "stop_word", FINISH_STOP },
	{ "stopped", FINISH_STOP },
	{ "eos", FINISH_STOP },
	{ "eos_token", FINISH_STOP },
	{ "end", FINISH_STOP },
	{ "end_turn", FINISH_STOP },
	{ "end_of_turn", FINISH_STOP },
	{ "end_of_text", FINISH_STOP },
	{ "success", FINISH_STOP },
	{ "complete", FINISH_STOP },
	{ "completed", FINISH_STOP },
	{ "done", FINISH_STOP },
	{ "finished", FINISH_STOP },
	{ "null", FINISH_NONE },
	{ "tool_call", FINISH_CALLS },
	{ "tool_calls", FINISH_CALLS },
	{ "tool_use", FINISH_CALLS },
	{ "function_call", FINISH_CALLS },
	{ "function_calls", FINISH_CALLS },
};

/* Mentioned anywhere in any other reason; the first that fits.  Those of
 * failures come first: "function_call_filter: MALFORMED_FUNCTION_CALL". */
static const struct word mentioned[] = {
	{ "malformed", FINISH_FAILED },
	{ "unexpected", FINISH_FAILED },
	{ "invalid", FINISH_FAILED },
	{ "rate_limit", FINISH_FAILED },
	{ "time", FINISH_FAILED },
	{ "filter", FINISH_FILTER },
	{ "safety", FINISH_FILTER },
	{ "sensitive", FINISH_FILTER },
	{ "moderat", FINISH_FILTER },
	{ "refus", FINISH_FILTER },
	{ "recitation", FINISH_FILTER },
	{ "blocklist", FINISH_FILTER },
	{ "blocked", FINISH_FILTER },
	{ "prohibited", FINISH_FILTER },
	{ "policy", FINISH_FILTER },
	{ "guardrail", FINISH_FILTER },
	{ "censor", FINISH_FILTER },
	{ "flagged", FINISH_FILTER },
	{ "harm", FINISH_FILTER },
	{ "toxic", FINISH_FILTER },
	{ "spii", FINISH_FILTER },
	{ "error", FINISH_FAILED },
	{ "fail", FINISH_FAILED },
	{ "length", FINISH_LENGTH },
	{ "context", FINISH_LENGTH },
	{ "max_", FINISH_LENGTH },
	{ "token_limit", FINISH_LENGTH },
	{ "limit_token", FINISH_LENGTH },
	{ "token_budget", FINISH_LENGTH },
	{ "truncat", FINISH_LENGTH },
};

/* In lower case, words parted by '_'. */
static void
fold(struct span reason, char out[REASON_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < reason.len && n + 1 < REASON_BYTES; i++) {
		unsigned char c = (unsigned char)reason.p[i];

		out[n++] = c == ' ' || c == '-' ? '_' : (char)tolower(c);
	}
	out[n] = '\0';
}

enum finish
finish_of(struct span reason)
{
	char name[REASON_BYTES];

	if (reason.len == 0)
		return FINISH_NONE;
	fold(reason, name);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(name, known[i].text) == 0)
			return known[i].finish;
	for (size_t i = 0; i < sizeof(mentioned) / sizeof(*mentioned); i++)
		if (strstr(name, mentioned[i].text) != NULL)
			return mentioned[i].finish;
	return FINISH_FAILED;
}

/* Inside a string the quotes would be escaped. */
static const char key[] = "\"finish_reason\"";

static int
on_value(void *ctx, const struct jscan_value *v)
{
	bool *failed = ctx;
	struct span reason = v->raw;

	if (v->depth != 3 || v->type == JSCAN_NULL || v->begin ||
	    v->path[1].key.p != NULL || !jscan_key_is(&v->path[0], "choices") ||
	    !jscan_key_is(&v->path[2], "finish_reason"))
		return 0;
	if (v->type == JSCAN_STRING)
		reason = (struct span){ reason.p + 1, reason.len - 2 };
	*failed |= finish_of(reason) == FINISH_FAILED;
	return 0;
}

/* Most chunks say "finish_reason":null, which costs no scan. */
static bool
says_reason(struct span json)
{
	const char *end = json.p + json.len, *p = json.p;

	while (p != NULL && p < end &&
	    (p = memmem(p, (size_t)(end - p), key, sizeof(key) - 1)) != NULL) {
		p += sizeof(key) - 1;
		while (p < end &&
		    (*p == ' ' || *p == ':' || *p == '\n' || *p == '\t' ||
			*p == '\r'))
			p++;
		if (p < end && *p != 'n')
			return true;
	}
	return false;
}

bool
finish_failed(struct span json)
{
	struct jscan_error error;
	bool failed = false;

	if (json.len == 0 || !says_reason(json))
		return false;
	jscan(json, JSCAN_DEPTH_MAX, on_value, &failed, &error);
	return failed;
}

/* ---- in pieces -------------------------------------------------------- */

static void
match_key(struct finish_scan *s, char c)
{
	if (c != key[s->matched])
		s->matched = 0;
	if (c == key[s->matched])
		s->matched++;
	if (s->matched == sizeof(key) - 1) {
		s->state = FINISH_COLON;
		s->matched = s->len = 0;
	}
}

/* A reason that is longer than there is room for is known by its beginning. */
static void
take_reason(struct finish_scan *s, char c)
{
	if (c != '"') {
		if (s->len < sizeof(s->reason))
			s->reason[s->len++] = c;
		return;
	}
	s->failed |=
	    finish_of((struct span){ s->reason, s->len }) == FINISH_FAILED;
	s->state = FINISH_KEY;
}

static void
find_reason(struct finish_scan *s, char c)
{
	if (c == '"')
		s->state = FINISH_REASON;
	else if (strchr(" \t\r\n:", c) == NULL || c == '\0')
		s->state = FINISH_KEY; /* null */
}

void
finish_scan_push(struct finish_scan *s, struct span bytes)
{
	const char *p = bytes.p, *end = bytes.p + bytes.len;

	while (p < end) {
		if (s->state == FINISH_KEY && s->matched == 0 &&
		    (p = memchr(p, '"', (size_t)(end - p))) == NULL)
			return;
		if (s->state == FINISH_KEY)
			match_key(s, *p);
		else if (s->state == FINISH_COLON)
			find_reason(s, *p);
		else
			take_reason(s, *p);
		p++;
	}
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how little of a response must be read: strings are skipped at the speed
 * of memchr(), and only the keys of the document are compared.
 */
#include "config.h"

#include <string.h>

#include "bridge/finish.h"
#include "serve/ending.h"

static bool
is_chat(enum endpoint endpoint)
{
	return endpoint == ENDPOINT_CHAT || endpoint == ENDPOINT_COMPLETIONS;
}

static bool
is_read(enum endpoint endpoint)
{
	return is_chat(endpoint) || endpoint == ENDPOINT_RESPONSES ||
	    endpoint == ENDPOINT_MESSAGES;
}

static void
take_key(struct ending *e)
{
	struct span word = { e->word, e->len };
	bool responses = e->endpoint == ENDPOINT_RESPONSES;

	e->value = true;
	e->reason = (e->depth == 2 && e->member == ENDING_DETAILS &&
			span_is(word, "reason")) ||
	    (e->depth == 3 && e->member == ENDING_CHOICES &&
		span_is(word, "finish_reason"));
	if (e->depth != 1)
		return;
	e->member = ENDING_OTHER;
	if (span_is(word, "error"))
		e->member = ENDING_ERROR;
	else if (span_is(word, "type"))
		e->member = ENDING_TYPE;
	else if (is_chat(e->endpoint) && span_is(word, "choices"))
		e->member = ENDING_CHOICES;
	else if (responses && span_is(word, "status"))
		e->member = ENDING_STATUS;
	else if (responses && span_is(word, "incomplete_details"))
		e->member = ENDING_DETAILS;
}

static void
take_string(struct ending *e)
{
	struct span word = { e->word, e->len };

	switch (e->member) {
	case ENDING_ERROR:
		e->failed |= word.len > 0;
		break;
	case ENDING_STATUS:
		e->failed |= e->depth == 1 && e->value &&
		    (span_is(word, "failed") || span_is(word, "cancelled"));
		break;
	case ENDING_TYPE:
		e->failed |=
		    e->depth == 1 && e->value && span_is(word, "error");
		break;
	case ENDING_CHOICES:
	case ENDING_DETAILS:
		e->failed |= e->reason && finish_of(word) == FINISH_FAILED;
		break;
	case ENDING_OTHER:
		break;
	}
}

/* A value that is no string, by its first letter: of an error, true or a
 * number that is not 0; of a reason, whatever is not null. */
static bool
says_failure(const struct ending *e, char c)
{
	if (e->member == ENDING_CHOICES && e->reason)
		return c == 't' || c == 'f' || (c >= '0' && c <= '9');
	return e->member == ENDING_ERROR &&
	    (c == 't' || (c >= '1' && c <= '9'));
}

/* Outside of strings. */
static void
take_byte(struct ending *e, char c)
{
	switch (c) {
	case '{':
	case '[':
		e->failed |= e->reason && e->member == ENDING_CHOICES;
		e->depth++;
		e->value = e->reason = false;
		break;
	case '}':
	case ']':
		e->depth -= e->depth > 0;
		e->value = e->reason = false;
		if (e->depth <= 1)
			e->member = ENDING_OTHER;
		break;
	case ',':
		e->value = e->reason = false;
		if (e->depth == 1)
			e->member = ENDING_OTHER;
		break;
	case '"':
		e->state = ENDING_STRING;
		e->len = 0;
		break;
	default:
		e->failed |= says_failure(e, c);
	}
}

/* After a string: a colon makes it a key. */
static void
take_after(struct ending *e, char c)
{
	if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
		return;
	e->state = ENDING_VALUE;
	if (c == ':') {
		take_key(e);
		return;
	}
	take_string(e);
	take_byte(e, c);
}

/* Up to what ends the string or escapes; returns how many bytes. */
static size_t
take_text(struct ending *e, const char *p, size_t len)
{
	const char *quote = memchr(p, '"', len), *slash;
	size_t n = quote == NULL ? len : (size_t)(quote - p), room;

	if ((slash = memchr(p, '\\', n)) != NULL)
		n = (size_t)(slash - p);
	room = sizeof(e->word) - e->len;
	memcpy(e->word + e->len, p, n < room ? n : room);
	e->len += n < room ? n : room;
	if (n == len)
		return n;
	e->state = p[n] == '"' ? ENDING_AFTER : ENDING_ESCAPE;
	return n + 1;
}

void
ending_push(struct ending *e, struct span bytes)
{
	const char *p = bytes.p, *end;

	if (bytes.len == 0 || !is_read(e->endpoint))
		return;
	end = p + bytes.len;
	while (p < end && !e->failed)
		switch (e->state) {
		case ENDING_STRING:
			p += take_text(e, p, (size_t)(end - p));
			break;
		case ENDING_ESCAPE:
			e->state = ENDING_STRING;
			if (e->len < ENDING_WORD)
				e->word[e->len++] = '\\';
			p++;
			break;
		case ENDING_AFTER:
			take_after(e, *p++);
			break;
		case ENDING_VALUE:
			take_byte(e, *p++);
			break;
		}
}

bool
ending_failed(enum endpoint endpoint, struct span json)
{
	struct ending e = { .endpoint = endpoint };

	ending_push(&e, json);
	return e.failed;
}

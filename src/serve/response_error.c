/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Responses of our own and errors, in the form that the state of the
 * response still allows: a status and JSON, an event in the stream, or a
 * response cut short.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/jspan.h"
#include "bridge/words.h"
#include "policy/hop.h"
#include "serve/response_internal.h"
#include "wire/reply.h"

void
response_json(struct response *a, int status, struct span body)
{
	if (response_head(
		a, status, "application/json", NULL, 0, (int64_t)body.len) == 0)
		response_body(a, body);
	response_end(a);
}

/* One of the events that end a failed stream, as each API has them. */
static void
error_event(struct response *a, const char *name, struct span json)
{
	struct buf b;

	buf_init(&b, json.len + 128);
	/* Ends an event that was cut in the middle, for every parser. */
	if (!a->at_boundary)
		buf_puts(&b, "\n\n");
	if (name != NULL)
		buf_printf(&b, "event: %s\n", name);
	buf_puts(&b, "data: ");
	buf_add(&b, json.p, json.len);
	buf_puts(&b, "\n\n");
	response_body(a, buf_span(&b));
	buf_free(&b);
}

/* A Responses stream says it twice: the SDKs raise an error at the first
 * event, Codex ends at the second. */
static void
refuse_in_stream(struct response *a, const struct refused *refused)
{
	enum endpoint id = a->spec->id;
	struct buf json;

	buf_init(&json, 64 * 1024);
	if (id == ENDPOINT_RESPONSES)
		reply_response_error(
		    &json, refused, alive_next_number(&a->alive));
	else
		reply_error_json(&json, a->shape, refused, a->request_id);
	error_event(a,
	    id == ENDPOINT_RESPONSES || id == ENDPOINT_MESSAGES ? "error"
								: NULL,
	    buf_span(&json));
	if (id == ENDPOINT_RESPONSES) {
		buf_reset(&json);
		reply_response_failed(&json, refused, alive_id(&a->alive),
		    alive_next_number(&a->alive));
		error_event(a, "response.failed", buf_span(&json));
	}
	buf_free(&json);
	response_flush(a);
	response_end(a);
}

static void
add_retry(struct response *a, const struct refused *refused, char after[24])
{
	const struct refusal_spec *spec = refusal_spec(refused->refusal);
	int64_t ms = refused->retry_after_ms;

	if (spec->should_not_retry)
		response_add(a, "x-should-retry", "false");
	if (!spec->retry_after && ms == 0)
		return;
	snprintf(after, 24, "%lld",
	    ms > 1000 ? (long long)((ms + 999) / 1000) : 1LL);
	response_add(a, "Retry-After", after);
}

/* A relay need not guess what an error means. */
static void
add_refusal(struct response *a, const struct refused *refused)
{
	if (a->relayed)
		response_add(
		    a, HOP_REFUSAL_FIELD, refusal_spec(refused->refusal)->code);
}

void
response_refuse(struct response *a, const struct refused *refused)
{
	char after[24];
	struct buf json;

	if (a->ended || a->gone)
		return;
	/* Codex ignores the status; the event makes it compact. */
	if (!a->head_sent && a->streams && !a->relayed && a->spec != NULL &&
	    a->spec->id == ENDPOINT_RESPONSES &&
	    refused->refusal == REFUSE_TOO_LONG && response_early_head(a) == -1)
		return;
	if (a->head_sent && a->streams && a->is_events) {
		refuse_in_stream(a, refused);
		return;
	}
	if (a->head_sent) {
		a->cut = true;
		return;
	}
	buf_init(&json, 64 * 1024);
	reply_error_json(&json, a->shape, refused, a->request_id);
	add_refusal(a, refused);
	add_retry(a, refused, after);
	response_json(
	    a, refusal_spec(refused->refusal)->status, buf_span(&json));
	buf_free(&json);
}

/* If the upstream gives no advice, we do. */
static void
add_missing_retry(struct response *a, const struct http1_field *fields,
    size_t nfields, const struct refused *wrapped, char after[24])
{
	static const char *const advice[] = { "retry-after", "retry-after-ms",
		"x-should-retry" };

	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		if (http1_find(fields, nfields, advice[i]).len > 0)
			return;
	}
	add_retry(a, wrapped, after);
}

/* One JSON value that can be read, or NULL. */
static json_t *
parse(struct span body)
{
	if (body.p == NULL || jspan_is_deep(body))
		return NULL;
	return json_loadb(body.p, body.len, JSON_ALLOW_NUL, NULL);
}

void
response_upstream_error(struct response *a, int status,
    const struct http1_field *fields, size_t nfields, struct span body,
    const struct refused *wrapped)
{
	json_t *json = parse(body);
	char *line, after[24];

	if (!a->head_sent) {
		add_refusal(a, wrapped);
		add_missing_retry(a, fields, nfields, wrapped, after);
	}
	if (json == NULL && !a->head_sent) {
		/* The upstream's status and advice with our words. */
		struct buf b;

		buf_init(&b, 64 * 1024);
		reply_error_json(&b, a->shape, wrapped, a->request_id);
		if (response_head(a, status, "application/json", fields,
			nfields, (int64_t)b.len) == 0)
			response_body(a, buf_span(&b));
		buf_free(&b);
		response_end(a);
	} else if (!a->head_sent) {
		if (response_head(a, status, "application/json", fields,
			nfields, (int64_t)body.len) == 0)
			response_body(a, body);
		response_end(a);
	} else if (json != NULL && json_object_get(json, "error") != NULL &&
	    a->spec->id != ENDPOINT_RESPONSES &&
	    (line = json_dumps(json, JSON_COMPACT)) != NULL) {
		error_event(a,
		    a->spec->id == ENDPOINT_MESSAGES ? "error" : NULL,
		    span_of(line));
		free(line);
		response_flush(a);
		response_end(a);
	} else {
		/* The upstream's words, in the form of the endpoint. */
		struct refused told = *wrapped;
		struct buf said;

		buf_init(&said, WORDS_MAX * 2);
		words_of(body, &said);
		buf_add(&said, "", 1);
		if (said.len > 1 && !buf_failed(&said))
			told.message = said.p;
		response_refuse(a, &told);
		buf_free(&said);
	}
	json_decref(json);
}

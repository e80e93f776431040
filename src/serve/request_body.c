/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The body of a request: read within its bounds, measured as a call, or
 * discarded if it is not needed.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "policy/admission.h"
#include "policy/hop.h"
#include "policy/owner.h"
#include "policy/session.h"
#include "serve/request_internal.h"
#include "wire/multipart.h"

/* For discarding a body when the pool has no room for that. */
#define HURRY_MS 1000
#define HURRY_WAIT_MS 100
#define MEMORY_RETRY_MS 5000
#define WARN_EVERY_MS 60000

static bool
check_media_type(struct request *r)
{
	const char *type = io_param(r->io, "CONTENT_TYPE");
	const char *coding = io_param(r->io, "HTTP_CONTENT_ENCODING");
	size_t len;

	if (coding != NULL && *coding != '\0' &&
	    strcasecmp(coding, "identity") != 0)
		return request_refuse_as(r, REFUSE_MEDIA_TYPE,
		    "Content-Encoding is not accepted; send the body as it "
		    "is.");
	if (r->spec->body == ENDPOINT_BODY_MULTIPART)
		return multipart_boundary(type).p != NULL
		    ? true
		    : request_refuse_as(r, REFUSE_MEDIA_TYPE,
			  "This endpoint accepts multipart/form-data with a "
			  "boundary.");
	/* A page can send a body without a type unasked (Fetch, CORS-safelisted
	 * requests), but no JSON. */
	if (type == NULL || *type == '\0')
		return r->client->has_key
		    ? true
		    : request_refuse_as(r, REFUSE_MEDIA_TYPE,
			  "A client without a key has to name the body's type; "
			  "send `Content-Type: application/json`.");
	len = strcspn(type, "; \t");
	if ((len == 16 && strncasecmp(type, "application/json", 16) == 0) ||
	    (len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0))
		return true;
	return request_refuse_as(r, REFUSE_MEDIA_TYPE,
	    "This endpoint accepts JSON; send `Content-Type: "
	    "application/json`.");
}

static bool
parse_length(struct request *r, long long *length)
{
	const char *text = io_param(r->io, "CONTENT_LENGTH");
	char *end;

	*length = -1; /* Caddy says -1 for chunked, others nothing */
	if (text == NULL || *text == '\0')
		return true;
	*length = strtoll(text, &end, 10);
	if (*end != '\0' || *length < -1)
		return request_refuse(r, REFUSE_LENGTH_REQUIRED);
	return true;
}

struct refused
request_starved(const struct memory_hold *hold)
{
	if (hold->lack == MEMORY_SHARE)
		return (struct refused){ .refusal = REFUSE_CLIENT_SHARE,
			.message = "This client's open requests hold its share "
				   "of the gateway's memory; wait for some to "
				   "end, or for the time in Retry-After.",
			.retry_after_ms = MEMORY_RETRY_MS };
	return (struct refused){ .refusal = REFUSE_EXHAUSTED,
		.message = "The bodies and responses of other requests take "
			   "all of the gateway's memory; wait for the time in "
			   "Retry-After.",
		.retry_after_ms = MEMORY_RETRY_MS };
}

bool
request_read(struct request *r)
{
	static _Atomic int64_t warned_ms;
	const struct config *c = r->server->config;
	size_t max = r->spec->body == ENDPOINT_BODY_MULTIPART
	    ? c->multipart_max_bytes
	    : c->json_max_bytes;
	long long length;

	if (r->spec->body == ENDPOINT_BODY_NONE) {
		request_drain(r); /* what nobody reads is not sent on */
		r->body_read = true;
		return true;
	}
	if (!check_media_type(r) || !parse_length(r, &length))
		return false;
	switch (spool_read(&r->spool, r->io, length, max)) {
	case SPOOL_OK:
		r->body_read = true;
		r->entry.bytes_in = r->spool.len;
		return true;
	case SPOOL_TOO_LARGE:
		admission_too_large(r->arena, max, &r->refused);
		return false;
	case SPOOL_CUT:
		r->body_read = true;
		return request_refuse(r, REFUSE_BODY_CUT);
	case SPOOL_STARVED:
		r->refused = request_starved(&r->memory);
		return false;
	case SPOOL_ERROR:
		break;
	}
	if (log_due(&warned_ms, WARN_EVERY_MS))
		log_error("body: spool in %s: %s; such bodies are refused",
		    c->spool_dir, strerror(errno));
	return request_refuse(r, REFUSE_EXHAUSTED);
}

static int
on_part(void *ctx, const struct multipart_part *part)
{
	call_form_take(ctx,
	    &(struct call_part){ part->name, part->file_name, part->file,
		part->headers, part->content, part->offset });
	return 0;
}

static bool
parse_multipart(struct request *r)
{
	struct call_form form = { .file_bytes = 0 };
	struct span body = spool_span(&r->spool), sent = body;
	const char *error;

	if (multipart_scan(body, r->passing.boundary, on_part, &form, &sent,
		&error) != 0) {
		admission_bad_form(r->arena, error, &r->refused);
		return false;
	}
	form.sent_offset = (size_t)(sent.p - body.p);
	form.sent_len = sent.len;
	return call_parse_form(r->server->config, r->server->patterns,
		   r->spec->id, &form, r->arena, &r->call, &r->refused) == 0;
}

/* What is sent beside the body is searched with it. */
static bool
take_passing(struct request *r)
{
	struct passing *p = &r->passing;
	unsigned char span[TRACE_SPAN_BYTES];

	for (size_t i = 0; i < PASSING_HEADERS; i++)
		passing_take(p, i, io_param(r->io, passing_headers[i].param));
	arc4random_buf(span, sizeof(span));
	span[0] |= 1; /* a span of zeros is none */
	passing_take_trace(
	    p, io_param(r->io, "HTTP_TRACEPARENT"), span, r->arena);
	r->entry.trace = p->trace;
	passing_take_hops(p, io_param(r->io, HOP_LIST_PARAM));
	if (r->spec->body == ENDPOINT_BODY_MULTIPART)
		passing_boundary(
		    p, multipart_boundary(io_param(r->io, "CONTENT_TYPE")));
	if (r->rest.len > 0 && passing_id(p, r->rest, &r->refused) == -1)
		return false;
	r->call.beside = p->texts;
	r->call.nbeside = p->ntexts;
	return true;
}

/* Reads and searches the body, or the query in its place. */
static void
parse_body(void *ctx)
{
	struct request *r = ctx;
	const struct config *c = r->server->config;
	const struct patterns *p = r->server->patterns;

	switch (r->spec->body) {
	case ENDPOINT_BODY_MULTIPART:
		r->parsed = parse_multipart(r);
		return;
	case ENDPOINT_BODY_JSON:
		r->parsed =
		    call_parse_json(c, p, r->spec->id, spool_span(&r->spool),
			r->arena, &r->call, &r->refused) == 0;
		return;
	case ENDPOINT_BODY_NONE:
		break;
	}
	r->parsed =
	    call_parse_bare(c, p, r->spec->id, io_param(r->io, "QUERY_STRING"),
		r->arena, &r->call, &r->refused) == 0;
}

/* Without private patterns a body is measured at more than 1 GB/s, with them
 * some ten times as slowly. */
static size_t
parse_weight(const struct request *r)
{
	return r->server->config->nprivates > 0 ? r->spool.len * 4
						: r->spool.len / 4;
}

static void
take_session(struct request *r)
{
	const char *values[SESSION_HEADERS];

	for (size_t i = 0; i < SESSION_HEADERS; i++)
		values[i] = io_param(r->io, session_headers[i].param);
	session_take(&r->call, r->client, values, r->arena);
	r->entry.session = r->call.session;
}

bool
request_parse(struct request *r)
{
	const char *place = io_param(r->io, "HTTP_X_TAILGATE_PLACE");

	if (!take_passing(r))
		return false;
	for (size_t i = 0; i < r->server->config->nruled; i++)
		r->call.ruled[i] =
		    io_param(r->io, r->server->config->ruled[i].param);
	task_work(parse_weight(r), parse_body, r);
	if (r->parsed)
		r->parsed = owner_find(r->server->config, r->client, &r->call,
				r->arena, &r->refused) == 0;
	take_session(r);
	r->entry.model = r->call.model;
	r->entry.stream = r->call.stream;
	r->entry.private_rule = r->call.private_rule;
	if (!r->parsed ||
	    passing_take_query(&r->passing, io_param(r->io, "QUERY_STRING"),
		&r->call, r->arena, &r->refused) == -1)
		return false;
	if (place != NULL && strcmp(place, "local") == 0)
		r->call.header_local = true;
	else if (place != NULL && strcmp(place, "external") != 0)
		return request_refuse_as(r, REFUSE_INVALID_REQUEST,
		    "X-Tailgate-Place is `local` or `external`.");
	r->response.streams = r->call.stream;
	alive_init(&r->response.alive, r->spec->id, r->id, r->call.model);
	return true;
}

/* A web server that is still writing the body would not read our refusal.
 * Reading it takes a place in the pool, which must be within the client's
 * share, too; otherwise only what is there already is read. */
static void
drain_in_a_hurry(struct request *r)
{
	int64_t end_ms = clock_now_ms() + HURRY_MS;
	char junk[64];

	io_hurry(r->io, HURRY_WAIT_MS);
	while (
	    clock_now_ms() < end_ms && io_read(r->io, junk, sizeof(junk)) > 0)
		;
	r->io->watchable = true; /* even if more of the body comes */
}

void
request_drain(struct request *r)
{
	unsigned long long bytes = 0;
	char junk[4096];
	ssize_t n;

	if (!r->body_read && r->share.share == NULL &&
	    share_enter(&r->share, r->server->share, r->client, SHARE_RUN) !=
		REFUSE_NONE) {
		drain_in_a_hurry(r);
		return;
	}
	while (!r->body_read && bytes < IO_DRAIN_MAX &&
	    (n = io_read(r->io, junk, sizeof(junk))) > 0)
		bytes += (unsigned long long)n;
}

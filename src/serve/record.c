/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what is written of an exchange, and what is covered in it.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jput.h"
#include "base/log.h"
#include "base/task.h"
#include "serve/record.h"
#include "state/recording.h"

/* The size of a body.  A longer request is not recorded; of a longer response,
 * only the beginning is. */
#define BODY_MAX ((size_t)8 << 20)
#define HEAD_MAX ((size_t)64 << 10)
#define KEY_BEGIN "tg-" /* of a client's key; then: */
#define KEY_LETTERS 43
#define PIECE ((size_t)64 << 10)
#define PIECE_OVERLAP 512 /* more than a short key in any form */
#define REMOVED "the recording was removed, or another was begun, meanwhile"

static void
expire(void *recording)
{
	recording_expire(recording);
}

void
record_begin(struct request *r)
{
	struct recording *recording = r->server->recording;
	struct recording_facts facts;
	char until[CLOCK_TEXT_SIZE];

	if (recording_is_due(recording))
		task_offload(expire, recording);
	/* If the client is a relay: all that it asks for its clients. */
	if (!recording_is_of(recording, r->entry.client_entry, &facts))
		return;
	clock_text(facts.until_wall_ms, until);
	response_add(&r->response, RECORD_FIELD,
	    arena_printf(r->arena, "until %s", until));
	if (r->spec->upstream == NULL || !recording_claim(recording))
		return;
	r->response.record = memory_zero(sizeof(*r->response.record));
	r->response.record->recording = facts.number;
	buf_init_charged(&r->response.record->response, BODY_MAX, &r->memory);
}

static const char *
copy(struct request *r, const char *name)
{
	const char *value = io_param(r->io, name);

	return value == NULL ? NULL : arena_strdup(r->arena, value);
}

static struct span
copy_key(struct span key)
{
	char *p;

	if (key.p == NULL || key.len == 0)
		return (struct span){ NULL, 0 };
	p = memory_alloc(key.len);
	memcpy(p, key.p, key.len);
	return (struct span){ p, key.len };
}

void
record_keep(struct request *r)
{
	struct record *record = r->response.record;

	if (record == NULL)
		return;
	record->path = request_path(r, r->spec->path);
	record->type = copy(r, "CONTENT_TYPE");
	record->place = copy(r, "HTTP_X_TAILGATE_PLACE");
	for (size_t i = 0; i < PASSING_HEADERS; i++)
		if (r->passing.values[i] != NULL)
			r->passing.values[i] =
			    arena_strdup(r->arena, r->passing.values[i]);
	record->keys = (struct redact_keys){ .config = r->server->config,
		.own = { copy_key(r->credentials.own),
		    copy_key(r->credentials.gateway) } };
}

/* ---- what is covered ---------------------------------------------------- */

/* Covers the keys of any client of ours.  They are known by their form only. */
static void
cover_client_keys(char *p, size_t len)
{
	char *end = p + len, *at = p;

	while ((at = memmem(at, (size_t)(end - at), KEY_BEGIN,
		    sizeof(KEY_BEGIN) - 1)) != NULL) {
		char *key = at + sizeof(KEY_BEGIN) - 1;
		size_t n = 0;

		while (key + n < end && n < KEY_LETTERS &&
		    isalnum((unsigned char)key[n]))
			n++;
		if (n == KEY_LETTERS)
			memset(at, '*', (size_t)(key + n - at));
		at = key;
	}
}

/* Works on pieces, because the search needs several times as much memory as the
 * text. */
static void
cover_short_keys(const struct redact_keys *keys, char *p, size_t len)
{
	if (!redact_has_short(keys))
		return;
	/* A key that is cut at the end of a piece is whole in the next. */
	for (size_t at = 0; at < len; at += PIECE - PIECE_OVERLAP)
		redact_short(keys, p + at, len - at < PIECE ? len - at : PIECE);
}

static int
put(void *ctx, struct span bytes)
{
	buf_add(ctx, bytes.p, bytes.len);
	return 0;
}

struct bodies {
	struct buf *out;
	const struct sieve *sieve; /* the long keys; or NULL */
	const struct redact_keys *keys;
	struct span request, response;
};

/* Adds a body and a line end. */
static void
put_body(const struct bodies *bodies, struct span body)
{
	struct sieve_held held = { .len = 0 };
	struct buf *b = bodies->out;
	size_t from = b->len;

	sieve_push(bodies->sieve, &held, body, put, b);
	sieve_end(bodies->sieve, &held, put, b);
	if (!buf_failed(b)) {
		cover_client_keys(b->p + from, b->len - from);
		cover_short_keys(bodies->keys, b->p + from, b->len - from);
	}
	buf_puts(b, "\n");
}

static void
put_bodies(void *ctx)
{
	const struct bodies *bodies = ctx;

	put_body(bodies, bodies->request);
	put_body(bodies, bodies->response);
}

/* ---- the line ----------------------------------------------------------- */

/* Writes the headers that change the response; none that holds a key or belongs
 * to one. */
static void
put_headers(struct buf *b, const struct request *r)
{
	const struct record *record = r->response.record;

	jput_name_open(b, "headers", '{');
	if (r->spec->body != ENDPOINT_BODY_NONE)
		jput_text(b, "Content-Type", record->type);
	for (size_t i = 0; i < PASSING_HEADERS; i++)
		if (r->passing.values[i] != NULL &&
		    !passing_headers[i].with_own_key)
			jput_text(
			    b, passing_headers[i].name, r->passing.values[i]);
	if (record->place != NULL)
		jput_text(b, "X-Tailgate-Place", record->place);
	buf_puts(b, "}");
}

static void
put_outcome(struct buf *b, const struct request *r)
{
	const struct entry_try *last = entry_last(&r->entry);
	struct entry_sums sums;

	entry_sum(&r->entry, &sums);
	jput_text(b, "provider", last == NULL ? NULL : last->provider);
	jput_text(
	    b, "upstream_model", last == NULL ? NULL : last->upstream_model);
	jput_i64(b, "status", r->entry.status);
	jput_known(b, "first_byte_ms", sums.first_byte_ms);
	jput_i64(b, "total_ms", r->entry.total_ms);
	jput_u64(b, "tokens_in", sums.usage.input);
	jput_u64(b, "tokens_out", sums.usage.output);
}

static void
put_line(struct buf *b, const struct request *r, struct span request)
{
	const struct record *record = r->response.record;
	char at[CLOCK_TEXT_SIZE];

	clock_text(r->entry.wall_ms, at);
	buf_puts(b, "{");
	jput_i64(b, "tailgate_capture", 1);
	jput_text(b, "at", at);
	jput_text(b, "request_id", r->id);
	jput_text(b, "client", r->client->name);
	jput_text(b, "endpoint", r->spec->name);
	jput_text(b, "method", r->spec->method);
	jput_text(b, "path", record->path);
	jput_text(b, "query", r->passing.query);
	put_headers(b, r);
	jput_text(b, "model", r->call.model);
	put_outcome(b, r);
	jput_u64(b, "request_bytes", request.len);
	jput_u64(b, "response_bytes", record->response.len);
	jput_bool(b, "response_cut", record->cut);
	jput_bool(b, "client_gone", r->entry.client_gone);
	jput_bool(b, "upstream_cut", r->entry.cut);
	buf_puts(b, "}\n");
}

/* ---- the file ----------------------------------------------------------- */

struct writing {
	const char *path;
	struct span text;
	struct recording *recording;
	uint64_t number;
	int error; /* 0: it is written */
	bool removed; /* meanwhile */
};

static void
write_file(void *ctx)
{
	struct writing *w = ctx;
	int fd = open(w->path,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t n = 0;

	for (size_t at = 0; fd != -1 && at < w->text.len; at += (size_t)n)
		if ((n = write(fd, w->text.p + at, w->text.len - at)) == -1)
			break;
	w->error = fd == -1 || n == -1 ? errno : 0;
	if (fd != -1 && close(fd) == -1 && w->error == 0)
		w->error = errno;
	w->removed = !recording_is_kept(w->recording, w->number);
	if (fd != -1 && (w->error != 0 || w->removed))
		unlink(w->path);
}

/* NULL: it is written; otherwise the reason why not. */
static const char *
write_record(struct request *r, struct buf *b)
{
	struct recording *recording = r->server->recording;
	struct writing w = { .text = buf_span(b),
		.recording = recording,
		.number = r->response.record->recording };

	if (buf_failed(b))
		return "there is no memory for it";
	if (!recording_is_kept(recording, w.number))
		return REMOVED;
	if (!recording_charge(recording, b->len))
		return "the recording has reached its size, and has ended";
	w.path = arena_printf(
	    r->arena, "%s/%s" RECORDING_END, recording_dir(recording), r->id);
	task_offload(write_file, &w);
	return w.removed ? REMOVED : w.error == 0 ? NULL : strerror(w.error);
}

static const char *
make_record(struct request *r)
{
	struct span request = spool_span(&r->spool);
	struct record *record = r->response.record;
	struct buf b;
	struct bodies bodies = { .out = &b,
		.keys = &record->keys,
		.request = request,
		.response = buf_span(&record->response) };
	struct sieve *sieve;
	const char *why;

	if (request.len > BODY_MAX)
		return "its request is too large";
	sieve = sieve_with(r->server->sieve, &record->keys);
	buf_init_charged(
	    &b, HEAD_MAX + request.len + record->response.len + 2, &r->memory);
	put_line(&b, r, request);
	bodies.sieve = sieve != NULL ? sieve : r->server->sieve;
	task_work(request.len + record->response.len, put_bodies, &bodies);
	why = write_record(r, &b);
	sieve_free(sieve);
	buf_free(&b);
	return why;
}

void
record_end(struct request *r)
{
	const char *why;

	if (r->response.record == NULL)
		return;
	/* What was refused before it was read cannot be sent again. */
	why = r->body_read ? make_record(r) : "its request was not read";
	if (why != NULL)
		log_warn("an exchange of client %s is not recorded: %s",
		    r->client->name, why);
	for (size_t i = 0; i < REDACT_OWN; i++) {
		struct span key = r->response.record->keys.own[i];

		if (key.p != NULL)
			freezero((char *)(uintptr_t)key.p, key.len);
	}
	buf_free(&r->response.record->response);
	free(r->response.record);
	r->response.record = NULL;
}

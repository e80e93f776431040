/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides hiredis.  We use only its reader, which makes replies of bytes.  The
 * connections are ours (wire/connector.c), because those of hiredis block on
 * names and have no TLS before 1.0.
 */
#include "config.h"

#include "fleet/resp.h"
#include "fleet/store.h"

/* Not done by hiredis, which would allocate memory for each command. */
void
resp_bulk(struct buf *out, struct span text)
{
	buf_puts(out, "$");
	buf_u64(out, text.len);
	buf_puts(out, "\r\n");
	buf_add(out, text.p, text.len);
	buf_puts(out, "\r\n");
}

void
resp_command(struct buf *out, const struct span *args, size_t nargs)
{
	buf_puts(out, "*");
	buf_u64(out, nargs);
	buf_puts(out, "\r\n");
	for (size_t i = 0; i < nargs; i++)
		resp_bulk(out, args[i]);
}

#ifdef HAVE_HIREDIS

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "base/memory.h"

/* No reply that we ask for has more elements.  Without a limit, hiredis would
 * allocate as many as the engine announces. */
#define ELEMENTS_MAX 65536

#if HIREDIS_MAJOR < 1
typedef int element_count;
#else
typedef size_t element_count;
#endif

struct resp_reader {
	redisReader *reader;
	redisReplyObjectFunctions fn;
	size_t pending; /* bytes since the last whole reply */
};

static void *(*make_array)(const redisReadTask *, element_count);

/* NULL ends the connection, as if memory were short. */
static void *
make_bounded(const redisReadTask *task, element_count n)
{
	return n > ELEMENTS_MAX ? NULL : make_array(task, n);
}

struct resp_reader *
resp_reader_new(void)
{
	struct resp_reader *r = memory_zero(sizeof(*r));

	if ((r->reader = redisReaderCreate()) == NULL) {
		free(r);
		return NULL;
	}
	make_array = r->reader->fn->createArray;
	r->fn = *r->reader->fn;
	r->fn.createArray = make_bounded;
	r->reader->fn = &r->fn;
	return r;
}

void
resp_reader_free(struct resp_reader *r)
{
	if (r == NULL)
		return;
	redisReaderFree(r->reader);
	free(r);
}

int
resp_reader_push(struct resp_reader *r, const void *p, size_t len)
{
	r->pending += len;
	return r->pending <= RESP_REPLY_MAX &&
		redisReaderFeed(r->reader, p, len) == REDIS_OK
	    ? 0
	    : -1;
}

int
resp_reader_next(struct resp_reader *r, struct store_reply **out)
{
	void *reply = NULL;

	*out = NULL;
	if (redisReaderGetReply(r->reader, &reply) != REDIS_OK)
		return -1;
	if (reply != NULL)
		r->pending = 0;
	*out = reply;
	return 0;
}

static const redisReply *
reply_of(const struct store_reply *reply)
{
	return (const void *)reply;
}

const char *
resp_error(const struct store_reply *reply)
{
	const redisReply *r = reply_of(reply);

	return r->type == REDIS_REPLY_ERROR ? r->str : NULL;
}

void
store_reply_free(struct store_reply *reply)
{
	if (reply != NULL)
		freeReplyObject(reply);
}

size_t
store_reply_count(const struct store_reply *reply)
{
	const redisReply *r = reply_of(reply);

	return r != NULL && r->type == REDIS_REPLY_ARRAY ? r->elements : 0;
}

const struct store_reply *
store_reply_at(const struct store_reply *reply, size_t i)
{
	return i < store_reply_count(reply)
	    ? (const void *)reply_of(reply)->element[i]
	    : NULL;
}

int64_t
store_reply_int(const struct store_reply *reply, int64_t otherwise)
{
	struct span text = store_reply_text(reply);
	const redisReply *r = reply_of(reply);
	const char *why;
	int64_t n;

	if (r != NULL && r->type == REDIS_REPLY_INTEGER)
		return r->integer;
	if (text.len == 0)
		return otherwise;
	n = strtonum(text.p, INT64_MIN, INT64_MAX, &why);
	return why == NULL ? n : otherwise;
}

struct span
store_reply_text(const struct store_reply *reply)
{
	const redisReply *r = reply_of(reply);

	if (r == NULL ||
	    (r->type != REDIS_REPLY_STRING && r->type != REDIS_REPLY_STATUS))
		return (struct span){ "", 0 };
	return (struct span){ r->str, (size_t)r->len };
}

#else

/* Without hiredis, config_load() refuses a configuration with a store, so none
 * of these is ever called. */

struct resp_reader *
resp_reader_new(void)
{
	return NULL;
}

void
resp_reader_free(struct resp_reader *r)
{
	(void)r;
}

int
resp_reader_push(struct resp_reader *r, const void *p, size_t len)
{
	(void)r;
	(void)p;
	(void)len;
	return -1;
}

int
resp_reader_next(struct resp_reader *r, struct store_reply **out)
{
	(void)r;
	*out = NULL;
	return -1;
}

const char *
resp_error(const struct store_reply *reply)
{
	(void)reply;
	return "not built in";
}

void
store_reply_free(struct store_reply *reply)
{
	(void)reply;
}

size_t
store_reply_count(const struct store_reply *reply)
{
	(void)reply;
	return 0;
}

const struct store_reply *
store_reply_at(const struct store_reply *reply, size_t i)
{
	(void)reply;
	(void)i;
	return NULL;
}

int64_t
store_reply_int(const struct store_reply *reply, int64_t otherwise)
{
	(void)reply;
	return otherwise;
}

struct span
store_reply_text(const struct store_reply *reply)
{
	(void)reply;
	return (struct span){ "", 0 };
}

#endif

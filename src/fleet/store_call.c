/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Calls: scripts sent on the one connection, and their replies handed to the
 * tasks that wait for them, in order.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/memory.h"
#include "fleet/store_internal.h"

/* How often a process that has just started checks if it is connected. */
#define START_STEP_MS 2
#define WARN_EVERY_MS 10000
/* How often is looked whether another task's WAIT has ended. */
#define COPYING_STEP_MS 1
/* The engine is not asked again so soon. */
#define UNCOPIED_MS 1000
/* The weight of a new round trip in the mean is 1 / MEAN_PART. */
#define MEAN_PART 16

/* ---- sending ----------------------------------------------------------- */

static struct store_call *
call_push(struct store *s, enum store_call_kind kind)
{
	struct store_call *call = memory_zero(sizeof(*call));

	call->kind = kind;
	call->sent_ns = clock_now_ns();
	TAILQ_INSERT_TAIL(&s->calls, call, entry);
	if (s->calls_link.asked_ms == 0)
		s->calls_link.asked_ms = call->sent_ns / 1000000;
	return call;
}

static void
call_free(struct store_call *call)
{
	store_reply_free(call->reply);
	free(call->tail);
	free(call);
}

struct store_call *
store_ask(struct store *s, enum store_call_kind kind, const struct span *args,
    size_t nargs)
{
	resp_command(&s->calls_link.out, args, nargs);
	return call_push(s, kind);
}

/* Writes the command's beginning.  An engine that does not know the script gets
 * its text, and knows it from then on. */
static void
put_head(struct store *s, struct store_script *script, size_t nargs)
{
	struct buf *out = &s->calls_link.out;
	bool known = script->known == s->generation;
	struct span what = span_of(known ? script->sha1 : script->text);

	script->known = s->generation;
	buf_printf(out, "*%zu\r\n%s$%zu\r\n", nargs + 2,
	    known ? "$7\r\nEVALSHA\r\n" : "$4\r\nEVAL\r\n", what.len);
	buf_add(out, what.p, what.len);
	buf_add(out, "\r\n", 2);
}

/* Writes the rest of the command.  Returns a copy, to send it again. */
static char *
put_tail(struct store *s, const struct span *keys, size_t nkeys,
    const struct span *args, size_t nargs, size_t *len)
{
	struct buf *out = &s->calls_link.out;
	char number[STORE_NUMBER_SIZE], *copy;
	size_t from = out->len;

	resp_bulk(out, store_number(number, (int64_t)nkeys));
	for (size_t i = 0; i < nkeys; i++)
		resp_bulk(out, keys[i]);
	resp_bulk(out, span_of(s->run));
	for (size_t i = 0; i < nargs; i++)
		resp_bulk(out, args[i]);
	if (buf_failed(out)) {
		*len = 0;
		return NULL;
	}
	*len = out->len - from;
	copy = memory_alloc(*len);
	memcpy(copy, out->p + from, *len);
	return copy;
}

static struct store_call *
send_script(struct store *s, struct store_script *script,
    const struct span *keys, size_t nkeys, const struct span *args,
    size_t nargs)
{
	struct store_call *call = call_push(s, STORE_CALL_SCRIPT);

	if (script->sha1[0] == '\0')
		digest_sha1_text(
		    script->text, strlen(script->text), script->sha1);
	call->script = script;
	call->nargs = nkeys + nargs + 2;
	put_head(s, script, call->nargs);
	call->tail = put_tail(s, keys, nkeys, args, nargs, &call->len);
	s->ncalls++;
	return call;
}

/* Requests wait only for a process's first connection. */
static bool
is_open(struct store *s)
{
	struct store_link *l = &s->calls_link;
	int64_t until_ms = clock_now_ms() + s->settings->timeout_ms;

	if (!store_link_start(l))
		return false;
	while (!l->up && !l->tried && !s->ending && clock_now_ms() < until_ms)
		task_sleep(START_STEP_MS);
	return store_is_up(s);
}

/* ---- replies ----------------------------------------------------------- */

static void
note_time(struct store *s, const struct store_call *call)
{
	int64_t us = (clock_now_ns() - call->sent_ns) / 1000;

	s->mean_us =
	    s->mean_us == 0 ? us : s->mean_us + (us - s->mean_us) / MEAN_PART;
}

/* Sends the script's text if the engine has forgotten it (SCRIPT FLUSH). */
static bool
send_again(struct store *s, struct store_call *call)
{
	if (call->kind != STORE_CALL_SCRIPT || call->again ||
	    strncmp(resp_error(call->reply), "NOSCRIPT", 8) != 0)
		return false;
	call->script->known = 0;
	call->again = true;
	store_reply_free(call->reply);
	call->reply = NULL;
	put_head(s, call->script, call->nargs);
	buf_add(&s->calls_link.out, call->tail, call->len);
	TAILQ_INSERT_TAIL(&s->calls, call, entry);
	store_link_flush(&s->calls_link);
	return true;
}

static void
warn_refused(struct store *s, const struct store_call *call)
{
	char text[200];
	const char *why = resp_error(call->reply);

	log_escape(why, strlen(why), text, sizeof(text));
	if (log_due(&s->warned_ms, WARN_EVERY_MS))
		log_error("store: %s: %s",
		    call->script == NULL ? "the engine refused"
					 : call->script->name,
		    text);
}

/* Does the error say that this engine can't serve now?  Such an engine is a
 * replica that was the master, a master without its replicas, or a node that
 * has given its slots away.  Another connection may reach one that can
 * serve. */
static bool
is_useless(const char *error)
{
	static const char *const words[] = { "READONLY", "LOADING",
		"MASTERDOWN", "NOREPLICAS", "CLUSTERDOWN", "MOVED", "ASK",
		"TRYAGAIN" };
	size_t len = strcspn(error, " ");

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == len &&
		    strncmp(error, words[i], len) == 0)
			return true;
	/* Redis before 7 puts it into the script's own error. */
	return strstr(error, "-READONLY ") != NULL;
}

/* Closes the connection that such an error came from. */
static void
note_useless(struct store *s, const char *error)
{
	char word[40];

	if (store_is_moved(error)) {
		s->calls_link.moved = store_move(s, error);
		s->calls_link.useless = !s->calls_link.moved;
		return;
	}
	log_escape(error, strcspn(error, " "), word, sizeof(word));
	store_failed(s, "the engine refuses calls: %s", word);
	s->calls_link.useless = true;
}

static void
finish(struct store *s, struct store_call *call)
{
	if (call->reply != NULL && resp_error(call->reply) != NULL) {
		warn_refused(s, call);
		s->nfailed++;
		if (is_useless(resp_error(call->reply)))
			note_useless(s, resp_error(call->reply));
	}
	call->done = true;
	if (!call->awaited)
		call_free(call);
	else if (call->task != NULL)
		task_wake(call->task);
}

void
store_take_reply(struct store_link *l, struct store_reply *reply)
{
	struct store *s = l->store;
	struct store_call *call = TAILQ_FIRST(&s->calls);

	if (call == NULL) { /* not a reply to any call */
		store_reply_free(reply);
		l->broken = true;
		return;
	}
	TAILQ_REMOVE(&s->calls, call, entry);
	s->late = false;
	call->reply = reply;
	switch (call->kind) {
	case STORE_CALL_SCRIPT:
	case STORE_CALL_PING:
		note_time(s, call);
		if (resp_error(reply) == NULL || !send_again(s, call))
			finish(s, call);
		break;
	case STORE_CALL_COPIED:
		finish(s, call);
		break;
	default:
		store_greeted(s, call->kind, reply);
		call_free(call);
	}
	l->asked_ms = TAILQ_EMPTY(&s->calls) ? 0 : clock_now_ms();
}

/* The connection is closed: it is unknown whether the calls that were sent have
 * been done. */
void
store_drop_calls(struct store_link *l)
{
	struct store *s = l->store;
	struct store_call *call;

	while ((call = TAILQ_FIRST(&s->calls)) != NULL) {
		TAILQ_REMOVE(&s->calls, call, entry);
		s->nfailed++;
		finish(s, call);
	}
	s->late = false;
	s->run[0] = '\0';
}

/* ---- waiting ----------------------------------------------------------- */

/* A reply is late: no more calls are sent until something comes. */
static void
note_late(struct store *s)
{
	if (!s->late)
		store_failed(s, "no reply within %" PRId64 " ms",
		    s->settings->timeout_ms);
	s->late = true;
	s->nfailed++;
	if (s->calls_link.task != NULL)
		task_wake(s->calls_link.task);
}

/* The call's reply, or NULL: it was lost. */
static struct store_reply *
wait_for(struct store *s, struct store_call *call)
{
	int64_t until_ms = clock_now_ms() + s->settings->timeout_ms, left_ms;
	struct store_reply *reply;

	call->task = task_self();
	while (!call->done && (left_ms = until_ms - clock_now_ms()) > 0)
		task_sleep((int)left_ms);
	call->task = NULL;
	if (!call->done) {
		note_late(s);
		call->awaited = false; /* finish() frees it */
		return NULL;
	}
	reply = call->reply;
	call->reply = NULL;
	call_free(call);
	return reply;
}

static enum store_result
result_of(struct store_reply **reply)
{
	if (*reply == NULL)
		return STORE_LOST;
	if (resp_error(*reply) == NULL)
		return STORE_OK;
	store_reply_free(*reply);
	*reply = NULL;
	return STORE_REFUSED;
}

struct store_call *
store_begin(struct store *s, struct store_script *script,
    const struct span *keys, size_t nkeys, const struct span *args,
    size_t nargs)
{
	struct store_call *call;

	if (!is_open(s))
		return NULL;
	call = send_script(s, script, keys, nkeys, args, nargs);
	call->awaited = true;
	return call;
}

enum store_result
store_wait(struct store *s, struct store_call *call, struct store_reply **reply)
{
	*reply = NULL;
	if (call == NULL)
		return STORE_AWAY;
	store_link_flush(&s->calls_link);
	*reply = wait_for(s, call);
	return result_of(reply);
}

enum store_result
store_eval(struct store *s, struct store_script *script,
    const struct span *keys, size_t nkeys, const struct span *args,
    size_t nargs, struct store_reply **reply)
{
	return store_wait(
	    s, store_begin(s, script, keys, nkeys, args, nargs), reply);
}

/* ---- copies ------------------------------------------------------------ */

uint64_t
store_connection(const struct store *s)
{
	return s->generation;
}

/* False: not in time, or the engine refuses to say. */
static bool
have_copies(struct store *s, int64_t replicas)
{
	char numbers[2][STORE_NUMBER_SIZE];
	const struct span args[] = { span_of("WAIT"),
		store_number(numbers[0], replicas),
		store_number(numbers[1], s->settings->timeout_ms / 2 + 1) };
	struct store_call *call = store_ask(
	    s, STORE_CALL_COPIED, args, sizeof(args) / sizeof(args[0]));
	struct store_reply *reply;
	bool copied;

	call->awaited = true;
	if (store_wait(s, call, &reply) != STORE_OK)
		return false;
	copied = store_reply_int(reply, 0) >= replicas;
	store_reply_free(reply);
	return copied;
}

bool
store_is_copied(struct store *s, uint64_t connection, int64_t replicas)
{
	bool copied;

	while (s->copying)
		task_sleep(COPYING_STEP_MS);
	if (!store_is_up(s) || s->generation != connection ||
	    (s->uncopied_ms != 0 &&
		clock_now_ms() - s->uncopied_ms < UNCOPIED_MS))
		return false;
	s->copying = true;
	copied = have_copies(s, replicas);
	s->copying = false;
	s->uncopied_ms = copied ? 0 : clock_now_ms();
	if (copied)
		return true;
	if (log_due(&s->uncopied_warned_ms, WARN_EVERY_MS))
		log_warn("store: not even %" PRId64
			 " of the engine's replicas has its data in time",
		    replicas);
	return false;
}

enum store_result
store_tell(struct store *s, struct store_script *script,
    const struct span *keys, size_t nkeys, const struct span *args,
    size_t nargs)
{
	if (!store_is_up(s))
		return STORE_AWAY;
	send_script(s, script, keys, nkeys, args, nargs);
	store_link_flush_soon(&s->calls_link);
	return STORE_OK;
}

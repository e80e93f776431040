/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The store: a Redis or Valkey server ("the engine") through which hosts share
 * limits, budgets and circuits.
 *
 * A process has one connection for calls; the calls of all its tasks are
 * pipelined on it.  Once a channel is listened to, there is a second
 * connection, for messages.  Each connection is kept by a task of the loop.  A
 * call suspends the task that makes it.  Nothing here blocks the loop.
 *
 * While the engine is away, calls fail at once.  Only calls that were under way
 * when it went away wait for the timeout.  The connection's task tries to
 * connect at growing intervals.  Once the engine has replied to it, new calls
 * are sent.
 *
 * All changes are made by scripts, which are atomic.  A script's keys carry one
 * hash tag (store_key()), so that a cluster has them in one slot.  Its first
 * argument, ARGV[1], is always the run of the engine: 40 hex digits that change
 * whenever the engine is restarted, is replaced by a replica, or this
 * connection reaches another engine.  Data that was written in another run may
 * be old (a snapshot), and missing data may have been lost.  So a script keeps
 * the run beside its data, compares it, and does what is safe.  Scripts take
 * the time from the engine (TIME), because hosts' clocks differ.
 *
 * In a build without hiredis (--without-store), config_load() refuses a
 * configuration with a store.
 */
#ifndef FLEET_STORE_H
#define FLEET_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "config/settings.h"

struct store;
struct store_reply;

enum store_result {
	STORE_OK = 0,
	STORE_AWAY, /* nothing was sent */
	STORE_LOST, /* sent, but no reply in time: it may have been done, or
		       may yet be */
	STORE_REFUSED, /* the engine replied with an error (logged) */
};

/* NULL: the configuration has no store.  Connects with the first call, or with
 * store_start().  The configuration must outlive it. */
struct store *store_new(const struct config *);
/* Connects, so that the first request need not wait.  Needs a loop. */
void store_start(struct store *);
/* Ends its tasks; later calls fail with STORE_AWAY.  A loop ends only after
 * this.  NULL: does nothing. */
void store_end(struct store *);
/* Have its tasks ended? */
bool store_has_ended(const struct store *);
/* Called after its tasks have ended. */
void store_free(struct store *);

/* The beginning of all our names in the store. */
const char *store_prefix(const struct store *);
/* The lease's time in the configuration. */
int64_t store_lease_ms(const struct store *);

/* Is the engine connected, so that a call would be sent now? */
bool store_is_up(const struct store *);

/* Makes a name of the store: "PREFIX:{KIND:NAME}:PART", or without PART (NULL).
 * The braces are its hash tag.  Valid as long as the caller's buffer. */
#define STORE_KEY_SIZE 512
struct span store_key(const struct store *, char out[STORE_KEY_SIZE],
    const char *kind, const char *name, const char *part);

/* A Lua script; static, one per text.  The digest is made on the first use. */
struct store_script {
	const char *name; /* for the log */
	const char *text;
	char sha1[41];
	uint64_t known; /* the connection on which the engine has it */
};

/* Runs a script (EVALSHA; EVAL if the engine does not know it yet) with
 * KEYS[1..nkeys] and ARGV[2..nargs + 1].  Waits for the reply, at most for the
 * store's timeout.  If it returns STORE_OK, the caller frees *reply with
 * store_reply_free(); else *reply is NULL.  Calls of one process are executed
 * in the order in which they were made. */
enum store_result store_eval(struct store *, struct store_script *,
    const struct span *keys, size_t nkeys, const struct span *args,
    size_t nargs, struct store_reply **reply);
/* The same in two steps: calls that were begun one after the other travel
 * together when the first is waited for, and the caller waits for nothing else
 * between.  NULL: the store is away.
 * Each call that was begun must be waited for, by the same task. */
struct store_call;
struct store_call *store_begin(struct store *, struct store_script *,
    const struct span *keys, size_t nkeys, const struct span *args,
    size_t nargs);
enum store_result store_wait(
    struct store *, struct store_call *, struct store_reply **reply);
/* The same without waiting for the reply.  Errors are logged.  It is sent when
 * the calling task waits or ends, so that it does not delay what the task does
 * next. */
enum store_result
store_tell(struct store *, struct store_script *, const struct span *keys,
    size_t nkeys, const struct span *args, size_t nargs);

/* The connection that the last call was sent on, 1..  The next one may reach
 * another engine. */
uint64_t store_connection(const struct store *);
/* Do so many of the engine's replicas have what calls on that connection
 * have written?  Waits for half of the store's timeout at most, as do later
 * calls of the process; so after one in vain the answer is no for a second. */
bool store_is_copied(struct store *, uint64_t connection, int64_t replicas);

/* Decimal text of a number as an argument. */
#define STORE_NUMBER_SIZE 24
struct span store_number(char out[STORE_NUMBER_SIZE], int64_t);

/* ---- replies ----------------------------------------------------------- */

void store_reply_free(struct store_reply *);
/* Elements of an array; 0 of anything else. */
size_t store_reply_count(const struct store_reply *);
/* NULL beyond the end. */
const struct store_reply *store_reply_at(const struct store_reply *, size_t i);
/* An integer, or a string of digits; else `otherwise`. */
int64_t store_reply_int(const struct store_reply *, int64_t otherwise);
/* A string (or status); an empty one for anything else.  NUL-terminated, and
 * valid as long as the reply. */
struct span store_reply_text(const struct store_reply *);

/* ---- messages ---------------------------------------------------------- */

/* A task of the store calls fn for each message on the channel, and with p ==
 * NULL whenever messages may have been missed (after each new subscription).
 * fn must not wait.  At most STORE_CHANNELS_MAX channels; name is kept by
 * reference. */
#define STORE_CHANNELS_MAX 4
void store_listen(struct store *, const char *channel,
    void (*fn)(void *ctx, struct span message), void *ctx);

/* ---- state ------------------------------------------------------------- */

struct store_facts {
	bool up;
	bool listens; /* the subscription is in force */
	int64_t since_wall_ms; /* when it last went up or down; 0: never */
	const char *why; /* the last failure; "": none */
	const char *version; /* of the engine: "redis 7.0.15"; "": unknown */
	const char *run; /* "": unknown */
	uint64_t calls, failed; /* by this process */
	int64_t mean_us; /* round trip, smoothed; 0: none yet */
};
void store_facts(const struct store *, struct store_facts *);
/* A task of the store calls fn whenever the store has gone up or away, and from
 * time to time while there is something new.  fn must not wait. */
void store_watch(
    struct store *, void (*fn)(void *, const struct store_facts *), void *ctx);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The store: a Redis or Valkey server ("the engine") through which hosts share
 * limits, budgets and circuits.
 *
 * A process has one connection for calls, on which all its tasks' calls are
 * pipelined, and, once something is listened to, a second one for messages.
 * Each is kept by a task of the loop; a call suspends the task that makes it.
 * Nothing here blocks the loop.
 *
 * While the engine is away, calls fail at once: only those that were under way
 * when it went have waited for the timeout.  The connection's task tries again
 * at growing intervals, and calls go through once the engine has answered it.
 *
 * All changes are made by scripts, which are atomic.  A script's keys carry one
 * hash tag (store_key()), so that a cluster has them in one slot.  Its first
 * argument, ARGV[1], is always the run of the engine: 40 hex digits that change
 * whenever the engine is restarted, is replaced by a replica, or this
 * connection reaches another one.  Data that was written under another run may
 * be old (a snapshot), and what is missing may have been lost: a script keeps
 * the run beside its data, compares, and does what is safe.  Scripts take the
 * time from the engine (TIME), because hosts' clocks differ.
 *
 * Built without hiredis (--without-store), a configuration with a store is
 * refused by config_load().
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
/* Its tasks end; what is called after this fails with STORE_AWAY.  A loop ends
 * only after this.  NULL: nothing. */
void store_end(struct store *);
/* After the loop. */
void store_free(struct store *);

/* As the configuration has it. */
int64_t store_lease_ms(const struct store *);

/* Would a call be sent now? */
bool store_is_up(const struct store *);

/* A name of the store: "PREFIX:{KIND:NAME}:PART", or without PART (NULL).  The
 * braces are its hash tag.  Valid until the caller's buffer goes. */
#define STORE_KEY_SIZE 512
struct span store_key(const struct store *, char out[STORE_KEY_SIZE],
    const char *kind, const char *name, const char *part);

/* A Lua script; static, one per text.  The digest is made with its first
 * use. */
struct store_script {
	const char *name; /* for the log */
	const char *text;
	char sha1[41];
	uint64_t known; /* the connection on which the engine has it */
};

/* Runs a script (EVALSHA; EVAL where the engine does not know it yet) with
 * KEYS[1..nkeys] and ARGV[2..nargs + 1].  Waits for the reply, at most for the
 * store's timeout.  OK: *reply, which the caller frees with
 * store_reply_free(); else it is NULL.  Calls of one process are executed in
 * the order in which they were made. */
enum store_result store_eval(struct store *, struct store_script *,
    const struct span *keys, size_t nkeys, const struct span *args,
    size_t nargs, struct store_reply **reply);
/* The same without waiting: what is only reported.  Errors are logged. */
enum store_result
store_tell(struct store *, struct store_script *, const struct span *keys,
    size_t nkeys, const struct span *args, size_t nargs);

/* Decimal text of a number as an argument. */
#define STORE_NUMBER_SIZE 24
struct span store_number(char out[STORE_NUMBER_SIZE], int64_t);

/* ---- replies ----------------------------------------------------------- */

void store_reply_free(struct store_reply *);
/* Elements of an array; 0 of anything else. */
size_t store_reply_count(const struct store_reply *);
/* NULL beyond the end. */
const struct store_reply *store_reply_at(const struct store_reply *, size_t i);
/* An integer, or a string of digits; otherwise what is given. */
int64_t store_reply_int(const struct store_reply *, int64_t otherwise);
/* A string (or status); empty for anything else.  NUL-terminated, and valid as
 * long as the reply. */
struct span store_reply_text(const struct store_reply *);

/* ---- messages ---------------------------------------------------------- */

/* fn is called, in a task of the store's, for each message on the channel, and
 * with p == NULL whenever messages may have been missed (after each time that
 * the subscription was made).  It must not wait.  At most STORE_CHANNELS_MAX;
 * name must last. */
#define STORE_CHANNELS_MAX 4
void store_listen(struct store *, const char *channel,
    void (*fn)(void *ctx, struct span message), void *ctx);

/* ---- state ------------------------------------------------------------- */

struct store_facts {
	bool up;
	bool listens; /* the subscription is in force */
	int64_t since_wall_ms; /* when that began; 0: never connected */
	const char *why; /* the last failure; "": none */
	const char *version; /* of the engine: "redis 7.0.15"; "": unknown */
	const char *run; /* "": unknown */
	uint64_t calls, failed; /* by this process */
	int64_t mean_us; /* round trip, smoothed; 0: none yet */
};
void store_facts(const struct store *, struct store_facts *);

#endif

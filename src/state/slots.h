/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Slots: how many requests a piece of hardware may bear at once, over
 * threads, processes, CGI runs and separately started pools.
 *
 * (The protocol and its invariants are described here when it is written.)
 */
#ifndef STATE_SLOTS_H
#define STATE_SLOTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/watch.h"
#include "config/config.h"
#include "policy/plan.h"

struct slots;

/* Opens runtime_dir/slots/LIMIT/ for each limit, making what is missing.
 * NULL with one line in why (missing and not makeable, read-only, foreign
 * owner, flock refused). One per process; after fork, not before. */
struct slots *slots_open(const struct config *, char *why, size_t size);
void slots_close(struct slots *);

struct slots_ask {
	const struct limit *limit;
	const char *client;	/* name; whose turn it is */
	const char *request_id;	/* for `tailgate status` */
	const char *model;
	unsigned priority;	/* client->priority */
	int64_t deadline_ms;	/* clock_now_ms() when to give up */
	const struct watch *watch;
};

enum slots_result {
	SLOTS_TAKEN,
	SLOTS_FULL,		/* the queue is full */
	SLOTS_TIMEOUT,
	SLOTS_GONE,		/* the client has left */
	SLOTS_BROKEN,		/* the directory fails us: logged; no slot */
};

struct slots_lease {
	struct slots *slots;
	const struct limit *limit;
	int lock_fd, wake_fd;
	unsigned slot;
	int64_t taken_ms;
	int64_t waited_ms;
	/* Where not taken: what an honest answer says. */
	unsigned position;	/* in the queue when it gave up or was refused */
	int64_t retry_after_ms;	/* mean hold time x queue / slots, >= 1000 */
};

/* Blocks until one of the results; *lease is filled in each case. */
enum slots_result slots_take(struct slots *, const struct slots_ask *,
    struct slots_lease *);
/* Gives a taken one back; nothing for any other. */
void slots_release(struct slots_lease *);

/* Used and queued of every limit, by index. */
void slots_facts(struct slots *, struct facts_limit *);

/* For `tailgate status`: one call per holder and waiter. */
struct slots_row {
	const struct limit *limit;
	bool holder;		/* else waiter */
	char client[CONFIG_NAME_MAX];
	char request_id[40];
	char model[CONFIG_NAME_MAX];
	int pid;
	int64_t since_ms;	/* clock_now_ms() */
};
void slots_each(struct slots *, void (*row)(void *, const struct slots_row *),
    void *ctx);

#endif

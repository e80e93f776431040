/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the files leases*.c share; no other file includes this.
 */
#ifndef FLEET_LEASES_INTERNAL_H
#define FLEET_LEASES_INTERNAL_H

#include <sys/queue.h>

#include "base/task.h"
#include "fleet/leases.h"

#define LEASES_KEYS 6
/* The arguments that each call begins with: ARGV[2..8]. */
#define LEASES_ARGS 7
#define LEASES_ID_SIZE 160
#define LEASES_PROCESS_SIZE (LEASES_ID_SIZE - 24)
/* With waiters, a beat is sent this often, in case a message was lost. */
#define LEASES_POLL_MS 1000
/* Figures that a plan compares are asked for again when they are this old. */
#define LEASES_FIGURES_MS 500
/* After a beat that failed. */
#define LEASES_RETRY_MS 100

/* The clock that goes on while the machine sleeps, if the system has one. */
#ifdef CLOCK_BOOTTIME
#define LEASES_CLOCK CLOCK_BOOTTIME
#else
#define LEASES_CLOCK CLOCK_MONOTONIC
#endif

enum leases_state { LEASES_ASKED, LEASES_WAITS, LEASES_HELD, LEASES_LOST };

struct leases_entry {
	TAILQ_ENTRY(leases_entry) entry;
	struct leases_limit *limit;
	enum leases_state state;
	uint64_t number, fence;
	unsigned stride;
	struct task *task; /* of the request */
	int64_t since_ms;
	bool listed, seen; /* as held: in the last beat, in its reply */
	char client[2 * CONFIG_NAME_MAX + 2];
};

TAILQ_HEAD(leases_entries, leases_entry);

struct leases_limit {
	const struct limit *limit; /* NULL: not shared */
	struct leases_entries entries;
	size_t nentries;
	unsigned nheld, nwaiting;
	int64_t good_ms; /* clock_boot_ms() when the last call that was
			    replied to was sent */
	int64_t beat_ms; /* when the last beat was sent */
	bool owed; /* the engine was not told that something has ended */
	bool hasty; /* beat now */
	bool compared; /* by a plan */
	bool curious; /* beat for the figures */
	int64_t hold_ms; /* how long a slot is held, smoothed */
};

struct leases {
	const struct config *config;
	struct store *store;
	struct slots *slots; /* where the figures go; may be NULL */
	struct leases_limit *limits;
	char process[LEASES_PROCESS_SIZE], channel[STORE_KEY_SIZE];
	char channels[128]; /* the prefix of all channels */
	uint64_t number;
	struct task *task;
	bool started, ending;
	int64_t kill_ms; /* when the timer fires; CLOCK_NEVER: it is not set */
	bool has_timer;
	void *timer;
	struct leases_row *rows; /* NULL: there is no table */
	char before[LEASES_PROCESS_SIZE]; /* dead; had our row; "": none */
	int64_t look_ms; /* for dead processes */
};

extern struct store_script leases_script;

/* ---- leases_ask.c: calls ----------------------------------------------- */

/* Texts of one call, which its spans refer to. */
struct leases_words {
	char keys[LEASES_KEYS][STORE_KEY_SIZE], id[LEASES_ID_SIZE];
	char lease[24], slots[24], queue[24], cap[24], stride[24];
	struct span key[LEASES_KEYS], arg[LEASES_ARGS + 3];
};

/* How the names of all processes' channels begin. */
void leases_channels(const struct store *, char *out, size_t size);
/* The keys and the first arguments; process "": for an onlooker. */
void
leases_words(struct leases_words *, const struct store *, const struct limit *,
    const char *what, const char *process, const char *channels);
/* "PROCESS/NUMBER" */
struct span
leases_id(const struct leases *, uint64_t number, char out[LEASES_ID_SIZE]);

/* ---- leases_dead.c: of processes that died ------------------------------ */

void leases_dead_open(struct leases *);
void leases_dead_close(struct leases *);
/* Gives back what a dead process of this host had; checks once a second at the
 * most.  True: there may be another one.  Waits. */
bool leases_dead_tend(struct leases *);

/* ---- leases_beat.c: the beats, and the ends of leases ------------------ */

/* The engine has replied to a call that was sent at sent_ms. */
void leases_note_good(struct leases *, struct leases_limit *, int64_t sent_ms);
/* The task that beats. */
void leases_run(struct leases *);
/* Notes the limit's figures, which are in the reply. */
void leases_note_figures(
    struct leases *, const struct leases_limit *, const struct store_reply *);
/* Something has begun or ended: adjusts the task and the timer. */
void leases_note_change(struct leases *);
/* The entry gets its slot. */
void leases_grant(struct leases_entry *, uint64_t fence);
/* Is half of the lease over, as far as we know? */
bool leases_is_stale(const struct leases *, const struct leases_limit *);
bool leases_timer_init(struct leases *);
void leases_timer_free(struct leases *);
void leases_on_message(void *ctx, struct span message);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A circuit as one 64-bit word, and its transitions: pure functions, no clock,
 * no memory.  health.c keeps the words and changes them by compare-and-swap.
 *
 *          failures in a row            cooldown over: one
 *   CLOSED ----------------> OPEN ----------------------------> TRIAL
 *     ^  \                    ^  ^                             /  |
 *     |   429, Retry-After    |   \____ failed: twice as long _/   |
 *     |   \----------------> HELD ---- its time over -------->     |
 *      \___________________________________ it answered __________/
 *
 * An all-zero word is a closed circuit.  Times are clock_now_ms(); a time
 * further away than the settings allow is from before a reboot and counts as
 * past, so that no file, however old, keeps a provider out for longer than
 * its cooldown_max.
 */
#ifndef STATE_CIRCUIT_H
#define STATE_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"

#define CIRCUIT_LOADING_MS 2000 /* "Loading model": asked again after */
#define CIRCUIT_OWNERS 512 /* owners are 0..CIRCUIT_OWNERS - 1 */

enum circuit_state {
	CIRCUIT_CLOSED,
	CIRCUIT_OPEN, /* by failures, or while a model loads */
	CIRCUIT_HELD, /* by a 429; only its time ends it */
	CIRCUIT_TRIAL, /* one request is trying */
};

struct circuit_view {
	enum circuit_state state;
	unsigned failures; /* in a row, up to 1023 */
	unsigned growth; /* how often the cooldown has doubled */
	unsigned owner; /* of a trial */
	int64_t until_ms; /* of OPEN, HELD; a TRIAL's lease */
};

struct circuit_view circuit_view(uint64_t word);
uint64_t circuit_word(const struct circuit_view *);

/* How long the circuit keeps requests out: 0 if it does not, -1 if a trial
 * is due.  owner_dead: the process of a TRIAL's owner is gone. */
int64_t circuit_open_ms(uint64_t word, const struct circuit *, int64_t lease_ms,
    bool owner_dead, int64_t now_ms);

/* The word after an event.  mine: this request is the trial in the word. */
uint64_t circuit_begin_trial(uint64_t word, unsigned owner, int64_t until_ms);
uint64_t circuit_answered(uint64_t word, bool mine);
uint64_t circuit_failed(
    uint64_t word, bool mine, const struct circuit *, int64_t now_ms);
uint64_t circuit_loading(uint64_t word, bool mine, int64_t now_ms);
/* retry_after_ms 0: the provider named no time, and the circuit does not
 * change. */
uint64_t circuit_rate_limited(uint64_t word, bool mine, const struct circuit *,
    int64_t retry_after_ms, int64_t now_ms);
uint64_t circuit_abandoned(uint64_t word, bool mine, int64_t now_ms);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The circuit's transitions, which health.c applies before a request is sent
 * and after it has ended.
 */
#include "config.h"

#include "state/circuit.h"

/* From the lowest bit: state 2, failures 10, growth 5, owner 9, until 38
 * (8 years of uptime in ms). */
#define FAILURES_SHIFT 2
#define GROWTH_SHIFT 12
#define OWNER_SHIFT 17
#define UNTIL_SHIFT 26
#define FAILURES_MAX 0x3ff
#define GROWTH_MAX 0x1f
#define OWNER_MASK 0x1ff
#define UNTIL_MASK ((UINT64_C(1) << 38) - 1)

/* How long others wait before they check a trial again. */
#define TRIAL_WAIT_MS 1000

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

struct circuit_view
circuit_view(uint64_t word)
{
	return (struct circuit_view){
		.state = (enum circuit_state)(word & 3),
		.failures = word >> FAILURES_SHIFT & FAILURES_MAX,
		.growth = word >> GROWTH_SHIFT & GROWTH_MAX,
		.owner = word >> OWNER_SHIFT & OWNER_MASK,
		.until_ms = (int64_t)(word >> UNTIL_SHIFT & UNTIL_MASK),
	};
}

uint64_t
circuit_word(const struct circuit_view *v)
{
	return (uint64_t)v->state | (uint64_t)v->failures << FAILURES_SHIFT |
	    (uint64_t)v->growth << GROWTH_SHIFT |
	    (uint64_t)(v->owner & OWNER_MASK) << OWNER_SHIFT |
	    ((uint64_t)v->until_ms & UNTIL_MASK) << UNTIL_SHIFT;
}

int64_t
circuit_open_ms(uint64_t word, const struct circuit *settings, int64_t lease_ms,
    bool owner_dead, int64_t now_ms)
{
	struct circuit_view v = circuit_view(word);
	int64_t left = v.until_ms - now_ms;

	switch (v.state) {
	case CIRCUIT_OPEN:
	case CIRCUIT_HELD:
		if (left <= 0 ||
		    left > most(settings->cooldown_max_ms, CIRCUIT_LOADING_MS))
			return -1;
		return left;
	case CIRCUIT_TRIAL:
		if (left <= 0 || left > lease_ms || owner_dead)
			return -1;
		return least(left, TRIAL_WAIT_MS);
	case CIRCUIT_CLOSED:
		break;
	}
	return 0;
}

uint64_t
circuit_begin_trial(uint64_t word, unsigned owner, int64_t until_ms)
{
	struct circuit_view v = circuit_view(word);

	v.state = CIRCUIT_TRIAL;
	v.owner = owner;
	v.until_ms = until_ms;
	return circuit_word(&v);
}

/*
 * A request sent before a 429 may end after it: its success does not mean that
 * the provider's limit is over.
 */
uint64_t
circuit_answered(uint64_t word, bool mine)
{
	struct circuit_view v = circuit_view(word);

	if (v.state == CIRCUIT_HELD && !mine)
		return word;
	return 0;
}

static int64_t
cooldown(const struct circuit *settings, unsigned growth)
{
	int64_t ms = most(settings->cooldown_ms, 1);

	while (growth-- > 0 && ms < settings->cooldown_max_ms)
		ms *= 2;
	return least(ms, most(settings->cooldown_max_ms, 1));
}

static uint64_t
opened(struct circuit_view *v, enum circuit_state state, int64_t until_ms)
{
	v->state = state;
	v->owner = 0;
	v->until_ms = until_ms;
	return circuit_word(v);
}

uint64_t
circuit_failed(
    uint64_t word, bool mine, const struct circuit *settings, int64_t now_ms)
{
	struct circuit_view v = circuit_view(word);

	if (v.failures < FAILURES_MAX)
		v.failures++;
	if (mine) {
		if (v.growth < GROWTH_MAX)
			v.growth++;
	} else if (v.state != CIRCUIT_CLOSED || settings->failures == 0 ||
	    v.failures < settings->failures) {
		return circuit_word(&v);
	}
	return opened(&v, CIRCUIT_OPEN, now_ms + cooldown(settings, v.growth));
}

uint64_t
circuit_loading(uint64_t word, bool mine, int64_t now_ms)
{
	struct circuit_view v = circuit_view(word);

	if (v.state != CIRCUIT_CLOSED && !mine)
		return word;
	return opened(&v, CIRCUIT_OPEN, now_ms + CIRCUIT_LOADING_MS);
}

uint64_t
circuit_rate_limited(uint64_t word, bool mine, const struct circuit *settings,
    int64_t retry_after_ms, int64_t now_ms)
{
	struct circuit_view v = circuit_view(word);
	int64_t until_ms =
	    now_ms + least(retry_after_ms, most(settings->cooldown_max_ms, 1));

	if (retry_after_ms <= 0)
		return mine ? 0 : word;
	if (v.state == CIRCUIT_OPEN)
		return opened(&v, CIRCUIT_OPEN, most(v.until_ms, until_ms));
	if (v.state == CIRCUIT_HELD)
		return opened(&v, CIRCUIT_HELD, most(v.until_ms, until_ms));
	if (v.state == CIRCUIT_TRIAL && !mine)
		return word;
	return opened(&v, CIRCUIT_HELD, until_ms);
}

/* The next request tries at once: nothing was learned of the provider. */
uint64_t
circuit_abandoned(uint64_t word, bool mine, int64_t now_ms)
{
	struct circuit_view v = circuit_view(word);

	return mine ? opened(&v, CIRCUIT_OPEN, now_ms) : word;
}

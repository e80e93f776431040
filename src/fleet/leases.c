/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Taking a slot that is shared over hosts, and giving it back.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "fleet/leases_internal.h"

/* By how much one request moves its client's tag, at priority 1. */
#define STRIDE 1000000
/* If a socket is readable although the client is still there, it is not polled
 * for this long: see slots.c. */
#define DEAF_MS 50
/* A waiter checks this often, in case a message was lost. */
#define LOOK_MS 1000
#define POSITION_MAX 1000000 /* a larger one is not believed */

/* ---- start and end ----------------------------------------------------- */

static void
name_process(struct leases *l)
{
	snprintf(l->process, sizeof(l->process), "%.64s:%ld:%08" PRIx32,
	    l->config->gateway, (long)getpid(), arc4random());
	leases_channels(l->store, l->channels, sizeof(l->channels));
	snprintf(
	    l->channel, sizeof(l->channel), "%s%s", l->channels, l->process);
}

/* Finds the limits whose figures a plan compares. */
static void
find_compared(struct leases *l)
{
	const struct config *c = l->config;
	const struct limit *limit;

	for (size_t i = 0; i < c->nmodels; i++)
		for (size_t k = 0; k < c->models[i].ntargets; k++) {
			limit = c->models[i].targets[k].provider->limit;
			if (c->models[i].select == SELECT_LEAST_BUSY &&
			    limit != NULL && limit->shared)
				l->limits[limit->index].compared = true;
		}
}

void
leases_refresh(struct leases *l, bool all)
{
	bool any = false;

	if (l == NULL || l->slots == NULL || !store_is_up(l->store))
		return;
	for (size_t i = 0; i < l->config->nlimits; i++) {
		struct leases_limit *limit = &l->limits[i];

		if (limit->limit == NULL || limit->curious ||
		    !(limit->compared || all) ||
		    slots_fleet_age_ms(l->slots, limit->limit) <
			LEASES_FIGURES_MS)
			continue;
		any = limit->curious = true;
	}
	if (any)
		leases_note_change(l);
}

struct leases *
leases_new(
    const struct config *config, struct store *store, struct slots *slots)
{
	struct leases *l;
	size_t n = 0;

	for (size_t i = 0; i < config->nlimits; i++)
		n += config->limits[i].shared;
	if (n == 0 || store == NULL)
		return NULL;
	l = memory_zero(sizeof(*l));
	l->config = config;
	l->store = store;
	l->slots = slots;
	l->limits = memory_zero(config->nlimits * sizeof(*l->limits));
	for (size_t i = 0; i < config->nlimits; i++) {
		TAILQ_INIT(&l->limits[i].entries);
		if (config->limits[i].shared)
			l->limits[i].limit = &config->limits[i];
	}
	if (!leases_timer_init(l)) {
		free(l->limits);
		free(l);
		return NULL;
	}
	find_compared(l);
	name_process(l);
	leases_dead_open(l);
	store_listen(store, l->channel, leases_on_message, l);
	return l;
}

void
leases_start(struct leases *l)
{
	if (l != NULL)
		leases_run(l);
}

void
leases_end(struct leases *l)
{
	if (l == NULL)
		return;
	l->ending = true;
	if (l->task != NULL)
		task_wake(l->task);
}

void
leases_free(struct leases *l)
{
	if (l == NULL)
		return;
	leases_dead_close(l);
	leases_timer_free(l);
	free(l->limits);
	free(l);
}

/* ---- entries ----------------------------------------------------------- */

static struct leases_entry *
entry_new(struct leases *l, const struct slots_ask *ask)
{
	struct leases_entry *e = memory_zero(sizeof(*e));

	e->limit = &l->limits[ask->limit->index];
	e->number = ++l->number;
	e->state = LEASES_ASKED;
	e->stride = STRIDE / (ask->priority > 0 ? ask->priority : 1);
	e->task = task_self();
	strlcpy(e->client, ask->client == NULL ? "-" : ask->client,
	    sizeof(e->client));
	TAILQ_INSERT_TAIL(&e->limit->entries, e, entry);
	e->limit->nentries++;
	return e;
}

/* Tells the engine that the entry is over ("give", "leave"); if the call fails,
 * the next beat does. */
static void
entry_end(struct leases *l, struct leases_entry *e, const char *what)
{
	struct leases_limit *limit = e->limit;
	struct leases_words *w = memory_alloc(sizeof(*w));

	if (e->state == LEASES_WAITS)
		limit->nwaiting--;
	else if (e->state == LEASES_HELD || e->state == LEASES_LOST)
		limit->nheld--;
	TAILQ_REMOVE(&limit->entries, e, entry);
	limit->nentries--;
	if (what != NULL) {
		leases_words(
		    w, l->store, limit->limit, what, l->process, l->channels);
		w->arg[LEASES_ARGS] = leases_id(l, e->number, w->id);
		if (store_tell(l->store, &leases_script, w->key, LEASES_KEYS,
			w->arg, LEASES_ARGS + 1) != STORE_OK)
			limit->owed = true;
	}
	free(w);
	free(e);
	leases_note_change(l);
}

/* ---- waiting ----------------------------------------------------------- */

struct waiting {
	struct leases *leases;
	const struct slots_ask *ask;
	struct leases_entry *entry;
	int64_t tick_ms, deaf_ms;
};

/* True: the wait is over, with this result. */
static bool
give_up(struct waiting *t, int64_t now_ms, enum leases_result *result)
{
	const struct watch *watch = t->ask->watch;
	int ms;

	if (watch != NULL && watch->tick != NULL && now_ms >= t->tick_ms) {
		ms = watch->tick(watch->ctx);
		if (ms == WATCH_GONE) {
			*result = LEASES_GONE;
			return true;
		}
		t->tick_ms = now_ms + (ms > 0 ? ms : 0);
	}
	*result = LEASES_AWAY;
	if (leases_is_stale(t->leases, t->entry->limit))
		return true;
	*result = LEASES_TIMEOUT;
	return now_ms >= t->ask->deadline_ms;
}

static void
sleep_some(struct waiting *t, int64_t now_ms)
{
	const struct watch *watch = t->ask->watch;
	struct pollfd p = { .fd = -1 };
	int64_t until_ms = now_ms + LOOK_MS;

	if (t->ask->deadline_ms < until_ms)
		until_ms = t->ask->deadline_ms;
	if (watch != NULL && watch->tick != NULL && t->tick_ms < until_ms)
		until_ms = t->tick_ms;
	if (watch != NULL && now_ms >= t->deaf_ms) {
		p.fd = watch->fd;
		p.events = watch->events;
	} else if (watch != NULL && t->deaf_ms < until_ms)
		until_ms = t->deaf_ms;
	if (task_poll_again(
		&p, 1, until_ms > now_ms ? (int)(until_ms - now_ms) : 0) > 0) {
		t->tick_ms = 0;
		t->deaf_ms = now_ms + DEAF_MS;
	}
}

static enum leases_result
wait_for_slot(struct waiting *t)
{
	enum leases_result result;
	int64_t now_ms;

	for (;;) {
		if (t->entry->state == LEASES_HELD)
			return LEASES_TAKEN;
		if (t->entry->state == LEASES_LOST)
			return LEASES_AWAY;
		now_ms = clock_now_ms();
		if (give_up(t, now_ms, &result))
			return result;
		sleep_some(t, now_ms);
	}
}

/* ---- taking ------------------------------------------------------------ */

static void
set_advice(
    struct lease *lease, const struct leases_limit *limit, int64_t position)
{
	int64_t at = position < 1     ? 1
	    : position > POSITION_MAX ? POSITION_MAX
				      : position;
	int64_t ms = limit->hold_ms * at / limit->limit->slots;

	lease->position = (unsigned)at;
	lease->retry_after_ms = ms < 1000 ? 1000 : ms;
}

/* Asks the engine.  True: e->state is HELD or WAITS; false: *result says why
 * not. */
static bool
ask_engine(struct leases *l, struct leases_entry *e, struct lease *lease,
    enum leases_result *result)
{
	struct leases_words *w = memory_alloc(sizeof(*w));
	int64_t sent_ms = clock_boot_ms();
	struct store_reply *reply;
	enum store_result r;
	struct span what;

	leases_words(
	    w, l->store, e->limit->limit, "take", l->process, l->channels);
	w->arg[LEASES_ARGS] = leases_id(l, e->number, w->id);
	w->arg[LEASES_ARGS + 1] = store_number(w->stride, e->stride);
	w->arg[LEASES_ARGS + 2] = span_of(e->client);
	r = store_eval(l->store, &leases_script, w->key, LEASES_KEYS, w->arg,
	    LEASES_ARGS + 3, &reply);
	free(w);
	*result = LEASES_AWAY;
	if (r != STORE_OK)
		return false;
	leases_note_good(l, e->limit, sent_ms);
	leases_note_figures(l, e->limit, reply);
	what = store_reply_text(store_reply_at(reply, 5));
	set_advice(
	    lease, e->limit, store_reply_int(store_reply_at(reply, 2), 1));
	if (span_is(what, "held"))
		leases_grant(
		    e, (uint64_t)store_reply_int(store_reply_at(reply, 3), 0));
	else if (span_is(what, "waits") && e->state == LEASES_ASKED) {
		e->state = LEASES_WAITS;
		e->limit->nwaiting++;
	} else if (span_is(what, "full"))
		*result = LEASES_FULL;
	store_reply_free(reply);
	return e->state == LEASES_HELD || e->state == LEASES_WAITS;
}

static enum leases_result
take(struct leases *l, const struct slots_ask *ask, struct lease *lease)
{
	struct waiting t = { .leases = l, .ask = ask };
	struct leases_entry *e = t.entry = entry_new(l, ask);
	enum leases_result result;

	if (!ask_engine(l, e, lease, &result)) {
		entry_end(l, e, result == LEASES_AWAY ? "leave" : NULL);
		return result;
	}
	leases_note_change(l);
	result = LEASES_TAKEN;
	if (e->state == LEASES_WAITS) {
		result = ask->may_wait != NULL && !ask->may_wait(ask->ctx)
		    ? LEASES_DENIED
		    : wait_for_slot(&t);
	}
	/* If the lease ran out before the grant came, the slot is not ours. */
	if (result == LEASES_TAKEN && leases_is_stale(l, e->limit))
		result = LEASES_AWAY;
	if (result != LEASES_TAKEN) {
		entry_end(l, e, "leave");
		return result;
	}
	lease->entry = e;
	lease->fence = e->fence;
	return result;
}

enum leases_result
leases_take(struct leases *l, const struct slots_ask *ask, struct lease *lease)
{
	int64_t began_ms = clock_now_ms();
	enum leases_result result;

	*lease = (struct lease){ .retry_after_ms = 1000 };
	result = take(l, ask, lease);
	lease->waited_ms = clock_now_ms() - began_ms;
	return result;
}

void
leases_release(struct leases *l, struct lease *lease)
{
	struct leases_entry *e = lease->entry;
	int64_t held_ms, *mean;

	if (e == NULL)
		return;
	lease->entry = NULL;
	if (l->slots != NULL)
		slots_fleet_back(l->slots, e->limit->limit);
	mean = &e->limit->hold_ms;
	held_ms = clock_now_ms() - e->since_ms;
	*mean = *mean == 0 ? held_ms : *mean + (held_ms - *mean) / 8;
	entry_end(l, e, "give");
}

bool
leases_lost(const struct lease *lease)
{
	return lease->entry != NULL && lease->entry->state == LEASES_LOST;
}

bool
leases_wanted(const struct lease *lease)
{
	return lease->entry != NULL && lease->entry->limit->nwaiting > 0;
}

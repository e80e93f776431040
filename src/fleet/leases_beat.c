/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The task that renews a process's leases.  If it cannot, it ends the process's
 * requests; if the process is stopped, a timer of the kernel kills it.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "fleet/leases_internal.h"

/* Tenths of a lease: see leases.h. */
#define SOFT_TENTHS 5
#define KILL_TENTHS 6
#define ENTRY_ARGS 4
#define IDLE_MS 60000

static int64_t
tenths(const struct leases *l, int n)
{
	return l->config->store.lease_ms * n / 10;
}

bool
leases_is_stale(const struct leases *l, const struct leases_limit *limit)
{
	return clock_boot_ms() - limit->good_ms >= tenths(l, SOFT_TENTHS);
}

static bool
ends_without_store(const struct leases_limit *limit)
{
	return limit->limit->without_store == WITHOUT_STORE_REFUSE;
}

/* ---- the kernel's timer ------------------------------------------------ */

/* SIGKILL also ends a stopped process, and cannot be blocked. */
bool
leases_timer_init(struct leases *l)
{
	struct sigevent end = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGKILL };
	timer_t timer;

	l->kill_ms = CLOCK_NEVER;
	if (timer_create(LEASES_CLOCK, &end, &timer) == -1) {
		log_error("store: no timer for leases: %s", strerror(errno));
		return false;
	}
	l->timer = timer;
	return l->has_timer = true;
}

void
leases_timer_free(struct leases *l)
{
	if (l->has_timer)
		timer_delete(l->timer);
}

static void
timer_set(struct leases *l, int64_t at_ms)
{
	struct itimerspec at = { .it_value = { 0 } };

	if (at_ms == l->kill_ms || !l->has_timer)
		return;
	l->kill_ms = at_ms;
	if (at_ms != CLOCK_NEVER) {
		at.it_value.tv_sec = (time_t)(at_ms / 1000);
		at.it_value.tv_nsec = (long)(at_ms % 1000) * 1000000;
	}
	if (timer_settime(l->timer, TIMER_ABSTIME, &at, NULL) == -1)
		fatal("the timer of leases: %s", strerror(errno));
}

static void
follow(struct leases *l)
{
	int64_t at_ms = CLOCK_NEVER;

	for (size_t i = 0; i < l->config->nlimits; i++) {
		struct leases_limit *limit = &l->limits[i];

		if (limit->limit != NULL && limit->nheld > 0 &&
		    ends_without_store(limit) &&
		    limit->good_ms + tenths(l, KILL_TENTHS) < at_ms)
			at_ms = limit->good_ms + tenths(l, KILL_TENTHS);
	}
	timer_set(l, at_ms);
}

/* ---- what comes from the engine ---------------------------------------- */

void
leases_note_good(struct leases *l, struct leases_limit *limit, int64_t sent_ms)
{
	if (sent_ms > limit->good_ms)
		limit->good_ms = sent_ms;
	follow(l);
}

void
leases_note_figures(struct leases *l, const struct leases_limit *limit,
    const struct store_reply *reply)
{
	int64_t used = store_reply_int(store_reply_at(reply, 0), 0);
	int64_t queued = store_reply_int(store_reply_at(reply, 1), 0);

	if (l->slots != NULL && used >= 0 && used <= UINT32_MAX &&
	    queued >= 0 && queued <= UINT32_MAX)
		slots_fleet_set(
		    l->slots, limit->limit, (unsigned)used, (unsigned)queued);
}

void
leases_grant(struct leases_entry *e, uint64_t fence)
{
	if (e->state != LEASES_WAITS && e->state != LEASES_ASKED)
		return;
	if (e->state == LEASES_WAITS)
		e->limit->nwaiting--;
	e->state = LEASES_HELD;
	e->fence = fence;
	e->since_ms = clock_now_ms();
	e->limit->nheld++;
	task_wake(e->task);
}

static struct leases_entry *
entry_find(const struct leases *l, struct span id, uint64_t *fence)
{
	size_t n = strlen(l->process);
	struct leases_entry *e;
	uint64_t number;
	char *end;

	if (id.len <= n || memcmp(id.p, l->process, n) != 0 || id.p[n] != '/')
		return NULL;
	number = strtoull(id.p + n + 1, &end, 10);
	*fence = *end == ' ' ? strtoull(end + 1, NULL, 10) : 0;
	for (size_t i = 0; i < l->config->nlimits; i++)
		if (l->limits[i].limit != NULL)
			TAILQ_FOREACH (e, &l->limits[i].entries, entry)
				if (e->number == number)
					return e;
	return NULL;
}

static void
beat_soon(struct leases *l, struct leases_limit *limit)
{
	limit->hasty = true;
	if (l->task != NULL)
		task_wake(l->task);
}

/* A message may come before the reply to the call that queued the entry.  If
 * that call was the first for a long time, there is no lease before the reply,
 * and the timer would end the process at once.  So the reply to a beat grants
 * the slot. */
static void
take_message(struct leases *l, struct leases_entry *e, uint64_t fence)
{
	if (leases_is_stale(l, e->limit)) {
		beat_soon(l, e->limit);
		return;
	}
	leases_grant(e, fence);
	follow(l);
}

/* The message is "ID FENCE"; empty: some messages may have been missed. */
void
leases_on_message(void *ctx, struct span message)
{
	struct leases *l = ctx;
	struct leases_entry *e;
	uint64_t fence;

	if (message.p != NULL) {
		/* An entry that has left meanwhile has told the engine. */
		if ((e = entry_find(l, message, &fence)) != NULL)
			take_message(l, e, fence);
		return;
	}
	for (size_t i = 0; i < l->config->nlimits; i++)
		beat_soon(l, &l->limits[i]);
}

static void
lose(struct leases_entry *e, const char *why)
{
	e->state = LEASES_LOST;
	log_warn("limit %s: %s: ending %s's request", e->limit->limit->name,
	    why, e->client);
	task_wake(e->task);
}

/* ---- beats ------------------------------------------------------------- */

static void
take_reply(struct leases *l, struct leases_limit *limit,
    const struct store_reply *reply)
{
	struct leases_entry *e;
	uint64_t fence;

	TAILQ_FOREACH (e, &limit->entries, entry)
		e->seen = false;
	for (size_t i = 5; i < store_reply_count(reply); i++) {
		e = entry_find(
		    l, store_reply_text(store_reply_at(reply, i)), &fence);
		if (e == NULL)
			continue;
		e->seen = true;
		leases_grant(e, 0);
	}
	TAILQ_FOREACH (e, &limit->entries, entry)
		if (e->state == LEASES_HELD && !e->seen && e->listed &&
		    ends_without_store(limit))
			lose(e, "the store has given its slot away");
}

static void
add_entry(const struct leases *l, struct leases_entry *e, struct span *args,
    char *texts)
{
	static const char *const words[] = { [LEASES_ASKED] = "a",
		[LEASES_WAITS] = "w",
		[LEASES_HELD] = "h",
		[LEASES_LOST] = "h" };

	args[0] = span_of(words[e->state]);
	args[1] = leases_id(l, e->number, texts);
	args[2] = store_number(texts + LEASES_ID_SIZE, e->stride);
	/* A copy: the entry may end while the call waits. */
	texts += LEASES_ID_SIZE + STORE_NUMBER_SIZE;
	strlcpy(texts, e->client, sizeof(e->client));
	args[3] = span_of(texts);
	e->listed = e->state == LEASES_HELD;
}

/* Reports all that the process has at a limit, including what is about to end.
 * A slot that is granted between a beat and its reply is not listed, but does
 * not count as lost. */
static void
beat(struct leases *l, struct leases_limit *limit)
{
	struct leases_entry *e;
	const size_t text_size =
	    LEASES_ID_SIZE + STORE_NUMBER_SIZE + sizeof(e->client);
	size_t n = limit->nentries, nargs = LEASES_ARGS;
	struct leases_words *w = memory_alloc(sizeof(*w));
	struct span *args =
	    memory_alloc((n * ENTRY_ARGS + LEASES_ARGS) * sizeof(*args));
	char *texts = memory_alloc(n * text_size + 1);
	int64_t sent_ms = clock_boot_ms();
	struct store_reply *reply;
	size_t i = 0;

	leases_words(
	    w, l->store, limit->limit, "beat", l->process, l->channels);
	memcpy(args, w->arg, LEASES_ARGS * sizeof(*args));
	TAILQ_FOREACH (e, &limit->entries, entry) {
		add_entry(l, e, args + nargs, texts + i++ * text_size);
		nargs += ENTRY_ARGS;
	}
	limit->beat_ms = clock_now_ms();
	limit->owed = limit->hasty = limit->curious = false;
	if (store_eval(l->store, &leases_script, w->key, LEASES_KEYS, args,
		nargs, &reply) == STORE_OK) {
		leases_note_good(l, limit, sent_ms);
		leases_note_figures(l, limit, reply);
		take_reply(l, limit, reply);
		store_reply_free(reply);
		follow(l);
	} else {
		limit->owed = true;
		limit->beat_ms = clock_now_ms();
	}
	free(texts);
	free(args);
	free(w);
}

/* After half of a lease without the store, requests that hold a slot end. */
static void
end_stale(struct leases *l, struct leases_limit *limit)
{
	struct leases_entry *e;

	if (limit->nheld == 0 || !ends_without_store(limit) ||
	    !leases_is_stale(l, limit))
		return;
	TAILQ_FOREACH (e, &limit->entries, entry)
		if (e->state == LEASES_HELD)
			lose(e, "the store is away, and the lease runs out");
}

/* When the limit's next beat is due. */
static int64_t
due_ms(const struct leases *l, const struct leases_limit *limit)
{
	if (limit->nentries == 0 && !limit->owed && !limit->curious)
		return CLOCK_NEVER;
	if (limit->owed)
		return limit->beat_ms + LEASES_RETRY_MS;
	if (limit->hasty || limit->curious)
		return 0;
	if (limit->nwaiting > 0 &&
	    LEASES_POLL_MS < l->config->store.lease_ms / 3)
		return limit->beat_ms + LEASES_POLL_MS;
	return limit->beat_ms + l->config->store.lease_ms / 3;
}

static void
leases_main(void *ctx)
{
	struct leases *l = ctx;
	int64_t next_ms, now_ms;

	l->task = task_self();
	while (!l->ending) {
		next_ms = clock_now_ms() + IDLE_MS;
		for (size_t i = 0; i < l->config->nlimits; i++) {
			struct leases_limit *limit = &l->limits[i];

			if (limit->limit == NULL)
				continue;
			if (due_ms(l, limit) <= clock_now_ms())
				beat(l, limit);
			end_stale(l, limit);
			if (due_ms(l, limit) < next_ms)
				next_ms = due_ms(l, limit);
		}
		/* The beats go first: this may wait for an engine that hangs.
		 */
		if (leases_dead_tend(l))
			continue;
		now_ms = clock_now_ms();
		if (next_ms > now_ms && !l->ending)
			task_sleep((int)(next_ms - now_ms));
	}
	l->task = NULL;
	l->started = false;
}

void
leases_run(struct leases *l)
{
	if (!l->started && !l->ending)
		l->started = task_start(leases_main, l) == 0;
}

void
leases_note_change(struct leases *l)
{
	follow(l);
	if (!l->started)
		leases_run(l);
	else if (l->task != NULL && task_self() != l->task)
		task_wake(l->task);
}

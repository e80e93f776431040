/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Taking a slot before a request goes to hardware that can serve only so many:
 * at once if nobody waits, otherwise in turn.  It hides the queue, its files
 * and every other process; serve/ sees one call that returns with a slot or
 * with the reason why not.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "state/slots_internal.h"

#define SLEEP_MAX_MS 10000
#define WARN_EVERY_MS 60000
/* A socket that is readable although the client is still there (a pipelined
 * byte) would keep poll(2) from sleeping. */
#define DEAF_MS 50

/* --- Waiting -------------------------------------------------------------- */

/* One request on its way to a slot. */
struct waiter {
	struct slots_limit *l;
	const struct slots_ask *ask;
	struct slots_lease *lease;
	struct slots_who_text who;
	unsigned client;
	int row, wake_fd;
	bool first; /* as it last saw */
	int told; /* why it was woken: SLOTS_WAKE_ */
	int64_t tick_ms; /* when the watch wants to be called */
	int64_t deaf_ms; /* until when its descriptor is not polled */
};

static void
warn_broken(struct slots *s, const struct slots_limit *l, const char *why)
{
	if (log_due(&s->warned_ms, WARN_EVERY_MS))
		log_error("limit %s: no slot can be taken, requests for it "
			  "are refused: %s: %s",
		    l->limit->name, l->dir, why);
}

/* True if that decides the result. */
static bool
try_slots(struct waiter *w, unsigned from, enum slots_result *result)
{
	struct slots_lease *lease = w->lease;

	w->who.since_ms = clock_now_ms();
	switch (slots_lock_try(w->l, from, w->client, &w->who, &lease->slot)) {
	case SLOTS_LOCK_TAKEN:
		lease->taken_ms = w->who.since_ms;
		slots_queue_charge(w->l, w->client, w->ask->priority);
		if (w->ask->loads != 0)
			slots_queue_use(
			    w->l->shared, w->ask->loads, w->ask->loads_name);
		*result = SLOTS_TAKEN;
		return true;
	case SLOTS_LOCK_FAILED:
		if (errno == ENOENT || errno == ESTALE)
			atomic_store(&lease->slots->lost, true);
		warn_broken(lease->slots, w->l, strerror(errno));
		*result = SLOTS_BROKEN;
		return true;
	case SLOTS_LOCK_BUSY:
		break;
	}
	return false;
}

/* True if the client has left or there is no time left. */
static bool
give_up(struct waiter *w, int64_t now_ms, enum slots_result *result)
{
	const struct watch *watch = w->ask->watch;
	int ms;

	if (watch != NULL && watch->tick != NULL && now_ms >= w->tick_ms) {
		ms = watch->tick(watch->ctx);
		if (ms == WATCH_GONE) {
			*result = SLOTS_GONE;
			return true;
		}
		w->tick_ms = now_ms + (ms > 0 ? ms : 0);
	}
	*result = SLOTS_TIMEOUT;
	return now_ms >= w->ask->deadline_ms;
}

static void
bound(int64_t *until, int64_t ms)
{
	if (ms < *until)
		*until = ms;
}

/* If nothing wakes it: often if it is first or second, otherwise by its
 * place, because that many must be served before. */
static int64_t
poll_every_ms(const struct waiter *w)
{
	unsigned position = slots_order_position(w->l, w->row);
	int64_t ms = SLOTS_POLL_MS * (position > 2 ? position - 1 : 1);

	return ms < SLOTS_POLL_MAX_MS ? ms : SLOTS_POLL_MAX_MS;
}

static int64_t
sleep_until(const struct waiter *w, const struct slots_view *v, int64_t now_ms)
{
	const struct watch *watch = w->ask->watch;
	int64_t until = now_ms + SLEEP_MAX_MS;

	bound(&until, w->ask->deadline_ms);
	if (watch != NULL && watch->tick != NULL)
		bound(&until, w->tick_ms);
	if (w->deaf_ms > now_ms)
		bound(&until, w->deaf_ms);
	if (w->wake_fd == -1)
		bound(&until, now_ms + poll_every_ms(w));
	else if (w->first)
		bound(&until, now_ms + SLOTS_CHECK_MS);
	if (v->checker != 0)
		bound(&until, now_ms + (int64_t)SLOTS_CHECK_MS * v->checker);
	return until > now_ms ? until : now_ms;
}

static void
sleep_once(struct waiter *w, const struct slots_view *v, int64_t now_ms)
{
	const struct watch *watch = w->ask->watch;
	struct pollfd fds[2] = {
		{ .fd = w->wake_fd, .events = POLLIN },
		{ .fd = -1 },
	};

	if (watch != NULL && now_ms >= w->deaf_ms) {
		fds[1].fd = watch->fd;
		fds[1].events = watch->events;
	}
	w->told = 0;
	if (task_poll_again(
		fds, 2, (int)(sleep_until(w, v, now_ms) - now_ms)) <= 0)
		return;
	if (fds[0].revents != 0)
		w->told = slots_wake_drain(w->wake_fd);
	if (fds[1].revents != 0) {
		w->tick_ms = 0;
		w->deaf_ms = now_ms + DEAF_MS;
	}
}

/* Tries for a slot if it may, and passes a wake-up on if it may not. */
static bool
look_and_try(struct waiter *w, struct slots_view *v, enum slots_result *result)
{
	bool first;

	slots_order_look(w->l, w->row, v);
	first = v->from < w->l->limit->slots;
	if (first && try_slots(w, v->from, result))
		return true;
	if (!first && (w->first || (w->told & SLOTS_WAKE_TRY)))
		slots_wake_next(w->l);
	w->first = first;
	return false;
}

static enum slots_result
wait_for_slot(struct waiter *w)
{
	struct slots_view v;
	enum slots_result result;
	int64_t now;

	while (!look_and_try(w, &v, &result)) {
		now = clock_now_ms();
		if (v.checker != 0 && slots_queue_check(w->l, now))
			slots_wake_next(w->l);
		if (give_up(w, now, &result))
			break;
		sleep_once(w, &v, now);
	}
	return result;
}

static int
join(struct waiter *w)
{
	uint64_t id = process_id();

	if ((w->row = slots_queue_claim(w->l, id, w->client)) == -1)
		return -1;
	w->wake_fd = slots_wake_open(w->l, w->row);
	w->who.since_ms = clock_now_ms();
	slots_who_store(&w->l->shared->waiters[w->row], &w->who);
	slots_queue_publish(w->l, w->row, w->client, w->ask);
	return 0;
}

/* Waking the next waiter after the row is gone makes up for any wake-up that
 * was on its way to this one. */
static void
leave(struct waiter *w)
{
	int checker;

	slots_queue_retract(w->l, w->row);
	if (w->wake_fd != -1) {
		task_forget(w->wake_fd);
		close(w->wake_fd);
	}
	slots_queue_free(w->l, w->row);
	checker = slots_order_checker(w->l, process_id());
	if (checker > w->row)
		slots_wake_row(w->l, checker, SLOTS_WAKE_CHECK);
	slots_wake_next(w->l);
}

/* --- Answers -------------------------------------------------------------- */

/* The mean time a slot is held; before the first was given back, how long the
 * oldest has been held so far. */
static int64_t
hold_ms(struct slots_limit *l)
{
	int64_t mean = (int64_t)(atomic_load(&l->shared->hold_us) / 1000);
	int64_t now = clock_now_ms();
	struct slots_who_text who;
	unsigned s;

	if (mean > 0)
		return mean;
	for (s = 0; s < SLOTS_MAX; s++) {
		if (atomic_load(&l->shared->holder[s]) == 0)
			continue;
		slots_who_load(&l->shared->holders[s], &who);
		if (now - who.since_ms > mean)
			mean = now - who.since_ms;
	}
	return mean;
}

int64_t
slots_retry_after_ms(struct slots_limit *l, unsigned position)
{
	int64_t ms = hold_ms(l) * position / l->limit->slots;

	return ms < 1000 ? 1000 : ms;
}

static void
response(struct waiter *w, unsigned position)
{
	w->lease->position = position;
	w->lease->retry_after_ms = slots_retry_after_ms(w->l, position);
}

static void
describe(struct slots_who_text *who, const struct slots_ask *ask)
{
	const char *client = ask->client, *id = ask->request_id;
	const char *model = ask->model;

	snprintf(who->client, sizeof(who->client), "%s", client ? client : "");
	snprintf(who->request_id, sizeof(who->request_id), "%s", id ? id : "");
	snprintf(who->model, sizeof(who->model), "%s", model ? model : "");
}

static enum slots_result
take(struct waiter *w)
{
	unsigned waiting = slots_queue_waiting(w->l->shared);
	enum slots_result r;

	if (waiting == 0 && try_slots(w, 0, &r))
		return r;
	if (w->ask->may_wait != NULL && !w->ask->may_wait(w->ask->ctx)) {
		response(w, waiting + 1);
		return SLOTS_DENIED;
	}
	if (join(w) == -1) {
		response(w, waiting + 1);
		return SLOTS_FULL;
	}
	r = wait_for_slot(w);
	if (r != SLOTS_TAKEN)
		response(w, slots_order_position(w->l, w->row));
	leave(w);
	return r;
}

enum slots_result
slots_take(
    struct slots *s, const struct slots_ask *ask, struct slots_lease *lease)
{
	struct waiter w = { .row = -1, .wake_fd = -1 };
	int64_t began = clock_now_ms();
	enum slots_result r;
	char why[SLOTS_PATH_SIZE];

	*lease = (struct slots_lease){ .slots = s, .limit = ask->limit };
	w.l = &s->limits[ask->limit->index];
	w.ask = ask;
	w.lease = lease;
	describe(&w.who, ask);
	if (process_id() == 0 &&
	    process_open(s->runtime_dir, why, sizeof(why)) == -1) {
		warn_broken(s, w.l, why);
		r = SLOTS_BROKEN;
	} else {
		w.client = slots_queue_client(w.l->shared, w.who.client);
		r = take(&w);
	}
	lease->waited_ms = clock_now_ms() - began;
	if (r != SLOTS_TAKEN)
		lease->slots = NULL;
	return r;
}

static void
note_hold(struct slots_shared *sh, int64_t held_ms)
{
	int64_t old = (int64_t)atomic_load(&sh->hold_us);
	int64_t us = held_ms > 0 ? held_ms * 1000 : 1;

	if (old != 0)
		us = old + (us - old) / 8;
	atomic_store(&sh->hold_us, (uint64_t)us);
}

bool
slots_lost(struct slots *s)
{
	for (size_t i = 0; i < s->nlimits; i++)
		for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
			if (atomic_load(&s->limits[i].shared->holder[slot]) !=
			    0)
				return false;
	return atomic_load(&s->lost);
}

bool
slots_wanted(const struct slots_lease *lease)
{
	return lease->slots != NULL &&
	    slots_queue_waiting(
		lease->slots->limits[lease->limit->index].shared) > 0;
}

void
slots_release(struct slots_lease *lease)
{
	struct slots_limit *l;

	if (lease->slots == NULL)
		return;
	l = &lease->slots->limits[lease->limit->index];
	lease->slots = NULL;
	note_hold(l->shared, clock_now_ms() - lease->taken_ms);
	slots_lock_release(l, lease->slot);
}

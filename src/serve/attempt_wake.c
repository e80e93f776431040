/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Waits for a provider's host that sleeps: hides how a sleeping host is
 * noticed, and when it is woken.  A request waits here before it takes a slot,
 * so that the limit's queue has no requests that could not be sent anyway.
 */
#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "serve/attempt_internal.h"
#include "serve/waker.h"

/* Between two tries to connect; each waiter makes them. */
#define TRY_MS 1000
/* A packet may get lost: another one is sent after this time. */
#define AGAIN_MS 10000
#define RETRY_MS 5000
/* A socket that is readable although the client is still there would keep
 * poll(2) from sleeping. */
#define DEAF_MS 50

enum reached { REACHED, ASLEEP, GONE };

/* Connections from before the host slept are dead, but their end was never
 * received. */
static void
forget_dead(struct attempt *t)
{
	struct server *s = t->request->server;
	uint32_t sleeps = health_sleep_count(s->health, t->provider);

	if (s->sleeps[t->provider->index] == sleeps)
		return;
	upstream_pool_forget(s->upstreams, t->provider);
	s->sleeps[t->provider->index] = sleeps;
}

/* If anything else is wrong with the connection, the request itself will find
 * it. */
static enum reached
reach(struct attempt *t, int64_t until_ms)
{
	struct server *s = t->request->server;
	int64_t left_ms = until_ms - clock_now_ms();
	const char *detail;

	if (left_ms > t->provider->timeouts.connect_ms)
		left_ms = t->provider->timeouts.connect_ms;
	switch (upstream_reach(s->upstreams, t->provider, &t->watch,
	    left_ms < 1 ? 1 : left_ms, t->request->arena, &detail)) {
	case UPSTREAM_CONNECT:
	case UPSTREAM_TIMEOUT_CONNECT:
		log_debug("provider %s: asleep: %s", t->provider->name, detail);
		health_sleeps(s->health, t->provider);
		return ASLEEP;
	case UPSTREAM_CLIENT_GONE:
		return GONE;
	case UPSTREAM_OK:
		health_reached(s->health, t->provider);
		break;
	default:
		break;
	}
	return REACHED;
}

static void
ask_for_wake(struct attempt *t)
{
	struct server *s = t->request->server;

	if (s->waker != -1 && health_may_wake(s->health, t->provider, AGAIN_MS))
		waker_ask(s->waker, t->provider);
}

/* False: the client has left. */
static bool
sleep_until(struct attempt *t, int64_t until_ms)
{
	struct pollfd p = { .fd = t->watch.fd, .events = t->watch.events };
	int64_t now_ms = clock_now_ms(), next_ms;
	int ms;

	while (now_ms < until_ms) {
		if ((ms = t->watch.tick(t->watch.ctx)) == WATCH_GONE)
			return false;
		next_ms = now_ms + ms < until_ms ? now_ms + ms : until_ms;
		if (next_ms <= now_ms)
			next_ms = now_ms + 1;
		if (task_poll_again(&p, 1, (int)(next_ms - now_ms)) > 0 &&
		    t->watch.tick(t->watch.ctx) != WATCH_GONE)
			task_sleep(DEAF_MS);
		now_ms = clock_now_ms();
	}
	return true;
}

/* Tries once a second, as every other waiting request does. */
static enum reached
wait_until_awake(struct attempt *t, int64_t until_ms)
{
	struct health *h = t->request->server->health;
	enum reached reached = ASLEEP;
	int64_t next_ms = clock_now_ms() + TRY_MS;

	while (reached == ASLEEP && clock_now_ms() < until_ms) {
		ask_for_wake(t);
		if (!sleep_until(t, next_ms < until_ms ? next_ms : until_ms))
			return GONE;
		next_ms = clock_now_ms() + TRY_MS;
		reached = health_is_awake(h, t->provider) ? REACHED
							  : reach(t, until_ms);
	}
	return reached;
}

static bool
refuse(struct attempt *t, const char *message)
{
	return attempt_fail(t, REFUSE_WAKING, RETRY_MS, message);
}

/* Counts as a failure only if the host had all the time that it may take. */
static bool
refuse_late(struct attempt *t, bool whole)
{
	struct request *r = t->request;

	if (whole) {
		health_report(r->server->health, t->provider, t->trial,
		    HEALTH_CONNECT, 0, -1);
		t->trial = false;
	}
	return refuse(t,
	    arena_printf(r->arena,
		"%s was woken, but can't be reached after %lld s; wait for "
		"the time in Retry-After.",
		t->provider->name, (long long)t->account->wake_ms / 1000));
}

/* Waits without a slot, in a queue of its own. */
static bool
join(struct attempt *t)
{
	struct request *r = t->request;
	struct health *h = r->server->health;
	int64_t began_ms = clock_now_ms();
	int64_t until_ms = began_ms + t->provider->wake_wait_ms;
	int64_t end_ms = r->start_ms + attempt_patience_ms(t);
	bool whole = until_ms <= end_ms;
	enum reached reached;

	if (!health_wake_join(h, t->provider))
		return refuse(t,
		    arena_printf(r->arena,
			"%s is being woken, and as many requests as may wait "
			"for it do; wait for the time in Retry-After.",
			t->provider->name));
	if (share_wait(&r->share) != REFUSE_NONE) {
		health_wake_leave(h, t->provider);
		return attempt_fail(t, REFUSE_CLIENT_SHARE, RETRY_MS, NULL);
	}
	reached = wait_until_awake(t, whole ? until_ms : end_ms);
	share_run(&r->share);
	health_wake_leave(h, t->provider);
	t->account->wake_ms = clock_now_ms() - began_ms;
	if (reached == GONE || response_gone(&r->response))
		return attempt_gone(t);
	forget_dead(t);
	return reached == REACHED || refuse_late(t, whole);
}

/* A connect to a host that sleeps may take seconds to fail. */
static void
wake_if_known(struct attempt *t)
{
	struct facts_sleep sleep;

	health_wake_row(t->request->server->health, t->provider, &sleep);
	if (sleep.since_wall_ms != 0)
		ask_for_wake(t);
}

bool
attempt_wake(struct attempt *t)
{
	struct health *h = t->request->server->health;

	if (!t->provider->sleeps)
		return true;
	forget_dead(t);
	if (health_is_awake(h, t->provider))
		return true;
	wake_if_known(t);
	switch (reach(t, CLOCK_NEVER)) {
	case REACHED:
		return true;
	case GONE:
		return attempt_gone(t);
	case ASLEEP:
		break;
	}
	forget_dead(t);
	ask_for_wake(t);
	return t->provider->wake_wait_ms == 0 ? refuse(t, NULL) : join(t);
}

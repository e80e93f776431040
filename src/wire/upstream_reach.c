/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a provider is connected without a request: is its host there?
 */
#include "config.h"

#include "base/clock.h"
#include "wire/upstream.h"
#include "wire/upstream_handle.h"

struct reach {
	struct handle *handle;
	const struct watch *watch;
	int64_t until_ms;
	int64_t tick_ms; /* when the watch is due */
	bool watching; /* its descriptor is worth polling */
};

/* How long nothing needs to be done; -1: over, *why says why. */
static int
patience_ms(struct reach *r, enum upstream_result *why)
{
	int64_t now_ms = clock_now_ms(), next_ms;
	int ms;

	if (now_ms >= r->until_ms) {
		*why = UPSTREAM_TIMEOUT_CONNECT;
		return -1;
	}
	if (now_ms >= r->tick_ms) {
		if ((ms = r->watch->tick(r->watch->ctx)) == WATCH_GONE) {
			*why = UPSTREAM_CLIENT_GONE;
			return -1;
		}
		r->tick_ms = now_ms + ms;
	}
	next_ms = r->tick_ms < r->until_ms ? r->tick_ms : r->until_ms;
	return next_ms > now_ms ? (int)(next_ms - now_ms) : 0;
}

static enum upstream_result
connect_within(struct upstream_pool *pool, struct reach *r)
{
	enum upstream_result why = UPSTREAM_CONNECT;
	int rc, ms;

	while ((rc = handle_connecting(pool, r->handle, &why)) == 0) {
		if ((ms = patience_ms(r, &why)) == -1)
			return why;
		if (connector_wait(r->handle->connector,
			r->watching ? r->watch->fd : -1, ms)) {
			r->tick_ms = 0;
			/* If it stays readable, polling it would spin. */
			r->watching = false;
		}
	}
	return rc == 1 ? UPSTREAM_OK : why;
}

enum upstream_result
upstream_reach(struct upstream_pool *pool, const struct provider *p,
    const struct watch *watch, int64_t timeout_ms, struct arena *arena,
    const char **detail)
{
	struct reach r = { .handle = handle_borrow(pool, p),
		.watch = watch,
		.until_ms = clock_now_ms() + timeout_ms,
		.tick_ms = clock_now_ms(),
		.watching = watch->fd != -1 };
	enum upstream_result result = UPSTREAM_EXHAUSTED;

	handle_disconnect(r.handle, false);
	*detail = "no connector: out of memory or descriptors";
	if (handle_connect(pool, r.handle)) {
		result = connect_within(pool, &r);
		*detail = result == UPSTREAM_OK ||
			result == UPSTREAM_TIMEOUT_CONNECT ||
			result == UPSTREAM_CLIENT_GONE
		    ? upstream_result_name(result)
		    : arena_strdup(arena, connector_error(r.handle->connector));
	}
	if (result != UPSTREAM_OK)
		handle_disconnect(r.handle, false);
	handle_return(pool, r.handle);
	return result;
}

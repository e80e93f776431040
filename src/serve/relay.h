/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * From one upstream exchange to the client: what passes, what is held back
 * until it is known not to be an error, what was used, and how it ended.
 *
 * Bytes pass unchanged.  It holds back a response's first event, a small JSON
 * response, and the unfinished tail of an event, so that an error inside of a
 * 200 can still lead to the next target and a cut stream ends between two
 * events.
 */
#ifndef SERVE_RELAY_H
#define SERVE_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "policy/call.h"
#include "policy/plan.h"
#include "policy/price.h"
#include "serve/response.h"
#include "serve/ending.h"
#include "state/health.h"
#include "bridge/bridge.h"
#include "wire/sse.h"
#include "wire/upstream.h"
#include "wire/usage.h"

enum relay_state {
	RELAY_START, /* no head yet */
	RELAY_PEEK, /* a good head; the beginning is being checked */
	RELAY_PASS, /* the client gets it */
	RELAY_COLLECT, /* an error, or a whole response for the bridge */
};

struct relay {
	struct response *response;
	const struct call *call;
	const struct candidate *candidate;
	struct arena *arena;
	struct bridge_run *bridge; /* or NULL */
	/* Called once, when a good response begins to pass; or NULL. */
	void (*answered)(void *ctx);
	void *answered_ctx;
	bool withhold_usage; /* the client did not ask for it */
	enum endpoint speaks; /* the endpoint that the upstream was asked at */
	enum endpoint_usage counts; /* where it reports its usage */

	enum relay_state state;
	struct http1_head head;
	const char *content_type;
	bool decided; /* the next two say what it is */
	bool is_sse, is_json;
	struct memory_hold memory; /* of what follows */
	struct memory_hold looking; /* of events that pass without it */
	struct buf held;
	struct buf out; /* what the bridge made of it */
	struct sse sse;

	/* Of an event stream that passes: how much of it has been dealt with
	 * (passed or withheld), and the bytes from there on; within one
	 * push. */
	uint64_t written;
	struct span window;
	bool in_field; /* of an event, in the middle of a line */

	uint64_t events;
	uint64_t deltas, delta_bytes; /* those with some of the output, if they
				       * pass */
	uint64_t output_bytes; /* what the model wrote of a whole response, if
				* known; the rest may repeat the request */
	uint64_t done_at; /* where the stream ends, if done */
	bool done; /* the event that ends such a stream came */
	bool bridge_good; /* the bridge has made more than an error */
	bool peeks_text; /* a short text: searched before it passes */
	struct buf complaint; /* see relay_complaint.c; or empty */
	bool error_first; /* an error inside of a 200 */
	bool error_whole; /* the same, in a JSON response that is held as a
			   * whole */
	bool ends_early; /* so is a response without its end */
	bool error_passed; /* an error of the upstream's own, later on */
	bool finish_failed; /* so is a finish_reason that is a failure */
	bool bridge_failed;
	bool odd_stream; /* events, where a bridge asked for a whole response */
	bool no_stream; /* the client has an event stream's head, but this is
			 * not a stream */
	struct usage usage;
	struct usage_scan *scan; /* of a JSON response too large to be held */
	struct ending ending; /* the same */
};

enum relay_end {
	RELAY_SERVED, /* the client has it all */
	RELAY_FAILED, /* nothing of it reached the client */
	RELAY_CUT, /* it failed after something had */
	RELAY_GONE, /* the client left */
};

struct relay_result {
	enum relay_end end;
	unsigned reason; /* enum fallback that covers it, 0: none does */
	enum health_outcome health;
	int64_t retry_after_ms; /* the upstream's; 0: none */
	struct refused refused; /* for FAILED and CUT */
	bool upstream_error; /* FAILED with an error of the upstream's own
				   to show: held body, with this status: */
	int status;
};

/* bridge: not NULL if the response is to be translated; freed here. */
void relay_init(struct relay *, struct response *, const struct call *,
    const struct candidate *, struct bridge_run *bridge, struct arena *);
void relay_free(struct relay *);
/* Was there memory for what must be held? */
enum memory_lack relay_lack(const struct relay *);
/* The sink for upstream_send. */
struct upstream_sink relay_sink(struct relay *);

/* After the exchange: how it went.  If it FAILED, the client has seen
 * nothing yet: try another target, or call relay_refuse(). */
void relay_finish(
    struct relay *, const struct upstream_report *, struct relay_result *);
/* Did a good response come, or a part of one?  Then it may have been billed,
 * whatever happened to it here. */
bool relay_was_generated(const struct relay *, const struct upstream_report *);
/* Reports a FAILED or CUT end to the client. */
void relay_refuse(struct relay *, const struct relay_result *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the forms in which an upstream reports a failure inside of a stream: an
 * error as the first event; an event named so; and an object with words but
 * nothing of a response ({"detail": …}), which is a sign of life if a response
 * follows, and the reason if none does.
 */
#include "config.h"

#include <string.h>

#include "config/redact.h"
#include "serve/relay_internal.h"
#include "serve/verdict.h"

void
relay_note_complaint(struct relay *r, struct span data, bool choices)
{
	if (r->speaks != ENDPOINT_CHAT && r->speaks != ENDPOINT_COMPLETIONS)
		return;
	if (choices)
		buf_reset(&r->complaint);
	else if (data.len > 0 && *data.p == '{' && verdict_complains(data)) {
		buf_reset(&r->complaint);
		buf_add(&r->complaint, data.p, data.len);
	}
}

bool
relay_begins_as_error(struct relay *r, const struct sse_event *event, bool last)
{
	struct span text = event->data;

	if (r->events > 0)
		return false;
	if (last && r->complaint.len > 0)
		text = buf_span(&r->complaint);
	else if (!verdict_is_error(event->name, event->data))
		return false;
	r->error_first = true;
	buf_reset(&r->held);
	buf_add(&r->held, text.p, text.len);
	return true;
}

void
relay_end_complaint(struct relay *r)
{
	if (r->complaint.len == 0 || r->error_first || r->done)
		return;
	if (r->events > 0) {
		r->error_passed = true;
		return;
	}
	r->error_first = true;
	buf_reset(&r->held);
	buf_add(&r->held, r->complaint.p, r->complaint.len);
}

void
relay_bridge_fail(struct relay *r, struct span data)
{
	struct buf copy;

	buf_init_charged(&copy, data.len, &r->memory);
	buf_add(&copy, data.p, data.len);
	if (copy.p != NULL && !buf_failed(&copy)) {
		redact(&r->response->keys, copy.p, copy.len);
		bridge_fail_upstream(r->bridge, 0, buf_span(&copy), &r->out);
		relay_bridge_result(r, BRIDGE_FAILED);
	}
	buf_free(&copy);
}

bool
relay_bridge_complains(const struct relay *r)
{
	return r->complaint.len > 0 && !bridge_is_finished(r->bridge);
}

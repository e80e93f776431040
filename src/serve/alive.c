/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides which API a waiting client uses, and how far its stream has come.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/find.h"
#include "base/jspan.h"
#include "bridge/pulse.h"
#include "serve/alive.h"

void
alive_init(struct alive *a, enum endpoint endpoint, const char *request_id,
    const char *model)
{
	memset(a, 0, sizeof(*a));
	a->endpoint = endpoint;
	a->request_id = request_id;
	a->model = model;
}

void
alive_bridge(struct alive *a, struct bridge_run *run)
{
	a->run = run;
	if (a->begun)
		bridge_resume(run, (unsigned)a->number + 1);
}

void
alive_unbridge(struct alive *a)
{
	a->run = NULL;
}

/* An event's number comes before its texts, if it has one. */
static void
note_number(struct alive *a, struct span data)
{
	static const char key[] = "\"sequence_number\":";
	const char *p = find_word(data, (struct span){ key, sizeof(key) - 1 });
	const char *end = data.p + data.len;
	uint64_t n = 0;

	if (p == NULL)
		return;
	for (p += sizeof(key) - 1; p < end && *p == ' ';)
		p++;
	if (p == end || *p < '0' || *p > '9')
		return;
	for (; p < end && *p >= '0' && *p <= '9' && n < UINT32_MAX; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	a->number = n;
	a->numbered = true;
}

/* As written; p NULL: the event has none. */
static struct span
response_id(struct span data)
{
	return jspan_text(jspan_member(data, "response"), "id");
}

void
alive_note(struct alive *a, struct span data)
{
	struct span id;

	if (a->endpoint != ENDPOINT_RESPONSES || data.len == 0 ||
	    *data.p != '{')
		return;
	note_number(a, data);
	if (a->begun)
		return;
	id = response_id(data);
	if (id.len > 0 && id.len < sizeof(a->id))
		snprintf(a->id, sizeof(a->id), "%.*s", SPAN_FMT(id));
	a->begun = true;
}

struct span
alive_foreign_id(struct alive *a, struct span data)
{
	struct span id = { NULL, 0 };

	if (a->ours && data.len > 0 && *data.p == '{')
		id = response_id(data);
	return id.p != NULL && !span_is(id, a->id) ? id
						   : (struct span){ NULL, 0 };
}

const char *
alive_id(struct alive *a)
{
	static const char prefix[] = "resp_";

	if (a->id[0] == '\0')
		snprintf(a->id, sizeof(a->id), "%s%.100s", prefix,
		    a->request_id == NULL ? "" : a->request_id);
	return a->id;
}

/* The upstream's own events pass unchanged and are numbered from 0: an event
 * between them repeats the number before it, so that no number is missing
 * and none goes back. */
static void
write_response(struct alive *a, struct buf *out)
{
	struct pulse_response r = { alive_id(a),
		a->model == NULL ? "" : a->model, clock_wall_ms() / 1000 };

	if (!a->begun) {
		pulse_responses(out, "created", a->number, &r);
		a->ours = true;
	}
	a->begun = a->numbered = true;
	pulse_responses(out, "in_progress", a->number, &r);
}

void
alive_write(struct alive *a, struct buf *out)
{
	if (a->run != NULL) {
		unsigned next = bridge_alive(a->run, out);

		if (next > 0) {
			alive_id(a);
			a->ours = true;
			a->begun = a->numbered = true;
			a->number = next - 1;
		}
	} else if (a->endpoint == ENDPOINT_RESPONSES)
		write_response(a, out);
	else if (a->endpoint == ENDPOINT_MESSAGES)
		pulse_messages(out);
	else
		buf_puts(out, ALIVE_COMMENT);
}

uint64_t
alive_next_number(struct alive *a)
{
	if (a->numbered)
		a->number++;
	a->numbered = true;
	return a->number;
}

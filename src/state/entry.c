/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the tries of a request are summed up.
 */
#include "config.h"

#include <string.h>

#include "base/sum.h"
#include "state/entry.h"

/* -1 is "none" on either side. */
static int64_t
add_known(int64_t sum, int64_t v)
{
	if (v < 0)
		return sum;
	if (sum < 0)
		return v;
	return sum_i64(sum, v);
}

bool
entry_used(const struct usage *u)
{
	return (u->input | u->output | u->characters | u->audio_ms |
		   u->images) != 0;
}

static void
add_usage(struct usage *sum, const struct usage *u)
{
	sum->input = sum_u64(sum->input, u->input);
	sum->cached = sum_u64(sum->cached, u->cached);
	sum->cache_write = sum_u64(sum->cache_write, u->cache_write);
	sum->output = sum_u64(sum->output, u->output);
	sum->reasoning = sum_u64(sum->reasoning, u->reasoning);
	sum->characters = sum_u64(sum->characters, u->characters);
	sum->audio_ms = sum_u64(sum->audio_ms, u->audio_ms);
	sum->images = sum_u64(sum->images, u->images);
}

void
entry_sum(const struct entry *e, struct entry_sums *out)
{
	bool reported = false, estimated = false;

	memset(out, 0, sizeof(*out));
	out->usage.cost_nanousd = out->cost_nanousd = -1;
	out->queue_ms = out->first_byte_ms = -1;
	for (size_t i = 0; i < e->ntries; i++) {
		const struct entry_try *t = &e->tries[i];

		out->sent |= t->sent;
		out->external |= t->sent && t->place == PLACE_EXTERNAL;
		out->bytes_sent = sum_u64(out->bytes_sent, t->bytes_sent);
		add_usage(&out->usage, &t->usage);
		reported |= t->usage.reported;
		estimated |= !t->usage.reported && entry_used(&t->usage);
		/* What was not sent has no cost, which differs from a cost
		 * of 0. */
		if (t->sent)
			out->cost_nanousd =
			    add_known(out->cost_nanousd, t->cost_nanousd);
		out->queue_ms = add_known(out->queue_ms, t->queue_ms);
		if (t->first_byte_ms >= 0)
			out->first_byte_ms = t->first_byte_ms;
	}
	out->usage.reported = reported && !estimated;
}

const struct entry_try *
entry_last(const struct entry *e)
{
	return e->ntries == 0 ? NULL : &e->tries[e->ntries - 1];
}

void
entry_try_init(struct entry_try *t)
{
	memset(t, 0, sizeof(*t));
	t->usage.cost_nanousd = -1;
	t->queue_ms = t->first_byte_ms = t->wake_ms = -1;
}

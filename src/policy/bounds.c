/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how amounts of a budget are written.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/jput.h"
#include "base/span.h"
#include "base/sum.h"
#include "policy/bounds.h"

#define NANO INT64_C(1000000000)

int64_t
bound_left(const struct bound *b)
{
	int64_t gone = sum_i64(b->used, b->held);

	return gone >= b->limit ? 0 : b->limit - gone;
}

void
bound_amount(const struct bound *b, int64_t amount, struct buf *out)
{
	char text[48];
	size_t len;

	if (!b->money) {
		buf_printf(out, "%" PRId64, amount);
		return;
	}
	len = (size_t)snprintf(text, sizeof(text), "%" PRId64 ".%09" PRId64,
	    amount / NANO, amount % NANO);
	while (text[len - 1] == '0')
		len--;
	if (text[len - 1] == '.')
		len--;
	buf_add(out, text, len);
}

static void
put_amount(
    const struct bound *b, const char *name, int64_t amount, struct buf *out)
{
	jput_name(out, name);
	bound_amount(b, amount, out);
}

void
bounds_json(const struct bound *b, size_t n, struct buf *out)
{
	buf_puts(out, "[");
	for (size_t i = 0; i < n; i++, b++) {
		char of[256];

		snprintf(of, sizeof(of), "%s %s", b->kind, b->name);
		jput_open(out, '{');
		jput_text(out, "of", of);
		jput_text(out, "bound", b->setting);
		put_amount(b, "limit", b->limit, out);
		put_amount(b, "used", b->used, out);
		put_amount(b, "held", b->held, out);
		put_amount(b, "left", bound_left(b), out);
		jput_known(out, "resets_in_ms", b->reset_ms);
		if (b->shared) {
			jput_bool(out, "shared", true);
			jput_known(out, "heard_ms_ago", b->heard_ms);
		}
		buf_puts(out, "}");
	}
	buf_puts(out, "]");
}

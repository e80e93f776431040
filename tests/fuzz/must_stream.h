/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What clients of a bridge rely on: complete JSON, in events that have a name.
 */
#ifndef TESTS_FUZZ_MUST_STREAM_H
#define TESTS_FUZZ_MUST_STREAM_H

#include "base/jscan.h"
#include "fuzz.h"
#include "wire/sse.h"

static inline int
must_pass(void *ctx, const struct jscan_value *v)
{
	(void)ctx;
	(void)v;
	return 0;
}

static inline void
must_be_json(struct span text)
{
	struct jscan_error error;

	MUST(jscan(text, JSCAN_DEPTH_MAX + 8, must_pass, NULL, &error) == 0);
}

static inline int
must_event(void *ctx, const struct sse_event *e)
{
	(void)ctx;
	MUST(!e->cut && e->name.len > 0);
	must_be_json(e->data);
	return 0;
}

#endif

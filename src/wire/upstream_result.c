/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the words for how an exchange with a provider ended.
 */
#include "config.h"

#include "wire/upstream.h"

static const char *const result_names[] = {
	[UPSTREAM_OK] = "ok",
	[UPSTREAM_STOPPED] = "stopped",
	[UPSTREAM_CLIENT_GONE] = "client gone",
	[UPSTREAM_CONNECT] = "no connection",
	[UPSTREAM_FORBIDDEN] = "address outside the place",
	[UPSTREAM_TLS] = "TLS failed",
	[UPSTREAM_EXHAUSTED] = "the gateway has run out",
	[UPSTREAM_TIMEOUT_CONNECT] = "connect timeout",
	[UPSTREAM_TIMEOUT_FIRST_BYTE] = "first-byte timeout",
	[UPSTREAM_TIMEOUT_IDLE] = "idle timeout",
	[UPSTREAM_TIMEOUT_TOTAL] = "total timeout",
	[UPSTREAM_CUT] = "cut",
	[UPSTREAM_BAD] = "not understood",
};

const char *
upstream_result_name(enum upstream_result result)
{
	return result_names[result];
}

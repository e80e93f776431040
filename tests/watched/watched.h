/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a watched program reports to the tracer about a system call: the role
 * that makes it, and its row in sandbox_calls, in the 16 bits that seccomp has
 * for that.
 */
#ifndef WATCHED_H
#define WATCHED_H

#define WATCHED_ROW_BITS 12
/* Instead of a row: no row lists the call. */
#define SANDBOX_WATCHED_OTHER ((1u << WATCHED_ROW_BITS) - 1)
#define SANDBOX_WATCHED(role, row) \
	((unsigned)(role) << WATCHED_ROW_BITS | (unsigned)(row))

#endif

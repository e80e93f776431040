/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Slots whose waiters have to poll, for tests.
 */
#ifndef TESTS_SLOTS_POLL_H
#define TESTS_SLOTS_POLL_H

#include "state/slots_internal.h"

/* As if no FIFO could be made.  Before the first slots_take(). */
static inline void
slots_poll_only(struct slots *s)
{
	for (size_t i = 0; i < s->nlimits; i++)
		s->limits[i].poll_only = true;
}

#endif

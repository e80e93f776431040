/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides that a condition variable's clock has to be chosen when it is made.
 */
#include "config.h"

#include <time.h>

#include "base/cond.h"

void
cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

void
cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_ms)
{
	struct timespec until = { (time_t)(until_ms / 1000),
		(long)(until_ms % 1000 * 1000000) };

	pthread_cond_timedwait(cond, mutex, &until);
}

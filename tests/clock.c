/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The wall clock as a test sets it: a library for LD_PRELOAD.  The file that
 * TAILGATE_TEST_CLOCK names holds seconds as text, which are added to the
 * clock.  To write another number there in place sets the clock of all running
 * processes.  Monotonic time is not changed.
 */
#include "config.h"

#include <sys/time.h>

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "mapped.h"

#define BYTES 64

static const char *volatile text;

__attribute__((constructor)) static void
begin(void)
{
	text = mapped_file("TAILGATE_TEST_CLOCK", BYTES, PROT_READ);
}

int
clock_gettime(clockid_t id, struct timespec *now)
{
	int rc = (int)syscall(SYS_clock_gettime, id, now);

	if (rc == 0 && id == CLOCK_REALTIME && text != NULL)
		now->tv_sec += strtol((const char *)text, NULL, 10);
	return rc;
}

time_t
time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

int
gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	now->tv_sec = ts.tv_sec;
	now->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

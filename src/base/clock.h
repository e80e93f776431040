/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Time: monotonic for durations, wall clock for what people read.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_NEVER INT64_MAX

/* CLOCK_MONOTONIC; comparable between the processes of one boot. */
int64_t clock_now_ns(void);
static inline int64_t
clock_now_ms(void)
{
	return clock_now_ns() / 1000000;
}

/* The same, but it also counts while the machine sleeps (if the system has
 * CLOCK_BOOTTIME): the time that people see pass, even if the wall clock is
 * set. */
int64_t clock_boot_ms(void);

/* CPU time of the calling thread. */
int64_t clock_cpu_ns(void);

/* CLOCK_REALTIME. */
int64_t clock_wall_ms(void);

/* "2026-11-22T18:47:00.123Z" (RFC 3339, UTC); out has CLOCK_TEXT_SIZE. */
#define CLOCK_TEXT_SIZE 32
void clock_text(int64_t wall_ms, char out[CLOCK_TEXT_SIZE]);

/* "840ms", "12s", "4m12s", "3h05m", "5d03h"; "" for less than 0. */
#define CLOCK_AGE_SIZE 32
void clock_age(int64_t ms, char out[CLOCK_AGE_SIZE]);

/* "2026-11-22", "2026-11-22T18:47:00Z" (with or without seconds, fraction)
 * as wall ms, or -1 with EINVAL. */
int64_t clock_parse(const char *text);

#endif

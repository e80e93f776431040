/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Condition variables whose waits end by clock_now_ms().
 */
#ifndef BASE_COND_H
#define BASE_COND_H

#include <pthread.h>
#include <stdint.h>

/* Ends by pthread_cond_destroy(). */
void cond_init(pthread_cond_t *);

/* Returns when signalled, when until_ms has come, or for no reason at all. */
void cond_wait_until(pthread_cond_t *, pthread_mutex_t *, int64_t until_ms);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A thread beside the loop.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* It blocks all signals: those of the process are for its loop.  False: there
 * was no thread to be had. */
bool thread_start(
    pthread_t *, size_t stack_bytes, void *(*fn)(void *arg), void *arg);

#endif

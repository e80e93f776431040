/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Writes lines of the log to a file, which is stderr, without waiting for its
 * disk; base/log_sink.c and base/log.c alone use it.
 *
 * A process may fork meanwhile.  Its child keeps lines in memory until it opens
 * or closes this itself.
 */
#ifndef BASE_LOG_BEHIND_H
#define BASE_LOG_BEHIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* See log_write_behind().  False: there was no thread to be had. */
bool log_behind_open(void (*waiting)(void *ctx, int delta), void *ctx);
/* See log_end(). */
bool log_behind_close(int64_t ms);
/* Are lines for log_behind_put()? */
bool log_behind_is_open(void);

/* As log_sink_put() and log_sink_take_lost(). */
bool log_behind_put(const char *line, size_t len, unsigned lost);
unsigned log_behind_take_lost(void);

/* For pthread_atfork(3). */
void log_behind_before_fork(void);
void log_behind_in_parent(void);
void log_behind_in_child(void);

#endif

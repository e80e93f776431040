/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Where the lines of the log go; base/log.c alone uses it.
 *
 * After log_sink_never_wait(), nothing here waits for the reader of the lines,
 * except a write to a file without log_sink_start().
 */
#ifndef BASE_LOG_SINK_H
#define BASE_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* stderr from now on.  Ends what log_sink_open_syslog() began. */
void log_sink_open(void);
/* The system's log instead, in the name of program, which is kept by
 * reference. */
void log_sink_open_syslog(const char *program);

/* See log_never_wait(), log_write_behind() and log_end(). */
void log_sink_never_wait(void);
bool log_sink_start(void (*waiting)(void *ctx, int delta), void *ctx);
bool log_sink_end(int64_t ms);

/* The length of the longest line that reaches its reader whole. */
size_t log_sink_line_max(void);

/* Hands over a line, which ends in a newline and is no longer than
 * log_sink_line_max().  lost: how many earlier lines it says were lost, else 0.
 * False: there was no room for it, or it could not be written. */
bool log_sink_put(int priority, const char *line, size_t len, unsigned lost);

/* Lines that a thread could not write since the last call; if one of them said
 * that others were lost, those in its place. */
unsigned log_sink_take_lost(void);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The log: stderr or syslog, one line each, foreign bytes escaped.
 *
 * Whatever is formatted, only printable ASCII and valid UTF-8 reach the log;
 * every other byte is written \xNN, so no header, body or upstream text can
 * forge a line.  No content and no key is ever passed to these functions.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* The destination and the lowest level that is written.  Each line begins
 * with program. */
void log_open(const char *program, bool to_syslog, enum log_level);
/* From now on writing never waits for the log's reader: a line for which a
 * pipe, a socket or the system's log has no room is lost, and a later line says
 * how many were.  (A file is written in any case.)  For processes that serve,
 * and their parent. */
void log_never_wait(void);
/* From now on writing does not wait for a file either: a thread writes its
 * lines, and what it has no room for is lost in the same way.  waiting(ctx, n)
 * hears of n more (or fewer) lines that wait; it is called by any thread and
 * must not log; NULL: nobody hears.  False: there was no thread to be had, and
 * a file is waited for.  The process must be confined before, as its threads
 * are not.  A child that it forks keeps its lines in memory, until it calls
 * this itself, or log_end(). */
bool log_write_behind(void (*waiting)(void *ctx, int delta), void *ctx);
/* Before such a process ends, or executes another program: waiting() is not
 * called any more.  False if lines are still unwritten after ms; otherwise the
 * thread has ended. */
bool log_end(int64_t ms);
void log_set_level(enum log_level);
enum log_level log_get_level(void);

/* The request id put before this thread's lines; NULL for none.  Kept by
 * reference. */
void log_set_request(const char *id);
const char *log_get_request(void);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* log_warn adds nothing by itself: write "%s: %s", what, strerror(errno). */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Is a line due about an event that may happen many times a second?  True
 * once in every_ms; *last_ms (of a static, 0 at first) belongs to one kind
 * of line. */
bool log_due(_Atomic int64_t *last_ms, int64_t every_ms);

/* For the impossible, and for out of memory: logs the message and ends the
 * process (exit 70). */
void
fatal(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Escape n bytes into out (size bytes, NUL-terminated, cut to fit).  Returns
 * the length written. */
size_t log_escape(const char *in, size_t n, char *out, size_t size);

/* A foreign name as the value of a field in a log line (`model=NAME`):
 * characters that could end the field, begin another or be invisible are
 * percent-encoded.  Returns out, "-" for NULL and "%" for an empty name. */
const char *log_field(const char *value, char *out, size_t size);

#endif

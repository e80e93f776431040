/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The log: formats a line, escapes what is foreign in it, and hands it over
 * (log_sink.c) in one piece, so that lines of several threads and processes
 * never mix.  systemd's journal and the system's log record the time, the
 * program and the process themselves; a line for the journal begins with the
 * level instead (sd-daemon(3)).
 */
#include "config.h"

#include <stdarg.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/log_behind.h"
#include "base/log_sink.h"
#include "base/utf8.h"

#define LOG_LINE_BYTES 4096
#define LOG_EXIT_FATAL 70 /* EX_SOFTWARE of sysexits.h */
#define LOG_FATAL_MS 500 /* for the last line */

static struct {
	char program[64];
	bool to_syslog, to_journal;
	atomic_int level;
	atomic_uint lost; /* lines, since one was written */
} log_state = { .program = "tailgate", .level = LOG_LEVEL_INFO };

static _Thread_local const char *log_request;

/* Is stderr the stream that systemd names in JOURNAL_STREAM? */
static bool
is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return text != NULL && sscanf(text, "%llu:%llu", &dev, &ino) == 2 &&
	    fstat(STDERR_FILENO, &st) == 0 && st.st_dev == (dev_t)dev &&
	    st.st_ino == (ino_t)ino;
}

void
log_open(const char *program, bool to_syslog, enum log_level level)
{
	snprintf(log_state.program, sizeof(log_state.program), "%s", program);
	log_state.level = (int)level;
	log_state.to_journal = is_journal();
	log_state.to_syslog = to_syslog;
	if (to_syslog)
		log_sink_open_syslog(log_state.program);
	else
		log_sink_open();
}

void
log_never_wait(void)
{
	log_sink_never_wait();
}

/* The parent says what it has lost. */
static void
log_in_child(void)
{
	atomic_store(&log_state.lost, 0);
	log_behind_in_child();
}

bool
log_write_behind(void (*waiting)(void *ctx, int delta), void *ctx)
{
	static bool prepared;

	if (!prepared)
		prepared = pthread_atfork(log_behind_before_fork,
			       log_behind_in_parent, log_in_child) == 0;
	if (!prepared)
		return false;
	return log_sink_start(waiting, ctx);
}

void
log_set_level(enum log_level level)
{
	log_state.level = (int)level;
}

enum log_level
log_get_level(void)
{
	return (enum log_level)log_state.level;
}

bool
log_due(_Atomic int64_t *last_ms, int64_t every_ms)
{
	int64_t now_ms = clock_now_ms(), last = atomic_load(last_ms);

	return (last == 0 || now_ms - last >= every_ms) &&
	    atomic_compare_exchange_strong(last_ms, &last, now_ms);
}

void
log_set_request(const char *id)
{
	log_request = id;
}

const char *
log_get_request(void)
{
	return log_request;
}

static size_t
log_plain(const unsigned char *p, size_t n)
{
	return *p == '\\' ? 0 : utf8_visible_length(p, n);
}

const char *
log_field(const char *value, char *out, size_t size)
{
	const unsigned char *p = (const unsigned char *)value;
	size_t n, len = 0, step;

	if (value == NULL)
		return "-";
	n = strlen(value);
	for (size_t i = 0; i < n; i += step) {
		bool plain = strchr(" \"%=\\", p[i]) == NULL;

		step = plain ? utf8_visible_length(p + i, n - i) : 0;
		if (step > 0 && len + step < size) {
			memcpy(out + len, p + i, step);
			len += step;
		} else if (step == 0 && len + 3 < size) {
			step = 1;
			memcpy(out + len,
			    (char[]){ '%', HEX_DIGITS[p[i] >> 4],
				HEX_DIGITS[p[i] & 15] },
			    3);
			len += 3;
		} else
			break;
	}
	out[len] = '\0';
	return n == 0 ? "%" : out;
}

size_t
log_escape(const char *in, size_t n, char *out, size_t size)
{
	const unsigned char *p = (const unsigned char *)in;
	size_t i = 0, len = 0, step;

	if (size == 0)
		return 0;
	while (i < n) {
		if ((step = log_plain(p + i, n - i)) > 0) {
			if (len + step >= size)
				break;
			memcpy(out + len, p + i, step);
			len += step;
			i += step;
			continue;
		}
		if (len + 4 >= size)
			break;
		memcpy(out + len,
		    (char[]){ '\\', 'x', HEX_DIGITS[p[i] >> 4],
			HEX_DIGITS[p[i] & 15] },
		    4);
		len += 4;
		i++;
	}
	out[len] = '\0';
	return len;
}

static size_t
log_line(char *line, size_t size, int priority, const char *name,
    const char *request, const char *text)
{
	char when[CLOCK_TEXT_SIZE], head[160] = "";
	int len;

	clock_text(clock_wall_ms(), when);
	if (log_state.to_journal && !log_state.to_syslog)
		snprintf(head, sizeof(head), "<%d>", priority);
	else if (!log_state.to_syslog)
		snprintf(head, sizeof(head), "%s %s[%ld]: ", when,
		    log_state.program, (long)getpid());
	len = snprintf(line, size, "%s%s: %s%s%s%s\n", head, name,
	    request != NULL ? "[" : "", request != NULL ? request : "",
	    request != NULL ? "] " : "", text);
	if (len < (int)size)
		return len < 0 ? 0 : (size_t)len;
	line[size - 2] = '\n';
	return size - 1;
}

/* How many lines were lost. */
static bool
log_tell_lost(void)
{
	unsigned lost =
	    atomic_exchange(&log_state.lost, 0) + log_sink_take_lost();
	char line[256], text[96];
	size_t len;

	if (lost == 0)
		return true;
	snprintf(text, sizeof(text),
	    "%u lines of the log were lost: they could not be written in time",
	    lost);
	len = log_line(line, sizeof(line), LOG_WARNING, "warning", NULL, text);
	if (log_sink_put(LOG_WARNING, line, len, lost))
		return true;
	atomic_fetch_add(&log_state.lost, lost);
	return false;
}

static void
log_hand_over(int priority, const char *name, const char *text)
{
	static _Thread_local char line[LOG_LINE_BYTES + 256];
	size_t most = log_sink_line_max();
	size_t len = log_line(line, most < sizeof(line) ? most : sizeof(line),
	    priority, name, log_request, text);

	if (!log_tell_lost() || !log_sink_put(priority, line, len, 0))
		atomic_fetch_add(&log_state.lost, 1);
}

bool
log_end(int64_t ms)
{
	bool ended;

	log_tell_lost();
	ended = log_sink_end(ms);
	/* Those for which there was no room before. */
	if (ended)
		log_tell_lost();
	return ended;
}

static void
log_write(enum log_level level, const char *fmt, va_list args)
{
	static const char *const names[] = { "error", "warning", "info",
		"debug" };
	static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO,
		LOG_DEBUG };
	/* Not on the stack: a task has little of it. */
	static _Thread_local char raw[LOG_LINE_BYTES], text[LOG_LINE_BYTES];
	int len;

	if (log_state.level < (int)level ||
	    (len = vsnprintf(raw, sizeof(raw), fmt, args)) < 0)
		return;
	if (len >= (int)sizeof(raw))
		len = sizeof(raw) - 1;
	log_escape(raw, (size_t)len, text, sizeof(text));
	log_hand_over(priorities[level], names[level], text);
}

void
log_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_write(LOG_LEVEL_ERROR, fmt, args);
	va_end(args);
}

void
log_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_write(LOG_LEVEL_WARN, fmt, args);
	va_end(args);
}

void
log_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_write(LOG_LEVEL_INFO, fmt, args);
	va_end(args);
}

void
log_debug(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_write(LOG_LEVEL_DEBUG, fmt, args);
	va_end(args);
}

void
fatal(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_write(LOG_LEVEL_ERROR, fmt, args);
	va_end(args);
	log_end(LOG_FATAL_MS);
	/* Other threads still run: no destructor may free what they use. */
	_exit(LOG_EXIT_FATAL);
}

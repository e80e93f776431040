/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what may keep a line from being written, by kind: a pipe or socket has
 * no room, the system's log does not read, a file's disk hangs.
 *
 * A write to a file may wait for the disk and can't be made non-blocking, so a
 * thread does it (log_behind.c).  This file writes to the system's log itself,
 * because syslog(3) waits for it.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_behind.h"
#include "base/log_sink.h"

#define LINE_BYTES 4352

enum sink_kind {
	SINK_WAITS, /* stderr, whatever it is */
	SINK_SOCKET,
	SINK_PIPE,
	SINK_BEHIND, /* a file, in time (log_behind.h) */
	SINK_SYSLOG,
};

static _Atomic(enum sink_kind) kind = SINK_WAITS;
static bool never_waits;

/* ---- the system's log ------------------------------------------------- */

static struct {
	pthread_mutex_t mutex;
	const char *program;
	int fd;
	bool by_library;
} system_log = { .mutex = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

/* False: nothing listens there, or not with datagrams. */
static bool
connect_system_log(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (system_log.fd != -1)
		close(system_log.fd);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", _PATH_LOG);
	system_log.fd =
	    socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (system_log.fd == -1)
		return false;
	if (connect(system_log.fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return true;
	system_log.by_library = errno == EPROTOTYPE;
	close(system_log.fd);
	system_log.fd = -1;
	return false;
}

/* OpenBSD's syslog(3) is a system call, and never waits. */
static void
open_system_log(void)
{
	tzset(); /* reads a file */
#ifdef __OpenBSD__
	system_log.by_library = true;
#else
	system_log.by_library = false;
	connect_system_log();
#endif
	if (system_log.by_library)
		openlog(system_log.program, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

static void
close_system_log(void)
{
	if (system_log.by_library)
		closelog();
	system_log.by_library = false;
	if (system_log.fd != -1)
		close(system_log.fd);
	system_log.fd = -1;
}

/* RFC 3164's form, as syslog(3) writes it. */
static bool
send_to_system_log(int priority, const char *line, size_t len)
{
	static _Thread_local char text[LINE_BYTES + 128];
	time_t now = clock_wall_ms() / 1000;
	struct tm tm;
	char when[32];
	int n;

	if (localtime_r(&now, &tm) == NULL ||
	    strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm) == 0)
		return false;
	n = snprintf(text, sizeof(text), "<%d>%s %.40s[%ld]: %.*s",
	    LOG_DAEMON | priority, when, system_log.program, (long)getpid(),
	    (int)(len - 1), line);
	if (n >= (int)sizeof(text))
		n = sizeof(text) - 1;
	return n > 0 &&
	    send(system_log.fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) !=
	    -1;
}

/* Tries again if the system's log was restarted, but not if it has no room. */
static bool
put_system_log(int priority, const char *line, size_t len)
{
	bool put = false;

	if (system_log.by_library) {
		syslog(priority, "%.*s", (int)(len - 1), line);
		return true;
	}
	pthread_mutex_lock(&system_log.mutex);
	if (system_log.fd != -1)
		put = send_to_system_log(priority, line, len);
	if (!put &&
	    (system_log.fd == -1 ||
		(errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS)))
		put = connect_system_log() &&
		    send_to_system_log(priority, line, len);
	pthread_mutex_unlock(&system_log.mutex);
	return put;
}

/* ---- from outside ----------------------------------------------------- */

static enum sink_kind
kind_of_stderr(void)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) == -1)
		return SINK_WAITS;
	if (S_ISREG(st.st_mode))
		return log_behind_is_open() ? SINK_BEHIND : SINK_WAITS;
	if (!never_waits)
		return SINK_WAITS;
	return S_ISSOCK(st.st_mode) ? SINK_SOCKET : SINK_PIPE;
}

void
log_sink_open(void)
{
	if (kind == SINK_SYSLOG)
		close_system_log();
	kind = kind_of_stderr();
}

void
log_sink_open_syslog(const char *program)
{
	if (kind == SINK_SYSLOG)
		close_system_log();
	system_log.program = program;
	open_system_log();
	kind = SINK_SYSLOG;
}

void
log_sink_never_wait(void)
{
	never_waits = true;
	if (kind != SINK_SYSLOG)
		kind = kind_of_stderr();
}

bool
log_sink_start(void (*waiting)(void *ctx, int delta), void *ctx)
{
	struct stat st;
	bool started;

	if (fstat(STDERR_FILENO, &st) == -1 || !S_ISREG(st.st_mode))
		return true;
	started = log_behind_open(waiting, ctx);
	if (kind != SINK_SYSLOG)
		kind = kind_of_stderr();
	return started;
}

bool
log_sink_end(int64_t ms)
{
	bool ended = log_behind_close(ms);

	if (ended && kind == SINK_BEHIND)
		kind = kind_of_stderr();
	return ended;
}

unsigned
log_sink_take_lost(void)
{
	return log_behind_take_lost();
}

/* A write of at most PIPE_BUF reaches a pipe whole or not at all. */
size_t
log_sink_line_max(void)
{
	return kind == SINK_PIPE && PIPE_BUF < LINE_BYTES ? PIPE_BUF
							  : LINE_BYTES;
}

bool
log_sink_put(int priority, const char *line, size_t len, unsigned lost)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	switch (atomic_load(&kind)) {
	case SINK_BEHIND:
		return log_behind_put(line, len, lost);
	case SINK_SYSLOG:
		return put_system_log(priority, line, len);
	case SINK_SOCKET:
		return send(STDERR_FILENO, line, len,
			   MSG_DONTWAIT | MSG_NOSIGNAL) != -1;
	case SINK_PIPE:
		/* Else there is room for a line of PIPE_BUF. */
		if (poll(&p, 1, 0) == 0)
			return false;
		break;
	case SINK_WAITS:
		break;
	}
	return write(STDERR_FILENO, line, len) != -1;
}

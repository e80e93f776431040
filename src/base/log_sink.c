/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what may keep a line from being written, by kind: a pipe or socket has
 * no room, the system's log does not read, a file's disk hangs.
 *
 * A write to a file may wait for the disk and can't be made non-blocking, so a
 * worker has a thread for it: one half of the room gathers lines while the
 * other half is written.  This file writes to the system's log itself, because
 * syslog(3) waits for it.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
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
#include "base/cond.h"
#include "base/log_sink.h"

#define LINE_BYTES 4352
#define STACK_BYTES (64 * 1024)
#define ROOM_BYTES (128 * 1024) /* some 1000 lines */
#define NOTICES_MAX 16 /* in a half; the room seldom fills up so often */

enum sink_kind {
	SINK_WAITS, /* stderr, whatever it is */
	SINK_SOCKET,
	SINK_PIPE,
	SINK_THREAD, /* a file */
	SINK_SYSLOG,
};

static _Atomic(enum sink_kind) kind = SINK_WAITS;
static bool never_waits;

/* ---- the thread of a file --------------------------------------------- */

/* Half of the room. */
struct half {
	size_t len;
	int lines;
	/* Which lines say how many were lost before them. */
	struct notice {
		size_t end;
		unsigned lost;
	} notices[NOTICES_MAX];
	unsigned notice_count;
	char text[ROOM_BYTES];
};

static struct {
	pthread_mutex_t mutex; /* of what follows */
	pthread_cond_t wanted, done;
	bool ready, writing;
	bool stopping; /* its setter waits for the thread's end */
	unsigned filling; /* the half that is filled */
	pthread_t thread;
	void (*waiting)(void *ctx, int delta);
	void *ctx;
	_Atomic unsigned lost;
	struct half halves[2];
} behind = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* Lines after the first `written` bytes.  A notice there was no line of the
 * caller's, but what it said is lost with it. */
static unsigned
count_lost(const struct half *half, size_t written)
{
	unsigned n = 0;

	for (size_t i = written; i < half->len; i++)
		n += half->text[i] == '\n';
	for (unsigned i = 0; i < half->notice_count; i++)
		if (half->notices[i].end > written)
			n += half->notices[i].lost - 1;
	return n;
}

static void
write_half(const struct half *half)
{
	size_t written = 0;
	ssize_t n;

	while (written < half->len) {
		n = write(
		    STDERR_FILENO, half->text + written, half->len - written);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		written += (size_t)n;
	}
	if (written < half->len)
		atomic_fetch_add(&behind.lost, count_lost(half, written));
}

/* Has the half that is filled a line? */
static bool
lines_wait(void)
{
	return behind.halves[behind.filling].len > 0;
}

static void *
behind_main(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&behind.mutex);
	while (!behind.stopping || lines_wait()) {
		struct half *taken = &behind.halves[behind.filling];

		if (taken->len == 0) {
			pthread_cond_wait(&behind.wanted, &behind.mutex);
			continue;
		}
		behind.filling ^= 1;
		behind.writing = true;
		pthread_mutex_unlock(&behind.mutex);
		write_half(taken);
		pthread_mutex_lock(&behind.mutex);
		behind.waiting(behind.ctx, -taken->lines);
		taken->len = 0;
		taken->lines = 0;
		taken->notice_count = 0;
		behind.writing = false;
		pthread_cond_broadcast(&behind.done);
	}
	pthread_mutex_unlock(&behind.mutex);
	return NULL;
}

/* The thread blocks all signals: those of the process are for its loop. */
static bool
start_thread(void)
{
	sigset_t all, before;
	pthread_attr_t attr;
	bool started;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	started = pthread_create(&behind.thread, &attr, behind_main, NULL) == 0;
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

static void
tell_nobody(void *unused, int delta)
{
	(void)unused;
	(void)delta;
}

bool
log_sink_start(void (*waiting)(void *ctx, int delta), void *ctx)
{
	struct stat st;

	if (kind != SINK_WAITS || fstat(STDERR_FILENO, &st) == -1 ||
	    !S_ISREG(st.st_mode))
		return true;
	if (!behind.ready) {
		cond_init(&behind.wanted);
		cond_init(&behind.done);
		behind.ready = true;
	}
	behind.waiting = waiting == NULL ? tell_nobody : waiting;
	behind.ctx = ctx;
	behind.stopping = false;
	if (!start_thread())
		return false;
	kind = SINK_THREAD;
	return true;
}

bool
log_sink_end(int64_t ms)
{
	int64_t until_ms = clock_now_ms() + ms;
	bool ended, first;

	if (kind != SINK_THREAD)
		return true;
	pthread_mutex_lock(&behind.mutex);
	while ((behind.writing || lines_wait()) && clock_now_ms() < until_ms)
		cond_wait_until(&behind.done, &behind.mutex, until_ms);
	ended = !behind.writing && !lines_wait();
	first = ended && !behind.stopping;
	behind.stopping = ended;
	behind.waiting = tell_nobody;
	pthread_cond_signal(&behind.wanted);
	pthread_mutex_unlock(&behind.mutex);
	if (!first)
		return ended;
	pthread_join(behind.thread, NULL);
	kind = SINK_WAITS;
	return true;
}

static bool
put_behind(const char *line, size_t len, unsigned lost)
{
	struct half *half;
	bool fits;

	pthread_mutex_lock(&behind.mutex);
	if (behind.stopping) {
		/* All earlier lines are written, and the thread writes no
		 * more. */
		pthread_mutex_unlock(&behind.mutex);
		return write(STDERR_FILENO, line, len) != -1;
	}
	half = &behind.halves[behind.filling];
	fits = len <= ROOM_BYTES - half->len &&
	    (lost == 0 || half->notice_count < NOTICES_MAX);
	if (fits) {
		memcpy(half->text + half->len, line, len);
		half->len += len;
		half->lines++;
		if (lost > 0)
			half->notices[half->notice_count++] =
			    (struct notice){ half->len, lost };
		behind.waiting(behind.ctx, 1);
		pthread_cond_signal(&behind.wanted);
	}
	pthread_mutex_unlock(&behind.mutex);
	return fits;
}

unsigned
log_sink_take_lost(void)
{
	return atomic_exchange(&behind.lost, 0);
}

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

	if (!never_waits || fstat(STDERR_FILENO, &st) == -1 ||
	    S_ISREG(st.st_mode))
		return SINK_WAITS;
	return S_ISSOCK(st.st_mode) ? SINK_SOCKET : SINK_PIPE;
}

void
log_sink_open(void)
{
	if (kind == SINK_SYSLOG)
		close_system_log();
	if (kind != SINK_THREAD)
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
	if (kind != SINK_SYSLOG && kind != SINK_THREAD)
		kind = kind_of_stderr();
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
	case SINK_THREAD:
		return put_behind(line, len, lost);
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

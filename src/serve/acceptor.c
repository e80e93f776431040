/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how threads wait for connections and how they are woken to stop.  The
 * "accept" step of a request's way.
 *
 * libfcgi's own accept is not used (FACTS §5).  A plain blocking accept is
 * the cheapest there is: one system call, one thread woken.  (With poll, a
 * thread of each worker wakes for every connection; with one level-triggered
 * epoll for many threads, several do.)  What it lacks is a way to stop it:
 * that is a signal, unblocked only around accept and sent again until nobody
 * waits any more, because one that comes just before accept blocks is lost.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "serve/acceptor.h"

#define STOP_SIGNAL SIGURG
/* Before accept is tried again when descriptors have run out. */
#define PAUSE_NS 10000000

struct member {
	pthread_t thread;
	LIST_ENTRY(member) entry;
};

struct acceptor {
	const struct config *config;
	struct acceptor_board *board;
	int listen_fd;
	unsigned index;
	unsigned reserve; /* threads kept to say "overloaded" */
	atomic_bool stopping;
	atomic_uint waiting; /* threads in or about to be in accept */
	pthread_mutex_t mutex;
	LIST_HEAD(, member) members;
};

static void
on_stop(int sig)
{
	(void)sig; /* its use is that accept returns */
}

static unsigned
reserve_of(unsigned threads)
{
	return threads < 4 ? 0 : threads < 256 ? 1 + threads / 64 : 4;
}

struct acceptor *
acceptor_new(const struct config *config, int listen_fd,
    struct acceptor_board *board, unsigned index)
{
	struct sigaction sa = { .sa_handler = on_stop };
	struct acceptor *a = calloc(1, sizeof(*a));

	if (a == NULL)
		fatal("out of memory");
	a->config = config;
	a->board = board;
	a->listen_fd = listen_fd;
	a->index = index;
	a->reserve = reserve_of(config->threads);
	pthread_mutex_init(&a->mutex, NULL);
	LIST_INIT(&a->members);
	sigemptyset(&sa.sa_mask);
	sigaction(STOP_SIGNAL, &sa, NULL);
	return a;
}

void
acceptor_free(struct acceptor *a)
{
	pthread_mutex_destroy(&a->mutex);
	free(a);
}

void
acceptor_join(struct acceptor *a)
{
	struct member *m = calloc(1, sizeof(*m));

	if (m == NULL)
		fatal("out of memory");
	m->thread = pthread_self();
	pthread_mutex_lock(&a->mutex);
	LIST_INSERT_HEAD(&a->members, m, entry);
	pthread_mutex_unlock(&a->mutex);
}

void
acceptor_leave(struct acceptor *a)
{
	struct member *m;

	pthread_mutex_lock(&a->mutex);
	LIST_FOREACH (m, &a->members, entry) {
		if (pthread_equal(m->thread, pthread_self()))
			break;
	}
	LIST_REMOVE(m, entry);
	pthread_mutex_unlock(&a->mutex);
	free(m);
}

/* Is all of the pool as busy as it may be?  Then somebody has to say so. */
static bool
all_full(const struct acceptor *a)
{
	for (unsigned i = 0; i < a->config->processes; i++) {
		if (atomic_load(&a->board->busy[i]) + a->reserve <=
		    a->config->threads)
			return false;
	}
	return a->reserve > 0;
}

static int
accept_one(struct acceptor *a)
{
	static const struct timespec pause = { 0, PAUSE_NS };
	int fd;

	while (!atomic_load(&a->stopping)) {
		fd = accept4(a->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd != -1)
			return fd;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			log_error("accept: %s", strerror(errno));
			nanosleep(&pause, NULL);
		}
	}
	return -1;
}

int
acceptor_next(struct acceptor *a, bool *overloaded)
{
	sigset_t stop;
	int fd;

	sigemptyset(&stop);
	sigaddset(&stop, STOP_SIGNAL);
	atomic_fetch_add(&a->waiting, 1);
	pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
	fd = accept_one(a);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	atomic_fetch_sub(&a->waiting, 1);
	if (fd == -1)
		return -1;
	atomic_fetch_add(&a->board->busy[a->index], 1);
	*overloaded = all_full(a);
	return fd;
}

void
acceptor_done(struct acceptor *a)
{
	atomic_fetch_sub(&a->board->busy[a->index], 1);
}

bool
acceptor_stop(struct acceptor *a)
{
	struct member *m;

	atomic_store(&a->stopping, true);
	if (atomic_load(&a->waiting) == 0)
		return true;
	pthread_mutex_lock(&a->mutex);
	LIST_FOREACH (m, &a->members, entry)
		pthread_kill(m->thread, STOP_SIGNAL);
	pthread_mutex_unlock(&a->mutex);
	return false;
}

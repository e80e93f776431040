/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Waits on many descriptors, for the programs of tests/ and bench/: by epoll if
 * there is one, else by poll(2).  Level-triggered.
 */
#ifndef TESTS_POLLER_H
#define TESTS_POLLER_H

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

struct poller_event {
	void *tag;
	short events; /* POLLIN, POLLOUT, POLLHUP, POLLERR */
};

struct poller {
	int epoll;
	struct pollfd *fds;
	void **tags;
	size_t n, size;
};

#ifdef __linux__

static inline void
poller_init(struct poller *p)
{
	memset(p, 0, sizeof(*p));
	if ((p->epoll = epoll_create1(EPOLL_CLOEXEC)) == -1)
		err(99, "epoll_create1");
}

/* Watches fd, or changes the events that it is watched for.  POLLIN is EPOLLIN
 * and so on: Linux promises the same values. */
static inline void
poller_set(struct poller *p, int fd, short events, void *tag)
{
	struct epoll_event ev = { .events = (unsigned short)events,
		.data.ptr = tag };

	if (epoll_ctl(p->epoll, EPOLL_CTL_MOD, fd, &ev) == -1 &&
	    (errno != ENOENT ||
		epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &ev) == -1))
		err(99, "epoll_ctl");
}

/* To be called before fd is closed. */
static inline void
poller_unset(struct poller *p, int fd)
{
	epoll_ctl(p->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static inline int
poller_wait(struct poller *p, struct poller_event *out, int max, int timeout_ms)
{
	struct epoll_event ev[256];
	int n = epoll_wait(p->epoll, ev, max < 256 ? max : 256, timeout_ms);

	for (int i = 0; i < n; i++)
		out[i] = (struct poller_event){ ev[i].data.ptr,
			(short)ev[i].events };
	return n < 0 ? 0 : n;
}

#else

static inline void
poller_init(struct poller *p)
{
	memset(p, 0, sizeof(*p));
}

static inline void
poller_set(struct poller *p, int fd, short events, void *tag)
{
	size_t i = 0;

	while (i < p->n && p->fds[i].fd != fd)
		i++;
	if (i == p->n && p->n == p->size) {
		p->size = p->size * 2 + 64;
		p->fds = realloc(p->fds, p->size * sizeof(*p->fds));
		p->tags = realloc(p->tags, p->size * sizeof(*p->tags));
		if (p->fds == NULL || p->tags == NULL)
			err(99, "realloc");
	}
	if (i == p->n)
		p->n++;
	p->fds[i] = (struct pollfd){ .fd = fd, .events = events };
	p->tags[i] = tag;
}

static inline void
poller_unset(struct poller *p, int fd)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->fds[i].fd == fd) {
			p->fds[i] = p->fds[--p->n];
			p->tags[i] = p->tags[p->n];
			return;
		}
}

static inline int
poller_wait(struct poller *p, struct poller_event *out, int max, int timeout_ms)
{
	int n = 0;

	if (poll(p->fds, (nfds_t)p->n, timeout_ms) <= 0)
		return 0;
	for (size_t i = 0; i < p->n && n < max; i++)
		if (p->fds[i].revents != 0)
			out[n++] = (struct poller_event){ p->tags[i],
				p->fds[i].revents };
	return n;
}

#endif
#endif

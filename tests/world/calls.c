/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Replaces the system calls through which a worker meets other processes and
 * the clock, and injects the faults (ld's --wrap; Makefile.am has the list).
 * Files are real; calls on them fail, too (calls_files.c).
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/ioctl.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/task.h"
#include "calls.h"

/* ---- faults of any call ------------------------------------------------ */

/* The worker may be killed here; events run meanwhile. */
void
calls_begin(char what, int fd)
{
	uint64_t kill_at = world->kill_at_op[world->life];

	world->nops++;
	world_note((uint64_t)what, fd >= WORLD_FD_BASE ? (uint64_t)fd : 0);
	if (kill_at != 0 && world->nops >= kill_at && world->serving) {
		world->killed = true;
		raise(SIGKILL);
	}
	world->mono_ns += 200;
	if (!world->calm && world_chance(16)) {
		world->mono_ns += (int64_t)world_below(300000);
		world_events_run();
	}
}

/* EAGAIN or EINTR: a caller must bear both at any time. */
static bool
is_disturbed(void)
{
	if (!world->serving || !world_chance(world->fault))
		return false;
	errno = world_chance(512) ? EINTR : EAGAIN;
	return true;
}

static size_t
some_of(size_t len)
{
	if (world->io_max != 0 && len > world->io_max)
		len = world->io_max;
	if (len > 1 && world_chance(world->fault))
		len = 1 + world_below(len);
	return len;
}

static void
poke(struct sim_conn *c)
{
	if (c->peer == SIM_CLIENT)
		client_poke(c);
	else if (c->peer == SIM_PROVIDER)
		upstream_poke(c);
}

/* ---- reading ----------------------------------------------------------- */

static ssize_t
read_some(int fd, void *p, size_t len)
{
	struct sim_conn *c;
	ssize_t n;
	int end;

	calls_begin('r', fd);
	if ((c = sim_conn_of(fd, &end)) == NULL) {
		errno = EBADF;
		return -1;
	}
	if (c->peer == SIM_CLIENT)
		upstream_task_serves((int)c->owner);
	if (is_disturbed())
		return -1;
	n = sim_read(c, end, p, c->peer == SIM_PAIR ? len : some_of(len));
	if (n > 0 && c->peer == SIM_PROVIDER)
		upstream_gave(c);
	if (n > 0)
		poke(c);
	if (c->peer == SIM_CLIENT && n > 0 &&
	    c->stream[0].read >= world->requests[c->owner].params_end)
		world->requests[c->owner].begun = true;
	world_note('R', (uint64_t)n);
	return n;
}

ssize_t __wrap_recv(int, void *, size_t, int);
ssize_t
__wrap_recv(int fd, void *p, size_t len, int flags)
{
	struct sim_conn *c = sim_conn_of(fd, NULL);

	if ((flags & MSG_PEEK) != 0 && c != NULL) {
		calls_begin('p', fd);
		if (c->stream[0].broken || c->stream[0].len > 0)
			return c->stream[0].broken ? (errno = ECONNRESET, -1)
						   : 1;
		if (c->stream[0].ended)
			return 0;
		errno = EAGAIN;
		return -1;
	}
	return read_some(fd, p, len);
}

ssize_t __wrap___recv_chk(int, void *, size_t, size_t, int);
ssize_t
__wrap___recv_chk(int fd, void *p, size_t len, size_t size, int flags)
{
	(void)size;
	return __wrap_recv(fd, p, len, flags);
}

static int
take_passed(struct sim_conn *c, struct msghdr *m)
{
	struct cmsghdr *h = CMSG_FIRSTHDR(m);
	int fd;

	if (c->passed_conn == -1 || h == NULL)
		return -1;
	fd = sim_fd_new(c->passed_conn, c->passed_end);
	sim_conn(c->passed_conn)->refs[c->passed_end]--;
	c->passed_conn = -1;
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	return 0;
}

/* One vector after the other, so that faults reach the second as well. */
ssize_t __wrap_recvmsg(int, struct msghdr *, int);
ssize_t
__wrap_recvmsg(int fd, struct msghdr *m, int flags)
{
	struct sim_conn *c = sim_conn_of(fd, NULL);
	ssize_t all = 0, n = 0;

	(void)flags;
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		struct iovec *v = &m->msg_iov[i];

		if (i > 0 && (c == NULL || c->stream[0].len == 0))
			break;
		n = read_some(fd, v->iov_base, v->iov_len);
		if (n > 0)
			all += n;
		if (n != (ssize_t)v->iov_len)
			break;
	}
	if (all == 0)
		return n;
	if (c != NULL && m->msg_controllen > 0 && take_passed(c, m) == -1)
		m->msg_controllen = 0;
	return all;
}

/* ---- writing ----------------------------------------------------------- */

static ssize_t
write_some(int fd, const void *p, size_t len)
{
	struct sim_conn *c;
	ssize_t n;
	int end;

	calls_begin('w', fd);
	if ((c = sim_conn_of(fd, &end)) == NULL) {
		errno = EBADF;
		return -1;
	}
	if (c->peer != SIM_PAIR && is_disturbed())
		return -1;
	n = sim_write(c, end, p, c->peer == SIM_PAIR ? len : some_of(len));
	if (n > 0 && c->peer == SIM_PROVIDER)
		upstream_took(c, p, (size_t)n);
	if (n > 0)
		poke(c);
	world_note('W', (uint64_t)n);
	return n;
}

ssize_t __wrap_send(int, const void *, size_t, int);
ssize_t
__wrap_send(int fd, const void *p, size_t len, int flags)
{
	if ((flags & MSG_DONTWAIT) == 0)
		world_wrong("a send that may block");
	return write_some(fd, p, len);
}

static void
pass(struct sim_conn *c, const struct msghdr *m)
{
	struct cmsghdr *h = CMSG_FIRSTHDR(m);
	struct sim_conn *other;
	int fd, end;

	if (h == NULL)
		return;
	memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	if ((other = sim_conn_of(fd, &end)) == NULL)
		return;
	other->refs[end]++;
	c->passed_conn = (int)(other - world->conns);
	c->passed_end = end;
}

ssize_t __wrap_sendmsg(int, const struct msghdr *, int);
ssize_t
__wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct sim_conn *c = sim_conn_of(fd, NULL);
	ssize_t all = 0, n = 0;

	(void)flags;
	if (c != NULL && m->msg_controllen > 0 && c->passed_conn != -1) {
		errno = EAGAIN;
		return -1;
	}
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		struct iovec *v = &m->msg_iov[i];

		if (v->iov_len == 0)
			continue;
		n = write_some(fd, v->iov_base, v->iov_len);
		if (n > 0)
			all += n;
		if (n != (ssize_t)v->iov_len)
			break;
	}
	if (all > 0 && c != NULL && m->msg_controllen > 0)
		pass(c, m);
	return all > 0 ? all : n;
}

/* ---- descriptors ------------------------------------------------------- */

int
calls_no_descriptor(void)
{
	if (!world->serving || !world_chance(world->descriptor_fault))
		return 0;
	errno = world_chance(512) ? EMFILE : ENFILE;
	return -1;
}

int __wrap_accept4(int, struct sockaddr *, socklen_t *, int);
int
__wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	(void)sa;
	(void)len;
	(void)flags;
	calls_begin('a', fd);
	if (calls_no_descriptor() == -1)
		return -1;
	if (world->nbacklog == 0 || is_disturbed()) {
		if (world->nbacklog == 0)
			errno = EAGAIN;
		return -1;
	}
	return sim_fd_new(sim_accept(), 0);
}

int __wrap_socketpair(int, int, int, int *);
int
__wrap_socketpair(int domain, int type, int protocol, int *fds)
{
	int conn;

	(void)domain;
	(void)type;
	(void)protocol;
	calls_begin('s', -1);
	if (calls_no_descriptor() == -1 ||
	    (conn = sim_conn_new(SIM_PAIR, 0, 1 << 20, 1 << 20)) == -1)
		return -1;
	fds[0] = sim_fd_new(conn, 0);
	fds[1] = sim_fd_new(conn, 1);
	return 0;
}

int __wrap_close(int);
int
__wrap_close(int fd)
{
	calls_begin('c', fd);
	if (loop_watches(fd))
		world_wrong("descriptor %d is closed while it is watched", fd);
	if (fd >= WORLD_FD_BASE || fd == SIM_DESK_FD)
		return sim_fd_close(fd);
	return __real_close(fd);
}

int __wrap_dup2(int, int);
int
__wrap_dup2(int from, int to)
{
	(void)from;
	return to; /* the ledger's process: SIM_DESK_FD */
}

void __wrap_closefrom(int);
void
__wrap_closefrom(int from)
{
	(void)from;
}

int __wrap_setsockopt(int, int, int, const void *, socklen_t);
int
__wrap_setsockopt(int fd, int level, int name, const void *p, socklen_t len)
{
	struct sim_conn *c = sim_conn_of(fd, NULL);

	if (c != NULL && level == SOL_SOCKET && name == SO_LINGER)
		c->reset_on_close = true;
	(void)p;
	(void)len;
	return 0;
}

int __wrap_getsockopt(int, int, int, void *, socklen_t *);
int
__wrap_getsockopt(int fd, int level, int name, void *p, socklen_t *len)
{
	(void)fd;
	(void)level;
	(void)name;
	(void)p;
	(void)len;
	errno = ENOPROTOOPT;
	return -1;
}

int __wrap_fcntl(int, int, ...);
int
__wrap_fcntl(int fd, int cmd, ...)
{
	va_list args;
	long value;

	if (fd >= WORLD_FD_BASE)
		return 0;
	va_start(args, cmd);
	value = va_arg(args, long);
	va_end(args);
	return __real_fcntl(fd, cmd, value);
}

int __wrap_ioctl(int, unsigned long, ...);
int
__wrap_ioctl(int fd, unsigned long request, ...)
{
	struct sim_conn *c = sim_conn_of(fd, NULL);
	va_list args;
	int *out;

	va_start(args, request);
	out = va_arg(args, int *);
	va_end(args);
	if (c == NULL || request != TIOCOUTQ) {
		errno = ENOTTY;
		return -1;
	}
	*out = (int)c->stream[1].len;
	return 0;
}

/* ---- waiting ----------------------------------------------------------- */

struct polling {
	struct pollfd *fds;
	nfds_t n;
	int ready;
};

static bool
poll_once(void *ctx)
{
	struct polling *p = ctx;

	p->ready = 0;
	for (nfds_t i = 0; i < p->n; i++) {
		struct pollfd *f = &p->fds[i];

		f->revents = 0;
		if (f->fd >= WORLD_FD_BASE || f->fd == SIM_DESK_FD)
			f->revents = sim_poll(f->fd, f->events);
		else if (f->fd >= 0)
			__real_poll(f, 1, 0);
		p->ready += f->revents != 0;
	}
	return p->ready > 0;
}

int __wrap_poll(struct pollfd *, nfds_t, int);
int
__wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct polling p = { fds, n, 0 };

	calls_begin('P', n > 0 ? fds[0].fd : -1);
	if (poll_once(&p) || timeout_ms == 0)
		return p.ready;
	if (is_disturbed()) {
		errno = EINTR;
		return -1;
	}
	loop_block(poll_once, &p,
	    timeout_ms < 0 ? INT64_MAX
			   : world->mono_ns + timeout_ms * WORLD_MS);
	return p.ready;
}

static bool
never(void *ctx)
{
	(void)ctx;
	return false;
}

void
calls_sleep(int64_t ns)
{
	loop_block(never, NULL, world->mono_ns + ns);
}

int __wrap_nanosleep(const struct timespec *, struct timespec *);
int
__wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)left;
	calls_sleep((int64_t)time->tv_sec * WORLD_S + time->tv_nsec);
	return 0;
}

/* ---- time and chance --------------------------------------------------- */

int __wrap_clock_gettime(clockid_t, struct timespec *);
int
__wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
	int64_t ns;

	world->mono_ns += 100;
	ns = world->mono_ns;
	if (clock == CLOCK_REALTIME)
		ns += world->wall_ns;
	out->tv_sec = (time_t)(ns / WORLD_S);
	out->tv_nsec = (long)(ns % WORLD_S);
	return 0;
}

void __wrap_arc4random_buf(void *, size_t);
void
__wrap_arc4random_buf(void *p, size_t len)
{
	unsigned char *to = p;

	while (len-- > 0)
		*to++ = (unsigned char)world_random();
}

uint32_t __wrap_arc4random_uniform(uint32_t);
uint32_t
__wrap_arc4random_uniform(uint32_t n)
{
	return (uint32_t)world_below(n);
}

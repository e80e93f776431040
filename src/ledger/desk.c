/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a socket goes through a socket (unix(7), SCM_RIGHTS).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ledger/desk.h"
#include "ledger/keeper.h"
#include "ledger/ledger.h"

/* Room for one descriptor: more than that the kernel closes. */
union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int
ledger_desk_open(int desk[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, desk) == -1)
		return -1;
	fcntl(desk[0], F_SETFD, FD_CLOEXEC);
	fcntl(desk[1], F_SETFD, FD_CLOEXEC);
	return 0;
}

void
ledger_desk_close(int desk[2])
{
	for (int i = 0; i < 2; i++) {
		if (desk[i] != -1)
			close(desk[i]);
		desk[i] = -1;
	}
}

int
ledger_desk_send(int serves, int fd)
{
	union control control;
	char byte = 'l';
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c;

	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(serves, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == -1 ? -1 : 0;
}

int
ledger_desk_take(int keeps, int *fd)
{
	union control control;
	/* Bytes without a socket are discarded, many at a time. */
	char bytes[4096];
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c;
	ssize_t n;

	*fd = -1;
	while ((n = recvmsg(keeps, &m, MSG_DONTWAIT)) == -1 && errno == EINTR)
		;
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n <= 0)
		return -1;
	c = CMSG_FIRSTHDR(&m);
	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int))) {
		memcpy(fd, CMSG_DATA(c), sizeof(int));
		fcntl(*fd, F_SETFD, FD_CLOEXEC);
	}
	return 1;
}

/* ---- a process of one's own -------------------------------------------- */

int
ledger_own_start(struct ledger_own *own, const struct config *config)
{
	if (ledger_desk_open(own->desk) == -1)
		return -1;
	if ((own->pid = fork()) == 0)
		ledger_keeper_run(config, own->desk[LEDGER_DESK_KEEPS]);
	if (own->pid == -1)
		return -1;
	/* None would come after it. */
	close(own->desk[LEDGER_DESK_KEEPS]);
	own->desk[LEDGER_DESK_KEEPS] = -1;
	return 0;
}

void
ledger_own_end(struct ledger_own *own)
{
	static const struct timespec pause = { 0, 1000000 };
	int64_t until_ms = clock_now_ms() + LEDGER_CLOSE_MS;

	ledger_desk_close(own->desk);
	while (own->pid > 0 && waitpid(own->pid, NULL, WNOHANG) == 0 &&
	    clock_now_ms() < until_ms)
		nanosleep(&pause, NULL);
}

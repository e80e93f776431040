/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * lessened ABI|nolandlock|noseccomp COMMAND...: runs the command, and all that
 * it starts, as on a kernel with fewer features: Landlock of that ABI, no
 * Landlock, or no seccomp.  It uses seccomp itself: this process responds when
 * the ABI is asked for, and the other calls fail as they do on a kernel that
 * lacks them.
 */
#include "config.h"

#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_SECCOMP

#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <seccomp.h>

static pid_t child;

static void
give_up(const char *what)
{
	perror(what);
	if (child > 0)
		kill(child, SIGKILL);
	exit(99);
}

/* Makes the command's calls come to a descriptor of ours (>= 0), or fail. */
static int
put_on(const char *what, bool answered)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc;

	if (ctx == NULL)
		give_up("seccomp_init");
	if (strcmp(what, "noseccomp") == 0) {
		rc = seccomp_rule_add(
		    ctx, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(seccomp), 0);
		rc |= seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EINVAL),
		    SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP));
	} else if (answered)
		rc = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY,
		    SCMP_SYS(landlock_create_ruleset), 1,
		    SCMP_A2(SCMP_CMP_EQ, LANDLOCK_CREATE_RULESET_VERSION));
	else
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS),
		    SCMP_SYS(landlock_create_ruleset), 0);
	if (rc != 0 || seccomp_load(ctx) != 0)
		give_up("seccomp");
	return answered ? seccomp_notify_fd(ctx) : -1;
}

static void
hand_over(int socket, int fd)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };

	control.head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
	if (sendmsg(socket, &m, 0) == -1)
		give_up("sendmsg");
	close(fd);
}

static int
handed_over(int socket)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	int fd = -1;

	if (recvmsg(socket, &m, 0) == 1 && m.msg_controllen > 0)
		memcpy(&fd, CMSG_DATA(&control.head), sizeof(int));
	return fd;
}

/* Responds until no process is left that could ask. */
static void
response(int fd, long abi)
{
	struct seccomp_notif *asked;
	struct seccomp_notif_resp *said;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (seccomp_notify_alloc(&asked, &said) != 0)
		give_up("seccomp_notify_alloc");
	while (poll(&p, 1, -1) == 1 && (p.revents & POLLIN) != 0) {
		memset(asked, 0, sizeof(*asked));
		if (seccomp_notify_receive(fd, asked) != 0)
			continue; /* it has gone in between */
		memset(said, 0, sizeof(*said));
		said->id = asked->id;
		said->val = abi;
		seccomp_notify_respond(fd, said);
	}
}

/* A signal that would end us is passed to the command. */
static void
pass_on(int sig)
{
	kill(child, sig);
}

int
main(int argc, char **argv)
{
	bool answered = argc > 2 && strncmp(argv[1], "no", 2) != 0;
	int ends[2], status, fd;

	if (argc < 3 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1)
		give_up("lessened ABI|nolandlock|noseccomp COMMAND");
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		fd = put_on(argv[1], answered);
		if (answered)
			hand_over(ends[1], fd);
		execvp(argv[2], argv + 2);
		give_up(argv[2]);
	}
	close(ends[1]);
	signal(SIGTERM, pass_on);
	signal(SIGHUP, pass_on);
	if (answered && (fd = handed_over(ends[0])) != -1)
		response(fd, strtol(argv[1], NULL, 10));
	while (waitpid(child, &status, 0) == -1 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

#else

int
main(void)
{
	fputs("lessened: no libseccomp in this build\n", stderr);
	return 77;
}

#endif

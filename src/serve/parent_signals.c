/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the parent's signals become bytes that its loop can wait for.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "serve/parent_internal.h"

static int signal_pipe[2];

int
parent_signals_open(void)
{
	if (pipe(signal_pipe) == -1)
		return -1;
	for (int i = 0; i < 2; i++) {
		fcntl(signal_pipe[i], F_SETFD, FD_CLOEXEC);
		fcntl(signal_pipe[i], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

static void
on_signal(int sig)
{
	unsigned char byte = (unsigned char)sig;
	int saved = errno;

	/* If the pipe is full, enough signals are waiting already. */
	if (write(signal_pipe[1], &byte, 1) == -1)
		errno = saved;
	errno = saved;
}

static const int handled[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT, SIGUSR1,
	SIGUSR2 };

static void
set_signals(void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		sigaction(handled[i], &sa, NULL);
}

void
parent_signals_catch(void)
{
	set_signals(on_signal);
}

void
parent_signals_default(void)
{
	set_signals(SIG_DFL);
}

void
parent_signals_close(void)
{
	close(signal_pipe[0]);
	close(signal_pipe[1]);
}

int
parent_signals_fd(void)
{
	return signal_pipe[0];
}

bool
parent_signals_wait(void)
{
	struct pollfd fd = { .fd = signal_pipe[0], .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

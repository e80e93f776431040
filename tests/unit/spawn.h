/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A child process of a unit test that runs a function, which does not return.
 */
#ifndef TESTS_UNIT_SPAWN_H
#define TESTS_UNIT_SPAWN_H

#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static inline pid_t
spawn(void (*run)(void))
{
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0) {
		run();
		_exit(99);
	}
	return pid;
}

/* Kills the child, and waits for its end. */
static inline void
spawn_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#endif

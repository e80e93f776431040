/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides which descriptors and signals a process of ours starts with.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_SYS_PRCTL_H
#include <sys/prctl.h>
#endif

#include "base/child.h"
#include "base/log.h"

#define PROGRAM "tailgate.fcgi"
#define KEPT_FD 3

static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1,
	SIGUSR2, SIGXFSZ };

static void
set_signals(void (*action)(int))
{
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], action);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int
child_begin(const char *name, bool syslog, int fd)
{
	enum log_level level = log_get_level();
	int null;

	set_signals(SIG_IGN);
#ifdef HAVE_SYS_PRCTL_H
	prctl(PR_SET_NAME, name);
#endif
	null = open("/dev/null", O_RDWR);
	log_open(PROGRAM, false, level);
	if (null == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1 ||
	    (fd != KEPT_FD && dup2(fd, KEPT_FD) == -1))
		fatal("%s: %s", name, strerror(errno));
	closefrom(KEPT_FD + 1);
	log_open(PROGRAM, syslog, level);
	return KEPT_FD;
}

void
child_default_signals(void)
{
	set_signals(SIG_DFL);
}

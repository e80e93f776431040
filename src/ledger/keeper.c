/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what the ledger's process keeps of the one that forked it, and when it
 * ends.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_SYS_PRCTL_H
#include <sys/prctl.h>
#endif

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "ledger/callers.h"
#include "ledger/keeper.h"
#include "sandbox/sandbox.h"
#include "state/mapfile.h"

#define PROGRAM "tailgate.fcgi"
#define DESK_FD 3

static void
loop(struct ledger_callers *callers, struct ledger_file *file)
{
	while (ledger_callers_left(callers))
		if (!ledger_callers_serve(callers, ledger_file_due_ms(file)))
			ledger_file_keep(file, clock_now_ms());
}

/* Keeps what it logs to and the desk, of all that whoever forked it had open:
 * a client's connection, the pool's socket, other processes' ends. */
static int
drop_descriptors(const struct config *config, int desk)
{
	enum log_level level = log_get_level();
	int null = open("/dev/null", O_RDWR);

	log_open(PROGRAM, false, level);
	if (null == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1 ||
	    (desk != DESK_FD && dup2(desk, DESK_FD) == -1))
		fatal("the ledger's process: %s", strerror(errno));
	closefrom(DESK_FD + 1);
	log_open(PROGRAM, config->log_syslog, level);
	return DESK_FD;
}

/* Others end at these; the ledger's process when they have. */
static void
ignore_signals(void)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE,
		SIGUSR1, SIGUSR2, SIGXFSZ };
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void
ledger_keeper_run(const struct config *config, int desk)
{
	struct ledger_callers *callers;
	struct ledger_file *file;
	struct ledger_gap *gap;
	unsigned force;
	char why[512];

	ignore_signals();
#ifdef HAVE_SYS_PRCTL_H
	prctl(PR_SET_NAME, "tailgate-ledger");
#endif
	desk = drop_descriptors(config, desk);
	/* If that fails, the serving processes report it. */
	(void)mapfile_check_dir(config->runtime_dir, why, sizeof(why));
	gap = ledger_gap_open(config->runtime_dir);
	file = ledger_file_new(config->ledger_file, config->gateway, gap);
	callers = ledger_callers_new(file, gap, desk);
	if (sandbox_enter(
		SANDBOX_LEDGER, config, NULL, &force, why, sizeof(why)) == -1)
		fatal("%s", why);
	memory_give_back();
	loop(callers, file);
	ledger_callers_free(callers);
	ledger_file_free(file, clock_now_ms() + LEDGER_LOCK_WAIT_MS);
	_exit(0);
}

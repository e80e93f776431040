/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides when a process that serves workers is started, and what they and its
 * successors need of it.  Not on a request's way.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ledger/desk.h"
#include "ledger/keeper.h"
#include "ledger/ledger.h"
#include "serve/keeping.h"
#include "serve/waker.h"

/* A process that ends sooner died young. */
#define YOUNG_MS 5000
#define PAUSE_MS 100
#define PAUSE_MAX_MS 5000

static bool
ledger_needed(const struct config *config)
{
	return config->ledger;
}

static const struct {
	const char *name;
	bool (*needed)(const struct config *);
	void (*run)(const struct config *, int desk); /* does not return */
} kinds[KEEPING_KINDS] = {
	[KEEPING_LEDGER] = { "the ledger's process", ledger_needed,
	    ledger_keeper_run },
	[KEEPING_WAKER] = { "the process that wakes hosts", waker_needed,
	    waker_run },
};

static int
start(struct keeping *k)
{
	pid_t pid = fork();

	if (pid == 0)
		kinds[k->kind].run(k->config, k->desk[LEDGER_DESK_KEEPS]);
	if (pid == -1)
		return -1;
	k->pid = pid;
	k->start_ms = clock_now_ms();
	k->start_at_ms = 0;
	return 0;
}

int
keeping_open(
    struct keeping *k, enum keeping_kind kind, const struct config *config)
{
	int saved;

	*k = (struct keeping){
		.kind = kind, .config = config, .desk = { -1, -1 }
	};
	if (!kinds[kind].needed(config))
		return 0;
	if (ledger_desk_open(k->desk) == -1)
		return -1;
	if (start(k) == 0)
		return 0;
	saved = errno;
	ledger_desk_close(k->desk);
	errno = saved;
	return -1;
}

void
keeping_close(struct keeping *k)
{
	ledger_desk_close(k->desk);
	k->start_at_ms = 0;
}

bool
keeping_ended(struct keeping *k, pid_t pid, int status)
{
	int64_t now_ms = clock_now_ms();

	if (k->pid == 0 || k->pid != pid)
		return false;
	k->pid = 0;
	if (WIFSIGNALED(status))
		log_error("%s %d died of signal %d; starting another",
		    kinds[k->kind].name, (int)pid, WTERMSIG(status));
	else
		log_error("%s %d ended with status %d; starting another",
		    kinds[k->kind].name, (int)pid, WEXITSTATUS(status));
	if (now_ms - k->start_ms >= YOUNG_MS)
		k->pause_ms = 0;
	k->start_at_ms = now_ms + k->pause_ms;
	k->pause_ms = k->pause_ms == 0       ? PAUSE_MS
	    : k->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS
					     : k->pause_ms * 2;
	return true;
}

int
keeping_start_due(struct keeping *k)
{
	int64_t now_ms = clock_now_ms();

	if (k->start_at_ms == 0)
		return -1;
	if (k->start_at_ms > now_ms)
		return (int)(k->start_at_ms - now_ms);
	if (start(k) == 0)
		return -1;
	log_error("fork: %s", strerror(errno));
	k->start_at_ms = now_ms + PAUSE_MAX_MS;
	return PAUSE_MAX_MS;
}

void
keeping_wait(pid_t pid)
{
	static const struct timespec pause = { 0, 1000000 };
	int64_t until_ms = clock_now_ms() + LEDGER_CLOSE_MS;

	while (pid > 0 && waitpid(pid, NULL, WNOHANG) == 0 &&
	    clock_now_ms() < until_ms)
		nanosleep(&pause, NULL);
}

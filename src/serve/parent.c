/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the life of the workers.  Not on a request's way: nothing here runs in
 * a process that serves.
 *
 * It has one thread and signal handlers that only write to a pipe, because it
 * forks: a second thread's locks would be copied into the workers.  That which
 * writes the log to a file sees to it itself (base/log_behind.c).
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "sandbox/sandbox.h"
#include "serve/notify.h"
#include "serve/parent_internal.h"
#include "serve/proof.h"

/* ---- the end of a child ----------------------------------------------- */

/* g may be NULL. */
static bool
is_keepers_end(struct generation *g, pid_t pid, int status)
{
	for (size_t i = 0; g != NULL && i < KEEPING_KINDS; i++)
		if (keeping_ended(&g->keeping[i], pid, status))
			return true;
	return false;
}

static bool
is_any_keepers_end(struct parent *p, pid_t pid, int status)
{
	struct generation *old;

	if (is_keepers_end(p->now, pid, status) ||
	    is_keepers_end(p->next, pid, status))
		return true;
	LIST_FOREACH (old, &p->old, entry)
		if (is_keepers_end(old, pid, status))
			return true;
	return false;
}

static void
on_child(struct parent *p, pid_t pid, int status)
{
	if (is_any_keepers_end(p, pid, status))
		return;
	if (p->proof != NULL && pid == proof_pid(p->proof))
		parent_upgrade_on_proof(p, status);
	else
		parent_worker_ended(p, pid, status);
}

static void
reap(struct parent *p)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		on_child(p, pid, status);
}

/* ---- signals ---------------------------------------------------------- */

/* Closes and removes it together: the next pool may soon have its own socket
 * there. */
static void
close_socket(struct parent *p)
{
	if (p->path != NULL)
		unlink(p->path);
	p->path = NULL;
	close(p->listen_fd);
}

static void
stop(struct parent *p)
{
	if (p->stopping) {
		parent_generation_kill(p, 0, SIGTERM);
		return;
	}
	close_socket(p);
	p->stopping = true;
	notify_stopping();
	parent_generation_end(p, 0);
}

static void
change_log_level(const struct parent *p, int sig)
{
	if (sig == SIGUSR1 && log_get_level() < LOG_LEVEL_DEBUG)
		log_set_level(log_get_level() + 1);
	else if (sig == SIGUSR2 && log_get_level() > LOG_LEVEL_ERROR)
		log_set_level(log_get_level() - 1);
	parent_generation_kill(p, 0, sig);
}

static void
handle_signals(struct parent *p)
{
	unsigned char signals[64];
	ssize_t n = read(parent_signals_fd(), signals, sizeof(signals));

	for (ssize_t i = 0; i < n; i++) {
		switch (signals[i]) {
		case SIGCHLD:
			reap(p);
			break;
		case SIGHUP:
			parent_reload(p);
			break;
		case SIGUSR1:
		case SIGUSR2:
			change_log_level(p, signals[i]);
			break;
		default:
			stop(p);
		}
	}
}

/* ---- the loop --------------------------------------------------------- */

/* The shorter of two waits in ms; -1 is endless. */
static int
sooner(int a, int b)
{
	return a == -1 || (b != -1 && b < a) ? b : a;
}

/* g may be NULL. */
static int
start_due_of(struct generation *g)
{
	int wait_ms = -1;

	for (size_t i = 0; g != NULL && i < KEEPING_KINDS; i++)
		wait_ms = sooner(wait_ms, keeping_start_due(&g->keeping[i]));
	return wait_ms;
}

/* Starts processes that serve workers in place of those that died; ms until
 * one is due. */
static int
start_due_keepers(struct parent *p)
{
	struct generation *old;
	int wait_ms = sooner(start_due_of(p->now), start_due_of(p->next));

	LIST_FOREACH (old, &p->old, entry)
		wait_ms = sooner(wait_ms, start_due_of(old));
	return wait_ms;
}

/* Returns ms until memory is given back; -1: it was. */
static int
settle(struct parent *p)
{
	int64_t left_ms = p->settle_at_ms - clock_now_ms();

	if (p->settle_at_ms == 0)
		return -1;
	if (left_ms > 0)
		return (int)left_ms;
	memory_give_back();
	p->settle_at_ms = 0;
	return -1;
}

/* Does what is due by now, or became possible because another thing ended. */
static void
go_on(struct parent *p)
{
	if (p->proof != NULL)
		proof_expire(p->proof);
	if (p->stopping)
		return;
	parent_reload_look(p);
	if (p->retry_at_ms != 0 && clock_now_ms() >= p->retry_at_ms)
		parent_reload(p);
	if (p->proved && p->next == NULL)
		parent_upgrade_execute(p);
	if (p->reload && p->next == NULL && p->proof == NULL && !p->proved)
		parent_reload(p);
}

static void
loop(struct parent *p)
{
	while (!p->stopping || p->nchildren > 0) {
		struct generation *now = p->now, *next = p->next;
		struct proof *proof = p->proof;
		int timeout_ms = sooner(settle(p),
		    sooner(parent_workers_start_due(p), start_due_keepers(p)));
		struct pollfd fds[] = {
			{ .fd = parent_signals_fd(), .events = POLLIN },
			{ .fd = parent_generation_fd(p, next),
			    .events = POLLIN },
			{ .fd = parent_generation_fd(p, now),
			    .events = POLLIN },
			{ .fd = proof == NULL ? -1 : proof_fd(proof),
			    .events = POLLIN },
		};

		if (poll(fds, 4, sooner(timeout_ms, LOOK_MS)) == -1 &&
		    errno != EINTR)
			fatal("poll: %s", strerror(errno));
		if (fds[3].revents != 0)
			proof_read(proof);
		if (fds[0].revents & POLLIN)
			handle_signals(p);
		/* A signal may have changed which descriptors there are. */
		if (next != NULL && next == p->next && !p->stopping &&
		    fds[1].revents & POLLIN)
			parent_generation_listen(p, next);
		else if (now != NULL && now == p->now && !p->stopping &&
		    fds[2].revents & POLLIN)
			parent_generation_listen(p, now);
		go_on(p);
	}
}

/* No worker is left: the ledger's process writes what they sent, and ends. */
static void
end_keeping(struct generation *g)
{
	pid_t pids[KEEPING_KINDS] = { 0 };

	for (size_t i = 0; g != NULL && i < KEEPING_KINDS; i++)
		pids[i] = g->keeping[i].pid;
	parent_generation_free(g);
	for (size_t i = 0; i < KEEPING_KINDS; i++)
		keeping_wait(pids[i]);
}

/* Keeps the filters of system calls that were put on the program before, and
 * adds ours unless it is one of them. */
static void
confine(
    struct parent *p, const struct config *config, const struct upgrade *before)
{
	struct sandbox_more more = { .has_filter = false };
	unsigned sandbox;
	char why[256];

	if (before != NULL) {
		memcpy(p->filters, before->filters, sizeof(p->filters));
		p->nfilters = before->nfilters;
	}
	for (unsigned i = 0; i < p->nfilters; i++)
		more.has_filter |= p->filters[i] == sandbox_filter();
	if (sandbox_enter(SANDBOX_PARENT, config, &more, &sandbox, why,
		sizeof(why)) == -1)
		fatal("%s", why);
	if ((sandbox & SANDBOX_CALLS) != 0 && !more.has_filter &&
	    p->nfilters < UPGRADE_FILTERS_MAX)
		p->filters[p->nfilters++] = sandbox_filter();
}

int
parent_run(struct config *config, int listen_fd, const char *path,
    const struct upgrade *before)
{
	struct parent *p = calloc(1, sizeof(*p));
	int status;

	if (p == NULL || parent_signals_open() == -1)
		fatal("can't start: %s", strerror(errno));
	confine(p, config, before);
	p->listen_fd = listen_fd;
	p->path = path;
	if ((p->config_path = strdup(config->path)) == NULL)
		fatal("out of memory");
	parent_signals_catch();
	if (!log_write_behind(NULL, NULL))
		log_info("no thread for the log: its file is waited for");
	if (before != NULL) {
		parent_upgrade_adopt(p, before);
		upgrade_unblock();
		reap(p);
	}
	parent_generation_start(p, config);
	upgrade_note();
	loop(p);
	status = p->status;
	if (p->path != NULL)
		unlink(p->path);
	end_keeping(p->next);
	end_keeping(p->now);
	free(p->config_path);
	free(p);
	log_end(PARENT_LOG_END_MS);
	return status;
}

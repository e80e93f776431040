/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a worker begins, and how one that ended is replaced.
 */
#include "config.h"

#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_SYS_PRCTL_H
#include <sys/prctl.h>
#endif

#include "base/clock.h"
#include "base/log.h"
#include "ledger/desk.h"
#include "ledger/gap.h"
#include "serve/parent_internal.h"
#include "serve/worker.h"

/* A worker that ends sooner died young. */
#define YOUNG_MS 5000
#define PAUSE_MS 100
#define PAUSE_MAX_MS 5000

/* ---- its beginning ---------------------------------------------------- */

/* Only the processes that use the keys read them. */
static bool
read_keys(struct config *config)
{
	char *errors = NULL;
	size_t len = 0;
	FILE *err = open_memstream(&errors, &len);
	bool good;

	if (err == NULL)
		fatal("out of memory");
	good = config_keys_read(config, err) == 0;
	fclose(err);
	parent_log_lines(errors, good ? log_warn : log_error);
	free(errors);
	return good;
}

/* In the child: closes what belongs to other generations or to the parent. */
static void
close_others(struct parent *p, struct generation *g)
{
	struct generation *old;

	close(g->told[0]);
	for (size_t i = 0; i < KEEPING_KINDS; i++)
		if (g->keeping[i].desk[LEDGER_DESK_KEEPS] != -1)
			close(g->keeping[i].desk[LEDGER_DESK_KEEPS]);
	if (p->next != NULL && p->next != g) {
		parent_generation_close_told(p->next);
		parent_generation_close_keeping(p->next);
	}
	if (p->now != NULL && p->now != g) {
		parent_generation_close_told(p->now);
		parent_generation_close_keeping(p->now);
	}
	LIST_FOREACH (old, &p->old, entry)
		parent_generation_close_keeping(old);
}

/* In the child: become a worker. */
static void
be_worker(struct parent *p, struct generation *g, unsigned index)
{
	int status;

	parent_signals_default();
	if (g == p->next)
		parent_log_open(g->config);
	parent_signals_close();
	close_others(p, g);
#ifdef HAVE_SYS_PRCTL_H
	/* Nobody would replace or stop it. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
	if (!read_keys(g->config)) {
		log_end(PARENT_LOG_END_MS);
		exit(1);
	}
	status = worker_run(g->config,
	    &(struct worker_ends){ .listen_fd = p->listen_fd,
		.parent_fd = g->told[1],
		.ledger = g->keeping[KEEPING_LEDGER].desk[LEDGER_DESK_SERVES],
		.waker = g->keeping[KEEPING_WAKER].desk[LEDGER_DESK_SERVES] },
	    g->board, index);
	log_end(PARENT_LOG_END_MS);
	exit(status);
}

bool
parent_worker_start(struct parent *p, struct generation *g, unsigned index)
{
	sigset_t all, old;
	pid_t pid;

	if (p->nchildren == CHILDREN_MAX) {
		log_error("%d workers are still finishing; not starting "
			  "another",
		    CHILDREN_MAX);
		return false;
	}
	/* The worker keeps them blocked: worker.c says why. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		be_worker(p, g, index);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid == -1) {
		log_error("fork: %s", strerror(errno));
		return false;
	}
	p->children[p->nchildren++] =
	    (struct child){ pid, g->number, index, clock_now_ms(), false };
	return true;
}

/* Starts workers whose pause is over; returns ms until the next one's is. */
int
parent_workers_start_due(struct parent *p)
{
	int64_t now_ms = clock_now_ms(), next_ms = INT32_MAX;

	if (p->now == NULL || p->stopping)
		return -1;
	for (unsigned i = 0; i < p->now->config->processes; i++) {
		if (p->start_at_ms[i] == 0)
			continue;
		if (p->start_at_ms[i] <= now_ms) {
			p->start_at_ms[i] = parent_worker_start(p, p->now, i)
			    ? 0
			    : now_ms + PAUSE_MAX_MS;
		} else if (p->start_at_ms[i] - now_ms < next_ms)
			next_ms = p->start_at_ms[i] - now_ms;
	}
	return next_ms == INT32_MAX ? -1 : (int)next_ms;
}

/* ---- its end ---------------------------------------------------------- */

static void
say_end(const struct child *c, int status)
{
	if (WIFSIGNALED(status))
		log_error("worker %d died of signal %d", (int)c->pid,
		    WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		log_error("worker %d ended with status %d", (int)c->pid,
		    WEXITSTATUS(status));
}

/* Lines that it had not sent to the ledger's process yet. */
static void
count_unrecorded(struct parent *p, const struct child *c, int status)
{
	const struct config *config = p->now == NULL ? NULL : p->now->config;

	if (config != NULL && config->ledger &&
	    (WIFSIGNALED(status) || WEXITSTATUS(status) != 0))
		ledger_gap_died(config->runtime_dir, (int)c->pid);
}

static void
replace_worker(struct parent *p, const struct child *c)
{
	int64_t now_ms = clock_now_ms(), *pause = &p->pause_ms[c->index];

	if (now_ms - c->start_ms >= YOUNG_MS)
		*pause = 0;
	p->start_at_ms[c->index] = now_ms + *pause;
	*pause = *pause == 0            ? PAUSE_MS
	    : *pause * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS
					: *pause * 2;
}

void
parent_worker_ended(struct parent *p, pid_t pid, int status)
{
	struct child c;
	unsigned i = 0;

	while (i < p->nchildren && p->children[i].pid != pid)
		i++;
	if (i == p->nchildren)
		return;
	c = p->children[i];
	p->children[i] = p->children[--p->nchildren];
	say_end(&c, status);
	count_unrecorded(p, &c, status);
	parent_generations_forget(p);
	if (p->stopping)
		return;
	if (p->next != NULL && c.generation == p->next->number)
		parent_generation_give_up(p);
	else if (p->now != NULL && c.generation == p->now->number) {
		share_board_clear(p->now->board, c.index);
		replace_worker(p, &c);
	}
}

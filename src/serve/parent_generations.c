/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how one configuration follows another: a generation of workers
 * starts, serves when all of them can, and finishes.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/memory.h"
#include "sandbox/sandbox.h"
#include "serve/notify.h"
#include "serve/parent_internal.h"
#include "serve/server.h"
#include "state/mapfile.h"

/* ---- their workers ---------------------------------------------------- */

void
parent_generation_kill(const struct parent *p, unsigned number, int sig)
{
	for (unsigned i = 0; i < p->nchildren; i++) {
		if (number == 0 || p->children[i].generation == number)
			kill(p->children[i].pid, sig);
	}
}

/* Tells each worker once to finish what it serves. */
void
parent_generation_end(struct parent *p, unsigned number)
{
	for (unsigned i = 0; i < p->nchildren; i++) {
		struct child *c = &p->children[i];

		if (c->told || (number != 0 && c->generation != number))
			continue;
		c->told = true;
		kill(c->pid, SIGTERM);
	}
}

/* ---- beginning and end ------------------------------------------------ */

void
parent_generation_close_told(struct generation *g)
{
	for (int i = 0; i < 2; i++) {
		if (g->told[i] != -1)
			close(g->told[i]);
		g->told[i] = -1;
	}
}

void
parent_generation_close_keeping(struct generation *g)
{
	for (size_t i = 0; i < KEEPING_KINDS; i++)
		keeping_close(&g->keeping[i]);
}

void
parent_generation_free(struct generation *g)
{
	if (g == NULL)
		return;
	parent_generation_close_told(g);
	parent_generation_close_keeping(g);
	share_board_free(g->board);
	config_free(g->config);
	free(g);
}

/* -1 with errno, and none is open. */
static int
open_keeping(struct generation *g)
{
	int saved;

	for (size_t i = 0; i < KEEPING_KINDS; i++)
		g->keeping[i] = (struct keeping){ .desk = { -1, -1 } };
	for (size_t i = 0; i < KEEPING_KINDS; i++) {
		if (keeping_open(
			&g->keeping[i], (enum keeping_kind)i, g->config) == 0)
			continue;
		saved = errno;
		while (i-- > 0)
			keeping_close(&g->keeping[i]);
		errno = saved;
		return -1;
	}
	return 0;
}

/* NULL: for want of memory, processes or descriptors (errno). */
static struct generation *
generation_new(struct parent *p, struct config *config)
{
	struct generation *g = calloc(1, sizeof(*g));
	char why[256];
	int saved;

	if (g == NULL || pipe(g->told) == -1) {
		free(g);
		return NULL;
	}
	g->board = share_board_new(config);
	if (g->board == NULL) {
		close(g->told[0]);
		close(g->told[1]);
		free(g);
		return NULL;
	}
	for (int i = 0; i < 2; i++)
		fcntl(g->told[i], F_SETFD, FD_CLOEXEC);
	fcntl(g->told[0], F_SETFL, O_NONBLOCK);
	g->number = ++p->count;
	g->config = config;
	config_keys_forget(config);
	/* Taken before anybody is confined to them, so that every later
	 * replacement is noticed.  Paths that workers make themselves do not
	 * count. */
	(void)mapfile_check_dir(config->runtime_dir, why, sizeof(why));
	g->stamp = sandbox_stamp(config);
	digest_prepare();
	if (open_keeping(g) == 0)
		return g;
	saved = errno;
	g->config = NULL;
	parent_generation_free(g);
	errno = saved;
	return NULL;
}

/* Frees old generations without workers. */
void
parent_generations_forget(struct parent *p)
{
	struct generation *g, *next;

	LIST_FOREACH_SAFE (g, &p->old, entry, next) {
		unsigned i = 0;

		while (
		    i < p->nchildren && p->children[i].generation != g->number)
			i++;
		if (i < p->nchildren)
			continue;
		LIST_REMOVE(g, entry);
		parent_generation_free(g);
	}
}

/* It no longer serves; its ledger is kept until its last worker has ended. */
static void
retire(struct parent *p, struct generation *g)
{
	parent_generation_end(p, g->number);
	parent_generation_close_told(g);
	LIST_INSERT_HEAD(&p->old, g, entry);
	parent_generations_forget(p);
}

/* ---- from one to the next --------------------------------------------- */

void
parent_log_open(const struct config *c)
{
	log_open("tailgate.fcgi", c->log_syslog, c->log_level);
}

/* All workers of the new generation serve: it becomes the serving one. */
static void
switch_generation(struct parent *p)
{
	struct generation *old = p->now;

	p->now = p->next;
	p->next = NULL;
	p->settle_at_ms = clock_now_ms() + MEMORY_SETTLE_MS;
	memset(p->start_at_ms, 0, sizeof(p->start_at_ms));
	memset(p->pause_ms, 0, sizeof(p->pause_ms));
	if (old == NULL) {
		log_info("serving up to %ld requests at once, in %u processes",
		    share_board_capacity(p->now->board),
		    p->now->config->processes);
		notify_ready("serving");
		parent_upgrade_end_adopted(p);
		return;
	}
	parent_log_open(p->now->config);
	log_info("configuration %u is in force", p->now->number);
	notify_ready("serving, configuration %u", p->now->number);
	retire(p, old);
}

/* A worker of the new generation ended before it could serve. */
void
parent_generation_give_up(struct parent *p)
{
	struct generation *next = p->next;

	p->next = NULL;
	if (p->now != NULL) {
		log_error("%s: its workers can't start; the old configuration "
			  "stays",
		    next->config->path);
		notify_ready("serving; the new configuration's workers can't "
			     "start");
		retire(p, next);
		return;
	}
	retire(p, next);
	parent_upgrade_give_up(p);
}

void
parent_generation_start(struct parent *p, struct config *config)
{
	p->next = generation_new(p, config);
	if (p->next == NULL) {
		log_error("%s: not in force: %s%s", config->path,
		    strerror(errno),
		    p->now == NULL ? "" : "; the old configuration stays");
		config_free(config);
		if (p->now == NULL)
			parent_upgrade_give_up(p);
		else
			notify_ready("serving; the reload failed");
		return;
	}
	/* Meanwhile the ledger's process starts. */
	server_prepare(config);
	for (unsigned i = 0; i < config->processes; i++) {
		if (!parent_worker_start(p, p->next, i)) {
			parent_generation_give_up(p);
			return;
		}
	}
}

/* Not while we are stopping: the old ones are ending already. */
int
parent_generation_fd(const struct parent *p, const struct generation *g)
{
	return g == NULL || p->stopping ? -1 : g->told[0];
}

/* Reads what the workers of a generation have sent. */
void
parent_generation_listen(struct parent *p, struct generation *g)
{
	char bytes[SHARE_WORKERS_MAX];
	ssize_t n = read(g->told[0], bytes, sizeof(bytes));
	bool renew = false;

	for (ssize_t i = 0; i < n; i++) {
		g->nready += bytes[i] == *SERVER_READY;
		renew |= bytes[i] == *SERVER_RENEW;
	}
	if (g == p->next && g->nready >= g->config->processes)
		switch_generation(p);
	else if (g == p->now && renew)
		parent_reload(p);
}

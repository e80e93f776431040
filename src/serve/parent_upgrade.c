/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how another version of the program takes the parent's place, and how
 * this one took the place of the previous one.
 */
#include "config.h"

#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "ledger/rebuild.h"
#include "serve/notify.h"
#include "serve/parent_internal.h"
#include "serve/proof.h"
#include "state/budget.h"

/* All of our children, as the next program gets them. */
static void
describe(const struct parent *p, struct upgrade *u)
{
	if (p->before != NULL)
		*u = *p->before;
	u->listen_fd = p->listen_fd;
	u->made = p->path != NULL;
	u->generations = p->count;
	u->nworkers = p->nchildren;
	memcpy(u->filters, p->filters, sizeof(u->filters));
	u->nfilters = p->nfilters;
	for (unsigned i = 0; i < p->nchildren; i++)
		u->workers[i] = (struct upgrade_worker){ p->children[i].pid,
			p->children[i].told };
}

/* ---- from the one before ---------------------------------------------- */

/* Adopts the workers of the previous program. */
void
parent_upgrade_adopt(struct parent *p, const struct upgrade *u)
{
	p->before = u;
	p->count = u->generations + 1;
	p->adopted = p->count;
	p->nchildren = u->nworkers;
	for (unsigned i = 0; i < u->nworkers; i++)
		p->children[i] = (struct child){ u->workers[i].pid, p->adopted,
			0, clock_now_ms(), u->workers[i].told };
}

/* We serve: the workers of the previous program may finish. */
void
parent_upgrade_end_adopted(struct parent *p)
{
	if (p->before == NULL)
		return;
	if (p->before->program_fd != -1)
		close(p->before->program_fd);
	p->before = NULL;
	log_info("version " TAILGATE_VERSION
		 " has taken over; the workers before it finish");
	parent_generation_end(p, p->adopted);
	p->adopted = 0;
}

/* Our first workers can't serve.  After an upgrade the previous program
 * serves again; if it can't be executed, its workers serve until ours can. */
void
parent_upgrade_give_up(struct parent *p)
{
	static struct upgrade u;
	int saved;

	if (p->before == NULL) {
		log_error("the workers can't start; ending");
		p->stopping = true;
		p->status = 1;
		return;
	}
	log_error("the workers of version " TAILGATE_VERSION
		  " can't start; the previous program goes on");
	describe(p, &u);
	log_end(PARENT_LOG_END_MS);
	upgrade_go_back(&u);
	saved = errno;
	log_write_behind(NULL, NULL);
	log_error("the previous program can't be executed again: %s; its "
		  "workers go on until those of this one can start",
	    strerror(saved));
	p->retry_at_ms = clock_now_ms() + RENEW_MAX_MS;
}

/* ---- to the next ------------------------------------------------------ */

void
parent_upgrade_prove(struct parent *p)
{
	log_info("the program was replaced: trying the new one");
	p->proof = proof_start(p->config_path, parent_clients_file(p));
	if (p->proof == NULL) {
		log_error("the new program can't be tried: %s; the old one "
			  "goes on",
		    strerror(errno));
		notify_ready("serving; the upgrade failed");
	}
}

void
parent_upgrade_on_proof(struct parent *p, int status)
{
	p->proved = proof_end(p->proof, status);
	p->proof = NULL;
	if (p->proved)
		return;
	log_error("the new program does not accept the configuration, "
		  "or cannot start; the old one goes on");
	notify_ready("serving; the new program refuses");
}

/* Writes the state of the budgets for a program that keeps them in another
 * form; in a child process, because the parent has
 * no file of budgets open. */
static bool
hand_over_budgets(const struct parent *p)
{
	char why[512];
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		parent_signals_default();
		if (budget_hand_over(
			p->now->config, &ledger_history, why, sizeof(why)) == 0)
			status = 0;
		else
			log_error("%s", why);
		log_end(PARENT_LOG_END_MS);
		_exit(status == 0 ? 0 : 1);
	}
	while (pid != -1 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return pid != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Called between two iterations of the loop, and again if a signal came
 * first. */
void
parent_upgrade_execute(struct parent *p)
{
	static struct upgrade u;
	sigset_t all, old;
	int saved;

	/* The child's end is reported by SIGCHLD, and this is called again. */
	if (!p->handed_over) {
		if ((p->handed_over = hand_over_budgets(p)))
			return;
		p->proved = false;
		log_error("not upgraded; the old program stays");
		notify_ready("serving; the upgrade failed");
		return;
	}
	describe(p, &u);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	if (!parent_signals_wait()) {
		log_end(PARENT_LOG_END_MS);
		upgrade_execute(&u);
		saved = errno;
		log_write_behind(NULL, NULL);
		p->proved = p->handed_over = false;
		log_error("the new program can't be executed: %s; the old one "
			  "goes on",
		    strerror(saved));
		notify_ready("serving; the upgrade failed");
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
}

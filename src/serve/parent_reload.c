/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides when and how the configuration is read again: on request, and when a
 * path that workers are confined to was replaced.
 */
#include "config.h"

#include <sys/wait.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "sandbox/sandbox.h"
#include "serve/notify.h"
#include "serve/parent_internal.h"
#include "serve/proof.h"

/* Logs the messages of a load, line by line; the text is changed. */
void
parent_log_lines(char *text, void (*log)(const char *fmt, ...))
{
	char *line;

	while ((line = strsep(&text, "\n")) != NULL)
		if (*line != '\0')
			log("%s", line);
}

/* A child process loads it first: running out of memory ends a process, and
 * that must not be the parent of all workers.  (Loading a wrong
 * configuration is harmless.) */
static bool
can_load(const struct parent *p)
{
	struct config *config;
	int status = -1;
	pid_t pid = fork();
	FILE *err;

	if (pid == 0) {
		parent_signals_default();
		if ((err = fopen("/dev/null", "w")) == NULL)
			_exit(1);
		config = config_load(p->config_path, 0, err);
		config_free(config); /* wipes the keys */
		_exit(0);
	}
	while (pid != -1 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return pid != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

const char *
parent_clients_file(const struct parent *p)
{
	const struct config *now = p->now == NULL ? NULL : p->now->config;

	return now == NULL || !now->clients_read ? NULL : now->clients_file;
}

static bool
clients_are_gone(const struct parent *p, const struct config *next)
{
	const char *why = proof_clients_are_gone(parent_clients_file(p), next);

	if (why != NULL)
		log_error("%s", why);
	return why != NULL;
}

/* Of this program.  p->next is NULL. */
static void
load_anew(struct parent *p)
{
	struct config *config;
	char *errors = NULL;
	size_t len = 0;
	FILE *err;

	if (!can_load(p) || (err = open_memstream(&errors, &len)) == NULL) {
		log_error("%s: not reloaded, because memory, processes or "
			  "descriptors ran out; the old configuration stays",
		    p->config_path);
		notify_ready("serving; the reload failed");
		return;
	}
	config = config_load(p->config_path, 0, err);
	fclose(err);
	parent_log_lines(errors, config == NULL ? log_error : log_warn);
	free(errors);
	if (config != NULL && !clients_are_gone(p, config)) {
		parent_generation_start(p, config);
		return;
	}
	config_free(config);
	log_error(
	    "%s: not reloaded; the old configuration stays", p->config_path);
	notify_ready("serving; the new configuration has mistakes");
}

void
parent_reload(struct parent *p)
{
	/* One at a time; the one under way may have read the file before
	 * its last change. */
	p->reload = p->next != NULL || p->proof != NULL || p->proved;
	if (p->stopping || p->reload)
		return;
	p->retry_at_ms = 0;
	notify_reloading();
	if (p->now != NULL && upgrade_is_due())
		parent_upgrade_prove(p);
	else
		load_anew(p);
}

/* Is it time for new workers, confined to the paths of this stamp?  At once
 * if the stamp is new, otherwise after growing pauses: new workers may not
 * be able to start yet, for instance if the new directory is not writable. */
static bool
time_to_renew(struct parent *p, uint64_t stamp)
{
	int64_t now_ms = clock_now_ms(), *pause = &p->renew_pause_ms;

	if (stamp != p->tried)
		*pause = 0;
	else if (now_ms < p->renew_at_ms)
		return false;
	p->tried = stamp;
	*pause = *pause == 0            ? LOOK_MS
	    : *pause * 2 > RENEW_MAX_MS ? RENEW_MAX_MS
					: *pause * 2;
	p->renew_at_ms = now_ms + *pause;
	return true;
}

/* Workers cannot follow a replaced directory or resolver file: they are
 * confined to the old one. */
void
parent_reload_look(struct parent *p)
{
	uint64_t stamp;

	if (p->now == NULL || p->next != NULL || p->stopping ||
	    p->proof != NULL || p->proved)
		return;
	stamp = sandbox_stamp(p->now->config);
	if (stamp == p->now->stamp || !time_to_renew(p, stamp))
		return;
	log_info("a directory or a system file was replaced: new workers");
	parent_reload(p);
}

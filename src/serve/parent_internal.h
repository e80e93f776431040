/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Between parent*.c only: parent.c is the loop, parent_signals.c what wakes it,
 * parent_generations.c a configuration and its workers, parent_workers.c one of
 * them, parent_reload.c the next configuration, parent_upgrade.c another
 * version of the program.
 */
#ifndef SERVE_PARENT_INTERNAL_H
#define SERVE_PARENT_INTERNAL_H

#include <sys/queue.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"
#include "serve/keeping.h"
#include "serve/parent.h"
#include "serve/share.h"
#include "serve/upgrade.h"

#define CHILDREN_MAX UPGRADE_WORKERS_MAX
/* Between two checks of the paths that workers are confined to. */
#define LOOK_MS 2000
/* The longest pause between two tries to replace workers that are confined
 * to paths that no longer exist. */
#define RENEW_MAX_MS 10000
/* What the log's last lines may take. */
#define PARENT_LOG_END_MS 500

struct generation {
	unsigned number;
	struct config *config;
	struct share_board *board; /* shared with its workers */
	uint64_t stamp; /* of the paths that they are confined to */
	int told[2]; /* messages from its workers: server.h */
	unsigned nready;
	struct keeping keeping[KEEPING_KINDS];
	LIST_ENTRY(generation) entry; /* of old ones */
};

struct child {
	pid_t pid;
	unsigned generation;
	unsigned index;
	int64_t start_ms;
	bool told; /* to end; the second time means "now" */
};

struct parent {
	int listen_fd;
	const char *path; /* of the socket, NULL: not ours to remove */
	char *config_path;
	struct generation *now; /* serving */
	struct generation *next; /* starting, or NULL */
	LIST_HEAD(, generation) old; /* whose workers are finishing */
	struct child children[CHILDREN_MAX];
	unsigned nchildren;
	unsigned count; /* generations so far */
	/* Of the serving generation's workers, by index. */
	int64_t start_at_ms[SHARE_WORKERS_MAX]; /* 0: is running */
	int64_t pause_ms[SHARE_WORKERS_MAX];
	/* New workers for what was replaced: */
	uint64_t tried; /* the stamp that they were last tried for */
	int64_t renew_at_ms, renew_pause_ms; /* the next try, if that fails */
	bool reload; /* asked for while another was under way */
	/* From one program to another: */
	struct proof *proof; /* of the new one, or NULL */
	bool proved; /* it may take our place, */
	bool handed_over; /* and may have the budgets */
	unsigned adopted; /* generation of the one before, 0: there is none */
	const struct upgrade *before; /* what it left; NULL: nothing, or dealt
				       * with */
	int64_t retry_at_ms; /* our first workers, 0: not again */
	/* As in struct upgrade. */
	uint64_t filters[UPGRADE_FILTERS_MAX];
	unsigned nfilters;
	int64_t settle_at_ms; /* memory is given back, 0: it was */
	bool stopping;
	int status;
};

/* ---- parent_signals.c ---- */

/* -1 with errno. */
int parent_signals_open(void);
/* From now on signals are bytes, to be read from fd(), which never blocks. */
void parent_signals_catch(void);
int parent_signals_fd(void);
/* Is there a signal that was not read yet? */
bool parent_signals_wait(void);
/* In a child: restores the default actions of signals, and drops the
 * parent's pending ones. */
void parent_signals_default(void);
void parent_signals_close(void);

/* ---- parent_generations.c ---- */

/* Sends a signal to each worker of a generation; number 0: of all
 * generations. */
void parent_generation_kill(const struct parent *, unsigned number, int sig);
/* Tells each worker once to finish what it serves. */
void parent_generation_end(struct parent *, unsigned number);
/* Starts its workers; p->next is NULL before.  Owns the configuration.  If
 * they can't be started, the previous ones stay. */
void parent_generation_start(struct parent *, struct config *);
/* A worker of the new generation ended before it could serve. */
void parent_generation_give_up(struct parent *);
/* The descriptor of its workers' messages; -1: none. */
int parent_generation_fd(const struct parent *, const struct generation *);
/* Reads their messages.  When all of them can serve, the generation becomes
 * the serving one. */
void parent_generation_listen(struct parent *, struct generation *);
/* Old generations without workers go. */
void parent_generations_forget(struct parent *);
/* Closes its workers' pipe; a worker does not need that of others. */
void parent_generation_close_told(struct generation *);
/* The same for those that serve them (keeping.h). */
void parent_generation_close_keeping(struct generation *);
/* NULL: nothing. */
void parent_generation_free(struct generation *);
/* Sets up the log as the configuration says. */
void parent_log_open(const struct config *);

/* ---- parent_workers.c ---- */

/* False, and logged: there are too many, or fork() failed. */
bool parent_worker_start(struct parent *, struct generation *, unsigned index);
/* Starts workers whose pause is over; ms until the next one's is, -1: none
 * waits. */
int parent_workers_start_due(struct parent *);
/* Handles the end of a child that is a worker; ignores others. */
void parent_worker_ended(struct parent *, pid_t, int status);

/* ---- parent_reload.c ---- */

/* The clients file that the running configuration has read, or NULL. */
const char *parent_clients_file(const struct parent *);
/* Reloads the configuration, or the program if it was replaced; later, if
 * another reload is under way. */
void parent_reload(struct parent *);
/* Reloads if a path that workers are confined to was replaced. */
void parent_reload_look(struct parent *);
/* Logs the messages of a load, line by line; the text is changed. */
void parent_log_lines(char *text, void (*log)(const char *fmt, ...));

/* ---- parent_upgrade.c ---- */

/* Adopts the workers of the previous program. */
void parent_upgrade_adopt(struct parent *, const struct upgrade *);
/* We serve: tells them to finish. */
void parent_upgrade_end_adopted(struct parent *);
/* Our first workers can't serve: executes the previous program again, and
 * does not return; otherwise we end, or try again later. */
void parent_upgrade_give_up(struct parent *);
/* The program was replaced: starts a trial of the new one. */
void parent_upgrade_prove(struct parent *);
/* The trial has ended. */
void parent_upgrade_on_proof(struct parent *, int status);
/* The new program is good, and nothing else is under way: executes it in our
 * place.  Called between two iterations of the loop, and again if a signal
 * came first. */
void parent_upgrade_execute(struct parent *);

#endif

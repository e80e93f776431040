/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * From one version of the program to another without a pause.
 *
 * The parent executes the new program in its own place: the process id, the
 * listening socket and the workers stay, so neither a service manager nor a web
 * server that started the parent notices.  The new program finds in one
 * variable of the environment what it takes over, starts workers of its own,
 * and lets the old ones finish once its own serve.  If they can't serve, it
 * executes the old program again from an open descriptor.
 *
 * The variable's form is a promise between versions, so that a downgrade works
 * as well: words "name=value" after the form's number; unknown names are
 * skipped.
 */
#ifndef SERVE_UPGRADE_H
#define SERVE_UPGRADE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#define UPGRADE_WORKERS_MAX 512
#define UPGRADE_ARGS_MAX 16
#define UPGRADE_FILTERS_MAX 16

/* What one program hands to the next. */
struct upgrade {
	int listen_fd;
	bool made; /* the socket's path is ours to remove */
	/* The previous program: its file, -1: it can't be executed again;
	 * and its arguments. */
	int program_fd;
	char *argv[UPGRADE_ARGS_MAX + 1];
	unsigned nargs;
	unsigned generations; /* so far */
	struct upgrade_worker {
		pid_t pid;
		bool told; /* to end */
	} workers[UPGRADE_WORKERS_MAX];
	unsigned nworkers;
	/* Filters of system calls that are in force in the process
	 * (sandbox_filter()). */
	uint64_t filters[UPGRADE_FILTERS_MAX];
	unsigned nfilters;
};

/* Call it first: remembers the program's arguments and its file. */
void upgrade_init(char **argv);
/* Remembers which files it and its libraries are.  Call it once, soon: not
 * before the first workers are started, which need not wait for it. */
void upgrade_note(void);

/* Were they replaced since, by a program that can be started? */
bool upgrade_is_due(void);

/* Starts the installed program, only to find by its exit status (0) whether
 * it can take over from us with this configuration.  It writes its errors to
 * said_fd.  clients_file: that which we have read, or NULL.  -1 with errno. */
pid_t
upgrade_prove(const char *config_path, const char *clients_file, int said_fd);
/* In that program: the clients file of the one that tries it, or NULL. */
const char *upgrade_clients_file(void);

/* Executes the new program with all signals blocked.  Returns only when that
 * failed: -1 with errno, and nothing has changed. */
int upgrade_execute(const struct upgrade *);
/* The same with the previous program, after the new one could not serve. */
int upgrade_go_back(const struct upgrade *);

/* Does this program take over from another?  Workers that are not children
 * of this process are left out.  Every signal stays blocked until
 * upgrade_unblock(). */
bool upgrade_adopt(struct upgrade *);
void upgrade_unblock(void);

#endif

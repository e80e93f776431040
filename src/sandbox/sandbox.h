/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The cage: what a process gives up before it reads a client's, an upstream's
 * or an operator's bytes, so that an attacker who takes the process over finds
 * nothing to open, nothing to run and nowhere to connect.
 *
 * One call per process, by role, while it has one thread and after it has
 * opened what it keeps:
 *
 * 	role		files				network		also
 * 	parent		all that its user may		-		own exec
 * 	worker, CGI	read: system files, CAs,	connect: ports	no exec
 * 			state_dir, the ledger's		of providers,
 * 			directory; write: runtime_dir,	proxies, DNS
 * 			spool
 * 	ledger		write: the ledger's directory	none		no exec
 * 	probe		as a worker			as a worker	no exec
 * 	mount		read: system files, CAs		connect: the	no exec
 * 	 (probe --mount, and what asks for setup)	URL's port, DNS
 * 	inspect		read: as a worker, and the	none		no exec
 * 			configuration's directory
 * 	check		read: the same			none		no exec
 * 	edit		write: the clients file's	none		no exec
 * 			directory too
 * 	capture		read: system files; write:	none		no exec
 * 			runtime_dir
 * 	init		write: the configuration's	connect: ports	no exec
 * 			directory			of providers
 * 	setup		write: the directories of the	none		no exec
 * 			tool's files, its record
 * 	waker		none				UDP		no exec
 *
 * If the process that wakes hosts (serve/waker.h) runs programs of the
 * operator's, it may do all that its parent may.  From a worker it reads a
 * single byte.
 *
 * tests/unit/sandbox_test.c has a table of what a process may try, and of the
 * roles that are refused.
 *
 * Linux: no_new_privs, Landlock (files from ABI 1 on, ports from ABI 4 on, no
 * signals and abstract sockets to others from ABI 6 on) and seccomp; OpenBSD:
 * pledge and unveil.  On other systems and older kernels, as much as they have;
 * sandbox_text() says what.  A parent cannot be held to directories, because a
 * reload may name others and its workers would inherit the limit.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"

enum sandbox_role {
	SANDBOX_PARENT,
	SANDBOX_WORKER,
	SANDBOX_CGI,
	SANDBOX_LEDGER,		/* ledger/keeper.h */
	SANDBOX_PROBE,
	SANDBOX_MOUNT,		/* probe --mount; setup, when it asks */
	SANDBOX_INSPECT,	/* status, usage, explain */
	SANDBOX_CHECK,
	SANDBOX_EDIT,		/* client */
	SANDBOX_INIT,
	SANDBOX_SETUP,
	SANDBOX_CAPTURE,
	SANDBOX_WAKER,		/* serve/waker.h; if it runs no program */
};

/* What is in force, as bits. */
enum sandbox_force {
	SANDBOX_NO_NEW_PRIVS = 1 << 0,
	SANDBOX_FILES = 1 << 1,		/* Landlock or unveil */
	SANDBOX_PORTS = 1 << 2,		/* Landlock's network rules */
	SANDBOX_CALLS = 1 << 3,		/* seccomp or pledge */
	SANDBOX_SCOPES = 1 << 4,	/* Landlock: signals, names */
};

/* What a call needs in addition to its role's rights.  Each list ends with
 * NULL. */
struct sandbox_more {
	const char *const *reads; /* or NULL */
	const char *const *writes; /* directories, or NULL */
	/* Below these directories may be made, and removed while they are
	 * empty; or NULL. */
	const char *const *dirs;
	/* Of a parent: its own filter of system calls is in force, from before
	 * it was executed (sandbox_filter). */
	bool has_filter;
};

/* Confines the calling process as config->sandbox says: "off" does nothing,
 * "on" uses what the system has, "require" fails unless files and calls (for
 * a parent: calls) are confined.  more: or NULL.  *force gets what is in
 * force.  -1 with one line in why; then the process must end. */
int sandbox_enter(enum sandbox_role, const struct config *,
    const struct sandbox_more *, unsigned *force, char *why, size_t size);

/* Does in advance what takes sandbox_enter() long, for processes of that role
 * and configuration that will be forked from this one. */
void sandbox_prepare(enum sandbox_role, const struct config *);

/* A number for the filter of system calls that this build puts on a parent; 0:
 * none.  It stays in force when the parent executes another program, so a
 * successor with the same number must not add it again. */
uint64_t sandbox_filter(void);

/* A number that changes once a path that workers are confined to is
 * replaced, appears or disappears: workers cannot follow the change, their
 * successors can.  0 when nothing is confined to paths. */
uint64_t sandbox_stamp(const struct config *);

/* The name of bit i of enum sandbox_force; NULL after the last. */
const char *sandbox_part(unsigned i);
/* "no_new_privs files ports calls scopes", "none"; for the log, status,
 * metrics. */
void sandbox_text(unsigned force, char *out, size_t size);

#endif

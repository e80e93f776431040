/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a role may do, as plain lists: made by sandbox.c from the
 * configuration, put in force by landlock.c, seccomp.c or openbsd.c.
 */
#ifndef SANDBOX_RULES_H
#define SANDBOX_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/sandbox.h"
#include "sandbox/services.h"

#define SANDBOX_PATHS_MAX 256
#define SANDBOX_PORTS_MAX 256

enum sandbox_access {
	SANDBOX_READ,
	SANDBOX_WRITE,
	SANDBOX_SHARE, /* the same, but no truncation: others have the file
		        * mapped */
	SANDBOX_DIRS, /* make directories, remove empty ones */
	SANDBOX_ASK, /* connect to its socket files */
	SANDBOX_LOG, /* the same, if syslog(3) needs it */
};

struct sandbox_rules {
	enum sandbox_role role;
	bool files; /* confined to the paths below */
	bool connect; /* may connect at all, and make threads for it */
	bool looks; /* may stat(2) any path, and ask whether it could open it */
	bool fork; /* may make processes (a parent) */
	bool has_filter; /* a parent: its filter is in force already */
	bool serves; /* clients */
	bool writes_only; /* the ledger's process */
	bool wakes; /* hosts, by UDP */
	bool log; /* to syslog(3) */
	struct services services; /* for the resolver and the store */
	/* Strings of the configuration, literals, or below in dirs. */
	struct sandbox_path {
		const char *path;
		enum sandbox_access access;
	} paths[SANDBOX_PATHS_MAX];
	size_t npaths;
	char dirs[16384];
	size_t dirs_used;
	uint16_t ports[SANDBOX_PORTS_MAX]; /* of TCP; none: no connect */
	size_t nports;
	bool ports_full; /* more than can be listed: ports are not confined */
};

/* Each returns the sandbox_force bits that it put in force; 0 if the system has
 * nothing of the kind; -1 with errno if the system refused. */
int sandbox_landlock(const struct sandbox_rules *);
int sandbox_seccomp(const struct sandbox_rules *);
int sandbox_openbsd(const struct sandbox_rules *);

/* Makes the filter that sandbox_seccomp() will put in force in processes that
 * are forked from this one.  If that fails, or the rules are others then, they
 * make it. */
void sandbox_seccomp_prepare(const struct sandbox_rules *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the files of the break-out test share: what a try comes to, which roles
 * it is closed to, and the world it is made in.
 */
#ifndef SANDBOX_TRY_H
#define SANDBOX_TRY_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sandbox/sandbox.h"

enum { DONE, DENIED, BROKEN, KILLED };

static inline int
outcome(int rc)
{
	/* What is not there proves nothing. */
	return rc != -1 ? DONE : errno == ENOENT ? BROKEN : DENIED;
}

/* The kernel refuses the arguments of these; if it does, it was asked. */
static inline int
asked(long rc)
{
	return rc != -1 || (errno != EPERM && errno != ENOSYS) ? DONE : DENIED;
}

#define TRY_ROLES (SANDBOX_SETUP + 1)
#define ALL ((1u << TRY_ROLES) - 1)
#define BIT(role) (1u << (role))
#define LEDGER BIT(SANDBOX_LEDGER)
#define EDITORS (BIT(SANDBOX_EDIT) | BIT(SANDBOX_INIT))
#define READERS (BIT(SANDBOX_INSPECT) | BIT(SANDBOX_CHECK) | EDITORS)
#define HELD (ALL & ~BIT(SANDBOX_PARENT))
#define SERVING (BIT(SANDBOX_WORKER) | BIT(SANDBOX_CGI))
#define CONNECTS \
	(SERVING | BIT(SANDBOX_PROBE) | BIT(SANDBOX_MOUNT) | BIT(SANDBOX_INIT))
/* Of the gateway they know nothing. */
#define STRANGERS (BIT(SANDBOX_MOUNT) | BIT(SANDBOX_SETUP))

struct try_row {
	const char *what;
	int (*try)(void); /* DONE: the door was open */
	unsigned denied; /* roles that may not; the others may */
	unsigned tested; /* roles it is tried as */
	unsigned needs; /* of the system: enum sandbox_force */
};

/* sandbox_ways.c */
extern const struct try_row try_more[];
extern const size_t try_nmore;

/* The world. */
extern char ledger[128], inside[128];
extern uint16_t other_port; /* where somebody listens, and no provider */
extern pid_t sibling;
extern int kept_fd; /* of a file that others have mapped, to write */
extern int kept_pair[2]; /* sockets */
extern char kept_socket[160]; /* of another service of the host */

#endif

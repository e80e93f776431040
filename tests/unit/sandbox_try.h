/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the files of the break-out test share: the outcome of a try, the roles
 * that must fail in it, and the world that it runs in.
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
	/* A target that is not there proves nothing. */
	return rc != -1 ? DONE : errno == ENOENT ? BROKEN : DENIED;
}

/* The kernel refuses the arguments of these calls.  If it does so, the call was
 * not blocked. */
static inline int
asked(long rc)
{
	return rc != -1 || (errno != EPERM && errno != ENOSYS) ? DONE : DENIED;
}

#define TRY_ROLES (SANDBOX_WAKER + 1)
#define ALL ((1u << TRY_ROLES) - 1)
#define BIT(role) (1u << (role))
#define LEDGER BIT(SANDBOX_LEDGER)
#define WAKER BIT(SANDBOX_WAKER)
#define CAPTURE BIT(SANDBOX_CAPTURE)
#define EDITORS (BIT(SANDBOX_EDIT) | BIT(SANDBOX_INIT))
#define READERS (BIT(SANDBOX_INSPECT) | BIT(SANDBOX_CHECK) | EDITORS)
#define HELD (ALL & ~BIT(SANDBOX_PARENT))
#define SERVING (BIT(SANDBOX_WORKER) | BIT(SANDBOX_CGI))
#define CONNECTS \
	(SERVING | BIT(SANDBOX_PROBE) | BIT(SANDBOX_MOUNT) | BIT(SANDBOX_INIT))
/* These know nothing of the gateway. */
#define STRANGERS (BIT(SANDBOX_MOUNT) | BIT(SANDBOX_SETUP) | WAKER)

struct try_row {
	const char *what;
	int (*try)(void); /* DONE: the door was open */
	unsigned denied; /* roles that must fail; the others may succeed */
	unsigned tested; /* roles that try it */
	unsigned needs; /* what the system must have: enum sandbox_force */
};

/* sandbox_ways.c */
extern const struct try_row try_more[];
extern const size_t try_nmore;
int try_host_socket(void);
int try_run_a_file(void);

/* The world. */
extern char ledger[128], inside[128];
extern uint16_t other_port; /* a listener that is no provider */
extern pid_t sibling;
extern int kept_fd; /* a file that others have mapped; writable */
extern int kept_pair[2]; /* sockets */
extern char kept_socket[160]; /* another service's, on this host */

#endif

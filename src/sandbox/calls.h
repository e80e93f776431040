/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The system calls that each role may make, and why: one table, which
 * seccomp.c puts in force and `make check-calls` compares with what the suite
 * is seen to make.
 */
#ifndef SANDBOX_CALLS_H
#define SANDBOX_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SANDBOX_ARGS_MAX 3
/* As an argument's value: the caller's own process id. */
#define SANDBOX_OWN_PID UINT64_MAX

/* Holds if the bits of mask of the argument have that value. */
struct sandbox_arg {
	unsigned index;
	uint64_t mask; /* 0: no condition */
	uint64_t value;
};

/* When a row counts. */
enum sandbox_if {
	SANDBOX_ALWAYS,
	SANDBOX_IF_SYSLOG, /* the log goes to syslog(3) */
	/* The resolver asks services (services.h), or the store is one: */
	SANDBOX_IF_SOCKETS,
	SANDBOX_IF_LIBRARIES, /* the resolver loads some */
};

struct sandbox_call {
	/* Separated by spaces, where one purpose has several names: on other
	 * processors, in other C libraries.  What a processor lacks is left
	 * out. */
	const char *names;
	/* Roles, as bits (1 << enum sandbox_role): those that make it in the
	 * suite, and those that may need it though none was seen to. */
	unsigned used, spare;
	const char *why; /* "": the name says it */
	struct sandbox_arg args[SANDBOX_ARGS_MAX];
	enum sandbox_if only;
};

/* All else fails with ENOSYS; a row that no role may make is one that is asked
 * for and does without. */
extern const struct sandbox_call sandbox_calls[];
extern const size_t sandbox_ncalls;

/* What no code of ours, of the C library's, of curl's or of OpenSSL's does:
 * ends the process, a parent's as well.  The last is NULL. */
extern const char *const sandbox_never[];
/* The same for all but parents, which execute the next version of their
 * program (serve/upgrade.h). */
extern const char *const sandbox_never_but_parents[];

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The system calls that each role may make, and why: one table.  seccomp.c puts
 * it in force, and `make check-calls` compares it with the calls that are seen
 * in the tests.
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
	/* Separated by spaces, if one purpose has several names: on other
	 * processors, in other C libraries.  Names that a processor lacks are
	 * left out. */
	const char *names;
	/* Roles, as bits (1 << enum sandbox_role): those that make it in the
	 * suite, and those that may need it though none was seen to. */
	unsigned used, spare;
	const char *why; /* "": the name says it */
	struct sandbox_arg args[SANDBOX_ARGS_MAX];
	enum sandbox_if only;
};

/* All other calls fail with ENOSYS.  A row that no role may make is a call that
 * our processes do try, and can do without. */
extern const struct sandbox_call sandbox_calls[];
extern const size_t sandbox_ncalls;

/* Calls that no code of ours, of the C library, of curl or of OpenSSL makes.
 * Each ends the process, even a parent.  The last is NULL. */
extern const char *const sandbox_never[];
/* The same for all but parents, which execute the next version of their
 * program (serve/upgrade.h). */
extern const char *const sandbox_never_but_parents[];

#endif

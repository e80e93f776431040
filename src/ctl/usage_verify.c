/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * `tailgate usage --verify`: hides how the findings about a chain are printed.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ctl/usage_verify.h"

static void
say_finding(void *ctx, const char *file, uint64_t line, const char *what)
{
	(void)ctx;
	if (line == 0)
		printf("%s: %s\n", file, what);
	else
		printf("%s:%" PRIu64 ": %s\n", file, line, what);
}

/* Old files may have been removed; then their lines cannot be checked. */
static void
say_begin(const struct ledger_report *r)
{
	if (r->first_n > 1)
		printf("It begins with number %" PRIu64 ": the %" PRIu64
		       " lines before are in files that are not here.\n",
		    r->first_n, r->first_n - 1);
}

/* Prints how many lines are good, and what is known of the others. */
static void
say_good(const struct ledger_report *r)
{
	printf("%" PRIu64 " lines, none changed, removed or swapped", r->lines);
	if (r->torn > 0)
		printf(", %" PRIu64 " torn", r->torn);
	if (r->lost > 0)
		printf(", %" PRIu64 " requests not recorded", r->lost);
	puts(".");
}

int
usage_verify(const char *path)
{
	struct ledger_report r;

	if (ledger_verify(path, say_finding, NULL, &r) == -1) {
		fprintf(stderr, "tailgate: %s: %s\n", path, strerror(errno));
		return 1;
	}
	say_begin(&r);
	if (r.breaks > 0) {
		printf(
		    "The chain is broken in %" PRIu64 " places.\n", r.breaks);
		return 1;
	}
	say_good(&r);
	printf("The last is number %" PRIu64 " with hash %s%s.\n", r.tail.n,
	    r.tail.hash,
	    r.tail_known ? ""
			 : " (whether it is the last is not known: the "
			   "record beside it is missing)");
	return 0;
}

/* ---- by name ------------------------------------------------------------- */

static void
say_chain(const struct ledger_chain *c)
{
	char name[4 * sizeof(c->gateway)];

	log_escape(c->gateway, strlen(c->gateway), name, sizeof(name));
	printf("%s: %" PRIu64 " lines, numbers %" PRIu64 " to %" PRIu64
	       ", the last with hash %s",
	    *name == '\0' ? "(no name)" : name, c->lines, c->first_n, c->tail.n,
	    c->tail.hash);
	if (c->repeated > 0)
		printf(", %" PRIu64 " more than once", c->repeated);
	puts(".");
}

int
usage_verify_named(const struct ledger_part *files, size_t n)
{
	struct ledger_report r;
	struct ledger_chain *chains;
	size_t nchains;
	int rc = ledger_verify_named(
	    files, n, say_finding, NULL, &r, &chains, &nchains);

	if (rc == -1)
		fprintf(stderr, "tailgate usage: %s\n",
		    errno == E2BIG ? "these are of too many hosts"
				   : strerror(errno));
	for (size_t i = 0; rc == 0 && i < nchains; i++)
		say_chain(&chains[i]);
	free(chains);
	if (rc == -1)
		return 1;
	if (r.breaks > 0) {
		printf(
		    "The chains are broken in %" PRIu64 " places.\n", r.breaks);
		return 1;
	}
	say_good(&r);
	return 0;
}

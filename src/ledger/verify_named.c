/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides which chain a line belongs to when the lines of several hosts are
 * merged: the one that ends with the line's `prev`, otherwise that of its host.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ledger/named.h"

/* Shippers repeat lines when in doubt: so many lines of each chain are
 * recognised. */
#define KNOWN 4096
/* The host's name is in the last bytes of a line. */
#define END_BYTES 512

struct known {
	uint64_t n;
	char hash[LEDGER_HASH_LEN];
};

struct following {
	const char *file;
	void (*say)(
	    void *ctx, const char *file, uint64_t line, const char *what);
	void *ctx;
	struct ledger_report *report;
	struct ledger_chain *chains;
	struct known **known; /* of each chain: a ring of KNOWN */
	size_t n, current;
	bool full;
};

static void
say(struct following *f, uint64_t line, const char *what)
{
	f->report->breaks++;
	f->say(f->ctx, f->file, line, what);
}

/* "" where the line says none. */
static struct span
gateway_of(struct span line)
{
	static const char name[] = ",\"gateway\":\"";
	size_t skip = line.len > END_BYTES ? line.len - END_BYTES : 0, len;
	const char *p =
	    memmem(line.p + skip, line.len - skip, name, sizeof(name) - 1);
	const char *end;

	if (p == NULL)
		return (struct span){ "", 0 };
	p += sizeof(name) - 1;
	end = memchr(p, '"', (size_t)(line.p + line.len - p));
	len = end == NULL ? 0 : (size_t)(end - p);
	return (struct span){ p, len };
}

static bool
ends_with(const struct ledger_chain *c, struct span prev)
{
	return memcmp(c->tail.hash, prev.p, LEDGER_HASH_LEN) == 0;
}

/* The chain that the line goes on with; f->n: none. */
static size_t
find_by_hash(const struct following *f, struct span prev)
{
	size_t i;

	if (f->current < f->n && ends_with(&f->chains[f->current], prev))
		return f->current;
	for (i = 0; i < f->n; i++)
		if (ends_with(&f->chains[i], prev))
			break;
	return i;
}

static size_t
find_by_name(const struct following *f, struct span gateway)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (span_is(gateway, f->chains[i].gateway) ||
		    (gateway.len > 0 && span_is(gateway, f->chains[i].was)))
			break;
	return i;
}

static int
begin_chain(struct following *f, uint64_t n, struct span prev)
{
	struct ledger_chain *c;

	if (f->n == LEDGER_CHAINS_MAX) {
		f->full = true;
		return -1;
	}
	f->chains = reallocarray(f->chains, f->n + 1, sizeof(*f->chains));
	f->known = reallocarray(f->known, f->n + 1, sizeof(*f->known));
	if (f->chains == NULL || f->known == NULL ||
	    (f->known[f->n] = calloc(KNOWN, sizeof(struct known))) == NULL)
		fatal("out of memory");
	c = &f->chains[f->n++];
	memset(c, 0, sizeof(*c));
	c->first_n = n;
	ledger_tail_init(&c->tail);
	c->tail.n = n - 1;
	memcpy(c->tail.hash, prev.p, LEDGER_HASH_LEN);
	return 0;
}

/* Was the same line read before? */
static bool
is_known(const struct following *f, size_t chain, uint64_t n, struct span line)
{
	const struct known *k = &f->known[chain][n % KNOWN];
	struct ledger_tail t;

	if (k->n != n)
		return false;
	ledger_tail_init(&t);
	ledger_tail_push(&t, line);
	return memcmp(k->hash, t.hash, LEDGER_HASH_LEN) == 0;
}

static void
say_break(struct following *f, uint64_t line, size_t chain, uint64_t n)
{
	const struct ledger_chain *c = &f->chains[chain];
	char what[512];

	if (n > c->tail.n + 1)
		snprintf(what, sizeof(what),
		    "%s%s%llu lines before it are missing (numbers %llu to "
		    "%llu)",
		    c->gateway, *c->gateway == '\0' ? "" : ": ",
		    (unsigned long long)(n - c->tail.n - 1),
		    (unsigned long long)c->tail.n + 1,
		    (unsigned long long)n - 1);
	else if (n <= c->tail.n)
		snprintf(what, sizeof(what),
		    "%s%sout of order: its number is %llu, after %llu",
		    c->gateway, *c->gateway == '\0' ? "" : ": ",
		    (unsigned long long)n, (unsigned long long)c->tail.n);
	else
		snprintf(what, sizeof(what),
		    "%s%sthe line before it was changed", c->gateway,
		    *c->gateway == '\0' ? "" : ": ");
	say(f, line, what);
}

static void
push(struct following *f, struct span line, struct span gateway)
{
	struct ledger_chain *c = &f->chains[f->current];
	struct known *k;

	ledger_tail_push(&c->tail, line);
	c->lines++;
	if (gateway.len > 0 && gateway.len < sizeof(c->gateway) &&
	    !span_is(gateway, c->gateway)) {
		memcpy(c->was, c->gateway, sizeof(c->was));
		memcpy(c->gateway, gateway.p, gateway.len);
		c->gateway[gateway.len] = '\0';
	}
	k = &f->known[f->current][c->tail.n % KNOWN];
	k->n = c->tail.n;
	memcpy(k->hash, c->tail.hash, LEDGER_HASH_LEN);
}

/* Adds what the line reports of requests without a line. */
static void
add_lost(struct following *f, struct span line)
{
	struct ledger_line l;

	if (memmem(line.p, line.len, ",\"lost\":", 8) == NULL ||
	    !ledger_line_parse(line, &l) || l.lost <= 0)
		return;
	f->report->lost += (uint64_t)l.lost;
	f->report->lost_external += (uint64_t)l.lost_external;
}

/* 1: the line is a repetition; -1: too many chains. */
static int
choose(struct following *f, struct span line, uint64_t n, struct span prev,
    uint64_t number)
{
	size_t chain = find_by_hash(f, prev);
	bool goes_on = chain < f->n && n == f->chains[chain].tail.n + 1;

	if (!goes_on)
		chain = find_by_name(f, gateway_of(line));
	if (!goes_on && chain < f->n && is_known(f, chain, n, line)) {
		f->chains[chain].repeated++;
		return 1;
	}
	if (chain == f->n && begin_chain(f, n, prev) == -1)
		return -1;
	if (!goes_on && f->chains[chain].lines > 0)
		say_break(f, number, chain, n);
	f->current = chain;
	return 0;
}

static int
on_line(void *ctx, struct span line, int64_t offset, uint64_t number)
{
	struct following *f = ctx;
	struct span prev;
	uint64_t n;
	int rc;

	(void)offset;
	f->report->lines++;
	if (!ledger_line_end(line, &n, &prev)) {
		f->report->torn++;
		f->say(f->ctx, f->file, number,
		    "torn: not a whole line (a full disk?)");
		if (f->current < f->n)
			push(f, line, (struct span){ "", 0 });
		return 0;
	}
	rc = choose(f, line, n, prev, number);
	if (rc == 0) {
		push(f, line, gateway_of(line));
		add_lost(f, line);
	}
	return rc == -1 ? -2 : 0;
}

int
ledger_verify_named(const struct ledger_part *files, size_t nfiles,
    void (*tell)(void *ctx, const char *file, uint64_t line, const char *what),
    void *ctx, struct ledger_report *report, struct ledger_chain **chains,
    size_t *n)
{
	struct following f = { .say = tell, .ctx = ctx, .report = report };
	int64_t rc = 0;

	memset(report, 0, sizeof(*report));
	for (size_t i = 0; i < nfiles && rc >= 0; i++) {
		f.file = files[i].path;
		rc = ledger_part_each(
		    &files[i], 0, files[i].size, true, on_line, &f);
	}
	for (size_t i = 0; i < f.n; i++)
		free(f.known[i]);
	free(f.known);
	*chains = f.chains;
	*n = f.n;
	if (f.full)
		errno = E2BIG;
	return rc < 0 ? -1 : 0;
}

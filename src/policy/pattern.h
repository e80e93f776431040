/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The search of one request's texts for private patterns (patterns.h compiles
 * them); call.c drives it.
 *
 * Each text (one JSON string, key or value, decoded; one form field) is
 * searched alone: `^` and `$` are its ends, and a text split over two strings
 * is not joined.  The expressions are PCRE2's in UTF mode if the build found
 * it, otherwise POSIX extended ones.
 *
 * The cost is bounded three times: by private_max_bytes of text, by
 * private_max_ms of CPU time, and by PCRE2's match limit for an expression
 * that backtracks without end.  At a bound the request counts as private
 * (PATTERN_LIMIT): what was not seen may not leave.  With POSIX expressions a
 * text longer than 64 KiB is looked through in pieces that overlap by 4 KiB.
 */
#ifndef POLICY_PATTERN_H
#define POLICY_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "config/settings.h"

#define PATTERN_LIMIT "scan limit"
#define PATTERN_UNREADABLE "unreadable file"
#define PATTERN_NOT_UTF8 "text that is not UTF-8"

struct patterns;

/* One request's search; one thread. */
struct pattern_run {
	const struct patterns *patterns;
	struct regex_engine *engine;
	size_t left_bytes;
	size_t unclocked_bytes; /* looked at since the clock was read */
	int64_t deadline_ns; /* of this thread's CPU time */
	const char *rule; /* the name of the one that matched */
};

/* patterns may be NULL: then nothing is private. */
void pattern_begin(
    struct pattern_run *, const struct config *, const struct patterns *);
void pattern_end(struct pattern_run *);

/* Does it still look for anything? */
static inline bool
pattern_wants(const struct pattern_run *run)
{
	return run->patterns != NULL && run->rule == NULL;
}

/* Looks through one text as it stands; sets rule at the first match.  Any
 * bytes may come: only this function checks that they are UTF-8, which the
 * engine relies on.  A text that is not UTF-8 counts as private
 * (PATTERN_NOT_UTF8) and is searched as Latin-1 for the rule's name.  A text
 * that is not in composed form (NFC) is searched in that form as well, and one
 * with characters that are not seen, or with blanks and hyphens of other kinds,
 * with plain ones. */
void pattern_scan(struct pattern_run *, struct span text);
/* The same of what a text may say when it is decoded: its bytes were charged to
 * private_max_bytes with that text, and what is no UTF-8 was not meant so. */
void pattern_scan_decoded(struct pattern_run *, struct span text);

#endif

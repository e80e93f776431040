/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The search of one request's texts for private patterns: hides the forms in
 * which a text is searched and the bounds.  call.c hands it each text while the
 * body is measured.
 */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/unicode.h"
#include "policy/pattern.h"
#include "policy/patterns.h"

#define CLOCK_EVERY ((size_t)16 * 1024) /* bytes between looks at the clock */

void
pattern_begin(struct pattern_run *run, const struct config *config,
    const struct patterns *patterns)
{
	*run = (struct pattern_run){ .patterns = patterns };
	if (patterns == NULL || patterns->n == 0) {
		run->patterns = NULL;
		return;
	}
	run->engine = regex_engine_new();
	run->left_bytes = config->private_max_bytes;
	run->deadline_ns = clock_cpu_ns() + config->private_max_ms * 1000000;
}

void
pattern_end(struct pattern_run *run)
{
	regex_engine_free(run->engine);
	run->engine = NULL;
}

/* Every pattern over one text of valid UTF-8. */
static void
search(struct pattern_run *run, struct span text)
{
	const struct patterns *patterns = run->patterns;
	size_t i;
	int found;

	for (i = 0; i < patterns->n && run->rule == NULL; i++) {
		found = regex_search(
		    &patterns->regexes[i], run->engine, text, run->deadline_ns);
		if (found != 0) {
			run->rule =
			    found > 0 ? patterns->names[i] : PATTERN_LIMIT;
			return;
		}
		run->unclocked_bytes += text.len;
		if (run->unclocked_bytes < CLOCK_EVERY)
			continue;
		run->unclocked_bytes = 0;
		if (clock_cpu_ns() >= run->deadline_ns)
			run->rule = PATTERN_LIMIT;
	}
}

/* A text that is not UTF-8 is read as Latin-1, which has the same ASCII. */
static void
search_bytes(struct pattern_run *run, struct span text)
{
	char *wide = memory_try(NULL, text.len * 2);

	if (wide == NULL) {
		run->rule = PATTERN_LIMIT;
		return;
	}
	search(run, (struct span){ wide, unicode_of_bytes(text, wide) });
	free(wide);
}

/* As its reader sees it. */
static void
search_plain(struct pattern_run *run, struct span text)
{
	char *out = memory_try(NULL, text.len + 1);
	size_t n;

	if (out == NULL) {
		run->rule = PATTERN_LIMIT;
		return;
	}
	if ((n = unicode_plain(text, out)) > 0)
		search(run, (struct span){ out, n });
	free(out);
}

/* Text that is not ASCII, or has a NUL in it. */
static void
search_spellings(
    struct pattern_run *run, struct span text, enum unicode_kind kind)
{
	struct span composed = text;

	if (kind == UNICODE_LOOSE) {
		composed = unicode_nfc(text);
		if (composed.p == NULL) {
			run->rule = PATTERN_LIMIT;
			return;
		}
		if (!span_eq(composed, text))
			search(run, composed);
	}
	if (run->rule == NULL)
		search_plain(run, composed);
	if (composed.p != text.p)
		free((char *)composed.p);
}

/* Searches each form of it.  False: it is not UTF-8. */
static bool
search_forms(struct pattern_run *run, struct span text)
{
	enum unicode_kind kind = unicode_kind(text);

	if (kind == UNICODE_ASCII && text.len < run->patterns->shortest)
		return true;
	if (kind == UNICODE_NONE) {
		search_bytes(run, text);
		return false;
	}
	search(run, text);
	if (run->rule == NULL &&
	    (kind != UNICODE_ASCII || memchr(text.p, '\0', text.len) != NULL))
		search_spellings(run, text, kind);
	return true;
}

void
pattern_scan_decoded(struct pattern_run *run, struct span text)
{
	if (pattern_wants(run) && text.len > 0)
		search_forms(run, text);
}

void
pattern_scan(struct pattern_run *run, struct span text)
{
	if (!pattern_wants(run) || text.len == 0)
		return;
	if (text.len > run->left_bytes) {
		run->rule = PATTERN_LIMIT;
		return;
	}
	run->left_bytes -= text.len;
	if (!search_forms(run, text) && run->rule == NULL)
		run->rule = PATTERN_NOT_UTF8;
}

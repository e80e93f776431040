/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Regular expressions by the C library (POSIX extended), in a build without
 * PCRE2: hides the windows in which a long text is searched.
 */
#include "config.h"

#include "base/memory.h"
#include "policy/regex.h"

#ifndef HAVE_PCRE2

#include <regex.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

#define WINDOW ((size_t)64 * 1024)
#define OVERLAP ((size_t)4 * 1024)

struct regex_engine {
	char text[WINDOW + 1];
};

int
regex_compile(
    struct regex *regex, const char *pattern, char *message, size_t size)
{
	regex_t *code = malloc(sizeof(*code));
	int error;

	if (code == NULL)
		fatal("out of memory");
	error = regcomp(code, pattern, REG_EXTENDED | REG_NOSUB);
	if (error == 0) {
		*regex = (struct regex){ code, 1 };
		return 0;
	}
	regerror(error, code, message, size);
	free(code);
	return -1;
}

void
regex_free(struct regex *regex)
{
	regfree(regex->code);
	free(regex->code);
}

struct regex_engine *
regex_engine_new(void)
{
	struct regex_engine *engine = memory_alloc(sizeof(*engine));

	return engine;
}

void
regex_engine_free(struct regex_engine *engine)
{
	free(engine);
}

/* regexec() wants a terminated text; a NUL inside becomes a space. */
static void
copy_window(struct regex_engine *engine, const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		engine->text[i] = p[i] == '\0' ? ' ' : p[i];
	engine->text[len] = '\0';
}

int
regex_search(const struct regex *regex, struct regex_engine *engine,
    struct span text, int64_t deadline_ns)
{
	size_t at = 0, len;
	int rc, flags = 0;

	for (;;) {
		len = text.len - at < WINDOW ? text.len - at : WINDOW;
		copy_window(engine, text.p + at, len);
		if (at > 0)
			flags |= REG_NOTBOL;
		if (at + len < text.len)
			flags |= REG_NOTEOL;
		else
			flags &= ~REG_NOTEOL;
		rc = regexec(regex->code, engine->text, 0, NULL, flags);
		if (rc == 0)
			return 1;
		if (rc != REG_NOMATCH)
			return -1;
		if (at + len == text.len)
			return 0;
		if (clock_cpu_ns() >= deadline_ns)
			return -1;
		at += WINDOW - OVERLAP;
	}
}

#endif

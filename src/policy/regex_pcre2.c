/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Regular expressions by PCRE2: hides its contexts and the match limit that
 * bounds an expression which backtracks without end.
 */
#include "config.h"

#include "base/memory.h"
#include "policy/regex.h"

#ifdef HAVE_PCRE2

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

/* Backtracking steps for one starting point: some 100 us. */
#define MATCH_LIMIT 50000
#define STEP_BYTES ((size_t)64 * 1024)
#define STEP_MIN ((size_t)256)

struct regex_engine {
	pcre2_match_data *data;
	pcre2_match_context *context;
};

int
regex_compile(
    struct regex *regex, const char *pattern, char *message, size_t size)
{
	pcre2_code *code;
	uint32_t min_length = 0;
	size_t offset;
	int error;

	code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
	    PCRE2_UTF | PCRE2_USE_OFFSET_LIMIT, &error, &offset, NULL);
	if (code == NULL) {
		char text[128];

		pcre2_get_error_message(
		    error, (PCRE2_UCHAR *)text, sizeof(text));
		snprintf(
		    message, size, "at character %zu: %s", offset + 1, text);
		return -1;
	}
	/* Without a just-in-time compiler for this machine it interprets. */
	pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	pcre2_pattern_info(code, PCRE2_INFO_MINLENGTH, &min_length);
	*regex = (struct regex){ code, min_length };
	return 0;
}

void
regex_free(struct regex *regex)
{
	pcre2_code_free(regex->code);
}

static void *
take_memory(size_t bytes, void *ctx)
{
	(void)ctx;
	return memory_try(NULL, bytes);
}

static void
give_memory(void *p, void *ctx)
{
	(void)ctx;
	free(p);
}

struct regex_engine *
regex_engine_new(void)
{
	struct regex_engine *engine = memory_alloc(sizeof(*engine));
	pcre2_general_context *general =
	    pcre2_general_context_create(take_memory, give_memory, NULL);

	/* All of them are small, and found. */
	engine->data = pcre2_match_data_create(1, general);
	engine->context = pcre2_match_context_create(general);
	pcre2_general_context_free(general);
	pcre2_set_match_limit(engine->context, MATCH_LIMIT);
	return engine;
}

void
regex_engine_free(struct regex_engine *engine)
{
	if (engine == NULL)
		return;
	pcre2_match_data_free(engine->data);
	pcre2_match_context_free(engine->context);
	free(engine);
}

/* Tries the starting points of a long text in steps of about a millisecond; a
 * match may still reach to the end of the text. */
int
regex_search(const struct regex *regex, struct regex_engine *engine,
    struct span text, int64_t deadline_ns)
{
	size_t at = 0, last, step = STEP_BYTES;
	int64_t now = 0, before;
	int rc;

	if (text.len < regex->min_length)
		return 0;
	if (text.len > step)
		now = clock_cpu_ns();
	for (;;) {
		last = text.len - at <= step ? PCRE2_UNSET : at + step - 1;
		pcre2_set_offset_limit(engine->context, last);
		rc = pcre2_match(regex->code, (PCRE2_SPTR)text.p, text.len, at,
		    PCRE2_NO_UTF_CHECK, engine->data, engine->context);
		if (rc >= 0)
			return 1;
		if (rc != PCRE2_ERROR_NOMATCH)
			return -1;
		if (last == PCRE2_UNSET)
			return 0;
		before = now;
		if ((now = clock_cpu_ns()) >= deadline_ns)
			return -1;
		at += step;
		while (
		    at < text.len && ((unsigned char)text.p[at] & 0xc0) == 0x80)
			at++;
		if (now - before < 1000000)
			step *= 4;
		else if (now - before > 4000000 && step > STEP_MIN)
			step /= 4;
	}
}

#endif

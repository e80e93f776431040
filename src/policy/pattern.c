/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Private patterns: hides the engine (PCRE2 with its just-in-time compiler, or
 * the C library's) and the bounds.  call.c hands it each text of a request
 * while the body is measured.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef HAVE_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#else
#include <regex.h>
#endif

#include "base/log.h"
#include "base/unicode.h"
#include "policy/call.h"
#include "policy/pattern.h"

#define CLOCK_EVERY ((size_t)16 * 1024) /* bytes between looks at the clock */

static int64_t
cpu_ns(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == -1)
		fatal("clock_gettime");
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#ifdef HAVE_PCRE2

/* Backtracking steps for one starting point: some 100 us. */
#define MATCH_LIMIT 50000
#define STEP_BYTES ((size_t)64 * 1024)
#define STEP_MIN ((size_t)256)

struct regex {
	pcre2_code *code;
	uint32_t min_length;
};

struct engine {
	pcre2_match_data *data;
	pcre2_match_context *context;
};

static int
regex_compile(
    struct regex *regex, const char *pattern, char *message, size_t size)
{
	int error;
	size_t offset;

	regex->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
	    PCRE2_UTF | PCRE2_USE_OFFSET_LIMIT, &error, &offset, NULL);
	if (regex->code == NULL) {
		char text[128];

		pcre2_get_error_message(
		    error, (PCRE2_UCHAR *)text, sizeof(text));
		snprintf(
		    message, size, "at character %zu: %s", offset + 1, text);
		return -1;
	}
	/* Without a compiler for this machine it matches all the same. */
	pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
	pcre2_pattern_info(
	    regex->code, PCRE2_INFO_MINLENGTH, &regex->min_length);
	return 0;
}

static size_t
regex_shortest(const struct regex *regex)
{
	return regex->min_length;
}

static void
regex_free(struct regex *regex)
{
	pcre2_code_free(regex->code);
}

static void *
engine_new(void)
{
	struct engine *engine = malloc(sizeof(*engine));

	if (engine == NULL ||
	    (engine->data = pcre2_match_data_create(1, NULL)) == NULL ||
	    (engine->context = pcre2_match_context_create(NULL)) == NULL)
		fatal("out of memory");
	pcre2_set_match_limit(engine->context, MATCH_LIMIT);
	return engine;
}

static void
engine_free(void *memory)
{
	struct engine *engine = memory;

	if (engine == NULL)
		return;
	pcre2_match_data_free(engine->data);
	pcre2_match_context_free(engine->context);
	free(engine);
}

/* 1: found, 0: not, -1: could not be decided within the bounds.
 *
 * A long text is taken by its starting points, so many at once as cost about
 * a millisecond; a match may still reach to the end of the text. */
static int
regex_search(const struct regex *regex, struct engine *engine, struct span text,
    int64_t deadline_ns)
{
	size_t at = 0, last, step = STEP_BYTES;
	int64_t now = 0, before;
	int rc;

	if (text.len < regex->min_length)
		return 0;
	if (text.len > step)
		now = cpu_ns();
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
		if ((now = cpu_ns()) >= deadline_ns)
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

#else

#define WINDOW ((size_t)64 * 1024)
#define OVERLAP ((size_t)4 * 1024)

struct regex {
	regex_t code;
};

struct engine {
	char text[WINDOW + 1];
};

static int
regex_compile(
    struct regex *regex, const char *pattern, char *message, size_t size)
{
	int error = regcomp(&regex->code, pattern, REG_EXTENDED | REG_NOSUB);

	if (error == 0)
		return 0;
	regerror(error, &regex->code, message, size);
	return -1;
}

static size_t
regex_shortest(const struct regex *regex)
{
	(void)regex;
	return 1;
}

static void
regex_free(struct regex *regex)
{
	regfree(&regex->code);
}

static void *
engine_new(void)
{
	struct engine *engine = malloc(sizeof(*engine));

	if (engine == NULL)
		fatal("out of memory");
	return engine;
}

static void
engine_free(void *memory)
{
	free(memory);
}

/* regexec() wants a terminated text; a NUL inside becomes a space. */
static void
copy_window(struct engine *engine, const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		engine->text[i] = p[i] == '\0' ? ' ' : p[i];
	engine->text[len] = '\0';
}

/* 1: found, 0: not, -1: could not be decided within the bounds. */
static int
regex_search(const struct regex *regex, struct engine *engine, struct span text,
    int64_t deadline_ns)
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
		rc = regexec(&regex->code, engine->text, 0, NULL, flags);
		if (rc == 0)
			return 1;
		if (rc != REG_NOMATCH)
			return -1;
		if (at + len == text.len)
			return 0;
		if (cpu_ns() >= deadline_ns)
			return -1;
		at += WINDOW - OVERLAP;
	}
}

#endif

struct patterns {
	size_t n;
	const char **names;
	struct regex *regexes;
	size_t shortest; /* bytes of the shortest text that one could match */
};

/* Compiles one spelling of a rule.  -1: said in message. */
static int
add_regex(struct patterns *patterns, const char *name, const char *pattern,
    char *message, size_t size)
{
	struct regex *regex = &patterns->regexes[patterns->n];

	if (regex_compile(regex, pattern, message, size) == -1)
		return -1;
	if (regex_shortest(regex) < patterns->shortest)
		patterns->shortest = regex_shortest(regex);
	patterns->names[patterns->n++] = name;
	return 0;
}

/* A pattern that is written with loose marks also matches the composed text.
 * (Where that spelling is no expression, the first one stands alone.) */
static void
add_composed(struct patterns *patterns, const struct private_rule *rule)
{
	struct span text = span_of(rule->pattern), composed;
	char message[256];

	if (unicode_kind(text) != UNICODE_LOOSE)
		return;
	composed = unicode_nfc(text); /* terminated */
	if (composed.p != NULL && !span_eq(composed, text))
		add_regex(
		    patterns, rule->name, composed.p, message, sizeof(message));
	free((char *)composed.p);
}

struct patterns *
patterns_new(const struct config *config, FILE *err)
{
	struct patterns *patterns = calloc(1, sizeof(*patterns));
	size_t i, n = config->nprivates, most = 2 * n + 1;
	char message[256];

	if (patterns == NULL ||
	    (patterns->names = calloc(most, sizeof(char *))) == NULL ||
	    (patterns->regexes = calloc(most, sizeof(struct regex))) == NULL)
		fatal("out of memory");
	patterns->shortest = SIZE_MAX;
	for (i = 0; i < n; i++) {
		const struct private_rule *rule = &config->privates[i];

		if (add_regex(patterns, rule->name, rule->pattern, message,
			sizeof(message)) == -1) {
			fprintf(err, "%s: %s\n",
			    rule->where != NULL ? rule->where : rule->name,
			    message);
			patterns_free(patterns);
			return NULL;
		}
		add_composed(patterns, rule);
	}
	return patterns;
}

void
patterns_free(struct patterns *patterns)
{
	size_t i;

	if (patterns == NULL)
		return;
	for (i = 0; i < patterns->n; i++)
		regex_free(&patterns->regexes[i]);
	free(patterns->names);
	free(patterns->regexes);
	free(patterns);
}

int
patterns_check(const char *pattern, char *message, size_t size)
{
	struct regex regex;
	struct engine *engine;
	int found;

	if (regex_compile(&regex, pattern, message, size) == -1)
		return -1;
	engine = engine_new();
	found = regex_search(&regex, engine, (struct span){ "", 0 }, INT64_MAX);
	engine_free(engine);
	regex_free(&regex);
	if (found == 0)
		return 0;
	snprintf(message, size,
	    "it matches an empty text, so it would match "
	    "every request");
	return -1;
}

void
pattern_begin(struct pattern_run *run, const struct config *config,
    const struct patterns *patterns)
{
	*run = (struct pattern_run){ .patterns = patterns };
	if (patterns == NULL || patterns->n == 0) {
		run->patterns = NULL;
		return;
	}
	run->memory = engine_new();
	run->left_bytes = config->private_max_bytes;
	run->deadline_ns = cpu_ns() + config->private_max_ms * 1000000;
}

void
pattern_end(struct pattern_run *run)
{
	engine_free(run->memory);
	run->memory = NULL;
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
		    &patterns->regexes[i], run->memory, text, run->deadline_ns);
		if (found != 0) {
			run->rule =
			    found > 0 ? patterns->names[i] : PATTERN_LIMIT;
			return;
		}
		run->unclocked_bytes += text.len;
		if (run->unclocked_bytes < CLOCK_EVERY)
			continue;
		run->unclocked_bytes = 0;
		if (cpu_ns() >= run->deadline_ns)
			run->rule = PATTERN_LIMIT;
	}
}

/* What is no UTF-8: its bytes as Latin-1, for ASCII is the same there. */
static void
search_bytes(struct pattern_run *run, struct span text)
{
	char *wide = malloc(text.len * 2);

	if (wide == NULL) {
		run->rule = PATTERN_LIMIT;
		return;
	}
	search(run, (struct span){ wide, unicode_of_bytes(text, wide) });
	free(wide);
}

static void
search_composed(struct pattern_run *run, struct span text)
{
	struct span composed = unicode_nfc(text);

	if (composed.p == NULL) {
		run->rule = PATTERN_LIMIT;
		return;
	}
	if (!span_eq(composed, text))
		search(run, composed);
	free((char *)composed.p);
}

/* In each form of it.  False: it is no UTF-8. */
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
	if (kind == UNICODE_LOOSE && run->rule == NULL)
		search_composed(run, text);
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

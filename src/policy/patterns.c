/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The private patterns of a configuration, compiled: hides the spellings in
 * which each of them is searched.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/unicode.h"
#include "policy/patterns.h"

/* Compiles one spelling of a rule.  -1: the reason is in message. */
static int
add_regex(struct patterns *patterns, const char *name, const char *pattern,
    char *message, size_t size)
{
	struct regex *regex = &patterns->regexes[patterns->n];

	if (regex_compile(regex, pattern, message, size) == -1)
		return -1;
	if (regex->min_length < patterns->shortest)
		patterns->shortest = regex->min_length;
	patterns->names[patterns->n++] = name;
	return 0;
}

/* A pattern written with combining marks also matches the composed text.
 * (If its composed spelling is not a valid expression, only the first one is
 * used.) */
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
	struct regex_engine *engine;
	int found;

	if (regex_compile(&regex, pattern, message, size) == -1)
		return -1;
	engine = regex_engine_new();
	found = regex_search(&regex, engine, (struct span){ "", 0 }, INT64_MAX);
	regex_engine_free(engine);
	regex_free(&regex);
	if (found == 0)
		return 0;
	snprintf(message, size,
	    "it matches an empty text, so it would match "
	    "every request");
	return -1;
}

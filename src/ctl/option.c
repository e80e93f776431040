/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how getopt_long(3) is fed from a table of ours, and what it says.
 */
#include "config.h"

#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "base/spelling.h"
#include "ctl/option.h"

#define NAME_MAX_BYTES 64

static const char *
option_name(const void *ctx, size_t i)
{
	return ((const struct ctl_option *)ctx)[i].name;
}

static void
options_make(const struct ctl_option *table, struct option *out)
{
	size_t n = 0;

	for (; table[n].name != NULL; n++) {
		const char *argument = table[n].argument;

		if (n == CTL_OPTIONS_MAX)
			fatal("more than %d options", CTL_OPTIONS_MAX);
		out[n] = (struct option){ .name = table[n].name,
			.has_arg = argument == NULL ? no_argument
			    : *argument == '['      ? optional_argument
						    : required_argument,
			.val = table[n].letter };
	}
	out[n] = (struct option){ .name = NULL };
}

/* getopt's own messages would not have the program's name. */
static int
complain(const char *command, const struct ctl_option *table, const char *word,
    bool needs_argument)
{
	const char *nearest;
	size_t len = strcspn(word, "=");
	char name[NAME_MAX_BYTES + 1];

	if (needs_argument) {
		fprintf(
		    stderr, "tailgate %s: %s needs a value\n", command, word);
		return '?';
	}
	fprintf(stderr, "tailgate %s: unknown option %.*s", command, (int)len,
	    word);
	snprintf(
	    name, sizeof(name), "%.*s", (int)len, word + strspn(word, "-"));
	name[strcspn(name, "=")] = '\0';
	nearest = spelling_nearest(name, option_name, table);
	if (nearest != NULL)
		fprintf(stderr, "; did you mean --%s?", nearest);
	fputc('\n', stderr);
	return '?';
}

static bool
is_known(const struct ctl_option *table, const char *name, size_t len)
{
	for (; table->name != NULL; table++)
		if (strlen(table->name) == len &&
		    memcmp(table->name, name, len) == 0)
			return true;
	return false;
}

/* Returns the next option if it is not in the table, else NULL.  getopt would
 * accept the beginning of a name: --model for --models. */
static const char *
next_unknown(int argc, char **argv, const struct ctl_option *table)
{
	for (int i = optind; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *word = argv[i];

		if (word[0] != '-' || word[1] == '\0')
			continue;
		if (word[1] != '-')
			return NULL;
		return is_known(table, word + 2, strcspn(word + 2, "=")) ? NULL
									 : word;
	}
	return NULL;
}

int
ctl_option_next(
    int argc, char **argv, const char *command, const struct ctl_option *table)
{
	struct option options[CTL_OPTIONS_MAX + 1];
	const char *unknown = next_unknown(argc, argv, table);
	int c;

	if (unknown != NULL)
		return complain(command, table, unknown, false);
	options_make(table, options);
	opterr = 0;
	c = getopt_long(argc, argv, ":", options, NULL);
	if (c == '?' || c == ':')
		return complain(command, table, argv[optind - 1], c == ':');
	return c;
}

void
ctl_option_print(const struct ctl_option *o, FILE *out)
{
	for (; o->name != NULL; o++) {
		char left[64];

		if (o->argument == NULL)
			snprintf(left, sizeof(left), "--%s", o->name);
		else
			snprintf(left, sizeof(left), "--%s %s", o->name,
			    o->argument);
		fprintf(out, "  %-24s %s\n", left, o->text);
	}
}

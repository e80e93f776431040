/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Finds a setting in the table of all settings (schema_table.c), and describes
 * its row in words.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/spelling.h"
#include "config/schema.h"

const struct schema *
schema_find(const char *group, const char *name)
{
	for (size_t i = 0; i < schema_count; i++)
		if (strcmp(schema_table[i].group, group) == 0 &&
		    strcmp(schema_table[i].name, name) == 0)
			return &schema_table[i];
	return NULL;
}

/* Rows of other groups do not count. */
static const char *
row_name(const void *ctx, size_t i)
{
	const char *group = ctx;

	if (i == schema_count)
		return NULL;
	return strcmp(schema_table[i].group, group) == 0 ? schema_table[i].name
							 : "";
}

const char *
schema_near(const char *group, const char *name)
{
	return spelling_nearest(name, row_name, group);
}

int
schema_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (int i = 0; *words != '\0'; i++) {
		size_t n = strcspn(words, " ");

		if (n == len && memcmp(words, word, n) == 0)
			return i;
		words += n + (words[n] == ' ');
	}
	return -1;
}

bool
schema_word_at(const char *words, unsigned index, char *out, size_t size)
{
	for (; index > 0; index--) {
		words += strcspn(words, " ");
		if (*words++ == '\0')
			return false;
	}
	if (*words == '\0')
		return false;
	snprintf(out, size, "%.*s", (int)strcspn(words, " "), words);
	return true;
}

void
schema_range(const struct schema *row, char *out, size_t size)
{
	static const char *const units[SCHEMA_REF + 1] = { [SCHEMA_SECONDS] =
							       " (seconds)",
		[SCHEMA_BYTES] = " (bytes)",
		[SCHEMA_USD] = " (USD)",
		[SCHEMA_LIST] = " groups",
		[SCHEMA_STRINGS] = " strings",
		[SCHEMA_NETS] = " networks" };
	const char *unit = units[row->type];

	switch (row->type) {
	case SCHEMA_INT:
	case SCHEMA_SECONDS:
	case SCHEMA_BYTES:
	case SCHEMA_USD:
	case SCHEMA_LIST:
	case SCHEMA_STRINGS:
	case SCHEMA_NETS:
		snprintf(out, size, "%.15g..%.15g%s", row->min, row->max,
		    unit != NULL ? unit : "");
		break;
	case SCHEMA_WORD:
	case SCHEMA_WORDS:
	case SCHEMA_ENDPOINTS:
		snprintf(out, size, "%s", row->words);
		break;
	default:
		out[0] = '\0';
	}
}

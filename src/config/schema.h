/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Every setting of tailgate.conf: name, type, range, default and text, in one
 * table.  The loader, the dump, `tailgate check --settings` and the test that
 * compares the manual with it all read this table; nothing else knows a
 * setting's name or range.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

/* The files' own groups: "" is tailgate.conf. */
#define SCHEMA_CLIENTS_FILE "clients_file"
#define SCHEMA_PRICE_FILE "price_file"

enum schema_type {
	SCHEMA_GROUP, /* { a = 1; } */
	SCHEMA_LIST, /* ( {…}, {…} ) of the group named `of` */
	SCHEMA_STRING,
	SCHEMA_STRINGS, /* [ "a", "b" ] or ( "a" ) */
	SCHEMA_INT,
	SCHEMA_SECONDS, /* float or int; kept as ms */
	SCHEMA_BYTES, /* int, or "25 MB", "1 GiB" */
	SCHEMA_USD, /* float or int; kept as nano-USD */
	SCHEMA_BOOL,
	SCHEMA_WORD, /* one of the words in `words` */
	SCHEMA_WORDS, /* an array of them; kept as a mask */
	SCHEMA_ENDPOINTS, /* the same, of endpoints */
	SCHEMA_NAME, /* a string of [A-Za-z0-9._-] */
	SCHEMA_PATH, /* of a file; relative: beside the config */
	SCHEMA_URL, /* of a scheme in `words` */
	SCHEMA_NETS, /* an array of addresses and networks */
	SCHEMA_DATE, /* "2026-12-31", "2026-12-31T18:00:00Z" */
	SCHEMA_DIGEST, /* 64 hex digits */
	SCHEMA_REF, /* the name of an element of `of` */
};

struct schema {
	const char *group; /* "" top level, "providers", "targets" … */
	const char *name;
	enum schema_type type;
	double min, max; /* of numbers; lengths of strings */
	const char *preset; /* the default as written; NULL: none */
	const char *words; /* "local external", for WORD and WORDS */
	const char *of; /* LIST, GROUP: the group of its elements */
	bool required;
	const char *text; /* one sentence for people */

	/* Its place in the C struct of its group. */
	size_t offset;
	size_t width; /* bytes; of a LIST: of one element */
	size_t count_offset; /* of a LIST's, STRINGS' and NETS' count, a
				   DIGEST's bool */
};

extern const struct schema schema_table[];
extern const size_t schema_count;

const struct schema *schema_find(const char *group, const char *name);
/* The name in a group that is spelled almost like this one, or NULL. */
const char *schema_near(const char *group, const char *name);
/* The index of a word among words; -1 if it is none of them. */
int schema_word(const char *words, const char *word);
/* The word of an index, into out; false if there is none. */
bool schema_word_at(const char *words, unsigned index, char *out, size_t size);
#define SCHEMA_RANGE_SIZE 512
/* "0.01..3600 seconds", "local | external": type and range for people. */
void schema_range(const struct schema *, char *out, size_t size);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Every setting of tailgate.conf: name, type, range, default and text, in one
 * table.  The loader, the dump, `tailgate check --settings` and the test that
 * holds the manual against it all read this table; nothing else knows a
 * setting's name or range.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

enum schema_type {
	SCHEMA_GROUP,		/* { a = 1; } */
	SCHEMA_LIST,		/* ( {…}, {…} ) of the group named `of` */
	SCHEMA_STRING,
	SCHEMA_STRINGS,		/* [ "a", "b" ] or ( "a" ) */
	SCHEMA_INT,
	SCHEMA_SECONDS,		/* float or int; kept as ms */
	SCHEMA_BYTES,		/* int, or "25 MB", "1 GiB" */
	SCHEMA_USD,		/* float or int; kept as nano-USD */
	SCHEMA_BOOL,
	SCHEMA_WORD,		/* one of the words in `words` */
	SCHEMA_WORDS,		/* an array of them */
};

struct schema {
	const char *group;	/* "" top level, "providers", "targets" … */
	const char *name;
	enum schema_type type;
	double min, max;	/* of numbers; lengths of strings */
	const char *preset;	/* the default as written; NULL: none */
	const char *words;	/* "local external", for WORD and WORDS */
	const char *of;		/* LIST, GROUP: the group of its elements */
	bool required;
	const char *text;	/* one sentence for people */
};

extern const struct schema schema_table[];
extern const size_t schema_count;

const struct schema *schema_find(const char *group, const char *name);

#endif

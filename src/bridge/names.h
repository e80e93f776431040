/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The names of the client's tools at an upstream, and back.
 *
 * A chat upstream knows functions by a name of at most 64 letters, digits,
 * underscores and hyphens.  A client's tool may be in a namespace (an MCP
 * server in Codex), have a longer name (128 in the Messages API) or other
 * characters in it.  Such a tool gets a name derived from its own: the same one
 * in every request, and never that of another tool in the request.
 */
#ifndef BRIDGE_NAMES_H
#define BRIDGE_NAMES_H

#include <stdbool.h>

#include "base/span.h"

#define NAMES_UPSTREAM_MAX 64
#define NAMES_MAX 4096 /* different tools in one request */

struct names;

/* What it is in the Responses API; all of them are functions upstream. */
enum name_kind {
	NAME_FUNCTION,
	NAME_CUSTOM,
	NAME_SEARCH, /* tool_search that the client runs */
};

struct name {
	struct span space; /* the client's namespace as text, or empty */
	struct span name; /* the client's name as text */
	char upstream[NAMES_UPSTREAM_MAX + 1];
	enum name_kind kind;
	bool offered; /* among the tools of this request */
};

/* Out of memory is fatal, here and below. */
struct names *names_new(void);
void names_free(struct names *);

/* The entry of a tool, made if there is none: also for a call in the history
 * whose tool may no longer be offered.  space (p NULL: none) and name are
 * insides of JSON strings as written; the first kind other than NAME_SEARCH
 * counts, because a call in the history may not say it.  NULL: there are
 * NAMES_MAX already.  Entries live as long as the names. */
struct name *
names_take(struct names *, struct span space, struct span name, enum name_kind);

/* The entry of a tool, or NULL. */
const struct name *
names_known(const struct names *, struct span space, struct span name);

/* The tool that an upstream calls by this name; NULL: there is none, the
 * model invented it. */
const struct name *names_find(const struct names *, struct span upstream);

#endif

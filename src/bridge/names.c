/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a tool's name is made valid for a chat upstream.  A valid name is
 * unchanged.  A namespace and a name are joined by two underscores, as MCP
 * clients write them.  A name that is not valid after that, or is another
 * tool's already, gets a digest of both parts at its end: it depends on the
 * tool alone, so a prompt cache and the calls of earlier turns keep their
 * names.
 */
#include "config.h"

#include <sys/tree.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/jscan.h"
#include "base/memory.h"
#include "bridge/names.h"

#define SUFFIX 8 /* hex digits, after an underscore */

struct entry {
	struct name name;
	RB_ENTRY(entry) of_client, of_upstream;
	char text[]; /* of space and name */
};

/* Trees, because a client that chose its names could have all of them in one
 * bucket of a hash table. */
struct names {
	size_t n;
	RB_HEAD(by_client, entry) by_client;
	RB_HEAD(by_upstream, entry) by_upstream;
};

static int
compare_spans(struct span a, struct span b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return a.len == 0 ? 0 : memcmp(a.p, b.p, a.len);
}

static int
compare_client(const struct entry *a, const struct entry *b)
{
	int order = compare_spans(a->name.name, b->name.name);

	if (order == 0)
		order = compare_spans(a->name.space, b->name.space);
	if (order == 0)
		order = (a->name.kind == NAME_SEARCH) -
		    (b->name.kind == NAME_SEARCH);
	return order;
}

static int
compare_upstream(const struct entry *a, const struct entry *b)
{
	return strcmp(a->name.upstream, b->name.upstream);
}

/* RB_GENERATE_STATIC() of libbsd needs a macro that Linux lacks. */
#define LOCAL static __attribute__((unused))

RB_PROTOTYPE_INTERNAL(by_client, entry, of_client, compare_client, LOCAL)
RB_PROTOTYPE_INTERNAL(by_upstream, entry, of_upstream, compare_upstream, LOCAL)
RB_GENERATE_INTERNAL(by_client, entry, of_client, compare_client, LOCAL)
RB_GENERATE_INTERNAL(by_upstream, entry, of_upstream, compare_upstream, LOCAL)

struct names *
names_new(void)
{
	return memory_zero(sizeof(struct names));
}

void
names_free(struct names *names)
{
	struct entry *e, *next;

	if (names == NULL)
		return;
	RB_FOREACH_SAFE(e, by_client, &names->by_client, next)
	{
		RB_REMOVE(by_client, &names->by_client, e);
		free(e);
	}
	free(names);
}

static struct entry *
new_entry(struct span space, struct span name, enum name_kind kind)
{
	struct entry *e = memory_zero(sizeof(*e) + space.len + name.len + 1);
	struct name *n;

	n = &e->name;
	n->kind = kind;
	n->space.p = e->text;
	if (space.len > 0)
		n->space.len = jscan_decode(space, e->text);
	n->name.p = e->text + n->space.len;
	if (name.len > 0)
		n->name.len = jscan_decode(name, e->text + n->space.len);
	return e;
}

/* --- The name upstream --- */

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* Both parts joined, as much as there is room for; true: it is all of them
 * and nothing else.  A client that ends its namespaces in "_" has them
 * joined. */
static bool
join(const struct name *n, char out[NAMES_UPSTREAM_MAX + 1])
{
	struct span space = n->space;
	bool gap = space.len > 0 && space.p[space.len - 1] != '_', whole = true;
	struct span pieces[] = { space, { "__", gap ? 2 : 0 }, n->name };
	size_t len = 0;

	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < pieces[i].len; j++) {
			char c = pieces[i].p[j];

			whole = whole && is_plain(c);
			if (len == NAMES_UPSTREAM_MAX)
				return false;
			out[len++] = is_plain(c) ? c : '_';
			out[len] = '\0';
		}
	return whole && len > 0;
}

/* The digest includes the length, so that two different pairs never collide. */
static void
add_suffix(const struct name *n, unsigned try, char *out)
{
	size_t size = n->space.len + n->name.len + 64, len = strlen(out);
	unsigned char digest[DIGEST_BYTES];
	char text[DIGEST_TEXT_SIZE], *whole = memory_alloc(size);
	int head;

	head = snprintf(whole, size, "%u %zu ", try, n->space.len);
	memcpy(whole + head, n->space.p, n->space.len);
	memcpy(whole + head + n->space.len, n->name.p, n->name.len);
	digest_make(whole, (size_t)head + n->space.len + n->name.len, digest);
	digest_text(digest, text);
	if (len > NAMES_UPSTREAM_MAX - SUFFIX - 1)
		len = NAMES_UPSTREAM_MAX - SUFFIX - 1;
	snprintf(
	    out + len, NAMES_UPSTREAM_MAX + 1 - len, "_%.*s", SUFFIX, text);
	free(whole);
}

static void
make_upstream(const struct names *names, struct name *n)
{
	char joined[NAMES_UPSTREAM_MAX + 1] = "";
	bool fits = join(n, joined);

	memcpy(n->upstream, joined, sizeof(joined));
	for (unsigned try = 0;
	     !fits || names_find(names, span_of(n->upstream)) != NULL; try++) {
		memcpy(n->upstream, joined, sizeof(joined));
		add_suffix(n, try, n->upstream);
		fits = true;
	}
}

/* --- The table --- */

const struct name *
names_find(const struct names *names, struct span upstream)
{
	struct entry key, *e;

	if (upstream.len > NAMES_UPSTREAM_MAX)
		return NULL;
	memcpy(key.name.upstream, upstream.p, upstream.len);
	key.name.upstream[upstream.len] = '\0';
	/* It does not change the tree. */
	e = RB_FIND(
	    by_upstream, (struct by_upstream *)&names->by_upstream, &key);
	return e == NULL ? NULL : &e->name;
}

struct name *
names_take(struct names *names, struct span space, struct span name,
    enum name_kind kind)
{
	struct entry *made = new_entry(space, name, kind);
	struct entry *e = RB_FIND(by_client, &names->by_client, made);

	if (e != NULL || names->n == NAMES_MAX) {
		free(made);
		return e == NULL ? NULL : &e->name;
	}
	make_upstream(names, &made->name);
	RB_INSERT(by_client, &names->by_client, made);
	RB_INSERT(by_upstream, &names->by_upstream, made);
	names->n++;
	return &made->name;
}

const struct name *
names_known(const struct names *names, struct span space, struct span name)
{
	struct entry *made = new_entry(space, name, NAME_FUNCTION);
	const struct entry *e =
	    RB_FIND(by_client, (struct by_client *)&names->by_client, made);

	free(made);
	return e == NULL ? NULL : &e->name;
}

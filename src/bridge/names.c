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

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/jscan.h"
#include "base/memory.h"
#include "bridge/names.h"

#define BUCKETS 512
#define SUFFIX 8 /* hex digits, after an underscore */

struct entry {
	struct name name;
	struct entry *next_client, *next_upstream; /* of the bucket */
	char text[]; /* of space and name */
};

struct names {
	size_t n;
	struct entry *client[BUCKETS], *upstream[BUCKETS];
};

static unsigned
hash(unsigned h, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619u;
	return h;
}

static unsigned
bucket_of(struct span space, struct span name)
{
	return hash(hash(2166136261u, space) * 31, name) % BUCKETS;
}

struct names *
names_new(void)
{
	struct names *names = memory_zero(sizeof(*names));

	return names;
}

void
names_free(struct names *names)
{
	struct entry *e, *next;

	if (names == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		for (e = names->client[i]; e != NULL; e = next) {
			next = e->next_client;
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
	unsigned h = hash(2166136261u, upstream) % BUCKETS;

	for (struct entry *e = names->upstream[h]; e != NULL;
	     e = e->next_upstream)
		if (span_is(upstream, e->name.upstream))
			return &e->name;
	return NULL;
}

static struct entry *
find_client(const struct names *names, unsigned bucket, const struct name *n)
{
	struct entry *e = names->client[bucket];

	while (e != NULL &&
	    !(span_eq(e->name.space, n->space) &&
		span_eq(e->name.name, n->name) &&
		(e->name.kind == NAME_SEARCH) == (n->kind == NAME_SEARCH)))
		e = e->next_client;
	return e;
}

struct name *
names_take(struct names *names, struct span space, struct span name,
    enum name_kind kind)
{
	struct entry *made = new_entry(space, name, kind), *e;
	unsigned client = bucket_of(made->name.space, made->name.name), up;

	e = find_client(names, client, &made->name);
	if (e != NULL || names->n == NAMES_MAX) {
		free(made);
		return e == NULL ? NULL : &e->name;
	}
	make_upstream(names, &made->name);
	up = hash(2166136261u, span_of(made->name.upstream)) % BUCKETS;
	made->next_client = names->client[client];
	names->client[client] = made;
	made->next_upstream = names->upstream[up];
	names->upstream[up] = made;
	names->n++;
	return &made->name;
}

const struct name *
names_known(const struct names *names, struct span space, struct span name)
{
	struct entry *made = new_entry(space, name, NAME_FUNCTION);
	const struct entry *e = find_client(
	    names, bucket_of(made->name.space, made->name.name), &made->name);

	free(made);
	return e == NULL ? NULL : &e->name;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how gateways write what they tell each other, and how much of it is
 * believed.  Part of the "identify" step of a request's way.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "policy/hop.h"

/* As in names of the configuration, with a slash between two. */
#define CLIENT_CHARS                                                     \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" \
	"._-/"
#define HEX_CHARS "0123456789abcdef"
#define VALUE_MAX 1024
#define PATIENCE_MAX_MS INT64_C(86400000)

/* ---- who asks ----------------------------------------------------------- */

const char *
hop_make(const struct hop *hop, struct arena *arena)
{
	return arena_printf(arena,
	    "v=1; client=%s; priority=%u; place=%s; id=%s; patience_ms=%lld",
	    hop->client, hop->priority, place_name(hop->place), hop->request_id,
	    (long long)hop->patience_ms);
}

/* "laptop", "office/laptop": no part is empty or begins with a dot. */
static bool
is_client(const char *text)
{
	const char *part = text;

	if (strlen(text) > HOP_CLIENT_MAX || *text == '/' ||
	    text[strspn(text, CLIENT_CHARS)] != '\0')
		return false;
	for (; part != NULL; part = strchr(part, '/')) {
		part += *part == '/';
		if (*part == '\0' || *part == '/' || *part == '.')
			return false;
	}
	return true;
}

static bool
is_request_id(const char *text)
{
	return strlen(text) == HOP_REQUEST_ID_CHARS &&
	    strncmp(text, "req_", 4) == 0 &&
	    strspn(text + 4, HEX_CHARS) == HOP_REQUEST_ID_CHARS - 4;
}

/* Digits alone, min..max; -1: no such number. */
static int64_t
number(const char *text, int64_t min, int64_t max)
{
	size_t len = strlen(text);
	long long n;

	if (len == 0 || len > 12 || text[strspn(text, "0123456789")] != '\0')
		return -1;
	n = strtoll(text, NULL, 10);
	return n >= min && n <= max ? n : -1;
}

/* Moves after "name=value" and the separator, if there is one.  The value, in
 * the arena; NULL: something else is there. */
static const char *
take(const char **p, const char *name, bool last, struct arena *arena)
{
	size_t len = strlen(name), n;
	struct span value;

	if (strncmp(*p, name, len) != 0 || (*p)[len] != '=')
		return NULL;
	*p += len + 1;
	n = strcspn(*p, "; ");
	value = (struct span){ *p, n };
	*p += n;
	if (strncmp(*p, last ? "" : "; ", last ? 1 : 2) != 0)
		return NULL;
	*p += last ? 0 : 2;
	return arena_text(arena, value);
}

int
hop_parse(const char *p, struct arena *arena, struct hop *out)
{
	const char *version, *priority, *place, *patience;
	int64_t weight;

	if (strlen(p) > VALUE_MAX ||
	    (version = take(&p, "v", false, arena)) == NULL ||
	    strcmp(version, "1") != 0 ||
	    (out->client = take(&p, "client", false, arena)) == NULL ||
	    (priority = take(&p, "priority", false, arena)) == NULL ||
	    (place = take(&p, "place", false, arena)) == NULL ||
	    (out->request_id = take(&p, "id", false, arena)) == NULL ||
	    (patience = take(&p, "patience_ms", true, arena)) == NULL)
		return -1;
	weight = number(priority, 1, 100);
	out->priority = (unsigned)weight;
	out->patience_ms = number(patience, 1, PATIENCE_MAX_MS);
	out->place = PLACE_LOCAL;
	if (strcmp(place, place_name(PLACE_EXTERNAL)) == 0)
		out->place = PLACE_EXTERNAL;
	else if (strcmp(place, place_name(PLACE_LOCAL)) != 0)
		return -1;
	return weight != -1 && out->patience_ms != -1 &&
		is_client(out->client) && is_request_id(out->request_id)
	    ? 0
	    : -1;
}

const struct client *
hop_client(
    const struct client *relay, const struct hop *hop, struct arena *arena)
{
	struct client *c = arena_alloc(arena, sizeof(*c));

	*c = *relay;
	c->name = arena_printf(arena, "%s/%s", relay->name, hop->client);
	if (hop->priority < c->priority)
		c->priority = hop->priority;
	if (hop->place < c->place)
		c->place = hop->place;
	return c;
}

struct span
hop_entry(struct span client)
{
	const char *slash =
	    client.len == 0 ? NULL : memchr(client.p, '/', client.len);

	if (slash != NULL)
		client.len = (size_t)(slash - client.p);
	return client;
}

/* ---- the way ------------------------------------------------------------ */

enum refusal
hop_check(const char *list, const char *own)
{
	size_t hops = 0, len;

	for (; list != NULL && *list != '\0'; list += len) {
		list += strspn(list, " ");
		len = strcspn(list, " ");
		if (len == 0)
			break;
		if (++hops > HOP_MAX ||
		    (len == HOP_ID_CHARS && strncmp(list, own, len) == 0))
			return REFUSE_LOOP;
	}
	return REFUSE_NONE;
}

/* Only what can be an id is passed on. */
const char *
hop_extend(const char *list, const char *own, struct arena *arena)
{
	if (list == NULL || list[strspn(list, HEX_CHARS " ")] != '\0' ||
	    strlen(list) > HOP_MAX * (HOP_ID_CHARS + 1))
		return own;
	return arena_printf(arena, "%s %s", list, own);
}

/* ---- what it refused ---------------------------------------------------- */

enum refusal
hop_refusal(struct span code)
{
	/* What it says about our key concerns this gateway's own key, not
	 * the client's; a failure of one of its providers is reported as a
	 * provider's. */
	static const enum refusal not_as_such[] = { REFUSE_INVALID_KEY,
		REFUSE_CLIENT_GONE, REFUSE_INTERNAL };

	for (unsigned i = REFUSE_NONE + 1; i < REFUSE_COUNT; i++) {
		const char *name = refusal_spec((enum refusal)i)->code;

		if (!span_is(code, name))
			continue;
		for (size_t j = 0; j < sizeof(not_as_such) / sizeof(int); j++)
			if (not_as_such[j] == i)
				return REFUSE_NONE;
		if (i == REFUSE_RATE)
			return REFUSE_RATE_UPSTREAM;
		if (i == REFUSE_MODEL_NOT_FOUND)
			return REFUSE_PROVIDER_MODEL;
		return (enum refusal)i;
	}
	return REFUSE_NONE;
}

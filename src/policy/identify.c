/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Who is calling: hides how a client entry is matched.  The first decision on
 * a request's way, before its body is read.
 *
 * A known key decides: one of its entries matches or the request is refused,
 * whatever else would match.  An unknown key counts as none, because SDKs
 * always send a key; then the entries without a key are tried: user and network
 * together before a user, before a network, and the first in the file if
 * several are equal.
 */
#include "config.h"

#include <fnmatch.h>
#include <stdio.h>

#include "policy/identify.h"

static bool
is_trusted(const struct config *config, const struct net *address)
{
	size_t i;

	for (i = 0; i < config->ntrusted_proxies; i++)
		if (net_contains(&config->trusted_proxies[i], address))
			return true;
	return false;
}

/* One entry of X-Forwarded-For: an address, perhaps with a port. */
static int
parse_hop(struct span hop, struct net *out)
{
	char text[NET_TEXT_SIZE];
	const char *colon;

	while (hop.len > 0 && (*hop.p == ' ' || *hop.p == '\t')) {
		hop.p++;
		hop.len--;
	}
	while (hop.len > 0 &&
	    (hop.p[hop.len - 1] == ' ' || hop.p[hop.len - 1] == '\t'))
		hop.len--;
	if (hop.len > 0 && *hop.p == '[') {
		hop.p++;
		hop.len--;
		colon = memchr(hop.p, ']', hop.len);
		if (colon == NULL)
			return -1;
		hop.len = (size_t)(colon - hop.p);
	} else {
		colon = memchr(hop.p, ':', hop.len);
		if (colon != NULL && memchr(hop.p, '.', hop.len) != NULL &&
		    colon > (const char *)memchr(hop.p, '.', hop.len))
			hop.len = (size_t)(colon - hop.p);
	}
	if (hop.len == 0 || hop.len >= sizeof(text) ||
	    memchr(hop.p, '/', hop.len) != NULL ||
	    memchr(hop.p, '\0', hop.len) != NULL)
		return -1;
	memcpy(text, hop.p, hop.len);
	text[hop.len] = '\0';
	return net_parse(text, out);
}

int
identify_address(const struct config *config, const char *remote_addr,
    const char *forwarded, struct net *out)
{
	const char *end, *start;

	if (remote_addr == NULL || parse_hop(span_of(remote_addr), out) == -1)
		return -1;
	if (forwarded == NULL || *forwarded == '\0')
		return 0;
	end = forwarded + strlen(forwarded);
	while (is_trusted(config, out)) {
		for (start = end; start > forwarded && start[-1] != ',';)
			start--;
		if (parse_hop((struct span){ start, (size_t)(end - start) },
			out) == -1)
			return -1;
		if (start == forwarded)
			return 0;
		end = start - 1;
	}
	return 0;
}

static bool
network_holds(const struct client *client, const struct peer *peer)
{
	size_t i;

	if (client->nnetworks == 0)
		return true;
	for (i = 0; peer->has_address && i < client->nnetworks; i++)
		if (net_contains(&client->networks[i], &peer->address))
			return true;
	return false;
}

static bool
user_holds(const struct client *client, const struct peer *peer)
{
	if (client->user == NULL)
		return true;
	return peer->user != NULL && *peer->user != '\0' &&
	    strcmp(client->user, peer->user) == 0;
}

/* How specific an entry without a key is; 0: it matches nobody. */
static unsigned
strength(const struct client *client)
{
	return (client->user != NULL ? 2 : 0) + (client->nnetworks > 0 ? 1 : 0);
}

/* The first entry with this key that matches; *known: some entry has it;
 * *expired: as its old key, which has expired. */
static const struct client *
by_key(const struct config *config, const struct peer *peer, int64_t wall_ms,
    bool *known, bool *expired)
{
	unsigned char digest[DIGEST_BYTES];
	const struct keyed *of_key;
	size_t i, n;

	*known = *expired = false;
	if (peer->key.p == NULL || peer->key.len == 0)
		return NULL;
	digest_make(peer->key.p, peer->key.len, digest);
	of_key = config_keyed_find(config, digest, &n);
	*known = n > 0;
	for (i = 0; i < n; i++)
		if (network_holds(of_key[i].client, peer) &&
		    user_holds(of_key[i].client, peer)) {
			*expired = wall_ms >= of_key[i].expires_wall_ms;
			if (!*expired)
				return of_key[i].client;
		}
	return NULL;
}

static const struct client *
by_place(const struct config *config, const struct peer *peer)
{
	const struct client *client, *found = NULL;
	size_t i;

	for (i = 0; i < config->nclients; i++) {
		client = &config->clients[i];
		if (client->has_key || strength(client) == 0 ||
		    !network_holds(client, peer) || !user_holds(client, peer))
			continue;
		if (found == NULL || strength(client) > strength(found))
			found = client;
	}
	return found;
}

static const struct client *
refuse(struct refused *refused, const char *message)
{
	*refused = (struct refused){ .refusal = REFUSE_INVALID_KEY,
		.message = message };
	return NULL;
}

const struct client *
identify(const struct config *config, const struct peer *peer, int64_t wall_ms,
    struct refused *refused)
{
	bool known, expired;
	bool presented = peer->key.p != NULL && peer->key.len > 0;
	const struct client *client =
	    by_key(config, peer, wall_ms, &known, &expired);

	if (client == NULL && expired)
		return refuse(refused,
		    "The key was replaced by a new one and has expired; ask "
		    "the operator for the new one.");
	if (client == NULL && known)
		return refuse(refused,
		    "The key is not valid from this network or for this "
		    "user; ask the operator.");
	if (client == NULL)
		client = by_place(config, peer);
	if (client == NULL && presented)
		return refuse(refused,
		    "The key is not known to this gateway; send one that "
		    "`tailgate client add` made.");
	if (client == NULL && peer->unread)
		return refuse(refused,
		    "Authorization holds no key as this gateway reads it; send "
		    "`Authorization: Bearer KEY`.");
	if (client == NULL)
		return refuse(refused,
		    "No key was given; send `Authorization: Bearer KEY` with a "
		    "key of this gateway.");
	return identify_is_valid(client, wall_ms, refused) ? client : NULL;
}

bool
identify_is_valid(
    const struct client *client, int64_t wall_ms, struct refused *refused)
{
	if (wall_ms < client->expires_wall_ms)
		return true;
	refuse(refused, "The key has expired; ask the operator for a new one.");
	return false;
}

bool
identify_may_call(const struct client *client, enum endpoint endpoint,
    struct refused *refused)
{
	if (client->endpoints & ENDPOINT_BIT(endpoint))
		return true;
	*refused = (struct refused){ .refusal = REFUSE_ENDPOINT_NOT_ALLOWED };
	return false;
}

static bool
is_pattern(const char *id)
{
	size_t n = strlen(id);

	return n > 0 && id[n - 1] == '*';
}

/* A pattern is not a name: "gpt-?" covers one letter, not all that "gpt-*"
 * covers. */
bool
identify_may_use(
    const struct client *client, const char *requested, const char *id)
{
	bool pattern = is_pattern(id);
	size_t i;

	for (i = 0; i < client->nmodels; i++) {
		const char *glob = client->models[i];

		if (strcmp(glob, id) == 0 ||
		    (!is_pattern(requested) &&
			fnmatch(glob, requested, 0) == 0) ||
		    (!pattern && fnmatch(glob, id, 0) == 0))
			return true;
	}
	return false;
}

bool
identify_may_use_some(const struct client *client, const char *id)
{
	size_t i, fixed, n = strlen(id) - 1;

	if (!is_pattern(id))
		return identify_may_use(client, id, id);
	for (i = 0; i < client->nmodels; i++) {
		fixed = strcspn(client->models[i], "*?[\\");
		if (strncmp(client->models[i], id, fixed < n ? fixed : n) == 0)
			return true;
	}
	return false;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What can be proved of clients: each can be told apart, and names a group that
 * there is.
 */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "config/load.h"

/* Two clients with one key and nothing else could not be told apart. */
static void
prove_digests(struct load *load)
{
	const struct config *c = load->config;
	const struct keyed *last = NULL;

	for (size_t i = 0; i < c->nkeyed; i++) {
		const struct keyed *k = &c->keyed[i];
		const struct client *client = k->client;

		if (client->nnetworks > 0 || client->user != NULL)
			continue;
		if (last != NULL &&
		    memcmp(last->digest, k->digest, DIGEST_BYTES) == 0)
			mistake_of(load, client, "clients",
			    k->digest == client->key_digest ? "key_sha256"
							    : "old_key_sha256",
			    "client %s has the same key",
			    last->client->name != NULL ? last->client->name
						       : "before it");
		last = k;
	}
}

static bool
has_group(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nclient_groups; i++)
		if (c->client_groups[i].name != NULL &&
		    strcmp(c->client_groups[i].name, name) == 0)
			return true;
	return false;
}

/* The commands that mend the clients file still run. */
static void
prove_group(struct load *load, const struct client *c)
{
	const char *text;

	if (c->group == NULL || has_group(load->config, c->group))
		return;
	text = arena_printf(load->arena,
	    "there is no %s in client_groups; add it there, or take the client "
	    "out of it (`tailgate client set NAME --group ''`)",
	    mistake_quote(load, c->group));
	if (load->flags & CONFIG_ANY_GROUP)
		warning_of(load, c, "clients", "group", "%s", text);
	else
		mistake_of(load, c, "clients", "group", "%s", text);
}

void
prove_clients(struct load *load)
{
	for (size_t i = 0; i < load->config->nclients; i++) {
		const struct client *c = &load->config->clients[i];

		if (!c->has_key && c->nnetworks == 0 && c->user == NULL &&
		    !origin_has(load, c, "clients", "key_sha256") &&
		    !origin_has(load, c, "clients", "user"))
			mistake_of(load, c, "clients", NULL,
			    "nothing identifies it; give key_sha256 (`tailgate "
			    "client add`), networks or user");
		prove_group(load, c);
		if (c->relay && !c->has_key && c->user == NULL &&
		    !origin_has(load, c, "clients", "key_sha256"))
			mistake_of(load, c, "clients", "relay",
			    "a relay is trusted to name its clients, so an "
			    "address is not enough to identify it; give "
			    "key_sha256 or "
			    "user");
		if (c->has_old_key && !c->has_key)
			mistake_of(load, c, "clients", "old_key_sha256",
			    "needs a key_sha256 that follows it");
		if (c->has_old_key && c->old_key_expires_ms == CLOCK_NEVER)
			mistake_of(load, c, "clients", "old_key_sha256",
			    "needs old_key_expires, a date");
	}
	prove_digests(load);
	if (load->config->nclients > CONFIG_CLIENTS_MAX)
		mistake_of(load, load->config, "", "clients_file",
		    "with it there are %zu clients; there may be %d in both "
		    "files together",
		    load->config->nclients, CONFIG_CLIENTS_MAX);
}

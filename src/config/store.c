/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The store's settings: how its URL becomes an address, and what is valid.
 */
#include "config.h"

#include <string.h>
#include <sys/un.h>

#include "config/load.h"

static const struct {
	const char *scheme, *http; /* as the connector wants it */
} schemes[] = {
	{ "redis://", "http://" },
	{ "valkey://", "http://" },
	{ "rediss://", "https://" },
	{ "valkeys://", "https://" },
};

#define PORT 6379

/* NULL, or what is wrong. */
static const char *
finish_path(struct store_settings *s, const char *path)
{
	if (*path != '/')
		return "unix:// goes on with the socket's absolute path: "
		       "unix:///run/valkey/valkey.sock";
	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return "the socket's path is too long for this system";
	s->path = path;
	return NULL;
}

static const char *
finish_host(struct load *load, struct store_settings *s, const char *http,
    const char *rest)
{
	struct provider *link = &s->link;
	size_t len = strlen(rest);
	const char *url, *wrong, *after;
	bool has_port;

	if (len > 0 && rest[len - 1] == '/')
		len--;
	url = arena_printf(load->arena, "%s%.*s", http, (int)len, rest);
	if ((wrong = url_check(url, "http https")) != NULL)
		return wrong;
	if (memchr(rest, '/', len) != NULL)
		return "ends after the port: other databases than 0 are not "
		       "used, prefix keeps names apart";
	link->host = link->peer = url_host(load->arena, url);
	after =
	    rest[0] == '[' ? strchr(rest, ']') + 1 : rest + strcspn(rest, ":");
	has_port = after < rest + len;
	link->port = has_port ? url_port(url) : PORT;
	link->url =
	    has_port ? url : arena_printf(load->arena, "%s:%d", url, PORT);
	return NULL;
}

static const char *
finish_url(struct load *load, struct store_settings *s)
{
	if (strncmp(s->url, "unix://", 7) == 0)
		return finish_path(s, s->url + 7);
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t n = strlen(schemes[i].scheme);

		if (strncmp(s->url, schemes[i].scheme, n) == 0)
			return finish_host(
			    load, s, schemes[i].http, s->url + n);
	}
	return "must begin with unix://, redis://, valkey://, rediss:// or "
	       "valkeys://";
}

void
finish_store(struct load *load)
{
	struct store_settings *s = &load->config->store;
	const char *wrong;

	s->link.name = "store";
	keys_make(load, &s->link);
	s->link.place = PLACE_EXTERNAL; /* it may be at any address */
	if (s->url != NULL && (wrong = finish_url(load, s)) != NULL)
		mistake_of(load, s, "store", "url", "%s", wrong);
}

static bool
has_shared_bound(const struct budget *b)
{
	return b->nanousd_per_day != 0 || b->nanousd_per_month != 0 ||
	    b->tokens_per_day != 0 || b->requests_per_minute != 0 ||
	    b->tokens_per_minute != 0;
}

static void
prove_has_store(struct load *load, const struct budget *b)
{
	if (b->shared && load->config->store.url == NULL)
		mistake_of(load, b, "budget", "shared",
		    "needs a store: without one this host knows of no other");
}

static void
prove_has_bound(struct load *load, const struct budget *b)
{
	if (b->shared && !has_shared_bound(b))
		mistake_of(load, b, "budget", "shared",
		    "needs a bound that hosts can share: usd_per_day, "
		    "usd_per_month, tokens_per_day, tokens_per_minute or "
		    "requests_per_minute");
	else if (b->shared && b->concurrent != 0)
		warning_of(load, b, "budget", "concurrent",
		    "applies on each host separately; for all hosts together, "
		    "share a limit");
}

static bool
is_shared_by_group(const struct config *c, const struct client *client)
{
	if (c->default_client.budget.shared)
		return true;
	for (size_t i = 0; client->group != NULL && i < c->nclient_groups; i++)
		if (strcmp(c->client_groups[i].name, client->group) == 0)
			return c->client_groups[i].budget.shared;
	return false;
}

static void
prove_shared_budgets(struct load *load)
{
	const struct config *c = load->config;

	prove_has_store(load, &c->default_client.budget);
	for (size_t i = 0; i < c->nclient_groups; i++)
		prove_has_store(load, &c->client_groups[i].budget);
	for (size_t i = 0; i < c->nclients; i++) {
		if (!is_shared_by_group(c, &c->clients[i]))
			prove_has_store(load, &c->clients[i].budget);
		prove_has_bound(load, &c->clients[i].budget);
	}
	for (size_t i = 0; i < c->nmodels; i++) {
		prove_has_store(load, &c->models[i].budget);
		prove_has_bound(load, &c->models[i].budget);
	}
}

static void
prove_shared(struct load *load)
{
	const struct config *c = load->config;

	for (size_t i = 0; i < c->nlimits; i++) {
		const struct limit *l = &c->limits[i];

		if (l->shared && c->store.url == NULL)
			mistake_of(load, l, "limits", "shared",
			    "hosts share through a store: write store = { url "
			    "= ...; }, or remove it");
		if (l->shared && l->swap != SWAP_NONE)
			warning_of(load, l, "limits", "swap",
			    "has no effect on the queue of a shared limit, "
			    "only on the host's own (without_store)");
		if (!l->shared && l->without_store != WITHOUT_STORE_REFUSE)
			mistake_of(load, l, "limits", "without_store",
			    "is of shared limits only; write shared = true, "
			    "or remove it");
	}
}

/* Braces only around all of it: then it is the hash tag of all names, which a
 * cluster of several nodes needs (fleet/store_node.c). */
static bool
is_good_prefix(const char *prefix)
{
	size_t n = strlen(prefix);

	if (n > 2 && prefix[0] == '{' && prefix[n - 1] == '}')
		return strcspn(prefix + 1, "{}*? ") == n - 2;
	return strpbrk(prefix, "{}*? ") == NULL;
}

void
prove_store(struct load *load)
{
	const struct store_settings *s = &load->config->store;
	const struct key_source *key = &s->link.key_source;
	int n = (key->file != NULL) + (key->credential != NULL) +
	    (key->env != NULL);

	prove_shared_budgets(load);
	prove_shared(load);
	if (s->url == NULL) {
		if (n > 0 || s->user != NULL)
			mistake_of(load, s, "store", "url",
			    "is missing; give the store's URL");
		return;
	}
	if (s->prefix != NULL && !is_good_prefix(s->prefix))
		mistake_of(load, s, "store", "prefix",
		    "must hold no space, * or ?, and braces only around all of "
		    "it");
	/* A beat that waits for a reply in vain still leaves time to end what
	 * holds a slot (fleet/leases.h). */
	if (s->timeout_ms * 8 > s->lease_ms)
		mistake_of(load, s, "store", "timeout",
		    "must be an eighth of `lease` at the most");
#ifndef HAVE_HIREDIS
	mistake_of(load, s, "store", "url",
	    "this tailgate was built without hiredis and can use no store");
#endif
	if (n > 1)
		mistake_of(load, s, "store", "key",
		    "give one of file, credential and env");
	if (s->user != NULL && n == 0)
		mistake_of(load, s, "store", "key",
		    "is missing: a user has a password");
	if (n > 0 && s->link.url != NULL &&
	    strncmp(s->link.url, "http:", 5) == 0 && !url_is_near(s->link.host))
		warning_of(load, s, "store", "url",
		    "the password travels unencrypted; use rediss:// or "
		    "valkeys://");
}

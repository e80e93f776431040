/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What can be proved of a configuration before the first request: names are
 * unique and no settings contradict each other (prove_models.c: models and
 * targets; prove_clients.c: clients).
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/load.h"

#define TOKEN_CHARS                                                      \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" \
	"!#$%&'*+-.^_`|~" /* RFC 9110, section 5.6.2 */

#define HOST_CHARS                                                       \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" \
	"-._"

/* --- names ---------------------------------------------------------------- */

struct name {
	const char *text;
	const void *element;
	const char *setting;
	size_t order;
};

struct names {
	const char *group;
	struct name *all;
	size_t n;
};

static void
name_add(struct names *names, const char *text, const void *element,
    const char *setting)
{
	if (text == NULL)
		return;
	names->all[names->n] =
	    (struct name){ text, element, setting, names->n };
	names->n++;
}

static int
by_text(const void *pa, const void *pb)
{
	const struct name *a = pa, *b = pb;
	int order = strcmp(a->text, b->text);

	return order != 0 ? order
			  : (a->order > b->order) - (a->order < b->order);
}

static void
prove_unique(struct load *load, struct names *names)
{
	if (names->n > 0)
		qsort(names->all, names->n, sizeof(*names->all), by_text);
	for (size_t i = 1; i < names->n; i++)
		if (strcmp(names->all[i - 1].text, names->all[i].text) == 0)
			mistake_of(load, names->all[i].element, names->group,
			    names->all[i].setting,
			    "%s is used twice; every name must be its own",
			    mistake_quote(load, names->all[i].text));
}

static struct names
names_of(struct load *load, const char *group, size_t most)
{
	return (struct names){ group,
		arena_alloc(load->arena, most * sizeof(struct name)), 0 };
}

static void
prove_names(struct load *load)
{
	const struct config *c = load->config;
	struct names limits = names_of(load, "limits", c->nlimits);
	struct names providers = names_of(load, "providers", c->nproviders);
	struct names privates = names_of(load, "private", c->nprivates);
	struct names clients = names_of(load, "clients", c->nclients);

	for (size_t i = 0; i < c->nlimits; i++)
		name_add(&limits, c->limits[i].name, &c->limits[i], "name");
	for (size_t i = 0; i < c->nproviders; i++)
		name_add(
		    &providers, c->providers[i].name, &c->providers[i], "name");
	for (size_t i = 0; i < c->nprivates; i++)
		name_add(
		    &privates, c->privates[i].name, &c->privates[i], "name");
	for (size_t i = 0; i < c->nclients; i++)
		name_add(&clients, c->clients[i].name, &c->clients[i], "name");
	prove_unique(load, &limits);
	prove_unique(load, &providers);
	prove_unique(load, &privates);
	prove_unique(load, &clients);
}

/* A model's ids and aliases are one set of names. */
static void
prove_model_names(struct load *load)
{
	const struct config *c = load->config;
	struct names names;
	size_t most = c->nmodels;

	for (size_t i = 0; i < c->nmodels; i++)
		most += c->models[i].naliases;
	names = names_of(load, "models", most);
	for (size_t i = 0; i < c->nmodels; i++) {
		const struct model *m = &c->models[i];

		name_add(&names, m->id, m, "id");
		for (size_t j = 0; j < m->naliases; j++)
			name_add(&names, m->aliases[j], m, "aliases");
	}
	prove_unique(load, &names);
}

/* --- limits and providers ------------------------------------------------- */

static void
prove_limits(struct load *load)
{
	for (size_t i = 0; i < load->config->nlimits; i++) {
		const struct limit *l = &load->config->limits[i];

		if (l->per_client > l->slots)
			mistake_of(load, l, "limits", "per_client",
			    "must be at most slots (%u), is %u", l->slots,
			    l->per_client);
		if (l->swap == SWAP_GROUP && l->swap_wait_ms >= l->wait_ms)
			mistake_of(load, l, "limits", "swap_wait",
			    "must be less than wait (%g seconds), or a request "
			    "gives up before its turn",
			    (double)l->wait_ms / 1000);
	}
}

static bool
is_http(const char *url)
{
	return strncmp(url, "http:", 5) == 0;
}

/* A local provider with a public address in its URL would never be reached:
 * the check before connect(2) refuses it. */
static void
prove_address(struct load *load, const struct provider *p)
{
	struct net host;

	if (p->place != PLACE_LOCAL || p->host == NULL ||
	    net_parse(p->host, &host) == -1 || net_is_ours(&host))
		return;
	for (size_t i = 0; i < p->naddresses; i++)
		if (net_contains(&p->addresses[i], &host))
			return;
	mistake_of(load, p, "providers", "url",
	    net_is_private(&host)
		? "%s is in a network that is not always one's own (100.64/10, "
		  "169.254/16), but place is local; name it in addresses if "
		  "it is yours"
		: "%s is a public address, but place is local; set place = "
		  "\"external\", or name its network in addresses",
	    p->host);
}

static void
prove_url(struct load *load, const struct provider *p)
{
	if (p->kind == PROVIDER_ECHO && p->url != NULL)
		mistake_of(load, p, "providers", "url",
		    "an echo provider has none; remove it");
	if (p->kind == PROVIDER_ECHO)
		return;
	if (!origin_has(load, p, "providers", "url"))
		mistake_of(load, p, "providers", "url",
		    "is missing; give the provider's base URL");
	if (p->place == PLACE_EXTERNAL && url_is_near(p->host)) {
		if (!origin_has(load, p, "providers", "place"))
			warning_of(load, p, "providers", "place",
			    "%s is this host or a private network, but a "
			    "provider that says no place is external: write "
			    "place = \"local\"",
			    p->host);
	} else if (p->url != NULL && p->place == PLACE_EXTERNAL &&
	    is_http(p->url))
		warning_of(load, p, "providers", "url",
		    "http:// to an external provider: content and key travel "
		    "unencrypted; use https://");
	if (p->url != NULL)
		prove_url_path(load, p);
	if (p->place == PLACE_LOCAL && p->proxy != NULL)
		mistake_of(load, p, "providers", "proxy",
		    "a local provider is reached directly; remove it, or set "
		    "place = \"external\"");
	if (p->counts != COUNTS_NONE &&
	    (p->place != PLACE_LOCAL || p->kind != PROVIDER_OPENAI ||
		p->auth == AUTH_CLIENT))
		mistake_of(load, p, "providers", "counts",
		    "only a local provider of kind openai, with no key of its "
		    "clients', is asked to count; remove it");
	prove_address(load, p);
}

/* needed: an element of `keys`, which makes no sense without a key. */
static bool
prove_source(struct load *load, const struct key_source *key, bool needed)
{
	int n = (key->file != NULL) + (key->credential != NULL) +
	    (key->env != NULL);

	if (n > 1 || (n == 0 && needed))
		mistake_of(load, key, "key", NULL,
		    "give one of file, credential and env");
	return n > 0;
}

static void
prove_key(struct load *load, const struct provider *p)
{
	size_t n = p->nkeys;
	bool one = prove_source(load, &p->key_source, false);

	for (size_t i = 0; i < p->nkey_sources; i++)
		prove_source(load, &p->key_sources[i], true);
	if (p->nkey_sources > 0 && one)
		mistake_of(load, p, "providers", "keys",
		    "there is a `key`, too; move it into keys");
	if (n > 0 && p->auth == AUTH_NONE)
		mistake_of(load, p, "providers", "auth",
		    "is none, but there is a key; remove one of them");
	if (n > 0 && p->auth == AUTH_CLIENT)
		mistake_of(load, p, "providers", "auth",
		    "is client, so each client sends its own key, but there is "
		    "a key; remove one of them");
	if (p->auth == AUTH_CLIENT && p->kind != PROVIDER_OPENAI)
		mistake_of(load, p, "providers", "auth",
		    "cannot be client here: only a provider of kind openai has "
		    "clients that sign in to it");
	if (n > 0 && p->kind == PROVIDER_ECHO)
		mistake_of(load, p, "providers", "key",
		    "an echo provider has none; remove it");
	if (n == 0 && p->kind == PROVIDER_TAILGATE && p->auth != AUTH_CLIENT)
		mistake_of(load, p, "providers", "key",
		    "is missing; the other gateway trusts only a client with a "
		    "key to name its clients (`tailgate client add "
		    "--relay` there)");
}

static void
prove_headers(struct load *load, const struct provider *p)
{
	static const char *const ours[] = { "authorization", "x-api-key",
		"host", "connection", "content-length", "content-type",
		"transfer-encoding", "accept-encoding", "expect", "te",
		"trailer", "upgrade", "keep-alive", "proxy-authorization" };

	for (size_t i = 0; i < p->nheaders; i++) {
		const struct header *h = &p->headers[i];

		if (h->name == NULL)
			continue;
		if (h->name[strspn(h->name, TOKEN_CHARS)] != '\0')
			mistake_of(load, h, "headers", "name",
			    "holds a character that no header name may hold");
		if (strncasecmp(h->name, "X-Tailgate-", 11) == 0)
			mistake_of(load, h, "headers", "name",
			    "X-Tailgate-... is what gateways tell each other; "
			    "tailgate sets it itself");
		for (size_t j = 0; j < sizeof(ours) / sizeof(ours[0]); j++)
			if (strcasecmp(h->name, ours[j]) == 0)
				mistake_of(load, h, "headers", "name",
				    "tailgate sets %s itself%s", ours[j],
				    j < 2 ? "; use key" : "");
	}
}

static void
prove_ca(struct load *load, const struct provider *p)
{
	if (p->ca_file != NULL && access(p->ca_file, R_OK) == -1)
		mistake_of(load, p, "providers", "ca_file", "%s cannot be read",
		    mistake_quote(load, p->ca_file));
	if (p->ca_path != NULL && access(p->ca_path, R_OK | X_OK) == -1)
		mistake_of(load, p, "providers", "ca_path", "%s cannot be read",
		    mistake_quote(load, p->ca_path));
}

static void
prove_providers(struct load *load)
{
	for (size_t i = 0; i < load->config->nproviders; i++) {
		const struct provider *p = &load->config->providers[i];

		prove_url(load, p);
		prove_key(load, p);
		prove_headers(load, p);
		prove_ca(load, p);
		prove_wake(load, p);
		if (p->circuit.cooldown_max_ms < p->circuit.cooldown_ms)
			mistake_of(load, &p->circuit, "circuit", "cooldown_max",
			    "must be at least cooldown (%g seconds)",
			    (double)p->circuit.cooldown_ms / 1000);
	}
}

/* A name, "*.name" or "*": a name that would never match is a mistake. */
static bool
is_host_pattern(const char *text)
{
	if (strcmp(text, "*") == 0)
		return true;
	if (strncmp(text, "*.", 2) == 0)
		text += 2;
	return *text != '\0' && *text != '.' &&
	    text[strspn(text, HOST_CHARS)] == '\0';
}

static void
prove_hosts(struct load *load)
{
	const struct config *c = load->config;

	for (size_t i = 0; i < c->nhosts; i++) {
		if (!is_host_pattern(c->hosts[i]))
			mistake_of(load, c, "", "hosts",
			    "%s is not a host name; write it without scheme, "
			    "port and path",
			    mistake_quote(load, c->hosts[i]));
	}
}

static void
prove_top(struct load *load)
{
	const struct config *c = load->config;

	prove_hosts(load);
	if (c->client_address_header[strspn(
		c->client_address_header, TOKEN_CHARS)] != '\0')
		mistake_of(load, c, "", "client_address_header",
		    "holds a character that no header name may hold");
	if (c->threads != 0)
		warning_of(load, c, "", "threads",
		    "has no effect any more; `requests` says how many a "
		    "process holds");
}

void
prove(struct load *load)
{
	prove_top(load);
	prove_names(load);
	prove_model_names(load);
	prove_limits(load);
	prove_store(load);
	prove_providers(load);
	prove_models(load);
	prove_clients(load);
	prove_start(load);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Warnings of settings that are allowed but will surprise.  Only `tailgate
 * check` gives them (CONFIG_ADVISE): a gateway that starts has been checked.
 */
#include "config.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/load.h"

static void
advise_key(struct load *load, const struct provider *p)
{
	if (p->kind == PROVIDER_ECHO || p->place != PLACE_EXTERNAL ||
	    p->auth == AUTH_NONE || p->auth == AUTH_CLIENT || p->nkeys > 0 ||
	    origin_has(load, p, "providers", "key") ||
	    origin_has(load, p, "providers", "keys") || url_is_near(p->host))
		return;
	warning_of(load, p, "providers", "key",
	    "an external provider without a key will refuse every request; "
	    "write key = { file = \"%s.key\"; }, or auth = \"none\" if it "
	    "needs none, or \"client\" if each client has its own",
	    p->name != NULL ? p->name : "NAME");
}

static void
advise_wake(struct load *load, const struct provider *p)
{
	if (!p->sleeps && origin_has(load, p, "providers", "wake_wait"))
		warning_of(load, p, "providers", "wake_wait",
		    "has no effect without wake");
	if (p->wake.ncommand > 0 && *p->wake.command[0] == '/' &&
	    access(p->wake.command[0], X_OK) == -1)
		warning_of(load, &p->wake, "wake", "command",
		    "%s can't be executed by this user: %s",
		    mistake_quote(load, p->wake.command[0]), strerror(errno));
}

/* A name below a public domain, as far as one can tell without a resolver. */
static bool
looks_public(const char *host)
{
	static const char *const inner[] = { "local", "lan", "home", "internal",
		"intranet", "corp", "private", "localdomain", "localhost",
		"arpa", "test" };
	const char *dot = host == NULL ? NULL : strrchr(host, '.');
	struct net address;

	if (dot == NULL || net_parse(host, &address) == 0)
		return false;
	for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++)
		if (strcasecmp(dot + 1, inner[i]) == 0)
			return false;
	return true;
}

static void
advise_public(struct load *load, const struct provider *p)
{
	if (p->place == PLACE_LOCAL && p->naddresses == 0 &&
	    looks_public(p->host))
		warning_of(load, p, "providers", "place",
		    "is local, but %s looks public; its address is checked "
		    "before each connection, and a public one is refused: set "
		    "place = \"external\", or name its network in addresses",
		    p->host);
}

#define PRICE_AGE_MS (INT64_C(90) * 24 * 3600 * 1000)

/* Its cost would not be known, or not be right any more. */
static void
advise_price(struct load *load, const struct target *t)
{
	if (t->provider->place == PLACE_EXTERNAL && !t->price.known)
		warning_of(load, t, "targets", "price",
		    "%s at %s has no price, so its cost is not known (unless "
		    "the provider reports it)",
		    t->model, t->provider->name);
	else if (t->price.known && t->price.date > 0 &&
	    clock_wall_ms() - t->price.date > PRICE_AGE_MS)
		warning_of(load, t, "targets", "price",
		    "the price of %s at %s was looked up %d days ago; "
		    "`tailgate prices import` takes newer ones",
		    t->model, t->provider->name,
		    (int)((clock_wall_ms() - t->price.date) / 86400000));
}

static void
advise_targets(struct load *load)
{
	const struct config *c = load->config;
	bool external = false;

	for (size_t i = 0; i < c->nmodels; i++)
		for (size_t j = 0; j < c->models[i].ntargets; j++) {
			const struct target *t = &c->models[i].targets[j];

			if (t->provider == NULL || t->model == NULL)
				continue;
			external |= t->provider->place == PLACE_EXTERNAL;
			advise_price(load, t);
		}
	if (external && c->nprivates == 0)
		warning_of(load, c, "", "private",
		    "there are external targets and no private patterns: "
		    "whatever a client that may go outside sends can leave; "
		    "doc/providers.md begins with some patterns");
}

/* Is there a name that both the glob and the model's name allow? */
static bool
may_match(const char *glob, const char *name)
{
	size_t n = strlen(name), fixed = strcspn(glob, "*?[\\");

	if (n == 0 || name[n - 1] != '*')
		return fnmatch(glob, name, 0) == 0;
	return strncmp(glob, name, fixed < n - 1 ? fixed : n - 1) == 0;
}

/* Is one of the model's names among those that the glob matches? */
static bool
matches(const char *glob, const struct model *m)
{
	if (m->id != NULL && may_match(glob, m->id))
		return true;
	for (size_t i = 0; i < m->naliases; i++)
		if (may_match(glob, m->aliases[i]))
			return true;
	return false;
}

bool
config_has_match(const struct config *c, const char *glob)
{
	for (size_t i = 0; i < c->nmodels; i++)
		if (matches(glob, &c->models[i]))
			return true;
	return false;
}

/* What comes from its group is reported for the group. */
static void
advise_globs(struct load *load, const struct client *c, const char *group)
{
	if (!origin_has(load, c, group, "models"))
		return;
	for (size_t i = 0; i < c->nmodels; i++)
		if (!config_has_match(load->config, c->models[i]))
			warning_of(load, c, group, "models",
			    "%s matches no model",
			    mistake_quote(load, c->models[i]));
}

static bool
is_external(const struct model *m)
{
	for (size_t i = 0; i < m->ntargets; i++)
		if (m->targets[i].provider != NULL &&
		    m->targets[i].provider->place == PLACE_EXTERNAL)
			return true;
	return false;
}

static bool
may_use(const struct client *client, const struct model *m)
{
	for (size_t i = 0; i < client->nmodels; i++)
		if (matches(client->models[i], m))
			return true;
	return false;
}

/* Models with external targets that no client may reach: both the model and
 * the client must allow them. */
static void
advise_places(struct load *load)
{
	const struct config *c = load->config;

	for (size_t i = 0; i < c->nmodels; i++) {
		bool outside = false, used = false;

		if (!is_external(&c->models[i]))
			continue;
		for (size_t j = 0; j < c->nclients; j++)
			if (c->clients[j].place == PLACE_EXTERNAL) {
				outside = true;
				used |= may_use(&c->clients[j], &c->models[i]);
			}
		if (!used)
			warning_of(load, &c->models[i], "models", "place",
			    "is external, but no client %s; `tailgate client "
			    "set NAME --%s` allows one to",
			    outside ? "that may go outside may use it"
				    : "may go outside",
			    outside ? "models GLOB" : "place external");
	}
}

static void
advise_clients(struct load *load)
{
	const struct config *c = load->config;

	if (c->nclients > 0)
		advise_places(load);
	advise_globs(load, &c->default_client, "default_client");
	for (size_t i = 0; i < c->nclient_groups; i++)
		advise_globs(load, &c->client_groups[i], "client_groups");
	for (size_t i = 0; i < c->nclients; i++)
		advise_globs(load, &c->clients[i], "clients");
	if (c->nclients > 0)
		return;
	if (*c->clients_file == '\0')
		warning_of(load, c, "", "clients_file",
		    "is empty and there are no clients, so nobody can call; "
		    "name a file, and make one with `tailgate client add "
		    "NAME`");
	else if (access(c->clients_file, F_OK) == 0) /* else it is said */
		warning_of(load, c, "", "clients",
		    "there are none, so nobody can call; `tailgate client add "
		    "NAME` makes one");
}

/* A setting of a limit that has no effect, or the whole limit. */
static void
advise_limit(struct load *load, const struct limit *l)
{
	const struct config *c = load->config;
	bool named = false;

	for (size_t i = 0; i < c->nproviders; i++)
		named |= c->providers[i].limit == l;
	if (!named && l->name != NULL)
		warning_of(load, l, "limits", NULL,
		    "no provider names it, so it limits nothing; write limit "
		    "= \"%s\"; in the provider",
		    l->name);
	if (l->swap == SWAP_NONE && origin_has(load, l, "limits", "swap_wait"))
		warning_of(load, l, "limits", "swap_wait",
		    "has no effect without swap = \"group\"");
}

void
advise(struct load *load)
{
	const struct config *c = load->config;

	for (size_t i = 0; i < c->nlimits; i++)
		advise_limit(load, &c->limits[i]);
	for (size_t i = 0; i < c->nproviders; i++) {
		advise_key(load, &c->providers[i]);
		advise_public(load, &c->providers[i]);
		advise_wake(load, &c->providers[i]);
	}
	advise_targets(load);
	advise_clients(load);
	advise_paths(load);
}

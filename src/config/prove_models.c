/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What can be proved of the models: every target can be reached, and no
 * model whose ceiling is local leads to an external provider.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"
#include "config/load.h"

/* A name that a client can write and a log can show. */
static void
prove_id(struct load *load, const struct model *m, const char *setting,
    const char *id, bool star_ok)
{
	size_t star = strcspn(id, "*");

	if (strpbrk(id, " \t") != NULL)
		mistake_of(load, m, "models", setting,
		    "%s holds a space; no client could send it",
		    mistake_quote(load, id));
	else if (!utf8_is_seen((const unsigned char *)id, strlen(id)))
		mistake_of(load, m, "models", setting,
		    "%s holds a control character or one that is not seen, so "
		    "every request for it would be refused; only U+FE0E, "
		    "U+FE0F and U+200D are allowed, after a character that is "
		    "not ASCII",
		    mistake_quote(load, id));
	if (id[star] == '*' && (!star_ok || id[star + 1] != '\0'))
		mistake_of(load, m, "models", setting,
		    "%s: a * may only be the last character of an id",
		    mistake_quote(load, id));
}

/* The proof that the whole gateway relies on. */
static void
prove_place(struct load *load, const struct model *m, const struct target *t)
{
	if (t->provider->place <= m->place)
		return;
	if (url_is_near(t->provider->host) &&
	    !origin_has(load, t->provider, "providers", "place")) {
		mistake_of(load, t, "targets", "provider",
		    "model %s -> provider %s: the model's place is local and "
		    "the provider says none, which is external; write place = "
		    "\"local\" for the provider at %s",
		    mistake_quote(load, m->id != NULL ? m->id : ""),
		    t->provider->name != NULL ? t->provider->name : "",
		    t->provider->host);
		return;
	}
	mistake_of(load, t, "targets", "provider",
	    "model %s -> target %s -> provider %s: the model's place is %s, "
	    "the provider's is %s; take the target out, or set the model's "
	    "place = \"%s\"",
	    mistake_quote(load, m->id != NULL ? m->id : ""),
	    mistake_quote(load, t->model != NULL ? t->model : ""),
	    t->provider->name != NULL ? t->provider->name : "",
	    place_name(m->place), place_name(t->provider->place),
	    place_name(t->provider->place));
}

static void
prove_star(struct load *load, const struct model *m, const struct target *t)
{
	if (t->model == NULL || strchr(t->model, '*') == NULL)
		return;
	if (strcmp(t->model, "*") != 0)
		mistake_of(load, t, "targets", "model",
		    "a * can only be alone: it is the rest of the id");
	else if (!m->prefix)
		mistake_of(load, t, "targets", "model",
		    "* is the rest of the id, but the id does not end in *");
}

/* Without a permission to fall back, only the first target that could serve
 * a request is ever used.  Local ones come first. */
static const char *
why_unreachable(const struct model *m, size_t at, bool fallback)
{
	const struct target *t = &m->targets[at];

	for (size_t i = 0; i < m->ntargets; i++) {
		const struct target *other = &m->targets[i];

		if (i == at || other->provider == NULL || other->when.set)
			continue;
		if (other->provider == t->provider && i < at &&
		    other->model != NULL && t->model != NULL &&
		    strcmp(other->model, t->model) == 0)
			return "it is the same as one before it";
		if (fallback)
			continue;
		if (other->provider->place < t->provider->place)
			return "local targets go first, and the model has no "
			       "fallback; add one";
		if (m->select == SELECT_ORDER && i < at &&
		    other->provider->place == t->provider->place)
			return "another one goes first, and the model has no "
			       "fallback; add one, or another select";
	}
	return NULL;
}

/* May a rule look at this header?  Not at headers that identify a client. */
static void
prove_when(struct load *load, const struct when *when)
{
	static const char *const secret[] = { "authorization", "x-api-key",
		"x-tailgate-key", "cookie", "proxy-authorization" };
	const char *name = when->header.name;

	if (name == NULL && when->header.value != NULL)
		mistake_of(load, &when->header, "when_header", "name",
		    "is missing; name the header");
	if (name == NULL)
		return;
	for (const char *p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '-') {
			mistake_of(load, &when->header, "when_header", "name",
			    "may consist of letters, digits and '-'");
			return;
		}
	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		if (strcasecmp(name, secret[i]) == 0)
			mistake_of(load, &when->header, "when_header", "name",
			    "is a secret, and no rule looks at it");
}

static void
prove_target(struct load *load, const struct model *m, size_t at)
{
	const struct target *t = &m->targets[at];
	/* One that was written wrong will exist soon. */
	bool fallback = m->fallback != 0 ||
	    (load->nerrors > 0 && origin_has(load, m, "models", "fallback"));
	const char *why;

	prove_star(load, m, t);
	prove_when(load, &t->when);
	if (t->provider == NULL)
		return;
	prove_place(load, m, t);
	if ((why = why_unreachable(m, at, fallback)) != NULL)
		mistake_of(load, t, "targets", NULL,
		    "this target is never reached: %s", why);
	if (t->dialect.user == USER_KEEP &&
	    t->provider->place == PLACE_EXTERNAL)
		mistake_of(load, t, "targets", "user",
		    "keep is for local providers: Claude Code's user id holds "
		    "its device and session");
	if (t->context > 0 && t->max_output > t->context)
		mistake_of(load, t, "targets", "max_output",
		    "must be at most context (%llu)",
		    (unsigned long long)t->context);
}

void
prove_models(struct load *load)
{
	for (size_t i = 0; i < load->config->nmodels; i++) {
		const struct model *m = &load->config->models[i];

		if (m->id != NULL)
			prove_id(load, m, "id", m->id, true);
		prove_when(load, &m->when);
		for (size_t j = 0; j < m->naliases; j++)
			prove_id(load, m, "aliases", m->aliases[j], false);
		for (size_t j = 0; j < m->ntargets; j++)
			prove_target(load, m, j);
	}
	if (load->config->nmodels == 0 && load->nerrors == 0)
		warning_of(load, load->config, "", "models",
		    "there are none, so no request can be served");
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Derives what follows from a configuration: indexes, the targets' endpoints
 * and prices, and the forms that higher floors need.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "config/load.h"

#define ECHO_ENDPOINTS                                                      \
	(ENDPOINT_BIT(ENDPOINT_CHAT) | ENDPOINT_BIT(ENDPOINT_COMPLETIONS) | \
	    ENDPOINT_BIT(ENDPOINT_EMBEDDINGS))
/* "X-Forwarded-For" as a web server passes it: HTTP_X_FORWARDED_FOR. */
static const char *
cgi_name(struct load *load, const char *name)
{
	char *text;

	if (strncmp(name, "HTTP_", 5) == 0)
		return name;
	text = arena_printf(load->arena, "HTTP_%s", name);
	for (char *p = text; *p != '\0'; p++)
		*p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
	return text;
}

static bool
price_known(const struct price *price)
{
	return price->input >= 0 || price->cached >= 0 ||
	    price->cache_write >= 0 || price->cache_write_1h >= 0 ||
	    price->output >= 0 || price->reasoning >= 0 ||
	    price->character >= 0 || price->second >= 0 ||
	    price->request >= 0 || price->image >= 0;
}

/* Its own price, otherwise that of price_file. */
static void
finish_price(const struct load *load, struct target *target)
{
	target->price.known = price_known(&target->price);
	for (size_t i = 0; !target->price.known && i < load->config->nprices;
	     i++) {
		const struct listed_price *p = &load->config->prices[i];

		if (p->provider == target->provider && p->model != NULL &&
		    target->model != NULL &&
		    strcmp(p->model, target->model) == 0) {
			target->price = p->price;
			target->price.known = price_known(&p->price);
			target->price.listed = true;
		}
	}
}

/* The header's index among all headers that rules look at. */
static void
finish_header(struct load *load, struct when_header *header)
{
	struct config *c = load->config;

	for (size_t i = 0; i < c->nruled; i++)
		if (strcasecmp(c->ruled[i].name, header->name) == 0) {
			header->index = i;
			return;
		}
	if (c->nruled == CONFIG_RULED_MAX) {
		mistake_of(load, header, "when_header", "name",
		    "rules may look at %d different headers, not at more",
		    CONFIG_RULED_MAX);
		return;
	}
	header->index = c->nruled;
	c->ruled[c->nruled].name = header->name;
	c->ruled[c->nruled++].param = cgi_name(load, header->name);
}

static void
finish_when(struct load *load, struct when *when)
{
	when->set = when->max_tokens_in != 0 || when->images != TRI_UNSET ||
	    when->tools != TRI_UNSET || when->thinking != TRI_UNSET ||
	    when->endpoints != 0 || when->header.name != NULL;
	if (when->header.name == NULL)
		return;
	if (when->header.value == NULL)
		when->header.value = "*";
	finish_header(load, &when->header);
}

static void
finish_target(struct load *load, struct target *target)
{
	const struct provider *provider = target->provider;

	finish_when(load, &target->when);
	finish_price(load, target);
	if (provider == NULL || target->endpoints != 0)
		return;
	if (provider->endpoints != 0)
		target->endpoints = provider->endpoints;
	else if (provider->kind == PROVIDER_ECHO)
		target->endpoints = ECHO_ENDPOINTS;
	else if (provider->kind == PROVIDER_TAILGATE)
		target->endpoints = endpoint_all_upstream();
	else
		target->endpoints = endpoint_all_upstream() &
		    ~endpoint_all_with(ENDPOINT_NAMED);
}

/* The loader made these; they are const only after the load. */
static void
finish_models(struct load *load, struct model *models, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct model *model = &models[i];
		struct target *targets = (struct target *)model->targets;

		model->index = i;
		finish_when(load, &model->when);
		model->prefix = model->id != NULL && *model->id != '\0' &&
		    model->id[strlen(model->id) - 1] == '*';
		for (size_t j = 0; j < model->ntargets; j++)
			finish_target(load, &targets[j]);
	}
}

static void
finish_providers(struct load *load, struct provider *providers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct provider *p = &providers[i];
		const char *peer = p->proxy != NULL ? p->proxy : p->url;

		p->index = i;
		keys_make(load, p);
		finish_wake(p);
		if (p->url == NULL)
			continue;
		p->host = url_host(load->arena, p->url);
		p->peer = url_host(load->arena, peer);
		p->port = url_port(peer);
	}
}

static void
finish_clients(struct client *clients, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		clients[i].index = i;
		if (clients[i].endpoints == 0)
			clients[i].endpoints = endpoint_all_upstream();
		clients[i].endpoints |= endpoint_all_own();
	}
}

/* The host's name, if clients can use it for the gateway. */
static const char *
gateway_name(struct load *load)
{
	char name[CONFIG_NAME_MAX + 1] = "";

	if (gethostname(name, sizeof(name) - 1) == -1 || *name == '\0')
		return "localhost";
	for (char *p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '.' && *p != '_')
			*p = '-';
	return arena_strdup(load->arena, name);
}

static void
finish_privates(struct load *load, struct private_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rules[i].where =
		    origin_where(load, &rules[i], "private", "pattern");
}

void
finish(struct load *load)
{
	struct config *c = load->config;
	struct limit *limits = (struct limit *)c->limits;

	for (size_t i = 0; i < c->nlimits; i++)
		limits[i].index = i;
	finish_store(load);
	finish_providers(load, (struct provider *)c->providers, c->nproviders);
	finish_models(load, (struct model *)c->models, c->nmodels);
	finish_clients((struct client *)c->clients, c->nclients);
	config_keyed_make(c, load->arena);
	finish_privates(load, (struct private_rule *)c->privates, c->nprivates);
	c->client_address_header = cgi_name(load, c->client_address_header);
	c->requests_given = origin_has(load, c, "", "requests");
	if (c->gateway == NULL)
		c->gateway = gateway_name(load);
	if (c->ledger_file == NULL)
		c->ledger_file =
		    arena_printf(load->arena, "%s/ledger.jsonl", c->state_dir);
}

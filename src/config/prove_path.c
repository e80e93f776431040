/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Two slips in a provider's url that make every request fail although the
 * provider is reachable: an endpoint's path at its end, and a missing /v1 of a
 * server that is known by its host or port.  Warnings only: behind a proxy,
 * either may be right.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "config/endpoint.h"
#include "config/load.h"

static const struct {
	const char *host, *path;
} known_hosts[] = {
	{ "api.openai.com", "/v1" },
	{ "api.anthropic.com", "/v1" },
	{ "openrouter.ai", "/api/v1" },
	{ "api.mistral.ai", "/v1" },
	{ "api.x.ai", "/v1" },
	{ "api.groq.com", "/openai/v1" },
	{ "api.together.xyz", "/v1" },
	{ "api.moonshot.ai", "/v1" },
	{ "api.cerebras.ai", "/v1" },
	{ "api.fireworks.ai", "/inference/v1" },
	{ "generativelanguage.googleapis.com", "/v1beta/openai" },
};

/* Local servers on their usual ports. */
static const struct {
	unsigned port;
	const char *server;
} known_ports[] = {
	{ 1234, "LM Studio" },
	{ 8000, "vLLM" },
	{ 8080, "llama.cpp" },
	{ 11434, "Ollama" },
	{ 30000, "SGLang" },
};

static const char *
authority_of(const char *url)
{
	const char *p = strstr(url, "://");

	return p == NULL ? url : p + 3;
}

static unsigned
port_of(const char *authority)
{
	size_t n = strcspn(authority, "/"), at = n;

	while (at > 0 && authority[at - 1] >= '0' && authority[at - 1] <= '9')
		at--;
	if (at == 0 || at == n || authority[at - 1] != ':')
		return 0;
	return (unsigned)strtoul(authority + at, NULL, 10);
}

/* Without slashes at its end. */
static struct span
path_of(const char *authority)
{
	struct span path = span_of(authority + strcspn(authority, "/"));

	while (path.len > 0 && path.p[path.len - 1] == '/')
		path.len--;
	return path;
}

static bool
ends_in(struct span text, const char *end)
{
	size_t n = strlen(end);

	return text.len >= n && memcmp(text.p + text.len - n, end, n) == 0;
}

/* The longest endpoint's path that the URL ends in: /chat/completions ends in
 * /completions. */
static const char *
endpoint_at_end(struct span path)
{
	const char *found = NULL;

	for (int e = ENDPOINT_NONE + 1; e < ENDPOINT_COUNT; e++) {
		const char *up = endpoint_spec((enum endpoint)e)->upstream;

		if (up != NULL && ends_in(path, up) &&
		    (found == NULL || strlen(up) > strlen(found)))
			found = up;
	}
	return found == NULL && ends_in(path, "/models") ? "/models" : found;
}

static void
prove_version(
    struct load *load, const struct provider *p, const char *authority)
{
	struct span path = path_of(authority);

	for (size_t i = 0; i < sizeof(known_hosts) / sizeof(known_hosts[0]);
	     i++) {
		if (p->host != NULL &&
		    strcasecmp(p->host, known_hosts[i].host) == 0 &&
		    !ends_in(path, known_hosts[i].path)) {
			warning_of(load, p, "providers", "url",
			    "%s serves its API below %s; the url should end "
			    "in it",
			    known_hosts[i].host, known_hosts[i].path);
			return;
		}
	}
	for (size_t i = 0; i < sizeof(known_ports) / sizeof(known_ports[0]);
	     i++) {
		if (p->place == PLACE_LOCAL && path.len == 0 &&
		    port_of(authority) == known_ports[i].port) {
			warning_of(load, p, "providers", "url",
			    "%s, whose usual port this is, serves its API "
			    "below /v1; the url should end in it",
			    known_ports[i].server);
			return;
		}
	}
}

void
prove_url_path(struct load *load, const struct provider *p)
{
	const char *authority = authority_of(p->url);
	const char *endpoint = endpoint_at_end(path_of(authority));

	if (endpoint != NULL) {
		warning_of(load, p, "providers", "url",
		    "ends in an endpoint's path, which is added to it for "
		    "each request; remove %s",
		    endpoint);
		return;
	}
	prove_version(load, p, authority);
}

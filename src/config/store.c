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

void
prove_store(struct load *load)
{
	const struct store_settings *s = &load->config->store;
	const struct key_source *key = &s->link.key_source;
	int n = (key->file != NULL) + (key->credential != NULL) +
	    (key->env != NULL);

	if (s->url == NULL) {
		if (n > 0 || s->user != NULL)
			mistake_of(load, s, "store", "url",
			    "is missing: where is the store?");
		return;
	}
	if (s->prefix != NULL && strpbrk(s->prefix, "{}*? ") != NULL)
		mistake_of(load, s, "store", "prefix",
		    "must hold no space, brace, * or ?");
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

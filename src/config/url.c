/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A URL of the configuration: strict, so that the connection goes where the URL
 * says.  No credentials, no query, no fragment, no odd bytes.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "config/load.h"

#define HOST_CHARS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

/* The authority of a URL: after "://", up to the path. */
static struct span
url_authority(const char *url)
{
	const char *p = strstr(url, "://");

	if (p == NULL)
		return (struct span){ NULL, 0 };
	p += 3;
	return (struct span){ p, strcspn(p, "/?#") };
}

/* The authority's host; what follows it (":8080") in *rest. */
static struct span
authority_host(struct span authority, struct span *rest)
{
	struct span host = authority;

	if (host.len > 0 && host.p[0] == '[') {
		const char *end = memchr(host.p, ']', host.len);

		if (end == NULL)
			return (struct span){ NULL, 0 };
		host.len = (size_t)(end - host.p) + 1;
	} else {
		const char *colon = memchr(host.p, ':', host.len);

		if (colon != NULL)
			host.len = (size_t)(colon - host.p);
	}
	*rest = (struct span){ host.p + host.len, authority.len - host.len };
	return host;
}

static bool
host_ok(struct span host)
{
	char text[256];
	struct in6_addr addr;

	if (host.len == 0 || host.len >= sizeof(text))
		return false;
	memcpy(text, host.p, host.len);
	text[host.len] = '\0';
	if (text[0] != '[')
		return strspn(text, HOST_CHARS) == host.len && text[0] != '-' &&
		    text[0] != '.';
	text[host.len - 1] = '\0';
	return inet_pton(AF_INET6, text + 1, &addr) == 1;
}

static bool
port_ok(struct span rest)
{
	long port = 0;

	if (rest.len == 0)
		return true;
	if (rest.len < 2 || rest.len > 6 || rest.p[0] != ':')
		return false;
	for (size_t i = 1; i < rest.len; i++) {
		if (rest.p[i] < '0' || rest.p[i] > '9')
			return false;
		port = port * 10 + (rest.p[i] - '0');
	}
	return port >= 1 && port <= 65535;
}

const char *
url_check(const char *url, const char *schemes)
{
	struct span authority = url_authority(url), host, rest;
	char scheme[16] = "";

	for (const char *p = url; *p != '\0'; p++)
		if (*p <= 0x20 || *p >= 0x7f || strchr("\"<>\\^`{|}", *p))
			return "holds a character that no URL may hold";
	if (authority.p == NULL || authority.p - url - 3 > 15)
		return "must begin with http:// or https://";
	memcpy(scheme, url, (size_t)(authority.p - url - 3));
	if (schema_word(schemes, scheme) == -1)
		return "must begin with http:// or https://";
	if (memchr(authority.p, '@', authority.len) != NULL)
		return "must hold no user and no password; use key";
	if (strpbrk(url, "?#") != NULL)
		return "must hold no query (?) and no fragment (#)";
	host = authority_host(authority, &rest);
	if (!host_ok(host))
		return "has no valid host";
	return port_ok(rest) ? NULL : "has no valid port (1..65535)";
}

const char *
url_host(struct arena *arena, const char *url)
{
	struct span rest, host = authority_host(url_authority(url), &rest);

	if (host.len > 1 && host.p[0] == '[') {
		host.p++;
		host.len -= 2;
	}
	return arena_text(arena, host);
}

uint16_t
url_port(const char *url)
{
	struct span rest, authority = url_authority(url);
	struct span host = authority_host(authority, &rest);
	unsigned port = 0;

	if (host.p == NULL || rest.len < 2)
		return strncmp(url, "https:", 6) == 0 ? 443 : 80;
	for (size_t i = 1; i < rest.len; i++)
		port = port * 10 + (unsigned)(rest.p[i] - '0');
	return (uint16_t)port;
}

bool
url_is_near(const char *host)
{
	struct net address;
	size_t n = host == NULL ? 0 : strlen(host);

	if (n == 0)
		return false;
	if (strcasecmp(host, "localhost") == 0 ||
	    (n > 10 && strcasecmp(host + n - 10, ".localhost") == 0))
		return true;
	return net_parse(host, &address) == 0 && net_is_ours(&address);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a Host, an Origin and a Sec-Fetch-Site are read.  It runs right
 * after `identify` on a request's way.
 */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "base/net.h"
#include "base/span.h"
#include "policy/ambient.h"

/* ---- names -------------------------------------------------------------- */

static bool
same(struct span a, struct span b)
{
	return a.len == b.len && strncasecmp(a.p, b.p, a.len) == 0;
}

static bool
ends_with(struct span text, struct span end)
{
	return text.len > end.len &&
	    same((struct span){ text.p + text.len - end.len, end.len }, end);
}

/* "ai.home", "*.home.example" (names below it), "*" (any). */
static bool
matches(struct span pattern, struct span name)
{
	if (pattern.len == 1 && *pattern.p == '*')
		return true;
	if (pattern.len > 2 && memcmp(pattern.p, "*.", 2) == 0)
		return ends_with(
		    name, (struct span){ pattern.p + 1, pattern.len - 1 });
	return same(pattern, name);
}

static bool
is_listed(const char *list, struct span name)
{
	while (list != NULL && *(list += strspn(list, " ,\t")) != '\0') {
		struct span word = { list, strcspn(list, " ,\t") };

		if (matches(word, name))
			return true;
		list += word.len;
	}
	return false;
}

/* No foreign name server can make these lead here: an attacker's name is
 * never an address, nor localhost (RFC 6761, 6.3). */
static bool
is_address_or_localhost(struct span name, bool in_brackets)
{
	char text[NET_TEXT_SIZE];
	struct net address;

	if (same(name, span_of("localhost")) ||
	    ends_with(name, span_of(".localhost")))
		return true;
	if (name.len >= sizeof(text) || memchr(name.p, '/', name.len) != NULL)
		return false;
	memcpy(text, name.p, name.len);
	text[name.len] = '\0';
	return (strchr(text, ':') != NULL) == in_brackets &&
	    net_parse(text, &address) == 0;
}

/* "nas.home.example", "nas", and "nas.local" (mDNS). */
static bool
is_own_name(const char *own, struct span name)
{
	struct span whole = span_of(own), label;

	if (whole.len == 0)
		return false;
	label = (struct span){ own, strcspn(own, ".") };
	return same(name, whole) || same(name, label) ||
	    (name.len == label.len + 6 &&
		same((struct span){ name.p, label.len }, label) &&
		ends_with(name, span_of(".local")));
}

/* ---- hosts -------------------------------------------------------------- */

/* The name in "name:port" or "[address]:port", without a dot at its end;
 * length 0: not a valid Host. */
static struct span
name_of(struct span host, bool *in_brackets)
{
	struct span none = { NULL, 0 }, name = host;
	const char *end;

	*in_brackets = host.len > 0 && *host.p == '[';
	if (*in_brackets) {
		end = memchr(host.p, ']', host.len);
		if (end == NULL)
			return none;
		name = (struct span){ host.p + 1, (size_t)(end - host.p - 1) };
		end++;
	} else {
		end = memchr(host.p, ':', host.len);
		if (end == NULL)
			end = host.p + host.len;
		name.len = (size_t)(end - host.p);
	}
	for (const char *p = end; p < host.p + host.len; p++) {
		if (p == end ? *p != ':' : *p < '0' || *p > '9')
			return none;
	}
	if (name.len > 1 && name.p[name.len - 1] == '.')
		name.len--;
	return name;
}

static bool
host_is_ours(const struct config *config, const struct ambient *a)
{
	bool in_brackets;
	struct span name;

	if (a->host == NULL)
		return false;
	name = name_of(span_of(a->host), &in_brackets);
	if (name.len == 0)
		return false;
	if (is_address_or_localhost(name, in_brackets) ||
	    is_own_name(a->own_name, name) || is_listed(a->mount, name))
		return true;
	for (size_t i = 0; i < config->nhosts; i++) {
		if (matches(span_of(config->hosts[i]), name))
			return true;
	}
	return false;
}

/* ---- pages -------------------------------------------------------------- */

/* "*" is meant only for pages that send a key. */
static bool
origin_is_listed(const struct config *config, const char *origin)
{
	for (size_t i = 0; origin != NULL && i < config->ncors_origins; i++) {
		if (strcmp(config->cors_origins[i], "*") != 0 &&
		    strcmp(config->cors_origins[i], origin) == 0)
			return true;
	}
	return false;
}

static struct span
without(struct span host, const char *port)
{
	struct span end = span_of(port);

	if (ends_with(host, end))
		host.len -= end.len;
	return host;
}

/* Does the page have the origin of the gateway?  The default port may be
 * given or not. */
static bool
origin_is_host(const char *origin, const char *host)
{
	if (strncmp(origin, "http://", 7) == 0)
		return same(without(span_of(origin + 7), ":80"),
		    without(span_of(host), ":80"));
	if (strncmp(origin, "https://", 8) == 0)
		return same(without(span_of(origin + 8), ":443"),
		    without(span_of(host), ":443"));
	return false;
}

static bool
page_is_ours(const struct config *config, const struct ambient *a)
{
	if (origin_is_listed(config, a->origin))
		return true;
	/* A browser lets no page set this header; "none" means that a person
	 * asked. */
	if (a->site != NULL)
		return strcmp(a->site, "same-origin") == 0 ||
		    strcmp(a->site, "none") == 0;
	return a->origin == NULL || origin_is_host(a->origin, a->host);
}

enum refusal
ambient_check(const struct config *config, const struct ambient *a)
{
	if (!host_is_ours(config, a))
		return REFUSE_HOST;
	return page_is_ours(config, a) ? REFUSE_NONE : REFUSE_ORIGIN;
}

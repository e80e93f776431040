/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Whose request it is: each kind of Host, Origin and Sec-Fetch-Site, and the
 * combinations that browsers and programs send.
 */
#include "config.h"

#include "check.h"
#include "policy/ambient.h"

static const char *const hosts[] = { "ai.home", "*.home.example" };
static const char *const origins[] = { "*", "https://chat.home", "app://desk" };

static const struct config config = {
	.hosts = hosts, .nhosts = 2, .cors_origins = origins, .ncors_origins = 3
};

static const struct {
	const char *host;
	bool ours;
} names[] = {
	{ "127.0.0.1", true },
	{ "127.0.0.1:8080", true },
	{ "192.168.1.5:80", true },
	{ "203.0.113.7", true },
	{ "[::1]", true },
	{ "[fd00::1]:8080", true },
	{ "localhost", true },
	{ "LocalHost:8080", true },
	{ "localhost.", true },
	{ "a.localhost:1", true },
	{ "ai.home", true },
	{ "AI.home:8443", true },
	{ "ai.home.:80", true },
	{ "a.home.example", true },
	{ "a.b.home.example", true },
	{ "gw.mount", true },
	{ "www.gw.mount:81", true },
	{ "nas", true },
	{ "nas:8080", true },
	{ "NAS.local", true },
	{ "nas.lan.example", true },

	{ NULL, false },
	{ "", false },
	{ ",", false },
	{ "evil.example", false },
	{ "evil.example:8080", false },
	{ "ai.home.evil.example", false },
	{ "evilai.home", false },
	{ "home.example", false },
	{ "xhome.example", false },
	{ "localhost.evil.example", false },
	{ "evillocalhost", false },
	{ ".localhost.evil", false },
	{ "127.0.0.1.evil.example", false },
	{ "127.0.0.1/8", false },
	{ "2130706433", false },
	{ "::1", false },
	{ "[127.0.0.1]", false },
	{ "[::1", false },
	{ "[::1]x", false },
	{ "[evil.example]", false },
	{ "ai.home@evil.example", false },
	{ "ai.home:80@evil.example", false },
	{ "ai.home evil.example", false },
	{ "nas.evil", false },
	{ "nas.local.evil", false },
	{ "xnas.local", false },
	{ ":80", false },
};

static void
test_hosts(void)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct ambient a = { .host = names[i].host,
			.mount = "gw.mount, *.gw.mount",
			.own_name = "nas.lan.example" };

		CHECK(ambient_check(&config, &a) ==
			(names[i].ours ? REFUSE_NONE : REFUSE_HOST),
		    "host \"%s\"",
		    names[i].host == NULL ? "(none)" : names[i].host);
	}
}

static const struct {
	const char *host, *origin, *site;
	bool ours;
} pages[] = {
	/* From programs. */
	{ "ai.home", NULL, NULL, true },
	/* Typed by a person, or from a bookmark. */
	{ "ai.home", NULL, "none", true },
	/* From our own status page, by GET and by POST. */
	{ "ai.home", NULL, "same-origin", true },
	{ "ai.home", "http://ai.home", "same-origin", true },
	{ "ai.home", "http://ai.home", NULL, true },
	{ "ai.home:80", "http://ai.home", NULL, true },
	{ "ai.home", "https://ai.home:443", NULL, true },
	{ "ai.home:8080", "http://AI.home:8080", NULL, true },
	/* Behind a proxy that writes a Host of its own. */
	{ "127.0.0.1:8080", "https://ai.home", "same-origin", true },
	/* From pages that the operator has named. */
	{ "ai.home", "https://chat.home", NULL, true },
	{ "ai.home", "https://chat.home", "cross-site", true },
	{ "ai.home", "https://chat.home", "same-site", true },
	{ "ai.home", "app://desk", "cross-site", true },

	/* From a foreign page: fetch, form, image, link. */
	{ "ai.home", "https://evil.example", "cross-site", false },
	{ "ai.home", "https://evil.example", NULL, false },
	{ "ai.home", NULL, "cross-site", false },
	{ "ai.home", "null", NULL, false },
	{ "ai.home", "null", "cross-site", false },
	{ "ai.home", "", NULL, false },
	{ "ai.home", "*", NULL, false },
	{ "ai.home", ",", NULL, false },
	/* From another service on the same host or the same site. */
	{ "ai.home", "http://ai.home:3000", NULL, false },
	{ "localhost:8080", "http://localhost:3000", "same-site", false },
	{ "localhost:8080", "http://localhost", NULL, false },
	{ "ai.home", NULL, "same-site", false },
	{ "ai.home:443", "http://ai.home", NULL, false },
	{ "ai.home", "http://ai.home.evil.example", NULL, false },
	{ "ai.home", "ftp://ai.home", NULL, false },
	/* Unknown values are treated as foreign. */
	{ "ai.home", NULL, ",", false },
	{ "ai.home", NULL, "", false },
	{ "ai.home", NULL, "Same-Origin", false },
};

static void
test_pages(void)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		struct ambient a = { .host = pages[i].host,
			.origin = pages[i].origin,
			.site = pages[i].site };

		CHECK(ambient_check(&config, &a) ==
			(pages[i].ours ? REFUSE_NONE : REFUSE_ORIGIN),
		    "%s from %s, %s", pages[i].host,
		    pages[i].origin == NULL ? "no page" : pages[i].origin,
		    pages[i].site == NULL ? "no site" : pages[i].site);
	}
}

int
main(void)
{
	static const char *const any[] = { "*" };
	const struct config open = { .hosts = any, .nhosts = 1 };
	struct ambient a = { .host = "evil.example" };

	test_hosts();
	test_pages();
	CHECK(ambient_check(&open, &a) == REFUSE_NONE, "any name");
	a.origin = "http://other.example";
	CHECK(ambient_check(&open, &a) == REFUSE_ORIGIN, "and no other page");
	return check_done();
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides where the addresses come from: from the resolver that the gateway
 * itself uses, and for the name servers from /etc/resolv.conf.
 */
#include "config.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/net.h"
#include "ctl/allow.h"

#define TEXT_MAX (1024 * 1024)
#define RESOLV_CONF "/etc/resolv.conf"

static void
put_address(struct buf *b, const struct net *net)
{
	char text[NET_TEXT_SIZE];

	net_text(net, text);
	buf_printf(b, "IPAddressAllow=%s\n", text);
}

/* The gateway refuses to connect to a local provider at another address
 * (place_check). */
static bool
may_be(const struct provider *p, const struct net *address)
{
	bool ours = p->place == PLACE_EXTERNAL || net_is_ours(address);

	for (size_t i = 0; i < p->naddresses && !ours; i++)
		ours = net_contains(&p->addresses[i], address);
	return ours;
}

/* -1 with one line in err if it has none that is permitted. */
static int
put_provider(struct buf *b, const struct config *c, const struct provider *p,
    bool *named, FILE *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	int rc = getaddrinfo(p->peer, NULL, &hints, &list);
	unsigned n = 0;
	struct net net;

	if (net_parse(p->peer, &net) == -1)
		*named = true;
	buf_printf(b, "# %s: %s, port %u\n", p->name, p->peer, p->port);
	for (struct addrinfo *a = list; rc == 0 && a != NULL; a = a->ai_next)
		if (net_from_sockaddr(a->ai_addr, &net) == 0 &&
		    may_be(p, &net)) {
			put_address(b, &net);
			n++;
		}
	if (list != NULL)
		freeaddrinfo(list);
	if (p->wake.mac != NULL && net_parse(p->wake.address, &net) == 0)
		put_address(b, &net);
	if (n > 0)
		return 0;
	fprintf(err, "%s: providers[%zu]: %s: %s\n", c->path, p->index, p->peer,
	    rc != 0 ? gai_strerror(rc)
		    : "none of its addresses is permitted for a local "
		      "provider; see `addresses`");
	return -1;
}

/* The name servers of resolv.conf(5); if it has none, this host. */
static void
put_name_servers(struct buf *b)
{
	FILE *f = fopen(RESOLV_CONF, "re");
	char line[1024], *word, *rest;
	unsigned n = 0;
	struct net net;

	buf_puts(b, "# name servers of " RESOLV_CONF "\n");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		rest = line;
		word = strsep(&rest, " \t\n");
		if (strcmp(word, "nameserver") != 0 || rest == NULL)
			continue;
		rest += strspn(rest, " \t");
		rest[strcspn(rest, " \t\n%")] = '\0';
		if (net_parse(rest, &net) == 0) {
			put_address(b, &net);
			n++;
		}
	}
	if (f != NULL)
		fclose(f);
	if (n == 0)
		buf_puts(b, "IPAddressAllow=localhost\n");
}

int
allow_print(const struct config *c, FILE *out, FILE *err)
{
	char now[CLOCK_TEXT_SIZE];
	bool named = false;
	struct buf b;
	int rc = 0;

	buf_init(&b, TEXT_MAX);
	for (size_t i = 0; i < c->nproviders; i++)
		if (c->providers[i].peer != NULL &&
		    put_provider(&b, c, &c->providers[i], &named, err) == -1)
			rc = -1;
	if (named)
		put_name_servers(&b);
	if (rc == 0 && buf_failed(&b)) {
		fprintf(err, "%s: too many providers\n", c->path);
		rc = -1;
	}
	clock_text(clock_wall_ms(), now);
	if (rc == 0)
		fprintf(out,
		    "# Made by `tailgate check --systemd-allow` at %s from\n"
		    "# %s.  A name may have other addresses tomorrow, which\n"
		    "# are then refused: make this again, and after each "
		    "change of a provider.\n"
		    "[Service]\nIPAddressDeny=any\n%s",
		    now, c->path, b.p == NULL ? "" : b.p);
	buf_free(&b);
	return rc;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The node of a cluster that has our names.  A cluster divides names over its
 * nodes by hash slots.  If the prefix is one hash tag, such as "{tailgate}",
 * all our names are in one slot, and so on one node.  The connection for calls
 * goes to that node.  Messages reach all nodes, so they may come from any node.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fleet/store_internal.h"

/* Nodes that send us in circles are not followed further. */
#define MOVES_MAX 4

bool
store_is_moved(const char *error)
{
	return strncmp(error, "MOVED ", 6) == 0;
}

/* Is the whole prefix in one hash tag? */
static bool
has_tag(const struct store *s)
{
	return strchr(s->settings->prefix, '{') != NULL;
}

/* "MOVED SLOT HOST:PORT"; an IPv6 address has no brackets, an empty HOST is the
 * one that was asked. */
static bool
read_node(const struct store *s, const char *error, char *out, size_t size)
{
	const char *host = strchr(error + 6, ' ');
	const char *port = strrchr(error, ':');
	size_t len;

	if (host == NULL || port == NULL || port <= host)
		return false;
	len = (size_t)(port - ++host);
	if (len >= size ||
	    strspn(host,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789.:-_") < len ||
	    atoi(port + 1) != s->settings->link.port)
		return false;
	if (len > 0)
		snprintf(out, size, "%.*s", (int)len, host);
	else
		strlcpy(out, store_node(s)->host, size);
	return true;
}

static void
set_node(struct store *s, const char *host)
{
	const struct provider *link = &s->settings->link;
	bool is_ipv6 = strchr(host, ':') != NULL;

	if (strcmp(s->node_host, host) != 0)
		log_info("store: the cluster's node is %s", host);
	strlcpy(s->node_host, host, sizeof(s->node_host));
	snprintf(s->node_url, sizeof(s->node_url), "%s://%s%s%s:%d",
	    strncmp(link->url, "https", 5) == 0 ? "https" : "http",
	    is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", link->port);
	s->node = *link;
	s->node.url = s->node_url;
	s->node.host = s->node.peer = s->node_host;
	s->has_node = true;
}

bool
store_move(struct store *s, const char *error)
{
	char text[160], host[sizeof(s->node_host)];

	log_escape(error, strlen(error), text, sizeof(text));
	if (!has_tag(s)) {
		store_failed(s,
		    "a cluster of several nodes; all names must be on one: "
		    "write store.prefix = \"{%s}\" on all hosts",
		    s->settings->prefix);
		return false;
	}
	if (s->settings->path != NULL ||
	    !read_node(s, error, host, sizeof(host))) {
		store_failed(s,
		    "%s: store.url must be a TCP address, and all nodes of the "
		    "cluster on its port",
		    text);
		return false;
	}
	if (++s->nmoves > MOVES_MAX) {
		store_failed(s, "%s: the cluster's nodes do not agree", text);
		s->nmoves = 0;
		return false;
	}
	set_node(s, host);
	return true;
}

const struct provider *
store_node(const struct store *s)
{
	return s->has_node ? &s->node : &s->settings->link;
}

void
store_leave_node(struct store *s)
{
	s->has_node = false;
	s->nmoves = 0;
}

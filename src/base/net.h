/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Internet addresses and networks (CIDR), IPv4 and IPv6.
 * An IPv4-mapped IPv6 address (::ffff:10.0.0.1) counts as the IPv4 one.
 */
#ifndef BASE_NET_H
#define BASE_NET_H

#include <stdbool.h>
#include <sys/socket.h>

struct net {
	unsigned char addr[16];	/* IPv4 as ::ffff:a.b.c.d */
	unsigned prefix;	/* bits of the 16 bytes that count */
};

/* "10.0.0.0/8", "fd00::/8", or one address.  -1 with EINVAL, also if bits
 * after the prefix are set. */
int net_parse(const char *text, struct net *out);
bool net_contains(const struct net *, const struct net *address);
/* From a socket address; -1 for another family than INET and INET6. */
int net_from_sockaddr(const struct sockaddr *, struct net *out);

/* Loopback, RFC 1918, IPv6 link-local, ULA: "this host or the owner's private
 * network" when nothing else is configured. */
bool net_is_ours(const struct net *address);
/* Those, and addresses that are not public but need not be the owner's:
 * 100.64/10 (of a carrier, or of a mesh VPN), 169.254/16 (where clouds keep
 * credentials). */
bool net_is_private(const struct net *address);

/* "10.0.0.0/8" or "10.1.2.3"; out has NET_TEXT_SIZE. */
#define NET_TEXT_SIZE 56
void net_text(const struct net *, char out[NET_TEXT_SIZE]);

#endif

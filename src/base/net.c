/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Addresses and networks, all as 16 bytes: one comparison serves both families.
 * They tell who is calling, which proxy is trusted, and whether a provider's
 * name leads into this network or out of it.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/net.h"

#define NET_BITS 128
#define NET_BITS4 96 /* of ::ffff:0:0/96 */

static const unsigned char net_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0xff, 0xff };

static bool
net_is_v4(const struct net *net)
{
	return net->prefix >= NET_BITS4 &&
	    memcmp(net->addr, net_mapped, sizeof(net_mapped)) == 0;
}

static void
net_from_v4(const void *addr, struct net *out)
{
	memcpy(out->addr, net_mapped, sizeof(net_mapped));
	memcpy(out->addr + sizeof(net_mapped), addr, 4);
	out->prefix = NET_BITS;
}

/* Are the first bits the same? */
static bool
net_same(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	if (memcmp(a, b, bytes) != 0)
		return false;
	return rest == 0 || ((a[bytes] ^ b[bytes]) >> (8 - rest)) == 0;
}

static bool
net_host_bits(const struct net *net)
{
	for (unsigned i = net->prefix; i < NET_BITS; i++)
		if ((net->addr[i / 8] >> (7 - i % 8)) & 1)
			return true;
	return false;
}

/* "24" to at most max; -1 for anything else. */
static int
net_parse_prefix(const char *text, unsigned max)
{
	const char *error;
	long long n;

	if (*text < '0' || *text > '9' || (*text == '0' && text[1] != '\0'))
		return -1;
	n = strtonum(text, 0, max, &error);
	return error == NULL ? (int)n : -1;
}

int
net_parse(const char *text, struct net *out)
{
	char addr[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t len =
	    slash == NULL ? strcspn(text, "%") : (size_t)(slash - text);
	unsigned char v4[4];
	unsigned base = 0;
	int bits = NET_BITS;

	if (len >= sizeof(addr))
		goto bad;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (inet_pton(AF_INET, addr, v4) == 1) {
		net_from_v4(v4, out);
		base = NET_BITS4;
		bits = NET_BITS - NET_BITS4;
		if (text[len] == '%')
			goto bad;
	} else if (inet_pton(AF_INET6, addr, out->addr) != 1)
		goto bad;
	if (slash != NULL &&
	    (bits = net_parse_prefix(slash + 1, (unsigned)bits)) == -1)
		goto bad;
	out->prefix = base + (unsigned)bits;
	if (!net_host_bits(out))
		return 0;
bad:
	errno = EINVAL;
	return -1;
}

bool
net_contains(const struct net *net, const struct net *address)
{
	return address->prefix >= net->prefix &&
	    net_is_v4(net) == net_is_v4(address) &&
	    net_same(net->addr, address->addr, net->prefix);
}

int
net_from_sockaddr(const struct sockaddr *sa, struct net *out)
{
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in sin;

		memcpy(&sin, sa, sizeof(sin));
		net_from_v4(&sin.sin_addr, out);
		return 0;
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 sin6;

		memcpy(&sin6, sa, sizeof(sin6));
		memcpy(out->addr, &sin6.sin6_addr, sizeof(out->addr));
		out->prefix = NET_BITS;
		return 0;
	}
	return -1;
}

static bool
is_in(const struct net *nets, size_t n, const struct net *address)
{
	for (size_t i = 0; i < n; i++)
		if (net_contains(&nets[i], address))
			return true;
	return false;
}

#define V4(a, b)                                               \
	{                                                      \
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b \
	}
bool
net_is_ours(const struct net *address)
{
	static const struct net nets[] = {
		{ V4(127, 0), NET_BITS4 + 8 },
		{ V4(10, 0), NET_BITS4 + 8 },
		{ V4(172, 16), NET_BITS4 + 12 },
		{ V4(192, 168), NET_BITS4 + 16 },
		{ { [15] = 1 }, NET_BITS },
		{ { 0xfe, 0x80 }, 10 },
		{ { 0xfc }, 7 },
	};

	return is_in(nets, sizeof(nets) / sizeof(nets[0]), address);
}

bool
net_is_private(const struct net *address)
{
	static const struct net more[] = {
		{ V4(100, 64), NET_BITS4 + 10 },
		{ V4(169, 254), NET_BITS4 + 16 },
	};

	return net_is_ours(address) ||
	    is_in(more, sizeof(more) / sizeof(more[0]), address);
}
#undef V4

void
net_text(const struct net *net, char out[NET_TEXT_SIZE])
{
	char addr[INET6_ADDRSTRLEN];
	bool v4 = net_is_v4(net);

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? net->addr + 12 : net->addr,
	    addr, sizeof(addr));
	if (net->prefix == NET_BITS)
		snprintf(out, NET_TEXT_SIZE, "%s", addr);
	else
		snprintf(out, NET_TEXT_SIZE, "%s/%u", addr,
		    v4 ? net->prefix - NET_BITS4 : net->prefix);
}

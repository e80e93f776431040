/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides FreeBSD's table of connections: the sysctl net.inet.tcp.pcblist, which
 * netstat(1) reads.  It is always read whole: there is no question for one
 * connection that says its state.
 *
 * Written from FreeBSD's headers and netstat's source; the test runs it with
 * headers and a table of its own (tests/unit/peer_freebsd_test.c), never yet a
 * kernel.  A connection that was accepted belongs to whoever made the
 * listening socket, so a web server that gives up its rights after that and
 * does not say SERVER_ADDR is not found by its user.
 */
#include "config.h"

#if defined(__FreeBSD__) || defined(TEST_FREEBSD)

#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Each needs those before it, and of what they declare only this is used. */
#include <sys/sysctl.h>
#include <sys/socketvar.h>
#include <netinet/in_pcb.h>
#include <netinet/tcp.h>
#include <netinet/tcp_fsm.h>
#include <netinet/tcp_var.h>

#include "wire/peer_table.h"

#define TABLE "net.inet.tcp.pcblist"
#define GROW_BYTES 4096 /* for connections that begin meanwhile */

/* A descriptor that stands for the table, which has none. */
int
peer_table_open(void)
{
	size_t len = 0;

	if (sysctlbyname(TABLE, NULL, &len, NULL, 0) == -1)
		return -1;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* The caller frees it; NULL: it is not to be had. */
static char *
read_table(size_t *len)
{
	char *table;

	if (sysctlbyname(TABLE, NULL, len, NULL, 0) == -1)
		return NULL;
	*len += GROW_BYTES;
	if ((table = malloc(*len)) == NULL)
		return NULL;
	if (sysctlbyname(TABLE, table, len, NULL, 0) == -1) {
		free(table);
		return NULL;
	}
	return table;
}

static enum peer_state
state_of(int tcp_state)
{
	switch (tcp_state) {
	case TCPS_SYN_RECEIVED:
	case TCPS_ESTABLISHED:
		return PEER_OPEN;
	default:
		return PEER_CLOSED;
	}
}

/* The kernel keeps the interface of a link-local address within it. */
static void
take_end(struct peer_end *end, const struct in_addr *v4,
    const struct in6_addr *v6, bool is_v4, in_port_t port, unsigned *scope)
{
	struct in6_addr address;

	if (is_v4) {
		memset(&address, 0, sizeof(address));
		memset(address.s6_addr + 10, 0xff, 2);
		memcpy(address.s6_addr + 12, v4, 4);
	} else
		address = *v6;
	if (!is_v4 && IN6_IS_ADDR_LINKLOCAL(&address)) {
		*scope = (unsigned)address.s6_addr[2] << 8 | address.s6_addr[3];
		address.s6_addr[2] = address.s6_addr[3] = 0;
	}
	memcpy(end->net.addr, &address, sizeof(end->net.addr));
	end->net.prefix = 8 * sizeof(end->net.addr);
	end->port = ntohs(port);
}

/* One connection of the table.  False: it is none. */
static bool
take_connection(const struct xtcpcb *row, struct peer_ask *out)
{
	const struct xinpcb *in = &row->xt_inp;
	bool is_v4 = (in->inp_vflag & INP_IPV4) != 0;

	if (row->t_state == TCPS_LISTEN || row->t_state == TCPS_CLOSED ||
	    (in->inp_vflag & (INP_IPV4 | INP_IPV6)) == 0)
		return false;
	memset(out, 0, sizeof(*out));
	take_end(&out->there, &in->inp_faddr, &in->in6p_faddr, is_v4,
	    in->inp_fport, &out->scope);
	take_end(&out->here, &in->inp_laddr, &in->in6p_laddr, is_v4,
	    in->inp_lport, &out->scope);
	out->state = state_of(row->t_state);
	out->cookie = in->inp_gencnt;
	out->uid = in->xi_socket.so_uid;
	return true;
}

static bool
same_end(const struct peer_end *a, const struct peer_end *b)
{
	return a->port == b->port &&
	    memcmp(a->net.addr, b->net.addr, sizeof(a->net.addr)) == 0;
}

/* Hands each connection to take.  False: there is no table. */
static bool
walk(void (*take)(void *ctx, const struct peer_ask *), void *ctx)
{
	size_t len, at, size;
	char *table = read_table(&len);
	struct xinpgen head;
	struct xtcpcb row;
	struct peer_ask found;

	if (table == NULL)
		return false;
	if (len < sizeof(head)) {
		free(table);
		return false;
	}
	memcpy(&head, table, sizeof(head));
	/* It ends with another head. */
	for (at = head.xig_len; at + sizeof(head) < len; at += size) {
		struct xinpgen next;

		memcpy(&next, table + at, sizeof(next));
		size = next.xig_len;
		if (size <= sizeof(head) || size > len - at)
			break;
		if (size < sizeof(row))
			continue;
		memcpy(&row, table + at, sizeof(row));
		if (row.xt_inp.inp_gencnt <= head.xig_gen &&
		    take_connection(&row, &found))
			take(ctx, &found);
	}
	free(table);
	return true;
}

struct batch {
	struct peer_ask *asks;
	size_t n;
	uid_t uid;
};

static void
answer_ask(void *ctx, const struct peer_ask *found)
{
	struct batch *b = ctx;

	for (size_t i = 0; i < b->n; i++) {
		struct peer_ask *ask = &b->asks[i];

		if (!same_end(&ask->there, &found->there) ||
		    !same_end(&ask->here, &found->here) ||
		    (ask->scope != 0 && ask->scope != found->scope))
			continue;
		ask->state = found->state;
		ask->cookie = found->cookie;
		ask->uid = found->uid;
	}
}

void
peer_table_ask(int fd, struct peer_ask *asks, size_t n)
{
	struct batch b = { asks, n, 0 };

	(void)fd;
	for (size_t i = 0; i < n; i++)
		asks[i].state = PEER_ABSENT;
	if (walk(answer_ask, &b))
		return;
	for (size_t i = 0; i < n; i++)
		asks[i].state = PEER_UNKNOWN;
}

/* Two matches count as none: either may be the client's. */
static void
answer_find(void *ctx, const struct peer_ask *found)
{
	struct batch *b = ctx;

	if (found->uid != b->uid)
		return;
	for (size_t i = 0; i < b->n; i++) {
		struct peer_ask *ask = &b->asks[i];
		bool again = ask->here.port != 0;

		if (!same_end(&ask->there, &found->there))
			continue;
		*ask = *found;
		if (again)
			ask->state = PEER_ABSENT;
	}
}

void
peer_table_find(int fd, struct peer_ask *asks, size_t n, uid_t uid)
{
	struct batch b = { asks, n, uid };

	(void)fd;
	for (size_t i = 0; i < n; i++) {
		asks[i].state = PEER_ABSENT;
		asks[i].here.port = 0;
	}
	(void)walk(answer_find, &b);
}

#endif

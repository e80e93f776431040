/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides Linux's netlink: which messages ask the kernel for a connection, and
 * what its responses say.  Beside a request's way: peer.c asks while requests
 * wait.
 *
 * The kernel answers inside send(2), so all responses are there when it
 * returns; what is not there then has been dropped and stays unknown.
 */
#include "config.h"

#include <errno.h>

#include "base/scratch.h"
#include "wire/peer_table.h"

#ifdef HAVE_LINUX_INET_DIAG_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* After the above: it needs sockaddr_storage's types. */
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#define V4_OFFSET 12 /* of an IPv4 address in its mapped form */
/* A child of a listening socket that has not been accepted (TCP fast open
 * serves even these); tcp.h does not name it. */
#define NEW_SYN_RECV 12
#define BIT(state) (1u << (state))

struct question {
	struct nlmsghdr head;
	struct inet_diag_req_v2 request;
};
_Static_assert(PEER_TABLE_BATCH * sizeof(struct question) <= SCRATCH_BYTES,
    "a batch fits into a piece of scratch memory");

int
peer_table_open(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    NETLINK_SOCK_DIAG);
}

/* The first of n that no question had before. */
static __u32
take_sequence(__u32 n)
{
	static _Atomic __u32 next;

	return atomic_fetch_add(&next, n);
}

/* ---- one message ------------------------------------------------------ */

static bool
is_v4(const struct net *net)
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)net->addr);
}

static void
put_address(__be32 to[4], const struct net *net, bool v4)
{
	if (v4)
		memcpy(to, net->addr + V4_OFFSET, 4);
	else
		memcpy(to, net->addr, 16);
}

/* An IPv4 question finds the connections of IPv6 sockets that are mapped. */
static void
make_question(struct question *q, const struct peer_ask *ask, __u32 sequence)
{
	struct inet_diag_sockid *id = &q->request.id;
	bool v4 = is_v4(&ask->there.net);

	memset(q, 0, sizeof(*q));
	q->head.nlmsg_len = sizeof(*q);
	q->head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	q->head.nlmsg_flags = NLM_F_REQUEST;
	q->head.nlmsg_seq = sequence;
	q->request.sdiag_family = v4 ? AF_INET : AF_INET6;
	q->request.sdiag_protocol = IPPROTO_TCP;
	q->request.idiag_states = ~0u;
	id->idiag_sport = htons(ask->here.port);
	id->idiag_dport = htons(ask->there.port);
	put_address(id->idiag_src, &ask->here.net, v4);
	put_address(id->idiag_dst, &ask->there.net, v4);
	id->idiag_if = ask->scope;
	id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

/* Without a connection the kernel reports the listening socket. */
static enum peer_state
state_of(unsigned tcp_state)
{
	switch (tcp_state) {
	case TCP_LISTEN:
		return PEER_ABSENT;
	case TCP_ESTABLISHED:
	case TCP_SYN_RECV:
	case NEW_SYN_RECV:
		return PEER_OPEN;
	default:
		return PEER_CLOSED;
	}
}

static void
take_reply(struct peer_ask *ask, const struct inet_diag_msg *m)
{
	ask->state = state_of(m->idiag_state);
	ask->uid = m->idiag_uid;
	memcpy(&ask->cookie, m->id.idiag_cookie, sizeof(ask->cookie));
}

static bool
has_body(const struct nlmsghdr *head, size_t size)
{
	return head->nlmsg_len >= NLMSG_LENGTH(size);
}

/* ---- by both ends ----------------------------------------------------- */

struct batch {
	struct peer_ask *asks;
	size_t n, seen;
	__u32 sequence; /* of the first */
};

static void
take_message(struct batch *b, const struct nlmsghdr *head)
{
	const struct nlmsgerr *error = NLMSG_DATA(head);
	__u32 i = head->nlmsg_seq - b->sequence;
	struct peer_ask *ask;

	if (i >= b->n)
		return; /* to an earlier question */
	b->seen++;
	ask = &b->asks[i];
	if (head->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
	    has_body(head, sizeof(struct inet_diag_msg)))
		take_reply(ask, NLMSG_DATA(head));
	else if (head->nlmsg_type == NLMSG_ERROR &&
	    has_body(head, sizeof(*error)) && error->error == -ENOENT)
		ask->state = PEER_ABSENT;
}

/* Hands each message of one recv(2) to take.  False: there was none. */
static bool
receive(int fd, bool (*take)(void *, const struct nlmsghdr *), void *ctx)
{
	char *bytes = scratch_take();
	ssize_t n = recv(fd, bytes, SCRATCH_BYTES, 0);
	struct nlmsghdr *head = (struct nlmsghdr *)bytes;
	bool more = n > 0;

	for (; n > 0 && NLMSG_OK(head, (size_t)n); head = NLMSG_NEXT(head, n))
		more = take(ctx, head) && more;
	scratch_give(bytes);
	return more;
}

static bool
on_reply(void *ctx, const struct nlmsghdr *head)
{
	struct batch *b = ctx;

	take_message(b, head);
	return b->seen < b->n;
}

void
peer_table_ask(int fd, struct peer_ask *asks, size_t n)
{
	struct question *questions = (struct question *)scratch_take();
	struct batch batch = { asks, n, 0, take_sequence((__u32)n) };
	bool sent;

	for (size_t i = 0; i < n; i++) {
		asks[i].state = PEER_UNKNOWN;
		make_question(
		    &questions[i], &asks[i], batch.sequence + (__u32)i);
	}
	sent = send(fd, questions, n * sizeof(questions[0]), 0) != -1;
	scratch_give((char *)questions);
	while (sent && receive(fd, on_reply, &batch))
		;
}

/* ---- by the other end ------------------------------------------------- */

struct search {
	struct peer_ask *asks;
	size_t n;
	uid_t uid;
	__u32 sequence;
	bool done;
};

static void
get_address(struct net *net, const __be32 from[4], bool v4)
{
	struct in6_addr address;

	if (v4) {
		memset(&address, 0, sizeof(address));
		memset(address.s6_addr + 10, 0xff, 2);
		memcpy(address.s6_addr + V4_OFFSET, from, 4);
	} else
		memcpy(&address, from, sizeof(address));
	memcpy(net->addr, &address, sizeof(net->addr));
	net->prefix = 8 * sizeof(net->addr);
}

/* Two matches count as none: either may be the client's. */
static void
take_found(struct peer_ask *ask, const struct inet_diag_msg *m)
{
	bool again = ask->here.port != 0;

	take_reply(ask, m);
	ask->here.port = ntohs(m->id.idiag_sport);
	ask->scope = m->id.idiag_if;
	get_address(
	    &ask->here.net, m->id.idiag_src, m->idiag_family == AF_INET);
	if (again)
		ask->state = PEER_ABSENT;
}

static bool
on_socket(void *ctx, const struct nlmsghdr *head)
{
	const struct inet_diag_msg *m = NLMSG_DATA(head);
	struct search *s = ctx;
	struct net there;

	if (head->nlmsg_seq != s->sequence)
		return true;
	if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    !has_body(head, sizeof(*m))) {
		s->done = true; /* the end, or an error */
		return false;
	}
	if (m->idiag_uid != s->uid)
		return true;
	get_address(&there, m->id.idiag_dst, m->idiag_family == AF_INET);
	for (size_t i = 0; i < s->n; i++) {
		struct peer_ask *ask = &s->asks[i];

		if (ask->there.port == ntohs(m->id.idiag_dport) &&
		    memcmp(ask->there.net.addr, there.addr,
			sizeof(there.addr)) == 0)
			take_found(ask, m);
	}
	return true;
}

static void
search(int fd, struct search *s, unsigned char family)
{
	struct question q;

	memset(&q, 0, sizeof(q));
	q.head.nlmsg_len = sizeof(q);
	q.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	q.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	q.head.nlmsg_seq = s->sequence = take_sequence(1);
	q.request.sdiag_family = family;
	q.request.sdiag_protocol = IPPROTO_TCP;
	q.request.idiag_states =
	    BIT(TCP_ESTABLISHED) | BIT(TCP_SYN_RECV) | BIT(TCP_CLOSE_WAIT);
	/* Of one the kernel itself looks for the port. */
	if (s->n == 1)
		q.request.id.idiag_dport = htons(s->asks[0].there.port);
	s->done = false;
	if (send(fd, &q, sizeof(q), 0) == -1)
		return;
	while (!s->done && receive(fd, on_socket, s))
		;
}

void
peer_table_find(int fd, struct peer_ask *asks, size_t n, uid_t uid)
{
	struct search s = { asks, n, uid, 0, false };

	for (size_t i = 0; i < n; i++) {
		asks[i].state = PEER_ABSENT;
		asks[i].here.port = 0;
	}
	search(fd, &s, AF_INET);
	search(fd, &s, AF_INET6); /* those of mapped addresses, too */
}

#elif !defined(__FreeBSD__)

int
peer_table_open(void)
{
	errno = ENOTSUP;
	return -1;
}

void
peer_table_ask(int fd, struct peer_ask *asks, size_t n)
{
	(void)fd;
	for (size_t i = 0; i < n; i++)
		asks[i].state = PEER_UNKNOWN;
}

void
peer_table_find(int fd, struct peer_ask *asks, size_t n, uid_t uid)
{
	(void)uid;
	peer_table_ask(fd, asks, n);
}

#endif

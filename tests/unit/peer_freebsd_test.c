/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * FreeBSD's half of the table of connections, with a table of the test's own
 * (headers: tests/freebsd).
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/sysctl.h>
#include <netinet/in_pcb.h>
#include <netinet/tcp_fsm.h>
#include <netinet/tcp_var.h>

#include "wire/peer_table.h"
#include "check.h"

#define ROWS 16
#define MORE 64 /* a later version's rows are longer */

static char table[8192];
static size_t table_len;
static bool refused;

int
sysctlbyname(
    const char *name, void *out, size_t *len, const void *in, size_t in_len)
{
	(void)in;
	(void)in_len;
	if (refused || strcmp(name, "net.inet.tcp.pcblist") != 0) {
		errno = EPERM;
		return -1;
	}
	if (out != NULL && *len < table_len) {
		errno = ENOMEM;
		return -1;
	}
	if (out != NULL)
		memcpy(out, table, table_len);
	*len = table_len;
	return 0;
}

static void
put(const void *p, size_t len, size_t more)
{
	memcpy(table + table_len, p, len);
	memset(table + table_len + len, 0xee, more);
	table_len += len + more;
}

static void
put_head(void)
{
	struct xinpgen head = { .xig_len = sizeof(head), .xig_gen = 100 };

	put(&head, sizeof(head), 0);
}

static void
put_row(const char *here, int here_port, const char *there, int there_port,
    int state, uid_t uid, uint64_t gen)
{
	struct xtcpcb row;
	bool v6 = strchr(here, ':') != NULL;

	memset(&row, 0, sizeof(row));
	row.xt_len = sizeof(row) + MORE;
	row.t_state = state;
	row.xt_inp.xi_socket.so_uid = uid;
	row.xt_inp.inp_gencnt = gen;
	row.xt_inp.inp_vflag = v6 ? INP_IPV6 : INP_IPV4;
	row.xt_inp.inp_lport = htons((uint16_t)here_port);
	row.xt_inp.inp_fport = htons((uint16_t)there_port);
	inet_pton(v6 ? AF_INET6 : AF_INET, here,
	    v6 ? (void *)&row.xt_inp.in6p_laddr
	       : (void *)&row.xt_inp.inp_laddr);
	inet_pton(v6 ? AF_INET6 : AF_INET, there,
	    v6 ? (void *)&row.xt_inp.in6p_faddr
	       : (void *)&row.xt_inp.inp_faddr);
	put(&row, sizeof(row), MORE);
}

static struct peer_ask
ask(const char *here, int here_port, const char *there, int there_port)
{
	struct peer_ask a;

	memset(&a, 0, sizeof(a));
	if (here != NULL && net_parse(here, &a.here.net) == -1)
		exit(99);
	if (net_parse(there, &a.there.net) == -1)
		exit(99);
	a.here.port = (uint16_t)here_port;
	a.there.port = (uint16_t)there_port;
	return a;
}

static enum peer_state
state(const char *here, int here_port, const char *there, int there_port)
{
	struct peer_ask a = ask(here, here_port, there, there_port);

	peer_table_ask(3, &a, 1);
	return a.state;
}

static void
fill(void)
{
	table_len = 0;
	put_head();
	put_row("0.0.0.0", 80, "0.0.0.0", 0, TCPS_LISTEN, 0, 1);
	put_row("127.0.0.1", 80, "10.0.0.1", 4000, TCPS_ESTABLISHED, 33, 2);
	put_row("127.0.0.1", 80, "10.0.0.2", 4000, TCPS_CLOSE_WAIT, 33, 3);
	put_row("127.0.0.1", 80, "10.0.0.3", 4000, TCPS_ESTABLISHED, 33, 101);
	put_row(
	    "2001:db8::1", 443, "2001:db8::2", 5000, TCPS_ESTABLISHED, 80, 4);
	put_row("fe80:7::1", 443, "fe80:7::2", 5000, TCPS_SYN_RECEIVED, 80, 5);
	put_row("127.0.0.1", 80, "10.0.0.4", 4000, TCPS_ESTABLISHED, 33, 6);
	put_row("127.0.0.2", 80, "10.0.0.4", 4000, TCPS_ESTABLISHED, 33, 7);
	put_row("127.0.0.1", 80, "10.0.0.5", 4000, TCPS_TIME_WAIT, 33, 8);
	put_head();
}

static void
test_ask(void)
{
	struct peer_ask two[2] = { ask("127.0.0.1", 80, "10.0.0.1", 4000),
		ask("2001:db8::1", 443, "2001:db8::2", 5000) };

	CHECK(state("127.0.0.1", 80, "10.0.0.1", 4000) == PEER_OPEN, "open");
	CHECK(state("127.0.0.1", 80, "10.0.0.2", 4000) == PEER_CLOSED,
	    "the client has closed it");
	CHECK(state("127.0.0.1", 80, "10.0.0.5", 4000) == PEER_CLOSED,
	    "both have");
	CHECK(state("127.0.0.1", 81, "10.0.0.1", 4000) == PEER_ABSENT &&
		state("127.0.0.1", 80, "10.0.0.1", 4001) == PEER_ABSENT &&
		state("127.0.0.2", 80, "10.0.0.1", 4000) == PEER_ABSENT,
	    "another end is another connection");
	CHECK(state("127.0.0.1", 80, "10.0.0.3", 4000) == PEER_ABSENT,
	    "one that began while the table was made is not in it");
	CHECK(state("fe80::1", 443, "fe80::2", 5000) == PEER_OPEN,
	    "a link-local address, without the interface in it");
	peer_table_ask(3, two, 2);
	CHECK(two[0].state == PEER_OPEN && two[1].state == PEER_OPEN &&
		two[0].cookie == 2 && two[1].cookie == 4 && two[0].uid == 33 &&
		two[1].uid == 80,
	    "several at once, with what names each and whose it is");
}

static void
test_find(void)
{
	struct peer_ask a[3] = { ask(NULL, 0, "10.0.0.1", 4000),
		ask(NULL, 0, "10.0.0.4", 4000),
		ask(NULL, 0, "2001:db8::2", 5000) };

	peer_table_find(3, a, 3, 33);
	CHECK(
	    a[0].state == PEER_OPEN && a[0].here.port == 80 && a[0].cookie == 2,
	    "found by the other end");
	CHECK(a[1].state == PEER_ABSENT, "two of them are none");
	CHECK(a[2].state == PEER_ABSENT, "nor is another user's");
	a[2] = ask(NULL, 0, "fe80::2", 5000);
	peer_table_find(3, a + 2, 1, 80);
	CHECK(a[2].state == PEER_OPEN && a[2].scope == 7,
	    "with the interface of a link-local address");
}

/* The kernel is trusted, but a version that has other rows is not read. */
static void
test_odd_tables(void)
{
	size_t whole = table_len;
	struct xinpgen zero = { .xig_len = 0 };
	unsigned found = 0;

	for (table_len = 0; table_len < whole; table_len++)
		found +=
		    state("127.0.0.1", 80, "10.0.0.5", 4000) == PEER_CLOSED;
	CHECK(found < whole, "a table that is cut anywhere is read to there");
	memcpy(table + sizeof(zero), &zero, sizeof(zero));
	table_len = whole;
	CHECK(state("127.0.0.1", 80, "10.0.0.1", 4000) == PEER_ABSENT,
	    "a row without a length ends it");
	table_len = 3;
	CHECK(state("127.0.0.1", 80, "10.0.0.1", 4000) == PEER_UNKNOWN,
	    "less than a head is no table");
	refused = true;
	CHECK(state("127.0.0.1", 80, "10.0.0.1", 4000) == PEER_UNKNOWN,
	    "a kernel that refuses says nothing");
	CHECK(peer_table_open() == -1 && errno == EPERM, "and is not asked");
}

int
main(void)
{
	int fd;

	fill();
	CHECK((fd = peer_table_open()) != -1, "there is a table");
	close(fd);
	test_ask();
	test_find();
	test_odd_tables();
	return check_done();
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Real connections on this host, closed in each way, seen through a struct io
 * that names them as web servers do.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/task.h"
#include "check.h"
#include "wire/peer.h"

#define PARAM_BYTES 64
#define WAIT_MS 10000

struct fake {
	struct io io; /* must be first */
	char remote_addr[PARAM_BYTES], remote_port[8];
	char server_addr[PARAM_BYTES], server_port[8];
	int web_fd; /* the web server's end */
	int client, server; /* ends of the connection */
	struct peer_link peer;
};

static const char *
fake_param(struct io *io, const char *name)
{
	struct fake *f = (struct fake *)io;

	if (strcmp(name, "REMOTE_ADDR") == 0)
		return f->remote_addr;
	if (strcmp(name, "REMOTE_PORT") == 0)
		return f->remote_port;
	if (strcmp(name, "SERVER_ADDR") == 0)
		return f->server_addr[0] == '\0' ? NULL : f->server_addr;
	if (strcmp(name, "SERVER_PORT") == 0)
		return f->server_port;
	return NULL;
}

static const struct io_ops fake_ops = { .param = fake_param };

/* ---- connections ------------------------------------------------------ */

struct host {
	const char *name;
	int family;
	const char *listens, *connects;
	int connect_family;
};

static const struct host hosts[] = {
	{ "IPv4", AF_INET, "127.0.0.1", "127.0.0.1", AF_INET },
	{ "IPv6", AF_INET6, "::1", "::1", AF_INET6 },
	{ "mapped", AF_INET6, "::", "127.0.0.1", AF_INET },
};

static socklen_t
make_address(
    struct sockaddr_storage *ss, int family, const char *text, in_port_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = port };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
		.sin6_port = port };

	if (family == AF_INET) {
		inet_pton(AF_INET, text, &sin.sin_addr);
		memcpy(ss, &sin, sizeof(sin));
		return sizeof(sin);
	}
	inet_pton(AF_INET6, text, &sin6.sin6_addr);
	memcpy(ss, &sin6, sizeof(sin6));
	return sizeof(sin6);
}

/* The port of an address, and its text as a web server writes it. */
static in_port_t
read_address(const struct sockaddr_storage *ss, char text[PARAM_BYTES])
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	if (ss->ss_family == AF_INET) {
		memcpy(&sin, ss, sizeof(sin));
		inet_ntop(AF_INET, &sin.sin_addr, text, PARAM_BYTES);
		return sin.sin_port;
	}
	memcpy(&sin6, ss, sizeof(sin6));
	inet_ntop(AF_INET6, &sin6.sin6_addr, text, PARAM_BYTES);
	return sin6.sin6_port;
}

static int
listen_at(const struct host *h, in_port_t *port)
{
	struct sockaddr_storage ss;
	char text[PARAM_BYTES];
	socklen_t len = make_address(&ss, h->family, h->listens, 0);
	int fd = socket(h->family, SOCK_STREAM, 0), off = 0;

	if (h->family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (struct sockaddr *)&ss, len) == -1 ||
	    listen(fd, 16) == -1) {
		close(fd);
		return -1;
	}
	len = sizeof(ss);
	getsockname(fd, (struct sockaddr *)&ss, &len);
	*port = read_address(&ss, text);
	return fd;
}

/* A connection, and a request that came over it. */
static void
begin(struct fake *f, const struct host *h, int listener, in_port_t port)
{
	struct sockaddr_storage ss;
	socklen_t len = make_address(&ss, h->connect_family, h->connects, port);
	int pair[2] = { -1, -1 };

	memset(f, 0, sizeof(*f));
	f->client = socket(h->connect_family, SOCK_STREAM, 0);
	CHECK(connect(f->client, (struct sockaddr *)&ss, len) == 0 &&
		(f->server = accept(listener, NULL, NULL)) != -1 &&
		socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0,
	    "%s: a connection", h->name);
	f->io =
	    (struct io){ .ops = &fake_ops, .fd = pair[0], .watchable = true };
	f->web_fd = pair[1];
	len = sizeof(ss);
	getpeername(f->server, (struct sockaddr *)&ss, &len);
	snprintf(f->remote_port, sizeof(f->remote_port), "%u",
	    (unsigned)ntohs(read_address(&ss, f->remote_addr)));
	len = sizeof(ss);
	getsockname(f->server, (struct sockaddr *)&ss, &len);
	snprintf(f->server_port, sizeof(f->server_port), "%u",
	    (unsigned)ntohs(read_address(&ss, f->server_addr)));
}

static void
end(struct fake *f)
{
	peer_end(&f->peer);
	close(f->io.fd);
	close(f->web_fd);
	if (f->client != -1)
		close(f->client);
	if (f->server != -1)
		close(f->server);
}

/* ---- ways to go ------------------------------------------------------- */

static void
half_close(struct fake *f)
{
	shutdown(f->client, SHUT_WR);
}

static void
reset(struct fake *f)
{
	struct linger at_once = { 1, 0 };

	setsockopt(f->client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(f->client);
	f->client = -1;
}

static void
server_closes(struct fake *f)
{
	close(f->server);
	f->server = -1;
}

static const struct {
	const char *name;
	void (*go)(struct fake *);
} ways[] = { { "half closed", half_close }, { "reset", reset },
	{ "closed by the web server", server_closes } };

/* ---- tests ------------------------------------------------------------ */

static bool
is_seen_to_end(struct fake *f)
{
	struct pollfd p = { .fd = f->io.fd, .events = POLLIN };

	return task_poll(&p, 1, WAIT_MS) == 1;
}

static void
test_ways(
    struct peer_board *b, const struct host *h, int listener, in_port_t port)
{
	struct fake f;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		begin(&f, h, listener, port);
		CHECK(!peer_look(&f.peer, b, &f.io), "%s: open", h->name);
		ways[i].go(&f);
		CHECK(peer_look(&f.peer, b, &f.io), "%s: %s", h->name,
		    ways[i].name);
		CHECK(io_gone(&f.io), "%s: and its socket wakes who waits",
		    h->name);
		end(&f);

		begin(&f, h, listener, port);
		CHECK(!peer_gone(&f.peer, b, &f.io), "%s: watched", h->name);
		ways[i].go(&f);
		CHECK(is_seen_to_end(&f) && peer_gone(&f.peer, b, &f.io),
		    "%s: %s, nobody asks", h->name, ways[i].name);
		end(&f);
	}
}

/* Written as Caddy does; the first one has to be found in the whole table. */
static void
test_no_server_addr(
    struct peer_board *b, const struct host *h, int listener, in_port_t port)
{
	struct fake f;

	for (int i = 0; i < 2; i++) {
		begin(&f, h, listener, port);
		f.server_addr[0] = '\0';
		strcpy(f.server_port, "80");
		CHECK(!peer_gone(&f.peer, b, &f.io), "%s: no SERVER_ADDR",
		    h->name);
		half_close(&f);
		CHECK(is_seen_to_end(&f) && peer_gone(&f.peer, b, &f.io),
		    "%s: found by its user", h->name);
		end(&f);
	}
	begin(&f, h, listener, port);
	f.server_addr[0] = '\0';
	CHECK(
	    !peer_look(&f.peer, b, &f.io), "%s: an end that is known", h->name);
	reset(&f);
	CHECK(peer_look(&f.peer, b, &f.io), "%s: serves at once", h->name);
	end(&f);
}

/* If the state of a client can't be known, it is not gone. */
static void
test_unknown(struct peer_board *b, int listener, in_port_t port)
{
	static const struct {
		const char *what, *remote, *remote_port, *server;
	} cases[] = {
		{ "the web server's host is another", NULL, NULL, "192.0.2.1" },
		{ "a proxy's word for the client", "192.0.2.7", NULL, NULL },
		{ "no port", NULL, "", NULL },
		{ "port 0", NULL, "0", NULL },
		{ "a port that is none", NULL, "65536", NULL },
		{ "no address", "client.example", NULL, NULL },
		{ "a network", "127.0.0.0/8", NULL, NULL },
	};
	struct fake f;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(&f, &hosts[0], listener, port);
		if (cases[i].remote != NULL)
			strcpy(f.remote_addr, cases[i].remote);
		if (cases[i].remote_port != NULL)
			strcpy(f.remote_port, cases[i].remote_port);
		if (cases[i].server != NULL)
			strcpy(f.server_addr, cases[i].server);
		peer_look(&f.peer, b, &f.io);
		reset(&f);
		CHECK(!peer_look(&f.peer, b, &f.io) && !io_gone(&f.io), "%s",
		    cases[i].what);
		end(&f);
	}
	begin(&f, &hosts[0], listener, port);
	reset(&f);
	CHECK(!peer_look(&f.peer, b, &f.io), "vanished before it was seen");
	end(&f);
	begin(&f, &hosts[0], listener, port);
	half_close(&f);
	CHECK(!peer_look(&f.peer, NULL, &f.io) &&
		!peer_gone(&f.peer, NULL, &f.io),
	    "without a board nothing is known");
	end(&f);
}

/* More than one batch; only those clients that leave are gone. */
static void
test_many(struct peer_board *b, int listener, in_port_t port)
{
	enum { N = 3 * PEER_TABLE_BATCH + 5 };
	static struct fake f[N];
	size_t wrong = 0;

	for (size_t i = 0; i < N; i++) {
		begin(&f[i], &hosts[0], listener, port);
		wrong += peer_gone(&f[i].peer, b, &f[i].io);
	}
	for (size_t i = 0; i < N; i += 3)
		half_close(&f[i]);
	for (size_t i = 0; i < N; i += 3)
		wrong += !is_seen_to_end(&f[i]);
	for (size_t i = 0; i < N; i++)
		wrong += peer_look(&f[i].peer, b, &f[i].io) != (i % 3 == 0);
	CHECK(wrong == 0, "of %d a third has gone, and no other", N);
	for (size_t i = 0; i < N; i++)
		end(&f[i]);
}

/* Requests that end while the table is read are not checked any more. */
static void
test_ending(struct peer_board *b)
{
	struct fake f[2];
	in_port_t port;
	/* The other end of no connection: that one would be known. */
	int listener = listen_at(&hosts[0], &port);

	for (size_t i = 0; i < 2; i++) {
		begin(&f[i], &hosts[0], listener, port);
		f[i].server_addr[0] = '\0';
		peer_gone(&f[i].peer, b, &f[i].io);
	}
	for (int ms = 0; ms < WAIT_MS && f[0].peer.sought == 0; ms++)
		task_sleep(1);
	CHECK(f[0].peer.sought != 0,
	    "the table is read for those of unknown ends");
	end(&f[0]);
	memset(&f[0], 0xff, sizeof(f[0]));
	half_close(&f[1]);
	CHECK(is_seen_to_end(&f[1]) && peer_gone(&f[1].peer, b, &f[1].io),
	    "the one that is left is looked at");
	end(&f[1]);
	close(listener);
}

/* A client that has left before the table is read is not in it.  The next one
 * is looked for in the very next round all the same.  Only requests that go on
 * and were not in the table make rounds rarer. */
static void
test_left_before(struct peer_board *b)
{
	struct fake f;
	in_port_t port;
	unsigned begun;
	int listener;

	for (int i = 0; i < 3; i++) {
		listener = listen_at(&hosts[0], &port);
		begin(&f, &hosts[0], listener, port);
		f.server_addr[0] = '\0';
		if (i < 2)
			server_closes(&f);
		peer_gone(&f.peer, b, &f.io);
		begun = f.peer.round;
		for (int ms = 0; ms < WAIT_MS && f.peer.sought == 0; ms++)
			task_sleep(1);
		CHECK(f.peer.sought == begun + 1,
		    "%d: sought in the first round", i);
		end(&f);
		close(listener);
	}
}

/* A CGI program has no socket to wake it: it polls. */
static void
test_cgi(struct peer_board *b, int listener, in_port_t port)
{
	struct fake f;
	int fd;

	begin(&f, &hosts[0], listener, port);
	fd = f.io.fd;
	f.io.fd = -1;
	CHECK(!peer_gone(&f.peer, b, &f.io), "CGI: open");
	half_close(&f);
	CHECK(peer_gone(&f.peer, b, &f.io), "CGI: closed");
	f.io.fd = fd;
	end(&f);
}

static void
test_hosts(struct peer_board *b)
{
	in_port_t port;
	int listener;

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		listener = listen_at(&hosts[i], &port);
		if (listener == -1) {
			printf("# no %s here\n", hosts[i].name);
			continue;
		}
		test_ways(b, &hosts[i], listener, port);
		test_no_server_addr(b, &hosts[i], listener, port);
		close(listener);
	}
}

/* Runs in the loop, as requests do. */
static void
test_in_loop(void *ctx)
{
	struct peer_board *b = ctx;
	in_port_t port;
	int listener;

	test_hosts(b);
	listener = listen_at(&hosts[0], &port);
	test_unknown(b, listener, port);
	test_many(b, listener, port);
	close(listener);
	test_ending(b);
	test_left_before(b);
}

int
main(void)
{
	struct peer_board *b = peer_board_new();
	in_port_t port;
	int listener, fd = peer_table_open();

	if (fd == -1) {
		/* EPROTONOSUPPORT, from older versions EPFNOSUPPORT: qemu's
		 * user mode does not pass sock_diag on. */
		CHECK(errno == ENOTSUP || errno == EPROTONOSUPPORT ||
			errno == EPFNOSUPPORT,
		    "no table: plainly said");
		peer_board_free(b);
		return check_done();
	}
	close(fd);
	listener = listen_at(&hosts[0], &port);
	test_cgi(b, listener, port);
	close(listener);
	task_open();
	if (task_start(test_in_loop, b) == -1)
		fatal("no task: %s", strerror(errno));
	task_loop();
	/* The thread that looks ended with the last connection. */
	task_close();
	peer_board_free(b);
	peer_board_free(NULL);
	return check_done();
}

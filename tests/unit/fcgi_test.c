/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A FastCGI request in pieces of every size: parameters, body, the response's
 * records; and input that is not a request.
 */
#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/task.h"
#include "check.h"
#include "wire/fcgi.h"
#include "wire/fcgi_in.h"

#define LONG_VALUE 300 /* its length takes four bytes */
#define BODY_BYTES 150000 /* several records */

static struct buf request;
static char body[BODY_BYTES];

static void
add_record(enum fcgi_record type, unsigned id, const void *p, size_t len)
{
	char head[FCGI_HEAD_BYTES];

	fcgi_in_put_head(head, type, id, len);
	head[6] = 3; /* padding */
	buf_add(&request, head, sizeof(head));
	buf_add(&request, p, len);
	buf_add(&request, "pad", 3);
}

static void
add_pair(struct buf *b, const char *name, const char *value)
{
	size_t len = strlen(value);
	const char lengths[] = { (char)strlen(name), (char)(0x80 | len >> 24),
		(char)(len >> 16), (char)(len >> 8), (char)len };

	buf_add(b, lengths, 1);
	if (len < 0x80)
		buf_add(b, lengths + 4, 1);
	else
		buf_add(b, lengths + 1, 4);
	buf_puts(b, name);
	buf_puts(b, value);
}

static void
make_request(void)
{
	static const char begin[8] = { 0, 1 };
	struct buf params;
	char long_value[LONG_VALUE + 1];

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)(i * 7);
	memset(long_value, 'v', LONG_VALUE);
	long_value[LONG_VALUE] = '\0';
	buf_init(&params, 65536);
	add_pair(&params, "SHORT", "a");
	add_pair(&params, "LONG", long_value);
	add_pair(&params, "EMPTY", "");
	add_pair(&params, "", "nameless");
	add_pair(&params, "HTTP_X_TWICE", "one");
	add_pair(&params, "HTTP_X_TWICE", "two");
	add_pair(&params, "LAST", "z");
	buf_init(&request, 1 << 20);
	add_record(FCGI_VALUES, 0, "", 0);
	add_record(FCGI_BEGIN, 1, begin, sizeof(begin));
	add_record(FCGI_PARAMS, 1, params.p, 20);
	add_record(FCGI_PARAMS, 1, params.p + 20, params.len - 20);
	add_record(FCGI_PARAMS, 1, "", 0);
	for (size_t at = 0, n; at < sizeof(body); at += n) {
		n = sizeof(body) - at < 65528 ? sizeof(body) - at : 65528;
		add_record(FCGI_STDIN, 1, body + at, n);
	}
	add_record(FCGI_STDIN, 1, "", 0);
	buf_free(&params);
}

/* ---- both sides -------------------------------------------------------- */

static int pair[2];
static size_t piece, sent_most;
static struct buf response;
static bool served, whole, stays;

static void
web_server(void *arg)
{
	struct pollfd p = { .fd = pair[1], .events = POLLIN };
	char bytes[4096];
	size_t at = 0;
	ssize_t n;

	(void)arg;
	while (at < sent_most) {
		n = send(pair[1], request.p + at,
		    sent_most - at < piece ? sent_most - at : piece,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			at += (size_t)n;
		if (n > 0 ? piece < 1000 && at < 2000 : errno == EAGAIN)
			task_sleep(n > 0 ? 0 : 1);
		if (n > 0)
			task_yield();
		else if (errno != EAGAIN)
			break;
	}
	if (sent_most < request.len)
		shutdown(pair[1], SHUT_WR);
	while (task_poll(&p, 1, 5000) == 1 &&
	    (n = recv(pair[1], bytes, sizeof(bytes), 0)) > 0)
		buf_add(&response, bytes, (size_t)n);
	close(pair[1]);
}

static bool
params_are_right(struct io *io)
{
	const char *value = io_param(io, "LONG");

	return value != NULL && strlen(value) == LONG_VALUE &&
	    strcmp(io_param(io, "SHORT"), "a") == 0 &&
	    strcmp(io_param(io, "EMPTY"), "") == 0 &&
	    strcmp(io_param(io, "LAST"), "z") == 0 &&
	    strcmp(io_param(io, "HTTP_X_TWICE"), IO_PARAM_TWICE) == 0 &&
	    io_param(io, "") == NULL && io_param(io, "SHOR") == NULL;
}

static bool
body_is_right(struct io *io)
{
	static char got[BODY_BYTES + 1];
	size_t len = 0;
	ssize_t n;

	while ((n = io_read(io, got + len, sizeof(got) - len)) > 0)
		len += (size_t)n;
	return n == 0 && len == sizeof(body) && io->watchable &&
	    memcmp(got, body, len) == 0;
}

static void
gateway(void *arg)
{
	struct fcgi *f = fcgi_new();
	struct io *io = fcgi_begin(f, pair[0]);

	(void)arg;
	if (io != NULL) {
		served = params_are_right(io);
		whole = body_is_right(io);
		task_sleep(1); /* the rest of the padding arrives */
		stays = !io_gone(io);
		io_write(io, "Status: 204\r\n\r\n", 15);
		fcgi_end(f, !whole);
	}
	fcgi_free(f);
}

static void
exchange(size_t pieces_of, size_t most)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		fatal("socketpair: %s", strerror(errno));
	piece = pieces_of;
	sent_most = most;
	served = whole = stays = false;
	buf_init(&response, 1 << 20);
	if (task_start(gateway, NULL) == -1 ||
	    task_start(web_server, NULL) == -1)
		fatal("no task: %s", strerror(errno));
	task_loop();
}

/* ---- the request -------------------------------------------------------- */

static void
in_pieces(void)
{
	static const size_t sizes[] = { 1, 2, 3, 7, 8, 9, 100, 4096, 16384,
		65536, 1 << 20 };
	static const char values[] = { 1, FCGI_VALUES_RESULT, 0, 0, 0, 0, 0,
		0 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		exchange(sizes[i], request.len);
		CHECK(served && whole, "in pieces of %zu bytes it is whole",
		    sizes[i]);
		CHECK(stays, "and its padding is no sign that it has left");
		CHECK(response.len == 8 + 8 + 15 + 8 + 16 &&
			memcmp(response.p, values, 8) == 0 &&
			response.p[9] == FCGI_STDOUT &&
			memcmp(response.p + 16, "Status: 204", 11) == 0 &&
			response.p[response.len - 15] == FCGI_END,
		    "and so is the response");
		buf_free(&response);
	}
}

static void
cut_off(void)
{
	bool honest = true;

	for (size_t most = 0; most < request.len;
	     most += most < 700 ? 1 : 7919) {
		exchange(4096, most);
		honest &= !whole;
		buf_free(&response);
	}
	CHECK(honest, "a request that ends early is never taken for whole");
}

/* One byte of the head is changed. */
static void
bent(void)
{
	static const struct {
		size_t at;
		char byte;
		const char *what;
	} bends[] = { { 11, 2, "another version" },
		{ 11 + 8 + 1, 3, "another role" },
		{ 11 + 19 + 1, FCGI_ABORT, "it is aborted" },
		{ 11 + 19 + 3, 2, "a second request on the connection" },
		{ 11 + 19 + 8, 0x70, "a name longer than all" } };
	char was;

	for (size_t i = 0; i < sizeof(bends) / sizeof(bends[0]); i++) {
		was = request.p[bends[i].at];
		request.p[bends[i].at] = bends[i].byte;
		exchange(4096, request.len);
		CHECK(!served && !whole, "%s: not served", bends[i].what);
		request.p[bends[i].at] = was;
		buf_free(&response);
	}
}

int
main(void)
{
	make_request();
	task_open();
	in_pieces();
	cut_off();
	bent();
	task_close();
	buf_free(&request);
	return check_done();
}

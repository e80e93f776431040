/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides libcurl (with upstream_handle.c): one exchange with a provider, from
 * the borrowed handle to the report.  The "send" and "relay" steps of a
 * request's way.
 *
 * While curl may want to write (connecting, sending), curl_multi_poll waits
 * for it; from then on our own poll(2) over its one socket and the client's,
 * which costs half for each event.  (curl_multi_socket_action would do both,
 * but its socket table takes 29 KiB for each handle in 7.88.)
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "wire/pump.h"
#include "wire/upstream.h"
#include "wire/upstream_handle.h"

/* Up to here a body is copied together and leaves in one write with the
 * head (curl's own bound for that is 64 KiB). */
#define SMALL_BODY_BYTES (32 * 1024)
/* With more held back one step could write more than a socket takes. */
#define PUMP_HELD_BYTES (32 * 1024)

struct exchange {
	const struct upstream_request *request;
	const struct watch *watch;
	const struct upstream_sink *sink;
	struct arena *arena;
	struct upstream_report *report;
	struct handle *handle;
	struct pump *pump;
	struct pump_job *job; /* while the pump runs it */
	const char *log_request;
	bool room_seen; /* the client's socket was writable when so many bytes
			   had come: */
	uint64_t room_at;
	int running; /* curl's count of transfers: 1, then 0 */

	/* The answer's head, line by line. */
	struct upstream_field *fields;
	size_t nfields, fields_room;
	size_t head_bytes;
	int status;
	int64_t content_length;
	bool head_done;
	bool coded; /* it has a Content-Encoding: its length is not ours */

	size_t body_len;
	size_t part, part_at; /* how far the body has gone up */

	int64_t start_ns;
	int64_t moved_ms; /* when a byte last went up or came */
	int64_t tick_ms; /* when the watch is due */
	bool watching; /* the watch's fd is worth polling */
	bool body_seen;
	curl_socket_t fd; /* all is sent, only this is waited for */
	unsigned starts; /* connections that it was sent on */
	bool dirty; /* body given since the last pause */
	enum upstream_result stopped; /* why we ended it; OK: we did not */
};

static const char *const result_names[] = {
	[UPSTREAM_OK] = "ok",
	[UPSTREAM_STOPPED] = "stopped",
	[UPSTREAM_CLIENT_GONE] = "client gone",
	[UPSTREAM_CONNECT] = "no connection",
	[UPSTREAM_FORBIDDEN] = "address outside the place",
	[UPSTREAM_TLS] = "TLS failed",
	[UPSTREAM_TIMEOUT_CONNECT] = "connect timeout",
	[UPSTREAM_TIMEOUT_FIRST_BYTE] = "first-byte timeout",
	[UPSTREAM_TIMEOUT_IDLE] = "idle timeout",
	[UPSTREAM_TIMEOUT_TOTAL] = "total timeout",
	[UPSTREAM_CUT] = "cut",
	[UPSTREAM_BAD] = "not understood",
};

const char *
upstream_result_name(enum upstream_result result)
{
	return result_names[result];
}

/* ---- the answer ------------------------------------------------------- */

static void
begin_head(struct exchange *x, struct span line)
{
	const char *space = memchr(line.p, ' ', line.len);

	/* After a 1xx head, or on the new connection of a silent retry. */
	x->nfields = 0;
	x->content_length = -1;
	x->coded = false;
	x->status = space == NULL ? 0 : atoi(space + 1);
}

static int
end_head(struct exchange *x)
{
	struct upstream_head head = { x->status, x->fields, x->nfields,
		x->coded ? -1 : x->content_length };

	if (x->status < 200)
		return 0;
	/* RFC 9112 6.3: chunks come before a length that is said beside. */
	for (size_t i = 0; i < x->nfields; i++) {
		if (span_is_nocase(x->fields[i].name, "transfer-encoding"))
			head.content_length = -1;
	}
	x->head_done = true;
	return x->sink->head(x->sink->ctx, &head);
}

static int
more_fields(struct exchange *x)
{
	size_t room = x->fields_room == 0 ? 24 : UPSTREAM_FIELDS_MAX;
	struct upstream_field *fields;

	if (x->fields_room == UPSTREAM_FIELDS_MAX)
		return -1;
	fields = arena_alloc(x->arena, room * sizeof(*fields));
	if (x->nfields > 0)
		memcpy(fields, x->fields, x->nfields * sizeof(*fields));
	x->fields = fields;
	x->fields_room = room;
	return 0;
}

static int
add_field(struct exchange *x, struct span line)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct span name, value;

	/* A folded line (obsolete since RFC 7230) or none at all. */
	if (colon == NULL || line.p[0] == ' ' || line.p[0] == '\t')
		return 0;
	if (x->nfields == x->fields_room && more_fields(x) == -1)
		return -1;
	name = (struct span){ line.p, (size_t)(colon - line.p) };
	value = (struct span){ colon + 1, line.len - name.len - 1 };
	while (value.len > 0 && (value.p[0] == ' ' || value.p[0] == '\t')) {
		value.p++;
		value.len--;
	}
	while (value.len > 0 && isspace((unsigned char)value.p[value.len - 1]))
		value.len--;
	name.p = arena_text(x->arena, name);
	value.p = arena_text(x->arena, value);
	if (span_is_nocase(name, "content-length"))
		x->content_length = strtoll(value.p, NULL, 10);
	if (span_is_nocase(name, "content-encoding")) {
		x->coded = true;
		return 0;
	}
	x->fields[x->nfields].name = name;
	x->fields[x->nfields++].value = value;
	return 0;
}

static size_t
on_header(char *p, size_t one, size_t len, void *ctx)
{
	struct exchange *x = ctx;
	struct span line = { p, len };
	int rc;

	(void)one;
	if (x->head_done)
		return len; /* a trailer: nobody waits for it */
	x->head_bytes += len;
	while (line.len > 0 &&
	    (line.p[line.len - 1] == '\n' || line.p[line.len - 1] == '\r'))
		line.len--;
	if (x->head_bytes > UPSTREAM_HEAD_MAX) {
		x->stopped = UPSTREAM_BAD;
		x->report->detail = "head over 64 KiB";
		return 0;
	}
	if (line.len == 0)
		rc = end_head(x);
	else if (line.len > 5 && memcmp(line.p, "HTTP/", 5) == 0) {
		begin_head(x, line);
		rc = 0;
	} else if ((rc = add_field(x, line)) == -1) {
		x->stopped = UPSTREAM_BAD;
		x->report->detail = "too many header fields";
		return 0;
	}
	if (rc == -1)
		x->stopped = UPSTREAM_STOPPED;
	return rc == -1 ? 0 : len;
}

static size_t
on_body(char *p, size_t one, size_t len, void *ctx)
{
	struct exchange *x = ctx;

	(void)one;
	/* Curl gives what is behind a 101 as a body without a head. */
	if (!x->head_done) {
		x->stopped = UPSTREAM_BAD;
		return 0;
	}
	if (!x->body_seen) {
		x->body_seen = true;
		x->report->first_byte_ns = clock_now_ns() - x->start_ns;
	}
	x->report->bytes_in += len;
	x->dirty = true;
	if (x->sink->body(x->sink->ctx, (struct span){ p, len }) == -1) {
		x->stopped = UPSTREAM_STOPPED;
		return 0;
	}
	/* Last: a slow client's time is not the upstream's. */
	x->moved_ms = clock_now_ms();
	return len;
}

/* ---- the request ------------------------------------------------------ */

static int
on_prereq(void *ctx, char *ip, char *local_ip, int port, int local_port)
{
	struct exchange *x = ctx;

	(void)ip;
	(void)local_ip;
	(void)port;
	(void)local_port;
	x->report->connected = true;
	x->handle->opening = false;
	x->starts++;
	x->moved_ms = clock_now_ms();
	return CURL_PREREQFUNC_OK;
}

static size_t
on_read(char *p, size_t size, size_t n, void *ctx)
{
	struct exchange *x = ctx;
	const struct upstream_request *r = x->request;
	size_t room = size * n, done = 0;

	while (room > done && x->part < r->nparts) {
		size_t left = r->parts[x->part].len - x->part_at;
		size_t take = left < room - done ? left : room - done;

		if (take > 0)
			memcpy(
			    p + done, r->parts[x->part].p + x->part_at, take);
		done += take;
		x->part_at += take;
		if (x->part_at == r->parts[x->part].len) {
			x->part++;
			x->part_at = 0;
		}
	}
	x->report->bytes_out += done;
	x->moved_ms = clock_now_ms();
	return done;
}

/* Curl starts anew when a kept connection turns out to be closed. */
static int
on_seek(void *ctx, curl_off_t offset, int origin)
{
	struct exchange *x = ctx;

	if (origin != SEEK_SET || offset != 0)
		return CURL_SEEKFUNC_CANTSEEK;
	x->part = x->part_at = 0;
	x->report->bytes_out = 0;
	return CURL_SEEKFUNC_OK;
}

static size_t
body_len(const struct upstream_request *r)
{
	size_t len = 0;

	for (size_t i = 0; i < r->nparts; i++)
		len += r->parts[i].len;
	return len;
}

static void
set_body(struct exchange *x)
{
	const struct upstream_request *r = x->request;
	CURL *easy = x->handle->easy;
	size_t len = x->body_len, at = 0;
	char *whole;

	if (strcmp(r->method, "GET") == 0) {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	/* Curl allocates it for small bodies, too. */
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE,
	    len > SMALL_BODY_BYTES ? 256L * 1024 : 16L * 1024);
	if (len > SMALL_BODY_BYTES) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
		return; /* on_read gives it */
	}
	whole = arena_alloc(x->arena, len + 1);
	for (size_t i = 0; i < r->nparts; i++) {
		if (r->parts[i].len > 0)
			memcpy(whole + at, r->parts[i].p, r->parts[i].len);
		at += r->parts[i].len;
	}
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, whole);
	x->report->bytes_out = len;
}

static struct curl_slist *
add_header(struct curl_slist *list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(list, line);

	if (longer == NULL)
		fatal("out of memory");
	return longer;
}

static struct curl_slist *
make_headers(struct exchange *x)
{
	const struct upstream_request *r = x->request;
	const struct provider *p = r->provider;
	struct curl_slist *list = NULL;
	char *line;

	for (size_t i = 0; i < r->nfields; i++)
		list = add_header(list,
		    arena_printf(x->arena, "%.*s: %.*s",
			SPAN_FMT(r->fields[i].name),
			SPAN_FMT(r->fields[i].value)));
	for (size_t i = 0; i < p->nheaders; i++)
		list = add_header(list,
		    arena_printf(x->arena, "%s: %s", p->headers[i].name,
			p->headers[i].value));
	if (p->key != NULL && p->auth != AUTH_NONE) {
		line = arena_printf(x->arena, "%s%s",
		    p->auth == AUTH_BEARER ? "Authorization: Bearer "
					   : "x-api-key: ",
		    p->key);
		list = add_header(list, line);
		explicit_bzero(line, strlen(line));
	}
	return add_header(list, "Expect:"); /* no waiting for 100 Continue */
}

static void
set_exchange(struct exchange *x, struct curl_slist *headers)
{
	const struct upstream_request *r = x->request;
	CURL *easy = x->handle->easy;

	curl_easy_setopt(easy, CURLOPT_URL,
	    arena_printf(x->arena, "%s%s%s%s", r->provider->url, r->path,
		r->query != NULL ? "?" : "", r->query != NULL ? r->query : ""));
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	/* Curl decodes only where it has asked, if for nothing.  Events,
	 * errors and usage could not be seen in a coded stream, nor comments
	 * put into it. */
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "identity");
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(easy, CURLOPT_READDATA, x);
	curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(easy, CURLOPT_SEEKDATA, x);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_prereq);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, x);
	set_body(x);
}

/* ---- the loop --------------------------------------------------------- */

/* When the phase we are in has lasted too long, and what that is called. */
static int64_t
deadline_ms(const struct exchange *x, enum upstream_result *which)
{
	const struct timeouts *t = &x->request->timeouts;
	int64_t start_ms = x->start_ns / 1000000;
	int64_t at = start_ms + t->total_ms, phase;

	*which = UPSTREAM_TIMEOUT_TOTAL;
	if (!x->report->connected)
		phase = x->moved_ms + t->connect_ms; /* for the second try */
	else
		phase = x->moved_ms +
		    (x->body_seen ? t->idle_ms : t->first_byte_ms);
	if (phase < at) {
		at = phase;
		*which = !x->report->connected ? UPSTREAM_TIMEOUT_CONNECT
		    : x->body_seen             ? UPSTREAM_TIMEOUT_IDLE
					       : UPSTREAM_TIMEOUT_FIRST_BYTE;
	}
	return at;
}

static void
tick(struct exchange *x, int64_t now_ms)
{
	int next_ms = x->watch->tick(x->watch->ctx);

	if (next_ms == WATCH_GONE)
		x->stopped = UPSTREAM_CLIENT_GONE;
	else
		x->tick_ms = now_ms + next_ms;
}

/* Once the request is up, nothing but the answer is waited for. */
static curl_socket_t
answer_fd(struct exchange *x)
{
	curl_off_t sent = 0;

	if (x->fd != CURL_SOCKET_BAD || !x->report->connected ||
	    x->handle->nfds != 1 || x->handle->crowded || x->handle->opening)
		return x->fd;
	curl_easy_getinfo(x->handle->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	if ((size_t)sent >= x->body_len)
		x->fd = x->handle->fds[0];
	return x->fd;
}

/* How long nothing needs to be done, in ms. */
static int
patience_ms(struct exchange *x)
{
	enum upstream_result which;
	int64_t now_ms = clock_now_ms(), until = deadline_ms(x, &which);
	long curl_ms = -1;

	if (until <= now_ms) {
		x->stopped = which;
		return 0;
	}
	if (x->tick_ms < until)
		until = x->tick_ms;
	curl_multi_timeout(x->handle->multi, &curl_ms);
	if (curl_ms >= 0 && now_ms + curl_ms < until)
		until = now_ms + curl_ms;
	return until <= now_ms ? 0 : (int)(until - now_ms);
}

/* Blocks until something is to be done; is it the client? */
static bool
wait_for(struct exchange *x)
{
	int timeout_ms = patience_ms(x);
	curl_socket_t fd = answer_fd(x);
	struct curl_waitfd client = { x->watch->fd, CURL_WAIT_POLLIN, 0 };
	struct pollfd fds[2] = { { .fd = fd, .events = POLLIN },
		{ .fd = x->watching ? x->watch->fd : -1,
		    .events = x->watch->events } };

	if (x->stopped != UPSTREAM_OK || timeout_ms == 0)
		return false;
	if (fd != CURL_SOCKET_BAD) {
		/* A signal, where there are any (CGI), is for the watch. */
		return poll(fds, 2, timeout_ms) == -1 || fds[1].revents != 0;
	}
	curl_multi_poll(
	    x->handle->multi, &client, x->watching ? 1 : 0, timeout_ms, NULL);
	return client.revents != 0;
}

static void
tick_for_client(struct exchange *x)
{
	tick(x, clock_now_ms());
	/* Still there, though readable: whatever it sent, polling it again
	 * would spin. */
	x->watching = false;
}

/* What is at hand comes in and goes on; false: it is over. */
static bool
step(struct exchange *x)
{
	unsigned starts = x->starts;
	int64_t now_ms;

	curl_multi_perform(x->handle->multi, &x->running);
	/* A new connection, or one in the making. */
	if (x->starts != starts || x->handle->opening || x->handle->nfds == 0)
		x->fd = CURL_SOCKET_BAD;
	if (x->running == 0 || x->stopped != UPSTREAM_OK)
		return false;
	if (x->dirty && x->sink->pause(x->sink->ctx) == -1)
		x->stopped = UPSTREAM_STOPPED;
	x->dirty = false;
	now_ms = clock_now_ms();
	if (x->tick_ms <= now_ms && x->stopped == UPSTREAM_OK)
		tick(x, now_ms);
	return x->stopped == UPSTREAM_OK;
}

/* ---- in the pump ------------------------------------------------------ */

/* The pump must not block.  A unix or TCP socket that is writable has a third
 * of its buffer free, so it takes PUMP_HELD_BYTES at least twice. */
static bool
takes_more(struct exchange *x)
{
	struct pollfd client = { .fd = x->watch->fd, .events = POLLOUT };
	uint64_t in = x->report->bytes_in;

	if (x->room_seen && in - x->room_at < PUMP_HELD_BYTES)
		return true;
	x->room_seen = poll(&client, 1, 0) == 1 && client.revents == POLLOUT;
	x->room_at = in;
	return x->room_seen;
}

static bool
can_pump(struct exchange *x)
{
	return x->pump != NULL && x->body_seen && x->fd != CURL_SOCKET_BAD &&
	    x->sink->held != NULL && x->watch->fd != -1 &&
	    x->sink->held(x->sink->ctx) <= PUMP_HELD_BYTES && takes_more(x);
}

static int
pump_step(void *ctx, bool client)
{
	struct exchange *x = ctx;
	bool more = false;
	int due_ms = 0;

	log_set_request(x->log_request);
	if (client)
		tick_for_client(x);
	if (x->stopped == UPSTREAM_OK && can_pump(x))
		more = step(x) && x->fd != CURL_SOCKET_BAD;
	if (more)
		due_ms = patience_ms(x);
	log_set_request(NULL);
	if (!handle_has(x->handle, x->job->fd))
		x->job->fd = -1;
	return more && x->stopped == UPSTREAM_OK ? due_ms : PUMP_DONE;
}

/* Until it is over, or the pump can't have it any longer. */
static bool
run_in_pump(struct exchange *x)
{
	struct pump_job job = { .fd = x->fd,
		.client_fd = x->watching ? x->watch->fd : -1,
		.step = pump_step,
		.ctx = x };
	bool taken;

	job.due_ms = clock_now_ms() + patience_ms(x);
	if (x->stopped != UPSTREAM_OK)
		return false;
	x->job = &job;
	x->log_request = log_get_request();
	taken = pump_run(x->pump, &job);
	x->job = NULL;
	return taken;
}

static void
run(struct exchange *x)
{
	x->running = 1;
	while (step(x)) {
		if (can_pump(x) && run_in_pump(x) &&
		    (x->running == 0 || x->stopped != UPSTREAM_OK))
			break;
		if (wait_for(x))
			tick_for_client(x);
		if (x->stopped != UPSTREAM_OK)
			break;
	}
}

static enum upstream_result
result_of(const struct exchange *x, CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return x->head_done ? UPSTREAM_OK : UPSTREAM_BAD;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return UPSTREAM_TLS;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_BAD_CONTENT_ENCODING:
		return UPSTREAM_BAD;
	default:
		if (x->report->connected)
			return UPSTREAM_CUT;
		return x->handle->forbidden ? UPSTREAM_FORBIDDEN
					    : UPSTREAM_CONNECT;
	}
}

static void
finish(struct exchange *x)
{
	struct handle *h = x->handle;
	CURLMsg *message;
	int left;

	message = curl_multi_info_read(h->multi, &left);
	if (x->stopped != UPSTREAM_OK)
		x->report->result = x->stopped;
	else if (message == NULL || message->msg != CURLMSG_DONE)
		x->report->result = UPSTREAM_BAD;
	else {
		x->report->result = result_of(x, message->data.result);
		if (message->data.result != CURLE_OK)
			x->report->detail = arena_strdup(x->arena,
			    h->error[0] != '\0'
				? h->error
				: curl_easy_strerror(message->data.result));
	}
	if (x->report->detail == NULL)
		x->report->detail = result_names[x->report->result];
}

static void
measure(struct exchange *x)
{
	curl_off_t connect_us = 0;
	long connects = 0;

	curl_easy_getinfo(x->handle->easy, CURLINFO_NUM_CONNECTS, &connects);
	x->report->reused = x->report->connected && connects == 0;
	if (connects == 0)
		return;
	curl_easy_getinfo(
	    x->handle->easy, CURLINFO_PRETRANSFER_TIME_T, &connect_us);
	x->report->connect_ns = (int64_t)connect_us * 1000;
}

static void
exchange(struct exchange *x)
{
	curl_multi_add_handle(x->handle->multi, x->handle->easy);
	run(x);
	finish(x);
	measure(x);
	/* Closes the connection unless the answer has ended; what we end
	 * ourselves is reset. */
	x->handle->reset = x->stopped != UPSTREAM_OK;
	curl_multi_remove_handle(x->handle->multi, x->handle->easy);
	x->handle->reset = false;
}

/* A kept connection turned out closed before a byte of the answer came.  Curl
 * tries again by itself where it sees that at the first write or read; not
 * when the end comes while a large body goes up. */
static bool
died_unused(const struct exchange *x)
{
	return x->report->result == UPSTREAM_CUT && x->report->reused &&
	    x->head_bytes == 0 && !x->body_seen;
}

static void
exchange_again(struct exchange *x)
{
	x->report->connected = x->report->reused = false;
	x->report->detail = NULL;
	x->handle->error[0] = '\0';
	x->moved_ms = clock_now_ms();
	x->fd = CURL_SOCKET_BAD;
	on_seek(x, 0, SEEK_SET);
	set_body(x);
	exchange(x);
}

void
upstream_send(struct upstream_pool *pool, const struct upstream_request *r,
    const struct watch *watch, const struct upstream_sink *sink,
    struct arena *arena, struct upstream_report *report)
{
	struct exchange *x = arena_alloc(arena, sizeof(*x));
	struct curl_slist *headers;

	memset(report, 0, sizeof(*report));
	*x = (struct exchange){ .request = r,
		.watch = watch,
		.sink = sink,
		.arena = arena,
		.report = report,
		.content_length = -1,
		.fd = CURL_SOCKET_BAD,
		.pump = handle_pump(pool),
		.body_len = body_len(r),
		.watching = watch->fd != -1 };
	if ((x->handle = handle_borrow(pool, r->provider)) == NULL) {
		report->result = UPSTREAM_CONNECT;
		report->detail = "no handle: out of memory or descriptors";
		return;
	}
	x->start_ns = clock_now_ns();
	x->moved_ms = x->start_ns / 1000000;
	x->handle->forbidden = false;
	x->handle->error[0] = '\0';
	headers = make_headers(x);
	set_exchange(x, headers);
	exchange(x);
	if (died_unused(x))
		exchange_again(x);
	curl_easy_setopt(x->handle->easy, CURLOPT_HTTPHEADER, NULL);
	if (x->starts > 1 || report->result != UPSTREAM_OK)
		handle_reset(x->handle);
	for (struct curl_slist *h = headers; h != NULL; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(headers);
	handle_return(pool, x->handle);
}

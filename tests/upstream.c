/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The stub upstream of the tests and the bench: an HTTP/1.1 server on a port
 * that the kernel chose (printed as the first line), scripted by each request
 * (response.h), and recording exactly what it got.  One thread, one loop, so
 * that thousands of streams are cheap.
 *
 *	upstream [-a address] [--record DIR] [--raw DIR]
 *
 * --record keeps request N as DIR/N.head, DIR/N.body (unchunked) and
 * DIR/N.answer (the body that was sent, unchunked).  --raw is the directory of
 * raw replies ("raw,file=name"): DIR/name.http.
 *
 * GET /_stats returns counts as JSON, /_release releases everything that waits
 * at a gate, /_reset sets the counts to zero.  `in_flight` counts requests that
 * have arrived and whose response is not complete, `uploading` those that are
 * still arriving, `aborted` those of either kind that the client closed.
 * Connections that the kernel knows to be closed do not count in
 * `max_in_flight`.
 *
 * With the path script "no-read" ("/s/no-read/v1") it reads nothing after the
 * head.
 */
#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "response.h"
#include "poller.h"
#include "text.h"

enum state { STATE_HEAD, STATE_BODY, STATE_ANSWER };
enum phase {
	PHASE_START,
	PHASE_HEAD,
	PHASE_PIECES,
	PHASE_END, /* all is sent except the framing's end */
	PHASE_FLUSH,
	PHASE_DONE
};

struct conn {
	int fd;
	struct conn *next, *prev;
	struct text in;
	size_t seen; /* bytes of `in` that the chunk reader has seen */
	enum state state;
	size_t head_len;
	int64_t body_len; /* -1: chunked */
	struct text body; /* when chunked */

	struct text out;
	size_t out_at;
	struct response response;
	enum phase phase;
	struct text piece;
	struct text sent; /* for --record */
	unsigned long number; /* of the request; 0: of an admin request */
	bool gated, passed; /* waits at a gate; has passed one */
	bool ending; /* close once `out` is written */
	bool reset; /* with RST */
	bool doomed; /* close on the next request */
	bool counted; /* among the connections */
	bool uploading; /* the head has arrived, the body has not */
	short watched;

	int64_t due_ns; /* 0: no timer */
	size_t heap_at;
};

static struct {
	unsigned long requests, in_flight, max_in_flight, connections, aborted,
	    completed, uploading;
	unsigned long long bytes_in, bytes_out;
	unsigned long long taken; /* bytes that sockets accepted */
	int64_t last_abort_ns;
} stats;

static struct poller poller;
static struct conn *conns, *graveyard;
static struct conn **heap;
static size_t heap_len, heap_size;
static const char *record_dir, *raw_dir;
static unsigned long sequence;

static void advance(struct conn *);

/* The timers: a binary heap by due time. */

static void
heap_put(size_t at, struct conn *c)
{
	heap[at] = c;
	c->heap_at = at;
}

static void
heap_sift(size_t at)
{
	struct conn *c = heap[at];
	size_t child;

	while (at > 0 && heap[(at - 1) / 2]->due_ns > c->due_ns) {
		heap_put(at, heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (; (child = 2 * at + 1) < heap_len; at = child) {
		if (child + 1 < heap_len &&
		    heap[child + 1]->due_ns < heap[child]->due_ns)
			child++;
		if (heap[child]->due_ns >= c->due_ns)
			break;
		heap_put(at, heap[child]);
	}
	heap_put(at, c);
}

static void
timer_unset(struct conn *c)
{
	size_t at = c->heap_at;

	if (c->due_ns == 0)
		return;
	c->due_ns = 0;
	heap_len--;
	if (at < heap_len) {
		heap_put(at, heap[heap_len]);
		heap_sift(at);
	}
}

static void
timer_set(struct conn *c, long ms)
{
	timer_unset(c);
	c->due_ns = response_now_ns() + (int64_t)ms * 1000000;
	if (heap_len == heap_size) {
		heap_size = heap_size * 2 + 64;
		if ((heap = realloc(heap, heap_size * sizeof(*heap))) == NULL)
			err(99, "realloc");
	}
	heap_put(heap_len++, c);
	heap_sift(heap_len - 1);
}

static void
record(unsigned long number, const char *what, const char *p, size_t len)
{
	char path[1024];
	FILE *f;

	if (record_dir == NULL || number == 0)
		return;
	snprintf(path, sizeof(path), "%s/%lu.%s", record_dir, number, what);
	if ((f = fopen(path, "w")) == NULL)
		err(99, "%s", path);
	fwrite(p, 1, len, f);
	if (fclose(f) == EOF)
		err(99, "%s", path);
}

static void
record_response(struct conn *c)
{
	record(c->number, "answer", c->sent.p == NULL ? "" : c->sent.p,
	    c->sent.len);
}

static void
upload_over(struct conn *c, bool whole)
{
	if (!c->uploading)
		return;
	c->uploading = false;
	stats.uploading--;
	if (!whole) {
		stats.aborted++;
		stats.last_abort_ns = response_now_ns();
	}
}

static void
response_over(struct conn *c, bool whole)
{
	if (c->phase == PHASE_DONE)
		return;
	c->phase = PHASE_DONE;
	timer_unset(c);
	if (c->number == 0)
		return;
	stats.in_flight--;
	if (whole) {
		stats.completed++;
	} else {
		stats.aborted++;
		stats.last_abort_ns = response_now_ns();
	}
	if (!whole)
		record_response(c);
}

static void
conn_close(struct conn *c, bool by_peer)
{
	struct linger hard = { .l_onoff = 1 };

	if (c->state == STATE_ANSWER)
		response_over(c, !by_peer);
	upload_over(c, !by_peer);
	timer_unset(c);
	if (c->reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	poller_unset(&poller, c->fd);
	close(c->fd);
	c->fd = -1;
	if (c->next != NULL)
		c->next->prev = c->prev;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		conns = c->next;
	response_free(&c->response);
	text_free(&c->in);
	text_free(&c->body);
	text_free(&c->out);
	text_free(&c->piece);
	text_free(&c->sent);
	/* The poller may still have an event for it. */
	c->next = graveyard;
	graveyard = c;
}

static void
watch(struct conn *c, short events)
{
	if (c->watched == events)
		return;
	c->watched = events;
	poller_set(&poller, c->fd, events, c);
}

/* Body bytes, in the framing of this response. */
static void
send_body(struct conn *c, const char *p, size_t len)
{
	const struct script *s = &c->response.script;

	if (len == 0)
		return;
	stats.bytes_out += len;
	if (record_dir != NULL)
		text_add(&c->sent, p, len);
	if (!c->response.stream || SCRIPT_HAS(s, UNTIL_CLOSE)) {
		text_add(&c->out, p, len);
		return;
	}
	text_printf(&c->out, "%zx\r\n", len);
	text_add(&c->out, p, len);
	text_puts(&c->out, "\r\n");
}

static void
end_with_close(struct conn *c)
{
	c->ending = true;
	c->phase = PHASE_END;
}

static void
send_head(struct conn *c)
{
	struct response *a = &c->response;
	const struct script *s = &a->script;
	long length = (long)a->body.len;

	if (SCRIPT_HAS(s, INTERIM))
		text_puts(&c->out,
		    "HTTP/1.1 100 Continue\r\n\r\n"
		    "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
	if (SCRIPT_HAS(s, CUT_HEAD)) {
		text_add(&c->out, a->head.p, a->head.len / 2);
		end_with_close(c);
		return;
	}
	text_add(&c->out, a->head.p, a->head.len);
	if (SCRIPT_HAS(s, LENGTH_LONG))
		length += 100;
	if (SCRIPT_HAS(s, LENGTH_SHORT))
		length -= length > 10 ? 10 : 0;
	if (SCRIPT_HAS(s, UNTIL_CLOSE))
		text_puts(&c->out, "Connection: close\r\n");
	else if (a->stream)
		text_puts(&c->out, "Transfer-Encoding: chunked\r\n");
	else
		text_printf(&c->out, "Content-Length: %ld\r\n", length);
	text_puts(&c->out, "\r\n");
}

/* Cuts and stalls come after this piece. */
static long
middle(const struct response *a)
{
	return a->npieces / 2 > 0 ? a->npieces / 2 : 1;
}

static void
cut(struct conn *c)
{
	if (SCRIPT_HAS(&c->response.script, CLEAN)) {
		c->phase = PHASE_END;
		return;
	}
	c->reset = SCRIPT_HAS(&c->response.script, RST);
	end_with_close(c);
}

/* Cuts the piece after the first byte of its last two-byte character. */
static void
cut_character(struct text *piece)
{
	for (size_t i = piece->len; i-- > 0;)
		if (((unsigned char)piece->p[i] & 0xe0) == 0xc0) {
			piece->len = i + 1;
			return;
		}
}

/* A body that is not a stream is sent in one piece, or in halves if something
 * happens between them.  True: go on at once. */
static bool
send_whole(struct conn *c)
{
	struct response *a = &c->response;
	const struct script *s = &a->script;
	bool halves = SCRIPT_HAS(s, STALL_MID) || SCRIPT_HAS(s, CUT_MID) ||
	    SCRIPT_HAS(s, CUT_UTF8) || SCRIPT_HAS(s, GATE);
	size_t half = a->body.len / 2;

	if (halves && a->piece++ == 0) {
		send_body(c, a->body.p, half);
		if (SCRIPT_HAS(s, CUT_MID) || SCRIPT_HAS(s, CUT_UTF8)) {
			cut(c);
			return true;
		}
		c->gated = true;
		return false;
	}
	send_body(c, a->body.p + (halves ? half : 0),
	    a->body.len - (halves ? half : 0));
	c->phase = PHASE_END;
	return true;
}

/* True: go on at once. */
static bool
send_piece(struct conn *c)
{
	struct response *a = &c->response;
	const struct script *s = &a->script;
	bool mid;

	if (!a->stream)
		return send_whole(c);
	c->piece.len = 0;
	if (!response_next(a, &c->piece)) {
		c->phase = PHASE_END;
		return true;
	}
	mid = a->piece == middle(a);
	if (mid && SCRIPT_HAS(s, CUT_UTF8))
		cut_character(&c->piece);
	send_body(c, c->piece.p, c->piece.len);
	if (mid && (SCRIPT_HAS(s, CUT_MID) || SCRIPT_HAS(s, CUT_UTF8))) {
		cut(c);
		return true;
	}
	if ((SCRIPT_HAS(s, GATE) && a->piece == 1) ||
	    (SCRIPT_HAS(s, STALL_MID) && mid)) {
		c->gated = true;
		return false;
	}
	if (a->piece < a->npieces && s->ms > 0 && !SCRIPT_HAS(s, DRIP)) {
		timer_set(c, s->ms);
		return false;
	}
	return true;
}

static void
send_end(struct conn *c)
{
	const struct script *s = &c->response.script;

	if (c->ending)
		return;
	if (SCRIPT_HAS(s, UNTIL_CLOSE) || SCRIPT_HAS(s, LENGTH_LONG))
		c->ending = true;
	else if (c->response.stream)
		text_puts(&c->out, "0\r\n\r\n");
	if (SCRIPT_HAS(s, CLOSE_AFTER))
		c->ending = true;
	c->doomed = SCRIPT_HAS(s, DOOM);
}

/* What happens before the head: delays, stalls, lost connections. */
static bool
start(struct conn *c)
{
	const struct script *s = &c->response.script;

	if (SCRIPT_HAS(s, RESET) || SCRIPT_HAS(s, CLOSE)) {
		c->reset = SCRIPT_HAS(s, RESET);
		end_with_close(c);
		return true;
	}
	c->phase = PHASE_HEAD;
	if (SCRIPT_HAS(s, STALL_HEAD)) {
		c->gated = true;
		return false;
	}
	if (s->delay > 0) {
		timer_set(c, s->delay);
		return false;
	}
	return true;
}

static bool
head(struct conn *c)
{
	const struct script *s = &c->response.script;

	c->phase = PHASE_PIECES;
	send_head(c);
	if (c->ending)
		return true;
	if (SCRIPT_HAS(s, STALL_FIRST)) {
		c->gated = true;
		return false;
	}
	if (s->ttft > 0) {
		timer_set(c, s->ttft);
		return false;
	}
	return true;
}

/* Writes the output.  False: the connection is gone. */
static bool
flush(struct conn *c)
{
	const struct script *s = &c->response.script;
	bool drip = c->state == STATE_ANSWER && SCRIPT_HAS(s, DRIP);
	ssize_t n;

	while (c->out_at < c->out.len) {
		n = send(c->fd, c->out.p + c->out_at,
		    drip ? 1 : c->out.len - c->out_at, MSG_NOSIGNAL);
		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			watch(c, POLLIN | POLLOUT);
			return true;
		}
		if (n == -1) {
			conn_close(c, true);
			return false;
		}
		c->out_at += (size_t)n;
		if (c->state == STATE_ANSWER) /* not of admin requests */
			stats.taken += (unsigned long long)n;
		if (drip && c->out_at < c->out.len) {
			timer_set(c, s->ms > 0 ? s->ms : 1);
			return true;
		}
	}
	c->out.len = c->out_at = 0;
	watch(c, POLLIN);
	if (c->ending) {
		conn_close(c, false);
		return false;
	}
	return true;
}

static void conn_parse(struct conn *);

/* The response is sent: ready for the next request on this connection. */
static void
conn_next(struct conn *c)
{
	response_over(c, true);
	response_free(&c->response);
	memset(&c->response, 0, sizeof(c->response));
	c->sent.len = c->body.len = 0;
	c->state = STATE_HEAD;
	c->gated = false;
	c->seen = 0;
	if (c->in.len > 0)
		conn_parse(c);
}

static bool
response_step(struct conn *c)
{
	switch (c->phase) {
	case PHASE_START:
		return start(c);
	case PHASE_HEAD:
		return head(c);
	case PHASE_PIECES:
		return send_piece(c);
	default:
		return false;
	}
}

static void
advance(struct conn *c)
{
	if (c->state == STATE_ANSWER) {
		while (!c->gated && c->due_ns == 0 && c->phase < PHASE_END)
			if (!response_step(c))
				break;
		if (c->phase == PHASE_END) {
			send_end(c);
			/* Recorded before the client can see the end. */
			record_response(c);
			c->phase = PHASE_FLUSH;
		}
	}
	if (flush(c) && c->state == STATE_ANSWER && c->phase == PHASE_FLUSH &&
	    c->out.len == 0)
		conn_next(c);
}

static void
admin_reply(struct conn *c, const char *body)
{
	text_printf(&c->out,
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n\r\n%s",
	    strlen(body), body);
	text_drop(&c->in, c->head_len);
	c->number = 0;
	c->state = STATE_HEAD;
	flush(c);
}

static void
release_all(void)
{
	for (struct conn *c = conns, *next; c != NULL; c = next) {
		next = c->next;
		if (!c->gated)
			continue;
		c->gated = false;
		advance(c);
	}
}

static void
admin(struct conn *c, const char *path)
{
	char body[512];

	snprintf(body, sizeof(body),
	    "{\"requests\":%lu,\"in_flight\":%lu,\"max_in_flight\":%lu,"
	    "\"connections\":%lu,\"completed\":%lu,\"aborted\":%lu,"
	    "\"bytes_in\":%llu,\"bytes_out\":%llu,\"last_abort_ns\":%lld,"
	    "\"uploading\":%lu,\"taken\":%llu}\n",
	    stats.requests, stats.in_flight, stats.max_in_flight,
	    stats.connections, stats.completed, stats.aborted, stats.bytes_in,
	    stats.bytes_out, (long long)stats.last_abort_ns, stats.uploading,
	    stats.taken);
	if (strncmp(path, "/_release", 9) == 0)
		release_all();
	if (strncmp(path, "/_reset", 7) == 0) {
		unsigned long in_flight = stats.in_flight,
			      uploading = stats.uploading;

		memset(&stats, 0, sizeof(stats));
		stats.in_flight = in_flight;
		stats.uploading = uploading;
	}
	admin_reply(c, body);
}

/* A request header's value, up to the line's end. */
static const char *
header(struct conn *c, const char *name, size_t *len)
{
	const char *p = c->in.p, *end = p + c->head_len;
	size_t n = strlen(name);

	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL && ++p < end) {
		if ((size_t)(end - p) <= n || p[n] != ':' ||
		    strncasecmp(p, name, n) != 0)
			continue;
		p += n + 1;
		p += strspn(p, " \t");
		*len = strcspn(p, "\r\n");
		return p;
	}
	*len = 0;
	return "";
}

/* "/s/SCRIPT/rest" to SCRIPT and "/rest"; else no script. */
static void
split_path(char *target, char **script, char **path)
{
	char *slash;

	target[strcspn(target, "?")] = '\0';
	*script = NULL;
	*path = target;
	if (strncmp(target, "/s/", 3) != 0 ||
	    (slash = strchr(target + 3, '/')) == NULL)
		return;
	*path = strdup(slash);
	*slash = '\0';
	*script = strdup(target + 3);
	if (*path == NULL || *script == NULL)
		err(99, "strdup");
}

/* A canned reply replaces head and body. */
static void
raw_response(struct conn *c)
{
	char path[1024], buf[65536];
	size_t n;
	FILE *f;

	snprintf(
	    path, sizeof(path), "%s/%s.http", raw_dir, c->response.script.file);
	if (raw_dir == NULL || strchr(c->response.script.file, '/') != NULL ||
	    (f = fopen(path, "r")) == NULL)
		err(99, "raw reply %s", path);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		text_add(&c->out, buf, n);
	fclose(f);
	end_with_close(c);
}

/* Closes must be seen before a new request is counted, because events come in
 * no order. */
static void
see_closes(struct conn *but)
{
	char byte;
	ssize_t n;

	for (struct conn *c = conns, *next; c != NULL; c = next) {
		next = c->next;
		if (c == but || c->state != STATE_ANSWER)
			continue;
		n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
		if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
			conn_close(c, true);
	}
}

static void
response_begin(struct conn *c, const char *body, size_t len, const char *method,
    const char *path, const char *script)
{
	char type[256];
	size_t type_len;
	const char *value = header(c, "Content-Type", &type_len);
	struct call call = { .path = path,
		.body = body,
		.len = len,
		.content_type = type,
		.method = method };

	snprintf(type, sizeof(type), "%.*s", (int)type_len, value);
	stats.requests++;
	stats.bytes_in += len;
	if (!c->counted) {
		c->counted = true;
		stats.connections++;
	}
	if (stats.in_flight >= stats.max_in_flight)
		see_closes(c);
	if (++stats.in_flight > stats.max_in_flight)
		stats.max_in_flight = stats.in_flight;
	c->number = ++sequence;
	response_make(&c->response, &call, script);
	record(c->number, "head", c->in.p, c->head_len);
	record(c->number, "body", body, len);
	c->state = STATE_ANSWER;
	c->phase = PHASE_START;
}

static void
request_done(struct conn *c)
{
	const char *body = c->body_len < 0 ? c->body.p : c->in.p + c->head_len;
	size_t len = c->body_len < 0 ? c->body.len : (size_t)c->body_len;
	size_t used = c->body_len < 0 ? c->seen : c->head_len + len;
	char method[16] = "", target[2048] = "/", *path, *script;
	char line[2100];

	upload_over(c, true);
	/* sscanf looks for the end of all its input. */
	snprintf(
	    line, sizeof(line), "%.*s", (int)strcspn(c->in.p, "\r"), c->in.p);
	sscanf(line, "%15s %2047s", method, target);
	if (strncmp(target, "/_", 2) == 0) {
		admin(c, target);
		return;
	}
	split_path(target, &script, &path);
	response_begin(c, body == NULL ? "" : body, len, method, path, script);
	if (script != NULL) {
		free(path);
		free(script);
	}
	text_drop(&c->in, used);
	if (SCRIPT_HAS(&c->response.script, RAW))
		raw_response(c);
	advance(c);
}

/* Removes complete chunks from the input; true after the last one. */
static bool
unchunk(struct conn *c)
{
	char *eol;
	size_t n, rest;

	for (;;) {
		rest = c->in.len - c->seen;
		if (rest == 0 ||
		    (eol = memchr(c->in.p + c->seen, '\n', rest)) == NULL)
			return false;
		n = strtoul(c->in.p + c->seen, NULL, 16);
		rest = c->in.len - (size_t)(eol + 1 - c->in.p);
		if (rest < n + 2)
			return false;
		text_add(&c->body, eol + 1, n);
		c->seen = (size_t)(eol + 1 - c->in.p) + n + 2;
		if (n == 0)
			return true;
	}
}

static bool
head_done(struct conn *c)
{
	const char *end, *value;
	size_t len;

	end = memmem(c->in.p, c->in.len, "\r\n\r\n", 4);
	if (end == NULL)
		return false;
	c->head_len = (size_t)(end + 4 - c->in.p);
	value = header(c, "Transfer-Encoding", &len);
	c->body_len = len > 0 ? -1 : 0;
	value = header(c, "Content-Length", &len);
	if (len > 0)
		c->body_len = strtoll(value, NULL, 10);
	c->seen = c->head_len;
	header(c, "Expect", &len);
	if (len > 0)
		text_puts(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
	c->state = STATE_BODY;
	c->uploading = true;
	stats.uploading++;
	if (memmem(c->in.p, strcspn(c->in.p, "\r"), "/s/no-read/", 11) != NULL)
		watch(c, 0); /* its end is still seen */
	return true;
}

static void
conn_parse(struct conn *c)
{
	if (c->state == STATE_HEAD && !head_done(c))
		return;
	if (c->state != STATE_BODY)
		return;
	if (c->out.len > 0 && !flush(c))
		return;
	if (c->body_len < 0 ? unchunk(c)
			    : c->in.len - c->head_len >= (size_t)c->body_len)
		request_done(c);
}

static void
conn_read(struct conn *c)
{
	ssize_t n;

	if (c->doomed && c->state == STATE_HEAD) {
		conn_close(c, false);
		return;
	}
	text_room(&c->in, c->in.len > 65536 ? 1 << 20 : 16384);
	n = recv(c->fd, c->in.p + c->in.len, c->in.size - c->in.len - 1, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_close(c, true);
		return;
	}
	c->in.len += (size_t)n;
	c->in.p[c->in.len] = '\0';
	if (c->state != STATE_ANSWER)
		conn_parse(c);
}

static void
accept_all(int listener)
{
	struct conn *c;
	int fd, on = 1;

	while ((fd = accept(listener, NULL, NULL)) != -1) {
		fcntl(fd, F_SETFL, O_NONBLOCK);
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if ((c = calloc(1, sizeof(*c))) == NULL)
			err(99, "calloc");
		c->fd = fd;
		c->next = conns;
		if (conns != NULL)
			conns->prev = c;
		conns = c;
		watch(c, POLLIN);
	}
}

static int
listen_on(const char *address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_PASSIVE },
			*ai;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char port[16];
	int fd;

	if (getaddrinfo(address, "0", &hints, &ai) != 0)
		errx(99, "%s: no address", address);
	if ((fd = socket(ai->ai_family, SOCK_STREAM, 0)) == -1 ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) == -1 ||
	    listen(fd, 4096) == -1 ||
	    getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		err(99, "%s", address);
	freeaddrinfo(ai);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	getnameinfo((struct sockaddr *)&ss, len, NULL, 0, port, sizeof(port),
	    NI_NUMERICSERV);
	printf("%s\n", port);
	fflush(stdout);
	return fd;
}

static int
timeout_ms(void)
{
	int64_t ns;

	if (heap_len == 0)
		return -1;
	ns = heap[0]->due_ns - response_now_ns();
	return ns <= 0 ? 0 : (int)((ns + 999999) / 1000000);
}

static void
run_timers(void)
{
	int64_t now = response_now_ns();

	while (heap_len > 0 && heap[0]->due_ns <= now) {
		struct conn *c = heap[0];

		timer_unset(c);
		advance(c);
	}
}

static void
bury(void)
{
	struct conn *c;

	while ((c = graveyard) != NULL) {
		graveyard = c->next;
		free(c);
	}
}

static void
serve(int listener)
{
	struct poller_event ev[256];
	int n;

	poller_init(&poller);
	poller_set(&poller, listener, POLLIN, NULL);
	for (;;) {
		n = poller_wait(&poller, ev, 256, timeout_ms());
		for (int i = 0; i < n; i++) {
			struct conn *c = ev[i].tag;

			if (c == NULL)
				accept_all(listener);
			else if (c->fd == -1)
				continue;
			else if ((ev[i].events & POLLOUT) != 0)
				advance(c);
			else
				conn_read(c);
		}
		run_timers();
		bury();
	}
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "record", required_argument, NULL, 'r' },
		{ "raw", required_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	const char *address = "127.0.0.1";
	int ch;

	while ((ch = getopt_long(argc, argv, "a:", options, NULL)) != -1)
		switch (ch) {
		case 'a':
			address = optarg;
			break;
		case 'r':
			record_dir = optarg;
			break;
		case 'w':
			raw_dir = optarg;
			break;
		default:
			fprintf(stderr,
			    "usage: upstream [-a address] "
			    "[--record dir] [--raw dir]\n");
			return 99;
		}
	signal(SIGPIPE, SIG_IGN);
	serve(listen_on(address));
}

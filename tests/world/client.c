/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The clients, as the web server passes them on: one FastCGI connection each,
 * written and read at its own pace, and closed at any moment.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define BODY_MAX (400 * 1024)
#define CHUNK 4096

/* ---- records ----------------------------------------------------------- */

struct writer {
	char *p;
	size_t len, size;
	size_t unpadded; /* the end of the last record's content */
};

static void
put(struct writer *w, const void *p, size_t len)
{
	if (w->len + len > w->size)
		abort();
	if (len > 0)
		memcpy(w->p + w->len, p, len);
	w->len += len;
}

static void
put_record(struct writer *w, int type, const char *p, size_t len)
{
	static const char zeros[255];
	size_t padding = world_chance(256) ? world_below(255) : 0;
	const unsigned char head[8] = { 1, (unsigned char)type, 0, 1,
		(unsigned char)(len >> 8), (unsigned char)len,
		(unsigned char)padding, 0 };

	put(w, head, sizeof(head));
	put(w, p, len);
	w->unpadded = w->len;
	put(w, zeros, padding);
}

/* In records of any length; then an empty one. */
static void
put_stream(struct writer *w, int type, const char *p, size_t len)
{
	while (len > 0) {
		size_t n = world_chance(512) ? 65535 : world_size(1, 65535);

		if (n > len)
			n = len;
		put_record(w, type, p, n);
		p += n;
		len -= n;
	}
	put_record(w, type, NULL, 0);
}

static void
put_param(struct writer *w, const char *name, const char *value)
{
	size_t n = strlen(value);
	unsigned char head[5] = { (unsigned char)strlen(name) };

	if (n < 128) {
		head[1] = (unsigned char)n;
		put(w, head, 2);
	} else {
		head[1] = (unsigned char)(0x80 | n >> 24);
		head[2] = (unsigned char)(n >> 16);
		head[3] = (unsigned char)(n >> 8);
		head[4] = (unsigned char)n;
		put(w, head, 5);
	}
	put(w, name, strlen(name));
	put(w, value, n);
}

static const char *
path_of(enum world_kind kind)
{
	switch (kind) {
	case KIND_EMBEDDINGS:
		return "/v1/embeddings";
	case KIND_MESSAGES:
	case KIND_MESSAGES_STREAM:
		return "/v1/messages";
	case KIND_RESPONSES:
	case KIND_RESPONSES_STREAM:
		return "/v1/responses";
	case KIND_MODELS:
		return "/v1/models";
	case KIND_METRICS:
		return "/metrics";
	case KIND_UNKNOWN:
		return "/v1/nothing";
	default:
		return "/v1/chat/completions";
	}
}

static bool
is_get(enum world_kind kind)
{
	return kind == KIND_MODELS || kind == KIND_METRICS;
}

static void
make_input(struct world_request *r)
{
	static const char *const software[] = { "lighttpd/1.4.69",
		"Caddy/v2.6.2", "nginx/1.22.1" };
	static const char begin[8] = { 0, 1, 0 };
	char text[4096], params[8192];
	struct writer p = { params, 0, sizeof(params), 0 };
	struct writer w = { NULL, 0, r->body_len + r->body_len / 2 + 300000,
		0 };

	put_param(&p, "REQUEST_METHOD", is_get(r->kind) ? "GET" : "POST");
	put_param(&p, "SCRIPT_NAME", "");
	put_param(&p, "PATH_INFO", path_of(r->kind));
	put_param(&p, "REQUEST_URI", path_of(r->kind));
	put_param(&p, "SERVER_SOFTWARE", software[world_below(3)]);
	snprintf(text, sizeof(text), "10.0.%u.7",
	    r->kind == KIND_STRANGER ? 99 : r->client);
	put_param(&p, "REMOTE_ADDR", text);
	put_param(&p, "CONTENT_TYPE", "application/json");
	put_param(&p, "HTTP_HOST", "localhost");
	if (world_chance(700)) {
		snprintf(text, sizeof(text), "%zu", r->body_len);
		put_param(&p, "CONTENT_LENGTH", text);
	}
	memset(text, 'x', sizeof(text));
	text[world_size(0, sizeof(text) - 1)] = '\0';
	put_param(&p, "HTTP_X_LONG", text);

	w.p = world_alloc(w.size);
	put_record(&w, 1, begin, sizeof(begin));
	put_stream(&w, 4, params, p.len);
	r->params_end = w.unpadded;
	put_stream(&w, 5, r->body, r->body_len);
	r->input = w.p;
	r->input_len = w.len;
}

/* ---- bodies ------------------------------------------------------------ */

static void put_text(struct writer *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void
put_text(struct writer *w, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	w->len += (size_t)vsnprintf(w->p + w->len, w->size - w->len, fmt, args);
	va_end(args);
}

/* Words, from a random place in the text. */
static void
put_filler(struct writer *w, size_t len)
{
	static const char text[] = "The quick brown fox jumps over the lazy "
				   "dog, and thinks of it. ";
	size_t at = world_below(sizeof(text) - 1);

	for (; len > 0; len--) {
		w->p[w->len++] = text[at];
		at = at + 1 < sizeof(text) - 1 ? at + 1 : 0;
	}
}

static const char *
family(enum world_kind kind)
{
	switch (kind) {
	case KIND_MESSAGES:
	case KIND_MESSAGES_STREAM:
	case KIND_RESPONSES:
	case KIND_RESPONSES_STREAM:
		return "d";
	case KIND_EMBEDDINGS:
		return "m";
	default:
		return world_chance(200) ? "d" : world_chance(256) ? "x" : "m";
	}
}

static void
make_body(struct world_request *r, unsigned index)
{
	bool stream = r->kind == KIND_STREAM ||
	    r->kind == KIND_MESSAGES_STREAM || r->kind == KIND_RESPONSES_STREAM;
	size_t filler = world_size(
	    1, world->io_max != 0 || world_chance(850) ? 3000 : BODY_MAX);
	struct writer w = { world_alloc(filler + 400), 0, filler + 400, 0 };
	const char *prefix = family(r->kind);
	size_t model;

	if (r->kind == KIND_BROKEN_JSON)
		put_text(&w, "[");
	put_text(&w, "{");
	if (r->kind == KIND_MESSAGES || r->kind == KIND_MESSAGES_STREAM)
		put_text(&w, "\"max_tokens\":100,");
	if (r->kind != KIND_NO_MODEL)
		put_text(&w, "\"model\":\"%s/w%06u\",", prefix, index);
	model = w.len;
	if (stream)
		put_text(&w, "\"stream\":true,");
	if (r->kind == KIND_EMBEDDINGS || r->kind == KIND_RESPONSES ||
	    r->kind == KIND_RESPONSES_STREAM)
		put_text(&w, "\"input\":\"");
	else
		put_text(&w, "\"messages\":[{\"role\":\"user\",\"content\":\"");
	put_filler(&w, filler);
	put_text(&w,
	    r->kind == KIND_EMBEDDINGS || r->kind == KIND_RESPONSES ||
		    r->kind == KIND_RESPONSES_STREAM
		? "\"}"
		: "\"}]}");
	r->body = w.p;
	r->body_len = w.len;
	/* The model without its prefix. */
	r->expect = world_alloc(w.len);
	r->expect_len = w.len - 2;
	if (r->kind <= KIND_EMBEDDINGS) {
		size_t cut = model - strlen("m/w000000\",");

		memcpy(r->expect, r->body, cut);
		memcpy(r->expect + cut, r->body + cut + 2, w.len - cut - 2);
	}
}

/* ---- how it behaves ---------------------------------------------------- */

static enum world_kind
draw_kind(void)
{
	static const unsigned char weights[KIND_COUNT] = { 60, 60, 20, 15, 20,
		15, 20, 8, 4, 4, 4, 4, 4 };
	unsigned left = (unsigned)world_below(238);

	for (int kind = 0; kind < KIND_COUNT; kind++) {
		if (left < weights[kind])
			return (enum world_kind)kind;
		left -= weights[kind];
	}
	return KIND_CHAT;
}

static int64_t
draw_pause(void)
{
	return world_chance(100) ? (int64_t)world_below(3000) * WORLD_MS
				 : (int64_t)world_size(1, 50000) * 1000;
}

void
client_plan(unsigned index)
{
	struct world_request *r = &world->requests[index];
	bool calm = world->calm || world_chance(600);

	memset(r, 0, sizeof(*r));
	r->kind = draw_kind();
	r->conn = -1;
	r->client = (unsigned)world_below(3);
	make_body(r, index);
	if (is_get(r->kind))
		r->body_len = 0;
	make_input(r);
	r->write_max = calm ? SIZE_MAX : world_size(1, 100000);
	r->read_max = calm ? SIZE_MAX : world_size(1, 100000);
	if (!calm && world->io_max == 0) {
		/* A request must not last for hours. */
		if (r->write_max < r->input_len / 200)
			r->write_max = r->input_len / 200;
		if (r->read_max < 3000)
			r->read_max = 3000;
	}
	r->write_pause_ns = draw_pause();
	r->read_pause_ns = draw_pause();
	r->gone_after_in = r->gone_after_out = SIZE_MAX;
	r->gone_at_ns = INT64_MAX;
	if (world->calm || world_chance(800))
		return;
	if (world_chance(300))
		r->gone_after_in = world_below(r->input_len);
	else if (world_chance(512))
		r->gone_after_out = world_size(1, 20000);
	else
		r->gone_at_ns =
		    world->mono_ns + (int64_t)world_size(1, 20000) * WORLD_MS;
	r->gone_by_reset = world_chance(512);
}

/* ---- what comes back --------------------------------------------------- */

static void
grow(char **p, size_t *size, size_t want)
{
	char *bigger;

	if (want <= *size)
		return;
	bigger = world_alloc(want * 2);
	if (*p != NULL)
		memcpy(bigger, *p, *size);
	*p = bigger;
	*size = want * 2;
}

/* Reads all records that are complete. */
static void
read_records(struct world_request *r)
{
	size_t at = 0;

	r->response = world_alloc(r->out_len + 1);
	while (r->out_len - at >= 8) {
		const unsigned char *head = (unsigned char *)r->out + at;
		size_t len = (size_t)(head[4] << 8 | head[5]);

		if (head[0] != 1 || (head[2] << 8 | head[3]) != 1) {
			/* How nginx learns that a response broke off. */
			if (head[0] != 0)
				world_wrong("a client got no valid record");
			return;
		}
		if (r->out_len - at < 8 + len + head[6])
			return;
		if (head[1] == 3)
			r->ended = true;
		else if (head[1] != 6)
			world_wrong(
			    "a client got a record of type %d", head[1]);
		else {
			memcpy(r->response + r->response_len, r->out + at + 8,
			    len);
			r->response_len += len;
		}
		at += 8 + len + head[6];
	}
}

static void
finish(struct world_request *r, struct sim_conn *c, bool left)
{
	r->left = left;
	r->closed = !left;
	r->life = world->life;
	r->closed_ns = world->mono_ns;
	sim_close(c, 1, left && r->gone_by_reset);
	read_records(r);
}

static void
take_some(struct world_request *r, struct sim_conn *c)
{
	size_t n =
	    r->read_max < c->stream[1].len ? r->read_max : c->stream[1].len;

	if (n == 0)
		return;
	grow(&r->out, &r->out_size, r->out_len + n);
	r->out_len += sim_get(c, r->out + r->out_len, n);
}

static void
give_some(struct world_request *r, struct sim_conn *c)
{
	size_t n = r->input_len - r->put;

	if (n > r->write_max)
		n = r->write_max;
	if (r->gone_after_in != SIZE_MAX && n > r->gone_after_in - r->put)
		n = r->gone_after_in - r->put;
	r->put += sim_put(c, r->input + r->put, n);
}

static void
act(int index)
{
	struct world_request *r = &world->requests[index];
	struct sim_conn *c = sim_conn(r->conn);
	int64_t pause = 0;

	r->act_due = false;
	if (c->closed[1])
		return;
	give_some(r, c);
	take_some(r, c);
	if (r->put >= r->gone_after_in || r->out_len >= r->gone_after_out ||
	    world->mono_ns >= r->gone_at_ns) {
		finish(r, c, true);
		return;
	}
	if ((c->closed[0] || c->stream[1].broken) && c->stream[1].len == 0) {
		finish(r, c, false);
		return;
	}
	if (r->put < r->input_len && c->stream[0].len < c->stream[0].size)
		pause = r->write_pause_ns;
	else if (c->stream[1].len > 0)
		pause = r->read_pause_ns;
	if (pause > 0) {
		r->act_due = true;
		world_at(world->mono_ns + pause, act, index);
	} else if (r->gone_at_ns != INT64_MAX && !r->gone_due) {
		r->gone_due = true;
		world_at(r->gone_at_ns, act, index);
	}
}

void
client_poke(struct sim_conn *c)
{
	struct world_request *r = &world->requests[c->owner];

	if (r->act_due || c->closed[1])
		return;
	r->act_due = true;
	world_at(
	    world->mono_ns + (int64_t)world_below(30000), act, (int)c->owner);
}

/* A slot is free: a client that may be waiting for it leaves at this very
 * moment. */
void
client_leaves_queue(void)
{
	for (unsigned i = 0; i < world->arrived; i++) {
		struct world_request *r = &world->requests[i];

		if (r->conn == -1 || !r->begun || r->left || r->closed ||
		    r->ntries > 0 || sim_conn(r->conn)->closed[1])
			continue;
		if (world_chance(512)) {
			finish(r, sim_conn(r->conn), true);
			return;
		}
	}
}

void
client_arrive(int index)
{
	struct world_request *r = &world->requests[index];

	r->conn = sim_connect_client((unsigned)index);
	world->arrived++;
	if (r->conn != -1)
		client_poke(sim_conn(r->conn));
}

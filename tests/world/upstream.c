/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The providers.  What each is sent is counted when the connection accepts it.
 * What it responds, and where the response breaks off, comes from the seed.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/task_internal.h"
#include "reply.h"
#include "world.h"

/* How an exchange goes; SIZE_MAX, INT64_MAX: never. */
struct script {
	size_t put; /* of the reply */
	size_t cut_at;
	bool by_reset;
	size_t read_max, write_max;
	int64_t read_pause_ns, write_pause_ns, first_ns;
	uint64_t reply_at; /* respond after so many bytes of the request */
	bool keeps; /* keeps the connection after the exchange */
	bool waited; /* has waited for first_ns */
};

static const char *const names[] = { "a", "b", "c", "d" };

const char *
upstream_name(unsigned provider)
{
	return names[provider];
}

unsigned
upstream_of(const char *url)
{
	/* http://127.0.0.1:800N/v1, http://192.0.2.1:800N/v1 */
	return (unsigned)(strstr(url, ":800")[4] - '0');
}

/* ---- sending ----------------------------------------------------------- */

static struct {
	struct task *task;
	int request;
} serving[WORLD_REQUESTS_MAX];

void
upstream_task_serves(int request)
{
	unsigned i = 0;

	if (task_current == NULL)
		return;
	while (serving[i].task != NULL && serving[i].task != task_current)
		i++;
	serving[i].task = task_current;
	serving[i].request = request;
}

int
upstream_task_request(void)
{
	for (unsigned i = 0; i < WORLD_REQUESTS_MAX; i++)
		if (serving[i].task == task_current)
			return serving[i].request;
	return -1;
}

/* ---- the script -------------------------------------------------------- */

static int64_t
draw_first(void)
{
	if (world->calm)
		return (int64_t)world_size(1, 2000) * 1000;
	if (world_chance(40))
		return (int64_t)world_below(8000) * WORLD_MS;
	return (int64_t)world_size(1, 100000) * 1000;
}

static void
plan(struct sim_conn *c, struct world_try *t)
{
	struct script *s = world_alloc(sizeof(*s));
	bool calm = world->calm || world_chance(600);

	c->script = s;
	*s = (struct script){ .cut_at = SIZE_MAX,
		.read_max = SIZE_MAX,
		.write_max = SIZE_MAX,
		.first_ns = draw_first(),
		.keeps = world_chance(800) };
	s->reply_at = c->head_end + c->body_len;
	if (calm)
		return;
	s->read_max = world_size(world->io_max != 0 ? 1 : 4000, 200000);
	s->read_pause_ns = (int64_t)world_size(1, 100000) * 1000;
	s->write_max = world_size(world->io_max != 0 ? 1 : 2000, 100000);
	s->write_pause_ns = world_chance(60)
	    ? (int64_t)world_below(4000) * WORLD_MS
	    : (int64_t)world_size(1, 30000) * 1000;
	if (world_chance(150))
		s->cut_at = world_below(t->reply_len);
	s->by_reset = world_chance(512);
	if (world_chance(40)) /* before the request's end */
		s->reply_at = c->begun_at + world_below(c->body_len + 1);
}

/* ---- the request ------------------------------------------------------- */

static void
begin(struct sim_conn *c, int request)
{
	struct world_request *r = &world->requests[request];

	c->request = request;
	c->in_exchange = true;
	c->head_known = false;
	c->begun_at = c->stream[1].written;
	c->head_len = 0;
	c->body_len = 0;
	c->script = NULL;
	if (r->ntries == WORLD_TRIES_MAX) {
		world_wrong("request %d is tried more than %d times", request,
		    WORLD_TRIES_MAX);
		return;
	}
	c->try = (int)r->ntries++;
	memset(&r->tries[c->try], 0, sizeof(r->tries[0]));
	r->tries[c->try].provider = (int)c->owner;
	if (c->owner == 0) { /* the provider with the limit */
		if (++world->active_now > world->slots)
			world_wrong("%u requests at once where %u slots are",
			    world->active_now, world->slots);
		if (world->active_now > world->active_most)
			world->active_most = world->active_now;
	}
}

static void
head_is_whole(struct sim_conn *c)
{
	struct world_request *r = &world->requests[c->request];
	struct world_try *t = &r->tries[c->try];
	const char *length;

	c->head[c->head_len] = '\0';
	c->head_known = true;
	c->head_end = c->begun_at + c->head_len;
	length = strcasestr(c->head, "content-length:");
	c->body_len = length == NULL ? 0 : strtoull(length + 15, NULL, 10);
	c->body = world_alloc(c->body_len + 1);
	c->body_have = 0;
	reply_make(t, c->head, c->request);
	plan(c, t);
}

static void
body_is_whole(struct sim_conn *c)
{
	const struct world_request *r = &world->requests[c->request];

	if (r->kind <= KIND_EMBEDDINGS &&
	    (c->body_len != r->expect_len ||
		memcmp(c->body, r->expect, r->expect_len) != 0))
		world_wrong("request %d: a provider got another body than its "
			    "client sent",
		    c->request);
}

void
upstream_took(struct sim_conn *c, const char *p, size_t len)
{
	struct world_request *r;

	if (!c->in_exchange) {
		int request = upstream_task_request();

		if (request == -1) {
			world_wrong("nobody's request is sent");
			return;
		}
		begin(c, request);
		c->begun_at -= len;
	}
	r = &world->requests[c->request];
	for (; len > 0 && !c->head_known; p++, len--) {
		if (c->head_len + 1 == sizeof(c->head)) {
			world_wrong("a head without an end");
			return;
		}
		c->head[c->head_len++] = *p;
		if (c->head_len >= 4 &&
		    memcmp(c->head + c->head_len - 4, "\r\n\r\n", 4) == 0) {
			head_is_whole(c);
		}
	}
	if (len == 0)
		return;
	if (c->body_have + len > c->body_len) {
		world_wrong(
		    "request %d: more is sent than was said", c->request);
		return;
	}
	memcpy(c->body + c->body_have, p, len);
	c->body_have += len;
	r->tries[c->try].sent += len;
	if (c->body_have == c->body_len)
		body_is_whole(c);
}

void
upstream_left(struct sim_conn *c)
{
	if (!c->in_exchange)
		return;
	c->in_exchange = false;
	if (c->owner != 0)
		return;
	world->active_now--;
	if (!world->calm && world_chance(128))
		client_leaves_queue();
}

/* All of the response has been read and all of the request was sent: the next
 * bytes are another exchange. */
void
upstream_gave(struct sim_conn *c)
{
	struct script *s = c->script;
	const struct world_try *t;

	if (!c->in_exchange || s == NULL)
		return;
	t = &world->requests[c->request].tries[c->try];
	if (!t->complete || c->stream[0].len > 0 || c->body_have < c->body_len)
		return;
	upstream_left(c);
	c->script = NULL;
	c->closing = !s->keeps;
}

/* ---- acting ------------------------------------------------------------ */

static void act(int index);

static void
again(struct sim_conn *c, int64_t pause_ns)
{
	if (c->act_due)
		return;
	c->act_due = true;
	world_at(world->mono_ns + pause_ns, act, (int)(c - world->conns));
}

static void
drain(struct sim_conn *c, size_t max)
{
	char junk[8192];
	size_t n;

	while (max > 0 &&
	    (n = sim_get(c, junk, max < sizeof(junk) ? max : sizeof(junk))) > 0)
		max -= n;
}

static void
end_connection(struct sim_conn *c, bool reset)
{
	sim_close(c, 1, reset);
	if (c->in_exchange && reset)
		upstream_left(c);
}

/* Sends some of the reply; it may break off. */
static void
reply_some(struct sim_conn *c, struct script *s, struct world_try *t)
{
	size_t n = t->reply_len - s->put;

	if (!s->waited) {
		s->waited = true;
		again(c, s->first_ns);
		return;
	}
	if (n > s->write_max)
		n = s->write_max;
	if (s->cut_at != SIZE_MAX && n > s->cut_at - s->put)
		n = s->cut_at - s->put;
	s->put += sim_put(c, t->reply + s->put, n);
	if (s->put == t->reply_len) {
		t->complete = true;
		if (t->by_end)
			end_connection(c, false);
	} else if (s->put >= s->cut_at)
		end_connection(c, s->by_reset);
	else if (c->stream[0].len < c->stream[0].size)
		again(c, s->write_pause_ns);
}

static void
act(int index)
{
	struct sim_conn *c = sim_conn(index);
	struct script *s = c->script;
	struct world_try *t;

	c->act_due = false;
	if (c->closed[1])
		return;
	if (c->closed[0] || c->closing) {
		sim_close(c, 1, false);
		return;
	}
	if (s == NULL) {
		drain(c, SIZE_MAX);
		return;
	}
	drain(c, s->read_max);
	if (c->stream[1].len > 0)
		again(c, s->read_pause_ns);
	t = &world->requests[c->request].tries[c->try];
	if (c->stream[1].read < s->reply_at)
		return;
	if (!t->complete)
		reply_some(c, s, t);
}

void
upstream_poke(struct sim_conn *c)
{
	if (!c->closed[1])
		again(c, (int64_t)world_below(30000));
}

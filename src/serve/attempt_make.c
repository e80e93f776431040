/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Makes what is sent to one candidate: the head, and the body with another
 * model's name or translated by a bridge.
 */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/task.h"
#include "base/version.h"
#include "bridge/attribution.h"
#include "serve/attempt_internal.h"
#include "serve/body.h"

/* The most memory for a body while it is translated. */
#define BRIDGE_COPIES 2

static void
add_field(struct attempt *t, const char *name, const char *value)
{
	if (value == NULL || *value == '\0')
		return;
	/* A value must not contain what could end the line. */
	if (value[strcspn(value, "\r\n")] == '\0')
		t->fields[t->upstream.nfields++] =
		    (struct http1_field){ span_of(name), span_of(value) };
}

/* A little less than we wait ourselves, so that the other gateway's response
 * comes before we give up. */
static int64_t
patience_to_tell_ms(const struct attempt *t)
{
	const struct timeouts *limits = &t->provider->timeouts;
	int64_t ms =
	    t->request->start_ms + attempt_patience_ms(t) - clock_now_ms();

	if (limits->first_byte_ms < ms)
		ms = limits->first_byte_ms;
	if (limits->total_ms < ms)
		ms = limits->total_ms;
	ms -= ms / 10 < 1000 ? ms / 10 : 1000;
	return ms < 1 ? 1 : ms;
}

/* The client, for another gateway.  What is recorded as local stays local
 * there, too. */
static void
add_hop_fields(struct attempt *t)
{
	struct request *r = t->request;
	struct hop hop = { .client = r->client->name,
		.priority = r->client->priority,
		.place = r->plan.ceiling,
		.request_id = r->id,
		.patience_ms = patience_to_tell_ms(t) };

	if (t->provider->place < hop.place)
		hop.place = t->provider->place;
	add_field(t, HOP_FIELD, hop_make(&hop, r->arena));
	add_field(t, HOP_LIST_FIELD,
	    hop_extend(io_param(r->io, HOP_LIST_PARAM), r->server->gateway_id,
		r->arena));
}

/* The key by which the gateway knows the client never passes. */
static void
make_fields(struct attempt *t)
{
	const struct passing *p = &t->request->passing;

	t->upstream.fields = t->fields;
	if (t->request->spec->body != ENDPOINT_BODY_NONE)
		add_field(t, "Content-Type",
		    t->bridge != NULL ? "application/json"
				      : passing_type(p, t->request->arena));
	add_field(t, "User-Agent", "tailgate/" TAILGATE_VERSION);
	add_field(t, "traceparent", p->trace);
	if (t->provider->kind == PROVIDER_TAILGATE)
		add_hop_fields(t);
	for (size_t i = 0; i < PASSING_HEADERS; i++)
		if (passing_headers[i].with_own_key
			? t->provider->auth == AUTH_CLIENT
			: t->bridge == NULL)
			add_field(t, passing_headers[i].name, p->values[i]);
}

/* No memory now, or too large. */
static bool
fail_starved(struct attempt *t)
{
	size_t len = t->request->spool.len;
	struct refused refused = request_starved(&t->memory);

	if (len >= memory_share_most() / (2 + BRIDGE_COPIES))
		refused = (struct refused){ .refusal = REFUSE_TOO_LARGE,
			.message = "The body is too large to be translated in "
				   "the memory that this gateway has; send "
				   "less, or ask the operator to raise "
				   "`memory`." };
	attempt_fail_as(t, &refused);
	t->result.reason = 0;
	return false;
}

struct translation {
	struct attempt *attempt;
	struct refused *refused;
	bool done;
};

static void
translate_body(void *ctx)
{
	struct translation *n = ctx;
	struct attempt *t = n->attempt;

	n->done = bridge_request(t->bridge, spool_span(&t->request->spool),
		      &t->chat, n->refused) == 0;
}

/* The spans and lists of a translation are charged at their largest size. */
static bool
translate(struct attempt *t, struct refused *refused)
{
	size_t bytes = BRIDGE_COPIES * t->request->spool.len;
	struct translation n = { t, refused, false };

	if (!memory_take(&t->memory, bytes))
		return false;
	task_work(t->request->spool.len, translate_body, &n);
	memory_give(&t->memory, bytes);
	if (bridge_lack(t->bridge) != MEMORY_ENOUGH)
		t->memory.lack = bridge_lack(t->bridge);
	return n.done && t->memory.lack == MEMORY_ENOUGH;
}

static bool
make_bridged(struct attempt *t)
{
	struct request *r = t->request;
	struct bridge_ask ask = { .request_id = r->id,
		.model = r->call.model,
		.upstream_model = t->candidate->model,
		.stream = r->call.stream,
		.ask_usage = t->candidate->target->ask_usage,
		.dialect = t->candidate->target->dialect,
		.input_tokens = r->call.input_tokens,
		.wall_ms = clock_wall_ms(),
		.memory = t->memory.share };
	struct refused refused = { .refusal = REFUSE_NONE };
	const char *dropped;

	t->bridge = bridge_new(t->candidate->bridge, &ask);
	r->entry.bridge =
	    t->candidate->bridge == BRIDGE_RESPONSES ? "responses" : "messages";
	if (!translate(t, &refused)) {
		if (t->memory.lack != MEMORY_ENOUGH)
			return fail_starved(t);
		attempt_fail(t, refused.refusal, 0,
		    refused.message == NULL
			? NULL
			: arena_strdup(r->arena, refused.message));
		if (refused.param != NULL)
			t->result.refused.param =
			    arena_strdup(r->arena, refused.param);
		t->result.reason = 0;
		return false;
	}
	alive_bridge(&r->response.alive, t->bridge);
	dropped = bridge_dropped(t->bridge);
	if (dropped != NULL) {
		dropped = arena_strdup(r->arena, dropped);
		log_info("left out for a chat upstream: %s", dropped);
		response_add(&r->response, "x-tailgate-dropped", dropped);
	}
	t->upstream.parts[0] = buf_span(&t->chat);
	t->upstream.nparts = 1;
	t->upstream.path = endpoint_spec(ENDPOINT_CHAT)->upstream;
	return true;
}

/* It spoils a local server's prompt cache; an external provider may need it. */
static struct span
attribution_to_cut(struct attempt *t, struct span body)
{
	enum endpoint endpoint = t->request->spec->id;
	struct span cut = { NULL, 0 };

	if ((endpoint != ENDPOINT_MESSAGES &&
		endpoint != ENDPOINT_COUNT_TOKENS) ||
	    t->provider->place != PLACE_LOCAL ||
	    t->candidate->target->dialect.keep_attribution)
		return cut;
	cut = attribution_find(body);
	if (cut.p != NULL)
		response_add(&t->request->response, "x-tailgate-dropped",
		    ATTRIBUTION_NAME);
	return cut;
}

static void
make_passed(struct attempt *t)
{
	struct request *r = t->request;
	struct upstream_request *u = &t->upstream;
	struct span body = spool_span(&r->spool);

	u->path = request_path(r, r->spec->upstream);
	u->beside_v1 = r->spec->flags & ENDPOINT_BESIDE_V1 &&
	    t->provider->kind != PROVIDER_TAILGATE;
	u->query = r->passing.query;
	if (r->spec->body == ENDPOINT_BODY_NONE)
		return;
	body_make(body, &r->call, t->candidate->model,
	    t->candidate->target->ask_usage &&
		(r->spec->id == ENDPOINT_CHAT ||
		    r->spec->id == ENDPOINT_COMPLETIONS),
	    attribution_to_cut(t, body), r->arena, u, &t->withhold);
}

/* The client's own key, in the form of the API that is spoken.  From here on
 * nothing in the response may hold it. */
static void
take_own_key(struct attempt *t)
{
	struct request *r = t->request;
	struct redact_keys *keys = &r->response.keys;

	t->upstream.key = r->credentials.own.p;
	t->upstream.own_x_api_key = r->credentials.own_x_api_key &&
	    t->candidate->bridge == BRIDGE_NONE &&
	    r->spec->shape == ENDPOINT_SHAPE_ANTHROPIC;
	if (keys->own[0].p != NULL)
		return;
	keys->own[0] = r->credentials.own;
	r->own_sieve = sieve_with(r->server->sieve, keys);
	if (r->own_sieve == NULL)
		return;
	memory_charge(&r->memory, sieve_own_bytes(r->own_sieve));
	r->response.sieve = r->own_sieve;
}

bool
attempt_make_request(struct attempt *t)
{
	struct upstream_request *u = &t->upstream;

	u->provider = t->provider;
	u->key = t->provider->nkeys > 0 ? t->provider->keys[t->key] : NULL;
	if (t->provider->auth == AUTH_CLIENT)
		take_own_key(t);
	u->method = "POST";
	if (t->candidate->bridge != BRIDGE_NONE) {
		if (!make_bridged(t))
			return false;
	} else {
		u->method = t->request->spec->method;
		make_passed(t);
	}
	make_fields(t);
	return true;
}

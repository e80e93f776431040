/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides nothing: this is a request's way, step by step (doc/architecture.md).
 * To learn what happens to a request, read request_serve() first; its body is
 * read and measured in request_body.c.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "policy/admission.h"
#include "policy/ambient.h"
#include "policy/explain.h"
#include "policy/identify.h"
#include "policy/owner.h"
#include "serve/about.h"
#include "serve/attempt.h"
#include "serve/realtime.h"
#include "serve/record.h"
#include "serve/request_internal.h"
#include "serve/settle.h"
#include "state/outlook.h"

#define ID_BYTES 10
_Static_assert(
    REQUEST_ID_SIZE > HOP_REQUEST_ID_CHARS, "an id is handed on whole");
#define SHARE_RETRY_MS 5000
/* For the servers that are asked to count a request's tokens, together. */
#define COUNT_MS 2000

bool
request_refuse(struct request *r, enum refusal refusal)
{
	r->refused = (struct refused){ .refusal = refusal };
	return false;
}

bool
request_refuse_as(struct request *r, enum refusal refusal, const char *message)
{
	r->refused = (struct refused){ .refusal = refusal, .message = message };
	return false;
}

/* ---- identify --------------------------------------------------------- */

static struct span
presented_key(struct request *r)
{
	bool is_websocket = r->spec->flags & ENDPOINT_BY_SERVER;
	const struct credential_fields fields = {
		.gateway = io_param(r->io, "HTTP_X_TAILGATE_KEY"),
		.authorization = io_param(r->io, "HTTP_AUTHORIZATION"),
		.x_api_key = io_param(r->io, "HTTP_X_API_KEY"),
		.protocols = is_websocket
		    ? io_param(r->io, "HTTP_SEC_WEBSOCKET_PROTOCOL")
		    : NULL,
	};

	credentials_take(r->server->config, &fields, &r->credentials);
	r->call.own_key = r->credentials.has;
	return r->credentials.gateway;
}

/* A client without a key: checks that no web page acts in its name. */
static bool
check_ambient(struct request *r)
{
	const struct ambient ambient = {
		.host = io_param(r->io, "HTTP_HOST"),
		.origin = io_param(r->io, "HTTP_ORIGIN"),
		.site = io_param(r->io, "HTTP_SEC_FETCH_SITE"),
		.mount = io_param(r->io, "TAILGATE_HOSTS"),
		.own_name = r->server->own_name,
	};
	enum refusal refusal = ambient_check(r->server->config, &ambient);

	return refusal == REFUSE_NONE || request_refuse(r, refusal);
}

/* Which gateways it came through, and for which client, if a relay sent it. */
static bool
take_hop(struct request *r)
{
	const char *hops = io_param(r->io, HOP_LIST_PARAM);
	const char *value = io_param(r->io, HOP_PARAM);
	struct hop *hop;

	if (hop_check(hops, r->server->gateway_id) != REFUSE_NONE)
		return request_refuse(r, REFUSE_LOOP);
	if (!r->client->relay || value == NULL)
		return true;
	hop = arena_alloc(r->arena, sizeof(*hop));
	if (hop_parse(value, r->arena, hop) == -1)
		return request_refuse_as(r, REFUSE_INVALID_REQUEST,
		    "The field " HOP_FIELD " is not of the form that this "
		    "version of tailgate knows; the operator has to bring both "
		    "gateways to the same version.");
	r->hop = hop;
	r->client = hop_client(r->client, hop, r->arena);
	r->entry.client = r->client->name;
	r->response.relayed = true;
	memcpy(r->id, hop->request_id, HOP_REQUEST_ID_CHARS + 1);
	log_set_request(r->id);
	return true;
}

static bool
is_open(const struct request *r)
{
	return r->spec->flags & ENDPOINT_OPEN;
}

static bool
request_identify(struct request *r)
{
	const struct config *c = r->server->config;
	const char *remote = io_param(r->io, "REMOTE_ADDR");
	const char *forwarded = NULL;
	struct peer peer = { .key = presented_key(r),
		.user = io_param(r->io, "REMOTE_USER"),
		.unread = r->credentials.unread };

	if (is_open(r) && peer.key.p == NULL)
		return true;
	if (c->client_address_header != NULL)
		forwarded = io_param(r->io, c->client_address_header);
	peer.has_address =
	    identify_address(c, remote, forwarded, &peer.address) == 0;
	r->client = identify(c, &peer, clock_wall_ms(), &r->refused);
	if (r->client == NULL)
		return is_open(r);
	r->entry.client = r->entry.client_entry = r->client->name;
	if (!is_open(r) && !r->client->has_key && !check_ambient(r))
		return false;
	if (!take_hop(r))
		return false;
	record_begin(r);
	return r->spec->upstream == NULL ||
	    identify_may_call(r->client, r->spec->id, &r->refused);
}

bool
request_check_operator(struct request *r)
{
	return r->client->operator
	    ? true
	    : request_refuse_as(r, REFUSE_ENDPOINT_NOT_ALLOWED,
		  "This is for operators; `tailgate client set NAME "
		  "--operator` makes a client one.");
}

/* ---- enter ------------------------------------------------------------ */

/* Is there room in this client's share of the pool? */
static bool
request_enter(struct request *r)
{
	bool own = r->spec->upstream == NULL && r->spec->id != ENDPOINT_MOUNT;
	enum refusal refusal = share_enter(&r->share, r->server->share,
	    r->client, own ? SHARE_OWN : SHARE_RUN);

	r->memory.share = share_memory(r->server->share, r->client);
	if (refusal == REFUSE_NONE)
		return true;
	r->refused = (struct refused){ .refusal = refusal,
		.retry_after_ms = SHARE_RETRY_MS };
	return false;
}

const char *
request_path(const struct request *r, const char *path)
{
	const char *at = strstr(path, "{id}");

	return at == NULL
	    ? path
	    : arena_printf(r->arena, "%.*s%.*s%s", (int)(at - path), path,
		  SPAN_FMT(r->rest), at + 4);
}

/* ---- plan ------------------------------------------------------------- */

struct facts *
request_facts(struct request *r, void **learned_set)
{
	const struct config *c = r->server->config;
	struct facts *facts = arena_alloc(r->arena, sizeof(*facts));
	struct facts_provider *providers =
	    arena_alloc(r->arena, (c->nproviders + 1) * sizeof(*providers));
	struct facts_limit *limits =
	    arena_alloc(r->arena, (c->nlimits + 1) * sizeof(*limits));

	health_facts(r->server->health, providers);
	health_held_facts(r->server->health, r->arena, facts);
	slots_facts(r->server->slots, limits);
	facts->wall_ms = clock_wall_ms();
	facts->providers = providers;
	facts->limits = limits;
	facts->learned =
	    learned_take(r->server->learned, &facts->nlearned, learned_set);
	return facts;
}

/* Not if the web server asks: after any 200 it goes on. */
static bool
wants_explanation(struct request *r)
{
	const char *value = io_param(r->io, "HTTP_X_TAILGATE_EXPLAIN");

	return value != NULL && strcmp(value, "1") == 0 &&
	    (r->spec->flags & ENDPOINT_BY_SERVER) == 0 &&
	    (r->client->explain || r->client->operator);
}

/* The plan itself as the response; nothing is sent. */
static void
explain(struct request *r, const struct facts *facts)
{
	struct outlook outlook = { .client = r->client,
		.budgets = r->server->budgets,
		.slots = r->server->slots };
	struct buf b;

	outlook_make(&outlook, &r->plan, r->arena);
	buf_init(&b, 1024 * 1024);
	explain_json(&(struct explain){ r->server->config, r->client, &r->call,
			 facts, &r->plan, outlook.bounds, outlook.nbounds },
	    &b);
	response_json(&r->response, 200, buf_span(&b));
	buf_free(&b);
}

/* Servers that can count are asked about what is a little too long by
 * estimate; with their counts the plan is made again. */
static void
count_near(struct request *r, struct facts *facts)
{
	struct plan *plan = &r->plan;
	struct facts_count *counts =
	    arena_alloc(r->arena, (plan->ncandidates + 1) * sizeof(*counts));
	int64_t until_ms = clock_now_ms() + COUNT_MS;
	uint64_t tokens;

	facts->counts = counts;
	for (size_t i = 0; i < plan->ncandidates; i++) {
		const struct candidate *c = &plan->candidates[i];

		/* What may be tried is not kept waiting. */
		if (c->verdict == VERDICT_IN)
			break;
		if (!c->near || !attempt_count(r, c, until_ms, &tokens))
			continue;
		counts[facts->ncounts++] =
		    (struct facts_count){ c->target->provider, c->model,
			    tokens };
		plan_make(r->server->config, r->client, &r->call, facts,
		    r->arena, plan);
		if (plan->candidates[i].verdict == VERDICT_IN)
			break;
	}
}

static bool
request_plan(struct request *r)
{
	const struct model *model;
	struct facts *facts;
	void *learned_set;

	facts = request_facts(r, &learned_set);
	model = owner_model(r->server->config, &r->call);
	if (model != NULL && model->select == SELECT_ROUND_ROBIN)
		facts->rotation = health_rotate(r->server->health, model);
	else if (model != NULL && model->select == SELECT_LEAST_BUSY)
		leases_refresh(r->server->leases, false);
	plan_make(
	    r->server->config, r->client, &r->call, facts, r->arena, &r->plan);
	count_near(r, facts);
	if (r->plan.model != NULL)
		r->entry.route = r->plan.model->id;
	if (wants_explanation(r))
		explain(r, facts);
	learned_release(r->server->learned, learned_set);
	if (r->response.ended || r->plan.nin > 0)
		return true;
	r->refused = r->plan.refused;
	return false;
}

/* ---- the chain -------------------------------------------------------- */

/* Steps that only a request for a provider takes. */
static bool
serve_upstream(struct request *r)
{
	if (!request_read(r) || !request_parse(r) || !request_plan(r))
		return false;
	if (r->spec->flags & ENDPOINT_BY_SERVER)
		return realtime_serve(r);
	return r->response.ended || attempt_serve(r);
}

static bool
serve(struct request *r)
{
	if (!route(r))
		return false;
	if (r->response.ended)
		return true;
	if (!request_identify(r) || !request_enter(r))
		return false;
	if (r->spec->id == ENDPOINT_MOUNT)
		return request_check_operator(r) && request_read(r) &&
		    mount_serve(r);
	return r->spec->upstream == NULL ? about_serve(r) : serve_upstream(r);
}

static void
make_id(char id[REQUEST_ID_SIZE])
{
	/* For many ids at once: each call gets the process's id. */
	static _Thread_local unsigned char pool[640];
	static _Thread_local size_t left;
	const unsigned char *bytes;

	if (left == 0) {
		arc4random_buf(pool, sizeof(pool));
		left = sizeof(pool);
	}
	left -= ID_BYTES;
	bytes = pool + left;
	memcpy(id, "req_", 4);
	*hex_text(bytes, ID_BYTES, id + 4) = '\0';
}

/* Does anybody wait for its slot or for its place in the pool? */
static bool
is_wanted(void *ctx)
{
	const struct request *r = ctx;

	return (r->lease != NULL && slots_wanted(r->lease)) ||
	    (r->shared_lease != NULL && leases_wanted(r->shared_lease)) ||
	    share_wanted(&r->share);
}

static void
request_init(struct request *r, struct server *server, struct io *io,
    struct arena *arena)
{
	const struct config *c = server->config;

	memset(r, 0, sizeof(*r));
	r->server = server;
	r->io = io;
	r->arena = arena;
	r->start_ms = clock_now_ms();
	io->idle_ms = c->client_idle_ms;
	io->wanted = is_wanted;
	io->wanted_ctx = r;
	make_id(r->id);
	log_set_request(r->id);
	spool_init(&r->spool, c->spool_dir, c->spool_bytes, &r->memory);
	io->hold = &r->memory;
	response_init(&r->response, io, c, r->start_ms);
	r->response.memory = &r->memory;
	r->response.sieve = server->sieve;
	r->response.request_id = r->id;
	r->response.aborting = &server->aborting;
	r->response.peers = server->peers;
	r->entry.id = r->id;
	r->entry.wall_ms = clock_wall_ms();
}

struct request *
request_serve(struct server *server, struct io *io, struct arena *arena)
{
	struct request *r = arena_alloc(arena, sizeof(*r));

	request_init(r, server, io, arena);
	if (!serve(r)) {
		request_drain(r);
		response_refuse(&r->response, &r->refused);
	}
	peer_end(&r->response.peer);
	record_keep(r);
	r->entry.total_ms = clock_now_ms() - r->start_ms;
	return r;
}

/* The copies of the client's own key that its response was searched with. */
static void
free_own_key(struct request *r)
{
	if (r->own_sieve == NULL)
		return;
	memory_give(&r->memory, sieve_own_bytes(r->own_sieve));
	r->response.sieve = r->server->sieve;
	sieve_free(r->own_sieve);
	r->own_sieve = NULL;
}

void
request_settle(struct request *r)
{
	settle(r);
	record_end(r);
	spool_free(&r->spool);
	free_own_key(r);
	share_leave(&r->share);
	log_set_request(NULL);
}

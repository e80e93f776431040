/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the answers that tailgate gives about itself: the models, whether it
 * lives and is ready, meters, status and usage.  They take a request's way
 * only to `identify`.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "ledger/usage_view.h"
#include "policy/identify.h"
#include "policy/models.h"
#include "serve/query.h"
#include "serve/request.h"
#include "state/status.h"

#define ABOUT_BYTES_MAX (16 * 1024 * 1024)

/* ---- models ----------------------------------------------------------- */

/* Is one of its targets, within the ceiling, not left alone? */
static bool
is_ready(const struct model *m, enum place ceiling, const struct facts *facts)
{
	for (size_t i = 0; i < m->ntargets; i++) {
		const struct provider *p = m->targets[i].provider;

		if (p->place <= ceiling &&
		    facts->providers[p->index].open_ms <= 0)
			return true;
	}
	return false;
}

static void
add_model(struct buf *b, const char *id, enum place place, uint64_t context,
    bool ready)
{
	buf_puts(b, "{\"id\":");
	buf_json(b, span_of(id));
	buf_printf(b,
	    ",\"object\":\"model\",\"created\":0,\"owned_by\":\"tailgate\","
	    "\"place\":\"%s\",\"ready\":%s",
	    place_name(place), ready ? "true" : "false");
	if (context > 0)
		buf_printf(b, ",\"context_length\":%" PRIu64, context);
	buf_puts(b, "}");
}

/* Under each name that the client may write. */
static void
add_names(struct buf *b, const struct request *r, const struct model *m,
    const struct facts *facts)
{
	enum place place;
	uint64_t context;

	if (!models_visible(r->client, m, &place, &context))
		return;
	/* A pattern is not a name. */
	for (size_t i = m->prefix ? 1 : 0; i <= m->naliases; i++) {
		const char *name = i == 0 ? m->id : m->aliases[i - 1];

		if (!identify_may_use(r->client, name, m->id))
			continue;
		if (b->p[b->len - 1] != '[')
			buf_puts(b, ",");
		add_model(b, name, place, context, is_ready(m, place, facts));
	}
}

static void
list_models(struct request *r, const struct facts *facts, struct buf *b)
{
	const struct config *c = r->server->config;

	buf_puts(b, "{\"object\":\"list\",\"data\":[");
	for (size_t i = 0; i < c->nmodels; i++)
		add_names(b, r, &c->models[i], facts);
	buf_puts(b, "]}");
}

/* Percent-decoding (RFC 3986 §2.1); NULL for a NUL or a broken escape. */
static const char *
decode(struct span raw, struct arena *arena)
{
	char *out = arena_alloc(arena, raw.len + 1), *p = out;

	for (size_t i = 0; i < raw.len; i++) {
		int high, low;

		if (raw.p[i] != '%') {
			*p++ = raw.p[i];
			continue;
		}
		if (i + 2 >= raw.len ||
		    (high = hex_value(raw.p[i + 1])) == -1 ||
		    (low = hex_value(raw.p[i + 2])) == -1 || high + low == 0)
			return NULL;
		*p++ = (char)(high << 4 | low);
		i += 2;
	}
	return out;
}

static bool
one_model(struct request *r, const struct facts *facts, struct buf *b)
{
	const char *name = decode(r->rest, r->arena);
	const struct model *m =
	    name == NULL ? NULL : models_find(r->server->config, name);
	enum place place;
	uint64_t context;

	if (m == NULL || !identify_may_use(r->client, name, m->id) ||
	    !models_visible(r->client, m, &place, &context))
		return request_refuse(r, REFUSE_MODEL_NOT_FOUND);
	add_model(b, name, place, context, is_ready(m, place, facts));
	return true;
}

/* ---- health ----------------------------------------------------------- */

/* The gateway lives as long as it says this.  Ready is another question: has
 * each model a target to go to?  No names are told: anybody may ask. */
static int
health(const struct config *c, const struct facts *facts, bool readiness,
    struct buf *b)
{
	size_t ready = 0;

	for (size_t i = 0; i < c->nmodels; i++)
		ready += is_ready(&c->models[i], PLACE_EXTERNAL, facts);
	buf_printf(b, "{\"status\":\"%s\",\"models\":%zu,\"ready\":%zu}",
	    ready == c->nmodels ? "ok" : "degraded", c->nmodels, ready);
	return readiness && ready < c->nmodels ? 503 : 200;
}

/* ---- the endpoints ---------------------------------------------------- */

static void
answer_metrics(struct request *r, struct buf *b)
{
	struct server *s = r->server;

	meters_text(s->meters, s->health, s->slots, b);
	ledger_metrics(s->ledger, b);
	if (answer_head(&r->answer, 200,
		"text/plain; version=0.0.4; charset=utf-8", NULL, 0,
		(int64_t)b->len) == 0)
		answer_body(&r->answer, buf_span(b));
	answer_end(&r->answer);
}

static bool
serve_for_operators(struct request *r, struct buf *b)
{
	struct server *s = r->server;

	if (!request_check_operator(r))
		return false;
	if (r->spec->id == ENDPOINT_METRICS) {
		answer_metrics(r, b);
		return true;
	}
	if (r->spec->id == ENDPOINT_USAGE)
		usage_view_json(s->usage, query_number(r->io, "days", 1000, 30),
		    query_number(r->io, "recent", 1000, 50), b);
	else
		status_json(s->config, s->health, s->slots, b);
	answer_json(&r->answer, 200, buf_span(b));
	return true;
}

static bool
serve_with(struct request *r, const struct facts *facts, struct buf *b)
{
	int status = 200;

	switch (r->spec->id) {
	case ENDPOINT_HEALTH:
	case ENDPOINT_READY:
		status = health(r->server->config, facts,
		    r->spec->id == ENDPOINT_READY ||
			query_find(r->io, "ready") != NULL,
		    b);
		break;
	case ENDPOINT_MODELS:
		if (r->rest.len > 0) {
			if (!one_model(r, facts, b))
				return false;
		} else
			list_models(r, facts, b);
		break;
	default:
		return serve_for_operators(r, b);
	}
	answer_json(&r->answer, status, buf_span(b));
	return true;
}

bool
about_serve(struct request *r)
{
	struct facts *facts;
	struct buf b;
	void *hold;
	bool ok;

	buf_init(&b, ABOUT_BYTES_MAX);
	facts = request_facts(r, &hold);
	ok = serve_with(r, facts, &b);
	learned_release(r->server->learned, hold);
	buf_free(&b);
	return ok;
}

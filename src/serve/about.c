/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the responses of tailgate about itself: the models (catalog.h), whether
 * it is alive and ready, meters, status and usage.  On a request's way they go
 * no further than `identify`.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/task.h"
#include "fleet/look.h"
#include "ledger/usage_view.h"
#include "serve/catalog.h"
#include "serve/about.h"
#include "serve/guide.h"
#include "serve/query.h"
#include "state/spending.h"
#include "state/status.h"

#define ABOUT_BYTES_MAX (16 * 1024 * 1024)

/* May one of its targets within the ceiling be asked now? */
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

/* ---- health ----------------------------------------------------------- */

/* The gateway is alive if it sends this.  It is ready if each model has a
 * target that may be asked.  The response has no names: anybody may ask. */
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
ledger_metrics(struct ledger *ledger, struct buf *b)
{
	struct status_ledger is;

	if (!ledger_status(ledger, &is))
		return;
	buf_printf(b,
	    "# HELP tailgate_ledger_writable 0 while the ledger can't be "
	    "written.\n# TYPE tailgate_ledger_writable gauge\n"
	    "tailgate_ledger_writable %d\n"
	    "# HELP tailgate_ledger_unrecorded_total Requests that are not in "
	    "the ledger, since it could not be written.\n"
	    "# TYPE tailgate_ledger_unrecorded_total counter\n"
	    "tailgate_ledger_unrecorded_total %" PRIu64 "\n",
	    is.writable, is.unrecorded_total);
}

static void
response_metrics(struct request *r, struct buf *b)
{
	struct server *s = r->server;

	leases_refresh(s->leases, true);
	meters_text(s->meters, s->health, s->slots, b);
	spending_metrics(s->budgets, s->config, b);
	ledger_metrics(s->ledger, b);
	if (response_head(&r->response, 200,
		"text/plain; version=0.0.4; charset=utf-8", NULL, 0,
		(int64_t)b->len) == 0)
		response_body(&r->response, buf_span(b));
	response_end(&r->response);
}

struct usage_ask {
	struct usage_view *view;
	unsigned days, recent;
	struct buf *out;
};

/* From the ledger's files. */
static void
read_usage(void *ctx)
{
	struct usage_ask *ask = ctx;

	usage_view_json(ask->view, ask->days, ask->recent, ask->out);
}

/* With what the store knows, if it replies. */
static void
serve_status(struct server *s, struct buf *b)
{
	struct status_of of = { .config = s->config,
		.health = s->health,
		.slots = s->slots,
		.budgets = s->budgets,
		.meters = s->meters,
		.recording = s->recording };
	struct status_ledger ledger;
	struct buf fleet;

	if (ledger_status(s->ledger, &ledger))
		of.ledger = &ledger;
	leases_refresh(s->leases, true);
	buf_init(&fleet, ABOUT_BYTES_MAX);
	if (s->store != NULL && look_json(s->store, s->config, &fleet) &&
	    !buf_failed(&fleet))
		of.fleet = buf_span(&fleet);
	status_json(&of, b);
	buf_free(&fleet);
}

static bool
serve_for_operators(struct request *r, struct buf *b)
{
	struct server *s = r->server;

	/* Every client may read what is spent and left of its own budgets. */
	if (r->spec->id == ENDPOINT_USAGE && !r->client->operator) {
		spending_of_json(s->budgets, r->client, b);
		response_json(&r->response, 200, buf_span(b));
		return true;
	}
	if (!request_check_operator(r))
		return false;
	if (r->spec->id == ENDPOINT_METRICS) {
		response_metrics(r, b);
		return true;
	}
	if (r->spec->id == ENDPOINT_USAGE) {
		struct usage_ask ask = { s->usage,
			query_number(r->io, "days", 1000, 30),
			query_number(r->io, "recent", 1000, 50), b };

		task_offload(read_usage, &ask);
	} else
		serve_status(s, b);
	response_json(&r->response, 200, buf_span(b));
	return true;
}

static bool
serve_with(struct request *r, const struct facts *facts, struct buf *b)
{
	int status = 200;

	switch (r->spec->id) {
	case ENDPOINT_ROOT:
		/* Tools request it to check the URL. */
		buf_puts(b, "{\"service\":\"tailgate\",\"status\":\"ok\"}");
		break;
	case ENDPOINT_HEALTH:
	case ENDPOINT_READY:
		status = health(r->server->config, facts,
		    r->spec->id == ENDPOINT_READY ||
			query_find(r->io, "ready") != NULL,
		    b);
		break;
	case ENDPOINT_MODELS:
		if (r->rest.len > 0) {
			if (!catalog_one(r, facts, b))
				return false;
		} else
			catalog_list(r, facts, b);
		break;
	case ENDPOINT_SETUP:
		return guide_serve(r, b);
	default:
		return serve_for_operators(r, b);
	}
	response_json(&r->response, status, buf_span(b));
	return true;
}

bool
about_serve(struct request *r)
{
	struct facts *facts;
	struct buf b;
	void *learned_set;
	bool ok;

	buf_init(&b, ABOUT_BYTES_MAX);
	facts = request_facts(r, &learned_set);
	ok = serve_with(r, facts, &b);
	learned_release(r->server->learned, learned_set);
	buf_free(&b);
	return ok;
}

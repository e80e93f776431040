/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a plan becomes the yes or no that the web server asks for.
 */
#include "config.h"

#include <string.h>

#include "base/jput.h"
#include "serve/attempt_internal.h"
#include "serve/realtime.h"

#define RESPONSE_BYTES 4096

static bool
refuse(struct request *r, enum refusal refusal, const char *message)
{
	r->refused = (struct refused){ .refusal = refusal, .message = message };
	return false;
}

/* The plan's candidate at the provider to which the web server would pass the
 * WebSocket on; NULL: refused. */
static const struct candidate *
find(struct request *r, const char *name)
{
	const struct candidate *out = NULL;

	for (size_t i = 0; i < r->plan.ncandidates; i++) {
		const struct candidate *c = &r->plan.candidates[i];

		if (strcmp(c->target->provider->name, name) != 0)
			continue;
		if (c->verdict == VERDICT_IN)
			return c;
		out = out == NULL ? c : out;
	}
	if (out != NULL)
		refuse(r, out->refusal, out->reason);
	else
		refuse(r, REFUSE_UNSUPPORTED,
		    arena_printf(r->arena,
			"The web server passes Realtime on to %s, and the "
			"model %s does not lead there; choose another model, "
			"or ask the operator.",
			name, r->call.model));
	return NULL;
}

/* The URL goes to the provider unchanged, so the model must have the provider's
 * name for it. */
static bool
check_name(struct request *r, const struct candidate *c)
{
	if (r->call.owner != NULL || strcmp(c->model, r->call.model) == 0)
		return true;
	return refuse(r, REFUSE_UNSUPPORTED,
	    arena_printf(r->arena,
		"At %s the model is called %s, and the web server passes a "
		"WebSocket's URL on as it is; ask for it by that name, which "
		"the operator has to make a model's.",
		c->target->provider->name, c->model));
}

static bool
count(struct request *r)
{
	struct budget_reservation reservation = { .cell = -1 };
	struct budget_room room;
	struct refused refused = { .refusal = REFUSE_NONE };

	if (purse_reserve(r->server->purse, r->client, r->plan.model, 0, 0,
		&reservation, &room, &refused) == -1) {
		if (refused.message != NULL)
			refused.message =
			    arena_strdup(r->arena, refused.message);
		r->refused = refused;
		return false;
	}
	purse_settle(r->server->purse, &reservation, 0, 0);
	return true;
}

static void
respond(struct request *r, const struct candidate *c)
{
	const struct provider *p = c->target->provider;
	struct buf b;

	response_add(&r->response, "x-tailgate-provider", p->name);
	response_add(&r->response, "x-tailgate-model", c->model);
	response_add(&r->response, "x-tailgate-place", place_name(p->place));
	buf_init(&b, RESPONSE_BYTES);
	buf_puts(&b, "{");
	jput_text(&b, "provider", p->name);
	jput_text(&b, "model", c->model);
	jput_text(&b, "place", place_name(p->place));
	buf_puts(&b, "}");
	response_json(&r->response, 200, buf_span(&b));
	buf_free(&b);
}

bool
realtime_serve(struct request *r)
{
	const char *name = io_param(r->io, "TAILGATE_PROVIDER");
	const struct candidate *c;
	struct entry_try *t;

	if (name == NULL)
		return refuse(r, REFUSE_UNKNOWN_URL,
		    "Realtime is a WebSocket, which the web server has to pass "
		    "on itself; the operator finds in tailgate.fcgi(8), "
		    "REALTIME, how.");
	if ((c = find(r, name)) == NULL || !check_name(r, c))
		return false;
	if (!attempt_is_recorded(r, c->target->provider))
		return refuse(r, REFUSE_LEDGER, NULL);
	if (!count(r))
		return false;
	t = attempt_add_try(r, c);
	t->outcome = "passed_on";
	t->sent = true;
	t->cost_nanousd = -1;
	respond(r, c);
	return true;
}

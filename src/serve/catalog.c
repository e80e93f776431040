/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the three shapes of a list of models.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/jput.h"
#include "policy/identify.h"
#include "policy/models.h"
#include "policy/offer.h"
#include "serve/catalog.h"
#include "serve/query.h"

/* Endpoints of models that generate text. */
#define TALKS                                                             \
	(ENDPOINT_BIT(ENDPOINT_CHAT) | ENDPOINT_BIT(ENDPOINT_RESPONSES) | \
	    ENDPOINT_BIT(ENDPOINT_MESSAGES))
#define WRITES                                        \
	(TALKS | ENDPOINT_BIT(ENDPOINT_COMPLETIONS) | \
	    ENDPOINT_BIT(ENDPOINT_TRANSCRIPTIONS) |   \
	    ENDPOINT_BIT(ENDPOINT_TRANSLATIONS))

/* The instructions that Codex gives a model of a catalogue: it accepts no
 * entry without them, and has no text of its own for such a model. */
static const char codex_instructions[] =
    "You are a coding agent in the Codex CLI.  You work with the user in one "
    "directory of their computer, through the tools that you are given: you "
    "read files, run commands and change code there.\n\n"
    "- Look before you change: read the files that matter, and the "
    "instructions in AGENTS.md files, which hold for their directory and "
    "all below it.\n"
    "- Do the whole task, and only it.  Mend a fault at its cause, in the "
    "style of the code around it.  Leave what others changed as it is.\n"
    "- Call tools rather than ask for what you can find out.  Prefer rg for "
    "searches.  Never run a command that destroys work unless the user asked "
    "for that.\n"
    "- Check your work with the tests, builds and linters of the project, "
    "and say plainly what you could not check.\n"
    "- Answer in short: what you did, where, and what is left to do.\n";

/* ---- OpenAI's --------------------------------------------------------- */

static void
add_modalities(struct buf *b, const struct offer *o)
{
	jput_name_open(b, "architecture", '{');
	jput_name_open(b, "input_modalities", '[');
	jput_element(b, "text");
	if (o->images == TRI_YES)
		jput_element(b, "image");
	if (o->audio == TRI_YES)
		jput_element(b, "audio");
	if (o->files == TRI_YES)
		jput_element(b, "file");
	buf_puts(b, "]");
	jput_name_open(b, "output_modalities", '[');
	if (o->endpoints & WRITES)
		jput_element(b, "text");
	if (o->endpoints & ENDPOINT_BIT(ENDPOINT_SPEECH))
		jput_element(b, "audio");
	if (o->endpoints & endpoint_all_with(ENDPOINT_IMAGES_OUT))
		jput_element(b, "image");
	if (o->endpoints & ENDPOINT_BIT(ENDPOINT_EMBEDDINGS))
		jput_element(b, "embeddings");
	buf_puts(b, "]}");
}

static void
add_parameters(struct buf *b, const struct offer *o)
{
	if (o->tools != TRI_UNSET)
		jput_bool(b, "tools", o->tools == TRI_YES);
	if (o->tools != TRI_YES && o->json_schema != TRI_YES)
		return;
	jput_name_open(b, "supported_parameters", '[');
	if (o->tools == TRI_YES) {
		jput_element(b, "tools");
		jput_element(b, "tool_choice");
	}
	if (o->json_schema == TRI_YES) {
		jput_element(b, "response_format");
		jput_element(b, "structured_outputs");
	}
	buf_puts(b, "]");
}

/* Nano-USD per million as USD each, in full: 10^-15.  Not given: left out. */
static void
add_price(struct buf *b, const char *name, int64_t nanousd)
{
	if (nanousd < 0)
		return;
	jput_name(b, name);
	buf_printf(b, "\"%" PRId64 ".%015" PRId64 "\"",
	    nanousd / INT64_C(1000000000000000),
	    nanousd % INT64_C(1000000000000000));
}

static void
add_pricing(struct buf *b, const struct price *p)
{
	if (!p->known)
		return;
	jput_name_open(b, "pricing", '{');
	add_price(b, "prompt", p->input > 0 ? p->input : 0);
	add_price(b, "completion", p->output > 0 ? p->output : 0);
	add_price(b, "input_cache_read", p->cached);
	add_price(b, "input_cache_write", p->cache_write);
	if (p->request > 0) {
		jput_name(b, "request");
		buf_printf(b, "\"%" PRId64 ".%09" PRId64 "\"",
		    p->request / 1000000000, p->request % 1000000000);
	}
	buf_puts(b, "}");
}

/* 0: not known, and left out. */
static void
add_count(struct buf *b, const char *name, uint64_t n)
{
	if (n > 0)
		jput_u64(b, name, n);
}

static void
add_openai(struct buf *b, const char *id, const struct offer *o, bool relay)
{
	jput_open(b, '{');
	jput_text(b, "id", id);
	jput_text(b, "object", "model");
	jput_u64(b, "created", 0);
	jput_text(b, "owned_by", "tailgate");
	jput_text(b, "place", place_name(o->place));
	jput_bool(b, "ready", o->ready);
	add_count(b, "context_length", o->context);
	add_count(b, "max_output_tokens", o->max_output);
	add_modalities(b, o);
	add_parameters(b, o);
	add_pricing(b, &o->price);
	if (relay) {
		jput_name_open(b, "tailgate", '{');
		jput_u64(b, "slots", o->slots);
		jput_u64(b, "busy", o->busy);
		buf_puts(b, "}");
	}
	buf_puts(b, "}");
}

/* ---- Anthropic's ------------------------------------------------------ */

static void
add_anthropic(struct buf *b, const char *id, const struct offer *o, bool relay)
{
	(void)relay;
	jput_open(b, '{');
	jput_text(b, "type", "model");
	jput_text(b, "id", id);
	jput_text(b, "display_name", id);
	jput_text(b, "created_at", "1970-01-01T00:00:00Z");
	add_count(b, "max_input_tokens", o->context);
	add_count(b, "max_tokens", o->max_output);
	buf_puts(b, "}");
}

/* ---- Codex's ---------------------------------------------------------- */

static void
add_codex(struct buf *b, const char *id, const struct offer *o, bool relay)
{
	(void)relay;
	jput_open(b, '{');
	jput_text(b, "slug", id);
	jput_text(b, "display_name", id);
	jput_text(b, "description",
	    o->place == PLACE_LOCAL ? "stays on this network"
				    : "may leave this network");
	jput_text(b, "base_instructions", codex_instructions);
	jput_text(b, "visibility", "list");
	jput_bool(b, "supported_in_api", true);
	jput_u64(b, "priority", 1);
	jput_text(b, "shell_type", "shell_command");
	jput_raw(b, "supported_reasoning_levels", "[]");
	jput_bool(b, "support_verbosity", false);
	jput_bool(b, "supports_parallel_tool_calls", false);
	jput_bool(b, "supports_reasoning_summaries", false);
	jput_raw(b, "experimental_supported_tools", "[]");
	jput_raw(
	    b, "truncation_policy", "{\"mode\":\"tokens\",\"limit\":10000}");
	jput_name_open(b, "input_modalities", '[');
	jput_element(b, "text");
	if (o->images == TRI_YES)
		jput_element(b, "image");
	buf_puts(b, "]");
	add_count(b, "context_window", o->context);
	add_count(b, "max_context_window", o->context);
	buf_puts(b, "}");
}

/* ---- the lists -------------------------------------------------------- */

struct shape {
	const char *begin, *end;
	/* relay: for another gateway, which also gets how busy each is. */
	void (*add)(
	    struct buf *, const char *id, const struct offer *, bool relay);
	uint64_t endpoints; /* models that serve none of these are left out */
};

static const struct shape openai = {
	.begin = "{\"object\":\"list\",\"data\":[",
	.end = "]}",
	.add = add_openai,
	.endpoints = UINT64_MAX,
};

static const struct shape anthropic = {
	.begin = "{\"data\":[",
	.end = "],\"has_more\":false",
	.add = add_anthropic,
	.endpoints = ENDPOINT_BIT(ENDPOINT_MESSAGES),
};

static const struct shape codex = {
	.begin = "{\"models\":[",
	.end = "]}",
	.add = add_codex,
	.endpoints = ENDPOINT_BIT(ENDPOINT_RESPONSES),
};

static const struct shape *
shape_of(struct request *r)
{
	if (r->response.shape == ENDPOINT_SHAPE_ANTHROPIC)
		return &anthropic;
	return query_find(r->io, "client_version") != NULL ? &codex : &openai;
}

/* The first and the last name of a list. */
struct ends {
	const char *first, *last;
};

struct listing {
	struct request *request;
	const struct shape *shape;
	const struct facts *facts;
	struct buf *out;
	struct ends ends;
};

static void
add_name(struct listing *l, const struct model *m, const char *name)
{
	struct request *r = l->request;
	struct offer offer;

	if (!offer_make_named(r->client, m, name, l->facts, r->arena, &offer) ||
	    !(offer.endpoints & l->shape->endpoints))
		return;
	l->shape->add(l->out, name, &offer, r->client->relay);
	if (l->ends.first == NULL)
		l->ends.first = name;
	l->ends.last = name;
}

/* Does the pattern lead to the learned model, and not first to another
 * gateway's model of that name? */
static bool
leads_to(const struct model *m, const struct facts_learned *learned,
    const struct facts *facts)
{
	for (size_t i = 0; i < m->ntargets; i++) {
		const struct target *t = &m->targets[i];

		if (t->provider->kind != PROVIDER_TAILGATE ||
		    strcmp(t->model, "*") != 0)
			continue;
		if (t->provider == learned->provider)
			return true;
		if (facts_find_learned(facts, t->provider, learned->model) !=
		    NULL)
			return false;
	}
	return false;
}

/* Another gateway's models, under the names that "gpu/" + "*" gives them. */
static void
add_taken_over(struct listing *l, const struct model *m)
{
	const struct config *c = l->request->server->config;

	for (size_t i = 0; i < l->facts->nlearned; i++) {
		const struct facts_learned *learned = &l->facts->learned[i];
		const char *name;

		if (!leads_to(m, learned, l->facts))
			continue;
		name = arena_printf(l->request->arena, "%.*s%s",
		    (int)strlen(m->id) - 1, m->id, learned->model);
		if (models_find(c, name) == m)
			add_name(l, m, name);
	}
}

/* Under each name that the client may use.  A pattern is not a name; and
 * another gateway's models are not passed on, or two gateways that list each
 * other's would list more each time. */
static void
add_names(struct listing *l, const struct model *m)
{
	if (!m->prefix)
		add_name(l, m, m->id);
	for (size_t i = 0; i < m->naliases; i++)
		add_name(l, m, m->aliases[i]);
	if (m->prefix && !l->request->client->relay)
		add_taken_over(l, m);
}

void
catalog_list(struct request *r, const struct facts *facts, struct buf *b)
{
	const struct config *c = r->server->config;
	struct listing l = {
		.request = r, .shape = shape_of(r), .facts = facts, .out = b
	};

	buf_puts(b, l.shape->begin);
	for (size_t i = 0; i < c->nmodels; i++)
		add_names(&l, &c->models[i]);
	buf_puts(b, l.shape->end);
	if (l.shape != &anthropic)
		return;
	jput_text(b, "first_id", l.ends.first);
	jput_text(b, "last_id", l.ends.last);
	buf_puts(b, "}");
}

/* ---- one of them ------------------------------------------------------ */

bool
catalog_one(struct request *r, const struct facts *facts, struct buf *b)
{
	const char *name = query_decode(r->rest, r->arena);
	const struct model *m =
	    name == NULL ? NULL : models_find(r->server->config, name);
	struct offer offer;

	if (m == NULL ||
	    !offer_make_named(r->client, m, name, facts, r->arena, &offer))
		return request_refuse(r, REFUSE_MODEL_NOT_FOUND);
	shape_of(r)->add(b, name, &offer, r->client->relay);
	return true;
}

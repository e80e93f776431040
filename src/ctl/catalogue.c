/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the forms of public price lists.
 */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/catalogue.h"

#define PER_TOKEN 1e15 /* USD per token as nano-USD per million */
#define EACH 1e9 /* USD as nano-USD */
#define NANOUSD_MAX 1e15 /* a million USD */

struct member {
	const char *name;
	size_t offset;
	double scale;
	const char *mode; /* only for LiteLLM's models of this mode, or NULL */
};

#define AT(m) offsetof(struct price, m)

static const struct member litellm[] = {
	{ "input_cost_per_token", AT(input), PER_TOKEN, NULL },
	{ "cache_read_input_token_cost", AT(cached), PER_TOKEN, NULL },
	{ "cache_creation_input_token_cost", AT(cache_write), PER_TOKEN, NULL },
	{ "cache_creation_input_token_cost_above_1hr", AT(cache_write_1h),
	    PER_TOKEN, NULL },
	{ "output_cost_per_token", AT(output), PER_TOKEN, NULL },
	{ "output_cost_per_reasoning_token", AT(reasoning), PER_TOKEN, NULL },
	{ "input_cost_per_character", AT(character), PER_TOKEN,
	    "audio_speech" },
	{ "input_cost_per_second", AT(second), EACH, "audio_transcription" },
	{ "input_cost_per_query", AT(request), EACH, "rerank" },
	{ "input_cost_per_image", AT(image), EACH, "image_generation" },
	{ "output_cost_per_image", AT(image), EACH, "image_generation" },
	{ NULL, 0, 0, NULL },
};

static const struct member openrouter[] = {
	{ "prompt", AT(input), PER_TOKEN, NULL },
	{ "input_cache_read", AT(cached), PER_TOKEN, NULL },
	{ "input_cache_write", AT(cache_write), PER_TOKEN, NULL },
	{ "input_cache_write_1h", AT(cache_write_1h), PER_TOKEN, NULL },
	{ "completion", AT(output), PER_TOKEN, NULL },
	{ "internal_reasoning", AT(reasoning), PER_TOKEN, NULL },
	{ "request", AT(request), EACH, NULL },
	{ "image_output", AT(image), EACH, NULL },
	{ NULL, 0, 0, NULL },
};

/* False: it is not a price. */
static bool
number_of(const json_t *value, double *out)
{
	const char *text = json_string_value(value);
	char *end = NULL;

	if (json_is_number(value))
		*out = json_number_value(value);
	else if (text != NULL && *text != '\0') {
		*out = strtod(text, &end);
		if (*end != '\0')
			return false;
	} else
		return false;
	return isfinite(*out) && *out >= 0;
}

/* Returns how many prices the row has. */
static size_t
price_read(const json_t *row, const struct member *m, const char *mode,
    struct price *p)
{
	size_t n = 0;
	double value;

	*p = (struct price){ -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, false,
		false, 0 };
	for (; m->name != NULL; m++) {
		if (m->mode != NULL &&
		    (mode == NULL || strcmp(mode, m->mode) != 0))
			continue;
		if (!number_of(json_object_get(row, m->name), &value) ||
		    value * m->scale > NANOUSD_MAX)
			continue;
		*(int64_t *)((char *)p + m->offset) = llround(value * m->scale);
		n++;
	}
	return n;
}

static bool
has_tiers(const json_t *row)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)row, name, value)
		if (strstr(name, "_token_above_") != NULL)
			return true;
	return json_array_size(json_object_get(row, "overrides")) > 0;
}

static void
row_add(struct catalogue *c, const char *name, const char *seller,
    const json_t *prices, const struct member *members, const char *mode,
    struct arena *arena)
{
	struct catalogue_row *row = &c->rows[c->n];

	if (price_read(prices, members, mode, &row->price) == 0)
		return;
	row->name = arena_strdup(arena, name);
	row->seller = arena_strdup(arena, seller);
	row->tiers = has_tiers(prices);
	c->n++;
}

static const char *
openrouter_read(struct catalogue *c, const json_t *data, struct arena *arena)
{
	json_t *row;
	size_t i;

	c->kind = "OpenRouter's";
	c->rows =
	    arena_alloc(arena, (json_array_size(data) + 1) * sizeof(*c->rows));
	json_array_foreach ((json_t *)data, i, row) {
		const char *id = json_string_value(json_object_get(row, "id"));
		const json_t *prices = json_object_get(row, "pricing");

		if (id != NULL && json_is_object(prices))
			row_add(c, id, "openrouter", prices, openrouter, NULL,
			    arena);
	}
	return c->n > 0 ? NULL : "no model in it has a price";
}

static const char *
litellm_read(struct catalogue *c, const json_t *root, struct arena *arena)
{
	const char *name;
	json_t *row;

	c->kind = "LiteLLM's";
	c->rows =
	    arena_alloc(arena, (json_object_size(root) + 1) * sizeof(*c->rows));
	json_object_foreach ((json_t *)root, name, row) {
		const char *seller =
		    json_string_value(json_object_get(row, "litellm_provider"));
		const char *mode =
		    json_string_value(json_object_get(row, "mode"));

		/* LiteLLM's list explains its format in this row. */
		if (seller != NULL && strcmp(name, "sample_spec") != 0)
			row_add(c, name, seller, row, litellm, mode, arena);
	}
	return c->n > 0
	    ? NULL
	    : "it is neither LiteLLM's list of prices nor OpenRouter's of "
	      "models";
}

const char *
catalogue_read(struct catalogue *c, struct span text, struct arena *arena)
{
	json_error_t error;
	json_t *root = json_loadb(text.p, text.len, 0, &error), *data;
	const char *wrong;

	*c = (struct catalogue){ .n = 0 };
	if (root == NULL)
		return arena_printf(
		    arena, "line %d: %s", error.line, error.text);
	data = json_object_get(root, "data");
	wrong = json_is_array(data) ? openrouter_read(c, data, arena)
				    : litellm_read(c, root, arena);
	json_decref(root);
	return wrong;
}

/* ---- the row of a model ------------------------------------------------ */

/* The provider's name is a seller, and so is each label of its host: "groq" of
 * api.groq.com.  The last label ("com") is none, unless it is the whole
 * host. */
static bool
is_seller(const struct provider *provider, const char *seller, const char *said)
{
	if (*seller == '\0')
		return false;
	if (said != NULL)
		return strcmp(said, seller) == 0;
	if (strcasecmp(provider->name, seller) == 0)
		return true;
	for (const char *at = provider->host;
	     at != NULL && (at = strstr(at, seller)) != NULL; at++) {
		char end = at[strlen(seller)];

		if (at == provider->host ? end == '.' || end == '\0'
					 : at[-1] == '.' && end == '.')
			return true;
	}
	return false;
}

bool
catalogue_is_model(const struct catalogue_row *row, const char *model)
{
	size_t n = strlen(row->seller);

	return strcmp(row->name, model) == 0 ||
	    (strncmp(row->name, row->seller, n) == 0 && row->name[n] == '/' &&
		strcmp(row->name + n + 1, model) == 0);
}

const struct catalogue_row *
catalogue_find(const struct catalogue *c, const struct provider *provider,
    const char *model, const char *seller)
{
	for (size_t i = 0; i < c->n; i++)
		if (catalogue_is_model(&c->rows[i], model) &&
		    is_seller(provider, c->rows[i].seller, seller))
			return &c->rows[i];
	return NULL;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Public lists of models with their prices, in JSON: LiteLLM's (an object with
 * a member for each model, USD per token) and OpenRouter's (GET /api/v1/models:
 * "data" with "pricing", USD per token as strings).
 */
#ifndef CTL_CATALOGUE_H
#define CTL_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/span.h"
#include "config/settings.h"

#define CATALOGUE_BYTES_MAX (64 * 1024 * 1024)

struct catalogue_row {
	const char *name; /* "gpt-4o", "groq/llama-3.3-70b", "openai/gpt-4o" */
	const char *seller; /* LiteLLM's litellm_provider, or "openrouter" */
	struct price price; /* -1 if it is not in the list */
	bool tiers; /* long prompts cost more; a price cannot say that */
};

struct catalogue {
	struct catalogue_row *rows;
	size_t n;
	const char *kind; /* "LiteLLM's", "OpenRouter's" */
};

/* Reads a list.  Invalid prices (negative, not a number, above 1,000,000 USD)
 * are left out, and so are rows without a price.  The result lives in the
 * arena.  Returns NULL, or what is wrong with the text. */
const char *
catalogue_read(struct catalogue *, struct span text, struct arena *);

/* Is this the model's row, with or without the seller's name before the
 * model's? */
bool catalogue_is_model(const struct catalogue_row *, const char *model);
/* Finds the row of a provider's model.  seller: the list's name for the
 * provider; NULL: the provider's own name, or a part of its host ("groq" of
 * api.groq.com).  Returns NULL if there is none. */
const struct catalogue_row *catalogue_find(const struct catalogue *,
    const struct provider *, const char *model, const char *seller);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides where a configuration has keys, and which of them are long.
 */
#include "config.h"

#include <string.h>

#include "config/redact.h"
#include "config/secrets.h"

bool
redact_is_long(struct span key)
{
	/* What people write for a server that needs no key. */
	static const char *const placeholders[] = { "no-key", "not-needed",
		"no_key", "not_needed" };

	if (key.len < REDACT_LONG_MIN || key.len > SECRET_MAX)
		return false;
	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]);
	     i++)
		if (memmem(key.p, key.len, placeholders[i],
			strlen(placeholders[i])) != NULL)
			return false;
	return true;
}

bool
redact_is_short(struct span key)
{
	return key.len >= REDACT_KEY_MIN && key.len < REDACT_LONG_MIN;
}

/* Keys among a provider's own headers: the last word of a header whose name
 * says so. */
static void
each_header(const struct provider *provider,
    void (*take)(void *ctx, struct span key), void *ctx)
{
	static const char *const names[] = { "key", "auth", "token", "secret",
		"cookie", "password" };
	const char *blank;

	for (size_t i = 0; i < provider->nheaders; i++)
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
			const struct header *h = &provider->headers[i];

			if (strcasestr(h->name, names[j]) == NULL)
				continue;
			blank = strrchr(h->value, ' ');
			take(
			    ctx, span_of(blank == NULL ? h->value : blank + 1));
			break;
		}
}

void
redact_each_key(const struct config *config,
    void (*take)(void *ctx, struct span key), void *ctx)
{
	for (size_t i = 0; i < config->nproviders; i++) {
		const struct provider *p = &config->providers[i];

		for (size_t k = 0; k < p->nkeys; k++)
			if (p->keys[k] != NULL)
				take(ctx, span_of(p->keys[k]));
		each_header(&config->providers[i], take, ctx);
	}
}

void
redact_each_of(const struct redact_keys *keys,
    void (*take)(void *ctx, struct span key), void *ctx)
{
	redact_each_key(keys->config, take, ctx);
	for (size_t i = 0; i < REDACT_OWN; i++)
		if (keys->own[i].p != NULL)
			take(ctx, keys->own[i]);
}

static void
note_short(void *ctx, struct span key)
{
	*(bool *)ctx |= redact_is_short(key);
}

bool
redact_has_short(const struct redact_keys *keys)
{
	bool has = false;

	redact_each_of(keys, note_short, &has);
	return has;
}

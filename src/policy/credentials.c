/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides which field of a request has which key.  The responder hands on what
 * credentials_take() found; `tailgate explain` only looks whether it found any.
 */
#include "config.h"

#include <string.h>

#include "config/redact.h"
#include "config/secrets.h"
#include "policy/credentials.h"

/* The token of `Authorization: Bearer TOKEN`; p NULL: it is none. */
static struct span
bearer(const char *value)
{
	if (value == NULL || strncasecmp(value, "Bearer ", 7) != 0)
		return (struct span){ NULL, 0 };
	return span_of(value + 7 + strspn(value + 7, " "));
}

/* Of OpenAI's SDK: `realtime, openai-insecure-api-key.KEY`; p NULL: no such. */
static struct span
among_protocols(const char *value)
{
	static const char before[] = "openai-insecure-api-key.";
	const size_t n = sizeof(before) - 1;

	while (value != NULL) {
		value += strspn(value, " \t,");
		if (*value == '\0')
			break;
		if (strncmp(value, before, n) == 0)
			return (struct span){ value + n,
				strcspn(value + n, " \t,") };
		value = strchr(value, ',');
	}
	return (struct span){ NULL, 0 };
}

/* Is it a value that cannot end its line, and for which errors can be
 * searched? */
static bool
is_usable(struct span key)
{
	for (size_t i = 0; i < key.len; i++)
		if (key.p[i] <= 0x20 || key.p[i] >= 0x7f)
			return false;
	return key.len >= REDACT_KEY_MIN && key.len <= SECRET_MAX;
}

/* A key of ours in the wrong field must not be shown to a provider. */
static bool
is_ours(const struct config *config, struct span key)
{
	unsigned char digest[DIGEST_BYTES];
	size_t n;

	digest_make(key.p, key.len, digest);
	config_keyed_find(config, digest, &n);
	return n > 0;
}

static bool
is_given(const char *value)
{
	return value != NULL && *value != '\0';
}

static void
take_own(const struct config *config, const struct credential_fields *fields,
    struct credentials *out)
{
	struct span own = bearer(fields->authorization);

	out->has = OWN_KEY_MISSING;
	if (is_given(fields->authorization) && own.p == NULL)
		out->has = OWN_KEY_UNUSABLE;
	if (!is_given(fields->authorization) && is_given(fields->x_api_key)) {
		own = span_of(fields->x_api_key);
		out->own_x_api_key = true;
	}
	if (own.p == NULL)
		return;
	out->has = OWN_KEY_UNUSABLE;
	if (!is_usable(own))
		return;
	out->has = OWN_KEY_OURS;
	if (is_ours(config, own))
		return;
	out->has = OWN_KEY_GIVEN;
	out->own = own;
}

void
credentials_take(const struct config *config,
    const struct credential_fields *fields, struct credentials *out)
{
	memset(out, 0, sizeof(*out));
	if (is_given(fields->gateway)) {
		out->gateway = span_of(fields->gateway);
		take_own(config, fields, out);
		return;
	}
	out->gateway = bearer(fields->authorization);
	if (out->gateway.p == NULL && fields->x_api_key != NULL)
		out->gateway = span_of(fields->x_api_key);
	if (out->gateway.p == NULL)
		out->gateway = among_protocols(fields->protocols);
	out->unread = out->gateway.p == NULL && is_given(fields->authorization);
}

const char *
own_key_lack(enum own_key has)
{
	switch (has) {
	case OWN_KEY_MISSING:
		return "no Authorization came";
	case OWN_KEY_UNUSABLE:
		return "Authorization holds no bearer token that can be handed "
		       "on";
	case OWN_KEY_OURS:
		return "Authorization holds a key of this gateway";
	default:
		return "no X-Tailgate-Key came";
	}
}

const char *
own_key_advice(enum own_key has)
{
	switch (has) {
	case OWN_KEY_MISSING:
	case OWN_KEY_UNUSABLE:
		return "Sign in to the provider, and send its key as "
		       "`Authorization: Bearer KEY`.";
	case OWN_KEY_OURS:
		return "Send your key for the provider there; the gateway's "
		       "belongs into X-Tailgate-Key.";
	default:
		return "Send the gateway's key in X-Tailgate-Key, and yours "
		       "for the provider in Authorization.";
	}
}

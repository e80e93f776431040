/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The keys that a request brings: the gateway's, by which its client is known,
 * and perhaps the client's own at a provider to which clients sign in
 * themselves (`auth = "client"`).
 *
 * With X-Tailgate-Key, which has the gateway's key, a client says that
 * Authorization (or x-api-key) is not for the gateway.  Without X-Tailgate-Key,
 * these two fields have the gateway's key, because SDKs send it there, and they
 * never go further.  A browser can add no field to a WebSocket's request, so
 * there OpenAI's SDK sends the key as one of the subprotocols.
 */
#ifndef POLICY_CREDENTIALS_H
#define POLICY_CREDENTIALS_H

#include <stdbool.h>

#include "base/span.h"
#include "config/settings.h"

/* Is there a key of the client's own that may be handed on? */
enum own_key {
	OWN_KEY_UNSAID,		/* no X-Tailgate-Key: none can be told */
	OWN_KEY_MISSING,	/* nor Authorization or x-api-key */
	OWN_KEY_UNUSABLE,	/* not a bearer token of visible ASCII */
	OWN_KEY_OURS,		/* it is one of this gateway's */
	OWN_KEY_GIVEN,
};

/* The fields as the client sent them; NULL: not sent. */
struct credential_fields {
	const char *gateway;	/* X-Tailgate-Key */
	const char *authorization;
	const char *x_api_key;
	const char *protocols;	/* Sec-WebSocket-Protocol, of a WebSocket */
};

/* All by reference. */
struct credentials {
	struct span gateway;	/* p NULL: none */
	bool unread;		/* then: Authorization came, not as Bearer */
	enum own_key has;
	struct span own;	/* if GIVEN, else p NULL */
	bool own_x_api_key;	/* it came in x-api-key */
};

void credentials_take(const struct config *, const struct credential_fields *,
    struct credentials *);

/* Why there is none, as a clause, and what the client has to do about it; not
 * for GIVEN. */
const char *own_key_lack(enum own_key);
const char *own_key_advice(enum own_key);

#endif

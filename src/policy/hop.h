/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What one gateway tells the next about the client: the field X-Tailgate-Relay,
 *
 * 	v=1; client=laptop; priority=10; place=local;
 * 	    id=req_0123456789abcdef0123; patience_ms=60000
 *
 * (on one line).  It is believed only from a client with `relay = true`, and
 * only as far as it narrows what that client may do.  A value that is not
 * exactly of this form is refused rather than ignored, because it may have
 * contained a bound.
 *
 * X-Tailgate-Hops lists the gateways that a request came through, first to
 * last, separated by blanks.  It can only cause a refusal, so it is accepted
 * from anybody.
 */
#ifndef POLICY_HOP_H
#define POLICY_HOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "config/settings.h"
#include "policy/refusal.h"

#define HOP_FIELD "X-Tailgate-Relay"
#define HOP_PARAM "HTTP_X_TAILGATE_RELAY"
#define HOP_LIST_FIELD "X-Tailgate-Hops"
#define HOP_LIST_PARAM "HTTP_X_TAILGATE_HOPS"
/* In a response to a relay: the refusal is the gateway's own, by its code. */
#define HOP_REFUSAL_FIELD "x-tailgate-refusal"

#define HOP_ID_CHARS 16 /* hex digits of a gateway's id */
#define HOP_MAX 8 /* gateways that a request may come through */
#define HOP_CLIENT_MAX 255 /* bytes of a client's name, hops included */
#define HOP_REQUEST_ID_CHARS 24 /* "req_" and 20 hex digits */

struct hop {
	const char *client; /* "laptop", or "office/laptop" of two */
	unsigned priority; /* 1..100 */
	enum place place; /* ceiling */
	const char *request_id;
	int64_t patience_ms; /* how long the sender will wait, 1.. */
};

/* The field's value, in the arena. */
const char *hop_make(const struct hop *, struct arena *);
/* Texts are in the arena.  -1: not of this form. */
int hop_parse(const char *value, struct arena *, struct hop *out);

/* The client as far as the relay's own entry allows: the relay's name before
 * the hop's, the lower priority, the narrower place; all else is the
 * relay's.  In the arena. */
const struct client *
hop_client(const struct client *relay, const struct hop *, struct arena *);
/* The name of the entry in this gateway's configuration: what is before
 * the first slash. */
struct span hop_entry(struct span client);

/* Did the request come through the gateway `own` before, or through too many?
 * REFUSE_NONE or REFUSE_LOOP.  list NULL: it came through none. */
enum refusal hop_check(const char *list, const char *own);
/* The list with `own` at its end, in the arena. */
const char *hop_extend(const char *list, const char *own, struct arena *);

/* What the code of a HOP_REFUSAL_FIELD means here; REFUSE_NONE: nothing. */
enum refusal hop_refusal(struct span code);

#endif

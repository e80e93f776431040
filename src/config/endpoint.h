/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The endpoint table: what a path and a method mean.  Adding a pass-through
 * endpoint is one row in endpoint.c.
 *
 * It is on config's floor because `endpoints` of a target, a provider or a
 * client names its rows.
 */
#ifndef CONFIG_ENDPOINT_H
#define CONFIG_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum endpoint {
	ENDPOINT_NONE,
	ENDPOINT_MODELS, /* GET /v1/models, /v1/models/{id} */
	ENDPOINT_CHAT,
	ENDPOINT_COMPLETIONS,
	ENDPOINT_EMBEDDINGS,
	ENDPOINT_RERANK,
	ENDPOINT_RESPONSES,
	ENDPOINT_MESSAGES,
	ENDPOINT_COUNT_TOKENS,
	ENDPOINT_SPEECH,
	ENDPOINT_TRANSCRIPTIONS,
	ENDPOINT_TRANSLATIONS,
	ENDPOINT_IMAGES,
	ENDPOINT_IMAGE_EDITS,
	ENDPOINT_IMAGE_VARIATIONS,
	ENDPOINT_MODERATIONS,
	ENDPOINT_VOICES,
	ENDPOINT_RESPONSES_GET, /* of a response that the provider keeps */
	ENDPOINT_RESPONSES_DELETE,
	ENDPOINT_RESPONSES_CANCEL,
	ENDPOINT_RESPONSES_ITEMS,
	ENDPOINT_RESPONSES_COMPACT,
	ENDPOINT_RESPONSES_TOKENS,
	ENDPOINT_CHAT_TOKENS,
	ENDPOINT_INFILL, /* llama.cpp's */
	ENDPOINT_REALTIME, /* asked for only: the web server passes it on */
	ENDPOINT_ROOT, /* GET /, GET /v1: is this a gateway? */
	ENDPOINT_HEALTH,
	ENDPOINT_READY,
	ENDPOINT_METRICS,
	ENDPOINT_STATUS, /* GET /tailgate/status.json */
	ENDPOINT_MOUNT, /* POST /v1/tailgate/mount */
	ENDPOINT_USAGE, /* GET /tailgate/usage.json */
	ENDPOINT_SETUP, /* GET /v1/tailgate/setup */
	ENDPOINT_COUNT
};

/* A set of endpoints is a uint64_t. */
#define ENDPOINT_BIT(e) (UINT64_C(1) << (e))
_Static_assert(ENDPOINT_COUNT <= 63, "a set of them is a positive int64_t");

enum endpoint_body {
	ENDPOINT_BODY_NONE,
	ENDPOINT_BODY_JSON,
	ENDPOINT_BODY_MULTIPART
};

/* Where a response reports its usage. */
enum endpoint_usage {
	ENDPOINT_USAGE_NONE,
	ENDPOINT_USAGE_OPENAI,
	ENDPOINT_USAGE_RESPONSES,
	ENDPOINT_USAGE_ANTHROPIC,
	ENDPOINT_USAGE_LLAMA
}; /* llama.cpp's `timings` */

/* The dialect of error objects that an endpoint's clients expect. */
enum endpoint_shape { ENDPOINT_SHAPE_OPENAI, ENDPOINT_SHAPE_ANTHROPIC };

enum endpoint_flag {
	ENDPOINT_STREAMS = 1 << 0, /* it may be asked for "stream": true */
	ENDPOINT_OPEN = 1 << 1, /* needs no key (health) */
	ENDPOINT_NAMED = 1 << 2, /* a target serves it only if its
					   `endpoints` or its provider's name
					   it */
	ENDPOINT_OWNED = 1 << 3, /* may name no model, and then goes to the one
				  * provider that serves it */
	ENDPOINT_FREE = 1 << 4, /* uses nothing that is billed */
	ENDPOINT_IMAGES_OUT = 1 << 5, /* billed by the image */
	ENDPOINT_BESIDE_V1 = 1 << 6, /* at the upstream it is beside /v1, not
				      * below it */
	ENDPOINT_BY_SERVER = 1 << 7, /* a WebSocket: the web server itself
				      * passes it on, and asks before */
};

struct endpoint_spec {
	enum endpoint id;
	const char *name; /* in config, logs and the ledger: "chat" */
	const char *method; /* "GET" (HEAD too if it is our own), "POST",
				   "DELETE" */
	const char *path; /* from the mount on: "/v1/chat/completions";
				   "{id}" is one segment */
	const char *upstream; /* after a provider's url: "/chat/completions",
				   with the same "{id}"; NULL: answered by
				   tailgate itself */
	enum endpoint_body body;
	enum endpoint_usage usage;
	enum endpoint_shape shape;
	unsigned flags; /* enum endpoint_flag */
};

const struct endpoint_spec *endpoint_spec(enum endpoint);
/* By name; ENDPOINT_NONE if there is none.  Only rows with an upstream may
 * be named in a target. */
enum endpoint endpoint_by_name(struct span name);
/* The row for a path relative to the mount ("/v1/chat/completions"), below
 * /v1 with or without a slash at its end.  If several rows have the path, it
 * is the first: endpoint_by_method() finds the right one.  For
 * /v1/models/{id} and a path with {id}, *rest is the id as in the path;
 * otherwise it is empty. */
const struct endpoint_spec *
endpoint_by_path(struct span path, struct span *rest);
/* The row with the same path and this method, or NULL. */
const struct endpoint_spec *
endpoint_by_method(const struct endpoint_spec *, const char *method);

/* Sets: what a provider can serve, what tailgate answers itself, and the rows
 * that have all of these flags. */
uint64_t endpoint_all_upstream(void);
uint64_t endpoint_all_own(void);
uint64_t endpoint_all_with(unsigned flags);

#endif

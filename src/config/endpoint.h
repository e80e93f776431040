/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The endpoint table: what a path and a method mean.  Adding a pass-through
 * endpoint is one row in endpoint.c.
 *
 * It stands on the config's floor because `endpoints` of a target, a provider
 * or a client names its rows.
 */
#ifndef CONFIG_ENDPOINT_H
#define CONFIG_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum endpoint {
	ENDPOINT_NONE,
	ENDPOINT_MODELS,	/* GET /v1/models, /v1/models/{id} */
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
	ENDPOINT_ROOT,		/* GET /, GET /v1: is this a gateway? */
	ENDPOINT_HEALTH,
	ENDPOINT_READY,
	ENDPOINT_METRICS,
	ENDPOINT_STATUS,	/* GET /tailgate/status.json */
	ENDPOINT_MOUNT,		/* POST /v1/tailgate/mount */
	ENDPOINT_USAGE,		/* GET /tailgate/usage.json */
	ENDPOINT_COUNT
};

/* A set of endpoints: 1u << enum endpoint. */
#define ENDPOINT_BIT(e) (1u << (e))

enum endpoint_body { ENDPOINT_BODY_NONE, ENDPOINT_BODY_JSON,
	ENDPOINT_BODY_MULTIPART };

/* Where an answer says what it used. */
enum endpoint_usage { ENDPOINT_USAGE_NONE, ENDPOINT_USAGE_OPENAI,
	ENDPOINT_USAGE_RESPONSES, ENDPOINT_USAGE_ANTHROPIC };

/* Whose error object the clients of an endpoint expect. */
enum endpoint_shape { ENDPOINT_SHAPE_OPENAI, ENDPOINT_SHAPE_ANTHROPIC };

struct endpoint_spec {
	enum endpoint id;
	const char *name;	/* in config, logs and the ledger: "chat" */
	const char *method;	/* "GET" (HEAD too) or "POST" */
	const char *path;	/* from the mount on: "/v1/chat/completions" */
	const char *upstream;	/* after a provider's url: "/chat/completions";
				   NULL: answered by tailgate itself */
	enum endpoint_body body;
	enum endpoint_usage usage;
	enum endpoint_shape shape;
	bool streams;		/* the body may ask for "stream": true */
	bool open;		/* needs no key (health) */
};

const struct endpoint_spec *endpoint_spec(enum endpoint);
/* By name; ENDPOINT_NONE where there is none.  Only rows with an upstream
 * may be named in a target. */
enum endpoint endpoint_by_name(struct span name);
/* The row for a path as it was cut at the mount ("/v1/chat/completions"),
 * below /v1 with or without a slash at its end.
 * For /v1/models/{id}, *rest is the id, still percent-encoded; else empty. */
const struct endpoint_spec *endpoint_by_path(struct span path,
    struct span *rest);
/* All rows that a provider can serve, as a set. */
uint32_t endpoint_all_upstream(void);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The endpoint table: the first thing a request's path is held against.
 */
#include "config.h"

#include "config/endpoint.h"

#define JSON ENDPOINT_BODY_JSON
#define FORM ENDPOINT_BODY_MULTIPART
#define OPENAI ENDPOINT_USAGE_OPENAI, ENDPOINT_SHAPE_OPENAI
#define RESPONSES ENDPOINT_USAGE_RESPONSES, ENDPOINT_SHAPE_OPENAI
#define ANTHROPIC ENDPOINT_USAGE_ANTHROPIC, ENDPOINT_SHAPE_ANTHROPIC
#define NO_USAGE ENDPOINT_USAGE_NONE, ENDPOINT_SHAPE_OPENAI
#define OURS ENDPOINT_BODY_NONE, NO_USAGE

static const struct endpoint_spec endpoints[] = {
	{ ENDPOINT_MODELS, "models", "GET", "/v1/models", NULL, OURS, false,
	    false },
	{ ENDPOINT_CHAT, "chat", "POST", "/v1/chat/completions",
	    "/chat/completions", JSON, OPENAI, true, false },
	{ ENDPOINT_COMPLETIONS, "completions", "POST", "/v1/completions",
	    "/completions", JSON, OPENAI, true, false },
	{ ENDPOINT_EMBEDDINGS, "embeddings", "POST", "/v1/embeddings",
	    "/embeddings", JSON, OPENAI, false, false },
	{ ENDPOINT_RERANK, "rerank", "POST", "/v1/rerank", "/rerank", JSON,
	    OPENAI, false, false },
	{ ENDPOINT_RESPONSES, "responses", "POST", "/v1/responses",
	    "/responses", JSON, RESPONSES, true, false },
	{ ENDPOINT_MESSAGES, "messages", "POST", "/v1/messages", "/messages",
	    JSON, ANTHROPIC, true, false },
	{ ENDPOINT_COUNT_TOKENS, "count_tokens", "POST",
	    "/v1/messages/count_tokens", "/messages/count_tokens", JSON,
	    ENDPOINT_USAGE_NONE, ENDPOINT_SHAPE_ANTHROPIC, false, false },
	{ ENDPOINT_SPEECH, "speech", "POST", "/v1/audio/speech",
	    "/audio/speech", JSON, NO_USAGE, false, false },
	{ ENDPOINT_TRANSCRIPTIONS, "transcriptions", "POST",
	    "/v1/audio/transcriptions", "/audio/transcriptions", FORM, OPENAI,
	    true, false },
	{ ENDPOINT_TRANSLATIONS, "translations", "POST",
	    "/v1/audio/translations", "/audio/translations", FORM, OPENAI,
	    false, false },
	{ ENDPOINT_ROOT, "root", "GET", "/v1", NULL, OURS, false, true },
	{ ENDPOINT_HEALTH, "health", "GET", "/health", NULL, OURS, false,
	    true },
	{ ENDPOINT_READY, "ready", "GET", "/ready", NULL, OURS, false, true },
	{ ENDPOINT_METRICS, "metrics", "GET", "/metrics", NULL, OURS, false,
	    false },
	{ ENDPOINT_STATUS, "status", "GET", "/tailgate/status.json", NULL, OURS,
	    false, false },
	{ ENDPOINT_MOUNT, "mount", "POST", "/v1/tailgate/mount", NULL, JSON,
	    NO_USAGE, false, false },
	{ ENDPOINT_USAGE, "usage", "GET", "/tailgate/usage.json", NULL, OURS,
	    false, false },
};

#define NENDPOINTS (sizeof(endpoints) / sizeof(endpoints[0]))
_Static_assert(NENDPOINTS == ENDPOINT_COUNT - 1, "a row for each endpoint");

const struct endpoint_spec *
endpoint_spec(enum endpoint id)
{
	return id > ENDPOINT_NONE && id < ENDPOINT_COUNT ? &endpoints[id - 1]
							 : NULL;
}

enum endpoint
endpoint_by_name(struct span name)
{
	for (size_t i = 0; i < NENDPOINTS; i++)
		if (span_is(name, endpoints[i].name))
			return endpoints[i].id;
	return ENDPOINT_NONE;
}

const struct endpoint_spec *
endpoint_by_path(struct span path, struct span *rest)
{
	const struct endpoint_spec *models = endpoint_spec(ENDPOINT_MODELS);
	size_t len = strlen(models->path);

	*rest = (struct span){ NULL, 0 };
	/* Some clients end a URL with a slash. */
	if (path.len >= 4 && memcmp(path.p, "/v1/", 4) == 0 &&
	    path.p[path.len - 1] == '/')
		path.len--;
	for (size_t i = 0; i < NENDPOINTS; i++)
		if (span_is(path, endpoints[i].path))
			return &endpoints[i];
	if (path.len > len + 1 && memcmp(path.p, models->path, len) == 0 &&
	    path.p[len] == '/') {
		*rest = (struct span){ path.p + len + 1, path.len - len - 1 };
		return models;
	}
	return NULL;
}

uint32_t
endpoint_all_upstream(void)
{
	uint32_t all = 0;

	for (size_t i = 0; i < NENDPOINTS; i++)
		if (endpoints[i].upstream != NULL)
			all |= ENDPOINT_BIT(endpoints[i].id);
	return all;
}

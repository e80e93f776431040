/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The endpoint table: the first thing that a request's path is compared with.
 */
#include "config.h"

#include "config/endpoint.h"

#define JSON ENDPOINT_BODY_JSON
#define FORM ENDPOINT_BODY_MULTIPART
#define BARE ENDPOINT_BODY_NONE
#define OPENAI ENDPOINT_USAGE_OPENAI, ENDPOINT_SHAPE_OPENAI
#define RESPONSES ENDPOINT_USAGE_RESPONSES, ENDPOINT_SHAPE_OPENAI
#define ANTHROPIC ENDPOINT_USAGE_ANTHROPIC, ENDPOINT_SHAPE_ANTHROPIC
#define LLAMA ENDPOINT_USAGE_LLAMA, ENDPOINT_SHAPE_OPENAI
#define NO_USAGE ENDPOINT_USAGE_NONE, ENDPOINT_SHAPE_OPENAI
#define OURS ENDPOINT_BODY_NONE, NO_USAGE

#define STREAMS ENDPOINT_STREAMS
#define OPEN ENDPOINT_OPEN
#define NAMED ENDPOINT_NAMED
#define OWNED ENDPOINT_OWNED
#define FREE ENDPOINT_FREE
#define IMAGES ENDPOINT_IMAGES_OUT
/* For a response that a provider keeps. */
#define KEPT (NAMED | OWNED | FREE)

static const struct endpoint_spec endpoints[] = {
	{ ENDPOINT_MODELS, "models", "GET", "/v1/models", NULL, OURS, 0 },
	{ ENDPOINT_CHAT, "chat", "POST", "/v1/chat/completions",
	    "/chat/completions", JSON, OPENAI, STREAMS },
	{ ENDPOINT_COMPLETIONS, "completions", "POST", "/v1/completions",
	    "/completions", JSON, OPENAI, STREAMS },
	{ ENDPOINT_EMBEDDINGS, "embeddings", "POST", "/v1/embeddings",
	    "/embeddings", JSON, OPENAI, 0 },
	{ ENDPOINT_RERANK, "rerank", "POST", "/v1/rerank", "/rerank", JSON,
	    OPENAI, 0 },
	{ ENDPOINT_RESPONSES, "responses", "POST", "/v1/responses",
	    "/responses", JSON, RESPONSES, STREAMS | NAMED },
	{ ENDPOINT_MESSAGES, "messages", "POST", "/v1/messages", "/messages",
	    JSON, ANTHROPIC, STREAMS | NAMED },
	{ ENDPOINT_COUNT_TOKENS, "count_tokens", "POST",
	    "/v1/messages/count_tokens", "/messages/count_tokens", JSON,
	    ENDPOINT_USAGE_NONE, ENDPOINT_SHAPE_ANTHROPIC, NAMED },
	{ ENDPOINT_SPEECH, "speech", "POST", "/v1/audio/speech",
	    "/audio/speech", JSON, NO_USAGE, 0 },
	{ ENDPOINT_TRANSCRIPTIONS, "transcriptions", "POST",
	    "/v1/audio/transcriptions", "/audio/transcriptions", FORM, OPENAI,
	    STREAMS },
	{ ENDPOINT_TRANSLATIONS, "translations", "POST",
	    "/v1/audio/translations", "/audio/translations", FORM, OPENAI, 0 },
	{ ENDPOINT_IMAGES, "images", "POST", "/v1/images/generations",
	    "/images/generations", JSON, OPENAI, STREAMS | NAMED | IMAGES },
	{ ENDPOINT_IMAGE_EDITS, "image_edits", "POST", "/v1/images/edits",
	    "/images/edits", FORM, OPENAI, STREAMS | NAMED | IMAGES },
	{ ENDPOINT_IMAGE_VARIATIONS, "image_variations", "POST",
	    "/v1/images/variations", "/images/variations", FORM, OPENAI,
	    NAMED | OWNED | IMAGES },
	{ ENDPOINT_MODERATIONS, "moderations", "POST", "/v1/moderations",
	    "/moderations", JSON, NO_USAGE, NAMED | OWNED | FREE },
	{ ENDPOINT_VOICES, "voices", "GET", "/v1/audio/voices", "/audio/voices",
	    BARE, NO_USAGE, NAMED | OWNED | FREE },
	{ ENDPOINT_RESPONSES_GET, "responses_get", "GET", "/v1/responses/{id}",
	    "/responses/{id}", BARE, NO_USAGE, STREAMS | KEPT },
	{ ENDPOINT_RESPONSES_DELETE, "responses_delete", "DELETE",
	    "/v1/responses/{id}", "/responses/{id}", BARE, NO_USAGE, KEPT },
	{ ENDPOINT_RESPONSES_CANCEL, "responses_cancel", "POST",
	    "/v1/responses/{id}/cancel", "/responses/{id}/cancel", BARE,
	    NO_USAGE, KEPT },
	{ ENDPOINT_RESPONSES_ITEMS, "responses_items", "GET",
	    "/v1/responses/{id}/input_items", "/responses/{id}/input_items",
	    BARE, NO_USAGE, KEPT },
	{ ENDPOINT_RESPONSES_COMPACT, "responses_compact", "POST",
	    "/v1/responses/compact", "/responses/compact", JSON, RESPONSES,
	    NAMED },
	{ ENDPOINT_RESPONSES_TOKENS, "responses_tokens", "POST",
	    "/v1/responses/input_tokens", "/responses/input_tokens", JSON,
	    NO_USAGE, NAMED | FREE },
	{ ENDPOINT_CHAT_TOKENS, "chat_tokens", "POST",
	    "/v1/chat/completions/input_tokens",
	    "/chat/completions/input_tokens", JSON, NO_USAGE, NAMED | FREE },
	{ ENDPOINT_INFILL, "infill", "POST", "/v1/infill", "/infill", JSON,
	    LLAMA, STREAMS | NAMED | OWNED | ENDPOINT_BESIDE_V1 },
	{ ENDPOINT_REALTIME, "realtime", "GET", "/v1/realtime", "/realtime",
	    BARE, NO_USAGE, NAMED | OWNED | ENDPOINT_BY_SERVER },
	{ ENDPOINT_ROOT, "root", "GET", "/v1", NULL, OURS, OPEN },
	{ ENDPOINT_HEALTH, "health", "GET", "/health", NULL, OURS, OPEN },
	{ ENDPOINT_READY, "ready", "GET", "/ready", NULL, OURS, OPEN },
	{ ENDPOINT_METRICS, "metrics", "GET", "/metrics", NULL, OURS, 0 },
	{ ENDPOINT_STATUS, "status", "GET", "/tailgate/status.json", NULL, OURS,
	    0 },
	{ ENDPOINT_MOUNT, "mount", "POST", "/v1/tailgate/mount", NULL, JSON,
	    NO_USAGE, 0 },
	{ ENDPOINT_USAGE, "usage", "GET", "/tailgate/usage.json", NULL, OURS,
	    0 },
	{ ENDPOINT_SETUP, "setup", "GET", "/v1/tailgate/setup", NULL, OURS, 0 },
};

/* Further paths of a row. */
static const struct {
	const char *path;
	enum endpoint id;
} aliases[] = {
	{ "/v1/reranking", ENDPOINT_RERANK }, /* llama.cpp */
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

/* Does the path match one with a segment "{id}"?  The id is that segment. */
static bool
fits(struct span path, const char *with_id, struct span *id)
{
	const char *at = strstr(with_id, "{id}"), *end;
	size_t before, after;

	if (at == NULL)
		return false;
	before = (size_t)(at - with_id);
	end = at + 4;
	after = strlen(end);
	if (path.len <= before + after ||
	    memcmp(path.p, with_id, before) != 0 ||
	    memcmp(path.p + path.len - after, end, after) != 0)
		return false;
	*id = (struct span){ path.p + before, path.len - before - after };
	return memchr(id->p, '/', id->len) == NULL;
}

/* The path is exactly that of a row. */
static const struct endpoint_spec *
by_whole_path(struct span path)
{
	for (size_t i = 0; i < NENDPOINTS; i++)
		if (span_is(path, endpoints[i].path))
			return &endpoints[i];
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (span_is(path, aliases[i].path))
			return endpoint_spec(aliases[i].id);
	return NULL;
}

const struct endpoint_spec *
endpoint_by_path(struct span path, struct span *rest)
{
	const struct endpoint_spec *models = endpoint_spec(ENDPOINT_MODELS);
	const struct endpoint_spec *whole;
	size_t len = strlen(models->path);

	*rest = (struct span){ NULL, 0 };
	/* Some clients end a URL with a slash. */
	if (path.len >= 4 && memcmp(path.p, "/v1/", 4) == 0 &&
	    path.p[path.len - 1] == '/')
		path.len--;
	if ((whole = by_whole_path(path)) != NULL)
		return whole;
	for (size_t i = 0; i < NENDPOINTS; i++)
		if (fits(path, endpoints[i].path, rest))
			return &endpoints[i];
	*rest = (struct span){ NULL, 0 };
	if (path.len > len + 1 && memcmp(path.p, models->path, len) == 0 &&
	    path.p[len] == '/') {
		*rest = (struct span){ path.p + len + 1, path.len - len - 1 };
		return models;
	}
	return NULL;
}

const struct endpoint_spec *
endpoint_by_method(const struct endpoint_spec *spec, const char *method)
{
	for (size_t i = 0; i < NENDPOINTS; i++)
		if (strcmp(endpoints[i].path, spec->path) == 0 &&
		    strcmp(endpoints[i].method, method) == 0)
			return &endpoints[i];
	return NULL;
}

uint64_t
endpoint_all_upstream(void)
{
	return endpoint_all_with(0) & ~endpoint_all_own();
}

uint64_t
endpoint_all_own(void)
{
	uint64_t all = 0;

	for (size_t i = 0; i < NENDPOINTS; i++)
		if (endpoints[i].upstream == NULL)
			all |= ENDPOINT_BIT(endpoints[i].id);
	return all;
}

uint64_t
endpoint_all_with(unsigned flags)
{
	uint64_t all = 0;

	for (size_t i = 0; i < NENDPOINTS; i++)
		if ((endpoints[i].flags & flags) == flags)
			all |= ENDPOINT_BIT(endpoints[i].id);
	return all;
}

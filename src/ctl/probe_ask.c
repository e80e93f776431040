/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Is a provider well?  Hides the requests of `tailgate probe` and what their
 * responses mean (probe_learn.c: what they say of the models).  From
 * wire/upstream on they are sent as any request, with the same address check,
 * TLS rules and key, but without a slot.
 */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/jspan.h"
#include "base/log.h"
#include "ctl/probe_internal.h"
#include "policy/blame.h"

#define RESPONSE_MAX (8 * 1024 * 1024)
#define FIRST_BYTE_MS 10000
#define TOTAL_MS 15000

struct response {
	struct upstream_report report;
	int status;
	int64_t retry_after_ms;
	struct buf body;
};

static int
on_head(void *ctx, const struct http1_head *head)
{
	struct response *response = ctx;

	response->status = head->status;
	response->retry_after_ms =
	    http1_retry_after_ms(head->fields, head->nfields);
	return 0;
}

static int
on_body(void *ctx, struct span bytes)
{
	struct response *response = ctx;

	buf_add(&response->body, bytes.p, bytes.len);
	return buf_failed(&response->body) ? -1 : 0;
}

static int
on_pause(void *ctx)
{
	(void)ctx;
	return 0;
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Sends GET, or POST if there is a body. */
static void
ask(struct probe_asking *a, const struct provider *at, const char *path,
    const char *body, struct response *response)
{
	const struct http1_field fields[] = {
		{ span_of("Accept"), span_of("application/json") },
		{ span_of("Content-Type"), span_of("application/json") },
	};
	struct upstream_sink sink = { on_head, on_body, on_pause, response };
	struct upstream_request request = {
		.provider = at,
		.key = a->key,
		.method = body == NULL ? "GET" : "POST",
		.path = path,
		.fields = fields,
		.nfields = body == NULL ? 1 : 2,
		.parts = { span_of(body) },
		.nparts = body != NULL,
		.timeouts = {
			.connect_ms = at->timeouts.connect_ms,
			.first_byte_ms =
			    least(at->timeouts.first_byte_ms, FIRST_BYTE_MS),
			.idle_ms = least(at->timeouts.idle_ms, FIRST_BYTE_MS),
			.total_ms = least(at->timeouts.total_ms, TOTAL_MS),
		},
	};

	memset(response, 0, sizeof(*response));
	buf_init(&response->body, RESPONSE_MAX);
	upstream_send(
	    a->pool, &request, a->watch, &sink, a->arena, &response->report);
}

static void
conclude(struct probe *probe, enum health_outcome outcome, const char *why)
{
	probe->ok = outcome == HEALTH_OK;
	probe->outcome = outcome;
	snprintf(probe->why, sizeof(probe->why), "%s", why);
}

static enum health_outcome
outcome_of_result(enum upstream_result result)
{
	switch (result) {
	case UPSTREAM_CONNECT:
	case UPSTREAM_FORBIDDEN:
	case UPSTREAM_TLS:
	case UPSTREAM_TIMEOUT_CONNECT:
		return HEALTH_CONNECT;
	case UPSTREAM_TIMEOUT_FIRST_BYTE:
	case UPSTREAM_TIMEOUT_IDLE:
	case UPSTREAM_TIMEOUT_TOTAL:
		return HEALTH_TIMEOUT;
	case UPSTREAM_CLIENT_GONE:
	case UPSTREAM_EXHAUSTED:
		return HEALTH_ABANDONED;
	default:
		return HEALTH_ERROR;
	}
}

static void
conclude_result(struct probe *probe, const struct upstream_report *report)
{
	char why[PROBE_WHY_SIZE];

	snprintf(why, sizeof(why), "%s%s%s",
	    report->result == UPSTREAM_STOPPED
		? "the response is too large"
		: upstream_result_name(report->result),
	    report->detail == NULL ? "" : ": ",
	    report->detail == NULL ? "" : report->detail);
	conclude(probe, outcome_of_result(report->result), why);
	probe->unreachable = report->result == UPSTREAM_CONNECT ||
	    report->result == UPSTREAM_TIMEOUT_CONNECT;
}

/* A 4xx says nothing about the provider's health, as for any request: a 429 of
 * the list limits only the list, unless it says that it limits all requests.
 * But a server that says it is loading serves no model: the request named
 * none. */
static void
conclude_status(struct probe *probe, const struct response *response)
{
	int status = response->status;
	char why[PROBE_WHY_SIZE];
	enum blame blame = status < 400 || status > 599
	    ? BLAME_PROVIDER
	    : blame_of(status, buf_span(&response->body)).blame;

	snprintf(why, sizeof(why), "HTTP %d", status);
	if (blame == BLAME_RATE_ALL) {
		probe->retry_after_ms = response->retry_after_ms;
		conclude(probe, HEALTH_RATE_LIMITED,
		    "HTTP 429: rate limited, all models");
	} else if (status == 429) {
		conclude(probe, HEALTH_ABANDONED,
		    "HTTP 429: its list of models is rate limited");
	} else if (blame == BLAME_LOADING) {
		conclude(probe, HEALTH_LOADING, "the model is loading");
	} else if (status >= 500) {
		conclude(probe, HEALTH_ERROR, why);
	} else if ((status == 401 || status == 403) &&
	    probe->provider->auth == AUTH_CLIENT) {
		conclude(probe, HEALTH_OK, "it wants each client's own key");
	} else if (status == 401 || status == 403) {
		snprintf(why, sizeof(why), "HTTP %d: %s", status,
		    probe->provider->nkeys == 0
			? "it requires a key, and none is configured"
			: "it refuses the key");
		conclude(probe, HEALTH_ABANDONED, why);
	} else if (status >= 300 && status < 400) {
		snprintf(why, sizeof(why),
		    "HTTP %d: redirects are not followed; is the url right?",
		    status);
		conclude(probe, HEALTH_ABANDONED, why);
	} else {
		conclude(probe, HEALTH_ABANDONED, why);
	}
}

static json_t *
parsed(const struct response *response)
{
	if (response->report.result != UPSTREAM_OK || response->status != 200 ||
	    response->body.p == NULL ||
	    jspan_is_deep(buf_span(&response->body)))
		return NULL;
	return json_loadb(response->body.p, response->body.len, 0, NULL);
}

static json_t *
ask_json(struct probe_asking *a, const char *path, const char *body)
{
	struct response response;
	json_t *root;

	ask(a, &a->root, path, body, &response);
	root = parsed(&response);
	buf_free(&response.body);
	return root;
}

/* Is the provider well enough to be asked for its models?  Only a 5xx, or no
 * response at all, says that it is not: many servers have no /health. */
static bool
ask_health(struct probe_asking *a)
{
	struct response response;
	bool well = false;

	ask(a, &a->root, "/health", NULL, &response);
	if (response.report.result != UPSTREAM_OK)
		conclude_result(a->probe, &response.report);
	else if (response.status >= 500 && response.status != 501)
		conclude_status(a->probe, &response);
	else
		well = true;
	buf_free(&response.body);
	return well;
}

/* Some servers have no list, but most have one: their url is wrong then. */
static void
conclude_unlisted(struct probe_asking *a, int status)
{
	char why[PROBE_WHY_SIZE];

	snprintf(why, sizeof(why), "it lists no models (HTTP %d for /models)%s",
	    status,
	    strstr(a->probe->provider->url, "/v1") == NULL
		? "; does the url need /v1?"
		: "");
	conclude(a->probe, HEALTH_OK, why);
}

/* The list of models, or NULL; concludes how the provider is. */
static json_t *
ask_models(struct probe_asking *a)
{
	struct probe *probe = a->probe;
	struct response response;
	json_t *root = NULL;

	ask(a, probe->provider, "/models", NULL, &response);
	probe->ms = response.report.first_byte_ns == 0
	    ? -1
	    : response.report.first_byte_ns / 1000000;
	if (response.report.result != UPSTREAM_OK) {
		conclude_result(probe, &response.report);
	} else if (response.status == 404 || response.status == 405 ||
	    response.status == 501) {
		conclude_unlisted(a, response.status);
	} else if (response.status < 200 || response.status >= 300) {
		conclude_status(probe, &response);
	} else if ((root = parsed(&response)) == NULL) {
		conclude(probe, HEALTH_ERROR,
		    "HTTP 200, but not JSON; is the url right?");
	} else {
		conclude(probe, HEALTH_OK, "");
		probe->nmodels = json_array_size(json_object_get(root, "data"));
	}
	buf_free(&response.body);
	return root;
}

/* The same server without the "/v1" of its API. */
static void
root_make(struct probe_asking *a, const struct provider *provider)
{
	size_t len = strlen(provider->url);

	a->root = *provider;
	if (len > 3 && strcmp(provider->url + len - 3, "/v1") == 0)
		a->root.url = arena_text(
		    a->arena, (struct span){ provider->url, len - 3 });
}

/* Does the provider refuse this key?  A list that is rate limited says nothing
 * of the key. */
static bool
key_is_refused(struct probe_asking *a, const char *key)
{
	struct response response;
	bool refused;

	a->key = key;
	ask(a, a->probe->provider, "/models", NULL, &response);
	refused = response.report.result == UPSTREAM_OK &&
	    (response.status == 401 || response.status == 402 ||
		response.status == 403);
	buf_free(&response.body);
	return refused;
}

/* Of several keys, goes on with the first that is accepted, and notes in
 * `refused` those that are not: "key 2 of 3 is refused". */
static void
pick_key(struct probe_asking *a, struct buf *refused)
{
	const struct provider *p = a->probe->provider;
	const char *good = NULL;

	for (size_t i = 0; i < p->nkeys && p->nkeys > 1; i++) {
		if (!key_is_refused(a, p->keys[i]))
			good = good == NULL ? p->keys[i] : good;
		else
			buf_printf(refused, "%skey %zu of %zu is refused",
			    refused->len > 0 ? ", " : "", i + 1, p->nkeys);
	}
	a->key = good != NULL ? good : p->nkeys > 0 ? p->keys[0] : NULL;
}

/* Another gateway that the configuration takes for a plain server. */
static void
say_kind(struct probe *probe, const json_t *models)
{
	const char *owner = json_string_value(json_object_get(
	    json_array_get(json_object_get(models, "data"), 0), "owned_by"));
	size_t at = strlen(probe->why);

	if (probe->provider->kind == PROVIDER_OPENAI && owner != NULL &&
	    strcmp(owner, "tailgate") == 0)
		snprintf(probe->why + at, sizeof(probe->why) - at,
		    "%sit is a tailgate: write kind = \"tailgate\"",
		    at > 0 ? "; " : "");
}

static void
say_refused(struct probe *probe, const struct buf *refused)
{
	size_t at = strlen(probe->why);

	if (probe->ok && refused->len > 0)
		snprintf(probe->why + at, sizeof(probe->why) - at, "%s%s",
		    at > 0 ? "; " : "", refused->p);
}

void
probe_ask(const struct config *config, const struct provider *provider,
    struct upstream_pool *pool, const struct watch *watch, struct probe *probe)
{
	struct probe_asking a = { .config = config,
		.ask_json = ask_json,
		.pool = pool,
		.watch = watch,
		.probe = probe };
	bool local = provider->place == PLACE_LOCAL;
	struct buf refused;
	json_t *models;

	*probe = (struct probe){ .provider = provider, .ms = -1 };
	if (provider->kind == PROVIDER_ECHO) {
		conclude(probe, HEALTH_OK, "built in");
		return;
	}
	a.arena = arena_new();
	root_make(&a, provider);
	buf_init(&refused, PROBE_WHY_SIZE);
	pick_key(&a, &refused);
	if (!local || ask_health(&a)) {
		models = ask_models(&a);
		if (probe->ok && provider->learn &&
		    (local || provider->kind == PROVIDER_TAILGATE))
			probe_learn(&a, models);
		if (probe->ok)
			probe_names(&a, models);
		if (probe->ok)
			say_kind(probe, models);
		json_decref(models);
	}
	say_refused(probe, &refused);
	buf_free(&refused);
	arena_free(a.arena);
}

void
probe_free(struct probe *probe)
{
	for (size_t i = 0; i < probe->nlearned; i++)
		free((char *)(uintptr_t)probe->learned[i].model);
	free(probe->learned);
	probe->learned = NULL;
	probe->nlearned = 0;
}

void
probe_note_sleep(struct health *health, struct probe *probe)
{
	const struct provider *p = probe->provider;

	if (!p->sleeps)
		return;
	if (!probe->unreachable) {
		if (probe->outcome != HEALTH_ABANDONED)
			health_reached(health, p);
		return;
	}
	health_sleeps(health, p);
	probe->outcome = HEALTH_ABANDONED;
	strlcat(probe->why, "; asleep, a request wakes it", sizeof(probe->why));
}

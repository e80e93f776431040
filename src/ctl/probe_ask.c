/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The questions of `tailgate probe` and what their answers mean.  They take a
 * request's way from wire/upstream on: the same address check, TLS rules and
 * key as any request, but no slot.  What an upstream says about itself is
 * foreign text: it is compared, counted and escaped, never passed on.
 */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "ctl/probe_ask.h"
#include "policy/blame.h"

#define ANSWER_MAX (8 * 1024 * 1024)
#define FIRST_BYTE_MS 10000
#define TOTAL_MS 15000
#define LEARNED_MAX 1024
#define SHOWS_MAX 64
#define MODEL_MAX 512
#define CONTEXT_MAX (INT64_C(1) << 40)

struct asking {
	const struct config *config;
	struct upstream_pool *pool;
	const struct watch *watch;
	struct arena *arena;
	struct provider root; /* the provider, at its server's root */
	struct probe *probe;
};

struct answer {
	struct upstream_report report;
	int status;
	int64_t retry_after_ms;
	struct buf body;
};

static int
on_head(void *ctx, const struct http1_head *head)
{
	struct answer *answer = ctx;

	answer->status = head->status;
	for (size_t i = 0; i < head->nfields; i++) {
		long seconds;
		char text[16];
		struct span value = head->fields[i].value;

		if (!span_is_nocase(head->fields[i].name, "retry-after") ||
		    value.len >= sizeof(text))
			continue;
		memcpy(text, value.p, value.len);
		text[value.len] = '\0';
		seconds = strtol(text, NULL, 10);
		if (seconds > 0 && seconds < 100000000)
			answer->retry_after_ms = seconds * 1000;
	}
	return 0;
}

static int
on_body(void *ctx, struct span bytes)
{
	struct answer *answer = ctx;

	buf_add(&answer->body, bytes.p, bytes.len);
	return buf_failed(&answer->body) ? -1 : 0;
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

/* GET, or POST where there is a body. */
static void
ask(struct asking *a, const struct provider *at, const char *path,
    const char *body, struct answer *answer)
{
	const struct http1_field fields[] = {
		{ span_of("Accept"), span_of("application/json") },
		{ span_of("Content-Type"), span_of("application/json") },
	};
	struct upstream_sink sink = { on_head, on_body, on_pause, NULL,
		answer };
	struct upstream_request request = {
		.provider = at,
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

	memset(answer, 0, sizeof(*answer));
	buf_init(&answer->body, ANSWER_MAX);
	upstream_send(
	    a->pool, &request, a->watch, &sink, a->arena, &answer->report);
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
		? "an answer beyond all measure"
		: upstream_result_name(report->result),
	    report->detail == NULL ? "" : ": ",
	    report->detail == NULL ? "" : report->detail);
	conclude(probe, outcome_of_result(report->result), why);
}

/* A 4xx says nothing about the provider's health, as for any request: a 429 of
 * the list is a limit of the list, unless it says that it is one of all.
 * A server that is loading, however, serves no model: it was asked for none. */
static void
conclude_status(struct probe *probe, const struct answer *answer)
{
	int status = answer->status;
	char why[PROBE_WHY_SIZE];
	enum blame blame = status < 400 || status > 599
	    ? BLAME_PROVIDER
	    : blame_of(status, buf_span(&answer->body)).blame;

	snprintf(why, sizeof(why), "HTTP %d", status);
	if (blame == BLAME_RATE_ALL) {
		probe->retry_after_ms = answer->retry_after_ms;
		conclude(probe, HEALTH_RATE_LIMITED,
		    "HTTP 429: rate limited, all models");
	} else if (status == 429) {
		conclude(probe, HEALTH_ABANDONED,
		    "HTTP 429: its list of models is rate limited");
	} else if (blame == BLAME_LOADING) {
		conclude(probe, HEALTH_LOADING, "the model is loading");
	} else if (status >= 500) {
		conclude(probe, HEALTH_ERROR, why);
	} else if (status == 401 || status == 403) {
		snprintf(why, sizeof(why), "HTTP %d: %s", status,
		    probe->provider->key == NULL
			? "it wants a key, and none is configured"
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
parsed(const struct answer *answer)
{
	if (answer->report.result != UPSTREAM_OK || answer->status != 200 ||
	    answer->body.p == NULL)
		return NULL;
	return json_loadb(answer->body.p, answer->body.len, 0, NULL);
}

/* The JSON of a 200, or NULL. */
static json_t *
ask_json(struct asking *a, const char *path, const char *body)
{
	struct answer answer;
	json_t *root;

	ask(a, &a->root, path, body, &answer);
	root = parsed(&answer);
	buf_free(&answer.body);
	return root;
}

/* Is the provider well enough to be asked for its models?  Only 5xx and no
 * answer at all tell that it is not: many servers know no /health. */
static bool
ask_health(struct asking *a)
{
	struct answer answer;
	bool well = false;

	ask(a, &a->root, "/health", NULL, &answer);
	if (answer.report.result != UPSTREAM_OK)
		conclude_result(a->probe, &answer.report);
	else if (answer.status >= 500 && answer.status != 501)
		conclude_status(a->probe, &answer);
	else
		well = true;
	buf_free(&answer.body);
	return well;
}

/* The list of models, or NULL; concludes how the provider is. */
static json_t *
ask_models(struct asking *a)
{
	struct probe *probe = a->probe;
	struct answer answer;
	json_t *root = NULL;

	ask(a, probe->provider, "/models", NULL, &answer);
	probe->ms = answer.report.first_byte_ns == 0
	    ? -1
	    : answer.report.first_byte_ns / 1000000;
	if (answer.report.result != UPSTREAM_OK) {
		conclude_result(probe, &answer.report);
	} else if (answer.status == 404 || answer.status == 405 ||
	    answer.status == 501) {
		conclude(probe, HEALTH_OK, "it lists no models");
	} else if (answer.status < 200 || answer.status >= 300) {
		conclude_status(probe, &answer);
	} else if ((root = parsed(&answer)) == NULL) {
		conclude(probe, HEALTH_ERROR,
		    "HTTP 200, but no JSON; is the url right?");
	} else {
		conclude(probe, HEALTH_OK, "");
		probe->nmodels = json_array_size(json_object_get(root, "data"));
	}
	buf_free(&answer.body);
	return root;
}

static uint64_t
tokens_of(const json_t *value)
{
	json_int_t n = json_integer_value(value);

	return n > 0 && n <= CONTEXT_MAX ? (uint64_t)n : 0;
}

static enum tri
tri_of(const json_t *value)
{
	if (!json_is_boolean(value))
		return TRI_UNSET;
	return json_is_true(value) ? TRI_YES : TRI_NO;
}

static void
learn(struct probe *probe, const char *model, const struct facts_learned *what)
{
	struct facts_learned *row;

	if (model == NULL || model[0] == '\0' || strlen(model) > MODEL_MAX ||
	    probe->nlearned == LEARNED_MAX)
		return;
	for (size_t i = 0; i < probe->nlearned; i++)
		if (strcmp(probe->learned[i].model, model) == 0)
			return;
	probe->learned = reallocarray(
	    probe->learned, probe->nlearned + 1, sizeof(*probe->learned));
	if (probe->learned == NULL)
		fatal("out of memory for what was learned");
	row = &probe->learned[probe->nlearned++];
	*row = *what;
	row->provider = probe->provider;
	if ((row->model = strdup(model)) == NULL)
		fatal("out of memory for what was learned");
}

/* Calls each(name) for every model that some target wants of the provider. */
static void
each_target(struct asking *a,
    void (*each)(struct asking *, const char *, void *), void *ctx)
{
	for (size_t m = 0; m < a->config->nmodels; m++) {
		const struct model *model = &a->config->models[m];

		for (size_t t = 0; t < model->ntargets; t++)
			if (model->targets[t].provider == a->probe->provider &&
			    strcmp(model->targets[t].model, "*") != 0)
				each(a, model->targets[t].model, ctx);
	}
}

/* Does some target hand on whatever name the client sent? */
static bool
takes_any(const struct asking *a)
{
	for (size_t m = 0; m < a->config->nmodels; m++) {
		const struct model *model = &a->config->models[m];

		for (size_t t = 0; t < model->ntargets; t++)
			if (model->targets[t].provider == a->probe->provider &&
			    strcmp(model->targets[t].model, "*") == 0)
				return true;
	}
	return false;
}

struct wanted {
	const char *id;
	bool found;
};

static void
compare(struct asking *a, const char *name, void *ctx)
{
	struct wanted *wanted = ctx;

	(void)a;
	if (strcmp(name, wanted->id) == 0)
		wanted->found = true;
}

static bool
is_wanted(struct asking *a, const char *id)
{
	struct wanted wanted = { id, takes_any(a) };

	each_target(a, compare, &wanted);
	return wanted.found;
}

static void
learn_target(struct asking *a, const char *name, void *what)
{
	learn(a->probe, name, what);
}

/*
 * llama.cpp.  With one model loaded it answers under any name, so that what
 * /props says is true of every name we may use.  n_ctx there is that of one
 * slot.  chat_template_caps says "no" of templates whose tools work by the
 * generic format, so only its yes is believed.
 */
static void
learn_llama(struct asking *a, const json_t *data)
{
	json_t *props = ask_json(a, "/props", NULL), *modalities, *caps;
	struct facts_learned what = { .context = 0 };

	modalities = json_object_get(props, "modalities");
	caps = json_object_get(props, "chat_template_caps");
	what.context = tokens_of(json_object_get(
	    json_object_get(props, "default_generation_settings"), "n_ctx"));
	what.images = tri_of(json_object_get(modalities, "vision"));
	what.audio = tri_of(json_object_get(modalities, "audio"));
	if (json_is_true(json_object_get(caps, "supports_tools")) &&
	    json_is_true(json_object_get(caps, "supports_tool_calls")))
		what.tools = TRI_YES;
	if (what.context != 0) {
		each_target(a, learn_target, &what);
		learn(a->probe,
		    json_string_value(
			json_object_get(json_array_get(data, 0), "id")),
		    &what);
	}
	json_decref(props);
}

/* Servers that tell each model's context in their list: vLLM's max_model_len,
 * and n_ctx of a llama.cpp with several models. */
static void
learn_listed(struct asking *a, const json_t *data)
{
	json_t *row;
	size_t i;

	json_array_foreach(data, i, row)
	{
		const char *id = json_string_value(json_object_get(row, "id"));
		struct facts_learned what = {
			.context =
			    tokens_of(json_object_get(row, "max_model_len")),
		};

		if (what.context == 0)
			what.context = tokens_of(json_object_get(
			    json_object_get(row, "meta"), "n_ctx"));
		if (id != NULL && what.context != 0 && is_wanted(a, id))
			learn(a->probe, id, &what);
	}
}

/* "num_ctx 8192" among the lines of a modelfile's parameters. */
static uint64_t
num_ctx(const char *parameters)
{
	const char *p = parameters;
	long long n;

	while (p != NULL) {
		p += *p == '\n';
		if (strncmp(p, "num_ctx ", 8) == 0) {
			n = strtoll(p + 8, NULL, 10);
			return n > 0 && n <= CONTEXT_MAX ? (uint64_t)n : 0;
		}
		p = strchr(p, '\n');
	}
	return 0;
}

/* Ollama's own name for a model without a tag ends in ":latest". */
static bool
same_model(const char *ours, const char *theirs)
{
	size_t len = strlen(ours);

	return theirs != NULL && strncmp(ours, theirs, len) == 0 &&
	    (theirs[len] == '\0' ||
		(strchr(ours, ':') == NULL &&
		    strcmp(theirs + len, ":latest") == 0));
}

/* The context with which a model is loaded just now. */
static uint64_t
running_context(const json_t *running, const char *model)
{
	json_t *row;
	size_t i;

	json_array_foreach(running, i,
	    row) if (same_model(model,
			 json_string_value(json_object_get(row,
			     "name")))) return tokens_of(json_object_get(row,
	    "context_length"));
	return 0;
}

static bool
holds(const json_t *array, const char *word)
{
	json_t *item;
	size_t i;

	json_array_foreach(array, i, item) if (json_is_string(item) &&
	    strcmp(json_string_value(item), word) == 0) return true;
	return false;
}

struct ollama {
	const json_t *running;
	unsigned shows;
};

/*
 * The context in model_info is the one the model was trained for; Ollama
 * runs it with another (4096 unless told) and cuts what is longer without a
 * word.  So only what a running model has, or its modelfile says, counts.
 */
static void
learn_shown(struct asking *a, const char *model, void *ctx)
{
	struct ollama *ollama = ctx;
	struct facts_learned what = { .context = 0 };
	json_t *show, *abilities;
	struct buf body;

	if (ollama->shows++ >= SHOWS_MAX)
		return;
	buf_init(&body, 8 * MODEL_MAX);
	buf_puts(&body, "{\"model\":");
	buf_json(&body, span_of(model));
	buf_puts(&body, "}");
	show = buf_failed(&body) ? NULL : ask_json(a, "/api/show", body.p);
	buf_free(&body);
	if (show == NULL)
		return;
	abilities = json_object_get(show, "capabilities");
	if (json_is_array(abilities)) {
		what.images = holds(abilities, "vision") ? TRI_YES : TRI_NO;
		what.tools = holds(abilities, "tools") ? TRI_YES : TRI_NO;
	}
	what.context = running_context(ollama->running, model);
	if (what.context == 0)
		what.context = num_ctx(
		    json_string_value(json_object_get(show, "parameters")));
	learn(a->probe, model, &what);
	json_decref(show);
}

static void
learn_ollama(struct asking *a, const json_t *tags)
{
	json_t *ps = ask_json(a, "/api/ps", NULL), *row;
	struct ollama ollama = { json_object_get(ps, "models"), 0 };
	size_t i;

	each_target(a, learn_shown, &ollama);
	if (takes_any(a))
		json_array_foreach(tags, i, row)
		{
			const char *name =
			    json_string_value(json_object_get(row, "name"));

			if (name != NULL)
				learn_shown(a, name, &ollama);
		}
	json_decref(ps);
}

static bool
listed_by(const json_t *data, const char *owner)
{
	const char *by = json_string_value(
	    json_object_get(json_array_get(data, 0), "owned_by"));

	return by != NULL && strcmp(by, owner) == 0;
}

static void
learn_all(struct asking *a, const json_t *models)
{
	const json_t *data = json_object_get(models, "data");
	json_t *root, *tags;

	if (listed_by(data, "llamacpp") ||
	    json_is_object(json_object_get(json_array_get(data, 0), "meta"))) {
		a->probe->server = "llama.cpp";
		if (json_array_size(data) == 1)
			learn_llama(a, data);
		else
			learn_listed(a, data);
		return;
	}
	if (listed_by(data, "vllm")) {
		a->probe->server = "vLLM";
		learn_listed(a, data);
		return;
	}
	root = ask_json(a, "/api/tags", NULL);
	tags = json_object_get(root, "models");
	if (json_is_array(tags)) {
		a->probe->server = "Ollama";
		learn_ollama(a, tags);
	} else {
		learn_listed(a, data);
	}
	json_decref(root);
}

/* The same server without the "/v1" of its API. */
static void
root_make(struct asking *a, const struct provider *provider)
{
	size_t len = strlen(provider->url);

	a->root = *provider;
	if (len > 3 && strcmp(provider->url + len - 3, "/v1") == 0)
		a->root.url = arena_text(
		    a->arena, (struct span){ provider->url, len - 3 });
}

void
probe_ask(const struct config *config, const struct provider *provider,
    struct upstream_pool *pool, const struct watch *watch, struct probe *probe)
{
	struct asking a = {
		.config = config, .pool = pool, .watch = watch, .probe = probe
	};
	bool local = provider->place == PLACE_LOCAL;
	json_t *models;

	*probe = (struct probe){ .provider = provider, .ms = -1 };
	if (provider->kind == PROVIDER_ECHO) {
		conclude(probe, HEALTH_OK, "built in");
		return;
	}
	a.arena = arena_new();
	root_make(&a, provider);
	if (!local || ask_health(&a)) {
		models = ask_models(&a);
		if (probe->ok && local && provider->learn)
			learn_all(&a, models);
		json_decref(models);
	}
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

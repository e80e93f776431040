/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the servers tell of their models, beyond OpenAI's API: hides how
 * llama.cpp, vLLM and Ollama name context sizes and abilities.  All of it is
 * foreign text: compared, counted and escaped, never passed on.
 */
#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "ctl/probe_internal.h"

#define LEARNED_MAX 1024
#define SHOWS_MAX 64
#define MODEL_MAX 512
#define CONTEXT_MAX (INT64_C(1) << 40)
#define BUSY_MAX 1000000

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

/* Calls each(name) for every model that some target asks the provider for. */
static void
each_target(struct probe_asking *a,
    void (*each)(struct probe_asking *, const char *, void *), void *ctx)
{
	for (size_t m = 0; m < a->config->nmodels; m++) {
		const struct model *model = &a->config->models[m];

		for (size_t t = 0; t < model->ntargets; t++)
			if (model->targets[t].provider == a->probe->provider &&
			    strcmp(model->targets[t].model, "*") != 0)
				each(a, model->targets[t].model, ctx);
	}
}

/* Does some target pass on any name that the client sends? */
static bool
takes_any(const struct probe_asking *a)
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
compare(struct probe_asking *a, const char *name, void *ctx)
{
	struct wanted *wanted = ctx;

	(void)a;
	if (strcmp(name, wanted->id) == 0)
		wanted->found = true;
}

static bool
is_wanted(struct probe_asking *a, const char *id)
{
	struct wanted wanted = { id, takes_any(a) };

	each_target(a, compare, &wanted);
	return wanted.found;
}

static void
learn_target(struct probe_asking *a, const char *name, void *what)
{
	learn(a->probe, name, what);
}

/*
 * llama.cpp.  With one model loaded it responds to any name, so what /props
 * says is true of every name we may use.  Its n_ctx is that of one slot.
 * chat_template_caps says "no" even of templates whose tools work by the
 * generic format, so only a "yes" is believed.
 */
static void
learn_llama(struct probe_asking *a, const json_t *data)
{
	json_t *props = a->ask_json(a, "/props", NULL), *modalities, *caps;
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
 * LM Studio's loaded_context_length, and n_ctx of a llama.cpp with several
 * models. */
static void
learn_listed(struct probe_asking *a, const json_t *data)
{
	json_t *row;
	size_t i;

	json_array_foreach (data, i, row) {
		const char *id = json_string_value(json_object_get(row, "id"));
		struct facts_learned what = {
			.context =
			    tokens_of(json_object_get(row, "max_model_len")),
		};

		if (what.context == 0)
			what.context = tokens_of(
			    json_object_get(row, "loaded_context_length"));
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

/* The context with which the model is loaded now. */
static uint64_t
running_context(const json_t *running, const char *model)
{
	json_t *row;
	size_t i;

	json_array_foreach (running, i, row)
		if (same_model(
			model, json_string_value(json_object_get(row, "name"))))
			return tokens_of(
			    json_object_get(row, "context_length"));
	return 0;
}

static bool
holds(const json_t *array, const char *word)
{
	json_t *item;
	size_t i;

	json_array_foreach (array, i, item)
		if (json_is_string(item) &&
		    strcmp(json_string_value(item), word) == 0)
			return true;
	return false;
}

struct ollama {
	const json_t *running;
	unsigned shows;
};

/*
 * The context in model_info is the one the model was trained for; Ollama runs
 * it with another (4096 by default) and silently cuts longer prompts.  So only
 * the context of a running model, or of its modelfile, counts.
 */
static void
learn_shown(struct probe_asking *a, const char *model, void *ctx)
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
	show = buf_failed(&body) ? NULL : a->ask_json(a, "/api/show", body.p);
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
learn_ollama(struct probe_asking *a, const json_t *tags)
{
	json_t *ps = a->ask_json(a, "/api/ps", NULL), *row;
	struct ollama ollama = { json_object_get(ps, "models"), 0 };
	size_t i;

	each_target(a, learn_shown, &ollama);
	if (takes_any(a))
		json_array_foreach (tags, i, row) {
			const char *name =
			    json_string_value(json_object_get(row, "name"));

			if (name != NULL)
				learn_shown(a, name, &ollama);
		}
	json_decref(ps);
}

/*
 * Another gateway reports what its own targets and probes say, and to a relay
 * also how busy the limits are.  If it does not list images, that says nothing
 * of them.
 */
static void
learn_gateway(struct probe_asking *a, const json_t *data)
{
	json_t *row;
	size_t i;

	json_array_foreach (data, i, row) {
		const char *id = json_string_value(json_object_get(row, "id"));
		const json_t *takes = json_object_get(
		    json_object_get(row, "architecture"), "input_modalities");
		const json_t *limits = json_object_get(row, "tailgate");
		json_int_t slots =
		    json_integer_value(json_object_get(limits, "slots"));
		json_int_t busy =
		    json_integer_value(json_object_get(limits, "busy"));
		struct facts_learned what = {
			.context =
			    tokens_of(json_object_get(row, "context_length")),
			.images = holds(takes, "image") ? TRI_YES : TRI_UNSET,
			.audio = holds(takes, "audio") ? TRI_YES : TRI_UNSET,
			.tools = tri_of(json_object_get(row, "tools")),
		};

		if (slots > 0 && slots <= BUSY_MAX && busy >= 0 &&
		    busy <= BUSY_MAX) {
			what.slots = (unsigned)slots;
			what.busy = (unsigned)busy;
			what.at_ms = clock_wall_ms();
		}
		if (id != NULL && strchr(id, '*') == NULL && is_wanted(a, id))
			learn(a->probe, id, &what);
	}
}

static bool
listed_by(const json_t *data, const char *owner)
{
	const char *by = json_string_value(
	    json_object_get(json_array_get(data, 0), "owned_by"));

	return by != NULL && strcmp(by, owner) == 0;
}

void
probe_learn(struct probe_asking *a, const json_t *models)
{
	const json_t *data = json_object_get(models, "data");
	json_t *root, *tags;

	if (a->probe->provider->kind == PROVIDER_TAILGATE) {
		a->probe->server = "tailgate";
		learn_gateway(a, data);
		return;
	}
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
	root = a->ask_json(a, "/api/tags", NULL);
	tags = json_object_get(root, "models");
	if (json_is_array(tags)) {
		a->probe->server = "Ollama";
		learn_ollama(a, tags);
	} else {
		learn_listed(a, data);
	}
	json_decref(root);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How `tailgate probe` reads the responses of llama.cpp, vLLM, Ollama and of
 * servers that lie.  The test replaces upstream_send, and responds from a
 * table.
 */
#include "config.h"

#include <stdlib.h>

#include "ctl/probe_ask.h"
#include "check.h"

/* Requests that are not in the table get a 404. */
struct canned {
	const char *url; /* of the provider that was asked */
	const char *path;
	int status;
	const char *body;
	enum upstream_result result;
	const char *retry_after;
};

static const struct canned *table;
static unsigned asked;
static char last_body[256];

static const struct canned *
canned_find(const struct upstream_request *request)
{
	static const struct canned none = { "", "", 404, "{}", UPSTREAM_OK,
		NULL };

	for (const struct canned *c = table; c->path != NULL; c++)
		if (strcmp(c->path, request->path) == 0 &&
		    strcmp(c->url, request->provider->url) == 0)
			return c;
	return &none;
}

void
upstream_send(struct upstream_pool *pool,
    const struct upstream_request *request, const struct watch *watch,
    const struct upstream_sink *sink, struct arena *arena,
    struct upstream_report *report)
{
	const struct canned *c = canned_find(request);
	struct http1_field retry = { span_of("retry-after"),
		span_of(c->retry_after) };
	struct http1_head head = { c->status, &retry, c->retry_after != NULL,
		-1 };

	(void)pool;
	(void)watch;
	(void)arena;
	asked++;
	snprintf(
	    last_body, sizeof(last_body), "%.*s", SPAN_FMT(request->parts[0]));
	*report = (struct upstream_report){ .result = c->result,
		.first_byte_ns = 7000000 };
	if (c->result != UPSTREAM_OK)
		return;
	if (sink->head(sink->ctx, &head) == -1 ||
	    sink->body(sink->ctx, span_of(c->body)) == -1)
		report->result = UPSTREAM_STOPPED;
}

const char *
upstream_result_name(enum upstream_result result)
{
	return result == UPSTREAM_STOPPED ? "stopped" : "no connection";
}

#define LOCAL "http://127.0.0.1:1/v1"
#define ROOT "http://127.0.0.1:1"

static struct provider provider;
static struct target targets[2];
static struct model model;
static struct config config;

static void
config_make(const char *url, const char *first, const char *second)
{
	provider = (struct provider){
		.name = "p",
		.place = PLACE_LOCAL,
		.url = url,
		.learn = true,
	};
	targets[0] = (struct target){ .provider = &provider, .model = first };
	targets[1] = (struct target){ .provider = &provider, .model = second };
	model = (struct model){ .id = "m",
		.targets = targets,
		.ntargets = second == NULL ? 1 : 2 };
	config = (struct config){ .models = &model, .nmodels = 1 };
}

static struct probe
run(const struct canned *answers)
{
	struct probe probe;

	table = answers;
	asked = 0;
	probe_ask(&config, &provider, NULL, NULL, &probe);
	return probe;
}

static const struct facts_learned *
learned(const struct probe *probe, const char *name)
{
	for (size_t i = 0; i < probe->nlearned; i++)
		if (strcmp(probe->learned[i].model, name) == 0)
			return &probe->learned[i];
	return NULL;
}

static void
test_llama(void)
{
	static const struct canned answers[] = {
		{ ROOT, "/health", 200, "{\"status\":\"ok\"}", 0, NULL },
		{ LOCAL, "/models", 200,
		    "{\"object\":\"list\",\"data\":[{\"id\":\"/m/q.gguf\","
		    "\"owned_by\":\"llamacpp\",\"meta\":{\"n_ctx_train\":"
		    "131072}}]}",
		    0, NULL },
		{ ROOT, "/props", 200,
		    "{\"default_generation_settings\":{\"n_ctx\":16384},"
		    "\"total_slots\":2,\"modalities\":{\"vision\":true,"
		    "\"audio\":false},\"chat_template_caps\":{"
		    "\"supports_tools\":true,\"supports_tool_calls\":true}}",
		    0, NULL },
		{ 0 },
	};
	const struct facts_learned *facts;
	struct probe probe;

	config_make(LOCAL, "qwen3-8b", NULL);
	probe = run(answers);
	CHECK(probe.ok && probe.outcome == HEALTH_OK && probe.nmodels == 1 &&
		probe.ms == 7,
	    "llama.cpp is well and lists one model");
	CHECK_STR(probe.server, "llama.cpp", "it is recognised");
	facts = learned(&probe, "qwen3-8b");
	CHECK(facts != NULL && facts->context == 16384 &&
		facts->images == TRI_YES && facts->audio == TRI_NO &&
		facts->tools == TRI_YES,
	    "a slot's context, not the trained one, under the name we use");
	CHECK(learned(&probe, "/m/q.gguf") != NULL, "and under its own");
	probe_free(&probe);
	provider.learn = false;
	probe = run(answers);
	CHECK(probe.ok && probe.nlearned == 0 && asked == 2,
	    "learn = false: nothing is asked for");
	probe_free(&probe);
	provider.learn = true;
	provider.place = PLACE_EXTERNAL;
	probe = run(answers);
	CHECK(probe.ok && probe.nlearned == 0 && asked == 1,
	    "an external provider is asked for its models and no more");
	probe_free(&probe);
}

static void
test_vllm(void)
{
	static const struct canned answers[] = {
		{ ROOT, "/health", 200, "", 0, NULL },
		{ LOCAL, "/models", 200,
		    "{\"data\":[{\"id\":\"a\",\"owned_by\":\"vllm\","
		    "\"max_model_len\":40960},{\"id\":\"b\",\"owned_by\":"
		    "\"vllm\",\"max_model_len\":2048}]}",
		    0, NULL },
		{ 0 },
	};
	struct probe probe;

	config_make(LOCAL, "a", NULL);
	probe = run(answers);
	CHECK_STR(probe.server, "vLLM", "vLLM is recognised");
	CHECK(probe.nlearned == 1 && learned(&probe, "a") != NULL &&
		learned(&probe, "a")->context == 40960 &&
		learned(&probe, "a")->images == TRI_UNSET,
	    "the model that a target names, with its max_model_len");
	probe_free(&probe);
	config_make(LOCAL, "*", NULL);
	probe = run(answers);
	CHECK(probe.nlearned == 2, "all of them where a target takes any");
	probe_free(&probe);
}

static void
test_ollama(void)
{
	static const struct canned answers[] = {
		{ LOCAL, "/models", 200,
		    "{\"data\":[{\"id\":\"qwen3:latest\",\"owned_by\":"
		    "\"library\"}]}",
		    0, NULL },
		{ ROOT, "/api/tags", 200,
		    "{\"models\":[{\"name\":\"qwen3:latest\"}]}", 0, NULL },
		{ ROOT, "/api/ps", 200,
		    "{\"models\":[{\"name\":\"qwen3:latest\","
		    "\"context_length\":8192}]}",
		    0, NULL },
		{ ROOT, "/api/show", 200,
		    "{\"capabilities\":[\"completion\",\"tools\"],"
		    "\"parameters\":\"stop \\\"num_ctx 9\\\"\\nnum_ctx    "
		    "   4096\\ntop_k 20\",\"model_info\":{"
		    "\"qwen3.context_length\":40960}}",
		    0, NULL },
		{ 0 },
	};
	const struct facts_learned *facts;
	struct probe probe;

	config_make(LOCAL, "qwen3", "q\"uo:te");
	probe = run(answers);
	CHECK_STR(probe.server, "Ollama", "Ollama is recognised");
	facts = learned(&probe, "qwen3");
	CHECK(facts != NULL && facts->context == 8192 &&
		facts->tools == TRI_YES && facts->images == TRI_NO,
	    "a running model: the context it runs with");
	facts = learned(&probe, "q\"uo:te");
	CHECK(facts != NULL && facts->context == 4096,
	    "another: what its modelfile says, never the trained one");
	CHECK_STR(last_body, "{\"model\":\"q\\\"uo:te\"}",
	    "the name is sent as JSON");
	probe_free(&probe);
}

struct verdict_case {
	const char *what;
	struct canned response;
	bool ok;
	enum health_outcome outcome;
	const char *why;
};

static void
test_verdicts(void)
{
	static const struct verdict_case cases[] = {
		{ "no list", { "", "", 404, "", 0, NULL }, true, HEALTH_OK,
		    "it lists no models (HTTP 404 for /models)" },
		{ "401", { "", "", 401, "your key sk-secret", 0, NULL }, false,
		    HEALTH_ABANDONED,
		    "HTTP 401: it requires a key, and none is configured" },
		{ "429", { "", "", 429, "", 0, "12" }, false, HEALTH_ABANDONED,
		    "HTTP 429: its list of models is rate limited" },
		{ "429 of all models",
		    { "", "", 429,
			"{\"error\":{\"message\":\"Organization limit "
			"reached\"}}",
			0, "12" },
		    false, HEALTH_RATE_LIMITED,
		    "HTTP 429: rate limited, all models" },
		{ "500", { "", "", 500, "sk-secret", 0, NULL }, false,
		    HEALTH_ERROR, "HTTP 500" },
		{ "loading",
		    { "", "", 503,
			"{\"error\":{\"code\":503,\"message\":\"Loading "
			"model\"}}",
			0, NULL },
		    false, HEALTH_LOADING, "the model is loading" },
		{ "another 503", { "", "", 503, "", 0, NULL }, false,
		    HEALTH_ERROR, "HTTP 503" },
		{ "redirect", { "", "", 302, "", 0, NULL }, false,
		    HEALTH_ABANDONED,
		    "HTTP 302: redirects are not followed; is the url "
		    "right?" },
		{ "a web page", { "", "", 200, "<html>", 0, NULL }, false,
		    HEALTH_ERROR, "HTTP 200, but not JSON; is the url right?" },
		{ "no connection", { "", "", 0, "", UPSTREAM_CONNECT, NULL },
		    false, HEALTH_CONNECT, "no connection" },
		{ "silence",
		    { "", "", 0, "", UPSTREAM_TIMEOUT_FIRST_BYTE, NULL }, false,
		    HEALTH_TIMEOUT, "no connection" },
		{ "told to stop", { "", "", 0, "", UPSTREAM_CLIENT_GONE, NULL },
		    false, HEALTH_ABANDONED, "no connection" },
	};

	config_make(LOCAL, "m", NULL);
	provider.place = PLACE_EXTERNAL;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct canned answers[2] = { cases[i].response, { 0 } };
		struct probe probe;

		answers[0].url = LOCAL;
		answers[0].path = "/models";
		probe = run(answers);
		CHECK(probe.ok == cases[i].ok &&
			probe.outcome == cases[i].outcome,
		    "%s: verdict", cases[i].what);
		CHECK_STR(probe.why, cases[i].why, "%s: remark", cases[i].what);
		CHECK(probe.retry_after_ms ==
			(cases[i].outcome == HEALTH_RATE_LIMITED ? 12000 : 0),
		    "%s: Retry-After", cases[i].what);
		probe_free(&probe);
	}
}

/* Local servers say by /health what their list of models does not show. */
static void
test_health(void)
{
	struct canned answers[] = {
		{ ROOT, "/health", 503,
		    "{\"error\":{\"code\":503,\"message\":\"Loading model\","
		    "\"type\":\"unavailable_error\"}}",
		    0, NULL },
		{ LOCAL, "/models", 200, "{\"data\":[{\"id\":\"m\"}]}", 0,
		    NULL },
		{ 0 },
	};
	const char *loading;
	struct probe probe;

	config_make(LOCAL, "m", NULL);
	probe = run(answers);
	CHECK(!probe.ok && probe.outcome == HEALTH_LOADING && asked == 1,
	    "503 Loading model of /health: not asked further");
	probe_free(&probe);
	answers[0].status = 500;
	loading = answers[0].body;
	answers[0].body = "{\"error\":\"out of order\"}";
	probe = run(answers);
	CHECK(!probe.ok && probe.outcome == HEALTH_ERROR, "500: an error");
	probe_free(&probe);
	answers[0].status = 404;
	probe = run(answers);
	CHECK(probe.ok && probe.nmodels == 1, "404: it has none, and is well");
	CHECK(probe.server == NULL && probe.nlearned == 0,
	    "a server of an unknown kind: nothing learned");
	probe_free(&probe);
	config_make("http://127.0.0.1:1", "m", NULL);
	answers[0].url = "http://127.0.0.1:1";
	answers[0].status = 503;
	answers[0].body = loading;
	probe = run(answers);
	CHECK(probe.outcome == HEALTH_LOADING,
	    "a url without /v1 is its own root");
	probe_free(&probe);
}

static void
test_liars(void)
{
	static const char *const lists[] = {
		"[]",
		"{\"data\":7}",
		"{\"data\":{\"id\":\"m\"}}",
		"{\"data\":[7,null,[],{\"id\":7,\"owned_by\":7}]}",
		"{\"data\":[{\"id\":\"m\",\"owned_by\":\"vllm\","
		"\"max_model_len\":-4}]}",
		"{\"data\":[{\"id\":\"m\",\"owned_by\":\"vllm\","
		"\"max_model_len\":9e99}]}",
		"{\"data\":[{\"id\":\"m\",\"owned_by\":\"vllm\","
		"\"max_model_len\":9000000000000000000}]}",
		"{\"data\":[{\"id\":\"m\",\"owned_by\":\"vllm\","
		"\"max_model_len\":\"9\"}]}",
		"{\"data\":[{\"id\":\"\",\"owned_by\":\"vllm\","
		"\"max_model_len\":9}]}",
		"{\"data\":[{\"id\":\"m\",\"owned_by\":\"llamacpp\"}]}",
	};
	struct canned answers[] = {
		{ LOCAL, "/models", 200, NULL, 0, NULL },
		{ ROOT, "/props", 200,
		    "{\"default_generation_settings\":[],\"modalities\":"
		    "\"all\"}",
		    0, NULL },
		{ ROOT, "/api/tags", 200, "{\"models\":[{\"name\":7},1]}", 0,
		    NULL },
		{ ROOT, "/api/show", 200,
		    "{\"parameters\":\"num_ctx -1\",\"capabilities\":7}", 0,
		    NULL },
		{ 0 },
	};

	config_make(LOCAL, "*", NULL);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct probe probe;

		answers[0].body = lists[i];
		probe = run(answers);
		CHECK(probe.ok && probe.nlearned == 0,
		    "nothing is learned from %s", lists[i]);
		probe_free(&probe);
	}
}

static void
test_too_much(void)
{
	size_t size = 9 * 1024 * 1024;
	char *body = malloc(size + 1);
	struct canned answers[] = {
		{ LOCAL, "/models", 200, body, 0, NULL },
		{ 0 },
	};
	struct probe probe;

	if (body == NULL)
		exit(99);
	memset(body, '[', size);
	body[size] = '\0';
	config_make(LOCAL, "m", NULL);
	probe = run(answers);
	CHECK(!probe.ok && probe.outcome == HEALTH_ERROR, "9 MB are refused");
	CHECK_STR(probe.why, "the response is too large", "and named");
	probe_free(&probe);
	body[1024 * 1024] = '\0';
	probe = run(answers);
	CHECK(!probe.ok, "a million brackets are no JSON, and no crash");
	probe_free(&probe);
	free(body);
}

int
main(void)
{
	test_llama();
	test_vllm();
	test_ollama();
	test_verdicts();
	test_health();
	test_liars();
	test_too_much();
	return check_done();
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The usage in responses: every provider's dialect, whole and in pieces of any
 * size, and values that no honest provider would send.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "wire/usage.h"

#define OPENAI ENDPOINT_USAGE_OPENAI
#define RESPONSES ENDPOINT_USAGE_RESPONSES
#define ANTHROPIC ENDPOINT_USAGE_ANTHROPIC

static struct usage
read_one(enum endpoint_usage kind, const char *json)
{
	struct usage u;

	usage_init(&u);
	usage_read(kind, span_of(json), &u);
	return u;
}

static bool
tokens_are(const struct usage *u, uint64_t input, uint64_t cached,
    uint64_t output, uint64_t reasoning)
{
	return u->reported && u->input == input && u->cached == cached &&
	    u->output == output && u->reasoning == reasoning;
}

/* Reasoning and cached tokens, included and in addition: the total decides. */
static void
test_dialects(void)
{
	static const struct {
		const char *what, *usage;
		uint64_t input, cached, output, reasoning;
	} rows[] = {
		{ "xAI: reasoning beside",
		    "\"prompt_tokens\":37,\"completion_tokens\":1499,"
		    "\"total_tokens\":4345,\"completion_tokens_details\":"
		    "{\"reasoning_tokens\":2809}",
		    37, 0, 4308, 2809 },
		{ "OpenAI: reasoning inside",
		    "\"prompt_tokens\":37,\"completion_tokens\":4308,"
		    "\"total_tokens\":4345,\"completion_tokens_details\":"
		    "{\"reasoning_tokens\":2809}",
		    37, 0, 4308, 2809 },
		{ "Gemini: thoughts only in the total",
		    "\"prompt_tokens\":10,\"completion_tokens\":5,"
		    "\"total_tokens\":115",
		    10, 0, 105, 0 },
		{ "Moonshot: cached beside the counts",
		    "\"prompt_tokens\":100,\"completion_tokens\":5,"
		    "\"total_tokens\":105,\"cached_tokens\":50",
		    100, 50, 5, 0 },
		{ "cached beside the prompt",
		    "\"prompt_tokens\":20,\"completion_tokens\":5,"
		    "\"total_tokens\":1025,\"prompt_tokens_details\":"
		    "{\"cached_tokens\":1000}",
		    1020, 1000, 5, 0 },
		{ "cached above all, by the total",
		    "\"prompt_tokens\":20,\"completion_tokens\":5,"
		    "\"total_tokens\":425,\"prompt_tokens_details\":"
		    "{\"cached_tokens\":1000}",
		    420, 420, 5, 0 },
		{ "cached above the prompt, no total",
		    "\"prompt_tokens\":20,\"completion_tokens\":5,"
		    "\"prompt_tokens_details\":{\"cached_tokens\":1000}",
		    20, 20, 5, 0 },
		{ "both beside",
		    "\"prompt_tokens\":20,\"completion_tokens\":5,"
		    "\"total_tokens\":1125,\"prompt_tokens_details\":"
		    "{\"cached_tokens\":1000},\"completion_tokens_details\":"
		    "{\"reasoning_tokens\":100}",
		    1020, 1000, 105, 100 },
		{ "reasoning without an object of its own",
		    "\"prompt_tokens\":20,\"completion_tokens\":5,"
		    "\"total_tokens\":105,\"reasoning_tokens\":80",
		    20, 0, 85, 80 },
		{ "a total that is less",
		    "\"prompt_tokens\":20,\"completion_tokens\":5,"
		    "\"total_tokens\":7",
		    20, 0, 5, 0 },
	};
	struct usage u;
	char json[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(json, sizeof(json), "{\"usage\":{%s}}", rows[i].usage);
		u = read_one(OPENAI, json);
		CHECK(tokens_are(&u, rows[i].input, rows[i].cached,
			  rows[i].output, rows[i].reasoning),
		    "%s", rows[i].what);
	}
	u = read_one(ANTHROPIC,
	    "{\"usage\":{\"input_tokens\":10,\"output_tokens\":5,"
	    "\"cache_creation_input_tokens\":300,\"cache_creation\":{"
	    "\"ephemeral_5m_input_tokens\":100,"
	    "\"ephemeral_1h_input_tokens\":200}}}");
	CHECK(u.input == 310 && u.cache_write == 300 && u.cache_write_1h == 200,
	    "cache writes of two durations");
	u = read_one(ANTHROPIC,
	    "{\"usage\":{\"input_tokens\":10,\"output_tokens\":5,"
	    "\"cache_creation\":{\"ephemeral_5m_input_tokens\":100,"
	    "\"ephemeral_1h_input_tokens\":200}}}");
	CHECK(u.input == 310 && u.cache_write == 300,
	    "or by their durations alone");
}

static void
test_openai(void)
{
	struct usage u;

	u = read_one(OPENAI,
	    "{\"id\":\"a\",\"choices\":[{\"message\":{\"content\":\"the "
	    "\\\"usage\\\":{\\\"prompt_tokens\\\":9}\"}}],\"usage\":{"
	    "\"prompt_tokens\":1200,\"completion_tokens\":340,"
	    "\"total_tokens\":1540,\"prompt_tokens_details\":{"
	    "\"cached_tokens\":1000,\"audio_tokens\":0},"
	    "\"completion_tokens_details\":{\"reasoning_tokens\":64}}}");
	CHECK(tokens_are(&u, 1200, 1000, 340, 64), "chat");
	CHECK(u.cost_nanousd == -1, "no cost was told");

	u = read_one(OPENAI,
	    "{\"usage\":{\"prompt_tokens\":50,"
	    "\"completion_tokens\":7,"
	    "\"prompt_cache_hit_tokens\":32,"
	    "\"prompt_cache_miss_tokens\":18}}");
	CHECK(tokens_are(&u, 50, 32, 7, 0), "DeepSeek's cache hit");

	u = read_one(OPENAI,
	    "{\"data\":[[0.1,-2e3]],\"usage\":"
	    "{\"prompt_tokens\":8,\"total_tokens\":8}}");
	CHECK(tokens_are(&u, 8, 0, 0, 0), "embeddings");
	u = read_one(OPENAI, "{\"usage\":{\"total_tokens\":77}}");
	CHECK(tokens_are(&u, 77, 0, 0, 0), "rerank: the sum only");

	u = read_one(OPENAI,
	    "{\"text\":\"hi\",\"usage\":{\"type\":"
	    "\"duration\",\"seconds\":9.25}}");
	CHECK(u.reported && u.audio_ms == 9250, "transcription by duration");
	u = read_one(OPENAI,
	    "{\"usage\":{\"type\":\"tokens\",\"input_tokens\":"
	    "14,\"output_tokens\":101}}");
	CHECK(tokens_are(&u, 14, 0, 101, 0), "transcription by tokens");
	u = read_one(OPENAI,
	    "{\"choices\":[],\"x_groq\":{\"id\":\"r\","
	    "\"usage\":{\"prompt_tokens\":3,"
	    "\"completion_tokens\":4}}}");
	CHECK(tokens_are(&u, 3, 0, 4, 0), "Groq's x_groq");
	test_dialects();
}

static int64_t
cost_of(const char *number)
{
	char json[256];

	snprintf(json, sizeof(json),
	    "{\"usage\":{\"prompt_tokens\":1,\"cost\":%s}}", number);
	return read_one(OPENAI, json).cost_nanousd;
}

static void
test_cost(void)
{
	CHECK(cost_of("0.00014") == 140000, "0.00014 USD");
	CHECK(cost_of("0.1") == 100000000, "0.1 USD, which is no double");
	CHECK(cost_of("1.4e-4") == 140000, "an exponent");
	CHECK(cost_of("1E+1") == 10000000000, "a positive exponent");
	CHECK(cost_of("0.0000000015") == 2, "half a nano-USD goes up");
	CHECK(cost_of("0.00000000149999999999999999999999999999999999999999") ==
		1,
	    "less than half goes down, however near");
	CHECK(cost_of("0") == 0, "nothing");
	CHECK(cost_of("0.0") == 0, "nothing, with a point");
	CHECK(cost_of("3") == 3000000000, "a whole number");
	CHECK(cost_of("-1") == -1, "a negative one is not believed");
	CHECK(cost_of("1e300") == -1, "an absurd one is not believed");
	CHECK(cost_of("1e99999999999999999999") == -1, "nor a more absurd one");
	CHECK(cost_of("1e-99999999999999999999") == 0, "a tiny one is none");
	CHECK(cost_of("\"0.1\"") == -1, "a string is not read");
	CHECK(cost_of("{\"input_tokens_cost\":1,\"total_cost\":0.006}") ==
		6000000,
	    "an object's total_cost");
}

static void
test_responses(void)
{
	struct usage u;

	u = read_one(RESPONSES,
	    "{\"type\":\"response.completed\",\"response\":{\"id\":\"r\","
	    "\"output\":[{\"usage\":{\"input_tokens\":9}}],\"usage\":{"
	    "\"input_tokens\":36,\"input_tokens_details\":{\"cached_tokens\":"
	    "12},\"output_tokens\":87,\"output_tokens_details\":{"
	    "\"reasoning_tokens\":80},\"total_tokens\":123}}}");
	CHECK(tokens_are(&u, 36, 12, 87, 80), "response.completed");
	u = read_one(RESPONSES,
	    "{\"usage\":{\"input_tokens\":5,"
	    "\"output_tokens\":6}}");
	CHECK(tokens_are(&u, 5, 0, 6, 0), "a whole response");
	u = read_one(RESPONSES,
	    "{\"type\":\"response.created\","
	    "\"response\":{\"usage\":null}}");
	CHECK(!u.reported, "null is no usage");
}

static void
test_anthropic(void)
{
	struct usage u;

	usage_init(&u);
	CHECK(usage_read(ANTHROPIC,
		  span_of("{\"type\":\"message_start\",\"message\":{\"id\":"
			  "\"m\",\"content\":[],\"usage\":{\"input_tokens\":"
			  "10,\"cache_creation_input_tokens\":50,"
			  "\"cache_read_input_tokens\":100,"
			  "\"output_tokens\":1}}}"),
		  &u),
	    "message_start has usage");
	CHECK(u.input == 160 && u.cached == 100 && u.cache_write == 50,
	    "input is the sum of its three kinds");
	CHECK(!u.reported, "but the output is not told yet");
	struct usage cut = u;
	usage_guess(&cut, 999, 30, 0);
	CHECK(cut.input == 160 && cut.output == 30 && !cut.reported,
	    "a stream cut there: its input, and a guess of its output");
	CHECK(!usage_read(ANTHROPIC,
		  span_of("{\"type\":\"content_block_delta\",\"delta\":"
			  "{\"text\":\"usage\"}}"),
		  &u),
	    "a delta without usage");
	CHECK(usage_read(ANTHROPIC,
		  span_of("{\"type\":\"message_delta\",\"delta\":{},"
			  "\"usage\":{\"output_tokens\":42}}"),
		  &u),
	    "message_delta has usage");
	CHECK(tokens_are(&u, 160, 100, 42, 0) && u.cache_write == 50,
	    "the last output count holds, input is kept");
	usage_read(ANTHROPIC,
	    span_of("{\"usage\":{\"input_tokens\":11,\"output_tokens\":43}}"),
	    &u);
	CHECK(tokens_are(&u, 161, 100, 43, 0), "input may be told again");
}

static void
test_stream(void)
{
	struct usage u;

	usage_init(&u);
	CHECK(
	    !usage_read(OPENAI, span_of("{\"choices\":[],\"usage\":null}"), &u),
	    "usage: null in each chunk");
	CHECK(!u.reported, "and nothing is reported by it");
	u.characters = 7;
	usage_read(OPENAI,
	    span_of("{\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":"
		    "1}}"),
	    &u);
	usage_read(OPENAI,
	    span_of("{\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":"
		    "2}}"),
	    &u);
	CHECK(tokens_are(&u, 4, 0, 2, 0), "running counts are not added up");
	CHECK(u.characters == 7, "what others wrote stays");
	CHECK(!usage_read(OPENAI, span_of("[DONE]"), &u), "[DONE]");
	CHECK(!usage_read(ENDPOINT_USAGE_NONE,
		  span_of("{\"usage\":{\"prompt_tokens\":4}}"), &u),
	    "an endpoint without usage");
}

/* The text is cut in two at every place, and byte by byte. */
static void
test_pieces(void)
{
	static const char text[] =
	    "{ \"a\\\"usage\" : \"}{\\\\\" , \"usage\\u0020\":{},\"b\":[{"
	    "\"usage\":{\"prompt_tokens\":1}}],\"usage\"\n:\t{\"prompt_"
	    "tokens\" : 21 , \"x\":\"}\\\"\",\"completion_tokens\":22},"
	    "\"tail\":{\"usage\":{\"prompt_tokens\":2}}}";
	size_t len = sizeof(text) - 1, bad = 0;
	struct usage_scan s;
	struct usage u;

	for (size_t cut = 0; cut <= len; cut++) {
		usage_init(&u);
		usage_scan_init(&s, OPENAI);
		usage_scan_push(&s, (struct span){ text, cut });
		usage_scan_push(&s, (struct span){ text + cut, len - cut });
		usage_scan_finish(&s, &u);
		bad += !tokens_are(&u, 21, 0, 22, 0);
	}
	CHECK(bad == 0, "cut in two anywhere");
	usage_init(&u);
	usage_scan_init(&s, OPENAI);
	for (size_t i = 0; i < len; i++)
		usage_scan_push(&s, (struct span){ text + i, 1 });
	CHECK(usage_scan_finish(&s, &u) && tokens_are(&u, 21, 0, 22, 0),
	    "byte by byte");
}

static void
test_large(void)
{
	static const char head[] = "{\"choices\":[{\"text\":\"",
			  tail[] = "\"}],\"usage\":{\"prompt_tokens\":6,"
				   "\"completion_tokens\":7}}";
	char block[4096];
	struct usage_scan s;
	struct usage u;

	memset(block, 'x', sizeof(block));
	usage_init(&u);
	usage_scan_init(&s, OPENAI);
	usage_scan_push(&s, span_of(head));
	for (int i = 0; i < 4096; i++)
		usage_scan_push(&s, (struct span){ block, sizeof(block) });
	usage_scan_push(&s, span_of(tail));
	CHECK(usage_scan_finish(&s, &u) && tokens_are(&u, 6, 0, 7, 0),
	    "behind 16 MiB of answer");
}

static void
test_hostile(void)
{
	char *text = malloc(100000);
	struct usage u;
	size_t n;

	u = read_one(OPENAI,
	    "{\"usage\":{\"prompt_tokens\":-5,"
	    "\"completion_tokens\":99999999999999999999}}");
	CHECK(!u.reported, "negative and overflowing counts are left out");
	u = read_one(OPENAI,
	    "{\"usage\":{\"prompt_tokens\":5,"
	    "\"prompt_tokens_details\":{\"cached_tokens\":9},"
	    "\"completion_tokens\":1,"
	    "\"completion_tokens_details\":"
	    "{\"reasoning_tokens\":2}}}");
	CHECK(tokens_are(&u, 5, 5, 1, 1), "a part is no more than its whole");
	u = read_one(OPENAI, "{\"usage\":{\"prompt_tokens\":5,}}");
	CHECK(!u.reported, "usage that is no JSON");
	u = read_one(OPENAI, "{\"usage\":[{\"prompt_tokens\":5}]}");
	CHECK(!u.reported, "usage that is an array");
	u = read_one(OPENAI, "}}}]]]\"usage\":{\"prompt_tokens\":5}");
	CHECK(!u.reported, "closing brackets first");
	u = read_one(OPENAI, "{\"a\":{\"usage\":{\"prompt_tokens\":5}}}");
	CHECK(!u.reported, "another member's usage is not the answer's");

	n = (size_t)snprintf(text, 100, "{\"usage\":{\"x\":\"");
	memset(text + n, 'y', 20000);
	strcpy(text + n + 20000, "\",\"prompt_tokens\":5}}");
	u = read_one(OPENAI, text);
	CHECK(!u.reported, "usage over its cap");
	memset(text, '[', 99999);
	text[99999] = '\0';
	memcpy(text, "{\"usage\":", 9);
	u = read_one(OPENAI, text);
	CHECK(!u.reported, "a deep nest");
	free(text);
}

static void
test_guess(void)
{
	struct usage u;

	usage_init(&u);
	usage_guess(&u, 100, 40, 40 * 300);
	CHECK(!u.reported && u.input == 100 && u.output == 40,
	    "a token an event");
	usage_init(&u);
	usage_guess(&u, 100, 0, 400 + 4000);
	CHECK(u.output == 1000, "a whole answer by its bytes");
	usage_init(&u);
	usage_guess(&u, 100, 0, 10);
	CHECK(u.output == 0, "a short answer has no negative count");
	u.reported = true;
	u.output = 3;
	usage_guess(&u, 9, 9, 99999);
	CHECK(u.output == 3, "what was reported stays");
}

int
main(void)
{
	test_openai();
	test_cost();
	test_responses();
	test_anthropic();
	test_stream();
	test_pieces();
	test_large();
	test_hostile();
	test_guess();
	return check_done();
}

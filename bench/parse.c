/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What it costs to measure a request and make its plan: CPU time per request
 * for bodies of 1 KB and 1 MB, without private patterns and with 20.
 *
 *	bench/parse [SECONDS]	how long each line runs, about (default 0.5)
 *
 * Prints one line per case: microseconds (the best of five rounds), and the
 * bound that it should stay under.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "policy/plan.h"

#define ROUNDS 5

/* What operators guard: literals, alternatives, classes, counted repeats. */
static const struct private_rule rules[] = {
	{ "pem", "-----BEGIN [A-Z ]*PRIVATE KEY-----", NULL },
	{ "aws", "AKIA[0-9A-Z]{16}", NULL },
	{ "github", "gh[pousr]_[A-Za-z0-9]{36}", NULL },
	{ "slack", "xox[abprs]-[0-9A-Za-z-]{10,}", NULL },
	{ "openai", "sk-[A-Za-z0-9_-]{20,}", NULL },
	{ "tailgate", "tg-[A-Za-z0-9]{43}", NULL },
	{ "jwt", "eyJ[A-Za-z0-9_-]+\\.eyJ[A-Za-z0-9_-]+\\.", NULL },
	{ "iban", "[A-Z]{2}[0-9]{2}( ?[0-9A-Z]{4}){3,7}", NULL },
	{ "card", "[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{4}", NULL },
	{ "ssn", "[0-9]{3}-[0-9]{2}-[0-9]{4}", NULL },
	{ "mail", "[A-Za-z0-9._+-]+@example\\.(org|com)", NULL },
	{ "password", "(password|passphrase|passwd) *[:=]", NULL },
	{ "word", "(confidential|internal only|do not forward)", NULL },
	{ "project", "project (falcon|eagle|osprey)", NULL },
	{ "host", "[a-z0-9-]+\\.corp\\.example\\.net", NULL },
	{ "address", "192\\.168\\.[0-9]{1,3}\\.[0-9]{1,3}", NULL },
	{ "ticket", "(SEC|HR|LEGAL)-[0-9]{3,6}", NULL },
	{ "patient", "patient (id|number) *[:#]? *[0-9]{4,}", NULL },
	{ "name", "(Jane|John) (Q\\. )?Public", NULL },
	{ "path", "/home/[a-z]+/(private|diary)/", NULL },
};

static const char *const globs[] = { "*" };
static struct provider providers[] = {
	{ .name = "home", .place = PLACE_LOCAL },
	{ .name = "cloud", .index = 1, .place = PLACE_EXTERNAL },
};
static const struct target targets[] = {
	{ .provider = &providers[0],
	    .model = "q8",
	    .weight = 1,
	    .context = 32768,
	    .endpoints = UINT32_MAX },
	{ .provider = &providers[1],
	    .model = "v3",
	    .weight = 1,
	    .context = 10000000,
	    .endpoints = UINT32_MAX,
	    .price = { 280000000, 28000000, -1, 420000000, -1, -1, -1, -1,
		true } },
};
static const struct model models[] = {
	{ .id = "chat",
	    .place = PLACE_EXTERNAL,
	    .targets = targets,
	    .ntargets = 2,
	    .fallback = FALLBACK_TOO_LONG,
	    .max_attempts = 3 },
};
static const struct client client = { .name = "bench",
	.models = globs,
	.nmodels = 1,
	.endpoints = UINT32_MAX,
	.place = PLACE_EXTERNAL };
static struct config config = { .providers = providers,
	.nproviders = 2,
	.models = models,
	.nmodels = 1,
	.clients = &client,
	.nclients = 1,
	.privates = rules,
	.private_max_bytes = 1 << 26,
	.private_max_ms = 60000 };

/* Prose, code and a few numbers, as agents send them. */
static const char *const lines[] = {
	"The request arrived late because the queue in front of it was full. ",
	"for (i = 0; i < n; i++)\\n\\tsum += table[i].weight;\\n",
	"See the third section, \\\"Limits\\\", for what that means. ",
	"2026-11-22 19:03:44 worker 3 finished 1288 of 4096 in 12.7 s\\n",
	"It was, all in all, a remarkably quiet afternoon at the office. ",
	"\\u00dcber die L\xc3\xa4nge der Antwort entscheidet der Client. ",
};

static void
make_body(struct buf *out, size_t bytes)
{
	size_t i = 0, message;

	buf_puts(out,
	    "{\"model\":\"chat\",\"stream\":true,\"max_tokens\":512,"
	    "\"messages\":[{\"role\":\"system\",\"content\":\"You are "
	    "a careful assistant.\"}");
	while (out->len + 100 < bytes) {
		message = out->len + bytes / 8 + 300;
		buf_puts(out,
		    ",{\"role\":\"user\",\"content\":[{\"type\":"
		    "\"text\",\"text\":\"");
		while (out->len < message && out->len + 100 < bytes)
			buf_puts(out, lines[i++ % 6]);
		buf_puts(out, "\"}]}");
	}
	buf_puts(out, "]}");
}

static double
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
one(struct span body, const struct patterns *patterns, struct arena *arena)
{
	const struct facts facts = { .rotation = 0 };
	struct call call = { .header_local = false };
	struct refused refused;
	struct plan plan;

	if (call_parse_json(&config, patterns, ENDPOINT_CHAT, body, arena,
		&call, &refused) == -1 ||
	    call.private_rule != NULL) {
		fprintf(stderr, "parse: the body was not taken\n");
		exit(1);
	}
	plan_make(&config, &client, &call, &facts, arena, &plan);
	if (plan.nin == 0) {
		fprintf(stderr, "parse: %s\n", plan.refused.message);
		exit(1);
	}
	arena_reset(arena);
}

/* Microseconds for one call, the best of the rounds. */
static double
measure(struct span body, const struct patterns *patterns, double seconds)
{
	struct arena *arena = arena_new();
	double begin, took, best = 0;
	unsigned round, n, times = 1;

	for (round = 0; round < ROUNDS; round++) {
		do {
			begin = cpu_us();
			for (n = 0; n < times; n++)
				one(body, patterns, arena);
			took = cpu_us() - begin;
			if (took < seconds / ROUNDS * 1e6 / 2)
				times *= 2;
		} while (took < seconds / ROUNDS * 1e6 / 2);
		if (round == 0 || took / times < best)
			best = took / times;
	}
	arena_free(arena);
	return best;
}

static void
run(size_t bytes, size_t npatterns, double goal_us, double seconds)
{
	struct patterns *patterns;
	struct buf body;
	double us;

	config.nprivates = npatterns;
	patterns = patterns_new(&config, stderr);
	if (patterns == NULL)
		exit(1);
	buf_init(&body, bytes * 2 + 4096);
	make_body(&body, bytes);
	us = measure(buf_span(&body), patterns, seconds);
	printf("%8zu bytes, %2zu patterns: %9.1f us", body.len, npatterns, us);
	if (goal_us > 0)
		printf("  (goal: under %.0f)", goal_us);
	putchar('\n');
	buf_free(&body);
	patterns_free(patterns);
}

int
main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 0.5;

	run(1024, 0, 20, seconds);
	run(1024, 20, 0, seconds);
	run(40000, 0, 0, seconds);
	run(1048576, 0, 3000, seconds);
	run(1048576, 20, 25000, seconds);
	return 0;
}

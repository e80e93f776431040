/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a body of 1 MB costs on its way through each bridge: CPU time, and
 * memory in addition to the body itself.
 *
 *	bench/bridge [ROUNDS]	the best of so many (default 20)
 *
 * A conversation is a request as agents send it: turns of text, calls and their
 * results.  Tiny values are arguments that hold nothing but empty objects.  A
 * stream is a response of 1 MB in pieces of 20 bytes.
 *
 * On one core of a busy machine; in brackets the figures from when bodies were
 * trees of values (Jansson):
 *
 *	request   messages, conversation   14 ms   1.7 MB   (69 ms, 17 MB)
 *	request   responses, conversation  12 ms   1.7 MB   (56 ms, 15 MB)
 *	request   messages, tiny values    28 ms   1.4 MB   (151 ms, 79 MB)
 *	request   responses, tiny values   18 ms   2.3 MB   (214 ms, 78 MB)
 *	stream    messages                 39 ms   0.8 MB   (247 ms, 0.8 MB)
 *	stream    responses                58 ms   5.7 MB   (268 ms, 5.8 MB)
 */
#include "config.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bridge/bridge.h"

#define BODY_BYTES ((size_t)1000 * 1000)
#define MAX_BYTES ((size_t)64 * 1000 * 1000)

static const struct way {
	const char *name;
	enum bridge kind;
	/* A call and its result both have its id, %zu. */
	const char *head, *turn, *tail;
} ways[] = {
	{ "messages, conversation", BRIDGE_MESSAGES,
	    "{\"model\":\"m\",\"max_tokens\":10,\"messages\":[{\"role\":"
	    "\"user\",\"content\":\"begin\"}",
	    ",{\"role\":\"assistant\",\"content\":[{\"type\":\"text\","
	    "\"text\":\"I look into it, line by line.\"},{\"type\":"
	    "\"tool_use\",\"id\":\"c%zu\",\"name\":\"read\",\"input\":{"
	    "\"path\":\"src/main.c\",\"from\":1}}]},{\"role\":\"user\","
	    "\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c%zu\","
	    "\"content\":\"for (i = 0; i < n; i++)\\n\\tsum += t[i];\\n"
	    "It was, all in all, a quiet afternoon at the office.\\n"
	    "2026-11-22 19:03:44 worker 3 finished 1288 of 4096\\n\"}]}",
	    "]}" },
	{ "responses, conversation", BRIDGE_RESPONSES,
	    "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":"
	    "\"begin\"}",
	    ",{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{"
	    "\"type\":\"output_text\",\"text\":\"I look into it, line by "
	    "line.\"}]},{\"type\":\"function_call\",\"call_id\":\"c%zu\","
	    "\"name\":\"read\",\"arguments\":\"{\\\"path\\\":"
	    "\\\"src/main.c\\\",\\\"from\\\":1}\"},{\"type\":"
	    "\"function_call_output\",\"call_id\":\"c%zu\",\"output\":"
	    "\"for (i = 0; i < n; i++)\\n\\tsum += t[i];\\n"
	    "It was, all in all, a quiet afternoon at the office.\\n"
	    "2026-11-22 19:03:44 worker 3 finished 1288 of 4096\\n\"}",
	    "]}" },
	{ "messages, tiny values", BRIDGE_MESSAGES,
	    "{\"model\":\"m\",\"max_tokens\":10,\"messages\":[{\"role\":"
	    "\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c\","
	    "\"name\":\"f\",\"input\":{\"a\":[{}",
	    ",{}", "]}}]}]}" },
	{ "responses, tiny values", BRIDGE_RESPONSES,
	    "{\"model\":\"m\",\"input\":\"x\",\"tools\":[{\"type\":"
	    "\"function\",\"name\":\"f\",\"parameters\":{\"enum\":[{}",
	    ",{}", "]}}]}" },
};

static void
make_body(const struct way *w, struct buf *out)
{
	buf_init(out, 2 * BODY_BYTES);
	buf_puts(out, w->head);
	for (size_t i = 0; out->len < BODY_BYTES; i++) {
		char turn[1024];

		snprintf(turn, sizeof(turn), w->turn, i, i);
		buf_puts(out, turn);
	}
	buf_puts(out, w->tail);
}

static struct bridge_run *
new_run(enum bridge kind)
{
	return bridge_new(kind,
	    &(struct bridge_ask){ .request_id = "req_0123456789abcdef",
		.model = "m",
		.upstream_model = "m",
		.stream = true });
}

static void
ask(const struct way *w, struct span body)
{
	struct bridge_run *run = new_run(w->kind);
	struct refused refused;
	struct buf out;

	buf_init(&out, MAX_BYTES);
	if (bridge_request(run, body, &out, &refused) == -1) {
		fprintf(stderr, "bridge: %s: %s\n", w->name, refused.message);
		exit(1);
	}
	buf_free(&out);
	bridge_free(run);
}

static void
response(const struct way *w, struct span body)
{
	static const char chunk[] =
	    "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,"
	    "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
	    "\"a quiet afternoon at \"},\"finish_reason\":null}]}";
	struct bridge_run *run = new_run(w->kind);
	struct buf out;

	(void)body;
	buf_init(&out, MAX_BYTES);
	for (size_t bytes = 0; bytes < BODY_BYTES; bytes += 21) {
		if (bridge_event(run, span_of(chunk), &out) != BRIDGE_MORE)
			exit(1);
		buf_reset(&out);
	}
	if (bridge_event(run, span_of("[DONE]"), &out) != BRIDGE_DONE)
		exit(1);
	buf_free(&out);
	bridge_free(run);
}

static double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static long
peak_kb(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return used.ru_maxrss;
}

/* In a process of its own, so that the peak is this run's. */
static void
measure(const char *what, const struct way *w, struct span body, int rounds,
    void (*once)(const struct way *, struct span))
{
	int status;
	pid_t child;

	fflush(stdout);
	if ((child = fork()) == 0) {
		long before = peak_kb(), after;
		double best = 1e9;

		once(w, body);
		after = peak_kb();
		for (int i = 0; i < rounds; i++) {
			double begin = cpu_ms(), took;

			once(w, body);
			took = cpu_ms() - begin;
			best = took < best ? took : best;
		}
		printf("%-9s %-26s %6.2f ms %6.2f MB\n", what, w->name, best,
		    (double)(after - before) / 1000);
		fflush(stdout);
		_exit(0);
	}
	if (child == -1 || waitpid(child, &status, 0) == -1 || status != 0)
		exit(1);
}

int
main(int argc, char *argv[])
{
	int rounds = argc > 1 ? atoi(argv[1]) : 20;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct buf body;

		make_body(&ways[i], &body);
		measure("request", &ways[i], buf_span(&body), rounds, ask);
		buf_free(&body);
	}
	for (size_t i = 0; i < 2; i++)
		measure("stream", &ways[i], (struct span){ NULL, 0 }, rounds,
		    response);
	return 0;
}

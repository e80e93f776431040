/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What must be true of every world, whatever happened in it.
 */
#include "config.h"

#include <stdio.h>
#include <unistd.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/settings.h"
#include "ledger/gap.h"
#include "ledger/rebuild.h"
#include "../budget_spent.h"
#include "reply.h"
#include "state/slots.h"

#define DAY_MS INT64_C(86400000)
/* How long a line may take to the disk after its response's end. */
#define LINE_NS (2000 * WORLD_MS)

struct sums {
	uint64_t lines, tokens[3], requests[3];
	int64_t nanousd[3];
	uint64_t gap_lines;
};

/* ---- a worker's end ---------------------------------------------------- */

void __real_slots_close(struct slots *);
void __wrap_slots_close(struct slots *);

static void
count_own(void *ctx, const struct slots_row *row)
{
	unsigned *n = ctx;

	/* A dead worker's slot may not have been taken back yet. */
	*n += row->pid == getpid();
}

/* When a worker closes the slots it holds none of them: all its requests have
 * ended. */
void
__wrap_slots_close(struct slots *slots)
{
	unsigned n = 0;

	if (world->serving)
		slots_each(slots, count_own, &n);
	if (n > 0)
		world_wrong(
		    "a life ends, and holds %u slots or places in a queue", n);
	__real_slots_close(slots);
}

void
check_life(void)
{
	if (memory_taken() != 0)
		world_wrong("%zu bytes are still charged", memory_taken());
}

/* ---- the ledger -------------------------------------------------------- */

static bool
is_own(enum world_kind kind)
{
	return kind == KIND_MODELS || kind == KIND_METRICS;
}

static uint64_t
number(json_t *line, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(line, name));
}

static void
check_sent(unsigned index, json_t *line)
{
	const struct world_request *r = &world->requests[index];
	uint64_t sent = 0;

	for (unsigned i = 0; i < r->ntries; i++)
		sent += r->tries[i].sent;
	if (number(line, "bytes_sent") != sent)
		world_wrong("request %u: providers got %llu bytes, the "
			    "account says %llu",
		    index, (unsigned long long)sent,
		    (unsigned long long)number(line, "bytes_sent"));
	if (sent > 0 && !json_is_true(json_object_get(line, "sent")))
		world_wrong("request %u: the account does not say that it was "
			    "sent",
		    index);
}

static void
take_line(json_t *line, struct sums *s)
{
	const char *model = json_string_value(json_object_get(line, "model"));
	const char *client = json_string_value(json_object_get(line, "client"));
	unsigned index;

	if (json_is_true(json_object_get(line, "gap"))) {
		s->gap_lines++;
		return;
	}
	s->lines++;
	if (client != NULL && client[0] == 'c') {
		unsigned c = (unsigned)(client[6] - '0');

		s->tokens[c] += number(line, "input") + number(line, "output");
		s->nanousd[c] += (int64_t)number(line, "cost_nanousd");
		s->requests[c] += json_is_true(json_object_get(line, "sent"));
	}
	if (model == NULL || strlen(model) != 9)
		return;
	index = (unsigned)strtoul(model + 3, NULL, 10);
	if (index >= world->nrequests)
		world_wrong("a line of a request that never was");
	else if (world->requests[index].lines++ > 0)
		world_wrong("request %u has two lines", index);
	else
		check_sent(index, line);
}

static void
read_ledger(struct sums *s)
{
	char path[512], *text = NULL;
	size_t size = 0;
	ssize_t n;
	json_t *line;
	FILE *f;

	snprintf(path, sizeof(path), "%s/state/ledger.jsonl", world_dir);
	if ((f = fopen(path, "r")) == NULL)
		return;
	while ((n = getline(&text, &size, f)) > 0) {
		line = json_loadb(text, (size_t)n, 0, NULL);
		/* A full disk may tear a line; the ledger goes on after it. */
		if (line != NULL)
			take_line(line, s);
		else if (world->disk_fault == 0 && world->deaths == 0)
			world_wrong("a line of the ledger is no JSON");
		json_decref(line);
	}
	free(text);
	fclose(f);
}

/* The response ended so long before its worker did that the line must be there,
 * however the worker ended. */
static bool
must_have_line(const struct world_request *r)
{
	return r->ntries > 0 && r->closed && !r->died && !r->hurried &&
	    world->disk_fault == 0 && world->disk_hang == 0 &&
	    world->descriptor_fault == 0 &&
	    world->cut_ns[r->life] - r->closed_ns > LINE_NS;
}

static void
check_lines(const struct sums *s)
{
	uint64_t begun = 0, died = 0;

	for (unsigned i = 0; i < world->nrequests; i++) {
		const struct world_request *r = &world->requests[i];

		if (!r->begun || is_own(r->kind))
			continue;
		begun++;
		died += r->died;
		if (r->lines == 0 &&
		    (must_have_line(r) ||
			(r->ntries > 0 && !r->died && world->lost == 0 &&
			    world->deaths == 0 && !world->hurried)))
			world_wrong("request %u has no line", i);
	}
	if (s->lines > begun)
		world_wrong("%llu lines of %llu requests",
		    (unsigned long long)s->lines, (unsigned long long)begun);
	/* A line whose response has just ended may be lost with its worker. */
	if (s->lines + world->lost + died + world->deaths < begun &&
	    !world->hurried)
		world_wrong("%llu lines and %llu lost of %llu requests",
		    (unsigned long long)s->lines,
		    (unsigned long long)world->lost, (unsigned long long)begun);
	if (world->lost > 0 && world->disk_fault == 0 &&
	    world->disk_hang == 0 && world->descriptor_fault == 0 &&
	    world->deaths == 0 && !world->hurried)
		world_wrong("%llu requests are not recorded, for no reason",
		    (unsigned long long)world->lost);
}

/* ---- budgets and slots ------------------------------------------------- */

static void
check_budget(struct budget_book *book, unsigned i, const struct sums *s)
{
	const struct client *client = &world_config->clients[i];
	struct budget_spent spent;
	bool exact = world->deaths == 0 && world->lost == 0 && !world->hurried;

	if (clock_wall_ms() / DAY_MS != WORLD_NOON_MS / DAY_MS)
		return; /* clients were slow: the next day has begun */
	budget_look(book, client, NULL, &spent);
	if (spent.in_flight > 0 && !world->hurried && world->deaths == 0)
		world_wrong("%s: %u reservations are left", client->name,
		    spent.in_flight);
	if (exact ? spent.day_tokens != s->tokens[i] ||
		    spent.day_nanousd != s->nanousd[i]
		  : spent.day_tokens < s->tokens[i] ||
		    spent.day_nanousd < s->nanousd[i])
		world_wrong("%s: the budget has %llu tokens and %lld nanousd, "
			    "the ledger %llu and %lld",
		    client->name, (unsigned long long)spent.day_tokens,
		    (long long)spent.day_nanousd,
		    (unsigned long long)s->tokens[i], (long long)s->nanousd[i]);
}

static void
check_state(const struct sums *s)
{
	struct facts_limit facts[4];
	struct budget_book *book;
	struct slots *slots;
	char why[512];

	book = budget_open(world_config, &ledger_history, why, sizeof(why));
	if (book == NULL) {
		world_wrong("budgets: %s", why);
		return;
	}
	for (unsigned i = 0; i < 3; i++)
		check_budget(book, i, s);
	budget_close(book);
	slots = slots_open(world_config, why, sizeof(why));
	if (slots == NULL) {
		world_wrong("slots: %s", why);
		return;
	}
	slots_facts(slots, facts);
	if (world->deaths == 0 && !world->hurried &&
	    (facts[0].used > 0 || facts[0].queued > 0))
		world_wrong("%u slots are held, %u wait", facts[0].used,
		    facts[0].queued);
	slots_close(slots);
}

/* ---- what clients got -------------------------------------------------- */

static int
status_of(const char *head)
{
	return strncmp(head, "Status: ", 8) == 0 ? atoi(head + 8) : 200;
}

static bool
is_of_a_try(
    const struct world_request *r, const char *body, size_t len, bool whole)
{
	for (unsigned i = 0; i < r->ntries; i++)
		if (reply_is(r, &r->tries[i], body, len, whole))
			return true;
	return false;
}

static void
check_good(unsigned i, const struct world_request *r, const char *body,
    size_t len, bool whole)
{
	if (r->kind > KIND_RESPONSES_STREAM)
		return; /* no provider's response */
	if (is_of_a_try(r, body, len, whole))
		return;
	/* Heartbeats, then an error. */
	if (memmem(body, len, "\"error\"", 7) != NULL ||
	    memmem(body, len, "response.failed", 15) != NULL)
		return;
	/* Nothing has come, of a response that never came. */
	if (!whole && memmem(body, len, "w0", 2) == NULL)
		return;
	world_wrong("request %u: its client got what no provider said, or not "
		    "all of it",
	    i);
}

static void
check_client(unsigned i)
{
	const struct world_request *r = &world->requests[i];
	const char *body = r->response_len == 0
	    ? NULL
	    : memmem(r->response, r->response_len, "\r\n\r\n", 4);
	size_t len;
	int status;

	if (body == NULL) {
		if (r->ended)
			world_wrong("request %u: a response without a head", i);
		if (world->calm && !r->left)
			world_wrong("request %u: no response", i);
		return;
	}
	body += 4;
	len = r->response_len - (size_t)(body - r->response);
	status = status_of(r->response);
	if (status == 200)
		check_good(i, r, body, len, r->ended);
	else if (status < 400)
		world_wrong(
		    "request %u: status %d: %.60s", i, status, r->response);
	else if (r->ended && memmem(body, len, "\"error\"", 7) == NULL)
		world_wrong(
		    "request %u: status %d, and no word why", i, status);
	if (world->calm && r->kind <= KIND_METRICS &&
	    (status != 200 || !r->ended))
		world_wrong("request %u: status %d in a calm world", i, status);
}

/* Prints what happened to a request, for debugging. */
static void
tell(unsigned i)
{
	const struct world_request *r = &world->requests[i];

	fprintf(stderr,
	    "request %u: kind %d, client %u, sent %zu of %zu, left %d, closed "
	    "%d, ended %d, died %d, lines %u, got %zu:\n%.300s\n",
	    i, (int)r->kind, r->client, r->put, r->input_len, r->left,
	    r->closed, r->ended, r->died, r->lines, r->response_len,
	    r->response_len > 0 ? r->response : "");
	if (r->response_len > 300)
		fprintf(stderr, "...\n%s\n",
		    r->response + r->response_len -
			(r->response_len > 900 ? 600 : r->response_len - 300));
	for (unsigned t = 0; t < r->ntries; t++)
		fprintf(stderr,
		    "try %u: provider %d, took %llu, reply %zu, complete %d, "
		    "good %d, by end %d\n",
		    t, r->tries[t].provider,
		    (unsigned long long)r->tries[t].sent, r->tries[t].reply_len,
		    r->tries[t].complete, r->tries[t].good, r->tries[t].by_end);
}

void
check_world(void)
{
	struct sums sums = { .lines = 0 };
	struct ledger_gap *gap;
	char path[512];

	snprintf(path, sizeof(path), "%s/tailgate.conf", world_dir);
	world_config = config_load(path, 0, stderr);
	if (world_config == NULL)
		abort();
	gap = ledger_gap_open(world_config->runtime_dir);
	world->lost = gap->total;
	ledger_gap_close(gap);
	read_ledger(&sums);
	check_lines(&sums);
	check_state(&sums);
	for (unsigned i = 0; i < world->nrequests; i++)
		if (world->requests[i].conn != -1)
			check_client(i);
	if (strncmp(world->why, "request ", 8) == 0)
		tell((unsigned)strtoul(world->why + 8, NULL, 10));
}

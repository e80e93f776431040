/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Rates that hosts share: requests and tokens in a minute.
 *
 * A request adds its estimate of tokens to the second in which it begins.  When
 * it ends, the estimate is removed, and the tokens that were used are added to
 * that second.  If the host dies, the estimate leaves the ring by itself.
 *
 * Hides when the store learns what was used: with the next question about the
 * same rate, which costs no call and wakes nobody; or SETTLE_MS later; or,
 * while the process has a part of the rate in advance, together with what is
 * left of it.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/task.h"
#include "fleet/purse_internal.h"

#define RETRY_STORE_MS 2000
#define SETTLE_MS 20

static _Thread_local char message[PURSE_MESSAGE_SIZE];

static struct span
rate_key(const struct purse *p, char out[STORE_KEY_SIZE],
    const struct client *client, const struct model *model)
{
	return client != NULL
	    ? store_key(p->store, out, "minute:client", client->name, NULL)
	    : store_key(p->store, out, "minute:model", model->id, NULL);
}

const char *
purse_rate_message(const char *text)
{
	strlcpy(message, text, sizeof(message));
	return message;
}

static int
refuse(enum refusal refusal, int64_t retry_after_ms, struct refused *out)
{
	memset(out, 0, sizeof(*out));
	out->refusal = refusal;
	out->message = message;
	out->retry_after_ms = retry_after_ms > 0 ? retry_after_ms : 1;
	return -1;
}

static int
refuse_rate(bool tokens, const struct client *client, const struct model *model,
    const struct budget *b, int64_t wait_ms, struct refused *out)
{
	snprintf(message, sizeof(message),
	    "%s %s may %s %" PRIu64 " %s per minute over all hosts; wait for "
	    "the time in Retry-After.",
	    client != NULL ? "Client" : "Model",
	    client != NULL ? client->name : model->id, tokens ? "use" : "make",
	    tokens ? b->tokens_per_minute : b->requests_per_minute,
	    tokens ? "tokens" : "requests");
	return refuse(REFUSE_RATE, wait_ms, out);
}

static int
refuse_away(
    const struct client *client, const struct model *model, struct refused *out)
{
	snprintf(message, sizeof(message),
	    "The rate of %s %s is shared over hosts, and the store cannot be "
	    "reached; try again in a moment.",
	    client != NULL ? "client" : "model",
	    client != NULL ? client->name : model->id);
	return refuse(REFUSE_RATE_STORE, RETRY_STORE_MS, out);
}

static int64_t
left(uint64_t bound, int64_t used)
{
	return (int64_t)bound > used ? (int64_t)bound - used : 0;
}

static void
note_room(const struct budget *b, int64_t requests, int64_t tokens,
    struct budget_room *room)
{
	int64_t r = left(b->requests_per_minute, requests);
	int64_t t = left(b->tokens_per_minute, tokens);

	if (b->requests_per_minute != 0 && r < room->requests.left)
		room->requests.left = r;
	if (b->tokens_per_minute != 0 && t < room->tokens.left)
		room->tokens.left = t;
}

/* A relay's rate is that of everybody who asks through it. */
static const struct client *
payer(const struct purse *p, const struct client *client)
{
	return client == NULL || client->index >= p->config->nclients
	    ? client
	    : &p->config->clients[client->index];
}

/* ---- calls ------------------------------------------------------------- */

#define ARGS_MAX (PURSE_RATE_ARGS + PURSE_DEBTS_MAX * PURSE_DEBT_ARGS)

struct args {
	char key[STORE_KEY_SIZE], texts[ARGS_MAX][STORE_NUMBER_SIZE];
	struct span keys[1], spans[ARGS_MAX];
	size_t n;
};

static void
add(struct args *a, int64_t number)
{
	a->spans[a->n] = store_number(a->texts[a->n], number);
	a->n++;
}

/* Moves what the store does not know yet of this rate into the arguments. */
static void
add_debts(struct purse *p, struct args *a, const struct client *client,
    const struct model *model)
{
	uint64_t run = purse_run(p);
	struct purse_debt *d, *next;
	bool same;

	for (d = TAILQ_FIRST(&p->debts); d != NULL; d = next) {
		next = TAILQ_NEXT(d, entry);
		if (d->client != client || d->model != model)
			continue;
		if (a->n + PURSE_DEBT_ARGS > ARGS_MAX)
			return;
		same = d->run == run;
		add(a, d->second);
		add(a, same ? (int64_t)d->estimate : 0);
		add(a, (int64_t)d->tokens);
		add(a, same ? (int64_t)d->unmade : 0);
		TAILQ_REMOVE(&p->debts, d, entry);
		free(d);
	}
}

static void
make_args(struct purse *p, struct args *a, const struct client *client,
    const struct model *model, const int64_t numbers[PURSE_RATE_ARGS])
{
	a->keys[0] = rate_key(p, a->key, client, model);
	a->n = 0;
	for (size_t i = 0; i < PURSE_RATE_ARGS; i++)
		add(a, numbers[i]);
	add_debts(p, a, client, model);
}

void
purse_rate_ask(
    struct purse *p, struct purse_rate *rate, bool request, uint64_t tokens)
{
	const struct budget *b =
	    rate->client != NULL ? &rate->client->budget : &rate->model->budget;
	int64_t numbers[] = { (int64_t)b->requests_per_minute,
		(int64_t)b->tokens_per_minute, request, (int64_t)tokens, 0, 0 };
	struct args a;

	rate->client = payer(p, rate->client);
	rate->request = request;
	rate->tokens = tokens;
	rate->had = purse_ahead_use(p, rate);
	if (rate->had)
		return;
	purse_ahead_want(p, rate, b);
	numbers[4] = (int64_t)rate->more;
	numbers[5] = (int64_t)(rate->more * tokens);
	make_args(p, &a, rate->client, rate->model, numbers);
	rate->call =
	    store_begin(p->store, &purse_rate_script, a.keys, 1, a.spans, a.n);
}

/* ---- settling ---------------------------------------------------------- */

/* Reports what is owed of a rate, as far as it goes into one call. */
static void
report(struct purse *p, const struct client *client, const struct model *model)
{
	static const int64_t nothing[PURSE_RATE_ARGS];
	struct args a;

	make_args(p, &a, client, model, nothing);
	/* If the call is lost, the estimate stays for its minute. */
	(void)store_tell(p->store, &purse_rate_script, a.keys, 1, a.spans, a.n);
}

void
purse_rate_flush(struct purse *p)
{
	struct purse_debt *d;

	while ((d = TAILQ_FIRST(&p->debts)) != NULL)
		report(p, d->client, d->model);
}

/* The same, but for what goes together with a part in advance.  True: all is
 * reported. */
static bool
flush_due(struct purse *p)
{
	bool held = purse_ahead_give_back(p, false);
	struct purse_debts rest = TAILQ_HEAD_INITIALIZER(rest);
	struct purse_debt *d;

	while ((d = TAILQ_FIRST(&p->debts)) != NULL)
		if (purse_ahead_holds(p, d->client, d->model)) {
			TAILQ_REMOVE(&p->debts, d, entry);
			TAILQ_INSERT_TAIL(&rest, d, entry);
		} else
			report(p, d->client, d->model);
	TAILQ_CONCAT(&p->debts, &rest, entry);
	return !held;
}

static void
settle_later(void *ctx)
{
	struct purse *p = ctx;

	p->settler = task_self();
	do {
		if (!p->ending)
			task_sleep(SETTLE_MS);
	} while (!p->ending && !flush_due(p));
	p->settler = NULL;
	p->settles = false;
	if (!p->ending)
		return;
	purse_ahead_give_back(p, true);
	purse_rate_flush(p);
}

static void
settle_soon(struct purse *p)
{
	if (!p->settles && !p->ending)
		p->settles = task_start(settle_later, p) == 0;
	if (p->settles)
		return;
	purse_ahead_give_back(p, true);
	purse_rate_flush(p);
}

/* Of the same second, what is owed is added up. */
static struct purse_debt *
debt_of(struct purse *p, const struct client *client, const struct model *model,
    int64_t second, uint64_t run)
{
	struct purse_debt *d;

	TAILQ_FOREACH (d, &p->debts, entry)
		if (d->client == client && d->model == model &&
		    d->second == second && d->run == run)
			return d;
	d = memory_zero(sizeof(*d));
	d->client = client;
	d->model = model;
	d->second = second;
	d->run = run;
	TAILQ_INSERT_TAIL(&p->debts, d, entry);
	return d;
}

void
purse_rate_owe(struct purse *p, const struct client *client,
    const struct model *model, int64_t second, uint64_t run, uint64_t estimate,
    uint64_t tokens, uint64_t unmade)
{
	struct purse_debt *d = debt_of(p, client, model, second, run);

	d->estimate += estimate;
	d->tokens += tokens;
	d->unmade += unmade;
}

void
purse_rate_settle(struct purse *p, const struct client *client,
    const struct model *model, int64_t second, uint64_t run, uint64_t estimate,
    uint64_t tokens, bool unmade)
{
	purse_rate_owe(
	    p, payer(p, client), model, second, run, estimate, tokens, unmade);
	settle_soon(p);
}

/* ---- the reply --------------------------------------------------------- */

/* A number of the reply, clamped so that it can be added up. */
static int64_t
amount(const struct store_reply *reply)
{
	int64_t n = store_reply_int(reply, 0);

	return n < 0 ? 0 : n > BUDGET_PURSE_MAX ? BUDGET_PURSE_MAX : n;
}

/* False: no reply came. */
static bool
read_reply(
    struct purse *p, struct purse_rate *rate, int64_t out[PURSE_RATE_REPLY])
{
	struct store_reply *reply;
	bool ok = store_wait(p->store, rate->call, &reply) == STORE_OK &&
	    store_reply_count(reply) == PURSE_RATE_REPLY;

	rate->call = NULL;
	for (size_t i = 0; ok && i < PURSE_RATE_REPLY; i++)
		out[i] = amount(store_reply_at(reply, i));
	store_reply_free(reply);
	return ok;
}

bool
purse_rate_is_late(struct purse *p, struct purse_rate *rate)
{
	if (!rate->had || clock_boot_ms() <= rate->until_ms)
		return false;
	purse_rate_owe(p, rate->client, rate->model, rate->second, rate->run,
	    rate->tokens, 0, rate->request);
	return true;
}

int
purse_rate_take(struct purse *p, struct purse_rate *rate, int64_t *second,
    struct budget_room *room, struct refused *refused)
{
	const struct budget *b =
	    rate->client != NULL ? &rate->client->budget : &rate->model->budget;
	int64_t out[PURSE_RATE_REPLY] = { 0 };

	if (!rate->had) {
		if (!read_reply(p, rate, out)) {
			purse_ahead_got(rate, false, 0);
			return refuse_away(rate->client, rate->model, refused);
		}
		/* What is had in advance is not used yet. */
		if (out[5] != 0) {
			out[3] -= (int64_t)rate->more;
			out[4] -= (int64_t)(rate->more * rate->tokens);
		}
		budget_rate_heard(
		    p->book, rate->client, rate->model, out[3], out[4]);
		rate->second = out[1];
		rate->run = purse_run(p);
		rate->sum_requests = out[3];
		rate->sum_tokens = out[4];
		purse_ahead_got(rate, out[5] != 0, out[6]);
		if (out[5] != 0)
			settle_soon(p);
	}
	note_room(b, rate->sum_requests, rate->sum_tokens, room);
	if (out[0] != 0)
		return refuse_rate(
		    out[0] == 2, rate->client, rate->model, b, out[2], refused);
	*second = rate->second;
	return 0;
}

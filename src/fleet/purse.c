/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides when a request asks the store, and that other requests wait for the
 * same reply meanwhile.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/task.h"
#include "fleet/purse_internal.h"

/* Between two checks whether another request's call has ended. */
#define TURN_PAUSE_MS 1
/* A request waits for the store no longer than this. */
#define PATIENCE_MS 1000
/* More than one: other waiting requests may have used what was granted. */
#define CALLS_MAX 2
#define RETRY_STORE_MS 2000
/* Between two checks of the purses. */
#define TEND_MS 250

struct purse *
purse_new(
    struct store *store, struct budget_book *book, const struct config *config)
{
	struct purse *p = calloc(1, sizeof(*p));

	if (p == NULL)
		fatal("out of memory");
	p->store = store;
	p->book = book;
	p->config = config;
	TAILQ_INIT(&p->debts);
	TAILQ_INIT(&p->aheads);
	if (store == NULL)
		return p;
	p->of_client =
	    memory_zero((config->nclients + 1) * sizeof(*p->of_client));
	p->of_model = memory_zero((config->nmodels + 1) * sizeof(*p->of_model));
	return p;
}

void
purse_free(struct purse *p)
{
	if (p != NULL)
		purse_ahead_free(p);
	free(p);
}

/* ---- reserving --------------------------------------------------------- */

struct wish {
	const struct client *client;
	const struct model *model;
	uint64_t tokens;
	int64_t nanousd;
};

/* Asks for what the client or the model lacks; false: another request's call is
 * under way. */
static bool
ask(struct purse *p, const struct wish *w, bool of_client)
{
	struct budget_purse_call call;

	if (!budget_purse_ask(p->book, of_client ? w->client : NULL,
		of_client ? NULL : w->model, PURSE_NEED, w->nanousd,
		w->tokens > 0 ? w->tokens : 1, &call))
		return false;
	purse_say(p, &call);
	return true;
}

/* Another request's call has not ended in time. */
static int
refuse_late(struct refused *refused)
{
	*refused = (struct refused){ .refusal = REFUSE_BUDGET_STORE,
		.retry_after_ms = RETRY_STORE_MS };
	return -1;
}

/* Reserves from the purses of the client and of the model, which are filled as
 * far as the store allows. */
static int
reserve(struct purse *p, const struct wish *w,
    struct budget_reservation *reservation, struct budget_room *room,
    struct refused *refused)
{
	int64_t until_ms = clock_now_ms() + PATIENCE_MS;
	unsigned calls = 0;

	while (budget_reserve(p->book, w->client, w->model, w->tokens,
		   w->nanousd, reservation, room, refused) == -1) {
		if (!reservation->client_lacks && !reservation->model_lacks)
			return -1;
		if (p->store == NULL || calls == CALLS_MAX ||
		    (calls > 0 && refused->refusal == REFUSE_BUDGET_STORE))
			return -1;
		if (clock_now_ms() >= until_ms)
			return refuse_late(refused);
		if (ask(p, w, reservation->client_lacks))
			calls++;
		else
			task_sleep(TURN_PAUSE_MS);
	}
	return 0;
}

static bool
has_rate(const struct budget *b)
{
	return b->shared &&
	    (b->requests_per_minute != 0 || b->tokens_per_minute != 0);
}

/* One that was had in advance may be late once the other has come. */
static int
take_again(struct purse *p, struct purse_rate *rate, int64_t *second,
    struct budget_room *room, struct refused *refused)
{
	if (!purse_rate_is_late(p, rate))
		return 0;
	*second = 0;
	purse_rate_ask(p, rate, rate->request, rate->tokens);
	return purse_rate_take(p, rate, second, room, refused);
}

/* Takes the rates of the client and of the model from the store, which is asked
 * for both at once. */
static int
take_both(struct purse *p, struct budget_reservation *h,
    struct budget_room *room, struct refused *refused)
{
	struct purse_rate of_client = { .client = h->client };
	struct purse_rate of_model = { .model = h->model };
	bool has_client = h->client != NULL && has_rate(&h->client->budget);
	bool has_model = h->model != NULL && has_rate(&h->model->budget);
	char text[PURSE_MESSAGE_SIZE] = "";
	int rc = 0;

	if (has_client)
		purse_rate_ask(p, &of_client, !h->again, h->tokens);
	if (has_model)
		purse_rate_ask(p, &of_model, !h->again, h->tokens);
	/* If both refuse, the client learns of its own rate. */
	if (has_model)
		rc = purse_rate_take(
		    p, &of_model, &h->model_second, room, refused);
	/* The next call may wait, and then other requests are refused. */
	if (rc == -1 && refused->message != NULL)
		strlcpy(text, refused->message, sizeof(text));
	if (has_client &&
	    purse_rate_take(p, &of_client, &h->client_second, room, refused) ==
		-1)
		return -1;
	if (*text != '\0')
		refused->message = purse_rate_message(text);
	if (rc == 0 && has_client)
		rc =
		    take_again(p, &of_client, &h->client_second, room, refused);
	if (rc == 0 && has_model)
		rc = take_again(p, &of_model, &h->model_second, room, refused);
	return rc;
}

static int
take_rates(struct purse *p, struct budget_reservation *h,
    struct budget_room *room, struct refused *refused)
{
	int rc = take_both(p, h, room, refused);

	h->rate_run = purse_run(p);
	return rc;
}

static void
settle_rates(struct purse *p, const struct budget_reservation *h,
    uint64_t tokens, bool unmade)
{
	if (h->client_second != 0)
		purse_rate_settle(p, h->client, NULL, h->client_second,
		    h->rate_run, h->tokens, tokens, unmade);
	if (h->model_second != 0)
		purse_rate_settle(p, NULL, h->model, h->model_second,
		    h->rate_run, h->tokens, tokens, unmade);
}

/* Called for a request that one of the rates refuses. */
static void
give_rates_back(struct purse *p, const struct budget_reservation *h)
{
	settle_rates(p, h, 0, !h->again);
	/* Others are refused for it until then. */
	purse_rate_flush(p);
}

int
purse_reserve(struct purse *p, const struct client *client,
    const struct model *model, uint64_t tokens, int64_t nanousd,
    struct budget_reservation *reservation, struct budget_room *room,
    struct refused *refused)
{
	const struct wish w = { client, model, tokens, nanousd };
	char message[PURSE_MESSAGE_SIZE];

	if (reserve(p, &w, reservation, room, refused) == -1)
		return -1;
	if (p->store == NULL || take_rates(p, reservation, room, refused) == 0)
		return 0;
	give_rates_back(p, reservation);
	reservation->refused = true;
	reservation->unsent = true;
	/* budget_settle() may wait, and the next refusal then overwrites the
	 * message. */
	if (refused->message != NULL)
		strlcpy(message, refused->message, sizeof(message));
	budget_settle(p->book, reservation, 0, 0);
	if (refused->message != NULL)
		refused->message = purse_rate_message(message);
	return -1;
}

/* ---- filling ----------------------------------------------------------- */

struct fill {
	struct purse *purse;
	struct budget_purse_call call;
};

static void
fill(void *ctx)
{
	struct fill *f = ctx;

	purse_say(f->purse, &f->call);
	f->purse->nfills--;
	free(f);
}

/* Fills a purse that runs low, before a request finds it empty. */
static void
fill_up(struct purse *p, const struct client *client, const struct model *model)
{
	struct fill *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return;
	f->purse = p;
	if (p->ending || task_self() == NULL || !store_is_up(p->store) ||
	    !budget_purse_ask(
		p->book, client, model, PURSE_FILL, 0, 0, &f->call)) {
		free(f);
		return;
	}
	p->nfills++;
	if (task_start(fill, f) == 0)
		return;
	budget_purse_told(p->book, &f->call, NULL);
	p->nfills--;
	free(f);
}

void
purse_settle(struct purse *p, struct budget_reservation *reservation,
    uint64_t tokens, int64_t nanousd)
{
	const struct client *client = reservation->client;
	const struct model *model = reservation->model;

	if (p->store != NULL)
		settle_rates(p, reservation, tokens, false);
	budget_settle(p->book, reservation, tokens, nanousd);
	if (p->store == NULL)
		return;
	if (client != NULL && budget_has_purse(&client->budget))
		fill_up(p, client, NULL);
	if (model != NULL && budget_has_purse(&model->budget))
		fill_up(p, NULL, model);
}

/* ---- looking after them ------------------------------------------------ */

static void
tend_one(
    struct purse *p, const struct client *client, const struct model *model)
{
	enum budget_purse_reason reason;
	struct budget_purse_call call;

	if (p->ending)
		reason = PURSE_RETURN;
	else if (!budget_purse_due(
		     p->book, client, model, purse_run(p), &reason))
		return;
	if (budget_purse_ask(p->book, client, model, reason, 0, 0, &call))
		purse_say(p, &call);
}

static void
tend_all(struct purse *p)
{
	const struct config *c = p->config;

	for (size_t i = 0; i < c->nclients; i++)
		if (budget_has_purse(&c->clients[i].budget)) {
			tend_one(p, &c->clients[i], NULL);
			task_breathe();
		}
	for (size_t i = 0; i < c->nmodels; i++)
		if (budget_has_purse(&c->models[i].budget))
			tend_one(p, NULL, &c->models[i]);
}

static void
tend(void *ctx)
{
	struct purse *p = ctx;

	p->task = task_self();
	while (!p->ending) {
		tend_all(p);
		budget_purse_watch(p->book);
		if (!p->ending)
			task_sleep(TEND_MS);
	}
	p->task = NULL;
}

void
purse_start(struct purse *p)
{
	if (p->store == NULL || !budget_any_has_purse(p->config))
		return;
	store_start(p->store);
	if (task_start(tend, p) == -1)
		log_warn("budget: out of memory: shared budgets are "
			 "not refilled or given back in the background");
}

void
purse_end(struct purse *p)
{
	int64_t until_ms = clock_now_ms() + PATIENCE_MS;

	p->ending = true;
	if (p->task != NULL)
		task_wake(p->task);
	if (p->settler != NULL)
		task_wake(p->settler);
	while ((p->task != NULL || p->nfills > 0 || p->settles) &&
	    clock_now_ms() < until_ms)
		task_sleep(TURN_PAUSE_MS);
	purse_ahead_give_back(p, true);
	purse_rate_flush(p);
	if (p->store == NULL)
		return;
	/* A CGI process has no task for that. */
	budget_purse_watch(p->book);
	if (store_is_up(p->store))
		tend_all(p);
}

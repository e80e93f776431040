/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the bounds of all names are gathered and written.
 */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/jput.h"
#include "base/memory.h"
#include "base/span.h"
#include "state/spending.h"

struct list {
	struct bound *bounds;
	size_t n;
};

static void
gather_one(struct list *list, struct budget_book *book, const struct client *c,
    const struct model *m)
{
	if (list->n + BOUNDS_MAX <= SPENDING_MAX)
		list->n += budget_bounds(book, c, m, list->bounds + list->n);
}

static struct list
gather(struct budget_book *book, const struct config *config)
{
	struct list list = { memory_zero(SPENDING_MAX * sizeof(*list.bounds)),
		0 };

	for (size_t i = 0; i < config->nclients; i++)
		if (budget_has(&config->clients[i].budget))
			gather_one(&list, book, &config->clients[i], NULL);
	for (size_t i = 0; i < config->nmodels; i++)
		if (budget_has(&config->models[i].budget))
			gather_one(&list, book, NULL, &config->models[i]);
	return list;
}

void
spending_each(struct budget_book *book, const struct config *config,
    void (*tell)(void *ctx, const struct bound *), void *ctx)
{
	struct list list = gather(book, config);

	for (size_t i = 0; i < list.n; i++)
		tell(ctx, &list.bounds[i]);
	free(list.bounds);
}

void
spending_json(
    struct budget_book *book, const struct config *config, struct buf *out)
{
	struct list list = gather(book, config);

	bounds_json(list.bounds, list.n, out);
	free(list.bounds);
}

/* A label's value: like JSON's strings in what it escapes. */
static void
put_family(const struct list *list, const char *name, const char *help,
    int64_t (*amount)(const struct bound *), struct buf *out)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
	for (size_t i = 0; i < list->n; i++) {
		const struct bound *b = &list->bounds[i];

		buf_printf(out, "%s{of=\"%s\",name=", name, b->kind);
		buf_json(out, span_of(b->name));
		buf_printf(out, ",bound=\"%s\"%s} ", b->setting,
		    b->shared ? ",shared=\"true\"" : "");
		bound_amount(b, amount(b), out);
		buf_puts(out, "\n");
	}
}

static int64_t
limit_of(const struct bound *b)
{
	return b->limit;
}

static int64_t
used_of(const struct bound *b)
{
	return b->used;
}

static int64_t
held_of(const struct bound *b)
{
	return b->held;
}

void
spending_metrics(
    struct budget_book *book, const struct config *config, struct buf *out)
{
	struct list list = gather(book, config);

	put_family(&list, "tailgate_budget_limit",
	    "Bounds of clients and models; money in USD.", limit_of, out);
	put_family(&list, "tailgate_budget_used",
	    "What is used of each in its period.", used_of, out);
	put_family(&list, "tailgate_budget_held",
	    "What running requests hold of each.", held_of, out);
	free(list.bounds);
}

void
spending_of_json(
    struct budget_book *book, const struct client *client, struct buf *out)
{
	struct bound bounds[BOUNDS_MAX];
	char at[CLOCK_TEXT_SIZE];
	size_t from = out->len;

	clock_text(clock_wall_ms(), at);
	buf_puts(out, "{");
	jput_text(out, "client", client->name);
	jput_text(out, "at", at);
	jput_name(out, "budgets");
	bounds_json(bounds, budget_bounds(book, client, NULL, bounds), out);
	buf_puts(out, "}\n");
	jput_spread(out, from);
}

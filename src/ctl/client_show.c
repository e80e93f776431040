/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a client is shown, and where its spending is read from.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/jput.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/endpoint.h"
#include "ctl/client_show.h"
#include "ctl/table.h"
#include "ledger/rebuild.h"
#include "state/budget.h"

#define TEXT_MAX (64 * 1024 * 1024)
#define DIGITS_SHOWN 8

static struct budget_book *
open_budgets(const struct config *config)
{
	char why[256];
	struct budget_book *book =
	    budget_open(config, &ledger_history, why, sizeof(why));

	if (book == NULL)
		fprintf(stderr,
		    "tailgate client: what is spent is not known: %s\n", why);
	return book;
}

static void
put_models(const struct client *c, struct buf *out)
{
	for (size_t i = 0; i < c->nmodels; i++)
		buf_printf(out, "%s%s", i > 0 ? "," : "", c->models[i]);
}

static void
put_networks(const struct client *c, struct buf *out)
{
	char text[NET_TEXT_SIZE];

	for (size_t i = 0; i < c->nnetworks; i++) {
		net_text(&c->networks[i], text);
		buf_printf(out, "%s%s", i > 0 ? "," : "", text);
	}
}

static void
put_endpoints(const struct client *c, struct buf *out)
{
	uint64_t all = endpoint_all_upstream();
	const char *comma = "";

	if ((c->endpoints & all) == all) {
		buf_puts(out, "all");
		return;
	}
	for (unsigned i = 0; i < ENDPOINT_COUNT; i++)
		if (c->endpoints & all & ENDPOINT_BIT(i)) {
			buf_printf(out, "%s%s", comma,
			    endpoint_spec((enum endpoint)i)->name);
			comma = ",";
		}
}

static void
put_time(int64_t wall_ms, const char *never, struct buf *out)
{
	char text[CLOCK_TEXT_SIZE];

	if (wall_ms == CLOCK_NEVER) {
		buf_puts(out, never);
		return;
	}
	clock_text(wall_ms, text);
	/* Without milliseconds, which nobody sets. */
	buf_printf(out, "%.19sZ", text);
}

/* The first digits of its key's digest: enough to tell keys apart. */
static void
put_digest(bool has, const unsigned char *digest, struct buf *out)
{
	char text[DIGEST_TEXT_SIZE];

	if (!has)
		return;
	digest_text(digest, text);
	buf_add(out, text, DIGITS_SHOWN);
}

/* ---- JSON ---- */

/* An empty value is written as null. */
static void
json_text(struct buf *out, const char *name, struct buf *value)
{
	jput_text(out, name, value->len == 0 ? NULL : value->p);
	buf_reset(value);
}

static void
json_budgets(const struct client *c, struct budget_book *book, struct buf *out)
{
	struct bound bounds[BOUNDS_MAX];

	jput_name(out, "budgets");
	if (book == NULL)
		buf_puts(out, "null");
	else
		bounds_json(bounds, budget_bounds(book, c, NULL, bounds), out);
}

static void
json_client(const struct client *c, struct budget_book *book, struct buf *out)
{
	size_t from = out->len;
	struct buf text;

	buf_init(&text, TEXT_MAX);
	buf_puts(out, "{");
	jput_text(out, "name", c->name);
	jput_text(out, "group", c->group);
	jput_text(out, "place", place_name(c->place));
	put_time(c->expires_wall_ms, "", &text);
	json_text(out, "expires", &text);
	put_digest(c->has_key, c->key_digest, &text);
	json_text(out, "digest", &text);
	put_time(
	    c->has_old_key ? c->old_key_expires_ms : CLOCK_NEVER, "", &text);
	json_text(out, "old_key_expires", &text);
	put_models(c, &text);
	json_text(out, "models", &text);
	put_endpoints(c, &text);
	json_text(out, "endpoints", &text);
	put_networks(c, &text);
	json_text(out, "networks", &text);
	jput_text(out, "user", c->user);
	jput_u64(out, "priority", c->priority);
	jput_bool(out, "operator", c->operator);
	jput_bool(out, "explain", c->explain);
	jput_bool(out, "relay", c->relay);
	json_budgets(c, book, out);
	buf_puts(out, "}");
	jput_spread(out, from);
	buf_free(&text);
}

static int
print(struct buf *out)
{
	int status =
	    buf_failed(out) || fwrite(out->p, 1, out->len, stdout) == 0;

	buf_free(out);
	return status;
}

/* ---- list ---- */

static void
cell(struct table *t, struct buf *text)
{
	table_cell(t, "%s", text->len > 0 ? text->p : "");
	buf_reset(text);
}

static void
list_row(struct table *t, const struct client *c)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	table_cell(t, "%s", c->name);
	table_cell(t, "%s", place_name(c->place));
	put_time(c->expires_wall_ms, "never", &text);
	text.len = text.len > 10 ? 10 : text.len;
	text.p[text.len] = '\0';
	cell(t, &text);
	put_digest(c->has_key, c->key_digest, &text);
	cell(t, &text);
	table_cell(t, "%s", c->operator? "operator" : c->relay ? "relay" : "");
	table_cell(t, "%s", c->group == NULL ? "" : c->group);
	put_models(c, &text);
	cell(t, &text);
	buf_free(&text);
}

int
client_list(const struct client_call *call)
{
	const struct config *config = call->config;
	struct table *t;
	struct buf out;

	if (call->json) {
		struct budget_book *book = open_budgets(config);

		buf_init(&out, TEXT_MAX);
		buf_puts(&out, "[");
		for (size_t i = 0; i < config->nclients; i++) {
			buf_puts(&out, i == 0 ? "" : ",\n ");
			json_client(&config->clients[i], book, &out);
		}
		buf_puts(&out, "]\n");
		budget_close(book);
		return print(&out);
	}
	t = table_new("name|place|expires|digest|role|group|models");
	for (size_t i = 0; i < config->nclients; i++)
		list_row(t, &config->clients[i]);
	table_print(t, stdout);
	table_free(t);
	return 0;
}

/* ---- show ---- */

static void
line(const char *name, struct buf *text)
{
	if (text->len > 0) {
		char escaped[4096];

		log_escape(text->p, text->len, escaped, sizeof(escaped));
		printf("%-10s  %s\n", name, escaped);
	}
	buf_reset(text);
}

static void
show_bounds(const struct client *c, struct budget_book *book)
{
	struct table *t =
	    table_new("bound|>limit|>spent|>held|>left|>resets in");
	struct bound bounds[BOUNDS_MAX];
	size_t n = budget_bounds(book, c, NULL, bounds);
	char age[CLOCK_AGE_SIZE];
	struct buf text;

	buf_init(&text, 4096);
	for (size_t i = 0; i < n; i++) {
		const struct bound *b = &bounds[i];
		const int64_t amounts[] = { b->limit, b->used, b->held,
			bound_left(b) };

		table_cell(
		    t, "%s%s", b->setting, b->shared ? " (all hosts)" : "");
		for (size_t j = 0; j < 4; j++) {
			bound_amount(b, amounts[j], &text);
			cell(t, &text);
		}
		clock_age(b->reset_ms, age);
		table_cell(t, "%s", age);
	}
	if (table_rows(t) > 0) {
		putchar('\n');
		table_print(t, stdout);
	}
	table_free(t);
	buf_free(&text);
}

static void
put_rights(const struct client *c, struct buf *text)
{
	const struct {
		bool has;
		const char *name;
	} rights[] = { { c->operator, "operator" }, { c->explain, "explain" },
	    { c->relay, "relay" } };

	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		if (rights[i].has)
			buf_printf(text, "%s%s", text->len > 0 ? ", " : "",
			    rights[i].name);
}

static void
show(const struct client *c)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	buf_puts(&text, c->name);
	line("client", &text);
	buf_puts(&text, c->group == NULL ? "" : c->group);
	line("group", &text);
	buf_puts(&text, place_name(c->place));
	line("place", &text);
	put_time(c->expires_wall_ms, "never", &text);
	line("expires", &text);
	put_digest(c->has_key, c->key_digest, &text);
	line("digest", &text);
	if (c->has_old_key) {
		put_digest(true, c->old_key_digest, &text);
		buf_puts(&text, ", accepted until ");
		put_time(c->old_key_expires_ms, "", &text);
		line("old key", &text);
	}
	put_networks(c, &text);
	line("networks", &text);
	buf_puts(&text, c->user == NULL ? "" : c->user);
	line("user", &text);
	put_models(c, &text);
	line("models", &text);
	put_endpoints(c, &text);
	line("endpoints", &text);
	buf_printf(&text, "%u", c->priority);
	line("priority", &text);
	put_rights(c, &text);
	line("may also", &text);
	buf_free(&text);
}

int
client_show(const struct client_call *call)
{
	const struct config *config = call->config;
	const struct client *c = config_client(config, call->name);
	struct budget_book *book;
	struct buf out;

	if (c == NULL) {
		fprintf(stderr,
		    "tailgate client: there is no client %s; `tailgate client "
		    "list` names them\n",
		    call->name);
		return 1;
	}
	book = open_budgets(config);
	if (call->json) {
		buf_init(&out, TEXT_MAX);
		json_client(c, book, &out);
		buf_puts(&out, "\n");
		budget_close(book);
		return print(&out);
	}
	show(c);
	if (book != NULL)
		show_bounds(c, book);
	budget_close(book);
	return 0;
}

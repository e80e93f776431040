/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * `tailgate store`: shows the shared budgets and which of them wait for hosts
 * after the store has lost its data, and ends such a wait.
 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/task.h"
#include "ctl/ctl.h"
#include "ctl/table.h"
#include "fleet/resume.h"
#include "state/budget_purse.h"

#define NANO 1000000000LL
#define USD_MAX 1000000LL /* what a budget may be */

struct work {
	const struct config *config;
	struct store *store;
	/* To be resumed; NULL: all are shown. */
	const char *kind, *name;
	struct resume_amounts amounts;
	bool given[PURSE_KINDS];
	struct table *table;
	int status;
};

/* ---- what is shown ----------------------------------------------------- */

static void
row(struct work *w, const char *kind, const char *name)
{
	static const char *const says[] = { [RESUME_NOTHING] = "not used yet",
		[RESUME_FINE] = "fine",
		[RESUME_WAITS] = "waits for hosts",
		[RESUME_DONE] = "no longer waits",
		[RESUME_ENDED] = "waits for hosts",
		[RESUME_AWAY] = "the store is away" };
	struct resume_facts facts;
	enum resume_state state =
	    resume_budget(w->store, kind, name, NULL, &facts);

	table_cell(w->table, "%s %s", kind, name);
	table_cell(w->table, "%s", says[state]);
	table_cell(w->table, "%u", facts.heard);
	table_cell(w->table, "%u",
	    state == RESUME_WAITS ? facts.silent + facts.unknown : 0);
	if (state == RESUME_AWAY || state == RESUME_WAITS)
		w->status = 1;
}

static void
show(struct work *w)
{
	const struct config *c = w->config;

	w->table = table_new("budget of|state|>hosts|>missing");
	for (size_t i = 0; i < c->nclients; i++)
		if (budget_has_purse(&c->clients[i].budget))
			row(w, "client", c->clients[i].name);
	for (size_t i = 0; i < c->nmodels; i++)
		if (budget_has_purse(&c->models[i].budget))
			row(w, "model", c->models[i].id);
	table_print(w->table, stdout);
	table_free(w->table);
}

/* ---- what is ended ------------------------------------------------------ */

static void
resume(struct work *w)
{
	struct resume_facts facts;

	w->status = 1;
	switch (
	    resume_budget(w->store, w->kind, w->name, &w->amounts, &facts)) {
	case RESUME_DONE:
		printf("%s %s: no longer waits for %u hosts; what was named "
		       "counts as spent\n",
		    w->kind, w->name, facts.silent + facts.unknown);
		w->status = 0;
		break;
	case RESUME_FINE:
		printf("%s %s: does not wait; nothing was changed\n", w->kind,
		    w->name);
		break;
	case RESUME_ENDED:
		fprintf(stderr,
		    "tailgate store: the day that %s %s waits in has ended; "
		    "nothing was changed; resume it once a request of today "
		    "waits\n",
		    w->kind, w->name);
		break;
	case RESUME_NOTHING:
		fprintf(stderr,
		    "tailgate store: no host has asked for %s %s since the "
		    "store was started; nothing was changed\n",
		    w->kind, w->name);
		break;
	default:
		fputs("tailgate store: the store is away; see `tailgate "
		      "probe`\n",
		    stderr);
	}
}

static void
work(void *ctx)
{
	struct work *w = ctx;

	if (w->name == NULL)
		show(w);
	else
		resume(w);
	store_end(w->store);
}

/* ---- the call ------------------------------------------------------------ */

/* "12.50" as units of 10^-digits; -1: not such a number. */
static int64_t
amount(const char *text, int digits, int64_t most)
{
	int64_t n = 0, scale = 1;
	const char *p = text;

	for (int i = 0; i < digits; i++)
		scale *= 10;
	if (!isdigit((unsigned char)*p))
		return -1;
	for (; isdigit((unsigned char)*p); p++)
		if ((n = n * 10 + *p - '0') > most)
			return -1;
	n *= scale;
	if (*p == '.' && digits > 0)
		for (p++; isdigit((unsigned char)*p) && scale > 1; p++)
			n += (*p - '0') * (scale /= 10);
	return *p == '\0' ? n : -1;
}

static const struct budget *
budget_of(const struct config *c, const char *kind, const char *name)
{
	if (strcmp(kind, "client") == 0) {
		for (size_t i = 0; i < c->nclients; i++)
			if (strcmp(c->clients[i].name, name) == 0)
				return &c->clients[i].budget;
	} else if (strcmp(kind, "model") == 0) {
		for (size_t i = 0; i < c->nmodels; i++)
			if (strcmp(c->models[i].id, name) == 0)
				return &c->models[i].budget;
	}
	return NULL;
}

static bool
has_bound(const struct budget *b, int kind)
{
	return kind == PURSE_DAY  ? b->nanousd_per_day != 0
	    : kind == PURSE_MONTH ? b->nanousd_per_month != 0
				  : b->tokens_per_day != 0;
}

/* Safe by default: an amount that is not named does not count as 0. */
static int
check_resume(const struct work *w)
{
	static const char *const options[PURSE_KINDS] = {
		[PURSE_DAY] = "spent-today",
		[PURSE_MONTH] = "spent-this-month",
		[PURSE_TOKENS] = "tokens-today",
	};
	const struct budget *b = budget_of(w->config, w->kind, w->name);

	if (b == NULL || !budget_has_purse(b)) {
		fprintf(stderr,
		    "tailgate store: there is no shared budget of %s %s\n",
		    w->kind, w->name);
		return -1;
	}
	for (int i = 0; i < PURSE_KINDS; i++)
		if (has_bound(b, i) && !w->given[i]) {
			fprintf(stderr,
			    "tailgate store: say what the hosts that are away "
			    "may have spent: --%s\n",
			    options[i]);
			return -1;
		}
	return 0;
}

const struct ctl_option ctl_store_options[] = {
	{ "spent-today", "USD", 'd',
	    "resume: by hosts that are away, on this UTC day" },
	{ "spent-this-month", "USD", 'm', "resume: and in this UTC month" },
	{ "tokens-today", "N", 't', "resume: and their tokens of the day" },
	{ NULL, NULL, 0, NULL },
};

static int
read_options(int argc, char **argv, struct work *w)
{
	int ch;
	int64_t n;

	while ((ch = ctl_option_next(argc, argv, "store", ctl_store_options)) !=
	    -1) {
		if (ch != 'd' && ch != 'm' && ch != 't')
			return ctl_misuse("store", NULL);
		n = ch == 't' ? amount(optarg, 0, INT64_MAX / 100)
			      : amount(optarg, 9, USD_MAX);
		if (n < 0)
			return ctl_misuse("store",
			    "%s: not an amount, as 12.50 or 1000", optarg);
		if (ch == 'd')
			w->amounts.day_nanousd = n;
		else if (ch == 'm')
			w->amounts.month_nanousd = n;
		else
			w->amounts.day_tokens = n;
		w->given[ch == 'd'  ? PURSE_DAY
			: ch == 'm' ? PURSE_MONTH
				    : PURSE_TOKENS] = true;
	}
	return 0;
}

static int
run(struct work *w)
{
	if (w->config->store.url == NULL) {
		fputs(
		    "tailgate store: the configuration has no store\n", stderr);
		return 1;
	}
	if (w->name != NULL && check_resume(w) == -1)
		return 1;
	w->store = store_new(w->config);
	task_open();
	if (task_start(work, w) == -1) {
		fputs("tailgate store: out of memory\n", stderr);
		return 1;
	}
	task_loop();
	task_close();
	store_free(w->store);
	return w->status;
}

int
ctl_store(int argc, char **argv)
{
	struct work w = { .status = 0 };
	struct config *config;
	int status = read_options(argc, argv, &w);

	if (status != 0)
		return status;
	argc -= optind;
	argv += optind;
	if (argc > 0) {
		if (argc != 3 || strcmp(argv[0], "resume") != 0 ||
		    (strcmp(argv[1], "client") != 0 &&
			strcmp(argv[1], "model") != 0))
			return ctl_misuse("store",
			    "it is called alone, or with resume client|model "
			    "NAME");
		w.kind = argv[1];
		w.name = argv[2];
	} else if (w.given[0] || w.given[1] || w.given[2])
		return ctl_misuse("store", "amounts are for `resume`");
	if ((config = ctl_load(0, SANDBOX_PROBE, NULL)) == NULL)
		return 1;
	w.config = config;
	status = run(&w);
	config_free(config);
	return status;
}

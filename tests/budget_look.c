/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Prints what each client and model of a configuration has used today and this
 * month, according to the budgets.  If their file under runtime_dir is missing,
 * it is made from the ledger first.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "ledger/rebuild.h"
#include "budget_spent.h"

static void
print(const char *kind, const char *name, const struct budget_spent *s)
{
	printf("%s %s: %" PRIu64 " requests, %" PRIu64 " tokens, %" PRId64
	       " nanousd today, %" PRId64 " this month, %u held\n",
	    kind, name, s->day_requests, s->day_tokens, s->day_nanousd,
	    s->month_nanousd, s->in_flight);
}

int
main(int argc, char **argv)
{
	struct budget_spent spent;
	struct budget_book *book;
	struct config *config;
	char why[256];

	log_open("budget_look", false, LOG_LEVEL_WARN);
	if (argc != 2) {
		fprintf(stderr, "usage: budget_look CONFIG\n");
		return 2;
	}
	config = config_load(argv[1], CONFIG_NO_SECRETS, stderr);
	if (config == NULL)
		return 1;
	book = budget_open(config, &ledger_history, why, sizeof(why));
	if (book == NULL) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	for (size_t i = 0; i < config->nclients; i++) {
		budget_look(book, &config->clients[i], NULL, &spent);
		print("client", config->clients[i].name, &spent);
	}
	for (size_t i = 0; i < config->nmodels; i++) {
		budget_look(book, NULL, &config->models[i], &spent);
		print("model", config->models[i].id, &spent);
	}
	budget_close(book);
	config_free(config);
	return 0;
}

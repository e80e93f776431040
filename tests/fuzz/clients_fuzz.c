/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The clients file, as an operator or `tailgate client` might leave it: it is
 * listed, loaded next to a configuration, and edited.  A refusal gives a
 * reason.  When a client is added and removed again, the list is as before.
 */
#include "config.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "config/clients.h"
#include "config/settings.h"
#include "fuzz.h"

#define ADDED "fuzz-added"

static char dir[64], clients[96], conf[96];

static void
forget(void)
{
	unlink(clients);
	unlink(conf);
	rmdir(dir);
}

static void
fill(const char *path, const void *p, size_t len)
{
	FILE *f = fopen(path, "w");

	MUST(f != NULL);
	MUST(fwrite(p, 1, len, f) == len);
	MUST(fclose(f) == 0);
}

/* The configuration in effect, which the caller frees; NULL after a refusal. */
static char *
list(void)
{
	char *said = NULL, *table = NULL;
	size_t nsaid, ntable;
	FILE *err = open_memstream(&said, &nsaid);
	FILE *out = open_memstream(&table, &ntable);
	struct config *config = config_load(conf, CONFIG_NO_SECRETS, err);

	if (config != NULL)
		config_dump(config, out);
	fclose(err);
	fclose(out);
	MUST(config != NULL || nsaid > 0);
	free(said);
	if (config != NULL) {
		config_free(config);
		return table;
	}
	free(table);
	return NULL;
}

static void
prepare(void)
{
	char text[512];
	int n;

	strcpy(dir, "/tmp/clients_fuzz.XXXXXX");
	MUST(mkdtemp(dir) != NULL);
	snprintf(clients, sizeof(clients), "%s/clients", dir);
	snprintf(conf, sizeof(conf), "%s/conf", dir);
	n = snprintf(text, sizeof(text),
	    "providers = ( { name = \"p\"; place = \"local\"; "
	    "url = \"http://127.0.0.1:9/v1\"; } );\n"
	    "models = ( { id = \"m\"; targets = "
	    "( { provider = \"p\"; model = \"m\"; } ); } );\n"
	    "clients_file = \"%s\";\n",
	    clients);
	fill(conf, text, (size_t)n);
	atexit(forget);
	fill(clients, "", 0);
	free(list());
}

static void
edit(const char *before)
{
	static const struct clients_change changes[] = {
		{ "models", "[ \"m*\" ]", "--models" },
		{ "budget.concurrent", "3", "--concurrent" },
	};
	static const struct clients_change unset = { "models", NULL,
		"--models" };
	char key[CLIENTS_KEY_SIZE], *said = NULL, *after;
	size_t nsaid;
	FILE *err = open_memstream(&said, &nsaid);
	int status = clients_add(clients, ADDED, changes, 2, key, err);

	fflush(err);
	MUST((status == -1) == (nsaid > 0));
	after = list();
	MUST(after != NULL);
	/* A refusal leaves the file unchanged. */
	MUST((strcmp(before, after) == 0) == (status == -1));
	MUST(status == -1 || strstr(after, ADDED) != NULL);
	free(after);
	if (status == 0) {
		MUST(clients_set(clients, ADDED, &unset, 1, err) == 0);
		MUST(clients_remove(clients, ADDED, err) == 0);
		after = list();
		MUST(after != NULL && strcmp(before, after) == 0);
		free(after);
	}
	fclose(err);
	free(said);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *table;

	/* Skips inputs that include other files. */
	if (size > 0 && memmem(data, size, "@include", 8) != NULL)
		return 0;
	if (*dir == '\0')
		prepare();
	fill(clients, data, size);
	table = list();
	if (table != NULL)
		edit(table);
	free(table);
	return 0;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The clients file, as an operator or `tailgate client` might leave it: it is
 * listed, loaded beside a config, and edited.  A refusal says why; a client
 * that is added and removed again leaves what the list showed before.
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

/* The table, to be freed; NULL after a refusal. */
static char *
list(void)
{
	char *said = NULL, *table = NULL;
	size_t nsaid, ntable;
	FILE *err = open_memstream(&said, &nsaid);
	FILE *out = open_memstream(&table, &ntable);
	int status = clients_list(clients, out, err);

	fclose(err);
	fclose(out);
	MUST((status == -1) == (nsaid > 0));
	MUST((status == 0) == (ntable > 0));
	free(said);
	if (status == 0)
		return table;
	free(table);
	return NULL;
}

static bool
load(void)
{
	char *said = NULL;
	size_t nsaid;
	FILE *err = open_memstream(&said, &nsaid);
	struct config *config = config_load(conf, CONFIG_NO_SECRETS, err);

	fclose(err);
	MUST(config != NULL || nsaid > 0);
	free(said);
	if (config == NULL)
		return false;
	config_free(config);
	return true;
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
	MUST(load());
}

static void
edit(const char *before)
{
	static const char *const models[] = { "m*" };
	struct clients_entry entry = {
		.name = ADDED, .models = models, .nmodels = 1
	};
	char key[CLIENTS_KEY_SIZE], *said = NULL, *after;
	size_t nsaid;
	FILE *err = open_memstream(&said, &nsaid);
	int status = clients_add(clients, &entry, key, err);

	fflush(err);
	MUST((status == -1) == (nsaid > 0));
	after = list();
	MUST(after != NULL);
	/* A refusal leaves the file. */
	MUST((strcmp(before, after) == 0) == (status == -1));
	MUST(status == -1 || strstr(after, ADDED) != NULL);
	free(after);
	if (status == 0) {
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

	/* A file that includes others is another file's matter. */
	if (size > 0 && memmem(data, size, "@include", 8) != NULL)
		return 0;
	if (*dir == '\0')
		prepare();
	fill(clients, data, size);
	table = list();
	/* What cannot be listed cannot be loaded. */
	MUST(!load() || table != NULL);
	if (table != NULL)
		edit(table);
	free(table);
	return 0;
}

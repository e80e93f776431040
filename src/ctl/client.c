/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * tailgate client: who may ask.  The key is shown once, on standard output
 * and alone, so that a script can take it; everything else goes to standard
 * error.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/clients.h"
#include "ctl/ctl.h"

#define MODELS_MAX 256

struct client_options {
	struct clients_entry entry;
	const char *models[MODELS_MAX];
};

const struct ctl_option ctl_client_options[] = {
	{ "models", "GLOB,...", 'm', "add: the models it may use (all)" },
	{ "place", "PLACE", 'p',
	    "add: how far its requests may go, local or external (local)" },
	{ "expires", "DATE", 'e',
	    "add: until when, as 2027-01-31 or 2027-01-31T12:00:00Z" },
	{ "operator", NULL, 'o', "add: it may read metrics and status" },
	{ "explain", NULL, 'x', "add: it may ask for the plan of a request" },
	{ NULL, NULL, 0, NULL },
};

/* "a,b" into the entry; the text is changed. */
static int
models_parse(struct client_options *o, char *text)
{
	char *model;

	while ((model = strsep(&text, ",")) != NULL) {
		if (*model == '\0')
			continue;
		if (o->entry.nmodels == MODELS_MAX)
			return -1;
		o->models[o->entry.nmodels++] = model;
	}
	o->entry.models = o->models;
	return o->entry.nmodels > 0 ? 0 : -1;
}

static int
options_parse(int argc, char **argv, struct client_options *o)
{
	int c;

	while ((c = ctl_option_next(
		    argc, argv, "client", ctl_client_options)) != -1)
		switch (c) {
		case 'm':
			if (models_parse(o, optarg) == -1)
				return ctl_misuse("client",
				    "--models wants 1..%d patterns, separated "
				    "by commas",
				    MODELS_MAX);
			break;
		case 'p':
			o->entry.place = optarg;
			break;
		case 'e':
			o->entry.expires = optarg;
			break;
		case 'o':
			o->entry.operator= true;
			break;
		case 'x':
			o->entry.explain = true;
			break;
		default:
			return ctl_misuse("client", NULL);
		}
	return 0;
}

static int
client_add(const char *file, const struct clients_entry *entry)
{
	char key[CLIENTS_KEY_SIZE];

	if (clients_add(file, entry, key, stderr) == -1)
		return 1;
	fprintf(stderr,
	    "client %s is in %s.  This is its key; it is not kept and cannot "
	    "be shown again.\nA running gateway knows it after a reload "
	    "(SIGHUP).\n",
	    entry->name, file);
	puts(key);
	explicit_bzero(key, sizeof(key));
	return 0;
}

static int
client_remove(const char *file, const char *name)
{
	if (clients_remove(file, name, stderr) == -1)
		return 1;
	fprintf(stderr,
	    "client %s is out of %s.  A running gateway forgets it after a "
	    "reload (SIGHUP).\n",
	    name, file);
	return 0;
}

static int
client_do(const char *verb, const struct clients_entry *entry)
{
	struct config *config = ctl_load(CONFIG_NO_SECRETS, SANDBOX_EDIT, NULL);
	const char *file;
	int status;

	if (config == NULL)
		return 1;
	file = config->clients_file;
	if (*file == '\0') {
		fprintf(stderr,
		    "%s: clients_file is empty; name a file to "
		    "keep clients in\n",
		    ctl_config_path());
		status = 1;
	} else if (strcmp(verb, "add") == 0)
		status = client_add(file, entry);
	else if (strcmp(verb, "rm") == 0)
		status = client_remove(file, entry->name);
	else
		status = clients_list(file, stdout, stderr) == -1;
	config_free(config);
	return status;
}

int
ctl_client(int argc, char **argv)
{
	struct client_options o = { .entry = { .name = NULL } };
	const char *verb;
	int status, operands;

	if (argc < 2)
		return ctl_misuse("client", "add, list or rm is needed");
	verb = argv[1];
	if ((status = options_parse(argc - 1, argv + 1, &o)) != 0)
		return status;
	operands = argc - 1 - optind;
	o.entry.name = operands > 0 ? argv[1 + optind] : NULL;
	if (strcmp(verb, "list") == 0)
		return operands == 0
		    ? client_do(verb, &o.entry)
		    : ctl_misuse("client", "list takes no name");
	if (strcmp(verb, "add") != 0 && strcmp(verb, "rm") != 0)
		return ctl_misuse("client",
		    "unknown word \"%s\"; add, list and rm are known", verb);
	if (operands != 1)
		return ctl_misuse("client", "%s wants one name", verb);
	return client_do(verb, &o.entry);
}

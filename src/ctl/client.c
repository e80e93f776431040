/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * tailgate client: manages clients.  A key is shown once.  Nothing else goes to
 * standard output, so that a script can read the key; the rest goes to standard
 * error.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/spelling.h"
#include "config/clients.h"
#include "ctl/client_change.h"
#include "ctl/client_show.h"
#include "ctl/ctl.h"

const struct ctl_option ctl_client_options[] = {
	{ "models", "GLOB,...", 'm', "the models it may use (all)" },
	{ "endpoints", "NAME,...", 'e', "the endpoints it may call (all)" },
	{ "place", "PLACE", 'p',
	    "how far its requests may go, local or external (local)" },
	{ "expires", "DATE", 'x',
	    "until when, as 2027-01-31 or 2027-01-31T12:00:00Z" },
	{ "networks", "NET,...", 'n', "networks it may call from (any)" },
	{ "user", "NAME", 'u', "who the web server says it is" },
	{ "group", "NAME", 'g', "whose settings it has, of client_groups" },
	{ "priority", "N", 'r',
	    "its share of the turns in the queue, 1..100 (10)" },
	{ "usd-per-day", "USD", 'd', "what it may spend on a UTC day" },
	{ "usd-per-month", "USD", 'M', "and in a UTC month" },
	{ "tokens-per-day", "N", 't', "tokens that it may use on a UTC day" },
	{ "tokens-per-minute", "N", 'T', "and in a minute" },
	{ "requests-per-minute", "N", 'R', "requests in a minute" },
	{ "concurrent", "N", 'c', "requests that may run at once" },
	{ "operator", "[no]", 'o', "it may read metrics and status" },
	{ "explain", "[no]", 'X', "it may ask for the plan of a request" },
	{ "relay", "[no]", 'y',
	    "it is a gateway, trusted to name its clients" },
	{ "key-sha256", "DIGEST", 'k',
	    "add, set: the SHA-256 of a key that it has already" },
	{ "overlap", "TIME", 'O',
	    "rotate: how long the old key is still accepted (0): 90m, 12h, "
	    "7d" },
	{ "json", NULL, 'j', "list, show: print JSON" },
	{ NULL, NULL, 0, NULL },
};

static int client_add(const struct client_call *);
static int client_set(const struct client_call *);
static int client_rotate(const struct client_call *);
static int client_remove(const struct client_call *);

/* What each verb accepts: the options for settings (changes), and which of the
 * others (letters). */
static const struct verb {
	const char *name;
	bool named, changes;
	const char *letters;
	enum sandbox_role role;
	int (*run)(const struct client_call *);
} verbs[] = {
	{ "add", true, true, "", SANDBOX_EDIT, client_add },
	{ "list", false, false, "j", SANDBOX_INSPECT, client_list },
	{ "rm", true, false, "", SANDBOX_EDIT, client_remove },
	{ "rotate", true, false, "O", SANDBOX_EDIT, client_rotate },
	{ "set", true, true, "", SANDBOX_EDIT, client_set },
	{ "show", true, false, "j", SANDBOX_INSPECT, client_show },
};
#define NVERBS (sizeof(verbs) / sizeof(verbs[0]))

static const char *
verb_name(const void *ctx, size_t i)
{
	(void)ctx;
	return i < NVERBS ? verbs[i].name : NULL;
}

static const struct verb *
verb_find(const char *name)
{
	for (size_t i = 0; i < NVERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* Prints the key on standard output and wipes it. */
static void
tell_key(char key[CLIENTS_KEY_SIZE])
{
	puts(key);
	explicit_bzero(key, CLIENTS_KEY_SIZE);
}

static int
client_add(const struct client_call *c)
{
	const char *file = c->config->clients_file;
	char key[CLIENTS_KEY_SIZE];

	if (clients_add(file, c->name, c->changes, c->nchanges, key, stderr) ==
	    -1)
		return 1;
	if (*key == '\0') {
		fprintf(stderr,
		    "client %s is in %s.  A running gateway knows it after a "
		    "reload (SIGHUP).\n",
		    c->name, file);
		return 0;
	}
	fprintf(stderr,
	    "client %s is in %s.  This is its key; it is not kept and cannot "
	    "be shown again.\nA running gateway knows it after a reload "
	    "(SIGHUP).\n",
	    c->name, file);
	tell_key(key);
	return 0;
}

static int
client_set(const struct client_call *c)
{
	const char *file = c->config->clients_file;

	if (c->nchanges == 0)
		return ctl_misuse("client",
		    "set needs at least one option; an empty value (--expires "
		    "'') removes a setting");
	if (clients_set(file, c->name, c->changes, c->nchanges, stderr) == -1)
		return 1;
	fprintf(stderr,
	    "client %s is changed in %s.  A running gateway knows that after "
	    "a reload (SIGHUP).\n",
	    c->name, file);
	return 0;
}

static int
client_rotate(const struct client_call *c)
{
	const char *file = c->config->clients_file;
	char key[CLIENTS_KEY_SIZE];

	if (clients_rotate(file, c->name, c->overlap_ms, key, stderr) == -1)
		return 1;
	fprintf(stderr,
	    "client %s has a new key in %s.  It is not kept and cannot be "
	    "shown again.\nAfter a reload (SIGHUP) a running gateway knows "
	    "it, and %s the old one.\n",
	    c->name, file,
	    c->overlap_ms > 0 ? "for the time of --overlap" : "refuses");
	tell_key(key);
	return 0;
}

static int
client_remove(const struct client_call *c)
{
	const char *file = c->config->clients_file;

	if (clients_remove(file, c->name, stderr) == -1)
		return 1;
	fprintf(stderr,
	    "client %s is out of %s.  A running gateway forgets it after a "
	    "reload (SIGHUP).\n",
	    c->name, file);
	return 0;
}

/* -1 after an error message. */
static int
options_parse(
    int argc, char **argv, const struct verb *verb, struct client_call *call)
{
	int c;

	while ((c = ctl_option_next(
		    argc, argv, "client", ctl_client_options)) != -1) {
		if (c == '?') {
			ctl_misuse("client", NULL);
			return -1;
		}
		if (strchr("jO", c) != NULL ? strchr(verb->letters, c) == NULL
					    : !verb->changes) {
			ctl_misuse("client", "%s does not take %s", verb->name,
			    argv[optind - 1]);
			return -1;
		}
		if (c == 'j')
			call->json = true;
		else if (client_change(call, c, optarg) == -1)
			return -1;
	}
	return 0;
}

/* A verb that edits needs a clients file, and a group that exists. */
static int
client_run(const struct verb *verb, struct client_call *call)
{
	unsigned flags = CONFIG_NO_SECRETS |
	    (verb->role == SANDBOX_EDIT ? CONFIG_ANY_GROUP : 0);
	struct config *config = ctl_load(flags, verb->role, NULL);
	int status = 1;

	if (config == NULL)
		return 1;
	call->config = config;
	if (verb->role == SANDBOX_EDIT && *config->clients_file == '\0')
		fprintf(stderr,
		    "tailgate client: %s: clients_file is empty; name a file "
		    "to keep clients in\n",
		    ctl_config_path());
	else if (client_change_check(call) == 0)
		status = verb->run(call);
	config_free(config);
	return status;
}

static int
verb_unknown(const char *word)
{
	const char *nearest = spelling_nearest(word, verb_name, NULL);

	return nearest == NULL
	    ? ctl_misuse("client", "unknown word \"%s\"", word)
	    : ctl_misuse("client", "unknown word \"%s\"; did you mean \"%s\"?",
		  word, nearest);
}

int
ctl_client(int argc, char **argv)
{
	struct client_call call = { .name = NULL };
	const struct verb *verb;
	int operands, status = 2;

	if (argc < 2)
		return ctl_misuse(
		    "client", "add, list, rm, rotate, set or show is needed");
	if ((verb = verb_find(argv[1])) == NULL)
		return verb_unknown(argv[1]);
	if (options_parse(argc - 1, argv + 1, verb, &call) == 0) {
		operands = argc - 1 - optind;
		call.name = operands > 0 ? argv[1 + optind] : NULL;
		if (operands == (int)verb->named)
			status = client_run(verb, &call);
		else
			status = ctl_misuse("client",
			    verb->named ? "%s needs one name"
					: "%s takes no name",
			    verb->name);
	}
	client_change_free(&call);
	return status;
}

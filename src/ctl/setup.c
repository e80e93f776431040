/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * tailgate setup: points a tool at the gateway, and undoes it.  It runs as
 * the user whose tool it is, on any machine; only --client needs the gateway's
 * configuration.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/spelling.h"
#include "config/clients.h"
#include "ctl/ctl.h"
#include "ctl/setup_internal.h"

const struct ctl_option ctl_setup_options[] = {
	{ "url", "URL", 'u',
	    "the gateway, as https://ai.home (or $TAILGATE_URL)" },
	{ "key-file", "FILE", 'k',
	    "the client's key, its first line; -: stdin" },
	{ "client", "NAME", 'c',
	    "make a client for it, on the gateway's host" },
	{ "place", "PLACE", 'P',
	    "with --client: how far it may go, local or external (local)" },
	{ "model", "NAME", 'm', "the model (the first that can use tools)" },
	{ "small-model", "NAME", 's', "the model for small tasks (the same)" },
	{ "print", NULL, 'p',
	    "print what would be written, and write nothing" },
	{ "dry-run", NULL, 'd', "print the changes as a diff" },
	{ "script", NULL, 'x',
	    "print a shell script that does it on another machine" },
	{ "undo", NULL, 'U', "put back what was there before" },
	{ NULL, NULL, 0, NULL },
};

static int
setup_do(struct setup *s)
{
	time_t now = time(NULL);
	struct tm tm;
	int status = 1;

	strftime(s->values.now, sizeof(s->values.now), "%Y-%m-%dT%H:%M:%SZ",
	    gmtime_r(&now, &tm));
	if (setup_key_take(s) == 0 && setup_ask_start(s) == 0 &&
	    setup_cage_enter(s) == 0 && setup_models_take(s) == 0)
		status = setup_texts_use(s);
	if (status != 0 && s->clients_file != NULL)
		clients_remove(s->clients_file, s->client, stderr);
	explicit_bzero(s->key, sizeof(s->key));
	free(s->key_path);
	return status;
}

static int
setup_undo(struct setup *s)
{
	char *client;
	int failed;

	if (setup_cage_enter(s) == -1)
		return 1;
	client = setup_record_client(s->tool->name);
	failed = setup_record_undo(s->tool->name, s->dry, stdout);
	if (failed == 0 && !s->dry && client != NULL)
		printf("The client %s is still there; on the gateway's host: "
		       "tailgate client rm %s\n",
		    client, client);
	free(client);
	if (failed == -1) {
		fprintf(stderr, "tailgate setup: %s is not set up\n",
		    s->tool->name);
		return 1;
	}
	return failed > 0;
}

/* ---- the command ------------------------------------------------------ */

static int
tools_list(void)
{
	for (const struct setup_tool *t = setup_tools; t->name != NULL; t++)
		printf("%-12s  %s\n", t->name, t->title);
	return 0;
}

static int
tool_take(struct setup *s, const char *name)
{
	const char *nearest;

	if ((s->tool = setup_tool_find(name)) != NULL)
		return 0;
	nearest = spelling_nearest(name, setup_tool_name, NULL);
	return ctl_misuse("setup", "unknown tool \"%s\"%s%s%s", name,
	    nearest == NULL ? "; `tailgate setup` lists them"
			    : "; did you mean \"",
	    nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
}

static int
option_take(struct setup *s, int c, const char **url)
{
	switch (c) {
	case 'u':
		*url = optarg;
		return 0;
	case 'k':
		s->key_file = optarg;
		return 0;
	case 'c':
		s->client = optarg;
		return 0;
	case 'P':
		s->external = strcmp(optarg, "external") == 0;
		return s->external || strcmp(optarg, "local") == 0
		    ? 0
		    : ctl_misuse("setup", "--place is local or external");
	case 'm':
		s->values.model = optarg;
		return 0;
	case 's':
		s->values.small = optarg;
		return 0;
	case 'p':
		s->print = true;
		return 0;
	case 'd':
		s->dry = true;
		return 0;
	case 'x':
		s->script = true;
		return 0;
	case 'U':
		s->undo = true;
		return 0;
	default:
		return ctl_misuse("setup", NULL);
	}
}

static int
setup_call(struct setup *s, int argc, char **argv)
{
	const char *url = NULL;
	int c, status = 0;
	bool looks;

	while (status == 0 &&
	    (c = ctl_option_next(argc, argv, "setup", ctl_setup_options)) != -1)
		status = option_take(s, c, &url);
	if (status != 0)
		return status;
	if (optind == argc)
		return tools_list();
	if (optind + 1 < argc)
		return ctl_misuse("setup", "one tool at a time");
	if ((status = tool_take(s, argv[optind])) != 0)
		return status;
	if (s->undo)
		return setup_undo(s);
	looks = s->print || s->dry || s->script;
	if (s->client != NULL && looks)
		return ctl_misuse("setup",
		    "--client writes at once and can't go with --print, "
		    "--dry-run or --script; first `tailgate client add %s "
		    ">%s.key`, then --key-file %s.key",
		    s->client, s->client, s->client);
	if (s->client != NULL && s->key_file != NULL)
		return ctl_misuse("setup",
		    "--client makes a key, and --key-file names one: only one "
		    "of them");
	if (s->script && (s->print || s->dry))
		return ctl_misuse(
		    "setup", "--script, --print and --dry-run: one at a time");
	if ((s->values.model != NULL && !setup_is_plain(s->values.model)) ||
	    (s->values.small != NULL && !setup_is_plain(s->values.small)))
		return ctl_misuse("setup",
		    "a model's name has marks that a file may misread");
	if ((status = setup_url_take(s, url)) != 0)
		return status;
	return setup_do(s);
}

int
ctl_setup(int argc, char **argv)
{
	struct setup *s = calloc(1, sizeof(*s));
	int status;

	if (s == NULL)
		fatal("out of memory");
	s->arena = arena_new();
	status = setup_call(s, argc, argv);
	setup_cage_free(&s->cage);
	arena_free(s->arena);
	free(s);
	return status;
}

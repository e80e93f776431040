/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides where the URL, the key and the models of a set-up come from.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/clients.h"
#include "config/load.h"
#include "ctl/ctl.h"
#include "ctl/setup_internal.h"
#include "policy/choice.h"

/* ---- the gateway ------------------------------------------------------ */

int
setup_url_take(struct setup *s, const char *url)
{
	const char *wrong;
	struct span text;

	if (url == NULL)
		url = getenv("TAILGATE_URL");
	if (url == NULL || *url == '\0')
		return ctl_misuse("setup",
		    "the gateway's URL is needed; give --url "
		    "https://your.host");
	if ((wrong = url_check(url, "http https")) == NULL &&
	    !setup_is_plain(url))
		wrong = "it has marks that a shell or a file may misread";
	if (wrong != NULL)
		return ctl_misuse("setup", "--url %s: %s", url, wrong);
	text = span_of(url);
	while (text.len > 0 && text.p[text.len - 1] == '/')
		text.len--;
	if (text.len > 3 && memcmp(text.p + text.len - 3, "/v1", 3) == 0)
		text.len -= 3;
	s->values.url = arena_text(s->arena, text);
	return 0;
}

/* Reads the first line of a file.  -1 after an error message. */
static int
key_read(struct setup *s, const char *path)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	bool got = file != NULL && fgets(s->key, SETUP_KEY_MAX, file) != NULL;

	if (!got)
		fprintf(stderr, "tailgate setup: %s: cannot read a key: %s\n",
		    path, file == NULL ? strerror(errno) : "it is empty");
	if (file != NULL && file != stdin)
		fclose(file);
	if (!got)
		return -1;
	s->key[strcspn(s->key, "\r\n")] = '\0';
	if (!setup_is_plain(s->key)) {
		fprintf(stderr,
		    "tailgate setup: %s: its first line is not a key\n", path);
		return -1;
	}
	s->values.key = s->key;
	return 0;
}

#define NAMES_SHOWN 8

/* May the client use the model?  -1 after an error message. */
static int
check_model(const struct setup *s, const char *name)
{
	const struct setup_models *models = &s->models;
	size_t shown = 0;

	if (name == NULL || setup_model_known(models, name) != NULL ||
	    models->n == SETUP_MODELS_MAX)
		return 0;
	fprintf(stderr,
	    "tailgate setup: the gateway has no model \"%s\" for %s", name,
	    s->values.key != NULL ? "this key"
		: s->external     ? "an external client"
				  : "a local client");
	for (size_t i = 0; i < models->n; i++)
		if (models->list[i].talks && shown++ < NAMES_SHOWN)
			fprintf(stderr, "%s%s",
			    shown == 1 ? "; it has: " : ", ",
			    models->list[i].id);
	fprintf(stderr, "%s\n", shown > NAMES_SHOWN ? " ..." : "");
	return -1;
}

/* The models that a client with this place would have, by the configuration.
 * -1 after an error message. */
static int
models_of_new(struct setup *s, const struct config *config)
{
	const struct setup_values *v = &s->values;
	const char *const names[] = { v->model, v->small };
	struct client client = config->default_client;

	client.name = s->client;
	client.place = s->external ? PLACE_EXTERNAL : PLACE_LOCAL;
	choice_models(config, &client, &s->models, s->arena);
	for (size_t i = 0; i < 2; i++) {
		if (names[i] == NULL)
			continue;
		if (setup_model_known(&s->models, names[i]) == NULL)
			choice_named(
			    config, &client, names[i], &s->models, s->arena);
		if (check_model(s, names[i]) == -1)
			return -1;
	}
	return 0;
}

static int
client_make(struct setup *s)
{
	struct clients_change place = { "place",
		s->external ? "\"external\"" : "\"local\"", "--place" };
	struct config *config =
	    config_load(ctl_config_path(), CONFIG_NO_SECRETS, stderr);
	int status = -1;

	if (config == NULL)
		return -1;
	if (*config->clients_file == '\0')
		fprintf(stderr,
		    "%s: clients_file is empty; name a file to keep clients "
		    "in\n",
		    ctl_config_path());
	else if (models_of_new(s, config) == 0)
		status = clients_add(
		    config->clients_file, s->client, &place, 1, s->key, stderr);
	if (status == 0) {
		s->clients_file = arena_strdup(s->arena, config->clients_file);
		s->values.key = s->key;
	}
	config_free(config);
	return status;
}

int
setup_key_take(struct setup *s)
{
	bool looks = s->print || s->dry || s->script;

	s->key_path = setup_key_path(s->tool->name);
	s->values.key_file = s->key_path;
	if (!setup_is_plain(s->key_path)) {
		fprintf(stderr,
		    "tailgate setup: %s: tools would misread this path\n",
		    s->key_path);
		return -1;
	}
	if (s->key_file != NULL)
		return key_read(s, s->key_file);
	if (s->client != NULL && !looks)
		return client_make(s);
	if (access(s->key_path, R_OK) == 0)
		return key_read(s, s->key_path);
	if (looks || s->tool->show != NULL)
		return 0;
	fprintf(stderr,
	    "tailgate setup: no key: name its file (--key-file FILE), or have "
	    "a "
	    "client made\non the gateway's host (--client NAME)\n");
	return -1;
}

/* ---- the models ------------------------------------------------------- */

/* Prints why the gateway listed no models.  Returns -1. */
static int
say_not_told(const struct setup *s, enum setup_asked asked, const char *why)
{
	fprintf(stderr, "tailgate setup: %s: %s\n%s\n", s->values.url, why,
	    asked == SETUP_UNKNOWN_KEY
		? "If the client is new, reload the gateway (systemctl reload "
		  "tailgate), then set up again"
		: "Is that the gateway's URL, and does its web server run?\n"
		  "--model NAME sets it up without asking the gateway (no "
		  "context window then)");
	return -1;
}

/* Warns of what is left out of the tool's settings. */
static void
say_missing(const struct setup *s)
{
	const struct setup_model *m =
	    setup_model_known(&s->models, s->values.model);

	if (m != NULL && m->context == 0 && setup_tool_wants_context(s->tool))
		fprintf(stderr,
		    "tailgate setup: %s: its context is not known; give the "
		    "target `context = N`, or run `tailgate probe`, then set "
		    "up again\n",
		    m->id);
}

/* Learns the models from the gateway or the configuration, and looks for the
 * names that were given.  -1 after an error message. */
static int
learn(struct setup *s)
{
	struct setup_values *v = &s->values;
	enum setup_asked asked;
	char why[256];

	if (s->clients_file != NULL)
		return 0; /* they were read */
	if (s->asked_fd == -1) {
		if (v->model == NULL) {
			v->model = "MODEL";
			fputs("tailgate setup: MODEL stands for one that the "
			      "key may use; --key-file names the key\n",
			    stderr);
		}
		return 0;
	}
	asked = setup_ask_end(s, why, sizeof(why));
	if (asked == SETUP_TOLD)
		return check_model(s, v->model) == 0 &&
			check_model(s, v->small) == 0
		    ? 0
		    : -1;
	if (asked == SETUP_UNKNOWN_KEY || v->model == NULL)
		return say_not_told(s, asked, why);
	fprintf(stderr,
	    "tailgate setup: %s: %s; the model %s is taken as it is named\n",
	    v->url, why, v->model);
	return 0;
}

int
setup_models_take(struct setup *s)
{
	struct setup_values *v = &s->values;
	const struct setup_model *picked;

	v->models = &s->models;
	if (learn(s) == -1)
		return -1;
	picked = setup_model_pick(&s->models);
	if (v->model == NULL && picked != NULL)
		v->model = picked->id;
	if (v->model == NULL) {
		fprintf(stderr,
		    "tailgate setup: this client may not use any chat "
		    "model\n");
		return -1;
	}
	say_missing(s);
	if (v->small == NULL)
		v->small = v->model;
	setup_model_assume(&s->models, v->model);
	setup_model_assume(&s->models, v->small);
	return 0;
}

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

/* The first line of a file.  -1: said. */
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
	else if (clients_add(config->clients_file, s->client, &place, 1, s->key,
		     stderr) == 0) {
		s->clients_file = arena_strdup(s->arena, config->clients_file);
		s->values.key = s->key;
		status = setup_models_read(&s->models, s->client, s->arena);
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

int
setup_models_take(struct setup *s)
{
	struct setup_values *v = &s->values;
	char why[256] = "there is no key yet";
	int status = -1;

	v->models = &s->models;
	if (s->clients_file != NULL)
		status = 0; /* they were read */
	else if (s->asked_fd != -1)
		status = setup_ask_end(s, why, sizeof(why));
	if (status == -1 && v->model == NULL && v->key == NULL)
		v->model = "MODEL";
	if (status == -1 && v->model == NULL) {
		fprintf(stderr,
		    "tailgate setup: %s: %s\n"
		    "A model can be named without it: --model NAME\n",
		    v->url, why);
		return -1;
	}
	if (v->model == NULL && setup_model_pick(&s->models) != NULL)
		v->model = setup_model_pick(&s->models)->id;
	if (v->model == NULL) {
		fprintf(stderr,
		    "tailgate setup: this client may not use any chat "
		    "model\n");
		return -1;
	}
	if (v->small == NULL)
		v->small = v->model;
	setup_model_assume(&s->models, v->model);
	setup_model_assume(&s->models, v->small);
	return 0;
}

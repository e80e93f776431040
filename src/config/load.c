/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Reading tailgate.conf: libconfig's tree is read by the schema into const
 * structs, completed, checked, and only then returned.
 */
#include "config.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/load.h"

static void
unknown_names(
    struct load *load, const char *group, const config_setting_t *setting)
{
	int n = config_setting_length(setting);

	for (int i = 0; i < n; i++) {
		config_setting_t *child =
		    config_setting_get_elem(setting, (unsigned)i);
		const char *name = config_setting_name(child), *near;

		if (schema_find(group, name) != NULL)
			continue;
		if (strcmp(group, "key") == 0) {
			mistake(load, child,
			    "there is no such setting; a key is named by file, "
			    "credential or env, and never written here");
			continue;
		}
		near = schema_near(group, name);
		mistake(load, child, "there is no such setting%s%s%s",
		    near != NULL ? "; did you mean " : "",
		    near != NULL ? near : "", near != NULL ? "?" : "");
	}
}

/* Where a client finds settings that it does not give: its group,
 * default_client. After a mistake nothing is inherited: it would be reported
 * once for each client. */
static void
find_heritage(struct load *load, const config_setting_t *client,
    config_setting_t *from[2])
{
	config_setting_t *root = config_root_setting(&load->files[0].config);
	config_setting_t *groups;
	const char *wanted, *name;

	if (load->nerrors > 0)
		return;
	groups = config_setting_get_member(root, "client_groups");
	from[1] = config_setting_get_member(root, "default_client");
	if (groups == NULL ||
	    !config_setting_lookup_string(client, "group", &wanted))
		return;
	for (int i = 0; i < config_setting_length(groups); i++) {
		config_setting_t *group =
		    config_setting_get_elem(groups, (unsigned)i);

		if (config_setting_lookup_string(group, "name", &name) &&
		    strcmp(name, wanted) == 0)
			from[0] = group;
	}
}

static bool
is_inherited(const struct schema *row)
{
	return strcmp(row->group, "clients") != 0 ||
	    schema_find("default_client", row->name) != NULL;
}

/* The setting itself, or the inherited one. */
static config_setting_t *
find_member(struct load *load, const struct schema *row,
    config_setting_t *setting, config_setting_t *const from[2])
{
	config_setting_t *child = NULL;

	if (setting != NULL)
		child = config_setting_get_member(setting, row->name);
	load->inherit[0] = load->inherit[1] = NULL;
	for (int i = 0; i < 2; i++) {
		config_setting_t *other = from[i] == NULL || !is_inherited(row)
		    ? NULL
		    : config_setting_get_member(from[i], row->name);

		if (row->type == SCHEMA_GROUP)
			load->inherit[i] = other;
		if (child == NULL)
			child = other;
	}
	return child;
}

void
load_group(
    struct load *load, const char *group, config_setting_t *setting, void *base)
{
	config_setting_t *from[2] = { load->inherit[0], load->inherit[1] };

	origin_add(load, base, group, setting);
	if (setting != NULL)
		unknown_names(load, group, setting);
	if (setting != NULL && strcmp(group, "clients") == 0)
		find_heritage(load, setting, from);
	for (size_t i = 0; i < schema_count; i++) {
		const struct schema *row = &schema_table[i];
		config_setting_t *child;

		if (strcmp(row->group, group) != 0)
			continue;
		child = find_member(load, row, setting, from);
		value_load(load, row, child, base);
		load->inherit[0] = load->inherit[1] = NULL;
		if (setting != NULL && child == NULL && row->required)
			mistake(load, setting, "%s is missing: %s", row->name,
			    row->text);
	}
}

/* The absolute directory of a file; if it does not exist, reading the file
 * reports it. */
static const char *
dir_of(struct load *load, const char *path)
{
	char full[PATH_MAX], *dir = dirname(arena_strdup(load->arena, path));

	return realpath(dir, full) == NULL ? arena_strdup(load->arena, dir)
					   : arena_strdup(load->arena, full);
}

/* The first name of a line, into out. */
static bool
name_of_line(const char *text, unsigned line, char *out, size_t size)
{
	size_t len;

	for (; line > 1 && text != NULL; line--)
		if ((text = strchr(text, '\n')) != NULL)
			text++;
	if (text == NULL)
		return false;
	text += strspn(text, " \t,;{}()");
	len = strcspn(text, " \t\n=:({");
	if (len == 0 || len >= size)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

/* What libconfig did not understand. */
static void
say_syntax(struct load *load, const struct load_file *file)
{
	const char *source = config_error_file(&file->config);
	const char *what = config_error_text(&file->config);
	unsigned line = (unsigned)config_error_line(&file->config);
	char name[CONFIG_NAME_MAX];
	const struct schema *row;

	if (strstr(what, "duplicate") != NULL && source == NULL &&
	    name_of_line(file->text, line, name, sizeof(name))) {
		row = schema_find("", name);
		mistake_in(load, file->path, line,
		    row != NULL && row->type == SCHEMA_LIST
			? "a second list %s; put the elements of both into "
			  "one `%s` list"
			: "%s is set twice; keep one `%s`",
		    name, name);
		return;
	}
	mistake_in(load,
	    source == NULL ? file->path : arena_strdup(load->arena, source),
	    line,
	    "%s (is there a semicolon, a bracket or a quote missing before "
	    "this?)",
	    what);
}

config_setting_t *
load_file(struct load *load, const char *path)
{
	struct load_file *file = &load->files[load->nfiles++];
	char *text;

	file->path = arena_strdup(load->arena, path);
	file->dir = dir_of(load, path);
	config_init(&file->config);
	config_set_include_dir(&file->config, file->dir);
	if ((text = text_read(load, file->path, file->dir)) == NULL)
		return NULL;
	file->text = text;
	if (config_read_string(&file->config, text) == CONFIG_TRUE)
		return config_root_setting(&file->config);
	say_syntax(load, file);
	return NULL;
}

/* The clients of clients_file, after those of tailgate.conf itself. */
static void
clients_load(struct load *load)
{
	struct config *c = load->config;
	struct config more = { 0 };
	config_setting_t *root;
	struct client *all;

	if (*c->clients_file == '\0')
		return;
	if (access(c->clients_file, F_OK) == -1 && errno == ENOENT) {
		warning_of(load, c, "", "clients_file",
		    "%s does not exist yet; `tailgate client add NAME` makes "
		    "it",
		    c->clients_file);
		return;
	}
	if ((root = load_file(load, c->clients_file)) == NULL)
		return;
	load_group(load, SCHEMA_CLIENTS_FILE, root, &more);
	c->clients_read = true;
	all = arena_alloc(
	    load->arena, (c->nclients + more.nclients) * sizeof(*all));
	if (c->nclients > 0)
		memcpy(all, c->clients, c->nclients * sizeof(*all));
	origins_move(load, c->clients, c->nclients * sizeof(*all), all);
	if (more.nclients > 0)
		memcpy(all + c->nclients, more.clients,
		    more.nclients * sizeof(*all));
	origins_move(load, more.clients, more.nclients * sizeof(*all),
	    all + c->nclients);
	c->clients = all;
	c->nclients += more.nclients;
}

static void
prices_load(struct load *load)
{
	const char *path = load->config->price_file;
	config_setting_t *root;

	if (path == NULL)
		return;
	if ((load->flags & CONFIG_NEW_PRICES) != 0 &&
	    access(path, F_OK) == -1 && errno == ENOENT)
		return;
	if (access(path, R_OK) == -1)
		mistake_of(load, load->config, "", "price_file", "%s: %s%s",
		    path, strerror(errno),
		    errno == ENOENT ? "; `tailgate prices import LIST` makes "
				      "it, or write prices = ( ); into it"
				    : "");
	else if ((root = load_file(load, path)) != NULL)
		load_group(load, SCHEMA_PRICE_FILE, root, load->config);
}

/* They are compiled on a higher floor. */
static void
prove_patterns(struct load *load)
{
	const struct config *c = load->config;
	char message[256];

	for (size_t i = 0; load->pattern_check != NULL && i < c->nprivates; i++)
		if (c->privates[i].pattern != NULL &&
		    load->pattern_check(
			c->privates[i].pattern, message, sizeof(message)) == -1)
			mistake_of(load, &c->privates[i], "private", "pattern",
			    "%s", message);
}

static void
load_all(struct load *load, const char *path)
{
	config_setting_t *root = load_file(load, path);

	load->config->path = load->files[0].path;
	if (root == NULL)
		return;
	load_group(load, "", root, load->config);
	prices_load(load);
	clients_load(load);
	finish(load);
	prove(load);
	prove_patterns(load);
	if (load->flags & CONFIG_ADVISE)
		advise(load);
	if ((load->flags & CONFIG_NO_SECRETS) == 0)
		keys_load(load);
}

void
load_begin(struct load *load, unsigned flags)
{
	memset(load, 0, sizeof(*load));
	load->flags = flags;
	load->arena = arena_new();
	load->secrets = secrets_new();
	load->config = arena_alloc(load->arena, sizeof(*load->config));
}

void
load_end(struct load *load)
{
	for (size_t i = 0; i < load->nfiles; i++)
		config_destroy(&load->files[i].config);
	free(load->origins);
	free(load->mistakes);
}

struct config *
config_load(const char *path, unsigned flags, FILE *err)
{
	return config_load_all(path, flags, NULL, err);
}

struct config *
config_load_all(
    const char *path, unsigned flags, config_pattern_check *check, FILE *err)
{
	struct load load;
	struct config *config;

	load_begin(&load, flags);
	load.pattern_check = check;
	config = load.config;
	config->memory = arena_alloc(load.arena, sizeof(*config->memory));
	*config->memory = (struct config_memory){ load.arena, load.secrets };

	load_all(&load, path);
	mistakes_write(&load, err);
	load_end(&load);
	if (load.nerrors > 0) {
		config_free(config);
		return NULL;
	}
	return config;
}

void
config_free(struct config *config)
{
	struct config_memory memory;

	if (config == NULL)
		return;
	memory = *config->memory;
	secrets_free(memory.secrets);
	arena_free(memory.arena);
}

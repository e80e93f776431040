/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * tailgate check: proves the configuration without starting anything, shows
 * what is in effect, and lists every setting there is.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/schema.h"
#include "ctl/access.h"
#include "ctl/allow.h"
#include "ctl/ctl.h"
#include "policy/call.h"

static const char *
type_name(const struct schema *row)
{
	static const char *const names[] = { [SCHEMA_GROUP] = "group",
		[SCHEMA_LIST] = "list",
		[SCHEMA_STRING] = "string",
		[SCHEMA_STRINGS] = "strings",
		[SCHEMA_INT] = "integer",
		[SCHEMA_SECONDS] = "seconds",
		[SCHEMA_BYTES] = "bytes",
		[SCHEMA_USD] = "USD",
		[SCHEMA_BOOL] = "boolean",
		[SCHEMA_WORD] = "word",
		[SCHEMA_WORDS] = "words",
		[SCHEMA_ENDPOINTS] = "words",
		[SCHEMA_NAME] = "name",
		[SCHEMA_PATH] = "path",
		[SCHEMA_URL] = "URL",
		[SCHEMA_NETS] = "networks",
		[SCHEMA_DATE] = "date",
		[SCHEMA_DIGEST] = "digest",
		[SCHEMA_REF] = "reference" };

	return names[row->type];
}

/* One line for each setting: path, type, range, default, text; tabs between
 * them, so that a script can take them apart (tests/settings.sh does). */
static void
settings_print(const char *group, const char *prefix)
{
	for (size_t i = 0; i < schema_count; i++) {
		const struct schema *row = &schema_table[i];
		char range[256], path[256], *unit;

		if (strcmp(row->group, group) != 0)
			continue;
		schema_range(row, range, sizeof(range));
		if ((unit = strstr(range, " (")) != NULL)
			*unit = '\0'; /* the type says it */
		snprintf(path, sizeof(path), "%s%s", prefix, row->name);
		printf("%s\t%s\t%s\t%s\t%s\n", path, type_name(row),
		    *range != '\0' ? range : "-",
		    row->preset != NULL ? row->preset
			: row->required ? "required"
					: "-",
		    row->text);
		if (row->of == NULL || row->type == SCHEMA_REF)
			continue;
		snprintf(path, sizeof(path), "%s%s%s.", prefix, row->name,
		    row->type == SCHEMA_LIST ? "[]" : "");
		settings_print(row->of, path);
	}
}

/* An external target without a price: its cost would not be known. */
static void
prices_check(const struct config *config)
{
	for (size_t i = 0; i < config->nmodels; i++) {
		const struct model *m = &config->models[i];

		for (size_t j = 0; j < m->ntargets; j++) {
			const struct target *t = &m->targets[j];

			if (t->provider->place != PLACE_EXTERNAL ||
			    t->price.known)
				continue;
			fprintf(stderr,
			    "%s: warning: models[%zu].targets[%zu]: %s at %s "
			    "has no price, so its cost is not known (unless "
			    "the provider tells)\n",
			    config->path, i, j, t->model, t->provider->name);
		}
	}
}

/* All of them, each with its line. */
static bool
patterns_good(const struct config *config)
{
	char message[256];
	bool good = true;

	for (size_t i = 0; i < config->nprivates; i++) {
		const struct private_rule *rule = &config->privates[i];

		if (patterns_check(rule->pattern, message, sizeof(message)) ==
		    0)
			continue;
		fprintf(stderr, "%s: %s\n", rule->where, message);
		good = false;
	}
	return good;
}

enum mode { PROVE, DUMP, ALLOW, SETTINGS };

static int
say_good(const struct config *config)
{
	fprintf(stderr, "%s: good: %zu providers, %zu models, %zu clients\n",
	    config->path, config->nproviders, config->nmodels,
	    config->nclients);
	return 0;
}

/* Once it is confined: as another user it is, the child that has become it. */
static int
config_show(const struct config *config, enum mode mode, const char *user)
{
	bool good = mode != PROVE || access_check(config, user, stderr) == 0;

	if (mode != PROVE || user != NULL)
		if (ctl_confine(config,
			mode == ALLOW ? SANDBOX_PROBE : SANDBOX_CHECK) == -1)
			return 1;
	prices_check(config);
	if (!patterns_good(config) || !good)
		return 1;
	switch (mode) {
	case DUMP:
		/* It is of what is written, wherever it is read. */
		config_dump(config, stdout);
		return 0;
	case ALLOW:
		return allow_print(config, stdout, stderr) == -1;
	default:
		return say_good(config);
	}
}

static int
config_check(enum mode mode, const char *user)
{
	struct config *config = config_load(ctl_config_path(), 0, stderr);
	int status;

	if (config == NULL)
		return 1;
	status = config_show(config, mode, user);
	config_free(config);
	return status;
}

const struct ctl_option ctl_check_options[] = {
	{ "dump", NULL, 'd',
	    "print what is in effect, defaults included, without secrets" },
	{ "settings", NULL, 's',
	    "print every setting: path, type, range, default, text" },
	{ "systemd-allow", NULL, 'a',
	    "print a drop-in that holds the service to the providers' "
	    "addresses" },
	{ "user", "NAME", 'u',
	    "prove that this user can read and write what it must" },
	{ NULL, NULL, 0, NULL },
};

int
ctl_check(int argc, char **argv)
{
	const char *user = NULL;
	enum mode mode = PROVE;
	int c;

	while (
	    (c = ctl_option_next(argc, argv, "check", ctl_check_options)) != -1)
		if (c == 'd')
			mode = DUMP;
		else if (c == 'a')
			mode = ALLOW;
		else if (c == 's')
			mode = SETTINGS;
		else if (c == 'u')
			user = optarg;
		else
			return ctl_misuse("check", NULL);
	if (optind < argc)
		return ctl_misuse(
		    "check", "%s: the file is named by -f", argv[optind]);
	if (mode != SETTINGS)
		return config_check(mode, user);
	settings_print("", "");
	printf("# in price_file\n");
	settings_print(SCHEMA_PRICE_FILE, "");
	return 0;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * tailgate check: checks the configuration without starting anything, shows
 * what is in effect, and lists all settings.
 */
#include "config.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "config/schema.h"
#include "ctl/access.h"
#include "ctl/allow.h"
#include "ctl/ctl.h"
#include "policy/patterns.h"

#define JSON_MAX (8 * 1024 * 1024)
#define SERVICE_USER "tailgate"

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
 * them, so that a script can split them (tests/settings.sh does). */
static void
settings_print(const char *group, const char *prefix)
{
	for (size_t i = 0; i < schema_count; i++) {
		const struct schema *row = &schema_table[i];
		char range[SCHEMA_RANGE_SIZE], path[256], *unit;

		if (strcmp(row->group, group) != 0)
			continue;
		schema_range(row, range, sizeof(range));
		if ((unit = strstr(range, " (")) != NULL)
			*unit = '\0'; /* the type has the unit */
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

/* Mistakes in the files, and failures to access what the files name. */
struct findings {
	char *mistakes, *access;
	size_t mistakes_len;
};

/* Returns all of the file's text, which the caller frees, and closes it. */
static char *
read_back(FILE *file)
{
	char *text = NULL;
	long len = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : 0;

	if (len < 0 || (text = calloc(1, (size_t)len + 1)) == NULL)
		fatal("out of memory");
	rewind(file);
	text[fread(text, 1, (size_t)len, file)] = '\0';
	fclose(file);
	return text;
}

/* The findings about files and directories are lines of text. */
static void
json_access(const char *lines, bool comma, struct buf *out)
{
	while (*lines != '\0') {
		size_t len = strcspn(lines, "\n");

		buf_puts(out, comma ? ",\n " : "");
		buf_puts(out,
		    "{\"file\": null, \"line\": 0, \"level\": "
		    "\"error\", \"text\": ");
		buf_json(out, (struct span){ lines, len });
		buf_puts(out, "}");
		comma = true;
		lines += len + (lines[len] == '\n');
	}
}

/* {"file": ..., "good": true, "mistakes": [{"file", "line", "level",
 * "text"}, ...]} */
static void
print_json(bool good, const struct findings *f)
{
	size_t len = f->mistakes_len;
	struct buf out;

	buf_init(&out, JSON_MAX);
	buf_puts(&out, "{\"file\": ");
	buf_json(&out, span_of(ctl_config_path()));
	buf_printf(
	    &out, ", \"good\": %s, \"mistakes\": ", good ? "true" : "false");
	/* The closing bracket comes after the findings about access. */
	buf_add(&out, f->mistakes, len > 0 ? len - 1 : 0);
	json_access(f->access, len > 2, &out);
	buf_puts(&out, "]}\n");
	fwrite(out.p, 1, out.len, stdout);
	buf_free(&out);
}

enum mode { PROVE, DUMP, ALLOW, SETTINGS, JSON };

/* Loads the configuration.  All findings are in *f.  NULL: it is not usable. */
static struct config *
examine(enum mode mode, unsigned flags, const char *user, struct findings *f)
{
	FILE *mistakes = open_memstream(&f->mistakes, &f->mistakes_len);
	/* A file, because a child process writes to it as well. */
	FILE *access = tmpfile();
	struct config *config;
	bool good = true;

	if (mistakes == NULL || access == NULL)
		fatal("no memory, or no room for a temporary file");
	config = config_load_all(ctl_config_path(),
	    flags | CONFIG_ADVISE | (mode == JSON ? CONFIG_JSON : 0),
	    patterns_check, mistakes);
	/* A dump works on any machine, also without these files. */
	if (config != NULL && (mode == PROVE || mode == JSON))
		good = access_check(config, user, access) == 0;
	if (config != NULL && !good && mode == PROVE)
		fprintf(access, "%s: not usable until that is put right\n",
		    config->path);
	fclose(mistakes);
	f->access = read_back(access);
	if (good)
		return config;
	config_free(config);
	return NULL;
}

static void
findings_print(const struct findings *f, bool good, bool json)
{
	if (json) {
		print_json(good, f);
		return;
	}
	fputs(f->mistakes, stderr);
	fputs(f->access, stderr);
}

static const char *
plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static int
say_good(const struct config *config, bool as_root)
{
	fprintf(stderr, "%s: good: %zu provider%s, %zu model%s, %zu client%s\n",
	    config->path, config->nproviders, plural(config->nproviders),
	    config->nmodels, plural(config->nmodels), config->nclients,
	    plural(config->nclients));
	if (as_root)
		fprintf(stderr,
		    "  what the service may read and write: `tailgate check "
		    "--user " SERVICE_USER "`\n");
	return 0;
}

/* Confines the process first, unless access_check() has done so: with a user,
 * it has confined only its child. */
static int
config_show(
    const struct config *config, enum mode mode, const char *user, bool as_root)
{
	if ((mode != PROVE && mode != JSON) || user != NULL)
		if (ctl_confine(config,
			mode == ALLOW ? SANDBOX_PROBE : SANDBOX_CHECK,
			NULL) == -1)
			return 1;
	switch (mode) {
	case DUMP:
		config_dump(config, stdout);
		return 0;
	case ALLOW:
		return allow_print(config, stdout, stderr) == -1;
	case JSON:
		return 0;
	default:
		return say_good(config, as_root);
	}
}

static int
config_check(enum mode mode, unsigned flags, const char *user)
{
	struct findings f = { NULL, NULL, 0 };
	/* Root may do anything; if there is a user for the service, that user
	 * is meant. */
	bool as_root =
	    user == NULL && geteuid() == 0 && getpwnam(SERVICE_USER) != NULL;
	struct config *config = examine(mode, flags, user, &f);
	int status = 1;

	findings_print(&f, config != NULL, mode == JSON);
	free(f.mistakes);
	free(f.access);
	if (config != NULL)
		status = config_show(config, mode, user, as_root);
	config_free(config);
	return status;
}

const struct ctl_option ctl_check_options[] = {
	{ "dump", NULL, 'd',
	    "print what is in effect, defaults included, without secrets" },
	{ "json", NULL, 'j', "print what is wrong as JSON" },
	{ "no-keys", NULL, 'n',
	    "read no provider's key, for whoever may not read them" },
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
	unsigned flags = 0;
	int c;

	while (
	    (c = ctl_option_next(argc, argv, "check", ctl_check_options)) != -1)
		if (c == 'd')
			mode = DUMP;
		else if (c == 'a')
			mode = ALLOW;
		else if (c == 's')
			mode = SETTINGS;
		else if (c == 'j')
			mode = JSON;
		else if (c == 'n')
			flags |= CONFIG_NO_SECRETS;
		else if (c == 'u')
			user = optarg;
		else
			return ctl_misuse("check", NULL);
	if (optind < argc)
		return ctl_misuse(
		    "check", "%s: the file is named by -f", argv[optind]);
	if (mode != SETTINGS)
		return config_check(mode, flags, user);
	settings_print("", "");
	printf("# in price_file\n");
	settings_print(SCHEMA_PRICE_FILE, "");
	return 0;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The clients file: keys that work, edits that keep the rest of the file,
 * several writers at once, and values that are refused before anything is
 * written.
 */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/digest.h"
#include "config/clients.h"
#include "config/settings.h"

#include "check.h"

#define WRITERS 8
#define EACH 5

static char dir[] = "/tmp/tailgate-clients.XXXXXX";
static char file[4096], conf[4096];
static char said[8192];

/* What the function under test wrote to its FILE. */
static FILE *
listen_to(void)
{
	FILE *f = tmpfile();

	if (f == NULL)
		exit(99);
	return f;
}

static void
heard(FILE *f)
{
	size_t n;

	rewind(f);
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = '\0';
	fclose(f);
}

static int
add(const char *name, const struct clients_change *changes, size_t n,
    char key[CLIENTS_KEY_SIZE])
{
	FILE *err = listen_to();
	int status = clients_add(file, name, changes, n, key, err);

	heard(err);
	return status;
}

static struct config *
load(void)
{
	FILE *err = listen_to();
	struct config *config = config_load(conf, 0, err);

	heard(err);
	return config;
}

static void
write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fputs(text, f) == EOF || fclose(f) == EOF)
		exit(99);
}

static void
test_add(void)
{
	static const struct clients_change said_of_it[] = {
		{ "models", "[ \"a*\", \"b\" ]", "--models" },
		{ "place", "\"external\"", "--place" },
		{ "expires", "\"2036-01-01\"", "--expires" },
		{ "operator", "true", "--operator" },
		{ "budget.usd_per_day", "5", "--usd-per-day" },
		{ "budget.concurrent", "2", "--concurrent" },
	};
	unsigned char digest[DIGEST_BYTES];
	char key[CLIENTS_KEY_SIZE], other[CLIENTS_KEY_SIZE];
	struct config *config;
	struct stat st;

	CHECK(
	    add("me", said_of_it, 6, key) == 0, "a client is added to no file");
	CHECK(strlen(key) == CLIENTS_KEY_SIZE - 1 &&
		strncmp(key, "tg-", 3) == 0 &&
		strspn(key + 3,
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
		    "qrstuvwxyz0123456789") == 43,
	    "its key has 43 letters and digits");
	CHECK(stat(file, &st) == 0 && (st.st_mode & 0777) == 0640,
	    "the new file has mode 640");
	CHECK(add("second", NULL, 0, other) == 0 && strcmp(key, other) != 0,
	    "the next one has another key");
	config = load();
	CHECK(config != NULL && config->nclients == 2, "both are loaded");
	if (config == NULL)
		return;
	digest_make(key, strlen(key), digest);
	CHECK(config->clients[0].has_key &&
		digest_equal(digest, config->clients[0].key_digest),
	    "the digest is that of the key");
	CHECK(config->clients[0].nmodels == 2 &&
		config->clients[0].place == PLACE_EXTERNAL &&
		config->clients[0].operator&& !config->clients[0].explain,
	    "and what was said of the client is there");
	CHECK(config->clients[0].budget.nanousd_per_day == 5000000000 &&
		config->clients[0].budget.concurrent == 2,
	    "its budget too");
	CHECK(config->clients[1].place == PLACE_LOCAL &&
		config->clients[1].nmodels == 1 && !config->clients[1].operator,
	    "and what was not said is the default");
	config_free(config);
}

/* The file's present text; the caller frees it. */
static char *
contents(void)
{
	char *text = calloc(1, 65536);
	FILE *f = fopen(file, "r");

	if (text == NULL || f == NULL || fread(text, 1, 65535, f) == 0)
		exit(99);
	fclose(f);
	return text;
}

static void
test_refused(void)
{
	static const struct {
		const char *name;
		struct clients_change change;
		const char *want;
	} cases[] = {
		{ "me", { "place", "\"local\"", "--place" },
		    "client \"me\" exists already" },
		{ "a b", { "place", "\"local\"", "--place" },
		    "must be a name of letters" },
		{ "../x", { "place", "\"local\"", "--place" },
		    "must be a name of letters" },
		{ "a\";\nevil", { "place", "\"local\"", "--place" },
		    "holds a control character" },
		{ "", { "place", "\"local\"", "--place" },
		    "must have 1..64 bytes" },
		{ "x", { "place", "\"mars\"", "--place" },
		    "--place: must be one of: local" },
		{ "x", { "expires", "\"soon\"", "--expires" },
		    "--expires: must be a date" },
		{ "x", { "models", "[ \"\" ]", "--models" },
		    "--models: must have 1..256 bytes" },
		{ "x", { "budget.usd_per_day", "-1", "--usd-per-day" },
		    "--usd-per-day: must be" },
		{ "x", { "key_sha256", "\"tg-abc\"", "--key-sha256" },
		    "--key-sha256: must be the SHA-256" },
	};
	char key[CLIENTS_KEY_SIZE], *before = contents(), *after;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK(add(cases[i].name, &cases[i].change, 1, key) == -1 &&
			strstr(said, cases[i].want) != NULL,
		    "refused: %s", cases[i].want);
	}
	after = contents();
	CHECK_STR(after, before, "and the file is as it was");
	free(before);
	free(after);
}

static void
test_remove(void)
{
	FILE *err = listen_to();
	struct config *config;
	struct stat st;

	CHECK(chmod(file, 0600) == 0 && clients_remove(file, "me", err) == 0,
	    "a client is removed");
	CHECK(stat(file, &st) == 0 && (st.st_mode & 0777) == 0600,
	    "the file keeps its mode");
	CHECK(clients_remove(file, "me", err) == -1, "but not twice");
	heard(err);
	CHECK(
	    strstr(said, "there is no client \"me\"") != NULL, "which is said");
	config = load();
	CHECK(config != NULL && config->nclients == 1, "the others stay");
	config_free(config);
}

static void
test_broken(void)
{
	char key[CLIENTS_KEY_SIZE], *text;
	static const char bad[] = "clients = ( { name = \"a\"; user = \"u\"; "
				  "models = 3; } );\n";

	write_text(file, bad);
	CHECK(add("new", NULL, 0, key) == -1 &&
		strstr(said, ":1: clients[0].models: must be") != NULL,
	    "a file with a mistake is not touched");
	text = contents();
	CHECK_STR(text, bad, "really");
	free(text);
	unlink(file);
	CHECK(clients_add("/nonexistent/clients.conf", "new", NULL, 0, key,
		  stdout) == -1,
	    "no directory, no client");
}

/* Whatever somebody wrote by hand survives an addition. */
static void
test_kept(void)
{
	char key[CLIENTS_KEY_SIZE];
	struct config *config;

	write_text(file,
	    "clients = ( { name = \"hand\"; user = \"a\\\\b\\\"c\";\n"
	    "  networks = [ \"10.0.0.0/8\" ]; priority = 42;\n"
	    "  budget = { usd_per_day = 0.0125; tokens_per_day = "
	    "5000000000L; }; } );\n");
	CHECK(add("new", NULL, 0, key) == 0,
	    "a client is added beside one by hand");
	config = load();
	CHECK(config != NULL && config->nclients == 2, "both are there");
	if (config == NULL)
		return;
	CHECK_STR(config->clients[0].user, "a\\b\"c", "odd strings survive");
	CHECK(config->clients[0].priority == 42 &&
		config->clients[0].nnetworks == 1 &&
		config->clients[0].budget.nanousd_per_day == 12500000 &&
		config->clients[0].budget.tokens_per_day == 5000000000u,
	    "and so does everything else");
	config_free(config);
	unlink(file);
}

/* Edits of one text: the text before, the edit, the text after. */
static const struct edit_case {
	const char *what, *before;
	const char *verb, *name, *setting, *value;
	const char *after;
} edits[] = {
	{ "a value in its place, comments kept",
	    "# ours\nclients = (\n  # Anna\n  { name = \"anna\"; user = \"a\"; "
	    "// says so\n    place = \"local\"; /* for now */ } # last\n);\n"
	    "# end\n",
	    "set", "anna", "place", "\"external\"",
	    "# ours\nclients = (\n  # Anna\n  { name = \"anna\"; user = \"a\"; "
	    "// says so\n    place = \"external\"; /* for now */ } # last\n);"
	    "\n# end\n" },
	{ "a setting after the last one, in its column",
	    "clients = (\n  { name = \"a\";\n    user = \"u\"; # one\n  "
	    "}\n);\n",
	    "set", "a", "priority", "20",
	    "clients = (\n  { name = \"a\";\n    user = \"u\";\n    priority = "
	    "20; # one\n  }\n);\n" },
	{ "a setting after one without a semicolon",
	    "clients = ( { name = \"a\"; user = \"u\" } );\n", "set", "a",
	    "budget.concurrent", "3",
	    "clients = ( { name = \"a\"; user = \"u\"; budget = { concurrent = "
	    "3; }; } );\n" },
	{ "a bound beside another",
	    "clients = ( { name = \"a\"; user = \"u\"; budget : { concurrent: "
	    "3 "
	    "}; } );\n",
	    "set", "a", "budget.usd_per_day", "0.5",
	    "clients = ( { name = \"a\"; user = \"u\"; budget : { concurrent: "
	    "3; usd_per_day = 0.5; }; } );\n" },
	{ "a bound away",
	    "clients = ( { name = \"a\"; user = \"u\"; budget = { concurrent = "
	    "3; usd_per_day = 1.0; }; } );\n",
	    "set", "a", "budget.concurrent", NULL,
	    "clients = ( { name = \"a\"; user = \"u\"; budget = { usd_per_day "
	    "= "
	    "1.0; }; } );\n" },
	{ "a line away, the comment above it not",
	    "clients = ( { name = \"a\"; user = \"u\";\n  # till\n  expires = "
	    "\"2036-01-01\";\n  priority = 3; } );\n",
	    "set", "a", "expires", NULL,
	    "clients = ( { name = \"a\"; user = \"u\";\n  # till\n  priority = "
	    "3; } );\n" },
	{ "braces, quotes and words in strings and comments",
	    "/* clients = ( { name = \"b\"; } ) */\nclients = ( { name = "
	    "\"a\"; "
	    "# } );\n user = \"}\\\\\\\"{ # \" \"//\"; } );\n",
	    "set", "a", "place", "\"external\"",
	    "/* clients = ( { name = \"b\"; } ) */\nclients = ( { name = "
	    "\"a\"; "
	    "# } );\n user = \"}\\\\\\\"{ # \" \"//\";\n place = \"external\"; "
	    "} "
	    ");\n" },
	{ "the first of three",
	    "clients = (\n  # A\n  { name = \"a\"; user = \"u\"; },\n  { name "
	    "= "
	    "\"b\"; user = \"v\"; }, # B\n  { name = \"c\"; user = \"w\"; }\n);"
	    "\n",
	    "rm", "a", NULL, NULL,
	    "clients = (\n  # A\n  { name = \"b\"; user = \"v\"; }, # B\n  { "
	    "name = \"c\"; user = \"w\"; }\n);\n" },
	{ "the last of two",
	    "clients = (\n  { name = \"a\"; user = \"u\"; }, # A\n  { name = "
	    "\"b\"; user = \"v\"; }\n);\n",
	    "rm", "b", NULL, NULL,
	    "clients = (\n  { name = \"a\"; user = \"u\"; } # A\n);\n" },
	{ "the only one", "clients = ( { name = \"a\"; user = \"u\"; } );\n",
	    "rm", "a", NULL, NULL, "clients = ( );\n" },
};

static int
edit(const struct edit_case *c)
{
	struct clients_change change = { c->setting, c->value, "--it" };
	FILE *err = listen_to();
	int status = strcmp(c->verb, "rm") == 0
	    ? clients_remove(file, c->name, err)
	    : clients_set(file, c->name, &change, 1, err);

	heard(err);
	return status;
}

static void
test_edits(void)
{
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		char *after;

		write_text(file, edits[i].before);
		CHECK(edit(&edits[i]) == 0, "%s: %s", edits[i].what, said);
		after = contents();
		CHECK_STR(after, edits[i].after, edits[i].what);
		free(after);
	}
	unlink(file);
}

static bool
knows(const struct config *config, const char *key)
{
	unsigned char digest[DIGEST_BYTES];
	size_t n;

	digest_make(key, strlen(key), digest);
	return config_keyed_find(config, digest, &n) != NULL;
}

static void
test_rotate(void)
{
	char old[CLIENTS_KEY_SIZE], new[CLIENTS_KEY_SIZE];
	struct config *config;

	CHECK(add("r", NULL, 0, old) == 0 &&
		clients_rotate(file, "r", 3600000, new, stderr) == 0,
	    "a key is rotated with an overlap");
	config = load();
	CHECK(config != NULL && knows(config, old) && knows(config, new),
	    "both keys are known: %s", said);
	config_free(config);
	memcpy(old, new, sizeof(old));
	CHECK(clients_rotate(file, "r", 0, new, stderr) == 0, "and without");
	config = load();
	CHECK(config != NULL && !knows(config, old) && knows(config, new) &&
		!config->clients[0].has_old_key,
	    "then only the new one is");
	config_free(config);
	CHECK(clients_rotate(file, "x", 0, new, stdout) == -1,
	    "nobody's key is not rotated");
	unlink(file);
}

/* A client's own value, else its group's, else the default; each on its own. */
static void
test_groups(void)
{
	const struct client *c;
	struct config *config;
	char grouped[4096];
	FILE *err = listen_to();

	snprintf(grouped, sizeof(grouped), "%s/groups.conf", dir);
	write_text(grouped,
	    "clients_file = \"clients.conf\";\n"
	    "providers = ( { name = \"e\"; kind = \"echo\"; place = "
	    "\"local\"; } );\n"
	    "models = ( { id = \"e\"; targets = ( { provider = \"e\"; model "
	    "= \"e\"; } ); } );\n"
	    "default_client = { place = \"external\"; priority = 5;\n"
	    "  budget = { concurrent = 4; usd_per_day = 1.0; }; };\n"
	    "client_groups = ( { name = \"team\"; models = [ \"e\" ];\n"
	    "  budget = { usd_per_day = 2.0; tokens_per_day = 7; }; } );\n");
	write_text(file,
	    "clients = ( { name = \"a\"; user = \"a\"; group = \"team\";\n"
	    "  budget = { tokens_per_day = 9; }; },\n"
	    "  { name = \"b\"; user = \"b\"; priority = 7; } );\n");
	config = config_load(grouped, 0, err);
	heard(err);
	CHECK(config != NULL, "groups are loaded: %s", said);
	if (config == NULL)
		return;
	c = &config->clients[0];
	CHECK(c->place == PLACE_EXTERNAL && c->priority == 5 &&
		c->nmodels == 1 && strcmp(c->models[0], "e") == 0,
	    "a client has what its group and the default say");
	CHECK(c->budget.concurrent == 4 && c->budget.tokens_per_day == 9 &&
		c->budget.nanousd_per_day == 2000000000,
	    "and each bound from the nearest of them");
	c = &config->clients[1];
	CHECK(c->priority == 7 && c->budget.nanousd_per_day == 1000000000 &&
		strcmp(c->models[0], "*") == 0,
	    "without a group only the default counts");
	config_free(config);
	write_text(file,
	    "clients = ( { name = \"a\"; user = \"a\"; group = \"tem\"; } "
	    ");\n");
	err = listen_to();
	CHECK(config_load(grouped, 0, err) == NULL, "a group has to exist");
	heard(err);
	CHECK(strstr(said,
		  "clients[0].group: there is no \"tem\" in "
		  "client_groups") != NULL,
	    "as is said: %s", said);
	unlink(grouped);
	unlink(file);
}

static void
test_at_once(void)
{
	struct config *config;
	int status, good = 0;

	fflush(stdout);
	for (int i = 0; i < WRITERS; i++)
		if (fork() == 0) {
			for (int j = 0; j < EACH; j++) {
				char name[32], key[CLIENTS_KEY_SIZE];

				snprintf(name, sizeof(name), "c%d-%d", i, j);
				if (clients_add(
					file, name, NULL, 0, key, stderr) == -1)
					_exit(1);
			}
			_exit(0);
		}
	while (wait(&status) != -1)
		good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	CHECK(good == WRITERS, "%d processes add clients at once", WRITERS);
	config = load();
	CHECK(config != NULL && config->nclients == WRITERS * EACH,
	    "and none is lost");
	config_free(config);
}

static void
test_nothing_left(void)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int n = 0;

	while (d != NULL && (entry = readdir(d)) != NULL)
		if (entry->d_name[0] != '.')
			n++;
	closedir(d);
	CHECK(n == 2, "no temporary file is left");
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return 99;
	snprintf(file, sizeof(file), "%s/clients.conf", dir);
	snprintf(conf, sizeof(conf), "%s/tailgate.conf", dir);
	write_text(conf,
	    "clients_file = \"clients.conf\";\n"
	    "providers = ( { name = \"e\"; kind = \"echo\"; place = "
	    "\"local\"; } );\n"
	    "models = ( { id = \"e\"; targets = ( { provider = \"e\"; model "
	    "= \"e\"; } ); } );\n");
	test_add();
	test_refused();
	test_remove();
	test_broken();
	test_kept();
	test_edits();
	test_rotate();
	test_groups();
	test_at_once();
	test_nothing_left();
	unlink(file);
	unlink(conf);
	rmdir(dir);
	return check_done();
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The clients file: keys that work, a file that keeps what it had, several
 * writers at once, and values that are refused before anything is written.
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

/* What the function under test said to its FILE. */
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
add(const struct clients_entry *entry, char key[CLIENTS_KEY_SIZE])
{
	FILE *err = listen_to();
	int status = clients_add(file, entry, key, err);

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
	static const char *const globs[] = { "a*", "b" };
	struct clients_entry entry = { .name = "me",
		.models = globs,
		.nmodels = 2,
		.place = "external",
		.expires = "2036-01-01",
		.operator= true };
	unsigned char digest[DIGEST_BYTES];
	char key[CLIENTS_KEY_SIZE], other[CLIENTS_KEY_SIZE];
	struct clients_entry second = { .name = "second" };
	struct config *config;
	struct stat st;

	CHECK(add(&entry, key) == 0, "a client is added to no file");
	CHECK(strlen(key) == CLIENTS_KEY_SIZE - 1 &&
		strncmp(key, "tg-", 3) == 0 &&
		strspn(key + 3,
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
		    "qrstuvwxyz0123456789") == 43,
	    "its key has 43 letters and digits");
	CHECK(stat(file, &st) == 0 && (st.st_mode & 0777) == 0640,
	    "the new file has mode 640");
	CHECK(add(&second, other) == 0 && strcmp(key, other) != 0,
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
	CHECK(config->clients[1].place == PLACE_LOCAL &&
		config->clients[1].nmodels == 1 && !config->clients[1].operator,
	    "and what was not said is the default");
	config_free(config);
}

/* The file as it is now; the caller frees. */
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
	static const char *const star[] = { "" };
	static const struct {
		struct clients_entry entry;
		const char *want;
	} cases[] = {
		{ { .name = "me" }, "there is a client \"me\" already" },
		{ { .name = "a b" }, "must be a name of letters" },
		{ { .name = "../x" }, "must be a name of letters" },
		{ { .name = "a\";\nevil" }, "holds a control character" },
		{ { .name = "" }, "must have 1..64 bytes" },
		{ { .name = "x", .place = "mars" }, "must be one of: local" },
		{ { .name = "x", .expires = "soon" }, "must be a date" },
		{ { .name = "x", .models = star, .nmodels = 1 },
		    "must have 1..256 bytes" },
	};
	char key[CLIENTS_KEY_SIZE], *before = contents(), *after;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK(add(&cases[i].entry, key) == -1 &&
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
	FILE *err = listen_to(), *out = listen_to();
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
	CHECK(clients_list(file, out, stderr) == 0, "they are listed");
	heard(out);
	CHECK(strstr(said, "second") != NULL && strstr(said, "\nme ") == NULL,
	    "by name");
}

static void
test_broken(void)
{
	struct clients_entry entry = { .name = "new" };
	char key[CLIENTS_KEY_SIZE], *text;
	static const char bad[] = "clients = ( { name = \"a\"; user = \"u\"; "
				  "models = 3; } );\n";

	write_text(file, bad);
	CHECK(add(&entry, key) == -1 &&
		strstr(said, ":1: clients[0].models: must be") != NULL,
	    "a file with a mistake is not touched");
	text = contents();
	CHECK_STR(text, bad, "really");
	free(text);
	unlink(file);
	CHECK(
	    clients_add("/nonexistent/clients.conf", &entry, key, stdout) == -1,
	    "no directory, no client");
}

/* Everything that somebody wrote by hand survives an addition. */
static void
test_kept(void)
{
	struct clients_entry entry = { .name = "new" };
	char key[CLIENTS_KEY_SIZE];
	struct config *config;

	write_text(file,
	    "clients = ( { name = \"hand\"; user = \"a\\\\b\\\"c\";\n"
	    "  networks = [ \"10.0.0.0/8\" ]; priority = 42;\n"
	    "  budget = { usd_per_day = 0.0125; tokens_per_day = "
	    "5000000000L; }; } );\n");
	CHECK(add(&entry, key) == 0, "a client is added beside one by hand");
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
				struct clients_entry entry = { .name = name };

				snprintf(name, sizeof(name), "c%d-%d", i, j);
				if (clients_add(file, &entry, key, stderr) ==
				    -1)
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
	test_at_once();
	test_nothing_left();
	unlink(file);
	unlink(conf);
	rmdir(dir);
	return check_done();
}

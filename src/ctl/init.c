/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * tailgate init: a configuration that works at once.  It leads to the model
 * servers that run on this host, or else to the echo provider.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "config/clients.h"
#include "ctl/ctl.h"
#include "ctl/detect.h"

#define CONFIG_MAX (1024 * 1024)

struct init {
	const char *dir;
	const char *runtime_dir, *state_dir;
	const char *client;
	bool force;
	char *file, *clients_file;
};

static void
put_string(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s = \"", name);
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			buf_puts(out, "\\");
		buf_add(out, value, 1);
	}
	buf_puts(out, "\";");
}

static void
put_server(
    struct buf *limits, struct buf *providers, const struct detected *server)
{
	const char *comma = limits->len > 0 ? "," : "";

	buf_printf(limits, "%s\n  { name = \"%s\"; slots = %u; }", comma,
	    server->name, server->slots);
	buf_printf(providers,
	    "%s\n  { name = \"%s\"; place = \"local\"; limit = \"%s\";\n"
	    "    url = \"http://127.0.0.1:%u/v1\";",
	    comma, server->name, server->name, server->port);
	if (server->counts != NULL)
		buf_printf(providers, " counts = \"%s\";", server->counts);
	buf_puts(providers, " }");
}

/* Two servers may list the same model: the first one gets it. */
static bool
listed_before(const struct detected *found, size_t server, const char *model)
{
	for (size_t i = 0; i < server; i++)
		for (size_t j = 0; j < found[i].nmodels; j++)
			if (strcmp(found[i].models[j].model, model) == 0)
				return true;
	return false;
}

static void
put_ability(struct buf *out, const char *name, enum tri value)
{
	if (value != TRI_UNSET)
		buf_printf(out, " %s = %s;", name,
		    value == TRI_YES ? "true" : "false");
}

static void
put_model(
    struct buf *models, const char *provider, const struct facts_learned *model)
{
	buf_puts(models, models->len > 0 ? ",\n  { " : "\n  { ");
	put_string(models, "id", model->model);
	buf_printf(models, "\n    targets = ( { provider = \"%s\"; ", provider);
	put_string(models, "model", model->model);
	if (model->context > 0)
		buf_printf(models, " context = %" PRIu64 ";", model->context);
	put_ability(models, "images", model->images);
	put_ability(models, "audio", model->audio);
	put_ability(models, "tools", model->tools);
	/* All of the usual servers report usage if asked. */
	buf_puts(models, " usage = \"ask\"; } ); }");
}

static void
put_models(struct buf *models, const struct detected *found, size_t server)
{
	const struct detected *s = &found[server];

	for (size_t j = 0; j < s->nmodels; j++) {
		const char *name = s->models[j].model;
		bool twice = listed_before(found, server, name);

		for (size_t k = 0; k < j && !twice; k++)
			twice = strcmp(s->models[k].model, name) == 0;
		if (!twice)
			put_model(models, s->name, &s->models[j]);
	}
}

static void
put_head(struct buf *out, const struct init *init)
{
	buf_puts(out,
	    "# Written by `tailgate init`; yours from now on.  Everything "
	    "that\n"
	    "# can stand here is in tailgate.conf(5).\n\n");
	if (init->runtime_dir != NULL) {
		put_string(out, "runtime_dir", init->runtime_dir);
		buf_puts(out, "\n");
	}
	if (init->state_dir != NULL) {
		put_string(out, "state_dir", init->state_dir);
		buf_puts(out, "\n");
	}
	buf_puts(out, "clients_file = \"clients.conf\";\n\n");
}

/* Makes the configuration for the servers that it finds, and prints which. */
static void
config_make(struct buf *out, const struct init *init)
{
	struct detected found[DETECT_SERVERS_MAX];
	struct buf limits, providers, models;
	size_t n = detect(found);

	buf_init(&limits, CONFIG_MAX);
	buf_init(&providers, CONFIG_MAX);
	buf_init(&models, CONFIG_MAX);
	for (size_t i = 0; i < n; i++) {
		fprintf(stderr, "found %s on port %u with %zu model%s\n",
		    found[i].name, found[i].port, found[i].nmodels,
		    found[i].nmodels == 1 ? "" : "s");
		put_server(&limits, &providers, &found[i]);
		put_models(&models, found, i);
	}
	if (n == 0) {
		fputs("no model server answers on this host: using the echo "
		      "provider\n",
		    stderr);
		buf_puts(&providers,
		    "\n  { name = \"echo\"; kind = \"echo\"; place = "
		    "\"local\"; }");
		buf_puts(&models,
		    "\n  { id = \"echo\"; targets = ( { provider = \"echo\"; "
		    "model = \"echo\"; } ); }");
	}
	put_head(out, init);
	if (n > 0)
		buf_printf(out, "limits = (%s\n);\n\n", limits.p);
	buf_printf(out, "providers = (%s\n);\n\nmodels = (%s\n);\n",
	    providers.p, models.p);
	buf_free(&limits);
	buf_free(&providers);
	buf_free(&models);
	detect_free(found, n);
}

static int
complain(const char *path)
{
	fprintf(stderr, "tailgate init: %s: %s\n", path, strerror(errno));
	return -1;
}

/* Makes the directory; one that exists stays as it is. */
static int
dir_make(const char *base, const char *path, mode_t mode)
{
	char *full = NULL;
	int status = 0;

	if (path == NULL)
		return 0;
	if (asprintf(&full, "%s%s%s", *path == '/' ? "" : base,
		*path == '/' ? "" : "/", path) == -1)
		fatal("out of memory");
	if (mkdir(full, mode) == -1 && errno != EEXIST)
		status = complain(full);
	free(full);
	return status;
}

static int
file_write(const char *path, const struct buf *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	char dir[4096];
	struct stat st;
	size_t done = 0;
	ssize_t n;

	if (fd == -1)
		return complain(path);
	/* It gets its directory's group, which the service's user is in. */
	strlcpy(dir, path, sizeof(dir));
	if (geteuid() == 0 && stat(dirname(dir), &st) == 0 &&
	    fchown(fd, (uid_t)-1, st.st_gid) == -1)
		complain(path);
	while (done < text->len) {
		n = write(fd, text->p + done, text->len - done);
		if (n == -1 && errno != EINTR) {
			complain(path);
			close(fd);
			return -1;
		}
		if (n > 0)
			done += (size_t)n;
	}
	return close(fd) == -1 ? complain(path) : 0;
}

/* 0: it was written now, or exists and a client is to be made for it. */
static int
config_write_new(const struct init *init)
{
	struct buf text;
	int status = -1;

	if (!init->force && access(init->file, F_OK) == 0) {
		fprintf(stderr,
		    "%s is there already and stays as it is; --force writes "
		    "over it\n",
		    init->file);
		return init->client == NULL ? -1 : 0;
	}
	buf_init(&text, 4 * CONFIG_MAX);
	config_make(&text, init);
	if (buf_failed(&text))
		fprintf(stderr, "tailgate init: too many models\n");
	else if ((status = file_write(init->file, &text)) == 0)
		fprintf(stderr,
		    "wrote %s; next: `tailgate check`, `tailgate client add "
		    "NAME`, and a reload if a gateway runs\n",
		    init->file);
	buf_free(&text);
	return status;
}

/* Prints only the client's key on standard output.  A client of this name keeps
 * its key, unless --force replaces it. */
static int
client_make(const struct init *init)
{
	static const struct clients_change rights[] = {
		{ "operator", "true", "operator" },
		{ "explain", "true", "explain" },
	};
	char key[CLIENTS_KEY_SIZE], *said = NULL;
	size_t len = 0;
	FILE *hush = NULL;

	if (init->force && access(init->clients_file, F_OK) == 0) {
		if ((hush = open_memstream(&said, &len)) == NULL)
			fatal("out of memory");
		clients_remove(init->clients_file, init->client, hush);
		fclose(hush);
		free(said);
	}
	if (clients_add(
		init->clients_file, init->client, rights, 2, key, stderr) == -1)
		return -1;
	fprintf(stderr, "client %s is in %s; its key:\n", init->client,
	    init->clients_file);
	puts(key);
	explicit_bzero(key, sizeof(key));
	return 0;
}

/* Called before anything that listens on this host is asked.  From then on the
 * process can only write the directory's files and connect to the usual
 * ports. */
static int
confine(const struct init *init)
{
	struct provider providers[DETECT_SERVERS_MAX] = { { .port = 0 } };
	struct config config = { .path = init->file,
		.clients_file = init->clients_file,
		.providers = providers,
		.nproviders = DETECT_SERVERS_MAX,
		.sandbox = CONFINE_ON };
	uint16_t ports[DETECT_SERVERS_MAX];

	detect_ports(ports);
	for (size_t i = 0; i < DETECT_SERVERS_MAX; i++)
		providers[i].port = ports[i];
	return ctl_confine(&config, SANDBOX_INIT, NULL);
}

static int
init_run(struct init *init)
{
	int status = 1;

	if (asprintf(&init->file, "%s/tailgate.conf", init->dir) == -1 ||
	    asprintf(&init->clients_file, "%s/clients.conf", init->dir) == -1)
		fatal("out of memory");
	if (mkdir(init->dir, 0750) == -1 && errno != EEXIST)
		complain(init->dir);
	else if (dir_make(init->dir, init->runtime_dir, 0700) == 0 &&
	    dir_make(init->dir, init->state_dir, 0700) == 0 &&
	    confine(init) == 0 && config_write_new(init) == 0 &&
	    (init->client == NULL || client_make(init) == 0))
		status = 0;
	free(init->file);
	free(init->clients_file);
	return status;
}

const struct ctl_option ctl_init_options[] = {
	{ "client", "NAME", 'c', "make a client too and print its key" },
	{ "force", NULL, 'f', "replace a configuration that exists" },
	{ "runtime-dir", "DIR", 'r', "directory of slots and shared state" },
	{ "state-dir", "DIR", 's', "directory of the ledger and budgets" },
	{ NULL, NULL, 0, NULL },
};

int
ctl_init(int argc, char **argv)
{
	struct init init = { .dir = NULL };
	char *path;
	int c, status;

	while (
	    (c = ctl_option_next(argc, argv, "init", ctl_init_options)) != -1)
		switch (c) {
		case 'c':
			init.client = optarg;
			break;
		case 'f':
			init.force = true;
			break;
		case 'r':
			init.runtime_dir = optarg;
			break;
		case 's':
			init.state_dir = optarg;
			break;
		default:
			return ctl_misuse("init", NULL);
		}
	if (optind < argc)
		init.dir = argv[optind++];
	if (optind < argc)
		return ctl_misuse(
		    "init", "%s: one directory is enough", argv[optind]);
	/* If a directory is given, everything is in it. */
	if (init.dir != NULL && init.runtime_dir == NULL)
		init.runtime_dir = "run";
	if (init.dir != NULL && init.state_dir == NULL)
		init.state_dir = "state";
	if ((path = strdup(ctl_config_path())) == NULL)
		fatal("out of memory");
	if (init.dir == NULL)
		init.dir = dirname(path);
	status = init_run(&init);
	free(path);
	return status;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * tailgate.fcgi: reads the options, confines the process, and then runs the
 * pool of workers or, as a plain CGI program, serves one request.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/task.h"
#include "base/version.h"
#include "config/settings.h"
#include "serve/libraries.h"
#include "serve/listener.h"
#include "serve/parent.h"
#include "serve/proof.h"
#include "serve/request.h"
#include "serve/upgrade.h"
#include "serve/waker.h"
#include "wire/cgi.h"

#define DEFAULT_CONFIG SYSCONFDIR "/tailgate/tailgate.conf"

static void
usage(FILE *out)
{
	fputs(
	    "usage: tailgate.fcgi [-f FILE] [-s SOCKET]\n"
	    "       tailgate.fcgi --prove [-f FILE]\n"
	    "       tailgate.fcgi --help | --version\n"
	    "  -f FILE    the configuration (" DEFAULT_CONFIG ")\n"
	    "  -s SOCKET  make a listening socket at this path\n"
	    "  --prove    only say whether it would start (an upgrade asks)\n",
	    out);
}

static void
raise_limits(void)
{
	struct rlimit files;

	/* A stream needs four descriptors. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static struct server cgi_server;
static struct task *cgi_task;

/* The web server's signal that the client has gone (lighttpd's cgi.limits). */
static void
on_term(int sig)
{
	(void)sig;
	atomic_store(&cgi_server.aborting, true);
	if (cgi_task != NULL)
		task_wake(cgi_task);
}

static void
serve_one(void *ctx)
{
	struct arena *arena = arena_new();
	struct io *io = cgi_begin();
	struct request *request;
	bool *cut = ctx;

	cgi_task = task_self();
	request = request_serve(&cgi_server, io, arena);
	io_flush(io);
	*cut = request->response.cut;
	request_settle(request);
	purse_end(cgi_server.purse);
	leases_end(cgi_server.leases);
	circuits_end(cgi_server.circuits);
	store_end(cgi_server.store);
	arena_free(arena);
	cgi_task = NULL;
}

/* With what is forked while the process may do so yet. */
static bool
open_cgi(struct config *config, char *why, size_t size)
{
	int waker = -1;

	if (waker_needed(config) && (waker = waker_start(config)) == -1)
		log_warn("hosts can't be woken: %s", strerror(errno));
	if (server_open(&cgi_server, config, SANDBOX_CGI, -1, why, size) == -1)
		return false;
	cgi_server.waker = waker;
	return true;
}

/* The loop of a worker, for one request. */
static int
serve_cgi(struct config *config)
{
	char why[512];
	bool cut = false;

	if (!open_cgi(config, why, sizeof(why))) {
		log_error("%s", why);
		fputs(
		    "Status: 503 Service Unavailable\r\n"
		    "Content-Type: application/json\r\n"
		    "Retry-After: 5\r\n\r\n"
		    "{\"error\":{\"message\":\"The gateway can't start; its "
		    "log says why.\",\"type\":\"server_error\",\"param\":null,"
		    "\"code\":\"gateway_exhausted\"}}",
		    stdout);
		return 1;
	}
	task_open();
	task_on_signal(SIGTERM, on_term);
	if (task_start(serve_one, &cut) == -1)
		fatal("can't start: %s", strerror(errno));
	task_loop();
	server_close(&cgi_server);
	task_close();
	return cut ? 1 : 0;
}

/* Some web servers pass a query without "=" as arguments (RFC 3875 4.4):
 * then the client would choose the options. */
static bool
has_clients_arguments(int argc)
{
	const char *query = getenv("QUERY_STRING");

	return argc > 1 && listener_is_cgi() && query != NULL &&
	    *query != '\0' && strchr(query, '=') == NULL;
}

static int
refuse_arguments(void)
{
	fputs("Status: 400 Bad Request\r\n"
	      "Content-Type: text/plain\r\n\r\n"
	      "A query is written as name=value.\n",
	    stdout);
	return 1;
}

static int
serve_pool(
    struct config *config, const char *path, const struct upgrade *before)
{
	char why[512];
	bool made;
	int fd;

	if (before != NULL)
		return parent_run(config, before->listen_fd,
		    before->made ? path : NULL, before);
	if ((fd = listener_open(path, &made, why, sizeof(why))) == -1) {
		log_error("%s", why);
		config_free(config);
		return 1;
	}
	return parent_run(config, fd, made ? path : NULL, NULL);
}

struct arguments {
	const char *file, *path;
	bool prove;
};

/* -1: go on; else the exit status. */
static int
read_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "prove", no_argument, NULL, 'P' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "f:s:Vh", options, NULL)) != -1) {
		switch (opt) {
		case 'f':
			a->file = optarg;
			break;
		case 's':
			a->path = optarg;
			break;
		case 'P':
			a->prove = true;
			break;
		case 'V':
			puts("tailgate " TAILGATE_VERSION);
			return 0;
		default:
			usage(opt == 'h' ? stdout : stderr);
			return opt == 'h' ? 0 : 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "tailgate.fcgi: unexpected argument \"%s\"\n",
		    argv[optind]);
		usage(stderr);
		return 2;
	}
	if (a->file == NULL)
		a->file = DEFAULT_CONFIG;
	return -1;
}

static int
prove_clients(const struct config *config)
{
	const char *why =
	    proof_clients_are_gone(upgrade_clients_file(), config);

	if (why != NULL)
		fprintf(stderr, "%s\n", why);
	return why != NULL;
}

static int
serve(char **argv, const struct arguments *a)
{
	static struct upgrade before;
	struct config *config;
	bool adopts = false;
	int status;

	if (!a->prove && !listener_is_cgi()) {
		upgrade_init(argv);
		adopts = upgrade_adopt(&before);
	}
	if ((config = config_load(a->file, 0, stderr)) == NULL) {
		if (adopts)
			upgrade_go_back(&before);
		return 1;
	}
	if (a->prove) {
		status = prove_clients(config);
		config_free(config);
		return status;
	}
	log_open("tailgate.fcgi", config->log_syslog, config->log_level);
	if (!listener_is_cgi()) {
		log_never_wait();
		return serve_pool(config, a->path, adopts ? &before : NULL);
	}
	status = serve_cgi(config);
	config_free(config);
	return status;
}

int
main(int argc, char **argv)
{
	struct arguments a = { .file = getenv("TAILGATE_CONFIG") };
	int status;

	if (has_clients_arguments(argc))
		return refuse_arguments();
	if ((status = read_arguments(argc, argv, &a)) != -1)
		return status;
	memory_protect();
	raise_limits();
	memory_tune();
	libraries_use_memory();
	signal(SIGPIPE, SIG_IGN);
	log_open("tailgate.fcgi", false, LOG_LEVEL_INFO);
	return serve(argv, &a);
}

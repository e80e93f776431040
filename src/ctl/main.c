/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * tailgate, the operator's command: finds the subcommand and calls it.
 */
#include "config.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/spelling.h"
#include "base/version.h"
#include "config/load.h"
#include "ctl/completion.h"
#include "ctl/ctl.h"
#include "state/mapfile.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

static int ctl_completion(int argc, char **argv);
static int ctl_help(int argc, char **argv);
static int ctl_version(int argc, char **argv);

static const struct command {
	const char *name;
	const char *usage;
	int (*run)(int argc, char **argv);
	const struct ctl_option *options; /* NULL: none */
	const char *text;
} commands[] = {
	{ "capture",
	    "--client NAME --for TIME [--max NUMBER]\n"
	    "       tailgate capture --stop | --remove\n"
	    "       tailgate capture [list]",
	    ctl_capture, ctl_capture_options,
	    "records a client's exchanges in files, for a while" },
	{ "check",
	    "[--dump | --json] [--no-keys] [--user NAME]\n"
	    "       tailgate check --settings | --systemd-allow",
	    ctl_check, ctl_check_options,
	    "proves the configuration and prints every mistake" },
	{ "client",
	    "add NAME [SETTINGS] [--key-sha256 DIGEST]\n"
	    "       tailgate client set NAME SETTINGS\n"
	    "       tailgate client show NAME [--json]\n"
	    "       tailgate client rotate NAME [--overlap TIME]\n"
	    "       tailgate client rm NAME\n"
	    "       tailgate client list [--json]",
	    ctl_client, ctl_client_options,
	    "adds, changes, shows and removes clients and their keys" },
	{ "completion", "bash|zsh|fish", ctl_completion, NULL,
	    "prints a completion script for a shell" },
	{ "explain",
	    "--client NAME [--endpoint NAME] [--header LINE] [--query TEXT]\n"
	    "           [--id ID] [--facts FILE] [--json] [FILE]",
	    ctl_explain, ctl_explain_options,
	    "shows where a request would go, and why" },
	{ "help", "[COMMAND]", ctl_help, NULL, "prints the help of a command" },
	{ "init",
	    "[--force] [--client NAME] [--runtime-dir DIR] "
	    "[--state-dir DIR] [DIR]",
	    ctl_init, ctl_init_options,
	    "writes a configuration to begin with" },
	{ "prices",
	    "import FILE [--seller PROVIDER=NAME] [--date DATE] [--dry-run]",
	    ctl_prices, ctl_prices_options,
	    "takes prices from a public list into price_file" },
	{ "probe",
	    "[--watch [SECONDS] | --changes] [--json] [PROVIDER ...]\n"
	    "       tailgate probe --mount URL [--key-file FILE] "
	    "[--silence SECONDS]",
	    ctl_probe, ctl_probe_options, "checks the providers' health" },
	{ "replay", "[--url URL] [--key-file FILE] [--model NAME] FILE",
	    ctl_replay, ctl_replay_options,
	    "sends a recorded exchange again, and compares" },
	{ "setup",
	    "[TOOL] [--url URL] [--key-file FILE | --client NAME]\n"
	    "           [--place local|external] [--model NAME] "
	    "[--small-model NAME]\n"
	    "           [--print | --dry-run | --script]\n"
	    "       tailgate setup TOOL --undo [--dry-run]",
	    ctl_setup, ctl_setup_options,
	    "points a tool at the gateway, and undoes it" },
	{ "status", "[--json]", ctl_status, ctl_status_options,
	    "shows providers, slots, and who holds and waits" },
	{ "store",
	    "\n"
	    "       tailgate store resume client|model NAME "
	    "[--spent-today USD]\n"
	    "           [--spent-this-month USD] [--tokens-today N]",
	    ctl_store, ctl_store_options,
	    "shows shared budgets that wait for hosts, and ends a wait" },
	{ "usage",
	    "[--since TIME] [--until TIME] [--by COLUMNS]\n"
	    "           [--format table|json|csv] [--follow] [--verify] "
	    "[FILE ...]",
	    ctl_usage, ctl_usage_options, "sums up the ledger" },
	{ "version", "", ctl_version, NULL, "prints the version" },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char *config_path = SYSCONFDIR "/tailgate/tailgate.conf";

const char *
ctl_config_path(void)
{
	return config_path;
}

int
ctl_confine(const struct config *config, enum sandbox_role role,
    const struct sandbox_more *more)
{
	unsigned sandbox;
	char why[256];

	if (sandbox_enter(role, config, more, &sandbox, why, sizeof(why)) == 0)
		return 0;
	fprintf(stderr, "tailgate: %s\n", why);
	return -1;
}

int
ctl_confine_to(const char *url)
{
	struct provider gateway = { .port = url_port(url) };
	struct config config = {
		.providers = &gateway, .nproviders = 1, .sandbox = CONFINE_ON
	};

	return ctl_confine(&config, SANDBOX_MOUNT, NULL);
}

struct config *
ctl_read(unsigned config_flags)
{
	char *text = NULL;
	size_t len = 0;
	FILE *err = open_memstream(&text, &len);
	struct config *config;

	if (err == NULL)
		fatal("out of memory");
	config = config_load(config_path, config_flags, err);
	fclose(err);
	if (config == NULL)
		fwrite(text, 1, len, stderr);
	free(text);
	return config;
}

struct config *
ctl_load(unsigned config_flags, enum sandbox_role role,
    const struct sandbox_more *more)
{
	struct config *config;

	/* A command that only looks leaves no trace in runtime_dir. */
	mapfile_set_role(
	    role == SANDBOX_INSPECT ? MAPFILE_ONLOOKER : MAPFILE_GUEST);
	config = ctl_read(config_flags);
	if (config != NULL && ctl_confine(config, role, more) == -1) {
		config_free(config);
		return NULL;
	}
	return config;
}

static const struct command *
command_find(const char *name)
{
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static const char *
command_name(const void *ctx, size_t i)
{
	(void)ctx;
	return i < NCOMMANDS ? commands[i].name : NULL;
}

static void
command_usage(const struct command *command, FILE *out)
{
	fprintf(out, "usage: tailgate [-f FILE] %s%s%s\n", command->name,
	    *command->usage == '\0' ? "" : " ", command->usage);
}

static void
command_help(const struct command *command)
{
	command_usage(command, stdout);
	printf("\n%c%s.\n", toupper((unsigned char)*command->text),
	    command->text + 1);
	if (command->options != NULL) {
		putchar('\n');
		ctl_option_print(command->options, stdout);
	}
	printf("\ntailgate(1) has the details.\n");
}

static void
usage(FILE *out)
{
	fputs("usage: tailgate [-f FILE] COMMAND [...]\n"
	      "       tailgate --help | --version\n\n",
	    out);
	for (size_t i = 0; i < NCOMMANDS; i++)
		fprintf(
		    out, "  %-10s  %s\n", commands[i].name, commands[i].text);
	fprintf(out,
	    "\n  -f FILE  the configuration, instead of\n"
	    "           %s\n"
	    "\n`tailgate help COMMAND` lists a command's options; tailgate(1) "
	    "has the details.\n",
	    SYSCONFDIR "/tailgate/tailgate.conf");
}

static int
command_unknown(const char *name)
{
	const char *nearest = spelling_nearest(name, command_name, NULL);

	fprintf(stderr, "tailgate: unknown command \"%s\"", name);
	if (nearest != NULL)
		fprintf(stderr, "; did you mean \"%s\"?\n", nearest);
	else
		fputs("; see `tailgate --help`\n", stderr);
	return 2;
}

int
ctl_misuse(const char *name, const char *fmt, ...)
{
	va_list args;

	if (fmt != NULL) {
		fprintf(stderr, "tailgate %s: ", name);
		va_start(args, fmt);
		vfprintf(stderr, fmt, args);
		va_end(args);
		fputc('\n', stderr);
	}
	command_usage(command_find(name), stderr);
	return 2;
}

/* ---- The commands about the program itself ----------------------------- */

static int
ctl_version(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return ctl_misuse("version", "accepts no arguments");
	puts("tailgate " TAILGATE_VERSION);
	return 0;
}

static int
ctl_help(int argc, char **argv)
{
	const struct command *command;

	if (argc > 2)
		return ctl_misuse("help", "one command at a time");
	if (argc == 1) {
		usage(stdout);
		return 0;
	}
	if ((command = command_find(argv[1])) == NULL)
		return command_unknown(argv[1]);
	command_help(command);
	return 0;
}

static int
ctl_completion(int argc, char **argv)
{
	struct completion_command list[NCOMMANDS + 1];

	for (size_t i = 0; i < NCOMMANDS; i++)
		list[i] = (struct completion_command){ commands[i].name,
			commands[i].text, commands[i].options };
	list[NCOMMANDS] = (struct completion_command){ .name = NULL };
	if (argc != 2)
		return ctl_misuse("completion", "for which shell?");
	if (completion_print(argv[1], list, stdout) == -1)
		return ctl_misuse("completion",
		    "no completions for the shell \"%s\"", argv[1]);
	return 0;
}

/* ---- The call ----------------------------------------------------------- */

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int
command_run(int argc, char **argv)
{
	const struct command *command = command_find(argv[0]);
	int status;

	if (command == NULL)
		return command_unknown(argv[0]);
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (is_help(argv[i])) {
			command_help(command);
			return 0;
		}
	status = command->run(argc, argv);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		perror("tailgate: standard output");
		return 1;
	}
	return status;
}

/* Parses its options by hand, so that getopt's state is fresh for the
 * command. */
int
main(int argc, char **argv)
{
	const char *file = getenv("TAILGATE_CONFIG");
	int i = 1;

	memory_protect();
	log_open("tailgate", false, LOG_LEVEL_WARN);
	if (file != NULL)
		config_path = file;
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--version") == 0 ||
		    strcmp(argv[i], "-V") == 0)
			return ctl_version(1, NULL);
		if (is_help(argv[i]))
			return ctl_help(1, NULL);
		if (strncmp(argv[i], "-f", 2) == 0 && argv[i][2] != '\0')
			config_path = argv[i] + 2;
		else if (strcmp(argv[i], "-f") == 0 && i + 1 < argc)
			config_path = argv[++i];
		else
			break;
	}
	if (i < argc && argv[i][0] != '-')
		return command_run(argc - i, argv + i);
	if (i == argc)
		usage(stderr);
	else if (strcmp(argv[i], "-f") == 0)
		fputs("tailgate: -f needs a file\n", stderr);
	else
		fprintf(stderr,
		    "tailgate: unknown option %s; see `tailgate --help`\n",
		    argv[i]);
	return 2;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * tailgate, the operator's command: finds the subcommand and calls it.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ctl/ctl.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

static const struct command {
	const char *name;
	const char *usage;
	int (*run)(int argc, char **argv);
	const char *text;
} commands[] = {
	{ "check", "[--dump] [--settings]", ctl_check,
	    "proves the configuration and prints every mistake" },
	{ "client",
	    "add NAME [--models GLOB,...] [--place local|external]\n"
	    "           [--expires DATE] [--operator] [--explain]\n"
	    "       tailgate client list\n"
	    "       tailgate client rm NAME",
	    ctl_client, "adds, lists and removes clients and their keys" },
	{ "explain",
	    "--client NAME [--endpoint NAME] [--header LINE] [--facts FILE]\n"
	    "           [--json] [FILE]",
	    ctl_explain, "tells where a request would go, and why" },
	{ "init",
	    "[--force] [--client NAME] [--runtime-dir DIR] "
	    "[--state-dir DIR] [DIR]",
	    ctl_init, "writes a configuration to begin with" },
	{ "probe", "[--watch [SECONDS]] [PROVIDER ...]", ctl_probe,
	    "asks the providers how they are" },
	{ "status", "[--json]", ctl_status,
	    "shows providers, slots, and who holds and waits" },
	{ "usage",
	    "[--since TIME] [--until TIME] [--by COLUMNS]\n"
	    "           [--format table|json|csv] [--follow] [--verify]",
	    ctl_usage, "sums up the ledger" },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char *config_path = SYSCONFDIR "/tailgate/tailgate.conf";

const char *
ctl_config_path(void)
{
	return config_path;
}

struct config *
ctl_load(unsigned config_flags)
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

static const struct command *
command_find(const char *name)
{
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void
command_usage(const struct command *command, FILE *out)
{
	fprintf(out, "usage: tailgate [-f FILE] %s %s\n", command->name,
	    command->usage);
}

static void
usage(FILE *out)
{
	fputs("usage: tailgate [-f FILE] COMMAND [...]\n"
	      "       tailgate --help | --version\n\n",
	    out);
	for (size_t i = 0; i < NCOMMANDS; i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].text);
	fprintf(out,
	    "\n  -f FILE  the configuration, unless it is\n"
	    "           %s\n"
	    "\n`tailgate COMMAND --help` tells more; tailgate(1) tells all.\n",
	    SYSCONFDIR "/tailgate/tailgate.conf");
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

static int
command_run(int argc, char **argv)
{
	const struct command *command = command_find(argv[0]);
	int status;

	if (command == NULL) {
		fprintf(stderr, "tailgate: there is no command %s\n", argv[0]);
		usage(stderr);
		return 2;
	}
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0) {
			command_usage(command, stdout);
			return 0;
		}
	status = command->run(argc, argv);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		perror("tailgate: standard output");
		return 1;
	}
	return status;
}

/* By hand and not by getopt, whose state then is fresh for the command. */
int
main(int argc, char **argv)
{
	int i = 1;

	log_open("tailgate", false, LOG_LEVEL_WARN);
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--version") == 0) {
			puts("tailgate " PACKAGE_VERSION);
			return 0;
		}
		if (strcmp(argv[i], "--help") == 0) {
			usage(stdout);
			return 0;
		}
		if (strncmp(argv[i], "-f", 2) == 0 && argv[i][2] != '\0')
			config_path = argv[i] + 2;
		else if (strcmp(argv[i], "-f") == 0 && i + 1 < argc)
			config_path = argv[++i];
		else
			break;
	}
	if (i >= argc || argv[i][0] == '-') {
		if (i < argc)
			fprintf(
			    stderr, "tailgate: %s: what is that?\n", argv[i]);
		usage(stderr);
		return 2;
	}
	return command_run(argc - i, argv + i);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The options of a subcommand, defined once: its parser, its help and the
 * shells' completions are all made from one table.
 */
#ifndef CTL_OPTION_H
#define CTL_OPTION_H

#include <stdio.h>

#define CTL_OPTIONS_MAX 24

struct ctl_option {
	const char *name; /* long, without dashes; NULL ends the table */
	const char *argument; /* its name; "[NAME]" optional; NULL none */
	int letter; /* what ctl_option_next() returns */
	const char *text; /* one line for --help */
};

/* The next option of a call, as getopt_long(3): its letter, with optarg and
 * optind set; -1 after the last; '?' after an error, which has been printed
 * under the name "tailgate COMMAND" together with the nearest known option.
 * Names must be complete: the beginning of one is an error. */
int ctl_option_next(
    int argc, char **argv, const char *command, const struct ctl_option *);

/* One line per option, for --help. */
void ctl_option_print(const struct ctl_option *, FILE *);

#endif

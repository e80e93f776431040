/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Completion scripts, made from the tables of commands and options.
 */
#ifndef CTL_COMPLETION_H
#define CTL_COMPLETION_H

#include <stdio.h>

#include "ctl/option.h"

struct completion_command {
	const char *name; /* NULL ends the list */
	const char *text;
	const struct ctl_option *options; /* NULL: none */
};

/* Prints the script for "bash", "zsh" or "fish"; -1 for another shell. */
int completion_print(
    const char *shell, const struct completion_command *, FILE *);

#endif

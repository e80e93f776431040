/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The operator's command: what its subcommands share.
 *
 * Each subcommand is one function in a file of its own, named in the table of
 * main.c, and called with argv[0] its name and getopt(3) fresh.  Its options
 * are a table, from which --help and the completions are made.  It returns the
 * exit status: 0; 1 if something is wrong; 2 (ctl_misuse) if it was called
 * wrongly.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "config/settings.h"
#include "ctl/option.h"
#include "sandbox/sandbox.h"

extern const struct ctl_option ctl_capture_options[], ctl_check_options[],
    ctl_client_options[], ctl_explain_options[], ctl_init_options[],
    ctl_prices_options[], ctl_probe_options[], ctl_replay_options[],
    ctl_setup_options[], ctl_status_options[], ctl_store_options[],
    ctl_usage_options[];

int ctl_capture(int argc, char **argv);
int ctl_check(int argc, char **argv);
int ctl_client(int argc, char **argv);
int ctl_explain(int argc, char **argv);
int ctl_init(int argc, char **argv);
int ctl_prices(int argc, char **argv);
int ctl_probe(int argc, char **argv);
int ctl_replay(int argc, char **argv);
int ctl_setup(int argc, char **argv);
int ctl_status(int argc, char **argv);
int ctl_store(int argc, char **argv);
int ctl_usage(int argc, char **argv);

/* The configuration file: -f, else the installed one. */
const char *ctl_config_path(void);
/* Confines the process to what the role and the call need (sandbox.h; more may
 * be NULL).  -1: the process must end; the reason has been printed. */
int ctl_confine(const struct config *, enum sandbox_role,
    const struct sandbox_more *);
/* The same for a process that has no configuration and connects only to this
 * URL. */
int ctl_confine_to(const char *url);
/* Loads the configuration; warnings are left to `tailgate check`.  NULL: the
 * mistakes have been printed. */
struct config *ctl_read(unsigned config_flags);
/* Loads the configuration and confines the process as ctl_confine() does;
 * warnings are left to `tailgate check`.  NULL: the mistakes have been
 * printed. */
struct config *ctl_load(
    unsigned config_flags, enum sandbox_role, const struct sandbox_more *);
/* Prints what is wrong with the call, and the subcommand's usage.  Returns 2.
 * fmt NULL: ctl_option_next() has printed what is wrong. */
int ctl_misuse(const char *command, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif

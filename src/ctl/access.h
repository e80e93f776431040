/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Can the service's user access the files that the configuration names?
 */
#ifndef CTL_ACCESS_H
#define CTL_ACCESS_H

#include <stdio.h>

#include "config/settings.h"

/* Tries, as that user (NULL: the caller's own), to read the configuration, the
 * clients, the prices, keys and CAs, and to use or make each directory that
 * tailgate.fcgi writes to.  Each failure is written to out, with the setting
 * and the command that fixes it.  Returns the number of failures, or -1 with
 * one line in out if it cannot become that user.  Changes nothing. */
int access_check(const struct config *, const char *user, FILE *out);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Can the service's user reach what the configuration names?
 */
#ifndef CTL_ACCESS_H
#define CTL_ACCESS_H

#include <stdio.h>

#include "config/settings.h"

/* Tries, as that user (NULL: the caller's own), to read the configuration, the
 * clients, the prices, keys and CAs, and to use or make each directory that
 * tailgate.fcgi writes to.  Each failure goes to out with the setting and the
 * command that mends it.  Returns how many there were; -1 with one line in out
 * when it cannot become that user.  Changes nothing. */
int access_check(const struct config *, const char *user, FILE *out);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The addresses that the gateway connects to, for those who hold it to them
 * from outside.
 */
#ifndef CTL_ALLOW_H
#define CTL_ALLOW_H

#include <stdio.h>

#include "config/settings.h"

/* Writes a drop-in of systemd: no addresses but those that the names of the
 * providers (or of their proxies) have now, and the name servers if there is a
 * name among them.  -1 with one line in err for each provider that has no
 * address, and nothing in out. */
int allow_print(const struct config *, FILE *out, FILE *err);

#endif

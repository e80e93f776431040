/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The addresses that the gateway connects to, for a system that blocks all
 * others.
 */
#ifndef CTL_ALLOW_H
#define CTL_ALLOW_H

#include <stdio.h>

#include "config/settings.h"

/* Writes a drop-in for systemd.  It permits only the present addresses of the
 * providers (or of their proxies), and the name servers if one of these is
 * given by name.  If a provider has no permitted address, returns -1 with one
 * line in err for each such provider, and nothing in out. */
int allow_print(const struct config *, FILE *out, FILE *err);

#endif

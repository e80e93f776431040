/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * `tailgate usage --verify`.
 */
#ifndef CTL_USAGE_VERIFY_H
#define CTL_USAGE_VERIFY_H

#include "ledger/named.h"

/* Prints all findings about the ledger with its rotated files and the record of
 * its end, or about the named files.  Returns the exit status. */
int usage_verify(const char *ledger);
int usage_verify_named(const struct ledger_part *, size_t n);

#endif

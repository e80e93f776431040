/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What people see of `tailgate probe`.
 */
#ifndef CTL_PROBE_PRINT_H
#define CTL_PROBE_PRINT_H

#include <stddef.h>

#include "ctl/probe_ask.h"

void probe_print_table(const struct probe *, size_t n);
/* In a watch, after the first round: only what has changed since `before`. */
void probe_print_changes(
    const struct probe *, const struct probe *before, size_t n);

#endif

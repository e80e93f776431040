/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The output of `tailgate probe`.
 */
#ifndef CTL_PROBE_PRINT_H
#define CTL_PROBE_PRINT_H

#include <stddef.h>

#include "ctl/probe_ask.h"
#include "ctl/probe_store.h"

void probe_print_table(const struct probe *, size_t n);
/* One line: {"providers":[{"name","place","ok","ms","models","server","remark",
 * "learned":[{"model","context","images","audio","tools"}…]}…],
 * "store":{"ok","us","server","policy","remark"}}; null if nothing is known,
 * no "store" if it was not asked. */
void
probe_print_json(const struct probe *, size_t n, const struct probe_store *);
/* Only what has changed since `before`: the previous round of a watch, or what
 * was kept. */
void
probe_print_changes(const struct probe *, const struct probe *before, size_t n);

#endif

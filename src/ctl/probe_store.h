/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * `tailgate probe` asks the store, too: whether it replies, what it is, and
 * whether it may forget keys.
 */
#ifndef CTL_PROBE_STORE_H
#define CTL_PROBE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"

struct probe_store {
	bool asked; /* there is one */
	bool ok;
	int64_t us; /* of a call; -1: not known */
	char server[80], policy[32]; /* "": not known */
	char why[320]; /* what is wrong, or a warning; "": nothing */
};

/* Called by a task; waits. */
void probe_store_ask(const struct config *, struct probe_store *);
/* One line, and another one for a warning. */
void probe_store_print(const struct probe_store *);

#endif

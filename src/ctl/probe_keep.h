/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Keeps what a round of probes learned (state/learned.h).
 */
#ifndef CTL_PROBE_KEEP_H
#define CTL_PROBE_KEEP_H

#include <stddef.h>

#include "ctl/probe_ask.h"

/* What a provider said that was well replaces what was known of it.  A failure
 * is logged. */
void probe_keep(const struct config *, const struct probe *, size_t n);

#endif

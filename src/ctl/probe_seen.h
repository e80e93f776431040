/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What `tailgate probe --changes` saw the last time, in
 * runtime_dir/probed.json: it prints only what is different now.
 */
#ifndef CTL_PROBE_SEEN_H
#define CTL_PROBE_SEEN_H

#include <stddef.h>

#include "ctl/probe_ask.h"

/* Fills ok and why of before[i] for the provider of probes[i]; a provider that
 * was not seen has `provider` NULL there.  Returns how many were seen. */
size_t probe_seen_load(const struct config *, const struct probe *probes,
    size_t n, struct probe *before);
/* Keeps what is seen now, beside what was seen of other providers.  -1 with
 * errno. */
int
probe_seen_store(const struct config *, const struct probe *probes, size_t n);

#endif

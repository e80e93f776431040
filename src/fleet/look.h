/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Shows people the hosts of a store: which hosts there are, and which of them
 * hold the slots of shared limits.
 *
 * {"hosts": [{"name": "gpu1", "workers": 2}],
 *  "limits": [{"name": "card", "slots": 2, "used": 1, "queued": 1,
 *    "holders": [{"host": "gpu1", "pid": 812, "client": "anna",
 *      "age_ms": 5100}],
 *    "waiting": [{"host": "front", "pid": 90, "client": "bert"}]}]}
 *
 * A host is a name (ledger.gateway).  At most LOOK_WAITING_MAX waiters are
 * listed, in the queue's order; queued counts all.  In a cluster, only the
 * hosts that are connected to this node are listed.
 */
#ifndef FLEET_LOOK_H
#define FLEET_LOOK_H

#include "base/buf.h"
#include "fleet/store.h"

#define LOOK_WAITING_MAX 100

/* Asks the store, once for the hosts and once for each shared limit; waits for
 * the replies.  False: the store is away, and *out is of no use. */
bool look_json(struct store *, const struct config *, struct buf *out);

/* The name of the channel by which a process is known as one of the fleet;
 * "HOST:PID:RANDOM" is the process. */
void
look_channel(const struct store *, const char *process, char *out, size_t size);

#endif

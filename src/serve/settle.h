/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The end of a request: its line in the ledger and the log, its counts in the
 * meters.
 */
#ifndef SERVE_SETTLE_H
#define SERVE_SETTLE_H

#include "serve/request.h"

void settle(struct request *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The ledger's process: the only one that can write the ledger.  It never
 * parses a byte of a client or an upstream; the processes that do send it whole
 * lines (frame.h), and it accepts nothing else from them.
 *
 * Its parent makes the desk, keeps both ends for its successor, and forks:
 *
 * 	int desk[2];
 * 	ledger_desk_open(desk);
 * 	if ((pid = fork()) == 0) {
 * 		close what is not its business, and desk[LEDGER_DESK_SERVES];
 * 		ledger_keeper_run(config, desk[LEDGER_DESK_KEEPS]);
 * 	}
 *
 * It ends by itself when no process is left that could send a line: the signals
 * that end the others do not end it.
 */
#ifndef LEDGER_KEEPER_H
#define LEDGER_KEEPER_H

#include "config/settings.h"

/* In the child: confines itself (SANDBOX_LEDGER), writes, ends. */
_Noreturn void ledger_keeper_run(const struct config *, int desk);

#endif

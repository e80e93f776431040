/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what the ledger's process keeps of the one that forked it, and when it
 * ends.
 */
#include "config.h"

#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "ledger/callers.h"
#include "ledger/keeper.h"
#include "sandbox/sandbox.h"
#include "state/mapfile.h"

/* For the last lines of the log. */
#define LOG_END_MS 500

static void
loop(struct ledger_callers *callers, struct ledger_file *file)
{
	bool settled = false;

	while (ledger_callers_left(callers)) {
		int due_ms = ledger_file_due_ms(file);

		if (!settled && due_ms == -1)
			due_ms = MEMORY_SETTLE_MS;
		if (ledger_callers_serve(callers, due_ms))
			continue;
		ledger_file_keep(file, clock_now_ms());
		if (!settled && due_ms == MEMORY_SETTLE_MS) {
			memory_give_back();
			settled = true;
		}
	}
}

void
ledger_keeper_run(const struct config *config, int desk)
{
	struct ledger_callers *callers;
	struct ledger_file *file;
	struct ledger_gap *gap;
	unsigned force;
	char why[512];

	desk = child_begin("tailgate-ledger", config->log_syslog, desk);
	/* If that fails, the serving processes report it. */
	(void)mapfile_check_dir(config->runtime_dir, why, sizeof(why));
	gap = ledger_gap_open(config->runtime_dir);
	file = ledger_file_new(config->ledger_file, config->gateway, gap);
	callers = ledger_callers_new(file, gap, desk);
	if (sandbox_enter(
		SANDBOX_LEDGER, config, NULL, &force, why, sizeof(why)) == -1)
		fatal("%s", why);
	if (!log_write_behind(NULL, NULL))
		log_info("no thread for the log: its file is waited for");
	loop(callers, file);
	ledger_callers_free(callers);
	ledger_file_free(file, clock_now_ms() + LEDGER_LOCK_WAIT_MS);
	log_end(LOG_END_MS);
	_exit(0);
}

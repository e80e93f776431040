/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Parts of `tailgate status` that are shown only if they are in use.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "ctl/status_more.h"
#include "ctl/table.h"
#include "ledger/gap.h"

void
status_own_keys(const struct config *config)
{
	struct table *t = table_new("provider|key");

	for (size_t i = 0; i < config->nproviders; i++)
		if (config->providers[i].auth == AUTH_CLIENT) {
			table_cell(t, "%s", config->providers[i].name);
			table_cell(t, "%s", "each client's own");
		}
	if (table_rows(t) > 0) {
		putchar('\n');
		table_print(t, stdout);
	}
	table_free(t);
}

void
status_recording(struct recording *recording)
{
	struct table *t = table_new("recording client|>for|>exchanges|>of");
	struct recording_facts facts;
	char left[CLOCK_AGE_SIZE];

	recording_facts(recording, &facts);
	if (facts.on) {
		table_cell(t, "%s", facts.client);
		clock_age(facts.until_wall_ms - clock_wall_ms(), left);
		table_cell(t, "%s", left);
		table_number(t, facts.taken);
		table_number(t, facts.most);
		putchar('\n');
		table_print(t, stdout);
	}
	table_free(t);
}

void
status_ledger(const struct config *config)
{
	static const char *const then[] = {
		[STUCK_REFUSE_EXTERNAL] =
		    "requests for external providers are refused",
		[STUCK_REFUSE] = "requests are refused",
		[STUCK_COUNT] = "requests go on, and are counted",
	};
	struct ledger_gap *gap;

	if (!config->ledger)
		return;
	gap = ledger_gap_open(config->runtime_dir);
	if (ledger_gap_fails(gap))
		printf(
		    "\nledger: %s can't be written; %s.  The log says why.\n",
		    config->ledger_file, then[config->ledger_when_stuck]);
	if (atomic_load(&gap->lost) > 0)
		printf("ledger: %" PRIu64 " requests are not recorded; a line "
		       "will say so when it can be written\n",
		    atomic_load(&gap->lost));
	ledger_gap_close(gap);
}

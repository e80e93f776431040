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

bool
status_ledger_look(const struct config *config, struct status_ledger *out)
{
	struct ledger_gap *gap;

	if (!config->ledger)
		return false;
	gap = ledger_gap_open(config->runtime_dir);
	ledger_gap_status(gap, out);
	ledger_gap_close(gap);
	return true;
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
	struct status_ledger is;

	if (!status_ledger_look(config, &is))
		return;
	if (!is.writable)
		printf(
		    "\nledger: %s can't be written; %s.  The log says why.\n",
		    config->ledger_file, then[config->ledger_when_stuck]);
	if (is.unrecorded > 0)
		printf("ledger: %" PRIu64 " requests are not recorded; a line "
		       "will say so when it can be written\n",
		    is.unrecorded);
}

void
status_store(const struct config *config, struct meters *meters)
{
	struct meters_store_sum sum;
	char since[CLOCK_AGE_SIZE];

	if (config->store.url == NULL || !meters_store_sum(meters, &sum))
		return;
	clock_age(clock_wall_ms() - sum.since_wall_ms, since);
	printf("store: %s",
	    sum.away == 0     ? "reachable"
		: sum.up == 0 ? "away"
			      : "away for some workers");
	if (sum.up > 0 && sum.away > 0)
		printf(" (%u of %u)", sum.away, sum.up + sum.away);
	if (sum.since_wall_ms != 0)
		printf(" since %s", since);
	if (sum.up > 0)
		printf(", %lld us a call", (long long)sum.mean_us);
	printf(", %llu calls, %llu failed\n", (unsigned long long)sum.calls,
	    (unsigned long long)sum.failed);
}

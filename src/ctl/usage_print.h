/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How `tailgate usage` writes its sums and, with --follow, each request.
 */
#ifndef CTL_USAGE_PRINT_H
#define CTL_USAGE_PRINT_H

#include "ledger/usage_sum.h"

enum usage_format { USAGE_TABLE, USAGE_JSON, USAGE_CSV };

struct usage_report {
	int64_t since_ms, until_ms; /* until: exclusive */
	const enum usage_by *columns;
	size_t ncolumns;
	struct usage_group *const *groups;
	size_t ngroups;
	struct usage_count total;
	/* The hosts outside that requests were sent to. */
	struct usage_group *const *hosts;
	size_t nhosts;
};

void usage_print(const struct usage_report *, enum usage_format);
/* One line for a request that has ended (table and CSV). */
void usage_print_request(const struct ledger_line *);

#endif

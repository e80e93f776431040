/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how an onlooker (`tailgate explain`, `client show`) gets the budgets:
 * as a copy in its own memory.  The code that decides works on the copy as on
 * the file itself, with its lock, its periods and its rebuilding, and the
 * serving processes notice nothing.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "state/budget_internal.h"

/* The lock is held for less than a microsecond; if it is still taken after
 * so many tries, its owner has died or it is always in use. */
#define TRIES 1000

/* What was never used stays zero. */
static void
copy_all(struct budget_file *to, const struct budget_file *from)
{
	memcpy(to, from, offsetof(struct budget_file, keys));
	memcpy(to->keys, from->keys,
	    (size_t)budget_nrows(to) * sizeof(to->keys[0]));
	memcpy(to->cells, from->cells,
	    (size_t)budget_ncells(to) * sizeof(to->cells[0]));
	for (int i = 0; i < budget_nrows(to); i++)
		if (to->keys[i] != 0)
			to->rows[i] = from->rows[i];
}

struct budget_file *
budget_copy(const struct budget_file *from)
{
	struct budget_file *to = mmap(NULL, sizeof(*to), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);

	bool whole = false;

	if (to == MAP_FAILED)
		return NULL;
	for (unsigned i = 0; i < TRIES && !whole; i++) {
		whole = atomic_load(&from->lock) == 0;
		copy_all(to, from);
		whole = whole && atomic_load(&from->lock) == 0;
		if (!whole)
			sched_yield();
	}
	/* Also repairs what a dead owner left half done. */
	atomic_store(&to->lock, 0);
	budget_repair(to);
	return to;
}

void
budget_copy_free(struct budget_file *copy)
{
	munmap(copy, sizeof(*copy));
}

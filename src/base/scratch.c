/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides that pieces of scratch memory are kept for the next task.  Only tasks
 * share them; a thread makes its own.
 */
#include "config.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/scratch.h"
#include "base/task.h"

#define KEPT_MAX 32

static struct {
	char *pieces[KEPT_MAX];
	unsigned n;
} kept;

char *
scratch_take(void)
{
	if (task_self() != NULL && kept.n > 0)
		return kept.pieces[--kept.n];
	return memory_alloc(SCRATCH_BYTES);
}

void
scratch_give(char *piece)
{
	if (task_self() != NULL && kept.n < KEPT_MAX && piece != NULL)
		kept.pieces[kept.n++] = piece;
	else
		free(piece);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Room for what is read from a socket.  A task has little stack and may wait
 * for long, so it borrows this memory only while it has data to process.
 */
#ifndef BASE_SCRATCH_H
#define BASE_SCRATCH_H

#include <stddef.h>

#define SCRATCH_BYTES ((size_t)16 * 1024)

char *scratch_take(void);
/* NULL: nothing. */
void scratch_give(char *);

#endif

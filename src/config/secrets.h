/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Memory for secrets: locked if the system allows it, left out of core files,
 * wiped when freed.
 */
#ifndef CONFIG_SECRETS_H
#define CONFIG_SECRETS_H

#include "base/span.h"

#define SECRET_MAX 4096

struct secrets;

/* Out of memory is fatal, here and below. */
struct secrets *secrets_new(void);
void secrets_free(struct secrets *);
/* A copy with a NUL after it; at most SECRET_MAX bytes. */
const char *secrets_add(struct secrets *, struct span);

#endif

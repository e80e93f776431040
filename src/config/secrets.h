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

#define SECRET_MAX 4096 /* bytes of a key */
#define SECRETS_TEXT_MAX 8192 /* and of what is made of one */
#define SECRETS_ROOM_BYTES ((size_t)16384)

struct secrets;

/* Out of memory is fatal, here and below. */
struct secrets *secrets_new(void);
void secrets_free(struct secrets *);
/* A copy with a NUL after it; at most SECRETS_TEXT_MAX bytes. */
const char *secrets_add(struct secrets *, struct span);

/* Such memory for the moment in which a secret is sent, SECRETS_ROOM_BYTES of
 * it at the same address each time.  The process has one: take it, use it and
 * secrets_room_wipe() the bytes that were used without a wait in between. */
char *secrets_room(void);
void secrets_room_wipe(size_t used);

#endif

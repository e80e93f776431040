/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Memory for the providers' keys, from the load of a configuration until it is
 * freed.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "config/secrets.h"

#define SECRETS_BLOCK_BYTES 16384

struct secrets_block {
	struct secrets_block *next;
	size_t used;
	char bytes[];
};

struct secrets {
	struct secrets_block *blocks;
};

/* Best effort: RLIMIT_MEMLOCK may be 0.  pledge(2) has no mlock(2), and ends
 * who calls it; OpenBSD encrypts what it swaps out. */
static void
pages_lock(void *p, size_t bytes)
{
#ifndef __OpenBSD__
	(void)mlock(p, bytes);
#endif
	(void)p;
	(void)bytes;
}

/* Zeros. */
static void *
pages_new(size_t bytes)
{
	void *p = mmap(
	    NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);

	if (p == MAP_FAILED)
		fatal("memory for keys: %s", strerror(errno));
	pages_lock(p, bytes);
#ifdef MADV_DONTDUMP
	(void)madvise(p, bytes, MADV_DONTDUMP);
#elif defined(MADV_NOCORE)
	(void)madvise(p, bytes, MADV_NOCORE);
#endif
	/* A forked process reads the keys that it needs itself. */
#if defined(MADV_WIPEONFORK)
	(void)madvise(p, bytes, MADV_WIPEONFORK);
#elif defined(INHERIT_ZERO)
	(void)minherit(p, bytes, INHERIT_ZERO);
#endif
	return p;
}

/* ---- the room --------------------------------------------------------- */

static char *room;

/* At hand before the process is confined, and locked anew in one that was
 * forked. */
static void
room_make(void)
{
	static pid_t owner;

	if (room == NULL)
		room = pages_new(SECRETS_ROOM_BYTES);
	else if (owner != getpid())
		pages_lock(room, SECRETS_ROOM_BYTES);
	owner = getpid();
}

char *
secrets_room(void)
{
	if (room == NULL)
		room_make();
	return room;
}

void
secrets_room_wipe(size_t used)
{
	explicit_bzero(room, used);
}

/* ---- secrets ---------------------------------------------------------- */

struct secrets *
secrets_new(void)
{
	struct secrets *secrets = calloc(1, sizeof(*secrets));

	if (secrets == NULL)
		fatal("out of memory");
	room_make();
	return secrets;
}

static struct secrets_block *
block_new(struct secrets_block *next)
{
	struct secrets_block *block = pages_new(SECRETS_BLOCK_BYTES);

	block->next = next;
	return block;
}

const char *
secrets_add(struct secrets *secrets, struct span secret)
{
	struct secrets_block *block = secrets->blocks;
	char *copy;

	if (secret.len > SECRETS_TEXT_MAX)
		fatal("a secret of %zu bytes", secret.len);
	if (block == NULL ||
	    SECRETS_BLOCK_BYTES - sizeof(*block) - block->used <= secret.len)
		block = secrets->blocks = block_new(block);
	copy = block->bytes + block->used;
	memcpy(copy, secret.p, secret.len);
	copy[secret.len] = '\0';
	block->used += secret.len + 1;
	return copy;
}

void
secrets_free(struct secrets *secrets)
{
	struct secrets_block *block;

	if (secrets == NULL)
		return;
	while ((block = secrets->blocks) != NULL) {
		secrets->blocks = block->next;
		explicit_bzero(block, SECRETS_BLOCK_BYTES);
		munmap(block, SECRETS_BLOCK_BYTES);
	}
	free(secrets);
}

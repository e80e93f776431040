/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how libraries are told where memory comes from.  The first step of a
 * process that serves.
 */
#include "config.h"

#include <stdlib.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "base/memory.h"
#include "serve/libraries.h"

static void *
take(size_t bytes)
{
	return memory_try(NULL, bytes);
}

static void *
take_for_crypto(size_t bytes, const char *file, int line)
{
	(void)file;
	(void)line;
	return memory_try(NULL, bytes);
}

static void *
grow_for_crypto(void *p, size_t bytes, const char *file, int line)
{
	(void)file;
	(void)line;
	return memory_try(p, bytes);
}

static void
give_for_crypto(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

void
libraries_use_memory(void)
{
	/* Refused if something was allocated before: then it has malloc(3). */
	CRYPTO_set_mem_functions(
	    take_for_crypto, grow_for_crypto, give_for_crypto);
	json_set_alloc_funcs(take, free);
}

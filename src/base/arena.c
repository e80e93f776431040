/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Memory of one request: blocks that are filled from front to back and released
 * together.  The arena keeps the first block for good, so an ordinary request
 * never calls malloc.
 */
#include "config.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/memory.h"

/* Sizes of the first block and of later ones, including their headers and
 * the allocator's.  An ordinary request needs less than 6 KiB, and a
 * thousand requests may wait at once, so the first block is small. */
#define FIRST_BYTES (6 * 1024 - sizeof(struct arena_block) - 16)
#define MORE_BYTES (4 * 1024 - sizeof(struct arena_block) - 16)

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	_Alignas(max_align_t) unsigned char bytes[];
};

struct arena {
	struct arena_block *blocks; /* newest first; the last one is kept */
};

static struct arena_block *
block_new(struct arena_block *next, size_t bytes)
{
	size_t least = next == NULL ? FIRST_BYTES : MORE_BYTES;
	size_t size = bytes > least ? bytes : least;
	struct arena_block *block;

	if (size > SIZE_MAX - sizeof(*block))
		fatal("arena: %zu bytes asked for", bytes);
	block = memory_alloc(sizeof(*block) + size);
	block->next = next;
	block->used = 0;
	block->size = size;
	return block;
}

struct arena *
arena_new(void)
{
	struct arena *arena = memory_alloc(sizeof(*arena));

	arena->blocks = block_new(NULL, 0);
	return arena;
}

void
arena_reset(struct arena *arena)
{
	struct arena_block *block;

	while ((block = arena->blocks)->next != NULL) {
		arena->blocks = block->next;
		free(block);
	}
	arena->blocks->used = 0;
}

void
arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	arena_reset(arena);
	free(arena->blocks);
	free(arena);
}

void *
arena_alloc(struct arena *arena, size_t bytes)
{
	const size_t align = _Alignof(max_align_t);
	struct arena_block *block = arena->blocks;
	void *p;

	if (bytes > SIZE_MAX - align)
		fatal("arena: %zu bytes asked for", bytes);
	bytes = (bytes + align - 1) & ~(align - 1);
	if (bytes > block->size - block->used)
		block = arena->blocks = block_new(block, bytes);
	p = block->bytes + block->used;
	block->used += bytes;
	return memset(p, 0, bytes);
}

char *
arena_text(struct arena *arena, struct span text)
{
	char *copy = arena_alloc(arena, text.len + 1);

	if (text.len > 0)
		memcpy(copy, text.p, text.len);
	return copy;
}

char *
arena_strdup(struct arena *arena, const char *text)
{
	return arena_text(arena, span_of(text));
}

char *
arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list args, again;
	char small[256], *text;
	int len;

	va_start(args, fmt);
	va_copy(again, args);
	if ((len = vsnprintf(small, sizeof(small), fmt, args)) < 0)
		fatal("arena: bad format %s", fmt);
	text = arena_alloc(arena, (size_t)len + 1);
	if ((size_t)len < sizeof(small))
		memcpy(text, small, (size_t)len);
	else
		vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	va_end(args);
	return text;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a stack is made and switched to, and tells the tools that follow
 * stacks (ASan, TSan, valgrind) about it.  Below a stack lies a page that
 * cannot be touched.
 */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/context.h"

#if defined __has_feature
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define HAS_TSAN 1
#endif
#endif
#if defined __SANITIZE_ADDRESS__
#define HAS_ASAN 1
#endif
#if defined __SANITIZE_THREAD__
#define HAS_TSAN 1
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HAS_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(from, to) 0
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#endif

/* As much as a thread had; only what is touched takes memory. */
#ifdef TG_SANITIZED
#define STACK_BYTES ((size_t)1024 * 1024)
#else
#define STACK_BYTES ((size_t)256 * 1024)
#endif
/* What a trimmed stack keeps: as much as the shortest request touches. */
#define STACK_KEPT_BYTES ((size_t)16 * 1024)

/* libboost_context's interface (boost/context/detail/fcontext.hpp is C++). */
struct transfer {
	void *from; /* where the other side continues */
	void *data;
};
struct transfer jump_fcontext(void *to, void *data);
void *make_fcontext(void *top, size_t size, void (*fn)(struct transfer));

struct context {
	char *map; /* the page that cannot be touched, then the stack */
	size_t map_bytes;
	char *stack;
	void (*fn)(void *);
	void *arg;
	void *inside, *outside; /* where each side is while the other runs */
	bool ended;
	unsigned valgrind;
#ifdef HAS_ASAN
	void *fake_inside, *fake_outside;
	const void *outer_stack;
	size_t outer_size;
#endif
#ifdef HAS_TSAN
	void *fiber, *outer_fiber;
#endif
};

struct context *
context_new(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct context *c = calloc(1, sizeof(*c));
	int flags = MAP_PRIVATE | MAP_ANON;

	if (c == NULL)
		return NULL;
#ifdef MAP_NORESERVE
	flags |= MAP_NORESERVE;
#endif
#ifdef MAP_STACK
	flags |= MAP_STACK; /* OpenBSD requires it */
#endif
	c->map_bytes = page + STACK_BYTES;
	c->map = mmap(NULL, c->map_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (c->map == MAP_FAILED) {
		free(c);
		return NULL;
	}
	if (mprotect(c->map, page, PROT_NONE) == -1) {
		int saved = errno;

		munmap(c->map, c->map_bytes);
		free(c);
		errno = saved;
		return NULL;
	}
#ifdef MADV_NOHUGEPAGE
	/* Otherwise the first byte of a stack would occupy 2 MiB. */
	madvise(c->map, c->map_bytes, MADV_NOHUGEPAGE);
#endif
	c->stack = c->map + page;
	c->valgrind = VALGRIND_STACK_REGISTER(c->stack, c->stack + STACK_BYTES);
	return c;
}

void
context_free(struct context *c)
{
	if (c == NULL)
		return;
	VALGRIND_STACK_DEREGISTER(c->valgrind);
#ifdef HAS_ASAN
	__asan_unpoison_memory_region(c->stack, STACK_BYTES);
#endif
	munmap(c->map, c->map_bytes);
	free(c);
}

void
context_trim(struct context *c)
{
	madvise(c->stack, STACK_BYTES - STACK_KEPT_BYTES, MADV_DONTNEED);
}

/* ---- what sanitizers are told ----------------------------------------- */

static void
going_in(struct context *c)
{
#ifdef HAS_ASAN
	__sanitizer_start_switch_fiber(&c->fake_outside, c->stack, STACK_BYTES);
#endif
#ifdef HAS_TSAN
	c->outer_fiber = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(c->fiber, 0);
#endif
	(void)c;
}

static void
came_in(struct context *c, void *fake)
{
#ifdef HAS_ASAN
	__sanitizer_finish_switch_fiber(fake, &c->outer_stack, &c->outer_size);
#endif
	(void)c;
	(void)fake;
}

/* fake NULL: never to come back. */
static void
going_out(struct context *c, bool last)
{
#ifdef HAS_ASAN
	__sanitizer_start_switch_fiber(
	    last ? NULL : &c->fake_inside, c->outer_stack, c->outer_size);
#endif
#ifdef HAS_TSAN
	__tsan_switch_to_fiber(c->outer_fiber, 0);
#endif
	(void)c;
	(void)last;
}

static void
came_out(struct context *c)
{
#ifdef HAS_ASAN
	__sanitizer_finish_switch_fiber(c->fake_outside, NULL, NULL);
#endif
	(void)c;
}

/* ---- switching -------------------------------------------------------- */

static void
begin(struct transfer t)
{
	struct context *c = t.data;

	c->outside = t.from;
	came_in(c, NULL);
	c->fn(c->arg);
	c->ended = true;
	going_out(c, true);
	jump_fcontext(c->outside, NULL);
	abort();
}

void
context_set(struct context *c, void (*fn)(void *), void *arg)
{
	c->fn = fn;
	c->arg = arg;
	c->ended = false;
	c->inside = make_fcontext(c->stack + STACK_BYTES, STACK_BYTES, begin);
#ifdef HAS_TSAN
	c->fiber = __tsan_create_fiber(0);
#endif
}

bool
context_enter(struct context *c)
{
	going_in(c);
	c->inside = jump_fcontext(c->inside, c).from;
	came_out(c);
#ifdef HAS_TSAN
	if (c->ended)
		__tsan_destroy_fiber(c->fiber);
#endif
	return !c->ended;
}

void
context_leave(struct context *c)
{
	void *fake = NULL;

	going_out(c, false);
	c->outside = jump_fcontext(c->outside, NULL).from;
#ifdef HAS_ASAN
	fake = c->fake_inside;
#endif
	came_in(c, fake);
}

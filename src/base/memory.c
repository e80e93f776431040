/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what allocator and kernel have to be told to stay small.  Called when
 * the gateway starts, beside a request's way.
 */
#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __linux__
#include <link.h>
#endif
#ifdef HAVE_MALLOPT
#include <malloc.h>
#endif

#include "base/memory.h"

/* More let threads wait less for each other, and keep more for themselves. */
#define ARENAS 8

void
memory_tune(void)
{
#if defined HAVE_MALLOPT && defined __GLIBC__
	/* Else the threshold grows with the first big body, and each thread's
	 * arena keeps those it once had: 175 MB instead of 10 after 96 bodies
	 * of 10 MB (FACTS §9). */
	mallopt(M_ARENA_MAX, ARENAS);
	mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	mallopt(M_TRIM_THRESHOLD, 256 * 1024);
#endif
}

/* On other machines code may have been relocated in place. */
#if defined __linux__ && defined __LP64__
#define GIVES_BACK
#endif

#ifdef GIVES_BACK
/* Of one program or library: its segments that nobody can have written to. */
static int
give_back_object(struct dl_phdr_info *info, size_t size, void *page)
{
	uintptr_t mask = *(uintptr_t *)page - 1;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t begin = info->dlpi_addr + segment->p_vaddr;
		uintptr_t end = begin + segment->p_memsz;

		if (segment->p_type != PT_LOAD ||
		    (segment->p_flags & PF_W) != 0)
			continue;
		begin = (begin + mask) & ~mask;
		end &= ~mask;
		if (end > begin)
			madvise((void *)begin, end - begin, MADV_DONTNEED);
	}
	return 0;
}
#endif

void
memory_give_back(void)
{
#ifdef GIVES_BACK
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	dl_iterate_phdr(give_back_object, &page);
#endif
}

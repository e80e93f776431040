/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the allocator and the kernel are told to use little memory, where
 * the bounds of memory come from, and what is done when it runs out.
 */
#include "config.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_SYS_PRCTL_H
#include <sys/prctl.h>
#endif
#ifdef __linux__
#include <link.h>
#endif
#ifdef HAVE_MALLOPT
#include <malloc.h>
#endif

#include "base/log.h"
#include "base/memory.h"

/* With more arenas, threads wait less for each other, but each keeps more
 * memory. */
#define ARENAS 8

void
memory_protect(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	/* Sanitizers and debuggers must be able to trace. */
#if defined(HAVE_SYS_PRCTL_H) && !defined(TAILGATE_DEBUGGABLE)
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

void
memory_tune(void)
{
#if defined HAVE_MALLOPT && defined __GLIBC__
	/* Otherwise the threshold grows with the first big body, and each
	 * thread's arena keeps those it once had: 175 MB instead of 10 after
	 * 96 bodies of 10 MB (FACTS §9). */
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
/* The segments of one program or library that nothing can have written to. */
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
#ifdef HAVE_MALLOC_TRIM
	malloc_trim(0);
#endif
#ifdef GIVES_BACK
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	dl_iterate_phdr(give_back_object, &page);
#endif
}

/* ---- the budget ------------------------------------------------------- */

#define PATH_BYTES 4096
/* Reserve for small needs when everything else is used up. */
#define RESERVE_BYTES ((size_t)1024 * 1024)
/* A client may hold this many times what it leaves free. */
#define SHARE_FACTOR 7
#define WAIT_NS 5000000L
#define WAIT_MAX 1000 /* so often */

static struct {
	size_t budget;
	atomic_size_t taken;
	_Atomic(void *) reserve; /* NULL: used up */
} memory = { .budget = SIZE_MAX };

/* The number in a file, SIZE_MAX if there is none ("max"). */
static size_t
read_number(const char *path)
{
	unsigned long long n;
	FILE *f = fopen(path, "re");
	bool found;

	if (f == NULL)
		return SIZE_MAX;
	found = fscanf(f, "%llu", &n) == 1;
	fclose(f);
	return found && n < SIZE_MAX ? (size_t)n : SIZE_MAX;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The bound of a control group and its ancestors.  What is not mounted here,
 * such as the host's part of the path inside a container, sets no bound. */
static size_t
group_limit(const char *root, char *group, const char *file)
{
	char path[PATH_BYTES];
	size_t limit = SIZE_MAX;
	char *slash;

	for (;;) {
		if (snprintf(path, sizeof(path), "%s%s/%s", root, group, file) <
		    (int)sizeof(path))
			limit = least(limit, read_number(path));
		if ((slash = strrchr(group, '/')) == NULL)
			return limit;
		*slash = '\0';
	}
}

/* cgroups(7), both versions. */
static size_t
groups_limit(void)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[PATH_BYTES], *group;
	size_t limit = SIZE_MAX;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3) == 0)
			limit = least(limit,
			    group_limit(
				"/sys/fs/cgroup", line + 3, "memory.max"));
		else if ((group = strstr(line, ":memory:")) != NULL)
			limit = least(limit,
			    group_limit("/sys/fs/cgroup/memory", group + 8,
				"memory.limit_in_bytes"));
	}
	if (f != NULL)
		fclose(f);
	return limit;
}

static size_t
physical(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	return pages < 1 || size < 1 ? SIZE_MAX : (size_t)pages * (size_t)size;
}

static size_t
resource_limit(int resource)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) == -1 ||
	    limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > SIZE_MAX)
		return SIZE_MAX;
	return (size_t)limit.rlim_cur;
}

size_t
memory_part(size_t asked, unsigned processes)
{
	size_t own =
	    least(resource_limit(RLIMIT_AS), resource_limit(RLIMIT_DATA));
	size_t all = asked > 0 ? asked : least(physical(), groups_limit()) / 2;

	/* Stacks, the allocator's arenas and the program need the rest. */
	return least(all / processes, own / 4);
}

void
memory_set_budget(size_t bytes)
{
	memory.budget = bytes;
	if (atomic_load(&memory.reserve) == NULL)
		atomic_store(&memory.reserve, malloc(RESERVE_BYTES));
}

size_t
memory_budget(void)
{
	return memory.budget;
}

static bool
refill_reserve(void)
{
	void *fresh, *none = NULL;

	if (memory.budget == SIZE_MAX || atomic_load(&memory.reserve) != NULL)
		return true;
	if ((fresh = malloc(RESERVE_BYTES)) == NULL)
		return false;
	if (!atomic_compare_exchange_strong(&memory.reserve, &none, fresh))
		free(fresh);
	return true;
}

/* May a client have what it asks for?  Both the client's sum and the total
 * already include it. */
static bool
share_allows(size_t mine, size_t taken)
{
	size_t left = memory.budget - taken;
	size_t kept = mine > memory.budget / 128 ? memory.budget / 8 : 0;

	return left >= kept && mine / SHARE_FACTOR <= left - kept;
}

/* Counted before it is compared, so two that come at the same time never both
 * get the last of it; at the edge both may be refused. */
static enum memory_lack
count(struct memory_share *share, size_t bytes)
{
	size_t taken = atomic_fetch_add(&memory.taken, bytes) + bytes, mine;

	if (memory.budget == SIZE_MAX) {
		if (share != NULL)
			atomic_fetch_add(&share->taken, bytes);
		return MEMORY_ENOUGH;
	}
	mine =
	    share == NULL ? 0 : atomic_fetch_add(&share->taken, bytes) + bytes;
	if (taken > memory.budget)
		return MEMORY_SPENT;
	return share == NULL || share_allows(mine, taken) ? MEMORY_ENOUGH
							  : MEMORY_SHARE;
}

static void
note(struct memory_hold *hold, enum memory_lack lack)
{
	if (hold != NULL && hold->lack == MEMORY_ENOUGH)
		hold->lack = lack;
}

bool
memory_take(struct memory_hold *hold, size_t bytes)
{
	enum memory_lack lack = MEMORY_SPENT;

	if (refill_reserve() && bytes <= memory.budget) {
		lack = count(hold == NULL ? NULL : hold->share, bytes);
		if (lack != MEMORY_ENOUGH)
			memory_give(hold, bytes);
	}
	note(hold, lack);
	return lack == MEMORY_ENOUGH;
}

void
memory_give(struct memory_hold *hold, size_t bytes)
{
	if (hold != NULL && hold->share != NULL)
		atomic_fetch_sub(&hold->share->taken, bytes);
	atomic_fetch_sub(&memory.taken, bytes);
}

void
memory_charge(struct memory_hold *hold, size_t bytes)
{
	count(hold == NULL ? NULL : hold->share, bytes);
}

bool
memory_is_scarce(const struct memory_hold *hold)
{
	size_t taken = atomic_load(&memory.taken);

	return taken >= memory.budget / 2 ||
	    (hold != NULL && hold->share != NULL && memory.budget != SIZE_MAX &&
		!share_allows(atomic_load(&hold->share->taken), taken));
}

size_t
memory_share_most(void)
{
	size_t all = memory.budget - memory.budget / 8;

	return all - all / (SHARE_FACTOR + 1);
}

size_t
memory_taken(void)
{
	return atomic_load(&memory.taken);
}

bool
memory_is_there(size_t bytes)
{
	void *volatile p = malloc(bytes);
	bool there = p != NULL;

	free(p);
	return there;
}

void *
memory_alloc(size_t bytes)
{
	return memory_grow(NULL, bytes);
}

void *
memory_zero(size_t bytes)
{
	void *p = memory_grow(NULL, bytes);

	memset(p, 0, bytes);
	return p;
}

void *
memory_grow(void *old, size_t bytes)
{
	unsigned tries = 0;
	void *p;

	while ((p = realloc(old, bytes)) == NULL)
		memory_wait(&tries);
	return p;
}

void *
memory_try(void *old, size_t bytes)
{
	return bytes == 0 || bytes > MEMORY_LITTLE_BYTES
	    ? realloc(old, bytes)
	    : memory_grow(old, bytes);
}

void *
memory_list(void *old, size_t n, size_t of)
{
	if (of > 0 && n > SIZE_MAX / of)
		fatal("out of memory");
	return memory_grow(old, n * of);
}

char *
memory_text(struct span text)
{
	char *p = memory_alloc(text.len + 1);

	if (text.len > 0)
		memcpy(p, text.p, text.len);
	p[text.len] = '\0';
	return p;
}

void
memory_wait(unsigned *tries)
{
	static const struct timespec moment = { 0, WAIT_NS };

	if (*tries > WAIT_MAX)
		fatal("out of memory");
	if ((*tries)++ == 0)
		free(atomic_exchange(&memory.reserve, NULL));
	else
		nanosleep(&moment, NULL);
}

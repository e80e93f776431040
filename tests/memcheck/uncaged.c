/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The system confines nothing: valgrind makes system calls and opens files of
 * its own in the same process.
 */
#include "config.h"

#include "sandbox/rules.h"
#include "sandbox/sandbox.h"

uint64_t
sandbox_filter(void)
{
	return 0;
}

void
sandbox_seccomp_prepare(const struct sandbox_rules *r)
{
	(void)r;
}

int
sandbox_seccomp(const struct sandbox_rules *r)
{
	(void)r;
	return 0;
}

int
sandbox_landlock(const struct sandbox_rules *r)
{
	(void)r;
	return 0;
}

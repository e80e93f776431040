/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides pledge(2) and unveil(2).  Written from their manual pages; not run by
 * our tests, which are on Linux.
 */
#include "config.h"

#include <unistd.h>

#include "sandbox/rules.h"
#include "sandbox/sandbox.h"

#ifdef __OpenBSD__

int
sandbox_openbsd(const struct sandbox_rules *r)
{
	static const char *const rights[] = { [SANDBOX_READ] = "r",
		[SANDBOX_WRITE] = "rwc",
		[SANDBOX_SHARE] = "rwc",
		[SANDBOX_DIRS] = "rc" };
	int bits = SANDBOX_CALLS;

	if (r->looks) {
		if (unveil("/", "r") == -1)
			return -1;
	} else if (r->files) {
		for (size_t i = 0; i < r->npaths; i++)
			/* A path that does not exist cannot be unveiled. */
			if (unveil(r->paths[i].path,
				rights[r->paths[i].access]) == 0)
				bits |= SANDBOX_FILES;
		if (unveil(NULL, NULL) == -1)
			return -1;
	}
	if (pledge(r->fork ? "stdio rpath wpath cpath flock unix inet dns proc "
			     "fattr dpath unveil sendfd recvfd exec"
		    : r->writes_only
		    ? "stdio rpath wpath cpath flock fattr recvfd"
		    : r->connect
		    ? "stdio rpath wpath cpath flock unix inet dns dpath "
		      "fattr sendfd"
		    : "stdio rpath wpath cpath flock dpath fattr",
		NULL) == -1)
		return -1;
	return bits;
}

#else

int
sandbox_openbsd(const struct sandbox_rules *r)
{
	(void)r;
	return 0;
}

#endif

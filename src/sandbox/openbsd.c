/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides pledge(2) and unveil(2).  Written from their manual pages and OpenBSD's
 * kern_pledge.c, and never run there; tests/unit/openbsd_test.c checks what it
 * asks for.
 *
 * A call that is not promised ends the process.  So mlock(2), which no promise
 * has, is not called there (config/secrets.c), and a process that serves calls
 * neither kill(2) nor an unusual ioctl(2).  A process that a parent forks
 * begins with the parent's promises, and can only give some of them up.
 */
#include "config.h"

#include <unistd.h>

#include "sandbox/rules.h"
#include "sandbox/sandbox.h"

#ifdef __OpenBSD__

/* fattr: the modes and owners of files that take another's place; dpath: the
 * FIFOs of slots; tty: the terminal's width. */
static const char *
promises_of(const struct sandbox_rules *r)
{
	if (r->fork)
		return "stdio rpath wpath cpath flock unix inet dns proc fattr "
		       "dpath unveil sendfd recvfd exec";
	if (r->writes_only)
		return "stdio rpath wpath cpath flock fattr recvfd";
	if (r->wakes)
		return "stdio inet dns";
	if (r->serves)
		return "stdio rpath wpath cpath flock unix inet dns dpath "
		       "fattr sendfd";
	if (r->looks)
		return "stdio rpath flock tty";
	if (r->connect)
		return "stdio rpath wpath cpath flock inet dns dpath fattr tty";
	return "stdio rpath wpath cpath flock dpath fattr tty";
}

int
sandbox_openbsd(const struct sandbox_rules *r)
{
	/* SANDBOX_LOG needs none: syslog(3) is a call of stdio's. */
	static const char *const rights[] = { [SANDBOX_READ] = "r",
		[SANDBOX_WRITE] = "rwc",
		[SANDBOX_SHARE] = "rwc",
		[SANDBOX_DIRS] = "rc",
		[SANDBOX_ASK] = "rw",
		[SANDBOX_LOG] = NULL };
	int bits = SANDBOX_CALLS;

	/* It asks of any path whether it could be written, and unveil(2) would
	 * deny that of all.  It has promised to write none. */
	if (r->looks)
		bits |= SANDBOX_FILES;
	else if (r->files) {
		for (size_t i = 0; i < r->npaths; i++) {
			const char *right = rights[r->paths[i].access];

			/* A path that does not exist cannot be unveiled. */
			if (right != NULL &&
			    unveil(r->paths[i].path, right) == 0)
				bits |= SANDBOX_FILES;
		}
		if (unveil(NULL, NULL) == -1)
			return -1;
	}
	return pledge(promises_of(r), NULL) == -1 ? -1 : bits;
}

#else

int
sandbox_openbsd(const struct sandbox_rules *r)
{
	(void)r;
	return 0;
}

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides Landlock (landlock(7)): files from ABI 1 (Linux 5.13) on, ports of TCP
 * from ABI 4 (6.7) on, abstract sockets and signals from ABI 6 (6.12) on,
 * socket files from ABI 9 (7.1) on, ports of UDP from ABI 10 (7.2) on.  It
 * makes the system calls itself, because glibc has no functions for them, and
 * defines the constants that older headers lack.
 */
#include "config.h"

#include "sandbox/rules.h"
#include "sandbox/sandbox.h"

#ifdef HAVE_LINUX_LANDLOCK_H

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13) /* ABI 2 */
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* ABI 3 */
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#endif
#define FS_RESOLVE_UNIX (1ULL << 16) /* ABI 9 */
#define NET_BIND_TCP (1ULL << 0) /* ABI 4 */
#define NET_CONNECT_TCP (1ULL << 1)
#define NET_CONNECT_SEND_UDP (1ULL << 3) /* ABI 10 */
#define RULE_NET_PORT 2
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0) /* ABI 6 */
#define SCOPE_SIGNAL (1ULL << 1)

/* The kernel's structures; an older kernel accepts their shorter sizes. */
struct ruleset_attr {
	uint64_t fs, net, scoped;
};

struct net_port_attr {
	uint64_t access, port;
};

#define FS_FILE                                                         \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	    LANDLOCK_ACCESS_FS_TRUNCATE)
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                          \
	(FS_READ | FS_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |             \
	    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
	    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_FIFO |  \
	    LANDLOCK_ACCESS_FS_REFER)

#define FS_DIRS (LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR)

/* All rights to files that an ABI knows. */
static uint64_t
fs_handled(int abi)
{
	uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (abi >= 2)
		all |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		all |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 5)
		all |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	if (abi >= 9)
		all |= FS_RESOLVE_UNIX;
	return all;
}

/* Not BIND_UDP, because it also covers the port that the kernel gives to a
 * socket with its first datagram.  seccomp restricts bind(2) itself
 * (calls.c). */
static uint64_t
net_handled(int abi)
{
	return NET_BIND_TCP | NET_CONNECT_TCP |
	    (abi >= 10 ? NET_CONNECT_SEND_UDP : 0);
}

/* A path that does not exist needs no rule. */
static int
allow_path(int ruleset, uint64_t handled, const struct sandbox_path *p)
{
	static const uint64_t rights[] = { [SANDBOX_READ] = FS_READ,
		[SANDBOX_WRITE] = FS_WRITE,
		[SANDBOX_SHARE] = FS_WRITE & ~LANDLOCK_ACCESS_FS_TRUNCATE,
		[SANDBOX_DIRS] = FS_DIRS,
		[SANDBOX_ASK] = FS_RESOLVE_UNIX,
		[SANDBOX_LOG] = FS_RESOLVE_UNIX };
	struct landlock_path_beneath_attr attr = {
		.allowed_access = rights[p->access] & handled
	};
	struct stat st;
	int rc = 0, fd = open(p->path, O_PATH | O_CLOEXEC);

	if (fd == -1)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR
		    ? 0
		    : -1;
	if (fstat(fd, &st) == -1)
		rc = -1;
	else {
		if (!S_ISDIR(st.st_mode))
			attr.allowed_access &= FS_FILE | FS_RESOLVE_UNIX;
		attr.parent_fd = fd;
		/* An older kernel does not know the right, nor refuse it. */
		if (attr.allowed_access != 0)
			rc = (int)syscall(SYS_landlock_add_rule, ruleset,
			    LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
	}
	close(fd);
	return rc;
}

static int
add_rules(int ruleset, uint64_t fs, uint64_t net, const struct sandbox_rules *r)
{
	for (size_t i = 0; i < r->npaths; i++)
		if (allow_path(ruleset, fs, &r->paths[i]) == -1)
			return -1;
	for (size_t i = 0; net != 0 && i < r->nports; i++) {
		struct net_port_attr attr = { net & ~NET_BIND_TCP,
			r->ports[i] };

		if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT,
			&attr, 0) == -1)
			return -1;
	}
	return 0;
}

int
sandbox_landlock(const struct sandbox_rules *r)
{
	struct ruleset_attr attr = { .fs = 0 };
	int abi, ruleset, rc = -1;
	bool net;

	if (!r->files)
		return 0;
	abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1)
		return 0; /* ENOSYS, EOPNOTSUPP: not on this kernel */
	net = abi >= 4 && !r->ports_full;
	attr.fs = fs_handled(abi);
	if (net)
		attr.net = net_handled(abi);
	if (abi >= 6)
		attr.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr,
	    abi >= 6       ? sizeof(attr)
		: abi >= 4 ? 16
			   : 8,
	    0);
	if (ruleset == -1)
		return -1;
	if (add_rules(ruleset, attr.fs, attr.net, r) == 0 &&
	    syscall(SYS_landlock_restrict_self, ruleset, 0) == 0)
		rc = SANDBOX_FILES | (net ? SANDBOX_PORTS : 0) |
		    (abi >= 6 ? SANDBOX_SCOPES : 0);
	close(ruleset);
	return rc;
}

#else

int
sandbox_landlock(const struct sandbox_rules *r)
{
	(void)r;
	return 0;
}

#endif

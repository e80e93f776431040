/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/* As sys/sysctl.h here. */
#ifndef TESTS_FREEBSD_SYS_SOCKETVAR_H
#define TESTS_FREEBSD_SYS_SOCKETVAR_H

#include <stdint.h>
#include <sys/types.h>

typedef uint64_t ksize_t;

struct xsocket {
	ksize_t xso_len;
	int32_t xso_family;
	uid_t so_uid;
};

#endif

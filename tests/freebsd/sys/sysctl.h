/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What src/wire/peer_table_freebsd.c uses of FreeBSD's headers, by the names
 * that they have there, for tests/unit/peer_freebsd_test.c on another system.
 * (Fields that it does not use are left out.)
 */
#ifndef TESTS_FREEBSD_SYS_SYSCTL_H
#define TESTS_FREEBSD_SYS_SYSCTL_H

#include <stddef.h>

int sysctlbyname(
    const char *name, void *out, size_t *len, const void *in, size_t in_len);

#endif

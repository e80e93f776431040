/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A compressed file, read from its beginning to its end.  gzip always, zstd
 * if configure found the library.
 */
#ifndef LEDGER_UNPACK_H
#define LEDGER_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* How a file is compressed, as the ending of its name says. */
enum unpack_form {
	UNPACK_NONE = 0,
	UNPACK_GZIP,
	UNPACK_ZSTD,
	UNPACK_OTHER, /* by something that is not read here */
};

/* *len: bytes of the name before that ending; all of it for UNPACK_NONE. */
enum unpack_form unpack_form(const char *name, size_t *len);

struct unpack;

/* NULL with errno.  The unpacker owns the descriptor in either case. */
struct unpack *unpack_open(int fd, enum unpack_form);
void unpack_close(struct unpack *);

/* Bytes of what was compressed, fewer than `len` only at the end; 0 there.  -1
 * with errno: EBADMSG if it is damaged or ends too early. */
ssize_t unpack_read(struct unpack *, char *p, size_t len);

#endif

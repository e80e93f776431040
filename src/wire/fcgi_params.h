/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The parameters of a FastCGI request (FastCGI 1.0, 3.4): pairs of names and
 * values, found by a hash of the name.  No I/O.
 */
#ifndef WIRE_FCGI_PARAMS_H
#define WIRE_FCGI_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* Of all together; web servers send 8 KiB, Caddy up to 1 MiB. */
#define FCGI_PARAMS_BYTES ((size_t)2 * 1024 * 1024)
#define FCGI_PARAMS_SLOTS 64

/* Places in `raw`; numbers of parameters are + 1, and 0 is none. */
struct fcgi_param {
	uint32_t name, name_len;
	uint32_t value; /* ends with a NUL */
	uint32_t before; /* the one before it with the same hash */
};

struct fcgi_params {
	struct buf raw;
	struct fcgi_param *list;
	uint32_t n, room;
	uint32_t last[FCGI_PARAMS_SLOTS]; /* of each hash */
};

void fcgi_params_init(struct fcgi_params *);
void fcgi_params_free(struct fcgi_params *);
/* The next bytes; false: too many. */
bool fcgi_params_add(struct fcgi_params *, const char *, size_t);
/* That was all; false: they are not well formed. */
bool fcgi_params_end(struct fcgi_params *);
/* A value, or NULL; io_param_one() decides about repeated ones.  It is valid
 * as long as the parameters. */
const char *fcgi_params_find(const struct fcgi_params *, const char *name);

#endif

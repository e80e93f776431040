/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A response in a content coding that was not requested (RFC 9110 8.4): events,
 * errors and usage could not be read in it, nor comments added between its
 * events, so it is decoded on its way.  gzip and deflate, by zlib.
 */
#ifndef WIRE_CODING_H
#define WIRE_CODING_H

#include <stdbool.h>

#include "base/span.h"

struct coding;

/* For the value of Content-Encoding; NULL: we don't know that coding. */
struct coding *coding_new(struct span name);
void coding_free(struct coding *);

/* Gives out() the decoded bytes.  0; 1: out() returned a value other than 0;
 * -1: they cannot be decoded. */
int coding_push(struct coding *, struct span,
    int (*out)(void *ctx, struct span), void *ctx);

/* Was that all of it? */
bool coding_ended(const struct coding *);

#endif

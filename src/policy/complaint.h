/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Reads an upstream's error, to find whose fault it is: its words and numbers,
 * in any form.
 */
#ifndef POLICY_COMPLAINT_H
#define POLICY_COMPLAINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* The error's own words (message, code, type, ...) in lower case, without
 * anything quoted; an error that is not JSON is words as a whole.  out is
 * initialised here, the caller frees it; never NULL. */
void complaint_words(struct span body, struct buf *out);

/* A number beside the message, such as llama.cpp's n_ctx; 0: none. */
uint64_t complaint_count(struct span body, const char *member);

/* The status that an error itself names, as an error inside of a 200 does;
 * 0: none. */
int complaint_status(struct span body);

/* The error's message, decoded, up to size - 1 bytes of it; "" if there is
 * none. */
void complaint_message(struct span body, char *out, size_t size);

#endif

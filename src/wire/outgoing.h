/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A request as it goes to a provider: its head, then its body's parts, and how
 * much of them has been sent.  No I/O.
 */
#ifndef WIRE_OUTGOING_H
#define WIRE_OUTGOING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/arena.h"
#include "wire/upstream.h"

struct outgoing {
	const struct upstream_request *request;
	/* The head to where the key is, the key where it lies (secrets.h), the
	 * head after it with a small body, or the body's parts. */
	struct iovec out[UPSTREAM_PARTS_MAX + 3];
	int n, at; /* those before are sent; out[at] is what is left of one */
	size_t head_left; /* of head and key, which count as no body */
	char *head; /* without the key; arena */
	size_t head_len, key_at;
	struct span key; /* empty: none is sent */
};

/* Writes the head; the request must outlive it. */
void outgoing_make(
    struct outgoing *, const struct upstream_request *, struct arena *);
/* From the beginning, for the first connection as for the second. */
void outgoing_rewind(struct outgoing *);
bool outgoing_sent(const struct outgoing *);
/* So many bytes of out[at...] were sent; returns how many of them are of the
 * body. */
size_t outgoing_count(struct outgoing *, size_t n);
/* Drops the rest. */
void outgoing_drop(struct outgoing *);

#endif

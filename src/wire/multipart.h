/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * multipart/form-data (RFC 7578, RFC 2046) as a pure scanner over the body:
 * where each part's headers and content are.  Strict: a missing final boundary,
 * a part without a name, or a header over its cap is an error.
 */
#ifndef WIRE_MULTIPART_H
#define WIRE_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

#define MULTIPART_PARTS_MAX 1000
#define MULTIPART_BOUNDARY_MAX 70

struct multipart_part {
	struct span name;	/* as quoted, backslash escapes kept */
	bool file;		/* has a filename */
	struct span file_name;	/* likewise; p NULL: none */
	struct span headers;	/* its header lines */
	struct span content;
	size_t offset;		/* of content in the body */
};

/* The boundary parameter of a Content-Type; p NULL if it is not
 * multipart/form-data or the boundary is missing or malformed. */
struct span multipart_boundary(const char *content_type);

/* Calls part() for each; its return other than 0 ends the scan and is
 * returned.  -1: malformed or truncated, *error says what.  *form is
 * everything from the first boundary to the last, both included: the form
 * without preamble and epilogue. */
int multipart_scan(struct span body, struct span boundary,
    int (*part)(void *ctx, const struct multipart_part *), void *ctx,
    struct span *form, const char **error);

#endif

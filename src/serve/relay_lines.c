/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the parts of an event stream outside of its events: comments, and lines
 * with fields that no client knows.  Providers and their proxies write there
 * what they like; it is treated like an error, and the keys in it are covered.
 * The framing does not change.
 */
#include "config.h"

#include <string.h>

#include "config/redact.h"
#include "serve/relay_internal.h"

/* A line with its end.  A single CR ends one, too. */
static struct span
first_line(struct span bytes)
{
	const char *end = memchr(bytes.p, '\n', bytes.len), *cr;
	size_t len = end == NULL ? bytes.len : (size_t)(end - bytes.p) + 1;

	cr = memchr(bytes.p, '\r', len);
	if (cr != NULL && cr + 1 < bytes.p + len && cr[1] != '\n')
		len = (size_t)(cr - bytes.p) + 1;
	return (struct span){ bytes.p, len };
}

/* Is it a field that clients read? */
static bool
is_field(struct span line)
{
	static const char *const fields[] = { "data", "event", "id", "retry" };

	if (memchr("\r\n", *line.p, 2) != NULL)
		return true;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t n = strlen(fields[i]);

		if (line.len > n && memcmp(line.p, fields[i], n) == 0 &&
		    line.p[n] == ':')
			return true;
	}
	return false;
}

static int
pass_covered(struct relay *r, struct span line)
{
	struct buf copy;
	int rc = -1;

	buf_init_charged(&copy, line.len, &r->memory);
	buf_add(&copy, line.p, line.len);
	if (copy.p != NULL && !buf_failed(&copy)) {
		redact(&r->response->keys, copy.p, copy.len);
		rc = response_body(r->response, buf_span(&copy));
	}
	buf_free(&copy);
	return rc;
}

int
relay_pass_lines(struct relay *r, struct span bytes)
{
	struct span run = { bytes.p, 0 }, line;
	bool field;

	for (; bytes.len > 0; bytes.p += line.len, bytes.len -= line.len) {
		line = first_line(bytes);
		field = r->in_field || is_field(line);
		r->in_field =
		    field && memchr("\r\n", line.p[line.len - 1], 2) == NULL;
		if (field) {
			run.len += line.len;
			continue;
		}
		if ((run.len > 0 && response_body(r->response, run) == -1) ||
		    pass_covered(r, line) == -1)
			return -1;
		run = (struct span){ line.p + line.len, 0 };
	}
	return run.len > 0 ? response_body(r->response, run) : 0;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * One request to a mounted gateway, as a client makes it: with header lines,
 * bodies and hang-ups that no client library would send on purpose.
 */
#ifndef CTL_MOUNT_ASK_H
#define CTL_MOUNT_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "config/settings.h"

struct mount {
	struct provider provider; /* its url is where we connect */
	const char *host; /* "ai.home:8443" */
	const char *prefix; /* of paths: "" or "/ai" */
	const char *key; /* or NULL */
	bool key_as_x_api_key; /* instead of Authorization */
};

struct mount_request {
	const char *method; /* "POST" */
	const char *path; /* "/v1/tailgate/mount?..." */
	const char *fields; /* more header lines, each with CRLF; or NULL */
	const char *type; /* Content-Type; NULL: JSON */
	struct span text; /* the body; p NULL: */
	uint64_t body; /* bytes of a JSON string */
	size_t reply_max; /* of a response, 0: 1 MiB */
	bool chunked; /* without Content-Length */
	bool head_only; /* with Content-Length, but without a byte of it */
	/* Hangs up so long after the start or, with leave_in_body, after the
	 * first byte of the response's body; 0: never. */
	int64_t leave_ms;
	bool leave_in_body;
	int64_t timeout_ms;
};

struct mount_reply {
	int status; /* 0: no response; why says how it ended */
	char why[160];
	bool left; /* we have hung up as asked */
	bool ours; /* it has an x-request-id of the gateway */
	bool cgi_status; /* and a field `Status` */
	bool retry_after;
	struct buf body;
	/* CLOCK_MONOTONIC: its first byte, and its end. */
	int64_t first_ms, end_ms;
};

/* "https://ai.home/x/v1/" is the host "ai.home" and the prefix "/x"; all of it
 * lives in the arena or is the caller's. */
void mount_of_url(struct mount *, struct arena *, const char *url);

/* Blocks until the response has ended, timeout_ms have passed, or it has hung
 * up.  The caller frees reply->body. */
void mount_ask(
    const struct mount *, const struct mount_request *, struct mount_reply *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Which session of a tool a request belongs to: its headers or its body say.
 *
 * In this order: X-Tailgate-Session, session-id (Codex), `prompt_cache_key`
 * (Responses and chat), `metadata.user_id` if there is a session in it (Claude
 * Code: "..._session_ID", or an object in a string with `session_id`).  What is
 * kept of it is a digest over the client's name and the session's: nobody can
 * read the name back, and two clients never share one.
 */
#ifndef POLICY_SESSION_H
#define POLICY_SESSION_H

#include "base/arena.h"
#include "config/settings.h"
#include "policy/call.h"

#define SESSION_HEADERS 2
struct session_header {
	const char *name;
	const char *param; /* as CGI calls it */
};
extern const struct session_header session_headers[SESSION_HEADERS];

/* A string of the body at this place, decoded: notes it in call->session_said
 * if it names a session.  `prompt_cache_key` goes before `metadata`. */
void session_read(struct call *, const char *member, struct span text,
    struct arena *);

/* After the body: sets call->session by the headers (values in the order of
 * session_headers, NULL: not there) or by what the body said. */
void session_take(struct call *, const struct client *,
    const char *const values[SESSION_HEADERS], struct arena *);

#endif

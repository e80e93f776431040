/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Whose request is it?  A client that is identified by its network or by the
 * web server's user, and not by a key, lends its authority to every page that
 * its browser shows.  What a browser says about a request tells such pages
 * apart: Sec-Fetch-Site, Origin, and Host against DNS rebinding (Fetch
 * standard; Fetch Metadata Request Headers, W3C).
 *
 * Programs that are not browsers send only a Host.
 */
#ifndef POLICY_AMBIENT_H
#define POLICY_AMBIENT_H

#include "config/settings.h"
#include "policy/refusal.h"

/* As the web server has them; NULL: not said. */
struct ambient {
	const char *host; /* Host */
	const char *origin; /* Origin */
	const char *site; /* Sec-Fetch-Site */
	/* Names of the mount as the web server's configuration has them,
	 * blanks between them: never what the client said. */
	const char *mount;
	const char *own_name; /* of this machine */
};

/* For a client without a key.  REFUSE_NONE, or why not: REFUSE_HOST if the
 * Host is none of ours, REFUSE_ORIGIN if a page of another origin asks.
 * SERVER_NAME is no help: lighttpd and Caddy put the client's Host there. */
enum refusal ambient_check(const struct config *, const struct ambient *);

#endif

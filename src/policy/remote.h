/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Media that a request only points to.  The upstream fetches it: the URL (and
 * its query) leaves with that fetch, and the URL can name anything in the
 * upstream's own network.  So a URL is judged by itself, without resolving its
 * name.
 */
#ifndef POLICY_REMOTE_H
#define POLICY_REMOTE_H

#include <stdbool.h>

#include "base/span.h"

/* What a reference asks for; 0: nothing is fetched. */
enum remote {
	REMOTE_MEDIA = 1 << 0, /* anything that the request does not contain
			        * itself */
	REMOTE_PLAIN = 1 << 1, /* not by https: http, file, a path ... */
	REMOTE_INSIDE = 1 << 2, /* a private address, or a name that only a
				   private network has */
	REMOTE_SCHEME = 1 << 3, /* neither https nor http */
};

/* What a key says about its string. */
enum remote_key {
	REMOTE_KEY_NONE,
	REMOTE_KEY_REFERENCE, /* image_url, file_url, server_url ... */
	REMOTE_KEY_MEDIA, /* image, audio, video: perhaps the data itself */
	REMOTE_KEY_URL, /* url, uri: depends on what contains it */
	REMOTE_KEY_DATA, /* file_data, data: the data itself, but some upstreams
			  * accept a URL there, too */
	REMOTE_KEY_FILE, /* file, mask: the same, whatever contains it */
};
enum remote_key remote_key(struct span key);
/* Is the `url` inside a member of this name a URL of media? */
bool remote_holds_url(struct span key);

/* enum remote, of the decoded string. */
unsigned remote_judge(struct span text, enum remote_key);

#endif

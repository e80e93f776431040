/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What is assumed of a web server, and the line that `tailgate probe --mount`
 * prints for each assumption.
 */
#ifndef CTL_MOUNT_SAY_H
#define CTL_MOUNT_SAY_H

#include <stdbool.h>

#include "ctl/table.h"

enum mount_assumption {
	REACHED,
	AUTHORIZATION,
	TWINS,
	NAMED,
	PROXY,
	ADDRESS,
	RAW_PATH,
	METHODS,
	ERRORS,
	STATUS,
	STREAMS,
	LEFT_WAITING,
	LEFT_STREAM,
	BIG_BODY,
	CHUNKED,
	UPLOAD,
	SILENCE,
	ASSUMPTIONS
};

struct mount_says {
	struct table *table; /* of three columns */
	const char
	    *web_server; /* "lighttpd", "Caddy", "nginx" or other words */
	unsigned failed;
	bool ours; /* the gateway itself has responded: it is mounted */
	bool silent; /* nothing has responded: there is nothing to mount in */
};

/* seen: what was seen, short; NULL: nothing to add.  If the assumption does not
 * hold, the line ends with what to change. */
void mount_say(
    struct mount_says *, enum mount_assumption, bool holds, const char *seen);

#endif

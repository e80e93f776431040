/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * `tailgate probe --mount`: does the web server before the gateway do what
 * the gateway assumes?  Asks POST /v1/tailgate/mount, which tells an operator
 * what has arrived.
 */
#ifndef CTL_MOUNT_H
#define CTL_MOUNT_H

/* url: where the gateway is mounted, with or without /v1.  key_file: holds an
 * operator's key, NULL for one who is known without.  silence_s: 0, or how
 * long a response must be allowed to be silent.  Prints a line per assumption.
 * Exit status: 0 all hold, 1 one does not or could not be tried. */
int mount_probe(const char *url, const char *key_file, int silence_s);

#endif

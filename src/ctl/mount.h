/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * `tailgate probe --mount`: does the web server before the gateway do what the
 * gateway assumes?  Sends POST /v1/tailgate/mount, which tells an operator what
 * has arrived.
 */
#ifndef CTL_MOUNT_H
#define CTL_MOUNT_H

/* url: where the gateway is mounted, with or without /v1.  key_file: holds an
 * operator's key; NULL if the operator is identified without one.  silence_s:
 * for how long the web server must allow a response to be silent; 0: not
 * tested.  Prints a line for each assumption.  Returns the exit status: 0 if
 * all hold, 1 if one does not hold or could not be tested. */
int mount_probe(const char *url, const char *key_file, int silence_s);

/* The first line of a file, which has at most size - 1 bytes; NULL after an
 * error message of the command. */
const char *
mount_key_read(const char *command, const char *path, char *key, int size);

#endif

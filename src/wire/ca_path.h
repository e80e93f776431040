/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Where the system keeps its CAs.
 */
#ifndef WIRE_CA_PATH_H
#define WIRE_CA_PATH_H

/* The system's hashed CA directory, or NULL: use curl's default.  With
 * Debian's default of bundle and directory each new connection would parse
 * the whole bundle (23-37 ms).  The text is constant. */
const char *ca_path_find(void);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What libraries allocate is small, and they do badly without: a certificate
 * counts as wrong, an error's JSON as none.
 */
#ifndef SERVE_LIBRARIES_H
#define SERVE_LIBRARIES_H

/* From now on libcrypto, libssl and Jansson take memory as memory_try() gives
 * it.  Before any of them is used.  (libcurl, libev, PCRE2 and zlib are told
 * where they are used.) */
void libraries_use_memory(void);

#endif

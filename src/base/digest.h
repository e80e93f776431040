/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * SHA-256 (FIPS 180-4, from libcrypto, which libcurl uses too) and comparing in
 * constant time.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#define DIGEST_BYTES 32
#define DIGEST_TEXT_SIZE (2 * DIGEST_BYTES + 1)

/* Finds the algorithm in libcrypto, once, for this process and those that are
 * forked from it; digest_make() does it if it was not done. */
void digest_prepare(void);
void digest_make(const void *, size_t len, unsigned char out[DIGEST_BYTES]);
/* Of the one text and the other after it. */
void digest_pair(const void *first, size_t first_len, const void *second,
    size_t second_len, unsigned char out[DIGEST_BYTES]);
/* Lower-case hex, NUL-terminated. */
void digest_text(const unsigned char digest[DIGEST_BYTES],
    char out[DIGEST_TEXT_SIZE]);
/* SHA-1, for a protocol that requires it; it proves nothing. */
void digest_sha1_text(const void *, size_t len, char out[41]);
/* 64 hex digits; -1 with EINVAL. */
int digest_parse(const char *text, unsigned char out[DIGEST_BYTES]);
/* Takes the same time regardless of where the two differ. */
bool digest_equal(const unsigned char a[DIGEST_BYTES],
    const unsigned char b[DIGEST_BYTES]);

#endif

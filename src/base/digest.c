/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * SHA-256 of client keys and of the ledger's lines: the gateway knows only
 * digests, and its timing does not reveal how near a guess was.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/digest.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/memory.h"

/* Not SHA256(), nor EVP_Digest(): OpenSSL 3 would look the algorithm up, or
 * make a context, for each call, which costs more than the digest. */
static const EVP_MD *sha256;
static pthread_key_t contexts; /* each thread's */

static void
free_context(void *context)
{
	EVP_MD_CTX_free(context);
}

static void
find_sha256(void)
{
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
#else
	sha256 = EVP_sha256();
#endif
	if (pthread_key_create(&contexts, free_context) != 0)
		fatal("no key for a thread's own memory");
}

static EVP_MD_CTX *
my_context(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	EVP_MD_CTX *context;
	unsigned tries = 0;

	pthread_once(&once, find_sha256);
	if (sha256 == NULL)
		fatal("libcrypto has no SHA-256");
	if ((context = pthread_getspecific(contexts)) == NULL) {
		while ((context = EVP_MD_CTX_new()) == NULL)
			memory_wait(&tries);
		while (pthread_setspecific(contexts, context) != 0)
			memory_wait(&tries);
	}
	return context;
}

void
digest_prepare(void)
{
	(void)my_context();
}

void
digest_make(const void *bytes, size_t len, unsigned char out[DIGEST_BYTES])
{
	digest_pair(bytes, len, NULL, 0, out);
}

void
digest_pair(const void *first, size_t first_len, const void *second,
    size_t second_len, unsigned char out[DIGEST_BYTES])
{
	EVP_MD_CTX *context = my_context();
	unsigned tries = 0;

	/* It can only want for memory. */
	while (EVP_DigestInit_ex(context, sha256, NULL) != 1 ||
	    EVP_DigestUpdate(context, first, first_len) != 1 ||
	    (second_len > 0 &&
		EVP_DigestUpdate(context, second, second_len) != 1) ||
	    EVP_DigestFinal_ex(context, out, NULL) != 1)
		memory_wait(&tries);
}

void
digest_text(
    const unsigned char digest[DIGEST_BYTES], char out[DIGEST_TEXT_SIZE])
{
	*hex_text(digest, DIGEST_BYTES, out) = '\0';
}

int
digest_parse(const char *text, unsigned char out[DIGEST_BYTES])
{
	if (strlen(text) != 2 * DIGEST_BYTES)
		goto bad;
	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		int high = hex_value(text[2 * i]);
		int low = hex_value(text[2 * i + 1]);

		if (high == -1 || low == -1)
			goto bad;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
bad:
	errno = EINVAL;
	return -1;
}

bool
digest_equal(
    const unsigned char a[DIGEST_BYTES], const unsigned char b[DIGEST_BYTES])
{
	volatile unsigned char differ = 0;

	for (size_t i = 0; i < DIGEST_BYTES; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

void
digest_sha1_text(const void *p, size_t len, char out[41])
{
	unsigned char sum[20];

	if (EVP_Digest(p, len, sum, NULL, EVP_sha1(), NULL) != 1)
		fatal("no SHA-1");
	*hex_text(sum, sizeof(sum), out) = '\0';
}

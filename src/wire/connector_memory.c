/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how libcurl starts, and where its memory comes from.  Where a small
 * allocation fails, 7.88 divides by nought, or blames the name, the certificate
 * or the provider; so it finds what it needs (memory.h).
 */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/memory.h"
#include "base/span.h"
#include "wire/connector.h"
#include "wire/connector_internal.h"

static void *
take(size_t bytes)
{
	return memory_try(NULL, bytes);
}

static void *
take_zero(size_t n, size_t bytes)
{
	void *p = bytes > 0 && n > SIZE_MAX / bytes
	    ? NULL
	    : memory_try(NULL, n * bytes);

	return p == NULL ? NULL : memset(p, 0, n * bytes);
}

static char *
take_text(const char *text)
{
	return memory_text(span_of(text));
}

/* GnuTLS calls it (GNUTLS_SKIP_GLOBAL_INIT in gnutls.h): is there no need to
 * set it up when the program is loaded?  Debian's libcurl brings it along for
 * RTMP and LDAP, which are never used here, and that would take a twentieth of
 * a start.  A libcurl whose TLS library it is sets it up itself. */
int _gnutls_global_init_skip(void);

int
_gnutls_global_init_skip(void)
{
	return 1;
}

int
connector_init_curl(void)
{
	static bool started;

	if (started)
		return 0;
	started = curl_global_init_mem(CURL_GLOBAL_DEFAULT, take, free,
		      memory_try, take_text, take_zero) == CURLE_OK;
	return started ? 0 : -1;
}

void
connector_prepare(void)
{
	(void)connector_init_curl();
}

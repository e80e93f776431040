/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Why libcurl failed to connect: for lack of memory, descriptors or threads of
 * our own, or not.  It does not always say so.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "wire/connector_internal.h"

/* As many as a name or a handshake may need at once. */
#define DESCRIPTORS_NEEDED 4

bool
connector_is_exhaustion(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS ||
	    error == ENOMEM;
}

/* curl does not say why a name could not be resolved or a certificate not be
 * found: both need descriptors. */
static bool
descriptors_are_out(void)
{
	int fds[DESCRIPTORS_NEEDED];
	size_t n = 0;

	while (n < DESCRIPTORS_NEEDED &&
	    (fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) != -1)
		n++;
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	return n < DESCRIPTORS_NEEDED;
}

bool
connector_is_unresolved(CURLcode code)
{
	return code == CURLE_COULDNT_RESOLVE_HOST ||
	    code == CURLE_COULDNT_RESOLVE_PROXY;
}

bool
connector_lacks(CURL *easy, CURLcode code, const char *error)
{
	long number = 0;

	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
	return code == CURLE_OUT_OF_MEMORY ||
	    (code == CURLE_COULDNT_CONNECT &&
		connector_is_exhaustion((int)number)) ||
	    (connector_is_unresolved(code) &&
		(strstr(error, "thread failed") != NULL ||
		    !memory_is_there(CONNECT_BYTES))) ||
	    descriptors_are_out();
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
#ifndef WIRE_CONNECTOR_INTERNAL_H
#define WIRE_CONNECTOR_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

/* More than curl and OpenSSL ask for while they connect, so that those who
 * have a connection keep the reserve (memory.h). */
#define CONNECT_BYTES ((size_t)512 * 1024)

/* Starts libcurl, once, with memory as memory_try() gives it.  -1: it does
 * not. */
int connector_init_curl(void);

struct provider;

/* All but callbacks; after connector_init(). */
void connector_set_options(CURL *, const struct provider *);
/* May the provider (or its proxy) be connected at that address? */
struct sockaddr;
bool connector_may(const struct provider *, const struct sockaddr *);

/* Does this errno mean that the process or the system has no more? */
bool connector_is_exhaustion(int error);
/* Was a name not found, the host's or its proxy's? */
bool connector_is_unresolved(CURLcode);
/* Did the transfer fail with code and error for lack of something of our
 * own? */
bool connector_lacks(CURL *, CURLcode, const char *error);

/* A look-up of a name that curl did not find (connector_lookup.c). */
struct lookup;
enum lookup_result {
	LOOKUP_RUNS,
	LOOKUP_FOUND,
	LOOKUP_UNKNOWN, /* or its server does not respond */
	LOOKUP_LACKS, /* memory or descriptors of our own */
};

/* False: the resolver hangs, and so many wait for it already. */
bool lookup_may_begin(void);
/* Looks up the host of url, a provider's or its proxy's.  NULL: no memory, no
 * descriptor or no thread. */
struct lookup *lookup_begin(const char *url, bool is_proxy);
/* Readable when it is over; lookup_end() closes it. */
int lookup_fd(const struct lookup *);
enum lookup_result lookup_result(const struct lookup *);
/* What it found, for CURLOPT_RESOLVE; the caller's.  NULL: no memory. */
struct curl_slist *lookup_entry(const struct lookup *);
/* Whether it is over or not. */
void lookup_end(struct lookup *);

#endif

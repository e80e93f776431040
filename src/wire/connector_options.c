/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a connection to a provider needs of curl: proxy, TLS, whose
 * certificates are believed; and which addresses it may have.
 */
#include "config.h"

#include <string.h>

#include <curl/curl.h>

#include "base/net.h"
#include "wire/ca_path.h"
#include "wire/connector.h"
#include "wire/connector_internal.h"

/* The system's, or NULL (ca_path.h). */
static const char *system_ca_path;

int
connector_init(void)
{
	if (connector_init_curl() == -1)
		return -1;
	system_ca_path = ca_path_find();
	return 0;
}

static void
set_tls(CURL *easy, const struct provider *p)
{
	const char *path = p->ca_path != NULL ? p->ca_path
	    : p->ca_file != NULL              ? NULL
					      : system_ca_path;

	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(
	    easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (p->ca_file == NULL && path == NULL)
		return;
	curl_easy_setopt(easy, CURLOPT_CAINFO, p->ca_file);
	curl_easy_setopt(easy, CURLOPT_CAPATH, path);
}

void
connector_set_options(CURL *easy, const struct provider *p)
{
	curl_easy_setopt(easy, CURLOPT_URL, p->url);
	curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Otherwise giving up would wait until getaddrinfo returns. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_NETRC, CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_PROXY, p->proxy != NULL ? p->proxy : "");
	curl_easy_setopt(
	    easy, CURLOPT_HTTPPROXYTUNNEL, p->proxy != NULL ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	/* For a proxy's response only. */
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 1024L);
	/* Ours are shorter and know the phase (upstream.c). */
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 3600000L);
	set_tls(easy, p);
}

bool
connector_may(const struct provider *p, const struct sockaddr *to)
{
	bool inside = p->place == PLACE_EXTERNAL;
	struct net address;

	if (!inside && net_from_sockaddr(to, &address) == 0) {
		inside = net_is_ours(&address);
		for (size_t i = 0; !inside && i < p->naddresses; i++)
			inside = net_contains(&p->addresses[i], &address);
	}
	return inside;
}

bool
connector_tls(const struct provider *p)
{
	return strncmp(p->url, "https:", 6) == 0 ||
	    (p->proxy != NULL && strncmp(p->proxy, "https:", 6) == 0);
}

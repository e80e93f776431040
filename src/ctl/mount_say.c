/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the words of `tailgate probe --mount`: a row for each assumption with
 * what to change, by web server, if it does not hold.
 */
#include "config.h"

#include <string.h>

#include "ctl/mount_say.h"

/* What to change if it does not hold, by web server; other: for any other. */
static const struct assumed {
	const char *name, *lighttpd, *caddy, *nginx, *other;
} assumed[ASSUMPTIONS] = {
	[REACHED] = { "the gateway is reached", NULL, NULL, NULL,
	    "mount /v1 as tailgate.fcgi(8) says under MOUNTING" },
	[AUTHORIZATION] = { "Authorization arrives", NULL, NULL, NULL,
	    "hand the header Authorization on as HTTP_AUTHORIZATION" },
	[TWINS] = { "no header with underscores is read as another", NULL,
	    "header_up -*_*", "underscores_in_headers off",
	    "drop header names with underscores" },
	[NAMED] = { "no header is dropped because Connection names it", NULL,
	    "request_header -Connection", NULL,
	    "pass on headers that Connection names" },
	[PROXY] = { "a header Proxy does not become HTTP_PROXY", NULL,
	    "header_up -Proxy", "fastcgi_param HTTP_PROXY \"\" if_not_empty",
	    "drop the header Proxy" },
	[ADDRESS] = { "the client's address arrives", NULL, NULL,
	    "fastcgi_param REMOTE_ADDR $remote_addr", "set REMOTE_ADDR" },
	[RAW_PATH] = { "path and query arrive as they were written",
	    "in server.http-parseopts, \"url-normalize-required\" => "
	    "\"disable\"",
	    NULL,
	    "fastcgi_param REQUEST_URI $request_uri and QUERY_STRING "
	    "$query_string",
	    "set REQUEST_URI and QUERY_STRING to what the client wrote" },
	[METHODS] = { "OPTIONS arrives", NULL, NULL, NULL,
	    "let OPTIONS pass, or no web page can call" },
	[ERRORS] = { "errors keep their words and Retry-After",
	    "server.error-intercept = \"disable\"",
	    "no handle_response in reverse_proxy",
	    "fastcgi_intercept_errors off",
	    "do not put error pages in place of responses" },
	[STATUS] = { "no Status field reaches the client", NULL,
	    "header_down -Status", NULL, "drop the field Status" },
	[STREAMS] = { "a stream passes as it is made",
	    "server.stream-response-body = 1", "flush_interval -1",
	    "fastcgi_buffering off; gzip off", "do not buffer responses" },
	[LEFT_WAITING] = { "a hang-up before the response is noticed",
	    "\"tcp-fin-propagate\" => \"enable\"",
	    "run it on the gateway's host, with watch_peer on",
	    "fastcgi_ignore_client_abort off",
	    "close the FastCGI connection when the client closes" },
	[LEFT_STREAM] = { "a hang-up in a stream is noticed",
	    "\"tcp-fin-propagate\" => \"enable\" and "
	    "server.stream-response-body = 1",
	    "flush_interval -1", "fastcgi_ignore_client_abort off",
	    "close the FastCGI connection when the client closes" },
	[BIG_BODY] = { "the largest JSON body arrives",
	    "server.max-request-size (KiB)", "request_body max_size",
	    "client_max_body_size", "raise the limit for the size of bodies" },
	[CHUNKED] = { "a body of unknown length arrives",
	    "server.stream-request-body = 0",
	    "buffer_requests, from 2.7 on request_buffers",
	    "fastcgi_request_buffering on", "collect such bodies first" },
	[UPLOAD] = { "the largest upload is not refused",
	    "server.max-request-size (KiB)", "request_body max_size",
	    "client_max_body_size", "raise the limit for the size of bodies" },
	[SILENCE] = { "a silent response is not cut",
	    "server.max-write-idle, server.max-read-idle",
	    "no read_timeout in its fastcgi transport", "fastcgi_read_timeout",
	    "raise the timeout for responses" },
};

static const char *
advice(const struct mount_says *t, enum mount_assumption which)
{
	const struct assumed *a = &assumed[which];
	const char *its = strcmp(t->web_server, "lighttpd") == 0 ? a->lighttpd
	    : strcmp(t->web_server, "Caddy") == 0                ? a->caddy
	    : strcmp(t->web_server, "nginx") == 0                ? a->nginx
								 : NULL;

	return its != NULL ? its : a->other;
}

void
mount_say(struct mount_says *t, enum mount_assumption which, bool holds,
    const char *seen)
{
	t->failed += !holds;
	table_cell(t->table, "%s", assumed[which].name);
	table_cell(t->table, "%s", holds ? "yes" : "NO");
	if (holds || (which == REACHED && (t->ours || t->silent)))
		table_cell(t->table, "%s", seen == NULL ? "" : seen);
	else
		table_cell(t->table, "%s%schange: %s", seen == NULL ? "" : seen,
		    seen == NULL ? "" : "; ", advice(t, which));
}

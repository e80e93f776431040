/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a path becomes an endpoint, and what a web page of another origin
 * may know about it (CORS).  The first step of a request's way; it needs no
 * key, so it reveals only which endpoints exist.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "serve/request.h"

/* What a preflight may name; SDKs name about fifteen short headers. */
#define PREFLIGHT_HEADERS_MAX 4096

/* Does the path have this segment, or begin with it? */
static bool
has_segment(const char *path, const char *segment)
{
	size_t len = strlen(segment);

	while ((path = strstr(path, segment)) != NULL) {
		if (path[len] == '\0' || path[len] == '/')
			return true;
		path += len;
	}
	return false;
}

static bool
is_below_v1(const struct endpoint_spec *spec)
{
	return has_segment(spec->path, "/v1");
}

/* Does a path that ends in /v1 go through another /v1? */
static bool
is_nested(const char *path)
{
	const char *first = strstr(path, "/v1/");

	return first != NULL && first[4] != '\0';
}

/* The API is found below any mount: at the first place where the rest of the
 * path is one of its endpoints.  Endpoints about the gateway itself are not:
 * a web server may guard /metrics, and /v1/x/metrics must not bypass it. */
static const struct endpoint_spec *
find_endpoint(const char *path, struct span *rest)
{
	const struct endpoint_spec *spec =
	    endpoint_by_path(span_of(path), rest);

	if (*path == '\0' || strcmp(path, "/") == 0)
		return endpoint_spec(ENDPOINT_ROOT);
	for (const char *p = strchr(path, '/'); spec == NULL && p != NULL;
	     p = strchr(p + 1, '/')) {
		spec = endpoint_by_path(span_of(p), rest);
		if (spec != NULL && !is_below_v1(spec))
			spec = NULL;
	}
	/* /v1/nothing/v1/ is not the root. */
	if (spec != NULL && spec->id == ENDPOINT_ROOT && is_nested(path))
		spec = NULL;
	return spec;
}

/* The raw form of /v1/models/{id}: PATH_INFO has lost the %2F. */
static void
find_raw_rest(struct request *r)
{
	const char *uri = io_param(r->io, "REQUEST_URI");
	struct span rest;
	char *path;

	if (uri == NULL || r->rest.len == 0)
		return;
	path = arena_text(r->arena, (struct span){ uri, strcspn(uri, "?#") });
	if (find_endpoint(path, &rest) == r->spec && rest.len > 0)
		r->rest = rest;
}

/* Concatenates both, which may be NULL. */
static const char *
join(struct arena *arena, const char *a, const char *b)
{
	struct span first = span_of(a), rest = span_of(b);
	char *both = arena_alloc(arena, first.len + rest.len + 1);

	if (first.len > 0)
		memcpy(both, first.p, first.len);
	if (rest.len > 0)
		memcpy(both + first.len, rest.p, rest.len);
	return both;
}

/* ---- whose API the path belongs to ------------------------------------- */

/* Paths that both APIs know are told apart by a header that each request of
 * Anthropic's SDKs has. */
static enum endpoint_shape
shape_of(struct request *r, const char *path)
{
	if (r->spec != NULL && r->spec->upstream != NULL)
		return r->spec->shape;
	if (io_param(r->io, "HTTP_ANTHROPIC_VERSION") != NULL ||
	    (r->spec == NULL && has_segment(path, "/v1/messages")))
		return ENDPOINT_SHAPE_ANTHROPIC;
	return ENDPOINT_SHAPE_OPENAI;
}

static bool
refuse_unknown(struct request *r, const char *path)
{
	request_refuse(r, REFUSE_UNKNOWN_URL);
	if (has_segment(path, "/v1"))
		r->refused.message =
		    "This gateway does not serve this path; "
		    "tailgate.fcgi(8) lists those that it serves.";
	return false;
}

/* ---- web pages ---------------------------------------------------------- */

/* The allowed origin ("*" if all are), or NULL. */
static const char *
allowed_origin(struct request *r)
{
	const struct config *c = r->server->config;
	const char *origin = io_param(r->io, "HTTP_ORIGIN");

	for (size_t i = 0; origin != NULL && i < c->ncors_origins; i++) {
		if (strcmp(c->cors_origins[i], "*") == 0 ||
		    strcmp(c->cors_origins[i], origin) == 0)
			return c->cors_origins[i];
	}
	return NULL;
}

/* Every response, errors too: a page that may call may read why it failed. */
static const char *
add_cors(struct request *r)
{
	const char *origin = allowed_origin(r);

	if (r->server->config->ncors_origins > 0)
		response_add(&r->response, "Vary", "Origin");
	if (origin != NULL) {
		response_add(
		    &r->response, "Access-Control-Allow-Origin", origin);
		r->response.exposes = true;
	}
	return origin;
}

/* A list of header names and nothing else: it is returned as it came. */
static bool
is_name_list(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (!isalnum(c) && strchr("!#$%&'*+-.^_`|~, ", c) == NULL)
			return false;
	}
	return len <= PREFLIGHT_HEADERS_MAX;
}

/* A browser's question before the real request (Fetch standard, CORS).  A
 * page that the operator trusts may send whatever its SDK sends. */
static bool
response_preflight(struct request *r)
{
	const char *names =
	    io_param(r->io, "HTTP_ACCESS_CONTROL_REQUEST_HEADERS");
	const char *private =
	    io_param(r->io, "HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK");

	response_add(&r->response, "Access-Control-Allow-Methods",
	    "GET, HEAD, POST, DELETE, OPTIONS");
	if (names != NULL && is_name_list(names))
		response_add(
		    &r->response, "Access-Control-Allow-Headers", names);
	if (private != NULL && strcmp(private, "true") == 0)
		response_add(&r->response,
		    "Access-Control-Allow-Private-Network", "true");
	response_add(&r->response, "Access-Control-Max-Age", "86400");
	response_head(&r->response, 204, NULL, NULL, 0, -1);
	response_end(&r->response);
	return true;
}

/* ---- the step ----------------------------------------------------------- */

/* The methods of a path, for Allow. */
static const char *
methods_of(struct request *r)
{
	static const char *const methods[] = { "GET", "POST", "DELETE" };
	const char *all = "";

	if (r->spec->upstream == NULL && strcmp(r->spec->method, "GET") == 0)
		return "GET, HEAD";
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (endpoint_by_method(r->spec, methods[i]) != NULL)
			all = arena_printf(r->arena, "%s%s%s", all,
			    *all == '\0' ? "" : ", ", methods[i]);
	return all;
}

/* The row of the path that has this method.  For a provider, a HEAD would
 * cost as much as a GET and be useless. */
static bool
check_method(struct request *r, const char *method)
{
	const struct endpoint_spec *spec;
	bool get = strcmp(r->spec->method, "GET") == 0;

	if (method == NULL)
		method = "";
	r->response.head_only = strcmp(method, "HEAD") == 0;
	if (r->response.head_only && get && r->spec->upstream == NULL)
		return true;
	spec = endpoint_by_method(r->spec, method);
	if (spec == NULL) {
		response_add(&r->response, "Allow", methods_of(r));
		return request_refuse(r, REFUSE_METHOD);
	}
	r->spec = r->response.spec = spec;
	r->entry.endpoint = spec->name;
	return true;
}

/* The path within the mount, decoded; an authorizer only gets the URI (FastCGI
 * 1.0, section 6.3), and what is encoded in it is no endpoint. */
static const char *
path_of(struct request *r)
{
	const char *uri = io_param(r->io, "REQUEST_URI");

	if (!r->io->authorizes)
		return join(r->arena, io_param(r->io, "SCRIPT_NAME"),
		    io_param(r->io, "PATH_INFO"));
	return uri == NULL
	    ? ""
	    : arena_text(r->arena, (struct span){ uri, strcspn(uri, "?#") });
}

/* Does the web server ask whether it may go on?  A 2xx says yes. */
static bool
is_authorizing(const struct request *r)
{
	return r->io->authorizes ||
	    (r->spec != NULL && (r->spec->flags & ENDPOINT_BY_SERVER) != 0 &&
		io_param(r->io, "TAILGATE_PROVIDER") != NULL);
}

bool
route(struct request *r)
{
	const char *method = io_param(r->io, "REQUEST_METHOD");
	const char *path = path_of(r);
	const char *origin = add_cors(r);

	r->spec = find_endpoint(path, &r->rest);
	r->response.shape = shape_of(r, path);
	if (origin != NULL && method != NULL &&
	    strcmp(method, "OPTIONS") == 0 && !is_authorizing(r)) {
		r->body_read = true;
		return response_preflight(r);
	}
	if (r->spec == NULL)
		return refuse_unknown(r, path);
	find_raw_rest(r);
	r->response.spec = r->spec;
	r->entry.endpoint = r->spec->name;
	/* After a 200 the web server would do what it was not asked for. */
	if (r->io->authorizes && (r->spec->flags & ENDPOINT_BY_SERVER) == 0)
		return refuse_unknown(r, path);
	return check_method(r, method);
}

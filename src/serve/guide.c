/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a set-up's script comes to a client.  No key is in it: it asks for
 * the client's own where it runs.
 */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "base/jput.h"
#include "config/load.h"
#include "policy/choice.h"
#include "serve/guide.h"
#include "serve/query.h"
#include "serve/request_internal.h"

static bool
tools_list(struct request *r, struct buf *b)
{
	buf_puts(b, "{\"tools\":[");
	for (const struct setup_tool *t = setup_tools; t->name != NULL; t++) {
		buf_puts(b, t == setup_tools ? "{" : ",{");
		jput_text(b, "name", t->name);
		jput_text(b, "title", t->title);
		jput_bool(b, "tells", t->show != NULL);
		buf_puts(b, "}");
	}
	buf_puts(b, "]}");
	response_json(&r->response, 200, buf_span(b));
	return true;
}

/* Is it the host that the request was sent to?  A link that names another one
 * would make a script of ours point tools there.  True if the web server does
 * not tell. */
static bool
is_own_host(struct request *r, const char *url)
{
	const char *host = io_param(r->io, "HTTP_HOST"), *asked;

	if (host == NULL || *host == '\0')
		return true;
	asked = arena_printf(r->arena, "http://%s", host);
	return url_check(asked, "http") == NULL &&
	    strcasecmp(url_host(r->arena, asked), url_host(r->arena, url)) == 0;
}

/* Where the client reaches us, as it says: no web server tells the scheme, the
 * port and the path reliably. */
static const char *
url_of(struct request *r)
{
	const char *url = query_text(r->io, "url", r->arena);
	size_t n;
	char *text;

	if (url == NULL || url_check(url, "http https") != NULL ||
	    !setup_is_plain(url))
		return NULL;
	text = arena_strdup(r->arena, url);
	for (n = strlen(text); n > 0 && text[n - 1] == '/'; n--)
		text[n - 1] = '\0';
	return text;
}

bool
guide_serve(struct request *r, struct buf *b)
{
	const char *name = query_text(r->io, "tool", r->arena);
	const struct setup_tool *tool;
	struct setup_models *models;
	struct setup_values values = { .url = url_of(r) };

	if (name == NULL)
		return tools_list(r, b);
	if ((tool = setup_tool_find(name)) == NULL)
		return request_refuse_as(r, REFUSE_UNKNOWN_URL,
		    "There is no such tool; without `tool` the tools are "
		    "listed.");
	if (values.url == NULL)
		return request_refuse_as(r, REFUSE_INVALID_REQUEST,
		    "`url` must be the URL of this gateway, as "
		    "https://ai.example.");
	if (!is_own_host(r, values.url))
		return request_refuse_as(r, REFUSE_INVALID_REQUEST,
		    "`url` names another host than this request was sent to "
		    "(its Host); ask for the script at the URL that the tool "
		    "is to use.");
	models = arena_alloc(r->arena, sizeof(*models));
	choice_models(r->server->config, r->client, models, r->arena);
	values.models = models;
	values.model = query_text(r->io, "model", r->arena);
	if (values.model == NULL && setup_model_pick(models) != NULL)
		values.model = setup_model_pick(models)->id;
	if (values.model == NULL || !setup_is_plain(values.model))
		return request_refuse_as(r, REFUSE_INVALID_REQUEST,
		    "No chat model is listed for this client; name one with "
		    "`model`.");
	values.small = values.model;
	setup_model_assume(models, values.model);
	if (!setup_script(&values, tool, b))
		return request_refuse(r, REFUSE_INTERNAL);
	if (response_head(&r->response, 200, "text/plain; charset=utf-8", NULL,
		0, (int64_t)b->len) == 0)
		response_body(&r->response, buf_span(b));
	response_end(&r->response);
	return true;
}

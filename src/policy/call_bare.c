/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A request without a body as a call: hides how a query says which model and
 * whether to stream.
 */
#include "config.h"

#include <string.h>

#include "policy/call_reading.h"
#include "policy/layers.h"

/* "name=value", each decoded; value empty where there is none. */
struct parameter {
	struct span name, value;
};

static struct span
decoded(struct reading *r, struct span text)
{
	char *out = arena_alloc(r->arena, text.len + 1);

	return (struct span){ out, layers_percent(text, out) };
}

static struct parameter
split(struct reading *r, struct span part)
{
	const char *equals =
	    part.len == 0 ? NULL : memchr(part.p, '=', part.len);
	size_t n = equals == NULL ? part.len : (size_t)(equals - part.p);
	struct parameter p = { decoded(r, (struct span){ part.p, n }),
		{ "", 0 } };

	if (equals != NULL)
		p.value =
		    decoded(r, (struct span){ equals + 1, part.len - n - 1 });
	return p;
}

static int
refuse_twice(struct reading *r, const char *name)
{
	return call_refuse(r, REFUSE_INVALID_REQUEST, name,
	    arena_printf(r->arena,
		"The URL's query has `%s` twice; send it once.", name));
}

static int
take_model(struct reading *r, struct span value)
{
	if (r->call->model != NULL)
		return refuse_twice(r, "model");
	r->call->model = call_model_name(r, value);
	return r->call->model == NULL;
}

static int
take_stream(struct reading *r, struct span value)
{
	if (r->seen != 0)
		return refuse_twice(r, "stream");
	r->seen = 1;
	r->call->stream = span_is(value, "true");
	if (r->call->stream &&
	    !(endpoint_spec(r->call->endpoint)->flags & ENDPOINT_STREAMS))
		return call_refuse(r, REFUSE_INVALID_REQUEST, "stream",
		    "This endpoint does not stream.");
	if (r->call->stream || span_is(value, "false"))
		return 0;
	return call_refuse(r, REFUSE_INVALID_REQUEST, "stream",
	    "`stream` must be true or false.");
}

/* All of it is searched, whatever it is. */
static int
take_parameter(struct reading *r, struct span part)
{
	struct parameter p = split(r, part);

	layers_scan(&r->patterns, p.name);
	layers_scan(&r->patterns, p.value);
	if (span_is(p.name, "model"))
		return take_model(r, p.value);
	return span_is(p.name, "stream") ? take_stream(r, p.value) : 0;
}

int
call_parse_bare(const struct config *config, const struct patterns *patterns,
    enum endpoint endpoint, const char *query, struct arena *arena,
    struct call *call, struct refused *refused)
{
	struct reading r = { .call = call, .arena = arena, .refused = refused };
	const char *p = query == NULL ? "" : query;
	int rc = 0;

	call_begin(&r, config, patterns, endpoint);
	while (rc == 0 && *p != '\0') {
		size_t n = strcspn(p, "&;");

		rc = take_parameter(&r, (struct span){ p, n });
		p += n + (p[n] != '\0');
	}
	call_end(&r);
	return rc == 0 ? 0 : -1;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides which headers and which parameters of a query pass.  It complements
 * call.c: serve/request_body.c fills it, serve/attempt_make.c sends it.
 */
#include "config.h"

#include <ctype.h>

#include "policy/layers.h"
#include "policy/member.h"
#include "policy/passing.h"

#define VALUE_MAX 512
#define QUERY_MAX 512 /* of what is sent */
#define ID_MAX 128
#define WORD_MAX 128
#define NUMBER_MAX 9

const struct passing_header passing_headers[PASSING_HEADERS] = {
	{ "anthropic-version", "HTTP_ANTHROPIC_VERSION", false },
	{ "anthropic-beta", "HTTP_ANTHROPIC_BETA", false },
	{ "openai-beta", "HTTP_OPENAI_BETA", false },
	{ "idempotency-key", "HTTP_IDEMPOTENCY_KEY", false },
	/* Codex's, beside a ChatGPT sign-in. */
	{ "ChatGPT-Account-ID", "HTTP_CHATGPT_ACCOUNT_ID", true },
};

static void
add_text(struct passing *passing, struct span text)
{
	if (passing->ntexts < PASSING_TEXTS)
		passing->texts[passing->ntexts++] = text;
}

void
passing_take(struct passing *passing, size_t header, const char *value)
{
	size_t len = value == NULL ? 0 : strlen(value);

	if (len == 0 || len > VALUE_MAX)
		return;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)value[i] < ' ' ||
		    (unsigned char)value[i] >= 0x7f)
			return;
	passing->values[header] = value;
	add_text(passing, (struct span){ value, len });
}

void
passing_take_trace(struct passing *passing, const char *value,
    const unsigned char span[TRACE_SPAN_BYTES], struct arena *arena)
{
	char text[TRACE_SIZE];

	if (!trace_parse(value, span, text))
		return;
	passing->trace = arena_strdup(arena, text);
	add_text(passing, span_of(passing->trace));
}

void
passing_take_hops(struct passing *passing, const char *list)
{
	if (list != NULL)
		add_text(passing, span_of(list));
}

void
passing_boundary(struct passing *passing, struct span boundary)
{
	passing->boundary = boundary;
	add_text(passing, boundary);
}

static bool
consists_of(struct span text, const char *others, size_t max)
{
	for (size_t i = 0; i < text.len; i++)
		if (!isalnum((unsigned char)text.p[i]) &&
		    strchr(others, text.p[i]) == NULL)
			return false;
	return text.len > 0 && text.len <= max;
}

int
passing_id(struct passing *passing, struct span id, struct refused *refused)
{
	if (!consists_of(id, "-_", ID_MAX)) {
		*refused = (struct refused){ .refusal = REFUSE_INVALID_REQUEST,
			.message = "The id in the URL has characters that no "
				   "provider's id has, or is too long." };
		return -1;
	}
	add_text(passing, id);
	return 0;
}

/* Quoted where it is no token (RFC 2046 5.1.1). */
const char *
passing_type(const struct passing *passing, struct arena *arena)
{
	struct span b = passing->boundary;
	const char *quote = "";

	if (b.p == NULL)
		return "application/json";
	for (size_t i = 0; i < b.len; i++)
		if (strchr(" ()/,:=?", b.p[i]) != NULL)
			quote = "\"";
	return arena_printf(arena, "multipart/form-data; boundary=%s%.*s%s",
	    quote, SPAN_FMT(b), quote);
}

/* ---- the query -------------------------------------------------------- */

/* `2024-10-21`, `2025-04-01-preview`: what Azure calls its versions. */
static bool
is_version(struct span value)
{
	static const char shape[] = "0000-00-00";
	size_t i, n = sizeof(shape) - 1;

	if (span_is(value, "preview") || span_is(value, "latest") ||
	    span_is(value, "v1"))
		return true;
	if (value.len < n)
		return false;
	for (i = 0; i < n; i++)
		if (shape[i] == '0' ? !isdigit((unsigned char)value.p[i])
				    : value.p[i] != shape[i])
			return false;
	return value.len == n ||
	    span_is((struct span){ value.p + n, value.len - n }, "-preview");
}

static bool
is_number(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!isdigit((unsigned char)text.p[i]))
			return false;
	return text.len > 0 && text.len <= NUMBER_MAX;
}

static bool
is_flag(struct span value)
{
	return span_is(value, "true") || span_is(value, "false");
}

/* Parameters of the kept responses (OpenAI's API reference). */
static bool
is_of_kept(enum endpoint endpoint, struct span name, struct span value)
{
	bool items = endpoint == ENDPOINT_RESPONSES_ITEMS;

	if (!items && endpoint != ENDPOINT_RESPONSES_GET)
		return false;
	if (span_is(name, "include") || span_is(name, "include[]") ||
	    span_is(name, "include%5B%5D"))
		return consists_of(value, "_.", WORD_MAX);
	if (span_is(name, "after") || span_is(name, "before"))
		return items && consists_of(value, "-_", WORD_MAX);
	if (span_is(name, "limit"))
		return items && is_number(value);
	if (span_is(name, "order"))
		return items &&
		    (span_is(value, "asc") || span_is(value, "desc"));
	if (span_is(name, "starting_after"))
		return !items && is_number(value);
	return !items &&
	    (span_is(name, "stream") || span_is(name, "include_obfuscation")) &&
	    is_flag(value);
}

static bool
is_known(enum endpoint endpoint, struct span name, struct span value)
{
	if (span_is(name, "api-version"))
		return is_version(value);
	if (is_of_kept(endpoint, name, value))
		return true;
	return (endpoint == ENDPOINT_MESSAGES ||
		   endpoint == ENDPOINT_COUNT_TOKENS) &&
	    span_is(name, "beta") && is_flag(value);
}

static struct span
decoded(struct span text, struct arena *arena)
{
	char *out = arena_alloc(arena, text.len + 1);

	return (struct span){ out, layers_percent(text, out) };
}

/* Does it agree with the body? */
static bool
is_judged(const struct call *call, struct span name, struct span value)
{
	if (span_is(name, "model"))
		return span_is(value, call->model);
	return span_is(name, "stream") &&
	    span_is(value, call->stream ? "true" : "false");
}

/* What it decides about; NULL: nothing. */
static const char *
decides(struct span name)
{
	const struct jscan_step step = { .key = name };
	const struct member_spec *spec = member_find(&step);

	if (spec != NULL)
		return spec->name;
	return member_is_rival(name) ? "model" : member_disguised(name);
}

static int
refuse_parameter(const char *what, struct arena *arena, struct refused *refused)
{
	*refused = (struct refused){ .refusal = REFUSE_INVALID_REQUEST,
		.param = what,
		.message = arena_printf(arena,
		    "The URL's query names `%s`, which belongs in the body; "
		    "leave it out of the query.",
		    what) };
	return -1;
}

static int
take_parameter(struct passing *passing, struct span part,
    const struct call *call, struct arena *arena, struct refused *refused)
{
	const char *equals = memchr(part.p, '=', part.len);
	struct span raw = { part.p,
		equals == NULL ? part.len : (size_t)(equals - part.p) };
	struct span value = { NULL, 0 };
	struct span name = decoded(raw, arena);
	const char *what = decides(name);

	if (equals != NULL)
		value = (struct span){ equals + 1, part.len - raw.len - 1 };
	if (what != NULL) {
		if (!is_judged(call, name, decoded(value, arena)))
			return refuse_parameter(what, arena, refused);
		if (!is_of_kept(call->endpoint, raw, value))
			return 0;
	}
	if (!is_known(call->endpoint, raw, value))
		return 0;
	if (passing->query == NULL)
		passing->query = arena_text(arena, part);
	else if (strlen(passing->query) + part.len < QUERY_MAX)
		passing->query = arena_printf(
		    arena, "%s&%.*s", passing->query, SPAN_FMT(part));
	return 0;
}

int
passing_take_query(struct passing *passing, const char *query,
    const struct call *call, struct arena *arena, struct refused *refused)
{
	const char *p = query == NULL ? "" : query;

	passing->query = NULL;
	while (*p != '\0') {
		size_t n = strcspn(p, "&;");

		if (take_parameter(passing, (struct span){ p, n }, call, arena,
			refused) == -1)
			return -1;
		p += n + (p[n] != '\0');
	}
	return 0;
}

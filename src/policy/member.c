/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the table of names and how careless readers spell them.
 */
#include "config.h"

#include <string.h>

#include "base/hex.h"
#include "base/unicode.h"
#include "policy/member.h"

#define FOLDED_MAX 32
#define SPELLED_MAX 256 /* of a name with something encoded in it */
#define LAYERS 3

static const struct member_spec members[] = {
	{ "model", MEMBER_MODEL, false },
	{ "messages", MEMBER_TEXTS, false },
	{ "input", MEMBER_TEXTS, false },
	{ "stream", MEMBER_STREAM, false },
	{ "tools", MEMBER_TOOLS, false },
	{ "functions", MEMBER_TOOLS, false },
	{ "max_tokens", MEMBER_MAX_OUTPUT, true },
	{ "max_completion_tokens", MEMBER_MAX_OUTPUT, true },
	{ "max_output_tokens", MEMBER_MAX_OUTPUT, true },
	{ "stream_options", MEMBER_STREAM_OPTIONS, false },
	{ "n", MEMBER_CHOICES, true },
	{ "best_of", MEMBER_CHOICES, true },
	{ "response_format", MEMBER_FORMAT, false },
	{ "text", MEMBER_FORMAT, false },
	{ "output_format", MEMBER_FORMAT, false },
	{ "output_config", MEMBER_FORMAT, false },
	{ "modalities", MEMBER_MODALITIES, false },
	{ "system", MEMBER_TEXTS, false },
	{ "instructions", MEMBER_TEXTS, false },
	{ "prompt", MEMBER_TEXTS, false },
	{ "suffix", MEMBER_TEXT, false },
	{ "query", MEMBER_TEXT, false },
	{ "documents", MEMBER_TEXT, false },
	{ "prediction", MEMBER_TEXT, false },
	{ "thinking", MEMBER_THINKING, false },
	{ "reasoning", MEMBER_THINKING, false },
	{ "reasoning_effort", MEMBER_THINKING, false },
	{ "enable_thinking", MEMBER_THINKING, false },
	{ "chat_template_kwargs", MEMBER_THINKING, false },
	/* llama.cpp's */
	{ "n_predict", MEMBER_MAX_OUTPUT, true },
	{ "input_prefix", MEMBER_TEXT, false },
	{ "input_suffix", MEMBER_TEXT, false },
	{ "input_extra", MEMBER_TEXT, false },
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))
_Static_assert(MEMBERS <= 64, "a set of them is 64 bits");

/* Members that some gateways and servers merge into the body, or use in its
 * place; without underscores. */
static const char *const carriers[] = { "extrabody", "extrajson",
	"litellmparams", "overrideparams", "overrides", "request",
	"requestbody", "body", "payload", "params", "parameters", "json" };
#define CARRIERS (sizeof(carriers) / sizeof(carriers[0]))

/* Which names inside of such a member would count. */
static const char *const carried[] = { "model", "stream", "prompt", "messages",
	"input" };
#define CARRIED (sizeof(carried) / sizeof(carried[0]))

/* By these, OpenRouter, LiteLLM and Azure use other models. */
static const char *const rivals[] = { "models", "fallbacks",
	"context_window_fallbacks", "content_policy_fallbacks",
	"fallback_models", "engine", "model_list", "model_name",
	"deployment_id", "deployment" };
#define RIVALS (sizeof(rivals) / sizeof(rivals[0]))

const struct member_spec *
member_find(const struct jscan_step *step)
{
	for (size_t i = 0; i < MEMBERS; i++)
		if (jscan_key_is(step, members[i].name))
			return &members[i];
	return NULL;
}

unsigned
member_index(const struct member_spec *spec)
{
	return (unsigned)(spec - members);
}

/* ---- what careless readers make of a name ----------------------------- */

/* %6d, &#109; &#x6d; at p, which other coders of forms write and some readers
 * undo.  How many bytes it takes, 0: nothing is encoded here. */
static size_t
spelled(const char *p, const char *end, char *out)
{
	int32_t code = 0;
	const char *at;

	if (*p == '%') {
		code = hex_number(p + 1, end, 2);
		*out = (char)code;
		return code < 0 ? 0 : 3;
	}
	if (end - p < 4 || p[0] != '&' || p[1] != '#')
		return 0;
	at = p + 2;
	if ((*at | 0x20) == 'x')
		for (at++; at < end && hex_value(*at) != -1 && code < 128; at++)
			code = code * 16 + hex_value(*at);
	else
		for (; at < end && *at >= '0' && *at <= '9' && code < 128; at++)
			code = code * 10 + (*at - '0');
	*out = (char)code;
	return at < end && *at == ';' && code < 128 ? (size_t)(at + 1 - p) : 0;
}

/* Decodes one layer of that; out may be the key itself. */
static struct span
unspell(struct span key, char out[SPELLED_MAX])
{
	const char *p = key.p, *end = p + key.len;
	size_t n = 0, len;
	char c;

	while (p < end) {
		c = *p;
		len = spelled(p, end, &c);
		out[n++] = c;
		p += len == 0 ? 1 : len;
	}
	return (struct span){ out, n };
}

static bool
may_be_spelled(struct span key)
{
	return key.len <= SPELLED_MAX &&
	    (memchr(key.p, '%', key.len) != NULL ||
		memchr(key.p, '&', key.len) != NULL);
}

/* A name as read by a reader that ends it at a NUL or a bracket, ignores its
 * case and drops characters that names do not have. */
static struct span
fold(struct span key, char out[FOLDED_MAX])
{
	size_t n = 0, len;
	char c;

	for (size_t i = 0; i < key.len; i += len) {
		c = unicode_fold(key.p + i, key.len - i, &len);
		if (key.p[i] == '\0' || c == '[')
			break;
		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_')
			continue;
		if (n == FOLDED_MAX)
			return (struct span){ NULL, 0 };
		out[n++] = c;
	}
	return (struct span){ out, n };
}

const char *
member_disguised(struct span key)
{
	char text[FOLDED_MAX], plain[SPELLED_MAX];
	struct span decoded = key, folded;
	const char *name;

	for (int i = 0; i < LAYERS && may_be_spelled(decoded); i++)
		decoded = unspell(decoded, plain);
	folded = fold(decoded, text);
	if (folded.p == NULL || span_eq(folded, key))
		return NULL;
	for (size_t i = 0; i < MEMBERS + RIVALS; i++) {
		name = i < MEMBERS ? members[i].name : rivals[i - MEMBERS];
		if (span_is(folded, name))
			return name;
	}
	return NULL;
}

bool
member_is_rival(struct span key)
{
	for (size_t i = 0; i < RIVALS; i++)
		if (span_is(key, rivals[i]))
			return true;
	return false;
}

bool
member_is_carrier(struct span key)
{
	char text[FOLDED_MAX], plain[FOLDED_MAX];
	struct span folded = fold(key, text);
	size_t n = 0;

	/* extra_body, extra-body, extraBody */
	for (size_t i = 0; i < folded.len; i++)
		if (folded.p[i] != '_')
			plain[n++] = folded.p[i];
	for (size_t i = 0; i < CARRIERS; i++)
		if (span_is((struct span){ plain, n }, carriers[i]))
			return true;
	return false;
}

bool
member_is_carried(struct span key)
{
	for (size_t i = 0; i < CARRIED; i++)
		if (span_is(key, carried[i]))
			return true;
	return member_is_rival(key) || member_disguised(key) != NULL;
}

bool
member_is_path(struct span key)
{
	size_t n = 0, at, len;

	while (n < key.len && key.p[n] != '[')
		n++;
	if (n > 0 && !member_is_carrier((struct span){ key.p, n }))
		return false;
	for (at = n; at < key.len; at += len + 1) {
		for (len = 0; at + len < key.len && key.p[at + len] != '[' &&
		     key.p[at + len] != ']';)
			len++;
		if (len > 0 &&
		    member_is_carried((struct span){ key.p + at, len }))
			return true;
	}
	return false;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the table of names and how careless readers spell them.
 */
#include "config.h"

#include "base/unicode.h"
#include "policy/member.h"

#define FOLDED_MAX 32

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
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))
_Static_assert(MEMBERS <= 32, "a set of them is 32 bits");

/* By which OpenRouter, LiteLLM and Azure take other models. */
static const char *const rivals[] = { "models", "fallbacks", "fallback_models",
	"engine", "model_list", "model_name", "deployment_id" };
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

/* What is left of a name for a reader who ends it at a NUL or a bracket, does
 * not mind its case and drops what is no part of a name. */
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
	char text[FOLDED_MAX];
	struct span folded = fold(key, text);
	const char *name;

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

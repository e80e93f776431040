/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the vocabulary of finish reasons.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "bridge/finish.h"

/* Longer than any reason's name; the rest is ignored. */
#define REASON_BYTES 96

struct word {
	const char *text;
	enum finish finish;
};

/* Whole reasons.  Sources: the API references of OpenAI, Anthropic, Cohere,
 * Gemini, Hugging Face TGI and Together. */
static const struct word known[] = {
	{ "stop", FINISH_STOP },
	{ "stop_sequence", FINISH_STOP },
	{ "stop_token", FINISH_STOP },
	{ "stop_string", FINISH_STOP },
	{ "stop_word", FINISH_STOP },
	{ "stopped", FINISH_STOP },
	{ "eos", FINISH_STOP },
	{ "eos_token", FINISH_STOP },
	{ "end", FINISH_STOP },
	{ "end_turn", FINISH_STOP },
	{ "end_of_turn", FINISH_STOP },
	{ "end_of_text", FINISH_STOP },
	{ "success", FINISH_STOP },
	{ "complete", FINISH_STOP },
	{ "completed", FINISH_STOP },
	{ "done", FINISH_STOP },
	{ "finished", FINISH_STOP },
	{ "null", FINISH_NONE },
	{ "tool_call", FINISH_CALLS },
	{ "tool_calls", FINISH_CALLS },
	{ "tool_use", FINISH_CALLS },
	{ "function_call", FINISH_CALLS },
	{ "function_calls", FINISH_CALLS },
};

/* Words in any other reason; the first match counts.  Those of failures come
 * first: "function_call_filter: MALFORMED_FUNCTION_CALL". */
static const struct word mentioned[] = {
	{ "malformed", FINISH_FAILED },
	{ "unexpected", FINISH_FAILED },
	{ "invalid", FINISH_FAILED },
	{ "rate_limit", FINISH_FAILED },
	{ "time", FINISH_FAILED },
	{ "filter", FINISH_FILTER },
	{ "safety", FINISH_FILTER },
	{ "sensitive", FINISH_FILTER },
	{ "moderat", FINISH_FILTER },
	{ "refus", FINISH_FILTER },
	{ "recitation", FINISH_FILTER },
	{ "blocklist", FINISH_FILTER },
	{ "blocked", FINISH_FILTER },
	{ "prohibited", FINISH_FILTER },
	{ "policy", FINISH_FILTER },
	{ "guardrail", FINISH_FILTER },
	{ "censor", FINISH_FILTER },
	{ "flagged", FINISH_FILTER },
	{ "harm", FINISH_FILTER },
	{ "toxic", FINISH_FILTER },
	{ "spii", FINISH_FILTER },
	{ "error", FINISH_FAILED },
	{ "fail", FINISH_FAILED },
	{ "length", FINISH_LENGTH },
	{ "context", FINISH_LENGTH },
	{ "max_", FINISH_LENGTH },
	{ "token_limit", FINISH_LENGTH },
	{ "limit_token", FINISH_LENGTH },
	{ "token_budget", FINISH_LENGTH },
	{ "truncat", FINISH_LENGTH },
};

/* In lower case, words separated by '_'. */
static void
fold(struct span reason, char out[REASON_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < reason.len && n + 1 < REASON_BYTES; i++) {
		unsigned char c = (unsigned char)reason.p[i];

		out[n++] = c == ' ' || c == '-' ? '_' : (char)tolower(c);
	}
	out[n] = '\0';
}

enum finish
finish_of(struct span reason)
{
	char name[REASON_BYTES];

	if (reason.len == 0)
		return FINISH_NONE;
	fold(reason, name);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(name, known[i].text) == 0)
			return known[i].finish;
	for (size_t i = 0; i < sizeof(mentioned) / sizeof(*mentioned); i++)
		if (strstr(name, mentioned[i].text) != NULL)
			return mentioned[i].finish;
	return FINISH_FAILED;
}

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
	{ "stopsequence", FINISH_STOP },
	{ "stoptoken", FINISH_STOP },
	{ "stopstring", FINISH_STOP },
	{ "stopword", FINISH_STOP },
	{ "stopped", FINISH_STOP },
	{ "eos", FINISH_STOP },
	{ "eostoken", FINISH_STOP },
	{ "end", FINISH_STOP },
	{ "endturn", FINISH_STOP },
	{ "endofturn", FINISH_STOP },
	{ "endoftext", FINISH_STOP },
	{ "endofsequence", FINISH_STOP },
	{ "success", FINISH_STOP },
	{ "complete", FINISH_STOP },
	{ "completed", FINISH_STOP },
	{ "done", FINISH_STOP },
	{ "finish", FINISH_STOP },
	{ "finished", FINISH_STOP },
	{ "null", FINISH_NONE },
	{ "none", FINISH_NONE },
	{ "unspecified", FINISH_NONE },
	{ "toolcall", FINISH_CALLS },
	{ "toolcalls", FINISH_CALLS },
	{ "tooluse", FINISH_CALLS },
	{ "functioncall", FINISH_CALLS },
	{ "functioncalls", FINISH_CALLS },
	/* Cohere: the context's. */
	{ "errorlimit", FINISH_LENGTH },
};

/* Words in any other reason; the first match counts.  Those of failures come
 * first: "function_call_filter: MALFORMED_FUNCTION_CALL". */
static const struct word mentioned[] = {
	{ "malformed", FINISH_FAILED },
	{ "unexpected", FINISH_FAILED },
	{ "invalid", FINISH_FAILED },
	{ "ratelimit", FINISH_FAILED },
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
	{ "max", FINISH_LENGTH },
	{ "tokenlimit", FINISH_LENGTH },
	{ "limittoken", FINISH_LENGTH },
	{ "outputlimit", FINISH_LENGTH },
	{ "tokenbudget", FINISH_LENGTH },
	{ "truncat", FINISH_LENGTH },
};

/* Letters and digits in lower case: "MAX_TOKENS", "max-tokens" and
 * "FinishReason.maxTokens" are one reason. */
static void
fold(struct span reason, char out[REASON_BYTES])
{
	static const char enumeration[] = "finishreason";
	size_t n = 0, prefix = sizeof(enumeration) - 1;

	for (size_t i = 0; i < reason.len && n + 1 < REASON_BYTES; i++) {
		unsigned char c = (unsigned char)reason.p[i];

		if (isalnum(c) || c >= 0x80)
			out[n++] = (char)tolower(c);
	}
	out[n] = '\0';
	if (n > prefix && memcmp(out, enumeration, prefix) == 0)
		memmove(out, out + prefix, n - prefix + 1);
}

enum finish
finish_of(struct span reason)
{
	char name[REASON_BYTES];

	fold(reason, name);
	if (*name == '\0')
		return FINISH_NONE;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(name, known[i].text) == 0)
			return known[i].finish;
	for (size_t i = 0; i < sizeof(mentioned) / sizeof(*mentioned); i++)
		if (strstr(name, mentioned[i].text) != NULL)
			return mentioned[i].finish;
	return FINISH_FAILED;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides in how many words providers say no: the table of their wordings.
 *
 * Sources: the errors as users of these servers and providers quote them in
 * their trackers, checked in 2026; their API references.
 */
#include "config.h"

#include <string.h>

#include "policy/wording.h"

/* The statuses for which a wording has its meaning. */
#define S400 (1u << 0)
#define S401 (1u << 1)
#define S403 (1u << 2)
#define S404 (1u << 3)
#define S412 (1u << 4)
#define S413 (1u << 5)
#define S422 (1u << 6)
#define S429 (1u << 7)
#define S500 (1u << 8) /* and above */
#define S503 (1u << 9)
#define UNSAID (1u << 10) /* any, and nothing but the words says which */
#define PAYS (S400 | S401 | S403 | S412 | S429)
#define REFUSES (S400 | S413 | S422)
#define ANY_BODY (REFUSES | S500 | S503)

static const struct {
	unsigned statuses;
	enum blame blame;
	/* In lower case; both must occur, a blank as any of " _-". */
	const char *words, *more;
} wordings[] = {
	/* The gateway's account.  OpenAI, Anthropic, OpenRouter, DeepSeek,
	 * xAI, Moonshot, Alibaba, Zhipu, Fireworks, Gemini, Groq, Novita. */
	{ PAYS, BLAME_ACCOUNT, "insufficient quota", "" },
	{ PAYS, BLAME_ACCOUNT, "exceeded current quota", "" },
	{ PAYS, BLAME_ACCOUNT, "billing hard limit", "" },
	{ PAYS, BLAME_ACCOUNT, "billing not active", "" },
	{ PAYS, BLAME_ACCOUNT, "billing disabled", "" },
	{ PAYS, BLAME_ACCOUNT, "billing to be enabled", "" },
	{ PAYS, BLAME_ACCOUNT, "enable billing", "" },
	{ PAYS, BLAME_ACCOUNT, "no payment method", "" },
	{ PAYS, BLAME_ACCOUNT, "credit balance", "" },
	{ PAYS, BLAME_ACCOUNT, "insufficient credit", "" },
	{ PAYS, BLAME_ACCOUNT, "more credits", "" },
	{ PAYS, BLAME_ACCOUNT, "available credits", "" },
	{ PAYS, BLAME_ACCOUNT, "can only afford", "" },
	{ PAYS, BLAME_ACCOUNT, "out of credits", "" },
	{ PAYS, BLAME_ACCOUNT, "credits are depleted", "" },
	{ PAYS, BLAME_ACCOUNT, "credit limit", "" },
	{ PAYS, BLAME_ACCOUNT, "have any credits", "" },
	{ PAYS, BLAME_ACCOUNT, "no credits", "" },
	{ PAYS, BLAME_ACCOUNT, "not enough credit", "" },
	{ PAYS, BLAME_ACCOUNT, "not enough balance", "" },
	{ PAYS, BLAME_ACCOUNT, "balance is insufficient", "" },
	{ PAYS, BLAME_ACCOUNT, "balance too low", "" },
	{ PAYS, BLAME_ACCOUNT, "insufficient balance", "" },
	{ PAYS, BLAME_ACCOUNT, "insufficient funds", "" },
	{ PAYS, BLAME_ACCOUNT, "spending limit", "" },
	{ PAYS, BLAME_ACCOUNT, "key limit exceeded", "" },
	{ PAYS, BLAME_ACCOUNT, "specified api usage limits", "" },
	{ PAYS, BLAME_ACCOUNT, "arrearage", "" },
	{ PAYS, BLAME_ACCOUNT, "account", "overdue" },
	{ PAYS, BLAME_ACCOUNT, "account", "suspended" },
	{ PAYS, BLAME_ACCOUNT, "organization has been restricted", "" },
	{ PAYS, BLAME_ACCOUNT, "blocked api access", "" },
	{ PAYS, BLAME_ACCOUNT,
	    "\xe4\xbd\x99\xe9\xa2\x9d\xe4\xb8\x8d\xe8\xb6\xb3", "" },
	{ PAYS, BLAME_ACCOUNT, "\xe6\xac\xa0\xe8\xb4\xb9", "" },
	/* The key, with another status than 401: Gemini, xAI. */
	{ S400 | S403, BLAME_KEY, "api key not valid", "" },
	{ S400 | S403, BLAME_KEY, "api key invalid", "" },
	{ S400 | S403, BLAME_KEY, "incorrect api key", "" },
	{ S400 | S403, BLAME_KEY, "invalid api key", "" },

	/* A name or a description, not the prompt: OpenAI. */
	{ S400, BLAME_REQUEST, "maximum length 64,", "" },
	{ S400, BLAME_REQUEST, "maximum length 128,", "" },
	{ S400, BLAME_REQUEST, "maximum length 512,", "" },
	{ S400, BLAME_REQUEST, "maximum length 1024,", "" },

	/* A rate that all models share.  An organisation's name alone does not
	 * say so: OpenAI and Anthropic name it with one model's limit. */
	{ S429, BLAME_RATE_ALL, "account limit", "" },
	{ S429, BLAME_RATE_ALL, "account rate limit", "" },
	{ S429, BLAME_RATE_ALL, "account level", "" },
	{ S429, BLAME_RATE_ALL, "limit for your account", "" },
	{ S429, BLAME_RATE_ALL, "your account has reached", "" },
	{ S429, BLAME_RATE_ALL, "your account's", "limit" },
	{ S429, BLAME_RATE_ALL, "organization wide", "" },
	{ S429, BLAME_RATE_ALL, "organization limit", "" },
	{ S429, BLAME_RATE_ALL, "across all models", "" },
	{ S429, BLAME_RATE_ALL, "daily limit", "" },

	/* A rate, if the status does not say so: inside of a stream. */
	{ UNSAID, BLAME_RATE, "rate limit", "" },
	{ UNSAID, BLAME_RATE, "too many requests", "" },
	{ UNSAID, BLAME_RATE, "resource exhausted", "" },
	{ UNSAID, BLAME_RATE, "throttl", "" },
	{ UNSAID, BLAME_RATE, "tokens per minute", "" },
	{ UNSAID, BLAME_RATE, "too many tokens", "please wait" },

	/* Too long.  In most words: */
	{ ANY_BODY, BLAME_LENGTH, "context length", "exceed" },
	{ ANY_BODY, BLAME_LENGTH, "context window", "exceed" },
	{ ANY_BODY, BLAME_LENGTH, "context size", "exceed" },
	{ ANY_BODY, BLAME_LENGTH, "context limit", "exceed" },
	{ ANY_BODY, BLAME_LENGTH, "maximum context", "exceed" },
	{ ANY_BODY, BLAME_LENGTH, "input tokens", "exceed" },
	{ ANY_BODY, BLAME_LENGTH, "input length", "exceed" },
	{ ANY_BODY, BLAME_LENGTH, "prompt length", "exceed" },
	{ ANY_BODY, BLAME_LENGTH, "prompt tokens", "exceed" },
	{ ANY_BODY, BLAME_LENGTH, "contextwindowexceeded", "" },
	{ ANY_BODY, BLAME_LENGTH, "input too long", "" },
	{ ANY_BODY, BLAME_LENGTH, "prompt is too large", "" },
	{ ANY_BODY, BLAME_LENGTH, "prompt too large", "" },
	{ ANY_BODY, BLAME_LENGTH, "context too long", "" },
	/* OpenAI, DeepSeek, vLLM, OpenRouter: */
	{ ANY_BODY, BLAME_LENGTH, "maximum context length", "" },
	{ ANY_BODY, BLAME_LENGTH, "string_above_max_length", "" },
	{ S429, BLAME_LENGTH, "request too large for", "" },
	{ ANY_BODY, BLAME_LENGTH, "maximum model length", "" },
	{ ANY_BODY, BLAME_LENGTH, "too long to fit into the model", "" },
	{ ANY_BODY, BLAME_LENGTH, "max tokens per request", "" },
	/* llama.cpp and its Python server: */
	{ ANY_BODY, BLAME_LENGTH, "exceed_context_size", "" },
	{ ANY_BODY, BLAME_LENGTH, "available context size", "" },
	{ ANY_BODY, BLAME_LENGTH, "larger than the max context size", "" },
	{ ANY_BODY, BLAME_LENGTH, "too large to process", "batch size" },
	/* SGLang: */
	{ ANY_BODY, BLAME_LENGTH, "longer than the model's context length",
	    "" },
	{ ANY_BODY, BLAME_LENGTH, "model's maximum context", "" },
	{ ANY_BODY, BLAME_LENGTH, "exceeds the maximum allowed length",
	    "tokens" },
	{ ANY_BODY, BLAME_LENGTH, "maximum allowed input length", "" },
	/* LM Studio: */
	{ ANY_BODY, BLAME_LENGTH, "greater than the context length", "" },
	{ ANY_BODY, BLAME_LENGTH, "context length of only", "" },
	{ ANY_BODY, BLAME_LENGTH, "reached context length", "" },
	{ ANY_BODY, BLAME_LENGTH, "context overflow", "" },
	{ ANY_BODY, BLAME_LENGTH, "n_keep", "n_ctx" },
	/* Others, by the words of the thing: */
	{ ANY_BODY, BLAME_LENGTH, "longer than the context", "" },
	{ ANY_BODY, BLAME_LENGTH, "exceeds the model maximum", "" },
	{ ANY_BODY, BLAME_LENGTH, "exceed the maximum sequence length", "" },
	{ ANY_BODY, BLAME_LENGTH, "exceeds the maximum sequence length", "" },
	/* Ollama, oMLX, mlx_lm: */
	{ ANY_BODY, BLAME_LENGTH, "prompt too long", "" },
	{ ANY_BODY, BLAME_LENGTH, "max context window", "" },
	/* Gemini: */
	{ ANY_BODY, BLAME_LENGTH, "input token count", "exceeds" },
	{ ANY_BODY, BLAME_LENGTH, "input token count", "only supports" },
	{ ANY_BODY, BLAME_LENGTH, "maximum number of tokens allowed", "" },
	{ ANY_BODY, BLAME_LENGTH, "payload size exceeds the limit", "" },
	/* Anthropic, Bedrock: */
	{ ANY_BODY, BLAME_LENGTH, "prompt is too long", "" },
	{ ANY_BODY, BLAME_LENGTH, "input is too long", "" },
	{ ANY_BODY, BLAME_LENGTH, "too many input tokens", "" },
	/* Mistral, xAI, Moonshot, MiniMax, Zhipu, Alibaba, Copilot, Cohere,
	 * Cerebras, text-generation-inference: */
	{ ANY_BODY, BLAME_LENGTH, "too large for model with", "" },
	{ ANY_BODY, BLAME_LENGTH, "maximum prompt length", "" },
	{ ANY_BODY, BLAME_LENGTH, "exceeded model token limit", "" },
	{ ANY_BODY, BLAME_LENGTH, "prompt exceeds max length", "" },
	{ ANY_BODY, BLAME_LENGTH, "range of input length", "" },
	{ ANY_BODY, BLAME_LENGTH, "prompt token count", "exceeds" },
	{ ANY_BODY, BLAME_LENGTH, "too many tokens", "" },
	{ ANY_BODY, BLAME_LENGTH, "token limit exceeded", "" },
	{ ANY_BODY, BLAME_LENGTH, "is too long and exceeds", "" },
	{ ANY_BODY, BLAME_LENGTH, "configured context size", "" },
	{ ANY_BODY, BLAME_LENGTH, "model_context_window_exceeded", "" },
	{ ANY_BODY, BLAME_LENGTH, "reduce the length of the", "" },
	{ ANY_BODY, BLAME_LENGTH, "must have less than", "tokens" },
	{ ANY_BODY, BLAME_LENGTH, "max_new_tokens", "must be <=" },
	{ ANY_BODY, BLAME_LENGTH, "greater than max_seq_len", "" },
	{ ANY_BODY, BLAME_LENGTH, "max prompt tokens exceeded", "" },
	/* Zhipu, in Chinese: */
	{ ANY_BODY, BLAME_LENGTH, "prompt", "\xe8\xb6\x85\xe9\x95\xbf" },
	/* Texts to embed (Mistral, Voyage) and sound (OpenAI): */
	{ ANY_BODY, BLAME_LENGTH, "tokens, exceeding max", "" },
	{ ANY_BODY, BLAME_LENGTH, "max allowed tokens per", "" },
	{ ANY_BODY, BLAME_LENGTH, "audio duration", "longer than" },

	/* The model: OpenAI, vLLM, Ollama, Gemini, OpenRouter, DeepSeek,
	 * Groq. */
	{ S400 | S404, BLAME_MODEL, "model not found", "" },
	{ S400 | S404, BLAME_MODEL, "model_decommissioned", "" },
	{ S400 | S404, BLAME_MODEL, "decommissioned", "model" },
	{ S400 | S404, BLAME_MODEL, "is not a valid model", "" },
	{ S400 | S404, BLAME_MODEL, "model not exist", "" },
	{ S400 | S404, BLAME_MODEL, "no endpoints found", "" },
	{ S404, BLAME_MODEL, "model", "not found" },
	{ S404, BLAME_MODEL, "model", "does not exist" },
	{ S404, BLAME_MODEL, "model", "deprecated" },
	{ S404, BLAME_MODEL, "not found error", "model" },

	/* It loads: llama.cpp, LM Studio, Hugging Face, llama-swap. */
	{ S500 | S503, BLAME_LOADING, "loading model", "" },
	{ S500 | S503, BLAME_LOADING, "model is loading", "" },
	{ S500 | S503, BLAME_LOADING, "is currently loading", "" },
	{ S500 | S503, BLAME_LOADING, "still loading", "" },

	/* A provider's moderation is about the request. */
	{ S403, BLAME_REQUEST, "flagged", "" },
	{ S403, BLAME_REQUEST, "moderation", "" },
	{ S403, BLAME_REQUEST, "content policy", "" },
	/* So is a 500 that names the request: llama.cpp, Ollama, vLLM. */
	{ S500, BLAME_REQUEST, "invalid_request", "" },
	{ S500, BLAME_REQUEST, "invalid_argument", "" },
	{ S500, BLAME_REQUEST, "badrequesterror", "" },
	{ S500, BLAME_REQUEST, "bad request", "" },
	{ S500, BLAME_REQUEST, "input is not supported", "" },
	{ S500, BLAME_REQUEST, "does not support image", "" },
	{ S500, BLAME_REQUEST, "does not support audio", "" },
	{ S500, BLAME_REQUEST, "does not support tool", "" },
	{ S500, BLAME_REQUEST, "does not support vision", "" },
	{ S500, BLAME_REQUEST, "not a multimodal model", "" },
	{ S500, BLAME_REQUEST, "mmproj", "" },
	{ S500, BLAME_REQUEST, "unsupported content", "" },
	{ S500, BLAME_REQUEST, "missing data required for image input", "" },
	{ S500, BLAME_REQUEST, "roles must alternate", "" },
	{ S500, BLAME_REQUEST, "failed to parse", "" },
	{ S500, BLAME_REQUEST, "failed to process image", "" },
	{ S500, BLAME_REQUEST, "failed to load image", "" },
	{ S500, BLAME_REQUEST, "invalid image", "" },
	{ S500, BLAME_REQUEST, "validation error", "" },
};

static unsigned
status_bit(int status)
{
	switch (status) {
	case 0:
		/* Words that only a 404 makes clear. */
		return ~S404;
	case 400:
		return S400;
	case 401:
		return S401;
	case 403:
		return S403;
	case 404:
		return S404;
	case 412:
		return S412;
	case 413:
		return S413;
	case 422:
		return S422;
	case 429:
		return S429;
	case 503:
		return S503;
	default:
		return status >= 500 ? S500 : 0;
	}
}

static bool
begins(const char *p, const char *with, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != with[i] &&
		    (with[i] != ' ' || (p[i] != '_' && p[i] != '-')))
			return false;
	return true;
}

/* No text begins with a blank. */
static bool
has(struct span words, const char *text)
{
	const char *end = words.p + words.len, *p = words.p;
	size_t n = strlen(text);

	if (n == 0)
		return true;
	while ((size_t)(end - p) >= n &&
	    (p = memchr(p, *text, (size_t)(end - p) - n + 1)) != NULL) {
		if (begins(p, text, n))
			return true;
		p++;
	}
	return false;
}

bool
wording_find(int status, struct span words, enum blame *blame)
{
	unsigned bit = status_bit(status);

	for (size_t i = 0; i < sizeof(wordings) / sizeof(wordings[0]); i++)
		if ((wordings[i].statuses & bit) != 0 &&
		    has(words, wordings[i].words) &&
		    has(words, wordings[i].more)) {
			*blame = wordings[i].blame;
			return true;
		}
	return false;
}

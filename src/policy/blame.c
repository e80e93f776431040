/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides in how many words providers say no: the table of their wordings.
 */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/jscan.h"
#include "base/jspan.h"
#include "policy/blame.h"

/* Of an error's words so much is looked at, so deep in its JSON. */
#define WORDS_BYTES 4096
#define DEPTH_MAX 5

/* Statuses in which a wording means what it says. */
#define S400 (1u << 0)
#define S402 (1u << 1)
#define S403 (1u << 2)
#define S404 (1u << 3)
#define S413 (1u << 4)
#define S422 (1u << 5)
#define S429 (1u << 6)
#define S500 (1u << 7) /* and above */
#define S503 (1u << 8)
#define REFUSES (S400 | S413 | S422)
#define ANY_BODY (REFUSES | S500 | S503)

static const struct {
	unsigned statuses;
	enum blame blame;
	const char *words, *more; /* lower case; both must be there */
} wordings[] = {
	/* The gateway's account.  OpenAI, Anthropic, OpenRouter, DeepSeek,
	 * xAI, Moonshot, Alibaba, Zhipu. */
	{ S400 | S403 | S429, BLAME_ACCOUNT, "insufficient_quota", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "exceeded_current_quota", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "billing_hard_limit", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "billing hard limit", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "credit balance", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "insufficient credit", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "more credits", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "available credits", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "out of credits", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "insufficient balance", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "insufficient funds", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "spending limit", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "key limit exceeded", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "specified api usage limits", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "arrearage", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "account", "overdue" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "account", "suspended" },
	{ S400 | S403 | S429, BLAME_ACCOUNT,
	    "\xe4\xbd\x99\xe9\xa2\x9d\xe4\xb8\x8d\xe8\xb6\xb3", "" },
	{ S400 | S403 | S429, BLAME_ACCOUNT, "\xe6\xac\xa0\xe8\xb4\xb9", "" },
	/* The key, with another status than 401: Gemini, xAI. */
	{ S400 | S403, BLAME_KEY, "api key not valid", "" },
	{ S400 | S403, BLAME_KEY, "api_key_invalid", "" },
	{ S400 | S403, BLAME_KEY, "incorrect api key", "" },
	{ S400 | S403, BLAME_KEY, "invalid api key", "" },
	{ S400 | S403, BLAME_KEY, "invalid_api_key", "" },

	/* A name or a description, not the prompt: OpenAI. */
	{ S400, BLAME_REQUEST, "maximum length 64,", "" },
	{ S400, BLAME_REQUEST, "maximum length 128,", "" },
	{ S400, BLAME_REQUEST, "maximum length 512,", "" },
	{ S400, BLAME_REQUEST, "maximum length 1024,", "" },

	/* A rate that all models share.  An organisation's name alone does not
	 * say so: OpenAI and Anthropic name it with one model's limit. */
	{ S429, BLAME_RATE_ALL, "account limit", "" },
	{ S429, BLAME_RATE_ALL, "account rate limit", "" },
	{ S429, BLAME_RATE_ALL, "account-level", "" },
	{ S429, BLAME_RATE_ALL, "limit for your account", "" },
	{ S429, BLAME_RATE_ALL, "your account has reached", "" },
	{ S429, BLAME_RATE_ALL, "your account's", "limit" },
	{ S429, BLAME_RATE_ALL, "organization-wide", "" },
	{ S429, BLAME_RATE_ALL, "organization limit", "" },
	{ S429, BLAME_RATE_ALL, "across all models", "" },
	{ S429, BLAME_RATE_ALL, "daily limit", "" },

	/* Too long.  OpenAI, DeepSeek, vLLM, OpenRouter: */
	{ ANY_BODY, BLAME_LENGTH, "context_length_exceeded", "" },
	{ ANY_BODY, BLAME_LENGTH, "maximum context length", "" },
	{ ANY_BODY, BLAME_LENGTH, "exceeds the context window", "" },
	{ ANY_BODY, BLAME_LENGTH, "string_above_max_length", "" },
	{ S429, BLAME_LENGTH, "request too large for", "" },
	{ ANY_BODY, BLAME_LENGTH, "longer than the maximum model length", "" },
	{ ANY_BODY, BLAME_LENGTH, "maximum model length", "" },
	/* llama.cpp and its Python server: */
	{ ANY_BODY, BLAME_LENGTH, "exceed_context_size", "" },
	{ ANY_BODY, BLAME_LENGTH, "available context size", "" },
	{ ANY_BODY, BLAME_LENGTH, "exceed context window", "" },
	{ ANY_BODY, BLAME_LENGTH, "larger than the max context size", "" },
	/* SGLang: */
	{ ANY_BODY, BLAME_LENGTH, "longer than the model's context length",
	    "" },
	{ ANY_BODY, BLAME_LENGTH, "model's maximum context", "" },
	/* LM Studio: */
	{ ANY_BODY, BLAME_LENGTH, "greater than the context length", "" },
	{ ANY_BODY, BLAME_LENGTH, "context length of only", "" },
	{ ANY_BODY, BLAME_LENGTH, "reached context length", "" },
	{ ANY_BODY, BLAME_LENGTH, "context overflow", "" },
	{ ANY_BODY, BLAME_LENGTH, "n_keep", "n_ctx" },
	/* Others, by the words of the thing: */
	{ ANY_BODY, BLAME_LENGTH, "context length exceeded", "" },
	{ ANY_BODY, BLAME_LENGTH, "longer than the context", "" },
	{ ANY_BODY, BLAME_LENGTH, "exceeds the model maximum", "" },
	{ ANY_BODY, BLAME_LENGTH, "exceed the maximum sequence length", "" },
	{ ANY_BODY, BLAME_LENGTH, "exceeds the maximum sequence length", "" },
	/* Ollama, oMLX, mlx_lm: */
	{ ANY_BODY, BLAME_LENGTH, "prompt too long", "" },
	{ ANY_BODY, BLAME_LENGTH, "exceeds the context length", "" },
	{ ANY_BODY, BLAME_LENGTH, "exceeds maximum context", "" },
	{ ANY_BODY, BLAME_LENGTH, "max context window", "" },
	/* Gemini: */
	{ ANY_BODY, BLAME_LENGTH, "input token count", "exceeds" },
	{ ANY_BODY, BLAME_LENGTH, "maximum number of tokens allowed", "" },
	/* Anthropic, Bedrock: */
	{ ANY_BODY, BLAME_LENGTH, "prompt is too long", "" },
	{ ANY_BODY, BLAME_LENGTH, "exceed context limit", "" },
	{ ANY_BODY, BLAME_LENGTH, "input is too long", "" },
	/* Mistral, xAI, Moonshot, MiniMax, Zhipu, Alibaba, Copilot, Cohere,
	 * Cerebras, text-generation-inference: */
	{ ANY_BODY, BLAME_LENGTH, "too large for model with", "" },
	{ ANY_BODY, BLAME_LENGTH, "maximum prompt length", "" },
	{ ANY_BODY, BLAME_LENGTH, "exceeded model token limit", "" },
	{ ANY_BODY, BLAME_LENGTH, "context window exceeds limit", "" },
	{ ANY_BODY, BLAME_LENGTH, "prompt exceeds max length", "" },
	{ ANY_BODY, BLAME_LENGTH, "range of input length", "" },
	{ ANY_BODY, BLAME_LENGTH, "prompt token count", "exceeds" },
	{ ANY_BODY, BLAME_LENGTH, "too many tokens", "" },
	{ ANY_BODY, BLAME_LENGTH, "reduce the length of the", "" },
	{ ANY_BODY, BLAME_LENGTH, "must have less than", "tokens" },
	{ ANY_BODY, BLAME_LENGTH, "max_new_tokens", "must be <=" },

	/* The model: OpenAI, vLLM, Ollama, Gemini, OpenRouter, DeepSeek,
	 * Groq. */
	{ S400 | S404, BLAME_MODEL, "model_not_found", "" },
	{ S400 | S404, BLAME_MODEL, "model_decommissioned", "" },
	{ S400 | S404, BLAME_MODEL, "decommissioned", "model" },
	{ S400 | S404, BLAME_MODEL, "is not a valid model", "" },
	{ S400 | S404, BLAME_MODEL, "model not exist", "" },
	{ S400 | S404, BLAME_MODEL, "no endpoints found", "" },
	{ S404, BLAME_MODEL, "model", "not found" },
	{ S404, BLAME_MODEL, "model", "does not exist" },
	{ S404, BLAME_MODEL, "model", "deprecated" },
	{ S404, BLAME_MODEL, "not_found_error", "model" },

	/* It loads: llama.cpp, LM Studio, Hugging Face, llama-swap. */
	{ S500 | S503, BLAME_LOADING, "loading model", "" },
	{ S500 | S503, BLAME_LOADING, "model is loading", "" },
	{ S500 | S503, BLAME_LOADING, "is currently loading", "" },
	{ S500 | S503, BLAME_LOADING, "still loading", "" },

	/* A provider's moderation is about the request. */
	{ S403, BLAME_REQUEST, "flagged", "" },
	{ S403, BLAME_REQUEST, "moderation", "" },
	{ S403, BLAME_REQUEST, "content_policy", "" },
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

/* Where no wording says otherwise. */
static const struct {
	int status;
	enum blame blame;
} statuses[] = {
	{ 401, BLAME_KEY },
	{ 402, BLAME_ACCOUNT },
	{ 403, BLAME_CONFLICT },
	{ 404, BLAME_REFUSED },
	{ 405, BLAME_REFUSED },
	{ 407, BLAME_KEY },
	{ 408, BLAME_TIME },
	{ 409, BLAME_CONFLICT },
	{ 413, BLAME_LENGTH },
	{ 425, BLAME_CONFLICT },
	{ 429, BLAME_RATE },
	{ 451, BLAME_REFUSED },
	{ 504, BLAME_TIME },
};

/* ---- an error's words ------------------------------------------------- */

static bool
is_telling(struct span key)
{
	static const char *const names[] = { "error", "errors", "message",
		"msg", "detail", "details", "code", "type", "status", "reason",
		"metadata", "raw", "error_message", "error_msg", "error_type",
		"name" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (jspan_key_is(key, names[i]))
			return true;
	return false;
}

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Blanks out what stands in quotes: that is an echo of the request. */
static void
unquote(char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t end = i + 1;

		if (strchr("'\"`", p[i]) == NULL || p[i] == '\0' ||
		    (i > 0 && is_word(p[i - 1])))
			continue;
		while (end < len &&
		    (p[end] != p[i] || (end + 1 < len && is_word(p[end + 1]))))
			end++;
		/* Parameters in backquotes are the provider's words. */
		if (end < len && p[i] != '`')
			memset(p + i, ' ', end - i + 1);
		if (end < len)
			i = end;
	}
}

static int
nothing(void *ctx, const struct jscan_value *v)
{
	(void)ctx;
	(void)v;
	return 0;
}

static bool
is_json(struct span body)
{
	struct jscan_error error;

	return jscan(body, JSCAN_DEPTH_MAX, nothing, NULL, &error) == 0;
}

static void gather(struct buf *, struct span value, unsigned depth);

/* A string; or the JSON of another provider's error in one. */
static void
add_text(struct buf *out, struct span inside, unsigned depth)
{
	char *p;
	size_t n, room = out->max_bytes - out->len;

	if (inside.len == 0 || room < 2 || (p = malloc(inside.len)) == NULL)
		return;
	n = jscan_decode(inside, p);
	if (depth < DEPTH_MAX && n > 0 && (*p == '{' || *p == '[') &&
	    is_json((struct span){ p, n })) {
		gather(out, (struct span){ p, n }, depth + 1);
	} else {
		unquote(p, n);
		buf_add(out, p, n < room - 1 ? n : room - 1);
		buf_puts(out, "\n");
	}
	free(p);
}

static void
gather(struct buf *out, struct span value, unsigned depth)
{
	struct jspan_walk w = jspan_walk(value);

	if (jspan_is_string(value))
		add_text(out, jspan_inside(value), depth);
	if (depth == DEPTH_MAX)
		return;
	while (jspan_next(&w))
		if (w.key.p == NULL || is_telling(w.key))
			gather(out, w.value, depth + 1);
}

/* In lower case; what is no JSON is all words. */
static void
read_words(struct span body, struct buf *out)
{
	buf_init(out, WORDS_BYTES);
	buf_puts(out, "");
	if (body.len > 0 && is_json(body))
		gather(out, jspan_document(body), 0);
	else
		buf_add(out, body.p,
		    body.len < WORDS_BYTES ? body.len : WORDS_BYTES);
	for (size_t i = 0; i < out->len; i++)
		out->p[i] = (char)tolower((unsigned char)out->p[i]);
}

static bool
has(const struct buf *words, const char *text)
{
	return memmem(words->p, words->len, text, strlen(text)) != NULL;
}

/* ---- what they mean --------------------------------------------------- */

static unsigned
status_bit(int status)
{
	switch (status) {
	case 400:
		return S400;
	case 402:
		return S402;
	case 403:
		return S403;
	case 404:
		return S404;
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

static enum blame
by_status(int status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].status == status)
			return statuses[i].blame;
	return status >= 500 ? BLAME_PROVIDER : BLAME_REQUEST;
}

/* The next number of at least three digits; commas may stand in it. */
static uint64_t
next_number(const char **at)
{
	const char *p = *at;
	uint64_t n = 0;
	size_t digits = 0;

	for (; *p != '\0'; p++) {
		if (isdigit((unsigned char)*p) &&
		    (digits > 0 || p == *at || !is_word(p[-1]))) {
			n = n < UINT64_MAX / 100 ? n * 10 + (*p - '0') : n;
			digits++;
		} else if (*p == ',' && digits > 0 &&
		    isdigit((unsigned char)p[1])) {
			continue;
		} else if (digits >= 3 && !is_word(*p)) {
			break;
		} else {
			n = 0;
			digits = 0;
		}
	}
	*at = p;
	return digits >= 3 ? n : 0;
}

/* Each wording has the limit and the length first, in either order; a sum's
 * limit comes last. */
static void
read_length(const struct buf *words, struct blamed *b)
{
	const char *at = words->p;
	uint64_t first = next_number(&at), second = next_number(&at);
	uint64_t third = next_number(&at);

	if (third > 0 && has(words, " + ")) {
		first += second;
		second = third;
	}
	if (first == 0 || second == 0 || first == second)
		return;
	b->tokens = first > second ? first : second;
	b->limit = first > second ? second : first;
}

struct blamed
blame_of(int status, struct span body)
{
	struct blamed b = { .blame = BLAME_PROVIDER };
	struct buf words;
	unsigned bit;

	if (status < 400 || status > 599)
		status = 500;
	bit = status_bit(status);
	b.blame = by_status(status);
	read_words(body, &words);
	for (size_t i = 0; i < sizeof(wordings) / sizeof(wordings[0]); i++) {
		if ((wordings[i].statuses & bit) == 0 ||
		    !has(&words, wordings[i].words) ||
		    !has(&words, wordings[i].more))
			continue;
		b.blame = wordings[i].blame;
		break;
	}
	if (b.blame == BLAME_LENGTH)
		read_length(&words, &b);
	buf_free(&words);
	return b;
}

/* ---- the message ------------------------------------------------------ */

static struct span
message_of(struct span v)
{
	static const char *const names[] = { "message", "detail", "msg",
		"error" };
	struct jspan_walk w;

	for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
		struct span inner = jspan_member(v, "error");

		if (jspan_is_string(v))
			return jspan_inside(v);
		if (jspan_is_array(v)) {
			w = jspan_walk(v);
			if (!jspan_next(&w))
				break;
			v = w.value;
			continue;
		}
		for (size_t i = 0; inner.p == NULL && i < 4; i++)
			inner = jspan_member(v, names[i]);
		if (inner.p == NULL)
			break;
		v = inner;
	}
	return (struct span){ "", 0 };
}

void
blame_words(struct span body, char *out, size_t size)
{
	struct span inside = { "", 0 };
	char *p;
	size_t n;

	*out = '\0';
	if (body.len > 0 && is_json(body))
		inside = message_of(jspan_document(body));
	if (inside.len == 0 || (p = malloc(inside.len)) == NULL)
		return;
	n = jscan_decode(inside, p);
	if (n >= size) /* not in the middle of a character */
		for (n = size - 1; n > 0 && (p[n] & 0xc0) == 0x80; n--)
			continue;
	memcpy(out, p, n);
	out[n] = '\0';
	free(p);
}

int
blame_status(struct span body)
{
	static const char *const names[] = { "code", "status", "status_code" };
	struct span v = { NULL, 0 }, error;
	uint64_t n = 0;

	if (body.len > 0 && is_json(body))
		v = jspan_document(body);
	if (jspan_is_array(v)) {
		struct jspan_walk w = jspan_walk(v);

		v = jspan_next(&w) ? w.value : v;
	}
	error = jspan_member(v, "error");
	for (size_t i = 0; i < 6 && n == 0; i++) {
		struct span at = jspan_member(i < 3 ? error : v, names[i % 3]);

		n = jspan_count(at);
		if (jspan_is_string(at) && at.len == 5)
			n = strtoul(at.p + 1, NULL, 10);
	}
	return n >= 400 && n <= 599 ? (int)n : 0;
}

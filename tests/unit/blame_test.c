/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Who is to blame for an error: the wordings of providers and servers, a row
 * each, and texts that must not be mistaken for one of them.
 */
#include "config.h"

#include "check.h"
#include "policy/blame.h"
#include "policy/complaint.h"

static const char *const blames[] = {
	[BLAME_PROVIDER] = "provider",
	[BLAME_REQUEST] = "request",
	[BLAME_LENGTH] = "length",
	[BLAME_KEY] = "key",
	[BLAME_ACCOUNT] = "account",
	[BLAME_RATE] = "rate",
	[BLAME_RATE_ALL] = "rate of all",
	[BLAME_MODEL] = "model",
	[BLAME_LOADING] = "loading",
	[BLAME_TIME] = "time",
	[BLAME_REFUSED] = "refused",
	[BLAME_CONFLICT] = "conflict",
};

#define MESSAGE(text) "{\"error\":{\"message\":\"" text "\"}}"
#define TYPED(text, type) \
	"{\"error\":{\"message\":\"" text "\",\"type\":\"" type "\"}}"

static const struct {
	const char *who;
	int status;
	const char *body;
	enum blame blame;
	uint64_t tokens, limit;
} rows[] = {
	/* The prompt is too long. */
	{ "OpenAI", 400,
	    "{\"error\":{\"message\":\"This model's maximum context length is "
	    "8192 tokens. However, your messages resulted in 9001 tokens.\","
	    "\"code\":\"context_length_exceeded\"}}",
	    BLAME_LENGTH, 9001, 8192 },
	{ "OpenAI's Responses", 400,
	    MESSAGE("Your input exceeds the context window of this model. "
		    "Please adjust your input and try again."),
	    BLAME_LENGTH, 0, 0 },
	{ "OpenAI, for its rate at all", 429,
	    TYPED("Request too large for gpt-4o in organization org-1 on "
		  "tokens per min (TPM): Limit 30,000, Requested 52,100.",
		"tokens"),
	    BLAME_LENGTH, 52100, 30000 },
	{ "llama.cpp", 400,
	    "{\"error\":{\"code\":400,\"message\":\"request (5213 tokens) "
	    "exceeds the available context size (4096 tokens), try increasing "
	    "it\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":"
	    "5213,\"n_ctx\":4096}}",
	    BLAME_LENGTH, 5213, 4096 },
	{ "llama-cpp-python", 500,
	    MESSAGE("Requested tokens (5213) exceed context window of 4096"),
	    BLAME_LENGTH, 5213, 4096 },
	{ "vLLM", 400,
	    "{\"object\":\"error\",\"message\":\"This model's maximum context "
	    "length is 4096 tokens. However, you requested 5213 tokens (4213 "
	    "in the messages, 1000 in the completion).\",\"type\":"
	    "\"BadRequestError\",\"code\":400}",
	    BLAME_LENGTH, 5213, 4096 },
	{ "vLLM, newer", 400,
	    MESSAGE("The decoder prompt (length 5213) is longer than the "
		    "maximum model length of 4096."),
	    BLAME_LENGTH, 5213, 4096 },
	{ "SGLang", 400,
	    "{\"object\":\"error\",\"message\":\"The input (5213 tokens) is "
	    "longer than the model's context length (4096 tokens).\",\"type\":"
	    "\"BadRequestError\",\"code\":400}",
	    BLAME_LENGTH, 5213, 4096 },
	{ "SGLang, with its output", 400,
	    MESSAGE("Requested token count exceeds the model's maximum context "
		    "length of 4096 tokens. You requested a total of 5213 "
		    "tokens."),
	    BLAME_LENGTH, 5213, 4096 },
	{ "LM Studio", 400,
	    "{\"error\":\"The number of tokens to keep from the initial prompt "
	    "is greater than the context length (n_keep: 13055\\u003e= n_ctx: "
	    "4096). Try to load the model with a larger context length.\"}",
	    BLAME_LENGTH, 13055, 4096 },
	{ "LM Studio, older", 400,
	    "{\"error\":\"Trying to keep the first 13055 tokens when context "
	    "the overflows. However, the model is loaded with context length "
	    "of only 4096 tokens, which is not enough.\"}",
	    BLAME_LENGTH, 13055, 4096 },
	{ "LM Studio, newer", 400,
	    MESSAGE("Cannot truncate prompt with n_keep (6000) >= n_ctx "
		    "(4096)"),
	    BLAME_LENGTH, 6000, 4096 },
	{ "a server, with 500", 500,
	    MESSAGE("context length exceeded: 9001 > 8192"), BLAME_LENGTH, 9001,
	    8192 },
	{ "a server, as a text", 400,
	    "prompt is longer than the context window", BLAME_LENGTH, 0, 0 },
	{ "OpenAI, of a user's name", 400,
	    "{\"error\":{\"message\":\"Invalid 'user': string too long. "
	    "Expected a string with maximum length 64, but got a string with "
	    "length 155 instead.\",\"code\":\"string_above_max_length\"}}",
	    BLAME_REQUEST, 0, 0 },
	{ "Ollama", 400,
	    MESSAGE("prompt too long; exceeded max context length by 118 "
		    "tokens"),
	    BLAME_LENGTH, 0, 0 },
	{ "Ollama's embeddings", 400,
	    "{\"error\":\"the input length exceeds the context length\"}",
	    BLAME_LENGTH, 0, 0 },
	{ "oMLX", 400,
	    "{\"detail\":\"Prompt too long: 40213 tokens exceeds max context "
	    "window of 32768 tokens\"}",
	    BLAME_LENGTH, 40213, 32768 },
	{ "Gemini", 400,
	    "[{\"error\":{\"code\":400,\"message\":\"The input token count "
	    "(1200000) exceeds the maximum number of tokens allowed "
	    "(1048576).\",\"status\":\"INVALID_ARGUMENT\"}}]",
	    BLAME_LENGTH, 1200000, 1048576 },
	{ "Anthropic", 400,
	    "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\","
	    "\"message\":\"prompt is too long: 208310 tokens > 200000 "
	    "maximum\"}}",
	    BLAME_LENGTH, 208310, 200000 },
	{ "Anthropic, with its output", 400,
	    MESSAGE("input length and `max_tokens` exceed context limit: "
		    "188240 + 21333 > 200000, decrease input length"),
	    BLAME_LENGTH, 209573, 200000 },
	{ "Anthropic, by bytes", 413,
	    TYPED("Request exceeds the maximum size", "request_too_large"),
	    BLAME_LENGTH, 0, 0 },
	{ "DeepSeek", 400,
	    TYPED("This model's maximum context length is 65536 tokens. "
		  "However, you requested 70213 tokens (70113 in the messages, "
		  "100 in the completion).",
		"invalid_request_error"),
	    BLAME_LENGTH, 70213, 65536 },
	{ "Mistral", 400,
	    "{\"object\":\"error\",\"message\":\"Prompt contains 40213 tokens "
	    "and 0 draft tokens, too large for model with 32768 maximum "
	    "context length\",\"type\":\"invalid_request_prompt\"}",
	    BLAME_LENGTH, 40213, 32768 },
	{ "OpenRouter", 400,
	    MESSAGE("This endpoint's maximum context length is 32768 tokens. "
		    "However, you requested about 40213 tokens."),
	    BLAME_LENGTH, 40213, 32768 },
	{ "OpenRouter, another's words", 400,
	    "{\"error\":{\"message\":\"Provider returned error\",\"code\":400,"
	    "\"metadata\":{\"raw\":\"{\\\"message\\\":\\\"Input is too long "
	    "for requested model.\\\"}\"}}}",
	    BLAME_LENGTH, 0, 0 },
	{ "xAI", 400,
	    "{\"code\":\"Client specified an invalid argument\",\"error\":"
	    "\"This model's maximum prompt length is 131072 but the request "
	    "contains 537812 tokens.\"}",
	    BLAME_LENGTH, 537812, 131072 },
	{ "Moonshot", 400,
	    MESSAGE("Invalid request: Your request exceeded model token limit: "
		    "8192"),
	    BLAME_LENGTH, 0, 0 },
	{ "text-generation-inference", 422,
	    "{\"error\":\"Input validation error: `inputs` must have less than "
	    "4096 tokens. Given: 5213\",\"error_type\":\"validation\"}",
	    BLAME_LENGTH, 5213, 4096 },
	{ "a server's text", 400, "input is too long", BLAME_LENGTH, 0, 0 },

	{ "OpenAI, of its configured limit", 400,
	    MESSAGE("Input tokens exceed the configured limit of 272000 "
		    "tokens. Your messages resulted in 300112 tokens. Please "
		    "reduce the length of the messages."),
	    BLAME_LENGTH, 300112, 272000 },
	{ "llama.cpp, older", 400,
	    "{\"error\":{\"code\":400,\"message\":\"the request exceeds the "
	    "available context size. try increasing the context size or enable "
	    "context shift\",\"type\":\"exceed_context_size_error\","
	    "\"n_prompt_tokens\":14429,\"n_ctx\":8192}}",
	    BLAME_LENGTH, 14429, 8192 },
	{ "llama.cpp, while it writes; LM Studio's MLX", 500,
	    TYPED("Context size has been exceeded.", "server_error"),
	    BLAME_LENGTH, 0, 0 },
	{ "vLLM, of prompt and output", 400,
	    MESSAGE(
		"This model's maximum context length is 128000 tokens. "
		"However, you requested 65535 output tokens and your prompt "
		"contains at least 62466 input tokens, for a total of at "
		"least 128001 tokens. Please reduce the length of the input "
		"prompt or the number of requested output tokens. "
		"(parameter=input_tokens, value=62466)"),
	    BLAME_LENGTH, 128001, 128000 },
	{ "vLLM, of max_tokens", 400,
	    MESSAGE("'max_tokens' or 'max_completion_tokens' is too large: "
		    "8192. This model's maximum context length is 65536 tokens "
		    "and your request has 57879 input tokens (8192 > 65536 - "
		    "57879). None"),
	    BLAME_LENGTH, 66071, 65536 },
	{ "SGLang, by its memory", 400,
	    MESSAGE("Input length (160062 tokens) exceeds the maximum allowed "
		    "length (59862 tokens). Use a shorter input or enable "
		    "--allow-auto-truncate."),
	    BLAME_LENGTH, 160062, 59862 },
	{ "SGLang, prompt and output", 400,
	    MESSAGE("Requested token count exceeds the model's maximum context "
		    "length of 40960 tokens. You requested a total of 41213 "
		    "tokens: 8445 tokens from the input messages and 32768 "
		    "tokens for the completion. Please reduce the number of "
		    "tokens in the input messages or the completion to fit "
		    "within the limit."),
	    BLAME_LENGTH, 41213, 40960 },
	{ "LM Studio, of a length", 400,
	    "{\"error\":\"Input length 6491 exceeds context length 1500\"}",
	    BLAME_LENGTH, 6491, 1500 },
	{ "LM Studio, while it writes", 400,
	    "{\"error\":\"Reached context length of 4096 tokens with model "
	    "(arch: qwen3vlmoe) that does not currently support mid-generation "
	    "context overflow. Try reloading with a larger context length or "
	    "shortening the prompt/chat.\"}",
	    BLAME_LENGTH, 0, 0 },
	{ "Ollama, older", 400,
	    "{\"error\":\"input length exceeds maximum context length\"}",
	    BLAME_LENGTH, 0, 0 },
	{ "Gemini without the number", 400,
	    "{\"error\":{\"code\":400,\"message\":\"The input token count "
	    "exceeds the maximum number of tokens allowed (1048576).\","
	    "\"status\":\"INVALID_ARGUMENT\"}}",
	    BLAME_LENGTH, 0, 0 },
	{ "Gemini in another's JSON", 400,
	    "{\"error\":{\"message\":\"{\\n  \\\"error\\\": {\\n    "
	    "\\\"code\\\": 400,\\n    \\\"message\\\": \\\"The input token "
	    "count (3475108) exceeds the maximum number of tokens allowed "
	    "(1048576).\\\"}}\",\"code\":400,\"status\":\"Bad Request\"}}",
	    BLAME_LENGTH, 3475108, 1048576 },
	{ "Vertex", 400,
	    MESSAGE("Unable to submit request because the input token count is "
		    "2000112 but model only supports up to 1048576. Reduce the "
		    "input token count and try again."),
	    BLAME_LENGTH, 2000112, 1048576 },
	{ "Anthropic by 1 more", 400,
	    MESSAGE("input length and `max_tokens` exceed context limit: "
		    "178959 + 64000 > 200000, decrease input length or "
		    "`max_tokens` and try again"),
	    BLAME_LENGTH, 242959, 200000 },
	{ "OpenRouter, of all parts", 400,
	    "{\"error\":{\"message\":\"This endpoint's maximum context length "
	    "is 262000 tokens. However, you requested about 263390 tokens (658 "
	    "of text input, 732 of tool input, 262000 in the output). Please "
	    "reduce the length of either one, or use the context-compression "
	    "plugin to compress your prompt automatically.\",\"code\":400,"
	    "\"metadata\":{\"provider_name\":null}}}",
	    BLAME_LENGTH, 263390, 262000 },
	{ "OpenRouter, of Poolside", 400,
	    MESSAGE("Input length 300000 exceeds the maximum allowed input "
		    "length of 262144 tokens."),
	    BLAME_LENGTH, 300000, 262144 },
	{ "Copilot", 400,
	    MESSAGE("prompt token count of 130000 exceeds the limit of 128000"),
	    BLAME_LENGTH, 130000, 128000 },
	{ "MiniMax", 400,
	    MESSAGE("invalid params, context window exceeds limit"),
	    BLAME_LENGTH, 0, 0 },
	{ "Alibaba", 400,
	    MESSAGE("Range of input length should be [1, 129024]"),
	    BLAME_LENGTH, 0, 0 },
	{ "Zhipu", 400,
	    "{\"error\":{\"code\":\"model_context_window_exceeded\","
	    "\"message\":"
	    "\"no\"}}",
	    BLAME_LENGTH, 0, 0 },
	{ "Groq", 400,
	    MESSAGE("Please reduce the length of the messages or completion."),
	    BLAME_LENGTH, 0, 0 },
	{ "a name that is too long", 400,
	    MESSAGE("tools.0.name exceeds the maximum allowed length of 128 "
		    "characters"),
	    BLAME_REQUEST, 0, 0 },

	/* The gateway's account with the provider. */
	{ "DeepSeek's balance", 402, MESSAGE("Insufficient Balance"),
	    BLAME_ACCOUNT, 0, 0 },
	{ "a bare 402", 402, "", BLAME_ACCOUNT, 0, 0 },
	{ "Anthropic's credit", 400,
	    TYPED("Your credit balance is too low to access the Anthropic API. "
		  "Please go to Plans & Billing.",
		"invalid_request_error"),
	    BLAME_ACCOUNT, 0, 0 },
	{ "Anthropic's limit", 400,
	    MESSAGE("You have reached your specified API usage limits. You "
		    "will regain access on 2026-12-01."),
	    BLAME_ACCOUNT, 0, 0 },
	{ "OpenRouter's key", 403,
	    "{\"error\":{\"message\":\"Key limit exceeded (total limit). "
	    "Manage it using https://openrouter.ai/settings/keys\",\"code\":"
	    "403}}",
	    BLAME_ACCOUNT, 0, 0 },
	{ "OpenRouter's credits", 402,
	    MESSAGE("This request requires more credits, or fewer max_tokens. "
		    "You requested up to 32000 tokens, but can only afford "
		    "5000."),
	    BLAME_ACCOUNT, 0, 0 },
	{ "OpenRouter's credits, of a prompt", 402,
	    MESSAGE(
		"Prompt tokens limit exceeded: 230799 > 91442. To increase, "
		"visit the settings and create a key with a higher monthly "
		"limit"),
	    BLAME_ACCOUNT, 0, 0 },
	{ "a proxy's 403 of them", 403,
	    MESSAGE(
		"You requested up to 64000 tokens, but can only afford 2666"),
	    BLAME_ACCOUNT, 0, 0 },
	{ "OpenAI's quota", 429,
	    "{\"error\":{\"message\":\"You exceeded your current quota, please "
	    "check your plan and billing details.\",\"type\":"
	    "\"insufficient_quota\",\"code\":\"insufficient_quota\"}}",
	    BLAME_ACCOUNT, 0, 0 },
	{ "Gemini's rate, in the same words", 429,
	    "[{\"error\":{\"code\":429,\"message\":\"You exceeded your current "
	    "quota, please check your plan and billing details. Please retry "
	    "in 21s.\",\"status\":\"RESOURCE_EXHAUSTED\"}}]",
	    BLAME_RATE, 0, 0 },
	{ "xAI's credits", 403,
	    "{\"code\":\"The caller does not have permission\",\"error\":"
	    "\"Your newly created team doesn't have any credits: it has used "
	    "all available credits or reached its monthly spending limit.\"}",
	    BLAME_ACCOUNT, 0, 0 },
	{ "Moonshot's account", 429,
	    TYPED("Your account is suspended, please check your plan",
		"exceeded_current_quota_error"),
	    BLAME_ACCOUNT, 0, 0 },
	{ "Alibaba's arrears", 400,
	    "{\"error\":{\"code\":\"Arrearage\",\"message\":\"Access "
	    "denied\"}}",
	    BLAME_ACCOUNT, 0, 0 },
	{ "a key that is wrong", 401, MESSAGE("Incorrect API key provided"),
	    BLAME_KEY, 0, 0 },
	{ "a key that is wrong, with 400", 400,
	    MESSAGE("Invalid API key provided"), BLAME_KEY, 0, 0 },
	{ "Gemini's key", 400,
	    "{\"error\":{\"code\":400,\"message\":\"API key not valid. Please "
	    "pass a valid API key.\",\"status\":\"INVALID_ARGUMENT\"}}",
	    BLAME_KEY, 0, 0 },

	/* An echo of the request says nothing about the error. */
	{ "an echo in quotes", 400,
	    MESSAGE("Invalid value: 'credit balance is too low'. Supported "
		    "values are: 'text' and 'json_object'."),
	    BLAME_REQUEST, 0, 0 },
	{ "an echo as input", 422,
	    "{\"detail\":[{\"msg\":\"Field required\",\"input\":{\"content\":"
	    "\"prompt is too long\"}}]}",
	    BLAME_REQUEST, 0, 0 },
	{ "an apostrophe quotes nothing", 400,
	    MESSAGE("It's the model's maximum context length that it's over"),
	    BLAME_LENGTH, 0, 0 },

	/* Rates, models, and other causes. */
	/* The same in other spellings. */
	{ "Fireworks' account", 412,
	    MESSAGE("Account x is suspended, possibly due to reaching the "
		    "monthly spending limit or failure to pay past invoices"),
	    BLAME_ACCOUNT, 0, 0 },
	{ "OpenAI's billing", 429,
	    TYPED("Your account is not active, please check your billing "
		  "details on our website.",
		"billing_not_active"),
	    BLAME_ACCOUNT, 0, 0 },
	{ "OpenAI's credit, by its code", 429,
	    "{\"error\":{\"message\":\"x\",\"code\":"
	    "\"credit_balance_exhausted\"}}",
	    BLAME_ACCOUNT, 0, 0 },
	{ "Gemini's prepaid credit", 429,
	    MESSAGE("Your prepayment credits are depleted."), BLAME_ACCOUNT, 0,
	    0 },
	{ "Gemini without billing", 400,
	    MESSAGE("Please enable billing on your project in Google AI "
		    "Studio."),
	    BLAME_ACCOUNT, 0, 0 },
	{ "xAI, never paid", 403,
	    MESSAGE("Your newly created team doesn't have any credits or "
		    "licenses yet."),
	    BLAME_ACCOUNT, 0, 0 },
	{ "Groq's organisation", 400,
	    "{\"error\":{\"message\":\"Organization has been restricted. "
	    "Please reach out to support.\",\"code\":"
	    "\"organization_restricted\"}}",
	    BLAME_ACCOUNT, 0, 0 },
	{ "Novita", 403,
	    "{\"code\":403,\"reason\":\"NOT_ENOUGH_BALANCE\",\"message\":"
	    "\"not enough balance\"}",
	    BLAME_ACCOUNT, 0, 0 },
	{ "SiliconFlow", 403,
	    "{\"code\":30001,\"message\":\"Sorry, your account balance is "
	    "insufficient\",\"data\":null}",
	    BLAME_ACCOUNT, 0, 0 },
	{ "a reseller's 401 of it", 401,
	    TYPED("Insufficient balance. Manage your billing here",
		"CreditsError"),
	    BLAME_ACCOUNT, 0, 0 },
	{ "MiniMax, inside of a 200", 0,
	    "{\"choices\":null,\"base_resp\":{\"status_code\":1008,"
	    "\"status_msg\":\"insufficient balance\"}}",
	    BLAME_ACCOUNT, 0, 0 },
	{ "a key, inside of a stream", 0,
	    TYPED("Incorrect API key provided", "invalid_request_error"),
	    BLAME_KEY, 0, 0 },
	{ "Anthropic's rate, inside of a stream", 0,
	    TYPED("This request would exceed your organization's rate limit "
		  "of 40,000 input tokens per minute",
		"rate_limit_error"),
	    BLAME_RATE, 0, 0 },
	{ "Bedrock's, inside of a stream", 0,
	    MESSAGE("Too many tokens, please wait before trying again."),
	    BLAME_RATE, 0, 0 },
	{ "a length, inside of a stream", 0,
	    MESSAGE("Your input exceeds the context window of this model."),
	    BLAME_LENGTH, 0, 0 },
	{ "a model, inside of a stream", 0,
	    TYPED("The model x does not exist", "model_not_found"), BLAME_MODEL,
	    0, 0 },
	{ "nothing known, inside of a stream", 0, MESSAGE("boom"),
	    BLAME_PROVIDER, 0, 0 },
	{ "OpenRouter, another's JSON", 400,
	    "{\"error\":{\"message\":\"Provider returned error\",\"code\":400,"
	    "\"metadata\":{\"raw\":\"{\\\"error\\\":{\\\"message\\\":"
	    "\\\"maximum context length is 8192 tokens. However, you "
	    "requested 9000 tokens\\\"}}\"}}}",
	    BLAME_LENGTH, 9000, 8192 },
	{ "LiteLLM", 400,
	    MESSAGE("litellm.ContextWindowExceededError: Context Window "
		    "exceeded for given call."),
	    BLAME_LENGTH, 0, 0 },
	{ "OpenAI, of a limit", 400,
	    MESSAGE("Input tokens exceed the configured limit of 272000 "
		    "tokens. Your messages resulted in 300000 tokens."),
	    BLAME_LENGTH, 300000, 272000 },
	{ "Cloudflare", 400,
	    MESSAGE("The estimated number of input and maximum output tokens "
		    "(9000) exceeded this model context window limit (8000)."),
	    BLAME_LENGTH, 9000, 8000 },
	{ "Bedrock", 400,
	    "{\"__type\":\"ValidationException\",\"message\":\"Too many "
	    "input tokens. Max input tokens: 8192, request input token count: "
	    "9000\"}",
	    BLAME_LENGTH, 9000, 8192 },
	{ "watsonx", 400,
	    MESSAGE("the number of input tokens 5000 cannot exceed the total "
		    "tokens limit 4096 for this model"),
	    BLAME_LENGTH, 5000, 4096 },
	{ "vLLM's engine", 400,
	    MESSAGE("The prompt (total length 12345) is too long to fit into "
		    "the model (context length 8192)."),
	    BLAME_LENGTH, 12345, 8192 },
	{ "llama.cpp's embeddings", 500,
	    MESSAGE("input (600 tokens) is too large to process. increase the "
		    "physical batch size (current batch size: 512)"),
	    BLAME_LENGTH, 600, 512 },
	{ "Mistral's embeddings", 400,
	    MESSAGE("Input id 0 has 9000 tokens, exceeding max 8192 tokens."),
	    BLAME_LENGTH, 9000, 8192 },
	{ "OpenAI's embeddings", 400,
	    "{\"error\":{\"message\":\"Requested 400000 tokens, max 300000 "
	    "tokens per request\",\"code\":\"max_tokens_per_request\"}}",
	    BLAME_LENGTH, 400000, 300000 },
	{ "OpenAI's transcriptions", 400,
	    MESSAGE("audio duration 1500.5 seconds is longer than 1400 seconds "
		    "which is the maximum for this model"),
	    BLAME_LENGTH, 1500, 1400 },
	{ "TabbyAPI", 400,
	    MESSAGE("Prompt length 9000 is greater than max_seq_len 8192"),
	    BLAME_LENGTH, 9000, 8192 },
	{ "an output that is too long", 400,
	    MESSAGE("max_tokens: 100000 > 64000, which is the maximum allowed "
		    "number of output tokens"),
	    BLAME_REQUEST, 0, 0 },

	{ "a rate", 429, MESSAGE("Rate limit reached for gpt-4o"), BLAME_RATE,
	    0, 0 },
	{ "a rate that names its organisation", 429,
	    MESSAGE("Rate limit reached for gpt-4o in organization org-a on "
		    "tokens per min. You can increase your rate limit by "
		    "adding a payment method to your account at "
		    "https://example.org/account/rate-limits"),
	    BLAME_RATE, 0, 0 },
	{ "a rate of the account", 429, MESSAGE("Account rate limit reached"),
	    BLAME_RATE_ALL, 0, 0 },
	{ "a day's", 429, MESSAGE("You have reached the daily limit"),
	    BLAME_RATE_ALL, 0, 0 },
	{ "OpenAI's model", 404,
	    "{\"error\":{\"message\":\"The model `x` does not exist or you do "
	    "not have access to it.\",\"code\":\"model_not_found\"}}",
	    BLAME_MODEL, 0, 0 },
	{ "Ollama's model", 404,
	    MESSAGE("model \\\"x\\\" not found, try pulling it first"),
	    BLAME_MODEL, 0, 0 },
	{ "vLLM's model", 404,
	    "{\"object\":\"error\",\"message\":\"The model `x` does not "
	    "exist.\",\"type\":\"NotFoundError\",\"code\":404}",
	    BLAME_MODEL, 0, 0 },
	{ "Groq's model", 400,
	    "{\"error\":{\"message\":\"The model `x` has been decommissioned "
	    "and is no longer supported.\",\"code\":\"model_decommissioned\"}}",
	    BLAME_MODEL, 0, 0 },
	{ "OpenRouter's model", 404, MESSAGE("No endpoints found for x."),
	    BLAME_MODEL, 0, 0 },
	{ "DeepSeek's model", 400, MESSAGE("Model Not Exist"), BLAME_MODEL, 0,
	    0 },
	{ "no such path", 404, MESSAGE("File Not Found"), BLAME_REFUSED, 0, 0 },
	{ "llama.cpp loads", 503, MESSAGE("Loading model"), BLAME_LOADING, 0,
	    0 },
	{ "Hugging Face loads", 503,
	    "{\"error\":\"Model x is currently loading\",\"estimated_time\":"
	    "20.0}",
	    BLAME_LOADING, 0, 0 },
	{ "408", 408, "", BLAME_TIME, 0, 0 },
	{ "409", 409, MESSAGE("conflict"), BLAME_CONFLICT, 0, 0 },
	{ "425", 425, "", BLAME_CONFLICT, 0, 0 },
	{ "451", 451, "", BLAME_REFUSED, 0, 0 },
	{ "403 by itself", 403, "<html>", BLAME_CONFLICT, 0, 0 },
	{ "moderation", 403, MESSAGE("Your input was flagged for: violence"),
	    BLAME_REQUEST, 0, 0 },
	{ "529", 529, TYPED("Overloaded", "overloaded_error"), BLAME_PROVIDER,
	    0, 0 },
	{ "502", 502, "<html>", BLAME_PROVIDER, 0, 0 },
	{ "504", 504, "", BLAME_TIME, 0, 0 },
	{ "a status that is none", 999, "", BLAME_PROVIDER, 0, 0 },

	/* A 500 that blames the request. */
	{ "llama.cpp and a picture", 500,
	    TYPED("image input is not supported - hint: if this is unexpected, "
		  "you may need to provide the mmproj",
		"server_error"),
	    BLAME_REQUEST, 0, 0 },
	{ "a template", 500,
	    TYPED("Conversation roles must alternate user/assistant",
		"server_error"),
	    BLAME_REQUEST, 0, 0 },
	{ "by its type", 500, TYPED("no", "invalid_request_error"),
	    BLAME_REQUEST, 0, 0 },
	{ "a 500", 500, MESSAGE("CUDA error: out of memory"), BLAME_PROVIDER, 0,
	    0 },
};

static void
test_words(void)
{
	char words[64];

	complaint_message(span_of(MESSAGE("a \\u00e9")), words, sizeof(words));
	CHECK_STR(words, "a \xc3\xa9", "a message is decoded");
	complaint_message(
	    span_of("{\"error\":\"bare\"}"), words, sizeof(words));
	CHECK_STR(words, "bare", "a bare string is one");
	complaint_message(span_of("{\"detail\":[{\"msg\":\"first\"}]}"), words,
	    sizeof(words));
	CHECK_STR(words, "first", "so is the first of several problems");
	complaint_message(
	    span_of("[{\"error\":{\"message\":\"g\"}}]"), words, sizeof(words));
	CHECK_STR(words, "g", "and Gemini's, in an array");
	complaint_message(span_of("<html>"), words, sizeof(words));
	CHECK_STR(words, "", "a page has none");
	complaint_message(span_of(MESSAGE("\xc3\xa9\xc3\xa9")), words, 4);
	CHECK_STR(words, "\xc3\xa9", "and a character is not cut");
}

int
main(void)
{
	struct blamed b;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		b = blame_of(rows[i].status, span_of(rows[i].body));
		CHECK(b.blame == rows[i].blame, "%s: %d is of the %s",
		    rows[i].who, rows[i].status, blames[rows[i].blame]);
		if (b.blame != rows[i].blame)
			printf("# got: %s\n", blames[b.blame]);
		CHECK(b.tokens == rows[i].tokens && b.limit == rows[i].limit,
		    "%s: %llu tokens of %llu", rows[i].who,
		    (unsigned long long)b.tokens, (unsigned long long)b.limit);
	}
	CHECK(complaint_status(span_of("{\"error\":{\"code\":429}}")) == 429 &&
		complaint_status(span_of("{\"error\":{\"code\":\"402\"}}")) ==
		    402 &&
		complaint_status(span_of("{\"error\":\"x\",\"status\":503}")) ==
		    503 &&
		complaint_status(span_of("[{\"error\":{\"code\":400}}]")) ==
		    400 &&
		complaint_status(
		    span_of("{\"error\":{\"http_code\":\"402\"}}")) == 402 &&
		complaint_status(span_of("{\"error\":{\"code\":\"x\"}}")) == 0,
	    "the status that an error names");
	test_words();
	return check_done();
}

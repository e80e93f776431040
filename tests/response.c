/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the stub upstream responds (response.h): every endpoint's shapes, and
 * the faults in the content rather than in how it is sent.
 */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "response.h"

enum kind {
	KIND_CHAT,
	KIND_COMPLETIONS,
	KIND_RESPONSES,
	KIND_MESSAGES,
	KIND_EMBEDDINGS,
	KIND_RERANK,
	KIND_SPEECH,
	KIND_SPEECH_SSE,
	KIND_TRANSCRIPT,
	KIND_COUNT,
	KIND_IMAGES,
	KIND_MODERATIONS,
	KIND_VOICES,
	KIND_KEPT,
	KIND_COMPACT,
	KIND_TOKENS,
	KIND_INFILL,
	KIND_MODELS,
	KIND_HEALTH,
	KIND_PROPS,
	KIND_NONE
};

static const struct {
	const char *path;
	enum kind kind;
} paths[] = {
	{ "/chat/completions", KIND_CHAT },
	{ "/completions", KIND_COMPLETIONS },
	{ "/responses", KIND_RESPONSES },
	{ "/messages", KIND_MESSAGES },
	{ "/messages/count_tokens", KIND_COUNT },
	{ "/embeddings", KIND_EMBEDDINGS },
	{ "/rerank", KIND_RERANK },
	{ "/audio/speech", KIND_SPEECH },
	{ "/audio/transcriptions", KIND_TRANSCRIPT },
	{ "/audio/translations", KIND_TRANSCRIPT },
	{ "/images/generations", KIND_IMAGES },
	{ "/images/edits", KIND_IMAGES },
	{ "/images/variations", KIND_IMAGES },
	{ "/moderations", KIND_MODERATIONS },
	{ "/audio/voices", KIND_VOICES },
	{ "/responses/compact", KIND_COMPACT },
	{ "/input_tokens", KIND_TOKENS },
	{ "/infill", KIND_INFILL },
	{ "/models", KIND_MODELS },
	{ "/health", KIND_HEALTH },
	{ "/props", KIND_PROPS },
};

static const char *const words[] = {
#define X(name, word, what) word,
	SCRIPT_FLAGS(X)
#undef X
};

/* A piece of the request's JSON. */
struct piece {
	const char *p;
	size_t len;
};

int64_t
response_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
script_number(struct script *s, const char *word, size_t len)
{
	static const struct {
		const char *name;
		size_t at;
	} numbers[] = {
		{ "n=", offsetof(struct script, n) },
		{ "ms=", offsetof(struct script, ms) },
		{ "size=", offsetof(struct script, size) },
		{ "delay=", offsetof(struct script, delay) },
		{ "ttft=", offsetof(struct script, ttft) },
		{ "code=", offsetof(struct script, code) },
		{ "retry=", offsetof(struct script, retry) },
		{ "context=", offsetof(struct script, context) },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		size_t n = strlen(numbers[i].name);
		long value;

		if (len <= n || strncmp(word, numbers[i].name, n) != 0)
			continue;
		value = strtol(word + n, NULL, 10);
		memcpy((char *)s + numbers[i].at, &value, sizeof(value));
	}
}

static void
script_word(struct script *s, const char *word, size_t len)
{
	for (size_t i = 0; i < SCRIPT_FLAG_COUNT; i++)
		if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0)
			s->flags |= (uint64_t)1 << i;
	if (len == 3 && strspn(word, "0123456789") >= 3)
		s->code = strtol(word, NULL, 10);
	if (len > 5 && len < 5 + sizeof(s->file) &&
	    strncmp(word, "file=", 5) == 0)
		snprintf(
		    s->file, sizeof(s->file), "%.*s", (int)len - 5, word + 5);
	script_number(s, word, len);
}

/* Appends a script's words to those that are there already. */
static void
script_parse(struct script *s, const char *p, size_t len)
{
	char copy[256];
	size_t at = strlen(s->text);

	if (len >= sizeof(copy))
		len = sizeof(copy) - 1;
	for (size_t i = 0; i < len && at + 1 < sizeof(s->text); i++)
		if (p[i] > ' ' && p[i] < 0x7f && strchr("\"\\%", p[i]) == NULL)
			s->text[at++] = p[i];
	s->text[at] = '\0';
	memcpy(copy, p, len);
	copy[len] = '\0';
	for (char *w = copy; *w != '\0';) {
		size_t n = strcspn(w, ",/");

		script_word(s, w, n);
		w += n + (w[n] != '\0');
	}
}

/* A long string of this request's body, found once and not searched again for
 * each member. */
#define LONG_BYTES 65536
static struct piece long_string;

/* The end of the string that begins at p; by memchr, for bodies of
 * megabytes. */
static const char *
json_string_end(const char *p, const char *end)
{
	const char *q = p, *slash;

	if (p == long_string.p)
		return p + long_string.len;
	while ((q = memchr(q + 1, '"', (size_t)(end - q - 1))) != NULL) {
		for (slash = q; slash[-1] == '\\'; slash--)
			;
		if ((q - slash) % 2 != 0)
			continue;
		if (q - p > LONG_BYTES)
			long_string = (struct piece){ p, (size_t)(q - p) };
		return q;
	}
	return end;
}

/* The raw value of a top-level member; len 0: there is none. */
static struct piece
json_member(const char *p, size_t len, const char *key)
{
	const char *end = p + len, *value = NULL, *close;
	size_t klen = strlen(key);
	int depth = 0;

	for (; p < end; p++) {
		if (*p == '"') {
			close = json_string_end(p, end);
			if (depth == 1 && value == NULL &&
			    (size_t)(close - p - 1) == klen &&
			    memcmp(p + 1, key, klen) == 0) {
				p = close + 1;
				while (p < end && isspace((unsigned char)*p))
					p++;
				if (p < end && *p == ':') {
					value = p + 1;
					continue;
				}
			}
			p = close;
		} else if (*p == '{' || *p == '[') {
			depth++;
		} else if (*p == '}' || *p == ']') {
			depth--;
		}
		if (value != NULL && (depth == 0 || (depth == 1 && *p == ',')))
			break;
	}
	if (value == NULL)
		return (struct piece){ "", 0 };
	while (value < p && isspace((unsigned char)*value))
		value++;
	while (p > value && isspace((unsigned char)p[-1]))
		p--;
	return (struct piece){ value, (size_t)(p - value) };
}

static bool
json_true(const struct call *call, const char *key)
{
	struct piece v = json_member(call->body, call->len, key);

	return v.len == 4 && memcmp(v.p, "true", 4) == 0;
}

/* The number of elements of an array, 1 for anything else. */
static int
json_count(struct piece v)
{
	int depth = 0, n = 1;

	if (v.len == 0 || *v.p != '[')
		return 1;
	for (const char *p = v.p; p < v.p + v.len; p++) {
		if (*p == '"')
			p = json_string_end(p, v.p + v.len);
		else if (*p == '[' || *p == '{')
			depth++;
		else if (*p == ']' || *p == '}')
			depth--;
		else if (*p == ',' && depth == 1)
			n++;
	}
	return n;
}

/* A form field's value; only for fields of one line. */
static struct piece
form_field(const struct call *call, const char *name)
{
	char want[64];
	const char *p, *end = call->body + call->len, *stop;

	snprintf(want, sizeof(want), "name=\"%s\"", name);
	if ((p = memmem(call->body, call->len, want, strlen(want))) == NULL ||
	    (p = memmem(p, (size_t)(end - p), "\r\n\r\n", 4)) == NULL)
		return (struct piece){ "", 0 };
	p += 4;
	if ((stop = memmem(p, (size_t)(end - p), "\r\n", 2)) == NULL)
		return (struct piece){ "", 0 };
	return (struct piece){ p, (size_t)(stop - p) };
}

static bool
form_is(const struct call *call, const char *name, const char *value)
{
	struct piece v = form_field(call, name);

	return v.len == strlen(value) && memcmp(v.p, value, v.len) == 0;
}

static enum kind
kind_of(const char *path)
{
	size_t len = strlen(path);
	const char *models = strstr(path, "/models/");

	if (models != NULL)
		return KIND_MODELS;
	/* The longest first: /chat/completions ends in /completions. */
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		size_t n = strlen(paths[i].path);

		if (len >= n && strcmp(path + len - n, paths[i].path) == 0)
			return paths[i].kind;
	}
	return strstr(path, "/responses/") != NULL ? KIND_KEPT : KIND_NONE;
}

static const char *
eol(const struct response *a)
{
	return SCRIPT_HAS(&a->script, CRLF) ? "\r\n" : "\n";
}

/* {"prompt_tokens":…} with the endpoint's names. */
static void
add_usage(const struct response *a, struct text *out)
{
	long n = a->npieces;

	switch (a->kind) {
	case KIND_RESPONSES:
	case KIND_KEPT:
	case KIND_IMAGES:
	case KIND_COMPACT:
		text_printf(out,
		    "{\"input_tokens\":11,\"input_tokens_details\":"
		    "{\"cached_tokens\":4},\"output_tokens\":%ld,"
		    "\"output_tokens_details\":{\"reasoning_tokens\":1},"
		    "\"total_tokens\":%ld}",
		    n, n + 11);
		return;
	case KIND_MESSAGES:
		text_printf(out,
		    "{\"input_tokens\":11,\"cache_read_input_tokens\":4,"
		    "\"cache_creation_input_tokens\":0,\"output_tokens\":%ld}",
		    n);
		return;
	case KIND_EMBEDDINGS:
	case KIND_RERANK:
		text_puts(out, "{\"prompt_tokens\":11,\"total_tokens\":11");
		break;
	default:
		text_printf(out,
		    "{\"prompt_tokens\":11,\"completion_tokens\":%ld,"
		    "\"total_tokens\":%ld,\"prompt_tokens_details\":"
		    "{\"cached_tokens\":4},\"completion_tokens_details\":"
		    "{\"reasoning_tokens\":1}",
		    n, n + 11);
	}
	if (SCRIPT_HAS(&a->script, USAGE_COST))
		text_puts(out, ",\"cost\":0.00012");
	text_puts(out, "}");
}

/* The text of delta i; the bench's time stamps come before it. */
static void
add_delta(const struct response *a, long i, struct text *out)
{
	const struct script *s = &a->script;
	size_t from = out->len;

	if (SCRIPT_HAS(s, STAMP))
		text_printf(out, "@%lld@", (long long)response_now_ns());
	text_printf(out, "t\xc3\xb6k%ld ", i);
	if (SCRIPT_HAS(s, BIG_EVENT) && i == 0)
		text_fill(out, 'x', s->size > 0 ? (size_t)s->size : 1 << 20);
	else if (s->size > (long)(out->len - from))
		text_fill(out, 'x', (size_t)s->size - (out->len - from));
}

static void
chat_open(const struct response *a, struct text *out)
{
	text_printf(out,
	    "data: {\"id\":\"chatcmpl-stub\",\"object\":"
	    "\"chat.completion.chunk\",\"created\":1700000000,"
	    "\"model\":\"%s\",\"choices\":[",
	    a->script.text);
}

static void
chat_close(const struct response *a, struct text *out)
{
	text_printf(out, "}%s%s", eol(a), eol(a));
}

static void
chat_tools_delta(long i, struct text *out)
{
	if (i == 0)
		text_puts(out,
		    "\"tool_calls\":[{\"index\":0,\"id\":\"call_stub\","
		    "\"type\":\"function\",\"function\":{\"name\":"
		    "\"get_time\",\"arguments\":\"{\\\"zone\\\":\"}}]");
	else
		text_printf(out,
		    "\"tool_calls\":[{\"index\":0,\"function\":"
		    "{\"arguments\":\"%s\"}}]",
		    i == 1 ? "\\\"UTC\\\"}" : "");
}

static void
chat_delta(const struct response *a, long i, struct text *out)
{
	const struct script *s = &a->script;

	chat_open(a, out);
	if (a->kind == KIND_COMPLETIONS) {
		text_puts(out, "{\"index\":0,\"text\":\"");
		add_delta(a, i, out);
		text_puts(out, "\",\"finish_reason\":null}]");
		chat_close(a, out);
		return;
	}
	text_puts(out, "{\"index\":0,\"delta\":{");
	if (i == 0)
		text_puts(out, "\"role\":\"assistant\",");
	if (SCRIPT_HAS(s, TOOLS)) {
		chat_tools_delta(i, out);
	} else {
		text_puts(out,
		    SCRIPT_HAS(s, REASONING) && i < a->npieces / 2
			? "\"reasoning_content\":\""
			: "\"content\":\"");
		add_delta(a, i, out);
		text_puts(out, "\"");
	}
	text_puts(out, "},\"finish_reason\":null}]");
	chat_close(a, out);
}

static void
chat_last(const struct response *a, struct text *out)
{
	const struct script *s = &a->script;
	bool none = SCRIPT_HAS(s, USAGE_NONE),
	     twice = SCRIPT_HAS(s, USAGE_TWICE);

	chat_open(a, out);
	text_printf(out, "{\"index\":0,%s\"finish_reason\":\"%s\"}]",
	    a->kind == KIND_CHAT ? "\"delta\":{}," : "\"text\":\"\",",
	    SCRIPT_HAS(s, TOOLS) ? "tool_calls" : "stop");
	if (!none && (twice || SCRIPT_HAS(s, USAGE_LAST))) {
		text_puts(out, ",\"usage\":");
		add_usage(a, out);
	}
	chat_close(a, out);
	if (!none && (twice || SCRIPT_HAS(s, USAGE_OWN) || a->include_usage)) {
		chat_open(a, out);
		text_puts(out, "],\"usage\":");
		add_usage(a, out);
		chat_close(a, out);
	}
	text_printf(out, "data: [DONE]%s%s", eol(a), eol(a));
}

/* One named event with this data, which is freed. */
static void
named_event(const struct response *a, const char *name, struct text *data,
    struct text *out)
{
	text_printf(out, "event: %s%sdata: %s%s%s", name, eol(a), data->p,
	    eol(a), eol(a));
	text_free(data);
}

/* The response object itself, as in the events created and completed. */
static void
response_object(const struct response *a, const char *status, struct text *out)
{
	bool done = strcmp(status, "completed") == 0;

	text_printf(out,
	    "{\"id\":\"resp_stub\",\"object\":\"response\","
	    "\"created_at\":1700000000,\"status\":\"%s\","
	    "\"background\":false,\"error\":null,"
	    "\"incomplete_details\":null,\"instructions\":null,"
	    "\"max_output_tokens\":null,\"model\":\"%s\","
	    "\"parallel_tool_calls\":true,\"previous_response_id\":null,"
	    "\"store\":false,\"temperature\":1.0,\"tool_choice\":\"auto\","
	    "\"tools\":[],\"top_p\":1.0,\"truncation\":\"disabled\","
	    "\"metadata\":{},\"text\":{\"format\":{\"type\":\"text\"}},"
	    "\"output\":[",
	    status, a->script.text);
	if (done) {
		text_puts(out,
		    "{\"id\":\"msg_stub\",\"type\":\"message\","
		    "\"status\":\"completed\",\"role\":\"assistant\","
		    "\"content\":[{\"type\":\"output_text\","
		    "\"annotations\":[],\"text\":\"");
		for (long i = 0; i < a->npieces; i++)
			add_delta(a, i, out);
		text_puts(out, "\"}]}");
	}
	text_puts(out, "],\"usage\":");
	if (done && !SCRIPT_HAS(&a->script, USAGE_NONE))
		add_usage(a, out);
	else
		text_puts(out, "null");
	text_puts(out, "}");
}

static void
responses_open(const struct response *a, struct text *out)
{
	static const char *const names[] = { "response.created",
		"response.in_progress" };
	struct text d = { 0 };

	for (int i = 0; i < 2; i++) {
		text_printf(&d,
		    "{\"type\":\"%s\",\"sequence_number\":%d,\"response\":",
		    names[i], i);
		response_object(a, "in_progress", &d);
		text_puts(&d, "}");
		named_event(a, names[i], &d, out);
	}
	text_puts(&d,
	    "{\"type\":\"response.output_item.added\",\"sequence_number\":2,"
	    "\"output_index\":0,\"item\":{\"id\":\"msg_stub\",\"type\":"
	    "\"message\",\"status\":\"in_progress\",\"role\":\"assistant\","
	    "\"content\":[]}}");
	named_event(a, "response.output_item.added", &d, out);
	text_puts(&d,
	    "{\"type\":\"response.content_part.added\","
	    "\"sequence_number\":3,\"item_id\":\"msg_stub\","
	    "\"output_index\":0,\"content_index\":0,\"part\":{\"type\":"
	    "\"output_text\",\"annotations\":[],\"text\":\"\"}}");
	named_event(a, "response.content_part.added", &d, out);
}

static void
responses_delta(const struct response *a, long i, struct text *out)
{
	struct text d = { 0 };

	text_printf(&d,
	    "{\"type\":\"response.output_text.delta\","
	    "\"sequence_number\":%ld,\"item_id\":\"msg_stub\","
	    "\"output_index\":0,\"content_index\":0,\"logprobs\":[],"
	    "\"delta\":\"",
	    i + 4);
	add_delta(a, i, &d);
	text_puts(&d, "\"}");
	named_event(a, "response.output_text.delta", &d, out);
}

static void
responses_last(const struct response *a, struct text *out)
{
	struct text d = { 0 };
	long seq = a->npieces + 4;

	text_printf(&d,
	    "{\"type\":\"response.output_text.done\","
	    "\"sequence_number\":%ld,\"item_id\":\"msg_stub\","
	    "\"output_index\":0,\"content_index\":0,\"logprobs\":[],"
	    "\"text\":\"",
	    seq);
	for (long i = 0; i < a->npieces; i++)
		add_delta(a, i, &d);
	text_puts(&d, "\"}");
	named_event(a, "response.output_text.done", &d, out);
	text_printf(&d,
	    "{\"type\":\"response.completed\",\"sequence_number\":%ld,"
	    "\"response\":",
	    seq + 1);
	response_object(a, "completed", &d);
	text_puts(&d, "}");
	named_event(a, "response.completed", &d, out);
}

static void
messages_open(const struct response *a, struct text *out)
{
	struct text d = { 0 };

	text_printf(&d,
	    "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_stub\","
	    "\"type\":\"message\",\"role\":\"assistant\",\"content\":[],"
	    "\"model\":\"%s\",\"stop_reason\":null,\"stop_sequence\":null,"
	    "\"usage\":{\"input_tokens\":11,\"cache_read_input_tokens\":4,"
	    "\"output_tokens\":1}}}",
	    a->script.text);
	named_event(a, "message_start", &d, out);
	text_puts(&d,
	    "{\"type\":\"content_block_start\",\"index\":0,"
	    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}");
	named_event(a, "content_block_start", &d, out);
	text_puts(&d, "{\"type\": \"ping\"}");
	named_event(a, "ping", &d, out);
}

static void
messages_delta(const struct response *a, long i, struct text *out)
{
	struct text d = { 0 };

	text_puts(&d,
	    "{\"type\":\"content_block_delta\",\"index\":0,"
	    "\"delta\":{\"type\":\"text_delta\",\"text\":\"");
	add_delta(a, i, &d);
	text_puts(&d, "\"}}");
	named_event(a, "content_block_delta", &d, out);
}

static void
messages_last(const struct response *a, struct text *out)
{
	struct text d = { 0 };

	text_puts(&d, "{\"type\":\"content_block_stop\",\"index\":0}");
	named_event(a, "content_block_stop", &d, out);
	text_puts(&d,
	    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
	    "\"end_turn\",\"stop_sequence\":null},\"usage\":");
	add_usage(a, &d);
	text_puts(&d, "}");
	named_event(a, "message_delta", &d, out);
	text_puts(&d, "{\"type\":\"message_stop\"}");
	named_event(a, "message_stop", &d, out);
}

/* Bytes that no text has: every value, and no pattern of a block's size. */
static void
speech_bytes(long from, long n, struct text *out)
{
	for (long i = from; i < from + n; i++) {
		char c = (char)(i * 7 + i / 251);

		text_add(out, &c, 1);
	}
}

static void
error_event(const struct response *a, struct text *out)
{
	struct text d = { 0 };

	if (a->kind == KIND_MESSAGES) {
		text_puts(&d,
		    "{\"type\":\"error\",\"error\":{\"type\":"
		    "\"overloaded_error\",\"message\":\"Overloaded\"}}");
		named_event(a, "error", &d, out);
		return;
	}
	text_printf(out,
	    "data: {\"error\":{\"message\":\"stub broke\",\"type\":"
	    "\"server_error\",\"param\":null,\"code\":%s}}%s%s",
	    SCRIPT_HAS(&a->script, NUMERIC) ? "502" : "\"stub_error\"", eol(a),
	    eol(a));
}

static void
infill_timings(const struct response *a, struct text *out)
{
	text_printf(out,
	    ",\"stop\":true,\"timings\":{\"cache_n\":4,\"prompt_n\":7,"
	    "\"predicted_n\":%ld,\"predicted_ms\":1.5}}",
	    a->npieces);
}

static void
image_event(const struct response *a, bool last, struct text *out)
{
	const char *name = last ? "image_generation.completed"
				: "image_generation.partial_image";
	struct text d = { 0 };

	text_printf(&d,
	    "{\"type\":\"%s\",\"b64_json\":\"iVBORw0KGgo=\","
	    "\"created_at\":1700000000,\"size\":\"1024x1024\","
	    "\"quality\":\"high\",\"background\":\"opaque\","
	    "\"output_format\":\"png\"",
	    name);
	if (last) {
		text_puts(&d, ",\"usage\":");
		add_usage(a, &d);
	} else
		text_puts(&d, ",\"partial_image_index\":0");
	text_puts(&d, "}");
	named_event(a, name, &d, out);
}

static void
piece_open(const struct response *a, struct text *out)
{
	if (a->kind == KIND_RESPONSES)
		responses_open(a, out);
	else if (a->kind == KIND_MESSAGES)
		messages_open(a, out);
}

static void
piece_delta(const struct response *a, long i, struct text *out)
{
	long size = a->script.size > 0 ? a->script.size : 4096;

	switch (a->kind) {
	case KIND_RESPONSES:
		responses_delta(a, i, out);
		break;
	case KIND_MESSAGES:
		messages_delta(a, i, out);
		break;
	case KIND_SPEECH:
		speech_bytes(i * size / a->npieces,
		    (i + 1) * size / a->npieces - i * size / a->npieces, out);
		break;
	case KIND_IMAGES:
		image_event(a, false, out);
		break;
	case KIND_INFILL:
		text_puts(out, "data: {\"content\":\"");
		add_delta(a, i, out);
		text_printf(out, "\",\"stop\":false}%s%s", eol(a), eol(a));
		break;
	case KIND_SPEECH_SSE:
		text_printf(out,
		    "data: {\"type\":\"speech.audio.delta\",\"audio\":"
		    "\"AAEC\"}%s%s",
		    eol(a), eol(a));
		break;
	case KIND_TRANSCRIPT:
		text_puts(out,
		    "data: {\"type\":\"transcript.text.delta\","
		    "\"delta\":\"");
		add_delta(a, i, out);
		text_printf(out, "\"}%s%s", eol(a), eol(a));
		break;
	default:
		chat_delta(a, i, out);
	}
}

static void
piece_last(const struct response *a, struct text *out)
{
	switch (a->kind) {
	case KIND_RESPONSES:
		responses_last(a, out);
		break;
	case KIND_MESSAGES:
		messages_last(a, out);
		break;
	case KIND_IMAGES:
		image_event(a, true, out);
		break;
	case KIND_INFILL:
		text_puts(out, "data: {\"content\":\"\"");
		infill_timings(a, out);
		text_printf(out, "%s%s", eol(a), eol(a));
		break;
	case KIND_SPEECH:
		break;
	case KIND_SPEECH_SSE:
		text_printf(out, "data: {\"type\":\"speech.audio.done\"}%s%s",
		    eol(a), eol(a));
		break;
	case KIND_TRANSCRIPT:
		text_puts(out,
		    "data: {\"type\":\"transcript.text.done\",\"text\":\"");
		for (long i = 0; i < a->npieces; i++)
			add_delta(a, i, out);
		text_printf(out, "\"}%s%s", eol(a), eol(a));
		break;
	default:
		chat_last(a, out);
	}
}

bool
response_next(struct response *a, struct text *out)
{
	const struct script *s = &a->script;
	long i = a->piece;

	if (i >= a->npieces)
		return false;
	a->piece++;
	if (SCRIPT_HAS(s, COMMENTS))
		text_printf(out, ": OPENROUTER PROCESSING%s%s: keep-alive%s%s",
		    eol(a), eol(a), eol(a), eol(a));
	if (SCRIPT_HAS(s, BLANK) && i == 0)
		text_printf(out, "%s%s", eol(a), eol(a));
	if ((SCRIPT_HAS(s, ERROR_FIRST) && i == 0) ||
	    (SCRIPT_HAS(s, ERROR_MID) && i == a->npieces / 2)) {
		error_event(a, out);
		a->piece = a->npieces;
		return true;
	}
	if (i == 0)
		piece_open(a, out);
	piece_delta(a, i, out);
	if (a->piece == a->npieces && !SCRIPT_HAS(s, NO_DONE))
		piece_last(a, out);
	return true;
}

static void
whole_chat(const struct response *a, struct text *out)
{
	const struct script *s = &a->script;
	bool chat = a->kind == KIND_CHAT;

	text_printf(out,
	    "{\"id\":\"chatcmpl-stub\",\"object\":\"%s\",\"created\":"
	    "1700000000,\"model\":\"%s\",\"choices\":[{\"index\":0,",
	    chat ? "chat.completion" : "text_completion", s->text);
	if (chat && SCRIPT_HAS(s, TOOLS))
		text_puts(out,
		    "\"message\":{\"role\":\"assistant\",\"content\":null,"
		    "\"tool_calls\":[{\"id\":\"call_stub\",\"type\":"
		    "\"function\",\"function\":{\"name\":\"get_time\","
		    "\"arguments\":\"{\\\"zone\\\":\\\"UTC\\\"}\"}}]}");
	else if (chat)
		text_printf(out,
		    "\"message\":{\"role\":\"assistant\",%s\"content\":"
		    "\"H\xc3\xa9llo from the stub, "
		    "\xe4\xb8\x96\xe7\x95\x8c%%\"}",
		    SCRIPT_HAS(s, REASONING) ? "\"reasoning_content\":\"hm\","
					     : "");
	else
		text_puts(out, "\"text\":\"H\xc3\xa9llo%\"");
	text_printf(out, ",\"logprobs\":null,\"finish_reason\":\"%s\"}]",
	    SCRIPT_HAS(s, TOOLS) ? "tool_calls" : "stop");
	if (!SCRIPT_HAS(s, USAGE_NONE)) {
		text_puts(out, ",\"usage\":");
		add_usage(a, out);
	}
	text_puts(out, "}");
}

/* % is replaced by as much filler as makes the body `size` bytes long. */
static void
whole_fill(const struct response *a, struct text *out)
{
	char *at = out->p == NULL ? NULL : strchr(out->p, '%');
	struct text copy = { 0 };

	if (at == NULL)
		return;
	text_add(&copy, out->p, (size_t)(at - out->p));
	if (a->script.size > (long)out->len - 1)
		text_fill(&copy, 'x', (size_t)a->script.size - (out->len - 1));
	text_puts(&copy, at + 1);
	text_free(out);
	*out = copy;
}

static void
whole_embeddings(
    const struct response *a, const struct call *call, struct text *out)
{
	struct piece form =
	    json_member(call->body, call->len, "encoding_format");
	int n = json_count(json_member(call->body, call->len, "input"));

	text_puts(out, "{\"object\":\"list\",\"data\":[");
	for (int i = 0; i < n; i++)
		text_printf(out,
		    "%s{\"object\":\"embedding\",\"index\":%d,"
		    "\"embedding\":%s}",
		    i > 0 ? "," : "", i,
		    form.len == 8 && memcmp(form.p, "\"base64\"", 8) == 0
			? "\"AACAPwAAAD8AAIC+\"" /* 1, 0.5, -0.25 */
			: "[1.0,0.5,-0.25]");
	text_printf(out, "],\"model\":\"%s\",\"usage\":", a->script.text);
	add_usage(a, out);
	text_puts(out, "}");
}

static void
whole_messages(const struct response *a, struct text *out)
{
	text_printf(out,
	    "{\"id\":\"msg_stub\",\"type\":\"message\",\"role\":"
	    "\"assistant\",\"model\":\"%s\",\"content\":[{\"type\":"
	    "\"text\",\"text\":\"H\xc3\xa9llo%%\"}],\"stop_reason\":"
	    "\"end_turn\",\"stop_sequence\":null,\"usage\":",
	    a->script.text);
	add_usage(a, out);
	text_puts(out, "}");
}

static void
whole_models(
    const struct response *a, const struct call *call, struct text *out)
{
	const char *id = strstr(call->path, "/models/");

	if (id != NULL) {
		text_printf(out,
		    "{\"id\":\"%s\",\"object\":\"model\",\"created\":"
		    "1700000000,\"owned_by\":\"stub\"}",
		    id + 8);
		return;
	}
	text_printf(out,
	    "{\"object\":\"list\",\"data\":[{\"id\":\"stub\",\"object\":"
	    "\"model\",\"created\":1700000000,\"owned_by\":\"stub\","
	    "\"max_model_len\":%ld,\"meta\":{\"n_ctx_train\":%ld}}]}",
	    a->script.context, a->script.context);
}

/* As many pictures as were asked for. */
static void
whole_images(
    const struct response *a, const struct call *call, struct text *out)
{
	bool form = strncasecmp(call->content_type, "multipart/", 10) == 0;
	struct piece v = form ? form_field(call, "n")
			      : json_member(call->body, call->len, "n");
	long n = v.len > 0 ? strtol(v.p, NULL, 10) : 1;

	text_puts(out, "{\"created\":1700000000,\"data\":[");
	for (long i = 0; i < n; i++)
		text_printf(
		    out, "%s{\"b64_json\":\"iVBORw0KGgo=\"}", i > 0 ? "," : "");
	text_puts(out, "]");
	if (!SCRIPT_HAS(&a->script, USAGE_NONE)) {
		text_puts(out, ",\"usage\":");
		add_usage(a, out);
	}
	text_puts(out, "}");
}

/* For a stored response: its object, or that it is deleted. */
static void
whole_kept(const struct response *a, const struct call *call, struct text *out)
{
	if (strstr(call->path, "/input_items") != NULL)
		text_puts(out,
		    "{\"object\":\"list\",\"data\":[],\"first_id\":null,"
		    "\"last_id\":null,\"has_more\":false}");
	else if (strcmp(call->method, "DELETE") == 0)
		text_puts(out,
		    "{\"id\":\"resp_stub\",\"object\":\"response\","
		    "\"deleted\":true}");
	else
		response_object(a,
		    strstr(call->path, "/cancel") != NULL ? "cancelled"
							  : "completed",
		    out);
}

static void
whole_body(const struct response *a, const struct call *call, struct text *out)
{
	switch (a->kind) {
	case KIND_CHAT:
	case KIND_COMPLETIONS:
		whole_chat(a, out);
		break;
	case KIND_RESPONSES:
		response_object(a, "completed", out);
		break;
	case KIND_MESSAGES:
		whole_messages(a, out);
		break;
	case KIND_COUNT:
		text_puts(out, "{\"input_tokens\":11}");
		break;
	case KIND_EMBEDDINGS:
		whole_embeddings(a, call, out);
		break;
	case KIND_IMAGES:
		whole_images(a, call, out);
		break;
	case KIND_KEPT:
		whole_kept(a, call, out);
		break;
	case KIND_MODERATIONS:
		text_printf(out,
		    "{\"id\":\"modr-stub\",\"model\":\"%s\",\"results\":"
		    "[{\"flagged\":false,\"categories\":{},"
		    "\"category_scores\":{},"
		    "\"category_applied_input_types\":{}}]}",
		    a->script.text);
		break;
	case KIND_VOICES:
		text_puts(out, "{\"voices\":[\"af_heart\"]}");
		break;
	case KIND_COMPACT:
		text_puts(out,
		    "{\"id\":\"resp_stub\",\"object\":"
		    "\"response.compaction\",\"created_at\":1700000000,"
		    "\"output\":[],\"usage\":");
		add_usage(a, out);
		text_puts(out, "}");
		break;
	case KIND_TOKENS:
		text_puts(out,
		    "{\"object\":\"response.input_tokens\","
		    "\"input_tokens\":11}");
		break;
	case KIND_INFILL:
		text_puts(out, "{\"content\":\"H\xc3\xa9llo%\"");
		infill_timings(a, out);
		break;
	case KIND_RERANK:
		text_printf(out,
		    "{\"model\":\"%s\",\"object\":\"list\",\"results\":"
		    "[{\"index\":0,\"relevance_score\":0.9}],\"usage\":",
		    a->script.text);
		add_usage(a, out);
		text_puts(out, "}");
		break;
	case KIND_TRANSCRIPT:
		text_puts(out,
		    form_is(call, "response_format", "text")
			? "H\xc3\xa9llo from the stub%\n"
			: "{\"text\":\"H\xc3\xa9llo from the stub%\"}");
		break;
	case KIND_MODELS:
		whole_models(a, call, out);
		break;
	case KIND_HEALTH:
		text_puts(out, "{\"status\":\"ok\"}");
		break;
	case KIND_PROPS:
		text_printf(out,
		    "{\"default_generation_settings\":{\"n_ctx\":%ld},"
		    "\"total_slots\":1,\"modalities\":{\"vision\":false,"
		    "\"audio\":false}}",
		    a->script.context);
		break;
	default:
		text_puts(out, "{\"error\":{\"message\":\"no such path\"}}");
	}
	whole_fill(a, out);
}

static const char *
error_body(const struct response *a, struct text *out)
{
	const struct script *s = &a->script;

	if (SCRIPT_HAS(s, HTML)) {
		text_puts(out,
		    "<html>\r\n<head><title>502 Bad Gateway</title></head>"
		    "\r\n<body><h1>502 Bad Gateway</h1></body></html>\r\n");
		return "text/html";
	}
	if (SCRIPT_HAS(s, PLAIN)) {
		text_puts(out, "upstream connect error");
		return "text/plain";
	}
	if (SCRIPT_HAS(s, LOADING))
		text_puts(out,
		    "{\"error\":{\"code\":503,\"message\":\"Loading model\","
		    "\"type\":\"unavailable_error\"}}");
	else if (SCRIPT_HAS(s, BARE))
		text_puts(out, "{\"error\":\"stub broke\"}");
	else if (SCRIPT_HAS(s, TOOLONG))
		text_puts(out,
		    "{\"error\":{\"message\":\"This model's maximum context "
		    "length is 10 tokens.\",\"type\":"
		    "\"invalid_request_error\",\"param\":\"messages\","
		    "\"code\":\"context_length_exceeded\"}}");
	else if (a->kind == KIND_MESSAGES)
		text_puts(out,
		    "{\"type\":\"error\",\"error\":{\"type\":"
		    "\"overloaded_error\",\"message\":\"Overloaded\"}}");
	else
		text_printf(out,
		    "{\"error\":{\"message\":\"stub broke\",\"type\":"
		    "\"server_error\",\"param\":null,\"code\":%s}}",
		    SCRIPT_HAS(s, NUMERIC) ? "502" : "\"stub_error\"");
	return "application/json";
}

/* CRC-32 as gzip wants it, bit by bit. */
static uint32_t
crc32_of(const struct text *t)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < t->len; i++) {
		crc ^= (unsigned char)t->p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0xedb88320 & -(crc & 1));
	}
	return ~crc;
}

/* A gzip member of one stored block; bodies stay below 64 KiB. */
static void
gzip(struct text *body)
{
	uint32_t crc = crc32_of(body), len = (uint32_t)body->len & 0xffff;
	struct text out = { 0 };
	unsigned char stored[5] = { 1, len & 0xff, len >> 8, ~len & 0xff,
		~len >> 8 & 0xff };

	text_add(&out, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
	text_add(&out, stored, sizeof(stored));
	text_add(&out, body->p, len);
	for (int i = 0; i < 32; i += 8)
		text_fill(&out, (int)(crc >> i & 0xff), 1);
	for (int i = 0; i < 32; i += 8)
		text_fill(&out, (int)(len >> i & 0xff), 1);
	text_free(body);
	*body = out;
}

static const char *
reason(long code)
{
	switch (code) {
	case 200:
		return "OK";
	case 429:
		return "Too Many Requests";
	case 500:
		return "Internal Server Error";
	case 503:
		return "Service Unavailable";
	default:
		return "Whatever";
	}
}

static void
head_retry(const struct script *s, struct text *out)
{
	time_t at = time(NULL) + (time_t)s->retry;
	struct tm tm;
	char date[64];

	if (s->retry < 0)
		return;
	if (!SCRIPT_HAS(s, RETRY_DATE)) {
		text_printf(out, "Retry-After: %ld\r\n", s->retry);
		return;
	}
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT",
	    gmtime_r(&at, &tm));
	text_printf(out, "Retry-After: %s\r\n", date);
}

/* Header fields that must not reach the client or the web server. */
static void
head_inject(struct text *out)
{
	text_puts(out,
	    "Set-Cookie: stub=secret\r\n"
	    "Location: http://example.invalid/\r\n"
	    "X-Sendfile: /etc/passwd\r\n"
	    "X-LIGHTTPD-send-file: /etc/passwd\r\n"
	    "X-Accel-Redirect: /etc/passwd\r\n"
	    "Status: 418 teapot\r\n"
	    "OpenAI-Organization: org-secret\r\n"
	    "X-Request-Id: upstream-id\r\n"
	    "X-Tailgate-Place: external\r\n"
	    "X-Folded: one\r\n two\r\n"
	    "X-Control: a\x01"
	    "b\x7f\r\n"
	    "X-Empty:\r\n");
}

static void
make_head(struct response *a, const char *type)
{
	const struct script *s = &a->script;
	struct text *out = &a->head;
	size_t from;

	text_printf(out, "HTTP/1.1 %ld %s\r\n", s->code, reason(s->code));
	if (type != NULL && !SCRIPT_HAS(s, NO_TYPE))
		text_printf(out, "Content-Type: %s\r\n", type);
	text_puts(out,
	    "X-Request-Id: req_stub\r\n"
	    "OpenAI-Processing-Ms: 7\r\n"
	    "OpenAI-Organization: org-of-the-provider\r\n");
	if (SCRIPT_HAS(s, GZIP))
		text_puts(out, "Content-Encoding: gzip\r\n");
	head_retry(s, out);
	if (SCRIPT_HAS(s, INJECT))
		head_inject(out);
	if (!SCRIPT_HAS(s, HUGE_HEADERS))
		return;
	from = out->len;
	for (int i = 0;
	     out->len < from + (size_t)(s->size > 0 ? s->size : 100000); i++) {
		text_printf(out, "X-Huge-%d: ", i);
		text_fill(out, 'h', 900);
		text_puts(out, "\r\n");
	}
}

static bool
wants_stream(const struct response *a, const struct call *call)
{
	switch (a->kind) {
	case KIND_CHAT:
	case KIND_COMPLETIONS:
	case KIND_RESPONSES:
	case KIND_MESSAGES:
	case KIND_INFILL:
		return json_true(call, "stream");
	case KIND_IMAGES:
		return json_true(call, "stream") ||
		    form_is(call, "stream", "true");
	case KIND_TRANSCRIPT:
		return form_is(call, "stream", "true");
	case KIND_SPEECH:
	case KIND_SPEECH_SSE:
		return true;
	default:
		return false;
	}
}

static void
make_script(
    struct response *a, const struct call *call, const char *path_script)
{
	struct script *s = &a->script;
	struct piece model;

	*s = (struct script){
		.n = 5, .code = 200, .retry = -1, .context = 8192
	};
	if (path_script != NULL) {
		script_parse(s, path_script, strlen(path_script));
	} else if (strncasecmp(call->content_type, "multipart/", 10) == 0) {
		model = form_field(call, "model");
		script_parse(s, model.p, model.len);
	} else {
		model = json_member(call->body, call->len, "model");
		if (model.len > 2)
			script_parse(s, model.p + 1, model.len - 2);
	}
	if (s->n < 1)
		s->n = 1;
}

void
response_make(
    struct response *a, const struct call *call, const char *path_script)
{
	struct piece v;
	const char *type = "application/json";

	long_string = (struct piece){ NULL, 0 };
	memset(a, 0, sizeof(*a));
	make_script(a, call, path_script);
	a->kind = kind_of(call->path);
	if (a->kind == KIND_NONE)
		a->script.code = 404;
	v = json_member(call->body, call->len, "stream_format");
	if (a->kind == KIND_SPEECH && v.len == 5 &&
	    memcmp(v.p, "\"sse\"", 5) == 0)
		a->kind = KIND_SPEECH_SSE;
	v = json_member(call->body, call->len, "stream_options");
	a->include_usage = v.len > 0 && memmem(v.p, v.len, "true", 4) != NULL;
	a->npieces = a->script.n;
	if (a->script.code >= 400 || SCRIPT_HAS(&a->script, ERROR_BODY)) {
		type = error_body(a, &a->body);
	} else if (wants_stream(a, call)) {
		a->stream = true;
		type = a->kind == KIND_SPEECH ? "audio/mpeg"
		    : SCRIPT_HAS(&a->script, CRLF)
		    ? "text/event-stream; charset=utf-8"
		    : "text/event-stream";
	} else {
		if (SCRIPT_HAS(&a->script, BLANK))
			text_puts(&a->body, "\n\n\n");
		whole_body(a, call, &a->body);
		if (a->kind == KIND_TRANSCRIPT && *a->body.p != '{')
			type = "text/plain; charset=utf-8";
	}
	if (SCRIPT_HAS(&a->script, EMPTY)) {
		a->stream = false;
		a->body.len = 0;
	}
	if (SCRIPT_HAS(&a->script, GZIP) && !a->stream)
		gzip(&a->body);
	make_head(a, type);
}

void
response_free(struct response *a)
{
	text_free(&a->head);
	text_free(&a->body);
}

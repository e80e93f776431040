/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a request asks for: hides where each API has its texts, images, files
 * and tools.  It runs once, when the body has been read; the plan decides by
 * what it found.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/jscan.h"
#include "base/memory.h"
#include "policy/call_reading.h"
#include "policy/estimate.h"
#include "policy/layers.h"
#include "policy/session.h"
#include "policy/media.h"

#define IMAGE_TOKENS 1000 /* each; most models take 300 to 1600 */
#define FILE_TOKENS 3000 /* each: a page or two */
#define AUDIO_BYTES 640 /* of base64, for one token */
#define PEEK_LETTERS ((size_t)64) /* of what is no text */
#define SHORT_LETTERS 256
#define SEALED_BYTES 8 /* of encrypted reasoning, for one token */
#define MESSAGE_TOKENS 4 /* around each message */
#define DIGITS_MAX 40 /* of a number without its exponent */
#define TOOL_TOKENS 2 /* around each value of a tool */

/* What applies to the values inside a container. */
enum area {
	AREA_TEXT = 1 << 0, /* goes into the prompt: counted */
	AREA_PARTS = 1 << 1, /* a `type` names a kind of content */
	AREA_TOOLS = 1 << 2, /* keys go into the prompt too */
	AREA_ARGUMENTS = 1 << 3, /* of a tool: its own business */
};

static const struct {
	const char *type;
	unsigned need;
} parts[] = {
	{ "image_url", CALL_IMAGES },
	{ "input_image", CALL_IMAGES },
	{ "image", CALL_IMAGES },
	{ "video_url", CALL_IMAGES },
	{ "input_audio", CALL_AUDIO },
	{ "audio", CALL_AUDIO },
	{ "audio_url", CALL_AUDIO },
	{ "file", CALL_FILES },
	{ "input_file", CALL_FILES },
	{ "document", CALL_FILES },
};

static size_t
offset_of(const struct reading *r, const char *p)
{
	return (size_t)(p - r->body.p);
}

static unsigned
area_of(enum member member)
{
	switch (member) {
	case MEMBER_TEXTS:
		return AREA_TEXT | AREA_PARTS;
	case MEMBER_TEXT:
		return AREA_TEXT;
	case MEMBER_TOOLS:
	case MEMBER_FORMAT:
		return AREA_TEXT | AREA_TOOLS;
	default:
		return 0;
	}
}

/* Inline, so that the length of each name is known: it is asked of each
 * string. */
static inline __attribute__((always_inline)) bool
key_is(const struct jscan_value *v, const char *name)
{
	return jscan_key_is(&v->path[v->depth - 1], name);
}

/* What applies inside a container that begins. */
static void
enter(struct reading *r, const struct jscan_value *v)
{
	unsigned area = v->depth == 1 ? area_of(r->member) : r->area[v->depth];

	/* A tool's own arguments may have a `type` of any meaning. */
	if (v->depth > 1 && (area & AREA_PARTS) && key_is(v, "input"))
		area = (area & ~(unsigned)AREA_PARTS) | AREA_ARGUMENTS;
	if (v->depth == 2 && r->member == MEMBER_TEXTS)
		r->call->input_tokens += MESSAGE_TOKENS;
	r->area[v->depth + 1] = (unsigned char)area;
	r->urls[v->depth + 1] = 0;
	r->is_media[v->depth + 1] = false;
}

static void
read_part(struct reading *r, struct span type, unsigned depth)
{
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!span_is(type, parts[i].type))
			continue;
		r->call->needs |= parts[i].need;
		if (parts[i].need == CALL_IMAGES)
			r->call->input_tokens += IMAGE_TOKENS;
		if (parts[i].need == CALL_FILES)
			r->call->input_tokens += FILE_TOKENS;
		r->is_media[depth] = true;
		return;
	}
}

void
call_file(struct reading *r, enum media media, struct span bytes)
{
	if (media_is_text(bytes))
		layers_scan(&r->patterns, bytes);
	else if (media == MEDIA_FILE || media_is_document(bytes))
		r->patterns.rule = PATTERN_UNREADABLE;
}

/* A file inside a string.  A file that is certainly not text is not decoded
 * whole. */
static void
read_file(struct reading *r, const struct media_found *found)
{
	struct span base64 = found->base64;
	char *out;

	if (found->media == MEDIA_AUDIO)
		r->call->input_tokens += base64.len / AUDIO_BYTES;
	layers_scan(&r->patterns, found->head);
	/* Too short for a file, or with blanks in it: perhaps none. */
	if (base64.len < SHORT_LETTERS ||
	    memchr(base64.p, ' ', base64.len) != NULL)
		layers_scan(&r->patterns, base64);
	if (!pattern_wants(&r->patterns))
		return;
	if (!media_may_be_text(base64))
		base64.len =
		    base64.len < PEEK_LETTERS ? base64.len : PEEK_LETTERS;
	else if (base64.len / 4 * 3 > r->patterns.left_bytes) {
		r->patterns.rule = PATTERN_LIMIT;
		return;
	}
	if ((out = memory_try(NULL, base64.len + 1)) == NULL) {
		r->patterns.rule = PATTERN_LIMIT;
		return;
	}
	call_file(
	    r, found->media, (struct span){ out, media_decode(base64, out) });
	free(out);
}

static uint64_t
code_points(struct span text)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < text.len; i++)
		n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
	return n;
}

/* What a string means beside its text. */
static void
read_meaning(struct reading *r, const struct jscan_value *v, unsigned area,
    struct span text)
{
	struct call *call = r->call;

	if (area & AREA_PARTS && v->depth >= 3 && key_is(v, "type"))
		read_part(r, text, v->depth);
	else if (r->member == MEMBER_FORMAT && v->depth <= 3 &&
	    key_is(v, "type") && span_is(text, "json_schema"))
		call->needs |= CALL_JSON_SCHEMA;
	else if (r->member == MEMBER_MODALITIES && span_is(text, "audio"))
		call->needs |= CALL_AUDIO;
	if (call->endpoint == ENDPOINT_SPEECH && v->depth == 1 &&
	    key_is(v, "input"))
		call->characters = code_points(text);
}

/* Raw samples have no magic: `input_audio` says what they are. */
static bool
is_sound(const struct jscan_value *v)
{
	return v->depth > 1 &&
	    jscan_key_is(&v->path[v->depth - 2], "input_audio");
}

static void
read_string(struct reading *r, const struct jscan_value *v)
{
	unsigned area = v->depth == 1 ? area_of(r->member) : r->area[v->depth];
	struct span text = call_text(r, call_inside(v), v->escaped);
	struct media_found found =
	    media_find(text, key_is(v, "data") || key_is(v, "file_data"));

	if (found.media == MEDIA_FILE && is_sound(v))
		found.media = MEDIA_AUDIO;
	if (found.media != MEDIA_NONE) {
		read_file(r, &found);
		return;
	}
	if (!(area & AREA_ARGUMENTS))
		call_url(r, v, text);
	read_meaning(r, v, area, text);
	if (area & AREA_TEXT) {
		if (key_is(v, "encrypted_content") || key_is(v, "signature"))
			r->call->input_tokens += text.len / SEALED_BYTES;
		else
			estimate_add(&r->texts, text);
	}
	layers_scan(&r->patterns, text);
}

/* A key is a text as well: it is searched, and it is sent with a tool. */
static void
read_key(struct reading *r, const struct jscan_value *v)
{
	const struct jscan_step *step = &v->path[v->depth - 1];
	bool counted = v->depth > 1 && r->area[v->depth] & AREA_TOOLS;
	struct span text;

	if (counted)
		r->call->input_tokens += TOOL_TOKENS;
	if (step->key.p == NULL || (!counted && !pattern_wants(&r->patterns)))
		return;
	text = call_text(r, step->key, step->key_escaped);
	if (counted)
		estimate_add(&r->texts, text);
	layers_scan(&r->patterns, text);
}

/* The document itself: an object, or nothing. */
static int
read_document(struct reading *r, const struct jscan_value *v)
{
	if (v->type != JSCAN_OBJECT)
		return call_refuse(r, REFUSE_INVALID_JSON, NULL,
		    "The body is JSON but not an object; send one object with "
		    "`model` in it.");
	if (!v->begin)
		r->call->object_end_offset =
		    offset_of(r, v->raw.p) + v->raw.len - 1;
	r->area[1] = 0;
	r->urls[1] = 0;
	return 0;
}

static int
read_inner(struct reading *r, const struct jscan_value *v)
{
	if (v->depth == 2 && r->member == MEMBER_TOOLS)
		r->call->needs |= CALL_TOOLS;
	if (v->depth == 2 && r->member == MEMBER_STREAM_OPTIONS &&
	    v->type == JSCAN_TRUE && key_is(v, "include_usage"))
		r->call->asks_usage = true;
	return call_inner(r, v);
}

/* Reads a number up to its end: the body may end with it.  A number too
 * large to matter is saturated. */
static long
exponent(const char *p, const char *end)
{
	bool minus = p < end && *p == '-';
	long n = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	for (; p < end && n <= DIGITS_MAX * 2; p++)
		n = n * 10 + (*p - '0');
	return minus ? -n : n;
}

/* 4.1e15 as its reader prints it: without a decimal point or an exponent. */
static void
read_exponent(struct reading *r, struct span number)
{
	char digits[DIGITS_MAX];
	const char *e = memchr(number.p, 'e', number.len);
	long point = -1, n = 0, whole, zeros = 0;

	if (e == NULL && (e = memchr(number.p, 'E', number.len)) == NULL)
		return;
	memset(digits, '0', sizeof(digits));
	for (const char *p = number.p; p < e && n < DIGITS_MAX; p++)
		if (*p == '.')
			point = n;
		else if (*p != '-')
			digits[n++] = *p;
	whole = exponent(e + 1, number.p + number.len);
	if (whole > DIGITS_MAX || whole < -DIGITS_MAX)
		return;
	whole += point < 0 ? n : point;
	if (whole <= 0 || whole > DIGITS_MAX)
		return;
	while (zeros < whole && digits[zeros] == '0')
		zeros++;
	pattern_scan(&r->patterns,
	    (struct span){ digits + zeros, (size_t)(whole - zeros) });
}

/* A number is a text, too; it may be that of a credit card. */
static void
read_number(struct reading *r, const struct jscan_value *v)
{
	/* Token arrays of embeddings and completions. */
	if (v->depth > 1 && r->area[v->depth] & AREA_TEXT)
		r->call->input_tokens++;
	pattern_scan(&r->patterns, v->raw);
	if (pattern_wants(&r->patterns))
		read_exponent(r, v->raw);
}

static void
leave(struct reading *r, const struct jscan_value *v)
{
	if (r->is_media[v->depth + 1])
		r->call->remote |= r->urls[v->depth + 1];
	if (v->depth == 1 && r->member == MEMBER_STREAM_OPTIONS)
		call_place_options(r, v);
}

/* What may name the session of a tool. */
static void
read_session(struct reading *r, const struct jscan_value *v)
{
	const char *member = v->depth == 1 ? "prompt_cache_key" : "metadata";

	if (!jscan_key_is(&v->path[0], member) ||
	    (v->depth == 2 && !jscan_key_is(&v->path[1], "user_id")))
		return;
	session_read(r->call, member, call_text(r, call_inside(v), v->escaped),
	    r->arena);
}

static int
on_value(void *ctx, const struct jscan_value *v)
{
	struct reading *r = ctx;
	bool container = v->type == JSCAN_OBJECT || v->type == JSCAN_ARRAY;

	if (v->depth == 0)
		return read_document(r, v);
	if (container && !v->begin) {
		leave(r, v);
		return 0;
	}
	if (v->depth == 1) {
		if (call_member(r, v) != 0)
			return 1;
	} else if (read_inner(r, v) != 0)
		return 1;
	if (r->member == MEMBER_THINKING && v->depth <= 2 && !container)
		call_thinking(r, v);
	if (v->type == JSCAN_STRING && v->depth <= 2)
		read_session(r, v);
	read_key(r, v);
	if (container)
		enter(r, v);
	else if (v->type == JSCAN_STRING)
		read_string(r, v);
	else if (v->type == JSCAN_NUMBER)
		read_number(r, v);
	return 0;
}

static int
refuse_json(struct reading *r, const struct jscan_error *error)
{
	return call_refuse(r, REFUSE_INVALID_JSON, NULL,
	    arena_printf(r->arena,
		"The body is not valid JSON: %s at byte %zu.", error->text,
		error->offset));
}

int
call_parse_json(const struct config *config, const struct patterns *patterns,
    enum endpoint endpoint, struct span body, struct arena *arena,
    struct call *call, struct refused *refused)
{
	struct reading r = {
		.body = body, .call = call, .arena = arena, .refused = refused
	};
	struct jscan_error error;
	int rc;

	call_begin(&r, config, patterns, endpoint);
	call->sent_len = body.len;
	rc = jscan(body, JSCAN_DEPTH_MAX, on_value, &r, &error);
	if (rc == -1)
		refuse_json(&r, &error);
	else if (rc == 0 && call->model == NULL && !call_owned(call))
		rc = call_refuse(&r, REFUSE_MISSING_MODEL, "model", NULL);
	call_end(&r);
	return rc == 0 ? 0 : -1;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a request asks for: hides where each API keeps its model, its texts,
 * its images and its tools.  It runs once, when the body has been read; the
 * plan decides by what it found.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/jscan.h"
#include "base/log.h"
#include "base/unicode.h"
#include "policy/call.h"
#include "policy/media.h"
#include "policy/pattern.h"

#define MODEL_MAX 256 /* bytes of a model's name */
#define IMAGE_TOKENS 1000 /* each; most models take 300 to 1600 */
#define FILE_TOKENS 3000 /* each: a page or two */
#define AUDIO_BYTES 640 /* of base64, for one token */
#define FORM_AUDIO_BYTES 480 /* the same of a form's file */
#define SEALED_BYTES 8 /* of encrypted reasoning, for one token */
#define MESSAGE_TOKENS 4 /* around each message */
#define TOOL_TOKENS 2 /* around each value of a tool */

/* What holds for the values inside a container. */
enum area {
	AREA_TEXT = 1 << 0, /* goes into the prompt: counted */
	AREA_PARTS = 1 << 1, /* a `type` names a kind of content */
	AREA_TOOLS = 1 << 2, /* keys go into the prompt too */
};

/* Top-level members that are looked at. */
enum member {
	MEMBER_NONE,
	MEMBER_MODEL,
	MEMBER_STREAM,
	MEMBER_STREAM_OPTIONS,
	MEMBER_MAX_OUTPUT,
	MEMBER_CHOICES,
	MEMBER_TEXTS, /* messages, input: texts and parts */
	MEMBER_TEXT,
	MEMBER_TOOLS,
	MEMBER_FORMAT,
	MEMBER_MODALITIES,
};

static const struct {
	const char *name;
	enum member member;
} members[] = {
	{ "model", MEMBER_MODEL },
	{ "messages", MEMBER_TEXTS },
	{ "input", MEMBER_TEXTS },
	{ "stream", MEMBER_STREAM },
	{ "tools", MEMBER_TOOLS },
	{ "functions", MEMBER_TOOLS },
	{ "max_tokens", MEMBER_MAX_OUTPUT },
	{ "max_completion_tokens", MEMBER_MAX_OUTPUT },
	{ "max_output_tokens", MEMBER_MAX_OUTPUT },
	{ "stream_options", MEMBER_STREAM_OPTIONS },
	{ "n", MEMBER_CHOICES },
	{ "best_of", MEMBER_CHOICES },
	{ "response_format", MEMBER_FORMAT },
	{ "text", MEMBER_FORMAT },
	{ "output_format", MEMBER_FORMAT },
	{ "output_config", MEMBER_FORMAT },
	{ "modalities", MEMBER_MODALITIES },
	{ "system", MEMBER_TEXTS },
	{ "instructions", MEMBER_TEXTS },
	{ "prompt", MEMBER_TEXTS },
	{ "suffix", MEMBER_TEXT },
	{ "query", MEMBER_TEXT },
	{ "documents", MEMBER_TEXT },
	{ "prediction", MEMBER_TEXT },
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

struct reading {
	struct span body;
	struct call *call;
	struct arena *arena;
	struct refused *refused;
	struct pattern_run patterns;
	enum member member; /* the top-level one we are in */
	unsigned seen; /* members that may stand there once */
	unsigned char area[JSCAN_DEPTH_MAX + 1]; /* by depth of the values */
	char *scratch;
	size_t scratch_size;
};

static int
refuse(struct reading *r, enum refusal refusal, const char *param,
    const char *message)
{
	*r->refused = (struct refused){
		.refusal = refusal, .message = message, .param = param
	};
	return 1;
}

static size_t
offset_of(const struct reading *r, const char *p)
{
	return (size_t)(p - r->body.p);
}

/* A string's inside as text: decoded only where it must be.  The result
 * lasts until the next call. */
static struct span
text_of(struct reading *r, struct span inside, bool escaped)
{
	if (!escaped)
		return inside;
	if (inside.len > r->scratch_size) {
		free(r->scratch);
		r->scratch_size = inside.len + inside.len / 2;
		if ((r->scratch = malloc(r->scratch_size)) == NULL)
			fatal("out of memory");
	}
	return (struct span){ r->scratch, jscan_decode(inside, r->scratch) };
}

static struct span
inside_of(const struct jscan_value *v)
{
	return (struct span){ v->raw.p + 1, v->raw.len - 2 };
}

static enum member
member_of(const struct jscan_step *step)
{
	size_t i;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (jscan_key_is(step, members[i].name))
			return members[i].member;
	return MEMBER_NONE;
}

/* The first of its kind, or refused. */
static int
once(struct reading *r, enum member member, const char *name)
{
	if (r->seen & 1u << member)
		return refuse(r, REFUSE_INVALID_REQUEST, name,
		    arena_printf(r->arena,
			"The body has `%s` twice; send it once.", name));
	r->seen |= 1u << member;
	return 0;
}

/* The model's name as text, checked; NULL and refused. */
static char *
model_name(struct reading *r, struct span text)
{
	size_t i;

	if (text.len == 0) {
		refuse(r, REFUSE_MISSING_MODEL, "model", NULL);
		return NULL;
	}
	if (text.len > MODEL_MAX) {
		refuse(r, REFUSE_INVALID_REQUEST, "model",
		    "The model's name is longer than 256 bytes; GET "
		    "/v1/models lists those you may use.");
		return NULL;
	}
	for (i = 0; i < text.len; i++) {
		if ((unsigned char)text.p[i] >= ' ' && text.p[i] != 0x7f)
			continue;
		refuse(r, REFUSE_INVALID_REQUEST, "model",
		    "The model's name holds a control character; GET "
		    "/v1/models lists those you may use.");
		return NULL;
	}
	return arena_text(r->arena, text);
}

static int
read_model(struct reading *r, const struct jscan_value *v)
{
	struct call *call = r->call;

	if (v->path[0].key_escaped)
		return refuse(r, REFUSE_INVALID_REQUEST, "model",
		    "The name of the member `model` is written with escapes; "
		    "write it plainly.");
	if (once(r, MEMBER_MODEL, "model") != 0)
		return 1;
	if (v->type != JSCAN_STRING)
		return refuse(r,
		    v->type == JSCAN_NULL ? REFUSE_MISSING_MODEL
					  : REFUSE_INVALID_REQUEST,
		    "model",
		    v->type == JSCAN_NULL ? NULL : "`model` must be a string.");
	call->model = model_name(r, text_of(r, inside_of(v), v->escaped));
	call->model_offset = offset_of(r, v->raw.p);
	call->model_len = v->raw.len;
	call->model_is_json = true;
	return call->model == NULL;
}

static int
read_stream(struct reading *r, const struct jscan_value *v)
{
	if (once(r, MEMBER_STREAM, "stream") != 0)
		return 1;
	if (v->type != JSCAN_TRUE && v->type != JSCAN_FALSE &&
	    v->type != JSCAN_NULL)
		return refuse(r, REFUSE_INVALID_REQUEST, "stream",
		    "`stream` must be true or false.");
	r->call->stream = v->type == JSCAN_TRUE;
	return 0;
}

/* A count; null and negative ones (llama.cpp's "no bound") are none. */
static int
read_count(struct reading *r, const struct jscan_value *v, uint64_t *most)
{
	const char *p = v->raw.p, *end = p + v->raw.len;
	uint64_t n = 0;

	if (v->type == JSCAN_NULL || (v->type == JSCAN_NUMBER && *p == '-'))
		return 0;
	for (; v->type == JSCAN_NUMBER && p < end && *p >= '0' && *p <= '9';
	     p++)
		n = n > UINT64_MAX / 10 - 1 ? UINT64_MAX / 10 - 1
					    : n * 10 + (uint64_t)(*p - '0');
	if (p != end)
		return refuse(r, REFUSE_INVALID_REQUEST,
		    arena_text(r->arena, v->path[0].key),
		    arena_printf(r->arena, "`%.*s` must be a whole number.",
			SPAN_FMT(v->path[0].key)));
	if (n > *most)
		*most = n;
	return 0;
}

/* Go's JSON reader, Ollama's for one, takes "Model" for "model": two readers
 * of one body must not see two models. */
static int
check_disguise(struct reading *r, const struct jscan_step *step)
{
	struct span key = text_of(r, step->key, step->key_escaped);

	if (!span_is_nocase(key, "model"))
		return 0;
	return refuse(r, REFUSE_INVALID_REQUEST, "model",
	    "The member `model` is spelled with capitals; write it in small "
	    "letters.");
}

/* Whatever stands there, null too, is what is replaced. */
static void
place_stream_options(struct reading *r, const struct jscan_value *v)
{
	r->call->stream_options_offset = offset_of(r, v->raw.p);
	r->call->stream_options_len = v->raw.len;
}

static int
read_member(struct reading *r, const struct jscan_value *v)
{
	struct call *call = r->call;

	switch (r->member) {
	case MEMBER_MODEL:
		return read_model(r, v);
	case MEMBER_STREAM:
		return read_stream(r, v);
	case MEMBER_MAX_OUTPUT:
		return read_count(r, v, &call->max_output_tokens);
	case MEMBER_CHOICES:
		return read_count(r, v, &call->choices);
	case MEMBER_STREAM_OPTIONS:
		if (!v->begin)
			place_stream_options(r, v);
		return once(r, MEMBER_STREAM_OPTIONS, "stream_options");
	case MEMBER_NONE:
		return check_disguise(r, &v->path[0]);
	default:
		return 0;
	}
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

static bool
key_is(const struct jscan_value *v, const char *name)
{
	return jscan_key_is(&v->path[v->depth - 1], name);
}

/* What holds inside a container that begins. */
static void
enter(struct reading *r, const struct jscan_value *v)
{
	unsigned area = v->depth == 1 ? area_of(r->member) : r->area[v->depth];

	/* A tool's own arguments may have a `type` of any meaning. */
	if (v->depth > 1 && (area & AREA_PARTS) && key_is(v, "input"))
		area &= ~(unsigned)AREA_PARTS;
	if (v->depth == 2 && r->member == MEMBER_TEXTS)
		r->call->input_tokens += MESSAGE_TOKENS;
	r->area[v->depth + 1] = (unsigned char)area;
}

static void
read_part(struct reading *r, struct span type)
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
		return;
	}
}

/* A file inside a string: pictures and sound are not looked through, what
 * else is no text cannot be. */
static void
read_file(struct reading *r, enum media media, struct span base64)
{
	struct span text;
	char *out;

	if (media == MEDIA_AUDIO)
		r->call->input_tokens += base64.len / AUDIO_BYTES;
	if (media != MEDIA_FILE || !pattern_wants(&r->patterns))
		return;
	if (base64.len / 4 * 3 > r->patterns.left_bytes) {
		r->patterns.rule = PATTERN_LIMIT;
		return;
	}
	if ((out = malloc(base64.len + 1)) == NULL)
		fatal("out of memory");
	text.p = out;
	if (media_text(base64, out, &text.len))
		pattern_scan(&r->patterns, text);
	else
		r->patterns.rule = PATTERN_UNREADABLE;
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

/* What a string says beside being text. */
static void
read_meaning(struct reading *r, const struct jscan_value *v, unsigned area,
    struct span text)
{
	struct call *call = r->call;

	if (area & AREA_PARTS && v->depth >= 3 && key_is(v, "type"))
		read_part(r, text);
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
	struct span base64, text = inside_of(v);
	enum media media;

	if (area == 0 && !pattern_wants(&r->patterns) &&
	    r->member != MEMBER_MODALITIES)
		return;
	text = text_of(r, text, v->escaped);
	media = media_find(
	    text, key_is(v, "data") || key_is(v, "file_data"), &base64);
	if (media == MEDIA_FILE && is_sound(v))
		media = MEDIA_AUDIO;
	if (media != MEDIA_NONE) {
		read_file(r, media, base64);
		return;
	}
	read_meaning(r, v, area, text);
	if (area & AREA_TEXT)
		r->call->input_tokens +=
		    key_is(v, "encrypted_content") || key_is(v, "signature")
		    ? text.len / SEALED_BYTES
		    : call_estimate(text);
	pattern_scan(&r->patterns, text);
}

/* A key is a text as well: it is searched, and goes along with a tool. */
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
	text = text_of(r, step->key, step->key_escaped);
	if (counted)
		r->call->input_tokens += call_estimate(text);
	pattern_scan(&r->patterns, text);
}

/* The document itself: an object, or nothing. */
static int
read_document(struct reading *r, const struct jscan_value *v)
{
	if (v->type != JSCAN_OBJECT)
		return refuse(r, REFUSE_INVALID_JSON, NULL,
		    "The body is JSON but not an object; send one object with "
		    "`model` in it.");
	if (!v->begin)
		r->call->object_end_offset =
		    offset_of(r, v->raw.p) + v->raw.len - 1;
	r->area[1] = 0;
	return 0;
}

static void
read_inner(struct reading *r, const struct jscan_value *v)
{
	if (v->depth == 2 && r->member == MEMBER_TOOLS)
		r->call->needs |= CALL_TOOLS;
	if (v->depth == 2 && r->member == MEMBER_STREAM_OPTIONS &&
	    v->type == JSCAN_TRUE && key_is(v, "include_usage"))
		r->call->asks_usage = true;
	/* Token arrays of embeddings and completions. */
	if (v->type == JSCAN_NUMBER && r->area[v->depth] & AREA_TEXT)
		r->call->input_tokens++;
}

static int
on_value(void *ctx, const struct jscan_value *v)
{
	struct reading *r = ctx;
	bool container = v->type == JSCAN_OBJECT || v->type == JSCAN_ARRAY;

	if (v->depth == 0)
		return read_document(r, v);
	if (container && !v->begin) {
		if (v->depth == 1 && r->member == MEMBER_STREAM_OPTIONS)
			place_stream_options(r, v);
		return 0;
	}
	if (v->depth == 1) {
		r->member = member_of(&v->path[0]);
		if (read_member(r, v) != 0)
			return 1;
	} else
		read_inner(r, v);
	read_key(r, v);
	if (container)
		enter(r, v);
	else if (v->type == JSCAN_STRING)
		read_string(r, v);
	return 0;
}

static int
refuse_json(struct reading *r, const struct jscan_error *error)
{
	return refuse(r, REFUSE_INVALID_JSON, NULL,
	    arena_printf(r->arena,
		"The body is not valid JSON: %s at byte %zu.", error->text,
		error->offset));
}

static void
begin(struct call *call, enum endpoint endpoint)
{
	*call = (struct call){ .endpoint = endpoint,
		.choices = 1,
		.header_local = call->header_local };
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

	begin(call, endpoint);
	*refused = (struct refused){ .refusal = REFUSE_NONE };
	pattern_begin(&r.patterns, config, patterns);
	rc = jscan(body, JSCAN_DEPTH_MAX, on_value, &r, &error);
	if (rc == -1)
		refuse_json(&r, &error);
	else if (rc == 0 && call->model == NULL)
		rc = refuse(&r, REFUSE_MISSING_MODEL, "model", NULL);
	call->private_rule = r.patterns.rule;
	pattern_end(&r.patterns);
	free(r.scratch);
	return rc == 0 ? 0 : -1;
}

static int
check_form(struct reading *r, const struct call_form *form)
{
	if (form->nmodels > 1)
		return refuse(r, REFUSE_INVALID_REQUEST, "model",
		    "The form has the field `model` twice; send it once.");
	if (form->model.p == NULL)
		return refuse(r, REFUSE_MISSING_MODEL, "model", NULL);
	if (!unicode_is_utf8(form->model))
		return refuse(r, REFUSE_INVALID_REQUEST, "model",
		    "The field `model` is not UTF-8.");
	if (!unicode_is_utf8(form->prompt))
		return refuse(r, REFUSE_INVALID_REQUEST, "prompt",
		    "The field `prompt` is not UTF-8.");
	return 0;
}

static int
take_once(struct span *field, struct span content)
{
	if (field->p != NULL)
		return 1;
	*field = content;
	return 0;
}

int
call_form_take(struct call_form *form, struct span name, bool file,
    struct span content, size_t offset)
{
	if (file) {
		form->file_bytes += content.len;
		return 0;
	}
	if (form->ntexts < CALL_TEXTS_MAX)
		form->texts[form->ntexts++] = content;
	else
		form->more_texts = true;
	if (span_is(name, "model")) {
		form->model = content;
		form->model_offset = offset;
		form->nmodels++;
	} else if (span_is(name, "stream"))
		return take_once(&form->stream, content);
	else if (span_is(name, "prompt"))
		return take_once(&form->prompt, content);
	return 0;
}

int
call_parse_form(const struct config *config, const struct patterns *patterns,
    enum endpoint endpoint, const struct call_form *form, struct arena *arena,
    struct call *call, struct refused *refused)
{
	struct reading r = { .call = call, .arena = arena, .refused = refused };

	begin(call, endpoint);
	*refused = (struct refused){ .refusal = REFUSE_NONE };
	if (check_form(&r, form) != 0)
		return -1;
	if ((call->model = model_name(&r, form->model)) == NULL)
		return -1;
	call->model_offset = form->model_offset;
	call->model_len = form->model.len;
	call->stream =
	    form->stream.p != NULL && span_is_nocase(form->stream, "true");
	call->input_tokens =
	    call_estimate(form->prompt) + form->file_bytes / FORM_AUDIO_BYTES;
	pattern_begin(&r.patterns, config, patterns);
	for (size_t i = 0; i < form->ntexts; i++)
		pattern_scan(&r.patterns, form->texts[i]);
	call->private_rule = r.patterns.rule;
	if (call->private_rule == NULL && form->more_texts &&
	    config->nprivates > 0)
		call->private_rule = PATTERN_LIMIT;
	pattern_end(&r.patterns);
	return 0;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the top-level members of a JSON body that decide about the call: the
 * model and its position, the stream flag, counts.  call.c calls it for each
 * member as the member begins.
 */
#include "config.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "policy/call_reading.h"
#include "policy/layers.h"

#define MODEL_MAX 256 /* bytes of a model's name */

int
call_refuse(struct reading *r, enum refusal refusal, const char *param,
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

struct span
call_text(struct reading *r, struct span inside, bool escaped)
{
	if (!escaped)
		return inside;
	if (inside.len > r->scratch_size) {
		free(r->scratch);
		r->scratch_size = inside.len + inside.len / 2;
		r->scratch = memory_alloc(r->scratch_size);
	}
	return (struct span){ r->scratch, jscan_decode(inside, r->scratch) };
}

/* A name with invisible characters would look like another name. */
char *
call_model_name(struct reading *r, struct span text)
{
	if (text.len == 0) {
		call_refuse(r, REFUSE_MISSING_MODEL, "model", NULL);
		return NULL;
	}
	if (text.len > MODEL_MAX) {
		call_refuse(r, REFUSE_INVALID_REQUEST, "model",
		    "The model's name is longer than 256 bytes; GET "
		    "/v1/models lists those you may use.");
		return NULL;
	}
	if (!utf8_is_seen((const unsigned char *)text.p, text.len)) {
		call_refuse(r, REFUSE_INVALID_REQUEST, "model",
		    "The model's name holds a control character or one that "
		    "is not seen; GET /v1/models lists those you may use.");
		return NULL;
	}
	return arena_text(r->arena, text);
}

static int
read_model(struct reading *r, const struct jscan_value *v)
{
	struct call *call = r->call;

	if (v->type == JSCAN_NULL)
		return call_refuse(r, REFUSE_MISSING_MODEL, "model", NULL);
	if (v->type != JSCAN_STRING)
		return call_refuse(r, REFUSE_INVALID_REQUEST, "model",
		    "`model` must be a string.");
	call->model =
	    call_model_name(r, call_text(r, call_inside(v), v->escaped));
	call->model_offset = offset_of(r, v->raw.p);
	call->model_len = v->raw.len;
	call->model_is_json = true;
	return call->model == NULL;
}

static int
read_stream(struct reading *r, const struct jscan_value *v)
{
	if (v->type != JSCAN_TRUE && v->type != JSCAN_FALSE &&
	    v->type != JSCAN_NULL)
		return call_refuse(r, REFUSE_INVALID_REQUEST, "stream",
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
		return call_refuse(r, REFUSE_INVALID_REQUEST,
		    arena_text(r->arena, v->path[0].key),
		    arena_printf(r->arena, "`%.*s` must be a whole number.",
			SPAN_FMT(v->path[0].key)));
	if (n > *most)
		*most = n;
	return 0;
}

/* Any value is replaced, null too. */
void
call_place_options(struct reading *r, const struct jscan_value *v)
{
	r->call->stream_options_offset = offset_of(r, v->raw.p);
	r->call->stream_options_len = v->raw.len;
}

/* May a member have this name? */
static int
check_name(struct reading *r, const struct jscan_step *step,
    const struct member_spec *spec)
{
	struct span key = call_text(r, step->key, step->key_escaped);
	const char *name = member_disguised(key);

	if (name != NULL)
		return call_refuse(r, REFUSE_INVALID_REQUEST, name,
		    arena_printf(r->arena,
			"The body has a member that an upstream could take "
			"for `%s` but that is spelled otherwise; write "
			"`%s`.",
			name, name));
	if (member_is_rival(key))
		return call_refuse(r, REFUSE_INVALID_REQUEST,
		    arena_text(r->arena, key),
		    arena_printf(r->arena,
			"`%.*s` could name another model than `model` does; "
			"leave it out.",
			SPAN_FMT(key)));
	if (spec == NULL)
		return 0;
	if (spec->member == MEMBER_MODEL && step->key_escaped)
		return call_refuse(r, REFUSE_INVALID_REQUEST, "model",
		    "The name of the member `model` is written with escapes; "
		    "write it plainly.");
	if (!spec->repeats && (r->seen & UINT64_C(1) << member_index(spec)))
		return call_refuse(r, REFUSE_INVALID_REQUEST, spec->name,
		    arena_printf(r->arena,
			"The body has `%s` twice; send it once.", spec->name));
	r->seen |= UINT64_C(1) << member_index(spec);
	return 0;
}

int
call_member(struct reading *r, const struct jscan_value *v)
{
	const struct member_spec *spec = member_find(&v->path[0]);
	struct call *call = r->call;

	r->member = spec == NULL ? MEMBER_NONE : spec->member;
	r->carrier = spec == NULL && v->path[0].key.p != NULL &&
	    member_is_carrier(
		call_text(r, v->path[0].key, v->path[0].key_escaped));
	if (check_name(r, &v->path[0], spec) != 0)
		return 1;
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
			call_place_options(r, v);
		return 0;
	default:
		return 0;
	}
}

int
call_inner(struct reading *r, const struct jscan_value *v)
{
	const struct jscan_step *step = &v->path[v->depth - 1];
	struct span key;

	if (!r->carrier || step->key.p == NULL)
		return 0;
	key = call_text(r, step->key, step->key_escaped);
	if (!member_is_carried(key))
		return 0;
	return call_refuse(r, REFUSE_INVALID_REQUEST,
	    arena_text(r->arena, v->path[0].key),
	    arena_printf(r->arena,
		"A provider could lay `%.*s` over the body, and `%.*s` is in "
		"it; leave it out.",
		SPAN_FMT(v->path[0].key), SPAN_FMT(key)));
}

/* A value below `thinking`, `reasoning` and their like: does it ask for that?
 * ({"type":"enabled"}, {"effort":"low"}, "low", true, {"enabled":true}) */
void
call_thinking(struct reading *r, const struct jscan_value *v)
{
	const struct jscan_step *key = &v->path[v->depth - 1];
	struct span text = { NULL, 0 };

	if (v->type == JSCAN_STRING)
		text = call_text(r, call_inside(v), v->escaped);
	if (v->depth == 1 || jscan_key_is(key, "type") ||
	    jscan_key_is(key, "effort"))
		r->call->thinking |= v->type == JSCAN_TRUE ||
		    (text.len > 0 && !span_is(text, "none") &&
			!span_is(text, "disabled"));
	else if (v->depth == 2 &&
	    (jscan_key_is(key, "enabled") ||
		jscan_key_is(key, "enable_thinking")))
		r->call->thinking |= v->type == JSCAN_TRUE;
}

void
call_begin(struct reading *r, const struct config *config,
    const struct patterns *patterns, enum endpoint endpoint)
{
	struct call kept = *r->call;

	*r->call = (struct call){ .endpoint = endpoint,
		.choices = 1,
		.header_local = kept.header_local,
		.own_key = kept.own_key,
		.beside = kept.beside,
		.nbeside = kept.nbeside };
	memcpy(r->call->ruled, kept.ruled, sizeof(kept.ruled));
	*r->refused = (struct refused){ .refusal = REFUSE_NONE };
	pattern_begin(&r->patterns, config, patterns);
}

void
call_end(struct reading *r)
{
	for (size_t i = 0; i < r->call->nbeside; i++)
		layers_scan(&r->patterns, r->call->beside[i]);
	if (r->fetches_input)
		r->call->remote |= r->input_urls;
	r->call->input_tokens += estimate_total(&r->texts);
	r->call->private_rule = r->patterns.rule;
	pattern_end(&r->patterns);
	free(r->scratch);
}

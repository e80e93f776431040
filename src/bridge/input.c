/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a conversation that cannot be translated is refused: naming the
 * place, in the words of the client's API.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/jspan.h"
#include "bridge/input.h"
#include "bridge/run.h"

#define PARAM_SIZE 48

static const char *
param_of(const struct input *in, char out[PARAM_SIZE])
{
	if (in->run->kind == BRIDGE_MESSAGES)
		snprintf(out, PARAM_SIZE, "messages.%zu", in->index);
	else
		snprintf(out, PARAM_SIZE, "input[%zu]", in->index);
	return out;
}

int
input_refuse(struct input *in, const char *what, struct span name)
{
	char param[PARAM_SIZE];

	return bridge_refuse(in->run, REFUSE_UNSUPPORTED, param_of(in, param),
	    "%s \"%.*s\" of %s cannot be translated for a model that speaks "
	    "only chat completions. Leave it out.",
	    what, (int)(name.len < 60 ? name.len : 60),
	    name.p == NULL ? "" : name.p,
	    in->run->kind == BRIDGE_MESSAGES ? "a message" : "an input item");
}

int
input_malformed(struct input *in, const char *what)
{
	char param[PARAM_SIZE];

	return bridge_refuse(in->run, REFUSE_INVALID_REQUEST,
	    param_of(in, param), "%s is malformed: %s.",
	    in->run->kind == BRIDGE_MESSAGES ? "A message" : "An input item",
	    what);
}

void
input_note_call(struct input *in, struct span id)
{
	pairs_call(&in->talk.pairs, id);
	ids_add(&in->run->ids, id);
}

void
input_name_unknown(
    struct input *in, struct span object, const char *const *known, size_t n)
{
	struct jspan_walk w = jspan_walk(object);

	while (jspan_next(&w))
		if (!jspan_key_in(w.key, known, n))
			bridge_drop(in->run, w.key);
}

void
input_opaque(struct input *in, struct span inside, const char *member)
{
	if (inside.len > 0 && !talk_carried(&in->talk, inside))
		bridge_drop(in->run, span_of(member));
}

int
input_content(struct input *in, struct span content, struct pieces *parts,
    int (*take)(struct input *, struct span part, struct pieces *))
{
	struct jspan_walk w = jspan_walk(content);

	if (content.p == NULL)
		return 0; /* absent, or null */
	if (jspan_is_string(content)) {
		pieces_text(parts, jspan_inside(content));
		return 0;
	}
	if (!jspan_is_array(content))
		return input_malformed(
		    in, "its content is neither a text nor a list");
	while (jspan_next(&w))
		if (take(in, w.value, parts) == -1)
			return -1;
	return 0;
}

int
input_walk(struct input *in, struct span list,
    int (*take)(struct input *, struct span element))
{
	struct jspan_walk w = jspan_walk(list);

	for (in->index = 0; jspan_next(&w); in->index++)
		if (take(in, w.value) == -1 || in->talk.failed)
			return -1;
	return 0;
}

void
input_init(struct input *in, struct bridge_run *run, const char *id,
    int (*read)(void *, const struct pairs_result *, struct pieces *),
    struct buf *out)
{
	memset(in, 0, sizeof(*in));
	in->run = run;
	in->talk.out = out;
	in->talk.dialect = run->dialect;
	in->talk.model = run->upstream_model;
	in->talk.id = id;
	in->talk.result = read;
	in->talk.ctx = in;
}

int
input_end(struct input *in, int result)
{
	if (result == 0)
		talk_end(&in->talk);
	if (in->talk.failed)
		result = -1;
	talk_free(&in->talk);
	pieces_free(&in->parts);
	return result;
}

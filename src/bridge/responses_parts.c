/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the forms in which a Responses item has texts, pictures and files.
 */
#include "config.h"

#include "base/jspan.h"
#include "bridge/input.h"
#include "bridge/responses.h"

static int
take_image(struct input *in, struct span part, struct pieces *parts)
{
	if (!jspan_is_string(jspan_member(part, "image_url")))
		return input_refuse(in, "The image by", span_of("file_id"));
	pieces_add(parts, PIECE_INPUT_IMAGE, part);
	return 0;
}

static int
take_file(struct input *in, struct span part, struct pieces *parts)
{
	if (!jspan_is_string(jspan_member(part, "file_data")))
		return input_refuse(in, "The file by",
		    span_of(jspan_member(part, "file_url").p != NULL
			    ? "file_url"
			    : "file_id"));
	pieces_add(parts, PIECE_INPUT_FILE, part);
	return 0;
}

static const char *
text_member(struct span type)
{
	static const char *const texts[] = { "input_text", "output_text",
		"text", "reasoning_text", "summary_text" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (jspan_says(type, texts[i]))
			return "text";
	return jspan_says(type, "refusal") ? "refusal" : NULL;
}

/* What an upstream said. */
static void
name_unknown(struct input *in, struct span part)
{
	static const char *const known[] = { "type", "text", "refusal",
		"annotations", "logprobs" };

	if (in->assistant)
		input_name_unknown(
		    in, part, known, sizeof(known) / sizeof(*known));
}

static int
take_part(struct input *in, struct span part, struct pieces *parts)
{
	struct span type = jspan_text(part, "type"), text;
	const char *member;

	if (type.p == NULL)
		return input_malformed(in, "a content part without a type");
	if (jspan_says(type, "input_image"))
		return take_image(in, part, parts);
	if (jspan_says(type, "input_file"))
		return take_file(in, part, parts);
	if (jspan_says(type, "input_audio")) {
		pieces_add(parts, PIECE_PART, part);
		return 0;
	}
	if ((member = text_member(type)) == NULL)
		return input_refuse(in, "The content part", type);
	text = jspan_text(part, member);
	if (text.p == NULL)
		return input_malformed(in, "a text part without its text");
	name_unknown(in, part);
	pieces_text(parts, text);
	return 0;
}

int
responses_parts(struct input *in, struct span content, struct pieces *parts)
{
	return input_content(in, content, parts, take_part);
}

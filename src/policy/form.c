/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A form as a call: hides which of its fields have a meaning, and what of a
 * part is searched.
 */
#include "config.h"

#include <stdlib.h>

#include "base/unicode.h"
#include "policy/call_reading.h"
#include "policy/estimate.h"
#include "policy/layers.h"
#include "policy/media.h"
#include "policy/remote.h"

#define FORM_AUDIO_BYTES 480 /* of a file, for one token */
#define FORM_IMAGE_TOKENS 1000 /* of an image */

/* The fields that decide about the call. */
struct fields {
	const struct call_part *model, *stream, *prompt, *n;
};

static int
refuse_twice(struct reading *r, const char *name)
{
	return call_refuse(r, REFUSE_INVALID_REQUEST, name,
	    arena_printf(r->arena,
		"The form has the field `%s` twice; send it once.", name));
}

static int
take_once(struct reading *r, const char *name, const struct call_part *part,
    const struct call_part **field)
{
	if (*field != NULL)
		return refuse_twice(r, name);
	if (part->file)
		return call_refuse(r, REFUSE_INVALID_REQUEST, name,
		    arena_printf(r->arena,
			"The field `%s` has a file name, so an upstream could "
			"read it or not; send it without.",
			name));
	if (!unicode_is_utf8(part->content))
		return call_refuse(r, REFUSE_INVALID_REQUEST, name,
		    arena_printf(
			r->arena, "The field `%s` is not UTF-8.", name));
	*field = part;
	return 0;
}

static int
take_part(struct reading *r, const struct call_part *part, struct fields *f)
{
	const char *name = member_disguised(part->name);

	if (name != NULL)
		return call_refuse(r, REFUSE_INVALID_REQUEST, name,
		    arena_printf(r->arena,
			"The form has a field that an upstream could take for "
			"`%s` but that is spelled otherwise; write `%s`.",
			name, name));
	if (member_is_rival(part->name) || member_is_path(part->name))
		return call_refuse(r, REFUSE_INVALID_REQUEST,
		    arena_text(r->arena, part->name),
		    "The form could name another model than `model` does; "
		    "leave that field out.");
	if (span_is(part->name, "model"))
		return take_once(r, "model", part, &f->model);
	if (span_is(part->name, "stream"))
		return take_once(r, "stream", part, &f->stream);
	if (span_is(part->name, "prompt"))
		return take_once(r, "prompt", part, &f->prompt);
	if (span_is(part->name, "n"))
		return take_once(r, "n", part, &f->n);
	return 0;
}

static int
take_parts(struct reading *r, const struct call_form *form, struct fields *f)
{
	for (size_t i = 0; i < form->nparts; i++)
		if (take_part(r, &form->parts[i], f) != 0)
			return -1;
	if (f->model == NULL && !call_owned(r->call)) {
		call_refuse(r, REFUSE_MISSING_MODEL, "model", NULL);
		return -1;
	}
	return 0;
}

/* Python's clients send `True`. */
static int
read_stream(struct reading *r, const struct call_part *part)
{
	static const char *const words[] = { "true", "1", "false", "0", "" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_is_nocase(part->content, words[i])) {
			r->call->stream = i < 2;
			return 0;
		}
	call_refuse(r, REFUSE_INVALID_REQUEST, "stream",
	    "`stream` must be true or false.");
	return -1;
}

/* How many are asked for. */
static int
read_n(struct reading *r, const struct call_part *part)
{
	struct span text = part->content;
	uint64_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9' || n > UINT32_MAX) {
			call_refuse(r, REFUSE_INVALID_REQUEST, "n",
			    "`n` must be a whole number.");
			return -1;
		}
		n = n * 10 + (uint64_t)(text.p[i] - '0');
	}
	if (n > r->call->choices)
		r->call->choices = n;
	return 0;
}

/* What the files add to the input: pictures by their number, sound by its
 * length. */
static uint64_t
file_tokens(const struct call *call, const struct call_form *form)
{
	uint64_t n = 0;

	if (!(endpoint_spec(call->endpoint)->flags & ENDPOINT_IMAGES_OUT))
		return form->file_bytes / FORM_AUDIO_BYTES;
	for (size_t i = 0; i < form->nparts; i++)
		n += form->parts[i].file ? FORM_IMAGE_TOKENS : 0;
	return n;
}

/* What comes after the first c, without blanks and quotes around it; p NULL:
 * there is no c. */
static struct span
after(struct span text, char c)
{
	const char *at = text.len == 0 ? NULL : memchr(text.p, c, text.len);
	const char *end = text.p + text.len;

	if (at == NULL)
		return (struct span){ NULL, 0 };
	at++;
	while (at < end && strchr(" \t\"", *at) != NULL && *at != '\0')
		at++;
	while (end > at && strchr(" \t\"", end[-1]) != NULL && end[-1] != '\0')
		end--;
	return (struct span){ at, (size_t)(end - at) };
}

/* A header line, its value, and that of each parameter: what is encoded as a
 * whole is decoded only if it is a text of its own. */
static void
scan_line(struct reading *r, struct span line)
{
	struct span value = after(line, ':');

	layers_scan(&r->patterns, line);
	layers_scan(&r->patterns, value);
	while (value.len > 0) {
		const char *semicolon = memchr(value.p, ';', value.len);
		size_t len = semicolon == NULL ? value.len
					       : (size_t)(semicolon - value.p);

		layers_scan(
		    &r->patterns, after((struct span){ value.p, len }, '='));
		len += semicolon == NULL ? 0 : 1;
		value = (struct span){ value.p + len, value.len - len };
	}
}

static bool
has_nul(struct span text)
{
	return memchr(text.p, '\0', text.len) != NULL;
}

/* A picture or sound may come without a file name, but what is UTF-8 there is
 * a text, such as one in UTF-16, whatever it begins with. */
static enum media
media_of_part(const struct call_part *part)
{
	if (!part->file && unicode_is_utf8(part->content))
		return MEDIA_FILE;
	return media_of_bytes(part->content);
}

/* Its name and its file's, each a text of its own, each header line, and its
 * content. */
static void
scan_part(struct reading *r, const struct call_part *part)
{
	struct span rest = part->headers;

	layers_scan(&r->patterns, part->name);
	layers_scan(&r->patterns, part->file_name);
	while (rest.len > 0) {
		const char *eol = memmem(rest.p, rest.len, "\r\n", 2);
		size_t len = eol == NULL ? rest.len : (size_t)(eol - rest.p);

		scan_line(r, (struct span){ rest.p, len });
		len += eol == NULL ? 0 : 2;
		rest = (struct span){ rest.p + len, rest.len - len };
	}
	if (!pattern_wants(&r->patterns))
		return;
	if (part->file || has_nul(part->content))
		call_file(r, media_of_part(part), part->content);
	else
		layers_scan(&r->patterns, part->content);
}

void
call_form_take(struct call_form *form, const struct call_part *part)
{
	if (part->file)
		form->file_bytes += part->content.len;
	if (form->nparts < CALL_PARTS_MAX)
		form->parts[form->nparts++] = *part;
	else
		form->more_parts = true;
}

static int
read_fields(struct reading *r, const struct call_form *form)
{
	struct call *call = r->call;
	struct fields f = { NULL, NULL, NULL, NULL };

	if (form->more_parts) {
		call_refuse(r, REFUSE_INVALID_MULTIPART, NULL,
		    "The form has more than 64 parts.");
		return -1;
	}
	if (take_parts(r, form, &f) != 0 ||
	    (f.stream != NULL && read_stream(r, f.stream) != 0) ||
	    (f.n != NULL && read_n(r, f.n) != 0) ||
	    (f.model != NULL &&
		(call->model = call_model_name(r, f.model->content)) == NULL))
		return -1;
	if (f.model != NULL) {
		call->model_offset = f.model->offset;
		call->model_len = f.model->content.len;
	}
	call->input_tokens = file_tokens(call, form);
	if (f.prompt != NULL)
		estimate_add(&r->texts, f.prompt->content);
	return 0;
}

int
call_parse_form(const struct config *config, const struct patterns *patterns,
    enum endpoint endpoint, const struct call_form *form, struct arena *arena,
    struct call *call, struct refused *refused)
{
	struct reading r = { .call = call, .arena = arena, .refused = refused };
	int rc;

	call_begin(&r, config, patterns, endpoint);
	call->sent_offset = form->sent_offset;
	call->sent_len = form->sent_len;
	rc = read_fields(&r, form);
	for (size_t i = 0; rc == 0 && i < form->nparts; i++) {
		const struct call_part *part = &form->parts[i];
		enum remote_key key = remote_key(part->name);

		if (key != REMOTE_KEY_NONE && !part->file)
			call->remote |= remote_judge(part->content, key);
		scan_part(&r, part);
	}
	call_end(&r);
	return rc;
}

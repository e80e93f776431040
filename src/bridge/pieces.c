/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how each API writes a picture or a file, and how a chat writes it.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/jspan.h"
#include "base/memory.h"
#include "bridge/pieces.h"

void
pieces_free(struct pieces *p)
{
	free(p->list);
	memset(p, 0, sizeof(*p));
}

static bool
is_text(const struct piece *piece)
{
	return piece->kind == PIECE_TEXT || piece->kind == PIECE_TOOL;
}

void
pieces_add(struct pieces *p, enum piece_kind kind, struct span span)
{
	if (p->n == p->size) {
		p->size = p->size == 0 ? 8 : p->size + p->size / 2;
		p->list = memory_list(p->list, p->size, sizeof(*p->list));
	}
	p->list[p->n++] = (struct piece){ span, kind };
}

void
pieces_text(struct pieces *p, struct span inside)
{
	if (inside.len > 0)
		pieces_add(p, PIECE_TEXT, inside);
}

bool
pieces_extra(struct pieces *p, struct span object)
{
	if (p->n == 0 || p->list[p->n - 1].kind != PIECE_TEXT)
		return false;
	pieces_add(p, PIECE_EXTRA, object);
	return true;
}

void
pieces_move(struct pieces *from, struct pieces *to)
{
	pieces_move_with(from, to, (struct span){ NULL, 0 });
}

void
pieces_move_with(struct pieces *from, struct pieces *to, struct span object)
{
	for (size_t i = 0; i < from->n; i++) {
		pieces_add(to, from->list[i].kind, from->list[i].span);
		if (object.p != NULL && pieces_extra(to, object))
			object.p = NULL;
	}
	from->n = 0;
}

void
pieces_move_media(struct pieces *from, struct pieces *to)
{
	size_t kept = 0;

	for (size_t i = 0; i < from->n; i++)
		if (is_text(&from->list[i]))
			from->list[kept++] = from->list[i];
		else
			pieces_add(to, from->list[i].kind, from->list[i].span);
	from->n = kept;
}

/* --- Writing --- */

static void
add_span(struct buf *out, struct span s)
{
	buf_add(out, s.p, s.len);
}

/* "data:TYPE;base64,DATA" of a Messages source. */
static void
write_data_url(struct span source, struct buf *out)
{
	struct jspan_want want[] = { { "media_type", { 0 } },
		{ "data", { 0 } } };

	jspan_pick(source, want, 2);
	buf_puts(out, "\"data:");
	add_span(out, jspan_inside(want[0].value));
	buf_puts(out, ";base64,");
	add_span(out, jspan_inside(want[1].value));
	buf_puts(out, "\"");
}

static void
write_input_image(struct span part, struct buf *out)
{
	struct jspan_want want[] = { { "image_url", { 0 } },
		{ "detail", { 0 } } };

	jspan_pick(part, want, 2);
	buf_puts(out, "{\"type\":\"image_url\",\"image_url\":{\"url\":");
	add_span(out, want[0].value);
	if (jspan_is_string(want[1].value)) {
		buf_puts(out, ",\"detail\":");
		add_span(out, want[1].value);
	}
	buf_puts(out, "}}");
}

static void
write_image(struct span block, struct buf *out)
{
	struct span source = jspan_member(block, "source");

	buf_puts(out, "{\"type\":\"image_url\",\"image_url\":{\"url\":");
	if (jspan_member_says(source, "type", "url"))
		add_span(out, jspan_member(source, "url"));
	else
		write_data_url(source, out);
	buf_puts(out, "}}");
}

static void
write_input_file(struct span part, struct buf *out)
{
	struct jspan_want want[] = { { "file_data", { 0 } },
		{ "filename", { 0 } } };

	jspan_pick(part, want, 2);
	buf_puts(out, "{\"type\":\"file\",\"file\":{");
	if (jspan_is_string(want[1].value)) {
		buf_puts(out, "\"filename\":");
		add_span(out, want[1].value);
		buf_puts(out, ",");
	}
	buf_puts(out, "\"file_data\":");
	add_span(out, want[0].value);
	buf_puts(out, "}}");
}

static void
write_document(struct span block, struct buf *out)
{
	struct jspan_want want[] = { { "source", { 0 } }, { "title", { 0 } } };

	jspan_pick(block, want, 2);
	buf_puts(out, "{\"type\":\"file\",\"file\":{\"filename\":");
	if (jspan_is_string(want[1].value))
		add_span(out, want[1].value);
	else
		buf_puts(out, "\"document.pdf\"");
	buf_puts(out, ",\"file_data\":");
	write_data_url(want[0].value, out);
	buf_puts(out, "}}");
}

static void
write_text(const struct piece *piece, struct buf *out)
{
	if (piece->kind == PIECE_TOOL)
		buf_puts(out, "Tool available: ");
	add_span(out, piece->span);
}

static void
write_extra(struct span object, struct buf *out)
{
	struct jspan_walk w = jspan_walk(object);

	while (jspan_next(&w)) {
		if (jspan_key_is(w.key, "type") || jspan_key_is(w.key, "text"))
			continue;
		buf_puts(out, ",\"");
		add_span(out, w.key);
		buf_puts(out, "\":");
		add_span(out, w.value);
	}
}

static void
write_part(const struct piece *piece, bool more, struct buf *out)
{
	switch (piece->kind) {
	case PIECE_TEXT:
	case PIECE_TOOL:
		buf_puts(out, "{\"type\":\"text\",\"text\":\"");
		write_text(piece, out);
		buf_puts(out, "\"");
		if (more && piece[1].kind == PIECE_EXTRA)
			write_extra(piece[1].span, out);
		buf_puts(out, "}");
		break;
	case PIECE_PART:
		add_span(out, piece->span);
		break;
	case PIECE_INPUT_IMAGE:
		write_input_image(piece->span, out);
		break;
	case PIECE_INPUT_FILE:
		write_input_file(piece->span, out);
		break;
	case PIECE_IMAGE:
		write_image(piece->span, out);
		break;
	case PIECE_DOCUMENT:
		write_document(piece->span, out);
		break;
	case PIECE_EXTRA: /* with its text */
		break;
	}
}

void
pieces_write_texts(const struct pieces *p, struct buf *out)
{
	bool first = true;

	buf_puts(out, "\"");
	for (size_t i = 0; i < p->n; i++) {
		if (!is_text(&p->list[i]))
			continue;
		if (!first)
			buf_puts(out, "\\n\\n");
		write_text(&p->list[i], out);
		first = false;
	}
	buf_puts(out, "\"");
}

void
pieces_write_parts(const struct pieces *p, struct buf *out)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->list[i].kind == PIECE_EXTRA)
			continue;
		if (i > 0)
			buf_puts(out, ",");
		write_part(&p->list[i], i + 1 < p->n, out);
	}
}

void
pieces_write(const struct pieces *p, struct buf *out)
{
	for (size_t i = 0; i < p->n; i++)
		if (!is_text(&p->list[i])) {
			buf_puts(out, "[");
			pieces_write_parts(p, out);
			buf_puts(out, "]");
			return;
		}
	pieces_write_texts(p, out);
}

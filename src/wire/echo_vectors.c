/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the echo provider makes vectors from texts.  They are sent as they
 * are made: only a piece of a response is in memory.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/digest.h"
#include "base/jput.h"
#include "wire/echo_internal.h"

#define ECHO_DIMENSIONS_PRESET 64
#define ECHO_DIMENSIONS_MAX 4096
#define ECHO_INPUTS_MAX 2048
/* The most numbers in one response. */
#define ECHO_VECTORS_MAX (1024 * 1024)
/* Of a response with vectors what is sent at once. */
#define ECHO_PIECE_BYTES (64 * 1024)

/* ---- embeddings ------------------------------------------------------- */

/* A vector that depends only on the text: equal texts have equal vectors,
 * others are far apart. */
static void
embed(struct span text, float *out, size_t n)
{
	unsigned char digest[DIGEST_BYTES];
	size_t at = DIGEST_BYTES;

	digest_make(text.p, text.len, digest);
	for (size_t i = 0; i < n; i++) {
		if (at == DIGEST_BYTES) {
			digest_make(digest, DIGEST_BYTES, digest);
			at = 0;
		}
		out[i] = ((float)digest[at++] - 127.5F) / 1024.0F;
	}
}

static void
add_base64(struct buf *b, const unsigned char *p, size_t len)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		unsigned v = (unsigned)p[i] << 16 |
		    (i + 1 < len ? (unsigned)p[i + 1] << 8 : 0) |
		    (i + 2 < len ? p[i + 2] : 0);
		char four[4] = { set[v >> 18], set[v >> 12 & 63],
			i + 1 < len ? set[v >> 6 & 63] : '=',
			i + 2 < len ? set[v & 63] : '=' };

		buf_add(b, four, 4);
	}
}

static void
add_vector(struct echo *e, size_t index, size_t n)
{
	float vector[ECHO_DIMENSIONS_MAX];
	struct buf *b = &e->out;

	embed(buf_span(&e->text), vector, n);
	buf_printf(b,
	    "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":",
	    index > 0 ? "," : "", index);
	if (jspan_says(jspan_inside(e->request[ECHO_FORMAT].value), "base64")) {
		buf_puts(b, "\"");
		add_base64(
		    b, (const unsigned char *)vector, n * sizeof(*vector));
		buf_puts(b, "\"}");
		return;
	}
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%c%.17g", i > 0 ? ',' : '[', (double)vector[i]);
	buf_puts(b, "]}");
}

/* The texts of the input; 0: it is something else. */
static size_t
count_inputs(struct span input)
{
	struct jspan_walk w = jspan_walk(input);
	size_t n = 0;

	if (jspan_is_string(input))
		return 1;
	while (jspan_is_array(input) && jspan_next(&w)) {
		if (!jspan_is_string(w.value) || ++n > ECHO_INPUTS_MAX)
			return 0;
	}
	return n;
}

/* One text's vector; the tokens of the text. */
static int
send_vector(
    struct echo *e, struct span value, size_t index, size_t n, uint64_t *tokens)
{
	buf_reset(&e->text);
	echo_add_string(&e->text, value);
	*tokens += echo_count_tokens(buf_span(&e->text));
	add_vector(e, index, n);
	return e->out.len < ECHO_PIECE_BYTES ? 0 : echo_send_out(e);
}

static int
send_vectors(struct echo *e, size_t n, uint64_t *tokens)
{
	struct span input = e->request[ECHO_INPUT].value;
	struct jspan_walk w = jspan_walk(input);
	size_t i = 0;

	if (jspan_is_string(input))
		return send_vector(e, input, 0, n, tokens);
	while (jspan_next(&w)) {
		if (send_vector(e, w.value, i++, n, tokens) == -1)
			return -1;
	}
	return 0;
}

void
echo_vectors(struct echo *e)
{
	struct span want = e->request[ECHO_DIMENSIONS].value;
	size_t inputs = count_inputs(e->request[ECHO_INPUT].value);
	uint64_t n =
	    echo_is_number(want) ? jspan_count(want) : ECHO_DIMENSIONS_PRESET;
	uint64_t tokens = 0;

	if (inputs == 0 || n < 1 || n > ECHO_DIMENSIONS_MAX ||
	    inputs * n > ECHO_VECTORS_MAX) {
		echo_send_error(e,
		    "`input` is a string or an array of up to 2048 strings, "
		    "`dimensions` at most 4096, and both together no more "
		    "than a million numbers.",
		    "input");
		return;
	}
	e->report->result = UPSTREAM_STOPPED;
	buf_puts(&e->out, "{");
	jput_text(&e->out, "object", "list");
	jput_name_open(&e->out, "data", '[');
	if (echo_send_head(e, 200, false, -1) == -1 ||
	    send_vectors(e, n, &tokens) == -1)
		return;
	buf_puts(&e->out, "]");
	jput_text(&e->out, "model", e->model);
	jput_name_open(&e->out, "usage", '{');
	jput_u64(&e->out, "prompt_tokens", tokens);
	jput_u64(&e->out, "total_tokens", tokens);
	buf_puts(&e->out, "}}");
	if (echo_send_out(e) == 0)
		e->report->result = UPSTREAM_OK;
}

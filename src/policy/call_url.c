/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides which strings of a body ask an upstream to fetch something.  call.c
 * hands it each string that is no tool's argument.
 */
#include "config.h"

#include "policy/call_reading.h"
#include "policy/remote.h"

#define KEY_MAX 256 /* of one that is written with escapes */

/* The nearest key above a value, skipping elements of arrays; *depth is
 * where it is.  p NULL: there is none.  Decoded into out if it must be. */
static struct span
key_above(const struct jscan_value *v, unsigned *depth, char out[KEY_MAX])
{
	const struct jscan_step *step;

	while (*depth > 0 && v->path[*depth - 1].key.p == NULL)
		--*depth;
	if (*depth == 0)
		return (struct span){ NULL, 0 };
	step = &v->path[*depth - 1];
	if (!step->key_escaped || step->key.len > KEY_MAX)
		return step->key;
	return (struct span){ out, jscan_decode(step->key, out) };
}

/* The inputs of embeddings are URLs to fetch if `modality` says that they are
 * no texts (Infinity), whichever comes first. */
static void
read_modality(struct reading *r, const struct jscan_value *v, struct span text)
{
	if (r->call->endpoint != ENDPOINT_EMBEDDINGS)
		return;
	if (v->depth == 1 && jscan_key_is(&v->path[0], "modality"))
		r->fetches_input = !span_is(text, "text");
	else if (v->depth <= 2 && r->member == MEMBER_TEXTS)
		r->input_urls |= remote_judge(text, REMOTE_KEY_FILE);
}

/* The `url` of an object counts when its `type` says what it is, whichever
 * comes first. */
void
call_url(struct reading *r, const struct jscan_value *v, struct span text)
{
	unsigned at = v->depth, above, asks;
	char decoded[KEY_MAX];
	struct span key = key_above(v, &at, decoded);
	enum remote_key kind = remote_key(key);

	read_modality(r, v, text);
	if (kind == REMOTE_KEY_NONE)
		return;
	asks = remote_judge(text, kind);
	if (kind != REMOTE_KEY_URL && kind != REMOTE_KEY_DATA) {
		r->call->remote |= asks;
		return;
	}
	above = at - 1;
	key = key_above(v, &above, decoded);
	if (remote_holds_url(key) ||
	    (v->depth > 1 && jscan_key_is(&v->path[0], "mcp_servers")))
		r->call->remote |= asks;
	else
		r->urls[v->depth] |= (unsigned char)asks;
}

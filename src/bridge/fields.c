/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a body's members find their rows, and how a user's id is reduced
 * for a provider.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/jspan.h"
#include "base/log.h"
#include "base/memory.h"
#include "bridge/fields.h"
#include "bridge/run.h"

#define USER_MAX 64 /* what OpenAI accepts, the least of all */
#define USER_DIGITS 32 /* of a digest */

static int
refuse(struct bridge_run *run, struct span name, const char *advice)
{
	char text[61];
	size_t len = name.len < sizeof(text) - 1 ? name.len : sizeof(text) - 1;

	if (len > 0)
		memcpy(text, name.p, len);
	text[len] = '\0';
	return bridge_refuse(run, REFUSE_UNSUPPORTED, text,
	    "`%s` cannot be translated for a model that speaks only chat "
	    "completions. %s",
	    text, advice == NULL ? "Leave it out." : advice);
}

static int
check_fate(struct bridge_run *run, const struct field *f, struct span value)
{
	switch (f->fate) {
	case FIELD_DROP:
		bridge_drop(run, span_of(f->name));
		return 0;
	case FIELD_REFUSE:
		return refuse(run, span_of(f->name), f->text);
	case FIELD_NOT_TRUE:
		if (jspan_is_true(value))
			return refuse(run, span_of(f->name), f->text);
		return 0;
	case FIELD_ONLY:
		if (!span_is(value, f->text))
			return refuse(run, span_of(f->name), NULL);
		return 0;
	default:
		return 0;
	}
}

int
fields_read(struct bridge_run *run, struct span body, const struct field *rows,
    size_t n, struct span *values)
{
	struct jspan_walk w = jspan_walk(body);

	memset(values, 0, n * sizeof(*values));
	while (jspan_next(&w)) {
		bool null = w.value.p[0] == 'n';
		size_t i = 0;

		while (i < n && !jspan_key_is(w.key, rows[i].name))
			i++;
		if (i == n && null)
			continue;
		if (i == n)
			return refuse(run, w.key, NULL);
		values[i] = w.value;
		if (null)
			values[i] = (struct span){ NULL, 0 };
		else if (check_fate(run, &rows[i], w.value) == -1)
			return -1;
	}
	return 0;
}

void
fields_write(struct bridge_run *run, const struct field *rows, size_t n,
    const struct span *values, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		const char *name = rows[i].text;

		if (values[i].p == NULL ||
		    (rows[i].fate != FIELD_COPY &&
			rows[i].fate != FIELD_MAX_TOKENS))
			continue;
		if (rows[i].fate == FIELD_MAX_TOKENS)
			name = run->dialect.max_completion_tokens
			    ? "max_completion_tokens"
			    : "max_tokens";
		jput_name(out, name);
		buf_add(out, values[i].p, values[i].len);
	}
}

struct span
fields_value(const struct field *rows, size_t n, const struct span *values,
    const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].name, name) == 0)
			return values[i];
	fatal("no field %s in a bridge's table", name);
}

/* Claude Code puts an object into the text: device, account and session. */
static bool
is_plain_name(struct span user)
{
	return user.len <= USER_MAX &&
	    (user.len == 0 || memchr(user.p, '{', user.len) == NULL);
}

void
fields_write_user(struct bridge_run *run, struct span value, struct buf *out)
{
	struct span inside = jspan_inside(value), user;
	unsigned char digest[DIGEST_BYTES];
	char text[DIGEST_TEXT_SIZE], *room;

	if (inside.len == 0)
		return;
	if (run->dialect.user == USER_DROP) {
		bridge_drop(run, span_of("user"));
		return;
	}
	room = memory_alloc(inside.len);
	user = (struct span){ room, jscan_decode(inside, room) };
	jput_name(out, "user");
	if (run->dialect.user == USER_KEEP || is_plain_name(user)) {
		buf_add(out, value.p, value.len);
	} else {
		digest_make(user.p, user.len, digest);
		digest_text(digest, text);
		text[USER_DIGITS] = '\0';
		buf_json(out, span_of(text));
	}
	free(room);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a template is filled, and how a file's edits are made one after
 * the other.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "setup/setup.h"

/* For a tool that needs a number, if none is known. */
#define WINDOW_GUESS 32768
#define OUTPUT_MAX 32000

static const struct setup_model *
model_find(const struct setup_models *models, const char *id)
{
	for (size_t i = 0; i < models->n; i++)
		if (strcmp(models->list[i].id, id) == 0)
			return &models->list[i];
	return NULL;
}

/* If the output is not known, a quarter of the context is a guess, for tools
 * that need both. */
static uint64_t
output_of(const struct setup_model *m)
{
	uint64_t quarter = m->context / 4;

	if (m->output > 0)
		return m->output;
	return quarter > OUTPUT_MAX ? OUTPUT_MAX : quarter;
}

/* Adds a number or a flag of a model.  False: it is not known, or the flag is
 * false. */
static bool
put_fact(const struct setup_model *m, struct span name, struct buf *out)
{
	uint64_t n = 0;

	if (m == NULL)
		return false;
	if (span_is(name, "images") || span_is(name, "tools")) {
		bool yes = span_is(name, "images") ? m->images : m->tools;

		buf_puts(out, yes ? "true" : "false");
		return yes;
	}
	if (span_is(name, "context"))
		n = m->context;
	else if (span_is(name, "window"))
		n = m->context > 0 ? m->context : WINDOW_GUESS;
	else if (span_is(name, "output"))
		n = output_of(m);
	if (n > 0)
		buf_u64(out, n);
	return n > 0;
}

static const char *
text_of(
    const struct setup_values *v, const struct setup_model *m, struct span name)
{
	const struct {
		const char *name, *text;
	} texts[] = {
		{ "url", v->url },
		{ "v1", v->url },
		{ "key", v->key },
		{ "keyfile", v->key_file },
		{ "model", v->model },
		{ "small", v->small },
		{ "id", m == NULL ? NULL : m->id },
		{ "now", v->now },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (span_is(name, texts[i].name))
			return texts[i].text;
	return NULL;
}

static bool
put_field(const struct setup_values *v, const struct setup_model *m,
    struct span name, struct buf *out)
{
	const char *text = text_of(v, m, name);

	if (text == NULL)
		return put_fact(m, name, out) || span_is(name, "images") ||
		    span_is(name, "tools");
	buf_json_inside(out, span_of(text));
	if (span_is(name, "v1"))
		buf_puts(out, "/v1");
	return true;
}

/* The field at p, "<name>" or "<?name>", without its brackets; p NULL: there is
 * no field. */
static struct span
field_at(const char *p)
{
	size_t n = strcspn(p, "> \n");

	if (*p != '<' || p[n] != '>')
		return (struct span){ NULL, 0 };
	return (struct span){ p + 1, n - 1 };
}

static bool fill(const struct setup_values *, const struct setup_model *,
    const char *p, const char *end, struct buf *);

/* Fills the body of a loop for each model that talks.  The picked model comes
 * first, as some tools begin with the first one. */
static bool
fill_each(const struct setup_values *v, const char *p, const char *end,
    const char *between, struct buf *out)
{
	const struct setup_model *picked = model_find(v->models, v->model);
	bool some = false;

	for (size_t i = 0; i <= v->models->n; i++) {
		const struct setup_model *m =
		    i == 0 ? picked : &v->models->list[i - 1];

		if (m == NULL || !m->talks || (i > 0 && m == picked))
			continue;
		if (some)
			buf_puts(out, between);
		if (!fill(v, m, p, end, out))
			return false;
		some = true;
	}
	return some;
}

/* "<?name>", which ends at p: fills the text up to "<.>" if the field is
 * known. */
static bool
fill_if(const struct setup_values *v, const struct setup_model *m,
    struct span field, const char *p, const char *end, struct buf *out)
{
	struct span name = { field.p + 1, field.len - 1 };
	struct buf scratch;
	bool known;

	buf_init(&scratch, 65536);
	known = text_of(v, m, name) != NULL || put_fact(m, name, &scratch);
	buf_free(&scratch);
	return !known || fill(v, m, p, end, out);
}

static bool
fill(const struct setup_values *v, const struct setup_model *m, const char *p,
    const char *end, struct buf *out)
{
	while (p < end) {
		struct span field = field_at(p);
		const char *body, *stop;

		if (field.p == NULL) {
			buf_add(out, p++, 1);
			continue;
		}
		p = body = field.p + field.len + 1;
		if (*field.p == '?' || *field.p == '[' || *field.p == '{') {
			stop = strstr(body,
			    *field.p == '?'       ? "<.>"
				: *field.p == '[' ? "<]>"
						  : "<}>");
			if (*field.p == '?'
				? !fill_if(v, m, field, body, stop, out)
				: !fill_each(v, body, stop,
				      *field.p == '[' ? "," : "", out))
				return false;
			p = stop + 3;
		} else if (!put_field(v, m, field, out))
			return false;
	}
	return true;
}

bool
setup_fill(const struct setup_values *v, const char *template, struct buf *out)
{
	return fill(v,
	    v->model == NULL ? NULL : model_find(v->models, v->model), template,
	    template + strlen(template), out);
}

/* ---- the text of a file ----------------------------------------------- */

/* Fills the path key by key; the keys then lie in `room`. */
static bool
way_make(const struct setup_values *v, const char *way, struct edit *e,
    struct buf *room)
{
	size_t starts[EDIT_KEYS_MAX];

	while (way != NULL && e->nkeys < EDIT_KEYS_MAX) {
		size_t n = strcspn(way, "|");
		char *key = strndup(way, n);
		bool filled;

		if (key == NULL)
			fatal("out of memory");
		starts[e->nkeys++] = room->len;
		filled = setup_fill(v, key, room);
		free(key);
		if (!filled)
			return false;
		buf_add(room, "", 1);
		way = way[n] == '|' ? way + n + 1 : NULL;
	}
	for (size_t i = 0; i < e->nkeys; i++)
		e->keys[i] = room->p + starts[i];
	return true;
}

/* Makes one more edit in *text. */
static int
edit_make(const struct setup_values *v, const struct setup_edit *row,
    struct buf *text, const char **why)
{
	struct edit e = { .keep = row->keep };
	struct buf way, value, out;
	int status = 0;

	buf_init(&way, 65536);
	buf_init(&value, SETUP_TEXT_MAX);
	buf_init(&out, SETUP_TEXT_MAX);
	if (way_make(v, row->way, &e, &way) &&
	    (row->value == NULL || setup_fill(v, row->value, &value))) {
		e.value = row->value == NULL ? NULL : value.p;
		status = row->edit(buf_span(text), &e, &out, why);
		if (status == 0 && buf_failed(&out)) {
			*why = "it is too long";
			status = -1;
		}
		if (status == 0) {
			buf_reset(text);
			buf_add(text, out.p, out.len);
		}
	}
	buf_free(&way);
	buf_free(&value);
	buf_free(&out);
	return status;
}

int
setup_text_make(const struct setup_values *v, const struct setup_file *file,
    struct span before, struct buf *after, const char **why)
{
	buf_reset(after);
	if (file->whole != NULL) {
		*why = "a value for it is missing";
		return setup_fill(v, file->whole, after) ? 0 : -1;
	}
	buf_add(after, before.p, before.len);
	for (size_t i = 0; i < SETUP_EDITS_MAX && file->edits[i].edit != NULL;
	     i++)
		if (edit_make(v, &file->edits[i], after, why) == -1)
			return -1;
	return 0;
}

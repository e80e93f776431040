/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what becomes of a tool's files: made in memory first, all of them, then
 * printed, compared or written.
 */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/clients.h"
#include "ctl/diff.h"
#include "ctl/setup_internal.h"

#define HIDDEN_MAX 16

/* ---- the texts -------------------------------------------------------- */

struct texts {
	struct setup_text list[SETUP_FILES_MAX + 1];
	size_t n;
};

static void
texts_free(struct texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		setup_text_free(&t->list[i]);
}

/* Reads a file's text; with --print it is empty. */
static int
text_begin(const struct setup *s, struct setup_text *t)
{
	if (!s->print)
		return setup_text_read(t) == -1
		    ? -1
		    : setup_record_undo_in(s->tool->name, t);
	buf_init(&t->before, SETUP_TEXT_MAX);
	buf_init(&t->after, SETUP_TEXT_MAX);
	buf_puts(&t->before, "");
	return 0;
}

static int
text_make(
    const struct setup *s, const struct setup_file *file, struct setup_text *t)
{
	const char *why = NULL;

	if (text_begin(s, t) == -1)
		return -1;
	if (file == NULL) {
		buf_printf(&t->after, "%s\n",
		    s->values.key == NULL ? "<key>" : s->values.key);
		return 0;
	}
	if (setup_text_make(
		&s->values, file, buf_span(&t->before), &t->after, &why) == 0)
		return 0;
	fprintf(stderr,
	    "tailgate setup: %s: %s; it stays as it is\n"
	    "What belongs there: tailgate setup %s --print\n",
	    t->path, why, s->tool->name);
	return -1;
}

/* The key's file first, then the tool's; what does not change is left out. */
static int
texts_make(const struct setup *s, struct texts *texts)
{
	for (size_t i = 0; i < SETUP_FILES_MAX + 1; i++) {
		const struct setup_file *file =
		    i == 0 ? NULL : &s->tool->files[i - 1];
		struct setup_text *t = &texts->list[texts->n];

		if (file != NULL && file->path == NULL)
			break;
		t->path = i == 0 ? strdup(s->key_path) : setup_path(file->path);
		if (t->path == NULL)
			fatal("out of memory");
		t->secret = i == 0 || file->secret;
		texts->n++;
		if (text_make(s, file, t) == -1)
			return -1;
		if (i > 0 && t->after.len == 0)
			setup_text_free(&texts->list[--texts->n]);
	}
	return 0;
}

/* ---- what is done with them ------------------------------------------- */

/* Keys are not shown, neither ours nor an older one. */
static size_t
hidden_find(const struct setup *s, const struct setup_text *t,
    struct span hidden[HIDDEN_MAX])
{
	size_t n = 0;

	if (s->values.key != NULL)
		hidden[n++] = span_of(s->values.key);
	for (const char *p = t->before.p;
	     n < HIDDEN_MAX && p != NULL && (p = strstr(p, "tg-")) != NULL;
	     p++) {
		size_t len = 3;

		while (isalnum((unsigned char)p[len]))
			len++;
		if (len == CLIENTS_KEY_SIZE - 1)
			hidden[n++] = (struct span){ p, len };
	}
	return n;
}

static void
texts_diff(const struct setup *s, const struct texts *texts)
{
	for (size_t i = 0; i < texts->n; i++) {
		const struct setup_text *t = &texts->list[i];
		struct span hidden[HIDDEN_MAX];
		size_t n = hidden_find(s, t, hidden);

		diff_print(t->path, buf_span(&t->before), buf_span(&t->after),
		    hidden, n, stdout);
	}
}

static void
texts_print(const struct texts *texts)
{
	for (size_t i = 0; i < texts->n; i++) {
		const struct setup_text *t = &texts->list[i];

		printf("%s# %s%s\n", i > 0 ? "\n" : "", t->path,
		    t->secret ? " (mode 0600)" : "");
		fwrite(t->after.p, 1, t->after.len, stdout);
	}
}

static void
say_template(const struct setup *s, const char *template)
{
	struct buf text;

	buf_init(&text, SETUP_TEXT_MAX);
	if (template != NULL && setup_fill(&s->values, template, &text))
		fwrite(text.p, 1, text.len, stdout);
	buf_free(&text);
}

static void
say_done(const struct setup *s, const struct texts *texts)
{
	printf("%s is set up for %s, with the model %s.\n", s->tool->title,
	    s->values.url, s->values.model);
	for (size_t i = 0; i < texts->n; i++)
		printf("  %s\n", texts->list[i].path);
	say_template(s, s->tool->note);
	if (s->tool->run != NULL)
		printf("Start it: %s\n", s->tool->run);
	printf("Take it back: tailgate setup %s --undo\n", s->tool->name);
	if (s->clients_file != NULL)
		printf("The gateway knows the client %s after a reload "
		       "(SIGHUP).\n",
		    s->client);
}

static int
script_print(const struct setup *s)
{
	struct buf text;
	bool made;

	buf_init(&text, SETUP_TEXT_MAX);
	made = setup_script(&s->values, s->tool, &text);
	if (made)
		fwrite(text.p, 1, text.len, stdout);
	else
		fprintf(stderr, "tailgate setup: the script is too long\n");
	buf_free(&text);
	return !made;
}

int
setup_texts_use(struct setup *s)
{
	struct texts texts = { .n = 0 };
	int status = 1;

	if (s->script)
		return script_print(s);
	if (s->tool->show != NULL && s->values.key == NULL) {
		say_template(s, s->tool->show);
		return 0;
	}
	/* Text that is only printed does not have the key. */
	if (s->print)
		s->values.key = "<key>";
	if (texts_make(s, &texts) == 0) {
		status = 0;
		if (s->print)
			texts_print(&texts);
		else if (s->dry)
			texts_diff(s, &texts);
		else if (setup_record_commit(s->tool->name, &s->cage, s->client,
			     texts.list, texts.n) == -1)
			status = 1;
		else
			say_done(s, &texts);
		say_template(s, status == 0 ? s->tool->show : NULL);
	}
	texts_free(&texts);
	return status;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a set-up becomes a shell script: the tool's facts as variables, its
 * edits as here-documents, and of the editors those that they need.  All that
 * comes from outside (URL, names of models) is plain by setup_is_plain(), so no
 * character of it is special in a shell, in awk, or in a here-document.
 */
#include "config.h"

#include <string.h>

#include "base/version.h"
#include "setup/setup.h"
#include "setup/texts.h"

/* The name of an edit in a script, and the awk text that makes it there. */
struct language {
	edit_function *edit; /* NULL: a whole file */
	const char *name, *text_name;
	const char *const *text;
};

static const struct language languages[] = {
	{ NULL, "whole", "whole", setup_text_edit_whole },
	{ edit_env, "env", "env", setup_text_edit_env },
	{ edit_json, "json", "json", setup_text_edit_json },
	{ edit_toml, "toml", "toml", setup_text_edit_toml },
	{ edit_yaml, "yaml", "yaml", setup_text_edit_yaml },
	{ edit_yaml_list, "list", "yaml", setup_text_edit_yaml },
};
#define NLANGUAGES (sizeof(languages) / sizeof(languages[0]))

static const struct language *
language_of(edit_function *edit)
{
	size_t i = 0;

	while (i + 1 < NLANGUAGES && languages[i].edit != edit)
		i++;
	return &languages[i];
}

static void
put_lines(struct buf *out, const char *const *lines)
{
	while (*lines != NULL)
		buf_puts(out, *lines++);
}

/* Writes "~/x" and "${VAR:-~/x}/y" as words of the shell. */
static void
put_path(struct buf *out, struct span spec)
{
	struct span name = { spec.p + 2, 0 }, fall, rest;

	if (memcmp(spec.p, "~/", 2) == 0) {
		buf_printf(
		    out, "\"$HOME/%.*s\"", (int)spec.len - 2, spec.p + 2);
		return;
	}
	name.len = strcspn(name.p, ":");
	fall.p = name.p + name.len + 4; /* after ":-~/" */
	fall.len = strcspn(fall.p, "}");
	rest.p = fall.p + fall.len + 1;
	rest.len = spec.len - (size_t)(rest.p - spec.p);
	buf_printf(out, "\"$(place \"${%.*s:-}\" \"$HOME/%.*s\")%.*s\"",
	    (int)name.len, name.p, (int)fall.len, fall.p, (int)rest.len,
	    rest.p);
}

static void
put_paths(struct buf *out, const char *spec)
{
	bool several = strchr(spec, '|') != NULL;

	buf_puts(out, several ? "\"$(pick" : "");
	while (*spec != '\0') {
		size_t n = strcspn(spec, "|");

		buf_puts(out, several ? " " : "");
		put_path(out, (struct span){ spec, n });
		spec += n + (spec[n] == '|');
	}
	buf_puts(out, several ? ")\"" : "");
}

/* Writes a value, each of its lines after a space. */
static void
put_value(struct buf *out, struct span text)
{
	while (text.len > 0) {
		const char *nl = memchr(text.p, '\n', text.len);
		size_t n = nl == NULL ? text.len : (size_t)(nl - text.p);

		buf_printf(out, " %.*s\n", (int)n, text.p);
		n += nl != NULL;
		text.p += n;
		text.len -= n;
	}
}

/* Writes one edit, unless a field of it is not known. */
static void
put_edit(
    struct buf *out, const struct setup_values *v, const struct setup_edit *e)
{
	struct buf way, value;

	buf_init(&way, 65536);
	buf_init(&value, SETUP_TEXT_MAX);
	if (setup_fill(v, e->way, &way) &&
	    (e->value == NULL || setup_fill(v, e->value, &value))) {
		buf_printf(out, "edit %s %s %.*s\n", language_of(e->edit)->name,
		    e->value == NULL ? "out"
			: e->keep    ? "keep"
				     : "set",
		    (int)way.len, way.p);
		put_value(out, buf_span(&value));
	}
	buf_free(&way);
	buf_free(&value);
}

static void
put_edits(struct buf *out, const struct setup_values *v,
    const struct setup_file *file)
{
	struct buf value;

	if (file->whole == NULL) {
		for (size_t i = 0;
		     i < SETUP_EDITS_MAX && file->edits[i].edit != NULL; i++)
			put_edit(out, v, &file->edits[i]);
		return;
	}
	buf_init(&value, SETUP_TEXT_MAX);
	buf_puts(out, "edit whole set\n");
	if (setup_fill(v, file->whole, &value))
		put_value(out, buf_span(&value));
	buf_free(&value);
}

static void
put_files(struct buf *out, const struct setup_values *v,
    const struct setup_tool *tool)
{
	const struct setup_file *file = tool->files;
	size_t i;

	buf_puts(out, "add_files() {\n\t:\n");
	for (i = 0; i < SETUP_FILES_MAX && file[i].path != NULL; i++) {
		buf_puts(out, "\tadd ");
		put_paths(out, file[i].path);
		buf_printf(out, " %s %s %u\n", file[i].secret ? "yes" : "no",
		    language_of(file[i].edits[0].edit)->text_name, (unsigned)i);
	}
	buf_puts(out, "}\nedits() {\n\tcase $1 in\n");
	for (i = 0; i < SETUP_FILES_MAX && file[i].path != NULL; i++) {
		buf_printf(out, "\t%u) cat <<'END' ;;\n", (unsigned)i);
		put_edits(out, v, &file[i]);
		buf_puts(out, "END\n");
	}
	buf_puts(out, "\tesac\n}\n");
}

/* Writes a shell function that prints a template. */
static void
put_saying(struct buf *out, const struct setup_values *v, const char *name,
    const char *template)
{
	struct buf text;

	buf_init(&text, SETUP_TEXT_MAX);
	if (template != NULL && setup_fill(v, template, &text))
		buf_printf(out, "%s() {\n\tcat <<'END'\n%.*sEND\n}\n", name,
		    (int)text.len, text.p);
	else
		buf_printf(out, "%s() { :; }\n", name);
	buf_free(&text);
}

/* Writes the editors that the tool's files need, as awk texts. */
static void
put_editors(struct buf *out, const struct setup_tool *tool)
{
	const char *const *done[SETUP_FILES_MAX] = { NULL };

	buf_puts(out, "frame='\n");
	put_lines(out, setup_text_edit);
	buf_puts(out, "'\n");
	for (size_t i = 0; i < SETUP_FILES_MAX && tool->files[i].path != NULL;
	     i++) {
		const struct language *l =
		    language_of(tool->files[i].edits[0].edit);
		bool again = false;

		for (size_t k = 0; k < i; k++)
			again = again || done[k] == l->text;
		done[i] = l->text;
		if (again)
			continue;
		buf_printf(out, "%s_editor='\n", l->text_name);
		put_lines(out, l->text);
		buf_puts(out, "'\n");
	}
	buf_puts(out,
	    "edit() {\n\teval \"editor=\\$${1}_editor\"\n"
	    "\tshift\n\tawk \"$frame$editor\" \"$@\"\n}\n"
	    "take_back() {\n\tawk '\n");
	put_lines(out, setup_text_back);
	buf_puts(out, "' \"$@\"\n}\n\n");
}

bool
setup_script(const struct setup_values *values, const struct setup_tool *tool,
    struct buf *out)
{
	struct setup_values v = *values;

	/* Fields that only the other machine knows stay as they are. */
	v.key = "<key>";
	v.key_file = "<keyfile>";
	strlcpy(v.now, "<now>", sizeof(v.now));
	buf_printf(out,
	    "#!/bin/sh\n"
	    "# Points %s at %s, as `tailgate setup %s` does; made by\n"
	    "# tailgate " TAILGATE_VERSION ".  Read it, then:\n"
	    "#\n"
	    "#\tsh SCRIPT                   asks for the client's key\n"
	    "#\tsh SCRIPT --key-file FILE   takes its first line (-: stdin)\n"
	    "#\tsh SCRIPT --undo            puts back what was there before\n"
	    "#\n",
	    tool->title, v.url, tool->name);
	buf_printf(out,
	    "# SPDX-License-Identifier: ISC\n"
	    "tool='%s' title='%s'\nurl='%s' model='%s'\nrun='%s' "
	    "shows_only=%s\n",
	    tool->name, tool->title, v.url, v.model,
	    tool->run == NULL ? "" : tool->run, tool->show == NULL ? "" : "1");
	put_files(out, &v, tool);
	put_saying(out, &v, "note", tool->note);
	put_saying(out, &v, "show", tool->show);
	put_editors(out, tool);
	put_lines(out, setup_text_script);
	return !buf_failed(out);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The mistakes in a configuration, gathered while it is read and checked, then
 * printed in the order of the files' lines: one run shows them all.
 */
#include "config.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/load.h"

#define MISTAKES_MAX 500 /* more than anybody reads */
#define QUOTE_BYTES 64
#define JSON_MAX (4 * 1024 * 1024)

static const struct load_file *
file_of(const struct load *load, const config_setting_t *setting)
{
	while (config_setting_parent(setting) != NULL)
		setting = config_setting_parent(setting);
	for (size_t i = 0; i < load->nfiles; i++)
		if (config_root_setting(&load->files[i].config) == setting)
			return &load->files[i];
	fatal("config: a setting of no file");
}

/* An included file is named as it was included: relative to the including
 * file. */
static const char *
file_name(struct load *load, const config_setting_t *setting)
{
	const struct load_file *file = file_of(load, setting);
	const char *source = config_setting_source_file(setting);
	const char *slash = strrchr(file->path, '/');

	if (source == NULL)
		return file->path;
	if (slash == NULL || *source == '/')
		return arena_strdup(load->arena, source);
	return arena_printf(load->arena, "%.*s/%s", (int)(slash - file->path),
	    file->path, source);
}

/* "providers[1].timeouts.connect" */
static const char *
setting_path(struct load *load, const config_setting_t *setting)
{
	const config_setting_t *parent = config_setting_parent(setting);
	const char *name = config_setting_name(setting), *before;

	if (parent == NULL)
		return "";
	before = setting_path(load, parent);
	if (name == NULL)
		return arena_printf(load->arena, "%s[%d]", before,
		    config_setting_index(setting));
	return arena_printf(load->arena, "%s%s%.*s", before,
	    *before == '\0' ? "" : ".", CONFIG_NAME_MAX, name);
}

const char *
mistake_quote(struct load *load, const char *text)
{
	char out[QUOTE_BYTES];
	size_t len = strlen(text);

	log_escape(text, len, out, sizeof(out));
	return arena_printf(
	    load->arena, "\"%s%s\"", out, strlen(out) < len ? "…" : "");
}

static void
add(struct load *load, const char *file, unsigned line, bool is_warning,
    const char *text)
{
	struct load_mistake *m;

	if (!is_warning)
		load->nerrors++;
	if (load->nmistakes >= MISTAKES_MAX)
		return;
	if (load->nmistakes == load->mistakes_size) {
		load->mistakes_size = load->mistakes_size * 2 + 16;
		load->mistakes = reallocarray(load->mistakes,
		    load->mistakes_size, sizeof(*load->mistakes));
		if (load->mistakes == NULL)
			fatal("out of memory");
	}
	m = &load->mistakes[load->nmistakes];
	m->file = file;
	m->line = line;
	m->number = (unsigned)load->nmistakes++;
	m->warning = is_warning;
	m->text = text;
}

static const char *
format(struct load *load, const char *path, const char *fmt, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, args);
	return *path == '\0' ? arena_strdup(load->arena, text)
			     : arena_printf(load->arena, "%s: %s", path, text);
}

void
mistake(
    struct load *load, const config_setting_t *setting, const char *fmt, ...)
{
	va_list args;

	if (load->nmistakes >= MISTAKES_MAX) {
		load->nerrors++;
		return;
	}
	va_start(args, fmt);
	add(load, file_name(load, setting),
	    (unsigned)config_setting_source_line(setting), false,
	    format(load, setting_path(load, setting), fmt, args));
	va_end(args);
}

void
mistake_in(
    struct load *load, const char *file, unsigned line, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(load, file, line, false, format(load, "", fmt, args));
	va_end(args);
}

void
origin_add(struct load *load, const void *element, const char *group,
    config_setting_t *setting)
{
	if (load->norigins == load->origins_size) {
		load->origins_size = load->origins_size * 2 + 64;
		load->origins = reallocarray(
		    load->origins, load->origins_size, sizeof(*load->origins));
		if (load->origins == NULL)
			fatal("out of memory");
	}
	load->origins[load->norigins++] =
	    (struct load_origin){ element, group, setting };
}

void
origins_move(struct load *load, const void *from, size_t bytes, void *to)
{
	for (size_t i = 0; i < load->norigins; i++) {
		uintptr_t at = (uintptr_t)load->origins[i].element;

		if (at >= (uintptr_t)from && at - (uintptr_t)from < bytes)
			load->origins[i].element =
			    (char *)to + (at - (uintptr_t)from);
	}
}

static config_setting_t *
origin_find(const struct load *load, const void *element, const char *group)
{
	for (size_t i = 0; i < load->norigins; i++)
		if (load->origins[i].element == element &&
		    strcmp(load->origins[i].group, group) == 0)
			return load->origins[i].setting;
	return NULL;
}

bool
origin_has(const struct load *load, const void *element, const char *group,
    const char *name)
{
	config_setting_t *setting = origin_find(load, element, group);

	return setting != NULL && config_setting_is_group(setting) &&
	    config_setting_get_member(setting, name) != NULL;
}

const char *
origin_where(
    struct load *load, const void *element, const char *group, const char *name)
{
	config_setting_t *setting = origin_find(load, element, group);

	if (setting != NULL && config_setting_is_group(setting) &&
	    config_setting_get_member(setting, name) != NULL)
		setting = config_setting_get_member(setting, name);
	if (setting == NULL)
		return load->files[0].path;
	return arena_printf(load->arena, "%s:%u: %s", file_name(load, setting),
	    (unsigned)config_setting_source_line(setting),
	    setting_path(load, setting));
}

static void
add_of(struct load *load, const void *element, const char *group,
    const char *name, bool is_warning, const char *fmt, va_list args)
{
	config_setting_t *setting, *member = NULL;
	const char *path, *above = "";

	if (load->nmistakes >= MISTAKES_MAX) {
		load->nerrors += !is_warning;
		return;
	}
	setting = origin_find(load, element, group);
	if (setting == NULL) { /* a file or a group that does not exist */
		setting = config_root_setting(&load->files[0].config);
		above = group;
	}
	if (name != NULL && config_setting_is_group(setting))
		member = config_setting_get_member(setting, name);
	path = setting_path(load, member != NULL ? member : setting);
	if (*above != '\0')
		path = above;
	if (name != NULL && member == NULL)
		path = arena_printf(load->arena, "%s%s%s", path,
		    *path == '\0' ? "" : ".", name);
	add(load, file_name(load, member != NULL ? member : setting),
	    (unsigned)config_setting_source_line(
		member != NULL ? member : setting),
	    is_warning, format(load, path, fmt, args));
}

void
mistake_of(struct load *load, const void *element, const char *group,
    const char *name, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_of(load, element, group, name, false, fmt, args);
	va_end(args);
}

void
warning_of(struct load *load, const void *element, const char *group,
    const char *name, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_of(load, element, group, name, true, fmt, args);
	va_end(args);
}

static int
by_line(const void *pa, const void *pb)
{
	const struct load_mistake *a = pa, *b = pb;
	int order = strcmp(a->file, b->file);

	if (order == 0)
		order = (a->line > b->line) - (a->line < b->line);
	return order != 0 ? order
			  : (a->number > b->number) - (a->number < b->number);
}

static void
write_json(const struct load *load, FILE *err)
{
	struct buf out;

	buf_init(&out, JSON_MAX);
	buf_puts(&out, "[");
	for (size_t i = 0; i < load->nmistakes; i++) {
		const struct load_mistake *m = &load->mistakes[i];

		buf_puts(&out, i == 0 ? "{\"file\": " : ",\n {\"file\": ");
		buf_json(&out, span_of(m->file));
		buf_printf(&out,
		    ", \"line\": %u, \"level\": \"%s\", \"text\": ", m->line,
		    m->warning ? "warning" : "error");
		buf_json(&out, span_of(m->text));
		buf_puts(&out, "}");
	}
	buf_puts(&out, "]");
	fwrite(out.p, 1, out.len, err);
	buf_free(&out);
}

/* The last line of a check that failed. */
static void
write_sum(const struct load *load, FILE *err)
{
	size_t warnings = 0;

	for (size_t i = 0; i < load->nmistakes; i++)
		warnings += load->mistakes[i].warning;
	fprintf(err, "%s: not usable: %zu mistake%s", load->files[0].path,
	    load->nerrors, load->nerrors == 1 ? "" : "s");
	if (warnings > 0)
		fprintf(
		    err, ", %zu warning%s", warnings, warnings == 1 ? "" : "s");
	fputc('\n', err);
}

void
mistakes_write(const struct load *load, FILE *err)
{
	if (load->nmistakes > 0)
		qsort(load->mistakes, load->nmistakes, sizeof(*load->mistakes),
		    by_line);
	if (load->flags & CONFIG_JSON) {
		write_json(load, err);
		return;
	}
	for (size_t i = 0; i < load->nmistakes; i++) {
		const struct load_mistake *m = &load->mistakes[i];

		fputs(m->file, err);
		if (m->line > 0)
			fprintf(err, ":%u", m->line);
		fprintf(
		    err, ": %s%s\n", m->warning ? "warning: " : "", m->text);
	}
	if (load->nmistakes == MISTAKES_MAX)
		fprintf(err, "%s: there are more mistakes than these\n",
		    load->files[0].path);
	if ((load->flags & CONFIG_ADVISE) && load->nerrors > 0)
		write_sum(load, err);
}

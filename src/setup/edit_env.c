/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a file of NAME=value lines is edited.
 */
#include "config.h"

#include <string.h>

#include "setup/edit.h"

const char *
edit_newline(struct span text)
{
	const char *nl = text.len == 0 ? NULL : memchr(text.p, '\n', text.len);

	return nl != NULL && nl > text.p && nl[-1] == '\r' ? "\r\n" : "\n";
}

/* Where the value begins in a line that sets the name; 0: it sets another. */
static size_t
sets(struct span line, const char *name)
{
	size_t i = 0, n = strlen(name);

	while (i < line.len && (line.p[i] == ' ' || line.p[i] == '\t'))
		i++;
	if (line.len > i + 7 && memcmp(line.p + i, "export ", 7) == 0)
		i += 7;
	if (line.len <= i + n || memcmp(line.p + i, name, n) != 0 ||
	    line.p[i + n] != '=')
		return 0;
	return i + n + 1;
}

int
edit_env(
    struct span text, const struct edit *e, struct buf *out, const char **why)
{
	const char *nl = edit_newline(text);
	bool done = false;

	*why = NULL;
	for (size_t i = 0; i < text.len;) {
		const char *end = memchr(text.p + i, '\n', text.len - i);
		size_t n =
		    end == NULL ? text.len - i : (size_t)(end - text.p) + 1 - i;
		struct span line = { text.p + i, n };
		size_t value = sets(line, e->keys[0]);

		if (value == 0 || e->keep)
			buf_add(out, line.p, n);
		else {
			buf_add(out, line.p, value);
			buf_puts(out, e->value);
			buf_puts(out, nl);
		}
		done = done || value != 0;
		i += n;
	}
	if (done)
		return 0;
	if (text.len > 0 && text.p[text.len - 1] != '\n')
		buf_puts(out, nl);
	buf_puts(out, e->keys[0]);
	buf_puts(out, "=");
	buf_puts(out, e->value);
	buf_puts(out, nl);
	return 0;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the end of a call's arguments is recognised: by their brackets as
 * they come, and by the whole text once those are closed.
 */
#include "config.h"

#include <string.h>

#include "base/jscan.h"
#include "bridge/arguments.h"

static void
in_string(struct arguments *a, char c)
{
	if (a->escaped)
		a->escaped = false;
	else if (c == '\\')
		a->escaped = true;
	else if (c == '"')
		a->in_string = false;
}

static void
count_brackets(struct arguments *a, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (a->in_string)
			in_string(a, c);
		else if (c == '"')
			a->in_string = true;
		else if (c == '{' || c == '[')
			a->depth++;
		else if ((c == '}' || c == ']') && a->depth > 0)
			a->depth--;
	}
}

void
arguments_add(struct arguments *a, struct span s)
{
	buf_add(&a->text, s.p, s.len);
	count_brackets(a, s);
}

void
arguments_reset(struct arguments *a)
{
	buf_reset(&a->text);
	a->depth = 0;
	a->in_string = a->escaped = false;
	a->looked_at = 0;
}

bool
arguments_unfinished(const struct arguments *a)
{
	return a->depth > 0 || a->in_string;
}

static int
pass(void *ctx, const struct jscan_value *v)
{
	(void)ctx;
	(void)v;
	return 0;
}

bool
arguments_is_object(struct span json)
{
	struct jscan_error error;

	while (json.len > 0 && strchr(" \t\r\n", json.p[0]) != NULL &&
	    json.p[0] != '\0')
		json = (struct span){ json.p + 1, json.len - 1 };
	return json.len > 1 && json.p[0] == '{' &&
	    jscan(json, JSCAN_DEPTH_MAX, pass, NULL, &error) == 0;
}

bool
arguments_empty(const struct arguments *a)
{
	char kept[5] = "";
	size_t n = 0;

	for (size_t i = 0; i < a->text.len; i++) {
		if (strchr(" \t\r\n", a->text.p[i]) != NULL)
			continue;
		if (n == sizeof(kept) - 1)
			return false;
		kept[n++] = a->text.p[i];
	}
	return strcmp(kept, "{}") == 0 || strncmp(kept, "null", n) == 0;
}

bool
arguments_complete(struct arguments *a)
{
	if (arguments_unfinished(a) || arguments_empty(a))
		return false;
	if (a->looked_at != a->text.len)
		a->is_object = arguments_is_object(buf_span(&a->text));
	a->looked_at = a->text.len;
	return a->is_object;
}

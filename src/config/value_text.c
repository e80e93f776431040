/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Settings that are written as strings: hides the rules for names,
 * references, URLs, dates, digests, networks and words.
 */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "base/spelling.h"
#include "base/utf8.h"
#include "config/value_internal.h"

#define NAME_CHARS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

const char *
value_path(struct load *load, const char *text)
{
	if (*text == '\0' || *text == '/')
		return arena_strdup(load->arena, text);
	return arena_printf(load->arena, "%s/%s", load->files[0].dir, text);
}

/* A string's rules: its length, and only bytes that a log line can contain. */
static const char *
string_check(
    struct load *load, const config_setting_t *setting, double min, double max)
{
	const char *text = config_setting_get_string(setting);
	const unsigned char *p = (const unsigned char *)text;
	size_t len, n;

	if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
		value_wrong_type(load, setting, "a string");
		return NULL;
	}
	len = strlen(text);
	if ((double)len < min || (double)len > max) {
		if (min == max)
			mistake(load, setting, "must have %.0f bytes, has %zu",
			    min, len);
		else
			mistake(load, setting,
			    "must have %.0f..%.0f bytes, has %zu", min, max,
			    len);
		return NULL;
	}
	for (size_t i = 0; i < len; i += n) {
		if ((n = utf8_length(p + i, len - i)) == 0) {
			mistake(load, setting, "is not valid UTF-8");
			return NULL;
		}
		if (p[i] < 0x20 || p[i] == 0x7f) {
			mistake(load, setting, "holds a control character");
			return NULL;
		}
	}
	return text;
}

/* The element of a list by its name (NULL: there is none). */
static const void *
ref_find(const struct load *load, const char *of, const char *name)
{
	if (strcmp(of, "limits") == 0)
		return config_limit(load->config, name);
	return config_provider(load->config, name);
}

struct named {
	const struct config *config;
	bool limits; /* or providers */
};

static const char *
ref_name(const void *ctx, size_t i)
{
	const struct named *named = ctx;
	const struct config *c = named->config;
	const char *name;

	if (i == (named->limits ? c->nlimits : c->nproviders))
		return NULL;
	name = named->limits ? c->limits[i].name : c->providers[i].name;
	return name != NULL ? name : "";
}

static const char *
ref_near(const struct load *load, const char *of, const char *name)
{
	struct named named = { load->config, strcmp(of, "limits") == 0 };

	return spelling_nearest(name, ref_name, &named);
}

void
value_read_ref(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	const char *name = string_check(load, setting, row->min, row->max);
	const char *near;
	const void *found;

	if (name == NULL)
		return;
	if ((found = ref_find(load, row->of, name)) != NULL) {
		value_put_pointer(row, base, found);
		return;
	}
	near = ref_near(load, row->of, name);
	mistake(load, setting, "none of the %s has the name %s%s%s%s", row->of,
	    mistake_quote(load, name), near != NULL ? "; did you mean " : "",
	    near != NULL ? mistake_quote(load, near) : "",
	    near != NULL ? "?" : "");
}

void
value_read_url(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	const char *text = string_check(load, setting, row->min, row->max);
	const char *wrong;
	size_t len;

	if (text == NULL)
		return;
	/* The text is not shown: it may contain a password. */
	if ((wrong = url_check(text, row->words)) != NULL) {
		mistake(load, setting, "the URL %s", wrong);
		return;
	}
	for (len = strlen(text); text[len - 1] == '/';)
		len--;
	value_put_pointer(
	    row, base, arena_text(load->arena, (struct span){ text, len }));
}

void
value_read_string(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	const char *text = string_check(load, setting, row->min, row->max);

	if (text == NULL)
		return;
	if (row->type == SCHEMA_NAME &&
	    (text[strspn(text, NAME_CHARS)] != '\0' || *text == '.'))
		mistake(load, setting,
		    "must be a name of letters, digits, - _ and . (not first), "
		    "is %s",
		    mistake_quote(load, text));
	else
		value_put_pointer(row, base,
		    row->type == SCHEMA_PATH ? value_path(load, text)
					     : arena_strdup(load->arena, text));
}

void
value_read_date(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	const char *text = string_check(load, setting, row->min, row->max);
	int64_t when;

	if (text == NULL)
		return;
	if ((when = clock_parse(text)) == -1)
		mistake(load, setting,
		    "must be a date such as \"2026-12-31\" or "
		    "\"2026-12-31T18:00:00Z\", is %s",
		    mistake_quote(load, text));
	else
		value_put_number(row, base, when);
}

void
value_read_digest(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	const char *text = string_check(load, setting, 0, row->max);
	bool has = true;

	if (text == NULL)
		return;
	/* The text is not shown: it may be the key itself. */
	if (digest_parse(text, (unsigned char *)base + row->offset) == -1)
		mistake(load, setting,
		    "must be the SHA-256 of a key, 64 hexadecimal digits; "
		    "`tailgate client add` makes one");
	else
		memcpy((char *)base + row->count_offset, &has, sizeof(has));
}

/* The length of an array or a list; -1: it is neither, which was reported. */
static int
many_length(struct load *load, const struct schema *row,
    const config_setting_t *setting)
{
	int n;

	if (!config_setting_is_array(setting) &&
	    !config_setting_is_list(setting)) {
		value_wrong_type(load, setting, "an array [ \"…\", \"…\" ]");
		return -1;
	}
	n = config_setting_length(setting);
	if (row->max > 0 && n > row->max) {
		mistake(load, setting,
		    "must have at most %.0f elements, has %d", row->max, n);
		return -1;
	}
	return n;
}

void
value_read_strings(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	int n = many_length(load, row, setting);
	const char **texts;
	size_t count = 0;

	if (n == -1)
		return;
	texts = arena_alloc(load->arena, (size_t)n * sizeof(*texts));
	for (int i = 0; i < n; i++) {
		const char *text = string_check(load,
		    config_setting_get_elem(setting, (unsigned)i), 1, 256);

		if (text != NULL)
			texts[count++] = arena_strdup(load->arena, text);
	}
	value_put_many(row, base, texts, count);
}

void
value_read_nets(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	int n = many_length(load, row, setting);
	struct net *nets;
	size_t count = 0;

	if (n == -1)
		return;
	nets = arena_alloc(load->arena, (size_t)n * sizeof(*nets));
	for (int i = 0; i < n; i++) {
		config_setting_t *element =
		    config_setting_get_elem(setting, (unsigned)i);
		const char *text = string_check(load, element, 1, 64);

		if (text == NULL)
			continue;
		if (net_parse(text, &nets[count]) == 0)
			count++;
		else
			mistake(load, element,
			    "must be an address or a network such as "
			    "\"10.0.0.0/8\" (no bits set after the prefix), "
			    "is %s",
			    mistake_quote(load, text));
	}
	value_put_many(row, base, nets, count);
}

int64_t
value_of_word(const struct schema *row, const char *word)
{
	int index = schema_word(row->words, word);

	if (index == -1)
		return -1;
	if (row->type == SCHEMA_ENDPOINTS)
		return (int64_t)ENDPOINT_BIT(endpoint_by_name(span_of(word)));
	return row->type == SCHEMA_WORDS ? (int64_t)1 << index : index;
}

static int64_t
word_read(struct load *load, const struct schema *row,
    const config_setting_t *setting)
{
	const char *word;
	int64_t value;

	if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
		value_wrong_type(load, setting,
		    arena_printf(
			load->arena, "a string, one of: %s", row->words));
		return -1;
	}
	if ((word = string_check(load, setting, 0, 256)) == NULL)
		return -1;
	if ((value = value_of_word(row, word)) == -1)
		mistake(load, setting, "must be one of: %s; is %s", row->words,
		    mistake_quote(load, word));
	return value;
}

void
value_read_word(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	int64_t value = word_read(load, row, setting);

	if (value != -1)
		value_put_number(row, base, value);
}

void
value_read_words(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	int n = many_length(load, row, setting);
	int64_t mask = 0, value;

	for (int i = 0; i < n; i++) {
		value = word_read(
		    load, row, config_setting_get_elem(setting, (unsigned)i));
		if (value != -1)
			mask |= value;
	}
	value_put_number(row, base, mask);
}

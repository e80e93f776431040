/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * One setting: from what the file says to what a C struct keeps, by the type,
 * range and place that its row of the schema gives.
 */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/spelling.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "config/load.h"

#define NANOUSD 1e9
#define NAME_CHARS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* --- what is kept --------------------------------------------------------- */

static void
put_number(const struct schema *row, void *base, int64_t value)
{
	char *slot = (char *)base + row->offset;
	bool flag = value != 0;
	uint32_t small = (uint32_t)value;

	if (row->width == sizeof(flag))
		memcpy(slot, &flag, sizeof(flag));
	else if (row->width == sizeof(small))
		memcpy(slot, &small, sizeof(small));
	else if (row->width == sizeof(value))
		memcpy(slot, &value, sizeof(value));
	else
		fatal("schema: %s.%s has no place", row->group, row->name);
}

static void
put_pointer(const struct schema *row, void *base, const void *value)
{
	memcpy((char *)base + row->offset, &value, sizeof(value));
}

static void
put_many(const struct schema *row, void *base, const void *array, size_t n)
{
	put_pointer(row, base, n == 0 ? NULL : array);
	memcpy((char *)base + row->count_offset, &n, sizeof(n));
}

/* A bool may have been left unsaid where it has no preset: enum tri. */
static void
put_bool(const struct schema *row, void *base, bool value)
{
	if (row->width == sizeof(enum tri) && row->width != sizeof(bool))
		put_number(row, base, value ? TRI_YES : TRI_NO);
	else
		put_number(row, base, value);
}

static const char *
path_make(struct load *load, const char *text)
{
	if (*text == '\0' || *text == '/')
		return arena_strdup(load->arena, text);
	return arena_printf(load->arena, "%s/%s", load->files[0].dir, text);
}

int64_t
value_bytes(const char *text)
{
	static const struct {
		const char *name;
		int64_t bytes;
	} units[] = { { "", 1 }, { "B", 1 }, { "kB", 1000 }, { "KB", 1000 },
		{ "MB", 1000000 }, { "GB", 1000000000 }, { "KiB", 1 << 10 },
		{ "MiB", 1 << 20 }, { "GiB", 1 << 30 } };
	double number;
	char *end;

	if (*text < '0' || *text > '9' || text[0] == '0' || text[1] == 'x')
		number = strcmp(text, "0") == 0 ? 0 : NAN;
	else
		number = strtod(text, &end);
	if (number == 0)
		return 0;
	for (size_t i = 0; !isnan(number) && i < sizeof(units) / sizeof(*units);
	     i++) {
		if (strcmp(end + (*end == ' '), units[i].name) != 0)
			continue;
		number *= (double)units[i].bytes;
		if (number < 1e15)
			return (int64_t)number;
	}
	errno = EINVAL;
	return -1;
}

/* --- what is written ------------------------------------------------------ */

static const char *
written(const config_setting_t *setting)
{
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_GROUP:
		return "a group { }";
	case CONFIG_TYPE_LIST:
		return "a list ( )";
	case CONFIG_TYPE_ARRAY:
		return "an array [ ]";
	case CONFIG_TYPE_STRING:
		return "a string";
	case CONFIG_TYPE_BOOL:
		return "true or false";
	case CONFIG_TYPE_FLOAT:
		return "a number with a fraction";
	default:
		return "a whole number";
	}
}

static void
wrong_type(
    struct load *load, const config_setting_t *setting, const char *wanted)
{
	mistake(load, setting, "must be %s, is %s", wanted, written(setting));
}

static bool
in_range(struct load *load, const struct schema *row,
    const config_setting_t *setting, double value)
{
	char range[256];

	if (value >= row->min && value <= row->max)
		return true;
	schema_range(row, range, sizeof(range));
	mistake(load, setting, "must be %s, is %.15g", range, value);
	return false;
}

static bool
is_whole(const config_setting_t *setting)
{
	return config_setting_type(setting) == CONFIG_TYPE_INT ||
	    config_setting_type(setting) == CONFIG_TYPE_INT64;
}

static void
read_int(struct load *load, const struct schema *row, config_setting_t *setting,
    void *base)
{
	if (!is_whole(setting))
		wrong_type(load, setting, "a whole number");
	else if (in_range(load, row, setting,
		     (double)config_setting_get_int64(setting)))
		put_number(row, base, config_setting_get_int64(setting));
}

/* Seconds and USD: kept in thousandths and in nano-USD. */
static void
read_decimal(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	bool seconds = row->type == SCHEMA_SECONDS;
	double value;

	if (is_whole(setting))
		value = (double)config_setting_get_int64(setting);
	else if (config_setting_type(setting) == CONFIG_TYPE_FLOAT)
		value = config_setting_get_float(setting);
	else {
		wrong_type(load, setting,
		    seconds ? "a number of seconds" : "a number of USD");
		return;
	}
	if (in_range(load, row, setting, value))
		put_number(
		    row, base, llround(value * (seconds ? 1000 : NANOUSD)));
}

static void
read_bytes(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	int64_t value;

	if (is_whole(setting))
		value = config_setting_get_int64(setting);
	else if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
		wrong_type(load, setting, "a size such as \"64 MiB\"");
		return;
	} else if ((value = value_bytes(config_setting_get_string(setting))) ==
	    -1) {
		mistake(load, setting,
		    "must be a size such as \"64 MiB\" or \"25 MB\", is %s",
		    mistake_quote(load, config_setting_get_string(setting)));
		return;
	}
	if (in_range(load, row, setting, (double)value))
		put_number(row, base, value);
}

static void
read_bool(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
		wrong_type(load, setting, "true or false");
	else
		put_bool(row, base, config_setting_get_bool(setting) != 0);
}

/* A string's rules: its length, and bytes that can stand in a log line. */
static const char *
string_check(
    struct load *load, const config_setting_t *setting, double min, double max)
{
	const char *text = config_setting_get_string(setting);
	const unsigned char *p = (const unsigned char *)text;
	size_t len, n;

	if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
		wrong_type(load, setting, "a string");
		return NULL;
	}
	len = strlen(text);
	if ((double)len < min || (double)len > max) {
		mistake(load, setting, "must have %.0f..%.0f bytes, has %zu",
		    min, max, len);
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

static void
read_ref(struct load *load, const struct schema *row, config_setting_t *setting,
    void *base)
{
	const char *name = string_check(load, setting, row->min, row->max);
	const char *near;
	const void *found;

	if (name == NULL)
		return;
	if ((found = ref_find(load, row->of, name)) != NULL) {
		put_pointer(row, base, found);
		return;
	}
	near = ref_near(load, row->of, name);
	mistake(load, setting, "none of the %s has the name %s%s%s%s", row->of,
	    mistake_quote(load, name), near != NULL ? "; did you mean " : "",
	    near != NULL ? mistake_quote(load, near) : "",
	    near != NULL ? "?" : "");
}

static void
read_url(struct load *load, const struct schema *row, config_setting_t *setting,
    void *base)
{
	const char *text = string_check(load, setting, row->min, row->max);
	const char *wrong;
	size_t len;

	if (text == NULL)
		return;
	/* The text is not shown: it may hold a password. */
	if ((wrong = url_check(text, row->words)) != NULL) {
		mistake(load, setting, "the URL %s", wrong);
		return;
	}
	for (len = strlen(text); text[len - 1] == '/';)
		len--;
	put_pointer(
	    row, base, arena_text(load->arena, (struct span){ text, len }));
}

static void
read_string(struct load *load, const struct schema *row,
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
		put_pointer(row, base,
		    row->type == SCHEMA_PATH ? path_make(load, text)
					     : arena_strdup(load->arena, text));
}

static void
read_date(struct load *load, const struct schema *row,
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
		put_number(row, base, when);
}

static void
read_digest(struct load *load, const struct schema *row,
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

/* --- several of them ------------------------------------------------------ */

/* An array or a list; its length, or -1 and reported. */
static int
many_length(struct load *load, const struct schema *row,
    const config_setting_t *setting)
{
	int n;

	if (!config_setting_is_array(setting) &&
	    !config_setting_is_list(setting)) {
		wrong_type(load, setting, "an array [ \"…\", \"…\" ]");
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

static void
read_strings(struct load *load, const struct schema *row,
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
	put_many(row, base, texts, count);
}

static void
read_nets(struct load *load, const struct schema *row,
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
			    "\"10.0.0.0/8\" (no bits set behind the prefix), "
			    "is %s",
			    mistake_quote(load, text));
	}
	put_many(row, base, nets, count);
}

/* The bit or number of a word; -1 where it is none of the row's. */
static int64_t
word_value(const struct schema *row, const char *word)
{
	int index = schema_word(row->words, word);

	if (index == -1)
		return -1;
	if (row->type == SCHEMA_ENDPOINTS)
		return ENDPOINT_BIT(endpoint_by_name(span_of(word)));
	return row->type == SCHEMA_WORDS ? (int64_t)1 << index : index;
}

static int64_t
word_read(struct load *load, const struct schema *row,
    const config_setting_t *setting)
{
	const char *word = string_check(load, setting, 0, 256);
	int64_t value;

	if (word == NULL)
		return -1;
	if ((value = word_value(row, word)) == -1)
		mistake(load, setting, "must be one of: %s; is %s", row->words,
		    mistake_quote(load, word));
	return value;
}

static void
read_word(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	int64_t value = word_read(load, row, setting);

	if (value != -1)
		put_number(row, base, value);
}

static void
read_words(struct load *load, const struct schema *row,
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
	put_number(row, base, mask);
}

static void
read_group(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	if (!config_setting_is_group(setting)) {
		wrong_type(load, setting, "a group { }");
		setting = NULL;
	}
	load_group(load, row->of, setting, (char *)base + row->offset);
}

static void
read_list(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	int n = config_setting_is_list(setting) ? config_setting_length(setting)
						: -1;
	char *elements;

	if (n == -1) {
		wrong_type(load, setting, "a list ( { }, { } )");
		return;
	}
	if (!in_range(load, row, setting, n))
		return;
	elements = arena_alloc(load->arena, (size_t)n * row->width);
	for (int i = 0; i < n; i++) {
		config_setting_t *element =
		    config_setting_get_elem(setting, (unsigned)i);

		if (!config_setting_is_group(element)) {
			wrong_type(load, element, "a group { }");
			element = NULL;
		}
		load_group(
		    load, row->of, element, elements + (size_t)i * row->width);
	}
	put_many(row, base, elements, (size_t)n);
}

/* --- what holds where nothing is written ---------------------------------- */

static void
preset_strings(struct load *load, const struct schema *row, void *base)
{
	const char **texts = arena_alloc(load->arena, sizeof(*texts));

	texts[0] = row->preset;
	put_many(row, base, texts, 1);
}

static void
preset(struct load *load, const struct schema *row, void *base)
{
	const char *text = row->preset;

	switch (row->type) {
	case SCHEMA_INT:
		put_number(row, base, strtoll(text, NULL, 10));
		break;
	case SCHEMA_SECONDS:
		put_number(row, base, llround(strtod(text, NULL) * 1000));
		break;
	case SCHEMA_BYTES:
		put_number(row, base, value_bytes(text));
		break;
	case SCHEMA_BOOL:
		put_bool(row, base, strcmp(text, "true") == 0);
		break;
	case SCHEMA_WORD:
		put_number(row, base, word_value(row, text));
		break;
	case SCHEMA_PATH:
		put_pointer(row, base, path_make(load, text));
		break;
	case SCHEMA_STRING:
		put_pointer(row, base, text);
		break;
	case SCHEMA_STRINGS:
		preset_strings(load, row, base);
		break;
	default:
		fatal("schema: %s.%s cannot have a preset", row->group,
		    row->name);
	}
}

/* What stands for "not given"; all else is zero already. */
static void
unset(struct load *load, const struct schema *row, void *base)
{
	if (row->preset != NULL)
		preset(load, row, base);
	else if (row->type == SCHEMA_USD && row->min == 0)
		put_number(row, base, -1);
	else if (row->type == SCHEMA_DATE)
		put_number(row, base, CLOCK_NEVER);
}

void
value_load(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	static void (*const readers[])(struct load *, const struct schema *,
	    config_setting_t *, void *) = { [SCHEMA_GROUP] = read_group,
		[SCHEMA_LIST] = read_list,
		[SCHEMA_STRING] = read_string,
		[SCHEMA_STRINGS] = read_strings,
		[SCHEMA_INT] = read_int,
		[SCHEMA_SECONDS] = read_decimal,
		[SCHEMA_BYTES] = read_bytes,
		[SCHEMA_USD] = read_decimal,
		[SCHEMA_BOOL] = read_bool,
		[SCHEMA_WORD] = read_word,
		[SCHEMA_WORDS] = read_words,
		[SCHEMA_ENDPOINTS] = read_words,
		[SCHEMA_NAME] = read_string,
		[SCHEMA_PATH] = read_string,
		[SCHEMA_URL] = read_url,
		[SCHEMA_NETS] = read_nets,
		[SCHEMA_DATE] = read_date,
		[SCHEMA_DIGEST] = read_digest,
		[SCHEMA_REF] = read_ref };

	unset(load, row, base);
	if (setting != NULL)
		readers[row->type](load, row, setting, base);
	else if (row->type == SCHEMA_GROUP)
		load_group(load, row->of, NULL, (char *)base + row->offset);
}

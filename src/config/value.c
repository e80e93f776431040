/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * One setting, from the file's text to the C struct: hides the type, range and
 * place that its schema row gives.
 */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/value_internal.h"

#define NANOUSD 1e9

/* --- what is kept --------------------------------------------------------- */

void
value_put_number(const struct schema *row, void *base, int64_t value)
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

void
value_put_pointer(const struct schema *row, void *base, const void *value)
{
	memcpy((char *)base + row->offset, &value, sizeof(value));
}

void
value_put_many(
    const struct schema *row, void *base, const void *array, size_t n)
{
	value_put_pointer(row, base, n == 0 ? NULL : array);
	memcpy((char *)base + row->count_offset, &n, sizeof(n));
}

/* A bool without a preset may not be given: enum tri. */
static void
put_bool(const struct schema *row, void *base, bool value)
{
	if (row->width == sizeof(enum tri) && row->width != sizeof(bool))
		value_put_number(row, base, value ? TRI_YES : TRI_NO);
	else
		value_put_number(row, base, value);
}

/* "25 MB", "1 GiB", "4096"; -1 with EINVAL. */
static int64_t
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

void
value_wrong_type(
    struct load *load, const config_setting_t *setting, const char *wanted)
{
	mistake(load, setting, "must be %s, is %s", wanted, written(setting));
}

/* False: reported. */
static bool
in_range(struct load *load, const struct schema *row,
    const config_setting_t *setting, double value)
{
	char range[SCHEMA_RANGE_SIZE];

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
		value_wrong_type(load, setting, "a whole number");
	else if (in_range(load, row, setting,
		     (double)config_setting_get_int64(setting)))
		value_put_number(row, base, config_setting_get_int64(setting));
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
		value_wrong_type(load, setting,
		    seconds ? "a number of seconds" : "a number of USD");
		return;
	}
	if (in_range(load, row, setting, value))
		value_put_number(
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
		value_wrong_type(load, setting, "a size such as \"64 MiB\"");
		return;
	} else if ((value = value_bytes(config_setting_get_string(setting))) ==
	    -1) {
		mistake(load, setting,
		    "must be a size such as \"64 MiB\" or \"25 MB\", is %s",
		    mistake_quote(load, config_setting_get_string(setting)));
		return;
	}
	if (in_range(load, row, setting, (double)value))
		value_put_number(row, base, value);
}

static void
read_bool(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
		value_wrong_type(load, setting, "true or false");
	else
		put_bool(row, base, config_setting_get_bool(setting) != 0);
}

static void
not_a_group(struct load *load, const struct schema *row,
    const config_setting_t *setting)
{
	/* The text may be the key itself: it is not shown. */
	if (strcmp(row->of, "key") == 0)
		mistake(load, setting,
		    "do not write the key itself here: put it into a file and "
		    "write %s{ file = \"NAME.key\"; } (or { env = \"NAME\"; }, "
		    "{ credential = \"NAME\"; })",
		    row->type == SCHEMA_LIST ? "" : "key = ");
	else
		value_wrong_type(load, setting, "a group { }");
}

static void
read_group(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	if (!config_setting_is_group(setting)) {
		not_a_group(load, row, setting);
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
		value_wrong_type(load, setting, "a list ( { }, { } )");
		return;
	}
	if (!in_range(load, row, setting, n))
		return;
	elements = arena_alloc(load->arena, (size_t)n * row->width);
	for (int i = 0; i < n; i++) {
		config_setting_t *element =
		    config_setting_get_elem(setting, (unsigned)i);

		if (!config_setting_is_group(element)) {
			not_a_group(load, row, element);
			element = NULL;
		}
		load_group(
		    load, row->of, element, elements + (size_t)i * row->width);
	}
	value_put_many(row, base, elements, (size_t)n);
}

/* --- what holds where nothing is written ---------------------------------- */

static void
preset_strings(struct load *load, const struct schema *row, void *base)
{
	const char **texts = arena_alloc(load->arena, sizeof(*texts));

	texts[0] = row->preset;
	value_put_many(row, base, texts, 1);
}

static void
preset(struct load *load, const struct schema *row, void *base)
{
	const char *text = row->preset;

	switch (row->type) {
	case SCHEMA_INT:
		value_put_number(row, base, strtoll(text, NULL, 10));
		break;
	case SCHEMA_SECONDS:
		value_put_number(row, base, llround(strtod(text, NULL) * 1000));
		break;
	case SCHEMA_BYTES:
		value_put_number(row, base, value_bytes(text));
		break;
	case SCHEMA_BOOL:
		put_bool(row, base, strcmp(text, "true") == 0);
		break;
	case SCHEMA_WORD:
		value_put_number(row, base, value_of_word(row, text));
		break;
	case SCHEMA_PATH:
		value_put_pointer(row, base, value_path(load, text));
		break;
	case SCHEMA_STRING:
		value_put_pointer(row, base, text);
		break;
	case SCHEMA_STRINGS:
		preset_strings(load, row, base);
		break;
	default:
		fatal("schema: %s.%s cannot have a preset", row->group,
		    row->name);
	}
}

/* The values for "not given"; everything else is zero already. */
static void
unset(struct load *load, const struct schema *row, void *base)
{
	if (row->preset != NULL)
		preset(load, row, base);
	else if (row->type == SCHEMA_USD && row->min == 0)
		value_put_number(row, base, -1);
	else if (row->type == SCHEMA_DATE)
		value_put_number(row, base, CLOCK_NEVER);
}

void
value_load(struct load *load, const struct schema *row,
    config_setting_t *setting, void *base)
{
	static void (*const readers[])(struct load *, const struct schema *,
	    config_setting_t *, void *) = { [SCHEMA_GROUP] = read_group,
		[SCHEMA_LIST] = read_list,
		[SCHEMA_STRING] = value_read_string,
		[SCHEMA_STRINGS] = value_read_strings,
		[SCHEMA_INT] = read_int,
		[SCHEMA_SECONDS] = read_decimal,
		[SCHEMA_BYTES] = read_bytes,
		[SCHEMA_USD] = read_decimal,
		[SCHEMA_BOOL] = read_bool,
		[SCHEMA_WORD] = value_read_word,
		[SCHEMA_WORDS] = value_read_words,
		[SCHEMA_ENDPOINTS] = value_read_words,
		[SCHEMA_NAME] = value_read_string,
		[SCHEMA_PATH] = value_read_string,
		[SCHEMA_URL] = value_read_url,
		[SCHEMA_NETS] = value_read_nets,
		[SCHEMA_DATE] = value_read_date,
		[SCHEMA_DIGEST] = value_read_digest,
		[SCHEMA_REF] = value_read_ref };

	unset(load, row, base);
	if (setting != NULL)
		readers[row->type](load, row, setting, base);
	else if (row->type == SCHEMA_GROUP)
		load_group(load, row->of, NULL, (char *)base + row->offset);
}

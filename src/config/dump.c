/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The effective configuration, written in its own syntax by the table that also
 * reads it.  It contains no secret: a key is shown as where it comes from, and
 * headers that look like one are masked.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/settings.h"
#include "config/schema.h"

struct dump {
	FILE *out;
	unsigned indent;
};

static void dump_group(struct dump *, const char *group, const void *base);

static int64_t
get_number(const struct schema *row, const void *base)
{
	const char *slot = (const char *)base + row->offset;
	bool flag;
	uint32_t small;
	int64_t value;

	if (row->width == sizeof(flag)) {
		memcpy(&flag, slot, sizeof(flag));
		return flag;
	}
	if (row->width == sizeof(small)) {
		memcpy(&small, slot, sizeof(small));
		return small;
	}
	memcpy(&value, slot, sizeof(value));
	return value;
}

static const void *
get_pointer(const struct schema *row, const void *base)
{
	const void *value;

	memcpy(&value, (const char *)base + row->offset, sizeof(value));
	return value;
}

static size_t
get_count(const struct schema *row, const void *base)
{
	size_t n;

	memcpy(&n, (const char *)base + row->count_offset, sizeof(n));
	return n;
}

static void
write_string(struct dump *d, const char *text)
{
	fputc('"', d->out);
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			fputc('\\', d->out);
		fputc(*p, d->out);
	}
	fputc('"', d->out);
}

static void
begin(struct dump *d, const char *name)
{
	fprintf(d->out, "%*s%s = ", (int)d->indent * 2, "", name);
}

/* "0.05", "120.0": always a fraction, so that libconfig reads a float. */
static void
write_decimal(struct dump *d, int64_t value, int64_t unit, int digits)
{
	char fraction[24];
	size_t len;

	snprintf(
	    fraction, sizeof(fraction), "%0*" PRId64, digits, value % unit);
	for (len = strlen(fraction); len > 1 && fraction[len - 1] == '0';)
		fraction[--len] = '\0';
	fprintf(d->out, "%" PRId64 ".%s", value / unit, fraction);
}

static void
dump_number(struct dump *d, const struct schema *row, const void *base)
{
	int64_t value = get_number(row, base);

	/* 0 if that is outside of the range, or -1: not given. */
	if (value < 0 || (value == 0 && row->min > 0 && row->preset == NULL))
		return;
	begin(d, row->name);
	if (row->type == SCHEMA_SECONDS)
		write_decimal(d, value, 1000, 3);
	else if (row->type == SCHEMA_USD)
		write_decimal(d, value, 1000000000, 9);
	else
		fprintf(d->out, "%" PRId64 "%s", value,
		    value > INT32_MAX ? "L" : "");
	fputs(";\n", d->out);
}

static void
dump_bool(struct dump *d, const struct schema *row, const void *base)
{
	bool tri = row->width == sizeof(enum tri);
	int64_t value = get_number(row, base);

	if (tri && value == TRI_UNSET)
		return;
	begin(d, row->name);
	fprintf(d->out, "%s;\n",
	    value == (tri ? TRI_YES : true) ? "true" : "false");
}

static bool
is_secret(const struct schema *row, const void *base)
{
	static const char *const marks[] = { "key", "token", "auth", "secret",
		"cookie", "password" };
	const struct header *header = base;

	if (strcmp(row->group, "headers") != 0 ||
	    strcmp(row->name, "value") != 0)
		return false;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (strcasestr(header->name, marks[i]) != NULL)
			return true;
	return false;
}

static void
dump_string(struct dump *d, const struct schema *row, const void *base)
{
	const char *text = get_pointer(row, base);

	if (text == NULL)
		return;
	begin(d, row->name);
	write_string(d, is_secret(row, base) ? "***" : text);
	fputs(";\n", d->out);
}

/* Limits and providers both begin with their name. */
static void
dump_ref(struct dump *d, const struct schema *row, const void *base)
{
	const void *element = get_pointer(row, base);

	if (element == NULL)
		return;
	begin(d, row->name);
	write_string(d,
	    strcmp(row->of, "limits") == 0
		? ((const struct limit *)element)->name
		: ((const struct provider *)element)->name);
	fputs(";\n", d->out);
}

static void
dump_strings(struct dump *d, const struct schema *row, const void *base)
{
	const char *const *texts = get_pointer(row, base);
	size_t n = get_count(row, base);

	begin(d, row->name);
	fputs("[ ", d->out);
	for (size_t i = 0; i < n; i++) {
		fputs(i > 0 ? ", " : "", d->out);
		write_string(d, texts[i]);
	}
	fputs(" ];\n", d->out);
}

static void
dump_nets(struct dump *d, const struct schema *row, const void *base)
{
	const struct net *nets = get_pointer(row, base);
	size_t n = get_count(row, base);
	char text[NET_TEXT_SIZE];

	begin(d, row->name);
	fputs("[ ", d->out);
	for (size_t i = 0; i < n; i++) {
		net_text(&nets[i], text);
		fprintf(d->out, "%s\"%s\"", i > 0 ? ", " : "", text);
	}
	fputs(" ];\n", d->out);
}

static void
dump_word(struct dump *d, const struct schema *row, const void *base)
{
	char word[64];

	if (!schema_word_at(row->words, (unsigned)get_number(row, base), word,
		sizeof(word)))
		fatal("schema: %s.%s has no such word", row->group, row->name);
	begin(d, row->name);
	fprintf(d->out, "\"%s\";\n", word);
}

static void
dump_words(struct dump *d, const struct schema *row, const void *base)
{
	uint64_t mask = (uint64_t)get_number(row, base), bit;
	const char *comma = "";
	char word[64];

	if (mask == 0)
		return;
	begin(d, row->name);
	fputs("[ ", d->out);
	for (unsigned i = 0; schema_word_at(row->words, i, word, sizeof(word));
	     i++) {
		bit = row->type == SCHEMA_ENDPOINTS
		    ? ENDPOINT_BIT(endpoint_by_name(span_of(word)))
		    : UINT64_C(1) << i;
		if ((mask & bit) == 0)
			continue;
		fprintf(d->out, "%s\"%s\"", comma, word);
		comma = ", ";
	}
	fputs(" ];\n", d->out);
}

static void
dump_date(struct dump *d, const struct schema *row, const void *base)
{
	int64_t when = get_number(row, base);
	char text[CLOCK_TEXT_SIZE];

	if (when == CLOCK_NEVER)
		return;
	clock_text(when, text);
	begin(d, row->name);
	fprintf(d->out, "\"%s\";\n", text);
}

static void
dump_digest(struct dump *d, const struct schema *row, const void *base)
{
	char text[DIGEST_TEXT_SIZE];
	bool has;

	memcpy(&has, (const char *)base + row->count_offset, sizeof(has));
	if (!has)
		return;
	digest_text((const unsigned char *)base + row->offset, text);
	begin(d, row->name);
	fprintf(d->out, "\"%s\";\n", text);
}

/* Its presets alone would be a mistake. */
static bool
is_no_wake(const struct schema *row, const void *group)
{
	const struct wake *w = group;

	return strcmp(row->of, "wake") == 0 && w->mac == NULL &&
	    w->ncommand == 0;
}

static void
dump_sub(struct dump *d, const struct schema *row, const void *base)
{
	if (is_no_wake(row, (const char *)base + row->offset))
		return;
	begin(d, row->name);
	fputs("{\n", d->out);
	d->indent++;
	dump_group(d, row->of, (const char *)base + row->offset);
	d->indent--;
	fprintf(d->out, "%*s};\n", (int)d->indent * 2, "");
}

static void
dump_list(struct dump *d, const struct schema *row, const void *base)
{
	const char *elements = get_pointer(row, base);
	size_t n = get_count(row, base);

	begin(d, row->name);
	fputs("(", d->out);
	d->indent += 2;
	for (size_t i = 0; i < n; i++) {
		fprintf(d->out, "%s\n%*s{\n", i > 0 ? "," : "",
		    (int)d->indent * 2 - 2, "");
		dump_group(d, row->of, elements + i * row->width);
		fprintf(d->out, "%*s}", (int)d->indent * 2 - 2, "");
	}
	d->indent -= 2;
	fputs(" );\n", d->out);
}

static void
dump_group(struct dump *d, const char *group, const void *base)
{
	static void (*const writers[])(struct dump *, const struct schema *,
	    const void *) = { [SCHEMA_GROUP] = dump_sub,
		[SCHEMA_LIST] = dump_list,
		[SCHEMA_STRING] = dump_string,
		[SCHEMA_STRINGS] = dump_strings,
		[SCHEMA_INT] = dump_number,
		[SCHEMA_SECONDS] = dump_number,
		[SCHEMA_BYTES] = dump_number,
		[SCHEMA_USD] = dump_number,
		[SCHEMA_BOOL] = dump_bool,
		[SCHEMA_WORD] = dump_word,
		[SCHEMA_WORDS] = dump_words,
		[SCHEMA_ENDPOINTS] = dump_words,
		[SCHEMA_NAME] = dump_string,
		[SCHEMA_PATH] = dump_string,
		[SCHEMA_URL] = dump_string,
		[SCHEMA_NETS] = dump_nets,
		[SCHEMA_DATE] = dump_date,
		[SCHEMA_DIGEST] = dump_digest,
		[SCHEMA_REF] = dump_ref };

	for (size_t i = 0; i < schema_count; i++)
		if (strcmp(schema_table[i].group, group) == 0)
			writers[schema_table[i].type](
			    d, &schema_table[i], base);
}

void
config_dump(const struct config *config, FILE *out)
{
	struct dump d = { out, 0 };
	struct config whole = *config;

	/* The dump contains the clients: it replaces all files. */
	fprintf(out, "# The effective configuration of %s\n", config->path);
	if (*config->clients_file != '\0')
		fprintf(
		    out, "# with the clients of %s\n", config->clients_file);
	whole.clients_file = "";
	whole.price_file = NULL;
	dump_group(&d, "", &whole);
}

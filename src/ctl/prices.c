/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * tailgate prices: copies the prices of the configured models from a public
 * list to price_file.  It does not use the network: the list is a file.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/replace.h"
#include "config/load.h"
#include "config/splice.h"
#include "ctl/catalogue.h"
#include "ctl/ctl.h"
#include "ctl/diff.h"

#define SELLERS_MAX 64
#define FOREIGN_MAX 256 /* bytes of the list's text in messages */
#define TEXT_MAX (16 * 1024 * 1024)

const struct ctl_option ctl_prices_options[] = {
	{ "seller", "PROVIDER=NAME", 's',
	    "what the list calls the seller that a provider is" },
	{ "date", "DATE", 'd',
	    "when the list was fetched (the time of the file)" },
	{ "dry-run", NULL, 'n', "show the changes, and write nothing" },
	{ NULL, NULL, 0, NULL },
};

struct prices {
	struct config *config;
	struct catalogue catalogue;
	struct arena *arena;
	const char *sellers[SELLERS_MAX]; /* PROVIDER=NAME */
	size_t nsellers;
	char date[16];
	bool dry;
	struct buf before, text;
	unsigned mode; /* of price_file */
	bool is_new; /* there is no such file yet */
	size_t nrows; /* in text */
	size_t missing, tiers;
};

/* ---- the seller of a model -------------------------------------------- */

static const char *
seller_said(const struct prices *p, const struct provider *provider)
{
	size_t n = strlen(provider->name);

	for (size_t i = 0; i < p->nsellers; i++)
		if (strncmp(p->sellers[i], provider->name, n) == 0 &&
		    p->sellers[i][n] == '=')
			return p->sellers[i] + n + 1;
	return NULL;
}

/* Prints text of the list, which may be hostile. */
static void
say_foreign(FILE *out, const char *before, const char *text, const char *after)
{
	char escaped[FOREIGN_MAX];

	log_escape(text, strlen(text), escaped, sizeof(escaped));
	fprintf(out, "%s%s%s", before, escaped, after);
}

/* Prints the list's sellers of the model, one of which --seller may name. */
static void
say_missing(struct prices *p, const struct target *t)
{
	const char *between = ": sold there by ";

	p->missing++;
	printf("%s at %s: no price in the list", t->model, t->provider->name);
	for (size_t i = 0, n = 0; i < p->catalogue.n && n < 8; i++)
		if (catalogue_is_model(&p->catalogue.rows[i], t->model)) {
			say_foreign(
			    stdout, between, p->catalogue.rows[i].seller, "");
			between = ", ";
			n++;
		}
	if (*between == ',')
		printf(
		    "; --seller %s=NAME says which it is", t->provider->name);
	printf("\n");
}

/* ---- the text of price_file ------------------------------------------- */

static const struct setting {
	const char *name;
	size_t offset;
} settings[] = {
	{ "input", offsetof(struct price, input) },
	{ "cached", offsetof(struct price, cached) },
	{ "cache_write", offsetof(struct price, cache_write) },
	{ "cache_write_1h", offsetof(struct price, cache_write_1h) },
	{ "output", offsetof(struct price, output) },
	{ "reasoning", offsetof(struct price, reasoning) },
	{ "character", offsetof(struct price, character) },
	{ "second", offsetof(struct price, second) },
	{ "request", offsetof(struct price, request) },
	{ "image", offsetof(struct price, image) },
};
#define NSETTINGS (sizeof(settings) / sizeof(settings[0]))

static int64_t
amount(const struct price *price, size_t i)
{
	return *(const int64_t *)((const char *)price + settings[i].offset);
}

/* nano-USD as USD: "2.5", "0.000125", "3.0". */
static void
put_usd(struct buf *out, int64_t nanousd)
{
	char text[64];
	size_t n =
	    (size_t)snprintf(text, sizeof(text), "%" PRId64 ".%09" PRId64,
		nanousd / 1000000000, nanousd % 1000000000);

	while (text[n - 1] == '0' && text[n - 2] != '.')
		n--;
	buf_add(out, text, n);
}

/* The index of this target's row in price_file; nprices: there is none. */
static size_t
listed_at(const struct prices *p, const struct target *t)
{
	const struct config *c = p->config;

	for (size_t i = 0; i < c->nprices; i++)
		if (c->prices[i].provider == t->provider &&
		    c->prices[i].model != NULL &&
		    strcmp(c->prices[i].model, t->model) == 0)
			return i;
	return c->nprices;
}

static int
row_change(struct prices *p, size_t at, const struct price *price)
{
	char date[32];
	struct buf value;
	int status = 0;

	buf_init(&value, 64);
	for (size_t i = 0; i < NSETTINGS && status == 0; i++) {
		/* A price that is right stays as it is written. */
		if (amount(price, i) < 0 ||
		    amount(price, i) == amount(&p->config->prices[at].price, i))
			continue;
		buf_reset(&value);
		put_usd(&value, amount(price, i));
		status = splice_set(
		    &p->text, "prices", at, settings[i].name, value.p);
	}
	buf_free(&value);
	snprintf(date, sizeof(date), "\"%s\"", p->date);
	return status == 0 ? splice_set(&p->text, "prices", at, "date", date)
			   : -1;
}

static int
row_append(struct prices *p, const struct target *t, const struct price *price)
{
	struct buf body;
	int status;

	buf_init(&body, 65536);
	buf_puts(&body, "provider = ");
	splice_quote(&body, t->provider->name);
	buf_puts(&body, "; model = ");
	splice_quote(&body, t->model);
	buf_printf(&body, "; date = \"%s\";", p->date);
	for (size_t i = 0; i < NSETTINGS; i++)
		if (amount(price, i) >= 0) {
			buf_printf(&body, " %s = ", settings[i].name);
			put_usd(&body, amount(price, i));
			buf_puts(&body, ";");
		}
	status = splice_add(&p->text, "prices", body.p);
	buf_free(&body);
	return status;
}

/* Another model may have the same target. */
static bool
seen_before(const struct prices *p, size_t model, size_t target)
{
	const struct target *t = &p->config->models[model].targets[target];

	for (size_t i = 0; i <= model; i++) {
		const struct model *m = &p->config->models[i];
		size_t n = i == model ? target : m->ntargets;

		for (size_t k = 0; k < n; k++)
			if (m->targets[k].provider == t->provider &&
			    strcmp(m->targets[k].model, t->model) == 0)
				return true;
	}
	return false;
}

static int
target_take(struct prices *p, const struct target *t)
{
	const struct catalogue_row *row;
	size_t at = listed_at(p, t);

	/* A price that the operator wrote beside the target overrides the list,
	 * and a provider of one's own has no price. */
	if ((t->price.known && !t->price.listed) ||
	    (t->provider->place != PLACE_EXTERNAL &&
		at == p->config->nprices) ||
	    strchr(t->model, '*') != NULL)
		return 0;
	if ((row = catalogue_find(&p->catalogue, t->provider, t->model,
		 seller_said(p, t->provider))) == NULL) {
		say_missing(p, t);
		return 0;
	}
	p->tiers += row->tiers;
	return at < p->config->nprices ? row_change(p, at, &row->price)
				       : row_append(p, t, &row->price);
}

static int
targets_take(struct prices *p)
{
	for (size_t i = 0; i < p->config->nmodels; i++)
		for (size_t k = 0; k < p->config->models[i].ntargets; k++)
			if (!seen_before(p, i, k) &&
			    target_take(p, &p->config->models[i].targets[k]) ==
				-1)
				return -1;
	return 0;
}

/* ---- the command ------------------------------------------------------ */

/* Reads a whole file.  -1 after an error message. */
static int
file_read(const char *path, struct buf *out, struct stat *st)
{
	FILE *file = fopen(path, "re");
	char piece[16384];
	size_t n;

	buf_puts(out, "");
	if (file == NULL || fstat(fileno(file), st) == -1) {
		fprintf(
		    stderr, "tailgate prices: %s: %s\n", path, strerror(errno));
		if (file != NULL)
			fclose(file);
		return -1;
	}
	while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_add(out, piece, n);
	n = ferror(file) != 0 || buf_failed(out);
	fclose(file);
	if (n != 0)
		fprintf(stderr,
		    "tailgate prices: %s: it cannot be read, or is too long\n",
		    path);
	return n != 0 ? -1 : 0;
}

static int
prices_write(struct prices *p)
{
	const char *path = p->config->price_file;

	/* A file that the configuration names has to be there. */
	if (p->is_new && p->text.len == 0) {
		printf("no target needs a price from this list\n");
		buf_puts(&p->text, "prices = ( );\n");
	}
	if (span_eq(buf_span(&p->before), buf_span(&p->text))) {
		printf("%s has these prices already\n", path);
		return 0;
	}
	diff_print(
	    path, buf_span(&p->before), buf_span(&p->text), NULL, 0, stdout);
	if (p->dry)
		return 0;
	if (replace_file(path, &p->text, p->mode) == -1) {
		fprintf(
		    stderr, "tailgate prices: %s: %s\n", path, strerror(errno));
		return 1;
	}
	printf("wrote %s; the gateway has it after a reload (SIGHUP)\n", path);
	return 0;
}

/* Only the directory that price_file is in may be written. */
static int
confine(const struct prices *p)
{
	struct config none = { .sandbox = p->config->sandbox };
	char *dir = arena_strdup(p->arena, p->config->price_file);
	const char *dirs[] = { dir, NULL };
	struct sandbox_more more = { .writes = p->dry ? NULL : dirs };

	*strrchr(dir, '/') = '\0';
	if (*dir == '\0')
		dirs[0] = "/";
	return ctl_confine(&none, SANDBOX_SETUP, &more);
}

static int
import(struct prices *p, const char *path)
{
	char when[CLOCK_TEXT_SIZE];
	struct stat list, st;
	const char *wrong;
	struct buf json;
	int status = 1;

	buf_init(&json, CATALOGUE_BYTES_MAX);
	if (file_read(path, &json, &list) == -1)
		goto out;
	p->mode = 0644;
	p->is_new = access(p->config->price_file, F_OK) == -1;
	if (!p->is_new) {
		if (file_read(p->config->price_file, &p->before, &st) == -1)
			goto out;
		p->mode = st.st_mode & 0777;
	}
	if (*p->date == '\0') {
		clock_text((int64_t)list.st_mtime * 1000, when);
		strlcpy(p->date, when, sizeof("2026-11-28"));
	}
	buf_add(&p->text, p->before.p, p->before.len);
	if (confine(p) == -1)
		goto out;
	if ((wrong = catalogue_read(
		 &p->catalogue, buf_span(&json), p->arena)) != NULL) {
		fprintf(stderr, "tailgate prices: %s: ", path);
		say_foreign(stderr, "", wrong, "\n");
	} else if (targets_take(p) == -1)
		fprintf(stderr,
		    "tailgate prices: %s: its list cannot be edited; write "
		    "prices = ( ); in it\n",
		    p->config->price_file);
	else {
		if (p->tiers > 0)
			printf("%zu of these models cost more for long "
			       "prompts, which price_file cannot say\n",
			    p->tiers);
		status = prices_write(p);
	}
out:
	buf_free(&json);
	return status;
}

static int
option_take(struct prices *p, int c)
{
	int64_t when;

	switch (c) {
	case 's':
		if (strchr(optarg, '=') == NULL || p->nsellers == SELLERS_MAX)
			return ctl_misuse("prices", "--seller PROVIDER=NAME");
		p->sellers[p->nsellers++] = optarg;
		return 0;
	case 'd':
		if (strlen(optarg) != strlen("2026-11-28") ||
		    (when = clock_parse(optarg)) == -1)
			return ctl_misuse("prices", "--date YYYY-MM-DD");
		strlcpy(p->date, optarg, sizeof(p->date));
		return 0;
	case 'n':
		p->dry = true;
		return 0;
	default:
		return ctl_misuse("prices", NULL);
	}
}

/* A price_file that does not exist yet counts as empty. */
static int
config_take(struct prices *p)
{
	p->config = ctl_read(CONFIG_NO_SECRETS | CONFIG_NEW_PRICES);
	if (p->config == NULL)
		return -1;
	if (p->config->price_file != NULL)
		return 0;
	fprintf(stderr,
	    "%s: price_file names no file to keep prices in; write "
	    "price_file = \"prices.conf\";\n",
	    ctl_config_path());
	return -1;
}

int
ctl_prices(int argc, char **argv)
{
	struct prices p = { .arena = arena_new() };
	int c, status = 0;

	buf_init(&p.before, TEXT_MAX);
	buf_init(&p.text, TEXT_MAX);
	buf_puts(&p.before, "");
	while (status == 0 &&
	    (c = ctl_option_next(argc, argv, "prices", ctl_prices_options)) !=
		-1)
		status = option_take(&p, c);
	if (status == 0 &&
	    (optind + 2 != argc || strcmp(argv[optind], "import") != 0))
		status = ctl_misuse("prices", "import FILE");
	if (status == 0)
		status =
		    config_take(&p) == -1 ? 1 : import(&p, argv[optind + 1]);
	config_free(p.config);
	buf_free(&p.before);
	buf_free(&p.text);
	arena_free(p.arena);
	return status;
}

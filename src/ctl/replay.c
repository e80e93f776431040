/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * tailgate replay: sends the request of a recorded exchange again, perhaps to
 * another model.  It goes through the gateway, like any client's.  Then
 * compares the response with the recorded one.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jscan.h"
#include "base/log.h"
#include "config/load.h"
#include "ctl/capture_file.h"
#include "ctl/ctl.h"
#include "ctl/mount.h"
#include "ctl/mount_ask.h"
#include "ctl/replay_read.h"
#include "ctl/table.h"
#include "policy/passing.h"
#include "wire/connector.h"

#define KEY_MAX 512
#define PATH_MAX_BYTES 1024
#define REPLY_MAX ((size_t)16 << 20)
#define TIMEOUT_MS 3600000
#define NAME_SHOWN 128
#define ERROR_SHOWN 2048

const struct ctl_option ctl_replay_options[] = {
	{ "url", "URL", 'u',
	    "the gateway, https://your.host; or TAILGATE_URL" },
	{ "key-file", "FILE", 'k', "a client's key is in there" },
	{ "model", "NAME", 'm', "ask this model instead" },
	{ NULL, NULL, 0, NULL },
};

struct replay {
	const char *path, *url, *key_file, *model;
	struct capture_file file;
	struct mount mount;
	struct mount_reply reply;
	struct buf body, fields, target;
	const char *type; /* of the body; NULL: not told */
	int64_t start_ms;
	struct replayed then, now;
};

/* ---- the request -------------------------------------------------------- */

struct finding {
	struct span model; /* the value, with its quotes */
};

static int
on_value(void *ctx, const struct jscan_value *v)
{
	struct finding *f = ctx;

	if (v->depth == 1 && v->type == JSCAN_STRING &&
	    jscan_key_is(v->path, "model"))
		f->model = v->raw;
	return 0;
}

/* The recorded body, with another model's name in it.  -1: it names none. */
static int
make_body(struct replay *r)
{
	struct span body = r->file.request;
	struct finding f = { .model = { NULL, 0 } };
	struct jscan_error error;

	if (r->model == NULL) {
		buf_add(&r->body, body.p, body.len);
		return 0;
	}
	if (body.len == 0 || body.p[0] != '{' ||
	    jscan(body, JSCAN_DEPTH_MAX, on_value, &f, &error) == -1 ||
	    f.model.p == NULL) {
		fprintf(stderr,
		    "tailgate replay: %s: its body is no JSON that names a "
		    "model; leave --model out\n",
		    r->path);
		return -1;
	}
	buf_add(&r->body, body.p, (size_t)(f.model.p - body.p));
	buf_json(&r->body, span_of(r->model));
	buf_add(&r->body, f.model.p + f.model.len,
	    body.len - (size_t)(f.model.p - body.p) - f.model.len);
	return 0;
}

/* A file may have been edited, so no text of it may end a header line. */
static bool
is_line(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

/* Can a recorded exchange have this header?  A key is no such header. */
static bool
is_recorded(const char *name)
{
	for (size_t i = 0; i < PASSING_HEADERS; i++)
		if (strcasecmp(name, passing_headers[i].name) == 0)
			return true;
	return strcasecmp(name, "Content-Type") == 0 ||
	    strcasecmp(name, "X-Tailgate-Place") == 0;
}

/* Makes the recorded header lines.  The body's type goes into r->type. */
static int
make_fields(struct replay *r)
{
	json_t *headers = json_object_get(r->file.about, "headers");
	char shown[NAME_SHOWN];
	const char *name, *text;
	json_t *value;

	json_object_foreach (headers, name, value) {
		text = json_string_value(value);
		if (is_recorded(name) && json_is_null(value))
			continue;
		if (!is_recorded(name) || text == NULL || !is_line(text)) {
			log_escape(name, strlen(name), shown, sizeof(shown));
			fprintf(stderr,
			    "tailgate replay: %s: its header `%s` is none that "
			    "a recording has, or its value is no line; remove "
			    "it from the file\n",
			    r->path, shown);
			return -1;
		}
		if (strcasecmp(name, "Content-Type") == 0)
			r->type = text;
		else
			buf_printf(&r->fields, "%s: %s\r\n", name, text);
	}
	return 0;
}

static int
make_target(struct replay *r)
{
	const char *path = capture_file_text(&r->file, "path");
	const char *query = capture_file_text(&r->file, "query");

	buf_puts(&r->target, path);
	if (*query != '\0')
		buf_printf(&r->target, "?%s", query);
	if (path[0] == '/' && !buf_failed(&r->target) &&
	    strpbrk(r->target.p, " \r\n\t") == NULL)
		return 0;
	fprintf(stderr, "tailgate replay: %s: its path is none\n", r->path);
	return -1;
}

static void
send_it(struct replay *r)
{
	struct mount_request q = { .method =
				       capture_file_text(&r->file, "method"),
		.type = r->type,
		.path = r->target.p,
		.fields = r->fields.len > 0 ? r->fields.p : NULL,
		.text = buf_span(&r->body),
		.reply_max = REPLY_MAX,
		.timeout_ms = TIMEOUT_MS };

	if (strcmp(q.method, "GET") != 0 && strcmp(q.method, "DELETE") != 0)
		q.method = "POST";
	r->start_ms = clock_now_ms();
	mount_ask(&r->mount, &q, &r->reply);
}

/* ---- the comparison ----------------------------------------------------- */

static void
row(struct table *t, const char *what, const char *unit, int64_t then,
    int64_t now)
{
	table_cell(t, "%s", what);
	for (int i = 0; i < 2; i++) {
		int64_t v = i == 0 ? then : now;

		if (v < 0)
			table_cell(t, "%s", "");
		else
			table_cell(t, "%lld%s", (long long)v, unit);
	}
}

/* The first byte in which two texts differ, from 1; 0: they are the same. */
static size_t
differs_at(struct span a, struct span b)
{
	size_t i = 0;

	while (i < a.len && i < b.len && a.p[i] == b.p[i])
		i++;
	return i == a.len && i == b.len ? 0 : i + 1;
}

static void
text_row(struct table *t, const char *what, const struct buf *then,
    const struct buf *now)
{
	size_t at = differs_at(buf_span(then), buf_span(now));

	row(t, what, " bytes", (int64_t)then->len, (int64_t)now->len);
	if (at == 0)
		table_cell(t, "%s", "the same");
	else
		table_cell(t, "differs from byte %zu on", at);
}

static void
number_row(struct table *t, const char *what, const char *unit, int64_t then,
    int64_t now)
{
	row(t, what, unit, then, now);
	table_cell(t, "%s", then == now ? "the same" : "");
}

/* Why the first response may be no whole one. */
static void
print_incomplete(const struct capture_file *f)
{
	static const struct {
		const char *member, *text;
	} reasons[] = {
		{ "response_cut",
		    "Only the beginning of the first response was recorded." },
		{ "client_gone",
		    "The client left before the end of the first response." },
		{ "upstream_cut",
		    "The provider ended the first response early." },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (json_is_true(json_object_get(f->about, reasons[i].member)))
			printf("\n%s\n", reasons[i].text);
}

/* Prints the table; 0 if the outcome is of the same kind. */
static int
compare(struct replay *r)
{
	struct capture_file *f = &r->file;
	struct table *t = table_new("what|>then|>now|difference");
	char error[ERROR_SHOWN];
	int64_t then = capture_file_number(f, "status");
	int64_t first =
	    r->reply.first_ms == 0 ? -1 : r->reply.first_ms - r->start_ms;

	table_cell(t, "%s", "model");
	table_cell(t, "%s", capture_file_text(f, "model"));
	table_cell(t, "%s",
	    r->model != NULL ? r->model : capture_file_text(f, "model"));
	table_cell(t, "%s", "");
	number_row(t, "status", "", then, r->reply.status);
	text_row(t, "text", &r->then.text, &r->now.text);
	number_row(t, "tool calls", "", r->then.ncalls, (int64_t)r->now.ncalls);
	text_row(t, "what they say", &r->then.calls, &r->now.calls);
	number_row(t, "tokens in", "",
	    r->then.in >= 0 ? r->then.in : capture_file_number(f, "tokens_in"),
	    r->now.in);
	number_row(t, "tokens out", "",
	    r->then.out >= 0 ? r->then.out
			     : capture_file_number(f, "tokens_out"),
	    r->now.out);
	number_row(t, "first byte", " ms",
	    capture_file_number(f, "first_byte_ms"), first);
	number_row(t, "all of it", " ms", capture_file_number(f, "total_ms"),
	    r->reply.end_ms - r->start_ms);
	table_print(t, stdout);
	table_free(t);
	if (r->now.error.len > 0) {
		log_escape(
		    r->now.error.p, r->now.error.len, error, sizeof(error));
		printf("\nerror now: %s\n", error);
	}
	print_incomplete(f);
	return r->reply.status / 100 == then / 100 ? 0 : 1;
}

/* ---- the command -------------------------------------------------------- */

static int
take_options(int argc, char **argv, struct replay *r)
{
	const char *wrong;
	int c;

	r->url = getenv("TAILGATE_URL");
	while ((c = ctl_option_next(
		    argc, argv, "replay", ctl_replay_options)) != -1) {
		if (c == 'u')
			r->url = optarg;
		else if (c == 'k')
			r->key_file = optarg;
		else if (c == 'm')
			r->model = optarg;
		else
			return ctl_misuse("replay", NULL);
	}
	if (argc - optind != 1)
		return ctl_misuse("replay", "one FILE is needed");
	if (r->url == NULL || *r->url == '\0')
		return ctl_misuse("replay",
		    "the gateway's URL is needed; give --url "
		    "https://your.host");
	if ((wrong = url_check(r->url, "http https")) != NULL)
		return ctl_misuse("replay", "--url %s: %s", r->url, wrong);
	r->path = argv[optind];
	return 0;
}

static int
replay(struct replay *r, struct arena *arena)
{
	if (make_body(r) == -1 || make_fields(r) == -1 || make_target(r) == -1)
		return 1;
	if (buf_failed(&r->body) || buf_failed(&r->fields)) {
		fprintf(stderr,
		    "tailgate replay: %s: its body or its headers are too "
		    "large to be sent\n",
		    r->path);
		return 1;
	}
	mount_of_url(&r->mount, arena, r->url);
	send_it(r);
	if (r->reply.status == 0) {
		fprintf(
		    stderr, "tailgate replay: %s: %s\n", r->url, r->reply.why);
		return 1;
	}
	replayed_read(&r->then, r->file.response);
	replayed_read(&r->now, buf_span(&r->reply.body));
	return compare(r);
}

static void
free_all(struct replay *r)
{
	replayed_free(&r->then);
	replayed_free(&r->now);
	buf_free(&r->reply.body);
	buf_free(&r->body);
	buf_free(&r->fields);
	buf_free(&r->target);
	capture_file_free(&r->file);
}

/* Opens what it needs, is confined, and only then reads the file, which may
 * have any content. */
static int
read_confined(struct replay *r, char *key)
{
	int fd = open(r->path, O_RDONLY | O_CLOEXEC);
	const char *why;

	if (fd == -1) {
		fprintf(stderr, "tailgate replay: %s: %s\n", r->path,
		    strerror(errno));
		return -1;
	}
	if (r->key_file != NULL &&
	    (r->mount.key = mount_key_read(
		 "replay", r->key_file, key, KEY_MAX)) == NULL)
		return -1;
	if (connector_init() == -1)
		fatal("libcurl cannot be used");
	if (ctl_confine_to(r->url) == -1)
		return -1;
	if ((why = capture_file_read(fd, &r->file)) == NULL)
		return 0;
	fprintf(stderr, "tailgate replay: %s: %s\n", r->path, why);
	return -1;
}

int
ctl_replay(int argc, char **argv)
{
	struct replay r = { .path = NULL };
	struct arena *arena;
	char key[KEY_MAX] = "";
	int status;

	if ((status = take_options(argc, argv, &r)) != 0)
		return status;
	if (read_confined(&r, key) == -1) {
		explicit_bzero(key, sizeof(key));
		return 1;
	}
	buf_init(&r.body, REPLY_MAX);
	buf_init(&r.fields, PATH_MAX_BYTES * 4);
	buf_init(&r.target, PATH_MAX_BYTES);
	arena = arena_new();
	status = replay(&r, arena);
	free_all(&r);
	explicit_bzero(key, sizeof(key));
	arena_free(arena);
	return status;
}

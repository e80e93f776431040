/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the other end of `tailgate probe --mount`: reports which parts of a
 * request have arrived, so that the command can say what the web server did to
 * it.  It reports facts from a fixed list, never the client's bytes.
 *
 * 	POST /v1/tailgate/mount            what has arrived
 * 	     ?refuse                       an error of ours, with Retry-After
 * 	     ?events=N&ms=M                a stream of N events, M ms apart
 * 	     ?wait=MS                      nothing for so long, then the facts
 * 	     ?gone=TOKEN                   when the request with &token=TOKEN,
 * 	                                   that had been left, was seen to be
 *
 * It is below /v1 because the web server's settings apply there.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jput.h"
#include "base/log.h"
#include "base/task.h"
#include "base/version.h"
#include "serve/query.h"
#include "serve/request.h"

#define WAIT_MS_MAX 3600000u
#define EVENTS_MAX 20u
#define EVENT_MS_MAX 1000u
#define TOKEN_LEN 16
#define NOTE_PREFIX "mount-"
#define NOTE_SECONDS 600

/* ---- what was seen of clients that went -------------------------------- */

/* runtime_dir/mount-TOKEN, or NULL: there is no token. */
static const char *
note_path(struct request *r, const char *name)
{
	const char *token = query_find(r->io, name);

	if (token == NULL || *token != '=' ||
	    strspn(token + 1, "0123456789abcdef") != TOKEN_LEN)
		return NULL;
	return arena_printf(r->arena, "%s/" NOTE_PREFIX "%.*s",
	    r->server->config->runtime_dir, TOKEN_LEN, token + 1);
}

/* Removes notes that nobody has read. */
static void
notes_sweep(const char *dir)
{
	time_t old = time(NULL) - NOTE_SECONDS;
	DIR *d = opendir(dir);
	struct dirent *entry;
	struct stat st;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (strncmp(entry->d_name, NOTE_PREFIX,
			sizeof(NOTE_PREFIX) - 1) == 0 &&
		    fstatat(dirfd(d), entry->d_name, &st,
			AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtime < old)
			unlinkat(dirfd(d), entry->d_name, 0);
	}
	if (d != NULL)
		closedir(d);
}

/* Another process may serve the request for it. */
static void
note_gone(struct request *r)
{
	const char *path = note_path(r, "token");
	int fd;

	if (path == NULL)
		return;
	notes_sweep(r->server->config->runtime_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1) {
		log_warn("%s: %m", path);
		return;
	}
	dprintf(fd, "%lld\n", (long long)(clock_now_ms() - r->start_ms));
	close(fd);
}

/* Milliseconds from the request's start, or -1: it has not been seen. */
static long
note_take(struct request *r)
{
	const char *path = note_path(r, "gone");
	FILE *file = path == NULL ? NULL : fopen(path, "re");
	long ms = -1;

	if (file == NULL)
		return -1;
	if (fscanf(file, "%ld", &ms) != 1)
		ms = -1;
	fclose(file);
	if (ms != -1)
		unlink(path);
	return ms;
}

/* ---- waiting ------------------------------------------------------------ */

/* False: the client has gone. */
static bool
stay(struct request *r, int64_t ms)
{
	int64_t end_ms = clock_now_ms() + ms, left_ms;
	struct pollfd p = { .fd = r->io->watchable ? r->io->fd : -1,
		.events = POLLIN };

	while ((left_ms = end_ms - clock_now_ms()) > 0) {
		int tick_ms = response_tick(&r->response);

		if (tick_ms == WATCH_GONE) {
			note_gone(r);
			return false;
		}
		task_poll(&p, 1, tick_ms < left_ms ? tick_ms : (int)left_ms);
	}
	return true;
}

/* A client that has gone gets no response. */
static bool
left(struct request *r)
{
	r->response.gone = true;
	return request_refuse(r, REFUSE_CLIENT_GONE);
}

static bool
events(struct request *r)
{
	unsigned n = query_number(r->io, "events", EVENTS_MAX, 1);
	unsigned ms = query_number(r->io, "ms", EVENT_MS_MAX, 0);
	char text[32];

	response_head(
	    &r->response, 200, "text/event-stream; charset=utf-8", NULL, 0, -1);
	for (unsigned i = 1; i <= n; i++) {
		snprintf(text, sizeof(text), "data: %u\n\n", i);
		if (response_body(&r->response, span_of(text)) == -1 ||
		    response_flush(&r->response) == -1) {
			note_gone(r);
			return left(r);
		}
		if (i < n && !stay(r, ms))
			return left(r);
	}
	response_end(&r->response);
	return true;
}

/* ---- facts -------------------------------------------------------------- */

static bool
has(struct request *r, const char *param)
{
	const char *value = io_param(r->io, param);

	return value != NULL && *value != '\0';
}

/* Which of X-Tailgate-Twin: hyphen and X_Tailgate_Twin: underscore is it? */
static const char *
twin(struct request *r)
{
	const char *value = io_param(r->io, "HTTP_X_TAILGATE_TWIN");

	if (value == NULL)
		return "none";
	return strcmp(value, "hyphen") == 0      ? "hyphen"
	    : strcmp(value, "underscore") == 0   ? "underscore"
	    : strcmp(value, IO_PARAM_TWICE) == 0 ? "both"
						 : "other";
}

/* Is "?raw=%2F" still written so? */
static bool
is_raw(struct request *r, const char *param)
{
	const char *value = io_param(r->io, param);

	return value != NULL && strstr(value, "raw=%2F") != NULL;
}

/* lighttpd sends no name if server.tag is "", as in the shipped file. */
static const char *
web_server(struct request *r)
{
	static const char *const known[] = { "lighttpd", "Caddy", "nginx" };
	const char *software = io_param(r->io, "SERVER_SOFTWARE");

	if (software != NULL && *software == '\0')
		return "lighttpd";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (software != NULL &&
		    strncmp(software, known[i], strlen(known[i])) == 0)
			return known[i];
	}
	return "other";
}

static void
facts(struct request *r, struct buf *b)
{
	const struct config *c = r->server->config;

	buf_puts(b, "{");
	jput_text(b, "tailgate", TAILGATE_VERSION);
	jput_text(b, "web_server", web_server(r));
	jput_text(b, "twin", twin(r));
	jput_bool(b, "authorization", has(r, "HTTP_AUTHORIZATION"));
	jput_bool(b, "proxy", has(r, "HTTP_PROXY"));
	jput_bool(b, "remote_addr", has(r, "REMOTE_ADDR"));
	jput_bool(b, "request_uri", is_raw(r, "REQUEST_URI"));
	jput_bool(b, "query", is_raw(r, "QUERY_STRING"));
	jput_u64(b, "body", r->spool.len);
	jput_u64(b, "json_max", c->json_max_bytes);
	jput_u64(b, "multipart_max", c->multipart_max_bytes);
	jput_i64(b, "gone_ms", note_take(r));
	buf_puts(b, "}");
}

bool
mount_serve(struct request *r)
{
	struct buf b;

	if (query_find(r->io, "refuse") != NULL)
		return request_refuse(r, REFUSE_OVERLOADED);
	if (query_find(r->io, "events") != NULL)
		return events(r);
	if (!stay(r, query_number(r->io, "wait", WAIT_MS_MAX, 0)))
		return left(r);
	buf_init(&b, 4096);
	facts(r, &b);
	response_json(&r->response, 200, buf_span(&b));
	buf_free(&b);
	return true;
}

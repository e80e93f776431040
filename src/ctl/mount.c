/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how each assumption about the web server is tested.  Nothing is sent to
 * a provider.
 */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/load.h"
#include "ctl/ctl.h"
#include "ctl/mount.h"
#include "ctl/mount_ask.h"
#include "ctl/mount_say.h"
#include "ctl/table.h"
#include "wire/connector.h"

#define PATH "/v1/tailgate/mount"
#define KEY_MAX 512
#define TIMEOUT_MS 60000
/* Of two such headers, Caddy passes on one at random. */
#define TWIN_TRIES 40
#define EVENTS 4
#define EVENT_MS 300
#define STREAM_TRIES 3
/* Within 1.2 s the gateway must notice that a client hung up. */
#define LEAVE_MS 300
#define NOTICED_MS 5000
#define BODY_MOST (256ULL * 1024 * 1024)
#define CHUNKED_BODY (1024 * 1024)
/* A web server refuses an announced length at once. */
#define REFUSED_WITHIN_MS 1000

struct trial {
	struct mount mount;
	struct mount_says says;
	struct mount_reply reply; /* the last one */
	json_t *facts; /* of the last response that had them, or NULL */
	bool cgi_status; /* a response had it */
};

/* ---- asking ------------------------------------------------------------- */

static void
ask(struct trial *t, const struct mount_request *request)
{
	struct mount_request q = *request;

	if (q.method == NULL)
		q.method = "POST";
	if (q.path == NULL)
		q.path = PATH;
	if (q.timeout_ms == 0)
		q.timeout_ms = TIMEOUT_MS;
	buf_free(&t->reply.body);
	mount_ask(&t->mount, &q, &t->reply);
	t->cgi_status |= t->reply.cgi_status;
}

/* Asks for facts; false: none came; the reply's why says why. */
static bool
ask_facts(struct trial *t, const struct mount_request *request)
{
	json_decref(t->facts);
	t->facts = NULL;
	ask(t, request);
	if (t->reply.status == 200)
		t->facts =
		    json_loadb(t->reply.body.p == NULL ? "" : t->reply.body.p,
			t->reply.body.len, 0, NULL);
	if (json_is_object(t->facts) && t->reply.ours)
		return true;
	if (t->reply.why[0] == '\0')
		snprintf(t->reply.why, sizeof(t->reply.why), "status %d%s",
		    t->reply.status,
		    t->reply.ours ? " of the gateway" : " of the web server");
	return false;
}

static bool
fact(const struct trial *t, const char *name)
{
	return json_is_true(json_object_get(t->facts, name));
}

static bool
fact_is(const struct trial *t, const char *name, const char *value)
{
	const char *text = json_string_value(json_object_get(t->facts, name));

	return text != NULL && strcmp(text, value) == 0;
}

static uint64_t
fact_number(const struct trial *t, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(t->facts, name));

	return n < 0 ? 0 : (uint64_t)n;
}

/* ---- the trials --------------------------------------------------------- */

static void
learn_server(struct trial *t)
{
	static const char *const known[] = { "lighttpd", "Caddy", "nginx" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (fact_is(t, "web_server", known[i]))
			t->says.web_server = known[i];
}

/* Is there a gateway, an operator, a header? */
static bool
try_to_reach(struct trial *t)
{
	const struct mount_request plain = { .body = 2 };
	const char *why = t->reply.why;
	char silent[sizeof(t->reply.why) + 64];
	bool reached = ask_facts(t, &plain);
	bool by_header = reached && fact(t, "authorization");

	if (!reached && t->reply.status == 401 && t->mount.key != NULL) {
		t->mount.key_as_x_api_key = true;
		reached = ask_facts(t, &plain);
	}
	if (!reached && t->reply.ours && t->reply.status == 401)
		why = "the key is not known to the gateway";
	else if (!reached && t->reply.ours && t->reply.status == 403)
		why = "the key is not an operator's (`tailgate client set "
		      "NAME --operator`), or the name is not in `hosts`";
	else if (!reached && t->reply.ours && t->reply.status == 404)
		why = "the gateway is of a version before this command's";
	t->says.ours = t->reply.ours;
	t->says.silent = !reached && t->reply.status == 0;
	if (t->says.silent) {
		snprintf(silent, sizeof(silent),
		    "%s; does the web server run, at this host and port?", why);
		why = silent;
	}
	if (reached)
		learn_server(t);
	mount_say(
	    &t->says, REACHED, reached, reached ? t->says.web_server : why);
	if (reached && t->mount.key != NULL)
		mount_say(&t->says, AUTHORIZATION, by_header, NULL);
	return reached;
}

static void
try_headers(struct trial *t)
{
	const struct mount_request twins = { .body = 2,
		.fields = "X-Tailgate-Twin: hyphen\r\n"
			  "X_Tailgate_Twin: underscore\r\n" };
	const struct mount_request named = { .body = 2,
		.fields = "X-Tailgate-Twin: hyphen\r\n"
			  "Connection: X-Tailgate-Twin\r\n" };
	const struct mount_request rest = { .body = 2,
		.path = PATH "?raw=%2F",
		.fields = "Proxy: http://192.0.2.1\r\n" };
	unsigned wrong = 0, unknown = 0;
	char seen[80];

	for (int i = 0; i < TWIN_TRIES; i++) {
		if (!ask_facts(t, &twins))
			unknown++;
		else
			wrong += !fact_is(t, "twin", "hyphen") &&
			    !fact_is(t, "twin", "both");
	}
	snprintf(
	    seen, sizeof(seen), "%u of %d did", wrong + unknown, TWIN_TRIES);
	mount_say(&t->says, TWINS, wrong + unknown == 0,
	    wrong + unknown == 0 ? NULL : seen);
	mount_say(&t->says, NAMED,
	    ask_facts(t, &named) && fact_is(t, "twin", "hyphen"), NULL);
	ask_facts(t, &rest);
	mount_say(&t->says, PROXY, t->facts != NULL && !fact(t, "proxy"), NULL);
	mount_say(&t->says, ADDRESS, fact(t, "remote_addr"), NULL);
	mount_say(&t->says, RAW_PATH,
	    fact(t, "request_uri") && fact(t, "query"), NULL);
}

static void
try_responses(struct trial *t)
{
	const struct mount_request options = { .method = "OPTIONS" };
	const struct mount_request refuse = { .body = 2,
		.path = PATH "?refuse" };

	ask(t, &options);
	mount_say(&t->says, METHODS, t->reply.ours,
	    t->reply.ours ? NULL : t->reply.why);
	ask(t, &refuse);
	mount_say(&t->says, ERRORS,
	    t->reply.status == 503 && t->reply.ours && t->reply.retry_after &&
		t->reply.body.p != NULL &&
		strstr(t->reply.body.p, "gateway_overloaded") != NULL,
	    NULL);
	mount_say(&t->says, STATUS, !t->cgi_status, NULL);
}

/* The first of four events arrives long before the last, unless the web server
 * holds them back.  It is tried more than once, as the machine may be busy. */
static void
try_streams(struct trial *t)
{
	struct mount_request q = { .body = 2 };
	int64_t apart_ms = 0;
	char path[96], seen[80];

	snprintf(path, sizeof(path), PATH "?events=%d&ms=%d", EVENTS, EVENT_MS);
	q.path = path;
	for (int i = 0; i < STREAM_TRIES && apart_ms < EVENT_MS; i++) {
		ask(t, &q);
		if (t->reply.status != 200 || t->reply.first_ms == 0)
			break;
		apart_ms = t->reply.end_ms - t->reply.first_ms;
	}
	snprintf(seen, sizeof(seen), "all at once, after %d ms",
	    (EVENTS - 1) * EVENT_MS);
	mount_say(&t->says, STREAMS, apart_ms >= EVENT_MS,
	    apart_ms >= EVENT_MS         ? NULL
		: t->reply.status != 200 ? t->reply.why
					 : seen);
}

static void
pause_ms(int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&time, NULL);
}

/* Hangs up, then asks until the gateway has noticed. */
static void
try_to_leave(struct trial *t, enum mount_assumption which, const char *mode)
{
	struct mount_request leaving = { .body = 2,
		.leave_ms = LEAVE_MS,
		.leave_in_body = which == LEFT_STREAM };
	struct mount_request asking = { .body = 2 };
	char path[128], gone[128], seen[80];
	unsigned char random[8];
	char token[17];
	int64_t left_ms;

	arc4random_buf(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(token + 2 * i, 3, "%02x", random[i]);
	snprintf(path, sizeof(path), PATH "?%s&token=%s", mode, token);
	snprintf(gone, sizeof(gone), PATH "?gone=%s", token);
	leaving.path = path;
	asking.path = gone;
	ask(t, &leaving);
	left_ms = clock_now_ms();
	while (t->reply.left && clock_now_ms() - left_ms < NOTICED_MS) {
		if (ask_facts(t, &asking) &&
		    json_integer_value(json_object_get(t->facts, "gone_ms")) >=
			0) {
			snprintf(seen, sizeof(seen), "within %lld ms",
			    (long long)(clock_now_ms() - left_ms));
			mount_say(&t->says, which, true, seen);
			return;
		}
		t->reply.left = true;
		pause_ms(20);
	}
	snprintf(seen, sizeof(seen), "not within %d ms", NOTICED_MS);
	mount_say(&t->says, which, false, t->reply.left ? seen : t->reply.why);
}

static void
try_body(
    struct trial *t, enum mount_assumption which, uint64_t bytes, bool chunked)
{
	const struct mount_request q = { .body = bytes, .chunked = chunked };
	char seen[224];
	bool arrived = ask_facts(t, &q) && fact_number(t, "body") == bytes;

	snprintf(seen, sizeof(seen), "%llu bytes%s%s",
	    (unsigned long long)bytes, arrived ? "" : ": ",
	    arrived ? "" : t->reply.why);
	mount_say(&t->says, which, arrived, seen);
}

static void
try_bodies(struct trial *t)
{
	uint64_t json = fact_number(t, "json_max");
	uint64_t form = fact_number(t, "multipart_max");
	struct mount_request upload = { .path = "/v1/audio/transcriptions",
		.type = "multipart/form-data; boundary=x",
		.head_only = true,
		.body = form,
		.leave_ms = REFUSED_WITHIN_MS };
	uint64_t most = json < BODY_MOST ? json : BODY_MOST;
	char seen[80];
	bool taken;

	try_body(t, CHUNKED, most < CHUNKED_BODY ? most : CHUNKED_BODY, true);
	try_body(t, BIG_BODY, most, false);
	ask(t, &upload);
	taken = t->reply.left || t->reply.ours;
	snprintf(seen, sizeof(seen), "%llu bytes%s", (unsigned long long)form,
	    taken                        ? ""
		: t->reply.status == 413 ? ": refused with 413"
					 : ": not taken");
	mount_say(&t->says, UPLOAD, taken, seen);
}

static void
try_silence(struct trial *t, int seconds)
{
	struct mount_request q = { .body = 2,
		.timeout_ms = seconds * 1000LL + TIMEOUT_MS };
	char path[64], seen[224];
	bool held;

	snprintf(path, sizeof(path), PATH "?wait=%d000", seconds);
	q.path = path;
	held = ask_facts(t, &q);
	snprintf(seen, sizeof(seen), "%d s%s%s", seconds, held ? "" : ": ",
	    held ? "" : t->reply.why);
	mount_say(&t->says, SILENCE, held, seen);
}

static void
try_all(struct trial *t, int silence_s)
{
	if (!try_to_reach(t))
		return;
	try_headers(t);
	try_responses(t);
	try_streams(t);
	try_to_leave(t, LEFT_WAITING, "wait=7000");
	try_to_leave(t, LEFT_STREAM, "events=8&ms=1000");
	if (ask_facts(t, &(struct mount_request){ .body = 2 }))
		try_bodies(t);
	if (silence_s > 0)
		try_silence(t, silence_s);
}

/* ---- the command -------------------------------------------------------- */

const char *
mount_key_read(const char *command, const char *path, char *key, int size)
{
	FILE *file = fopen(path, "re");

	if (file == NULL || fgets(key, size, file) == NULL) {
		fprintf(stderr, "tailgate %s: %s: cannot read a key: %s\n",
		    command, path,
		    file == NULL ? strerror(errno) : "it is empty");
		if (file != NULL)
			fclose(file);
		return NULL;
	}
	fclose(file);
	key[strcspn(key, "\r\n")] = '\0';
	return key;
}

int
mount_probe(const char *url, const char *key_file, int silence_s)
{
	struct trial t = { .says = { .web_server = "some web server" } };
	const char *wrong = url_check(url, "http https");
	struct arena *arena;
	char key[KEY_MAX];

	if (wrong != NULL) {
		fprintf(stderr, "tailgate probe: --mount %s: %s\n", url, wrong);
		return 2;
	}
	if (key_file != NULL &&
	    (t.mount.key = mount_key_read(
		 "probe", key_file, key, sizeof(key))) == NULL)
		return 1;
	if (connector_init() == -1)
		fatal("libcurl cannot be used");
	if (ctl_confine_to(url) == -1)
		return 1;
	arena = arena_new();
	mount_of_url(&t.mount, arena, url);
	t.says.table = table_new("assumption|holds|remark");
	try_all(&t, silence_s);
	table_print(t.says.table, stdout);
	table_free(t.says.table);
	json_decref(t.facts);
	buf_free(&t.reply.body);
	explicit_bzero(key, sizeof(key));
	arena_free(arena);
	return t.says.failed == 0 ? 0 : 1;
}

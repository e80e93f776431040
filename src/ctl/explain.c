/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * tailgate explain: where a request would go, and why.  Measures a body, makes
 * a plan and asks budgets and slots with the same functions as the responder,
 * and sends nothing.  Exit status 1 if the request would be refused.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ctl/ctl.h"
#include "ctl/explain_facts.h"
#include "policy/session.h"
#include "policy/admission.h"
#include "policy/explain.h"
#include "policy/identify.h"
#include "policy/owner.h"
#include "policy/passing.h"
#include "state/outlook.h"
#include "wire/multipart.h"

#define HEADERS_MAX 32
#define TEXT_MAX ((size_t)16 * 1024 * 1024)

const struct ctl_option ctl_explain_options[] = {
	{ "client", "NAME", 'c', "who asks; needed" },
	{ "endpoint", "NAME", 'e',
	    "chat, responses, messages, embeddings ... (chat)" },
	{ "header", "LINE", 'H',
	    "a header of the request: X-Tailgate-Place, Content-Type ..." },
	{ "query", "TEXT", 'q', "what follows the ? of its URL" },
	{ "id", "TEXT", 'I',
	    "the id in its URL, for endpoints such as responses_get" },
	{ "facts", "FILE", 'F',
	    "decide from these facts instead of the present state" },
	{ "json", NULL, 'j', "print JSON" },
	{ NULL, NULL, 0, NULL },
};

struct asked {
	const char *client, *endpoint, *facts, *file, *query, *id;
	bool header_local, json;
	const char *lines[HEADERS_MAX]; /* as they were given */
	size_t nlines;
	struct passing passing;
	struct span type; /* of the body; p NULL: the endpoint's */
};

/* What one explanation is made from. */
struct work {
	const struct asked *asked;
	const struct endpoint_spec *endpoint;
	const struct config *config;
	const struct client *client;
	struct patterns *patterns;
	struct arena *arena;
	const struct facts *facts;
	struct outlook outlook; /* empty with --facts */
};

/* Notes a header if it matters.  -1: the responder would refuse it. */
static int
take_header(struct asked *asked, const char *line)
{
	const char *colon = strchr(line, ':');
	struct span name, value;

	if (colon == NULL || asked->nlines == HEADERS_MAX)
		return -1;
	asked->lines[asked->nlines++] = line;
	name = (struct span){ line, (size_t)(colon - line) };
	value = span_of(colon + 1 + strspn(colon + 1, " \t"));
	if (span_is_nocase(name, "Content-Type"))
		asked->type = value;
	for (size_t i = 0; i < PASSING_HEADERS; i++)
		if (span_is_nocase(name, passing_headers[i].name))
			passing_take(&asked->passing, i, value.p);
	if (!span_is_nocase(name, "X-Tailgate-Place"))
		return 0;
	asked->header_local = span_is(value, "local");
	return asked->header_local || span_is(value, "external") ? 0 : -1;
}

static int
take_options(int argc, char **argv, struct asked *asked)
{
	int c;

	while ((c = ctl_option_next(
		    argc, argv, "explain", ctl_explain_options)) != -1) {
		if (c == 'c')
			asked->client = optarg;
		else if (c == 'e')
			asked->endpoint = optarg;
		else if (c == 'F')
			asked->facts = optarg;
		else if (c == 'j')
			asked->json = true;
		else if (c == 'q')
			asked->query = optarg;
		else if (c == 'I')
			asked->id = optarg;
		else if (c == 'H' && take_header(asked, optarg) == -1)
			return ctl_misuse("explain",
			    "--header needs NAME: VALUE; X-Tailgate-Place "
			    "is local or external");
		else if (c == '?')
			return ctl_misuse("explain", NULL);
	}
	if (asked->client == NULL)
		return ctl_misuse("explain", "--client NAME is needed");
	if (argc - optind > 1)
		return ctl_misuse("explain", "one FILE at a time");
	if (argc - optind == 1)
		asked->file = argv[optind];
	return 0;
}

static int
read_all(int fd, struct buf *body)
{
	char chunk[65536];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		buf_add(body, chunk, (size_t)n);
	}
	return 0;
}

/* Reads the body from the file, or from standard input for "-" or NULL. */
static int
read_body(const char *file, struct buf *body)
{
	bool standard = file == NULL || strcmp(file, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	int rc = -1;

	if (fd != -1)
		rc = read_all(fd, body);
	if (rc == -1)
		fprintf(stderr, "tailgate explain: %s: %s\n",
		    standard ? "standard input" : file, strerror(errno));
	if (fd != -1 && !standard)
		close(fd);
	return rc;
}

static int
on_part(void *ctx, const struct multipart_part *part)
{
	call_form_take(ctx,
	    &(struct call_part){ part->name, part->file_name, part->file,
		part->headers, part->content, part->offset });
	return 0;
}

/* The boundary of a form, from its own first line. */
static struct span
first_line(struct span body)
{
	const char *end = memchr(body.p, '\r', body.len);

	if (end == NULL || end - body.p < 3 || memcmp(body.p, "--", 2) != 0)
		return (struct span){ NULL, 0 };
	return (struct span){ body.p + 2, (size_t)(end - body.p - 2) };
}

static void
print(const struct explain *explain, bool json)
{
	struct buf out;

	buf_init(&out, TEXT_MAX);
	if (json)
		explain_json(explain, &out);
	else
		explain_text(explain, &out);
	fwrite(out.p, 1, out.len, stdout);
	buf_free(&out);
}

static int
parse_form(const struct work *w, struct span body, struct passing *passing,
    struct call *call, struct refused *refused)
{
	struct call_form form = { .nparts = 0 };
	struct span boundary = { NULL, 0 }, sent = body;
	const char *error = NULL;

	if (w->asked->type.p != NULL)
		boundary = multipart_boundary(w->asked->type.p);
	else if (body.len > 0)
		boundary = first_line(body);
	if (boundary.p == NULL) {
		*refused =
		    (struct refused){ .refusal = REFUSE_INVALID_MULTIPART };
		return -1;
	}
	if (multipart_scan(body, boundary, on_part, &form, &sent, &error) !=
	    0) {
		admission_bad_form(w->arena, error, refused);
		return -1;
	}
	passing_boundary(passing, boundary);
	call->nbeside = passing->ntexts;
	return call_parse_form(w->config, w->patterns, w->endpoint->id, &form,
	    w->arena, call, refused);
}

static size_t
body_max(const struct work *w)
{
	return w->endpoint->body == ENDPOINT_BODY_MULTIPART
	    ? w->config->multipart_max_bytes
	    : w->config->json_max_bytes;
}

/* Checks the client, and the body's size, before the body is parsed. */
static bool
may_ask(const struct work *w, const struct buf *body, struct refused *refused)
{
	if (!identify_is_valid(w->client, clock_wall_ms(), refused) ||
	    !identify_may_call(w->client, w->endpoint->id, refused))
		return false;
	if (!buf_failed(body))
		return true;
	admission_too_large(w->arena, body_max(w), refused);
	return false;
}

static int
parse_body(const struct work *w, struct span body, struct passing *passing,
    struct call *call, struct refused *refused)
{
	switch (w->endpoint->body) {
	case ENDPOINT_BODY_MULTIPART:
		return parse_form(w, body, passing, call, refused);
	case ENDPOINT_BODY_JSON:
		return call_parse_json(w->config, w->patterns, call->endpoint,
		    body, w->arena, call, refused);
	case ENDPOINT_BODY_NONE:
		break;
	}
	return call_parse_bare(w->config, w->patterns, call->endpoint,
	    w->asked->query, w->arena, call, refused);
}

/* The value of the last header of this name; NULL: there is none. */
static const char *
header_value(const struct asked *asked, const char *name)
{
	const char *value = NULL;
	size_t n = strlen(name);

	for (size_t i = 0; i < asked->nlines; i++) {
		const char *line = asked->lines[i];

		if (strncasecmp(line, name, n) == 0 && line[n] == ':')
			value = line + n + 1 + strspn(line + n + 1, " \t");
	}
	return value;
}

/* The headers that rules look at. */
static void
take_ruled(const struct work *w, struct call *call)
{
	for (size_t i = 0; i < w->config->nruled; i++)
		call->ruled[i] =
		    header_value(w->asked, w->config->ruled[i].name);
}

/* Is there a key of the client's own?  It is not sent, nor shown. */
static void
take_own_key(const struct work *w, struct call *call)
{
	const struct credential_fields fields = {
		.gateway = header_value(w->asked, "X-Tailgate-Key"),
		.authorization = header_value(w->asked, "Authorization"),
		.x_api_key = header_value(w->asked, "x-api-key"),
	};
	struct credentials credentials;

	credentials_take(w->config, &fields, &credentials);
	call->own_key = credentials.has;
}

static void
take_session(const struct work *w, struct call *call)
{
	const char *values[SESSION_HEADERS];

	for (size_t i = 0; i < SESSION_HEADERS; i++)
		values[i] = header_value(w->asked, session_headers[i].name);
	session_take(call, w->client, values, w->arena);
}

/* Checks in the order of the responder's request_parse(). */
static int
parse(const struct work *w, struct span body, struct call *call,
    struct refused *refused)
{
	struct passing passing = w->asked->passing;

	if (w->asked->id != NULL &&
	    passing_id(&passing, span_of(w->asked->id), refused) == -1)
		return -1;
	take_ruled(w, call);
	take_own_key(w, call);
	call->header_local = w->asked->header_local;
	call->beside = passing.texts;
	call->nbeside = passing.ntexts;
	if (parse_body(w, body, &passing, call, refused) == -1 ||
	    owner_find(w->config, w->client, call, w->arena, refused) == -1)
		return -1;
	take_session(w, call);
	return passing_take_query(
	    &passing, w->asked->query, call, w->arena, refused);
}

/* Decides as the responder does before it sends the first byte. */
static int
decide(struct work *w, const struct buf *body)
{
	struct call call = { .endpoint = w->endpoint->id };
	struct plan plan = { .model = NULL };

	if (may_ask(w, body, &plan.refused) &&
	    parse(w, buf_span(body), &call, &plan.refused) == 0)
		plan_make(
		    w->config, w->client, &call, w->facts, w->arena, &plan);
	outlook_make(&w->outlook, &plan, w->arena);
	print(&(struct explain){ w->config, w->client, &call, w->facts, &plan,
		  w->outlook.bounds, w->outlook.nbounds },
	    w->asked->json);
	return plan.refused.refusal == REFUSE_NONE ? 0 : 1;
}

static int
decide_with(struct work *w, const struct buf *body)
{
	int status = 1;

	w->patterns = patterns_new(w->config, stderr);
	if (w->patterns != NULL)
		status = decide(w, body);
	patterns_free(w->patterns);
	return status;
}

/* Explains by the present state, or by the facts of a file. */
static int
explain_body(struct work *w, const struct buf *body)
{
	struct explain_state state = { .slots = NULL };
	struct facts *facts = arena_alloc(w->arena, sizeof(*facts));
	int status;

	w->client = config_client(w->config, w->asked->client);
	if (w->client == NULL) {
		fprintf(stderr,
		    "tailgate explain: there is no client %s; `tailgate "
		    "client list` names them\n",
		    w->asked->client);
		return 1;
	}
	w->facts = facts;
	if (w->asked->facts == NULL)
		explain_facts_live(w->config, w->arena, facts, &state);
	else if (explain_facts_load(
		     w->config, w->asked->facts, w->arena, facts) == -1)
		return 1;
	w->outlook = (struct outlook){ .client = w->client,
		.budgets = state.budgets,
		.slots = state.slots };
	status = decide_with(w, body);
	explain_facts_close(&state);
	return status;
}

int
ctl_explain(int argc, char **argv)
{
	struct asked asked = { .endpoint = "chat" };
	const char *files[3] = { NULL }, **more = files;
	const struct sandbox_more named = { .reads = files };
	struct work w = { .asked = &asked };
	struct config *config;
	struct buf body;
	int status;

	if ((status = take_options(argc, argv, &asked)) != 0)
		return status;
	w.endpoint = endpoint_spec(endpoint_by_name(span_of(asked.endpoint)));
	if (w.endpoint == NULL || w.endpoint->upstream == NULL)
		return ctl_misuse("explain",
		    "there is no endpoint %s to send a request to; the "
		    "table of endpoints is in tailgate.fcgi(8)",
		    asked.endpoint);
	if (asked.file != NULL)
		*more++ = asked.file;
	if (asked.facts != NULL)
		*more++ = asked.facts;
	if ((config = ctl_load(CONFIG_NO_SECRETS, SANDBOX_INSPECT, &named)) ==
	    NULL)
		return 1;
	w.config = config;
	w.arena = arena_new();
	buf_init(&body, body_max(&w));
	if (w.endpoint->body != ENDPOINT_BODY_NONE &&
	    read_body(asked.file, &body) == -1)
		status = 1;
	else
		status = explain_body(&w, &body);
	buf_free(&body);
	arena_free(w.arena);
	config_free(config);
	return status;
}

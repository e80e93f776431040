/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * policy/trace: which values are a traceparent and which are not;
 * policy/session: which names become a session.
 */
#include "config.h"

#include <string.h>

#include "check.h"
#include "policy/session.h"
#include "policy/trace.h"

#define ID "0af7651916cd43dd8448eb211c80319c"
#define ZEROS "00000000000000000000000000000000"

static const struct {
	const char *value, *want; /* NULL: not a traceparent */
} rows[] = {
	{ "00-" ID "-b7ad6b7169203331-01", "00-" ID "-0102030405060708-01" },
	{ "00-" ID "-b7ad6b7169203331-00", "00-" ID "-0102030405060708-00" },
	{ "00-" ID "-b7ad6b7169203331-03", "00-" ID "-0102030405060708-01" },
	{ "00-" ID "-b7ad6b7169203331-fe", "00-" ID "-0102030405060708-00" },
	{ "cc-" ID "-b7ad6b7169203331-01", "00-" ID "-0102030405060708-01" },
	{ "cc-" ID "-b7ad6b7169203331-01-more",
	    "00-" ID "-0102030405060708-01" },
	{ NULL, NULL },
	{ "", NULL },
	{ "00-" ID "-b7ad6b7169203331-01-more", NULL },
	{ "cc-" ID "-b7ad6b7169203331-01.more", NULL },
	{ "ff-" ID "-b7ad6b7169203331-01", NULL },
	{ "00-" ZEROS "-b7ad6b7169203331-01", NULL },
	{ "00-" ID "-0000000000000000-01", NULL },
	{ "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", NULL },
	{ "00-" ID "-b7ad6b7169203331-0", NULL },
	{ "00-" ID "-b7ad6b716920333g-01", NULL },
	{ "00_" ID "-b7ad6b7169203331-01", NULL },
	{ " 00-" ID "-b7ad6b7169203331-01", NULL },
	{ "0-" ID "-b7ad6b7169203331-001", NULL },
};

static void
test_trace(void)
{
	const unsigned char span[TRACE_SPAN_BYTES] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	char out[TRACE_SIZE];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool good = trace_parse(rows[i].value, span, out);

		CHECK_STR(good ? out : NULL, rows[i].want, "trace %s",
		    rows[i].value == NULL ? "none" : rows[i].value);
	}
}

static const char *
said(const char *member, const char *text, struct arena *arena)
{
	struct call call = { .session_said = NULL };

	session_read(&call, member, span_of(text), arena);
	return call.session_said;
}

static const char *
taken(const char *client, const char *ours, const char *codex, const char *body,
    struct arena *arena)
{
	const char *const values[SESSION_HEADERS] = { ours, codex };
	struct call call = { .session_said = body };
	struct client c = { .name = client };

	session_take(&call, &c, values, arena);
	return call.session;
}

static void
test_session(void)
{
	struct arena *arena = arena_new();
	char large[600];

	memset(large, 'x', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	CHECK_STR(said("prompt_cache_key", "k1", arena), "k1", "a cache key");
	CHECK_STR(said("metadata", "user_ab_account_cd_session_ef-1", arena),
	    "ef-1", "Claude Code's, in its user id");
	CHECK_STR(
	    said("metadata", "{\"device_id\":\"d\", \"session_id\" : \"ef-2\"}",
		arena),
	    "ef-2", "and in an object in a string");
	CHECK_STR(said("metadata", "{\"session_id\":7}", arena), NULL,
	    "no string is none");
	CHECK_STR(said("metadata", "{\"session_id\":\"open", arena), NULL,
	    "nor one that does not end");
	CHECK_STR(said("metadata", "anna", arena), NULL, "a user is none");
	CHECK_STR(
	    said("metadata", "a_session_", arena), NULL, "nor is nothing");
	CHECK_STR(said("prompt_cache_key", large, arena), NULL, "nor too much");
	CHECK(taken("anna", NULL, NULL, NULL, arena) == NULL, "no session");
	CHECK(strlen(taken("anna", "s", NULL, NULL, arena)) == 16,
	    "a session is 16 digits");
	CHECK_STR(taken("anna", "s", "t", "u", arena),
	    taken("anna", "s", NULL, NULL, arena), "our header goes first");
	CHECK_STR(taken("anna", NULL, "t", "u", arena),
	    taken("anna", "t", NULL, NULL, arena), "then Codex's");
	CHECK_STR(taken("anna", NULL, NULL, "u", arena),
	    taken("anna", "u", NULL, NULL, arena), "then the body");
	CHECK(strcmp(taken("anna", "s", NULL, NULL, arena),
		  taken("bert", "s", NULL, NULL, arena)) != 0,
	    "two clients share none");
	arena_free(arena);
}

int
main(void)
{
	test_trace();
	test_session();
	return check_done();
}

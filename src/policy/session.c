/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the ways in which tools name their sessions, and how a name becomes
 * the few digits that are kept.
 */
#include "config.h"

#include <string.h>

#include "base/digest.h"
#include "policy/session.h"

#define SESSION_MAX 512 /* bytes of a name; a longer one names none */
#define SESSION_DIGITS 16

const struct session_header session_headers[SESSION_HEADERS] = {
	{ "X-Tailgate-Session", "HTTP_X_TAILGATE_SESSION" },
	{ "session-id", "HTTP_SESSION_ID" },
};

static bool
is_name(struct span text)
{
	return text.len > 0 && text.len <= SESSION_MAX;
}

/* What comes after the mark; p NULL: it is not there. */
static struct span
after(struct span text, const char *mark)
{
	size_t len = strlen(mark);
	const char *at =
	    text.len > len ? memmem(text.p, text.len, mark, len) : NULL;

	if (at == NULL)
		return (struct span){ NULL, 0 };
	at += len;
	return (struct span){ at, text.len - (size_t)(at - text.p) };
}

static struct span
after_blanks(struct span text)
{
	while (text.len > 0 && (*text.p == ' ' || *text.p == '\t')) {
		text.p++;
		text.len--;
	}
	return text;
}

/* The session in Claude Code's user id; p NULL: there is none. */
static struct span
of_user(struct span user)
{
	struct span rest = after(user, "_session_");

	if (user.len == 0 || *user.p != '{')
		return rest;
	rest = after_blanks(after(user, "\"session_id\""));
	if (rest.len == 0 || *rest.p != ':')
		return (struct span){ NULL, 0 };
	rest = after_blanks((struct span){ rest.p + 1, rest.len - 1 });
	if (rest.len == 0 || *rest.p != '"')
		return (struct span){ NULL, 0 };
	rest = (struct span){ rest.p + 1, rest.len - 1 };
	for (size_t i = 0; i < rest.len; i++)
		if (rest.p[i] == '"')
			return (struct span){ rest.p, i };
	return (struct span){ NULL, 0 };
}

void
session_read(struct call *call, const char *member, struct span text,
    struct arena *arena)
{
	bool user = strcmp(member, "metadata") == 0;

	if (!is_name(text) || (user && call->session_said != NULL))
		return;
	if (user)
		text = of_user(text);
	if (is_name(text))
		call->session_said = arena_text(arena, text);
}

void
session_take(struct call *call, const struct client *client,
    const char *const values[SESSION_HEADERS], struct arena *arena)
{
	const char *said = call->session_said, *whole;
	unsigned char digest[DIGEST_BYTES];
	char text[DIGEST_TEXT_SIZE];

	for (size_t i = SESSION_HEADERS; i-- > 0;)
		if (values[i] != NULL && is_name(span_of(values[i])))
			said = values[i];
	if (said == NULL)
		return;
	/* A client's name holds no slash but a relay's, and no line's end. */
	whole = arena_printf(arena, "%s\n%s", client->name, said);
	digest_make(whole, strlen(whole), digest);
	digest_text(digest, text);
	text[SESSION_DIGITS] = '\0';
	call->session = arena_strdup(arena, text);
}

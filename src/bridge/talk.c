/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what the templates of chat models insist on: one system message, and
 * at the beginning; no two turns of the user behind one another; nothing but
 * text in a tool's result, and nothing between the results of one turn.
 * Messages are gathered here and put when the next of another kind comes.
 */
#include "config.h"

#include "base/log.h"
#include "bridge/run.h"

void
bridge_talk_init(struct bridge_talk *t, json_t *messages)
{
	t->messages = messages;
	t->system = json_array();
	t->user = json_array();
	t->media = json_array();
	t->assistant = NULL;
}

void
bridge_talk_free(struct bridge_talk *t)
{
	json_decref(t->system);
	json_decref(t->user);
	json_decref(t->media);
}

static void
put(struct bridge_talk *t, const char *role, json_t **parts)
{
	if (json_array_size(*parts) == 0)
		return;
	bridge_append(
	    t->messages, bridge_message(role, bridge_content(*parts)));
	*parts = json_array();
}

static void
append_all(json_t *to, json_t *parts)
{
	if (json_array_extend(to, parts) == -1)
		fatal("out of memory for JSON");
	json_decref(parts);
}

/* What the results of tools showed comes before what the user says. */
static void
put_user(struct bridge_talk *t)
{
	json_t *said = t->user;

	t->user = t->media;
	t->media = json_array();
	append_all(t->user, said);
	put(t, "user", &t->user);
}

void
bridge_talk_end(struct bridge_talk *t)
{
	put(t, "system", &t->system);
	put_user(t);
}

void
bridge_talk_user(struct bridge_talk *t, json_t *parts)
{
	put(t, "system", &t->system);
	t->assistant = NULL;
	append_all(t->user, parts);
}

void
bridge_talk_system(struct bridge_talk *t, json_t *parts)
{
	bool first =
	    json_array_size(t->messages) == 0 && json_array_size(t->user) == 0;

	if (first) {
		append_all(t->system, parts);
		return;
	}
	/* The tag is Claude Code's own for the like. */
	if (json_array_size(parts) > 0) {
		json_array_insert_new(
		    parts, 0, bridge_text_part(span_of("<system-reminder>")));
		bridge_append(
		    parts, bridge_text_part(span_of("</system-reminder>")));
	}
	bridge_talk_user(t, parts);
}

json_t *
bridge_talk_assistant(struct bridge_talk *t, json_t *parts)
{
	json_t *content = parts == NULL || json_array_size(parts) == 0
	    ? NULL
	    : bridge_content(parts);

	if (content == NULL)
		json_decref(parts);
	if (json_array_size(t->media) > 0)
		t->assistant = NULL;
	if (t->assistant == NULL ||
	    (content != NULL && bridge_member(t->assistant, "content"))) {
		bridge_talk_end(t);
		t->assistant = bridge_message("assistant", json_null());
		bridge_append(t->messages, t->assistant);
	}
	if (content != NULL)
		bridge_set(t->assistant, "content", content);
	return t->assistant;
}

void
bridge_talk_tool(struct bridge_talk *t, json_t *id, json_t *parts)
{
	json_t *m;

	put(t, "system", &t->system);
	if (json_array_size(t->user) > 0)
		put_user(t);
	bridge_move_media(parts, t->media);
	m = bridge_message("tool", bridge_content(parts));
	bridge_set(m, "tool_call_id", json_incref(id));
	bridge_append(t->messages, m);
	t->assistant = NULL;
}

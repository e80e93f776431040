/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what chat upstreams make of their one format: reasoning under two
 * names, calls without index or id, arguments as objects, usage anywhere.
 * Both dialects get the same from it: one part or call open at a time, in
 * order.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "policy/call.h"
#include "bridge/run.h"

static void
break_upstream(struct bridge_run *run, const char *why, struct buf *out)
{
	struct bridge_error e = { "upstream_error", "api_error", why, NULL };

	bridge_break(run, why, &e, out);
}

static void
check_room(struct bridge_run *run, const struct buf *b, struct buf *out)
{
	if (buf_failed(b) || buf_failed(&run->items))
		break_upstream(run,
		    "The upstream's answer is longer than tailgate gathers.",
		    out);
}

/* --- Parts --- */

static void
close_part(struct bridge_run *run, struct buf *out)
{
	if (run->part == BRIDGE_PART_NONE)
		return;
	run->output_estimate += call_estimate(buf_span(&run->text));
	run->ops->part_close(run, out);
	run->part = BRIDGE_PART_NONE;
	run->slot++;
	buf_reset(&run->text);
}

static void
close_call(struct bridge_run *run, struct buf *out)
{
	struct bridge_call *c = run->call;

	if (c == NULL)
		return;
	/* A call without arguments: every client parses them as JSON. */
	if (c->args.len == 0) {
		buf_puts(&c->args, "{}");
		run->ops->call_delta(run, c, buf_span(&c->args), out);
	}
	run->output_estimate += call_estimate(buf_span(&c->args));
	run->ops->call_close(run, c, out);
	c->state = BRIDGE_CALL_CLOSED;
	run->call = NULL;
	run->slot++;
}

static void
put_part(struct bridge_run *run, enum bridge_part part, struct span text,
    struct buf *out)
{
	if (text.len == 0 || run->ended)
		return;
	close_call(run, out);
	if (run->part != part) {
		close_part(run, out);
		run->part = part;
		run->ops->part_open(run, out);
	}
	buf_add(&run->text, text.p, text.len);
	run->ops->part_delta(run, text, out);
	check_room(run, &run->text, out);
}

/* Content is a string; Mistral sends a list of parts. */
static void
put_content(struct bridge_run *run, json_t *content, struct buf *out)
{
	json_t *part;
	size_t i;

	if (json_is_string(content))
		put_part(
		    run, BRIDGE_PART_TEXT, bridge_string_span(content), out);
	json_array_foreach(
	    content, i, part) if (bridge_is(part, "type", "text"))
	    put_part(run, BRIDGE_PART_TEXT, bridge_span(part, "text"), out);
}

/* --- Calls --- */

static bool
is_complete(const struct bridge_call *c)
{
	json_t *j;

	if (c->args.len == 0)
		return true;
	j = bridge_parse(buf_span(&c->args), NULL);
	json_decref(j);
	return j != NULL;
}

static char *
made_id(const struct bridge_run *run)
{
	size_t size = strlen(run->request_id) + 32;
	char *id = malloc(size);

	if (id == NULL)
		fatal("out of memory for a tool call");
	snprintf(id, size, "call_%s_%u", run->request_id, run->slot);
	return id;
}

static void
open_call(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	close_part(run, out);
	if (c->id == NULL)
		c->id = made_id(run);
	c->state = BRIDGE_CALL_OPEN;
	c->tool = bridge_tool(run, span_of(c->name));
	c->custom = c->tool != NULL && c->tool->custom;
	run->call = c;
	run->ops->call_open(run, c, out);
}

static void
send_args(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	struct span s;

	if (c->args.len == c->sent)
		return;
	s = (struct span){ c->args.p + c->sent, c->args.len - c->sent };
	c->sent = c->args.len;
	run->ops->call_delta(run, c, s, out);
}

/* Calls usually come one behind the other, and pass as they come.  Where an
 * upstream mixes them, a later one waits until the open one is whole. */
static void
advance(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	if (c->state == BRIDGE_CALL_CLOSED) {
		if (c->args.len > c->sent)
			break_upstream(run,
			    "The upstream went on with a tool call that it "
			    "had ended.",
			    out);
		return;
	}
	if (c->state == BRIDGE_CALL_WAITING && c->name != NULL) {
		if (run->call != NULL && is_complete(run->call))
			close_call(run, out);
		if (run->call == NULL)
			open_call(run, c, out);
	}
	if (c->state == BRIDGE_CALL_OPEN)
		send_args(run, c, out);
}

/* One delta of a call, as it came. */
struct piece {
	long long index; /* -1: none */
	struct span id, name;
	json_t *arguments;
};

/* Does it go on with this call?  By id where both have one; a piece without a
 * name always goes on, whatever its id (older vLLM: a new one each time); a
 * name that comes again, without ids, only while the arguments are not whole
 * (Gemini: index 0 for all). */
static bool
goes_on(const struct bridge_call *c, const struct piece *p)
{
	bool same_index = p->index == -1 || p->index == c->index;

	if (c->id != NULL && p->id.len > 0 && span_is(p->id, c->id))
		return true;
	if (p->name.len == 0 || c->name == NULL)
		return same_index;
	return p->id.len == 0 && p->index != -1 && same_index &&
	    span_is(p->name, c->name) && (c->args.len == 0 || !is_complete(c));
}

static struct bridge_call *
find_call(struct bridge_run *run, const struct piece *p)
{
	for (size_t i = run->ncalls; i-- > 0;)
		if (goes_on(&run->calls[i], p))
			return &run->calls[i];
	return NULL;
}

static struct bridge_call *
new_call(struct bridge_run *run, long long index)
{
	struct bridge_call *c;

	if (run->calls == NULL)
		run->calls = calloc(BRIDGE_CALLS_MAX, sizeof(*run->calls));
	if (run->calls == NULL)
		fatal("out of memory for tool calls");
	if (run->ncalls == BRIDGE_CALLS_MAX)
		return NULL;
	c = &run->calls[run->ncalls++];
	c->index = index;
	buf_init(&c->args, run->text.max_bytes);
	return c;
}

static char *
copy_of(struct span s)
{
	char *p = s.len == 0 ? NULL : strndup(s.p, s.len);

	if (s.len > 0 && p == NULL)
		fatal("out of memory for a tool call");
	return p;
}

static void
add_args(struct bridge_call *c, json_t *arguments)
{
	struct span s = bridge_string_span(arguments);

	if (s.p != NULL)
		buf_add(&c->args, s.p, s.len);
	else if (json_is_object(arguments) && c->args.len == 0)
		bridge_dump(&c->args, arguments);
}

static void
take_call(struct bridge_run *run, json_t *call, struct buf *out)
{
	json_t *function = json_object_get(call, "function");
	json_t *index = json_object_get(call, "index");
	struct piece p = { json_is_integer(index) ? json_integer_value(index)
						  : -1,
		bridge_span(call, "id"), bridge_span(function, "name"),
		json_object_get(function, "arguments") };
	struct bridge_call *c = find_call(run, &p);

	if (c == NULL && (c = new_call(run, p.index)) == NULL) {
		break_upstream(
		    run, "The upstream made too many tool calls.", out);
		return;
	}
	if (c->id == NULL)
		c->id = copy_of(p.id);
	if (c->name == NULL)
		c->name = copy_of(p.name);
	add_args(c, p.arguments);
	advance(run, c, out);
	if (!run->ended)
		check_room(run, &c->args, out);
}

static void
finish_calls(struct bridge_run *run, struct buf *out)
{
	close_call(run, out);
	for (size_t i = 0; i < run->ncalls && !run->ended; i++) {
		struct bridge_call *c = &run->calls[i];

		if (c->state != BRIDGE_CALL_WAITING)
			continue;
		if (c->name == NULL) {
			break_upstream(run,
			    "The upstream made a tool call without a name.",
			    out);
			return;
		}
		open_call(run, c, out);
		send_args(run, c, out);
		close_call(run, out);
	}
}

/* --- The rest of a chunk --- */

static void
take_delta(struct bridge_run *run, json_t *delta, struct buf *out)
{
	static const char *const reasoning[] = { "reasoning_content",
		"reasoning" };
	json_t *calls = json_object_get(delta, "tool_calls"), *call;
	size_t i;

	for (i = 0; i < sizeof(reasoning) / sizeof(*reasoning); i++) {
		struct span s = bridge_span(delta, reasoning[i]);

		if (s.len == 0)
			continue;
		put_part(run, BRIDGE_PART_REASONING, s, out);
		break;
	}
	put_content(run, json_object_get(delta, "content"), out);
	put_part(run, BRIDGE_PART_REFUSAL, bridge_span(delta, "refusal"), out);
	json_array_foreach(calls, i, call)
	{
		if (run->ended)
			return;
		take_call(run, call, out);
	}
}

static void
take_finish(struct bridge_run *run, struct span reason)
{
	static const struct {
		const char *name;
		enum bridge_finish finish;
	} reasons[] = {
		{ "tool_calls", BRIDGE_FINISH_CALLS },
		{ "function_call", BRIDGE_FINISH_CALLS },
		{ "length", BRIDGE_FINISH_LENGTH },
		{ "content_filter", BRIDGE_FINISH_FILTER },
	};

	if (reason.len == 0)
		return;
	run->finish = BRIDGE_FINISH_STOP;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (span_is(reason, reasons[i].name))
			run->finish = reasons[i].finish;
}

static void
take_usage(struct bridge_run *run, json_t *usage)
{
	struct bridge_usage *u = &run->usage;

	if (!json_is_object(usage))
		return;
	u->known = true;
	u->input = bridge_count(usage, "prompt_tokens");
	u->output = bridge_count(usage, "completion_tokens");
	u->cached = bridge_count(
	    json_object_get(usage, "prompt_tokens_details"), "cached_tokens");
	if (u->cached == 0)
		u->cached = bridge_count(usage, "prompt_cache_hit_tokens");
	if (u->cached > u->input)
		u->cached = u->input;
	u->reasoning =
	    bridge_count(json_object_get(usage, "completion_tokens_details"),
		"reasoning_tokens");
}

struct bridge_usage
bridge_used(const struct bridge_run *run)
{
	struct bridge_usage u = run->usage;

	if (!u.known) {
		u.input = run->input_tokens;
		u.output = run->output_estimate;
	}
	return u;
}

static bool
mentions(struct span s, const char *word)
{
	return s.p != NULL && memmem(s.p, s.len, word, strlen(word)) != NULL;
}

/* {"error":{"message","type","code"}}, the code perhaps a number; or a bare
 * string (Ollama). */
struct bridge_error
bridge_error_of(json_t *error)
{
	struct bridge_error e = { "upstream_error", "api_error",
		"The upstream answered with an error.", NULL };
	struct span code = bridge_span(error, "code");
	struct span type = bridge_span(error, "type");
	struct span message = json_is_string(error)
	    ? bridge_string_span(error)
	    : bridge_span(error, "message");
	uint64_t number = bridge_count(error, "code");

	if (message.len > 0)
		e.message = message.p;
	if (code.len > 0)
		e.code = code.p;
	if (number == 429 || mentions(code, "rate_limit") ||
	    mentions(type, "rate_limit")) {
		e.code = "rate_limit_exceeded";
		e.anthropic = "rate_limit_error";
	} else if (mentions(code, "context_length") ||
	    mentions(type, "exceed_context_size")) {
		e.code = "context_length_exceeded";
		e.anthropic = "invalid_request_error";
	} else if (number == 503 || mentions(type, "overloaded")) {
		e.anthropic = "overloaded_error";
	} else if (number == 400 || mentions(type, "invalid_request")) {
		e.anthropic = "invalid_request_error";
	}
	return e;
}

void
bridge_take(struct bridge_run *run, json_t *chunk, struct buf *out)
{
	json_t *error = bridge_member(chunk, "error");
	json_t *choices = json_object_get(chunk, "choices");
	json_t *choice = json_array_get(choices, 0), *delta;

	if (error != NULL) {
		struct bridge_error e = bridge_error_of(error);

		bridge_break(run, "upstream sent an error", &e, out);
		return;
	}
	if (!json_is_array(choices) && bridge_member(chunk, "usage") == NULL) {
		break_upstream(
		    run, "The upstream sent what is no chat completion.", out);
		return;
	}
	if (!run->begun) {
		run->begun = true;
		run->ops->begin(run, out);
	}
	delta = bridge_member(choice, "delta");
	if (delta == NULL)
		delta = bridge_member(choice, "message");
	take_delta(run, delta, out);
	take_finish(run, bridge_span(choice, "finish_reason"));
	take_usage(run, json_object_get(chunk, "usage"));
}

void
bridge_finish(struct bridge_run *run, struct buf *out)
{
	close_part(run, out);
	finish_calls(run, out);
	if (run->ended)
		return;
	check_room(run, &run->items, out);
	if (run->ended)
		return;
	if (run->ncalls > 0 && run->finish != BRIDGE_FINISH_LENGTH)
		run->finish = BRIDGE_FINISH_CALLS;
	run->ops->end(run, out);
	run->ended = true;
	run->last = BRIDGE_DONE;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Streams of chat upstreams, in every order and packing, and what the clients
 * of both bridges read from them.  One row is a stream; its outcome is the same
 * through both: texts, calls with their arguments, and how it ended.
 */
#include "config.h"

#include <stdlib.h>

#include <jansson.h>

#include "bridge/bridge.h"
#include "bridge/finish.h"
#include "bridge/words.h"
#include "check.h"
#include "wire/sse.h"

#define MAX_BYTES ((size_t)1 << 24)
#define STEPS_MAX 12

struct row {
	const char *name;
	/* A delta, "!reason", "[DONE]", or an event's data after '='. */
	const char *steps[STEPS_MAX];
	/* text:… thought:… refusal:… name(arguments) name(unfinished
	 * and, last, stop, length, filter, or error and its words. */
	const char *outcome;
};

#define CALL(index, id, name, arguments)                   \
	"{\"index\":" index ",\"id\":\"" id "\",\"type\":" \
	"\"function\",\"function\":{\"name\":\"" name      \
	"\",\"arguments\":\"" arguments "\"}}"
#define MORE(index, arguments) \
	"{\"index\":" index ",\"function\":{\"arguments\":\"" arguments "\"}}"
#define BARE(name, arguments)                   \
	"{\"function\":{\"name\":\"" name "\"," \
	"\"arguments\":\"" arguments "\"}}"
#define CALLS(calls) "{\"tool_calls\":[" calls "]}"
#define TEXT(text) "{\"content\":\"" text "\"}"
#define Q "\\\""

static const struct row rows[] = {
	/* Tool calls. */
	{ "announced together, arguments interleaved",
	    { CALLS(
		  CALL("0", "a", "get_a", "") "," CALL("1", "b", "get_b", "")),
		CALLS(MORE("0", "{" Q "x" Q)), CALLS(MORE("1", "{" Q "y" Q)),
		CALLS(MORE("0", ":1}")), CALLS(MORE("1", ":2}")), "!tool_calls",
		"[DONE]" },
	    "get_a({\"x\":1}) get_b({\"y\":2}) stop" },
	{ "the second one's arguments come first",
	    { CALLS(CALL("0", "a", "f", "") "," CALL("1", "b", "g", "")),
		CALLS(MORE("1", "{" Q "y" Q ":2}")),
		CALLS(MORE("0", "{" Q "x" Q ":1}")), "!tool_calls" },
	    "f({\"x\":1}) g({\"y\":2}) stop" },
	{ "announced with an empty object in place of arguments",
	    { CALLS(CALL("0", "a", "f", "{}") "," CALL("1", "b", "g", "{}")),
		CALLS(MORE("1", "{" Q "y" Q ":2}")),
		CALLS(MORE("0", "{" Q "x" Q ":1}")), "!tool_calls" },
	    "f({\"x\":1}) g({\"y\":2}) stop" },
	{ "a call without arguments before one with some",
	    { CALLS(CALL("0", "a", "now", "")),
		CALLS(CALL("1", "b", "f", "{" Q "x" Q ":1}")), "!tool_calls" },
	    "now({}) f({\"x\":1}) stop" },
	{ "null for no arguments",
	    { CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\","
		    "\"arguments\":null}}"),
		CALLS(CALL("1", "b", "g", "null")), "!tool_calls" },
	    "f({}) g({}) stop" },
	{ "a brace in a string ends nothing",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q ":" Q "}")),
		CALLS(CALL("1", "b", "g", "{" Q "y" Q ":2}")),
		CALLS(MORE("0", "\\\\" Q "}" Q "}")), "!tool_calls" },
	    "f({\"x\":\"}\\\"}\"}) g({\"y\":2}) stop" },
	{ "ids without index",
	    { CALLS("{\"id\":\"a\",\"function\":{\"name\":\"f\"}},"
		    "{\"id\":\"b\",\"function\":{\"name\":\"g\"}}"),
		CALLS("{\"id\":\"b\",\"function\":{\"arguments\":\"{\\\"y\\\":"
		      "2}\"}}"),
		CALLS("{\"id\":\"a\",\"function\":{\"arguments\":\"{\\\"x\\\":"
		      "1}\"}}"),
		"!tool_calls" },
	    "f({\"x\":1}) g({\"y\":2}) stop" },
	{ "neither id nor index, one after the other",
	    { CALLS(BARE("f", "{" Q "x" Q)),
		CALLS("{\"function\":{\"arguments\":\":1}\"}}"),
		CALLS(BARE("f", "{" Q "x" Q ":2}")), "!tool_calls" },
	    "f({\"x\":1}) f({\"x\":2}) stop" },
	{ "neither id nor index, in one chunk",
	    { CALLS(BARE("f", "{" Q "x" Q ":1}") "," BARE(
		  "f", "{" Q "x" Q ":2}")),
		"!tool_calls" },
	    "f({\"x\":1}) f({\"x\":2}) stop" },
	{ "index 0 for all",
	    { CALLS(CALL("0", "", "f", "{" Q "x" Q ":1}")),
		CALLS(CALL("0", "", "g", "{" Q "y" Q ":2}")), "!stop" },
	    "f({\"x\":1}) g({\"y\":2}) stop" },
	{ "a name in fragments",
	    { CALLS(CALL("0", "a", "get", "")),
		CALLS(CALL("0", "", "_wea", "")),
		CALLS(CALL("0", "", "ther", "{" Q "x" Q ":1}")), "!stop" },
	    "get_weather({\"x\":1}) stop" },
	{ "the name in every piece",
	    { CALLS(CALL("0", "a", "f", "")), CALLS(CALL("0", "a", "f", "{" Q)),
		CALLS(CALL("0", "a", "f", "x" Q ":1}")), "!stop" },
	    "f({\"x\":1}) stop" },
	{ "a name that comes late",
	    { CALLS("{\"index\":0,\"id\":\"a\"}"),
		CALLS(MORE("0", "{" Q "x" Q ":1}")),
		CALLS("{\"index\":0,\"function\":{\"name\":\"f\"}}"), "!stop" },
	    "f({\"x\":1}) stop" },
	{ "a new id with every piece",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q)),
		CALLS("{\"index\":0,\"id\":\"b\",\"function\":{"
		      "\"arguments\":\":1}\"}}"),
		"!tool_calls" },
	    "f({\"x\":1}) stop" },
	{ "the same id for two",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q ":1}")),
		CALLS(CALL("1", "a", "g", "{" Q "y" Q ":2}")), "!tool_calls" },
	    "f({\"x\":1}) g({\"y\":2}) stop" },
	{ "the whole once more at the end",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q ":1}")),
		CALLS(CALL("0", "a", "f", "{" Q "x" Q ":1}")), "!tool_calls" },
	    "f({\"x\":1}) stop" },
	{ "function_call, as it was before tool_calls",
	    { "{\"function_call\":{\"name\":\"f\",\"arguments\":\"\"}}",
		"{\"function_call\":{\"arguments\":\"{\\\"x\\\":1}\"}}",
		"!function_call" },
	    "f({\"x\":1}) stop" },
	{ "numbers as they were written",
	    { CALLS("{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":"
		    "{\"n\":123456789012345678901234567890,"
		    "\"d\":1.7976931348623157e308, \"e\":1.50}}}"),
		"!tool_calls" },
	    "f({\"n\":123456789012345678901234567890,"
	    "\"d\":1.7976931348623157e308, \"e\":1.50}) stop" },
	{ "text inside a call's arguments waits for it",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q)), TEXT("so"),
		CALLS(MORE("0", ":1}")), "!tool_calls" },
	    "f({\"x\":1}) text:so stop" },
	{ "text after a call ends it",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q ":1}")), TEXT("so"),
		CALLS(CALL("1", "b", "g", "")), "!tool_calls" },
	    "f({\"x\":1}) text:so g({}) stop" },
	{ "two calls of one index, told apart by id, interleaved",
	    { CALLS(CALL("0", "a", "f", "")), CALLS(CALL("0", "b", "g", "")),
		CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"arguments\":"
		      "\"{\\\"x\\\":1}\"}}"),
		CALLS("{\"index\":0,\"id\":\"b\",\"function\":{\"arguments\":"
		      "\"{\\\"y\\\":2}\"}}"),
		"!tool_calls" },
	    "f({\"x\":1}) g({\"y\":2}) stop" },
	{ "one index, two ids, the same name, whole",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q ":1}")),
		CALLS(CALL("0", "b", "f", "{" Q "x" Q ":2}")), "!tool_calls" },
	    "f({\"x\":1}) f({\"x\":2}) stop" },
	{ "one index, two ids, the same arguments",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q ":1}")),
		CALLS(CALL("0", "b", "f", "{" Q "x" Q ":1}")), "!tool_calls" },
	    "f({\"x\":1}) f({\"x\":1}) stop" },
	{ "one index, no ids, the same name",
	    { CALLS(CALL("0", "", "f", "{" Q "x" Q ":1}")),
		CALLS(CALL("0", "", "f", "{" Q "x" Q ":2}")), "!stop" },
	    "f({\"x\":1}) f({\"x\":2}) stop" },
	{ "one index, two ids, in one chunk, pieces without an id",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q ":1}") "," CALL(
		  "0", "b", "g", "{" Q "y" Q)),
		CALLS(MORE("0", ":2}")), "!tool_calls" },
	    "f({\"x\":1}) g({\"y\":2}) stop" },
	{ "the id in every piece, no index",
	    { CALLS("{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":"
		    "\"{\\\"x\\\"\"}}"),
		CALLS("{\"id\":\"a\",\"function\":{\"arguments\":\":\"}}"),
		CALLS("{\"id\":\"a\",\"function\":{\"arguments\":\"1}\"}}"),
		"!tool_calls" },
	    "f({\"x\":1}) stop" },
	{ "an id in the first piece alone, no index, two calls",
	    { CALLS("{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":"
		    "\"{\\\"x\\\"\"}}"),
		CALLS("{\"function\":{\"arguments\":\":1}\"}}"),
		CALLS(
		    "{\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":"
		    "\"{\\\"y\\\"\"}}"),
		CALLS("{\"function\":{\"arguments\":\":2}\"}}"), "!stop" },
	    "f({\"x\":1}) g({\"y\":2}) stop" },
	{ "an empty id, a null one, a number",
	    { CALLS("{\"index\":0,\"id\":null,\"function\":{\"name\":\"f\","
		    "\"arguments\":\"{\\\"x\\\"\"}}"),
		CALLS("{\"index\":0,\"id\":\"\",\"function\":{\"name\":null,"
		      "\"arguments\":\":1}\"}}"),
		CALLS("{\"index\":1,\"id\":7,\"function\":{\"name\":\"g\","
		      "\"arguments\":\"{}\"}}"),
		"!tool_calls" },
	    "f({\"x\":1}) g({}) stop" },
	{ "the index as a text, then as a number",
	    { CALLS("{\"index\":\"1\",\"id\":\"b\",\"function\":{\"name\":"
		    "\"g\",\"arguments\":\"{\\\"y\\\"\"}}"),
		CALLS(MORE("1", ":2}")), "!tool_calls" },
	    "g({\"y\":2}) stop" },
	{ "indexes that do not begin at 0, backwards",
	    { CALLS(CALL("7", "a", "f", "")), CALLS(CALL("3", "b", "g", "")),
		CALLS(MORE("3", "{" Q "y" Q ":2}")),
		CALLS(MORE("7", "{" Q "x" Q ":1}")), "!tool_calls" },
	    "f({\"x\":1}) g({\"y\":2}) stop" },
	{ "an empty object, then more of it",
	    { CALLS(CALL("0", "a", "f", "{}")), CALLS(MORE("0", "{" Q "x" Q)),
		CALLS(MORE("0", ":1}")), "!tool_calls" },
	    "f({\"x\":1}) stop" },
	{ "blanks for arguments, and around them",
	    { CALLS(CALL("0", "a", "f", " ")),
		CALLS(CALL("1", "b", "g", " \\n{" Q "y" Q ":2}\\n")),
		CALLS(MORE("1", " ")), "!tool_calls" },
	    "f({}) g( \n{\"y\":2}\n ) stop" },
	{ "a name in fragments with its id, arguments after it",
	    { CALLS(CALL("0", "a", "get_", "")),
		CALLS(CALL("0", "a", "weather", "")),
		CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"\","
		      "\"arguments\":\"{\\\"x\\\":1}\"}}"),
		"!tool_calls" },
	    "get_weather({\"x\":1}) stop" },
	{ "names of two calls in fragments, interleaved",
	    { CALLS(CALL("0", "a", "get_", "") "," CALL("1", "b", "set_", "")),
		CALLS(CALL("0", "", "a", "") "," CALL("1", "", "b", "")),
		CALLS(MORE("1", "{" Q "y" Q ":2}") "," MORE(
		    "0", "{" Q "x" Q ":1}")),
		"!tool_calls" },
	    "get_a({\"x\":1}) set_b({\"y\":2}) stop" },
	{ "three, the second without arguments, the third first",
	    { CALLS(CALL("0", "a", "f", "") "," CALL(
		  "1", "b", "g", "") "," CALL("2", "c", "h", "")),
		CALLS(MORE("2", "{" Q "z" Q ":3}")),
		CALLS(MORE("0", "{" Q "x" Q ":1}")), "!tool_calls" },
	    "f({\"x\":1}) g({}) h({\"z\":3}) stop" },
	{ "a call cut off behind one that is whole",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q ":1}")),
		CALLS(CALL("1", "b", "g", "{" Q "y" Q)) },
	    "f({\"x\":1}) g({\"y\" error:The upstream's response ended in the "
	    "middle." },
	{ "text, a call, a thought, a call",
	    { TEXT("a"), CALLS(CALL("0", "a", "f", "{" Q "x" Q ":1}")),
		"{\"reasoning\":\"hm\"}",
		CALLS(CALL("1", "b", "g", "{" Q "y" Q ":2}")), "!tool_calls" },
	    "text:a f({\"x\":1}) thought:hm g({\"y\":2}) stop" },
	{ "text inside a call that a length ends",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q)), TEXT("so"), "!length" },
	    "f({\"x\" text:so length" },
	{ "a call in a message beside a delta",
	    { "={\"choices\":[{\"delta\":{\"tool_calls\":[" CALL("0", "a", "f",
		  "{" Q "x" Q
		  ":1}") "]},\"message\":{\"tool_calls\":[" CALL("0", "a", "f",
		  "{" Q "x" Q ":1}") "]}}]}",
		"!tool_calls" },
	    "f({\"x\":1}) stop" },
	{ "an empty list of calls, and null",
	    { CALLS(""), TEXT("a"), "{\"tool_calls\":null,\"content\":null}",
		"!stop" },
	    "text:a stop" },
	{ "tool_calls without a call", { TEXT("x"), "!tool_calls" },
	    "text:x stop" },

	/* Arguments that the model did not finish are not a call. */
	{ "cut in a call",
	    { TEXT("a"), CALLS(CALL("0", "a", "f", "{" Q "x" Q)) },
	    "text:a f({\"x\" error:The upstream's response ended in the "
	    "middle." },
	{ "cut behind announced calls",
	    { CALLS(CALL("0", "a", "f", "") "," CALL("1", "b", "g", "")) },
	    "error:The upstream's response ended in the middle." },
	{ "[DONE] in a call",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q)), "[DONE]" },
	    "f({\"x\" error:The upstream's response ended in the middle of a "
	    "tool call." },
	{ "a reason in the middle of a call",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q)), "!tool_calls" },
	    "f({\"x\" error:The upstream's response ended in the middle of a "
	    "tool call." },
	{ "length in a call",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q ":1}")),
		CALLS(CALL("1", "b", "g", "{" Q "y" Q)), "!length" },
	    "f({\"x\":1}) g({\"y\" length" },
	{ "length before a call's arguments",
	    { TEXT("a"), CALLS(CALL("0", "a", "f", "")), "!length" },
	    "text:a length" },
	{ "a filter in a call",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q)), "!content_filter" },
	    "f({\"x\" filter" },
	{ "an error in a call",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q ":1}")),
		"={\"error\":{\"message\":\"out of memory\"}}" },
	    "f({\"x\":1} error:out of memory" },
	{ "a failure after a call",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q ":1}")), "!abort",
		"[DONE]" },
	    "f({\"x\":1} error:The upstream ended its response with the reason "
	    "\"abort\"." },

	/* Finish reasons. */
	{ "network_error", { TEXT("half"), "!network_error", "[DONE]" },
	    "text:half error:The upstream ended its response with the reason "
	    "\"network_error\"." },
	{ "a full context", { TEXT("a"), "!model_context_window_exceeded" },
	    "text:a length" },
	{ "moderation", { TEXT("a"), "!sensitive" }, "text:a filter" },
	{ "moderation wins over calls",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q ":1}")), "!SAFETY" },
	    "f({\"x\":1}) filter" },
	{ "in capitals", { TEXT("a"), "!STOP" }, "text:a stop" },
	{ "an unknown word", { TEXT("a"), "!gnarl" },
	    "text:a error:The upstream ended its response with the reason "
	    "\"gnarl\"." },
	{ "an end in the words of others", { TEXT("a"), "!EOS_TOKEN" },
	    "text:a stop" },
	{ "a length in the words of others", { TEXT("a"), "!MAX_TOKENS" },
	    "text:a length" },
	{ "a limit of its context", { TEXT("a"), "!context_length_exceeded" },
	    "text:a length" },
	{ "moderation in the words of others",
	    { TEXT("a"), "!PROHIBITED_CONTENT" }, "text:a filter" },
	{ "a call that was malformed",
	    { TEXT("a"), "!MALFORMED_FUNCTION_CALL" },
	    "text:a error:The upstream ended its response with the reason "
	    "\"MALFORMED_FUNCTION_CALL\"." },
	{ "a time that ran out", { TEXT("a"), "!timeout", "[DONE]" },
	    "text:a error:The upstream ended its response with the reason "
	    "\"timeout\"." },
	{ "a cancelled one", { TEXT("a"), "!cancelled", "[DONE]" },
	    "text:a error:The upstream ended its response with the reason "
	    "\"cancelled\"." },
	{ "an empty reason, then a true one",
	    { TEXT("a"), "!", TEXT("b"), "!stop" }, "text:ab stop" },
	{ "the reason with the last text",
	    { "={\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":"
	      "\"length\"}]}",
		"[DONE]" },
	    "text:a length" },
	{ "a reason again in the chunk of the usage",
	    { TEXT("a"), "!stop",
		"={\"choices\":[{\"delta\":{},\"finish_reason\":null}],"
		"\"usage\":{}}",
		"[DONE]" },
	    "text:a stop" },
	{ "no reason, but the end", { TEXT("a"), "[DONE]" }, "text:a stop" },
	{ "the end with blanks", { TEXT("a"), "= [DONE] " }, "text:a stop" },
	{ "no reason and no end", { TEXT("a") },
	    "text:a error:The upstream's response ended in the middle." },

	/* Characters. */
	{ "the halves of a character",
	    { TEXT("a\\ud83d"), TEXT("\\ude00b"), "!stop" },
	    "text:a\xf0\x9f\x98\x80"
	    "b stop" },
	{ "a half that is lost", { TEXT("a\\ud83d"), TEXT("b"), "!stop" },
	    "text:a\xef\xbf\xbd"
	    "b stop" },
	{ "a half at the end", { TEXT("a\\ud83d"), "!stop" },
	    "text:a\xef\xbf\xbd stop" },
	{ "nothing but a half", { TEXT("\\ud83d"), "!stop" },
	    "text:\xef\xbf\xbd stop" },
	{ "a second half alone", { TEXT("\\ude00"), "!stop" },
	    "text:\xef\xbf\xbd stop" },
	{ "an escaped backslash is no half", { TEXT("\\\\ud83d"), "!stop" },
	    "text:\\ud83d stop" },
	{ "halves of a thought, a text between them",
	    { "{\"reasoning_content\":\"t\\ud83d\"}", TEXT("a"), "!stop" },
	    "thought:t\xef\xbf\xbd text:a stop" },
	{ "halves in arguments",
	    { CALLS(CALL("0", "a", "f", "{" Q "x" Q ":" Q "\\ud83d")),
		CALLS(MORE("0", "\\ude00" Q "}")), "!stop" },
	    "f({\"x\":\"\xf0\x9f\x98\x80\"}) stop" },
	{ "bytes that are no UTF-8", { TEXT("a\xf0\x9f"), TEXT("b"), "!stop" },
	    "text:a\xef\xbf\xbd\xef\xbf\xbd"
	    "b stop" },

	/* Shapes. */
	{ "content in parts, thinking among them",
	    { "{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":"
	      "\"text\",\"text\":\"hm\"}]},{\"type\":\"text\",\"text\":\"a\"}"
	      "]}",
		TEXT("b"), "!stop" },
	    "thought:hm text:ab stop" },
	{ "events of no API",
	    { "=ping", "={}", TEXT("a"), "={\"type\":\"ping\"}",
		"={\"choices\":[],\"usage\":null}", "!stop" },
	    "text:a stop" },
	{ "nothing but such", { "={\"type\":\"ping\"}", "[DONE]" },
	    "error:The upstream ended without a response." },
	{ "a torn chunk", { TEXT("a"), "={\"choi" },
	    "text:a error:The upstream sent an event that is not JSON." },
	{ "a null error is none",
	    { "={\"error\":null,\"choices\":[{\"delta\":{\"content\":\"a\"}}]}",
		"!stop" },
	    "text:a stop" },
	{ "an error all of whose members are empty is none",
	    { "={\"error\":{\"message\":\"\",\"code\":0,\"param\":null},"
	      "\"choices\":[{\"delta\":{\"content\":\"a\"}}]}",
		"!stop" },
	    "text:a stop" },
	{ "an error beside a choice",
	    { TEXT("a"),
		"={\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\""
		":\"error\"}],\"error\":{\"code\":502,\"message\":\"gone\"}}" },
	    "text:a error:gone" },
	{ "an error whose message is a list of problems",
	    { TEXT("a"),
		"={\"error\":{\"detail\":[{\"loc\":[\"body\",\"n\"],\"msg\":"
		"\"too large\"}]}}" },
	    "text:a error:body.n: too large" },
	{ "a number for an error", { TEXT("a"), "={\"error\":503}" },
	    "text:a error:503" },
	{ "a bare string for an error", { TEXT("a"), "={\"error\":\"broke\"}" },
	    "text:a error:broke" },
};

/* --- How a client reads the events --- */

struct reader {
	bool messages;
	struct buf out; /* the outcome */
	struct buf open; /* of the open block or item */
	bool is_open, is_call;
};

static const char *
text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s == NULL ? "" : s;
}

static void
put_open(struct reader *r, bool done)
{
	if (!r->is_open)
		return;
	buf_add(&r->out, r->open.p, r->open.len);
	buf_puts(&r->out, r->is_call && done ? ") " : " ");
	r->is_open = false;
}

static void
open_one(struct reader *r, const char *kind, const char *name)
{
	put_open(r, false);
	buf_reset(&r->open);
	r->is_open = true;
	r->is_call = *name != '\0';
	if (r->is_call)
		buf_printf(&r->open, "%s(", name);
	else
		buf_printf(&r->open, "%s:", kind);
}

static void
read_messages(struct reader *r, const char *type, json_t *e)
{
	json_t *block = json_object_get(e, "content_block");
	json_t *delta = json_object_get(e, "delta");
	const char *reason = text_of(delta, "stop_reason");

	if (block != NULL)
		open_one(r,
		    strcmp(text_of(block, "type"), "thinking") == 0 ? "thought"
								    : "text",
		    text_of(block, "name"));
	buf_printf(&r->open, "%s%s%s", text_of(delta, "text"),
	    text_of(delta, "thinking"), text_of(delta, "partial_json"));
	if (strcmp(type, "content_block_stop") == 0)
		put_open(r, true);
	if (*reason != '\0') {
		put_open(r, false);
		buf_puts(&r->out,
		    strcmp(reason, "max_tokens") == 0    ? "length"
			: strcmp(reason, "refusal") == 0 ? "filter"
							 : "stop");
	}
	if (strcmp(type, "error") == 0) {
		put_open(r, false);
		buf_printf(&r->out, "error:%s",
		    text_of(json_object_get(e, "error"), "message"));
	}
}

static void
read_end(struct reader *r, const char *type, json_t *response)
{
	const char *reason =
	    text_of(json_object_get(response, "incomplete_details"), "reason");

	put_open(r, false);
	if (strcmp(type, "response.failed") == 0)
		buf_printf(&r->out, "error:%s",
		    text_of(json_object_get(response, "error"), "message"));
	else
		buf_puts(&r->out,
		    strcmp(reason, "max_output_tokens") == 0    ? "length"
			: strcmp(reason, "content_filter") == 0 ? "filter"
								: "stop");
}

static void
read_responses(struct reader *r, const char *type, json_t *e)
{
	json_t *item = json_object_get(e, "item");
	const char *dot = strrchr(type, '.');

	if (strcmp(type, "response.output_item.added") == 0)
		open_one(r,
		    strcmp(text_of(item, "type"), "reasoning") == 0 ? "thought"
								    : "text",
		    text_of(item, "name"));
	else if (strcmp(type, "response.output_item.done") == 0)
		put_open(r, true);
	else if (dot != NULL && strcmp(dot, ".delta") == 0)
		buf_puts(&r->open, text_of(e, "delta"));
	else if (strcmp(type, "response.completed") == 0 ||
	    strcmp(type, "response.incomplete") == 0 ||
	    strcmp(type, "response.failed") == 0)
		read_end(r, type, json_object_get(e, "response"));
}

static int
on_event(void *ctx, const struct sse_event *event)
{
	struct reader *r = ctx;
	json_t *e = json_loadb(event->data.p, event->data.len, 0, NULL);

	CHECK(e != NULL, "the event is JSON");
	if (r->messages)
		read_messages(r, text_of(e, "type"), e);
	else
		read_responses(r, text_of(e, "type"), e);
	json_decref(e);
	return 0;
}

/* --- The rows --- */

static void
push_step(struct bridge_run *run, const char *step, struct buf *out)
{
	struct buf data;

	buf_init(&data, MAX_BYTES);
	if (*step == '!')
		buf_printf(&data,
		    "{\"choices\":[{\"delta\":{},\"finish_reason\":\"%s\"}]}",
		    step + 1);
	else if (*step == '{')
		buf_printf(&data,
		    "{\"choices\":[{\"delta\":%s,\"finish_reason\":null}]}",
		    step);
	else
		buf_puts(&data, *step == '=' ? step + 1 : step);
	bridge_event(run, buf_span(&data), out);
	buf_free(&data);
}

static void
try_row(const struct row *row, enum bridge kind)
{
	struct bridge_ask ask = { .request_id = "r",
		.model = "m",
		.upstream_model = "u",
		.stream = true };
	struct reader r = { .messages = kind == BRIDGE_MESSAGES };
	struct bridge_run *run = bridge_new(kind, &ask);
	struct buf out;
	struct sse sse;

	buf_init(&out, MAX_BYTES);
	buf_init(&r.out, MAX_BYTES);
	buf_init(&r.open, MAX_BYTES);
	for (size_t i = 0; i < STEPS_MAX && row->steps[i] != NULL; i++)
		push_step(run, row->steps[i], &out);
	bridge_end(run, &out);
	sse_init(&sse, MAX_BYTES, NULL);
	sse_push(&sse, buf_span(&out), on_event, &r);
	CHECK_STR(r.out.p, row->outcome, "%s: %s",
	    r.messages ? "messages" : "responses", row->name);
	sse_free(&sse);
	bridge_free(run);
	buf_free(&out);
	buf_free(&r.out);
	buf_free(&r.open);
}

/* --- Stop sequences, reasons, words --- */

static void
stop_sequence(const char *choice, const char *want)
{
	struct bridge_ask ask = {
		.request_id = "r", .model = "m", .upstream_model = "u"
	};
	struct bridge_run *run = bridge_new(BRIDGE_MESSAGES, &ask);
	struct refused refused;
	struct buf out;

	buf_init(&out, MAX_BYTES);
	bridge_request(run,
	    span_of("{\"max_tokens\":9,\"stop_sequences\":[\"###\",\"a\\nb\"],"
		    "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"),
	    &out, &refused);
	buf_reset(&out);
	bridge_response(run, span_of(choice), &out);
	CHECK(out.p != NULL && strstr(out.p, want) != NULL, "%s is told as %s",
	    choice, want);
	bridge_free(run);
	buf_free(&out);
}

static void
test_stop_sequences(void)
{
#define CHOICE(more)                                      \
	"{\"choices\":[{\"message\":{\"content\":\"x\"}," \
	"\"finish_reason\":\"stop\"," more "}]}"
	stop_sequence(CHOICE("\"stop_reason\":\"###\""),
	    "\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"###\"");
	stop_sequence(CHOICE("\"matched_stop\":\"a\\nb\""),
	    "\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"a\\nb\"");
	stop_sequence(CHOICE("\"matched_stop\":151645"),
	    "\"stop_reason\":\"end_turn\",\"stop_sequence\":null");
	stop_sequence(CHOICE("\"stop_reason\":\"end_turn\""),
	    "\"stop_reason\":\"end_turn\",\"stop_sequence\":null");
}

static void
test_reasons(void)
{
	static const struct {
		const char *reason;
		enum finish finish;
	} reasons[] = {
		{ "", FINISH_NONE },
		{ "null", FINISH_NONE },
		{ "stop", FINISH_STOP },
		{ "eos_token", FINISH_STOP },
		{ "COMPLETE", FINISH_STOP },
		{ "end_turn", FINISH_STOP },
		{ "tool_use", FINISH_CALLS },
		{ "max_tokens", FINISH_LENGTH },
		{ "model_length", FINISH_LENGTH },
		{ "context_length_exceeded", FINISH_LENGTH },
		{ "MAX_TOKENS", FINISH_LENGTH },
		{ "content_filter", FINISH_FILTER },
		{ "content_filter: RECITATION", FINISH_FILTER },
		{ "PROHIBITED_CONTENT", FINISH_FILTER },
		{ "guardrail_intervened", FINISH_FILTER },
		{ "error", FINISH_FAILED },
		{ "network_error", FINISH_FAILED },
		{ "insufficient_system_resource", FINISH_FAILED },
		{ "abort", FINISH_FAILED },
		{ "cancelled", FINISH_FAILED },
		{ "timeout", FINISH_FAILED },
		{ "function_call_filter: MALFORMED_FUNCTION_CALL",
		    FINISH_FAILED },
		{ "OTHER", FINISH_FAILED },
		{ "\xe9\x94\x99\xe8\xaf\xaf", FINISH_FAILED },
		/* The same words in other spellings. */
		{ "maxTokens", FINISH_LENGTH },
		{ "EndTurn", FINISH_STOP },
		{ "toolUse", FINISH_CALLS },
		{ "tool-calls", FINISH_CALLS },
		{ "stop ", FINISH_STOP },
		{ "FinishReason.STOP", FINISH_STOP },
		{ "FINISH_REASON_MAX_TOKENS", FINISH_LENGTH },
		{ "FINISH_REASON_UNSPECIFIED", FINISH_NONE },
		{ "None", FINISH_NONE },
		{ "ERROR_LIMIT", FINISH_LENGTH },
		{ "ERROR_TOXIC", FINISH_FILTER },
		{ "rateLimit", FINISH_FAILED },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		CHECK(
		    finish_of(span_of(reasons[i].reason)) == reasons[i].finish,
		    "the reason \"%s\"", reasons[i].reason);
}

static void
test_words(void)
{
	static const char *const words[][2] = {
		{ "{\"error\":{\"message\":\"m\",\"code\":1}}", "m" },
		{ "{\"error_code\":336003,\"error_msg\":\"m\"}", "m" },
		{ "{\"fault\":{\"faultstring\":\"m\",\"detail\":{}}}", "m" },
		{ "{\"__type\":\"X\",\"Message\":\"m\"}", "m" },
		{ "{\"base_resp\":{\"status_code\":1008,\"status_msg\":\"m\"}}",
		    "m" },
		{ "{\"status\":1,\"result\":{\"error\":{\"message\":\"m\"}}}",
		    "m" },
		{ "{\"errors\":{\"messages\":[\"m\"]}}", "m" },
		{ "<?xml version=\"1.0\"?><Error><Code>A</Code>"
		  "<Message>m</Message></Error>",
		    "A m" },
		{ "{\"error\":\"m\"}", "m" },
		{ "{\"error\":null,\"message\":\"m\"}", "m" },
		{ "{\"message\":\"m\"}", "m" },
		{ "{\"detail\":\"m\"}", "m" },
		{ "{\"detail\":[{\"loc\":[\"body\",\"messages\",0],\"msg\":"
		  "\"field "
		  "required\",\"type\":\"missing\"},{\"loc\":[\"body\"],"
		  "\"msg\":\"bad\"}]}",
		    "body.messages.0: field required; body: bad" },
		{ "[{\"error\":{\"code\":400,\"message\":\"m\"}}]", "m" },
		{ "{\"errors\":[\"a\",\"b\"]}", "a; b" },
		{ "{\"error\":{\"message\":\"Provider returned error\","
		  "\"metadata\":{\"raw\":\"{\\\"error\\\":{\\\"message\\\":"
		  "\\\"too long\\\"}}\"}}}",
		    "Provider returned error: too long" },
		{ "\"bare\"", "bare" },
		{ "plain \t\r\n text\x01\n", "plain text" },
		{ "{'error': 'no JSON'}", "{'error': 'no JSON'}" },
		{ "data: {\"error\":{\"message\":\"m\"}}\n\n", "m" },
		{ "event: error\ndata: {\"error\":\"m\"}\n\n", "m" },
		{ "<html><head><title>502 Bad Gateway</title></head><body>"
		  "<center><h1>502 Bad Gateway</h1></center><hr>nginx</body>"
		  "</html>",
		    "502 Bad Gateway nginx" },
		{ "<!DOCTYPE html>\n<html><head><title>Error</title><style>x{}"
		  "</style></head><body><pre>Cannot POST &quot;/v1&quot;</pre>"
		  "</body></html>",
		    "Error: Cannot POST \"/v1\"" },
		{ "{\"error\":{\"message\":\"a\\u0000\\u001bb\\ud83d\"}}",
		    "a b\xef\xbf\xbd" },
		{ "\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "{\"code\":5}", "" },
		{ "{}", "" },
		{ "", "" },
	};
	struct buf out, longer;

	buf_init(&out, MAX_BYTES);
	buf_init(&longer, MAX_BYTES);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		buf_reset(&out);
		buf_puts(&out, "");
		words_of(span_of(words[i][0]), &out);
		CHECK_STR(out.p, words[i][1], "the words of %s", words[i][0]);
	}
	for (size_t i = 0; i < WORDS_MAX; i++)
		buf_puts(&longer, "\xc3\xa4");
	buf_reset(&out);
	words_of(buf_span(&longer), &out);
	CHECK(out.len <= WORDS_MAX + 3 &&
		strcmp(out.p + out.len - 3, "\xe2\x80\xa6") == 0,
	    "words that never end are cut (%zu bytes)", out.len);
	buf_free(&out);
	buf_free(&longer);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		try_row(&rows[i], BRIDGE_RESPONSES);
		if (strstr(rows[i].outcome, "refusal:") == NULL)
			try_row(&rows[i], BRIDGE_MESSAGES);
	}
	test_stop_sequences();
	test_reasons();
	test_words();
	return check_done();
}

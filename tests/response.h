/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the stub upstream responds: from a request's path, body and script to a
 * head and the pieces of a body.  Pure; upstream.c does the sending, and the
 * faults in the sending.
 *
 * A script is a list of words and settings, "stall-mid,n=8,ms=20".  It is the
 * request's model name, or is in the path ("/s/SCRIPT/v1/models").  Words that
 * are not a flag are ignored, so the script "qwen3" does nothing.
 */
#ifndef TESTS_ANSWER_H
#define TESTS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

/* name, word, what it does */
#define SCRIPT_FLAGS(X)                                                       \
	/* in the sending */                                                  \
	X(RESET, "reset", "reset the connection instead of answering")        \
	X(CLOSE, "close", "close it instead of answering")                    \
	X(STALL_HEAD, "stall-head", "send nothing until /_release")           \
	X(STALL_FIRST, "stall-first", "the head, then wait for /_release")    \
	X(STALL_MID, "stall-mid", "half the body, then wait for /_release")   \
	X(GATE, "gate", "the first piece, then wait for /_release")           \
	X(CUT_HEAD, "cut-head", "close within the head")                      \
	X(CUT_MID, "cut-mid", "close after half of the body")                 \
	X(CUT_UTF8, "cut-utf8", "close inside a UTF-8 sequence")              \
	X(RST, "rst", "where it cuts, reset instead of close")                \
	X(CLEAN, "clean", "where it cuts, end the HTTP message properly")     \
	X(DRIP, "drip", "one byte every ms milliseconds")                     \
	X(LENGTH_LONG, "length-long", "Content-Length 100 too large, close")  \
	X(LENGTH_SHORT, "length-short", "Content-Length 10 too small")        \
	X(UNTIL_CLOSE, "until-close", "no framing: the end is the close")     \
	X(INTERIM, "1xx", "100 and 103 answers before the real one")          \
	X(DOOM, "close-reuse", "close when the connection is used again")     \
	X(CLOSE_AFTER, "close-after", "keep-alive, closed right after")       \
	X(RAW, "raw", "the file in --raw DIR named by file=, byte for byte")  \
	/* in the head */                                                     \
	X(HUGE_HEADERS, "huge-headers", "size (100,000) bytes of headers")    \
	X(INJECT, "inject", "hostile and private response headers")           \
	X(GZIP, "gzip", "Content-Encoding: gzip, though nobody asked")        \
	X(RETRY_DATE, "retry-date", "retry= as an HTTP date")                 \
	X(NO_TYPE, "no-type", "no Content-Type")                              \
	/* errors */                                                          \
	X(NUMERIC, "numeric", "error.code is a number")                       \
	X(BARE, "bare", "error is a string")                                  \
	X(PLAIN, "text", "the error is text/plain")                           \
	X(HTML, "html", "the error is a web page")                            \
	X(LOADING, "loading", "llama.cpp's Loading model")                    \
	X(TOOLONG, "toolong", "context_length_exceeded")                      \
	X(ERROR_BODY, "error-body", "200 with an error object")               \
	X(ERROR_FIRST, "error-first", "the first event is an error")          \
	X(ERROR_MID, "error-mid", "an error event after half of them")        \
	/* in the body */                                                     \
	X(EMPTY, "empty", "an empty body")                                    \
	X(COMMENTS, "comments", "SSE comments between events")                \
	X(CRLF, "crlf", "events end in CR LF")                                \
	X(BLANK, "blank", "blank lines before JSON")                          \
	X(BIG_EVENT, "big-event", "one event of size (1 MiB) bytes")          \
	X(NO_DONE, "no-done", "the stream ends without its last events")      \
	X(USAGE_NONE, "usage-none", "no usage anywhere")                      \
	X(USAGE_LAST, "usage-last", "usage in the last delta")                \
	X(USAGE_TWICE, "usage-twice", "usage in each of the last two events") \
	X(USAGE_OWN, "usage-own", "usage in its own event, asked or not")     \
	X(USAGE_COST, "usage-cost", "usage.cost as OpenRouter sends it")      \
	X(REASONING, "reasoning", "reasoning_content first")                  \
	X(TOOLS, "tools", "a tool call")                                      \
	X(STAMP, "stamp", "each event carries its time of sending")

enum script_flag {
#define X(name, word, what) SCRIPT_##name,
	SCRIPT_FLAGS(X)
#undef X
	    SCRIPT_FLAG_COUNT
};

struct script {
	uint64_t flags;
	long n; /* pieces of a stream, default 5 */
	long ms; /* between two of them, default 0 */
	long size; /* of the body, or of each delta's text */
	long delay; /* ms before the head */
	long ttft; /* ms between head and first piece */
	long code; /* status; a word of digits sets it too */
	long retry; /* Retry-After, seconds; -1: none */
	long context; /* n_ctx of /props */
	char file[64];
	char text[128]; /* the script itself, safe to print */
};

#define SCRIPT_HAS(s, flag) (((s)->flags >> SCRIPT_##flag & 1) != 0)

/* One request as upstream.c read it. */
struct call {
	const char *path; /* without script and query */
	const char *body;
	size_t len;
	const char *content_type;
	const char *method;
};

struct response {
	struct script script;
	struct text head; /* status line and headers without the framing */
	bool stream; /* pieces from response_next, else `body` */
	struct text body;
	long piece, npieces;
	int kind; /* the endpoint whose events it sends */
	bool include_usage;
};

void
response_make(struct response *, const struct call *, const char *path_script);
/* The next piece of a stream; false after the last. */
bool response_next(struct response *, struct text *out);
void response_free(struct response *);

/* The time that a stamp carries: CLOCK_MONOTONIC, ns. */
int64_t response_now_ns(void);

#endif

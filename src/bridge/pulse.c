/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the members that even an event without meaning must have.
 *
 * Source: the OpenAI API reference, "Streaming events" of Responses; the
 * Anthropic API reference, "Streaming messages".
 */
#include "config.h"

#include "bridge/pulse.h"

void
pulse_messages(struct buf *out)
{
	buf_puts(out, "event: ping\ndata: {\"type\":\"ping\"}\n\n");
}

void
pulse_responses(struct buf *out, const char *type, uint64_t sequence,
    const struct pulse_response *r)
{
	buf_printf(out,
	    "event: response.%s\ndata: {\"type\":\"response.%s\","
	    "\"sequence_number\":%llu,\"response\":{\"id\":",
	    type, type, (unsigned long long)sequence);
	buf_json(out, span_of(r->id));
	buf_printf(out,
	    ",\"object\":\"response\",\"created_at\":%lld,\"status\":"
	    "\"in_progress\",\"background\":false,\"error\":null,"
	    "\"incomplete_details\":null,\"instructions\":null,"
	    "\"metadata\":{},\"model\":",
	    (long long)r->created_at);
	buf_json(out, span_of(r->model));
	buf_puts(out,
	    ",\"output\":[],\"parallel_tool_calls\":true,"
	    "\"temperature\":null,\"tool_choice\":\"auto\",\"tools\":[],"
	    "\"top_p\":null,\"usage\":null}}\n\n");
}

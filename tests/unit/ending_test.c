/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How a whole response says that it has failed.  Each row is pushed whole,
 * split in two at every place, and byte by byte.
 */
#include "config.h"

#include "check.h"
#include "serve/ending.h"

#define CHAT ENDPOINT_CHAT
#define RESPONSES ENDPOINT_RESPONSES
#define MESSAGES ENDPOINT_MESSAGES

static const struct row {
	enum endpoint endpoint;
	bool failed;
	const char *json;
} rows[] = {
	{ RESPONSES, true, "{\"output\":[],\"status\":\"failed\"}" },
	{ RESPONSES, true, "{\"output\":[{}], \"status\" : \"cancelled\" }" },
	{ RESPONSES, true,
	    "{\"status\":\"completed\",\"error\":{\"code\":\"e\"}}" },
	{ RESPONSES, true,
	    "{\"incomplete_details\":{\"reason\":\"server_error\"},"
	    "\"status\":\"incomplete\"}" },
	{ RESPONSES, false,
	    "{\"incomplete_details\":{\"reason\":\"max_output_tokens\"},"
	    "\"status\":\"incomplete\",\"error\":null}" },
	{ RESPONSES, false,
	    "{\"incomplete_details\":{\"x\":\"error\",\"reason\":"
	    "\"content_filter\"},\"reason\":\"error\"}" },
	{ RESPONSES, false,
	    "{\"output\":[{\"status\":\"failed\",\"error\":{\"a\":\"b\"}}],"
	    "\"text\":\"\\\"status\\\":\\\"failed\\\"\",\"status\":"
	    "\"completed\"}" },
	{ RESPONSES, false, "{\"id\":\"status\",\"x\":\"failed\"}" },
	{ RESPONSES, false, "[\"status\",\"failed\",{\"error\":\"x\"}]" },
	{ RESPONSES, true, "{\"a\":\"\\\\\",\"status\":\"failed\"}" },
	{ RESPONSES, false,
	    "{\"a\":\"\\\\\\\"\",\"st\\u0061tus\":\"failed\"}" },
	{ CHAT, true,
	    "{\"choices\":[{\"finish_reason\":\"stop\"}],\"error\":{"
	    "\"message\":\"gone\"}}" },
	{ CHAT, true, "{\"choices\":[{\"finish_reason\":\"abort\"}]}" },
	{ CHAT, true,
	    "{\"choices\":[{\"index\":0,\"finish_reason\" : \"abort\"}]}" },
	{ CHAT, true, "{\"choices\":[{\"finish_reason\":7}]}" },
	{ CHAT, true, "{\"choices\":[{\"finish_reason\":{}}]}" },
	{ CHAT, true,
	    "{\"choices\":[{\"finish_reason\":\"stop\"},{\"index\":1,"
	    "\"finish_reason\":\"abort\"}]}" },
	{ CHAT, false,
	    "{\"choices\":[{\"delta\":{\"content\":"
	    "\"\\\"finish_reason\\\":\\\"abort\\\"\"},"
	    "\"finish_reason\":null,\"x\":\"abort\"}]}" },
	{ CHAT, false,
	    "{\"choices\":[{\"delta\":{\"x\":{\"finish_reason\":\"abort\"}},"
	    "\"finish_reason\":\"stop\"}]}" },
	{ CHAT, false,
	    "{\"x\":[{\"finish_reason\":\"abort\"}],\"choices\":[]}" },
	{ CHAT, true, "{\"choices\":[],\"error\":\"gone\"}" },
	{ CHAT, true, "{\"choices\":[],\"error\":{\"code\":500}}" },
	{ CHAT, true, "{\"choices\":[],\"error\":true,\"x\":1}" },
	{ CHAT, false, "{\"choices\":[],\"error\":null,\"x\":1}" },
	{ CHAT, false, "{\"choices\":[],\"error\":false,\"x\":\"t\"}" },
	{ CHAT, false,
	    "{\"error\":{\"message\":\"\",\"code\":0,\"param\":null,\"l\":[]},"
	    "\"choices\":[{\"finish_reason\":\"stop\",\"n\":1}]}" },
	{ CHAT, false, "{\"choices\":[],\"status\":\"failed\"}" },
	{ MESSAGES, true, "{\"content\":[],\"type\":\"error\",\"x\":\"y\"}" },
	{ MESSAGES, true,
	    "{\"content\":[],\"error\":{\"type\":\"api_error\"}}" },
	{ MESSAGES, false,
	    "{\"type\":\"message\",\"content\":[{\"type\":\"error\"}]}" },
	{ ENDPOINT_EMBEDDINGS, false, "{\"data\":[],\"error\":\"x\"}" },
};

static void
try_row(const struct row *row)
{
	struct span all = span_of(row->json);
	struct ending bytes = { .endpoint = row->endpoint };
	size_t wrong = ending_failed(row->endpoint, all) != row->failed;

	for (size_t at = 1; at < all.len; at++) {
		struct ending e = { .endpoint = row->endpoint };

		ending_push(&e, (struct span){ all.p, at });
		ending_push(&e, (struct span){ all.p + at, all.len - at });
		wrong += e.failed != row->failed;
	}
	for (size_t at = 0; at < all.len; at++)
		ending_push(&bytes, (struct span){ all.p + at, 1 });
	wrong += bytes.failed != row->failed;
	CHECK(wrong == 0, "%s", row->json);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		try_row(&rows[i]);
	return check_done();
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what is recorded of a request.  The last step of its way; it records no
 * content and no key.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "serve/settle.h"

#define FIELD_SIZE 512 /* of a name in the log, escaped */

static const char *
or_dash(const char *text)
{
	return text == NULL ? "-" : text;
}

static void
log_line(const struct request *r)
{
	const struct entry *e = &r->entry;
	const struct entry_try *last = entry_last(e);
	struct entry_sums sums;
	char client[FIELD_SIZE], model[FIELD_SIZE];

	/* `tailgate probe --mount` makes about a hundred requests. */
	if (log_get_level() < (r->spec != NULL && r->spec->id == ENDPOINT_MOUNT
				      ? LOG_LEVEL_DEBUG
				      : LOG_LEVEL_INFO))
		return;
	entry_sum(e, &sums);
	log_info("client=%s endpoint=%s model=%s provider=%s status=%d%s%s%s "
		 "in=%" PRIu64 " out=%" PRIu64 " queue_ms=%" PRId64
		 " first_byte_ms=%" PRId64 " total_ms=%" PRId64,
	    log_field(e->client, client, sizeof(client)), or_dash(e->endpoint),
	    log_field(e->model, model, sizeof(model)),
	    or_dash(last == NULL ? NULL : last->provider), e->status,
	    e->client_gone ? " client_gone" : "", e->cut ? " cut" : "",
	    e->private_rule != NULL ? " private" : "", e->bytes_in,
	    e->bytes_out, sums.queue_ms, sums.first_byte_ms, e->total_ms);
	if (e->refusal == REFUSE_PRIVATE_ROUTE)
		log_info(
		    "private route blocked: %s", or_dash(r->refused.message));
}

void
settle(struct request *r)
{
	struct entry *e = &r->entry;

	e->refusal = r->refused.refusal;
	e->client_gone = r->response.gone;
	e->status = r->response.head_sent ? r->response.status : 499;
	if (r->response.gone)
		e->refusal = REFUSE_CLIENT_GONE;
	e->bytes_out = r->response.bytes_out;
	log_line(r);
	if (r->spec != NULL && r->spec->upstream == NULL)
		return; /* about the gateway, not work */
	ledger_write(r->server->ledger, e);
	meters_add(r->server->meters, e);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a failed response means: hides which refusal the client sees, which
 * fallback it permits and what it means for the provider's health.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "policy/blame.h"
#include "policy/complaint.h"
#include "policy/hop.h"
#include "serve/verdict.h"

static void
judge_as(struct relay_result *result, enum refusal refusal,
    enum health_outcome health)
{
	result->refused.refusal = refusal;
	result->reason = refusal_spec(refusal)->fallback;
	result->health = health;
}

/* Not the provider's fault, nor a reason to try another target. */
static void
judge_lack(const struct relay *r, struct relay_result *result)
{
	judge_as(result, REFUSE_EXHAUSTED, HEALTH_ABANDONED);
	result->reason = 0;
	if (relay_lack(r) == MEMORY_SHARE) {
		result->refused.refusal = REFUSE_CLIENT_SHARE;
		result->refused.message = "This client's open requests hold "
					  "its share of the gateway's memory, "
					  "and there is no room for this "
					  "response; wait for some to end.";
	}
}

static void
judge_exchange(const struct relay *r, const struct upstream_report *report,
    struct relay_result *result)
{
	const char *provider = r->candidate->target->provider->name;
	const char *what = "failed";

	switch (report->result) {
	case UPSTREAM_EXHAUSTED:
		judge_lack(r, result);
		return;
	case UPSTREAM_CONNECT:
	case UPSTREAM_TLS:
	case UPSTREAM_FORBIDDEN:
	case UPSTREAM_TIMEOUT_CONNECT:
		judge_as(result, REFUSE_UNAVAILABLE, HEALTH_CONNECT);
		what = report->result == UPSTREAM_FORBIDDEN
		    ? "has an address outside the private networks"
		    : "cannot be reached";
		break;
	case UPSTREAM_TIMEOUT_FIRST_BYTE:
	case UPSTREAM_TIMEOUT_IDLE:
	case UPSTREAM_TIMEOUT_TOTAL:
		judge_as(result, REFUSE_UPSTREAM_TIMEOUT, HEALTH_TIMEOUT);
		what = report->result == UPSTREAM_TIMEOUT_FIRST_BYTE
		    ? "did not begin its response in time"
		    : "did not finish its response in time";
		break;
	default:
		judge_as(result, REFUSE_UPSTREAM, HEALTH_ERROR);
		what = report->result == UPSTREAM_BAD
		    ? "did not send a valid HTTP response"
		    : report->result == UPSTREAM_OK &&
			(report->bytes_in == 0 || r->is_sse)
		    ? "sent an empty response"
		    : "closed the connection in the middle of its response";
	}
	result->refused.message = arena_printf(
	    r->arena, "Provider %s %s; try again.", provider, what);
	if (report->result == UPSTREAM_FORBIDDEN)
		result->refused.message = arena_printf(r->arena,
		    "Provider %s %s; the operator can list its network in "
		    "`addresses`.",
		    provider, what);
}

/* The error concerns the gateway's own key or account.  Its words often
 * quote a part of that key, and would make the client think that its own is
 * meant. */
static void
judge_account(const struct relay *r, bool key, struct relay_result *result)
{
	const char *name = r->candidate->target->provider->name;

	judge_as(result, REFUSE_PROVIDER_ACCOUNT, HEALTH_ACCOUNT);
	result->upstream_error = false;
	result->refused.message = arena_printf(r->arena,
	    key ? "Provider %s did not accept the gateway's own key; the "
		  "operator has to correct `key` in its configuration."
		: "Provider %s no longer serves the gateway's own account (its "
		  "credit, quota or key limit is used up); the operator has to "
		  "top it up.",
	    name);
	log_warn("provider %s answered %d: its %s", name, r->head.status,
	    key ? "key is missing or wrong"
		: "account is out of credit or over its quota");
}

/* The client signed in itself: its key or its quota is no fault of the
 * provider's, no sign of its health, and no other client's business.  The
 * client reads the provider's own error, by which tools sign in anew.  False:
 * it is none of these. */
static bool
judge_own_key(
    const struct relay *r, const struct blamed *b, struct relay_result *result)
{
	if (r->candidate->target->provider->auth != AUTH_CLIENT)
		return false;
	switch (b->blame) {
	case BLAME_CONFLICT:
		if (result->status != 403)
			return false;
		/* FALLTHROUGH */
	case BLAME_KEY:
		judge_as(result, REFUSE_OWN_KEY, HEALTH_ABANDONED);
		return true;
	case BLAME_ACCOUNT:
	case BLAME_RATE:
	case BLAME_RATE_ALL:
		judge_as(result, REFUSE_RATE_UPSTREAM, HEALTH_ABANDONED);
		return true;
	default:
		return false;
	}
}

/* In the words at which the API's clients compact: after "prompt is too
 * long: " (wire/reply.c). */
static void
judge_length(
    const struct relay *r, const struct blamed *b, struct relay_result *result)
{
	const struct target *able = &r->candidate->able;
	uint64_t tokens = b->tokens, limit = b->limit;
	const char *name = r->candidate->target->provider->name;
	char words[400];

	judge_as(result, REFUSE_TOO_LONG, HEALTH_OK);
	complaint_message(buf_span(&r->held), words, sizeof(words));
	if (tokens == 0 && able->context != 0 &&
	    r->call->input_tokens > able->context) {
		tokens = r->call->input_tokens;
		limit = able->context;
	}
	result->refused.message = tokens > 0
	    ? arena_printf(r->arena,
		  "%llu tokens > %llu maximum (provider %s: %s)",
		  (unsigned long long)tokens, (unsigned long long)limit, name,
		  *words == '\0' ? "no words" : words)
	    : arena_printf(r->arena,
		  "the context is exceeded (provider %s: "
		  "%s)",
		  name, *words == '\0' ? "no words" : words);
}

/* What the blame means for the fallback and for health.  tailgate.conf(5)
 * has the same table. */
static void
judge_blame(
    const struct relay *r, const struct blamed *b, struct relay_result *result)
{
	bool failed = result->status >= 500;

	if (judge_own_key(r, b, result))
		return;
	switch (b->blame) {
	case BLAME_KEY:
	case BLAME_ACCOUNT:
		judge_account(r, b->blame == BLAME_KEY, result);
		return;
	case BLAME_LENGTH:
		judge_length(r, b, result);
		return;
	case BLAME_RATE:
		judge_as(result, REFUSE_RATE_UPSTREAM, HEALTH_MODEL_LIMITED);
		return;
	case BLAME_RATE_ALL:
		judge_as(result, REFUSE_RATE_UPSTREAM, HEALTH_RATE_LIMITED);
		return;
	case BLAME_MODEL:
		judge_as(result, REFUSE_PROVIDER_MODEL, HEALTH_NO_MODEL);
		return;
	case BLAME_LOADING:
		judge_as(result, REFUSE_MODEL_LOADING, HEALTH_MODEL_LOADING);
		return;
	case BLAME_TIME:
		judge_as(result, REFUSE_UPSTREAM_TIMEOUT, HEALTH_ERROR);
		return;
	case BLAME_REFUSED:
		judge_as(result, REFUSE_UNSUPPORTED, HEALTH_OK);
		return;
	case BLAME_CONFLICT:
		judge_as(result, REFUSE_UPSTREAM, HEALTH_OK);
		return;
	case BLAME_REQUEST:
		judge_as(result,
		    failed ? REFUSE_UPSTREAM : REFUSE_INVALID_REQUEST,
		    HEALTH_OK);
		if (!failed)
			result->reason = 0;
		return;
	case BLAME_PROVIDER:
		break;
	}
	judge_as(result, REFUSE_UPSTREAM, HEALTH_ERROR);
}

/* ---- another gateway's refusal ------------------------------------------ */

/* Which refusals say something about that gateway itself: it has its own
 * circuits, and refuses at once what they hold back. */
static enum health_outcome
health_of_refusal(enum refusal refusal)
{
	switch (refusal) {
	case REFUSE_MODEL_LOADING:
		return HEALTH_MODEL_LOADING;
	case REFUSE_PROVIDER_MODEL:
		return HEALTH_NO_MODEL;
	case REFUSE_EXHAUSTED:
	case REFUSE_LEDGER:
		return HEALTH_ERROR;
	default:
		return HEALTH_OK;
	}
}

/* Another gateway's refusal permits what our own does not. */
static unsigned
reason_of_refusal(enum refusal refusal)
{
	switch (refusal) {
	case REFUSE_OVERLOADED:
		return FALLBACK_BUSY;
	case REFUSE_EXHAUSTED:
		return FALLBACK_UNAVAILABLE;
	default:
		return refusal_spec(refusal)->fallback;
	}
}

/* Its words, without those that wire/reply.c begins with. */
static const char *
words_of_refusal(const struct relay *r)
{
	static const char begins[] = "prompt is too long: ";
	char words[1024];

	complaint_message(buf_span(&r->held), words, sizeof(words));
	if (*words == '\0')
		return NULL;
	return arena_strdup(r->arena,
	    strncmp(words, begins, sizeof(begins) - 1) == 0
		? words + sizeof(begins) - 1
		: words);
}

/* That gateway has judged already, and its words are for the client.  False:
 * it is not such a refusal. */
static bool
judge_gateway(const struct relay *r, struct relay_result *result)
{
	enum refusal refusal;

	if (r->candidate->target->provider->kind != PROVIDER_TAILGATE)
		return false;
	refusal = hop_refusal(
	    http1_find(r->head.fields, r->head.nfields, HOP_REFUSAL_FIELD));
	if (refusal == REFUSE_NONE || r->head.status < 400)
		return false;
	judge_as(result, refusal, health_of_refusal(refusal));
	result->reason = reason_of_refusal(refusal);
	result->status = r->head.status;
	result->refused.message = words_of_refusal(r);
	/* Each API reports that one in its own way. */
	result->upstream_error = refusal != REFUSE_TOO_LONG;
	return true;
}

/* An error of the upstream's own, by its status and body. */
static void
judge_status(const struct relay *r, struct relay_result *result)
{
	struct blamed b = blame_of(r->head.status, buf_span(&r->held));

	result->status = r->head.status;
	/* A redirect is neither followed nor passed. */
	result->upstream_error = result->status >= 400;
	result->refused.message = arena_printf(r->arena,
	    "Provider %s answered with status %d and no JSON error.",
	    r->candidate->target->provider->name, r->head.status);
	judge_blame(r, &b, result);
}

/* An error inside of a 200: judged by the status that it names, or by its words
 * alone. */
static void
judge_dressed(const struct relay *r, struct relay_result *result)
{
	struct span body = buf_span(&r->held);
	int status = complaint_status(body);
	struct blamed b = blame_of(status, body);

	result->upstream_error = true;
	result->status = 502;
	if (b.blame == BLAME_RATE || b.blame == BLAME_RATE_ALL)
		result->status = 429;
	if (b.blame == BLAME_LENGTH ||
	    (b.blame == BLAME_REQUEST && status >= 400 && status < 500))
		result->status = 400;
	result->refused.message = arena_printf(r->arena,
	    "Provider %s answered 200 with an error inside.",
	    r->candidate->target->provider->name);
	judge_blame(r, &b, result);
}

/* Without a full stop: it goes into a sentence. */
static struct span
clause_of(const char *text)
{
	struct span s = span_of(text);

	while (s.len > 0 && s.p[s.len - 1] == '.')
		s.len--;
	return s;
}

void
verdict_judge(const struct relay *r, const struct upstream_report *report,
    struct relay_result *result)
{
	if (report->result == UPSTREAM_EXHAUSTED ||
	    relay_lack(r) != MEMORY_ENOUGH) {
		judge_lack(r, result);
		return;
	}
	result->retry_after_ms =
	    http1_retry_after_ms(r->head.fields, r->head.nfields);
	if (verdict_is_dressed(r)) {
		judge_dressed(r, result);
	} else if (report->result == UPSTREAM_CLIENT_GONE) {
		/* The client has not left: we must end (response_tick). */
		judge_as(result, REFUSE_UNAVAILABLE, HEALTH_ABANDONED);
		result->reason = 0;
		result->refused.message =
		    "The gateway is being stopped; try again in a moment.";
	} else if (r->odd_stream) {
		judge_as(result, REFUSE_UPSTREAM, HEALTH_OK);
		result->refused.message = arena_printf(r->arena,
		    "Provider %s answered with a stream, which was not asked "
		    "for.",
		    r->candidate->target->provider->name);
	} else if (r->no_stream) {
		judge_as(result, REFUSE_UPSTREAM, HEALTH_OK);
		result->refused.message = arena_printf(r->arena,
		    "Provider %s answered without a stream.",
		    r->candidate->target->provider->name);
	} else if (r->bridge_failed) {
		struct span clause = clause_of(bridge_why(r->bridge));

		judge_as(result, REFUSE_UPSTREAM, HEALTH_ERROR);
		result->refused.message = arena_printf(r->arena,
		    "Provider %s sent no usable response: %.*s.",
		    r->candidate->target->provider->name, (int)clause.len,
		    clause.p);
	} else if (r->state == RELAY_COLLECT && report->result == UPSTREAM_OK) {
		if (!judge_gateway(r, result))
			judge_status(r, result);
	} else
		judge_exchange(r, report, result);
	result->refused.retry_after_ms = result->retry_after_ms;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The table of refusals: what the client reads, and whether trying again can
 * help.  Every step of a request's way that refuses uses a row; wire/reply.c
 * writes the response from it.
 */
#include "config.h"

#include "base/log.h"
#include "policy/refusal.h"

#define INVALID "invalid_request_error"

static const struct refusal_spec table[REFUSE_COUNT] = {
	{ REFUSE_NONE, 200, "", "", "", .text = "" },
	{ REFUSE_INVALID_JSON, 400, INVALID, "invalid_json", INVALID,
	    .text = "The body is not a JSON object; send one valid JSON object "
		    "in UTF-8." },
	{ REFUSE_INVALID_MULTIPART, 400, INVALID, "invalid_multipart", INVALID,
	    .text = "The body is not well-formed multipart/form-data; check "
		    "the boundary and that the upload was complete." },
	{ REFUSE_INVALID_REQUEST, 400, INVALID, "invalid_value", INVALID,
	    .text = "A value in the request is not of the kind that is "
		    "expected there; correct it and send the request again." },
	{ REFUSE_MISSING_MODEL, 400, INVALID, "missing_model", INVALID,
	    .text = "The request names no model; set `model` to one of those "
		    "that GET /v1/models lists." },
	{ REFUSE_TOO_LONG, 400, INVALID, "context_length_exceeded", INVALID,
	    .text = "The request is longer than the model's context; shorten "
		    "it or ask for fewer output tokens.",
	    .fallback = FALLBACK_TOO_LONG },
	{ REFUSE_UNSUPPORTED, 400, INVALID, "unsupported_feature", INVALID,
	    .text = "The model cannot do what the request needs; choose "
		    "another model from GET /v1/models.",
	    .fallback = FALLBACK_UNSUPPORTED },

	{ REFUSE_INVALID_KEY, 401, INVALID, "invalid_api_key",
	    "authentication_error",
	    .text = "The key is missing, unknown or not valid from here; send "
		    "`Authorization: Bearer KEY` with a key of this gateway." },
	{ REFUSE_OWN_KEY_MISSING, 401, INVALID, "own_key_missing",
	    "authentication_error",
	    .text =
		"The provider needs your own key; send the gateway's key in "
		"X-Tailgate-Key, and yours for the provider in Authorization.",
	    .fallback = FALLBACK_UNSUPPORTED },
	{ REFUSE_OWN_KEY, 401, INVALID, "own_key_refused",
	    "authentication_error",
	    .text = "The provider did not accept your own key; sign in to it "
		    "again." },
	{ REFUSE_MODEL_NOT_ALLOWED, 403, "permission_error",
	    "model_not_allowed", "permission_error",
	    .text = "This client may not use that model; GET /v1/models lists "
		    "those it may use." },
	{ REFUSE_ENDPOINT_NOT_ALLOWED, 403, "permission_error",
	    "endpoint_not_allowed", "permission_error",
	    .text = "This client may not call this endpoint; ask the operator "
		    "to add it to the client's `endpoints`." },
	{ REFUSE_PRIVATE_ROUTE, 403, "permission_error",
	    "private_route_blocked", "permission_error",
	    .text = "The request may not leave this network and the model has "
		    "no local target; choose a model with one." },
	{ REFUSE_REMOTE_MEDIA, 403, "permission_error", "remote_media_blocked",
	    "permission_error",
	    .text = "The request has media by a URL that may not be fetched "
		    "for it; send the file itself as a data: URL." },
	{ REFUSE_HOST, 403, "permission_error", "host_not_allowed",
	    "permission_error",
	    .text = "A client without a key may call this gateway by an "
		    "address, as localhost, or by a name in `hosts`; send a "
		    "key, or ask the operator to add the name." },
	{ REFUSE_ORIGIN, 403, "permission_error", "origin_not_allowed",
	    "permission_error",
	    .text = "A web page of another origin needs a key; send one, or "
		    "ask the operator to add the origin to `cors.origins`." },
	{ REFUSE_MODEL_NOT_FOUND, 404, INVALID, "model_not_found",
	    "not_found_error",
	    .text = "There is no such model; GET /v1/models lists those you "
		    "may use." },
	{ REFUSE_PROVIDER_MODEL, 404, INVALID, "provider_model_not_found",
	    "not_found_error",
	    .text = "The provider does not have this model (any more); the "
		    "operator has to correct its name.",
	    .fallback = FALLBACK_UNAVAILABLE },
	{ REFUSE_UNKNOWN_URL, 404, INVALID, "unknown_url", "not_found_error",
	    .text = "There is nothing at this URL; the base URL of this "
		    "gateway ends in /v1." },
	{ REFUSE_METHOD, 405, INVALID, "method_not_allowed", INVALID,
	    .text = "This URL does not accept that method; the Allow header "
		    "lists those that it accepts." },

	{ REFUSE_BODY_CUT, 408, INVALID, "request_incomplete", INVALID,
	    .text = "The body ended before it was complete; send the request "
		    "again." },
	{ REFUSE_LENGTH_REQUIRED, 411, INVALID, "length_required", INVALID,
	    .text = "The body's length is not known; send Content-Length." },
	{ REFUSE_TOO_LARGE, 413, INVALID, "request_too_large",
	    "request_too_large",
	    .text = "The body is larger than this gateway accepts; send less, "
		    "or ask the operator to raise the cap." },
	{ REFUSE_MEDIA_TYPE, 415, INVALID, "unsupported_media_type", INVALID,
	    .text =
		"This endpoint does not accept that Content-Type; use "
		"application/json, or multipart/form-data for audio uploads." },

	{ REFUSE_BUDGET, 429, "insufficient_quota", "budget_exceeded",
	    "rate_limit_error",
	    .text = "The budget is spent; ask the operator to raise it or wait "
		    "for the next period.",
	    .should_not_retry = true },
	{ REFUSE_RATE, 429, "rate_limit_error", "rate_limit_exceeded",
	    "rate_limit_error",
	    .text = "Too many requests or tokens in this minute; wait for the "
		    "time in Retry-After.",
	    .retry_after = true },
	{ REFUSE_RATE_UPSTREAM, 429, "rate_limit_error", "rate_limit_exceeded",
	    "rate_limit_error",
	    .text = "The provider limits the rate; wait for the time in "
		    "Retry-After.",
	    .retry_after = true, .fallback = FALLBACK_RATE_LIMITED },

	{ REFUSE_INTERNAL, 500, "server_error", "internal_error", "api_error",
	    .text = "The gateway failed; its log names the cause under this "
		    "request's x-request-id." },
	{ REFUSE_UPSTREAM, 502, "server_error", "upstream_error", "api_error",
	    .text = "The provider failed; try again.",
	    .fallback = FALLBACK_ERROR },
	{ REFUSE_PROVIDER_ACCOUNT, 502, "server_error", "provider_account",
	    "api_error",
	    .text = "The provider does not accept the gateway's own key or "
		    "account; the operator has to look after it.",
	    .should_not_retry = true, .fallback = FALLBACK_ERROR },
	{ REFUSE_BUSY_FULL, 503, "server_error", "local_queue_full",
	    "overloaded_error",
	    .text = "The local model is busy and its queue is full; wait for "
		    "the time in Retry-After.",
	    .retry_after = true, .fallback = FALLBACK_BUSY },
	{ REFUSE_BUSY_TIMEOUT, 503, "server_error", "local_queue_timeout",
	    "overloaded_error",
	    .text = "The local model did not become free in time; wait for the "
		    "time in Retry-After.",
	    .retry_after = true, .fallback = FALLBACK_BUSY },
	{ REFUSE_UNAVAILABLE, 503, "server_error", "provider_unavailable",
	    "overloaded_error",
	    .text = "The provider cannot be reached; wait for the time in "
		    "Retry-After.",
	    .retry_after = true, .fallback = FALLBACK_UNAVAILABLE },
	{ REFUSE_MODEL_LOADING, 503, "server_error", "model_loading",
	    "overloaded_error",
	    .text =
		"The model is being loaded; wait for the time in Retry-After.",
	    .retry_after = true, .fallback = FALLBACK_UNAVAILABLE },
	{ REFUSE_WAKING, 503, "server_error", "provider_waking",
	    "overloaded_error",
	    .text = "The provider's host is asleep and is being woken; wait "
		    "for the time in Retry-After.",
	    .retry_after = true, .fallback = FALLBACK_UNAVAILABLE },
	{ REFUSE_OVERLOADED, 503, "server_error", "gateway_overloaded",
	    "overloaded_error",
	    .text = "The gateway serves as many requests as it can; wait for "
		    "the time in Retry-After.",
	    .retry_after = true },
	{ REFUSE_LEDGER, 503, "server_error", "ledger_unavailable",
	    "overloaded_error",
	    .text = "The ledger can't be written, and what can't be recorded "
		    "is not sent; wait for the time in Retry-After, or ask the "
		    "operator to look into the gateway's log.",
	    .retry_after = true, .fallback = FALLBACK_UNAVAILABLE },
	{ REFUSE_BUDGET_STORE, 503, "server_error", "budget_store_unavailable",
	    "overloaded_error",
	    .text =
		"A shared budget can't be asked of the store, and this host's "
		"part of it is used up; wait for the time in Retry-After.",
	    .retry_after = true, .fallback = FALLBACK_UNAVAILABLE },
	{ REFUSE_RATE_STORE, 503, "server_error", "rate_store_unavailable",
	    "overloaded_error",
	    .text = "A shared rate can't be asked of the store; wait for the "
		    "time in Retry-After.",
	    .retry_after = true, .fallback = FALLBACK_UNAVAILABLE },
	{ REFUSE_STORE, 503, "server_error", "limit_store_unavailable",
	    "overloaded_error",
	    .text = "The limit is shared between hosts, and their store can't "
		    "be reached; wait for the time in Retry-After.",
	    .retry_after = true, .fallback = FALLBACK_UNAVAILABLE },
	{ REFUSE_CLIENT_SHARE, 503, "server_error", "client_overloaded",
	    "overloaded_error",
	    .text = "This client has as many requests open as its share of the "
		    "gateway allows; wait for some to end, or for the time in "
		    "Retry-After.",
	    .retry_after = true, .fallback = FALLBACK_BUSY },
	{ REFUSE_EXHAUSTED, 503, "server_error", "gateway_exhausted",
	    "overloaded_error",
	    .text = "The gateway itself lacks something that it needs "
		    "(descriptors, memory, room on a disk, its runtime_dir); "
		    "its log says what. Wait for the time in Retry-After.",
	    .retry_after = true },
	{ REFUSE_UPSTREAM_TIMEOUT, 504, "server_error", "upstream_timeout",
	    "api_error",
	    .text = "The provider did not answer in time; it may have billed "
		    "the request, so do not repeat it blindly.",
	    .should_not_retry = true, .fallback = FALLBACK_TIMEOUT },

	{ REFUSE_LOOP, 508, "server_error", "relay_loop", "api_error",
	    .text = "The request has been through this gateway before, or "
		    "through too many; the operator has to take the circle out "
		    "of the gateways' providers.",
	    .should_not_retry = true, .fallback = FALLBACK_ERROR },

	{ REFUSE_CLIENT_GONE, 499, "client_gone", "client_gone", "api_error",
	    .text = "The client closed the connection." },
};

const struct refusal_spec *
refusal_spec(enum refusal id)
{
	if ((unsigned)id >= REFUSE_COUNT || table[id].id != id)
		fatal("refusal %d has no row in the table", (int)id);
	return &table[id];
}

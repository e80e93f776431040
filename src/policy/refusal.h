/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Every way a request can be refused: status, type, code, retry advice and
 * text in one table (refusal.c), the error table of tailgate.fcgi(8).
 */
#ifndef POLICY_REFUSAL_H
#define POLICY_REFUSAL_H

#include <stdbool.h>

#include "config/settings.h"

enum refusal {
	REFUSE_NONE,
	/* 400 */
	REFUSE_INVALID_JSON,
	REFUSE_INVALID_MULTIPART,
	REFUSE_INVALID_REQUEST,		/* a value of the wrong type … */
	REFUSE_MISSING_MODEL,
	REFUSE_TOO_LONG,		/* context_length_exceeded */
	REFUSE_UNSUPPORTED,		/* unsupported_feature */
	/* 401 .. 405 */
	REFUSE_INVALID_KEY,
	REFUSE_OWN_KEY_MISSING,		/* a provider needs the client's */
	REFUSE_OWN_KEY,			/* and has refused it */
	REFUSE_MODEL_NOT_ALLOWED,
	REFUSE_ENDPOINT_NOT_ALLOWED,
	REFUSE_PRIVATE_ROUTE,
	REFUSE_REMOTE_MEDIA,		/* a URL that may not be fetched */
	REFUSE_HOST,			/* by a name that is not ours */
	REFUSE_ORIGIN,			/* from a page of another origin */
	REFUSE_MODEL_NOT_FOUND,
	REFUSE_PROVIDER_MODEL,		/* the provider has no such model */
	REFUSE_UNKNOWN_URL,
	REFUSE_METHOD,
	/* 408 .. 415 */
	REFUSE_BODY_CUT,		/* the upload ended early */
	REFUSE_LENGTH_REQUIRED,
	REFUSE_TOO_LARGE,
	REFUSE_MEDIA_TYPE,
	/* 429 */
	REFUSE_BUDGET,
	REFUSE_RATE,
	REFUSE_RATE_UPSTREAM,
	/* 5xx */
	REFUSE_INTERNAL,
	REFUSE_UPSTREAM,
	REFUSE_PROVIDER_ACCOUNT,	/* it rejects our key or credit */
	REFUSE_BUSY_FULL,		/* local_queue_full */
	REFUSE_BUSY_TIMEOUT,		/* local_queue_timeout */
	REFUSE_UNAVAILABLE,		/* provider_unavailable */
	REFUSE_MODEL_LOADING,
	REFUSE_WAKING,
	REFUSE_OVERLOADED,		/* all that may run are running */
	REFUSE_LEDGER,			/* it can't be recorded */
	REFUSE_BUDGET_STORE,		/* a shared budget can't be asked */
	REFUSE_RATE_STORE,		/* nor a shared rate */
	REFUSE_STORE,			/* limit_store_unavailable */
	REFUSE_CLIENT_SHARE,		/* or all of this client's share */
	REFUSE_EXHAUSTED,		/* descriptors, memory, runtime_dir */
	REFUSE_UPSTREAM_TIMEOUT,
	REFUSE_LOOP,			/* it came through here before */
	/* Nobody reads it (ledger and log only; status 499). */
	REFUSE_CLIENT_GONE,
	REFUSE_COUNT
};

struct refusal_spec {
	enum refusal id;
	int status;
	const char *type;	/* OpenAI's error.type */
	const char *code;	/* error.code */
	const char *anthropic;	/* Anthropic's error.type */
	const char *text;	/* the message, if none is more specific: what
				 * happened, and what to do next */
	bool retry_after;	/* carries Retry-After */
	bool should_not_retry;	/* x-should-retry: false */
	unsigned fallback;	/* the permission that covers it, or 0 */
};

const struct refusal_spec *refusal_spec(enum refusal);

/* What the client reads: a refusal and its details. */
struct refused {
	enum refusal refusal;
	const char *message;	/* NULL: the table's; never a secret, a body
				   or a URL with credentials */
	const char *param;	/* error.param, or NULL */
	int64_t retry_after_ms;	/* 0: the table's advice without a time (1 s) */
};

#endif

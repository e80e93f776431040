/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the messages of refusals that a request meets after its plan.
 */
#include "config.h"

#include "policy/admission.h"

int64_t
admission_nanousd(const struct candidate *c)
{
	if (c->worst_nanousd < 0 && c->target->provider->place == PLACE_LOCAL)
		return 0;
	return c->worst_nanousd;
}

void
admission_too_large(
    struct arena *arena, size_t max_bytes, struct refused *refused)
{
	*refused = (struct refused){ .refusal = REFUSE_TOO_LARGE,
		.message = arena_printf(arena,
		    "The body is larger than the %zu bytes that this gateway "
		    "accepts here; send less, or ask the operator to raise "
		    "`body`.",
		    max_bytes) };
}

void
admission_bad_form(
    struct arena *arena, const char *error, struct refused *refused)
{
	*refused = (struct refused){ .refusal = REFUSE_INVALID_MULTIPART,
		.message = arena_printf(arena,
		    "The body is not well-formed multipart/form-data: %s.",
		    error) };
}

static void
unavailable(
    const char *message, int64_t retry_after_ms, struct refused *refused)
{
	*refused = (struct refused){ .refusal = REFUSE_UNAVAILABLE,
		.message = message,
		.retry_after_ms = retry_after_ms };
}

void
admission_model_held(struct arena *arena, const struct provider *provider,
    int64_t open_ms, struct refused *refused)
{
	unavailable(
	    arena_printf(arena,
		"This model is left alone at provider %s, which is loading it "
		"or limits its rate; wait for the time in Retry-After.",
		provider->name),
	    open_ms, refused);
}

void
admission_circuit_open(struct arena *arena, const struct provider *provider,
    int64_t open_ms, struct refused *refused)
{
	unavailable(arena_printf(arena,
			"Provider %s is left alone after failures; wait for "
			"the time in Retry-After.",
			provider->name),
	    open_ms, refused);
}

void
admission_keys_rest(struct arena *arena, const struct provider *provider,
    int64_t open_ms, struct refused *refused)
{
	unavailable(arena_printf(arena,
			"All keys of provider %s rest: it refused or limited "
			"each of them; wait for the time in Retry-After.",
			provider->name),
	    open_ms, refused);
}

void
admission_queue_full(struct arena *arena, const struct provider *provider,
    unsigned waiting, int64_t retry_after_ms, struct refused *refused)
{
	*refused = (struct refused){ .refusal = REFUSE_BUSY_FULL,
		.message = arena_printf(arena,
		    "%s is busy and its queue is full (%u wait); wait for the "
		    "time in Retry-After.",
		    provider->name, waiting),
		.retry_after_ms = retry_after_ms };
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The plan for people: lines for a terminal, every foreign byte escaped.
 */
#include "config.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "policy/explain_internal.h"
#include "policy/price.h"

/* Foreign text for a terminal. */
static void
say_foreign(struct buf *out, const char *text)
{
	char escaped[1024];

	log_escape(text, strlen(text), escaped, sizeof(escaped));
	buf_puts(out, escaped);
}

static void
say_seconds(struct buf *out, const char *what, int64_t ms)
{
	buf_printf(out, "%s %" PRId64, what, ms / 1000);
	if (ms % 1000 != 0)
		buf_printf(out, ".%03" PRId64, ms % 1000);
	buf_puts(out, " s");
}

static void
say_request(const struct explain *e, struct buf *out)
{
	const struct call *call = e->call;
	size_t i;

	buf_printf(out, "request   %s, by client ",
	    endpoint_spec(call->endpoint)->name);
	say_foreign(out, e->client->name);
	buf_puts(out, ", for model ");
	say_foreign(out, call->model == NULL ? "(none)" : call->model);
	if (e->plan->model != NULL && call->model != NULL &&
	    strcmp(e->plan->model->id, call->model) != 0) {
		buf_puts(out, ", which is ");
		say_foreign(out, e->plan->model->id);
	}
	buf_printf(
	    out, "\nmeasured  about %" PRIu64 " tokens in", call->input_tokens);
	if (call->max_output_tokens > 0)
		buf_printf(
		    out, ", up to %" PRIu64 " out", call->max_output_tokens);
	if (call->stream)
		buf_puts(out, ", streaming");
	if (call->thinking)
		buf_puts(out, ", asks for thinking");
	if (call->choices > 1)
		buf_printf(out, ", %" PRIu64 " choices", call->choices);
	for (i = 0; i < EXPLAIN_NEEDS; i++)
		if (call->needs & explain_needs[i].need)
			buf_printf(out, ", needs %s", explain_needs[i].name);
	if (call->remote != 0)
		buf_puts(out, ", media by URL");
	buf_puts(out, "\n");
}

static void
say_ceiling(const struct explain *e, struct buf *out)
{
	if (e->plan->model == NULL)
		return;
	buf_printf(out, "ceiling   %s", place_name(e->plan->ceiling));
	if (e->plan->ceiling_by != NULL) {
		buf_puts(out, ", by ");
		say_foreign(out, e->plan->ceiling_by);
	}
	buf_printf(out, "\nbounds    at most %u attempts",
	    e->plan->model->max_attempts);
	say_seconds(out, ", over all of them", e->config->total_ms);
	buf_puts(out, "\n");
}

/* "; it has tools, json_schema": the abilities that have this answer. */
static void
say_abilities(const struct candidate *c, enum tri answer, const char *what,
    struct buf *out)
{
	const char *before = what;

	for (size_t i = 0; i < EXPLAIN_NEEDS; i++)
		if (explain_ability(&c->able, explain_needs[i].need) ==
		    answer) {
			buf_printf(out, "%s%s", before, explain_needs[i].name);
			before = ", ";
		}
}

static void
say_fit(const struct candidate *c, struct buf *out)
{
	buf_printf(out, "    fit       %" PRIu64 " of ", c->need_tokens);
	if (c->context == 0)
		buf_puts(out, "(not said)");
	else
		buf_printf(out, "%" PRIu64, c->context);
	buf_puts(out, " tokens");
	if (c->counted != NULL)
		buf_printf(out,
		    " by estimate, its server counts %" PRIu64 " in",
		    c->counted->tokens);
	if (c->near)
		buf_puts(
		    out, " by estimate; its server would be asked to count");
	if (c->able.max_output != 0)
		buf_printf(out, ", output up to %" PRIu64, c->able.max_output);
	say_abilities(c, TRI_YES, "; it has ", out);
	say_abilities(c, TRI_NO, "; it has no ", out);
	if (c->bridge != BRIDGE_NONE)
		buf_printf(out, "; %s through chat", explain_bridge(c->bridge));
	buf_puts(out, "\n");
}

static void
say_swap(
    const struct candidate *c, const struct facts_limit *held, struct buf *out)
{
	const struct provider *p = c->target->provider;

	buf_puts(out, "\n    swap      ");
	if (held->model == 0) {
		say_seconds(out,
		    "no model loaded yet; once one is, its requests pass "
		    "others for at most",
		    p->limit->swap_wait_ms);
		return;
	}
	if (held->model == facts_held_key(p, c->model))
		buf_puts(out, "its model is in use and goes first");
	else
		buf_printf(
		    out, "%s is in use and goes first", held->model_name);
	say_seconds(out, ", before others for", p->limit->swap_wait_ms);
}

/* "wake      asleep since 2026-11-28T21:00:00Z; a magic packet wakes it; a
 * request waits for 90 s, 2 of 64 do" */
static void
say_sleep(
    const struct provider *p, const struct facts_sleep *sleep, struct buf *out)
{
	char since[CLOCK_TEXT_SIZE];

	if (!p->sleeps)
		return;
	buf_puts(out, "    wake      ");
	if (sleep->since_wall_ms != 0) {
		clock_text(sleep->since_wall_ms, since);
		buf_printf(out, "asleep since %s", since);
	} else
		buf_puts(out, "awake, as far as is known");
	buf_printf(out, "; %s wakes it",
	    p->wake.mac != NULL ? "a magic packet" : "a command");
	if (p->wake_wait_ms == 0)
		buf_puts(out, "; no request waits for that\n");
	else {
		say_seconds(out, "; a request waits for", p->wake_wait_ms);
		buf_printf(out, " at most, %u do\n", sleep->waiting);
	}
}

static void
say_state(const struct explain *e, const struct candidate *c, struct buf *out)
{
	const struct limit *limit = c->target->provider->limit;
	struct facts_provider facts = explain_provider(e, c->target->provider);
	struct facts_limit held;

	buf_printf(
	    out, "    health    circuit %s", explain_circuit(c->open_ms));
	if (c->open_ms > 0)
		say_seconds(out, " for", c->open_ms);
	buf_printf(out, ", %u in flight", facts.in_flight);
	if (facts.first_byte_ms > 0)
		buf_printf(out, ", first byte after %" PRId64 " ms",
		    facts.first_byte_ms);
	buf_puts(out, "\n");
	say_sleep(c->target->provider, &facts.sleep, out);
	if (limit == NULL)
		return;
	held = explain_limit(e, limit);
	buf_printf(out,
	    "    limit     %s: %u of %u slots used, %u of %u queued",
	    limit->name, held.used, limit->slots, held.queued, limit->queue);
	say_seconds(out, ", waits", limit->wait_ms);
	if (limit->swap == SWAP_GROUP) {
		say_swap(c, &held, out);
	}
	buf_puts(out, "\n");
}

static void
say_costs(const struct explain *e, const struct candidate *c, struct buf *out)
{
	const struct timeouts *t = &c->target->provider->timeouts;
	const struct price *price = &c->target->price;

	say_seconds(out, "    timeouts  connect", t->connect_ms);
	say_seconds(out, ", first byte", t->first_byte_ms);
	say_seconds(out, ", idle", t->idle_ms);
	say_seconds(out, ", total", t->total_ms);
	buf_puts(out, "\n    cost      ");
	if (c->worst_nanousd < 0)
		buf_puts(out,
		    c->target->provider->place == PLACE_LOCAL
			? "nothing (local)"
			: "no price known");
	else {
		buf_puts(out, "at most ");
		explain_usd(out, c->worst_nanousd);
		buf_puts(out, " USD");
		if (e->call->max_output_tokens == 0 &&
		    c->target->max_output == 0 &&
		    (price->output > 0 || price->reasoning > 0))
			buf_printf(out,
			    " (%d tokens out assumed; give the target "
			    "`max_output`)",
			    PRICE_OUTPUT_UNSAID);
	}
	buf_puts(out, "\n");
}

static void
say_refused(const struct refused *refused, const char *how, struct buf *out)
{
	const struct refusal_spec *spec = refusal_spec(refused->refusal);

	buf_printf(out, "%s%d %s: ", how, spec->status, spec->code);
	say_foreign(
	    out, refused->message != NULL ? refused->message : spec->text);
	buf_puts(out, "\n");
}

/* How old the figures of all hosts are. */
static void
say_heard(const struct bound *b, struct buf *out)
{
	char age[CLOCK_AGE_SIZE];

	if (!b->shared)
		return;
	if (b->heard_ms < 0) {
		buf_puts(out,
		    "; of this host alone: nothing was heard of the others in "
		    "this period");
		return;
	}
	clock_age(b->heard_ms, age);
	buf_printf(out, "; heard %s ago", age);
}

/* "budget    client laptop, usd_per_day: 1.2 of 5 used, 0.01 held, 3.79 left;
 * resets in 1h00m" */
static void
say_budgets(const struct explain *e, struct buf *out)
{
	char age[CLOCK_AGE_SIZE];

	for (size_t i = 0; i < e->nbounds; i++) {
		const struct bound *b = &e->bounds[i];

		buf_printf(out, "budget    %s ", b->kind);
		say_foreign(out, b->name);
		buf_printf(out, ", %s%s: ", b->setting,
		    b->shared ? " over all hosts" : "");
		bound_amount(b, b->used, out);
		buf_puts(out, " of ");
		bound_amount(b, b->limit, out);
		buf_puts(out, " used, ");
		bound_amount(b, b->held, out);
		buf_puts(out, " held, ");
		bound_amount(b, bound_left(b), out);
		buf_puts(out, " left");
		say_heard(b, out);
		if (b->reset_ms > 0) {
			clock_age(b->reset_ms, age);
			buf_printf(out, "; resets in %s", age);
		}
		buf_puts(out, "\n");
	}
}

static void
say_candidate(const struct explain *e, size_t i, struct buf *out)
{
	const struct candidate *c = &e->plan->candidates[i];
	const struct provider *provider = c->target->provider;
	const char *comma = "";

	buf_printf(out, "\n%zu. %s  %s (%s), model ", i + 1,
	    c->verdict == VERDICT_IN ? "IN " : "OUT", provider->name,
	    place_name(provider->place));
	say_foreign(out, c->model);
	buf_puts(out, "\n");
	if (c->verdict != VERDICT_IN) {
		buf_printf(out, "    %-9s ", verdict_name(c->verdict));
		say_foreign(out, c->reason);
		buf_puts(out, "\n");
	}
	if (c->verdict == VERDICT_IN && provider->auth == AUTH_CLIENT)
		buf_puts(
		    out, "    key       the client's own, as it sends it\n");
	say_fit(c, out);
	say_state(e, c, out);
	say_costs(e, c, out);
	if (c->met != NULL)
		say_refused(c->met, "    meets     ", out);
	if (c->verdict != VERDICT_IN)
		return;
	buf_puts(out, "    next on   ");
	if (c->next_on == 0)
		buf_puts(out, "nothing");
	for (unsigned bit = 0; bit < FALLBACK_COUNT; bit++)
		if (c->next_on & 1u << bit) {
			buf_puts(out, comma);
			buf_puts(
			    out, fallback_name((enum fallback)(1u << bit)));
			comma = ", ";
		}
	buf_puts(out, "\n");
}

void
explain_text(const struct explain *e, struct buf *out)
{
	size_t i;

	say_request(e, out);
	say_ceiling(e, out);
	say_budgets(e, out);
	for (i = 0; i < e->plan->ncandidates; i++)
		say_candidate(e, i, out);
	if (e->plan->refused.refusal != REFUSE_NONE)
		say_refused(&e->plan->refused, "\nREFUSED   ", out);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The circuits that hosts share, as far as this host knows them: hides what a
 * host tells the others of its own circuit, and what it believes of theirs.
 * fleet/circuits.c carries both.
 *
 * A provider has two words here: the host's own circuit, and the fleet's.  A
 * request must pass both.  Failures that may be this host's fault (its network,
 * its key) open its own circuit alone.  So do timeouts, but one request of
 * another host then tries.
 */
#include "config.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "state/health_internal.h"
#include "state/health_models.h"

/* How long the fleet may be asked: longer than any sensible store.timeout. */
#define ASK_MS 2000
/* If a circuit only stays open longer by less than this, that is no news. */
#define NEWS_MS 1000

void
health_join(struct health *h, const struct health_fleet *fleet)
{
	h->fleet = *fleet;
}

static bool
is_shared(const struct health *h, const struct provider *p)
{
	return h->config->store.url != NULL && p->circuit.failures != 0;
}

/* ---- the fleet's word -------------------------------------------------- */

static uint64_t
word_of(enum circuit_state state, int64_t ms)
{
	struct circuit_view v = { .state = state,
		.until_ms = clock_now_ms() + ms };

	return state == CIRCUIT_CLOSED ? 0 : circuit_word(&v);
}

static int64_t
lease_ms(const struct health *h)
{
	return h->config->store.lease_ms > ASK_MS ? h->config->store.lease_ms
						  : ASK_MS;
}

int64_t
health_fleet_open_ms(struct health *h, const struct provider *p, int64_t now_ms)
{
	return is_shared(h, p)
	    ? circuit_open_ms(atomic_load(&h->rows[p->index]->fleet),
		  &p->circuit, lease_ms(h), false, now_ms)
	    : 0;
}

int64_t
health_fleet_ms(struct health *h, const struct provider *p)
{
	uint64_t word = atomic_load(&h->rows[p->index]->fleet);
	int64_t ms = health_fleet_open_ms(h, p, clock_now_ms());

	return circuit_view(word).state == CIRCUIT_OPEN && ms > 0 ? ms : 0;
}

int64_t
health_fleet_age_ms(struct health *h, const struct provider *p)
{
	int64_t opened_ms = atomic_load(&h->rows[p->index]->opened_boot_ms);

	return opened_ms == 0 ? CLOCK_NEVER : clock_boot_ms() - opened_ms;
}

int64_t
health_either_ms(int64_t own_ms, int64_t fleet_ms)
{
	if (own_ms > 0 || fleet_ms > 0)
		return own_ms > fleet_ms ? own_ms : fleet_ms;
	return own_ms < fleet_ms ? own_ms : fleet_ms;
}

void
health_fleet_renew(struct health *h, const struct provider *p)
{
	atomic_store(
	    &h->rows[p->index]->fleet, word_of(CIRCUIT_TRIAL, lease_ms(h)));
}

/* ---- a request that comes ---------------------------------------------- */

static bool
ask(struct health *h, const struct provider *p, int64_t *wait_ms)
{
	struct health_entry *row = h->rows[p->index];
	enum health_said said = HEALTH_SAID_AWAY;
	uint64_t trial = 0;

	if (h->fleet.ask != NULL)
		said = h->fleet.ask(h->fleet.ctx, p, wait_ms, &trial);
	switch (said) {
	case HEALTH_SAID_MINE:
	case HEALTH_SAID_AWAY:
		break;
	case HEALTH_SAID_CLOSED:
		atomic_store(&row->fleet, 0);
		return true;
	case HEALTH_SAID_OPEN:
		atomic_store(&row->fleet, word_of(CIRCUIT_OPEN, *wait_ms));
		return false;
	case HEALTH_SAID_TRIAL:
		atomic_store(&row->fleet, word_of(CIRCUIT_TRIAL, *wait_ms));
		*wait_ms = health_fleet_open_ms(h, p, clock_now_ms());
		return false;
	}
	health_fleet_renew(h, p);
	health_under_way()->fleet_row = row;
	health_under_way()->fleet_trial = trial;
	return true;
}

bool
health_fleet_admit(struct health *h, const struct provider *p, int64_t *wait_ms)
{
	struct health_entry *row = h->rows[p->index];
	uint64_t word = atomic_load(&row->fleet);
	int64_t open_ms;

	if (!is_shared(h, p))
		return true;
	open_ms = circuit_open_ms(
	    word, &p->circuit, lease_ms(h), false, clock_now_ms());
	if (open_ms == 0)
		return true;
	*wait_ms = open_ms;
	if (open_ms > 0)
		return false;
	/* One request of this host asks; the others wait for the reply. */
	*wait_ms = ASK_MS;
	return atomic_compare_exchange_strong(
		   &row->fleet, &word, word_of(CIRCUIT_TRIAL, ASK_MS)) &&
	    ask(h, p, wait_ms);
}

/* ---- a request that ends ----------------------------------------------- */

/* Might another host have been served? */
static bool
may_be_ours(enum health_outcome outcome)
{
	return outcome == HEALTH_CONNECT || outcome == HEALTH_TIMEOUT ||
	    outcome == HEALTH_ACCOUNT;
}

static enum health_outcome
last_error(const struct health_entry *row)
{
	uint64_t outcome = atomic_load(&row->last_error) >> 56;

	return outcome < HEALTH_OUTCOMES ? (enum health_outcome)outcome
					 : HEALTH_OK;
}

static void
tell(struct health *h, const struct provider *p, enum health_news news,
    uint64_t trial, enum health_outcome why, int64_t ms)
{
	if (h->fleet.tell != NULL)
		h->fleet.tell(h->fleet.ctx, p, news, trial, why, ms);
}

static int64_t
limited_ms(const struct provider *p, int64_t retry_after_ms)
{
	return retry_after_ms < p->circuit.cooldown_max_ms
	    ? retry_after_ms
	    : p->circuit.cooldown_max_ms;
}

static enum health_news
news_of_trial(const struct provider *p, enum health_outcome outcome,
    int64_t retry_after_ms, int64_t *ms)
{
	*ms = 0;
	switch (outcome) {
	case HEALTH_ERROR:
		*ms = p->circuit.cooldown_ms;
		return HEALTH_NEWS_FAILED;
	case HEALTH_CONNECT:
	case HEALTH_TIMEOUT:
	case HEALTH_ACCOUNT:
		*ms = p->circuit.cooldown_ms;
		return HEALTH_NEWS_UNREACHED;
	case HEALTH_LOADING:
		*ms = CIRCUIT_LOADING_MS;
		return HEALTH_NEWS_OPEN;
	case HEALTH_RATE_LIMITED:
		*ms = limited_ms(p, retry_after_ms);
		return *ms > 0 ? HEALTH_NEWS_OPEN : HEALTH_NEWS_PASSED;
	case HEALTH_ABANDONED:
		return HEALTH_NEWS_BACK;
	default:
		return HEALTH_NEWS_PASSED;
	}
}

static void
report_trial(struct health *h, const struct provider *p,
    enum health_outcome outcome, int64_t retry_after_ms)
{
	struct health_entry *row = h->rows[p->index];
	enum health_news news;
	int64_t ms;

	news = news_of_trial(p, outcome, retry_after_ms, &ms);
	atomic_store(&row->fleet,
	    word_of(news == HEALTH_NEWS_PASSED ? CIRCUIT_CLOSED : CIRCUIT_OPEN,
		ms));
	if (news == HEALTH_NEWS_OPEN || news == HEALTH_NEWS_FAILED)
		atomic_store(&row->opened_boot_ms, clock_boot_ms());
	health_under_way()->fleet_row = NULL;
	tell(h, p, news, health_under_way()->fleet_trial, outcome, ms);
}

void
health_fleet_report(struct health *h, const struct provider *p, uint64_t from,
    uint64_t to, enum health_outcome outcome, int64_t retry_after_ms)
{
	struct health_entry *row = h->rows[p->index];
	struct circuit_view old = circuit_view(from), new = circuit_view(to);
	int64_t ms = new.until_ms - clock_now_ms();

	if (!is_shared(h, p))
		return;
	if (health_under_way()->fleet_row == row) {
		report_trial(h, p, outcome, retry_after_ms);
		return;
	}
	if (new.state == CIRCUIT_CLOSED) {
		if (old.state != CIRCUIT_CLOSED && may_be_ours(last_error(row)))
			tell(h, p, HEALTH_NEWS_WELL, 0, outcome, 0);
		return;
	}
	if (to == from || new.state == CIRCUIT_TRIAL ||
	    outcome == HEALTH_ABANDONED || ms <= 0 ||
	    ((old.state == CIRCUIT_OPEN || old.state == CIRCUIT_HELD) &&
		new.until_ms < old.until_ms + NEWS_MS))
		return;
	if (may_be_ours(outcome)) {
		tell(h, p,
		    outcome == HEALTH_TIMEOUT ? HEALTH_NEWS_TIMEOUTS
					      : HEALTH_NEWS_DOUBT,
		    0, outcome, ms);
		return;
	}
	atomic_store(&row->opened_boot_ms, clock_boot_ms());
	atomic_store(&row->fleet, word_of(CIRCUIT_OPEN, ms));
	tell(h, p, HEALTH_NEWS_OPEN, 0, outcome, ms);
}

/* ---- what the fleet reports -------------------------------------------- */

/* Closes the host's own circuit too, unless that was opened by a failure that
 * other hosts don't see, or is just being tried. */
static void
close_own(struct health_entry *row)
{
	uint64_t word = atomic_load(&row->circuit);
	enum circuit_state state = circuit_view(word).state;

	if (!may_be_ours(last_error(row)) &&
	    (state == CIRCUIT_OPEN || state == CIRCUIT_HELD))
		atomic_compare_exchange_strong(&row->circuit, &word, 0);
}

void
health_fleet_take(
    struct health *h, const struct provider *p, const struct health_report *r)
{
	static const enum circuit_state states[] = {
		[HEALTH_FLEET_CLOSED] = CIRCUIT_CLOSED,
		[HEALTH_FLEET_OPEN] = CIRCUIT_OPEN,
		[HEALTH_FLEET_TRIAL] = CIRCUIT_TRIAL,
	};
	struct health_entry *row = h->rows[p->index];
	uint64_t old;

	if (!is_shared(h, p))
		return;
	old = atomic_exchange(&row->fleet, word_of(states[r->is], r->ms));
	if (r->is == HEALTH_FLEET_CLOSED)
		close_own(row);
	if ((old == 0) == (r->is == HEALTH_FLEET_CLOSED))
		return;
	atomic_store(&row->since_wall_ms, clock_wall_ms());
	if (old != 0)
		log_info("provider %s: answers again, says host %s", p->name,
		    r->host);
	else if (r->ms == 0)
		log_warn("provider %s: %s, says host %s; one request of "
			 "another host tries it",
		    p->name, health_outcome_name(r->why), r->host);
	else
		log_warn("provider %s: %s, says host %s, left alone by all "
			 "hosts for %lld ms",
		    p->name, health_outcome_name(r->why), r->host,
		    (long long)r->ms);
}

void
health_fleet_hold(struct health *h, const struct health_what *what,
    enum health_outcome why, int64_t ms)
{
	if (is_shared(h, what->provider) &&
	    facts_held_is_sane(what->provider, ms))
		health_models_extend(h->models, what, why, ms);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The providers' health: circuits, first-byte latency, requests in flight.
 *
 * One row per provider in a mapped file, found by the hash of its name, so
 * that a reload that reorders providers keeps their rows.  A row's circuit is
 * one 64-bit word changed by compare-and-swap: there is no lock that a crash
 * could leave behind.  In flight is the sum of per-process cells; a dead
 * process's cells are cleared by the process that finds it dead.
 */
#ifndef STATE_HEALTH_H
#define STATE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "config/settings.h"
#include "policy/plan.h"

struct health;

/* Maps runtime_dir/health.  NULL with one line in why.  After fork, in the
 * process that will use it. */
struct health *health_open(const struct config *, char *why, size_t size);
void health_close(struct health *);

enum health_outcome {
	HEALTH_OK, /* it answered (4xx too: the request's fault) */
	HEALTH_CONNECT, /* no connection, TLS, forbidden address */
	HEALTH_TIMEOUT,
	HEALTH_ERROR, /* 5xx, cut, error dressed as 200 */
	HEALTH_LOADING, /* 503 "Loading model" */
	HEALTH_RATE_LIMITED, /* 429: opens for its Retry-After */
	HEALTH_ABANDONED, /* we stopped (client gone): says nothing, but
				   gives a trial back */
	HEALTH_ACCOUNT, /* our key or account is not accepted */
	HEALTH_NO_MODEL, /* the provider does not have this model */
	HEALTH_MODEL_LIMITED, /* a 429 that may be this model's alone */
	HEALTH_MODEL_LOADING, /* it loads this model, others may go */
	HEALTH_KEY, /* one of its keys was refused or limited, and rests; the
		     * provider itself works */
};
#define HEALTH_OUTCOMES (HEALTH_KEY + 1)
const char *health_outcome_name(enum health_outcome);

/* May this request go to the provider?  Closed circuit: yes.  Open: no, and
 * *open_ms until it may.  Half open: yes for exactly one over all processes,
 * whose health_report decides; *trial tells. */
bool health_admit(
    struct health *, const struct provider *, bool *trial, int64_t *open_ms);
/* The request is being sent: counts in flight until this thread's
 * health_report (each thread has one request under way, with one provider at
 * a time). */
void health_begin(struct health *, const struct provider *);
/* A good response has begun: closes the circuit now, so that others need not
 * wait for the end of a long stream.  health_report still follows. */
void health_answered(struct health *, const struct provider *, bool trial);
/* Reports how it went; also right after health_admit if nothing was sent
 * (HEALTH_ABANDONED).  retry_after_ms from the provider, 0 none, counts up
 * to the provider's cooldown_max; first_byte_ms -1 if no byte came. */
void health_report(struct health *, const struct provider *, bool trial,
    enum health_outcome, int64_t retry_after_ms, int64_t first_byte_ms);

/* --- a provider whose host sleeps (health_waking.h) ----------------------- */

/* Was it reached within the last seconds?  One that is not woken always is. */
bool health_is_awake(struct health *, const struct provider *);
/* It was connected; it could not be. */
void health_reached(struct health *, const struct provider *);
void health_sleeps(struct health *, const struct provider *);
/* How often it was found asleep: connections that are older than the last time
 * are dead, although no end of them ever came. */
uint32_t health_sleep_count(struct health *, const struct provider *);
/* May the caller ask for its host to be woken?  One in every_ms, over all
 * processes; it is counted. */
bool health_may_wake(
    struct health *, const struct provider *, int64_t every_ms);
/* Waits with others until it is awake; false: as many as may wait in this
 * process (wake.queue) do. */
bool health_wake_join(struct health *, const struct provider *);
void health_wake_leave(struct health *, const struct provider *);
/* All zero for one that is not woken. */
void health_wake_row(
    struct health *, const struct provider *, struct facts_sleep *);

/* Is this model of the provider left alone?  0: no, otherwise for how long. */
int64_t health_model_open_ms(
    struct health *, const struct provider *, const char *model);
/* Right before health_report, of a request for this upstream model: leaves
 * the model alone after HEALTH_MODEL_LIMITED (for retry_after_ms, up to the
 * provider's cooldown_max) and HEALTH_MODEL_LOADING (FACTS_LOADING_MS).
 * However many models of a provider are limited, the others go on: only the
 * response's words can say that a limit applies to all models. */
void health_model_report(struct health *, const struct provider *,
    const char *model, enum health_outcome, int64_t retry_after_ms);

/* --- a provider with several keys ---------------------------------------- */

/* Does this outcome concern only the key, if there are others? */
bool health_is_of_key(enum health_outcome);
/* The key (from 0) to be used for this model: the first that does not rest and
 * is not in the mask `tried`.  -1: there is none, and *rest_ms is how long the
 * first of them rests yet.  A provider whose circuit never opens has always
 * one that was not tried.  With one key or none it is 0. */
int health_key(struct health *, const struct provider *, const char *model,
    unsigned tried, int64_t *rest_ms);
/* The key was refused or limited (health_is_of_key()): it rests for
 * retry_after_ms, or, if that is 0, for the provider's cooldown, twice as
 * long each time that follows soon; up to its cooldown_max. */
void health_key_rest(struct health *, const struct provider *, int key,
    const char *model, enum health_outcome, int64_t retry_after_ms);
/* The models and keys that are left alone, for the plan; in the arena. */
void health_held_facts(struct health *, struct arena *, struct facts *);

#define HEALTH_HELD_NAME 128
struct health_held {
	char model[HEALTH_HELD_NAME]; /* the upstream's name, or its beginning;
					 not always UTF-8; a key's "": all */
	enum health_outcome why;
	int64_t open_ms;
};
/* The models of one provider that are left alone. */
void health_each_held(struct health *, const struct provider *,
    void (*each)(void *, const struct health_held *), void *ctx);

/* The rests of one of a provider's several keys (from 0). */
void health_each_rest(struct health *, const struct provider *, size_t key,
    void (*each)(void *, const struct health_held *), void *ctx);

/* --- circuits that hosts share (fleet/circuits.h) ------------------------- */

/* What a host says of a provider. */
enum health_news {
	HEALTH_NEWS_OPEN, /* to be left alone for ms */
	HEALTH_NEWS_DOUBT, /* the same, but the fault may be this host's */
	HEALTH_NEWS_TIMEOUTS, /* as DOUBT, but another host should find out */
	HEALTH_NEWS_WELL, /* after DOUBT: this host is served again */
	/* Of the fleet's trial: */
	HEALTH_NEWS_PASSED,
	HEALTH_NEWS_FAILED,
	HEALTH_NEWS_UNREACHED, /* the fault may be this host's */
	HEALTH_NEWS_BACK, /* nothing was learned */
};

/* What the fleet says when a host wants to try. */
enum health_said {
	HEALTH_SAID_MINE, /* try: no other host does */
	HEALTH_SAID_CLOSED, /* there is nothing to be tried */
	HEALTH_SAID_OPEN, /* left alone for *ms yet */
	HEALTH_SAID_TRIAL, /* another request tries, for *ms at the most */
	HEALTH_SAID_AWAY, /* the fleet can't be asked */
};

struct health_what;

struct health_fleet {
	void *ctx;
	/* May wait.  *trial: a number for tell(), in any case. */
	enum health_said (*ask)(
	    void *ctx, const struct provider *, int64_t *ms, uint64_t *trial);
	/* Does not wait.  trial: 0 for news of no trial. */
	void (*tell)(void *ctx, const struct provider *, enum health_news,
	    uint64_t trial, enum health_outcome, int64_t ms);
	/* A model or a key is left alone.  Does not wait. */
	void (*hold)(void *ctx, const struct health_what *, enum health_outcome,
	    int64_t ms);
};
void health_join(struct health *, const struct health_fleet *);

/* What the fleet reports of a provider; host and outcome are why.  The trial
 * is another host's.  Whatever this host itself could not reach stays left
 * alone by it when the fleet closes the circuit. */
struct health_report {
	enum { HEALTH_FLEET_CLOSED, HEALTH_FLEET_OPEN, HEALTH_FLEET_TRIAL } is;
	int64_t ms;
	enum health_outcome why;
	const char *host;
};
void health_fleet_take(
    struct health *, const struct provider *, const struct health_report *);
/* The trial of this process goes on. */
void health_fleet_renew(struct health *, const struct provider *);
/* How long ago a failure here last opened the fleet's circuit; CLOCK_NEVER: it
 * never did. */
int64_t health_fleet_age_ms(struct health *, const struct provider *);
/* How long the fleet's circuit is open yet, as far as this host knows; 0: it is
 * closed, due, or being tried. */
int64_t health_fleet_ms(struct health *, const struct provider *);
/* A model or a key that another host has found limited; name is for people. */
void health_fleet_hold(struct health *, const struct health_what *,
    enum health_outcome, int64_t ms);

/* Fills the facts of all providers (nproviders of them). */
void health_facts(struct health *, struct facts_provider *);

struct health_row {
	const char *state; /* "closed", "open", "half-open" */
	bool by_fleet; /* hosts that share circuits leave it alone */
	unsigned failures;
	int64_t since_wall_ms; /* of the state, 0 never changed */
	int64_t open_ms;
	enum health_outcome last_error; /* HEALTH_OK: none */
	int64_t last_error_wall_ms;
	int64_t first_byte_p50_ms; /* -1: not known */
	unsigned in_flight;
	uint64_t requests, errors;
};
void health_row(struct health *, const struct provider *, struct health_row *);

/* The round robin's turn of a model: each call gets the next number. */
uint32_t health_rotate(struct health *, const struct model *);

#endif

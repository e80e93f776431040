/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The calls about shared circuits: hides the script's arguments and replies.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fleet/circuits_internal.h"
#include "state/health_models.h"

/* ARGV[2..11] */
#define ARGS 10
#define HOLD_ARGS 3
#define OWNER_SIZE (sizeof(((struct circuits *)NULL)->process) + 24)

/* Texts of one call, which its spans refer to. */
struct words {
	char owner[OWNER_SIZE], key[20], group[20];
	char ms[24], why[24], cooldown[24], most[24], lease[24], age[24];
	struct span arg[ARGS + HOLD_ARGS];
};

static struct span
owner_of(const struct circuits *c, uint64_t trial, char out[OWNER_SIZE])
{
	int n = snprintf(out, OWNER_SIZE, "%s/%" PRIu64, c->process, trial);

	return (struct span){ out, (size_t)n };
}

static void
make_words(struct words *w, const struct circuits *c, const char *what,
    const struct provider *p, uint64_t trial, enum health_outcome why,
    int64_t ms)
{
	w->arg[0] = span_of(what);
	w->arg[1] = span_of(c->channel);
	w->arg[2] = span_of(c->config->gateway);
	w->arg[3] = owner_of(c, trial, w->owner);
	w->arg[4] = span_of(p == NULL ? "" : p->name);
	w->arg[5] = store_number(w->ms, ms);
	w->arg[6] = store_number(w->why, why);
	w->arg[7] =
	    store_number(w->cooldown, p == NULL ? 0 : p->circuit.cooldown_ms);
	w->arg[8] =
	    store_number(w->most, p == NULL ? 0 : p->circuit.cooldown_max_ms);
	w->arg[9] = store_number(w->lease, store_lease_ms(c->store));
}

/* ---- of health --------------------------------------------------------- */

static enum health_said
read_said(const struct store_reply *reply, const struct provider *p,
    int64_t lease_ms, int64_t *ms)
{
	struct span what = store_reply_text(store_reply_at(reply, 0));
	int64_t left_ms = store_reply_int(store_reply_at(reply, 1), 0);
	bool open = span_is(what, "o");
	int64_t most_ms = open ? p->circuit.cooldown_max_ms : lease_ms;

	*ms = left_ms < 1 ? 1 : left_ms > most_ms ? most_ms : left_ms;
	if (span_is(what, "mine"))
		return HEALTH_SAID_MINE;
	if (span_is(what, "closed"))
		return HEALTH_SAID_CLOSED;
	if (open)
		return HEALTH_SAID_OPEN;
	return span_is(what, "t") ? HEALTH_SAID_TRIAL : HEALTH_SAID_AWAY;
}

enum health_said
circuits_ask(void *ctx, const struct provider *p, int64_t *ms, uint64_t *trial)
{
	struct circuits *c = ctx;
	struct store_reply *reply;
	enum health_said said = HEALTH_SAID_AWAY;
	struct words w;

	*trial = ++c->trials;
	make_words(&w, c, "try", p, *trial, HEALTH_OK, 0);
	if (store_eval(c->store, &circuits_script, c->keys, 1, w.arg, ARGS,
		&reply) == STORE_OK) {
		said = read_said(reply, p, store_lease_ms(c->store), ms);
		store_reply_free(reply);
	}
	if (said == HEALTH_SAID_MINE || said == HEALTH_SAID_AWAY) {
		c->trial[p->index] = *trial;
		circuits_wake(c);
	}
	return said;
}

void
circuits_tell(void *ctx, const struct provider *p, enum health_news news,
    uint64_t trial, enum health_outcome why, int64_t ms)
{
	static const char *const whats[] = {
		[HEALTH_NEWS_OPEN] = "open",
		[HEALTH_NEWS_DOUBT] = "doubt",
		[HEALTH_NEWS_TIMEOUTS] = "timeouts",
		[HEALTH_NEWS_WELL] = "well",
		[HEALTH_NEWS_PASSED] = "passed",
		[HEALTH_NEWS_FAILED] = "failed",
		[HEALTH_NEWS_UNREACHED] = "unreached",
		[HEALTH_NEWS_BACK] = "back",
	};
	struct circuits *c = ctx;
	struct words w;

	if (trial != 0 && c->trial[p->index] == trial)
		c->trial[p->index] = 0;
	make_words(&w, c, whats[news], p, trial, why, ms);
	(void)store_tell(c->store, &circuits_script, c->keys, 1, w.arg, ARGS);
}

void
circuits_hold(void *ctx, const struct health_what *what,
    enum health_outcome why, int64_t ms)
{
	struct circuits *c = ctx;
	struct words w;

	make_words(&w, c, "hold", what->provider, 0, why, ms);
	snprintf(w.key, sizeof(w.key), "%016" PRIx64, what->key);
	snprintf(w.group, sizeof(w.group), "%016" PRIx64, what->group);
	w.arg[4] = span_of(w.key);
	w.arg[ARGS] = span_of(w.group);
	w.arg[ARGS + 1] = span_of(what->provider->name);
	w.arg[ARGS + 2] = (struct span){ what->model,
		strnlen(what->model, HEALTH_HELD_NAME - 1) };
	(void)store_tell(
	    c->store, &circuits_script, c->keys, 1, w.arg, ARGS + HOLD_ARGS);
}

/* ---- of the task ------------------------------------------------------- */

void
circuits_renew(struct circuits *c)
{
	size_t n = c->config->nproviders, nargs = ARGS;
	struct span *args = memory_alloc((ARGS + 2 * n) * sizeof(*args));
	char(*owners)[OWNER_SIZE] = memory_alloc(n * sizeof(*owners) + 1);
	struct words w;

	make_words(&w, c, "renew", NULL, 0, HEALTH_OK, 0);
	memcpy(args, w.arg, ARGS * sizeof(*args));
	for (size_t i = 0; i < n; i++) {
		if (c->trial[i] == 0)
			continue;
		health_fleet_renew(c->health, &c->config->providers[i]);
		args[nargs++] = span_of(c->config->providers[i].name);
		args[nargs++] = owner_of(c, c->trial[i], owners[i]);
	}
	if (nargs > ARGS)
		(void)store_tell(
		    c->store, &circuits_script, c->keys, 1, args, nargs);
	free(owners);
	free(args);
}

bool
circuits_look(struct circuits *c)
{
	struct store_reply *reply;
	struct words w;
	int64_t ms;

	make_words(&w, c, "look", NULL, 0, HEALTH_OK, 0);
	if (store_eval(c->store, &circuits_script, c->keys, 1, w.arg, ARGS,
		&reply) != STORE_OK)
		return false;
	memset(c->known, 0, sizeof(c->known));
	for (size_t i = 0; i < store_reply_count(reply); i++)
		circuits_take(
		    c, store_reply_text(store_reply_at(reply, i)), false);
	store_reply_free(reply);
	for (size_t i = 0; i < c->config->nproviders; i++) {
		const struct provider *p = &c->config->providers[i];

		ms = c->known[i] ? 0 : health_fleet_ms(c->health, p);
		if (ms <= 0)
			continue;
		make_words(&w, c, "have", p, 0, HEALTH_ERROR, ms);
		w.arg[ARGS] =
		    store_number(w.age, health_fleet_age_ms(c->health, p));
		(void)store_tell(
		    c->store, &circuits_script, c->keys, 1, w.arg, ARGS + 1);
	}
	circuits_renew(c);
	return true;
}

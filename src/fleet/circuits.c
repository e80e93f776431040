/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Reads what the store reports of circuits.  A task asks again after messages
 * were missed, and renews the leases of trials.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fleet/circuits_internal.h"
#include "fleet/look.h"
#include "state/health_models.h"

/* Before the engine is asked again. */
#define RETRY_MS 200
#define IDLE_MS 60000

/* ---- messages ---------------------------------------------------------- */

/* Cuts off the next word, without its space. */
static struct span
word(struct span *rest)
{
	const char *end = memchr(rest->p, ' ', rest->len);
	struct span out = *rest;

	if (end == NULL) {
		rest->p += rest->len;
		rest->len = 0;
		return out;
	}
	out.len = (size_t)(end - rest->p);
	rest->p = end + 1;
	rest->len -= out.len + 1;
	return out;
}

/* -1: not a number. */
static int64_t
number(struct span s, int base)
{
	char text[24], *end;
	uint64_t n;

	if (s.len == 0 || s.len >= sizeof(text))
		return -1;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	n = strtoull(text, &end, base);
	if (*end != '\0' || *text == '-' ||
	    (base == 10 && n > (uint64_t)INT64_MAX))
		return -1;
	return (int64_t)n;
}

static const struct provider *
provider_of(const struct config *config, struct span name)
{
	for (size_t i = 0; i < config->nproviders; i++)
		if (span_is(name, config->providers[i].name))
			return &config->providers[i];
	return NULL;
}

/* "STATE MS WHY HOST PROVIDER" */
static void
take_circuit(struct circuits *c, int64_t version, struct span rest, bool live)
{
	struct span state = word(&rest);
	int64_t ms = number(word(&rest), 10), why = number(word(&rest), 10);
	struct span host = word(&rest);
	const struct provider *p = provider_of(c->config, rest);
	char name[CONFIG_NAME_MAX + 1];
	struct health_report r = { .is = HEALTH_FLEET_CLOSED,
		.why = (enum health_outcome)why,
		.host = name };
	int64_t most_ms;

	if (p == NULL || ms < 0 || why < 0 || why >= HEALTH_OUTCOMES)
		return;
	/* This is older than what this host found out while the engine was
	 * away. */
	if (!live && span_is(state, "c") &&
	    ms >= health_fleet_age_ms(c->health, p))
		return;
	c->known[p->index] = true;
	if ((uint64_t)version <= c->version[p->index])
		return;
	c->version[p->index] = (uint64_t)version;
	if (span_is(state, "o"))
		r.is = HEALTH_FLEET_OPEN;
	else if (span_is(state, "t"))
		r.is = HEALTH_FLEET_TRIAL;
	else
		c->trial[p->index] = 0; /* it has lost its lease, if any */
	most_ms = r.is == HEALTH_FLEET_TRIAL ? store_lease_ms(c->store)
					     : p->circuit.cooldown_max_ms;
	r.ms = ms < most_ms ? ms : most_ms;
	snprintf(name, sizeof(name), "%.*s", (int)host.len, host.p);
	health_fleet_take(c->health, p, &r);
}

/* "MS WHY KEY GROUP PROVIDER NAME" */
static void
take_hold(struct circuits *c, struct span rest)
{
	int64_t ms = number(word(&rest), 10), why = number(word(&rest), 10);
	int64_t key = number(word(&rest), 16), group = number(word(&rest), 16);
	char name[HEALTH_HELD_NAME];
	struct health_what what = {
		.provider = provider_of(c->config, word(&rest)),
		.key = (uint64_t)key,
		.group = (uint64_t)group,
		.model = name,
	};

	snprintf(name, sizeof(name), "%.*s", (int)rest.len, rest.p);
	if (what.provider != NULL && ms > 0 && why > 0 &&
	    why < HEALTH_OUTCOMES && key != 0)
		health_fleet_hold(
		    c->health, &what, (enum health_outcome)why, ms);
}

void
circuits_take(struct circuits *c, struct span message, bool live)
{
	int64_t version = number(word(&message), 10);
	struct span kind = word(&message);

	if (version < 0)
		return;
	if (span_is(kind, "c"))
		take_circuit(c, version, message, live);
	else if (span_is(kind, "h"))
		take_hold(c, message);
}

/* p NULL: messages may have been missed, and versions may have begun anew. */
static void
on_message(void *ctx, struct span message)
{
	struct circuits *c = ctx;

	if (message.p != NULL) {
		circuits_take(c, message, true);
		return;
	}
	memset(c->version, 0, sizeof(c->version));
	c->missed = true;
	circuits_wake(c);
}

/* Nothing is sent on this channel.  Listening to it shows that this process
 * lives (look.h). */
static void
ignore(void *ctx, struct span message)
{
	(void)ctx;
	(void)message;
}

/* ---- the task ---------------------------------------------------------- */

static bool
has_trial(const struct circuits *c)
{
	for (size_t i = 0; i < c->config->nproviders; i++)
		if (c->trial[i] != 0)
			return true;
	return false;
}

static void
circuits_main(void *ctx)
{
	struct circuits *c = ctx;
	int64_t beat_ms = 0, now_ms, next_ms;

	c->task = task_self();
	while (!c->ending) {
		now_ms = clock_now_ms();
		next_ms = now_ms + IDLE_MS;
		if (c->missed) {
			c->missed = false;
			if (!circuits_look(c)) {
				c->missed = true;
				next_ms = clock_now_ms() + RETRY_MS;
			}
		}
		if (!has_trial(c))
			beat_ms = 0;
		else if (beat_ms == 0)
			beat_ms = now_ms + store_lease_ms(c->store) / 3;
		else if (beat_ms <= now_ms) {
			circuits_renew(c);
			beat_ms = now_ms + store_lease_ms(c->store) / 3;
		}
		if (beat_ms != 0 && beat_ms < next_ms)
			next_ms = beat_ms;
		now_ms = clock_now_ms();
		if (!c->ending && next_ms > now_ms)
			task_sleep((int)(next_ms - now_ms));
	}
	c->task = NULL;
	c->started = false;
}

void
circuits_wake(struct circuits *c)
{
	if (!c->started && !c->ending)
		c->started = task_start(circuits_main, c) == 0;
	else if (c->task != NULL && task_self() != c->task)
		task_wake(c->task);
}

/* ---- start and end ----------------------------------------------------- */

struct circuits *
circuits_new(const struct config *config, struct store *store, struct health *h)
{
	struct circuits *c;
	struct health_fleet fleet = { .ask = circuits_ask,
		.tell = circuits_tell,
		.hold = circuits_hold };

	if (store == NULL)
		return NULL;
	c = fleet.ctx = memory_zero(sizeof(*c));
	c->config = config;
	c->store = store;
	c->health = h;
	snprintf(c->process, sizeof(c->process), "%.64s:%ld:%08" PRIx32,
	    config->gateway, (long)getpid(), arc4random());
	snprintf(c->channel, sizeof(c->channel), "%.64s:circuits",
	    config->store.prefix);
	c->keys[0] = store_key(store, c->key, "circuits", "all", NULL);
	store_listen(store, c->channel, on_message, c);
	look_channel(store, c->process, c->presence, sizeof(c->presence));
	store_listen(store, c->presence, ignore, c);
	health_join(h, &fleet);
	return c;
}

void
circuits_end(struct circuits *c)
{
	if (c == NULL)
		return;
	c->ending = true;
	if (c->task != NULL)
		task_wake(c->task);
}

void
circuits_free(struct circuits *c)
{
	free(c);
}

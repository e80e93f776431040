/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The current state of providers, limits and models.  The floor state gathers
 * it, the plan only reads it; all zero is a quiet start.
 */
#ifndef POLICY_FACTS_H
#define POLICY_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"

/* Of a provider whose host is woken when it sleeps. */
struct facts_sleep {
	int64_t since_wall_ms;	/* since when it is asleep; 0: awake, as far as
				 * is known */
	unsigned waiting;	/* requests that wait until it is awake */
	uint32_t wakes;		/* how often it was to be woken so far */
};

struct facts_provider {
	struct facts_sleep sleep;
	int64_t open_ms;	/* circuit opens again in; 0: closed;
				   -1: half open, a trial is due */
	unsigned in_flight;
	int64_t first_byte_ms;	/* typical, -1 or 0: not known */
};

/* A model that is left alone at a provider, while others are asked. */
struct facts_held {
	uint64_t key;		/* facts_held_key() of both */
	int64_t open_ms;
};

struct facts_limit {
	unsigned used, queued;
	/* With `swap`: the model in use (facts_held_key(); 0: none was yet),
	 * and how often it was another one. */
	uint64_t model, switches;
	char model_name[CONFIG_NAME_MAX];
};

/* What `tailgate probe` learned of one upstream model. */
struct facts_learned {
	const struct provider *provider;
	const char *model;
	uint64_t context;	/* 0: not known */
	enum tri images, audio, tools;
	/* Of another gateway's limits for it, when it was asked: */
	unsigned slots;		/* 0: not known */
	unsigned busy;		/* requests that ran or waited */
	int64_t at_ms;		/* wall clock; 0: not known */
};

/* What the server of an upstream model counted of the request itself. */
struct facts_count {
	const struct provider *provider;
	const char *model;
	uint64_t tokens;	/* of its input */
};

/* How long a report of what is busy is believed. */
#define FACTS_BUSY_MS 120000

struct facts {
	int64_t wall_ms;
	const struct facts_provider *providers;	/* by index, or NULL */
	const struct facts_limit *limits;	/* by index, or NULL */
	const struct facts_held *held;
	size_t nheld;
	const struct facts_learned *learned;
	size_t nlearned;
	const struct facts_count *counts;
	size_t ncounts;
	uint32_t rotation;	/* of the model's round robin */
};

/* --- held models: one model of a provider is left alone ------------------- */

#define FACTS_LOADING_MS 2000	/* held while loading, whatever cooldown_max */

/* Names the pair of both; never 0. */
uint64_t facts_held_key(const struct provider *, const char *model);
/* Names the provider's key number i (from 0) for this model, or, if model
 * is "", for all models; never 0.  It is made of where the key is read from,
 * never of the key. */
uint64_t facts_key_key(const struct provider *, size_t i, const char *model);
/* Can a model be left alone this long?  A longer time comes from the clock
 * before a reboot. */
bool facts_held_is_sane(const struct provider *, int64_t open_ms);
/* How long the model is still left alone at the provider; 0 if it is not. */
int64_t facts_held_ms(
    const struct facts *, const struct provider *, const char *model);

/* How long all keys of a provider that has several rest, for this model; 0: one
 * of them may be used. */
int64_t facts_keys_ms(
    const struct facts *, const struct provider *, const char *model);

/* What was learned of an upstream model; NULL: nothing, or the provider is not
 * to be learned from. */
const struct facts_learned *facts_find_learned(
    const struct facts *, const struct provider *, const char *model);

/* What its server counted of the request; NULL: it did not. */
const struct facts_count *facts_find_count(
    const struct facts *, const struct provider *, const char *model);

/* The target as it is: what was learned of this upstream model overrides
 * what was configured. */
struct target facts_target(
    const struct facts *, const struct target *, const char *model);

#endif

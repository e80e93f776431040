/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides when what `tailgate probe` has learned is read again: at most every
 * few seconds, by whichever request comes first, while others go on with what
 * they hold.
 */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/server.h"

#define LEARNED_AGE_MS 5000

struct facts_set {
	unsigned holders;
	size_t n;
	struct facts_learned *facts;
};

struct learned {
	pthread_mutex_t mutex;
	const struct config *config;
	struct facts_set *set;
	int64_t read_ms;
};

static struct facts_set *
set_read(const struct config *config)
{
	struct facts_set *set = calloc(1, sizeof(*set));

	if (set == NULL)
		fatal("out of memory");
	set->holders = 1; /* the one in struct learned */
	set->n = health_learned_load(config, &set->facts);
	return set;
}

static void
set_release(struct facts_set *set)
{
	if (--set->holders > 0)
		return;
	free(set->facts);
	free(set);
}

struct learned *
learned_new(const struct config *config)
{
	struct learned *l = calloc(1, sizeof(*l));

	if (l == NULL)
		fatal("out of memory");
	pthread_mutex_init(&l->mutex, NULL);
	l->config = config;
	l->set = set_read(config);
	l->read_ms = clock_now_ms();
	return l;
}

void
learned_free(struct learned *l)
{
	if (l == NULL)
		return;
	set_release(l->set);
	pthread_mutex_destroy(&l->mutex);
	free(l);
}

const struct facts_learned *
learned_take(struct learned *l, size_t *n, void **hold)
{
	struct facts_set *set;

	pthread_mutex_lock(&l->mutex);
	if (clock_now_ms() - l->read_ms >= LEARNED_AGE_MS) {
		set_release(l->set);
		l->set = set_read(l->config);
		l->read_ms = clock_now_ms();
	}
	set = l->set;
	set->holders++;
	pthread_mutex_unlock(&l->mutex);
	*hold = set;
	*n = set->n;
	return set->facts;
}

void
learned_release(struct learned *l, void *hold)
{
	pthread_mutex_lock(&l->mutex);
	set_release(hold);
	pthread_mutex_unlock(&l->mutex);
}

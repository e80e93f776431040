/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides when the file of `tailgate probe` is read again: at most every few
 * seconds, by the first request that needs it, while others use their copy.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/task.h"
#include "state/learned.h"

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
	uint64_t stamp; /* of the file that it was read from */
	bool reading; /* somebody is */
	int64_t read_ms;
};

static struct facts_set *
set_read(const struct config *config)
{
	struct facts_set *set = memory_zero(sizeof(*set));

	set->holders = 1; /* the one in struct learned */
	set->n = learned_load(config, &set->facts);
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
	l->stamp = learned_stamp(config);
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

struct reading {
	const struct config *config;
	struct facts_set *set;
	int error;
};

static void
read_set(void *ctx)
{
	struct reading *r = ctx;

	errno = 0;
	r->set = set_read(r->config);
	r->error = errno;
}

/* Holding the mutex, but not while the file (up to 4 MB) is read. */
static void
read_again(struct learned *l)
{
	struct facts_set *set = NULL;
	struct reading reading;
	uint64_t stamp, old = l->stamp;

	l->reading = true;
	pthread_mutex_unlock(&l->mutex);
	stamp = learned_stamp(l->config);
	if (stamp != old) {
		reading.config = l->config;
		task_offload(read_set, &reading);
		set = reading.set;
	}
	if (set != NULL && set->n == 0 && stamp != 0 &&
	    reading.error == EMFILE) {
		set_release(set); /* the old copy is better than nothing */
		set = NULL;
		stamp = old;
	}
	pthread_mutex_lock(&l->mutex);
	if (set != NULL) {
		set_release(l->set);
		l->set = set;
	}
	l->stamp = stamp;
	l->read_ms = clock_now_ms();
	l->reading = false;
}

const struct facts_learned *
learned_take(struct learned *l, size_t *n, void **out)
{
	struct facts_set *set;

	pthread_mutex_lock(&l->mutex);
	if (!l->reading && clock_now_ms() - l->read_ms >= LEARNED_AGE_MS)
		read_again(l);
	set = l->set;
	set->holders++;
	pthread_mutex_unlock(&l->mutex);
	*out = set;
	*n = set->n;
	return set->facts;
}

void
learned_release(struct learned *l, void *set)
{
	pthread_mutex_lock(&l->mutex);
	set_release(set);
	pthread_mutex_unlock(&l->mutex);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The ledger in a serving process: the last step of each request.  Hides which
 * thread sends a line to the ledger's process (keeper.h), and when.
 *
 * A line is queued by its request's thread.  Having it written costs most, and
 * hardly more for many lines: in a worker, a separate thread sends what was
 * queued within GATHER_MS.  Elsewhere (CGI) the thread that makes a line sends
 * it.  A line waits until the ledger's process says that it is in the file.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "ledger/desk.h"
#include "ledger/draft.h"
#include "ledger/gap.h"
#include "ledger/ledger.h"
#include "ledger/post.h"

#define WARN_EVERY_MS 60000
#define GATHER_MS 5
/* For a reply, which waits for another process's lock, in one try; and between
 * two tries. */
#define REPLY_WAIT_MS 1000
#define RETRY_MS 200

struct ledger {
	const char *path; /* for messages */
	struct ledger_post *post; /* NULL: nothing is written */
	struct ledger_gap *gap;
	struct ledger_own own; /* if we have our own ledger's process */
	struct ledger_gap_way *way; /* what is sent, and what waits */

	pthread_mutex_t mutex; /* of what follows */
	struct ledger_drafts waiting;
	unsigned nwaiting; /* with those that are being brought */
	size_t waiting_bytes;
	bool writing; /* a thread sends some, without the mutex */
	pthread_cond_t written; /* what was waiting */
	_Atomic int64_t oldest_ms; /* when the first of them came; 0: none */
	atomic_bool failing; /* the last try did */

	bool behind; /* there is a thread for it */
	pthread_t writer;
	void (*told)(void *ctx, int delta); /* of how many wait; or NULL */
	void *told_ctx;
	bool asleep, hurry, ending, ended;
	pthread_cond_t wake;

	_Atomic int64_t warned_ms;
	uint64_t lost; /* since this process began */
};

/* ---- what waits -------------------------------------------------------- */

static void
tell(struct ledger *l, int delta)
{
	if (l->told != NULL && delta != 0)
		l->told(l->told_ctx, delta);
}

/* Holding the mutex. */
static void
note_oldest(struct ledger *l)
{
	const struct ledger_draft *first = STAILQ_FIRST(&l->waiting);

	atomic_store_explicit(&l->oldest_ms, first == NULL ? 0 : first->born_ms,
	    memory_order_relaxed);
}

static void
measure(const struct ledger_drafts *lines, unsigned *n, size_t *bytes)
{
	const struct ledger_draft *line;

	*n = 0;
	*bytes = 0;
	STAILQ_FOREACH (line, lines, entry) {
		(*n)++;
		*bytes += line->len;
	}
}

static bool
has_room(const struct ledger *l, const struct ledger_draft *line)
{
	unsigned times = line->external ? LEDGER_WAITING_EXTERNAL : 1;

	return l->nwaiting < times * LEDGER_WAITING_LINES &&
	    l->waiting_bytes < times * LEDGER_WAITING_BYTES;
}

/* Holding the mutex. */
static void
lose(struct ledger *l, struct ledger_draft *line)
{
	ledger_gap_add(l->gap, line->external, line->wall_ms);
	ledger_gap_on_way(l->way, -1, -(int)line->external, line->wall_ms);
	ledger_draft_free(line);
	if (l->lost++ == 0 || log_due(&l->warned_ms, WARN_EVERY_MS))
		log_error("%s can't be written; %" PRIu64
			  " requests are not recorded",
		    l->path, l->lost);
}

/* Holding the mutex: all that waits. */
static void
lose_all(struct ledger *l)
{
	struct ledger_draft *line;

	while ((line = STAILQ_FIRST(&l->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&l->waiting, entry);
		l->nwaiting--;
		l->waiting_bytes -= line->len;
		tell(l, -1);
		lose(l, line);
	}
	note_oldest(l);
}

/* ---- writing ----------------------------------------------------------- */

static void
say_outcome(struct ledger *l, int rc, int why, unsigned left)
{
	bool before = atomic_exchange(&l->failing, rc == -1);

	/* Its process may be stopped, and can't say so itself. */
	if (rc == -1 && why == ETIMEDOUT)
		ledger_gap_failed(l->gap);
	if (rc == -1 && (!before || log_due(&l->warned_ms, WARN_EVERY_MS)))
		log_error("%s: %s; %u requests wait to be recorded", l->path,
		    why == EWOULDBLOCK ? "another process holds its lock"
				       : strerror(why),
		    left);
	else if (rc == 0 && before)
		log_info("%s: can be written again", l->path);
}

/* Holding the mutex, but not while it writes: all that waits now.  What
 * can't be written keeps its place in the queue. */
static int
write_waiting(struct ledger *l, int64_t until_ms)
{
	struct ledger_drafts lines = STAILQ_HEAD_INITIALIZER(lines);
	unsigned had, left;
	size_t had_bytes, left_bytes;
	int rc, why;

	l->writing = true;
	STAILQ_CONCAT(&lines, &l->waiting);
	measure(&lines, &had, &had_bytes);
	pthread_mutex_unlock(&l->mutex);
	errno = 0;
	rc = ledger_post_append(l->post, &lines, until_ms);
	why = errno;
	measure(&lines, &left, &left_bytes);
	say_outcome(l, rc, why, left);
	tell(l, (int)left - (int)had);
	pthread_mutex_lock(&l->mutex);
	STAILQ_CONCAT(&lines, &l->waiting);
	STAILQ_CONCAT(&l->waiting, &lines);
	l->nwaiting -= had - left;
	l->waiting_bytes -= had_bytes - left_bytes;
	l->writing = false;
	note_oldest(l);
	pthread_cond_broadcast(&l->written);
	return rc;
}

/* The thread that makes a line sends it, and those that come meanwhile; what
 * can't be written in time is lost, because nobody would send it later. */
static void
write_now(struct ledger *l)
{
	int64_t until_ms = clock_now_ms() +
	    (ledger_gap_fails(l->gap) ? LEDGER_HURRY_MS : LEDGER_PATIENCE_MS);

	while (l->nwaiting > 0)
		if (write_waiting(l, until_ms) == -1) {
			lose_all(l);
			return;
		}
}

void
ledger_sending(struct ledger *l, struct entry *e, enum place place)
{
	bool out = place == PLACE_EXTERNAL && !e->on_way_external;

	ledger_gap_on_way(l->way, !e->on_way, out, e->wall_ms);
	e->on_way = true;
	e->on_way_external |= out;
}

void
ledger_write(struct ledger *l, const struct entry *e)
{
	struct ledger_draft *line;

	if (l->post == NULL)
		return;
	line = ledger_draft_new(e);
	ledger_gap_on_way(l->way, 1 - e->on_way,
	    line->external - e->on_way_external, line->wall_ms);
	pthread_mutex_lock(&l->mutex);
	if (!has_room(l, line) || l->ended) {
		lose(l, line);
		pthread_mutex_unlock(&l->mutex);
		return;
	}
	STAILQ_INSERT_TAIL(&l->waiting, line, entry);
	if (l->nwaiting++ == 0)
		note_oldest(l);
	l->waiting_bytes += line->len;
	tell(l, 1);
	if (l->asleep) {
		l->asleep = false;
		pthread_cond_signal(&l->wake);
	} else if (!l->behind && !l->writing)
		write_now(l);
	pthread_mutex_unlock(&l->mutex);
}

bool
ledger_keeps(struct ledger *l)
{
	int64_t oldest_ms;

	if (l->post == NULL)
		return true;
	if (ledger_gap_fails(l->gap))
		return false;
	oldest_ms = atomic_load_explicit(&l->oldest_ms, memory_order_relaxed);
	if (oldest_ms != 0 &&
	    clock_now_ms() - oldest_ms >= LEDGER_PATIENCE_MS) {
		ledger_gap_failed(l->gap);
		return false;
	}
	return !atomic_load_explicit(&l->failing, memory_order_relaxed);
}

void
ledger_flush(struct ledger *l, int64_t until_ms)
{
	pthread_mutex_lock(&l->mutex);
	l->hurry = true;
	l->asleep = false;
	pthread_cond_signal(&l->wake);
	while (l->nwaiting > 0 && clock_now_ms() < until_ms)
		cond_wait_until(&l->written, &l->mutex, until_ms);
	pthread_mutex_unlock(&l->mutex);
}

uint64_t
ledger_lost(struct ledger *l)
{
	uint64_t lost;

	pthread_mutex_lock(&l->mutex);
	lost = l->lost;
	pthread_mutex_unlock(&l->mutex);
	return lost;
}

bool
ledger_status(struct ledger *l, struct status_ledger *out)
{
	if (l->post == NULL)
		return false;
	ledger_gap_status(l->gap, out);
	out->writable = ledger_keeps(l);
	return true;
}

/* ---- the writer's thread ---------------------------------------------- */

/* Holding the mutex: until it is time to write again. */
static void
pause_for(struct ledger *l, int64_t ms)
{
	int64_t until_ms = clock_now_ms() + ms;

	while (!l->ending && !l->hurry && clock_now_ms() < until_ms)
		cond_wait_until(&l->wake, &l->mutex, until_ms);
	l->hurry = false;
}

static void
wait_for_lines(struct ledger *l)
{
	l->asleep = l->nwaiting == 0;
	while (l->asleep && !l->ending)
		pthread_cond_wait(&l->wake, &l->mutex);
	l->asleep = false;
}

static void *
writer_main(void *ctx)
{
	struct ledger *l = ctx;
	int64_t pause_ms = GATHER_MS, until_ms;
	int rc = 0;

	pthread_mutex_lock(&l->mutex);
	while (!l->ending) {
		wait_for_lines(l);
		/* Nobody has to wake it while lines keep coming. */
		do {
			pause_for(l, pause_ms);
			rc = write_waiting(l, clock_now_ms() + REPLY_WAIT_MS);
			pause_ms = rc == -1 ? RETRY_MS : GATHER_MS;
		} while (l->nwaiting > 0 && !l->ending);
	}
	until_ms = clock_now_ms() + LEDGER_CLOSE_MS;
	while (l->nwaiting > 0 && rc == 0)
		rc = write_waiting(l, until_ms);
	l->ended = true;
	pthread_cond_broadcast(&l->written);
	pthread_mutex_unlock(&l->mutex);
	return NULL;
}

void
ledger_write_behind(
    struct ledger *l, void (*waiting)(void *ctx, int delta), void *ctx)
{
	if (l->post == NULL)
		return;
	l->told = waiting;
	l->told_ctx = ctx;
	pthread_mutex_lock(&l->mutex);
	l->behind = pthread_create(&l->writer, NULL, writer_main, l) == 0;
	pthread_mutex_unlock(&l->mutex);
	if (!l->behind)
		log_warn("no thread for the ledger: too many, or no memory");
}

/* It waits for nothing without a bound. */
static void
end_writer(struct ledger *l)
{
	if (!l->behind)
		return;
	pthread_mutex_lock(&l->mutex);
	l->ending = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->mutex);
	pthread_join(l->writer, NULL);
}

void
ledger_give_up(struct ledger *l)
{
	if (l->post == NULL)
		return;
	pthread_mutex_lock(&l->mutex);
	lose_all(l);
	/* Those that a hanging thread is sending, and what has not ended. */
	l->lost += ledger_gap_leave(l->gap, l->way, l->writing);
	l->way = NULL;
	pthread_mutex_unlock(&l->mutex);
}

/* ---- opening ---------------------------------------------------------- */

static struct ledger *
new_ledger(const struct config *config)
{
	struct ledger *l = calloc(1, sizeof(*l));

	if (l == NULL || pthread_mutex_init(&l->mutex, NULL) != 0)
		fatal("out of memory");
	cond_init(&l->written);
	cond_init(&l->wake);
	STAILQ_INIT(&l->waiting);
	l->path = config->ledger_file;
	l->own.desk[0] = l->own.desk[1] = -1;
	return l;
}

static struct ledger *
open_post(struct ledger *l, const struct config *config, int desk, char *why,
    size_t size)
{
	l->post = ledger_post_open(desk, why, size);
	if (l->post == NULL) {
		ledger_close(l);
		return NULL;
	}
	l->gap = ledger_gap_open(config->runtime_dir);
	l->way = ledger_gap_enter(l->gap);
	ledger_post_count(l->post, l->way);
	return l;
}

struct ledger *
ledger_open(const struct config *config, char *why, size_t size)
{
	struct ledger *l = new_ledger(config);

	if (!config->ledger)
		return l;
	if (ledger_own_start(&l->own, config) == -1) {
		snprintf(why, size, "ledger's process: %s", strerror(errno));
		ledger_close(l);
		return NULL;
	}
	return open_post(l, config, l->own.desk[LEDGER_DESK_SERVES], why, size);
}

struct ledger *
ledger_join(const struct config *config, int desk, char *why, size_t size)
{
	struct ledger *l = new_ledger(config);

	return config->ledger ? open_post(l, config, desk, why, size) : l;
}

void
ledger_close(struct ledger *l)
{
	if (l == NULL)
		return;
	end_writer(l);
	ledger_give_up(l);
	ledger_post_close(l->post);
	ledger_own_end(&l->own);
	ledger_gap_close(l->gap);
	pthread_cond_destroy(&l->wake);
	pthread_cond_destroy(&l->written);
	pthread_mutex_destroy(&l->mutex);
	free(l);
}

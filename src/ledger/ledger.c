/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The account's writer: the last step of each request, whatever became of it.
 * Hides who writes a line, and when.
 *
 * A line is made by its request's thread and then left to wait.  A write
 * under the lock costs more than all else that a line does, and most of that
 * once for any number of lines: in a worker a thread of its own writes what
 * has come in GATHER_MS.  Elsewhere (CGI) who brings a line writes it, unless
 * another thread is writing anyhow.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "ledger/draft.h"
#include "ledger/file.h"
#include "ledger/ledger.h"

#define WARN_EVERY_MS 60000
#define GATHER_MS 5
/* Lines of one process that wait to be written; with more, who brings one
 * waits. */
#define WAITING_MAX 1024

struct ledger {
	struct ledger_file *file; /* NULL: nothing is written */

	pthread_mutex_t mutex; /* of what follows */
	struct ledger_drafts waiting;
	unsigned nwaiting;
	bool writing; /* a thread does, without the mutex */
	pthread_cond_t written; /* what was waiting */

	bool behind; /* there is a thread for it */
	pthread_t writer;
	void (*told)(void *ctx, int delta); /* of how many wait; or NULL */
	void *told_ctx;
	bool asleep, hurry, ending;
	pthread_cond_t wake;

	int64_t warned_ms;
	uint64_t lost; /* since this process began */
	uint64_t lost_told; /* of them told in a line */
};

/* ---- writing ---------------------------------------------------------- */

/* True: it is time to say so. */
static bool
count_lost(struct ledger *l, size_t n)
{
	int64_t now = clock_now_ms();

	l->lost += n;
	if (l->warned_ms != 0 && now - l->warned_ms < WARN_EVERY_MS)
		return false;
	l->warned_ms = now;
	return true;
}

static void
free_lines(struct ledger_drafts *lines)
{
	struct ledger_draft *line;

	while ((line = STAILQ_FIRST(lines)) != NULL) {
		STAILQ_REMOVE_HEAD(lines, entry);
		ledger_draft_free(line);
	}
}

static void
tell(struct ledger *l, int delta)
{
	if (l->told != NULL)
		l->told(l->told_ctx, delta);
}

/* Holding the mutex, but not while it writes. */
static void
write_lines(struct ledger *l, struct ledger_drafts *lines, size_t n)
{
	uint64_t lost = l->lost, told = l->lost_told;
	size_t written;
	int why;

	pthread_mutex_unlock(&l->mutex);
	errno = 0;
	written = ledger_file_append(l->file, lines, lost - told);
	why = errno;
	free_lines(lines);
	tell(l, -(int)n);
	pthread_mutex_lock(&l->mutex);
	if (written > 0)
		l->lost_told = lost;
	if (written == n || !count_lost(l, n - written))
		return;
	lost = l->lost;
	pthread_mutex_unlock(&l->mutex);
	log_error("%s: %s; %llu requests are not in the ledger",
	    ledger_file_path(l->file), strerror(why), (unsigned long long)lost);
	pthread_mutex_lock(&l->mutex);
}

/* Holding the mutex: all that waits.  What comes meanwhile is left to the
 * writer's thread, where there is one. */
static void
write_waiting(struct ledger *l)
{
	struct ledger_drafts lines;
	size_t n;

	l->writing = true;
	while ((n = l->nwaiting) > 0) {
		STAILQ_INIT(&lines);
		STAILQ_CONCAT(&lines, &l->waiting);
		l->nwaiting = 0;
		pthread_cond_broadcast(&l->written); /* there is room */
		write_lines(l, &lines, n);
		if (l->behind)
			break;
	}
	l->writing = false;
	pthread_cond_broadcast(&l->written);
}

void
ledger_write(struct ledger *l, const struct entry *e)
{
	struct ledger_draft *line;

	if (l->file == NULL)
		return;
	line = ledger_draft_new(e);
	pthread_mutex_lock(&l->mutex);
	while (l->nwaiting >= WAITING_MAX)
		pthread_cond_wait(&l->written, &l->mutex);
	STAILQ_INSERT_TAIL(&l->waiting, line, entry);
	l->nwaiting++;
	tell(l, 1);
	if (l->asleep) {
		l->asleep = false;
		pthread_cond_signal(&l->wake);
	} else if (!l->behind && !l->writing)
		write_waiting(l);
	pthread_mutex_unlock(&l->mutex);
}

void
ledger_flush(struct ledger *l, int64_t until_ms)
{
	pthread_mutex_lock(&l->mutex);
	l->hurry = true;
	l->asleep = false;
	pthread_cond_signal(&l->wake);
	while ((l->nwaiting > 0 || l->writing) && clock_now_ms() < until_ms)
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

/* ---- the writer's thread ---------------------------------------------- */

/* Holding the mutex. */
static void
gather(struct ledger *l)
{
	int64_t until_ms = clock_now_ms() + GATHER_MS;

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
	bool any;

	pthread_mutex_lock(&l->mutex);
	while (!l->ending) {
		wait_for_lines(l);
		/* Nobody has to wake it while lines keep coming. */
		do {
			gather(l);
			any = l->nwaiting > 0;
			write_waiting(l);
		} while (any && !l->ending);
	}
	pthread_mutex_unlock(&l->mutex);
	return NULL;
}

void
ledger_write_behind(
    struct ledger *l, void (*waiting)(void *ctx, int delta), void *ctx)
{
	int rc;

	if (l->file == NULL)
		return;
	l->told = waiting;
	l->told_ctx = ctx;
	pthread_mutex_lock(&l->mutex);
	rc = pthread_create(&l->writer, NULL, writer_main, l);
	l->behind = rc == 0;
	pthread_mutex_unlock(&l->mutex);
	if (rc != 0)
		log_warn("no thread for the ledger: %s", strerror(rc));
}

static void
end_writer(struct ledger *l)
{
	pthread_mutex_lock(&l->mutex);
	l->ending = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->mutex);
	if (l->behind)
		pthread_join(l->writer, NULL);
}

/* ---- opening ---------------------------------------------------------- */

struct ledger *
ledger_open(const struct config *config, char *why, size_t size)
{
	struct ledger *l = calloc(1, sizeof(*l));

	if (l == NULL || pthread_mutex_init(&l->mutex, NULL) != 0)
		fatal("out of memory");
	cond_init(&l->written);
	cond_init(&l->wake);
	STAILQ_INIT(&l->waiting);
	if (!config->ledger)
		return l;
	l->file = ledger_file_open(
	    config->ledger_file, config->runtime_dir, why, size);
	if (l->file != NULL)
		return l;
	ledger_close(l);
	return NULL;
}

void
ledger_close(struct ledger *l)
{
	if (l == NULL)
		return;
	end_writer(l);
	pthread_mutex_lock(&l->mutex);
	write_waiting(l);
	pthread_mutex_unlock(&l->mutex);
	ledger_file_close(l->file);
	pthread_cond_destroy(&l->wake);
	pthread_cond_destroy(&l->written);
	pthread_mutex_destroy(&l->mutex);
	free(l);
}

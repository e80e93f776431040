/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The directories and mapped files of all limits, made and checked before the
 * first request: a pool that cannot keep its limits does not start.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "state/mapfile.h"
#include "state/slots_internal.h"

_Static_assert(CONFIG_RUNTIME_DIR_MAX + sizeof("/slots/") + CONFIG_NAME_MAX <
	SLOTS_PATH_SIZE,
    "a runtime_dir that was proved has room for every limit");

#define QUEUE_MAGIC 0x7461696c534c5133 /* "tailSLQ3" */

static int
check_limit(const struct limit *limit, char *why, size_t size)
{
	if (limit->name[0] == '.' || strchr(limit->name, '/') != NULL)
		snprintf(why, size, "limit %s: cannot be a directory's name",
		    limit->name);
	else if (limit->slots < 1 || limit->slots > SLOTS_MAX)
		snprintf(why, size, "limit %s: slots must be 1..%d",
		    limit->name, SLOTS_MAX);
	else if (limit->queue > SLOTS_QUEUE_MAX)
		snprintf(why, size, "limit %s: queue must be 0..%d",
		    limit->name, SLOTS_QUEUE_MAX);
	else
		return 0;
	return -1;
}

static void
limit_init(struct slots_limit *l, const struct limit *limit)
{
	unsigned i;

	l->limit = limit;
	l->dir_fd = -1;
	pthread_mutex_init(&l->mutex, NULL);
	for (i = 0; i < SLOTS_MAX; i++)
		l->files[i].fd = -1;
}

static void
limit_free(struct slots_limit *l)
{
	unsigned i;

	for (i = 0; i < SLOTS_MAX; i++)
		if (l->files[i].fd != -1)
			close(l->files[i].fd);
	if (l->dir_fd != -1)
		close(l->dir_fd);
	mapfile_close(l->shared, sizeof(*l->shared));
	pthread_mutex_destroy(&l->mutex);
}

static int
limit_open(struct slots_limit *l, const char *dir, char *why, size_t size)
{
	int n;

	if (check_limit(l->limit, why, size) == -1)
		return -1;
	n = snprintf(l->dir, sizeof(l->dir), "%s/%s", dir, l->limit->name);
	if (n < 0 || (size_t)n >= sizeof(l->dir)) {
		snprintf(why, size, "%s: %s", dir, strerror(ENAMETOOLONG));
		return -1;
	}
	l->dir_fd = mapfile_open_dir(dir, l->limit->name, why, size);
	if (l->dir_fd == -1 && !(mapfile_only_looks() && errno == ENOENT))
		return -1;
	l->shared = mapfile_open(
	    l->dir, "queue", MAPFILE_MAGIC(QUEUE_MAGIC), sizeof(*l->shared));
	if (l->shared == NULL) {
		snprintf(
		    why, size, "%s/queue: %s", l->dir, mapfile_error(errno));
		return -1;
	}
	return 0;
}

/* runtime_dir/slots, checked: its parent's owner counts as much as its own. */
static int
open_parent(
    const char *runtime_dir, char *dir, size_t dir_size, char *why, size_t size)
{
	int fd;

	if (mapfile_check_dir(runtime_dir, why, size) == -1)
		return -1;
	fd = mapfile_open_dir(runtime_dir, "slots", why, size);
	if (fd != -1)
		close(fd);
	else if (!(mapfile_only_looks() && errno == ENOENT))
		return -1;
	if ((size_t)snprintf(dir, dir_size, "%s/slots", runtime_dir) >=
	    dir_size) {
		snprintf(
		    why, size, "%s: %s", runtime_dir, strerror(ENAMETOOLONG));
		return -1;
	}
	return mapfile_check_dir(dir, why, size);
}

struct slots *
slots_open(const struct config *config, char *why, size_t size)
{
	char dir[SLOTS_PATH_SIZE];
	struct slots *s;
	size_t i;

	if (open_parent(config->runtime_dir, dir, sizeof(dir), why, size) == -1)
		return NULL;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		fatal("out of memory");
	s->runtime_dir = config->runtime_dir;
	s->nlimits = config->nlimits;
	s->limits = calloc(s->nlimits + 1, sizeof(*s->limits));
	if (s->limits == NULL)
		fatal("out of memory");
	for (i = 0; i < s->nlimits; i++)
		limit_init(&s->limits[i], &config->limits[i]);
	for (i = 0; i < s->nlimits; i++)
		if (limit_open(&s->limits[i], dir, why, size) == -1) {
			slots_close(s);
			return NULL;
		}
	return s;
}

void
slots_close(struct slots *s)
{
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->nlimits; i++)
		limit_free(&s->limits[i]);
	free(s->limits);
	free(s);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Which processes share runtime_dir, and which of them are alive: a row of a
 * mapped table for each, and a lock that only the kernel can take away.  It
 * hides how a row is found and claimed, and how its owner is known to be dead;
 * slots, health and budgets of every request build on it.
 */
#include "config.h"

#include <sys/file.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "state/mapfile.h"
#include "state/process.h"

/* Never another one: versions that share runtime_dir during an upgrade know
 * each other's processes by this table. */
#define TABLE_MAGIC 0x7461696c50524f31 /* "tailPRO1" */
#define INDEX_BITS 10
#define COUNT_BITS (PROCESS_ID_BITS - INDEX_BITS)
#define NAME_SIZE 16

_Static_assert(PROCESS_MAX <= 1 << INDEX_BITS, "an index fits into an id");

/* pid is 0 if the last owner ended orderly, as a hint for claiming. */
struct row {
	_Atomic uint64_t count;
	_Atomic int pid;
};

struct table {
	struct row rows[PROCESS_MAX];
};

static struct {
	pthread_mutex_t mutex;
	int dir_fd;
	struct table *table;
	char dir[1024];
	int lock_fd;
	int index;
	bool atfork;
	_Atomic uint64_t id;
} self = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
	.dir_fd = -1,
	.lock_fd = -1,
	.index = -1,
};

static uint64_t
make_id(unsigned index, uint64_t count)
{
	count &= (UINT64_C(1) << COUNT_BITS) - 1;
	return count << INDEX_BITS | index;
}

unsigned
process_id_index(uint64_t id)
{
	return (unsigned)(id & ((1 << INDEX_BITS) - 1));
}

static int
open_lock(unsigned index)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "%u", index);
	return mapfile_open_lock(self.dir_fd, name);
}

/* Takes the row if its owner is not alive; counts up, so that the ids of its
 * dead owners are known to be dead. */
static bool
claim(unsigned index)
{
	struct row *row = &self.table->rows[index];
	uint64_t count;
	int fd;

	if ((fd = open_lock(index)) == -1)
		return false;
	if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		close(fd);
		return false;
	}
	/* 0 in the count's bits would make id 0 of row 0. */
	do
		count = atomic_fetch_add(&row->count, 1) + 1;
	while ((count & ((UINT64_C(1) << COUNT_BITS) - 1)) == 0);
	atomic_store(&row->pid, (int)getpid());
	self.lock_fd = fd;
	self.index = (int)index;
	atomic_store(&self.id, make_id(index, count));
	return true;
}

/* Rows whose owner ended orderly come first: they need no check. */
static bool
claim_any(void)
{
	unsigned i;

	for (i = 0; i < PROCESS_MAX; i++)
		if (atomic_load(&self.table->rows[i].pid) == 0 && claim(i))
			return true;
	for (i = 0; i < PROCESS_MAX; i++)
		if (atomic_load(&self.table->rows[i].pid) != 0 && claim(i))
			return true;
	return false;
}

static void
forget_claim(void)
{
	if (self.lock_fd != -1)
		close(self.lock_fd);
	self.lock_fd = -1;
	self.index = -1;
	atomic_store(&self.id, 0);
}

static void
forget_dir(void)
{
	if (self.dir_fd != -1)
		close(self.dir_fd);
	mapfile_close(self.table, sizeof(*self.table));
	self.dir_fd = -1;
	self.table = NULL;
}

/* A child has no identity yet: its copy of the lock would keep its parent's
 * row alive after the parent, and with its parent's id it would act in the
 * parent's name. */
static void
forked(void)
{
	pthread_mutex_init(&self.mutex, NULL);
	forget_claim();
}

static int
look(const char *dir, char *why, size_t size)
{
	char path[sizeof(self.dir) + 16];

	if (self.table != NULL && strcmp(dir, self.dir) == 0)
		return 0;
	if (strlen(dir) >= sizeof(self.dir)) {
		snprintf(why, size, "%s: %s", dir, strerror(ENAMETOOLONG));
		return -1;
	}
	forget_claim();
	forget_dir();
	self.dir_fd = mapfile_open_dir(dir, "processes", why, size);
	if (self.dir_fd == -1 && !(mapfile_only_looks() && errno == ENOENT))
		return -1;
	snprintf(path, sizeof(path), "%s/processes", dir);
	self.table =
	    mapfile_open(path, "table", TABLE_MAGIC, sizeof(*self.table));
	if (self.table == NULL) {
		snprintf(why, size, "%s/table: %s", path, mapfile_error(errno));
		forget_dir();
		return -1;
	}
	snprintf(self.dir, sizeof(self.dir), "%s", dir);
	return 0;
}

int
process_look(const char *dir, char *why, size_t size)
{
	int rv;

	pthread_mutex_lock(&self.mutex);
	rv = look(dir, why, size);
	pthread_mutex_unlock(&self.mutex);
	return rv;
}

int
process_open(const char *dir, char *why, size_t size)
{
	int index = -1;

	pthread_mutex_lock(&self.mutex);
	if (look(dir, why, size) == 0) {
		if (!self.atfork)
			self.atfork = pthread_atfork(NULL, NULL, forked) == 0;
		if (self.index != -1 || claim_any())
			index = self.index;
		else
			snprintf(why, size,
			    "%s/processes: all %d places are "
			    "taken by live processes, or no lock can be made",
			    dir, PROCESS_MAX);
	}
	pthread_mutex_unlock(&self.mutex);
	return index;
}

void
process_close(void)
{
	pthread_mutex_lock(&self.mutex);
	if (self.index != -1)
		atomic_store(&self.table->rows[self.index].pid, 0);
	forget_claim();
	forget_dir();
	pthread_mutex_unlock(&self.mutex);
}

uint64_t
process_id(void)
{
	return atomic_load_explicit(&self.id, memory_order_relaxed);
}

int
process_index(void)
{
	uint64_t id = process_id();

	return id == 0 ? -1 : (int)process_id_index(id);
}

int
process_id_pid(uint64_t id)
{
	unsigned index = process_id_index(id);
	struct row *row;

	if (id == 0 || index >= PROCESS_MAX || self.table == NULL)
		return 0;
	row = &self.table->rows[index];
	if (make_id(index, atomic_load(&row->count)) != id)
		return 0;
	return atomic_load(&row->pid);
}

/* A shared lock, so that two processes that check at once don't take each
 * other for an owner.  A process that cannot be checked counts as alive. */
static bool
alive_index(unsigned index)
{
	bool alive;
	int fd;

	if (index >= PROCESS_MAX)
		return false;
	if ((int)index == process_index() || self.table == NULL)
		return true;
	if (atomic_load(&self.table->rows[index].count) == 0)
		return false;
	if ((fd = open_lock(index)) == -1)
		return true;
	alive = flock(fd, LOCK_SH | LOCK_NB) == -1;
	close(fd);
	return alive;
}

bool
process_alive(uint64_t id)
{
	unsigned index = process_id_index(id);
	struct row *row;

	if (id == 0 || index >= PROCESS_MAX)
		return false;
	if (id == process_id() || self.table == NULL)
		return true;
	row = &self.table->rows[index];
	return make_id(index, atomic_load(&row->count)) == id &&
	    alive_index(index);
}

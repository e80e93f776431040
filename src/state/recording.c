/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how processes agree on a recording: while the version is odd, its words
 * are being written; while it is even, they are valid.  The counters are
 * atomic.  A process that begins a recording or removes files locks their
 * directory.
 */
#include "config.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "state/mapfile.h"
#include "state/recording.h"

#define RECORDING_NAME "recording"
#define RECORDING_MAGIC UINT64_C(0x7467726563300001) /* "tgrec0", version 1 */
#define WORDS ((CONFIG_NAME_MAX + 8) / 8)
#define AGAIN_MS 60000 /* files that could not be removed are tried again */

struct recording_file {
	_Atomic uint64_t version; /* odd while it is being written */
	_Atomic uint64_t client[WORDS]; /* its name */
	_Atomic int64_t until_ms; /* wall clock; 0: none is on */
	_Atomic int64_t removed_ms; /* 0: there are no files */
	_Atomic uint32_t most, taken;
	_Atomic uint64_t bytes;
};

struct recording {
	struct recording_file *file;
	char dir[CONFIG_RUNTIME_DIR_MAX + sizeof(RECORDING_DIR) + 2];
};

struct recording *
recording_open(const struct config *config, char *why, size_t size)
{
	struct recording *r = memory_zero(sizeof(*r));
	int fd = -1;

	snprintf(r->dir, sizeof(r->dir), "%s/%s", config->runtime_dir,
	    RECORDING_DIR);
	r->file = mapfile_open(config->runtime_dir, RECORDING_NAME,
	    MAPFILE_MAGIC(RECORDING_MAGIC), sizeof(*r->file));
	if (r->file == NULL) {
		snprintf(why, size, "%s/%s: %s", config->runtime_dir,
		    RECORDING_NAME, mapfile_error(errno));
	} else if (!mapfile_only_looks()) {
		fd = mapfile_open_dir(
		    config->runtime_dir, RECORDING_DIR, why, size);
		if (fd != -1)
			close(fd);
	}
	if (r->file != NULL && (fd != -1 || mapfile_only_looks()))
		return r;
	recording_close(r);
	return NULL;
}

void
recording_close(struct recording *r)
{
	if (r == NULL)
		return;
	if (r->file != NULL)
		mapfile_close(r->file, sizeof(*r->file));
	free(r);
}

const char *
recording_dir(const struct recording *r)
{
	return r->dir;
}

/* ---- its words ---------------------------------------------------------- */

static void
read_client(struct recording_file *f, char client[CONFIG_NAME_MAX + 1])
{
	uint64_t words[WORDS], before;

	for (int tries = 0; tries < 1000; tries++) {
		before = atomic_load(&f->version);
		for (size_t i = 0; i < WORDS; i++)
			words[i] = atomic_load(&f->client[i]);
		if (before % 2 == 0 && atomic_load(&f->version) == before) {
			memcpy(client, words, CONFIG_NAME_MAX);
			client[CONFIG_NAME_MAX] = '\0';
			return;
		}
	}
	*client = '\0'; /* its writer has stopped in the middle */
}

static bool
is_on(struct recording_file *f, int64_t now_ms)
{
	int64_t until_ms = atomic_load(&f->until_ms);

	return until_ms != 0 && now_ms < until_ms &&
	    atomic_load(&f->taken) < atomic_load(&f->most);
}

void
recording_facts(struct recording *r, struct recording_facts *facts)
{
	struct recording_file *f = r->file;
	uint32_t most = atomic_load(&f->most), taken = atomic_load(&f->taken);

	memset(facts, 0, sizeof(*facts));
	facts->number = atomic_load(&f->version); /* before all others */
	facts->removed_wall_ms = atomic_load(&f->removed_ms);
	if (facts->removed_wall_ms == 0)
		return;
	facts->on = is_on(f, clock_wall_ms());
	facts->until_wall_ms = atomic_load(&f->until_ms);
	facts->most = most;
	facts->taken = taken < most ? taken : most;
	facts->bytes = atomic_load(&f->bytes);
	read_client(f, facts->client);
}

/* Under the lock. */
static void
begin(
    struct recording_file *f, const char *client, int64_t for_ms, unsigned most)
{
	uint64_t words[WORDS] = { 0 };
	int64_t now_ms = clock_wall_ms();

	atomic_store(&f->until_ms, 0);
	memcpy(words, client, strlen(client));
	atomic_store(&f->version, atomic_load(&f->version) | 1);
	for (size_t i = 0; i < WORDS; i++)
		atomic_store(&f->client[i], words[i]);
	atomic_store(&f->most, most);
	atomic_store(&f->taken, 0);
	atomic_store(&f->bytes, 0);
	atomic_fetch_add(&f->version, 1);
	atomic_store(&f->removed_ms, now_ms + for_ms + RECORDING_KEPT_MS);
	atomic_store(&f->until_ms, now_ms + for_ms);
}

bool
recording_stop(struct recording *r)
{
	bool on = is_on(r->file, clock_wall_ms());

	atomic_store(&r->file->until_ms, 0);
	return on;
}

bool
recording_is_of(
    struct recording *r, const char *client, struct recording_facts *facts)
{
	/* Nearly always there is no recording and no file. */
	if (atomic_load_explicit(&r->file->removed_ms, memory_order_relaxed) ==
	    0)
		return false;
	recording_facts(r, facts);
	return facts->on && strcmp(facts->client, client) == 0;
}

bool
recording_is_kept(struct recording *r, uint64_t number)
{
	return atomic_load(&r->file->version) == number;
}

bool
recording_claim(struct recording *r)
{
	return atomic_fetch_add(&r->file->taken, 1) <
	    atomic_load(&r->file->most);
}

bool
recording_charge(struct recording *r, uint64_t bytes)
{
	struct recording_file *f = r->file;

	if (atomic_fetch_add(&f->bytes, bytes) + bytes <= RECORDING_BYTES)
		return true;
	atomic_fetch_sub(&f->bytes, bytes);
	recording_stop(r);
	return false;
}

/* ---- its files ---------------------------------------------------------- */

/* Opens the files' directory and locks it until it is closed.  NULL with
 * errno. */
static DIR *
lock_dir(const struct recording *r, int how)
{
	int fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rv = fd, saved;
	DIR *dir;

	while (fd != -1 && (rv = flock(fd, how)) == -1 && errno == EINTR)
		continue;
	if (rv != -1 && (dir = fdopendir(fd)) != NULL)
		return dir;
	saved = errno;
	if (fd != -1)
		close(fd);
	errno = saved;
	return NULL;
}

/* Returns the next name.  NULL: there is none, or errno is not 0. */
static const char *
next_file(DIR *dir)
{
	struct dirent *e;

	do {
		errno = 0;
		e = readdir(dir);
	} while (e != NULL && e->d_name[0] == '.');
	return e == NULL ? NULL : e->d_name;
}

int
recording_start(struct recording *r, const char *client, int64_t for_ms,
    unsigned most, char *why, size_t size)
{
	DIR *dir = lock_dir(r, LOCK_EX);
	struct recording_facts facts;
	int rv = -1;

	recording_facts(r, &facts);
	if (dir == NULL)
		snprintf(why, size, "%s: %s", r->dir, strerror(errno));
	else if (facts.on)
		snprintf(why, size,
		    "client %s is being recorded; end that first (tailgate "
		    "capture --stop)",
		    facts.client);
	else if (next_file(dir) != NULL)
		snprintf(why, size,
		    "the files of an earlier recording are in %s; copy those "
		    "that you need, then remove them (tailgate capture "
		    "--remove)",
		    r->dir);
	else if (errno != 0)
		snprintf(why, size, "%s: %s", r->dir, strerror(errno));
	else {
		begin(r->file, client, for_ms, most);
		rv = 0;
	}
	if (dir != NULL)
		closedir(dir);
	return rv;
}

/* Returns how many could not be removed; why gets the first of them and the
 * reason. */
static unsigned
unlink_files(DIR *dir, char *why, size_t size)
{
	unsigned failed = 0;
	const char *name;

	while ((name = next_file(dir)) != NULL)
		if (unlinkat(dirfd(dir), name, 0) == -1 && failed++ == 0)
			snprintf(why, size, "%s: %s", name, strerror(errno));
	if (errno != 0 && failed++ == 0)
		snprintf(why, size, "%s", strerror(errno));
	return failed;
}

/* Closes dir, which is from lock_dir().  -1: some stay, and a warning says
 * so. */
static int
remove_files(struct recording *r, DIR *dir)
{
	struct recording_file *f = r->file;
	char why[NAME_MAX + 64];
	unsigned failed;

	atomic_store(&f->until_ms, 0);
	/* If this process ends too early, another one goes on then. */
	atomic_store(&f->removed_ms, clock_wall_ms() + AGAIN_MS);
	/* Before the files are looked for: see recording_is_kept(). */
	atomic_fetch_add(&f->version, 2);
	failed = unlink_files(dir, why, sizeof(why));
	if (failed == 0)
		atomic_store(&f->removed_ms, 0);
	closedir(dir);
	if (failed == 0)
		return 0;
	log_warn("%u files of a recording can't be removed from %s (%s); they "
		 "are tried again in a minute",
	    failed, r->dir, why);
	return -1;
}

/* The directory can't be locked; errno says why.  was is the earlier
 * removed_ms: if another process has begun a recording since, that one's time
 * is kept. */
static void
put_off(struct recording *r, int64_t was)
{
	log_warn("the files of a recording can't be removed: %s: %s; it is "
		 "tried again in a minute",
	    r->dir, strerror(errno));
	atomic_compare_exchange_strong(
	    &r->file->removed_ms, &was, clock_wall_ms() + AGAIN_MS);
}

int
recording_remove(struct recording *r)
{
	int64_t was = atomic_load(&r->file->removed_ms);
	DIR *dir;

	recording_stop(r);
	if ((dir = lock_dir(r, LOCK_EX)) != NULL)
		return remove_files(r, dir);
	put_off(r, was);
	return -1;
}

bool
recording_is_due(struct recording *r)
{
	int64_t due_ms =
	    atomic_load_explicit(&r->file->removed_ms, memory_order_relaxed);

	return due_ms != 0 && clock_wall_ms() >= due_ms;
}

/* A row that was made anew does not know of files that may be there. */
static bool
is_due_or_unknown(struct recording *r)
{
	return recording_is_due(r) || atomic_load(&r->file->removed_ms) == 0;
}

/* If another process has the lock, it removes the files itself. */
static void
remove_if(struct recording *r, bool (*needed)(struct recording *))
{
	int64_t was = atomic_load(&r->file->removed_ms);
	DIR *dir;

	if (!needed(r))
		return;
	dir = lock_dir(r, LOCK_EX | LOCK_NB);
	if (dir == NULL && errno != EWOULDBLOCK)
		put_off(r, was);
	else if (dir != NULL && needed(r))
		remove_files(r, dir);
	else if (dir != NULL)
		closedir(dir);
}

void
recording_expire(struct recording *r)
{
	remove_if(r, recording_is_due);
}

void
recording_tidy(struct recording *r)
{
	remove_if(r, is_due_or_unknown);
}

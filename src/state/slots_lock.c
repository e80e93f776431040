/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The slots themselves: one file each; the holder of its flock has it.  It
 * hides that a process opens each file once: threads exclude each other by a
 * flag under a mutex, processes by the lock, which the kernel frees when the
 * process ends.
 */
#include "config.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "state/mapfile.h"
#include "state/slots_internal.h"

static int
open_file(struct slots_limit *l, unsigned slot)
{
	struct slots_file *f = &l->files[slot];
	struct stat st;
	char name[32];

	if (f->fd != -1)
		return 0;
	snprintf(name, sizeof(name), "slot.%u", slot);
	if ((f->fd = mapfile_open_lock(l->dir_fd, name)) == -1)
		return -1;
	if (fstat(f->fd, &st) == -1)
		return -1;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	return 0;
}

/* The directory or the file may have been removed: a lock on a file that
 * others no longer find excludes nobody. */
static int
still_there(struct slots_limit *l, unsigned slot)
{
	struct slots_file *f = &l->files[slot];
	char path[SLOTS_PATH_SIZE + 32];
	struct stat st;

	snprintf(path, sizeof(path), "%s/slot.%u", l->dir, slot);
	if (fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	if (st.st_ino == f->ino && st.st_dev == f->dev)
		return 0;
	errno = ESTALE;
	return -1;
}

/* Under the mutex. */
static enum slots_lock
lock_file(struct slots_limit *l, unsigned slot)
{
	struct slots_file *f = &l->files[slot];
	int saved;

	if (f->held)
		return SLOTS_LOCK_BUSY;
	if (open_file(l, slot) == -1)
		return SLOTS_LOCK_FAILED;
	if (flock(f->fd, LOCK_EX | LOCK_NB) == -1)
		return errno == EWOULDBLOCK || errno == EINTR
		    ? SLOTS_LOCK_BUSY
		    : SLOTS_LOCK_FAILED;
	if (still_there(l, slot) == -1) {
		saved = errno;
		flock(f->fd, LOCK_UN);
		errno = saved;
		return SLOTS_LOCK_FAILED;
	}
	f->held = true;
	return SLOTS_LOCK_TAKEN;
}

/* Slots without a holder's name come first: they are free, except for a
 * short race.  The others are tried too, because a killed holder's name
 * remains. */
static enum slots_lock
lock_any(struct slots_limit *l, unsigned from, unsigned *slot)
{
	enum slots_lock got;
	unsigned s, pass;

	for (pass = 0; pass < 2; pass++)
		for (s = from; s < l->limit->slots; s++) {
			if ((atomic_load(&l->shared->holder[s]) != 0) !=
			    (pass == 1))
				continue;
			if ((got = lock_file(l, s)) != SLOTS_LOCK_BUSY) {
				*slot = s;
				return got;
			}
		}
	return SLOTS_LOCK_BUSY;
}

static void
unlock(struct slots_limit *l, unsigned slot)
{
	pthread_mutex_lock(&l->mutex);
	atomic_store(&l->shared->holder[slot], 0);
	flock(l->files[slot].fd, LOCK_UN);
	l->files[slot].held = false;
	pthread_mutex_unlock(&l->mutex);
	slots_meet(l->shared);
}

enum slots_lock
slots_lock_try(struct slots_limit *l, unsigned from, unsigned client,
    const struct slots_who_text *who, unsigned *slot)
{
	struct slots_shared *sh = l->shared;
	unsigned cap = l->limit->per_client;
	enum slots_lock got;
	int saved = 0;

	if (cap != 0 && slots_queue_held(sh, client) >= cap)
		return SLOTS_LOCK_BUSY;
	pthread_mutex_lock(&l->mutex);
	if ((got = lock_any(l, from, slot)) == SLOTS_LOCK_TAKEN) {
		slots_who_store(&sh->holders[*slot], who);
		atomic_store(&sh->holder[*slot],
		    (uint64_t)client << PROCESS_ID_BITS | process_id());
		/* A process that recreates the directory first looks for
		 * names in the old one: either it sees ours, or we see that
		 * the directory was replaced. */
		if (still_there(l, *slot) == -1) {
			saved = errno;
			got = SLOTS_LOCK_FAILED;
		}
	}
	pthread_mutex_unlock(&l->mutex);
	if (saved != 0) {
		unlock(l, *slot);
		errno = saved;
	}
	/* Two requests of one client may have counted before either's name
	 * was written; now each sees both, and the cap is kept. */
	if (got == SLOTS_LOCK_TAKEN && cap != 0 &&
	    slots_queue_held(sh, client) > cap) {
		slots_lock_release(l, *slot);
		return SLOTS_LOCK_BUSY;
	}
	return got;
}

void
slots_lock_release(struct slots_limit *l, unsigned slot)
{
	unlock(l, slot);
	slots_wake_next(l);
}

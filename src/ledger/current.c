/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides that the file may be rotated at any time, and how long we wait for a
 * lock.
 *
 * The lock is a flock on a file of its own, since the ledger itself may be
 * renamed at any time.  A process that may open a file may lock it, to read as
 * well; so nobody may read this one, and the cage lets only the ledger's
 * process write there.  Still, nobody waits for it without end: another such
 * process may have been stopped while holding it.
 */
#include "config.h"

#include <sys/file.h>
#include <sys/stat.h>
#ifdef HAVE_STATX
#include <sys/sysmacros.h>
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ledger/current.h"

#define LOOK_EVERY_MS 1000
#define LOCK_MODE 0200
/* Between two tries to get the lock: doubled from the one to the other. */
#define LOCK_PAUSE_MIN_US 20
#define LOCK_PAUSE_MAX_US 5000

/* ---- the files ------------------------------------------------------- */

int
ledger_current_open_plain(const char *path, int flags, unsigned mode)
{
	struct stat st;
	int fd;

	fd = open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* The directory, for looking the file up in it alone. */
static int
open_dir(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == NULL ? strdup(".")
				  : strndup(path, (size_t)(slash - path) + 1);
	int flags = O_DIRECTORY | O_CLOEXEC, fd;

	if (dir == NULL)
		return -1;
#ifdef O_PATH
	flags |= O_PATH;
#endif
	fd = open(dir, O_RDONLY | flags);
	free(dir);
	return fd;
}

/* Gives what root made to the service whose directory it is in; otherwise the
 * service could not start after root had started it once. */
static void
adopt(const struct ledger_current *c, int fd)
{
	struct stat st, dir;
	int dir_fd;

	if (fstat(fd, &st) == -1 || st.st_uid != 0 || st.st_nlink != 1 ||
	    (dir_fd = open_dir(c->path)) == -1)
		return;
	if (fstat(dir_fd, &dir) == 0 && dir.st_uid != 0 &&
	    fchown(fd, dir.st_uid, dir.st_gid) == -1 && errno != EPERM)
		log_warn("%s: its owner: %s", c->path, strerror(errno));
	close(dir_fd);
}

/* Opens the file that is at the path now. */
static int
open_ledger(struct ledger_current *c, struct stat *st)
{
	int fd = ledger_current_open_plain(
	    c->path, O_RDWR | O_APPEND | O_CREAT, 0640);

	if (fd == -1)
		return -1;
	if (fstat(fd, st) == -1) {
		close(fd);
		return -1;
	}
	adopt(c, fd);
	c->fd = fd;
	c->dev = st->st_dev;
	c->ino = st->st_ino;
	return 0;
}

/* The lock and, beside it, the record of the end, which readers may read. */
static int
open_lock(struct ledger_current *c)
{
	struct stat st;
	int fd = ledger_current_open_plain(
	    c->lock_path, O_WRONLY | O_CREAT, LOCK_MODE);

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1) {
		close(fd);
		return -1;
	}
	/* A copy of a lock file that others may read. */
	if ((st.st_mode & 0777) != LOCK_MODE && fchmod(fd, LOCK_MODE) == -1)
		log_warn("%s: %s", c->lock_path, strerror(errno));
	adopt(c, fd);
	close_fd(&c->lock_fd);
	close_fd(&c->tail_fd);
	c->lock_fd = fd;
	c->lock_dev = st.st_dev;
	c->lock_ino = st.st_ino;
	c->tail_fd =
	    ledger_current_open_plain(c->tail_path, O_RDWR | O_CREAT, 0640);
	if (c->tail_fd == -1)
		log_warn("%s: %s", c->tail_path, strerror(errno));
	else
		adopt(c, c->tail_fd);
	return 0;
}

/* Which file it is, and its size.  Asking for the time of the last change,
 * as fstatat(2) does, makes the next write set a new one: that costs as much
 * again (Linux 6.13 and later). */
static int
look_at(int dir_fd, const char *name, struct stat *st)
{
#ifdef HAVE_STATX
	struct statx x;

	if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_SIZE,
		&x) == -1)
		return -1;
	st->st_dev = makedev(x.stx_dev_major, x.stx_dev_minor);
	st->st_ino = x.stx_ino;
	st->st_size = (off_t)x.stx_size;
	return 0;
#else
	return fstatat(dir_fd, name, st, AT_SYMLINK_NOFOLLOW);
#endif
}

/* What is at the path now?  We check only once a second that its directory
 * is still the same: resolving the whole path costs as much as the write. */
static int
look(struct ledger_current *c, struct stat *st)
{
	const char *slash = strrchr(c->path, '/');
	int64_t now_ms = clock_now_ms();

	if (now_ms - c->looked_ms >= LOOK_EVERY_MS) {
		if (c->dir_fd != -1)
			close(c->dir_fd);
		c->dir_fd = open_dir(c->path);
		c->looked_ms = now_ms;
	}
	if (c->dir_fd == -1)
		return look_at(AT_FDCWD, c->path, st);
	return look_at(c->dir_fd, slash == NULL ? c->path : slash + 1, st);
}

/* Under the lock: the file may have been rotated since we wrote last. */
static int
open_current(struct ledger_current *c, int *old_fd, struct stat *st)
{
	*old_fd = -1;
	if (c->fd != -1 && look(c, st) == 0 && st->st_ino == c->ino &&
	    st->st_dev == c->dev)
		return 0;
	*old_fd = c->fd;
	if (open_ledger(c, st) == 0)
		return 0;
	*old_fd = -1;
	return -1;
}

/* ---- the lock --------------------------------------------------------- */

static int
try_lock(const struct ledger_current *c, int64_t until_ms)
{
	long pause_us = LOCK_PAUSE_MIN_US;

	while (flock(c->lock_fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK || clock_now_ms() >= until_ms)
			return -1;
		nanosleep(&(struct timespec){ 0, pause_us * 1000 }, NULL);
		if (pause_us < LOCK_PAUSE_MAX_US)
			pause_us *= 2;
	}
	return 0;
}

/* Is our locked file the one that all others would lock? */
static bool
lock_stands(const struct ledger_current *c)
{
	struct stat st;

	return lstat(c->lock_path, &st) == 0 && st.st_ino == c->lock_ino &&
	    st.st_dev == c->lock_dev;
}

int
ledger_current_lock(
    struct ledger_current *c, int64_t until_ms, int *old_fd, struct stat *st)
{
	int saved;

	*old_fd = -1;
	for (;;) {
		if (c->lock_fd != -1 && try_lock(c, until_ms) == -1)
			return -1;
		if (c->lock_fd != -1 && lock_stands(c))
			break;
		/* Removed or replaced, perhaps with the directory. */
		c->looked_ms = INT64_MIN / 2;
		if (open_lock(c) == -1) {
			saved = errno;
			close_fd(&c->lock_fd);
			errno = saved;
			return -1;
		}
	}
	if (open_current(c, old_fd, st) == 0)
		return 0;
	saved = errno;
	flock(c->lock_fd, LOCK_UN);
	errno = saved;
	return -1;
}

void
ledger_current_unlock(struct ledger_current *c)
{
	flock(c->lock_fd, LOCK_UN);
}

/* ---- opening ---------------------------------------------------------- */

void
ledger_current_init(struct ledger_current *c, const char *path)
{
	memset(c, 0, sizeof(*c));
	c->path = strdup(path);
	if (c->path == NULL || asprintf(&c->lock_path, "%s.lock", path) == -1 ||
	    asprintf(&c->tail_path, "%s.tail", path) == -1)
		fatal("out of memory");
	c->fd = c->lock_fd = c->tail_fd = c->dir_fd = -1;
	c->looked_ms = INT64_MIN / 2;
}

int
ledger_current_open(struct ledger_current *c, const char **which)
{
	struct stat st;

	*which = c->lock_path;
	if (open_lock(c) == -1)
		return -1;
	*which = c->path;
	return open_ledger(c, &st);
}

void
ledger_current_free(struct ledger_current *c)
{
	close_fd(&c->fd);
	close_fd(&c->lock_fd);
	close_fd(&c->tail_fd);
	close_fd(&c->dir_fd);
	free(c->path);
	free(c->lock_path);
	free(c->tail_path);
}

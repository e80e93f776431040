/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the ledger's file: rotation under our feet, and how lines of many
 * processes become one chain (chain.h).
 *
 * Under the lock the lines get their numbers and prevs and are appended with
 * one write.  The lock is a flock on a file of its own: the ledger itself may
 * be renamed at any time.
 */
#include "config.h"

#include <sys/file.h>
#include <sys/stat.h>
#ifdef HAVE_STATX
#include <sys/sysmacros.h>
#endif
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ledger/file.h"
#include "state/mapfile.h"

#define LOOK_EVERY_MS 1000
/* A write into a file costs more than the whole line otherwise does. */
#define KEEP_EVERY_MS 1000
/* Lines in one write, at most. */
#if defined(IOV_MAX) && IOV_MAX < 128
#define BATCH_MAX IOV_MAX
#else
#define BATCH_MAX 128
#endif

struct ledger_file {
	char *path, *lock_path;
	int fd, lock_fd;
	dev_t dev;
	ino_t ino;
	int dir_fd; /* the directory it was in, */
	int64_t looked_ms; /* when that was opened */
	struct ledger_record *shared; /* NULL: only in the lock file */
	int64_t kept_ms; /* when it was written there, */
	uint64_t kept_ino; /* for which file */
};

/* ---- the files ------------------------------------------------------- */

/* Only a plain file, through no symbolic link; -1 with errno. */
static int
open_plain(const char *path, int flags)
{
	struct stat st;
	int fd;

	fd = open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0640);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

/* Opens the file that stands at the path now. */
static int
open_ledger(struct ledger_file *l, struct stat *st)
{
	int fd = open_plain(l->path, O_RDWR | O_APPEND | O_CREAT);

	if (fd == -1)
		return -1;
	if (fstat(fd, st) == -1) {
		close(fd);
		return -1;
	}
	l->fd = fd;
	l->dev = st->st_dev;
	l->ino = st->st_ino;
	return 0;
}

/* Goes on over what the tail's own file got after it was recorded, where that
 * file was rotated meanwhile: we may have it open, else it is path.1. */
static void
settle_rotated(struct ledger_file *l, int old_fd, struct ledger_tail *t)
{
	char path[4096];
	struct stat st;
	int fd = old_fd;

	if (fd == -1 || fstat(fd, &st) == -1 || (uint64_t)st.st_ino != t->ino ||
	    (uint64_t)st.st_dev != t->dev) {
		snprintf(path, sizeof(path), "%s.1", l->path);
		fd = open_plain(path, O_RDONLY);
	}
	if (fd != -1 && fstat(fd, &st) == 0 && (uint64_t)st.st_ino == t->ino &&
	    (uint64_t)st.st_dev == t->dev && ledger_tail_follow(fd, t) == -1)
		log_warn("%s: %s", l->path, strerror(errno));
	if (fd != -1 && fd != old_fd)
		close(fd);
}

/* No record: from the ledger's end, or where it is new, the rotated one's. */
static int
derive_tail(struct ledger_file *l, const struct stat *st, struct ledger_tail *t)
{
	char path[4096];
	int fd, rc;

	if (st->st_size > 0)
		return ledger_tail_derive(l->fd, t);
	ledger_tail_init(t);
	snprintf(path, sizeof(path), "%s.1", l->path);
	if ((fd = open_plain(path, O_RDONLY)) == -1)
		return 0;
	rc = ledger_tail_derive(fd, t);
	close(fd);
	return rc;
}

/* ---- the tail's record ------------------------------------------------ */

static int
read_record(const struct ledger_file *l, struct ledger_tail *t)
{
	if (l->shared != NULL && ledger_tail_unpack(l->shared, t) == 0)
		return 0;
	return ledger_tail_read(l->lock_fd, t);
}

/* Where this fails, the next writer finds the line by itself. */
static void
keep_record(struct ledger_file *l, const struct ledger_tail *t)
{
	int64_t now = clock_now_ms();

	if (l->shared != NULL) {
		ledger_tail_pack(t, l->shared);
		if (now - l->kept_ms < KEEP_EVERY_MS && t->ino == l->kept_ino)
			return;
	}
	l->kept_ms = now;
	l->kept_ino = t->ino;
	if (ledger_tail_write(l->lock_fd, t) == -1)
		log_debug("%s: %s", l->lock_path, strerror(errno));
}

/* Brings the tail to the end of the open file, whatever happened since it was
 * recorded.  *behind: the file had, or may have had, more than the record
 * knew. */
static int
find_tail(struct ledger_file *l, int old_fd, const struct stat *st,
    struct ledger_tail *t, bool *behind)
{
	bool same;

	if (read_record(l, t) == -1) {
		if (derive_tail(l, st, t) == -1)
			return -1;
		*behind = true;
	}
	same = (uint64_t)st->st_ino == t->ino && (uint64_t)st->st_dev == t->dev;
	if (same && t->size == st->st_size)
		return 0;
	*behind = true;
	if (same && t->size > st->st_size) {
		/* Emptied or cut: verify shall see what is missing. */
		log_warn("%s: %lld bytes are missing at its end", l->path,
		    (long long)(t->size - st->st_size));
		t->size = st->st_size;
		return 0;
	}
	if (!same) {
		settle_rotated(l, old_fd, t);
		t->size = 0;
	}
	return ledger_tail_follow(l->fd, t);
}

static bool
ends_torn(int fd, const struct stat *st)
{
	char c;

	return st->st_size > 0 && pread(fd, &c, 1, st->st_size - 1) == 1 &&
	    c != '\n';
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
		fatal("out of memory");
#ifdef O_PATH
	flags |= O_PATH;
#endif
	fd = open(dir, O_RDONLY | flags);
	free(dir);
	return fd;
}

/* Which file it is, and its size.  Who asks for the time of the last change,
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

/* What stands at the path now?  That its directory is still the same one is
 * believed for a second: to walk the whole path costs as much as the write. */
static int
look(struct ledger_file *l, struct stat *st)
{
	const char *slash = strrchr(l->path, '/');
	int64_t now_ms = clock_now_ms();

	if (now_ms - l->looked_ms >= LOOK_EVERY_MS) {
		if (l->dir_fd != -1)
			close(l->dir_fd);
		l->dir_fd = open_dir(l->path);
		l->looked_ms = now_ms;
	}
	if (l->dir_fd == -1)
		return look_at(AT_FDCWD, l->path, st);
	return look_at(l->dir_fd, slash == NULL ? l->path : slash + 1, st);
}

/* Under the lock: the file may have been rotated since we wrote last.  *old_fd
 * is that one then, to be closed by the caller, else -1. */
static int
open_current(struct ledger_file *l, int *old_fd, struct stat *st)
{
	*old_fd = -1;
	if (l->fd != -1 && look(l, st) == 0 && st->st_ino == l->ino &&
	    st->st_dev == l->dev)
		return 0;
	*old_fd = l->fd;
	if (open_ledger(l, st) == 0)
		return 0;
	*old_fd = -1;
	return -1;
}

static int
lock(const struct ledger_file *l)
{
	while (flock(l->lock_fd, LOCK_EX) == -1)
		if (errno != EINTR)
			return -1;
	return 0;
}

/* Locked, and the file is open; -1: errno says why not. */
static int
begin_writing(struct ledger_file *l, int *old_fd, struct stat *st)
{
	int saved;

	*old_fd = -1;
	if (lock(l) == -1)
		return -1;
	if (open_current(l, old_fd, st) == 0)
		return 0;
	saved = errno;
	flock(l->lock_fd, LOCK_UN);
	errno = saved;
	return -1;
}

static void
end_writing(struct ledger_file *l, int old_fd)
{
	int saved = errno;

	flock(l->lock_fd, LOCK_UN);
	if (old_fd != -1)
		close(old_fd);
	errno = saved;
}

/* How many of them have been written whole; where that isn't all, errno says
 * why. */
static size_t
write_whole(int fd, struct iovec *iov, size_t n)
{
	size_t i = 0;
	ssize_t k;

	while (i < n) {
		k = writev(fd, iov + i, (int)(n - i));
		if (k == -1 && errno == EINTR)
			continue;
		if (k == -1)
			break;
		for (; i < n && (size_t)k >= iov[i].iov_len; i++)
			k -= (ssize_t)iov[i].iov_len;
		if (i < n) {
			iov[i].iov_base = (char *)iov[i].iov_base + k;
			iov[i].iov_len -= (size_t)k;
		}
	}
	return i;
}

/* A batch in the making. */
struct batch {
	struct ledger_tail tail; /* behind it */
	uint64_t lost; /* to be told yet */
	bool torn; /* what it goes behind has no end */
	struct iovec iov[BATCH_MAX];
	size_t n;
};

/* Its place in the chain; one that has become too long has none. */
static void
add_line(struct batch *batch, struct ledger_draft *line)
{
	const struct buf *b = &line->text;
	size_t skip = batch->torn ? 0 : 1;

	if (!ledger_draft_finish(line, &batch->tail, batch->lost)) {
		errno = EMSGSIZE;
		return;
	}
	batch->lost = 0;
	batch->torn = false;
	ledger_tail_push(&batch->tail, (struct span){ b->p + 1, b->len - 2 });
	batch->tail.size += (int64_t)(b->len - skip);
	batch->iov[batch->n++] = (struct iovec){ b->p + skip, b->len - skip };
}

/* Under the lock. */
static size_t
append(struct ledger_file *l, const struct ledger_drafts *lines, uint64_t lost,
    int old_fd, const struct stat *st)
{
	struct ledger_draft *line = STAILQ_FIRST(lines);
	struct batch batch = { .lost = lost };
	size_t written = 0, n;
	bool behind = false;

	if (find_tail(l, old_fd, st, &batch.tail, &behind) == -1)
		return 0;
	batch.torn = behind && ends_torn(l->fd, st);
	batch.tail.dev = (uint64_t)st->st_dev;
	batch.tail.ino = (uint64_t)st->st_ino;
	batch.tail.size = st->st_size;
	while (line != NULL) {
		for (batch.n = 0; line != NULL && batch.n < BATCH_MAX;
		     line = STAILQ_NEXT(line, entry))
			add_line(&batch, line);
		n = write_whole(l->fd, batch.iov, batch.n);
		written += n;
		/* The next writer finds by itself what has become of it. */
		if (n < batch.n)
			return written;
	}
	if (written > 0)
		keep_record(l, &batch.tail);
	return written;
}

size_t
ledger_file_append(
    struct ledger_file *l, const struct ledger_drafts *lines, uint64_t lost)
{
	struct stat st;
	size_t written;
	int old_fd;

	if (begin_writing(l, &old_fd, &st) == -1)
		return 0;
	written = append(l, lines, lost, old_fd, &st);
	end_writing(l, old_fd);
	return written;
}

const char *
ledger_file_path(const struct ledger_file *l)
{
	return l->path;
}

/* ---- opening ---------------------------------------------------------- */

static struct ledger_file *
new_file(const char *path)
{
	struct ledger_file *l = calloc(1, sizeof(*l));

	if (l == NULL || (l->path = strdup(path)) == NULL ||
	    asprintf(&l->lock_path, "%s.lock", path) == -1)
		fatal("out of memory");
	l->fd = l->lock_fd = l->dir_fd = -1;
	l->looked_ms = INT64_MIN / 2;
	return l;
}

/* Without a runtime_dir that we may use, each line writes its record. */
static void
open_shared(struct ledger_file *l, const char *runtime_dir)
{
	if (runtime_dir == NULL)
		return;
	l->shared = mapfile_open(runtime_dir, LEDGER_SHARED_NAME,
	    LEDGER_SHARED_MAGIC, sizeof(*l->shared));
	if (l->shared == NULL)
		log_warn("%s/%s: %s", runtime_dir, LEDGER_SHARED_NAME,
		    strerror(errno));
}

struct ledger_file *
ledger_file_open(
    const char *path, const char *runtime_dir, char *why, size_t size)
{
	struct ledger_file *l = new_file(path);
	struct stat st;

	l->lock_fd = open_plain(l->lock_path, O_RDWR | O_CREAT);
	if (l->lock_fd == -1)
		snprintf(why, size, "%s: %s", l->lock_path, strerror(errno));
	else if (open_ledger(l, &st) == -1)
		snprintf(why, size, "%s: %s", l->path, strerror(errno));
	else {
		open_shared(l, runtime_dir);
		return l;
	}
	ledger_file_close(l);
	return NULL;
}

/* The last lines' record, which may only be in runtime_dir yet. */
static void
keep_last(struct ledger_file *l)
{
	struct ledger_tail t;

	if (lock(l) == -1)
		return;
	if (ledger_tail_unpack(l->shared, &t) == 0)
		ledger_tail_write(l->lock_fd, &t);
	flock(l->lock_fd, LOCK_UN);
}

void
ledger_file_close(struct ledger_file *l)
{
	if (l == NULL)
		return;
	if (l->shared != NULL) {
		keep_last(l);
		mapfile_close(l->shared, sizeof(*l->shared));
	}
	if (l->fd != -1)
		close(l->fd);
	if (l->lock_fd != -1)
		close(l->lock_fd);
	if (l->dir_fd != -1)
		close(l->dir_fd);
	free(l->path);
	free(l->lock_path);
	free(l);
}

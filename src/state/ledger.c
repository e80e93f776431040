/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The account's writer: the last step of each request, whatever became of it.
 * Hides the line's form (tailgate.ledger(5)), rotation under our feet, and
 * how lines of many processes become one chain (ledger_chain.h).
 *
 * A line is made first and then, under the lock, given its number and prev
 * and appended with one write.  The lock is a flock on a file of its own: the
 * ledger itself may be renamed at any time.  Threads of one process share the
 * lock's descriptor; so that they need not wait for each other, whoever finds
 * that another one is writing leaves its line to that one.
 */
#include "config.h"

#include <sys/file.h>
#include <sys/queue.h>
#include <sys/stat.h>
#ifdef HAVE_STATX
#include <sys/sysmacros.h>
#endif

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "state/ledger.h"
#include "state/ledger_chain.h"
#include "state/mapfile.h"

/* Of a name as a client or an upstream wrote it. */
#define TEXT_MAX_BYTES 256
#define WARN_EVERY_MS 60000
#define LOOK_EVERY_MS 1000
/* Turns that other threads get before a batch is written. */
#define YIELDS 4
/* Lines of one process that wait to be written; with more, who brings one
 * waits. */
#define WAITING_MAX 1024
/* A write into a file costs more than the whole line otherwise does. */
#define KEEP_EVERY_MS 1000

/* A request's line on its way to the file. */
struct line {
	struct buf text;
	STAILQ_ENTRY(line) entry;
};
STAILQ_HEAD(lines, line);

struct ledger {
	char *path, *lock_path;
	pthread_mutex_t mutex; /* of what waits */
	struct lines waiting;
	unsigned nwaiting;
	bool writing; /* a thread does; what follows is its own */
	pthread_cond_t room; /* fewer wait */
	int fd, lock_fd;
	dev_t dev;
	ino_t ino;
	int dir_fd; /* the directory it was in, */
	int64_t looked_ms; /* when that was opened */
	int64_t warned_ms;
	struct ledger_record *shared; /* NULL: only in the lock file */
	int64_t kept_ms; /* when it was written there, */
	uint64_t kept_ino; /* for which file */
	_Atomic uint64_t lost; /* since this process began */
	uint64_t lost_told; /* of them told in a line */
};

/* ---- The line ---- */

static void
put_u64(struct buf *b, const char *name, uint64_t v)
{
	buf_puts(b, name);
	/* Readers know 64 bits with a sign. */
	buf_u64(b, v > INT64_MAX ? INT64_MAX : v);
}

/* -1 is "not known". */
static void
put_i64(struct buf *b, const char *name, int64_t v)
{
	if (v >= 0)
		put_u64(b, name, (uint64_t)v);
	else {
		buf_puts(b, name);
		buf_puts(b, "null");
	}
}

static void
put_text(struct buf *b, const char *name, const char *text)
{
	struct span value = span_of(text);

	if (value.len > TEXT_MAX_BYTES)
		value.len = TEXT_MAX_BYTES;
	buf_puts(b, name);
	if (text == NULL)
		buf_puts(b, "null");
	else
		buf_json(b, value);
}

/* Members that most lines don't need are left out where there is nothing to
 * say. */
static void
put_text_if(struct buf *b, const char *name, const char *text)
{
	if (text != NULL)
		put_text(b, name, text);
}

static void
put_u64_if(struct buf *b, const char *name, uint64_t v)
{
	if (v != 0)
		put_u64(b, name, v);
}

static void
put_if(struct buf *b, bool set, const char *member)
{
	if (set)
		buf_puts(b, member);
}

static void
put_tries(struct buf *b, const struct ledger_entry *e)
{
	if (e->ntries == 0)
		return;
	buf_puts(b, ",\"tries\":[");
	for (unsigned i = 0; i < e->ntries && i < LEDGER_TRIES_MAX; i++) {
		const struct ledger_try *t = &e->tries[i];

		put_text(b,
		    i == 0 ? "{\"provider\":" : ",{\"provider\":", t->provider);
		put_text(b, ",\"outcome\":", t->outcome);
		put_i64(b, ",\"ms\":", t->ms);
		buf_puts(b, "}");
	}
	buf_puts(b, "]");
}

static void
put_route(struct buf *b, const struct ledger_entry *e)
{
	put_text(b, ",\"client\":", e->client);
	put_text(b, ",\"endpoint\":", e->endpoint);
	put_text(b, ",\"model\":", e->model);
	put_text(b, ",\"route\":", e->route);
	put_text(b, ",\"provider\":", e->provider);
	put_text_if(b, ",\"upstream_model\":", e->upstream_model);
	put_text(b,
	    ",\"place\":", e->provider == NULL ? NULL : place_name(e->place));
	put_if(b, e->sent, ",\"sent\":true");
	put_text_if(b, ",\"host\":", e->host);
	put_text_if(b, ",\"allowed_by\":", e->allowed_by);
	put_text_if(b, ",\"private\":", e->private_rule);
	put_tries(b, e);
	put_text_if(b, ",\"fallback\":", e->fallback);
	put_text_if(b, ",\"bridge\":", e->bridge);
}

static void
put_end(struct buf *b, const struct ledger_entry *e)
{
	put_if(b, e->stream, ",\"stream\":true");
	put_i64(b, ",\"status\":", e->status);
	if (e->refusal != REFUSE_NONE)
		put_text(b, ",\"refusal\":", refusal_spec(e->refusal)->code);
	put_if(b, e->client_gone, ",\"client_gone\":true");
	put_if(b, e->cut, ",\"cut\":true");
	put_u64(b, ",\"bytes_in\":", e->bytes_in);
	put_u64(b, ",\"bytes_out\":", e->bytes_out);
	put_u64_if(b, ",\"bytes_sent\":", e->bytes_sent);
}

/* Tokens without a report are our estimate, nothing at all is "none". */
static const char *
usage_word(const struct usage *u)
{
	if (u->reported)
		return "reported";
	return u->input + u->output + u->characters + u->audio_ms > 0
	    ? "estimated"
	    : "none";
}

static void
put_usage(struct buf *b, const struct ledger_entry *e)
{
	const struct usage *u = &e->usage;

	put_text(b, ",\"usage\":", usage_word(u));
	put_u64(b, ",\"input\":", u->input);
	put_u64_if(b, ",\"cached\":", u->cached);
	put_u64_if(b, ",\"cache_write\":", u->cache_write);
	put_u64(b, ",\"output\":", u->output);
	put_u64_if(b, ",\"reasoning\":", u->reasoning);
	put_u64_if(b, ",\"characters\":", u->characters);
	put_u64_if(b, ",\"audio_ms\":", u->audio_ms);
	put_i64(b, ",\"cost_nanousd\":", e->cost_nanousd);
	put_i64(b, ",\"queue_ms\":", e->queue_ms);
	put_i64(b, ",\"first_byte_ms\":", e->first_byte_ms);
	put_i64(b, ",\"total_ms\":", e->total_ms);
}

/* Making a second into text costs a tenth of all: a thread's requests share
 * it. */
static void
put_time(struct buf *b, int64_t wall_ms)
{
	static _Thread_local int64_t last = -1;
	static _Thread_local char last_text[CLOCK_TEXT_SIZE];
	int64_t second = wall_ms / 1000, ms = wall_ms % 1000;
	char text[4] = { '.', (char)('0' + ms / 100),
		(char)('0' + ms / 10 % 10), (char)('0' + ms % 10) };

	if (second != last) {
		clock_text(second * 1000, last_text);
		last = second;
	}
	buf_add(b, last_text, 19);
	buf_add(b, text, sizeof(text));
}

/* All of the line but its end.  A newline stands before it, for the case that
 * the line before was torn. */
static struct line *
line_new(const struct ledger_entry *e)
{
	struct line *line = malloc(sizeof(*line));
	struct buf *b;

	if (line == NULL)
		fatal("out of memory");
	b = &line->text;
	buf_init(b, LEDGER_LINE_MAX - 1);
	buf_puts(b, "\n{\"v\":1,\"time\":\"");
	put_time(b, e->wall_ms > 0 ? e->wall_ms : 0);
	put_text(b, "Z\",\"id\":", e->id);
	put_route(b, e);
	put_end(b, e);
	put_usage(b, e);
	return line;
}

static void
line_free(struct line *line)
{
	buf_free(&line->text);
	free(line);
}

static void
finish_line(struct buf *b, const struct ledger_tail *t, uint64_t lost)
{
	put_u64_if(b, ",\"lost\":", lost);
	put_u64(b, ",\"n\":", t->n + 1);
	buf_puts(b, ",\"prev\":\"");
	buf_puts(b, t->hash);
	buf_puts(b, "\"}\n");
}

/* ---- The files ---- */

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
open_ledger(struct ledger *l, struct stat *st)
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
settle_rotated(struct ledger *l, int old_fd, struct ledger_tail *t)
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
derive_tail(struct ledger *l, const struct stat *st, struct ledger_tail *t)
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

/* ---- The tail's record ---- */

static int
read_record(const struct ledger *l, struct ledger_tail *t)
{
	if (l->shared != NULL && ledger_tail_unpack(l->shared, t) == 0)
		return 0;
	return ledger_tail_read(l->lock_fd, t);
}

/* Where this fails, the next writer finds the line by itself. */
static void
keep_record(struct ledger *l, const struct ledger_tail *t)
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
 * recorded.  *behind: the file had more than the record knew. */
static int
find_tail(struct ledger *l, int old_fd, const struct stat *st,
    struct ledger_tail *t, bool *behind)
{
	bool same;

	if (read_record(l, t) == -1 && derive_tail(l, st, t) == -1)
		return -1;
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

/* ---- Appending ---- */

static int
write_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Under the lock.  The line lacks its end; st is brought to the file's new
 * one. */
static int
append(struct ledger *l, struct buf *b, int old_fd, struct stat *st)
{
	uint64_t lost = atomic_load(&l->lost);
	struct ledger_tail t;
	bool behind = false;
	size_t skip;

	if (find_tail(l, old_fd, st, &t, &behind) == -1)
		return -1;
	finish_line(b, &t, lost - l->lost_told);
	if (buf_failed(b)) {
		errno = EMSGSIZE;
		return -1;
	}
	skip = behind && ends_torn(l->fd, st) ? 0 : 1;
	if (write_all(l->fd, b->p + skip, b->len - skip) == -1)
		return -1;
	l->lost_told = lost;
	ledger_tail_push(&t, (struct span){ b->p + 1, b->len - 2 });
	t.dev = (uint64_t)st->st_dev;
	t.ino = (uint64_t)st->st_ino;
	st->st_size += (off_t)(b->len - skip);
	t.size = st->st_size;
	keep_record(l, &t);
	return 0;
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
look(struct ledger *l, struct stat *st)
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
open_current(struct ledger *l, int *old_fd, struct stat *st)
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
lock(const struct ledger *l)
{
	while (flock(l->lock_fd, LOCK_EX) == -1)
		if (errno != EINTR)
			return -1;
	return 0;
}

static void
count_lost(struct ledger *l, int error)
{
	int64_t now = clock_now_ms();

	atomic_fetch_add(&l->lost, 1);
	if (l->warned_ms != 0 && now - l->warned_ms < WARN_EVERY_MS)
		return;
	l->warned_ms = now;
	log_error("%s: %s; %llu requests are not in the ledger", l->path,
	    strerror(error), (unsigned long long)atomic_load(&l->lost));
}

/* Behind what waits already; true: nobody writes, so the caller has to. */
static bool
leave(struct ledger *l, struct line *line)
{
	bool mine;

	pthread_mutex_lock(&l->mutex);
	while (l->writing && l->nwaiting >= WAITING_MAX)
		pthread_cond_wait(&l->room, &l->mutex);
	STAILQ_INSERT_TAIL(&l->waiting, line, entry);
	l->nwaiting++;
	mine = !l->writing;
	l->writing = true;
	pthread_mutex_unlock(&l->mutex);
	return mine;
}

/* All that waits; false: nothing does, and we are through. */
static bool
take_waiting(struct ledger *l, struct lines *lines)
{
	bool any;

	STAILQ_INIT(lines);
	pthread_mutex_lock(&l->mutex);
	STAILQ_CONCAT(lines, &l->waiting);
	any = l->nwaiting > 0;
	if (l->nwaiting >= WAITING_MAX)
		pthread_cond_broadcast(&l->room);
	l->nwaiting = 0;
	l->writing = any;
	pthread_mutex_unlock(&l->mutex);
	return any;
}

/* Locked, and the file is open; -1: errno says why not. */
static int
begin_writing(struct ledger *l, int *old_fd, struct stat *st)
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
write_lines(struct ledger *l, struct lines *lines)
{
	struct line *line;
	struct stat st;
	int old_fd, rc = begin_writing(l, &old_fd, &st), why = errno;

	while ((line = STAILQ_FIRST(lines)) != NULL) {
		STAILQ_REMOVE_HEAD(lines, entry);
		if (rc == -1)
			count_lost(l, why);
		else if (append(l, &line->text, old_fd, &st) == -1) {
			count_lost(l, errno);
			/* Part of it may be there. */
			(void)fstat(l->fd, &st);
		}
		line_free(line);
	}
	if (rc == 0)
		flock(l->lock_fd, LOCK_UN);
	if (old_fd != -1)
		close(old_fd);
}

void
ledger_write(struct ledger *l, const struct ledger_entry *e)
{
	struct lines lines;

	if (l->path == NULL || !leave(l, line_new(e)))
		return;
	/* Where others are about to bring theirs, all are written under one
	 * lock, and one after the other while all that it takes is warm. */
	for (int i = 0; i < YIELDS; i++)
		sched_yield();
	while (take_waiting(l, &lines))
		write_lines(l, &lines);
}

uint64_t
ledger_lost(const struct ledger *l)
{
	return atomic_load(&l->lost);
}

/* ---- Opening ---- */

static struct ledger *
new_ledger(const char *path)
{
	struct ledger *l = calloc(1, sizeof(*l));

	if (l == NULL || pthread_mutex_init(&l->mutex, NULL) != 0 ||
	    pthread_cond_init(&l->room, NULL) != 0)
		fatal("out of memory");
	STAILQ_INIT(&l->waiting);
	l->fd = l->lock_fd = l->dir_fd = -1;
	l->looked_ms = INT64_MIN / 2;
	if (path != NULL &&
	    ((l->path = strdup(path)) == NULL ||
		asprintf(&l->lock_path, "%s.lock", path) == -1))
		fatal("out of memory");
	return l;
}

/* Without a runtime_dir that we may use, each line writes its record. */
static void
open_shared(struct ledger *l, const char *runtime_dir)
{
	if (runtime_dir == NULL)
		return;
	l->shared = mapfile_open(runtime_dir, LEDGER_SHARED_NAME,
	    LEDGER_SHARED_MAGIC, sizeof(*l->shared));
	if (l->shared == NULL)
		log_warn("%s/%s: %s", runtime_dir, LEDGER_SHARED_NAME,
		    strerror(errno));
}

struct ledger *
ledger_open(const struct config *config, char *why, size_t size)
{
	struct ledger *l =
	    new_ledger(config->ledger ? config->ledger_file : NULL);
	struct stat st;

	if (l->path == NULL)
		return l;
	l->lock_fd = open_plain(l->lock_path, O_RDWR | O_CREAT);
	if (l->lock_fd == -1)
		snprintf(why, size, "%s: %s", l->lock_path, strerror(errno));
	else if (open_ledger(l, &st) == -1)
		snprintf(why, size, "%s: %s", l->path, strerror(errno));
	else {
		open_shared(l, config->runtime_dir);
		return l;
	}
	ledger_close(l);
	return NULL;
}

/* The last lines' record, which may only be in runtime_dir yet. */
static void
keep_last(struct ledger *l)
{
	struct ledger_tail t;

	if (lock(l) == -1)
		return;
	if (ledger_tail_unpack(l->shared, &t) == 0)
		ledger_tail_write(l->lock_fd, &t);
	flock(l->lock_fd, LOCK_UN);
}

void
ledger_close(struct ledger *l)
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
	pthread_cond_destroy(&l->room);
	pthread_mutex_destroy(&l->mutex);
	free(l->path);
	free(l->lock_path);
	free(l);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a host and the incarnations of its budgets' file are told apart:
 * state_dir/budget.host has the host's id and the number of the last
 * incarnation in `id`, and each process holds the lock of a file with the
 * number of its own.
 */
#include "config.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "state/budget_internal.h"
#include "state/mapfile.h"

#define HOST_NAME "budget.host"
#define EARLIER_MAX 8

struct budget_host {
	int own_fd;
	/* Of incarnations that were in use when this one began. */
	int earlier[EARLIER_MAX];
	unsigned nearlier;
	bool more; /* there were more than that */
};

bool
budget_any_has_purse(const struct config *c)
{
	for (size_t i = 0; i < c->nclients; i++)
		if (budget_has_purse(&c->clients[i].budget))
			return true;
	for (size_t i = 0; i < c->nmodels; i++)
		if (budget_has_purse(&c->models[i].budget))
			return true;
	return false;
}

/* The id file, read and with the number of a new incarnation. */
static int
begin_incarnation(int fd, uint64_t *host, uint64_t *incarnation)
{
	char text[64] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	int len;

	if (n == -1)
		return -1;
	if (sscanf(text, "%16" SCNx64 " %" SCNu64, host, incarnation) != 2) {
		*incarnation = 0;
		do
			arc4random_buf(host, sizeof(*host));
		while (*host == 0);
	}
	++*incarnation;
	/* Always of the same length or longer, so nothing has to be cut. */
	len = snprintf(text, sizeof(text), "%016" PRIx64 " %" PRIu64 "\n",
	    *host, *incarnation);
	if (pwrite(fd, text, (size_t)len, 0) != len || fsync(fd) == -1)
		return -1;
	return 0;
}

static int
open_id(int dir, struct budget_file *f)
{
	int fd = mapfile_open_lock(dir, "id"), rc;
	uint64_t host, incarnation;

	if (fd == -1)
		return -1;
	while ((rc = flock(fd, LOCK_EX)) == -1 && errno == EINTR)
		continue;
	if (rc == 0 && (rc = begin_incarnation(fd, &host, &incarnation)) == 0) {
		f->host = host;
		f->incarnation = incarnation;
		f->alone = 0;
	}
	close(fd);
	return rc;
}

/* Its file goes when nobody uses it. */
static void
look_at(struct budget_host *h, int dir, const char *name)
{
	int fd = mapfile_open_lock(dir, name);

	if (fd == -1)
		h->more = true;
	else if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		unlinkat(dir, name, 0);
		close(fd);
	} else if (h->nearlier == EARLIER_MAX) {
		h->more = true;
		close(fd);
	} else
		h->earlier[h->nearlier++] = fd;
}

/* Only the numbers below this one's are of earlier ones: a later one may have
 * made its file and not have locked it yet. */
static bool
is_earlier(const char *name, uint64_t own)
{
	return strspn(name, "0123456789") == strlen(name) &&
	    strtoull(name, NULL, 10) < own;
}

static void
find_earlier(struct budget_host *h, int dir, uint64_t own)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *e;

	h->more = entries == NULL;
	while (entries != NULL && (e = readdir(entries)) != NULL)
		if (is_earlier(e->d_name, own))
			look_at(h, dir, e->d_name);
	if (entries != NULL)
		closedir(entries);
	else if (fd != -1)
		close(fd);
}

/* The file of its own incarnation, locked.  A later one may have taken it for
 * one that nobody uses, and removed it, before it was locked. */
static int
open_own(int dir, uint64_t incarnation)
{
	struct stat st;
	char name[24];
	int fd, rc;

	snprintf(name, sizeof(name), "%" PRIu64, incarnation);
	for (;;) {
		if ((fd = mapfile_open_lock(dir, name)) == -1)
			return -1;
		while ((rc = flock(fd, LOCK_SH)) == -1 && errno == EINTR)
			continue;
		if (rc == -1 || fstat(fd, &st) == -1) {
			close(fd);
			return -1;
		}
		if (st.st_nlink > 0)
			return fd;
		close(fd);
	}
}

static int
join(struct budget_host *h, struct budget_book *b, int dir)
{
	uint64_t own;
	int rc = 0;

	budget_lock(b);
	if (b->file->incarnation == 0)
		rc = open_id(dir, b->file);
	own = b->file->incarnation;
	budget_unlock(b);
	if (rc == -1 || (h->own_fd = open_own(dir, own)) == -1)
		return -1;
	if (!b->file->alone)
		find_earlier(h, dir, own);
	if (budget_host_alone(h)) {
		/* A file that is built already may lack what an earlier one's
		 * processes spent since: budget_purse_watch() looks. */
		budget_lock(b);
		if (b->file->built == 0)
			b->file->alone = 1;
		budget_unlock(b);
	}
	return 0;
}

int
budget_host_open(struct budget_book *b, char *why, size_t size)
{
	int dir, rc;

	if (b->copy || !budget_any_has_purse(b->config))
		return 0;
	dir = mapfile_open_dir(b->config->state_dir, HOST_NAME, why, size);
	if (dir == -1)
		return -1;
	if ((b->host = calloc(1, sizeof(*b->host))) == NULL)
		fatal("out of memory");
	b->host->own_fd = -1;
	rc = join(b->host, b, dir);
	if (rc == -1)
		snprintf(why, size,
		    "%s/%s: %s; shared budgets need it to tell "
		    "this host from others",
		    b->config->state_dir, HOST_NAME, strerror(errno));
	close(dir);
	return rc;
}

bool
budget_host_alone(struct budget_host *h)
{
	while (h->nearlier > 0 &&
	    flock(h->earlier[h->nearlier - 1], LOCK_EX | LOCK_NB) == 0)
		close(h->earlier[--h->nearlier]);
	return h->nearlier == 0 && !h->more;
}

void
budget_host_close(struct budget_host *h)
{
	if (h == NULL)
		return;
	while (h->nearlier > 0)
		close(h->earlier[--h->nearlier]);
	if (h->own_fd != -1)
		close(h->own_fd);
	free(h);
}

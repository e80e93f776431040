/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The files that lines go into: the one at the ledger's path now, and the lock
 * for writing.  Both may be renamed, removed or replaced at any time, with
 * their directory.  Between file*.c and current.c only.
 */
#ifndef LEDGER_CURRENT_H
#define LEDGER_CURRENT_H

#include <sys/stat.h>

#include <stdint.h>

struct ledger_current {
	char *path, *lock_path, *tail_path;
	int fd; /* the ledger */
	dev_t dev;
	ino_t ino;
	int lock_fd, tail_fd;
	dev_t lock_dev;
	ino_t lock_ino;
	int dir_fd; /* the directory it was in, */
	int64_t looked_ms; /* when that was opened */
};

void ledger_current_init(struct ledger_current *, const char *path);
void ledger_current_free(struct ledger_current *);
/* -1 with errno; *which is the path that failed. */
int ledger_current_open(struct ledger_current *, const char **which);

/* Only a plain file, through no symbolic link; -1 with errno. */
int ledger_current_open_plain(const char *path, int flags, unsigned mode);

/* Locks, waiting no longer than until_ms (clock_now_ms()) for another
 * process, then opens what is at the path now.  *old_fd is the previously
 * open file if it was another one, to be closed by the caller, otherwise -1.
 * -1 with errno (EWOULDBLOCK: another process holds the lock); nothing is
 * locked then. */
int ledger_current_lock(
    struct ledger_current *, int64_t until_ms, int *old_fd, struct stat *st);
void ledger_current_unlock(struct ledger_current *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Whether a client's exchanges are being recorded (`tailgate capture`): a row
 * in runtime_dir that all processes share, and the directory of the files,
 * runtime_dir/capture.  One recording at a time, bounded in time, exchanges and
 * bytes; a while after its end its files are removed, by the next process that
 * serves a request or looks.  An exchange that was in flight then is not
 * written.
 *
 * serve/record.c writes the files.
 */
#ifndef STATE_RECORDING_H
#define STATE_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"

#define RECORDING_DIR "capture"
#define RECORDING_END ".capture"	/* of a file's name */
#define RECORDING_MOST 1000		/* exchanges */
#define RECORDING_BYTES ((uint64_t)64 << 20)	/* of all its files */
#define RECORDING_LONGEST_MS ((int64_t)24 * 3600 * 1000)
/* How long the files stay after the time that was asked for. */
#define RECORDING_KEPT_MS ((int64_t)24 * 3600 * 1000)

struct recording;

struct recording_facts {
	uint64_t number;	/* for recording_is_kept() */
	bool on;
	char client[CONFIG_NAME_MAX + 1];	/* "": nothing is kept */
	int64_t until_wall_ms;	/* when it ends by itself */
	int64_t removed_wall_ms;	/* when its files are removed */
	unsigned most, taken;	/* exchanges */
	uint64_t bytes;		/* of its files so far */
};

/* NULL: one line in why. */
struct recording *recording_open(const struct config *, char *why, size_t size);
void recording_close(struct recording *);

void recording_facts(struct recording *, struct recording_facts *);

/* -1, and one line in why: another one is on, or there are files of an earlier
 * one.  Waits for a process that is removing them. */
int recording_start(struct recording *, const char *client, int64_t for_ms,
    unsigned most, char *why, size_t size);
/* False: none was on. */
bool recording_stop(struct recording *);

/* Is this client recorded now?  Then facts says more. */
bool recording_is_of(
    struct recording *, const char *client, struct recording_facts *);
/* Is it still the recording of that number, with its files not removed?  A
 * writer asks before and after it writes a file.  A removal has either changed
 * the number by then, or finds the file. */
bool recording_is_kept(struct recording *, uint64_t number);
/* Claims one of the exchanges that the recording may hold.  False: none is
 * left, and the recording has ended. */
bool recording_claim(struct recording *);
/* May a file of so many bytes be written?  If not, the recording has ended. */
bool recording_charge(struct recording *, uint64_t bytes);
/* Ends the recording, removes the files now, and waits for the disk.  -1: some
 * of them stay; logs one warning, and they are due again in a minute. */
int recording_remove(struct recording *);
/* Has the time of its files come?  Reads memory only. */
bool recording_is_due(struct recording *);
/* Removes the files, like recording_remove(), if their time has come and no
 * other process is removing them. */
void recording_expire(struct recording *);
/* For a start: also removes files that the row does not know. */
void recording_tidy(struct recording *);

/* runtime_dir/capture; below it the files. */
const char *recording_dir(const struct recording *);

#endif

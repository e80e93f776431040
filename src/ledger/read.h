/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Reading the ledger: for `tailgate usage`, the status page, and the budgets
 * when their file was lost.
 *
 * A million lines take about a second: a line does not become a tree, its
 * strings stay where they are, and files are read through one buffer.
 */
#ifndef LEDGER_READ_H
#define LEDGER_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "ledger/chain.h"
#include "ledger/unpack.h"

/* One try of a line.  Strings as written between their quotes (escapes are
 * kept: jscan_decode); p NULL if they are null or missing. */
struct ledger_try {
	struct span provider, upstream_model, place, host, allowed_by;
	struct span outcome, usage;
	bool sent;
	int64_t bytes_sent;
	int64_t input, cached, cache_write, output, reasoning;
	int64_t characters, audio_ms, images;
	int64_t cost_nanousd; /* -1: not known */
	int64_t at_ms, queue_ms, first_byte_ms, ms; /* -1: none */
};

/* One line.  Its totals are the sums over its tries; provider and place are
 * the last one's. */
struct ledger_line {
	int64_t wall_ms; /* of the request's beginning */
	int64_t v; /* 1: what follows tells of the last try only */
	struct span time, id, client, session, endpoint, model, route;
	struct span provider, upstream_model, place, host, allowed_by;
	struct span private_rule, fallback, bridge, refusal, usage;
	/* The first try, and the array from after it on: see below. */
	struct ledger_try first;
	struct span more_tries;
	bool tried;
	bool sent, external, stream, client_gone, cut;
	int64_t status;
	int64_t bytes_in, bytes_out, bytes_sent;
	int64_t input, cached, cache_write, output, reasoning;
	int64_t characters, audio_ms, images;
	int64_t cost_nanousd; /* -1: not known */
	int64_t queue_ms, first_byte_ms, total_ms; /* -1: none */
	bool gap; /* no request: it tells of `lost`, which have no line,
		     from wall_ms to `until` */
	struct span until;
	int64_t lost, lost_external, n;
	struct span gateway; /* the host that wrote it */
};

/* Goes through a line's tries, in their order: zero it before.  A line of
 * version 1 shows one, the last, which is the only one that it tells of. */
struct ledger_tries {
	const char *at;
	bool begun;
};
bool ledger_try_next(
    struct ledger_tries *, const struct ledger_line *, struct ledger_try *out);

/* False for a line that is torn or not ours.  Unknown members are skipped. */
bool ledger_line_parse(struct span line, struct ledger_line *out);
/* Only its time; -1 if it has none. */
int64_t ledger_line_time(struct span line);

/* One of the files that make up a ledger. */
struct ledger_part {
	char *path;
	enum unpack_form form;
	int64_t size, modified_ms; /* size: on the disk */
	uint64_t dev, ino;
	uint64_t first_n; /* number of its first whole line */
};

/* A file by its path.  -1 with errno: it is not there, no plain file (EINVAL),
 * or compressed in a way that is not read here (ENOTSUP). */
int ledger_part_look(const char *path, struct ledger_part *out);
/* The ledger and its rotated files (path.1, path-20261122, path.2.gz …),
 * oldest first.  If a file exists both plain and compressed, as while it is
 * being compressed, the plain one.  Returns how many; *out is freed by
 * ledger_parts_free(). */
size_t ledger_parts(const char *path, struct ledger_part **out);
/* Those that nothing here can read (path.2.xz …); likewise. */
size_t ledger_unread_parts(const char *path, struct ledger_part **out);
void ledger_parts_free(struct ledger_part *, size_t n);

/* Calls line() for each line between two offsets of the file, without its
 * newline; a rest without one is passed only if `rest` is true.  Returns the
 * offset after the last line taken, -1 with errno, or, negative and less
 * than -1, what line() returned.
 *
 * For a compressed file the offsets are in the decompressed text, and it is
 * read to its end: `to` is ignored.  If it is damaged errno is EBADMSG,
 * after the lines before that; ledger_part_error() has the words. */
int64_t ledger_part_each(const struct ledger_part *, int64_t from, int64_t to,
    bool rest,
    int (*line)(void *ctx, struct span line, int64_t offset, uint64_t number),
    void *ctx);

/* For an errno of ledger_part_each(). */
const char *ledger_part_error(int error);

/* Calls line() for every whole line of all files that may hold requests of
 * since_ms or later.  A file that cannot be read is logged.  Returns 0, or
 * what line() returned when that was not 0. */
int ledger_each(const char *path, int64_t since_ms,
    int (*line)(void *ctx, const struct ledger_line *), void *ctx);

/* The same for these files. */
int ledger_each_of(const struct ledger_part *, size_t n, int64_t since_ms,
    int (*line)(void *ctx, const struct ledger_line *), void *ctx);

/* The findings of a verification, one line each. */
struct ledger_report {
	uint64_t lines, torn, breaks;
	uint64_t first_n; /* the number that it begins with; 0: no line */
	uint64_t lost; /* requests without a line, as others say */
	uint64_t lost_external; /* of them sent outside */
	bool tail_known; /* a record of the end was there … */
	bool tail_holds; /* … and is where the chain ended */
	struct ledger_tail tail; /* where the chain ended */
};
/* Follows the chain through all files.  say() gets each finding.  -1 with
 * errno if a file can't be read. */
int ledger_verify(const char *path,
    void (*say)(void *ctx, const char *file, uint64_t line, const char *what),
    void *ctx, struct ledger_report *);

#endif

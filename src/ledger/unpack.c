/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides zlib and libzstd.  For ledger/read.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "base/log.h"
#include "base/memory.h"
#include "ledger/unpack.h"

struct unpack {
	gzFile gz; /* or NULL */
#ifdef HAVE_ZSTD
	int fd;
	ZSTD_DStream *zstd;
	char *in;
	ZSTD_inBuffer left;
	bool whole; /* what was read ends with a frame */
	bool broken;
#endif
};

enum unpack_form
unpack_form(const char *name, size_t *len)
{
	static const struct {
		const char *end;
		enum unpack_form form;
	} ends[] = {
		{ ".gz", UNPACK_GZIP },
#ifdef HAVE_ZSTD
		{ ".zst", UNPACK_ZSTD },
#else
		{ ".zst", UNPACK_OTHER },
#endif
		{ ".xz", UNPACK_OTHER },
		{ ".bz2", UNPACK_OTHER },
		{ ".lz4", UNPACK_OTHER },
	};

	*len = strlen(name);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t n = strlen(ends[i].end);

		if (*len > n && strcmp(name + *len - n, ends[i].end) == 0) {
			*len -= n;
			return ends[i].form;
		}
	}
	return UNPACK_NONE;
}

/* ---- gzip ---- */

static int
gzip_open(struct unpack *u, int fd)
{
	if ((u->gz = gzdopen(fd, "rb")) == NULL) {
		close(fd);
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static ssize_t
gzip_read(struct unpack *u, char *p, size_t len)
{
	int n = gzread(u->gz, p, (unsigned)len), error = Z_OK;

	/* Bytes that are not gzip are passed on unchanged; what ends too
	 * early shows only in its error, after its last bytes. */
	if (n > 0 && !gzdirect(u->gz))
		return n;
	gzerror(u->gz, &error);
	if (n == 0 && error == Z_OK && !gzdirect(u->gz))
		return 0;
	if (error != Z_ERRNO)
		errno = EBADMSG;
	return -1;
}

/* ---- zstd ---- */

#ifdef HAVE_ZSTD
static int
zstd_open(struct unpack *u, int fd)
{
	u->fd = fd;
	u->zstd = ZSTD_createDStream();
	u->in = malloc(ZSTD_DStreamInSize());
	if (u->zstd == NULL || u->in == NULL)
		fatal("out of memory");
	u->left.src = u->in;
	return 0;
}

/* More of the file in u->left; 0 at its end. */
static ssize_t
zstd_fill(struct unpack *u)
{
	ssize_t n;

	do
		n = read(u->fd, u->in, ZSTD_DStreamInSize());
	while (n == -1 && errno == EINTR);
	u->left.pos = 0;
	u->left.size = n > 0 ? (size_t)n : 0;
	return n;
}

/* Runs the decoder on its input; true if it made progress. */
static bool
zstd_advance(struct unpack *u, ZSTD_outBuffer *out)
{
	size_t before = out->pos, taken = u->left.pos, rc;

	rc = ZSTD_decompressStream(u->zstd, out, &u->left);
	if (ZSTD_isError(rc)) {
		u->broken = true;
		return false;
	}
	if (out->pos == before && u->left.pos == taken)
		return false;
	u->whole = rc == 0;
	return true;
}

static ssize_t
zstd_read(struct unpack *u, char *p, size_t len)
{
	ZSTD_outBuffer out = { p, len, 0 };

	while (out.pos < len && !u->broken) {
		ssize_t n;

		if (zstd_advance(u, &out) || u->broken)
			continue;
		if ((n = zstd_fill(u)) == -1)
			return -1;
		if (n == 0 && u->whole)
			break;
		u->broken = n == 0;
	}
	/* The bytes before the damage count; the next call reports it. */
	if (!u->broken || out.pos > 0)
		return (ssize_t)out.pos;
	errno = EBADMSG;
	return -1;
}
#endif

/* ---- Either ---- */

struct unpack *
unpack_open(int fd, enum unpack_form form)
{
	struct unpack *u = memory_zero(sizeof(*u));
	int rc = -1;

	if (form == UNPACK_GZIP)
		rc = gzip_open(u, fd);
#ifdef HAVE_ZSTD
	else if (form == UNPACK_ZSTD)
		rc = zstd_open(u, fd);
#endif
	else {
		close(fd);
		errno = EOPNOTSUPP;
	}
	if (rc == -1) {
		free(u);
		return NULL;
	}
	return u;
}

void
unpack_close(struct unpack *u)
{
	if (u->gz != NULL)
		gzclose(u->gz);
#ifdef HAVE_ZSTD
	if (u->zstd != NULL) {
		ZSTD_freeDStream(u->zstd);
		free(u->in);
		close(u->fd);
	}
#endif
	free(u);
}

ssize_t
unpack_read(struct unpack *u, char *p, size_t len)
{
	if (u->gz != NULL)
		return gzip_read(u, p, len);
#ifdef HAVE_ZSTD
	return zstd_read(u, p, len);
#else
	return 0;
#endif
}

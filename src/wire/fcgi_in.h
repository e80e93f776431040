/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A FastCGI request as it comes (FastCGI 1.0): its parameters and its body.
 * For fcgi.c.
 *
 * libfcgi is not used.  It reads 8 KiB at a time and blocks wherever the web
 * server pauses, so one slow upload would hold up every request of a process,
 * and it ends the process when a parameter announces more than memory holds.
 */
#ifndef WIRE_FCGI_IN_H
#define WIRE_FCGI_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/fcgi_params.h"

#define FCGI_HEAD_BYTES 8 /* of a record */

enum fcgi_record {
	FCGI_BEGIN = 1,
	FCGI_ABORT = 2,
	FCGI_END = 3,
	FCGI_PARAMS = 4,
	FCGI_STDIN = 5,
	FCGI_STDOUT = 6,
	FCGI_VALUES = 9, /* the web server asks for values */
	FCGI_VALUES_RESULT = 10,
	FCGI_UNKNOWN = 11
};

struct fcgi_in {
	int fd;
	char *buf; /* what was read ahead; NULL: nothing */
	size_t at, end;
	enum fcgi_record type; /* of the record that is being read */
	size_t content, padding; /* the rest of it */
	uint16_t id; /* the request's; 0: it has not begun */
	bool authorizes; /* the web server asks whether it may go on */
	bool ended; /* so has the body */
	bool broken; /* the web server left, or violates the protocol */
};

/* Uses the socket, which must not block.  fcgi_in_free() does not close it;
 * whoever does must call task_forget() before. */
void fcgi_in_init(struct fcgi_in *, int fd);
void fcgi_in_free(struct fcgi_in *);

/* Reads to the end of the parameters.  false: it was not a request.  No
 * pause may be longer than wait_ms. */
bool fcgi_in_head(struct fcgi_in *, struct fcgi_params *, int wait_ms);
/* Reads some of the body: n, 0 at its end, -1 if the connection ended.
 * Waits for the first byte, up to wait_ms. */
ssize_t fcgi_in_body(struct fcgi_in *, void *, size_t len, int wait_ms);

/* The eight bytes before a record's content. */
void fcgi_in_put_head(char *, enum fcgi_record, unsigned id, size_t len);

#endif

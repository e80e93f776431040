/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A recorded exchange as a file (serve/record.h has the form).
 */
#ifndef CTL_CAPTURE_FILE_H
#define CTL_CAPTURE_FILE_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

struct capture_file {
	struct buf text; /* all of it */
	json_t *about; /* its first line */
	struct span request, response;
};

/* Reads the file, which may have any content, and closes it.  NULL; else why it
 * cannot be read, or that it is no recorded exchange. */
const char *capture_file_read(int fd, struct capture_file *);
void capture_file_free(struct capture_file *);
/* A member of its first line: "" or -1 if there is none. */
const char *capture_file_text(const struct capture_file *, const char *name);
int64_t capture_file_number(const struct capture_file *, const char *name);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Reads a recorded exchange; hides how its parts are found.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/jspan.h"
#include "ctl/capture_file.h"

#define FILE_MAX ((size_t)17 << 20)
#define CHUNK 65536

static int
read_all(int fd, struct buf *text)
{
	char chunk[CHUNK];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(text, chunk, (size_t)n);
	if (n == 0 && !buf_failed(text))
		return 0;
	if (n == 0)
		errno = EFBIG;
	return -1;
}

/* Finds the file's parts by the lengths in its first line. */
static bool
find_parts(struct capture_file *file)
{
	struct span text = buf_span(&file->text), line = text;
	const char *end = text.len == 0 ? NULL : memchr(text.p, '\n', text.len);
	int64_t request, response;

	if (end == NULL)
		return false;
	line.len = (size_t)(end - text.p);
	if (jspan_is_deep(line) ||
	    (file->about = json_loadb(line.p, line.len, 0, NULL)) == NULL ||
	    capture_file_number(file, "tailgate_capture") != 1)
		return false;
	request = capture_file_number(file, "request_bytes");
	response = capture_file_number(file, "response_bytes");
	if (request < 0 || response < 0 || (uint64_t)request > text.len ||
	    (uint64_t)response > text.len ||
	    line.len + 1 + (size_t)request + 1 + (size_t)response + 1 !=
		text.len)
		return false;
	file->request = (struct span){ end + 1, (size_t)request };
	file->response =
	    (struct span){ end + 1 + request + 1, (size_t)response };
	return true;
}

const char *
capture_file_read(int fd, struct capture_file *file)
{
	const char *why = NULL;

	memset(file, 0, sizeof(*file));
	buf_init(&file->text, FILE_MAX);
	if (read_all(fd, &file->text) == -1)
		why = strerror(errno);
	else if (!find_parts(file))
		why = "not a recorded exchange of this version";
	close(fd);
	if (why != NULL)
		capture_file_free(file);
	return why;
}

void
capture_file_free(struct capture_file *file)
{
	json_decref(file->about);
	buf_free(&file->text);
	memset(file, 0, sizeof(*file));
}

const char *
capture_file_text(const struct capture_file *file, const char *name)
{
	const char *text =
	    json_string_value(json_object_get(file->about, name));

	return text == NULL ? "" : text;
}

int64_t
capture_file_number(const struct capture_file *file, const char *name)
{
	const json_t *value = json_object_get(file->about, name);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

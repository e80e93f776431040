/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how parameters are written: each pair is two lengths, a name and a
 * value.  They stay where they are: a value is followed by the next pair's
 * first length, which makes room for a NUL once it was read.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "wire/fcgi_params.h"
#include "wire/io.h"

#define LIST_FIRST 32

void
fcgi_params_init(struct fcgi_params *p)
{
	memset(p, 0, sizeof(*p));
	buf_init(&p->raw, FCGI_PARAMS_BYTES);
}

void
fcgi_params_free(struct fcgi_params *p)
{
	/* Keys of clients are among them. */
	if (p->raw.p != NULL)
		explicit_bzero(p->raw.p, p->raw.len);
	buf_free(&p->raw);
	free(p->list);
	p->list = NULL;
	p->n = p->room = 0;
	memset(p->last, 0, sizeof(p->last));
}

bool
fcgi_params_add(struct fcgi_params *p, const char *bytes, size_t len)
{
	if (len > FCGI_PARAMS_BYTES - p->raw.len)
		return false;
	buf_add(&p->raw, bytes, len);
	return true;
}

/* ---- reading ---------------------------------------------------------- */

struct lengths {
	size_t name, value;
};

/* One byte, or four with the first bit set. */
static bool
read_length(const unsigned char **at, const unsigned char *end, size_t *out)
{
	const unsigned char *p = *at;

	if (p == end)
		return false;
	if (*p < 0x80) {
		*out = *p;
		*at = p + 1;
		return true;
	}
	if (end - p < 4)
		return false;
	*out = (size_t)(p[0] & 0x7f) << 24 | (size_t)p[1] << 16 |
	    (size_t)p[2] << 8 | p[3];
	*at = p + 4;
	return true;
}

static bool
read_lengths(
    const unsigned char **at, const unsigned char *end, struct lengths *out)
{
	return read_length(at, end, &out->name) &&
	    read_length(at, end, &out->value) &&
	    out->name <= (size_t)(end - *at) &&
	    out->value <= (size_t)(end - *at) - out->name;
}

static size_t
slot_of(struct span name)
{
	return (name.len * 7 + (unsigned char)name.p[name.len - 1]) %
	    FCGI_PARAMS_SLOTS;
}

static void
add_param(struct fcgi_params *p, struct span name, const char *value)
{
	size_t slot;

	if (name.len == 0)
		return;
	if (p->n == p->room) {
		p->room = p->room == 0 ? LIST_FIRST : 2 * p->room;
		p->list = memory_grow(p->list, p->room * sizeof(*p->list));
	}
	slot = slot_of(name);
	p->list[p->n] = (struct fcgi_param){ (uint32_t)(name.p - p->raw.p),
		(uint32_t)name.len, (uint32_t)(value - p->raw.p),
		p->last[slot] };
	p->last[slot] = ++p->n;
}

bool
fcgi_params_end(struct fcgi_params *p)
{
	const unsigned char *at, *end;
	struct lengths now, next;
	bool more;

	if (p->raw.len == 0)
		return true;
	at = (const unsigned char *)p->raw.p;
	end = at + p->raw.len; /* a NUL, as of every buf */
	if (!read_lengths(&at, end, &now))
		return false;
	do {
		struct span name = { (const char *)at, now.name };
		char *value =
		    p->raw.p + (at - (unsigned char *)p->raw.p) + now.name;

		at = (const unsigned char *)value + now.value;
		more = at < end;
		if (more && !read_lengths(&at, end, &next))
			return false;
		value[now.value] = '\0';
		add_param(p, name, value);
		now = next;
	} while (more);
	return true;
}

const char *
fcgi_params_find(const struct fcgi_params *p, const char *name)
{
	struct span want = span_of(name);
	const char *found = NULL;

	if (want.len == 0)
		return NULL;
	/* From the last one to the first. */
	for (uint32_t i = p->last[slot_of(want)]; i != 0;
	     i = p->list[i - 1].before) {
		const struct fcgi_param *one = &p->list[i - 1];
		const char *value = p->raw.p + one->value;

		if (span_eq(
			(struct span){ p->raw.p + one->name, one->name_len },
			want))
			found = found == NULL
			    ? value
			    : io_param_one(name, value, found);
	}
	return found;
}

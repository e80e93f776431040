/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a set of labels finds its row in the file without a lock.
 */
#include "config.h"

#include <stdatomic.h>
#include <string.h>

#include "state/meters_internal.h"

static bool
put(char *out, size_t *len, const char *text, size_t n)
{
	if (n >= METERS_LABELS_SIZE - *len)
		return false;
	memcpy(out + *len, text, n);
	*len += n;
	out[*len] = '\0';
	return true;
}

/* A label's value may contain anything; three bytes are escaped. */
static bool
put_value(char *out, size_t *len, const char *value)
{
	for (; *value != '\0'; value++) {
		bool ok = *value == '\n' ? put(out, len, "\\n", 2)
		    : *value == '"' || *value == '\\'
		    ? put(out, len, (char[]){ '\\', *value }, 2)
		    : put(out, len, value, 1);

		if (!ok)
			return false;
	}
	return true;
}

bool
meters_labels(
    const struct meters_label *l, size_t n, char out[METERS_LABELS_SIZE])
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		if ((i > 0 && !put(out, &len, ",", 1)) ||
		    !put(out, &len, l[i].name, strlen(l[i].name)) ||
		    !put(out, &len, "=\"", 2) ||
		    !put_value(out, &len, l[i].value) ||
		    !put(out, &len, "\"", 1))
			return false;
	return true;
}

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

/* Names are of the operator's choosing: no need for a keyed hash. */
static uint64_t
key_of(enum meters_kind kind, const struct meters_label *l, size_t n)
{
	uint64_t h = mix(0, kind), word;

	for (size_t i = 0; i < n; i++) {
		const char *p = l[i].value;
		size_t len = strlen(p);

		h = mix(h, len + 1);
		for (; len >= sizeof(word); p += 8, len -= 8) {
			memcpy(&word, p, sizeof(word));
			h = mix(h, word);
		}
		word = 0;
		memcpy(&word, p, len);
		h = mix(h, word);
	}
	return h == 0 ? 1 : h;
}

/* ---- Rows ---- */

/* The key's row, made if it is missing; -1 if the table is full. */
static int
find_row(struct meters_file *f, uint64_t key, uint64_t most)
{
	for (uint32_t i = 0, at = key % METERS_ROWS; i < METERS_ROWS;
	     i++, at = (at + 1) % METERS_ROWS) {
		uint64_t there =
		    atomic_load_explicit(&f->keys[at], memory_order_acquire);

		if (there == key)
			return (int)at;
		if (there != 0)
			continue;
		if (atomic_load(&f->nrows) >= most)
			return -1;
		if (atomic_compare_exchange_strong(&f->keys[at], &there, key)) {
			atomic_fetch_add(&f->nrows, 1);
			return (int)at;
		}
		if (there == key)
			return (int)at;
	}
	return -1;
}

static void
write_labels(struct meters *m, struct meters_row *row, enum meters_kind kind,
    const char labels[METERS_LABELS_SIZE])
{
	pthread_mutex_lock(&m->mutex);
	if (atomic_load(&row->kind) == KIND_NONE) {
		memcpy(row->labels, labels, METERS_LABELS_SIZE);
		atomic_store_explicit(&row->kind, kind, memory_order_release);
	}
	pthread_mutex_unlock(&m->mutex);
}

/* If there is no room for these labels, all of them become "other". */
static struct meters_row *
other_row(struct meters *m, enum meters_kind kind, const struct meters_label *l,
    size_t n)
{
	char labels[METERS_LABELS_SIZE] = "";
	struct meters_label other[8];
	struct meters_row *row;
	int at;

	for (size_t i = 0; i < n; i++)
		other[i] = (struct meters_label){ l[i].name, "other" };
	if ((at = find_row(m->file, key_of(kind, other, n), METERS_ROWS - 1)) ==
	    -1)
		return NULL;
	row = &m->file->rows[at];
	meters_labels(other, n, labels);
	write_labels(m, row, kind, labels);
	return row;
}

struct meters_row *
meters_row(struct meters *m, enum meters_kind kind,
    const struct meters_label *l, size_t n)
{
	char labels[METERS_LABELS_SIZE] = "";
	struct meters_row *row;
	int at = find_row(m->file, key_of(kind, l, n), METERS_ROWS_FULL);

	if (at == -1)
		return other_row(m, kind, l, n);
	row = &m->file->rows[at];
	if (atomic_load_explicit(&row->kind, memory_order_acquire) != KIND_NONE)
		return row;
	if (!meters_labels(l, n, labels)) {
		/* The row stays without labels and is never printed. */
		return other_row(m, kind, l, n);
	}
	write_labels(m, row, kind, labels);
	return row;
}

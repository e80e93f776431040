/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how two texts are compared: their common head and tail first, then the
 * longest common subsequence of the lines between.  If these are very many,
 * none of them counts as common.
 */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ctl/diff.h"

#define AROUND 3
#define CELLS_MAX (4U * 1024 * 1024)

struct lines {
	struct span *line; /* with their line ends */
	size_t n;
};

/* Lines a to a + na of the old text became b to b + nb of the new one. */
struct hunk {
	size_t a, na, b, nb;
};

struct hunks {
	struct hunk *p;
	size_t n;
};

static void *
grab(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	if (p == NULL)
		fatal("out of memory");
	return p;
}

static struct lines
lines_of(struct span text)
{
	struct lines l = { .n = 0 };
	size_t count = 1;

	for (size_t i = 0; i < text.len; i++)
		count += text.p[i] == '\n';
	l.line = grab(count, sizeof(*l.line));
	while (text.len > 0) {
		const char *nl = memchr(text.p, '\n', text.len);
		size_t n = nl == NULL ? text.len : (size_t)(nl - text.p) + 1;

		l.line[l.n++] = (struct span){ text.p, n };
		text.p += n;
		text.len -= n;
	}
	return l;
}

static void
hunk_add(struct hunks *h, size_t a, size_t na, size_t b, size_t nb)
{
	if (na > 0 || nb > 0)
		h->p[h->n++] = (struct hunk){ a, na, b, nb };
}

/* The lines between the common head and tail. */
static void
compare_middle(const struct lines *a, const struct lines *b, size_t head,
    size_t na, size_t nb, struct hunks *h)
{
	uint32_t *best = grab((na + 1) * (nb + 1), sizeof(*best));
	size_t i, j, from_a = 0, from_b = 0;
#define BEST(i, j) best[(i) * (nb + 1) + (j)]

	for (i = na; i-- > 0;)
		for (j = nb; j-- > 0;)
			BEST(i, j) =
			    span_eq(a->line[head + i], b->line[head + j])
			    ? BEST(i + 1, j + 1) + 1
			    : BEST(i + 1, j) > BEST(i, j + 1) ? BEST(i + 1, j)
							      : BEST(i, j + 1);
	for (i = j = 0; i < na && j < nb;) {
		if (span_eq(a->line[head + i], b->line[head + j])) {
			hunk_add(h, head + from_a, i - from_a, head + from_b,
			    j - from_b);
			from_a = ++i;
			from_b = ++j;
		} else if (BEST(i + 1, j) >= BEST(i, j + 1))
			i++;
		else
			j++;
	}
	hunk_add(h, head + from_a, na - from_a, head + from_b, nb - from_b);
#undef BEST
	free(best);
}

static struct hunks
compare(const struct lines *a, const struct lines *b)
{
	struct hunks h = { grab(a->n + b->n, sizeof(*h.p)), 0 };
	size_t head = 0, tail = 0, na, nb;

	while (
	    head < a->n && head < b->n && span_eq(a->line[head], b->line[head]))
		head++;
	while (tail < a->n - head && tail < b->n - head &&
	    span_eq(a->line[a->n - 1 - tail], b->line[b->n - 1 - tail]))
		tail++;
	na = a->n - head - tail;
	nb = b->n - head - tail;
	if ((na + 1) * (nb + 1) > CELLS_MAX)
		hunk_add(&h, head, na, head, nb);
	else
		compare_middle(a, b, head, na, nb, &h);
	return h;
}

/* ---- printing --------------------------------------------------------- */

struct printer {
	const struct lines *a, *b;
	const struct span *hidden;
	size_t nhidden;
	FILE *out;
};

/* The length of the hidden span that begins here; 0: there is none. */
static size_t
hidden_at(const struct printer *p, struct span rest)
{
	for (size_t i = 0; i < p->nhidden; i++)
		if (p->hidden[i].len > 0 && p->hidden[i].len <= rest.len &&
		    memcmp(rest.p, p->hidden[i].p, p->hidden[i].len) == 0)
			return p->hidden[i].len;
	return 0;
}

static void
print_line(const struct printer *p, char sign, struct span line)
{
	fputc(sign, p->out);
	for (size_t i = 0; i < line.len; i++) {
		struct span rest = { line.p + i, line.len - i };
		size_t n = hidden_at(p, rest);

		if (n > 0) {
			fputs("<key>", p->out);
			i += n - 1;
		} else if ((unsigned char)line.p[i] >= ' ' ||
		    line.p[i] == '\t' || line.p[i] == '\n')
			fputc(line.p[i], p->out);
	}
	if (line.len == 0 || line.p[line.len - 1] != '\n')
		fputs("\n\\ No newline at end of file\n", p->out);
}

/* The hunks i to j, close to each other, as one. */
static void
print_group(const struct printer *p, const struct hunk *i, const struct hunk *j)
{
	size_t before = i->a < AROUND ? i->a : AROUND;
	size_t left = p->a->n - (j->a + j->na);
	size_t after = left < AROUND ? left : AROUND;
	size_t na = j->a + j->na + after - (i->a - before);
	size_t nb = j->b + j->nb + after - (i->b - before);
	size_t at = i->a - before;

	fprintf(p->out, "@@ -%zu,%zu +%zu,%zu @@\n", at + (na > 0), na,
	    i->b - before + (nb > 0), nb);
	for (; i <= j; i++) {
		for (; at < i->a; at++)
			print_line(p, ' ', p->a->line[at]);
		for (size_t k = 0; k < i->na; k++)
			print_line(p, '-', p->a->line[i->a + k]);
		for (size_t k = 0; k < i->nb; k++)
			print_line(p, '+', p->b->line[i->b + k]);
		at = i->a + i->na;
	}
	for (size_t k = 0; k < after; k++)
		print_line(p, ' ', p->a->line[at + k]);
}

void
diff_print(const char *name, struct span before, struct span after,
    const struct span *hidden, size_t n, FILE *out)
{
	struct lines a = lines_of(before), b = lines_of(after);
	struct hunks h = compare(&a, &b);
	struct printer p = { &a, &b, hidden, n, out };

	if (h.n > 0)
		fprintf(out, "--- %s\n+++ %s\n", name, name);
	for (size_t i = 0, j; i < h.n; i = j + 1) {
		for (j = i; j + 1 < h.n &&
		     h.p[j + 1].a - (h.p[j].a + h.p[j].na) <= 2 * AROUND;)
			j++;
		print_group(&p, &h.p[i], &h.p[j]);
	}
	free(h.p);
	free(a.line);
	free(b.line);
}

/* ---- taking back ------------------------------------------------------ */

static bool
stands_at(const struct lines *in, size_t at, const struct lines *what,
    size_t from, size_t n)
{
	if (at + n > in->n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!span_eq(in->line[at + i], what->line[from + i]))
			return false;
	return true;
}

/* Finds the new side of a hunk in current, from `start` on.  Compares as many
 * lines around it as it takes to leave only one place.  SIZE_MAX: there is no
 * place, or more than one. */
static size_t
find(const struct lines *after, const struct hunk *h,
    const struct lines *current, size_t start)
{
	for (size_t around = 0; around <= AROUND; around++) {
		size_t before = h->b < around ? h->b : around;
		size_t left = after->n - (h->b + h->nb);
		size_t n = before + h->nb + (left < around ? left : around);
		size_t found = SIZE_MAX, count = 0;

		if (n == 0 && current->n > 0)
			continue;
		for (size_t i = start < before ? 0 : start - before;
		     i + n <= current->n; i++)
			if (stands_at(current, i, after, h->b - before, n)) {
				found = i + before;
				count++;
			}
		if (count == 1)
			return found;
		if (count == 0 && h->nb > 0)
			return SIZE_MAX;
	}
	return SIZE_MAX;
}

int
diff_take_back(
    struct span before, struct span after, struct span current, struct buf *out)
{
	struct lines a = lines_of(before), b = lines_of(after);
	struct lines c = lines_of(current);
	struct hunks h = compare(&a, &b);
	size_t at = 0;
	int status = 0;

	for (size_t i = 0; i < h.n && status == 0; i++) {
		size_t place = find(&b, &h.p[i], &c, at);

		if (place == SIZE_MAX || place < at) {
			status = -1;
			break;
		}
		for (; at < place; at++)
			buf_add(out, c.line[at].p, c.line[at].len);
		for (size_t k = 0; k < h.p[i].na; k++)
			buf_add(out, a.line[h.p[i].a + k].p,
			    a.line[h.p[i].a + k].len);
		at += h.p[i].nb;
	}
	for (; status == 0 && at < c.n; at++)
		buf_add(out, c.line[at].p, c.line[at].len);
	free(h.p);
	free(a.line);
	free(b.line);
	free(c.line);
	return status;
}

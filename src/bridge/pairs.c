/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how calls and results find each other: sorted by id and then by their
 * order, so that no conversation costs more than n log n.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/jscan.h"
#include "base/memory.h"
#include "bridge/pairs.h"

enum kind { KIND_CALL, KIND_LEFT_OUT, KIND_RESULT };

struct pairs_event {
	struct span id;
	uint32_t order;
	uint32_t number : 30; /* of the call or result */
	uint32_t kind : 2;
};

void
pairs_free(struct pairs *p)
{
	free(p->events);
	free(p->calls);
	free(p->results);
	if (p->arena != NULL)
		arena_free(p->arena);
	memset(p, 0, sizeof(*p));
}

static void *
grown(void *list, size_t n, size_t *size, size_t of)
{
	if (n < *size)
		return list;
	*size = *size == 0 ? 16 : *size + *size / 2;
	return memory_list(list, *size, of);
}

static void
add_event(struct pairs *p, enum kind kind, struct span id, size_t number)
{
	struct pairs_event *e;

	if (id.len > 0 && memchr(id.p, '\\', id.len) != NULL) {
		char *text;

		if (p->arena == NULL)
			p->arena = arena_new();
		text = arena_alloc(p->arena, id.len);
		id = (struct span){ text, jscan_decode(id, text) };
	}
	p->events =
	    grown(p->events, p->nevents, &p->events_size, sizeof(*p->events));
	e = &p->events[p->nevents];
	e->id = id;
	e->order = (uint32_t)p->nevents++;
	e->number = number & 0x3fffffff;
	e->kind = kind;
}

void
pairs_call(struct pairs *p, struct span id)
{
	add_event(p, KIND_CALL, id, p->ncalls++);
}

void
pairs_left_out(struct pairs *p, struct span id)
{
	add_event(p, KIND_LEFT_OUT, id, 0);
}

void
pairs_result(struct pairs *p, struct span id, struct span item, size_t index,
    enum pairs_fate otherwise)
{
	p->results = grown(
	    p->results, p->nresults, &p->results_size, sizeof(*p->results));
	p->results[p->nresults] = (struct pairs_result){
		.item = item, .index = (uint32_t)index, .fate = otherwise
	};
	add_event(p, KIND_RESULT, id, p->nresults++);
}

static int
compare_ids(struct span a, struct span b)
{
	size_t least = a.len < b.len ? a.len : b.len;
	int order = least == 0 ? 0 : memcmp(a.p, b.p, least);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int
compare(const void *one, const void *other)
{
	const struct pairs_event *a = one, *b = other;
	int order = compare_ids(a->id, b->id);

	return order != 0 ? order
			  : (a->order > b->order) - (a->order < b->order);
}

void
pairs_match(struct pairs *p)
{
	const struct pairs_event *open = NULL;

	p->calls = memory_zero((p->ncalls + 1) * sizeof(*p->calls));
	if (p->nevents > 0)
		qsort(p->events, p->nevents, sizeof(*p->events), compare);
	for (size_t i = 0; i < p->nevents; i++) {
		const struct pairs_event *e = &p->events[i];

		if (open != NULL && compare_ids(open->id, e->id) != 0)
			open = NULL;
		if (e->kind != KIND_RESULT) {
			open = e;
			continue;
		}
		if (open == NULL)
			continue;
		if (open->kind == KIND_LEFT_OUT) {
			p->results[e->number].fate = PAIRS_LEFT_OUT;
			continue;
		}
		p->results[e->number].fate = PAIRS_ANSWERS;
		p->calls[open->number] = e->number + 1;
		open = NULL;
	}
	free(p->events);
	p->events = NULL;
	p->nevents = p->events_size = 0;
}

const struct pairs_result *
pairs_of_call(const struct pairs *p, size_t call)
{
	if (call >= p->ncalls || p->calls[call] == 0)
		return NULL;
	return &p->results[p->calls[call] - 1];
}

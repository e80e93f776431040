/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Shared by the files of the Responses API only.
 */
#ifndef BRIDGE_RESPONSES_H
#define BRIDGE_RESPONSES_H

#include "bridge/input.h"
#include "bridge/run.h"

#define RESPONSES_ID_SIZE 160
/* The function that a client's own search for tools becomes. */
#define RESPONSES_SEARCH "tool_search"

/* Does the client run this tool_search (or a call of it, or its output)?
 * Otherwise the provider does. */
bool bridge_responses_is_ours(struct span object);

/* Reads the content of an item, a string or a list of parts; -1: refused. */
int responses_parts(struct input *, struct span content, struct pieces *parts);

/* An event up to its number, and its end. */
void responses_event(struct bridge_run *, struct buf *out, const char *type);
void responses_event_end(struct buf *out);

/* The id of the item that is open: PREFIX_REQUEST_SLOT. */
void responses_id(
    const struct bridge_run *, const char *prefix, char out[RESPONSES_ID_SIZE]);
/* ,"item_id":…,"output_index":… */
void
responses_place(const struct bridge_run *, struct buf *out, const char *prefix);

/* The position of the next item in run->items. */
size_t responses_item_begin(struct bridge_run *);
/* Writes the events of the item that was written from there. */
void responses_item_done(struct bridge_run *, size_t from, struct buf *out);

/* responses_calls.c: see struct bridge_ops. */
void responses_carry(struct bridge_run *, struct span text, struct buf *out);
void
responses_call_open(struct bridge_run *, struct bridge_call *, struct buf *out);
void responses_call_delta(struct bridge_run *, struct bridge_call *,
    struct span delta, struct buf *out);
void responses_call_close(
    struct bridge_run *, struct bridge_call *, struct buf *out);
void responses_call_leave(
    struct bridge_run *, struct bridge_call *, struct buf *out);

#endif

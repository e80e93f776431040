/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The mapped file behind the meters, between meters*.c only: meters.c counts,
 * meters_row.c finds the row of a set of labels, meters_text.c prints.
 *
 * A row belongs to one set of labels and is found by their hash.  It is claimed
 * by compare-and-swap on its key; its labels follow from the request, so that a
 * process that finds a row claimed but not yet written writes the same bytes.
 * Labels are names of the configuration, status codes and the codes of
 * refusals: they are few.  When the table is three quarters full, new sets are
 * counted under "other".  Rows are never removed: a counter does not go down,
 * whatever is reloaded or crashes.
 */
#ifndef STATE_METERS_INTERNAL_H
#define STATE_METERS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/meters.h"
#include "state/process.h"

#define METERS_MAGIC UINT64_C(0x7461696c4d455431) /* "tailMET1" */
#define METERS_NAME "meters"
#define METERS_ROWS 4096
#define METERS_ROWS_FULL (METERS_ROWS / 4 * 3)
#define METERS_LABELS_SIZE 320
#define METERS_VALUES 40

/* Upper bounds of a histogram's buckets in milliseconds; one more has none. */
#define METERS_BOUNDS 16
extern const int64_t meters_bounds[METERS_BOUNDS];
/* A histogram's values: its buckets, the unbounded one, the sum. */
#define METERS_HISTOGRAM (METERS_BOUNDS + 2)

enum meters_kind { KIND_NONE, KIND_REQUESTS, KIND_USE, KIND_TIME, KIND_WAIT };

/* Values of a KIND_USE row. */
enum meters_use {
	USE_INPUT,
	USE_CACHED,
	USE_CACHE_WRITE,
	USE_OUTPUT,
	USE_REASONING,
	USE_COST,
	USE_BYTES_IN,
	USE_BYTES_OUT,
	USE_BYTES_SENT,
	USE_ESTIMATED,
	USE_UNPRICED,
	USE_SENT
};
/* Of a KIND_TIME row: where its two histograms begin. */
enum meters_time { TIME_FIRST_BYTE = 0, TIME_TOTAL = METERS_HISTOGRAM };

_Static_assert(2 * METERS_HISTOGRAM <= METERS_VALUES,
    "two histograms fit into a row");

struct meters_row {
	_Atomic uint32_t kind; /* KIND_NONE until the labels are there */
	char labels[METERS_LABELS_SIZE]; /* as they are printed */
	_Atomic uint64_t values[METERS_VALUES];
};

enum meters_store_state { STORE_NONE, STORE_UP, STORE_DOWN };

struct meters_cell {
	_Atomic uint64_t owner; /* process id */
	_Atomic int busy;
	_Atomic int unwritten; /* lines of the ledger */
	_Atomic int unlogged; /* lines of the log */
	_Atomic unsigned sandbox; /* enum sandbox_force */
	_Atomic unsigned turn_us; /* the longest turn of its loop */
	_Atomic unsigned capacity; /* requests that it may hold */
	_Atomic unsigned store; /* enum meters_store_state */
	_Atomic int64_t store_since_ms, store_us;
};

struct meters_file {
	_Atomic uint64_t nrows;
	_Atomic uint64_t store_calls, store_failed;
	_Atomic uint64_t keys[METERS_ROWS];
	struct meters_row rows[METERS_ROWS];
	struct meters_cell cells[PROCESS_MAX];
};

struct meters {
	const struct config *config;
	struct meters_file *file;
	pthread_mutex_t mutex; /* for writing labels */
	struct meters_store store; /* of this process, as last reported */
};

struct meters_label {
	const char *name, *value;
};

/* `client="laptop",model="chat"`; false if it is too long. */
bool meters_labels(const struct meters_label *, size_t n,
    char out[METERS_LABELS_SIZE]);
/* The row of these labels, or, if there is no room for them, that of
 * "other"; NULL if there is no room for that either. */
struct meters_row *meters_row(struct meters *, enum meters_kind,
    const struct meters_label *, size_t n);

#endif

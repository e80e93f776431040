/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The mapped file behind the budgets, between budget*.c only: budget.c reserves
 * and settles, budget_check.c says whether there is room, budget_window.c
 * counts over time, budget_book.c keeps layout, lock and repair,
 * budget_rebuild.c makes it from the ledger, budget_journal.c keeps it
 * consistent with the file of another version (budget_journal_read.c reads what
 * the other wrote), budget_users.c knows who uses which.
 *
 * There is a row for each client and each model that has a budget, found by the
 * hash of its name (budget_rows.c).  A row counts what was used in the last
 * minute (a ring of one-second buckets, so that no 60 seconds ever see more
 * than the bound), this UTC day and this UTC month, and what is held by
 * reservations now.  Each reservation is a cell with its owner's process id;
 * the cells are the truth, and what a row holds is their sum.
 *
 * All of it is changed under one lock word holding the owner's process id.  It
 * is held for less than a microsecond.  If its owner is found dead, the process
 * that wants the lock takes it over and rebuilds the rows' sums from the cells.
 */
#ifndef STATE_BUDGET_INTERNAL_H
#define STATE_BUDGET_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "state/budget.h"
#include "state/budget_purse.h"

#define BUDGET_MAGIC UINT64_C(0x7461696c42554438) /* "tailBUD8" */
#define BUDGET_NAME "budget"
#define BUDGET_CELLS 8192
#define BUDGET_NOTES 4096
#define BUDGET_ROWS \
	(CONFIG_CLIENTS_MAX + CONFIG_MODELS_MAX + 2 * BUDGET_CELLS)
/* One more than a minute: the oldest bucket is only partly over. */
#define BUDGET_BUCKETS 61
#define BUDGET_DAY_MS INT64_C(86400000)

struct budget_window {
	int64_t period; /* which day, which month */
	int64_t nanousd;
	uint64_t tokens, requests;
};

/* What this host may spend of a bound that hosts share (budget_purse.h). */
struct budget_purse {
	int64_t base, allowed;
	int64_t retired; /* what the store counts instead of base */
	int64_t others_used, others_held; /* as last heard */
	uint64_t begun; /* the store has answered */
};

struct budget_share {
	uint64_t shared; /* the row's budget is */
	uint64_t state; /* enum budget_purse_state */
	uint64_t version, hosts, run; /* the store's, as last heard */
	uint64_t turn, turn_owner; /* the call under way; 0: none */
	int64_t turn_ms; /* when it began; all times since boot */
	int64_t told_ms; /* the last answer */
	int64_t busy_ms; /* the last reservation */
	int64_t hungry_ms; /* the last time that another host lacked */
	int64_t wanted[PURSE_KINDS]; /* by requests that do not fit */
	/* Of all hosts in a minute, and when it was heard (budget_rate.c). */
	int64_t rate_requests, rate_tokens, rate_ms;
	struct budget_purse purses[PURSE_KINDS];
};

struct budget_row {
#ifdef TAILGATE_OTHER_VERSION /* for tests/upgrade.sh */
	uint64_t other_form[3];
#endif
	struct budget_window day, month;
	int64_t second; /* of the newest bucket, since boot */
	uint32_t requests[BUDGET_BUCKETS];
	uint32_t tokens[BUDGET_BUCKETS]; /* no more than UINT32_MAX */
	uint64_t held_tokens;
	int64_t held_nanousd;
	uint32_t in_flight;
	struct budget_share share;
	/* budget_earlier.c: */
	struct budget_window seen_day, seen_month;
	uint64_t unnoted_tokens; /* for which no note was left */
	int64_t unnoted_nanousd;
};

struct budget_cell {
	uint64_t owner; /* process id; 0: free */
	int32_t client, model; /* rows, -1: none */
	uint64_t tokens;
	int64_t nanousd;
	uint64_t ticket; /* see budget_journal.c */
};

/* A settlement of which the line may not be written (budget_earlier.c). */
struct budget_note {
	uint64_t key; /* of the row; 0: its line was found */
	uint64_t tokens;
	int64_t nanousd, wall_ms;
};

struct budget_file {
	_Atomic uint64_t lock;
	uint64_t built; /* from the account */
	uint64_t boot; /* the boot of the machine in which it was made */
	int64_t offset_ms; /* of the wall clock to the time since boot */
	uint64_t stale; /* the clock was set: the ledger must be read */
	int64_t reaped_ms;
	uint32_t hint; /* a cell that may be free */
	/* No later cell and no later row was ever used: their pages are never
	 * touched.  Read them by the functions below. */
	uint32_t ncells, nrows;
	/* budget_purse.c, budget_host.c: */
	uint64_t host, incarnation, alone; /* 0: not asked yet */
	uint64_t seq; /* of calls to the store */
	uint64_t store_known; /* the engine has told its time: */
	int64_t store_ms; /* its clock, less the time since boot */
	/* budget_earlier.c: when the rows were looked at; 0: not yet. */
	int64_t seen_wall_ms, seen_ms;
	uint64_t reader; /* the process that reads the ledger; 0: none */
	uint64_t nnotes;
	/* budget_journal.c: */
	uint64_t id; /* of this file, random */
	uint64_t stage; /* enum budget_stage */
	uint64_t journal; /* its inode, */
	uint64_t followed; /* and how far we have read it */
	int64_t stage_ms, looked_ms; /* since boot */
	uint64_t keys[BUDGET_ROWS]; /* 0: a free row */
	struct budget_cell cells[BUDGET_CELLS];
	struct budget_note notes[BUDGET_NOTES];
	/* Only rows that a name has had, and the first few, have disk
	 * blocks. */
	struct budget_row rows[BUDGET_ROWS];
};

static inline int
budget_ncells(const struct budget_file *f)
{
	return f->ncells < BUDGET_CELLS ? (int)f->ncells : BUDGET_CELLS;
}

static inline int
budget_nrows(const struct budget_file *f)
{
	return f->nrows < BUDGET_ROWS ? (int)f->nrows : BUDGET_ROWS;
}

/* The row of a name. */
struct budget_place {
	uint64_t key; /* 0: it has no budget, and no row */
	int row; /* -1: none was found */
};

struct budget_book {
	const struct config *config;
	const struct budget_history *history; /* NULL: none */
	struct budget_file *file;
	bool copy; /* file is an onlooker's own */
	struct budget_place *clients, *models; /* by index */
	int user_fd; /* locked: somebody uses the file of this id */
	struct budget_host *host; /* NULL: no budget is shared */
};

/* The moment, by both clocks: days and months follow the wall clock, a
 * minute the time since boot. */
struct budget_now {
	int64_t wall_ms, boot_ms;
};

/* One side of a request, its client or its model, with its row. */
struct budget_side {
	const char *kind, *name;
	const struct budget *budget;
	struct budget_row *row; /* NULL: none */
	struct budget_now now; /* of its windows */
	bool lacks; /* its purse has too little */
	bool asks; /* what would be said: the store would fill the purse */
};

/* ---- Amounts within their type ---- */

static inline int64_t
budget_amount(uint64_t v)
{
	return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static inline int64_t
budget_at_least_0(int64_t v)
{
	return v < 0 ? 0 : v;
}

/* ---- budget_book.c ---- */

/* Gives all names their rows and takes the lock; -1 with errno: no rows, no
 * lock. */
int budget_lock_placed(struct budget_book *, struct budget_now);
void budget_lock(struct budget_book *);
void budget_unlock(struct budget_book *);
/* Adds the cell's amounts to its rows (sign 1), or takes them off (-1). */
void budget_count_cell(
    struct budget_file *, const struct budget_cell *, int sign);
/* The boot of the machine, as far as the system can tell. */
uint64_t budget_boot(void);
/* Gives back the reservations of dead processes; true if there were any. */
bool budget_reap(struct budget_file *);
/* Computes the rows' sums of what is held from the cells. */
void budget_repair(struct budget_file *);

/* ---- budget_copy.c ---- */

/* An onlooker's own copy of the file as it is at this moment.  NULL with errno:
 * no memory. */
struct budget_file *budget_copy(const struct budget_file *);
void budget_copy_free(struct budget_file *);

/* ---- budget.c ---- */

/* A free cell; -1: there is none. */
int budget_find_cell(struct budget_file *);
/* All cells are free afterwards. */
void budget_clear_cells(struct budget_file *);
/* Locks, and finds the rows of a client and a model (NULL: none), or makes
 * them.  The caller unlocks. */
void budget_lock_sides(struct budget_book *, const struct client *,
    const struct model *, struct budget_now, struct budget_side sides[2]);

/* ---- budget_rows.c ---- */

/* FNV-1a over kind ('c', 'm') and name; never 0. */
uint64_t budget_key(char kind, struct span name);
/* The row that has the key now; -1: none. */
struct budget_index *budget_index_new(const struct budget_file *);
int budget_index_find(const struct budget_index *, uint64_t key);
void budget_index_free(struct budget_index *);
/* Lists the names of the configuration that have a budget. */
void budget_name_places(struct budget_book *);
/* Under the lock: finds or makes their rows.  Returns by how many rows the
 * file must grow first. */
size_t budget_place_rows(struct budget_book *, struct budget_now);
/* Without the lock.  -1 with errno. */
int budget_grow_rows(struct budget_book *, size_t more);
/* NULL: it has no budget; or *lost: its row now belongs to another name. */
struct budget_row *budget_row_of(
    struct budget_book *, const struct budget_place *, bool *lost);

/* ---- budget_window.c ---- */

struct budget_now budget_clock(void);
/* Under the lock, before the rows are read: if the clock was set, the rows
 * keep what they have counted, under the new day and month, and the file is
 * marked stale. */
void budget_adjust_clock(struct budget_file *, struct budget_now);
int64_t budget_day(int64_t wall_ms);
int64_t budget_month(int64_t wall_ms);
int64_t budget_month_begin(int64_t month); /* wall clock, ms */
/* Resets the periods that are over. */
void budget_roll(struct budget_row *, struct budget_now);
void budget_spend_window(struct budget_window *, bool request,
    uint64_t tokens, int64_t nanousd);
void budget_spend_minute(
    struct budget_row *, int64_t second, uint64_t tokens);
int64_t budget_minute_requests(const struct budget_row *);
int64_t budget_minute_tokens(const struct budget_row *);
/* How long until `excess` of what the minute counts has left it; for
 * INT64_MAX until all of it has. */
int64_t budget_minute_wait(const struct budget_row *, bool tokens,
    int64_t excess, struct budget_now);

/* ---- budget_check.c ---- */

/* This thread's buffer for a message. */
#define BUDGET_MESSAGE_SIZE 200
extern _Thread_local char budget_message[BUDGET_MESSAGE_SIZE];
/* Always -1. */
int budget_refuse(struct refused *, enum refusal, int64_t retry_after_ms);
/* Is there room on both sides?  -1: no, *out says why. */
int budget_check(struct budget_side sides[2],
    const struct budget_reservation *, struct refused *out);
/* What is left of the tightest bound of each kind. */
void budget_find_room(
    const struct budget_side sides[2], struct budget_room *);

/* ---- budget_purse.c ---- */

/* The moment by the engine's clock, where it has told it: by that go the days
 * and months of what is shared. */
struct budget_now budget_purse_now(
    const struct budget_file *, struct budget_now);
/* Under the lock: the row is of this budget. */
void budget_purse_place(struct budget_row *, const struct budget *);
/* A window is about to end: what is allowed and not used stays the host's. */
void budget_purse_carry(struct budget_row *, enum budget_purse_kind);
/* Does it fit into the purse? */
bool budget_purse_fits(
    const struct budget_row *, enum budget_purse_kind, int64_t want);
/* It does not: notes that it is wanted. */
void budget_purse_lack(
    const struct budget_side *, const struct budget_reservation *);
int64_t budget_purse_bound(const struct budget *, enum budget_purse_kind);
/* Of what is allowed, this much is used. */
int64_t budget_purse_spent(
    const struct budget_row *, enum budget_purse_kind);
/* What this host has used in the window, and what its requests hold. */
int64_t budget_row_used(const struct budget_row *, enum budget_purse_kind);
int64_t budget_row_held(const struct budget_row *, enum budget_purse_kind);
/* What all hosts have used, and hold or have in advance, as last heard. */
int64_t budget_purse_used(
    const struct budget_row *, enum budget_purse_kind);
int64_t budget_purse_held(
    const struct budget_row *, enum budget_purse_kind);

/* ---- budget_host.c ---- */

/* Which host and which incarnation this is, from state_dir, if a budget is
 * shared.  -1: one line in why. */
int budget_host_open(struct budget_book *, char *why, size_t size);
void budget_host_close(struct budget_host *);
/* No process uses an earlier file (any more). */
bool budget_host_alone(struct budget_host *);

/* ---- budget_users.c ---- */

/* Says that this process uses the file.  -1: one line in why. */
int budget_users_join(struct budget_book *, char *why, size_t size);
/* Does a process use another file?  A process that can't be checked counts
 * as using it. */
bool budget_users_others(const struct budget_book *);

/* ---- budget_journal.c ---- */

enum budget_stage {
	BUDGET_ALONE, /* all serving processes use this file */
	BUDGET_LEAVING, /* a program with another form may follow */
	BUDGET_FOLLOWING, /* this file was made from another form's */
};

/* Under the lock, before the rows are looked at: reads what others did, and
 * keeps them out until budget_journal_leave().  -1: there are no others. */
int budget_journal_enter(struct budget_book *, struct budget_now);
void budget_journal_leave(int journal);
/* Records what we did between the two.  rows: of client and model, -1: none. */
void budget_journal_reserved(int journal, struct budget_book *,
    const struct budget_cell *, bool request, struct budget_now);
void budget_journal_settled(int journal, struct budget_book *,
    const int rows[2], uint64_t ticket, bool request, uint64_t tokens,
    int64_t nanousd, struct budget_now);

/* The journal, locked until it is closed; -1: there is none. */
int budget_journal_open(const struct budget_book *, int flags);
/* The first line of a journal of this boot; its length. */
int budget_journal_head(char *line, size_t size);

/* ---- budget_journal_read.c ---- */

/* Under the lock: a new file from one of another form that is still in use.
 * False: there is none. */
bool budget_journal_import(struct budget_book *);
/* Reads what others have written since; fd: of the locked journal. */
void budget_journal_follow(int fd, struct budget_book *, struct budget_now);

static inline uint64_t
budget_ticket(uint64_t owner, int cell)
{
	return owner * BUDGET_CELLS + (uint64_t)cell;
}

/* ---- budget_rebuild.c ---- */

/* Under the lock: rebuilds all of it from the ledger. */
void budget_build(struct budget_book *, struct budget_now);
/* Without the lock: if the clock was set, the ledger says what was used on
 * the new day and month; each window becomes the larger of that and what it
 * counted.  False: nothing was to be read, or another process reads it. */
bool budget_catch_up(struct budget_book *);
/* Without the lock, by f->reader: makes each row what the ledger has until the
 * rows were looked at, with what is noted and not in it, and what this file has
 * counted since.  Then the file is alone; if it was already, nothing is
 * changed.  The ledger is read on another thread, if a task calls. */
void budget_add_earlier(struct budget_book *);

/* ---- budget_earlier.c ---- */

/* Under the lock: a row was charged for a try that has ended. */
void budget_note_spent(struct budget_file *, const struct budget_row *,
    uint64_t tokens, int64_t nanousd, struct budget_now);
/* The ledger has this use of the row: its note, if there is one, is done. */
void budget_note_found(struct budget_note *, size_t n, uint64_t key,
    const struct budget_use *);
/* Under the lock: no note is needed any more. */
void budget_forget_notes(struct budget_file *);

/* ---- budget_rate.c ------------------------------------------------------ */

/* Requests or tokens in this minute: of all hosts if the budget is shared, as
 * last heard, but never less than this host's own. */
int64_t budget_rate_used(const struct budget_side *, bool tokens);
/* How long ago that was heard; -1: not within the minute. */
int64_t budget_rate_age_ms(const struct budget_side *);
/* What the store would say of shared rates; -1: it would refuse. */
int budget_rate_check(const struct budget_side sides[2],
    const struct budget_reservation *, struct refused *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Budgets: between the plan and the upstream a request reserves the most it
 * can use, and when it has ended it settles what it used.  Hides the mapped
 * file that all processes share, its windows, and how it is put right after
 * a crash.
 *
 * There is a row for each client and each model of the configuration, found
 * by the hash of its name.  A row counts what was used in the last minute (a
 * ring of one-second buckets, so that no 60 seconds ever see more than the
 * bound), this UTC day and this UTC month, and what is held by reservations
 * now.  Each reservation is a cell with its owner's process id; cells are the
 * truth, what a row holds is their sum.
 *
 * All of it is changed under one lock word holding the owner's process id.
 * It is held for less than a microsecond; when its owner is found dead,
 * whoever wants it takes it over and makes the rows' sums from the cells
 * again.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/span.h"
#include "state/budget.h"
#include "state/mapfile.h"
#include "state/process.h"

#define FILE_MAGIC UINT64_C(0x7461696c42554431) /* "tailBUD1" */
#define FILE_NAME "budget"
#define ROWS 2048
#define CELLS 8192
/* One more than a minute: the oldest bucket is only partly over. */
#define BUCKETS 61
#define DAY_MS INT64_C(86400000)
/* Looking who is alive costs some system calls: not more often. */
#define REAP_EVERY_MS 100
/* When what stands in the way is other requests still running. */
#define RETRY_HELD_MS 1000

struct window {
	int64_t period; /* which day, which month */
	int64_t nanousd;
	uint64_t tokens, requests;
};

struct row {
	struct window day, month;
	int64_t second; /* of the newest bucket */
	uint32_t requests[BUCKETS];
	uint32_t tokens[BUCKETS]; /* no more than UINT32_MAX */
	uint64_t held_tokens;
	int64_t held_nanousd;
	uint32_t in_flight;
};

struct cell {
	uint64_t owner; /* process id; 0: free */
	int32_t client, model; /* rows, -1: none */
	uint64_t tokens;
	int64_t nanousd;
};

struct file {
	_Atomic uint64_t lock;
	uint64_t built; /* from the ledger */
	int64_t reaped_ms;
	uint32_t hint; /* where a free cell may be */
	uint64_t keys[ROWS]; /* 0: a free row */
	struct row rows[ROWS];
	struct cell cells[CELLS];
};

struct budget_book {
	const struct config *config;
	const struct budget_history *history; /* NULL: none */
	struct file *file;
	pthread_mutex_t mutex; /* before the lock word: one of us at a time */
	int *client_rows, *model_rows; /* by index */
};

/* What a row is asked about. */
struct side {
	const char *kind, *name;
	const struct budget *budget;
	struct row *row;
};

static _Thread_local char message[200];

/* ---- Sums that stay within their type ---- */

static int64_t
add(int64_t a, int64_t b)
{
	return b > INT64_MAX - a ? INT64_MAX : a + b;
}

static int64_t
amount(uint64_t v)
{
	return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static int64_t
at_least_0(int64_t v)
{
	return v < 0 ? 0 : v;
}

/* ---- The lock ---- */

static bool
try_lock(struct file *f, uint64_t from)
{
	return atomic_compare_exchange_strong(&f->lock, &from, process_id());
}

static void
hold_cell(struct file *f, const struct cell *c, int sign)
{
	const int rows[2] = { c->client, c->model };

	for (int i = 0; i < 2; i++) {
		struct row *r;

		if (rows[i] < 0 || rows[i] >= ROWS)
			continue;
		r = &f->rows[rows[i]];
		if (sign > 0) {
			r->held_tokens = (uint64_t)add(
			    amount(r->held_tokens), amount(c->tokens));
			r->held_nanousd = add(r->held_nanousd, c->nanousd);
			r->in_flight++;
		} else {
			r->held_tokens -= c->tokens < r->held_tokens
			    ? c->tokens
			    : r->held_tokens;
			r->held_nanousd =
			    at_least_0(r->held_nanousd - c->nanousd);
			r->in_flight -= r->in_flight > 0;
		}
	}
}

/* After a crash in the middle: the rows' sums from the cells. */
static void
repair(struct file *f)
{
	for (int i = 0; i < ROWS; i++) {
		f->rows[i].held_tokens = 0;
		f->rows[i].held_nanousd = 0;
		f->rows[i].in_flight = 0;
	}
	for (int i = 0; i < CELLS; i++)
		if (f->cells[i].owner != 0)
			hold_cell(f, &f->cells[i], 1);
}

static void
lock(struct budget_book *b)
{
	struct file *f = b->file;

	pthread_mutex_lock(&b->mutex);
	for (unsigned tries = 1; !try_lock(f, 0); tries++) {
		uint64_t owner = atomic_load(&f->lock);

		if (tries % 64 != 0) {
			sched_yield();
			continue;
		}
		if (owner != 0 && !process_alive(owner) && try_lock(f, owner)) {
			log_warn("budget: put right after a process that died");
			repair(f);
			return;
		}
		usleep(100);
	}
}

static void
unlock(struct budget_book *b)
{
	atomic_store(&b->file->lock, 0);
	pthread_mutex_unlock(&b->mutex);
}

/* Gives back what processes that died had reserved. */
static bool
reap(struct file *f)
{
	uint64_t alive = process_id(), dead = 0;
	bool found = false;

	for (int i = 0; i < CELLS; i++) {
		struct cell *c = &f->cells[i];

		if (c->owner == 0 || c->owner == alive)
			continue;
		if (c->owner != dead && process_alive(c->owner)) {
			alive = c->owner;
			continue;
		}
		dead = c->owner;
		hold_cell(f, c, -1);
		c->owner = 0;
		found = true;
	}
	return found;
}

/* ---- Windows ---- */

static int64_t
day_of(int64_t wall_ms)
{
	return wall_ms / DAY_MS;
}

static int64_t
month_of(int64_t wall_ms)
{
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL)
		return 0;
	return (int64_t)tm.tm_year * 12 + tm.tm_mon;
}

/* Wall time of the month's first moment. */
static int64_t
month_begin(int64_t month)
{
	struct tm tm = { .tm_year = (int)(month / 12),
		.tm_mon = (int)(month % 12),
		.tm_mday = 1 };

	return (int64_t)timegm(&tm) * 1000;
}

/* A clock that was set back by little changes nothing. */
static void
roll_window(struct window *w, int64_t period)
{
	if (w->period == period || w->period == period + 1)
		return;
	memset(w, 0, sizeof(*w));
	w->period = period;
}

static void
roll_minute(struct row *r, int64_t second)
{
	if (second - r->second >= BUCKETS || r->second - second >= BUCKETS) {
		memset(r->requests, 0, sizeof(r->requests));
		memset(r->tokens, 0, sizeof(r->tokens));
		r->second = second;
	}
	while (r->second < second) {
		r->second++;
		r->requests[r->second % BUCKETS] = 0;
		r->tokens[r->second % BUCKETS] = 0;
	}
}

static void
roll(struct row *r, int64_t wall_ms)
{
	roll_minute(r, wall_ms / 1000);
	roll_window(&r->day, day_of(wall_ms));
	/* The month is looked up once a day only. */
	if (r->day.requests == 0 || r->month.period == 0)
		roll_window(&r->month, month_of(wall_ms));
}

static int64_t
minute_requests(const struct row *r)
{
	int64_t sum = 0;

	for (int i = 0; i < BUCKETS; i++)
		sum += r->requests[i];
	return sum;
}

static int64_t
minute_tokens(const struct row *r)
{
	int64_t sum = 0;

	for (int i = 0; i < BUCKETS; i++)
		sum += r->tokens[i];
	return sum;
}

static int64_t
bucket(const struct row *r, bool tokens, int64_t second)
{
	return tokens ? r->tokens[second % BUCKETS]
		      : r->requests[second % BUCKETS];
}

/* How long until `excess` of what the minute counts has passed out of it;
 * for INT64_MAX until all of it has. */
static int64_t
minute_wait(const struct row *r, bool tokens, int64_t excess, int64_t wall_ms)
{
	int64_t last = r->second - BUCKETS;

	for (int64_t s = r->second - BUCKETS + 1; s <= r->second; s++) {
		int64_t v = bucket(r, tokens, s);

		if (v == 0)
			continue;
		last = s;
		if (v >= excess)
			break;
		excess -= v;
	}
	return at_least_0((last + BUCKETS) * 1000 - wall_ms);
}

static int64_t
day_wait(int64_t wall_ms)
{
	return (day_of(wall_ms) + 1) * DAY_MS - wall_ms;
}

/* ---- Refusing ---- */

static int
refuse(struct refused *out, enum refusal refusal, int64_t retry_after_ms)
{
	memset(out, 0, sizeof(*out));
	out->refusal = refusal;
	out->message = message;
	out->retry_after_ms = retry_after_ms > 0 ? retry_after_ms : 1;
	return -1;
}

/* Is there room?  A request that alone is worth more than what is left gets
 * in while something is left and nobody else holds a part of it: so a bound
 * can be used up, and is passed by one estimate at the most. */
static bool
fits(int64_t used, int64_t held, int64_t want, int64_t bound)
{
	if (add(add(used, held), want) <= bound)
		return true;
	return held == 0 && used < bound;
}

static int
refuse_held(const struct side *s, const char *what, struct refused *out)
{
	snprintf(message, sizeof(message),
	    "Requests still running hold the rest of the %s of %s %s; try "
	    "again in a moment.",
	    what, s->kind, s->name);
	return refuse(out, REFUSE_RATE, RETRY_HELD_MS);
}

static int
refuse_spent(const struct side *s, const char *what, int64_t wait_ms,
    struct refused *out)
{
	snprintf(message, sizeof(message),
	    "The %s of %s %s is spent; ask the operator to raise it, or wait "
	    "for the next period.",
	    what, s->kind, s->name);
	return refuse(out, REFUSE_BUDGET, wait_ms);
}

static int
check_money(
    const struct side *s, int64_t nanousd, int64_t wall_ms, struct refused *out)
{
	const struct budget *b = s->budget;
	const struct row *r = s->row;

	if (nanousd == 0)
		return 0;
	if (b->nanousd_per_day > 0 &&
	    !fits(
		r->day.nanousd, r->held_nanousd, nanousd, b->nanousd_per_day)) {
		if (r->day.nanousd < b->nanousd_per_day)
			return refuse_held(s, "daily budget", out);
		return refuse_spent(s, "daily budget", day_wait(wall_ms), out);
	}
	if (b->nanousd_per_month > 0 &&
	    !fits(r->month.nanousd, r->held_nanousd, nanousd,
		b->nanousd_per_month)) {
		if (r->month.nanousd < b->nanousd_per_month)
			return refuse_held(s, "monthly budget", out);
		return refuse_spent(s, "monthly budget",
		    month_begin(month_of(wall_ms) + 1) - wall_ms, out);
	}
	return 0;
}

static int
check_tokens(
    const struct side *s, int64_t tokens, int64_t wall_ms, struct refused *out)
{
	int64_t held = amount(s->row->held_tokens), used, bound;

	bound = amount(s->budget->tokens_per_day);
	used = amount(s->row->day.tokens);
	if (bound > 0 && !fits(used, held, tokens, bound)) {
		if (used < bound)
			return refuse_held(s, "daily tokens", out);
		return refuse_spent(s, "daily tokens", day_wait(wall_ms), out);
	}
	bound = amount(s->budget->tokens_per_minute);
	if (bound == 0 ||
	    fits(used = minute_tokens(s->row), held, tokens, bound))
		return 0;
	if (used == 0)
		return refuse_held(s, "tokens per minute", out);
	snprintf(message, sizeof(message),
	    "%s %s may use %" PRId64 " tokens per minute; wait for the time in "
	    "Retry-After.",
	    s->kind, s->name, bound);
	message[0] = (char)(message[0] - 'a' + 'A');
	return refuse(out, REFUSE_RATE,
	    minute_wait(
		s->row, true, add(add(used, held), tokens) - bound, wall_ms));
}

static int
check_concurrent(const struct side *s, struct refused *out)
{
	const struct budget *b = s->budget;

	if (b->concurrent == 0 || s->row->in_flight < b->concurrent)
		return 0;
	snprintf(message, sizeof(message),
	    "%s %s may have %u requests running at once; try again when one "
	    "has ended.",
	    s->kind, s->name, b->concurrent);
	message[0] = (char)(message[0] - 'a' + 'A');
	return refuse(out, REFUSE_RATE, RETRY_HELD_MS);
}

static int
check_requests(const struct side *s, int64_t wall_ms, struct refused *out)
{
	int64_t bound = amount(s->budget->requests_per_minute), used;

	if (bound == 0 || (used = minute_requests(s->row)) < bound)
		return 0;
	snprintf(message, sizeof(message),
	    "%s %s may make %" PRId64
	    " requests per minute; wait for the time in Retry-After.",
	    s->kind, s->name, bound);
	message[0] = (char)(message[0] - 'a' + 'A');
	return refuse(out, REFUSE_RATE,
	    minute_wait(s->row, false, used - bound + 1, wall_ms));
}

static int
check(const struct side *sides, const struct budget_hold *h, int64_t wall_ms,
    struct refused *out)
{
	for (int i = 0; i < 2; i++) {
		const struct side *s = &sides[i];

		if (s->row == NULL)
			continue;
		if (check_money(s, h->nanousd, wall_ms, out) == -1 ||
		    check_concurrent(s, out) == -1 ||
		    (!h->again && check_requests(s, wall_ms, out) == -1) ||
		    check_tokens(s, amount(h->tokens), wall_ms, out) == -1)
			return -1;
	}
	return 0;
}

/* ---- The room that is left ---- */

static void
room_init(struct budget_room *room)
{
	room->requests_limit = room->requests_left = -1;
	room->tokens_limit = room->tokens_left = -1;
	room->requests_reset_ms = room->tokens_reset_ms = -1;
}

static void
room_requests(
    struct budget_room *room, int64_t limit, int64_t used, int64_t reset_ms)
{
	int64_t left = at_least_0(limit - used);

	if (room->requests_limit >= 0 && room->requests_left <= left)
		return;
	room->requests_limit = limit;
	room->requests_left = left;
	room->requests_reset_ms = reset_ms;
}

static void
room_tokens(
    struct budget_room *room, int64_t limit, int64_t used, int64_t reset_ms)
{
	int64_t left = at_least_0(limit - used);

	if (room->tokens_limit >= 0 && room->tokens_left <= left)
		return;
	room->tokens_limit = limit;
	room->tokens_left = left;
	room->tokens_reset_ms = reset_ms;
}

/* The tightest bound of each kind. */
static void
find_room(const struct side *sides, int64_t wall_ms, struct budget_room *room)
{
	room_init(room);
	for (int i = 0; i < 2; i++) {
		const struct budget *b = sides[i].budget;
		const struct row *r = sides[i].row;

		if (r == NULL)
			continue;
		if (b->requests_per_minute > 0)
			room_requests(room, amount(b->requests_per_minute),
			    minute_requests(r),
			    minute_wait(r, false, INT64_MAX, wall_ms));
		if (b->tokens_per_minute > 0)
			room_tokens(room, amount(b->tokens_per_minute),
			    add(minute_tokens(r), amount(r->held_tokens)),
			    minute_wait(r, true, INT64_MAX, wall_ms));
		if (b->tokens_per_day > 0)
			room_tokens(room, amount(b->tokens_per_day),
			    add(amount(r->day.tokens), amount(r->held_tokens)),
			    day_wait(wall_ms));
	}
}

/* ---- Reserving and settling ---- */

static int
find_cell(struct file *f)
{
	for (uint32_t i = 0; i < CELLS; i++) {
		uint32_t at = (f->hint + i) % CELLS;

		if (f->cells[at].owner == 0) {
			f->hint = at;
			return (int)at;
		}
	}
	return -1;
}

static struct side
side_of(struct budget_book *b, const char *kind, const char *name,
    const struct budget *budget, int row, int64_t wall_ms)
{
	struct side s = { kind, name, budget, NULL };

	if (row >= 0) {
		s.row = &b->file->rows[row];
		roll(s.row, wall_ms);
	}
	return s;
}

static int
client_row(const struct budget_book *b, const struct client *c)
{
	return c == NULL || c->index >= b->config->nclients
	    ? -1
	    : b->client_rows[c->index];
}

static int
model_row(const struct budget_book *b, const struct model *m)
{
	return m == NULL || m->index >= b->config->nmodels
	    ? -1
	    : b->model_rows[m->index];
}

static void
find_sides(struct budget_book *b, const struct client *client,
    const struct model *model, int64_t wall_ms, struct side sides[2])
{
	sides[0] = side_of(b, "client", client == NULL ? "" : client->name,
	    client == NULL ? NULL : &client->budget, client_row(b, client),
	    wall_ms);
	sides[1] = side_of(b, "model", model == NULL ? "" : model->id,
	    model == NULL ? NULL : &model->budget, model_row(b, model),
	    wall_ms);
}

/* May be asked again after the dead have given back what they held. */
static bool
reap_now(struct file *f, int64_t wall_ms)
{
	int64_t since = wall_ms - f->reaped_ms;

	if (since >= 0 && since < REAP_EVERY_MS)
		return false;
	f->reaped_ms = wall_ms;
	return reap(f);
}

static int
take_cell(struct file *f, struct budget_hold *h, int client, int model,
    int64_t wall_ms)
{
	struct cell *c;

	h->cell = find_cell(f);
	if (h->cell == -1 && reap_now(f, wall_ms))
		h->cell = find_cell(f);
	if (h->cell == -1)
		return -1;
	c = &f->cells[h->cell];
	c->client = client;
	c->model = model;
	c->tokens = h->tokens;
	c->nanousd = h->nanousd;
	c->owner = process_id();
	hold_cell(f, c, 1);
	return 0;
}

static int
reserve(struct budget_book *b, const struct side *sides, int64_t wall_ms,
    struct budget_hold *h, struct refused *out)
{
	struct file *f = b->file;

	if (check(sides, h, wall_ms, out) == -1 &&
	    (!reap_now(f, wall_ms) || check(sides, h, wall_ms, out) == -1))
		return -1;
	if (take_cell(f, h, client_row(b, h->client), model_row(b, h->model),
		wall_ms) == -1) {
		snprintf(message, sizeof(message), "%s",
		    refusal_spec(REFUSE_OVERLOADED)->text);
		return refuse(out, REFUSE_OVERLOADED, RETRY_HELD_MS);
	}
	for (int i = 0; i < 2; i++)
		if (sides[i].row != NULL && !h->again)
			sides[i]
			    .row->requests[sides[i].row->second % BUCKETS]++;
	return 0;
}

int
budget_reserve(struct budget_book *b, const struct client *client,
    const struct model *model, uint64_t tokens, int64_t nanousd,
    struct budget_hold *hold, struct budget_room *room, struct refused *refused)
{
	int64_t wall_ms = clock_wall_ms();
	struct side sides[2];
	int rc;

	/* No price known: it gets in until the money is spent. */
	*hold = (struct budget_hold){ .again = hold->again,
		.client = client,
		.model = model,
		.tokens = tokens > 0 ? tokens : 1,
		.nanousd = nanousd < 0 ? 1 : nanousd,
		.cell = -1 };
	lock(b);
	find_sides(b, client, model, wall_ms, sides);
	rc = reserve(b, sides, wall_ms, hold, refused);
	find_room(sides, wall_ms, room);
	unlock(b);
	if (rc == -1)
		*hold = (struct budget_hold){ .cell = -1 };
	return rc;
}

static void
spend_window(struct window *w, bool request, uint64_t tokens, int64_t nanousd)
{
	w->requests += request;
	w->tokens = (uint64_t)add(amount(w->tokens), amount(tokens));
	w->nanousd = add(w->nanousd, nanousd);
}

static void
spend_minute(struct row *r, int64_t second, uint64_t tokens)
{
	uint32_t *minute = &r->tokens[second % BUCKETS];

	*minute = tokens < UINT32_MAX - *minute ? *minute + (uint32_t)tokens
						: UINT32_MAX;
}

static void
spend(struct row *r, bool request, uint64_t tokens, int64_t nanousd)
{
	spend_minute(r, r->second, tokens);
	spend_window(&r->day, request, tokens, nanousd);
	spend_window(&r->month, request, tokens, nanousd);
}

void
budget_settle(struct budget_book *b, struct budget_hold *hold, uint64_t tokens,
    int64_t nanousd)
{
	int64_t wall_ms = clock_wall_ms();
	struct side sides[2];

	if (hold->client == NULL && hold->model == NULL)
		return;
	lock(b);
	find_sides(b, hold->client, hold->model, wall_ms, sides);
	for (int i = 0; i < 2; i++)
		if (sides[i].row != NULL)
			spend(sides[i].row, !hold->again && !hold->unsent,
			    tokens, at_least_0(nanousd));
	if (hold->cell >= 0 && hold->cell < CELLS &&
	    b->file->cells[hold->cell].owner == process_id()) {
		hold_cell(b->file, &b->file->cells[hold->cell], -1);
		b->file->cells[hold->cell].owner = 0;
		b->file->hint = (uint32_t)hold->cell;
	}
	unlock(b);
	*hold = (struct budget_hold){ .cell = -1 };
}

void
budget_process_ended(struct budget_book *b, int pid)
{
	lock(b);
	if (reap(b->file))
		log_info("budget: reservations of process %d given back", pid);
	unlock(b);
}

static void
look(const struct row *r, struct budget_spent *out)
{
	out->day_nanousd = r->day.nanousd;
	out->month_nanousd = r->month.nanousd;
	out->day_tokens = r->day.tokens;
	out->day_requests = r->day.requests;
	out->minute_tokens = (uint64_t)minute_tokens(r);
	out->minute_requests = (uint64_t)minute_requests(r);
	out->in_flight = r->in_flight;
}

void
budget_look(struct budget_book *b, const struct client *client,
    const struct model *model, struct budget_spent *out)
{
	struct side sides[2];
	const struct row *row;

	lock(b);
	find_sides(b, client, model, clock_wall_ms(), sides);
	row = sides[client == NULL].row;
	memset(out, 0, sizeof(*out));
	if (row != NULL)
		look(row, out);
	unlock(b);
}

/* ---- Opening ---- */

/* FNV-1a over kind and name; never 0. */
static uint64_t
key_of(char kind, struct span name)
{
	uint64_t h = (UINT64_C(0xcbf29ce484222325) ^ (unsigned char)kind) *
	    UINT64_C(0x100000001b3);

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)name.p[i]) * UINT64_C(0x100000001b3);
	return h == 0 ? 1 : h;
}

static bool
is_idle(const struct row *r, int64_t wall_ms)
{
	return r->in_flight == 0 && r->month.period < month_of(wall_ms) &&
	    r->day.period < day_of(wall_ms);
}

/* The name's row, a free one, or one that nobody has used this month. */
static int
find_row(struct file *f, uint64_t key, int64_t wall_ms)
{
	int found = -1;

	for (int i = 0; i < ROWS; i++) {
		if (f->keys[i] == key)
			return i;
		if (found == -1 && f->keys[i] == 0)
			found = i;
	}
	for (int i = 0; i < ROWS && found == -1; i++)
		if (is_idle(&f->rows[i], wall_ms))
			found = i;
	if (found == -1)
		return -1;
	memset(&f->rows[found], 0, sizeof(f->rows[found]));
	f->keys[found] = key;
	/* From now on it is in use, and nobody else's to take. */
	roll(&f->rows[found], wall_ms);
	return found;
}

static int
find_rows(struct budget_book *b)
{
	const struct config *c = b->config;
	int64_t wall_ms = clock_wall_ms();
	int row = 0;

	for (size_t i = 0; i < c->nclients && row != -1; i++)
		row = b->client_rows[i] = find_row(
		    b->file, key_of('c', span_of(c->clients[i].name)), wall_ms);
	for (size_t i = 0; i < c->nmodels && row != -1; i++)
		row = b->model_rows[i] = find_row(
		    b->file, key_of('m', span_of(c->models[i].id)), wall_ms);
	return row == -1 ? -1 : 0;
}

/* A table of the rows by key, for as long as the ledger is read. */
#define INDEX_SIZE (4 * ROWS)

struct rebuild {
	struct budget_book *book;
	int64_t wall_ms, month_begin_ms;
	uint64_t keys[INDEX_SIZE];
	int rows[INDEX_SIZE];
	uint64_t uses;
};

static size_t
index_at(const struct rebuild *r, uint64_t key)
{
	size_t i = key % INDEX_SIZE;

	while (r->keys[i] != 0 && r->keys[i] != key)
		i = (i + 1) % INDEX_SIZE;
	return i;
}

static void
rebuild_row(
    struct rebuild *r, char kind, struct span name, const struct budget_use *u)
{
	struct row *row;
	size_t i;

	if (name.p == NULL)
		return;
	i = index_at(r, key_of(kind, name));
	if (r->keys[i] == 0)
		return;
	row = &r->book->file->rows[r->rows[i]];
	spend_window(&row->month, !u->again, u->tokens, u->nanousd);
	if (day_of(u->end_ms) == row->day.period)
		spend_window(&row->day, !u->again, u->tokens, u->nanousd);
	if (u->end_ms / 1000 > row->second - BUCKETS &&
	    u->end_ms / 1000 <= row->second) {
		row->requests[u->end_ms / 1000 % BUCKETS] += !u->again;
		spend_minute(row, u->end_ms / 1000, u->tokens);
	}
}

static void
rebuild_use(void *ctx, const struct budget_use *u)
{
	struct rebuild *r = ctx;

	if (u->end_ms < r->month_begin_ms || u->end_ms > r->wall_ms)
		return;
	r->uses++;
	rebuild_row(r, 'c', u->client, u);
	rebuild_row(r, 'm', u->model, u);
}

static void
rebuild(struct budget_book *b)
{
	struct rebuild *r = calloc(1, sizeof(*r));
	struct file *f = b->file;

	if (r == NULL)
		fatal("out of memory");
	r->book = b;
	r->wall_ms = clock_wall_ms();
	r->month_begin_ms = month_begin(month_of(r->wall_ms));
	for (int i = 0; i < ROWS; i++) {
		size_t at;

		if (f->keys[i] == 0)
			continue;
		memset(&f->rows[i], 0, sizeof(f->rows[i]));
		roll(&f->rows[i], r->wall_ms);
		at = index_at(r, f->keys[i]);
		r->keys[at] = f->keys[i];
		r->rows[at] = i;
	}
	if (b->history != NULL)
		b->history->each(b->config, r->month_begin_ms, rebuild_use, r);
	if (r->uses > 0)
		log_info("budget: made from %" PRIu64 " lines of the ledger",
		    r->uses);
	free(r);
	/* Cells of before are not of this file. */
	memset(f->cells, 0, sizeof(f->cells));
	f->built = 1;
}

static struct budget_book *
new_book(const struct config *config, struct file *file)
{
	struct budget_book *b = calloc(1, sizeof(*b));

	if (b == NULL || pthread_mutex_init(&b->mutex, NULL) != 0)
		fatal("out of memory");
	b->config = config;
	b->file = file;
	b->client_rows = calloc(config->nclients + 1, sizeof(int));
	b->model_rows = calloc(config->nmodels + 1, sizeof(int));
	if (b->client_rows == NULL || b->model_rows == NULL)
		fatal("out of memory");
	return b;
}

struct budget_book *
budget_open(const struct config *config, const struct budget_history *history,
    char *why, size_t size)
{
	struct budget_book *b;
	struct file *f;
	int rc;

	if (process_open(config->runtime_dir, why, size) == -1)
		return NULL;
	f = mapfile_open(
	    config->runtime_dir, FILE_NAME, FILE_MAGIC, sizeof(*f));
	if (f == NULL) {
		snprintf(why, size, "%s/%s: %s", config->runtime_dir, FILE_NAME,
		    strerror(errno));
		return NULL;
	}
	b = new_book(config, f);
	b->history = history;
	lock(b);
	rc = find_rows(b);
	if (rc == 0 && f->built == 0)
		rebuild(b);
	unlock(b);
	if (rc == 0)
		return b;
	snprintf(why, size, "%s/%s: more than %d clients and models",
	    config->runtime_dir, FILE_NAME, ROWS);
	budget_close(b);
	return NULL;
}

void
budget_close(struct budget_book *b)
{
	if (b == NULL)
		return;
	mapfile_close(b->file, sizeof(*b->file));
	pthread_mutex_destroy(&b->mutex);
	free(b->client_rows);
	free(b->model_rows);
	free(b);
}

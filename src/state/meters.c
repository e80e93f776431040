/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What GET /metrics tells: counters and histograms that each request is added
 * to when it has ended.  Hides the mapped file behind them and how a set of
 * labels finds its row in it without a lock.
 *
 * A row belongs to one set of labels and is found by their hash.  It is
 * claimed by compare-and-swap on its key; its labels follow from the request,
 * so that whoever finds a row claimed but not yet written writes the same
 * bytes.  Labels are names of the configuration, status codes and the codes
 * of refusals: they are few.  When the table is three quarters full, new sets
 * are counted under "other".  Rows are never taken away: a counter does not
 * go down, whatever is reloaded or crashes.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "state/mapfile.h"
#include "state/meters.h"
#include "state/process.h"

#define FILE_MAGIC UINT64_C(0x7461696c4d455431) /* "tailMET1" */
#define FILE_NAME "meters"
#define ROWS 4096
#define ROWS_FULL (ROWS / 4 * 3)
#define LABELS_SIZE 320
#define VALUES 40

/* Milliseconds; one more bucket has no upper bound. */
static const int64_t bounds[] = { 5, 10, 25, 50, 100, 250, 500, 1000, 2500,
	5000, 10000, 30000, 60000, 120000, 300000, 600000 };
#define NBOUNDS (sizeof(bounds) / sizeof(bounds[0]))
/* A histogram's values: its buckets, the unbounded one, the sum. */
#define HISTOGRAM (NBOUNDS + 2)

enum kind { KIND_NONE, KIND_REQUESTS, KIND_USE, KIND_TIME, KIND_WAIT };

/* Values of a KIND_USE row. */
enum use {
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
enum time { TIME_FIRST_BYTE = 0, TIME_TOTAL = HISTOGRAM };

_Static_assert(2 * HISTOGRAM <= VALUES, "two histograms fit into a row");

struct row {
	_Atomic uint32_t kind; /* KIND_NONE until the labels are there */
	char labels[LABELS_SIZE]; /* as they are printed */
	_Atomic uint64_t values[VALUES];
};

struct cell {
	_Atomic uint64_t owner; /* process id */
	_Atomic int busy;
	_Atomic int unwritten;
};

struct file {
	_Atomic uint64_t nrows;
	_Atomic uint64_t keys[ROWS];
	struct row rows[ROWS];
	struct cell cells[PROCESS_MAX];
};

struct meters {
	const struct config *config;
	struct file *file;
	pthread_mutex_t mutex; /* for writing labels */
};

/* ---- Labels ---- */

struct label {
	const char *name, *value;
};

static bool
put(char *out, size_t *len, const char *text, size_t n)
{
	if (n >= LABELS_SIZE - *len)
		return false;
	memcpy(out + *len, text, n);
	*len += n;
	out[*len] = '\0';
	return true;
}

/* A label's value may hold anything; three bytes are escaped. */
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

/* `client="laptop",model="chat"`; false where it is too long. */
static bool
make_labels(const struct label *l, size_t n, char out[LABELS_SIZE])
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
key_of(enum kind kind, const struct label *l, size_t n)
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

/* The key's row, made where it is missing; -1 where the table is full. */
static int
find_row(struct file *f, uint64_t key, uint64_t most)
{
	for (uint32_t i = 0, at = key % ROWS; i < ROWS;
	     i++, at = (at + 1) % ROWS) {
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
write_labels(struct meters *m, struct row *row, enum kind kind,
    const char labels[LABELS_SIZE])
{
	pthread_mutex_lock(&m->mutex);
	if (atomic_load(&row->kind) == KIND_NONE) {
		memcpy(row->labels, labels, LABELS_SIZE);
		atomic_store_explicit(&row->kind, kind, memory_order_release);
	}
	pthread_mutex_unlock(&m->mutex);
}

/* Where there is no room for these labels: all of them "other". */
static struct row *
other_row(struct meters *m, enum kind kind, const struct label *l, size_t n)
{
	char labels[LABELS_SIZE] = "";
	struct label other[8];
	struct row *row;
	int at;

	for (size_t i = 0; i < n; i++)
		other[i] = (struct label){ l[i].name, "other" };
	if ((at = find_row(m->file, key_of(kind, other, n), ROWS - 1)) == -1)
		return NULL;
	row = &m->file->rows[at];
	make_labels(other, n, labels);
	write_labels(m, row, kind, labels);
	return row;
}

static struct row *
row_of(struct meters *m, enum kind kind, const struct label *l, size_t n)
{
	char labels[LABELS_SIZE] = "";
	struct row *row;
	int at = find_row(m->file, key_of(kind, l, n), ROWS_FULL);

	if (at == -1)
		return other_row(m, kind, l, n);
	row = &m->file->rows[at];
	if (atomic_load_explicit(&row->kind, memory_order_acquire) != KIND_NONE)
		return row;
	if (!make_labels(l, n, labels)) {
		/* The row stays without labels and is never printed. */
		return other_row(m, kind, l, n);
	}
	write_labels(m, row, kind, labels);
	return row;
}

static void
count(struct row *row, unsigned value, uint64_t by)
{
	atomic_fetch_add_explicit(
	    &row->values[value], by, memory_order_relaxed);
}

static void
observe(struct row *row, unsigned first, int64_t ms)
{
	unsigned i = 0;

	while (i < NBOUNDS && ms > bounds[i])
		i++;
	count(row, first + i, 1);
	count(row, first + NBOUNDS + 1, (uint64_t)ms);
}

/* ---- Adding a request ---- */

static const char *
or_none(const char *name)
{
	return name == NULL || *name == '\0' ? "none" : name;
}

/* An upstream may answer with any number. */
static const char *
status_text(int status)
{
	static const char known[][4] = { "200", "201", "202", "204", "206",
		"301", "302", "304", "307", "308", "400", "401", "402", "403",
		"404", "405", "408", "409", "410", "411", "413", "415", "422",
		"424", "425", "429", "499", "500", "501", "502", "503", "504",
		"520", "521", "522", "523", "524", "529" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const char *s = known[i];

		if ((s[0] - '0') * 100 + (s[1] - '0') * 10 + s[2] - '0' ==
		    status)
			return s;
	}
	return "other";
}

static const char *
reason_of(const struct entry *e)
{
	if (e->refusal != REFUSE_NONE)
		return refusal_spec(e->refusal)->code;
	if (e->client_gone)
		return "client_gone";
	return e->cut ? "cut" : "none";
}

static void
add_request(struct meters *m, const struct entry *e, const struct label use[4])
{
	const struct label l[] = { use[0], use[1], use[2],
		{ "status", status_text(e->status) },
		{ "reason", reason_of(e) } };
	struct row *row = row_of(m, KIND_REQUESTS, l, 5);

	if (row != NULL)
		count(row, 0, 1);
}

static void
add_bytes(struct meters *m, const struct entry *e, const struct label use[4])
{
	struct row *row = row_of(m, KIND_USE, use, 4);

	if (row == NULL)
		return;
	count(row, USE_BYTES_IN, e->bytes_in);
	count(row, USE_BYTES_OUT, e->bytes_out);
}

static void
add_use(struct meters *m, const struct entry_try *t, const struct label use[4])
{
	const struct usage *u = &t->usage;
	struct row *row = row_of(m, KIND_USE, use, 4);

	if (row == NULL)
		return;
	count(row, USE_INPUT, u->input);
	count(row, USE_CACHED, u->cached);
	count(row, USE_CACHE_WRITE, u->cache_write);
	count(row, USE_OUTPUT, u->output);
	count(row, USE_REASONING, u->reasoning);
	if (t->cost_nanousd > 0)
		count(row, USE_COST, (uint64_t)t->cost_nanousd);
	count(row, USE_BYTES_SENT, t->bytes_sent);
	count(row, USE_SENT, 1);
	count(row, USE_ESTIMATED, !u->reported);
	count(row, USE_UNPRICED,
	    t->place == PLACE_EXTERNAL && t->cost_nanousd < 0);
}

/* total_ms: -1 for a try that was not the last. */
static void
add_time(struct meters *m, const struct entry_try *t, int64_t total_ms,
    const struct label use[4])
{
	struct row *row = row_of(m, KIND_TIME, use + 1, 2);

	if (row == NULL)
		return;
	if (t->first_byte_ms >= 0)
		observe(row, TIME_FIRST_BYTE, t->first_byte_ms);
	if (total_ms >= 0)
		observe(row, TIME_TOTAL, total_ms);
}

static void
add_wait(struct meters *m, const struct entry_try *t)
{
	for (size_t i = 0; i < m->config->nproviders; i++) {
		const struct provider *p = &m->config->providers[i];
		struct row *row;

		if (strcmp(p->name, t->provider) != 0)
			continue;
		if (p->limit == NULL)
			return;
		row = row_of(m, KIND_WAIT,
		    &(struct label){ "limit", p->limit->name }, 1);
		if (row != NULL)
			observe(row, 0, t->queue_ms);
		return;
	}
}

static void
add_try(struct meters *m, const struct entry *e, const struct entry_try *t,
    const struct label use[4])
{
	if (t->sent) {
		add_use(m, t, use);
		add_time(m, t, t == entry_last(e) ? e->total_ms : -1, use);
	}
	if (t->queue_ms >= 0)
		add_wait(m, t);
}

/* t: NULL for a request that came to no try. */
static void
label_use(const struct entry *e, const struct entry_try *t, struct label use[4])
{
	use[0] = (struct label){ "client", or_none(e->client) };
	use[1] = (struct label){ "model", or_none(e->route) };
	use[2] = (struct label){ "provider",
		or_none(t == NULL ? NULL : t->provider) };
	use[3] = (struct label){ "place",
		t == NULL ? "none" : place_name(t->place) };
}

void
meters_add(struct meters *m, const struct entry *e)
{
	struct label use[4];

	label_use(e, entry_last(e), use);
	add_request(m, e, use);
	/* Without a try it used nothing but the bytes it brought. */
	if (e->ntries == 0)
		return;
	add_bytes(m, e, use);
	for (size_t i = 0; i < e->ntries; i++) {
		label_use(e, &e->tries[i], use);
		add_try(m, e, &e->tries[i], use);
	}
}

/* ---- This process's own ---- */

static struct cell *
my_cell(struct meters *m)
{
	int index = process_index();
	struct cell *c;

	if (index < 0 || index >= PROCESS_MAX)
		return NULL;
	c = &m->file->cells[index];
	/* What stands there otherwise is of one who died. */
	if (atomic_load(&c->owner) != process_id()) {
		pthread_mutex_lock(&m->mutex);
		if (atomic_load(&c->owner) != process_id()) {
			atomic_store(&c->busy, 0);
			atomic_store(&c->unwritten, 0);
			atomic_store(&c->owner, process_id());
		}
		pthread_mutex_unlock(&m->mutex);
	}
	return c;
}

void
meters_busy(struct meters *m, int delta)
{
	struct cell *c = my_cell(m);

	if (c != NULL)
		atomic_fetch_add(&c->busy, delta);
}

void
meters_unwritten(void *meters, int delta)
{
	struct cell *c = my_cell(meters);

	if (c != NULL)
		atomic_fetch_add(&c->unwritten, delta);
}

/* ---- The text ---- */

static void
put_family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static uint64_t
value_of(const struct row *row, unsigned value)
{
	return atomic_load_explicit(&row->values[value], memory_order_relaxed);
}

/* Calls print for each row of a kind. */
static void
each_row(struct meters *m, enum kind kind, struct buf *b, const char *name,
    void (*print)(struct buf *, const char *, const struct row *, unsigned),
    unsigned value)
{
	for (int i = 0; i < ROWS; i++) {
		const struct row *row = &m->file->rows[i];

		if (atomic_load_explicit(&row->kind, memory_order_acquire) ==
		    kind)
			print(b, name, row, value);
	}
}

static void
print_count(
    struct buf *b, const char *name, const struct row *row, unsigned value)
{
	buf_printf(
	    b, "%s{%s} %" PRIu64 "\n", name, row->labels, value_of(row, value));
}

static void
print_tokens(
    struct buf *b, const char *name, const struct row *row, unsigned value)
{
	static const char *const kinds[] = { "input", "cached", "cache_write",
		"output", "reasoning" };

	buf_printf(b, "%s{%s,kind=\"%s\"} %" PRIu64 "\n", name, row->labels,
	    kinds[value], value_of(row, value));
}

static void
print_usd(
    struct buf *b, const char *name, const struct row *row, unsigned value)
{
	uint64_t v = value_of(row, value);

	buf_printf(b, "%s{%s} %" PRIu64 ".%09" PRIu64 "\n", name, row->labels,
	    v / 1000000000, v % 1000000000);
}

static void
print_histogram(
    struct buf *b, const char *name, const struct row *row, unsigned first)
{
	uint64_t sum = value_of(row, first + NBOUNDS + 1), n = 0;

	for (unsigned i = 0; i < NBOUNDS; i++) {
		n += value_of(row, first + i);
		buf_printf(b, "%s_bucket{%s,le=\"%g\"} %" PRIu64 "\n", name,
		    row->labels, (double)bounds[i] / 1000, n);
	}
	n += value_of(row, first + NBOUNDS);
	buf_printf(
	    b, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, row->labels, n);
	buf_printf(b, "%s_sum{%s} %" PRIu64 ".%03" PRIu64 "\n", name,
	    row->labels, sum / 1000, sum % 1000);
	buf_printf(b, "%s_count{%s} %" PRIu64 "\n", name, row->labels, n);
}

static void
put_counters(struct meters *m, struct buf *b)
{
	static const struct {
		const char *name, *help;
		enum kind kind;
		unsigned value;
	} table[] = {
		{ "tailgate_requests_total",
		    "Requests ended, by client, model, provider, status as the "
		    "client saw it, and the reason of a refusal.",
		    KIND_REQUESTS, 0 },
		{ "tailgate_request_bytes_total",
		    "Body bytes received from clients.", KIND_USE,
		    USE_BYTES_IN },
		{ "tailgate_response_bytes_total",
		    "Body bytes sent to clients.", KIND_USE, USE_BYTES_OUT },
		{ "tailgate_upstream_bytes_total",
		    "Body bytes sent to providers.", KIND_USE, USE_BYTES_SENT },
		{ "tailgate_upstream_requests_total",
		    "Requests sent to providers; one that fell back is sent "
		    "more than once.",
		    KIND_USE, USE_SENT },
		{ "tailgate_usage_estimated_total",
		    "Requests whose tokens are our estimate, since the "
		    "provider reported none.",
		    KIND_USE, USE_ESTIMATED },
		{ "tailgate_unpriced_total",
		    "Requests to external providers whose cost is not known.",
		    KIND_USE, USE_UNPRICED },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		put_family(b, table[i].name, "counter", table[i].help);
		each_row(m, table[i].kind, b, table[i].name, print_count,
		    table[i].value);
	}
	put_family(b, "tailgate_tokens_total", "counter",
	    "Tokens used; cached and cache_write are part of input, reasoning "
	    "of output.");
	for (unsigned i = USE_INPUT; i <= USE_REASONING; i++)
		each_row(
		    m, KIND_USE, b, "tailgate_tokens_total", print_tokens, i);
	put_family(b, "tailgate_cost_usd_total", "counter",
	    "Cost in US dollars, as far as prices are known.");
	each_row(
	    m, KIND_USE, b, "tailgate_cost_usd_total", print_usd, USE_COST);
}

static void
put_histograms(struct meters *m, struct buf *b)
{
	static const char first_byte[] = "tailgate_first_byte_seconds",
			  total[] = "tailgate_request_duration_seconds",
			  wait[] = "tailgate_queue_wait_seconds";

	put_family(b, first_byte, "histogram",
	    "From the request's beginning to the first byte of its answer.");
	each_row(m, KIND_TIME, b, first_byte, print_histogram, TIME_FIRST_BYTE);
	put_family(
	    b, total, "histogram", "From the request's beginning to its end.");
	each_row(m, KIND_TIME, b, total, print_histogram, TIME_TOTAL);
	put_family(b, wait, "histogram", "Time waited for a slot.");
	each_row(m, KIND_WAIT, b, wait, print_histogram, 0);
}

/* One gauge of something that the configuration names. */
static void
put_gauge(struct buf *b, const char *name, const char *label, const char *value,
    const char *more, uint64_t v)
{
	char labels[LABELS_SIZE];

	if (make_labels(&(struct label){ label, value }, 1, labels))
		buf_printf(b, "%s{%s%s} %" PRIu64 "\n", name, labels, more, v);
}

static void
put_limits(struct meters *m, struct slots *slots, struct buf *b)
{
	const struct config *c = m->config;
	struct facts_limit *facts = calloc(c->nlimits + 1, sizeof(*facts));

	if (facts == NULL)
		fatal("out of memory");
	slots_facts(slots, facts);
	put_family(b, "tailgate_slots", "gauge", "Slots of a limit.");
	for (size_t i = 0; i < c->nlimits; i++)
		put_gauge(b, "tailgate_slots", "limit", c->limits[i].name, "",
		    c->limits[i].slots);
	put_family(b, "tailgate_slots_used", "gauge", "Slots held now.");
	for (size_t i = 0; i < c->nlimits; i++)
		put_gauge(b, "tailgate_slots_used", "limit", c->limits[i].name,
		    "", facts[i].used);
	put_family(b, "tailgate_queue_length", "gauge",
	    "Requests waiting for a slot now.");
	for (size_t i = 0; i < c->nlimits; i++)
		put_gauge(b, "tailgate_queue_length", "limit",
		    c->limits[i].name, "", facts[i].queued);
	free(facts);
}

static void
put_circuits(struct meters *m, const struct health_row *rows, struct buf *b)
{
	static const char *const states[] = { "closed", "open", "half-open" };
	const struct config *c = m->config;
	char more[32];

	put_family(b, "tailgate_provider_circuit", "gauge",
	    "1 for the state that a provider's circuit is in.");
	for (size_t i = 0; i < c->nproviders; i++)
		for (size_t k = 0; k < 3; k++) {
			snprintf(
			    more, sizeof(more), ",state=\"%s\"", states[k]);
			put_gauge(b, "tailgate_provider_circuit", "provider",
			    c->providers[i].name, more,
			    strcmp(rows[i].state, states[k]) == 0);
		}
}

static void
put_providers(struct meters *m, struct health *health, struct buf *b)
{
	const struct config *c = m->config;
	struct health_row *rows = calloc(c->nproviders + 1, sizeof(*rows));

	if (rows == NULL)
		fatal("out of memory");
	for (size_t i = 0; i < c->nproviders; i++)
		health_row(health, &c->providers[i], &rows[i]);
	put_circuits(m, rows, b);
	put_family(b, "tailgate_provider_failures", "gauge",
	    "Failures of a provider in a row.");
	for (size_t i = 0; i < c->nproviders; i++)
		put_gauge(b, "tailgate_provider_failures", "provider",
		    c->providers[i].name, "", rows[i].failures);
	put_family(b, "tailgate_provider_in_flight", "gauge",
	    "Requests that a provider is working on.");
	for (size_t i = 0; i < c->nproviders; i++)
		put_gauge(b, "tailgate_provider_in_flight", "provider",
		    c->providers[i].name, "", rows[i].in_flight);
	free(rows);
}

static void
put_processes(struct meters *m, struct buf *b)
{
	unsigned workers = 0;
	int64_t busy = 0, unwritten = 0;

	for (int i = 0; i < PROCESS_MAX; i++) {
		struct cell *c = &m->file->cells[i];
		uint64_t owner = atomic_load(&c->owner);
		/* In this order: whose thread is seen to be free has its line
		 * among those that wait, or in the file. */
		int n = atomic_load(&c->busy), lines;

		lines = atomic_load(&c->unwritten);
		if (owner == 0 || !process_alive(owner))
			continue;
		workers++;
		busy += n > 0 ? n : 0;
		unwritten += lines > 0 ? lines : 0;
	}
	put_family(
	    b, "tailgate_workers", "gauge", "Processes that serve requests.");
	buf_printf(b, "tailgate_workers %u\n", workers);
	put_family(b, "tailgate_threads_busy", "gauge",
	    "Threads serving a request now.");
	buf_printf(b, "tailgate_threads_busy %" PRId64 "\n", busy);
	put_family(b, "tailgate_ledger_waiting", "gauge",
	    "Lines of the ledger that are about to be written.");
	buf_printf(b, "tailgate_ledger_waiting %" PRId64 "\n", unwritten);
	put_family(b, "tailgate_threads_limit", "gauge",
	    "Threads that may serve requests at once.");
	buf_printf(b, "tailgate_threads_limit %" PRIu64 "\n",
	    (uint64_t)workers * m->config->threads);
}

void
meters_text(
    struct meters *m, struct health *health, struct slots *slots, struct buf *b)
{
	put_family(
	    b, "tailgate_info", "gauge", "1, labelled with the version.");
	put_gauge(b, "tailgate_info", "version", PACKAGE_VERSION, "", 1);
	put_processes(m, b);
	if (slots != NULL)
		put_limits(m, slots, b);
	if (health != NULL)
		put_providers(m, health, b);
	put_counters(m, b);
	put_histograms(m, b);
}

/* ---- Opening ---- */

struct meters *
meters_open(const struct config *config, char *why, size_t size)
{
	struct meters *m;

	if (process_open(config->runtime_dir, why, size) == -1)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (m == NULL || pthread_mutex_init(&m->mutex, NULL) != 0)
		fatal("out of memory");
	m->config = config;
	m->file = mapfile_open(
	    config->runtime_dir, FILE_NAME, FILE_MAGIC, sizeof(*m->file));
	if (m->file != NULL)
		return m;
	snprintf(why, size, "%s/%s: %s", config->runtime_dir, FILE_NAME,
	    strerror(errno));
	meters_close(m);
	return NULL;
}

void
meters_close(struct meters *m)
{
	if (m == NULL)
		return;
	if (m->file != NULL)
		mapfile_close(m->file, sizeof(*m->file));
	pthread_mutex_destroy(&m->mutex);
	free(m);
}

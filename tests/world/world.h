/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A world for a worker: its real code over simulated clients, providers, time
 * and faults, all of them drawn from one seed.  README.md says what is real and
 * what is not.
 *
 * All that outlives a worker (it may be killed at any system call) is in memory
 * that the processes share: `world`.  Only one of them runs at a time.
 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WORLD_REQUESTS_MAX 512
#define WORLD_TRIES_MAX 16
#define WORLD_CONNS_MAX 4096
#define WORLD_EVENTS_MAX 16384
#define WORLD_LIVES_MAX 8
/* Descriptors of the simulation start here. */
#define WORLD_FD_BASE 2048
#define WORLD_FDS_MAX 4096
/* A worker writes to it to say that it serves. */
#define WORLD_PARENT_FD (WORLD_FD_BASE + WORLD_FDS_MAX)
#define WORLD_MS INT64_C(1000000) /* in ns */
#define WORLD_S (1000 * WORLD_MS)
#define WORLD_NOON_MS INT64_C(1764331200000) /* initial wall clock */

/* ---- sim.c: sockets ---------------------------------------------------- */

/* One direction of a connection. */
struct sim_stream {
	char *p;
	uint32_t size, head, len;
	bool ended; /* the writer has closed: the end comes after len */
	bool broken; /* by a reset */
	uint64_t written, read; /* bytes so far */
};

enum sim_peer { SIM_CLIENT, SIM_PROVIDER, SIM_PAIR };

/* A connection.  End 0 is the worker's.  End 1 is a script's, or (SIM_PAIR) a
 * second descriptor of the worker's. */
struct sim_conn {
	enum sim_peer peer;
	unsigned owner; /* a client's request; a provider */
	struct sim_stream stream[2]; /* [i]: what end i reads */
	bool closed[2];
	unsigned refs[2]; /* descriptors, open or in a message */
	bool reset_on_close;
	/* The descriptor in a message (SCM_RIGHTS); passed_conn -1: none. */
	int passed_conn, passed_end;
	/* Only of a provider's connection: */
	int request; /* whose exchange; -1: none */
	int try; /* of that request */
	uint64_t head_end, begun_at; /* in stream[1].written */
	char head[2048];
	size_t head_len;
	char *body;
	size_t body_len, body_have;
	bool in_exchange, head_known;
	bool closing; /* to be closed by the script */
	void *script; /* owned by upstream.c; NULL: none yet */
	bool act_due;
};

/* The ledger's process finds its desk at this number; it is a thread here, and
 * the descriptor is simulated. */
#define SIM_DESK_FD 3
void sim_set_desk(int fd);
int sim_fd_new(int conn, int end);
/* NULL: not a descriptor of the simulation. */
struct sim_conn *sim_conn_of(int fd, int *end);
int sim_conn_new(
    enum sim_peer, unsigned owner, size_t to_worker, size_t from_worker);
struct sim_conn *sim_conn(int index);
int sim_fd_close(int fd);
/* An end has one descriptor fewer; the last one closes it. */
void sim_unref(struct sim_conn *, int end);
unsigned sim_open_fds(void);
/* What poll(2) would return. */
short sim_poll(int fd, short events);
/* For the script at end 1. */
size_t sim_put(struct sim_conn *, const char *, size_t);
size_t sim_get(struct sim_conn *, char *, size_t);
void sim_close(struct sim_conn *, int end, bool reset);
/* A worker has died: its descriptors are closed, as the kernel does. */
void sim_worker_died(void);
int sim_connect_client(unsigned request); /* conn, or -1: refused */
int sim_listen_fd(void);
bool sim_is_listening(int fd);
int sim_accept(void); /* conn, or -1 */
ssize_t sim_read(struct sim_conn *, int end, char *, size_t);
ssize_t sim_write(struct sim_conn *, int end, const char *, size_t);

/* ---- the shared state -------------------------------------------------- */

enum world_kind {
	KIND_CHAT, /* a whole response */
	KIND_STREAM, /* chat, streamed */
	KIND_EMBEDDINGS,
	KIND_MESSAGES, /* bridged to chat */
	KIND_MESSAGES_STREAM,
	KIND_RESPONSES,
	KIND_RESPONSES_STREAM,
	KIND_MODELS, /* from the gateway: no ledger line */
	KIND_METRICS,
	KIND_UNKNOWN, /* an unknown path */
	KIND_STRANGER, /* an unknown client */
	KIND_BROKEN_JSON,
	KIND_NO_MODEL,
	KIND_COUNT
};

struct world_try {
	int provider;
	char *reply; /* head and body, as it should be sent */
	size_t reply_len, head_len;
	const char *body; /* the body without framing */
	size_t body_bytes;
	bool complete; /* all of it was sent */
	bool by_end; /* the close ends the body */
	bool stream;
	const char *text; /* the model's text, in chat */
	bool good; /* a status of 200 */
	uint64_t sent; /* request body bytes sent */
};

struct world_request {
	enum world_kind kind;
	int conn; /* -1: not yet */
	unsigned client;
	char *body;
	size_t body_len;
	char *input; /* as FastCGI */
	size_t input_len, params_end, put;
	char *expect; /* body as passed to a provider */
	size_t expect_len;
	size_t marker; /* of its text, in the reply */
	/* How the client behaves. */
	size_t write_max, read_max;
	int64_t write_pause_ns, read_pause_ns;
	size_t gone_after_in, gone_after_out; /* SIZE_MAX: never */
	int64_t gone_at_ns; /* INT64_MAX: never */
	bool gone_by_reset;
	bool act_due, gone_due;
	/* What came back. */
	char *out; /* records */
	size_t out_len, out_size;
	char *response; /* STDOUT's content */
	size_t response_len;
	bool ended; /* END_REQUEST came */
	bool left; /* the client hung up */
	bool closed; /* the worker hung up */
	unsigned life; /* of the hangup */
	int64_t closed_ns; /* when the worker hung up */
	bool begun; /* the worker has read all parameters */
	bool died; /* was open when a worker died */
	bool hurried; /* was open when a worker ended in a hurry */
	unsigned lines; /* in the ledger */
	struct world_try tries[WORLD_TRIES_MAX];
	unsigned ntries;
};

struct world_event {
	int64_t at_ns;
	uint64_t order;
	void (*fn)(int arg);
	int arg;
};

struct world {
	uint64_t seed, random, trace;
	uint64_t nops; /* system calls so far */
	int64_t mono_ns, wall_ns; /* wall_ns: offset to mono_ns */
	/* This world's parameters, drawn from the seed. */
	unsigned fault; /* per 1024 of calls */
	unsigned disk_fault, descriptor_fault, disk_hang;
	bool calm; /* no faults, patient clients */
	unsigned io_max; /* bytes in one call; 0: no bound */
	unsigned nrequests, arrived;
	unsigned slots; /* of the limit */
	unsigned queue;
	bool private_text; /* bodies are searched for patterns */
	int64_t drain_ms;
	/* Workers' lives. */
	unsigned life, nlives;
	int64_t cut_ns[WORLD_LIVES_MAX]; /* it ended before all was done; or
					    INT64_MAX */
	uint64_t kill_at_op[WORLD_LIVES_MAX]; /* 0: it ends by SIGTERM */
	int64_t term_at_ns[WORLD_LIVES_MAX];
	bool serving; /* the worker has started: faults may come */
	bool term_due;
	bool killed; /* this life is killed */
	bool hurried; /* it ended before all was done (drain) */
	unsigned deaths;
	unsigned active_now, active_most; /* of the limit */

	struct world_event events[WORLD_EVENTS_MAX];
	unsigned nevents;
	uint64_t norder;
	struct sim_conn conns[WORLD_CONNS_MAX];
	unsigned nconns;
	struct {
		int conn, end;
	} fds[WORLD_FDS_MAX]; /* conn + 1; 0: free */
	int backlog[WORLD_REQUESTS_MAX];
	unsigned nbacklog;
	struct world_request requests[WORLD_REQUESTS_MAX];
	uint64_t lost; /* as the gap says at the end */

	char why[512]; /* the error; "": none */
	size_t heap_used;
};

extern struct world *world;
/* The configuration of one life, and its directory. */
struct config;
extern const struct config *world_config;
extern char world_dir[];

/* ---- world.c ----------------------------------------------------------- */

/* Reports an error; only the first is kept. */
void world_wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Memory that outlives a worker. */
void *world_alloc(size_t);
uint64_t world_random(void);
/* 0 .. n - 1. */
uint64_t world_below(uint64_t n);
/* lo .. hi, most of them small. */
uint64_t world_size(uint64_t lo, uint64_t hi);
bool world_chance(unsigned of_1024);
/* Mixes a value into the trace, which two runs of a seed must share. */
void world_note(uint64_t what, uint64_t value);
void world_at(int64_t at_ns, void (*fn)(int), int arg);
/* Runs what is due; returns the time of the next event, INT64_MAX: none. */
int64_t world_events_run(void);

/* ---- loop.c: libev and threads ----------------------------------------- */

/* A call that would block.  In a task it is an error: false.  Elsewhere other
 * threads run until done(ctx) or the time (INT64_MAX: never). */
bool loop_block(bool (*done)(void *), void *ctx, int64_t until_ns);
/* Does a thread other than the loop's run? */
bool loop_on_thread(void);
/* The calling thread, which is not the loop's, waits for its disk. */
void loop_hang(int64_t ns);
/* Is a file closed while the loop watches it? */
bool loop_watches(int fd);
void loop_kill_threads(void);
void loop_exit_thread(void) __attribute__((noreturn));

/* ---- client.c, upstream.c ----------------------------------------------- */

void client_plan(unsigned request);
void client_arrive(int request);
/* A client that waits to be served leaves, if there is one. */
void client_leaves_queue(void);
/* Something has changed at the script's end. */
void client_poke(struct sim_conn *);
void upstream_poke(struct sim_conn *);
/* The worker wrote this many bytes to a provider. */
void upstream_took(struct sim_conn *, const char *, size_t);
/* The worker has read some of the provider's response. */
void upstream_gave(struct sim_conn *);
/* The worker has hung up. */
void upstream_left(struct sim_conn *);
/* The request that the running task serves. */
void upstream_task_serves(int request);
int upstream_task_request(void);
const char *upstream_name(unsigned provider);
unsigned upstream_of(const char *url);

/* ---- check.c, config.c --------------------------------------------------- */

void config_write(void);
void check_life(void); /* runs in the worker, after an orderly end */
void check_world(void); /* runs after the last worker */

#endif

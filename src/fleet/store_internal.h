/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What store*.c share; no other file includes this.
 */
#ifndef FLEET_STORE_INTERNAL_H
#define FLEET_STORE_INTERNAL_H

#include <sys/queue.h>

#include "base/buf.h"
#include "base/task.h"
#include "fleet/store.h"
#include "fleet/resp.h"
#include "wire/connector.h"

/* One connection, kept by a task of its own. */
struct store_link {
	struct store *store;
	const char *name; /* for the log */
	bool started;
	struct task *task; /* NULL: does not run (yet) */
	struct connector *connector; /* TCP; of TLS as long as it lives */
	int fd; /* -1: none */
	bool up; /* the handshake is done */
	bool tried; /* and has failed at least once */
	bool broken; /* to be closed: a write failed */
	bool useless; /* the same, because of a reply; tried again later */
	bool moved; /* the same, because another node has our names */
	struct buf out; /* not sent yet */
	struct resp_reader *reader;
	int64_t heard_ms, asked_ms; /* last bytes; last own PING, 0: none */
	/* Once connected: starts the handshake.  -1: the connection is
	 * useless. */
	int (*greet)(struct store_link *);
	/* A reply has come, and is owned by take() from now on. */
	void (*take)(struct store_link *, struct store_reply *);
	/* It is closed. */
	void (*lost)(struct store_link *);
	/* Sends PING; its reply comes to take(). */
	void (*ping)(struct store_link *);
};

enum store_call_kind {
	STORE_CALL_SCRIPT,
	STORE_CALL_AUTH,
	STORE_CALL_INFO,
	STORE_CALL_FIND,
	STORE_CALL_PING,
	STORE_CALL_COPIED,
	STORE_CALL_MAY_WAIT,
};

struct store_call {
	TAILQ_ENTRY(store_call) entry;
	enum store_call_kind kind;
	struct task *task; /* that waits; NULL: none */
	struct store_script *script;
	char *tail; /* of the command, after the script */
	size_t len, nargs;
	struct store_reply *reply;
	int64_t sent_ns;
	bool again, done;
	bool awaited; /* by store_wait(), which frees it */
};

TAILQ_HEAD(store_calls, store_call);

struct store_channel {
	const char *name;
	void (*fn)(void *, struct span);
	void *ctx;
};

struct store {
	const struct config *config;
	const struct store_settings *settings;
	struct store_link calls_link, messages_link;
	struct store_calls calls; /* sent, in order */
	struct store_channel channels[STORE_CHANNELS_MAX];
	size_t nchannels, nsubscribed;
	bool ending;
	bool late; /* a reply is overdue: nothing more is sent */
	bool said_up; /* the log last said that the store is up */
	bool copying; /* WAIT is under way, and later calls are behind it */
	int64_t uncopied_ms; /* the last one in vain; 0: none */
	_Atomic int64_t uncopied_warned_ms, right_warned_ms;
	uint64_t generation; /* of the connection for calls, 1.. */
	char run[41], version[64], why[256];
	int64_t since_wall_ms, mean_us;
	_Atomic int64_t warned_ms;
	uint64_t ncalls, nfailed;
	struct provider node; /* of a cluster, instead of the URL's */
	char node_host[256], node_url[300];
	bool has_node;
	unsigned nmoves; /* since it was last up */
	void (*watch)(void *, const struct store_facts *);
	void *watch_ctx;
	int64_t watched_ms; /* when it was last called */
	bool watched_up;
};

/* How long the engine may be silent before the connection is given up. */
int64_t store_patience_ms(const struct store *);

/* ---- store.c ----------------------------------------------------------- */

/* A reply to a command of the handshake. */
void
store_greeted(struct store *, enum store_call_kind, const struct store_reply *);
/* Notes and logs why the engine cannot be used. */
void store_failed(struct store *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Calls the watcher if it is time. */
void store_note(struct store *);

/* ---- store_info.c ------------------------------------------------------ */

/* Notes run and version from the reply to INFO.  NULL, or why this engine can't
 * be used. */
const char *store_read_info(struct store *, const struct store_reply *);

/* ---- store_call.c ------------------------------------------------------ */

/* Appends a command of the store's own.  Its reply comes in order. */
struct store_call *store_ask(struct store *, enum store_call_kind,
    const struct span *args, size_t nargs);
void store_take_reply(struct store_link *, struct store_reply *);
void store_drop_calls(struct store_link *);

/* ---- store_node.c ------------------------------------------------------ */

/* Does this error say that another node of the cluster has our names? */
bool store_is_moved(const char *error);
/* Makes the next connection go to that node, if all our names are in one hash
 * slot.  False: it can't; the reason is noted. */
bool store_move(struct store *, const char *error);
/* Where to connect. */
const struct provider *store_node(const struct store *);
/* The node could not be reached, or does not serve us: goes back to the URL. */
void store_leave_node(struct store *);

/* ---- store_link.c ------------------------------------------------------ */

void store_link_init(struct store_link *, struct store *, const char *name);
/* Its task runs from now on; false: there is no loop, or no memory. */
bool store_link_start(struct store_link *);
/* Sends what was appended to out, as far as possible; the rest later. */
void store_link_flush(struct store_link *);
/* Its task sends it, when the calling task waits or ends. */
void store_link_flush_soon(struct store_link *);
void store_link_free(struct store_link *);

#endif

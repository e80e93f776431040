/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * One request, from its parameters to its account: the pipeline.
 *
 *   route ─▶ identify ─▶ enter ─▶ read ─▶ parse ─▶ plan ─▶ attempt ─▶ settle
 *
 * Each step is a function that does its part or refuses; the first refusal ends
 * the chain.  settle comes after the response, so nobody waits for it.
 */
#ifndef SERVE_REQUEST_H
#define SERVE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "ledger/ledger.h"
#include "policy/call.h"
#include "policy/credentials.h"
#include "policy/hop.h"
#include "policy/passing.h"
#include "policy/plan.h"
#include "serve/response.h"
#include "serve/server.h"
#include "wire/io.h"
#include "wire/spool.h"

#define REQUEST_ID_SIZE 28 /* "req_" and 20 hex digits */

struct request {
	struct server *server;
	struct io *io;
	struct arena *arena;
	char id[REQUEST_ID_SIZE];
	int64_t start_ms;
	const struct endpoint_spec *spec; /* NULL: no such URL */
	struct span rest; /* the id in the path; p NULL: none */
	const struct client *client; /* within what its relay may */
	const struct hop *hop; /* what a relay says about the client, or NULL */
	struct spool spool;
	bool body_read, parsed;
	struct share_place share;
	struct memory_hold memory; /* of its body, and what is queued */
	const struct slots_lease *lease; /* while it holds a slot */
	const struct lease *shared_lease; /* the same, of a shared limit */
	struct passing passing; /* sent upstream beside the body */
	struct call call;
	struct plan plan;
	struct credentials credentials; /* what it brought */
	struct sieve *own_sieve; /* with the client's own key, or NULL */
	struct refused refused; /* by the step that ended the chain */
	struct response response;
	struct entry entry;
};

/* Serves it.  The response is written, but may still need flushing;
 * response.cut says how to end it.  In the arena. */
struct request *request_serve(struct server *, struct io *, struct arena *);
/* Records it after the client has its response; io is no longer used. */
void request_settle(struct request *);

/* Refuses with the table's own words; always false, for `return`. */
bool request_refuse(struct request *, enum refusal);

/* The refusal if something could not be held: there is no memory, or none
 * for this client. */
struct refused request_starved(const struct memory_hold *);

/* Refuses unless the client is an operator. */
bool request_check_operator(struct request *);

/* A path of its endpoint with the id of its URL in it, in the arena;
 * passing_id() has checked the id. */
const char *request_path(const struct request *, const char *path);

/* The facts of the moment, in the arena. */
struct facts *request_facts(struct request *, void **learned_set);

/* route.c: finds the endpoint of a path and a method, and what a web page
 * may do with it. */
bool route(struct request *);
/* mount.c: reports which parts of a request have arrived. */
bool mount_serve(struct request *);

#endif

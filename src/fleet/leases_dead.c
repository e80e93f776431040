/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Processes of this host that died with slots of a shared limit.  Their sockets
 * were closed with them, so none of their requests is still at a model server.
 * Another process of the host gives their slots back, long before the lease
 * ends.
 *
 * A table in runtime_dir has the name by which the engine knows each process.
 * The process that takes a dead one's row tells the engine.  If that fails, the
 * slots are free when the lease ends, as after a whole host has died.
 */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "fleet/leases_internal.h"
#include "state/mapfile.h"
#include "state/process.h"

#define TABLE_NAME "leases"
#define TABLE_MAGIC 0x7461696c4c454131 /* "tailLEA1" */
#define LOOK_MS 1000

/* The name is valid as long as there is an owner; only the process that has set
 * owner to 0 may write it. */
struct leases_row {
	_Atomic uint64_t owner; /* process_id(); 0: none */
	char process[LEASES_PROCESS_SIZE];
};

#define TABLE_BYTES (PROCESS_MAX * sizeof(struct leases_row))

/* False: the owner lives, there is none, or another process has taken the
 * row. */
static bool
take_dead(struct leases_row *row, char name[LEASES_PROCESS_SIZE])
{
	uint64_t owner = atomic_load(&row->owner);

	if (owner == 0 || owner == process_id() || process_alive(owner))
		return false;
	memcpy(name, row->process, LEASES_PROCESS_SIZE);
	name[LEASES_PROCESS_SIZE - 1] = '\0';
	return atomic_compare_exchange_strong(&row->owner, &owner, 0);
}

void
leases_dead_open(struct leases *l)
{
	int i = process_index();
	struct leases_row *row;

	l->rows = mapfile_open(l->config->runtime_dir, TABLE_NAME,
	    MAPFILE_MAGIC(TABLE_MAGIC), TABLE_BYTES);
	if (l->rows == NULL) {
		log_warn("%s/%s: %s: the shared slots of a process that dies "
			 "come back after their lease only",
		    l->config->runtime_dir, TABLE_NAME, mapfile_error(errno));
		return;
	}
	if (i == -1)
		return;
	row = &l->rows[i];
	if (!take_dead(row, l->before))
		l->before[0] = '\0';
	memcpy(row->process, l->process, sizeof(row->process));
	atomic_store(&row->owner, process_id());
}

void
leases_dead_close(struct leases *l)
{
	int i = process_index();

	if (l->rows == NULL)
		return;
	if (i != -1 && atomic_load(&l->rows[i].owner) == process_id())
		atomic_store(&l->rows[i].owner, 0);
	mapfile_close(l->rows, TABLE_BYTES);
	l->rows = NULL;
}

/* Sends a beat in the dead process's name, which lists nothing. */
static void
give_back(struct leases *l, const char *process)
{
	struct leases_words *w = memory_alloc(sizeof(*w));
	struct store_reply *reply;

	log_info("store: a process of this host died: giving back its slots");
	for (size_t i = 0; i < l->config->nlimits; i++) {
		if (l->limits[i].limit == NULL)
			continue;
		leases_words(w, l->store, l->limits[i].limit, "beat", process,
		    l->channels);
		if (store_eval(l->store, &leases_script, w->key, LEASES_KEYS,
			w->arg, LEASES_ARGS, &reply) == STORE_OK)
			store_reply_free(reply);
	}
	free(w);
}

bool
leases_dead_tend(struct leases *l)
{
	char process[LEASES_PROCESS_SIZE];

	if (l->rows == NULL || clock_now_ms() < l->look_ms)
		return false;
	if (l->before[0] != '\0') {
		give_back(l, l->before);
		l->before[0] = '\0';
		return true;
	}
	for (int i = 0; i < PROCESS_MAX && !l->ending; i++)
		if (take_dead(&l->rows[i], process)) {
			give_back(l, process);
			return true;
		}
	l->look_ms = clock_now_ms() + LOOK_MS;
	return false;
}

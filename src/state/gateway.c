/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides where a gateway's id is kept: in a mapped file, where the first
 * process that needs it swaps it in.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "state/gateway.h"
#include "state/mapfile.h"

#define MAGIC MAPFILE_MAGIC(UINT64_C(0x7467676174653031)) /* "tggate01" */

struct gateway_file {
	_Atomic uint64_t id; /* 0: not made yet */
};

static bool
asks_gateways(const struct config *config)
{
	for (size_t i = 0; i < config->nproviders; i++)
		if (config->providers[i].kind == PROVIDER_TAILGATE)
			return true;
	return false;
}

int
gateway_id(const struct config *config, char id[GATEWAY_ID_SIZE], char *why,
    size_t size)
{
	struct gateway_file *file;
	uint64_t none = 0, made;

	*id = '\0';
	if (!asks_gateways(config))
		return 0;
	file =
	    mapfile_open(config->runtime_dir, "gateway", MAGIC, sizeof(*file));
	if (file == NULL) {
		snprintf(why, size, "%s/gateway: %s", config->runtime_dir,
		    mapfile_error(errno));
		return -1;
	}
	do
		arc4random_buf(&made, sizeof(made));
	while (made == 0);
	if (atomic_compare_exchange_strong(&file->id, &none, made))
		none = made;
	snprintf(id, GATEWAY_ID_SIZE, "%016" PRIx64, none);
	mapfile_close(file, sizeof(*file));
	return 0;
}

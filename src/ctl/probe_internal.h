/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What probe_ask.c (is it well?) and probe_learn.c (what are its models like?)
 * share.  detect.c learns by the same rules before there is a configuration.
 */
#ifndef CTL_PROBE_INTERNAL_H
#define CTL_PROBE_INTERNAL_H

#include <jansson.h>

#include "ctl/probe_ask.h"

struct probe_asking {
	const struct config *config;
	/* GET, or POST if there is a body, at the server's root.  Returns the
	 * JSON of a 200, which the caller owns, or NULL. */
	json_t *(*ask_json)(
	    struct probe_asking *, const char *path, const char *body);
	void *ctx; /* of an ask_json that does not use the pool */
	struct upstream_pool *pool;
	const struct watch *watch;
	struct arena *arena;
	struct provider root; /* the provider, at its server's root */
	const char *key; /* the provider's key that is used */
	struct probe *probe;
};

/* Fills probe->server and probe->learned from the list of models and from what
 * else this kind of server tells. */
void probe_learn(struct probe_asking *, const json_t *models);
/* Remarks in probe->why that a target asks for a model which is not listed
 * (probe_names.c); after probe_learn(). */
void probe_names(struct probe_asking *, const json_t *models);

#endif

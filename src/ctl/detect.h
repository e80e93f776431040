/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Which model servers run on this host: asks the usual loopback ports for
 * their list of models, and for what `tailgate probe` would learn of them.
 */
#ifndef CTL_DETECT_H
#define CTL_DETECT_H

#include <stddef.h>
#include <stdint.h>

#include "policy/facts.h"

#define DETECT_SERVERS_MAX 4
#define DETECT_MODELS_MAX 64

struct detected {
	const char *name; /* "ollama" */
	unsigned port;
	unsigned slots; /* requests it can serve at the same time */
	const char *counts; /* how it counts tokens, as `counts` of a provider
			     * says it; NULL: it does not */
	size_t nmodels;
	/* Their names, and what the server says of each. */
	struct facts_learned models[DETECT_MODELS_MAX];
};

/* Fills in the servers that respond and list a model.  Returns how many. */
size_t detect(struct detected found[DETECT_SERVERS_MAX]);
/* The ports that detect() asks. */
void detect_ports(uint16_t ports[DETECT_SERVERS_MAX]);
void detect_free(struct detected *, size_t n);

#endif

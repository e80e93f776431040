/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how what a probe learned is merged with what was known.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ctl/probe_keep.h"
#include "state/learned.h"

/* Was the provider well in this round?  Then what was learned in it replaces
 * what was known. */
static bool
asked_well(
    const struct probe *probes, size_t nprobes, const struct provider *provider)
{
	for (size_t i = 0; i < nprobes; i++)
		if (probes[i].provider == provider)
			return probes[i].ok;
	return false;
}

static bool
same_facts(const struct facts_learned *a, const struct facts_learned *b)
{
	return a->provider == b->provider && strcmp(a->model, b->model) == 0 &&
	    a->context == b->context && a->images == b->images &&
	    a->audio == b->audio && a->tools == b->tools &&
	    a->slots == b->slots && a->busy == b->busy && a->at_ms == b->at_ms;
}

static bool
known(const struct facts_learned *facts, size_t n,
    const struct facts_learned *row)
{
	for (size_t i = 0; i < n; i++)
		if (same_facts(&facts[i], row))
			return true;
	return false;
}

static size_t
merge_learned(const struct probe *probes, size_t nprobes,
    const struct facts_learned *old, size_t nold, struct facts_learned *out)
{
	size_t n = 0;

	for (size_t i = 0; i < nold; i++)
		if (!asked_well(probes, nprobes, old[i].provider))
			out[n++] = old[i];
	for (size_t i = 0; i < nprobes; i++)
		for (size_t k = 0; k < probes[i].nlearned; k++)
			out[n++] = probes[i].learned[k];
	return n;
}

/* The file is left alone if nothing changed: readers watch its stamp. */
void
probe_keep(
    const struct config *config, const struct probe *probes, size_t nprobes)
{
	struct facts_learned *old, *all;
	size_t nold = learned_load(config, &old), n = nold, same = 0;

	for (size_t i = 0; i < nprobes; i++)
		n += probes[i].nlearned;
	if ((all = calloc(n + 1, sizeof(*all))) == NULL)
		fatal("out of memory for what was learned");
	n = merge_learned(probes, nprobes, old, nold, all);
	for (size_t i = 0; i < n; i++)
		same += known(old, nold, &all[i]);
	if ((same != n || n != nold) && learned_store(config, all, n) == -1)
		log_error("%s/learned.json: %s", config->runtime_dir,
		    strerror(errno));
	free(all);
	free(old);
}

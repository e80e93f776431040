/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Mistakes because of which the gateway would refuse to start: paths that no
 * system can open, and names that would become the wrong file.
 */
#include "config.h"

#include <limits.h>
#include <string.h>

#include "config/load.h"

/* Room for ".lock", ".tail", the numbers of rotated ledgers, spool files. */
#define SUFFIX_BYTES 32
#define PART_MAX (255 - SUFFIX_BYTES) /* NAME_MAX of all file systems of ours */

/* The longest part between slashes. */
static size_t
longest_part(const char *path)
{
	size_t longest = 0, n;

	for (; *path != '\0'; path += n + (path[n] == '/')) {
		n = strcspn(path, "/");
		longest = n > longest ? n : longest;
	}
	return longest;
}

static void
prove_path(struct load *load, const void *element, const char *group,
    const char *name, const char *path, size_t max)
{
	if (path == NULL)
		return;
	if (strlen(path) > max)
		mistake_of(load, element, group, name,
		    "the path must have at most %zu bytes, has %zu", max,
		    strlen(path));
	else if (longest_part(path) > PART_MAX)
		mistake_of(load, element, group, name,
		    "each part of the path must have at most %d bytes, one "
		    "has %zu",
		    PART_MAX, longest_part(path));
}

void
prove_start(struct load *load)
{
	const struct config *c = load->config;
	const size_t max = PATH_MAX - 1 - SUFFIX_BYTES;

	prove_path(
	    load, c, "", "runtime_dir", c->runtime_dir, CONFIG_RUNTIME_DIR_MAX);
	prove_path(load, c, "", "state_dir", c->state_dir, max);
	prove_path(load, c, "body", "spool_dir", c->spool_dir, max);
	prove_path(load, c, "ledger", "file", c->ledger_file, max);
	for (size_t i = 0; i < c->nlimits; i++)
		if (c->limits[i].name != NULL &&
		    strcmp(c->limits[i].name, "lock") == 0)
			mistake_of(load, &c->limits[i], "limits", "name",
			    "lock is the name of tailgate's own file beside "
			    "the limits; take another");
}

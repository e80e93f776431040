/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the form of INFO: what the engine says of itself.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "fleet/store_internal.h"

#define RUN_LEN 40

/* "run_id:…\r\n" */
static void
info_field(struct span text, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);
	const char *end = text.p + text.len, *p = text.p;

	*out = '\0';
	while (p < end) {
		const char *eol = memchr(p, '\r', (size_t)(end - p));
		size_t len = (size_t)((eol == NULL ? end : eol) - p);

		if (len > n && memcmp(p, name, n) == 0 && p[n] == ':') {
			log_escape(p + n + 1, len - n - 1, out, size);
			return;
		}
		p += len + (eol == NULL ? 0 : 2);
	}
}

/* In a cluster every node sends us on to the one that has our names, which is
 * a master. */
static bool
is_cluster(struct span info)
{
	char mode[16], enabled[8];

	info_field(info, "server_mode", mode, sizeof(mode));
	if (*mode == '\0')
		info_field(info, "redis_mode", mode, sizeof(mode));
	info_field(info, "cluster_enabled", enabled, sizeof(enabled));
	return strcmp(mode, "cluster") == 0 || strcmp(enabled, "1") == 0;
}

const char *
store_read_info(struct store *s, const struct store_reply *reply)
{
	struct span text = store_reply_text(reply);
	const char *name = "valkey";
	char version[24], role[16];

	info_field(text, "run_id", s->run, sizeof(s->run));
	info_field(text, "role", role, sizeof(role));
	info_field(text, "valkey_version", version, sizeof(version));
	if (*version == '\0') {
		name = "redis";
		info_field(text, "redis_version", version, sizeof(version));
	}
	snprintf(s->version, sizeof(s->version), "%s %s", name, version);
	if (strcmp(role, "slave") == 0 && !is_cluster(text))
		return "the engine is a replica; store.url must lead to the "
		       "master";
	return strlen(s->run) == RUN_LEN ? NULL : "INFO tells no run_id";
}

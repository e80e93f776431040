/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the fleet's processes are found: each listens to a channel of its
 * own name, and the engine reports which channels have a listener.  So there is
 * no list from which dead processes must be removed.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jput.h"
#include "base/memory.h"
#include "fleet/leases_internal.h"
#include "fleet/look.h"

/* The elements before the rows in the reply to "look". */
#define LOOK_HEAD 5

/* ARGV[2]: the beginning of the channels' names.  Reply: processes. */
static struct store_script hosts_script = {
	.name = "hosts",
	.text = "local from = ARGV[2]\n"
		"local all = redis.call('PUBSUB', 'CHANNELS',\n"
		"  from:gsub('[%[%]\\\\^]', '?') .. '*')\n"
		"local out = {}\n"
		"for _, name in ipairs(all) do\n"
		"  if name:sub(1, #from) == from then\n"
		"    out[#out + 1] = name:sub(#from + 1)\n"
		"  end\n"
		"end\n"
		"table.sort(out)\n"
		"return out\n",
};

void
look_channel(
    const struct store *store, const char *process, char *out, size_t size)
{
	snprintf(out, size, "%.64s:host:%s", store_prefix(store), process);
}

/* The part of "HOST:PID:RANDOM…" up to the first colon, and the PID. */
static struct span
host_of(struct span process, int64_t *pid)
{
	const char *colon = memchr(process.p, ':', process.len);

	*pid = 0;
	if (colon == NULL)
		return process;
	*pid = strtol(colon + 1, NULL, 10);
	return (struct span){ process.p, (size_t)(colon - process.p) };
}

/* ---- hosts ------------------------------------------------------------- */

static void
put_host(struct buf *out, struct span name, int64_t workers)
{
	if (workers == 0)
		return;
	jput_open(out, '{');
	jput_span(out, "name", name);
	jput_i64(out, "workers", workers);
	buf_puts(out, "}");
}

static bool
put_hosts(struct store *store, struct buf *out)
{
	char channel[128], key[STORE_KEY_SIZE];
	struct span keys[1] = { store_key(
	    store, key, "circuits", "all", NULL) };
	struct span arg, name, last = { "", 0 };
	struct store_reply *reply;
	int64_t workers = 0, pid;

	look_channel(store, "", channel, sizeof(channel));
	arg = span_of(channel);
	if (store_eval(store, &hosts_script, keys, 1, &arg, 1, &reply) !=
	    STORE_OK)
		return false;
	jput_name_open(out, "hosts", '[');
	for (size_t i = 0; i < store_reply_count(reply); i++) {
		name =
		    host_of(store_reply_text(store_reply_at(reply, i)), &pid);
		if (!span_eq(name, last)) {
			put_host(out, last, workers);
			workers = 0;
			last = name;
		}
		workers++;
	}
	put_host(out, last, workers);
	buf_puts(out, "]");
	store_reply_free(reply);
	return true;
}

/* ---- limits ------------------------------------------------------------ */

static struct store_reply *
look(struct store *store, const struct limit *limit)
{
	struct leases_words *w = memory_alloc(sizeof(*w));
	struct store_reply *reply = NULL;
	char channels[128];

	/* A look may find that a lease is over, and grant the slot to the next
	 * waiter. */
	leases_channels(store, channels, sizeof(channels));
	leases_words(w, store, limit, "look", "", channels);
	(void)store_eval(store, &leases_script, w->key, LEASES_KEYS, w->arg,
	    LEASES_ARGS, &reply);
	free(w);
	if (store_reply_count(reply) > LOOK_HEAD)
		return reply;
	store_reply_free(reply);
	return NULL;
}

static struct span
next_word(struct span *rest)
{
	const char *space = memchr(rest->p, ' ', rest->len);
	size_t n = space == NULL ? rest->len : (size_t)(space - rest->p);
	struct span out = { rest->p, n };

	rest->p += n + (space != NULL);
	rest->len -= n + (space != NULL);
	return out;
}

/* "ID FENCE AGE CLIENT", or "ID CLIENT" of one that waits. */
static void
put_row(struct buf *out, struct span row, bool holds)
{
	struct span id = next_word(&row);
	int64_t pid, age_ms = 0;
	struct span host = host_of(id, &pid);

	if (holds) {
		next_word(&row);
		age_ms = strtoll(next_word(&row).p, NULL, 10);
	}
	jput_open(out, '{');
	jput_span(out, "host", host);
	jput_i64(out, "pid", pid);
	jput_span(out, "client", row);
	if (holds)
		jput_i64(out, "age_ms", age_ms);
	buf_puts(out, "}");
}

static bool
put_limit(struct store *store, const struct limit *limit, struct buf *out)
{
	struct store_reply *reply = look(store, limit);
	bool holds = true;
	size_t waiting = 0;

	if (reply == NULL)
		return false;
	jput_open(out, '{');
	jput_text(out, "name", limit->name);
	jput_i64(out, "slots", limit->slots);
	jput_i64(out, "used", store_reply_int(store_reply_at(reply, 0), 0));
	jput_i64(out, "queued", store_reply_int(store_reply_at(reply, 1), 0));
	jput_name_open(out, "holders", '[');
	for (size_t i = LOOK_HEAD; i < store_reply_count(reply); i++) {
		struct span row = store_reply_text(store_reply_at(reply, i));

		if (span_is(row, "w")) {
			holds = false;
			buf_puts(out, "]");
			jput_name_open(out, "waiting", '[');
		} else if (holds || waiting++ < LOOK_WAITING_MAX)
			put_row(out, row, holds);
	}
	buf_puts(out, "]}");
	store_reply_free(reply);
	return !holds;
}

bool
look_json(struct store *store, const struct config *config, struct buf *out)
{
	buf_puts(out, "{");
	if (!put_hosts(store, out))
		return false;
	jput_name_open(out, "limits", '[');
	for (size_t i = 0; i < config->nlimits; i++)
		if (config->limits[i].shared &&
		    !put_limit(store, &config->limits[i], out))
			return false;
	buf_puts(out, "]}");
	return true;
}

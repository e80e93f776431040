/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what the store is asked.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "ctl/probe_store.h"
#include "fleet/store.h"

/* Reply: the policy, and the memory that is allowed (0: all). */
static struct store_script facts_script = {
	.name = "facts",
	.text = "local info = redis.call('INFO', 'memory')\n"
		"return { info:match('maxmemory_policy:(%S+)') or '',\n"
		"  info:match('maxmemory:(%d+)') or '' }\n",
};

static void
note_policy(struct probe_store *out, const struct store_reply *reply)
{
	struct span policy = store_reply_text(store_reply_at(reply, 0));

	log_escape(policy.p, policy.len, out->policy, sizeof(out->policy));
	if (policy.len > 0 && !span_is(policy, "noeviction"))
		snprintf(out->why, sizeof(out->why),
		    "maxmemory-policy is %s: it may forget who holds slots and "
		    "what was spent when its memory is full; set noeviction",
		    out->policy);
}

static void
ask(struct store *store, struct probe_store *out)
{
	char name[STORE_KEY_SIZE];
	struct span key = store_key(store, name, "probe", "facts", NULL);
	struct store_reply *reply;
	struct store_facts facts;
	int64_t began_ns;

	/* The first call also waits for the connection. */
	if (store_eval(store, &facts_script, &key, 1, NULL, 0, &reply) ==
	    STORE_OK) {
		note_policy(out, reply);
		store_reply_free(reply);
		began_ns = clock_now_ns();
		out->ok = store_eval(store, &facts_script, &key, 1, NULL, 0,
			      &reply) == STORE_OK;
		out->us = (clock_now_ns() - began_ns) / 1000;
		store_reply_free(reply);
	}
	store_facts(store, &facts);
	snprintf(out->server, sizeof(out->server), "%s", facts.version);
	if (!out->ok)
		snprintf(out->why, sizeof(out->why), "%s",
		    *facts.why == '\0' ? "no reply" : facts.why);
}

void
probe_store_ask(const struct config *config, struct probe_store *out)
{
	struct store *store = store_new(config);

	*out = (struct probe_store){ .us = -1 };
	if (store == NULL)
		return;
	out->asked = true;
	ask(store, out);
	store_end(store);
	while (!store_has_ended(store))
		task_sleep(1);
	store_free(store);
}

void
probe_store_print(const struct probe_store *p)
{
	if (!p->asked)
		return;
	if (p->ok)
		printf("\nstore: %s, %lld us a call, %s\n", p->server,
		    (long long)p->us, p->policy);
	else
		printf("\nstore: away: %s\n", p->why);
	if (p->ok && *p->why != '\0')
		printf("store: warning: %s\n", p->why);
	fflush(stdout);
}

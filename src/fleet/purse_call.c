/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a call about a purse becomes a script's arguments, and how the
 * reply is read.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "fleet/purse_internal.h"

#define ARGS_HEAD 6
#define ARGS_PART 10
#define ARGS (ARGS_HEAD + PURSE_KINDS * ARGS_PART)
#define REPLY_HEAD 6
#define REPLY_REPLICAS 5
#define REPLY_PART 5

uint64_t
purse_run(const struct purse *p)
{
	struct store_facts facts;

	if (p->store == NULL)
		return 0;
	store_facts(p->store, &facts);
	if (!facts.up || facts.run[0] == '\0')
		return 0;
	return hash_not_0(hash_more(HASH_SEED, facts.run, strlen(facts.run)));
}

struct args {
	char texts[ARGS][STORE_NUMBER_SIZE];
	struct span spans[ARGS];
	size_t n;
};

static void
add(struct args *a, int64_t v)
{
	a->spans[a->n] = store_number(a->texts[a->n], v);
	a->n++;
}

static void
add_part(struct args *a, const struct budget_purse_part *p)
{
	add(a, p->bound);
	add(a, p->period);
	add(a, p->base);
	add(a, p->used);
	add(a, p->allowed);
	add(a, p->need);
	add(a, p->least);
	add(a, p->want);
	add(a, p->extra);
	add(a, p->first);
}

static void
make_args(struct args *a, const struct budget_purse_call *c)
{
	a->n = 0;
	a->spans[a->n] = (struct span){ a->texts[0],
		(size_t)snprintf(
		    a->texts[0], sizeof(a->texts[0]), "%016" PRIx64, c->host) };
	a->n++;
	add(a, (int64_t)c->incarnation);
	add(a, (int64_t)c->seq);
	add(a, c->alone);
	add(a, (int64_t)c->version);
	add(a, (int64_t)c->hosts);
	for (int i = 0; i < PURSE_KINDS; i++)
		add_part(a, &c->parts[i]);
}

static int64_t
number(const struct store_reply *reply, size_t at)
{
	return store_reply_int(store_reply_at(reply, at), INT64_MIN);
}

/* Are all numbers there, and small enough to be added up? */
static bool
is_sane(const struct store_reply *reply)
{
	for (size_t i = 0; i < store_reply_count(reply); i++)
		if (number(reply, i) < -BUDGET_PURSE_MAX ||
		    number(reply, i) > BUDGET_PURSE_MAX)
			return false;
	return number(reply, 1) > 0; /* the engine's clock */
}

static bool
read_answer(const struct store_reply *reply, struct budget_purse_answer *a)
{
	if (store_reply_count(reply) != REPLY_HEAD + PURSE_KINDS * REPLY_PART ||
	    !is_sane(reply))
		return false;
	switch (number(reply, 0)) {
	case PURSE_SAID_OK:
		a->state = PURSE_OK;
		break;
	case PURSE_SAID_LEARNING:
		a->state = PURSE_LEARNING;
		break;
	case PURSE_SAID_REPLACED:
		a->state = PURSE_REPLACED;
		break;
	default:
		return false;
	}
	a->wall_ms = number(reply, 1);
	a->version = (uint64_t)number(reply, 2);
	a->hosts = (uint64_t)number(reply, 3);
	a->hungry = number(reply, 4) == 1;
	for (int i = 0; i < PURSE_KINDS; i++) {
		size_t at = REPLY_HEAD + (size_t)i * REPLY_PART;

		a->parts[i] = (struct budget_purse_said){
			.period = number(reply, at),
			.retired = number(reply, at + 1),
			.allowed = number(reply, at + 2),
			.total = number(reply, at + 3),
			.spent = number(reply, at + 4),
		};
	}
	return true;
}

/* What was granted must not be forgotten by a replica that becomes the master
 * while this host is cut off, because no other host knows of it.  The one that
 * becomes it is on the side of most servers, and has the most data there; so it
 * is enough that most servers have it, this one included. */
static bool
is_kept(struct purse *p, uint64_t connection, const struct store_reply *reply)
{
	int64_t replicas = number(reply, REPLY_REPLICAS);

	return replicas == 0 ||
	    store_is_copied(p->store, connection, (replicas + 1) / 2);
}

bool
purse_say(struct purse *p, const struct budget_purse_call *call)
{
	struct store_reply *reply = NULL;
	struct budget_purse_answer answer;
	char key[STORE_KEY_SIZE];
	struct store_call *asked;
	struct args args;
	struct span keys[1];
	uint64_t connection;
	bool ok;

	keys[0] = store_key(p->store, key,
	    call->kind == 'c' ? "budget:client" : "budget:model", call->name,
	    NULL);
	make_args(&args, call);
	memset(&answer, 0, sizeof(answer));
	asked =
	    store_begin(p->store, &purse_script, keys, 1, args.spans, args.n);
	connection = store_connection(p->store);
	ok = store_wait(p->store, asked, &reply) == STORE_OK &&
	    read_answer(reply, &answer) && is_kept(p, connection, reply);
	answer.run = purse_run(p);
	budget_purse_told(p->book, call, ok ? &answer : NULL);
	store_reply_free(reply);
	return ok;
}

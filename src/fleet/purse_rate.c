/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Rates that hosts share: requests and tokens in a minute.
 *
 * Hides the scripts.  They keep what budget.c keeps for one host: a ring of
 * seconds, so that no 60 seconds have more than the bound.  A request adds its
 * estimate of tokens to the second in which it begins.  When it ends, the
 * estimate is removed, and the tokens that were used are added to that second.
 * If the host dies, the estimate leaves the ring by itself.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "fleet/purse_internal.h"

#define RETRY_STORE_MS 2000

static _Thread_local char message[PURSE_MESSAGE_SIZE];

/* at: the newest second; r, t: sums over the ring; rN, tN: of second N mod 61.
 * The time never goes back.  cr, ct: of this second. */
#define RING                                                                   \
	"local key = KEYS[1]\n"                                                \
	"local clock = redis.call('TIME')\n"                                   \
	"local now, ms = tonumber(clock[1]), math.floor(clock[2] / 1000)\n"    \
	"local function read()\n"                                              \
	"  return redis.call('HMGET', key, 'at', 'r', 't', 'r' .. now % 61,\n" \
	"    't' .. now % 61)\n"                                               \
	"end\n"                                                                \
	"local head = read()\n"                                                \
	"local at = tonumber(head[1] or 0)\n"                                  \
	"if at > now then now, ms = at, 0; head = read() end\n"                \
	"local r, t = tonumber(head[2] or 0), tonumber(head[3] or 0)\n"        \
	"local cr, ct = tonumber(head[4] or 0), tonumber(head[5] or 0)\n"      \
	"if now - at >= 61 then\n"                                             \
	"  redis.call('DEL', key); r, t, cr, ct = 0, 0, 0, 0\n"                \
	"elseif now > at then\n"                                               \
	"  for s = at + 1, now do\n"                                           \
	"    local f, g = 'r' .. s % 61, 't' .. s % 61\n"                      \
	"    local old = redis.call('HMGET', key, f, g)\n"                     \
	"    if old[1] or old[2] then\n"                                       \
	"      r, t = r - (old[1] or 0), t - (old[2] or 0)\n"                  \
	"      redis.call('HDEL', key, f, g)\n"                                \
	"    end\n"                                                            \
	"  end\n"                                                              \
	"  cr, ct = 0, 0\n"                                                    \
	"end\n"                                                                \
	"local function text(x) return string.format('%.0f', x) end\n"         \
	"local function save()\n"                                              \
	"  redis.call('HSET', key, 'at', now, 'r', text(r), 't', text(t),\n"   \
	"    'r' .. now % 61, text(cr), 't' .. now % 61, text(ct))\n"          \
	"  if now ~= at then redis.call('PEXPIRE', key, 62000) end\n"          \
	"end\n"

/* ARGV: run, bounds of requests and tokens (0: none), requests, tokens.
 * Reply: 0 (accepted), 1 (too many requests) or 2 (too many tokens), the
 * second, the ms until there is room, and the sums. */
static struct store_script take_script = { .name = "rate",
	.text = RING "local br, bt = tonumber(ARGV[2]), tonumber(ARGV[3])\n"
		     "local nr, nt = tonumber(ARGV[4]), tonumber(ARGV[5])\n"
		     "local function wait(letter, excess)\n"
		     "  local last = now\n"
		     "  for s = now - 60, now do\n"
		     "    local v = tonumber(redis.call('HGET', key, letter .. "
		     "s % 61) or 0)\n"
		     "    if v > 0 then last = s; excess = excess - v end\n"
		     "    if v > 0 and excess <= 0 then break end\n"
		     "  end\n"
		     "  return (last + 61 - now) * 1000 - ms\n"
		     "end\n"
		     "local out = { 0, now, 0 }\n"
		     "if br > 0 and nr > 0 and r + nr > br then\n"
		     "  out = { 1, now, wait('r', r + nr - br) }\n"
		     "elseif bt > 0 and t > 0 and t + nt > bt then\n"
		     "  out = { 2, now, wait('t', t + nt - bt) }\n"
		     "else\n"
		     "  r, t, cr, ct = r + nr, t + nt, cr + nr, ct + nt\n"
		     "end\n"
		     "if out[1] == 0 or now ~= at then save() end\n"
		     "out[4], out[5] = r, t\n"
		     "return out\n" };

/* ARGV: run, the second of the estimate, the estimate, what was used, and how
 * many requests were not made after all. */
static struct store_script settle_script = { .name = "rate settle",
	.text = RING
	"local second, estimate = tonumber(ARGV[2]), tonumber(ARGV[3])\n"
	"local used, unmade = tonumber(ARGV[4]), tonumber(ARGV[5])\n"
	"local function back(letter, n)\n"
	"  local field = letter .. second % 61\n"
	"  local v = tonumber(redis.call('HGET', key, field) or 0)\n"
	"  n = math.min(v, n)\n"
	"  if n > 0 then redis.call('HSET', key, field, text(v - n)) end\n"
	"  return n\n"
	"end\n"
	"if second == now then\n"
	"  local n, m = math.min(ct, estimate), math.min(cr, unmade)\n"
	"  t, ct, r, cr = t - n, ct - n, r - m, cr - m\n"
	"elseif second < now and now - second < 61 then\n"
	"  t = t - back('t', estimate)\n"
	"  if unmade > 0 then r = r - back('r', unmade) end\n"
	"end\n"
	"t, ct = t + used, ct + used\n"
	"save()\n" };

static struct span
rate_key(const struct purse *p, char out[STORE_KEY_SIZE],
    const struct client *client, const struct model *model)
{
	return client != NULL
	    ? store_key(p->store, out, "rate:client", client->name, NULL)
	    : store_key(p->store, out, "rate:model", model->id, NULL);
}

const char *
purse_rate_message(const char *text)
{
	strlcpy(message, text, sizeof(message));
	return message;
}

static int
refuse(enum refusal refusal, int64_t retry_after_ms, struct refused *out)
{
	memset(out, 0, sizeof(*out));
	out->refusal = refusal;
	out->message = message;
	out->retry_after_ms = retry_after_ms > 0 ? retry_after_ms : 1;
	return -1;
}

static int
refuse_rate(bool tokens, const struct client *client, const struct model *model,
    const struct budget *b, int64_t wait_ms, struct refused *out)
{
	snprintf(message, sizeof(message),
	    "%s %s may %s %" PRIu64 " %s per minute over all hosts; wait for "
	    "the time in Retry-After.",
	    client != NULL ? "Client" : "Model",
	    client != NULL ? client->name : model->id, tokens ? "use" : "make",
	    tokens ? b->tokens_per_minute : b->requests_per_minute,
	    tokens ? "tokens" : "requests");
	return refuse(REFUSE_RATE, wait_ms, out);
}

static int
refuse_away(
    const struct client *client, const struct model *model, struct refused *out)
{
	snprintf(message, sizeof(message),
	    "The rate of %s %s is shared over hosts, and the store cannot be "
	    "reached; try again in a moment.",
	    client != NULL ? "client" : "model",
	    client != NULL ? client->name : model->id);
	return refuse(REFUSE_RATE_STORE, RETRY_STORE_MS, out);
}

static int64_t
left(uint64_t bound, int64_t used)
{
	return (int64_t)bound > used ? (int64_t)bound - used : 0;
}

static void
note_room(const struct budget *b, int64_t requests, int64_t tokens,
    struct budget_room *room)
{
	int64_t r = left(b->requests_per_minute, requests);
	int64_t t = left(b->tokens_per_minute, tokens);

	if (b->requests_per_minute != 0 && r < room->requests.left)
		room->requests.left = r;
	if (b->tokens_per_minute != 0 && t < room->tokens.left)
		room->tokens.left = t;
}

static struct store_reply *
ask(struct purse *p, const struct client *client, const struct model *model,
    const int64_t numbers[4])
{
	struct store_reply *reply = NULL;
	char texts[4][STORE_NUMBER_SIZE], key[STORE_KEY_SIZE];
	struct span args[4], keys[1] = { rate_key(p, key, client, model) };

	for (size_t i = 0; i < 4; i++)
		args[i] = store_number(texts[i], numbers[i]);
	if (store_eval(p->store, &take_script, keys, 1, args, 4, &reply) ==
		STORE_OK &&
	    store_reply_count(reply) == 5)
		return reply;
	store_reply_free(reply);
	return NULL;
}

/* A number of the reply, clamped so that it can be added up. */
static int64_t
amount(const struct store_reply *reply)
{
	int64_t n = store_reply_int(reply, 0);

	return n < 0 ? 0 : n > BUDGET_PURSE_MAX ? BUDGET_PURSE_MAX : n;
}

int
purse_rate_take(struct purse *p, const struct client *client,
    const struct model *model, bool request, uint64_t tokens, int64_t *second,
    struct budget_room *room, struct refused *refused)
{
	const struct budget *b =
	    client != NULL ? &client->budget : &model->budget;
	const int64_t numbers[4] = { (int64_t)b->requests_per_minute,
		(int64_t)b->tokens_per_minute, request, (int64_t)tokens };
	struct store_reply *reply = ask(p, client, model, numbers);
	int64_t out[5];

	if (reply == NULL)
		return refuse_away(client, model, refused);
	for (size_t i = 0; i < 5; i++)
		out[i] = amount(store_reply_at(reply, i));
	store_reply_free(reply);
	note_room(b, out[3], out[4], room);
	if (out[0] != 0)
		return refuse_rate(
		    out[0] == 2, client, model, b, out[2], refused);
	*second = out[1];
	return 0;
}

void
purse_rate_settle(struct purse *p, const struct client *client,
    const struct model *model, int64_t second, uint64_t estimate,
    uint64_t tokens, bool unmade)
{
	char texts[4][STORE_NUMBER_SIZE], key[STORE_KEY_SIZE];
	struct span args[4] = { store_number(texts[0], second),
		store_number(texts[1], (int64_t)estimate),
		store_number(texts[2], (int64_t)tokens),
		store_number(texts[3], unmade) };
	struct span keys[1] = { rate_key(p, key, client, model) };

	/* If the call is lost, the estimate stays for its minute. */
	(void)store_tell(p->store, &settle_script, keys, 1, args, 4);
}

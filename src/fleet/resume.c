/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the script, which knows the data of purse_script.c.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "fleet/purse_internal.h"
#include "fleet/resume.h"

/* KEYS: the budget.  ARGV after the run: 1 to end the wait, and what was spent
 * in the three windows.  Reply: a word, hosts heard, silent, unknown. */
static struct store_script resume_script = {
	.name = "resume",
	.text =
	    "local key = KEYS[1]\n"
	    "local head = redis.call('HMGET', key, 'run', 'gen', 'rec',\n"
	    "  'old', 'max', 'p1')\n"
	    "if not head[1] or head[1] ~= ARGV[1] then\n"
	    "  return { 'nothing', 0, 0, 0 }\n"
	    "end\n"
	    "local gen, old = tonumber(head[2]), tonumber(head[4])\n"
	    "local heard, silent = 0, 0\n"
	    "local all = redis.call('HGETALL', key)\n"
	    "for i = 1, #all, 2 do\n"
	    "  if all[i]:sub(1, 2) == 'h:' and all[i] ~= 'h:operator' then\n"
	    "    local e = {}\n"
	    "    for w in all[i + 1]:gmatch('%S+') do\n"
	    "      e[#e + 1] = tonumber(w)\n"
	    "    end\n"
	    "    local open = old == 1 or e[3] < 0\n"
	    "    for o = 4, 12, 4 do\n"
	    "      open = open or e[o + 1] > 0 or e[o + 2] > e[o + 3]\n"
	    "    end\n"
	    "    if e[3] == gen then heard = heard + 1\n"
	    "    elseif open then silent = silent + 1 end\n"
	    "  end\n"
	    "end\n"
	    "local unknown = 0\n"
	    "if old == 1 then\n"
	    "  unknown = math.max(0, tonumber(head[5]) - heard - silent)\n"
	    "end\n"
	    "if tonumber(head[3]) == 0 then\n"
	    "  return { 'fine', heard, silent, unknown }\n"
	    "end\n"
	    "if ARGV[2] ~= '1' then\n"
	    "  return { 'waits', heard, silent, unknown }\n"
	    "end\n"
	    /* The amounts are of today; the next call of a host begins its
	     * window (and, on the first of a month, the month's). */
	    "local now = redis.call('TIME')\n"
	    "if tonumber(head[6] or 0) < math.floor(now[1] / 86400) then\n"
	    "  return { 'ended', heard, silent, unknown }\n"
	    "end\n"
	    "local line = redis.call('HGET', key, 'h:operator')\n"
	    "local e = { 0, 0, gen, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }\n"
	    "local before = {}\n"
	    "for w in (line or ''):gmatch('%S+') do\n"
	    "  before[#before + 1] = tonumber(w)\n"
	    "end\n"
	    "local function text(x) return string.format('%.0f', x) end\n"
	    "for i = 1, 3 do\n"
	    "  local o, spent = i * 4, tonumber(ARGV[2 + i])\n"
	    "  local more = spent - (before[o] or 0)\n"
	    "  e[o] = spent\n"
	    "  for _, f in ipairs({ 't' .. i, 's' .. i }) do\n"
	    "    redis.call('HSET', key, f,\n"
	    "      text(tonumber(redis.call('HGET', key, f) or 0) + more))\n"
	    "  end\n"
	    "end\n"
	    "if not line then redis.call('HINCRBY', key, 'n', 1) end\n"
	    "for i = 1, 15 do e[i] = text(e[i]) end\n"
	    "redis.call('HSET', key, 'h:operator', table.concat(e, ' '),\n"
	    "  'rec', 0)\n"
	    "return { 'done', heard, silent, unknown }\n",
};

static unsigned
count(const struct store_reply *reply, size_t at)
{
	int64_t n = store_reply_int(store_reply_at(reply, at), 0);

	return n < 0 || n > INT32_MAX ? 0 : (unsigned)n;
}

enum resume_state
resume_budget(struct store *store, const char *kind, const char *name,
    const struct resume_amounts *amounts, struct resume_facts *facts)
{
	static const struct {
		const char *word;
		enum resume_state state;
	} words[] = { { "nothing", RESUME_NOTHING }, { "fine", RESUME_FINE },
		{ "waits", RESUME_WAITS }, { "done", RESUME_DONE },
		{ "ended", RESUME_ENDED } };
	const struct resume_amounts none = { 0, 0, 0 };
	const struct resume_amounts *a = amounts == NULL ? &none : amounts;
	char key[STORE_KEY_SIZE], what[16], texts[4][STORE_NUMBER_SIZE];
	enum resume_state state = RESUME_AWAY;
	struct store_reply *reply;
	struct span keys[1], args[4];

	*facts = (struct resume_facts){ 0 };
	snprintf(what, sizeof(what), "budget:%s", kind);
	keys[0] = store_key(store, key, what, name, NULL);
	args[0] = store_number(texts[0], amounts != NULL);
	args[1] = store_number(texts[1], a->day_nanousd);
	args[2] = store_number(texts[2], a->month_nanousd);
	args[3] = store_number(texts[3], a->day_tokens);
	if (store_eval(store, &resume_script, keys, 1, args, 4, &reply) !=
	    STORE_OK)
		return RESUME_AWAY;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_is(store_reply_text(store_reply_at(reply, 0)),
			words[i].word))
			state = words[i].state;
	facts->heard = count(reply, 1);
	facts->silent = count(reply, 2);
	facts->unknown = count(reply, 3);
	store_reply_free(reply);
	return state;
}

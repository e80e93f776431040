/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what the store does with a host's call about a shared budget
 * (state/budget_purse.h).
 *
 * The key is a hash.  h:HOST is a host's entry: incarnation, seq, generation,
 * and for each of the three bounds
 *	R  used before its present purse
 *	L  left in the purse of an earlier file that processes may still use
 *	A  allowed
 *	U  used of that, as last reported
 * t1..3 are the sums of R + L + A over all hosts; what is granted here
 * never makes them pass the bound.  s1..3 are the sums of R + U.  p1..3 are
 * the windows.
 *
 * ver grows with each call, and n is the number of entries; hosts remember
 * both.  If another run of the engine wrote the data, or a host remembers a
 * later version, the data may be old or incomplete.  Then a new generation
 * begins, in which all hosts report what they have.  Nothing is granted until
 * these have been heard:
 *  - every host whose purse is open in the data,
 *  - every host whose present file the data does not know, while processes use
 *    an earlier one: what is left in its purse is known to nobody here (its
 *    generation is negative),
 *  - and, if the data is known to be old, every host in the data, and as many
 *    hosts as any of them remembers.
 * Hosts that no host remembers are waited for until `rec`.
 */
#include "config.h"

#include "fleet/purse_internal.h"

struct store_script purse_script = { .name = "budget",
	.text =
	    "local key, arg = KEYS[1], {}\n"
	    "for i = 3, #ARGV do arg[i] = tonumber(ARGV[i]) end\n"
	    "local clock = redis.call('TIME')\n"
	    "local now = clock[1] * 1000 + math.floor(clock[2] / 1000)\n"
	    "local day = math.floor(now / 86400000)\n"
	    /* The civil calendar from days (March is a year's first month). */
	    "local function month_of(d)\n"
	    "  local z = d + 719468\n"
	    "  local era = math.floor(z / 146097)\n"
	    "  local doe = z - era * 146097\n"
	    "  local yoe = math.floor((doe - math.floor(doe / 1460)\n"
	    "    + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)\n"
	    "  local doy = doe - (365 * yoe + math.floor(yoe / 4)\n"
	    "    - math.floor(yoe / 100))\n"
	    "  local mp = math.floor((5 * doy + 2) / 153)\n"
	    "  local m = mp < 10 and mp + 2 or mp - 10\n"
	    "  local y = yoe + era * 400 + (m < 2 and 1 or 0)\n"
	    "  return (y - 1900) * 12 + m\n"
	    "end\n"
	    "local period = { day, month_of(day), day }\n"

	    "local names = { 'run', 'gen', 'ver', 'v0', 'max', 'old', "
	    "'rec',\n"
	    "  'hungry', 'n', 'p1', 'p2', 'p3', 't1', 't2', 't3', 's1', 's2', "
	    "'s3' }\n"
	    "local read, head = redis.call('HMGET', key, unpack(names)), {}\n"
	    "for i = 2, #names do head[names[i]] = tonumber(read[i] or 0) end\n"
	    "local function text(x) return string.format('%.0f', x) end\n"
	    "local function load(line)\n"
	    "  local e = {}\n"
	    "  for w in string.gmatch(line, '%S+') do e[#e + 1] = tonumber(w) "
	    "end\n"
	    "  return e\n"
	    "end\n"
	    "local function save(field, e)\n"
	    "  local w = {}\n"
	    "  for i = 1, 15 do w[i] = text(e[i]) end\n"
	    "  redis.call('HSET', key, field, table.concat(w, ' '))\n"
	    "end\n"
	    "local function each(fn)\n"
	    "  local all = redis.call('HGETALL', key)\n"
	    "  for i = 1, #all, 2 do\n"
	    "    if string.sub(all[i], 1, 2) == 'h:' then fn(all[i], "
	    "load(all[i + 1])) end\n"
	    "  end\n"
	    "end\n"

	    /* ---- can the data be trusted? ---- */
	    "local version, hosts = arg[6], arg[7]\n"
	    "local function doubt(wait)\n"
	    "  head.gen, head.v0, head.max = head.gen + 1, head.ver, 0\n"
	    "  head.old, head.rec = 0, now + wait\n"
	    "end\n"
	    "if not read[1] then\n"
	    "  local up = string.match(redis.call('INFO', 'server'),\n"
	    "    'uptime_in_seconds:(%d+)')\n"
	    "  if version > 0 or tonumber(up or 0) < 5 then doubt(3000) end\n"
	    "elseif read[1] ~= ARGV[1] then doubt(3000)\n"
	    "elseif head.rec == 0 and version > head.ver then doubt(3000) end\n"
	    "head.ver = math.max(head.ver, version) + 1\n"

	    /* ---- a window has ended: carry over what is open ---- */
	    "local rolled = {}\n"
	    "for i = 1, 3 do\n"
	    "  local p = head['p' .. i]\n"
	    "  if p < period[i] then\n"
	    "    rolled[i] = p > 0\n"
	    "    head['p' .. i] = period[i]\n"
	    "  end\n"
	    "end\n"
	    "if rolled[1] or rolled[2] or rolled[3] then\n"
	    "  head.n = 0\n"
	    "  for i = 1, 3 do head['t' .. i], head['s' .. i] = 0, 0 end\n"
	    "  each(function(field, e)\n"
	    "    local some = 0\n"
	    "    for i = 1, 3 do\n"
	    "      local o = i * 4\n"
	    "      if rolled[i] then\n"
	    "        e[o], e[o + 2], e[o + 3] = 0, math.max(0, e[o + 2] - e[o "
	    "+ 3]), 0\n"
	    "      end\n"
	    "      local t = e[o] + e[o + 1] + e[o + 2]\n"
	    "      some = some + t\n"
	    "      head['t' .. i] = head['t' .. i] + t\n"
	    "      head['s' .. i] = head['s' .. i] + e[o] + e[o + 3]\n"
	    "    end\n"
	    "    if some == 0 then redis.call('HDEL', key, field)\n"
	    "    else head.n = head.n + 1; save(field, e) end\n"
	    "  end)\n"
	    "end\n"

	    /* ---- the host that calls ---- */
	    "local field, inc, seq, alone = 'h:' .. ARGV[2], arg[3], arg[4], "
	    "arg[5]\n"
	    "local line = redis.call('HGET', key, field)\n"
	    "local e = line and load(line)\n"
	    "local state, anew = 0, false\n"
	    "if e and inc < e[1] then state = 3\n"
	    "elseif e and inc == e[1] and seq <= e[2] then state = 2 end\n"
	    "local granted = false\n"
	    "local function answer()\n"
	    "  local n, copies = head.n, 0\n"
	    "  if head.rec > 0 then n = math.max(n, head.max) end\n"
	    "  if granted then\n"
	    "    for _ in redis.call('INFO', "
	    "'replication'):gmatch('state=online') do\n"
	    "      copies = copies + 1\n"
	    "    end\n"
	    "  end\n"
	    "  local out = { state, now, head.ver, n,\n"
	    "    (now - head.hungry < 1000) and 1 or 0, copies }\n"
	    "  for i = 1, 3 do\n"
	    "    local o = i * 4\n"
	    "    out[#out + 1] = head['p' .. i]\n"
	    "    out[#out + 1] = e[o]\n"
	    "    out[#out + 1] = e[o + 2]\n"
	    "    out[#out + 1] = head['t' .. i]\n"
	    "    out[#out + 1] = head['s' .. i]\n"
	    "  end\n"
	    "  return out\n"
	    "end\n"
	    "if state ~= 0 then return answer() end\n"
	    "if not e then\n"
	    "  e, anew = { inc, 0, 0, 0,0,0,0, 0,0,0,0, 0,0,0,0 }, true\n"
	    "  head.n = head.n + 1\n"
	    "end\n"

	    /* ---- have all been heard? ---- */
	    /* Only a host's first call in this generation counts: it has what
	     * the host remembers. */
	    "if head.rec > 0 and math.abs(e[3]) ~= head.gen then\n"
	    "  if version > head.v0 then head.old = 1 end\n"
	    "  head.max = math.max(head.max, hosts)\n"
	    "end\n"
	    "local unsure = head.rec > 0 and alone == 0 and\n"
	    "  (anew or inc > e[1] or e[3] < 0)\n"
	    "if head.rec > 0 then\n"
	    "  local missing, count = unsure and 1 or 0, anew and 1 or 0\n"
	    "  each(function(f, o)\n"
	    "    count = count + 1\n"
	    /* The operator's (resume.h) is no host. */
	    "    if f ~= field and f ~= 'h:operator' and\n"
	    "        o[3] ~= head.gen then\n"
	    "      local open = head.old == 1 or o[3] < 0\n"
	    "      for i = 1, 3 do\n"
	    "        if o[i * 4 + 1] > 0 or o[i * 4 + 2] > o[i * 4 + 3] then\n"
	    "          open = true\n"
	    "        end\n"
	    "      end\n"
	    "      if open then missing = missing + 1 end\n"
	    "    end\n"
	    "  end)\n"
	    "  if head.old == 1 and head.max > count then\n"
	    "    missing = missing + head.max - count\n"
	    "  end\n"
	    "  if missing == 0 and now >= head.rec then head.rec = 0 else "
	    "state = 1 end\n"
	    "end\n"

	    /* ---- its purse ---- */
	    "local lacks = false\n"
	    "for i = 1, 3 do\n"
	    "  local a, o = 8 + (i - 1) * 10, i * 4\n"
	    "  local bound, window, base, used, allowed, need, least, want, "
	    "extra, first =\n"
	    "    unpack(arg, a, a + 9)\n"
	    "  local R, L, A, U = unpack(e, o, o + 3)\n"
	    "  local t = head['t' .. i] - R - L - A\n"
	    "  local s = head['s' .. i] - R - U\n"
	    "  if inc > e[1] then R, L, A, U = R + U, L + math.max(0, A - U), "
	    "0, 0\n"
	    "  elseif first == 1 then R, A, U = R + U, 0, 0 end\n"
	    "  if alone == 1 then L = 0 end\n"
	    /* The call is about the previous window: what is left stays
	     * usable. */
	    "  if window < head['p' .. i] then\n"
	    "    base, allowed = 0, math.max(0, allowed - used)\n"
	    "    need, want = math.max(0, need - used), math.max(0, want - "
	    "used)\n"
	    "    used = 0\n"
	    "  end\n"
	    "  if bound > 0 and window <= head['p' .. i] then\n"
	    "    R = math.max(R, base)\n"
	    "    A, U = math.max(allowed, need), used\n"
	    "    local room = bound - t - R - L - A\n"
	    "    if state == 0 then\n"
	    "      if least > 0 and least - (A - need) > room then\n"
	    "        if least > A - need then lacks = true end\n"
	    "      else\n"
	    "        local spare = math.max(0, room - math.max(0, want - A))\n"
	    "        local goal = want +\n"
	    "          math.min(extra, math.floor(spare / (2 * head.n)))\n"
	    "        if goal > A and room > 0 then\n"
	    "          A = A + math.min(goal - A, room)\n"
	    "          granted = true\n"
	    "        end\n"
	    "      end\n"
	    "    end\n"
	    "  end\n"
	    "  e[o], e[o + 1], e[o + 2], e[o + 3] = R, L, A, U\n"
	    "  head['t' .. i] = t + R + L + A\n"
	    "  head['s' .. i] = s + R + U\n"
	    "end\n"
	    "if lacks then head.hungry = now end\n"
	    "e[1], e[2], e[3] = inc, seq, unsure and -head.gen or head.gen\n"
	    "save(field, e)\n"
	    "local write = { 'run', ARGV[1] }\n"
	    "for i = 2, #names do\n"
	    "  write[#write + 1] = names[i]\n"
	    "  write[#write + 1] = text(head[names[i]])\n"
	    "end\n"
	    "redis.call('HSET', key, unpack(write))\n"
	    /* 40 days: longer than any window. */
	    "redis.call('PEXPIRE', key, 3456000000)\n"
	    "return answer()\n" };

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the store keeps a shared rate.
 *
 * It keeps what budget.c keeps for one host: a ring of seconds, so that no 60
 * seconds have more than the bound.  The key is a hash.  `now` has the newest
 * second, the sums of requests and tokens over the ring, and those of the
 * newest second; N has those of the earlier second N mod 61.  All are packed
 * doubles, because parsing decimals took half of the script's time.  The time
 * never goes back; if the engine's clock was set back by more than the ring is
 * long, all that is in the ring counts from then on.
 */
#include "config.h"

#include "fleet/purse_internal.h"

struct store_script purse_rate_script = { .name = "rate",
	.text =
	    "local key, call, arg = KEYS[1], redis.call, {}\n"
	    "for i = 2, #ARGV do arg[i] = tonumber(ARGV[i]) end\n"
	    "local clock = call('TIME')\n"
	    "local now, ms = tonumber(clock[1]), math.floor(clock[2] / 1000)\n"
	    "local head = call('HGET', key, 'now')\n"
	    "local at, r, t, cr, ct = 0, 0, 0, 0, 0\n"
	    "if head then at, r, t, cr, ct = struct.unpack('<ddddd', head) "
	    "end\n"
	    "local back = at - now > 60\n"
	    "if back then\n"
	    "  call('DEL', key)\n"
	    "  at, cr, ct = now, r, t\n"
	    "elseif at > now then now, ms = at, 0 end\n"
	    "local function row(s)\n"
	    "  local v = call('HGET', key, s % 61)\n"
	    "  if not v then return 0, 0 end\n"
	    "  return struct.unpack('<dd', v)\n"
	    "end\n"

	    /* ---- seconds that have passed ---- */
	    "if now - at >= 61 then\n"
	    "  call('DEL', key)\n"
	    "  r, t, cr, ct = 0, 0, 0, 0\n"
	    "elseif now > at then\n"
	    "  call('HSET', key, at % 61, struct.pack('<dd', cr, ct))\n"
	    "  for s = at + 1, now do\n"
	    "    local a, b = row(s)\n"
	    "    r, t = r - a, t - b\n"
	    "    call('HDEL', key, s % 61)\n"
	    "  end\n"
	    "  cr, ct = 0, 0\n"
	    "end\n"

	    /* ---- requests that have ended ---- */
	    "for i = 8, #ARGV, 4 do\n"
	    "  local s, estimate, used, unmade = unpack(arg, i, i + 3)\n"
	    "  if s == now then\n"
	    "    local n, m = math.min(ct, estimate), math.min(cr, unmade)\n"
	    "    t, ct, r, cr = t - n, ct - n, r - m, cr - m\n"
	    "  elseif s < now and now - s < 61 then\n"
	    "    local a, b = row(s)\n"
	    "    local m, n = math.min(a, unmade), math.min(b, estimate)\n"
	    "    call('HSET', key, s % 61, struct.pack('<dd', a - m, b - n))\n"
	    "    r, t = r - m, t - n\n"
	    "  end\n"
	    "  t, ct = t + used, ct + used\n"
	    "end\n"

	    /* ---- the next one ---- */
	    "local br, bt, nr, nt, xr, xt = unpack(arg, 2, 7)\n"
	    "local function wait(which, excess)\n"
	    "  local last = now\n"
	    "  for s = now - 60, now do\n"
	    "    local a, b = 0, 0\n"
	    "    if s == now then a, b = cr, ct\n"
	    "    elseif s <= at then a, b = row(s) end\n"
	    "    local v = which == 1 and a or b\n"
	    "    if v > 0 then last, excess = s, excess - v end\n"
	    "    if v > 0 and excess <= 0 then break end\n"
	    "  end\n"
	    "  return (last + 61 - now) * 1000 - ms\n"
	    "end\n"
	    "local said, rest, more = 0, 0, 0\n"
	    "if br > 0 and nr > 0 and r + nr > br then\n"
	    "  said, rest = 1, wait(1, r + nr - br)\n"
	    "elseif bt > 0 and t > 0 and t + nt > bt then\n"
	    "  said, rest = 2, wait(2, t + nt - bt)\n"
	    "else\n"
	    "  r, t, cr, ct = r + nr, t + nt, cr + nr, ct + nt\n"
	    "  if xr > 0 and (br == 0 or 2 * (r + xr) <= br) and\n"
	    "      (bt == 0 or 2 * (t + xt) <= bt) then\n"
	    "    r, t, cr, ct, more = r + xr, t + xt, cr + xr, ct + xt, 1\n"
	    "  end\n"
	    "end\n"
	    "call('HSET', key, 'now', struct.pack('<ddddd', now, r, t, cr, "
	    "ct))\n"
	    "if back or now ~= at then call('PEXPIRE', key, 62000) end\n"
	    "return { said, now, rest, r, t, more, 1000 - ms }\n" };

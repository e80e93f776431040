# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A shared budget waits for a host that is away after the engine has lost its
# data.  The operator sees it, and ends the wait by saying what that host has
# spent at the most; it counts as spent.  Without an amount, or if the budget
# does not wait, nothing changes.  The host comes back, and is served.
. "${abs_srcdir:-.}/tests/lib.sh"

models()
{
	echo '{ id = "day"; targets = ( { provider = "stub";
	  model = "n=20"; price = { input = 30.0; output = 30.0; };
	} ); budget = { usd_per_day = 1.0; shared = true; }; }'
}

. "$tests/store_hosts.sh"
start_hosts
conf=$dir/one/tailgate.conf

# ask HOST: its status in $status.
ask()
{
	eval "base=\$${1}_base"
	key=$anna_key
	post /v1/chat/completions \
		'{"model":"day","max_tokens":20,"messages":[{"role":"user","content":"hello"}]}'
}

served()
{
	ask "$1"
	[ "$status" = 200 ]
}

# store_says ERE: tailgate store does.
store_says()
{
	"$TAILGATE" -f "$conf" store 2>&1 | grep -E -q "$1"
}

resume()
{
	"$TAILGATE" -f "$conf" store resume "$@" >"$dir/resume.out" 2>&1
}

for host in one two three; do
	check "$host spends" wait_until served $host
done
check 'the budget is fine' wait_until store_says '^model day +fine +3 +0$'
check_not 'nothing to resume' resume model day --spent-today 0.5
like 'is said' "$(cat "$dir/resume.out")" 'does not wait; nothing was changed'

# Purses that are not used go back in a second.
given_back()
{
	cli hgetall 'tailgate:{budget:model:day}' | grep -A1 '^h:' |
		awk 'NF == 15 && ($5 > 0 || $6 > $7) { open = 1 }
		END { exit open }'
}
check 'what is left goes back' wait_until -t 20 given_back
# shellcheck disable=SC2046 # numbers
kill -KILL "$three_pid" $(children "$three_pid")
wait "$three_pid" 2>/dev/null
forget "$three_pid"
kill -KILL "$engine_pid"
wait "$engine_pid" 2>/dev/null
forget "$engine_pid"
start_engine

waits()
{
	ask one
	ask two
	store_says '^model day +waits for hosts +2 +1$'
}
check 'the engine is empty and a host away: the budget waits' \
	wait_until -t 30 waits
ask one
check 'and is refused by name' error_is 503 budget_store_unavailable

check_not 'no amount is named' resume model day
like 'it must be' "$(cat "$dir/resume.out")" '--spent-today'
check_not 'no such budget' resume client anna --spent-today 1
check_not 'no such number' resume model day --spent-today much
check 'still it waits' waits
check 'an amount is named' resume model day --spent-today 0.75
like 'that is said' "$(cat "$dir/resume.out")" 'no longer waits for 1 hosts'
check 'one is served' wait_until served one
check 'two is served' wait_until served two
budget_used()
{
	"$TAILGATE" -f "$conf" status --json | jq -e \
		'.budgets[0].used >= 0.75 and .budgets[0].used < 0.8' >/dev/null
}
check 'the amount counts as spent' wait_until budget_used
check_not 'another time' resume model day --spent-today 0.1

pool three
check 'the host that was away is back: served' wait_until -t 30 served three
check 'so is another' wait_until -t 30 served one
check 'and the budget is fine' wait_until store_says '^model day +fine '

# One that waits, and no host has asked since yesterday.
sed 's/"day"/"gone"/g' "$conf" >"$dir/gone.conf"
gone='tailgate:{budget:model:gone}'
run=$(cli info server | tr -d '\r' | sed -n 's/^run_id://p')
today=$(($(cli time | head -n 1) / 86400))
cli hset "$gone" run "$run" gen 1 rec 1 p1 $((today - 1)) old 0 max 0 >/dev/null
conf=$dir/gone.conf
check_not 'an amount of today is not for yesterday' \
	resume model gone --spent-today 0.75
like 'that is said' "$(cat "$dir/resume.out")" 'nothing was changed'
is 'and so' "$(cli hget "$gone" h:operator)" ''
cli hset "$gone" p1 "$today" >/dev/null
check 'it is for today' resume model gone --spent-today 0.75

finish

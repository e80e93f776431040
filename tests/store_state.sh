# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# What people see of the store: `status`, /metrics, status.json with the fleet,
# `probe`, `explain` and the log; reachable, and away.  And what a request costs
# it: with a shared rate, a shared budget and shared circuits at most two calls,
# the second of which nobody waits for.  `least_busy` compares the slots that are
# used in the whole fleet.  A relay's bounds are those of all who ask through it.
. "${abs_srcdir:-.}/tests/lib.sh"

more_providers()
{
	echo ", { name = \"a\"; place = \"local\"; url = \"$stub_url\"; limit = \"a\"; }
	, { name = \"b\"; place = \"local\"; url = \"$stub_url\"; limit = \"b\"; }"
}

more_settings()
{
	echo 'limits = ( { name = "a"; slots = 2; queue = 64; shared = true; },
	  { name = "b"; slots = 2; queue = 64; shared = true; } );'
}

models()
{
	cat <<-END
		{ id = "a/*"; targets = ( { provider = "a"; model = "*"; } ); },
		{ id = "busy/*"; select = "least_busy"; targets = (
		  { provider = "a"; model = "*"; },
		  { provider = "b"; model = "*"; } ); },
		{ id = "costs"; targets = ( { provider = "stub"; model = "plain";
		  price = { input = 1.0; output = 1.0; }; } );
		  budget = { usd_per_day = 100.0; requests_per_minute = 100000;
		  shared = true; }; },
		{ id = "rated"; targets = ( { provider = "stub";
		  model = "plain"; } );
		  budget = { requests_per_minute = 120; shared = true; }; },
		{ id = "fast"; targets = ( { provider = "stub";
		  model = "plain"; } );
		  budget = { requests_per_minute = 100000;
		  tokens_per_minute = 100000000; shared = true; }; },
		{ id = "free"; targets = ( { provider = "stub";
		  model = "plain"; } ); }
	END
}

. "$tests/store_hosts.sh"
store_lease=15.0 store_timeout=1.8
start_hosts
conf=$dir/one/tailgate.conf
add_client chief --operator
for host in one two three; do
	eval "kill -HUP \$${host}_pid"
done

# ask HOST MODEL: its status in $status.
ask()
{
	eval "base=\$${1}_base"
	key=$anna_key
	post /v1/chat/completions "{\"model\":\"$2\",\"messages\":[]}"
}

# of_chief HOST PATH
of_chief()
{
	eval "base=\$${1}_base"
	key=$chief_key
	request "$2"
}

status_says()
{
	"$TAILGATE" -f "$conf" status | grep -E -q "$1"
}

fleet_is()
{
	of_chief one /tailgate/status.json
	[ "$(body | jq -c "$1")" = "$2" ]
}

metric_is()
{
	of_chief one /metrics
	body | grep -q -x "$1 $2"
}

# hold HOST MODEL: a request until it is released.
hold()
{
	eval "hold_base=\$${1}_base"
	curl -s -o /dev/null --max-time 60 -H "Authorization: Bearer $anna_key" \
		-H 'Content-Type: application/json' \
		--data-binary "{\"model\":\"$2\",\"messages\":[]}" \
		"$hold_base/v1/chat/completions" &
	adopt "hold_$1" $!
}

# --- Reachable -------------------------------------------------------------------

check 'the operator is known' wait_until fleet_is .store.reachable true
check 'status says that the store is reachable' wait_until status_says \
	'^store: reachable since [0-9a-z ]+, [0-9]+ us a call, [0-9]+ calls, 0 failed$'
is 'status --json too' "$("$TAILGATE" -f "$conf" status --json |
	jq -c '.store | [.reachable, .workers, .away, .failed]')" '[true,2,0,0]'
check 'and /metrics' wait_until metric_is tailgate_store_up 1
like 'with the calls' "$(body)" '^tailgate_store_calls_total [1-9][0-9]*$'
like 'and their time' "$(body)" '^tailgate_store_round_trip_seconds 0\.[0-9]+$'
check 'the fleet has three hosts' wait_until fleet_is \
	'[.fleet.hosts[] | [.name, .workers]]' '[["one",2],["three",2],["two",2]]'

hold two a/stall-head
check 'the stub has its request' wait_until stat_is stub in_flight 1
hold three a/stall-head
check 'and another one' wait_until stat_is stub in_flight 2
check 'who holds which slots is seen on a third host' wait_until fleet_is \
	'[.fleet.limits[0].holders[] | [.host, .client]] | sort' \
	'[["three","anna"],["two","anna"]]'
check 'and how many' fleet_is '[.fleet.limits[0].used, .fleet.limits[1].used]' \
	'[2,0]'
check 'status has the figures of the fleet' wait_until status_says \
	'^a +2 +2 +0 +64'

# One knows of the two requests only by the store.
ask one busy/plain
ask one busy/plain
used_b()
{
	ask one busy/plain
	[ "$(header x-tailgate-provider)" = b ]
}
check 'least_busy takes what the fleet uses less' wait_until used_b
printf '{"model":"busy/plain","messages":[]}' >"$dir/ask"
like 'explain as well' \
	"$("$TAILGATE" -f "$conf" explain --client anna "$dir/ask" 2>&1)" \
	'2 of 2'
tell stub release >/dev/null
for host in two three; do
	eval "wait \$hold_${host}_pid; forget \$hold_${host}_pid"
done

"$TAILGATE" -f "$conf" probe >"$dir/probe.out" 2>&1
like 'probe asks the store' "$(cat "$dir/probe.out")" \
	'^store: (redis|valkey) [0-9.]+, [0-9]+ us a call, noeviction$'
unlike 'and has nothing to warn of' "$(cat "$dir/probe.out")" 'store: warning'
is 'probe --json' "$("$TAILGATE" -f "$conf" probe --json |
	jq -c '.store | [.ok, .policy, .remark]')" '[true,"noeviction",null]'
cli config set maxmemory-policy allkeys-lru >/dev/null
like 'it warns of an engine that may forget' \
	"$("$TAILGATE" -f "$conf" probe 2>&1)" \
	'^store: warning: maxmemory-policy is allkeys-lru'
cli config set maxmemory-policy noeviction >/dev/null

# --- A relay -----------------------------------------------------------------------

add_client office --relay --requests-per-minute 6 --usd-per-day 5
sed 's/requests_per_minute = 6;/& shared = true;/' "$dir/clients.conf" \
	>"$dir/clients.new"
cat "$dir/clients.new" >"$dir/clients.conf"
check 'a budget of a client is shared' grep -q 'shared = true' "$dir/clients.conf"
for host in one two three; do
	eval "kill -HUP \$${host}_pid"
done

# as_office HOST CLIENT: asks for a client of the relay's.
as_office()
{
	eval "base=\$${1}_base"
	key=$office_key
	post /v1/chat/completions '{"model":"costs","messages":[]}' \
		-H "X-Tailgate-Relay: v=1; client=$2; priority=10; place=local; id=req_0123456789abcdef0123; patience_ms=20000"
	[ "$status" != 401 ]
}
printf '{"model":"costs","messages":[]}' >"$dir/ask"
like 'explain says what it does not know yet of other hosts' \
	"$("$TAILGATE" -f "$dir/three/tailgate.conf" explain --client office \
		"$dir/ask" 2>&1)" \
	'over all hosts: 0 of 6 used, 0 held, 6 left; of this host alone: nothing was heard of the others in this period'
passed=0
for host in one two three; do
	wait_until as_office $host anna
	[ "$status" = 200 ] && passed=$((passed + 1))
	for client in ben chloe; do
		as_office $host $client
		[ "$status" = 200 ] && passed=$((passed + 1))
	done
done
is 'its rate is that of all who ask through it' "$passed" 6
like 'and refuses in its name' "$(body)" 'Client office may make 6 requests'
conf=$dir/three/tailgate.conf
"$TAILGATE" -f "$conf" explain --client office "$dir/ask" >"$dir/explained" 2>&1
is 'explain says that it would be refused' $? 1
like 'for the rate of all hosts, of which this one used less' \
	"$(cat "$dir/explained")" 'Client office may make 6 requests per minute over all hosts'
like 'and how full it is' "$(cat "$dir/explained")" \
	'client office, requests_per_minute over all hosts: 6 of 6 used, 0 held, 0 left; heard [0-9]+m?s'
is 'as JSON' "$("$TAILGATE" -f "$conf" explain --json --client office \
	"$dir/ask" 2>&1 | jq -c '.budgets[] |
	select(.bound == "requests_per_minute") |
	[.of, .shared, .heard_ms_ago >= 0, .heard_ms_ago < 61000]')" \
	'["client office",true,true,true]
["model costs",true,true,true]'
conf=$dir/one/tailgate.conf
is 'the store knows no other client' \
	"$(cli --scan --pattern 'tailgate:{*:client:*' | tr -d '\r' | sort | tr '\n' ' ')" \
	'tailgate:{budget:client:office} tailgate:{minute:client:office} '

# --- What a request costs ----------------------------------------------------------

# The engine tells all commands that it gets.
"${engine%-server}-cli" -s "$dir/engine/sock" monitor >"$dir/monitor" 2>&1 &
adopt monitor $!

# scripts NAME: so many were run with that key since the last mark.  A mark is
# told after all commands before it.
scripts()
{
	mark=mark-$(date +%s%N)
	cli echo "$mark" >/dev/null
	wait_until -p "$monitor_pid" grep -q "$mark" "$dir/monitor"
	awk -v key="\"tailgate:{$1" -v end="$mark" '
		/"(echo|ECHO)" "mark-/ { if (index($0, end)) exit; n = 0; next }
		tolower($0) ~ /"eval(sha)?"/ && index($0, key) { n++ }
		END { print n + 0 }' "$dir/monitor"
}

told_marks()
{
	cli echo mark-0 >/dev/null
	grep -q mark-0 "$dir/monitor"
}
wait_until -p "$monitor_pid" told_marks || broken 'no monitor'

# fifty MODEL: requests for it, since a mark at $began.
fifty()
{
	ask one "$1"
	scripts none >/dev/null
	began=$(date +%s)
	n=0
	while [ $n -lt 50 ]; do
		ask one "$1"
		[ "$status" = 200 ] || break
		n=$((n + 1))
	done
	is "50 requests for $1" "$n" 50
}

fifty free
is 'shared circuits cost a request nothing' "$(scripts circuits:all)" 0
fifty rated
cost=$(scripts minute:model:rated)
# The report of the request before the fifty may be among them.
at_most 'a shared rate costs it at most two calls' "$cost" 101
at_most 'one of them before it is sent' 50 "$cost"
fifty costs
# A process has its purse filled, and gives it back in a second in which it is
# not used.
took=$(($(date +%s) - began))
cost=$(scripts budget:model:costs)
at_most 'with a shared budget it is hardly more' "$cost" $((25 + 4 * took))
is 'which the engine has' "$(cli exists 'tailgate:{budget:model:costs}')" 1

# 200 requests within a minute, one after the other.
scripts none >/dev/null
began=$(date +%s)
"$load" -c 1 -n 200 -k "$anna_key" -b '{"model":"fast","messages":[]}' \
	"${one_base#http://}" >"$dir/fast" 2>&1
like '200 requests at a high rate are served' "$(cat "$dir/fast")" '^complete=200 '
# In each second a process asks twice, and reports what it has not used.
took=$(($(date +%s) - began))
at_most 'of which a part is had in advance' \
	"$(scripts minute:model:fast)" $((25 + 8 * took))

# rate_says N: in the store, so many requests were made in this minute.
rate_says()
{
	[ "$(cli eval "local _, n = struct.unpack('<dd', redis.call('HGET',
		KEYS[1], 'now')) return n" 1 'tailgate:{minute:model:fast}' |
		tr -d '\r')" = "$1" ]
}
check 'what was not used of it is given back' wait_until rate_says 200
detail "$(cli hgetall 'tailgate:{minute:model:fast}' | od -c | head -5)"

# --- Away --------------------------------------------------------------------------

: >"$dir/one.log"
kill -KILL "$engine_pid"
wait "$engine_pid" 2>/dev/null
forget "$engine_pid"
check 'status says that it is away' wait_until status_says '^store: away since '
check 'and /metrics' wait_until metric_is tailgate_store_up 0
check 'and status.json, without a fleet' wait_until fleet_is \
	'[.store.reachable, .fleet]' '[false,null]'
like 'and the log' "$(cat "$dir/one.log")" 'store: away: '
"$TAILGATE" -f "$conf" probe >"$dir/probe.out" 2>&1
is 'probe fails' $? 1
like 'and says why' "$(cat "$dir/probe.out")" '^store: away: '
start_engine
check 'it is back' wait_until -t 20 status_says '^store: reachable since '
like 'the log says so' "$(cat "$dir/one.log")" 'store: (redis|valkey) [0-9.]+, run'

finish

#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Three hosts that share a limit through a store: 300 clients and 2,000 requests
# against 1, 2 and 7 slots, while workers are killed, a host is stopped and the
# engine is restarted.  The stub's own count never exceeds the limit; every
# request whose worker was not killed gets a response or a refusal with a
# reason; and a single request is served before the fifty of another host's
# client.  Then what happens when the engine is killed, stopped, restarted, or
# out of one host's reach.
#
# If this machine allows it, the hosts are network namespaces, with lighttpd,
# Caddy and nginx; the clock of one is an hour off, and the line from another one
# to the engine is cut as well.
TAILGATE_NETNS=${TAILGATE_NETNS-wanted}
. "${abs_srcdir:-.}/tests/netns.sh"
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/hosts.sh"

need jq lighttpd
[ -z "${TAILGATE_NETNS:-}" ] || need caddy nginx
for engine in valkey-server redis-server none; do
	! command -v "$engine" >/dev/null || break
done
[ "$engine" != none ] || need redis-server
lease=16
store_more='timeout = 2.0;'

network one two three
engine_at='--port 0'
if [ -n "${TAILGATE_NETNS:-}" ]; then
	engine_at='--port 6379 --bind 10.97.2.1 --protected-mode no'
	store_url=redis://10.97.2.1:6379
	two_server=caddy three_server=nginx
	printf '%-63d\n' 3600 >"$dir/clock"
	two_env="LD_PRELOAD=$clock_preload TAILGATE_TEST_CLOCK=$dir/clock"
fi
start_upstream stub -n
start_upstream noted

# engine [ARGUMENT...]: at $dir/engine.sock.
engine()
{
	rm -f "$dir/engine.sock"
	# shellcheck disable=SC2086 # words
	spawn engine "$engine" $engine_at --unixsocket "$dir/engine.sock" \
		--dir "$dir" --save '' --dbfilename engine.rdb "$@"
	wait_until -t 30 -p "$pid" engine_says PING
}

engine_says()
{
	"${engine%-server}-cli" -s "$dir/engine.sock" "$@" >/dev/null 2>&1
}

engine_kill()
{
	kill -KILL "$engine_pid"
	wait "$engine_pid" 2>/dev/null
	forget "$engine_pid"
}

# sharing NAME SLOTS [MORE]: its configuration; MORE are settings of the limit.
sharing()
{
	host "$1" <<-END
		drain = 1.0;
		ledger = { gateway = "$1"; };
		store = { url = "${store_url:-unix://$dir/engine.sock}";
		  lease = $lease.0; ${store_more:-} };
		$(card_settings "$2" "shared = true; ${3-}")
	END
}

# reload SLOTS: waits until they are in force, and the old workers gone.
reload()
{
	for name in one two three; do
		sharing $name "$@"
		: >"$dir/$name.log"
		eval "kill -HUP \$${name}_pid"
	done
	for name in one two three; do
		wait_until -t 60 has_reloaded $name ||
			broken "$name did not reload"
	done
}

has_reloaded()
{
	eval "of_pid=\$${1}_pid"
	grep -q 'configuration .* is in force' "$dir/$1.log" &&
		[ "$(workers_of "$of_pid" | wc -l)" = 2 ]
}

engine || broken 'no engine'
for name in one two three; do
	sharing $name 1
	add_client $name
	add_client new$name
	eval "serve $name \${${name}_server:-lighttpd}"
done

holders()
{
	"${engine%-server}-cli" -s "$dir/engine.sock" hlen \
		'tailgate:{limit:card}:holders' 2>/dev/null
}

# none_held: a slot that could not be given back over a line that was cut is free
# by the next call after its lease.
none_held()
{
	[ -z "${TAILGATE_NETNS:-}" ] || ask three plain
	[ "$(holders)" = 0 ]
}

one_held()
{
	[ "$(holders)" = 1 ]
}

served()
{
	ask "$@"
	[ "$status" = 200 ]
}

for slots in 1 2 7; do
	[ $slots = 1 ] || reload $slots
	# One whose line was cut comes back a moment later.
	for name in one two three; do
		wait_until -t 60 served $name plain || broken "$name is away"
	done
	loads_on
	wait_until stat_reaches stub completed 200
	kill_worker one
	wait_until -t 60 stat_reaches stub completed 400
	# shellcheck disable=SC2046 # numbers
	pause_process "$two_pid" $(children "$two_pid")
	wait_until -t 60 stat_reaches stub completed 600
	# shellcheck disable=SC2046 # numbers
	resume_process "$two_pid" $(children "$two_pid")
	wait_until -t 60 stat_reaches stub completed 700
	pool_kill two
	pool two
	# While the engine is away requests are refused at once, and soon done.
	wait_until -t 60 stat_reaches stub completed 1000
	engine_kill
	engine || broken 'the engine did not start again'
	if [ -n "${TAILGATE_NETNS:-}" ]; then
		now=$(stat stub completed)
		cut_off one
		wait_until -t 60 stat_reaches stub completed $((now + 50))
		uncut one
	fi
	loads_off $slots
	# Its web server had no error of its own for any of them.
	is "$slots slots: a response or a refusal for each of its clients" \
		"$(tr ' ' '\n' <"$dir/three.load" |
			awk -F= '/^(complete|refused)=/ { n += $2 } END { print n + 0 }')" 667
done

# --- One at a time --------------------------------------------------------------

# refused HOST: for the store, and without waiting for it.
refused()
{
	ask "$1" plain
	[ "$status" = 503 ] &&
		[ "$(jq -r .error.code "$dir/response")" = \
			limit_store_unavailable ] &&
		grep -qi '^retry-after:' "$dir/response.head"
}

reload 1
hold one
pause_process "$engine_pid"
check 'engine stopped: a request without a lease is ended' \
	wait_until stat_is stub in_flight 0
check 'and the next one refused by name' refused one
check 'on each host' refused three
resume_process "$engine_pid"
hold_off
check 'engine goes on: requests are served' wait_until served one plain
check 'on each host' wait_until served three plain

engine_kill
check 'engine killed: refused by name' wait_until refused one
engine
check 'engine empty: served again' wait_until -t 90 served one plain
detail "$(cat "$dir/response")"

# A snapshot in which a slot is held by a request that has ended since.
hold one
engine_says SAVE
hold_off
check 'nothing is held' wait_until none_held
engine_kill
engine
check 'an old snapshot: its holders are not believed' \
	wait_until -t 90 served three plain

# Stopped as a whole while it holds the slot: the kernel ends it.
hold two
# shellcheck disable=SC2046 # numbers
set -- "$two_pid" $(children "$two_pid")
pause_process "$@"
check 'a stopped host: another one gets the slot' \
	wait_until -t 90 served one plain
at_most 'but after its request has ended' "$(stat stub max_in_flight)" 1
resume_process "$@" 2>/dev/null
hold_off
check 'it serves again' wait_until -t 90 served two plain

# A killed worker's slot comes back at once, by the worker that takes its place.
hold one
: >"$dir/one.log"
# shellcheck disable=SC2046 # numbers
kill -KILL $(workers_of "$one_pid")
check 'killed workers: those that take their place give the slot back' \
	wait_until file_has "$dir/one.log" 'died: giving back its slots'
check 'and another host gets it' wait_until -t 90 served three plain
hold_off

# The same for a whole pool that is started again.
hold one
pool_kill one
pool one
check 'a killed pool: the next one gives the slot back' \
	wait_until file_has "$dir/one.log" 'died: giving back its slots'
check 'and another host gets it' wait_until -t 90 served three plain
hold_off

# --- Cut off ----------------------------------------------------------------------

if [ -z "${TAILGATE_NETNS:-}" ] && command -v haproxy >/dev/null; then
	cat >"$dir/cut.cfg" <<-END
		defaults
		  mode tcp
		  timeout connect 2s
		  timeout client 1h
		  timeout server 1h
		listen cut
		  bind unix@$dir/cut.sock
		  server engine unix@$dir/engine.sock
	END
	spawn cut haproxy -db -f "$dir/cut.cfg"
	wait_until -p "$pid" test -S "$dir/cut.sock"
	store_url=unix://$dir/cut.sock
	sharing two 1
	store_url=
	: >"$dir/two.log"
	kill -HUP "$two_pid"
	wait_until -t 60 has_reloaded two
	cut_off() { pause_process "$cut_pid"; }
	uncut() { resume_process "$cut_pid"; }
fi
if [ -n "${TAILGATE_NETNS:-}${cut_pid:-}" ]; then
	check 'over a line: served' wait_until -t 90 served two plain
	hold two
	cut_off two
	check 'cut off: its request is ended' \
		wait_until stat_is stub in_flight 0
	check 'it refuses by name' refused two
	check 'and the others are served' wait_until -t 90 served one plain
	at_most 'one after the other' "$(stat stub max_in_flight)" 1
	uncut two
	hold_off
	check 'the line is back: it serves' wait_until -t 90 served two plain
fi

# --- Fair over hosts --------------------------------------------------------------

queued()
{
	[ "$("${engine%-server}-cli" -s "$dir/engine.sock" zcard \
		'tailgate:{limit:card}:queue')" = "$1" ]
}

hold one
fair_to_hosts

# --- Without a store: the host's own slots ----------------------------------------

sharing one 1 'without_store = "local";'
: >"$dir/one.log"
kill -HUP "$one_pid"
wait_until -t 60 has_reloaded one
engine_kill
check 'without_store = "local": served by the own slots' \
	wait_until served one plain
check 'by default, refused' refused three

finish

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
. "${abs_srcdir:-.}/tests/lib.sh"

need jq lighttpd
for engine in valkey-server redis-server none; do
	! command -v "$engine" >/dev/null || break
done
[ "$engine" != none ] || need redis-server
lease=3

start_upstream stub -n
start_upstream noted

# engine [ARGUMENT...]: at $dir/engine.sock.
engine()
{
	rm -f "$dir/engine.sock"
	spawn engine "$engine" --port 0 --unixsocket "$dir/engine.sock" \
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

# host NAME SLOTS [MORE]
host()
{
	mkdir -p "$dir/$1/state"
	conf=$dir/$1/tailgate.conf
	cat >"$conf" <<-END
		runtime_dir = "$dir/$1/run"; state_dir = "$dir/$1/state";
		clients_file = "$dir/$1/clients.conf"; drain = 1.0;
		ledger = { gateway = "$1"; };
		store = { url = "unix://${sock_of:-$dir/engine.sock}";
		  lease = $lease.0; };
		limits = ( { name = "card"; slots = $2; queue = 1024; wait = 60.0;
		  shared = true; ${3-} } );
		providers = ( { name = "card"; place = "local"; url = "$stub_url";
		  limit = "card"; circuit = { failures = 0; }; },
		  { name = "noted"; place = "local"; url = "$noted_url";
		  limit = "card"; } );
		models = ( { id = "*"; targets = (
		  { provider = "card"; model = "*"; } ); },
		  { id = "noted/*"; targets = (
		  { provider = "noted"; model = "*"; } ); } );
	END
	[ -e "$dir/$1/clients.conf" ] ||
		echo 'clients = ( );' >"$dir/$1/clients.conf"
	chmod 600 "$dir/$1/clients.conf"
}

# pool NAME: its processes, without the web server.
pool()
{
	rm -f "$dir/$1/sock"
	spawn "$1" "$TAILGATE_FCGI" -f "$dir/$1/tailgate.conf" -s "$dir/$1/sock"
	wait_until -t 60 -p "$pid" "$bin/listen" -c "$dir/$1/sock" ||
		broken "$1 did not start"
}

# pool_kill NAME: all of it.
pool_kill()
{
	eval "kill_pid=\$${1}_pid"
	# shellcheck disable=SC2046 # numbers
	kill -KILL "$kill_pid" $(children "$kill_pid")
	wait "$kill_pid" 2>/dev/null
	forget "$kill_pid"
}

# reload SLOTS: waits until they are in force, and the old workers gone.
reload()
{
	for name in one two three; do
		host $name "$@"
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
	host $name 1
	add_client $name
	add_client new$name
	pool $name
	socket=$dir/$name/sock
	start_lighttpd
	eval "${name}_base=\$base"
done

# load_on HOST REQUESTS
load_on()
{
	eval "load_key=\$${1}_key load_base=\$${1}_base"
	"$load" -c 100 -n "$2" -k "$load_key" \
		-b '{"model":"plain,delay=2","messages":[]}' \
		"${load_base#http://}" >"$dir/$1.load" 2>&1 &
	adopt "load_$1" $!
}

load_off()
{
	eval "wait \$load_${1}_pid; forget \$load_${1}_pid"
	detail "$1: $(cut -c1-120 "$dir/$1.load")"
}


lines()
{
	wc -l <"$dir/$1/state/ledger.jsonl" 2>/dev/null || echo 0
}

lines_are()
{
	[ "$(lines "$1")" -ge "$2" ]
}

holders()
{
	"${engine%-server}-cli" -s "$dir/engine.sock" hlen \
		'tailgate:{limit:card}:holders' 2>/dev/null
}

none_held()
{
	[ "$(holders)" = 0 ]
}

one_held()
{
	[ "$(holders)" = 1 ]
}

for slots in 1 2 7; do
	[ $slots = 1 ] || reload $slots
	tell stub reset >/dev/null
	before=$(lines three)
	load_on one 667
	load_on two 666
	load_on three 667
	wait_until stat_reaches stub completed 200
	# shellcheck disable=SC2046 # one of them
	set -- $(workers_of "$one_pid")
	kill -KILL "$1"
	wait_until -t 60 stat_reaches stub completed 400
	# shellcheck disable=SC2046 # numbers
	kill -STOP "$two_pid" $(children "$two_pid")
	wait_until -t 60 stat_reaches stub completed 600
	# shellcheck disable=SC2046 # numbers
	kill -CONT "$two_pid" $(children "$two_pid")
	wait_until -t 60 stat_reaches stub completed 700
	pool_kill two
	pool two
	# What comes while it is away is refused at once, and so soon done.
	wait_until -t 60 stat_reaches stub completed 1000
	engine_kill
	engine || broken 'the engine did not start again'
	for name in one two three; do
		load_off $name
	done
	at_most "$slots slots: never more at once" \
		"$(stat stub max_in_flight)" "$slots"
	check "$slots slots: each of the host that was left alone is in its ledger" \
		wait_until lines_are three $((before + 667))
	is "$slots slots: as an answer, or with a reason" \
		"$(tail -n +$((before + 1)) "$dir/three/state/ledger.jsonl" |
			jq -c 'select(.status != 200 and .refusal == null)')" ''
	check "$slots slots: nothing is held in the end" \
		wait_until -t 60 none_held
	is "$slots slots: nor at the stub" "$(stat stub in_flight)" 0
done

# --- One at a time --------------------------------------------------------------

# ask HOST MODEL: what came is in $dir/answer, its status in $status.
ask()
{
	eval "ask_key=\$${1}_key ask_base=\$${1}_base"
	status=$(curl -s -o "$dir/answer" -D "$dir/answer.head" --max-time 60 \
		-w '%{http_code}' -H "Authorization: Bearer $ask_key" \
		-H 'Content-Type: application/json' \
		--data-binary "{\"model\":\"$2\",\"messages\":[]}" \
		"$ask_base/v1/chat/completions")
}

served()
{
	ask "$@"
	[ "$status" = 200 ]
}

# refused HOST: for the store, and without waiting for it.
refused()
{
	ask "$1" plain
	[ "$status" = 503 ] &&
		[ "$(jq -r .error.code "$dir/answer")" = \
			limit_store_unavailable ] &&
		grep -qi '^retry-after:' "$dir/answer.head"
}

# hold HOST: a request that holds the slot until it is released.
hold()
{
	tell stub reset >/dev/null
	ask "$1" stall-head &
	adopt hold $!
	wait_until stat_is stub in_flight 1
}

hold_off()
{
	tell stub release >/dev/null
	wait "$hold_pid"
	forget "$hold_pid"
}

reload 1
hold one
kill -STOP "$engine_pid"
check 'engine stopped: a request without a lease is ended' \
	wait_until stat_is stub in_flight 0
check 'and the next one refused by name' refused one
check 'on each host' refused three
kill -CONT "$engine_pid"
hold_off
check 'engine goes on: requests are served' wait_until served one plain
check 'on each host' wait_until served three plain

engine_kill
check 'engine killed: refused by name' wait_until refused one
engine
check 'engine empty: served again' wait_until -t 30 served one plain
detail "$(cat "$dir/answer")"

# A snapshot in which a slot is held by a request that has ended since.
hold one
engine_says SAVE
hold_off
check 'nothing is held' wait_until none_held
engine_kill
engine
check 'an old snapshot: what it tells of holders is not believed' \
	wait_until -t 30 served three plain

# Stopped as a whole while it holds the slot: the kernel ends it.
hold two
# shellcheck disable=SC2046 # numbers
set -- "$two_pid" $(children "$two_pid")
kill -STOP "$@"
check 'a stopped host: another one gets the slot' \
	wait_until -t 30 served one plain
at_most 'but after its request has ended' "$(stat stub max_in_flight)" 1
kill -CONT "$@" 2>/dev/null
hold_off
check 'it serves again' wait_until -t 30 served two plain

# A killed worker's slot comes back at once, by the worker that takes its place.
hold one
: >"$dir/one.log"
# shellcheck disable=SC2046 # numbers
kill -KILL $(workers_of "$one_pid")
check 'killed workers: those that take their place give the slot back' \
	wait_until file_has "$dir/one.log" 'died: giving back its slots'
check 'and another host gets it' wait_until -t 30 served three plain
hold_off

# The same for a whole pool that is started again.
hold one
pool_kill one
pool one
check 'a killed pool: the next one gives the slot back' \
	wait_until file_has "$dir/one.log" 'died: giving back its slots'
check 'and another host gets it' wait_until -t 30 served three plain
hold_off

# --- Cut off ----------------------------------------------------------------------

if command -v haproxy >/dev/null; then
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
	sock_of=$dir/cut.sock host two 1
	: >"$dir/two.log"
	kill -HUP "$two_pid"
	wait_until -t 60 has_reloaded two
	check 'over a line: served' wait_until -t 30 served two plain
	hold two
	kill -STOP "$cut_pid"
	check 'cut off: its request is ended' \
		wait_until stat_is stub in_flight 0
	check 'it refuses by name' refused two
	check 'and the others are served' wait_until -t 30 served one plain
	at_most 'one after the other' "$(stat stub max_in_flight)" 1
	kill -CONT "$cut_pid"
	hold_off
	check 'the line is back: it serves' wait_until -t 30 served two plain
fi

# --- Fair over hosts --------------------------------------------------------------

later()
{
	eval "later_key=\$new${1}_key later_base=\$${1}_base"
	curl -s -o /dev/null --max-time 60 \
		-H "Authorization: Bearer $later_key" \
		-H 'Content-Type: application/json' \
		--data-binary "{\"model\":\"noted/$1\",\"messages\":[]}" \
		"$later_base/v1/chat/completions" &
	later_pids="$later_pids $!"
	pids="$! $pids"
}

queued()
{
	[ "$("${engine%-server}-cli" -s "$dir/engine.sock" zcard \
		'tailgate:{limit:card}:queue')" = "$1" ]
}

hold one
later_pids=
i=0
while [ $i -lt 50 ]; do
	later one
	i=$((i + 1))
done
wait_until queued 50
later three
wait_until queued 51
hold_off
for p in $later_pids; do
	wait "$p"
	forget "$p"
done
is 'all of them were served' "$(stat noted completed)" 51
like 'one request comes before the fifty of another host' \
	"$(cat "$dir/noted/1.body" "$dir/noted/2.body")" '"three"'

# --- Without a store: the host's own slots ----------------------------------------

host one 1 'without_store = "local";'
: >"$dir/one.log"
kill -HUP "$one_pid"
wait_until -t 60 has_reloaded one
engine_kill
check 'without_store = "local": served by the own slots' \
	wait_until served one plain
check 'where it says nothing, refused' refused three

finish

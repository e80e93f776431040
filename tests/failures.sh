# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The table of failures in tailgate.fcgi(8), row by row, under load through
# lighttpd and Caddy at once: the part is made to fail, and is repaired.  Meanwhile each request gets a response,
# nothing goes to a provider that a failure of our own must not reach, and the
# gateway recovers without a restart within the time that the table gives.
#
# Tests that need file systems of their own run in a mount namespace of their
# own.
#
# tests/failures_parts.sh has the rows of what few requests use: the waker,
# recordings, the store.
if [ "${own_mounts:-}" = '' ]; then
	own_mounts=no
	export own_mounts
	if unshare -m true 2>/dev/null; then
		own_mounts=yes
		exec unshare -m sh "$0"
	fi
fi
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/under_load.sh"

need flock jq prlimit

disk=$dir/disk
small=$dir/small
mkdir "$disk" "$small"
if [ "$own_mounts" = yes ]; then
	mount -t tmpfs -o size=256m none "$disk" || broken 'no tmpfs'
	mount -t tmpfs -o size=16m none "$small" || broken 'no tmpfs'
	cat /etc/hosts >"$dir/hosts"
	# No server listens there.
	echo 'nameserver 127.77.77.77' >"$dir/resolv.conf"
	mount --bind "$dir/hosts" /etc/hosts || broken 'no /etc/hosts'
	mount --bind "$dir/resolv.conf" /etc/resolv.conf ||
		broken 'no /etc/resolv.conf'
	# For a system's log of our own.
	mount -t tmpfs -o mode=755 none /dev || broken 'no /dev'
	mkdir -m 1777 /dev/shm
	ln -s /proc/self/fd /dev/fd
	while read -r name major minor; do
		mknod -m 666 "/dev/$name" c "$major" "$minor" ||
			broken "no /dev/$name"
	done <<-END
		null 1 3
		zero 1 5
		full 1 7
		random 1 8
		urandom 1 9
		tty 5 0
	END
fi

shape='processes = 2; requests = 32;'
start_upstream stub -n
start_upstream paid -n
start_upstream cloud -n
stub_more='limit = "gpu";'
more_providers=", { name = \"free\"; place = \"local\"; url = \"$stub_url\"; },
	{ name = \"paid\"; place = \"local\"; url = \"$paid_url\"; },
	{ name = \"named\"; place = \"local\"; url = \"http://far.test:$cloud_port/v1\";
	  circuit = { cooldown = 1.0; cooldown_max = 1.0; }; },
	{ name = \"cloud\"; place = \"external\"; url = \"$cloud_url\"; }"
more_models=', { id = "named/*"; targets = (
	  { provider = "named"; model = "*"; } ); },
	{ id = "out/*"; place = "external"; targets = (
	  { provider = "cloud"; model = "*"; } ); },
	{ id = "any/*"; fallback = [ "unavailable", "error", "timeout",
	    "busy" ]; targets = (
	  { provider = "free"; model = "*"; },
	  { provider = "paid"; model = "plain"; } ); },
	{ id = "limited/*"; fallback = [ "unavailable", "error", "timeout" ];
	  targets = (
	  { provider = "stub"; model = "*"; },
	  { provider = "paid"; model = "plain"; } ); }'
more="limits = ( { name = \"gpu\"; slots = 4; queue = 64; wait = 20.0; } );
	body = { spool_dir = \"$dir/spool\"; spool_over = 65536; };"
more_models="$more_models, { id = \"priced\"; targets = (
	  { provider = \"free\"; model = \"n=20\";
	    price = { input = 1.0; output = 1.0; }; } ); }"
stub_config
sed -e "s|^runtime_dir = .*|runtime_dir = \"$small/run\";|" \
	-e "s|^state_dir = .*|state_dir = \"$disk/state\";|" "$conf" >"$dir/moved"
mv "$dir/moved" "$conf"
mkdir "$small/run" "$disk/state"
add_client anna --place external
add_client chief --operator
add_client thrifty
sed -i 's/name = "thrifty";/& budget = { usd_per_day = 0.0005; };/' \
	"$dir/clients.conf"
# Its wall clock and the disk of its log are ours to set.
if ! sanitized; then
	echo 0 >"$dir/clock"
	echo 0 >"$dir/stall"
	truncate -s 64 "$dir/clock" "$dir/stall"
	cat >"$dir/timed" <<-END
		#!/bin/sh
		TAILGATE_TEST_CLOCK=$dir/clock TAILGATE_TEST_STALL=$dir/stall
		LD_PRELOAD=$bin/clock.so:$bin/stall.so
		export TAILGATE_TEST_CLOCK TAILGATE_TEST_STALL LD_PRELOAD
		exec "$TAILGATE_FCGI" "\$@"
	END
	chmod 755 "$dir/timed"
	TAILGATE_FCGI=$dir/timed
fi
start_tailgate
start_both
key=$anna_key
asked=0

workers()
{
	workers_of "$tailgate_pid"
}

# served_by MODEL: a request is served, and the account has to show it.
served_by()
{
	post /v1/chat/completions "{\"model\":\"$1\",\"messages\":[]}" \
		--max-time 5
	[ "$status" = 200 ] && asked=$((asked + 1))
}

served()
{
	at_each served_by any/plain
}

served_outside()
{
	served && at_each served_by out/plain
}

refused_there()
{
	! served_by out/plain && error_is 503 ledger_unavailable
}

refused_outside()
{
	served && at_each refused_there
}

slot_there()
{
	post /v1/chat/completions '{"model":"limited/plain","messages":[]}' \
		--max-time 5
	[ "$status" = 200 ] &&
		[ "$(header x-tailgate-provider)" = stub ]
}

served_with_a_slot()
{
	at_each slot_there
}

circuits_closed()
{
	[ "$("$TAILGATE" -f "$conf" status --json 2>/dev/null |
		jq -c '[.providers[].state] | unique')" = '["closed"]' ]
}

# unnoticed ROW: the load is over, and all of it was served and accounted.
unnoticed()
{
	load_off "$1"
	is "$1: no request notices" "$(load_count failed)" 0
	accounted "$1"
}

# accounted ROW: every request that was served is in the ledger's files or
# counted there in a gap, although the ledger may have been moved meanwhile.
accounted()
{
	asked=$((asked + $(load_count complete)))
	check "$1: all that was served is recorded or counted as lost" \
		wait_until -t 10 -p "$tailgate_pid" all_recorded
	detail "$1: $asked requests served, $(recorded) recorded or counted"
}

all_recorded()
{
	[ "$(recorded)" -ge "$asked" ]
}

recorded()
{
	cat "$disk"/*/ledger.jsonl "$disk"/*/ledger.jsonl.[0-9] 2>/dev/null |
		awk '/"gap":/ {
			sub(/.*"lost":/, "")
			lines += $0 - 1
		}
		{ lines++ }
		END { print lines + 0 }'
}

another_keeper()
{
	[ "$(keeper_of "$tailgate_pid" | grep -c -v -x "$victim")" -eq 1 ]
}

same_workers()
{
	[ "$(workers)" = "$before" ]
}

new_workers()
{
	[ "$(workers | wc -l)" -eq 2 ] && ! same_workers
}

first_worker()
{
	workers | head -n 1
}

# load_cost ROW MOST: all requests of the load were served or refused, except
# for at most MOST that ended with the part that failed.
load_cost()
{
	load_over "$1"
	at_most "$1: requests that ended with it" "$(load_count failed)" "$2"
	accounted "$1"
}

# --- Descriptors --------------------------------------------------------------

# Each worker may open so many more than it has.
descriptors_left()
{
	for w in $(workers); do
		find "/proc/$w/fd" -mindepth 1 -printf '%f\n' | sort -n |
			awk -v left="$1" '{ open[$1] = 1 }
			END {
				for (fd = 0; left > 0; fd++)
					left -= !(fd in open)
				print fd
			}' >"$dir/limit"
		prlimit --pid "$w" --nofile="$(cat "$dir/limit"):"
	done
}

descriptors_right()
{
	for w in $(workers); do
		prlimit --pid "$w" --nofile="4096:"
	done
}

descriptors_left 1
post /v1/chat/completions '{"model":"any/plain","messages":[]}'
check 'descriptors: our own failure, which permits no fallback' \
	error_is 503 gateway_exhausted
like 'descriptors: Retry-After' "$(header retry-after)" '^[1-9][0-9]*$'
post /v1/chat/completions '{"model":"limited/plain","messages":[]}'
check 'descriptors: the same of a limit' error_is 503 gateway_exhausted
head -c 100000 /dev/zero | tr '\0' x >"$dir/large"
post /v1/chat/completions "@$dir/large"
check 'descriptors: and of a large body' error_is 503 gateway_exhausted
descriptors_right
load_on any/plain 4
descriptors_left 0
wait_until file_has "$dir/tailgate.log" 'accept: Too many open files'
descriptors_right
back descriptors 5 served
load_off descriptors
accounted descriptors
is 'descriptors: nothing went elsewhere' "$(stat paid requests)" 0
check 'descriptors: no circuit has opened' circuits_closed
at_most 'descriptors: lines of the log about it' \
	"$(grep -c -i 'descriptor\|too many open' "$dir/tailgate.log")" 40

# --- Disks --------------------------------------------------------------------

fill()
{
	cat /dev/zero >"$1/filler" 2>/dev/null
	[ -s "$1/filler" ]
}

# row NAME SECONDS LOADED: break_NAME makes a part fail under load for a while,
# and mend_NAME repairs it.
row()
{
	row=$(echo "$1" | tr _ ' ')
	load_on "$3" 4
	"break_$1"
	check "$row: what would leave is refused by name" \
		wait_until -t 8 -p "$tailgate_pid" refused_outside
	check "$row: local work goes on" served
	"mend_$1"
	back "$row" "$2" served_outside
	unnoticed "$row"
}

break_ledger_disk_full() { fill "$disk"; }
mend_ledger_disk_full() { rm "$disk/filler"; }

break_ledger_stuck() { lock_ledger "$disk/state/ledger.jsonl"; }
mend_ledger_stuck() { unlock_ledger; }

# (A file system with open files can't be made read-only by hand.)
break_ledger_read_only()
{
	mv "$disk/state" "$disk/before"
	mkdir "$disk/state"
	mount -t tmpfs -o ro none "$disk/state"
	# The parent has tried it with new workers, which could not start.
	wait_until -p "$tailgate_pid" file_has "$dir/tailgate.log" \
		"its workers can't start"
}
mend_ledger_read_only() { mount -o remount,rw "$disk/state"; }

break_ledger_directory_deleted() { mv "$disk/state" "$disk/deleted"; }
mend_ledger_directory_deleted() { mkdir "$disk/state"; }

row ledger_stuck 5 any/plain
if [ "$own_mounts" = yes ]; then
	row ledger_disk_full 5 any/plain
	row ledger_read_only 30 any/delay=10
	# Back to one file system, as one does: by moving it away.
	cp "$disk/state/ledger.jsonl" "$disk/before/ledger.jsonl.2"
	umount -l "$disk/state"
fi
wait_until served_outside
row ledger_directory_deleted 15 any/delay=10

load_on any/delay=10 3
mv "$disk/state/ledger.jsonl" "$disk/state/ledger.jsonl.1"
check 'renamed: served' served_outside
wait_until test -s "$disk/state/ledger.jsonl"
unnoticed renamed

# --- Processes ----------------------------------------------------------------

break_ledger_process_stopped() { pause_process "$(keeper_of "$tailgate_pid")"; }
mend_ledger_process_stopped()
{
	resume_process "$(keeper_of "$tailgate_pid")"
}

row ledger_process_stopped 5 any/plain

# (One that dies young again and again is started later each time.)
load_on any/delay=10 3
victim=$(keeper_of "$tailgate_pid")
kill -KILL "$victim"
check "the ledger's process is killed: served" served_outside
check "the ledger's process is killed: there is another one" \
	wait_until -p "$tailgate_pid" another_keeper
unnoticed "the ledger's process is killed"

before=$(workers)
load_on any/delay=10 2
victim=$(first_worker)
row_from=$(now_ms)
kill -KILL "$victim"
check 'a worker is killed: others serve' served
took 'a worker is killed: served'
check 'a worker is killed: another one takes its place' \
	wait_until -t 5 -p "$tailgate_pid" new_workers
took 'a worker is killed: replaced'
load_cost 'a worker is killed' 16
check 'a worker is killed: its slots are free' served_with_a_slot
check 'a worker is killed: no circuit has opened' circuits_closed

# The requests that it had accepted wait; other workers serve new ones.
load_on limited/delay=10 3
victim=$(first_worker)
pause_process "$victim"
row_from=$(now_ms)
for n in 1 2 3 4 5; do
	check "a worker is stopped: others are served ($n)" served
done
took 'a worker is stopped: five requests'
check 'a worker is stopped: the account goes on' served_outside
resume_process "$victim"
back 'a worker is stopped' 5 served_with_a_slot
load_off 'a worker is stopped'
accounted 'a worker is stopped'
check 'a worker is stopped: no circuit has opened' circuits_closed
is 'a worker is stopped: no request waits any more' "$(stat stub in_flight)" 0

# --- The resolver -------------------------------------------------------------

named_served()
{
	served_by named/plain
}

if [ "$own_mounts" = yes ]; then
	load_on any/delay=10 3
	for n in 1 2; do
		post /v1/chat/completions \
			'{"model":"named/plain","messages":[]}' --max-time 20
		check "the resolver is down: refused ($n)" \
			error_is 503 provider_unavailable
		check "the resolver is down: others are served ($n)" served
	done
	echo '127.0.0.1 far.test' >>"$dir/hosts"
	back 'the resolver is down' 10 named_served
	unnoticed 'the resolver is down'
fi

# --- runtime_dir is full ------------------------------------------------------

if [ "$own_mounts" = yes ]; then
	before=$(workers)
	load_on any/delay=10 3
	fill "$small"
	check 'runtime_dir is full: served' served
	check 'runtime_dir is full: with a slot, too' served_with_a_slot
	check 'runtime_dir is full: no worker has died' same_workers
	kill -KILL "$(first_worker)"
	check 'runtime_dir is full: a worker can be replaced' \
		wait_until -t 5 -p "$tailgate_pid" new_workers
	check 'runtime_dir is full: served by it, too' served_with_a_slot
	rm "$small/filler"
	back 'runtime_dir is full' 5 served_with_a_slot
	load_cost 'runtime_dir is full' 16
fi

# --- runtime_dir is removed ---------------------------------------------------

slot_refused_there()
{
	! slot_there && error_is 503 gateway_exhausted
}

# runtime_dir_goes ROW WHAT: a request that has a slot is served, but as long as
# it runs, no other gets one.
runtime_dir_goes()
{
	tell stub reset >/dev/null
	curl -sS --max-time 120 -H "Authorization: Bearer $key" \
		-H 'Content-Type: application/json' \
		-d '{"model":"limited/stall-head","messages":[]}' \
		"$base/v1/chat/completions" >"$dir/across" 2>&1 &
	adopt across $!
	wait_until -p "$across_pid" stat_reaches stub requests 1
	load_on any/delay=10 6
	mv "$2" "$small/gone"
	check "$1: what needs a slot is refused by name" \
		wait_until -p "$across_pid" at_each slot_refused_there
	check "$1: the others are served" served
	tell stub release >/dev/null
	wait "$across_pid"
	forget "$across_pid"
	like "$1: what had a slot ends well" "$(cat "$dir/across")" '"choices"'
	asked=$((asked + 1))
	back "$1" 15 served_with_a_slot
	check "$1: no circuit has opened" circuits_closed
	unnoticed "$1"
	rm -rf "$small/gone"
}

runtime_dir_goes 'slots are removed' "$small/run/slots"
runtime_dir_goes 'runtime_dir is removed' "$small/run"

# --- Memory, threads ----------------------------------------------------------

# memory_left KB: each worker may map so much more than it has.
memory_left()
{
	for w in $(workers); do
		prlimit --pid "$w" --as="$(($(sed -n \
			's/^VmSize:[^0-9]*\([0-9]*\).*/\1/p' \
			"/proc/$w/status") * 1024 + $1 * 1024)):"
	done
}

memory_right()
{
	for w in $(workers); do
		prlimit --pid "$w" --as=unlimited:
	done
}

if ! sanitized; then
	before=$(workers)
	head -c 6000000 /dev/zero | tr '\0' x >"$dir/large"
	printf '{"model":"any/plain","messages":[{"role":"user","content":"%s"}]}' \
		"$(cat "$dir/large")" >"$dir/large.json"
	load_on any/delay=10 3
	memory_left 2048
	post /v1/chat/completions "@$dir/large.json" --max-time 10
	like 'no memory: what needs it is refused' "$status $(body)" \
		'^503 .*gateway_(exhausted|overloaded)'
	check 'no memory: what needs little is served' \
		wait_until -t 5 -p "$tailgate_pid" served
	# Nor has a new thread its stack.
	"$load" -c 64 -n 256 -d 20 -k "$anna_key" \
		-b '{"model":"any/delay=50","messages":[]}' \
		"${base#http://}" >"$dir/many" 2>&1
	is 'no memory: of many at once each is served or refused' \
		"$(sed -n 's/.* failed=\([0-9]*\) .*/\1/p' "$dir/many")" \
		"$(sed -n 's/.* refused=\([0-9]*\) .*/\1/p' "$dir/many")"
	detail "$(cat "$dir/many")"
	asked=$((asked + $(sed -n 's/.*complete=\([0-9]*\) .*/\1/p' \
		"$dir/many")))
	check 'no memory: no worker has died' same_workers
	memory_right
	post /v1/chat/completions "@$dir/large.json" --max-time 10
	is 'no memory: and is served when there is some again' "$status" 200
	asked=$((asked + 1))
	back 'no memory' 5 served_outside
	load_off 'no memory'
	accounted 'no memory'
	is 'no memory: nothing went elsewhere' "$(stat paid requests)" 0
	check 'no memory: no circuit has opened' circuits_closed
fi

# --- The clock is set ---------------------------------------------------------

# thrifty_served: a request of a client that has a budget of a day.
thrifty_served()
{
	key=$thrifty_key
	served_by priced
	thrifty_rc=$?
	key=$anna_key
	return $thrifty_rc
}

# spent: what the client has used, as another process sees it.
spent()
{
	TAILGATE_TEST_CLOCK=$dir/clock LD_PRELOAD=$bin/clock.so \
		"$bin/budget_look" "$conf" | sed -n 's/^client thrifty: //p'
}

if ! sanitized; then
	burnt=0
	while thrifty_served && [ $burnt -lt 60 ]; do
		burnt=$((burnt + 1))
	done
	check 'the clock: a budget of a day is used up' test $burnt -ge 10
	check 'the clock: and then refused' error_is 429 budget_exceeded
	spent_before=$(spent)
	for jump in 86400 -86400; do
		row="the clock is set by $jump s"
		before=$(workers)
		load_on any/delay=10 4
		curl -sS --max-time 10 -H "Authorization: Bearer $key" \
			-H 'Content-Type: application/json' \
			-d '{"model":"any/delay=1500","messages":[]}' \
			"$base/v1/chat/completions" >"$dir/across" 2>&1 &
		adopt across $!
		wait_until -p "$across_pid" stat_reaches stub requests 21
		set_clock "$jump"
		check "$row: served" served
		check_not "$row: no fresh budget" thrifty_served
		check "$row: it says so" error_is 429 budget_exceeded
		is "$row: nor for another process" "$(spent)" "$spent_before"
		wait "$across_pid"
		forget "$across_pid"
		like "$row: what was under way ends well" \
			"$(cat "$dir/across")" '"choices"'
		asked=$((asked + 1))
		set_clock 0
		check "$row: served after it came right" served
		check_not "$row: no fresh budget then" thrifty_served
		is "$row: it was not forgotten" "$(spent)" "$spent_before"
		check "$row: no worker has died" same_workers
		unnoticed "$row"
		check "$row: no circuit has opened" circuits_closed
	done
	mv "$small/run/budget" "$dir/budget.live"
	is 'the clock: a budget made again from the ledger is the same' \
		"$(spent)" "$spent_before"
	mv "$dir/budget.live" "$small/run/budget"
fi

# --- What takes the log stands still ------------------------------------------

# log_stands_still ROW FILE: it does; nobody notices, and what is lost is said
# in FILE; stop_log and go_log see to it.
log_stands_still()
{
	load_on any/plain 4
	stop_log
	for n in 1 2 3; do
		check "$1: served ($n)" served_outside
		served_by any/delay=200
	done
	check "$1: with a slot, too" served_with_a_slot
	unnoticed "$1"
	check "$1: no worker has died" same_workers
	go_log
	back "$1" 5 served_and_said "$2" \
		'[1-9][0-9]* lines of the log were lost'
}

# served_and_said FILE ERE
served_and_said()
{
	served && file_has "$1" "$2"
}

if ! sanitized; then
	stop_log() { printf 1 | dd of="$dir/stall" conv=notrunc 2>"$dir/dd.log"; }
	go_log() { printf 0 | dd of="$dir/stall" conv=notrunc 2>"$dir/dd.log"; }
	row="a log file's disk hangs"
	before=$(workers)
	log_stands_still "$row" "$dir/tailgate.log"

	# Nor does the parent wait for it, which logs each of these.
	: >"$dir/tailgate.log"
	stop_log
	kill -HUP "$tailgate_pid"
	check "$row: a reload has new workers" \
		wait_until -t 60 -p "$tailgate_pid" new_workers
	check "$row: which serve" wait_until served_outside
	before=$(workers)
	kill -KILL "$(first_worker)"
	check "$row: a worker that died is replaced" \
		wait_until -t 60 -p "$tailgate_pid" new_workers
	check "$row: by one that serves" wait_until served_outside
	is "$row: nothing is written meanwhile" \
		"$(wc -c <"$dir/tailgate.log")" 0
	go_log
	for line in 'is in force' 'died of signal 9' 'sandbox of a worker'; do
		check "$row: later the log has it: $line" wait_until \
			-p "$tailgate_pid" file_has "$dir/tailgate.log" "$line"
	done
	stop_log
	before=$(workers)
	kill -HUP "$tailgate_pid"
	wait_until -t 60 -p "$tailgate_pid" new_workers
	stop "$tailgate_pid"
	is "$row: it stops" "$stop_status" 0
	go_log
	start_tailgate
	check "$row: and starts again" wait_until served_outside
fi

start_system_log()
{
	rm -f /dev/log
	spawn system_log python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/dev/log")
with open(sys.argv[1], "ab", 0) as f:
    while True:
        f.write(s.recv(65536) + b"\n")' "$dir/system_log"
	wait_until -p "$system_log_pid" test -S /dev/log
}

if [ "$own_mounts" = yes ]; then
	need python3
	stop_log() { pause_process "$system_log_pid"; }
	go_log() { resume_process "$system_log_pid"; }
	start_system_log
	cp "$conf" "$dir/to_stderr.conf"
	echo 'log = { target = "syslog"; };' >>"$conf"
	before=$(workers)
	kill -HUP "$tailgate_pid"
	check "the system's log: in force" wait_until -p "$tailgate_pid" \
		file_has "$dir/system_log" 'is in force'
	check "the system's log: new workers" wait_until new_workers
	served
	check "the system's log: each line has its kind, time and sender" \
		wait_until file_has "$dir/system_log" "^<30>[A-Z][a-z]{2} [ 0-9]\
[0-9] [0-9:]{8} tailgate.fcgi\[[0-9]+\]: info: \[[^]]*\] client=anna"
	before=$(workers)
	log_stands_still "the system's log stands still" "$dir/system_log"
	stop "$system_log_pid"
	check "the system's log is not there: served" served_outside
	: >"$dir/system_log"
	start_system_log
	check "the system's log is another one: it has the lines" \
		wait_until -p "$tailgate_pid" served_and_said \
		"$dir/system_log" 'client=anna'
	mv "$dir/to_stderr.conf" "$conf"
	kill -HUP "$tailgate_pid"
	check 'the log goes to stderr again' wait_until -p "$tailgate_pid" \
		file_has "$dir/tailgate.log" 'is in force'
	wait_until new_workers
	served
fi

# --- The ledger is copied and truncated ---------------------------------------

load_on any/delay=10 3
wait_until test -s "$disk/state/ledger.jsonl"
cp "$disk/state/ledger.jsonl" "$disk/state/ledger.jsonl.3"
# The copy may end inside a line.
[ -z "$(tail -c 1 "$disk/state/ledger.jsonl.3")" ] ||
	sed -i '$d' "$disk/state/ledger.jsonl.3"
# The ledger's process says what is missing, and does not wait for a log file
# whose disk hangs.
if ! sanitized; then
	printf 1 | dd of="$dir/stall" conv=notrunc 2>"$dir/dd.log"
fi
: >"$disk/state/ledger.jsonl"
check 'copied and truncated: served' served_outside
check 'copied and truncated: recorded, although the log hangs' \
	wait_until test -s "$disk/state/ledger.jsonl"
if ! sanitized; then
	printf 0 | dd of="$dir/stall" conv=notrunc 2>"$dir/dd.log"
fi
check 'copied and truncated: the log says so' wait_until \
	-p "$tailgate_pid" file_has "$dir/tailgate.log" 'missing at its end'
unnoticed 'copied and truncated'
wait_until served
"$TAILGATE" -f "$conf" usage --verify >"$dir/verify" 2>&1
last=$(tail -n 1 "$disk/state/ledger.jsonl.3" | jq .n)
first=$(head -n 1 "$disk/state/ledger.jsonl" | jq .n)
is 'copied and truncated: lines that came between the two are named' \
	"$(awk '/ before it (is|are) missing/ {
		sub(/.*jsonl:1: /, "")
		n += $1
	}
	END { print n + 0 }' "$dir/verify")" $((first - last - 1))
detail "$(cat "$dir/verify")"

# --- A reload for which something is missing ----------------------------------

# reload_without WHAT LIMIT VALUE
reload_without()
{
	before=$(workers)
	: >"$dir/tailgate.log"
	prlimit --pid "$tailgate_pid" "--$2=$3:"
	kill -HUP "$tailgate_pid"
	check "a reload without $1: the log says why nothing changes" \
		wait_until -p "$tailgate_pid" file_has "$dir/tailgate.log" \
		'the old configuration stays'
	check "a reload without $1: the same workers go on" same_workers
	post /v1/chat/completions '{"model":"any/plain","messages":[]}'
	is "a reload without $1: and serve" "$status" 200
	prlimit --pid "$tailgate_pid" "--$2=$4:"
	kill -HUP "$tailgate_pid"
	check "a reload with $1 again: new workers" \
		wait_until -p "$tailgate_pid" new_workers
}

reload_without descriptors nofile 4 4096
if ! sanitized; then
	reload_without memory as 4096 unlimited
fi

if [ "$own_mounts" = no ]; then
	need unshare # for the rows of the disks, the resolver
fi

# --- The parent is killed -----------------------------------------------------

all_gone()
{
	for pid in $everybody; do
		! alive "$pid" || return 1
	done
}

load_on any/delay=10 3
everybody=$(children "$tailgate_pid")
row_from=$(now_ms)
kill -KILL "$tailgate_pid"
check 'the parent is killed: none of its processes is left' \
	wait_until -t 5 all_gone
took 'the parent is killed: all have ended'
wait "$tailgate_pid" 2>/dev/null
forget "$tailgate_pid"
row_from=$(now_ms)
rm -f "$socket"
start_tailgate
check 'the parent is killed: started again' wait_until -t 5 served_with_a_slot
took 'the parent is killed: started again'
load_over 'the parent is killed'
"$TAILGATE" -f "$conf" usage --verify >"$dir/verify" 2>&1
detail "$(cat "$dir/verify")"
unlike 'the parent is killed: no line is torn' "$(cat "$dir/verify")" 'torn'

# --- Commands while it runs
# -------------------------------------------------------

sed "s|^runtime_dir = .*|runtime_dir = \"$dir/nobody/run\";|" "$conf" \
	>"$dir/nobody.conf"
mkdir "$dir/nobody"
for command in status 'explain --client anna --model any/plain' usage; do
	# shellcheck disable=SC2086 # a command and its arguments
	"$TAILGATE" -f "$dir/nobody.conf" $command >"$dir/out" 2>&1 </dev/null
	is "tailgate ${command%% *} makes nothing" \
		"$(find "$dir/nobody" -mindepth 1)" ''
done
before=$(cksum <"$small/run/processes/table")
for n in 1 2 3; do
	"$TAILGATE" -f "$conf" status >"$dir/out" 2>&1
done
like 'tailgate status works meanwhile' "$(cat "$dir/out")" '^gpu'
is 'and is no process of the pool' "$(cksum <"$small/run/processes/table")" \
	"$before"
mkdir "$dir/other"
cp -R "$small/run" "$dir/other/"
sed "s|^runtime_dir = .*|runtime_dir = \"$dir/other/run\";|" "$conf" \
	>"$dir/other.conf"
printf X | dd of="$dir/other/run/health" conv=notrunc 2>"$dir/dd.log"
before=$(ls -i "$dir/other/run/health")
for command in status probe; do
	"$TAILGATE" -f "$dir/other.conf" $command >"$dir/out" 2>&1
	like "tailgate $command: not with a file of another version" \
		"$(cat "$dir/out")" 'is of another version'
done
is 'which stays where it is' "$(ls -i "$dir/other/run/health")" "$before"
stop "$tailgate_pid"

# --- Threads and processes ----------------------------------------------------

# The superuser always gets one: this gateway is another user's.
someone=$(id -u)
as_someone=
if [ "$someone" -eq 0 ]; then
	need setpriv
	someone=$((61000 + $$ % 2000))
	as_someone="setpriv --reuid=$someone --regid=$someone --clear-groups"
	chown "$someone" "$dir" "$dir/clients.conf" "$disk/state"
	chown -R "$someone" "$disk/state" "$small/run" "$dir/spool"
fi
# Its log goes to a pipe.
mkfifo "$dir/log_pipe"
cat >"$dir/as_someone" <<-END
	#!/bin/sh
	exec $as_someone "$TAILGATE_FCGI" "\$@" 2>"$dir/log_pipe"
END
chmod 755 "$dir/as_someone"
TAILGATE_FCGI=$dir/as_someone
cat "$dir/log_pipe" >>"$dir/tailgate.log" &
adopt log_reader $!

# processes_left MOST: of its user, for each process of the gateway.  (Only
# that user may say so.)
# shellcheck disable=SC2086 # a command, or none
processes_left()
{
	for p in "$tailgate_pid" $(children "$tailgate_pid"); do
		$as_someone prlimit --pid "$p" --nproc="$1:"
	done
}

processes_right()
{
	for p in "$tailgate_pid" $(children "$tailgate_pid"); do
		$as_someone prlimit --pid "$p" --nproc="$(awk \
			'/^Max processes/ { print $4 }' "/proc/$p/limits"):"
	done
}

keeper_is_back()
{
	[ "$(keeper_of "$tailgate_pid" | wc -l)" -eq 1 ] && served_outside
}

# A provider's name is looked up by a thread.
named_exhausted()
{
	post /v1/chat/completions '{"model":"named/plain","messages":[]}' \
		--max-time 10
	error_is 503 gateway_exhausted
}

start_tailgate
tell paid reset >/dev/null # probes asked there, too
asked=$(recorded)
check 'no threads: a gateway of another user serves' \
	wait_until -p "$tailgate_pid" served_with_a_slot

# --- The log's reader is stopped ----------------------------------------------

load_on any/plain 3
pause_process "$log_reader_pid"
for n in 1 2 3; do
	check "the log's reader is stopped: served ($n)" served_outside
	served_by any/delay=200
done
unnoticed "the log's reader is stopped"
resume_process "$log_reader_pid"
check "the log's reader is stopped: the log says what is missing" \
	wait_until -p "$tailgate_pid" served_and_said "$dir/tailgate.log" \
	'[1-9][0-9]* lines of the log were lost'

load_on any/delay=10 6
processes_left 1
if [ "$own_mounts" = yes ]; then
	check 'no threads: a request that needs one is refused by name' named_exhausted
fi
head -c 100000 /dev/zero | tr '\0' x >"$dir/large"
printf '{"model":"any/plain","messages":[{"role":"user","content":"%s"}]}' \
	"$(cat "$dir/large")" >"$dir/large.json"
post /v1/chat/completions "@$dir/large.json" --max-time 10
is 'no threads: a large body is served' "$status" 200
asked=$((asked + 1))
served_by any/delay=1500
is 'no threads: so is one that waits long' "$status" 200
check 'no threads: what leaves is served' served_outside
before=$(workers)
: >"$dir/tailgate.log"
kill -HUP "$tailgate_pid"
check 'no processes: a reload changes nothing, and the log says so' \
	wait_until -p "$tailgate_pid" file_has "$dir/tailgate.log" \
	'the old configuration stays'
check 'no processes: the same workers go on' same_workers
kill -KILL "$(first_worker)"
check 'no processes: the log says that none can be replaced' wait_until \
	-p "$tailgate_pid" file_has "$dir/tailgate.log" 'fork: Resource'
for n in 1 2 3 4 5; do
	check "no processes: the other worker serves ($n)" served
done
kill -KILL "$(keeper_of "$tailgate_pid")"
check 'no processes: without the ledger what would leave is refused' \
	wait_until -t 8 -p "$tailgate_pid" refused_outside
check 'no processes: local work goes on' served
processes_right
check_threads='no threads and processes'
back "$check_threads" 15 keeper_is_back
check "$check_threads: two workers again" \
	wait_until -t 15 -p "$tailgate_pid" new_workers
if [ "$own_mounts" = yes ]; then
	back "$check_threads: names" 10 named_served
fi
load_cost "$check_threads" 16
is "$check_threads: nothing went elsewhere" "$(stat paid requests)" 0
check "$check_threads: no circuit has opened" circuits_closed
stop "$tailgate_pid"
wait "$log_reader_pid"
forget "$log_reader_pid"
[ "$own_mounts" = no ] || umount -l "$disk" "$small"
finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The rows of the table of failures in tailgate.fcgi(8) about parts that few
# requests use, under load: the waker has a log whose disk hangs, is stopped and
# killed; the directory of recordings is removed; the store is stopped, killed,
# and comes back empty.  (The others: tests/failures.sh.)  No other request
# notices, and all is well again without a restart.
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/under_load.sh"

need jq

start_upstream stub -n
# Providers whose hosts never wake: the program only says for which it was run.
cat >"$dir/wake-it" <<-END
	#!/bin/sh
	echo "\$1" >>"$dir/woken"
END
chmod 755 "$dir/wake-it"
reserve_port nobody
shape='processes = 2;'
for name in asleep dozes naps; do
	sleepers="${sleepers:-}, { name = \"$name\"; place = \"local\";
	  url = \"$nobody_url\"; wake_wait = 1; circuit = { failures = 0; };
	  wake = { command = [ \"$dir/wake-it\", \"$name\" ]; }; }"
	beds="${beds:-}, { id = \"$name\"; targets = (
	  { provider = \"$name\"; model = \"plain\"; } ); }"
done
new_config <<-END
	providers = (
	  { name = "stub"; place = "local"; url = "$stub_url"; }
	  $sleepers
	);
	models = (
	  { id = "stub/*"; targets = (
	    { provider = "stub"; model = "*"; } ); }
	  $beds
	);
END
add_client anna
add_client chief --operator
add_client thrifty
key=$anna_key
# The disk of its log is ours to stop.
if ! sanitized; then
	echo 0 >"$dir/stall"
	truncate -s 64 "$dir/stall"
	cat >"$dir/stalled" <<-END
		#!/bin/sh
		TAILGATE_TEST_STALL=$dir/stall LD_PRELOAD=$bin/stall.so
		export TAILGATE_TEST_STALL LD_PRELOAD
		exec "$TAILGATE_FCGI" "\$@"
	END
	chmod 755 "$dir/stalled"
	TAILGATE_FCGI=$dir/stalled
fi
start_tailgate
start_both

# unnoticed ROW: the load is over, and none of it failed or was refused.
unnoticed()
{
	load_over "$1"
	is "$1: no other request notices" "$(load_count failed)" 0
}

waker()
{
	ps -A -o pid= -o ppid= -o comm= | awk -v parent="$tailgate_pid" \
		'$2 == parent && $3 == "tailgate-wake" { print $1 }'
}

# wakes NAME: a request for that provider runs the program, and is refused
# because nothing listens there.
wakes()
{
	post /v1/chat/completions "{\"model\":\"$1\",\"messages\":[]}"
	error_is 503 provider_waking && woken "$1"
}

woken()
{
	file_has "$dir/woken" "^$1\$"
}

# --- The waker ------------------------------------------------------------------

load_on stub/plain 15
if ! sanitized; then
	printf 1 | dd of="$dir/stall" conv=notrunc 2>"$dir/dd.log"
	check "its log's disk hangs: a host is woken" wakes dozes
	check "its log's disk hangs: another one, too" wakes naps
	printf 0 | dd of="$dir/stall" conv=notrunc 2>"$dir/dd.log"
	for name in dozes naps; do
		check "its log's disk hangs: later the log has it ($name)" \
			wait_until file_has "$dir/tailgate.log" \
			"provider $name: .*/wake-it has run"
	done
fi
victim=$(waker)
check 'there is one' test -n "$victim"
pause_process "$victim"
check_not 'the waker is stopped: nobody is woken' wakes asleep
check 'the waker is stopped: the request ends by name' \
	error_is 503 provider_waking
resume_process "$victim"
back 'the waker is stopped: what was asked of it is done' 5 woken asleep
kill -KILL "$victim"
# A host is woken once in ten seconds at the most, and the program may run later
# than the request for it ends.
: >"$dir/woken"
back 'the waker is killed' 20 wakes asleep
check_not 'the waker is killed: it is another one' \
	test "$(waker)" = "$victim"
unnoticed 'the waker'

# --- The directory of recordings ------------------------------------------------

recorded()
{
	post /v1/chat/completions '{"model":"stub/plain","messages":[]}' &&
		[ -n "$(find "$dir/run/capture" -name '*.capture' 2>/dev/null)" ]
}
"$TAILGATE" -f "$conf" capture --client chief --for 10m >"$dir/capture" 2>&1 ||
	broken capture
key=$chief_key
check 'a recording works' wait_until recorded
load_on stub/plain 5
rm -rf "$dir/run/capture"
for n in 1 2 3; do
	post /v1/chat/completions '{"model":"stub/plain","messages":[]}'
	is "its directory is removed: served ($n)" "$status" 200
done
check 'its directory is removed: the log says what is not recorded' wait_until \
	file_has "$dir/tailgate.log" 'of client chief is not recorded: No such file'
"$TAILGATE" -f "$conf" capture --stop >"$dir/capture" 2>&1
"$TAILGATE" -f "$conf" capture --client chief --for 10m >"$dir/capture" 2>&1
back 'its directory is removed, and the recording begun again' 5 recorded
unnoticed 'its directory is removed'
key=$anna_key

# --- The store ------------------------------------------------------------------

engine=$(command -v valkey-server || command -v redis-server) ||
	need valkey-server
if grep -q 'built without hiredis' "$bin/../tailgate.fcgi"; then
	finish
fi

cli()
{
	"${engine%-server}-cli" -s "$dir/engine" "$@" 2>&1
}

# It keeps nothing.
start_engine()
{
	rm -f "$dir/engine"
	spawn engine "$engine" --port 0 --unixsocket "$dir/engine" --save ''
	wait_until -p "$engine_pid" cli ping || broken 'the engine did not start'
}

slot_there()
{
	post /v1/chat/completions '{"model":"shared/plain","messages":[]}'
	[ "$status" = 200 ]
}

slot_refused_there()
{
	! slot_there && error_is 503 limit_store_unavailable
}

# bought_there: a request of a client whose budget hosts share.
bought_there()
{
	key=$thrifty_key
	post /v1/chat/completions '{"model":"priced","messages":[]}'
	key=$anna_key
	[ "$status" = 200 ]
}

bought_or_refused_there()
{
	bought_there || error_is 503 budget_store_unavailable
}

# store_goes ROW BREAK MEND
store_goes()
{
	load_on stub/plain 4
	$2
	check "$1: what needs a slot of it is refused by name" \
		wait_until -t 10 -p "$tailgate_pid" at_each slot_refused_there
	check "$1: who shares a budget is served or refused by name" \
		at_each bought_or_refused_there
	$3
	back "$1: slots" 30 at_each slot_there
	back "$1: budgets" 30 at_each bought_there
	unnoticed "$1"
}

pause_engine() { pause_process "$engine_pid"; }
resume_engine() { resume_process "$engine_pid"; }
kill_engine() { stop "$engine_pid" KILL; }

stop "$tailgate_pid"
start_engine
sed -i 's/name = "thrifty";/& budget = { usd_per_day = 1.0; shared = true; };/' \
	"$dir/clients.conf"
new_config <<-END
	store = { url = "unix://$dir/engine"; lease = 6.0; };
	limits = ( { name = "card"; slots = 2; shared = true; } );
	providers = (
	  { name = "stub"; place = "local"; url = "$stub_url"; },
	  { name = "card"; place = "local"; url = "$stub_url"; limit = "card"; }
	);
	models = (
	  { id = "stub/*"; targets = (
	    { provider = "stub"; model = "*"; } ); },
	  { id = "shared/*"; targets = (
	    { provider = "card"; model = "*"; } ); },
	  { id = "priced"; targets = (
	    { provider = "stub"; model = "plain";
	      price = { input = 1.0; output = 1.0; }; } ); }
	);
END
start_tailgate
check 'the store: a slot of it' wait_until -t 30 at_each slot_there
check 'the store: a budget of it' wait_until -t 30 at_each bought_there
store_goes 'the store is stopped' pause_engine resume_engine
store_goes 'the store is killed, and comes back empty' kill_engine start_engine
is 'the store: no provider is blamed' "$("$TAILGATE" -f "$conf" status --json |
	jq -c '[.providers[] | select(.failures > 0 or .state != "closed")]')" \
	'[]'
check 'the store: the account is whole' "$TAILGATE" -f "$conf" usage --verify
finish

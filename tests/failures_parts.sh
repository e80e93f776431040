# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The rows of the table of failures in tailgate.fcgi(8) about parts that few
# requests use, under load: the waker is stopped and killed, the directory of
# recordings is removed.  (The others: tests/failures.sh; the store:
# tests/store.sh.)  No other request notices, and all is well again without a
# restart.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq lighttpd

start_upstream stub -n
# A provider whose host never wakes: the program only says that it was run.
cat >"$dir/wake-it" <<-END
	#!/bin/sh
	echo >>"$dir/woken"
END
chmod 755 "$dir/wake-it"
reserve_port asleep
shape='processes = 2;'
new_config <<-END
	providers = (
	  { name = "stub"; place = "local"; url = "$stub_url"; },
	  { name = "asleep"; place = "local"; url = "$asleep_url";
	    wake = { command = [ "$dir/wake-it" ]; }; wake_wait = 1;
	    circuit = { failures = 0; }; }
	);
	models = (
	  { id = "stub/*"; targets = (
	    { provider = "stub"; model = "*"; } ); },
	  { id = "asleep"; targets = (
	    { provider = "asleep"; model = "plain"; } ); }
	);
END
add_client anna
add_client chief --operator
key=$anna_key
start_tailgate
start_lighttpd

now_ms()
{
	date +%s%3N
}

load_on()
{
	tell stub reset >/dev/null
	"$load" -c 16 -n 1000000 -d "$1" -k "$anna_key" \
		-b '{"model":"stub/plain","messages":[]}' \
		"${base#http://}" >"$dir/load" 2>&1 &
	adopt load $!
	wait_until -p "$load_pid" stat_reaches stub requests 20
}

# load_off ROW: none of its requests failed or was refused.
load_off()
{
	wait "$load_pid"
	forget "$load_pid"
	detail "$1: $(cat "$dir/load")"
	like "$1: no other request notices" "$(cat "$dir/load")" \
		'^complete=[1-9].* failed=0 '
}

# back ROW COMMAND...: without a restart, and how long it took.
back()
{
	row=$1
	shift
	from=$(now_ms)
	check "$row: back without a restart" \
		wait_until -t 60 -p "$tailgate_pid" "$@"
	detail "$row: back after $(($(now_ms) - from)) ms"
}

waker()
{
	ps -A -o pid= -o ppid= -o comm= | awk -v parent="$tailgate_pid" \
		'$2 == parent && $3 == "tailgate-wake" { print $1 }'
}

# wakes: a request for the sleeping provider runs the program, and is refused
# because nothing listens there.
wakes()
{
	post /v1/chat/completions '{"model":"asleep","messages":[]}'
	error_is 503 provider_waking && [ -s "$dir/woken" ]
}

# --- The waker ------------------------------------------------------------------

load_on 15
victim=$(waker)
check 'there is one' test -n "$victim"
pause_process "$victim"
: >"$dir/woken"
check_not 'the waker is stopped: nobody is woken' wakes
check 'the waker is stopped: the request ends by name' \
	error_is 503 provider_waking
resume_process "$victim"
back 'the waker is stopped: what was asked of it is done' test -s "$dir/woken"
kill -KILL "$victim"
# A host is woken once in ten seconds at the most, and the program may run later
# than the request for it ends.
: >"$dir/woken"
back 'the waker is killed' wakes
check_not 'the waker is killed: it is another one' \
	test "$(waker)" = "$victim"
load_off 'the waker'

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
load_on 5
rm -rf "$dir/run/capture"
for n in 1 2 3; do
	post /v1/chat/completions '{"model":"stub/plain","messages":[]}'
	is "its directory is removed: served ($n)" "$status" 200
done
check 'its directory is removed: the log says what is not recorded' wait_until \
	file_has "$dir/tailgate.log" 'of client chief is not recorded: No such file'
"$TAILGATE" -f "$conf" capture --stop >"$dir/capture" 2>&1
"$TAILGATE" -f "$conf" capture --client chief --for 10m >"$dir/capture" 2>&1
back 'its directory is removed, and the recording begun again' recorded
load_off 'its directory is removed'
finish

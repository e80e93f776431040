# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The life of the processes, each part with running streams: a killed worker,
# reloads under load, a bad configuration, the two ways to stop, and every way
# to hand over the listening socket.
. "${abs_srcdir:-.}/tests/lib.sh"

shape= # its own numbers count on the default

start_upstream stub -n
stub_config
add_client anna
start_tailgate
start_lighttpd
host=${base#http://}

# stream SCRIPT COUNT NAME: so many streams in the background, reported in
# $dir/NAME.
stream()
{
	"$load" -c "$2" -e '[DONE]' -k "$key" -b "$(chat "$1" '"stream":true')" \
		"$host" >"$dir/$3" 2>&1 &
	adopt "$3" $!
}

# count NAME FIELD: of such a report.
count()
{
	sed -n "s/.*\\b$2=\\([0-9]*\\).*/\\1/p" "$dir/$1"
}

workers()
{
	workers_of "$tailgate_pid" | sort
}

changed()
{
	[ "$(workers)" != "$1" ]
}

# One generation, and no old one.
settled()
{
	[ "$(workers | wc -l)" -eq 2 ]
}

# replaced BEFORE: those are not all there any more, and as many are.
replaced()
{
	changed "$1" && settled
}

# The worker with the most descriptors, that is with the most requests.
busiest()
{
	for w in $(workers); do
		echo "$(find "/proc/$w/fd" 2>/dev/null | wc -l) $w"
	done | sort -n | tail -n 1 | sed 's/.* //'
}

# --- A worker is killed -------------------------------------------------------

is 'two workers' "$(workers | wc -l | tr -d ' ')" 2
stream gate,n=60,ms=20 40 killed
check 'forty streams run' wait_until -p "$killed_pid" \
	stat_is stub in_flight 40
victim=$(busiest)
before=$(workers)
kill -KILL "$victim"
check 'the killed worker is replaced' wait_until replaced "$before"
tell stub release >/dev/null
wait "$killed_pid"
forget "$killed_pid"
detail "$(cat "$dir/killed")"
is 'each stream either ended well or was of the killed worker' \
	"$(($(count killed complete) + $(count killed failed)))" 40
check 'the killed worker had some' test "$(count killed failed)" -gt 0
check 'its upstream connections are closed' wait_until stat_is stub in_flight 0
is 'and no others' "$(stat stub aborted)" "$(count killed failed)"
check 'the other worker is the same' test "$(
	workers
	echo "$before"
)" != "$(workers | sort -u)"
survivor=$(echo "$before" | grep -v "^$victim\$")
check 'the other worker lives' alive "$survivor"
for n in 1 2 3 4 5; do
	post /v1/chat/completions "$(chat plain)"
	is "served after it ($n)" "$status" 200
done
tell stub reset >/dev/null

# --- Reloads under load -------------------------------------------------------

stream n=100,ms=50 20 long
"$load" -c 8 -n 20000 -k "$key" -b "$(chat size=600)" "$host" \
	>"$dir/short" 2>&1 &
adopt short $!
check 'streams run' wait_until -p "$long_pid" \
	stat_reaches stub in_flight 20
reloads=0
while [ $reloads -lt 20 ]; do
	before=$(workers)
	kill -HUP "$tailgate_pid"
	wait_until -p "$tailgate_pid" changed "$before" || break
	reloads=$((reloads + 1))
done
is 'twenty reloads' $reloads 20
wait "$short_pid"
forget "$short_pid"
wait "$long_pid"
forget "$long_pid"
detail "$(cat "$dir/long" "$dir/short")"
is 'no stream was cut' "$(count long complete) $(count long failed)" '20 0'
is 'no request was lost' "$(count short complete) $(count short failed)" \
	'20000 0'
check 'the old generations are gone' wait_until settled
tell stub reset >/dev/null

# --- A new key, then a bad configuration --------------------------------------

old=$key
add_client berta
before=$(workers)
kill -HUP "$tailgate_pid"
wait_until changed "$before"
# The new generation may serve a moment before the old one stops.
check 'a new client is known after a reload' wait_until serves
key=$old

cp "$conf" "$dir/good.conf"
wait_until settled
before=$(workers)
echo 'no_such_setting = 1;' >>"$conf"
lines=$(wc -l <"$dir/tailgate.log")
kill -HUP "$tailgate_pid"
check 'a bad configuration is named with file, line and setting' \
	wait_until -p "$tailgate_pid" file_has "$dir/tailgate.log" \
	"tailgate.conf:[0-9]+: .*no_such_setting"
check 'the log grew' test "$(wc -l <"$dir/tailgate.log")" -gt "$lines"
is 'and changes nothing' "$(workers)" "$before"
post /v1/chat/completions "$(chat plain)"
is 'served on' "$status" 200
cp "$dir/good.conf" "$conf"
kill -HUP "$tailgate_pid"
check 'a good one is taken again' wait_until changed "$before"
wait_until settled

# --- SIGTERM: the streams end well --------------------------------------------

# held SCRIPT: one stream that waits at the stub's gate, in $dir/held.
# lighttpd may say 503 once more for up to two seconds after the pool is back
# (FACTS, section 3), also after it has served again.
held()
{
	begin_held "$1"
	while grep -q '^<' "$dir/held"; do
		wait "$held_pid"
		forget "$held_pid"
		begin_held "$1"
	done
}

begin_held()
{
	# Now, not when the shell gets to it in the background.
	: >"$dir/held"
	curl -sN --max-time 60 -H "Authorization: Bearer $key" \
		-H 'Content-Type: application/json' \
		--data-binary "$(chat "$1" '"stream":true')" \
		"$base/v1/chat/completions" >"$dir/held" 2>&1 &
	adopt held $!
	wait_until -p "$held_pid" file_longer "$dir/held" 100
}

refuses()
{
	! serves
}

held gate,n=3
# Its worker is of the old generation then, and has been told to end once.
before=$(workers)
kill -HUP "$tailgate_pid"
wait_until -p "$tailgate_pid" changed "$before"
kill -TERM "$tailgate_pid"
check 'after SIGTERM nothing new is taken' wait_until refuses
check 'but the pool lives while a stream runs' alive "$tailgate_pid"
tell stub release >/dev/null
check 'the stream goes on to its end' wait "$held_pid"
forget "$held_pid"
like 'and is whole' "$(cat "$dir/held")" '\[DONE\]'
check 'then the pool ends' wait_until pid_died "$tailgate_pid"
wait "$tailgate_pid"
is 'with status 0' $? 0
forget "$tailgate_pid"

# --- A second SIGTERM: now ----------------------------------------------------

rm -f "$socket"
start_tailgate
check 'served again' wait_until serves
held gate,n=3
kill -TERM "$tailgate_pid"
wait_until refuses
check 'the stream is held' alive "$held_pid"
kill -TERM "$tailgate_pid"
check 'a second SIGTERM ends it now' wait_until pid_died "$tailgate_pid"
wait "$tailgate_pid"
forget "$tailgate_pid"
wait "$held_pid"
held_status=$?
forget "$held_pid"
unlike 'the cut stream does not look whole' "$(cat "$dir/held")" '\[DONE\]'
check 'and says so' test -n "$(
	[ "$held_status" -eq 0 ] || echo cut
	grep '"error"' "$dir/held"
)"
check 'the upstream is let go' wait_until stat_is stub in_flight 0
stop_server

# --- Ways to hand over the socket ---------------------------------------------

works()
{
	check "$1: served" wait_until serves
	post /v1/chat/completions "$(chat n=3 '"stream":true')"
	like "$1: a stream" "$(body)" '\[DONE\]'
}

rm -f "$socket"
spawn by_fds "$bin/listen" -u "$socket" "$TAILGATE_FCGI" -f "$conf"
wait_until -p "$by_fds_pid" "$bin/listen" -c "$socket"
start_lighttpd
works LISTEN_FDS
stop "$by_fds_pid"
is 'LISTEN_FDS: it ends well' $? 0

rm -f "$socket"
spawn by_zero "$bin/listen" -0 -u "$socket" "$TAILGATE_FCGI" -f "$conf"
wait_until -p "$by_zero_pid" "$bin/listen" -c "$socket"
works 'descriptor 0'
stop "$by_zero_pid"

if command -v spawn-fcgi >/dev/null 2>&1; then
	rm -f "$socket"
	spawn by_spawn spawn-fcgi -n -s "$socket" -b 1024 -- \
		"$TAILGATE_FCGI" -f "$conf"
	wait_until -p "$by_spawn_pid" "$bin/listen" -c "$socket"
	works spawn-fcgi
	stop "$by_spawn_pid"
elif [ "${TAILGATE_CI:-0}" = 1 ]; then
	fail 'spawn-fcgi is not installed'
fi
stop_server

lighttpd_conf "$dir/spawn.lighttpd" <<END
var.tailgate_program = "$TAILGATE_FCGI -f $conf"
var.tailgate_socket = "$dir/spawned"
include "$abs_srcdir/contrib/lighttpd/spawn.conf"
END
start_lighttpd "$dir/spawn.lighttpd"
works 'lighttpd bin-path'
parent=$(children "$lighttpd_pid" | head -n 1)
tailgate_pid=$parent
before=$(workers)
kill -KILL "$(busiest)"
check 'lighttpd bin-path: a killed worker is replaced' \
	wait_until changed "$before"
works 'lighttpd bin-path, a worker killed'
before=$(workers)
stop_server
for p in $parent $before; do
	check 'lighttpd bin-path: its end is the end of all' \
		wait_until pid_died "$p"
done

# A second pool at a socket on which a process listens is refused, a stale
# socket is not in the way.
rm -f "$socket"
start_tailgate
check_not 'a second pool at the same socket is refused' \
	"$TAILGATE_FCGI" -f "$conf" -s "$socket"
before=$(workers)
kill -KILL "$tailgate_pid"
wait "$tailgate_pid" 2>/dev/null
forget "$tailgate_pid"
for p in $before; do
	check 'the workers of a killed parent end with it' \
		wait_until pid_died "$p"
done
start_tailgate
start_lighttpd
works 'after a stale socket'
finish

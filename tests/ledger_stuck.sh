# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A ledger that can't be written, for every cause that can arise while the
# gateway runs.  Requests that would leave the host are refused by name, unless
# the operator has set otherwise; all others are served meanwhile.  Nothing is
# lost silently, and the ledger goes on without a restart when the cause is
# gone.
. "${abs_srcdir:-.}/tests/lib.sh"

need curl jq lighttpd flock

ledger=$dir/state/ledger.jsonl
start_upstream stub
start_upstream other
more_providers=", { name = \"cloud\"; place = \"external\"; url = \"$other_url\"; }"
more_models=', { id = "out"; place = "external"; targets = (
	  { provider = "cloud"; model = "plain"; } ); },
	{ id = "either"; place = "external"; fallback = [ "unavailable" ];
	  select = "round_robin"; targets = (
	  { provider = "cloud"; model = "plain"; },
	  { provider = "stub"; model = "plain"; } ); },
	{ id = "cloudy/*"; place = "external"; targets = (
	  { provider = "cloud"; model = "*"; } ); }'

# begin WHEN_STUCK
begin()
{
	rm -rf "$dir/state" "$dir/run" "$dir/clients.conf"
	more="ledger = { when_stuck = \"$1\"; };"
	stub_config
	add_client anna --place external
	add_client chief --operator
	key=$anna_key
	start_tailgate
	start_server lighttpd
	ask out
	is "$1: all is well" "$status" 200
}

end()
{
	began=$(date +%s)
	stop "$tailgate_pid"
	at_most "$1: it stops at once" $(($(date +%s) - began)) 10 seconds
	stop_server
}

ask()
{
	post /v1/chat/completions "{\"model\":\"$1\",\"messages\":[]}"
}

# Requests that would leave are refused, within two seconds and a little.
out_is_refused()
{
	ask stub/plain
	ask out
	[ "$status" = 503 ]
}

out_is_served()
{
	ask stub/plain
	ask out
	[ "$status" = 200 ]
}

# by_all COMMAND...: twelve times in a row, and so by each of the workers, of
# which any may accept the next request.
by_all()
{
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
		"$@" || return 1
	done
}

local_is_refused()
{
	ask stub/plain
	[ "$status" = 503 ]
}

has_16()
{
	[ "$(wc -l <"$ledger")" -ge 16 ]
}

# others WHAT: requests that stay inside do not notice.
others()
{
	request /health --max-time 5
	is "$1: /health" "$status" 200
	request /v1/models --max-time 5
	is "$1: models" "$status" 200
	ask stub/plain
	is "$1: local work" "$status" 200
}

# stuck WHAT: now it is, and it is noticed.
stuck()
{
	check "$1: what would leave is refused" wait_until by_all out_is_refused
	check "$1: by name" error_is 503 ledger_unavailable
	like "$1: with the time to come back" "$(header retry-after)" \
		'^[1-9][0-9]?$'
	sent=$(stat other requests)
	others "$1"
	ask either
	is "$1: if that is permitted, it stays here" \
		"$status $(header x-tailgate-place)" '200 local'
	ask out
	is "$1: nothing was sent" "$(stat other requests)" "$sent"
	key=$chief_key
	check "$1: status.json says so" wait_until reported
	key=$anna_key
	ask out
	like "$1: and so does tailgate status" \
		"$("$TAILGATE" -f "$conf" status)" \
		"^ledger: .* can't be written; requests for external "
}
reported()
{
	request /tailgate/status.json
	body | grep -Eq '"ledger": *\{"writable": *false'
}

# over WHAT LOST: it goes on, and says what it lost.
over()
{
	check "$1: it goes on without a restart" wait_until by_all out_is_served
	others "$1 (over)"
	key=$chief_key
	all_settled
	key=$anna_key
	out=$("$TAILGATE" -f "$conf" usage --verify 2>&1)
	if [ "$2" = 0 ]; then
		unlike "$1: nothing is lost" "$out" 'not recorded'
	else
		like "$1: --verify reports the gap" "$out" \
			'gap: [1-9][0-9]* requests from .* were not recorded, 0 of'
	fi
}

begin refuse_external

# --- Another process holds the lock -------------------------------------------

lock_ledger "$ledger"
stuck 'a held lock'
unlock_ledger
over 'a held lock' 0
is 'nobody may read the lock' \
	"$(find "$ledger.lock" -perm 200)" "$ledger.lock"

# A holder that was stopped is no different: so would a worker be.
lock_ledger "$ledger"
pause_process "$lock_holder_pid"
stuck 'a stopped holder'
resume_process "$lock_holder_pid"
unlock_ledger
over 'a stopped holder' 0

# --- The ledger's process -----------------------------------------------------

keeper=$(keeper_of "$tailgate_pid")
pause_process "$keeper"
stuck 'its process stands still'
resume_process "$keeper"
over 'its process stands still' 0

# Killed again and again while requests end: each has its line, and only one.
before=$(wc -l <"$ledger")
"$load" -c 8 -n 4000 -k "$key" \
	-b '{"model":"out","messages":[]}' "${base#http://}" \
	>"$dir/load" 2>&1 &
adopt load $!
kills=0
while alive "$load_pid" && [ "$kills" -lt 40 ]; do
	keeper=$(keeper_of "$tailgate_pid")
	[ -z "$keeper" ] || kill -KILL "$keeper" 2>/dev/null && kills=$((kills + 1))
done
wait "$load_pid"
forget "$load_pid"
check "its process killed $kills times" test "$kills" -gt 1
settled_as_they_were()
{
	"$TAILGATE" -f "$conf" usage --verify >"$dir/verified" 2>&1
	wanted=$(($(sed -n 's/.*complete=\([0-9]*\).*/\1/p' "$dir/load") + before))
	[ "$(jq -s 'length' "$ledger")" -ge "$wanted" ]
}
check 'its process killed: no request is without a line' \
	wait_until settled_as_they_were
is 'its process killed: none has two' \
	"$(jq -r .id "$ledger" | sort | uniq -d | wc -l)" 0
over 'its process killed' 0

# More local work than memory is for: served, and counted.
lock_ledger "$ledger"
stuck 'a long time'
"$load" -c 16 -n 12000 -k "$key" \
	-b '{"model":"stub/plain","messages":[]}' "${base#http://}" \
	>"$dir/load" 2>&1
like 'a long time: all of it is served' "$(cat "$dir/load")" \
	'complete=12000 failed=0'
others 'a long time'
like 'a long time: metrics tell' "$(curl -sS --max-time 5 \
	-H "Authorization: Bearer $chief_key" "$base/metrics" |
	grep '^tailgate_ledger_[wu]' | tr '\n' ' ')" \
	'waiting [1-9][0-9]* .*writable 0 .*unrecorded_total [1-9]'
unlock_ledger
over 'a long time' some
lost=$(jq -s 'map(.lost // 0) | add' "$ledger")
served=$(jq -s 'map(select(.gap | not)) | length' "$ledger")
check 'a long time: lines and gaps are all that there were' \
	test "$((lost + served))" -ge 12000

# --- Something else in its place
# -------------------------------------------------

mv "$ledger" "$ledger.1"
mkdir "$ledger"
stuck 'a directory in its place'
rmdir "$ledger"
over 'a directory in its place' some

mv "$dir/state" "$dir/state.moved"
sleep 1
stuck 'its directory removed'
mkdir "$dir/state"
check 'its directory removed: it goes on without a restart' \
	wait_until by_all out_is_served
others 'its directory removed (over)'
rm -r "$dir/state.moved"

# --- Rotated ------------------------------------------------------------------

mv "$ledger" "$ledger.1"
ask out
is 'renamed: served' "$status" 200
ask stub/plain
cp "$ledger" "$ledger.2"
: >"$ledger"
ask out
is 'copied and truncated: served' "$status" 200
wait_until test -s "$ledger"

# --- At the end ---------------------------------------------------------------

lock_ledger "$ledger"
stuck 'at the end'
end 'stuck'
unlock_ledger
start_tailgate
start_server lighttpd
ask out
all_settled
like 'the next one counts what the one before could not write' \
	"$(jq -c 'select(.gap) | [.lost > 0, .lost_external]' "$ledger" |
		tail -n 1)" '^\[true,[0-9]+\]$'
end 'well'

# --- The other settings -------------------------------------------------------

begin refuse
lock_ledger "$ledger"
check 'refuse: local work as well' wait_until local_is_refused
check 'refuse: by name' error_is 503 ledger_unavailable
request /health --max-time 5
is 'refuse: /health' "$status" 200
request /v1/models --max-time 5
is 'refuse: models' "$status" 200
unlock_ledger
check 'refuse: until it is over' wait_until out_is_served
end refuse

begin count
lock_ledger "$ledger"
for i in 1 2 3 4 5 6 7 8; do
	ask out
	[ "$status" = 200 ] || break
	ask stub/plain
	[ "$status" = 200 ] || break
	sleep 0.4
done
is 'count: all is served' "$status $i" '200 8'
unlock_ledger
wait_until has_16
end count

# --- Workers are killed meanwhile ---------------------------------------------

begin count
lock_ledger "$ledger"
served=1
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	for model in out stub/plain; do
		ask "$model"
		[ "$status" = 200 ] && served=$((served + 1))
	done
done
is 'workers are killed: all had been served' $served 25
killed=$(workers_of "$tailgate_pid")
for worker in $killed; do
	kill -KILL "$worker"
done
check 'workers are killed: the log says what was lost' \
	wait_until -p "$tailgate_pid" file_has "$dir/tailgate.log" \
	'has died with [0-9]+ requests that were not recorded yet'
unlock_ledger

# counted FILTER: lines, and the requests that they count in gaps.
counted()
{
	jq -s "map($1) | add" "$ledger"
}

all_counted()
{
	ask out && [ "$status" = 200 ] && served=$((served + 1))
	[ "$(counted 'if .gap then .lost else 1 end')" -ge "$served" ]
}
check 'workers are killed: all are recorded or counted' \
	wait_until -t 10 -p "$tailgate_pid" all_counted
check 'workers are killed: some of them as sent outside' \
	test "$(counted '.lost_external // 0')" -gt 0
end count

# --- What had been sent when its process ended --------------------------------

# sending N MODEL: so many more requests whose response does not come.
sending()
{
	for _ in $(seq "$1"); do
		curl -sN -o /dev/null --max-time 120 \
			-H "Authorization: Bearer $anna_key" \
			-H 'Content-Type: application/json' \
			-d "{\"model\":\"$2\",\"stream\":true,\"messages\":[]}" \
			"$base/v1/chat/completions" 2>/dev/null &
		adopt sending $!
	done
}

# has_gap: the newest one counts six requests, of which four left.
has_gap()
{
	ask stub/plain
	[ "$(jq -c 'select(.gap) | [.lost, .lost_external]' "$ledger" |
		tail -n 1)" = '[6,4]' ]
}

# sent_and_lost WHAT: six requests were under way.  Nothing else is in the
# ledger, which was removed.
sent_and_lost()
{
	check "$1: what had been sent is counted" \
		wait_until -t 10 -p "$tailgate_pid" has_gap
	out=$("$TAILGATE" -f "$conf" usage --verify 2>&1)
	like "$1: --verify tells of it" "$out" \
		'gap: 6 requests from .* were not recorded, 4 of them'
	out=$("$TAILGATE" -f "$conf" usage)
	unlike "$1: nothing says that all stayed" "$out" 'Nothing left'
	like "$1: usage tells how many left" "$out" \
		'^6 requests could not be written .* 4 of them were sent outside'
	is "$1: in its JSON as well" "$("$TAILGATE" -f "$conf" usage --format json |
		jq -c '.total | [.external, .lost, .lost_external]')" '[0,6,4]'
}

shape='processes = 1; requests = 64;' # one gap
begin refuse_external
unset shape
ask stub/plain
key=$chief_key
all_settled
key=$anna_key
for model in cloudy/stall-head cloudy/stall-mid; do
	sending 2 $model
done
sending 2 stub/stall-mid
wait_until stat_reaches other in_flight 4
wait_until stat_reaches stub in_flight 2
rm "$ledger"
for worker in $(workers_of "$tailgate_pid"); do
	kill -KILL "$worker"
done
sent_and_lost 'workers are killed'

# A second signal ends the gateway at once.
wait_until stat_is other in_flight 0
wait_until stat_is stub in_flight 0
key=$chief_key
all_settled
key=$anna_key
sending 4 cloudy/stall-mid
sending 2 stub/stall-mid
wait_until stat_reaches other in_flight 4
wait_until stat_reaches stub in_flight 2
rm "$ledger"
signalled_away()
{
	kill -TERM "$tailgate_pid"
	pid_died "$tailgate_pid"
}
check 'it ends at once' wait_until signalled_away
stop "$tailgate_pid"
start_tailgate
sent_and_lost 'ended at once'
end 'requests that were sent'

finish

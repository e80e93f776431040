# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# What a client gets when no slot is free: an honest 503, or the next target if
# the route permits `busy`.  And what happens to the limits when the runtime
# directory fails: no start, or 503 and a line in the log, and never an upstream
# without a limit.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq lighttpd

start_upstream stub -n
start_upstream second -n
stub_more='limit = "gpu";'
more_providers=", { name = \"second\"; place = \"local\"; url = \"$second_url\"; },
	{ name = \"hasty\"; place = \"local\"; url = \"$stub_url\";
	  limit = \"gpu\"; timeouts = { total = 0.7; }; },
	{ name = \"shared\"; place = \"local\"; url = \"$stub_url\";
	  limit = \"pair\"; }"
more_models=', { id = "busy-yes"; fallback = [ "busy" ]; targets = (
	  { provider = "stub"; model = "plain"; },
	  { provider = "second"; model = "plain"; } ); },
	{ id = "busy-no"; fallback = [ "error" ]; targets = (
	  { provider = "stub"; model = "plain"; },
	  { provider = "second"; model = "plain"; } ); },
	{ id = "hasty"; targets = (
	  { provider = "hasty"; model = "plain"; } ); },
	{ id = "pair/*"; targets = (
	  { provider = "shared"; model = "*"; } ); }'
# limits WAIT QUEUE
limits()
{
	more="limits = (
	  { name = \"gpu\"; slots = 1; queue = $2; wait = $1; },
	  { name = \"pair\"; slots = 2; queue = 4; wait = $1;
	    per_client = 1; } );
	  body = { spool_dir = \"$dir/spool\"; };"
	stub_config
}
limits 240.0 2
add_client holder
add_client waiter
add_client anna

restart()
{
	stop "$tailgate_pid"
	rm -f "$socket"
	start_tailgate
	wait_until serves
}

# away NAME MODEL-OR-SCRIPT: a request of client NAME in the background.
away()
{
	eval "away_key=\$${1}_key"
	curl -s --max-time 300 -o "$dir/$1.answer" -D "$dir/$1.head" \
		-H "Authorization: Bearer $away_key" \
		-H 'Content-Type: application/json' \
		--data-binary "$(printf '{"model":"%s","messages":[]}' "$2")" \
		"$base/v1/chat/completions" &
	adopt "away_$1" $!
}

come_back()
{
	eval "wait \$away_${1}_pid; forget \$away_${1}_pid"
}

hold()
{
	before=$(stat stub in_flight)
	away holder "${1:-stub}/stall-head"
	wait_until stat_is stub in_flight $((before + 1))
}

let_go()
{
	tell stub release >/dev/null
	come_back holder
}

rows()
{
	"$TAILGATE" -f "$conf" status --json 2>/dev/null |
		jq "[.requests[] | select($1)] | length"
}

rows_are()
{
	[ "$(rows "$1")" = "$2" ]
}

# ask BODY [curl arguments]: as anna; $took_ms is how long it took.
ask()
{
	key=$anna_key
	"$bin/hangup" -t >"$dir/from"
	post /v1/chat/completions "$@"
	"$bin/hangup" -t >"$dir/to"
	took_ms=$(($(cut -d ' ' -f 2 "$dir/to") - \
		$(cut -d ' ' -f 2 "$dir/from")))
}

# waited DESCRIPTION MS: it did not give up earlier.  (What comes later is the
# machine's affair.)
waited()
{
	check "$1 ($took_ms ms)" test "$took_ms" -ge "$2"
}

start_tailgate
start_lighttpd

# --- Full ---------------------------------------------------------------------

hold
away waiter stub/plain
wait_until rows_are '.phase == "waiting"' 1
anna_saved=$anna_key
anna_key=$waiter_key
away anna stub/plain
anna_key=$anna_saved
wait_until rows_are '.phase == "waiting"' 2

"$TAILGATE" -f "$conf" status >"$dir/status" 2>&1
like 'status shows which requests have a slot, and since when' "$(cat "$dir/status")" \
	"^gpu +running +[0-9]+m?s.* holder +stub/stall-head +[0-9]+ +req_"
is 'and which wait' "$(grep -c -E \
	'^gpu +waiting +[0-9]+m?s.* waiter +stub/plain +[0-9]+ +req_' \
	"$dir/status")" 2
like 'and how many' "$(cat "$dir/status")" '^gpu +1 +1 +2 +2'
is 'with their ages' "$(rows '.age_ms >= 0 and .age_ms < 60000')" 3
is 'pids are the workers' "$("$TAILGATE" -f "$conf" status --json |
	jq -r '.requests[].pid' | sort -u | while read -r p; do
		workers_of "$tailgate_pid" | grep -c "^$p\$"
	done | sort -u)" 1

ask "$(chat plain)"
check 'a full queue' error_is 503 local_queue_full
like 'a full queue: Retry-After' "$(header retry-after)" '^[1-9][0-9]*$'
like 'a full queue: how many wait' "$(body)" '\(3 wait\)|position 3'
requests=$(stat second requests)
ask '{"model":"busy-no","messages":[]}'
check 'busy without the permission' error_is 503 local_queue_full
is 'busy without the permission: no other provider is asked' \
	"$(stat second requests)" "$requests"
ask '{"model":"busy-yes","messages":[]}'
is 'busy with the permission' "$status $(header x-tailgate-provider) $(
	header x-tailgate-fallback)" '200 second busy'
let_go
come_back waiter
come_back anna
is 'the waiting request was served' "$(cat "$dir/waiter.head" "$dir/anna.head" |
	grep -c '^HTTP/1.1 200')" 2

# The mean hold time makes Retry-After: slots were held for 0.7 s or more, so
# that the third and later ones get more than a second.
for i in 1 2 3 4 5 6; do
	ask "$(chat delay=700)"
done
hold
away waiter stub/plain
wait_until rows_are '.phase == "waiting"' 1
anna_key=$waiter_key
away anna stub/plain
anna_key=$anna_saved
wait_until rows_are '.phase == "waiting"' 2
ask "$(chat plain)"
after=$(header retry-after)
check "Retry-After is from what slots were held ($after)" \
	test "$after" -ge 2
let_go
come_back waiter
come_back anna

# --- In time ------------------------------------------------------------------

hold
ask "$(chat plain)" -H 'x-stainless-read-timeout: 0.4'
check 'x-stainless-read-timeout' error_is 503 local_queue_timeout
waited 'x-stainless-read-timeout is waited for' 400
like 'the position' "$(body)" 'position 1'
like 'Retry-After' "$(header retry-after)" '^[1-9][0-9]*$'
ask "$(chat plain)" -H 'Request-Timeout: 0.4'
check 'Request-Timeout' error_is 503 local_queue_timeout
waited 'Request-Timeout is waited for' 400
ask "$(chat plain)" -H 'Request-Timeout: nonsense' \
	-H 'x-stainless-read-timeout: 0.3'
check 'another header next to nonsense' error_is 503 local_queue_timeout
ask '{"model":"hasty","messages":[]}'
check "the provider's total" error_is 503 local_queue_timeout
waited "the provider's total is waited for" 700
ask '{"model":"busy-yes","messages":[]}' -H 'Request-Timeout: 0.4'
is 'busy by time, with the permission' "$status $(
	header x-tailgate-provider) $(header x-tailgate-fallback)" \
	'200 second busy'
let_go

limits 0.5 2
restart
hold
ask "$(chat plain)"
check 'the wait of the limit' error_is 503 local_queue_timeout
waited 'the wait of the limit is waited for' 500
ask "$(chat plain)" -H 'Request-Timeout: 30'
check 'the wait of the limit and a patient client' error_is 503 local_queue_timeout
let_go
limits 0.5 0
restart
hold
ask "$(chat plain)"
check 'no queue at all' error_is 503 local_queue_full
let_go
ask "$(chat plain)"
is 'and a free slot' "$status" 200

# --- per_client ---------------------------------------------------------------

hold pair
key=$holder_key
post /v1/chat/completions '{"model":"pair/plain","messages":[]}'
check 'per_client: the second of one client has to wait' \
	error_is 503 local_queue_timeout
ask '{"model":"pair/plain","messages":[]}'
is 'per_client: somebody else gets the free slot' "$status" 200
let_go

# --- The directory fails ------------------------------------------------------

# refuses NAME WHY: tailgate.fcgi does not start, and says why.
refuses()
{
	rm -f "$dir/sock2"
	spawn refused "$TAILGATE_FCGI" -f "$conf" -s "$dir/sock2"
	check "$1: it does not start" wait_until -t 60 pid_died "$refused_pid"
	wait "$refused_pid"
	is "$1: status" $? 1
	forget "$refused_pid"
	like "$1: it says why" "$(cat "$dir/refused.log")" "$2"
	: >"$dir/refused.log"
}

stop "$tailgate_pid"
rm -rf "$dir/run"
mkdir "$dir/parent"
sed "s|^runtime_dir = .*|runtime_dir = \"$dir/parent/none/run\";|" \
	"$conf" >"$dir/missing.conf"
good=$conf
conf=$dir/missing.conf
refuses 'a missing directory' "$dir/parent/none/run"
ln -s "$dir/parent" "$dir/link"
sed "s|^runtime_dir = .*|runtime_dir = \"$dir/link\";|" \
	"$good" >"$dir/missing.conf"
refuses 'a symbolic link' "$dir/link"
echo >"$dir/file"
sed "s|^runtime_dir = .*|runtime_dir = \"$dir/file\";|" \
	"$good" >"$dir/missing.conf"
refuses 'a file' "$dir/file"
mkdir "$dir/open"
chmod 777 "$dir/open"
sed "s|^runtime_dir = .*|runtime_dir = \"$dir/open\";|" \
	"$good" >"$dir/missing.conf"
refuses "a directory that anybody may write" "$dir/open"
GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST SCRIPT_NAME=/v1 \
	PATH_INFO=/chat/completions CONTENT_LENGTH=0 "$TAILGATE_FCGI" \
	-f "$conf" </dev/null >"$dir/cgi.out" 2>"$dir/cgi.err"
like 'the same as CGI: 503' "$(cat "$dir/cgi.out")" '^Status: 503'
is 'as CGI: in the documented shape' "$(tr -d '\r' <"$dir/cgi.out" |
	sed '1,/^$/d' | jq -r '.error | keys | join(" ")')" \
	'code message param type'
like 'as CGI: the log says why' "$(cat "$dir/cgi.err")" "$dir/open"
conf=$good

# A running pool whose directory goes.
mkdir -p "$dir/run"
limits 240.0 2
start_tailgate
wait_until serves
ask "$(chat plain)"
is 'a directory that is there' "$status" 200
hold
gone_from=$(date +%s)
mv "$dir/run" "$dir/moved"
ask "$(chat plain)" -H 'Request-Timeout: 0.3'
is 'the directory has gone while a slot is held: refused' "$status" 503
is 'and nothing more went up' "$(stat stub in_flight)" 1
let_go
tell stub reset >/dev/null
ask "$(chat plain)"
check 'the directory has gone: refused' error_is 503 gateway_exhausted
is 'and nothing went up' "$(stat stub requests)" 0
served_again()
{
	ask "$(chat plain)"
	[ "$status" = 200 ]
}
check 'no request has a slot of it any more: it is made again' \
	wait_until -t 60 -p "$tailgate_pid" served_again
like 'the log says so' \
	"$(grep 'no slot can be taken' "$dir/tailgate.log" | tail -n 1)" \
	'error: .*limit gpu: no slot can be taken, requests for it are refused: '
check 'what had been asked for was not more than once in 5 s' test "$(
	grep -c 'asking for new workers' "$dir/tailgate.log")" -le \
	$((($(date +%s) - gone_from) / 5 + 2))
hold
ask "$(chat plain)" -H 'Request-Timeout: 0.3'
check 'and its limit is kept' error_is 503 local_queue_timeout
let_go
rm -rf "$dir/moved"
rm -rf "$dir/run/slots"
check 'the same if only the slots have gone' \
	wait_until -t 60 -p "$tailgate_pid" served_again
stop_server
stop "$tailgate_pid"

# With a file system of its own: read-only, and full.
unshared()
{
	# shellcheck disable=SC2016 # they are the inner shell's
	unshare -m sh -c 'set -e
		mount -t tmpfs -o size=64k,mode=700 tmpfs "$1/run"
		[ "$2" = full ] || mount -o remount,ro "$1/run"
		[ "$2" = ro ] || head -c 200000 /dev/zero >"$1/run/filler" || :
		shift 2
		exec "$@"' sh "$dir" "$@"
}

if unshare -m mount -t tmpfs tmpfs "$dir/run" 2>/dev/null; then
	for how in ro full; do
		spawn refused unshared $how "$TAILGATE_FCGI" -f "$conf" \
			-s "$dir/sock2"
		check "$how: it does not start" \
			wait_until -t 60 pid_died "$refused_pid"
		wait "$refused_pid"
		is "$how: status" $? 1
		forget "$refused_pid"
		like "$how: it says why" "$(cat "$dir/refused.log")" \
			"$dir/run.*(Read-only|No space)"
		unlike "$how: no worker is started again and again" \
			"$(cat "$dir/refused.log")" 'died of signal'
		: >"$dir/refused.log"
	done
else
	detail 'not allowed to mount here: no read-only, no full directory'
fi
finish

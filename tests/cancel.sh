# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A client that hangs up, in each phase and under each web server, streamed and
# not.  The upstream sees the connection close, the slot is free again, and the
# ledger records it, all within the bound that tailgate.fcgi(8) publishes.  The
# time is printed as a comment; the table in the manual is made from these
# figures.
#
# The provider is not blamed for it, and no other one is asked.  Without
# watch_peer, everything depends on the web server.  lighttpd passes a client's
# end on at once, but over plain HTTP/1.1 sometimes only when a byte has been
# written to the client.  Caddy shows it only by failing writes.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq

start_upstream stub -n
rm -f "$dir/full.port"
spawn full "$bin/listen" -f -p "$dir/full.port"
wait_until -p "$full_pid" test -s "$dir/full.port" || broken 'no full listener'
full_url=http://127.0.0.1:$(cat "$dir/full.port")/v1
mute_url=http://127.0.0.1:$stub_port/s/no-read/v1

stub_more='limit = "gpu";'
# A client that has gone opens none of these circuits.
more_providers=", { name = \"full\"; place = \"local\"; url = \"$full_url\";
	limit = \"gpu\"; circuit = { failures = 1; };
	timeouts = { connect = 30.0; }; retries = 0; },
	{ name = \"mute\"; place = \"local\"; url = \"$mute_url\";
	limit = \"gpu\"; circuit = { failures = 1; };
	timeouts = { first_byte = 30.0; }; },
	{ name = \"short\"; place = \"local\"; url = \"$stub_url\";
	circuit = { failures = 1; }; timeouts = { first_byte = 10.0; }; }"
more_models=', { id = "full"; targets = ( { provider = "full"; model = "x"; } ); },
	{ id = "mute"; targets = ( { provider = "mute"; model = "x"; } ); },
	{ id = "short"; targets = (
		{ provider = "short"; model = "stall-head"; },
		{ provider = "stub"; model = "plain"; } );
	fallback = [ "timeout" ]; }'
more="limits = ( { name = \"gpu\"; slots = 1; queue = 4; wait = 30.0; } );
	commit = 0.5; body = { spool_dir = \"$dir/spool\"; };"
stub_config
add_client holder
add_client next
add_client goner
start_tailgate
ledger=$dir/state/ledger.jsonl
bound_ms=1200

# --- Requests -----------------------------------------------------------------

# call MODEL STREAM: the members of a chat request.
call()
{
	printf '{"model":"%s","stream":%s,"messages":[{"role":"user",' "$1" "$2"
	printf '"content":"'
	[ "$1" != mute ] || head -c 12000000 /dev/zero | tr '\0' x
	printf '"}]}'
}

# raw: an HTTP request of `goner` around the body $dir/call.
raw()
{
	printf 'POST /v1/chat/completions HTTP/1.1\r\nHost: t\r\n'
	printf 'Authorization: Bearer %s\r\n' "$goner_key"
	printf 'Content-Type: application/json\r\n'
	printf 'Content-Length: %d\r\n\r\n' "$(wc -c <"$dir/call")"
	cat "$dir/call"
}

# begin fresh|kept|h2 MODEL STREAM: the client that will hang up: over HTTP/1.1
# on a fresh or a kept connection, or over HTTP/2.
begin()
{
	call "$2" "$3" >"$dir/call"
	rm -f "$dir/answer"
	: >"$dir/goner.log"
	if [ "$1" = h2 ]; then
		spawn goner curl -sN --http2-prior-knowledge -o "$dir/answer" \
			-H "Authorization: Bearer $goner_key" \
			-H 'Content-Type: application/json' \
			--data-binary "@$dir/call" "$base/v1/chat/completions"
		return
	fi
	raw >"$dir/request"
	path=
	[ "$1" = fresh ] || path=/v1/nothing
	spawn goner "$bin/hangup" ${path:+-k "$path"} "${base#http://}" \
		"$dir/request" "$dir/answer"
}

# $closed_ns and $closed_ms: when.
hang_up()
{
	"$bin/hangup" -t >"$dir/now"
	stop "$goner_pid"
	[ -s "$dir/goner.log" ] || cp "$dir/now" "$dir/goner.log"
	read -r closed_ns closed_ms <"$dir/goner.log"
}

# --- Their traces -------------------------------------------------------------

status_has()
{
	"$TAILGATE" -f "$conf" status --json 2>/dev/null |
		jq -e "[.requests[] | select($1)] | length > 0" >/dev/null
}

is_queued()
{
	status_has '.phase == "waiting" and .client == "goner"'
}

is_connecting()
{
	status_has '.phase == "running" and .client == "goner"'
}

is_uploading()
{
	stat_is stub uploading 1
}

is_waiting()
{
	stat_is stub in_flight 1
}

answer_has()
{
	file_has "$dir/answer" "$1"
}

# gone_lines: how many of the goner's requests the ledger has.
gone_lines()
{
	if [ -e "$ledger" ]; then
		grep -c '"client":"goner"' "$ledger"
	else
		echo 0
	fi
}

ledger_grew()
{
	[ "$(gone_lines)" -gt "$lines" ]
}

# entry FILTER: of the goner's last line.
entry()
{
	grep '"client":"goner"' "$ledger" | tail -n 1 | jq -r "$1"
}

# When the last line's request ended, in ms.
ended='((.time | sub("[.][0-9]+Z$"; "Z") | fromdate) * 1000
	+ (.time | capture("[.](?<ms>[0-9]+)Z$").ms | tonumber) + .total_ms)'

# --- One case -----------------------------------------------------------------

# What happened after hang_up, where it can be seen: within the time that
# wait_until has, and long before any timeout but those of full and mute.
# seen STATUS UPSTREAM
seen()
{
	check "$name: it is over" wait_until -t 25 ledger_grew
	like "$name: the ledger" \
		"$(entry '"\(.client_gone) \(.status) \(.refusal)"')" \
		"^true $1 client_gone\$"
	took=$(($(entry "$ended") - closed_ms))
	if [ "$2" = upstream ]; then
		check "$name: the upstream saw it" \
			wait_until stat_is stub aborted $((aborted + 1))
		took=$((($(stat stub last_abort_ns) - closed_ns) / 1000000))
	fi
	detail "$name: seen after $took ms"
	echo "$took" >>"$dir/took"
	[ "$phase" != queued ] || let_slot_go
}

# The bound is held by each on a machine with time for it; a busy one may keep
# any process waiting for longer, but not most of them.
bound_holds()
{
	at_most "$server: ms until one in two was seen" \
		"$(sort -n "$dir/took" | sed -n "$((($(wc -l <"$dir/took") + 1) / 2))p")" \
		"$bound_ms"
	rm -f "$dir/took"
}

# Where it can't be: it goes on to its end.  Nothing says when that is seen
# not to have happened, so the end is made to come.
unseen()
{
	[ "$phase" != queued ] || let_slot_go
	tell stub release >/dev/null
	check "$name: it runs to its end" wait_until -t 20 end_after_release
	detail "$name: not seen; status $(entry .status), gone $(
		entry .client_gone)"
}

end_after_release()
{
	tell stub release >/dev/null
	ledger_grew
}

nothing_upstream()
{
	stat_is stub in_flight 0 && stat_is stub uploading 0
}

slot_is_free()
{
	key=$next_key
	post /v1/chat/completions "$(chat plain)"
	is "$name: the next one gets the slot" "$status" 200
	check "$name: nothing goes on upstream" wait_until nothing_upstream
}

# hangs_up NAME fresh|kept|h2 PHASE MODEL STREAM READY OUTCOME...
hangs_up()
{
	name="$server: $1"
	phase=$3
	lines=$(gone_lines)
	[ "$phase" != queued ] || hold_slot "$holder_key" stub/stall-head
	aborted=$(stat stub aborted)
	begin "$2" "$4" "$5"
	ready=$6
	shift 6
	# shellcheck disable=SC2086 # a command with its argument
	check "$name: is there" wait_until -p "$goner_pid" $ready
	hang_up
	"$@"
	slot_is_free
}

# Streamed calls on fresh connections, hung up as soon as the phase has been
# reached and again when comments have begun.
streamed()
{
	hangs_up 'stream, queued' fresh queued stub/plain true is_queued \
		seen "$1" -
	hangs_up 'stream, queued, comments' fresh queued stub/plain true \
		'answer_has ^:.waiting' seen 200 -
	hangs_up 'stream, connecting' fresh connecting full true \
		is_connecting seen "$1" -
	hangs_up 'stream, connecting, comments' fresh connecting full true \
		'answer_has ^:.waiting' seen 200 -
	hangs_up 'stream, body going up' fresh uploading mute true \
		is_uploading seen "$1" upstream
	hangs_up 'stream, body going up, comments' fresh uploading mute true \
		'answer_has ^:.waiting' seen 200 upstream
	hangs_up 'stream, first byte' fresh waiting stub/stall-head true \
		is_waiting seen "$1" upstream
	hangs_up 'stream, first byte, comments' fresh waiting \
		stub/stall-first true 'answer_has ^:.waiting' seen 200 upstream
	hangs_up 'stream, running' fresh streaming stub/n=2000,ms=20 true \
		'answer_has ^data:' seen 200 upstream
	hangs_up 'stream, silent' fresh streaming stub/gate true \
		'answer_has ^data:' seen 200 upstream
}

lighttpd_cases()
{
	start_lighttpd
	# 200 if the first comment went out before it was seen, which is a
	# matter of time.
	streamed '(499|200)'
	hangs_up 'stream, HTTP/2, queued' h2 queued stub/plain true \
		is_queued seen '(499|200)' -
	hangs_up 'stream, HTTP/2, first byte' h2 waiting stub/stall-head true \
		is_waiting seen '(499|200)' upstream
	hangs_up 'whole, HTTP/2, queued' h2 queued stub/plain false \
		is_queued seen 499 -
	hangs_up 'whole, HTTP/2, connecting' h2 connecting full false \
		is_connecting seen 499 -
	hangs_up 'whole, HTTP/2, first byte' h2 waiting stub/stall-head \
		false is_waiting seen 499 upstream
	hangs_up 'whole, HTTP/2, short body' h2 body stub/stall-mid false \
		is_waiting seen 499 upstream
	whole
	stop_server
}

# Calls that are not streamed, which no comment can show to be abandoned.
whole()
{
	for how in fresh kept; do
		hangs_up "whole, $how, queued" $how queued stub/plain false \
			is_queued seen 499 -
		hangs_up "whole, $how, first byte" $how waiting \
			stub/stall-head false is_waiting seen 499 upstream
	done
	hangs_up 'whole, connecting' fresh connecting full false \
		is_connecting seen 499 -
	hangs_up 'whole, body going up' fresh uploading mute false \
		is_uploading seen 499 upstream
	hangs_up 'whole, short body' fresh body stub/stall-mid false \
		is_waiting seen 499 upstream
	hangs_up 'whole, long body' fresh body stub/stall-mid,size=300000 \
		false 'answer_has ^.....' seen 200 upstream
	timed_out
	bound_holds
	blameless
}

# The client hangs up and the provider's time is over, both before the worker
# looks again: it looks for the client before a timeout is booked or somebody
# else asked.
timed_out()
{
	name="$server: whole, before a timeout"
	phase=waiting
	lines=$(gone_lines)
	aborted=$(stat stub aborted)
	begin fresh short false
	check "$name: is there" wait_until -p "$goner_pid" is_waiting
	all=$(workers_of "$tailgate_pid")
	# shellcheck disable=SC2086 # numbers
	pause_process $all
	hang_up
	wait_until after $((closed_ms + 10000))
	"$bin/hangup" -t >"$dir/now"
	read -r closed_ns closed_ms <"$dir/now"
	# shellcheck disable=SC2086 # numbers
	resume_process $all
	seen 499 upstream
	is "$name: no other provider is asked" "$(entry '.tries | length')" 1
	slot_is_free
}

# after MS: it is later than that.
after()
{
	"$bin/hangup" -t >"$dir/now"
	[ "$(cut -d ' ' -f 2 "$dir/now")" -gt "$1" ]
}

# No provider has been left alone, or is about to be.
blameless()
{
	is "$server: no provider is blamed" "$(
		"$TAILGATE" -f "$conf" status --json | jq -c \
			'[.providers[] | select(.failures > 0) | .name]'
	)" '[]'
}

caddy_cases()
{
	start_caddy
	streamed '(499|200)'
	whole
	stop_server
}

# nginx tells by itself, in every phase.
nginx_cases()
{
	start_nginx
	streamed '(499|200)'
	whole
	stop_server
}

# Switched off, a call that is not streamed runs to its end under Caddy.
switched_off()
{
	stop "$tailgate_pid"
	more="$more watch_peer = false;"
	stub_config
	start_tailgate
	start_caddy
	hangs_up 'not watched, first byte' fresh waiting stub/stall-head \
		false is_waiting unseen
	stop_server
}

need lighttpd caddy nginx
lighttpd_cases
nginx_cases
caddy_cases
switched_off
finish

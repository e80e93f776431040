# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# One client has six hundred requests open, at a provider that hangs or in a
# long queue.  It is refused when it has its share.  Every other client is
# served meanwhile, and so are its own requests to other providers.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq lighttpd

shape="processes = 2; requests = 256;" # six hundred requests fill it
start_upstream stub -n
start_upstream second -n
more_providers=", { name = \"gpu\"; place = \"local\"; url = \"$stub_url\";
	  limit = \"gpu\"; },
	{ name = \"second\"; place = \"local\"; url = \"$second_url\"; }"
more_models=', { id = "queued/*"; targets = (
	  { provider = "gpu"; model = "*"; } ); },
	{ id = "permitted/*"; fallback = [ "busy" ]; targets = (
	  { provider = "gpu"; model = "*"; },
	  { provider = "second"; model = "*"; } ); },
	{ id = "second/*"; targets = (
	  { provider = "second"; model = "*"; } ); }'
# with_queue N
with_queue()
{
	more="limits = (
	  { name = \"gpu\"; slots = 1; queue = $1; wait = 600.0; } );
	  body = { spool_dir = \"$dir/spool\"; };"
	stub_config
}
with_queue 1024
add_client alice
add_client bob
add_client chief --operator
start_tailgate
start_lighttpd

# crowd MODEL: six hundred requests of alice, all at once.
crowd()
{
	"$load" -c 600 -k "$alice_key" -b "$(printf \
		'{"model":"%s","messages":[]}' "$1")" "${base#http://}" \
		>"$dir/crowd" 2>&1 &
	adopt crowd $!
	wait_until -p "$crowd_pid" all_there 600 ||
		broken 'the crowd does not come'
	# While they came we looked, which took places from them.  A few more
	# take those.
	"$load" -c 8 -k "$alice_key" -b "$(printf \
		'{"model":"%s","messages":[]}' "$1")" "${base#http://}" \
		>"$dir/late" 2>&1 &
	adopt late $!
	wait_until all_there 608 || broken 'a few more do not come'
}

# all_there COUNT: each of them has been refused or is held by the gateway.
all_there()
{
	[ "$(metric tailgate_requests_open)" -gt 150 ] &&
		[ "$(($(metric tailgate_requests_open) - 1 + $(refusals)))" \
			-ge "$1" ]
}

# refusals: how many of alice's were refused so far.
refusals()
{
	curl -sS --max-time 20 -H "Authorization: Bearer $chief_key" \
		"$base/metrics" | awk '/^tailgate_requests_total/ &&
		/client="alice"/ && /status="503"/ { n += $NF }
		END { print n - '"${refused_before:-0}"' }'
}

metric()
{
	curl -sS --max-time 20 -H "Authorization: Bearer $chief_key" \
		"$base/metrics" | sed -n "s/^$1 //p"
}

rows_are()
{
	[ "$("$TAILGATE" -f "$conf" status --json 2>/dev/null |
		jq "[.requests[] | select($1)] | length")" = "$2" ]
}

# others WHEN: what all other clients get while the crowd waits.
others()
{
	key=
	request /health
	is "$1: /health" "$status" 200
	key=$chief_key
	request /metrics
	is "$1: /metrics" "$status" 200
	request /tailgate/status.json
	is "$1: status" "$status" 200
	key=$bob_key
	request /v1/models
	is "$1: the models of another client" "$status" 200
	for n in 1 2 3; do
		post /v1/chat/completions \
			'{"model":"second/plain","messages":[]}'
		is "$1: chat of another client ($n)" "$status" 200
	done
	post /v1/chat/completions "$(chat n=3 '"stream":true')"
	like "$1: a stream of another client" "$(body)" '\[DONE\]'
	key=$alice_key
	request /v1/models
	is "$1: its own models" "$status" 200
	key=tg-no-such-key
	request /v1/models
	is "$1: a wrong key gets 401" "$status" 401
}

# over: the crowd ends; $dir/crowd says how.
over()
{
	while alive "$crowd_pid" || alive "$late_pid"; do
		tell stub release >/dev/null
		sleep 0.02
	done
	wait "$crowd_pid"
	wait "$late_pid"
	forget "$crowd_pid"
	forget "$late_pid"
	detail "$(cat "$dir/crowd")"
	# A request may be counted after its client has the response.
	all_settled
	refused_before=$((${refused_before:-0} + $(refusals)))
}

# --- A provider that hangs ----------------------------------------------------

crowd stub/stall-head
others 'a provider hangs'
key=$alice_key
post /v1/chat/completions "$(chat plain)"
check 'the client that has its share is refused by name' error_is 503 client_overloaded
like 'and when to come again' "$(header retry-after)" '^[1-9][0-9]*$'
check 'most of what is idle was its to use' \
	wait_until stat_reaches stub in_flight 320
over
like 'each of the six hundred got a response' "$(cat "$dir/crowd")" \
	'^complete=[0-9]+ failed=[0-9]+ .*first_bad=503'
is 'and none got lost' "$(awk -F '[= ]' '{ print $2 + $4 }' "$dir/crowd")" 600
post /v1/chat/completions "$(chat plain)"
is 'it is served again' "$status" 200

# --- A long queue -------------------------------------------------------------

crowd queued/stall-head
others 'a long queue'
key=$alice_key
post /v1/chat/completions '{"model":"queued/plain","messages":[]}'
check 'the client whose share waits is refused by name' error_is 503 client_overloaded
post /v1/chat/completions '{"model":"second/plain","messages":[]}'
is 'but its request may go where none waits' "$status" 200
post /v1/chat/completions '{"model":"permitted/plain","messages":[]}'
is 'also by the permission "busy"' "$status $(header x-tailgate-fallback)" \
	'200 busy'
key=$bob_key
"$load" -c 1 -k "$bob_key" -b '{"model":"queued/plain","messages":[]}' \
	"${base#http://}" >"$dir/bob" 2>&1 &
adopt bob $!
check 'and another client has a place in the queue' \
	wait_until rows_are '.client == "bob" and .phase == "waiting"' 1
over
wait "$bob_pid"
forget "$bob_pid"
like 'and is served there' "$(cat "$dir/bob")" '^complete=1 failed=0'

# --- A short one, which one client would fill ---------------------------------

stop_server
stop "$tailgate_pid"
rm -f "$socket"
with_queue 16
start_tailgate
start_lighttpd
"$load" -c 60 -k "$alice_key" -b '{"model":"queued/stall-head","messages":[]}' \
	"${base#http://}" >"$dir/crowd" 2>&1 &
adopt crowd $!
full()
{
	[ "$(refusals)" -ge 44 ]
}
check 'a queue of sixteen: the rest of sixty are refused' \
	wait_until -p "$crowd_pid" full
key=$alice_key
post /v1/chat/completions '{"model":"queued/plain","messages":[]}'
check 'the queue has no more place for it' error_is 503 local_queue_full
"$load" -c 1 -k "$bob_key" -b '{"model":"queued/plain","messages":[]}' \
	"${base#http://}" >"$dir/bob" 2>&1 &
adopt bob $!
check 'but for another client' \
	wait_until rows_are '.client == "bob" and .phase == "waiting"' 1
over
wait "$bob_pid"
forget "$bob_pid"
like 'which is served' "$(cat "$dir/bob")" '^complete=1 failed=0'
finish

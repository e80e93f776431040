# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# What the default configuration can carry: five thousand streams, which all
# complete, and a thousand requests that wait for one slot, while others are
# served at once.  One, ten or a thousand clients that read nothing, uploads
# that drip in, and providers that hang cost the others nothing.
. "${abs_srcdir:-.}/tests/lib.sh"

shape= # the default is what is tested

# shellcheck disable=SC3045 # every sh of today has it
[ "$(ulimit -n)" -ge 16500 ] || ulimit -n 16500 2>/dev/null ||
	skip_all 'needs 16500 descriptors'

start_upstream stub -n
# One client's share of a queue is seven times what it leaves free.
more='limits = ( { name = "gpu"; slots = 1; queue = 1024; wait = 120.0; } );'
more_providers=", { name = \"gpu\"; place = \"local\"; url = \"$stub_url\";
	limit = \"gpu\"; }"
more_models=', { id = "gpu/*"; targets = (
	{ provider = "gpu"; model = "*"; } ); }'
stub_config
add_client anna
anna_key=$key
add_client bob
bob_key=$key
crowd='c0 c1 c2 c3 c4 c5 c6 c7 c8 c9'
for name in $crowd; do
	add_client "$name"
	eval "${name}_key=\$key"
done
start_tailgate
start_lighttpd

# --- Five thousand streams ----------------------------------------------------

"$load" -c 5000 -r 2000 -e '[DONE]' -k "$anna_key" \
	-b "$(chat gate,n=5,ms=200,stamp '"stream":true')" \
	"${base#http://}" >"$dir/load" 2>&1 &
adopt load $!
# On a machine that does much else this has taken a minute and a half.
check 'five thousand streams at once' wait_until -t 240 -p "$load_pid" \
	stat_reaches stub in_flight 5000
key=$bob_key
post /v1/chat/completions '{"model":"stub/plain","messages":[]}'
is 'another client is served' "$status" 200
tell stub release >/dev/null
wait "$load_pid"
forget "$load_pid"
detail "$(cat "$dir/load")"
like 'all complete' "$(cat "$dir/load")" '^complete=5000 failed=0 '
check 'nothing is left over' wait_until stat_is stub in_flight 0

# --- A thousand that wait for one slot ----------------------------------------

queued()
{
	[ "$("$TAILGATE" -f "$conf" status --json 2>/dev/null |
		jq '.limits[0].queued')" -ge "$1" ]
}

key=$bob_key
"$load" -c 1 -n 1 -k "$key" -b '{"model":"gpu/gate","messages":[]}' \
	"${base#http://}" >"$dir/holder" 2>&1 &
adopt holder $!
wait_until stat_is stub in_flight 1
for name in $crowd; do
	eval "its=\$${name}_key"
	"$load" -c 100 -n 100 -k "$its" \
		-b '{"model":"gpu/size=600","messages":[]}' "${base#http://}" \
		>"$dir/$name.load" 2>&1 &
	adopt "$name" $!
done
check 'a thousand wait for the slot' wait_until -t 60 queued 1000

"$load" -c 1 -n 20 -k "$bob_key" \
	-b '{"model":"stub/size=600","messages":[]}' "${base#http://}" \
	>"$dir/quick" 2>&1
detail "$(cat "$dir/quick")"
at_most 'another model meanwhile, p50 in us' \
	"$(sed -n 's/.* p50_us=\([0-9]*\).*/\1/p' "$dir/quick")" 50000
seconds=$(curl -sS -o /dev/null -w '%{time_total}' --max-time 20 \
	-H "Authorization: Bearer $bob_key" "$base/v1/models")
at_most '/v1/models meanwhile, ms' \
	"$(awk -v s="$seconds" 'BEGIN { print int(s * 1000) }')" 1000
tell stub release >/dev/null
wait "$holder_pid"
forget "$holder_pid"
for name in $crowd; do
	eval "pid=\$${name}_pid"
	wait "$pid"
	forget "$pid"
	detail "$(cat "$dir/$name.load")"
	like "$name: each was served in turn" "$(cat "$dir/$name.load")" \
		'^complete=100 failed=0 .*refused=0 '
done

# --- Slow readers, dripping uploads, hung providers, a hung disk -----------------

# beside N: so many of each, and the ledger's process, which alone writes, hangs
# as it does on a disk.
beside()
{
	tell stub reset >/dev/null
	"$load" -c "$1" -n "$1" -k "$anna_key" \
		-b '{"model":"stub/gate","messages":[]}' "${base#http://}" \
		>"$dir/hung" 2>&1 &
	adopt hung $!
	wait_until -t 60 -p "$hung_pid" stat_reaches stub in_flight "$1" ||
		broken 'the hung ones do not come'
	keeper=$(keeper_of "$tailgate_pid")
	pause_process "$keeper"
	"$load" -c 50 -n 500 -S "$1" -D "$1" -k "$bob_key" \
		-b '{"model":"stub/size=600","messages":[]}' \
		"${base#http://}" >"$dir/beside" 2>&1 ||
		detail 'the load failed'
	detail "$(cat "$dir/beside")"
	like "$server, $1 of each: the others are served" \
		"$(cat "$dir/beside")" '^complete=500 failed=0 '
	at_most "$server, $1 of each: the others' median, us" \
		"$(sed -n 's/.* p50_us=\([0-9]*\).*/\1/p' "$dir/beside")" \
		1000000
	check "$server, $1 of each: the hung ones still wait" \
		stat_is stub in_flight "$1"
	resume_process "$keeper"
	tell stub release >/dev/null
	wait "$hung_pid"
	forget "$hung_pid"
	like "$server, $1 of each: the hung ones end well" \
		"$(cat "$dir/hung")" "^complete=$1 failed=0 "
}

lines=$(wc -l <"$dir/state/ledger.jsonl")
for server in lighttpd caddy; do
	[ $server = lighttpd ] || start_caddy
	for n in 1 10 1000; do
		beside $n
	done
	stop_server
done
# Of each 500 and the hung ones have a line; the slow ones, too, when they end.
ledger_has()
{
	[ $(($(wc -l <"$dir/state/ledger.jsonl") - lines)) -ge "$1" ]
}
check 'the ledger has a line of each' wait_until -t 30 ledger_has 5022
finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A limit whose server loads one model at a time (`swap`): waiters for the model
# in use go first, within swap_wait, so that models change seldom and no waiter
# starves.
. "${abs_srcdir:-.}/tests/lib.sh"

need python3 jq
started=$dir/started
: >"$started"
python3 "$tests/swap_load.py" serve "$started" >"$dir/up.port" \
	2>"$dir/up.log" &
adopt up $!
wait_until -p "$up_pid" test -s "$dir/up.port" || broken "no upstream"
url=http://127.0.0.1:$(cat "$dir/up.port")/v1

# config SWAP WAIT
config()
{
	new_config <<-END
		limits = ( { name = "gpu"; slots = 1; queue = 128; wait = 100;
		  swap = "$1"; swap_wait = $2; } );
		providers = ( { name = "box"; place = "local"; url = "$url";
		  limit = "gpu"; } );
		models = (
		  { id = "a"; targets = ( { provider = "box"; model = "a"; } ); },
		  { id = "b"; targets = ( { provider = "box"; model = "b"; } ); },
		  { id = "c"; targets = ( { provider = "box"; model = "c"; } ); } );
	END
}
# begin SWAP WAIT: with a ledger and slots of its own.
begin()
{
	[ -z "${tailgate_pid:-}" ] || stop "$tailgate_pid"
	rm -rf "$dir/run" "$dir/state"
	: >"$started"
	config "$1" "$2"
	start_tailgate
}
order()
{
	cut -d ' ' -f 1 "$started" | tr '\n' ' '
}
switches()
{
	awk 'NR > 1 && $1 != last { n++ } { last = $1 } END { print n + 0 }' \
		"$started"
}
# longest: of all waits, ms.  gap: between a beginning and the next but one: a
# service that was in use may have begun late, and the one after it as well.
longest()
{
	jq -s 'map(.queue_ms // 0) | max' "$dir/state/ledger.jsonl"
}
gap()
{
	awk 'NR > 2 && $2 - before > most { most = $2 - before }
		{ before = last; last = $2 } END { print most + 0 }' "$started"
}
# shellcheck disable=SC2317 # wait_until calls it
lines_are()
{
	[ "$(wc -l <"$dir/state/ledger.jsonl")" -eq "$1" ]
}
# queue MODEL MS: one request in the background, until it runs or waits.
queue()
{
	queued=$((queued + 1))
	curl -s -o /dev/null --max-time 600 -H "Authorization: Bearer $key" \
		-H 'Content-Type: application/json' -d "$(printf \
		'{"model":"%s","messages":[{"role":"user","content":"ms=%s"}]}' \
		"$1" "$2")" "$base/v1/chat/completions" &
	adopt "q$queued" $!
	wait_until are_there "$queued" || broken "request $queued is not there"
}
# shellcheck disable=SC2317 # wait_until calls it
are_there()
{
	[ "$("$TAILGATE" -f "$conf" status --json |
		jq '.requests | length')" -eq "$1" ]
}

config group 90
for client in one two three four; do
	add_client $client
done
begin group 90
start_lighttpd

# --- the order --------------------------------------------------------------------
queued=0
queue a hold
for model in b a a c; do
	queue $model 10
done
like 'status has the model in use' "$("$TAILGATE" -f "$conf" status)" \
	'gpu +a +0 +(90s|1m)'
like 'explain says that others go first' "$(printf '{"model":"b"}' |
	"$TAILGATE" -f "$conf" explain --client one)" \
	'swap +a is in use and goes first, before others for 90'
: >"$started.go"
for n in 1 2 3 4 5; do
	eval "wait \$q${n}_pid; forget \$q${n}_pid"
done
is 'A B A A C is served A A A B C' "$(order)" 'a a a b c '
is 'status counts the switches' "$("$TAILGATE" -f "$conf" status --json |
	jq -c '.limits[0] | [.model_in_use, .switches]')" '["c",2]'

# --- 200 requests over three models from four clients ---------------------------------
# shellcheck disable=SC2154 # add_client sets them
run_many()
{
	check "$1: all are served" python3 "$tests/swap_load.py" many "$base" \
		"$one_key" "$two_key" "$three_key" "$four_key"
	wait_until lines_are 200
	is "$1: 200 of them" "$(wc -l <"$started")" 200
}
begin none 20
run_many 'first come'
first_come=$(switches)
begin group 20
run_many 'by model'
detail "switches: first come $first_come, by model $(switches)"
at_most 'the model changes at most a fifth as often' "$(($(switches) * 5))" \
	"$first_come"
at_most 'no request waits longer than swap_wait and a service' "$(longest)" \
	$((20000 + $(gap)))
is 'each client has its share' "$(jq -s -c '[group_by(.client)[] | length]' \
	"$dir/state/ledger.jsonl")" '[50,50,50,50]'

# --- nobody starves ------------------------------------------------------------------
begin group 1
check 'one among many for another model is served' python3 \
	"$tests/swap_load.py" starve "$base" "$one_key" "$started"
wait_until file_has "$dir/state/ledger.jsonl" '"model":"b"'
waited=$(jq 'select(.model == "b") | .queue_ms' "$dir/state/ledger.jsonl")
detail "it waited $waited ms, a service took $(gap) ms at the most"
at_most 'after swap_wait and one service' "$waited" $((1000 + $(gap) + 20))
at_most 'not before the others, whose model is in use' 900 "$waited"
is 'the model was changed for it once' "$(grep -c '^b ' "$started")" 1

# --- what is wrong --------------------------------------------------------------------
config group 100
like 'swap_wait that is no less than wait' \
	"$("$TAILGATE" -f "$conf" check 2>&1)" \
	'swap_wait: must be less than wait \(100 seconds\)'
config none 5
like 'swap_wait without swap' "$("$TAILGATE" -f "$conf" check 2>&1)" \
	'warning: limits\[0\].swap_wait: has no effect without swap'
finish

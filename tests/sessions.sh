# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Tools' sessions and traces: what identifies them, what the ledger keeps of
# them, what is passed on, and `usage --by session`.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq
start_upstream stub
more_models=', { id = "kept"; select = "round_robin"; sticky = true;
  sticky_by = "session"; targets = (
    { provider = "stub"; model = "plain,n=1"; },
    { provider = "stub"; model = "plain,n=2"; } ); }'
more='private = ( { name = "traced"; pattern = "5ec4e7"; } );'
stub_config
add_client anna
start_tailgate
start_lighttpd

# lines N: the ledger has so many.
# shellcheck disable=SC2317 # wait_until calls it
lines()
{
	[ "$(wc -l <"$dir/state/ledger.jsonl")" -ge "$1" ]
}
asked=0
# ask BODY [curl arguments]: then $line is its line in the ledger.
ask()
{
	body=$1
	shift
	post /v1/chat/completions "$body" "$@"
	asked=$((asked + 1))
	wait_until lines $asked
	line=$(tail -n 1 "$dir/state/ledger.jsonl")
}
session()
{
	printf '%s\n' "$line" | jq -r '.session // "none"'
}
trace=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01

ask "$(chat plain)"
is 'a request without a session has none' "$status:$(session)" 200:none
is 'nor a trace' "$(printf '%s\n' "$line" | jq -r '.trace // "none"')" none
ask "$(chat plain)" -H 'X-Tailgate-Session: sess-MARK-1'
first=$(session)
like 'X-Tailgate-Session: 16 digits' "$first" '^[0-9a-f]{16}$'
ask "$(chat plain)" -H 'session-id: sess-MARK-1'
is "Codex's header: the same" "$(session)" "$first"
ask "$(chat plain '"prompt_cache_key":"sess-MARK-1"')"
is 'prompt_cache_key: the same' "$(session)" "$first"
ask "$(chat plain \
	'"metadata":{"user_id":"user_a_account_b_session_sess-MARK-1"}')"
is "Claude Code's user id: the same" "$(session)" "$first"
ask "$(chat plain '"prompt_cache_key":"sess-MARK-2"')"
check 'another is another' test "$(session)" != "$first"
check_not 'no name is in the ledger' grep -q MARK "$dir/state/ledger.jsonl"
check_not 'nor in the log' grep -q MARK "$dir/tailgate.log"
is 'usage shows a session' "$("$TAILGATE" -f "$conf" usage \
	--by session --format json | jq -c --arg s "$first" \
	'[.. | objects | select(.session? == $s) | .requests]')" '[4]'
check 'the ledger verifies' "$TAILGATE" -f "$conf" usage --verify

# --- sticky
# --------------------------------------------------------------------- target
# SESSION: its target; each of several requests goes to the same one.
target()
{
	for _ in 1 2 3 4; do
		ask '{"model":"kept","messages":[{"role":"user","content":"x"}]}' \
			-H "X-Tailgate-Session: $1"
		header x-tailgate-model
	done | sort -u
}
for n in 1 2 3 4 5 6 7 8; do
	target "number $n"
	asked=$((asked + 4))
done >"$dir/targets"
is 'each session keeps to one target' "$(wc -l <"$dir/targets")" 8
is 'which is not the same for all' "$(sort -u "$dir/targets" | wc -l)" 2
like 'explain goes the same way' "$(printf '{"model":"kept"}' | "$TAILGATE" \
	-f "$conf" explain --client anna --header \
	'X-Tailgate-Session: number 1' |
	grep -m 1 plain)" "$(head -n 1 "$dir/targets")"

# --- traceparent --------------------------------------------------------------
asked=$(wc -l <"$dir/state/ledger.jsonl")
rm -f "$stub_dir"/*
ask "$(chat plain)" -H "traceparent: $trace" -H 'tracestate: MARK=1'
mine=$(printf '%s\n' "$line" | jq -r .trace)
like 'a trace goes on with a span of our own' "$mine" \
	'^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$'
check 'not the one of the client' test "$mine" != "$trace"
check 'the upstream has what the ledger has' \
	grep -r -q -i "traceparent: $mine" "$stub_dir"
check_not 'and no tracestate' grep -r -q -i tracestate "$stub_dir"
rm -f "$stub_dir"/*
ask "$(chat plain)" -H 'traceparent: 00-nonsense-01'
is 'what is none' "$status:$(printf '%s\n' "$line" |
	jq -r '.trace // "none"')" 200:none
check_not 'is not handed on' grep -r -q -i traceparent "$stub_dir"
ask "$(chat plain)" -H \
	'traceparent: 00-5ec4e751916cd43dd8448eb211c80319-b7ad6b7169203331-01'
is 'it is looked through for private patterns' "$(printf '%s\n' "$line" |
	jq -r .private)" traced
finish

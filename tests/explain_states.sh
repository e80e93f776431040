# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A property of `tailgate explain`: in 1,000 random states (clients, budgets,
# rates, expiry, slots, queues) it predicts what the gateway does next, with the
# same refusal in the same words.  When the gateway's own state is gone, it
# reads the same from the ledger.
#
# SEED=N plays one run again; STATES=N is the number in each round (100).
. "${abs_srcdir:-.}/tests/lib.sh"

need python3 lighttpd

states=$abs_srcdir/tests/explain_states.py
seed=${SEED:-$(($(date +%s) % 100000 * 10))}

start_upstream stub -n
key=

# play SEED
play()
{
	rm -rf "$dir/run" "$dir/state"
	python3 "$states" config "$1" "$stub_url" >"$dir/states.conf"
	new_config <"$dir/states.conf"
	start_tailgate
	start_server lighttpd
	check "seed $1: explain says what the gateway does" \
		python3 "$states" play "$1" "${STATES:-100}" "$base" \
		"http://127.0.0.1:$stub_port" "$TAILGATE" -f "$conf"
	detail "$(cat "$dir/check.out")"
	cat "$dir/check.out" >>"$dir/met"
	stop_server
	stop "$tailgate_pid"
	python3 "$states" account "$1" "$TAILGATE" -f "$conf" >"$dir/live"
	rm -rf "$dir/run"
	python3 "$states" account "$1" "$TAILGATE" -f "$conf" >"$dir/again"
	same "seed $1: and from the account alone what was spent" \
		"$dir/again" "$dir/live"
	check_not "seed $1: only looking makes nothing" test -e "$dir/run"
}

for round in 1 2 3 4 5 6 7 8 9 10; do
	play "$((seed + round))"
	[ -z "${SEED:-}" ] || break
done
[ -n "${SEED:-}" ] || for code in ok budget_exceeded rate_limit_exceeded \
	local_queue_full invalid_api_key model_not_allowed \
	private_route_blocked; do
	check "$code was met" grep -q " $code" "$dir/met"
done
finish

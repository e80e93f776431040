# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A property of the ledger.  Over random chains of two to five providers, local
# and external, with a fault at every point of an exchange: the bytes that each
# upstream received are those that the ledger says were sent to it; a line's
# numbers are the sums of its tries; and budgets rebuilt from the ledger equal
# the live ones.  Under both web servers.
#
# SEED=N plays one run again, TIME=SECONDS plays longer (each seed needs about
# 15 seconds; without SEED one follows another).
. "${abs_srcdir:-.}/tests/lib.sh"

need python3 lighttpd caddy

seed=${SEED:-$(($(date +%s) % 100000 * 10))}
time=${TIME:-60}
ledger=$dir/state/ledger.jsonl
chains=$abs_srcdir/tests/chains.py

mkfifo "$dir/count"
python3 "$chains" stub "$dir" <"$dir/count" >"$dir/stub.log" 2>&1 &
adopt stub $!
exec 7>"$dir/count"
wait_until -p "$stub_pid" test -s "$dir/ports"

# play SERVER SEED
play()
{
	rm -rf "$dir/run" "$dir/state" "$dir/received" "$dir/clients.conf"
	python3 "$chains" config "$2" "$dir" >"$dir/chain.conf"
	new_config <"$dir/chain.conf"
	add_client anna --place external
	# Only who has a budget is counted.
	sed -i 's/name = "anna";/& budget = { concurrent = 1000; };/' \
		"$dir/clients.conf"
	start_tailgate
	start_server "$1"
	python3 "$chains" ask "$2" "$dir" "$base" "$key" 6 ||
		broken 'the clients failed'
	stop "$tailgate_pid"
	echo "count $dir/received" >&7
	wait_until -p "$stub_pid" test -s "$dir/received"
	check "$1, seed $2: what each upstream received is what was accounted" \
		python3 "$chains" judge "$dir" "$ledger"
	detail "$(cat "$dir/check.out")"
	${TAILGATE_UNDER:-} "$bin/budget_look" "$conf" >"$dir/live" 2>&1
	mv "$dir/run/budget" "$dir/budget.live"
	${TAILGATE_UNDER:-} "$bin/budget_look" "$conf" >"$dir/again" 2>&1
	check "$1, seed $2: budgets made from the ledger are the live ones" \
		diff "$dir/live" "$dir/again"
	check "$1, seed $2: of the models too" \
		grep -q 'model .*: [1-9].* [1-9][0-9]* nanousd' "$dir/again"
	check "$1, seed $2: and something was used" \
		grep -q 'client anna: [1-9].* [1-9][0-9]* nanousd' "$dir/again"
	out=$("$TAILGATE" -f "$conf" usage 2>&1)
	if [ "$(cat "$dir/outside")" = 0 ]; then
		like "$1, seed $2: nothing left" "$out" 'Nothing left'
	else
		like "$1, seed $2: what left is said" "$out" \
			'left this network with [1-9]'
	fi
	check "$1, seed $2: the chain holds" "$TAILGATE" -f "$conf" usage \
		--verify
	stop_server
}

began=$(date +%s)
while :; do
	play lighttpd "$seed"
	play caddy "$((seed + 1))"
	seed=$((seed + 2))
	[ -z "${SEED:-}" ] || break
	[ "$(($(date +%s) - began))" -lt "$time" ] || break
done
finish

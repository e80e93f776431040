# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The exchanges of tests/exchange.cases through each web server: how the client
# reads its response, what the upstream was sent, and what the ledger says.
# CASES=FILE plays another file of that form.
. "${abs_srcdir:-.}/tests/lib.sh"

need python3
player=$tests/cases.py
file=${CASES:-$tests/exchange.cases}

new_config </dev/null # for its directories
spawn upstream python3 "$player" serve "$file" "$dir"
wait_until -p "$upstream_pid" test -s "$dir/port" ||
	broken 'the upstream did not start'
{
	echo 'heartbeat = 0.5; commit = 0.5; requests = 64;'
	echo 'cors = { origins = [ "https://chat.example" ]; };'
	python3 "$player" config "$file" "$dir"
} >"$dir/body.conf"
new_config <"$dir/body.conf"
add_client anna

play_all()
{
	rm -rf "$dir/run" "$dir/state" "$dir"/*.asked
	mkdir "$dir/run" "$dir/state"
	start_tailgate
	wait_until serves || broken "$1 does not find it"
	python3 "$player" play "$file" "$dir" "${base#http://}" "$key" \
		>"$dir/said" 2>&1
	take "$dir/said" "$1"
	is "$1: all were played" "$(tail -n 1 "$dir/said")" 'done'
	stop "$tailgate_pid"
}
each_server play_all
finish

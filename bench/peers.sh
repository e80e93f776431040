#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# What it costs to watch the clients of requests that wait: CPU of all workers,
# with watch_peer and without.
#
#	bench/peers.sh [REQUESTS [SECONDS]]	(1000 for 20 s)
#
# Run it from the build directory after `make bench/load` and `make check
# TESTS=`, on a machine that does little else.
. "$(dirname "$0")/lib.sh"

requests=${1:-1000}
wait_s=${2:-20}
body='{"model":"stub/stall-head","messages":[{"role":"user","content":"x"}]}'

# measure true|false
measure()
{
	more="processes = 2; commit = 600.0;
		watch_peer = $1;"
	stub_config
	[ -n "${chief_key:-}" ] || add_client chief
	key=$chief_key
	seat measured
	start_tailgate
	start_lighttpd
	seat load
	printf '%s' "$body" >"$dir/body.json"
	"$load" -k "$key" -c "$requests" -d "$((wait_s + 60))" -b "$body" \
		"${base#http://}" >"$dir/line" 2>&1 &
	adopt load $!
	wait_until -t 60 -p "$load_pid" stat_is stub in_flight "$requests" ||
		broken "$(cat "$dir/line")"
	before=$(cpu "$tailgate_pid")
	sleep "$wait_s" # what is measured
	after=$(cpu "$tailgate_pid")
	echo "watch_peer = $1: $requests requests wait for $wait_s s:" \
		"$(((after - before) * 1000 / tick)) ms of CPU"
	stop "$load_pid"
	stop_server
	stop "$tailgate_pid"
	tell stub reset >/dev/null
}

start_upstream stub -n
measure false
measure true

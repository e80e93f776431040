#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# What waiting for a slot costs: the figures in the manual.
#
#	bench/slots.sh [SECONDS]	(of the idle queue; default 60)
#
# Run it from the build directory after `make check TESTS=`, on a machine that
# does little else.  The driver is tests/slots_load.

load=${SLOTS_LOAD:-./tests/slots_load}
[ -x "$load" ] || { echo "no $load: build it first" >&2; exit 1; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

measure() {
	echo "--- $1"
	shift
	rm -rf "$dir/run"
	"$load" -d "$dir/run" "$@" || exit 1
}

measure 'taking and giving back, nobody waits: s / 100000' \
	-p 1 -t 1 -c 1 -n 100000 -h 0
measure '64 waiters of 8 clients in 4 processes, 1 slot, held 13 ms' \
	-p 4 -t 16 -c 8 -s 1 -n 600 -h 13000
measure 'the same, 4 slots' -p 4 -t 16 -c 8 -s 4 -n 1800 -h 13000
measure '8 clients in 64 processes of one thread, 1 slot' \
	-p 64 -t 1 -c 8 -s 1 -n 600 -h 13000
(
	TAILGATE_SLOTS_POLL=1
	export TAILGATE_SLOTS_POLL
	measure '64 waiters, without wake-ups' \
		-p 4 -t 16 -c 8 -s 1 -n 600 -h 13000
) || exit 1
measure 'workers killed: 50 in 4000 takes' \
	-p 4 -t 16 -c 8 -s 2 -n 4000 -h 1000 -k 50
measure "500 waiters in 4 processes for ${1:-60} s" \
	-p 4 -t 125 -c 8 -w -T "${1:-60}"

#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Slots under load: many threads and processes, some of them killed, against one
# limit.  tests/slots_load keeps the account, and fails if a slot had two
# holders, a client's waiters were served out of order, or a take failed.

. "${abs_srcdir:-.}/tests/lib.sh"

# hammer DESCRIPTION OPTIONS...
# shellcheck disable=SC2086 # words
hammer()
{
	what=$1
	shift
	rm -rf "$dir/run"
	check "$what" ${TAILGATE_UNDER:-} "$bin/slots_load" \
		-d "$dir/run" "$@"
	detail "$(cat "$dir/check.out")"
}

hammer 'one slot, workers killed' -p 3 -t 8 -c 5 -s 1 -n 600 -h 300 -k 8
hammer 'two slots, workers killed' -p 3 -t 8 -c 5 -s 2 -n 600 -h 300 -k 8
hammer 'seven slots, workers killed' -p 3 -t 16 -c 5 -s 7 -n 800 -h 300 -k 8
hammer 'one thread per process' -p 16 -t 1 -c 4 -s 2 -n 400 -h 300 -k 8
hammer 'many threads in one process' -p 1 -t 100 -c 9 -s 1 -n 600 -h 100
hammer 'at most one slot per client' -p 2 -t 8 -c 3 -s 2 -l 1 -n 400 -h 300 \
	-k 4
hammer 'nobody waits' -p 1 -t 1 -c 1 -s 1 -n 2000 -h 0

# The same if nothing can wake a waiter and all have to poll.
TAILGATE_SLOTS_POLL=1
export TAILGATE_SLOTS_POLL
hammer 'without wake-ups' -p 2 -t 6 -c 3 -s 1 -n 200 -h 300 -k 3
# shellcheck disable=SC2086 # words
check 'the unit tests without wake-ups' \
	${TAILGATE_UNDER:-} "$bin/unit/slots_test"
unset TAILGATE_SLOTS_POLL

finish

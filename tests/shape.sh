# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The protection of the hardware also works in the other shape of a pool: one
# thread in each of several processes.
. "${abs_srcdir:-.}/tests/lib.sh"

TAILGATE_SHAPE='processes = 4; requests = 1;'
export TAILGATE_SHAPE

scripts='limits busy cancel'
# It takes a minute, and threads matter little to it.
[ "${TAILGATE_CI:-0}" != 1 ] || scripts="$scripts heartbeat"
for script in $scripts; do
	"${SHELL:-/bin/sh}" "$tests/$script.sh" >"$dir/$script.log" 2>&1
	code=$?
	if [ $code -eq 77 ]; then
		detail "$script: skipped: $(tail -n 1 "$dir/$script.log")"
		continue
	fi
	is "$script, one thread per process" $code 0
	[ $code -eq 0 ] || detail "$(grep -A 5 '^not ok' "$dir/$script.log")"
	detail "$(sed -n 's/^# \(.* ms\)$/\1/p' "$dir/$script.log")"
done
finish

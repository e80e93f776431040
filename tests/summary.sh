#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# summary.sh DIR: sums up the results of `make check` in a build directory, in
# one line: "N passed, N failed, N skipped".
#
# Every TAP line counts ("ok", "not ok", "ok # SKIP").  A test that failed or
# was skipped as a whole without a TAP line for it counts as one, and so does
# one that passed without a line.  Exit 1 if anything failed or nothing was run.
set -eu

find "$1" -name '*.trs' -path '*tests/*' | sort | while read -r trs; do
	result=$(sed -n 's/^:global-test-result: *//p' "$trs")
	printf 'result %s %s\n' "$result" "${trs%.trs}"
	sed -n -e 's/^\(ok\)\( .*\)\{0,1\}$/tap &/p' \
	    -e 's/^\(not ok\)\( .*\)\{0,1\}$/tap &/p' "${trs%.trs}.log"
	printf 'end\n'
done | awk '
	$1 == "result" { result = $2; name = $3; p = f = s = 0 }
	$1 == "tap" && $2 == "not" { f++ }
	$1 == "tap" && $2 == "ok" { if (/# *[Ss][Kk][Ii][Pp]/) s++; else p++ }
	$1 == "end" {
		if (result ~ /FAIL|ERROR|XPASS/ && f == 0)
			f = 1
		else if (result == "SKIP" && s == 0)
			s = 1
		else if (p + f + s == 0)
			p = 1
		if (f > 0)
			printf "failed: %s\n", name
		if (s > 0)
			printf "skipped: %s\n", name
		passed += p; failed += f; skipped += s
	}
	END {
		printf "%d passed, %d failed, %d skipped\n",
		    passed, failed, skipped
		exit failed > 0 || passed == 0
	}'

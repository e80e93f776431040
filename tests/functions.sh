#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# How long our functions are: prints a table by floor, and a line "FILE:LINE:
# name() has N lines" for each function that is too long.  Exit 1 if there is
# one, or if the sizes of all together are out of bounds.
set -eu
cd "$(dirname "$0")/.."
LC_ALL=C
export LC_ALL

most=60 median=14 ninth=30 # lines between the braces

sizes=$(mktemp)
trap 'rm -f "$sizes"' EXIT

# floor, lines, file, line of the opening brace, name
awk '
	FNR == 1 { start = 0 }
	/^[a-z_0-9]+\(/ && !start { name = $0; sub(/\(.*/, "", name) }
	/^{/ { start = FNR }
	/^}/ && start {
		split(FILENAME, at, "/")
		print at[2], FNR - start - 1, FILENAME, start, name
		start = 0
	}
' src/*/*.c >"$sizes"

# Lines of the sizes file on stdin, in the order of size.
row() {
	awk -v name="$1" '
		{ size[NR] = $2; sum += $2 }
		END {
			printf "%-10s %9d %8d %6d %6d %6d %8.1f\n", name, NR,
			    sum, size[int((NR + 1) / 2)],
			    size[int(NR * 0.9 + 0.5)], size[NR], sum / NR
		}'
}

printf '%-10s %9s %8s %6s %6s %6s %8s\n' \
    floor functions lines median p90 most average
for floor in base config setup policy sandbox bridge wire state ledger fleet \
    serve ctl; do
	grep "^$floor " "$sizes" | sort -n -k 2,2 | row "$floor"
done
all=$(sort -n -k 2,2 "$sizes" | row all)
echo "$all"

awk -v most="$most" '
	$2 > most {
		printf "%s:%d: %s() has %d lines\n", $3, $4, $5, $2
		bad = 1
	}
	END { exit bad }' "$sizes"
echo "$all" | awk -v median="$median" -v ninth="$ninth" '
	$4 > median || $5 > ninth {
		printf "src: functions: median %d (at most %d), p90 %d (at most %d)\n",
		    $4, median, $5, ninth
		exit 1
	}'

#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# tests/calls.sh BUILDDIR SCRIPT...: compares the system calls that each role
# makes, in all that these scripts do, with the table of src/sandbox/calls.c.
# The scripts run with programs that report each call to a tracer
# (tests/calls.c), so they take several times as long as usual.
#
# By hand only: `make check-calls [SCRIPTS='tests/relay.sh ...']`, without
# SCRIPTS all of the suite's.  It fails if a role makes a call that it may not,
# except calls that the table lists as made and refused.  With all scripts, it
# also fails if a role never makes a call that it may, unless the table lists
# the call as spare.
#
#   CALLS_DIR=DIR  keeps what was counted, a file for each script
#   CALLS_AT_ONCE  scripts at the same time (2)
set -u
build=$(cd "${1:?usage: tests/calls.sh BUILDDIR SCRIPT...}" && pwd)
source=$(cd "$(dirname "$0")/.." && pwd)
shift
abs_srcdir=$source abs_builddir=$build
TAILGATE=$build/tests/watched/tailgate
TAILGATE_FCGI=$build/tests/watched/tailgate.fcgi
export abs_srcdir abs_builddir TAILGATE TAILGATE_FCGI

dir=${CALLS_DIR:-$(mktemp -d)}
mkdir -p "$dir"
[ -n "${CALLS_DIR:-}" ] || trap 'rm -rf "$dir"' EXIT

# one SCRIPT: its counts in $dir; what it says itself does not count here, for
# much of it depends on time.
one()
{
	name=$(basename "$1" .sh)
	rm -f "$dir/$name.calls"
	"$build/tests/calls" "$dir/$name.calls" sh "$source/$1" \
		>"$dir/$name.log" 2>&1
	echo "# $name: exit $?, $(wc -l <"$dir/$name.calls") rows"
}

# A tracer can't trace a process that a debugger or valgrind already traces.
"$build/tests/calls" --table >"$dir/table" || exit $?
running=0
for script; do
	if grep -q -w -e gdb -e valgrind "$source/$script"; then
		echo "# $(basename "$script" .sh): left out, it has a tracer of its own"
		continue
	fi
	one "$script" &
	running=$((running + 1))
	[ $((running % ${CALLS_AT_ONCE:-2})) -ne 0 ] || wait
done
wait

# The table has a row of several names for one purpose; what is not in it fails,
# and a row without roles says that this is meant.
cat "$dir"/*.calls | awk -F '\t' -v whole="${CALLS_WHOLE:-0}" '
	# Does a list "a,b" have it?
	function has(list, role) {
		return index("," list ",", "," role ",") > 0
	}
	# The table first.
	NR == FNR {
		names[$1] = $2
		used[$1] = $3
		spare[$1] = $4
		rows = $1
		if ($3 != "" || $4 != "")
			next
		none[$1] = 1
		n = split($2, list, " ")
		for (i = 1; i <= n; i++)
			refused[list[i]] = 1
		next
	}
	$2 == "-" {
		name = $3
		sub(/\(.*/, "", name)
		if (name in refused)
			met[name] += $4
		else if (!($1 "," name in told)) {
			told[$1 "," name] = 1
			print "not ok - " $1 " makes a call that no row lists: " $3
		}
		next
	}
	{
		made[$2 "," $1] += $4
		roles[$1] = 1
	}
	END {
		for (row = 0; row <= rows; row++) {
			if (row in none) {
				split(names[row], list, " ")
				print "ok - row " row ", " names[row] \
				    ": refused " met[list[1]] + 0 " times"
				continue
			}
			line = never = early = ""
			for (role in roles) {
				n = made[row "," role]
				if (n > 0)
					line = line " " role "=" n
				if (n > 0 && has(spare[row], role))
					early = early " " role
				if (n == 0 && has(used[row], role))
					never = never " " role
			}
			if (never != "" && whole)
				print "not ok - row " row ", " names[row] \
				    ": never made by" never
			else
				print "ok - row " row ", " names[row] ":" line
			if (early != "")
				print "# row " row ", " names[row] \
				    ": no longer spare for" early
		}
	}' "$dir/table" - >"$dir/result"
sort -o "$dir/result" "$dir/result"
cat "$dir/result"
! grep -q '^not ok' "$dir/result"

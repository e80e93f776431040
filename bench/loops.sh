# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The CPU time that libev, libevent and libuv need for one event
# (bench/loops.c), if pkg-config knows them.  Medians of ROUNDS runs, in which
# the libraries take turns.
#
#	make bench-loops [ROUNDS=5] [CONNECTIONS='100 1000 5000']
set -eu

here=$(dirname "$0")
rounds=${ROUNDS:-5}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
libraries=

# library MODULE MACRO
library()
{
	if ! pkg-config --exists "$1" 2>/dev/null &&
		! { [ "$1" = libev ] && [ -e /usr/include/ev.h ]; }; then
		echo "# $1 is not installed" >&2
		return
	fi
	flags=$(pkg-config --cflags --libs "$1" 2>/dev/null || echo -lev)
	# shellcheck disable=SC2086 # flags
	${CC:-cc} -O2 -I. "-D$2" "$here/loops.c" $flags -o "$dir/$1"
	libraries="$libraries $1"
}

library libev LOOP_EV
library libevent_core LOOP_EVENT
library libuv LOOP_UV
for n in ${CONNECTIONS:-100 1000 5000}; do
	for _ in $(seq "$rounds"); do
		for name in $libraries; do
			echo "$n $name $("$dir/$name" "$n")"
		done
	done
done >"$dir/results"

echo "$rounds rounds; $(uname -srm); load $(cut -d' ' -f1 /proc/loadavg)."
echo
echo '| connections | library | ns an event | watched anew | with a timer |' \
	'bytes a connection |'
echo '|---|---|---|---|---|---|'
for n in ${CONNECTIONS:-100 1000 5000}; do
	for name in $libraries; do
		printf '| %s | %s' "$n" "$name"
		for column in 3 4 5 6; do
			printf ' | %s' "$(awk -v n="$n" -v name="$name" \
				-v c=$column '$1 == n && $2 == name {
					print $c }' "$dir/results" | sort -n |
				sed -n "$(((rounds + 1) / 2))p")"
		done
		echo ' |'
	done
done

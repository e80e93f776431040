# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The vocabulary of the benches, beside tests/lib.sh: ways to a model, what the
# load driver saw on each, what it cost their processes.  Linux only (/proc).
# shellcheck disable=SC2034,SC2154,SC1091

. "$(dirname "$0")/../tests/lib.sh"
need lighttpd
[ -r /proc/self/smaps_rollup ] || skip_all 'no /proc/PID/smaps_rollup'
# shellcheck disable=SC3045
ulimit -n "$(ulimit -H -n)"

# The load and the stub stay on the first processor, what is measured on the
# second: figures then scatter by a few percent instead of a quarter.
pinned=
cores=$(nproc)
[ "$cores" -lt 2 ] || ! command -v taskset >/dev/null || pinned=yes

# seat load|measured: where what is started from here on runs.
seat()
{
	case $pinned$1 in
	yesload) taskset -pc 0 $$ >/dev/null ;;
	yesmeasured) taskset -pc 1 $$ >/dev/null ;;
	esac
}

seat load
rounds=${ROUNDS:-3}
seconds=${SECONDS_EACH:-3}
short='{"model":"stub/size=600","messages":[{"role":"user","content":"hi"}]}'
stream='{"model":"stub/n=20,ms=200,stamp","stream":true,"messages":[]}'

# keep PATH PID...: where PATH is reached, and the processes that it costs.
keep()
{
	keep_name=$(echo "$1" | tr - _)
	eval "${keep_name}_host=\${base#http://}"
	shift
	eval "${keep_name}_pids='$*'"
}

tick=$(getconf CLK_TCK)

# cpu PID...: user and system time so far, in ticks.
cpu()
{
	for p; do
		cat "/proc/$p/stat"
	done | sed 's/.*) //' | awk '{ t += $12 + $13 } END { print t + 0 }'
}

# pss PID...: proportional set size, KiB.
pss()
{
	for p; do
		cat "/proc/$p/smaps_rollup"
	done | awk '/^Pss:/ { t += $2 } END { print t + 0 }'
}

result()
{
	echo "$*" >>"$dir/results"
}

# of NAME FILE: a value of the load driver's line.
of()
{
	sed -n "s/.*\\b$1=\\([0-9.]*\\).*/\\1/p" "$2"
}

# drive PATH METRIC arguments: one run of the load driver; its line is in
# $dir/line, the ticks that PATH's processes took in $ticks.
drive()
{
	drive_name=$(echo "$1" | tr - _)
	shift
	eval "host=\$${drive_name}_host; its=\$${drive_name}_pids"
	# shellcheck disable=SC2086 # a list of ids
	ticks=$(cpu $its)
	seat load
	"$load" -k "$key" "$@" "$host" >"$dir/line" 2>&1 ||
		echo "# $drive_name: $(cat "$dir/line")" >&2
	# shellcheck disable=SC2086
	ticks=$(($(cpu $its) - ticks))
}

# microseconds TICKS COUNT: per one of COUNT.
microseconds()
{
	awk -v t="$1" -v n="$2" -v hz="$tick" \
		'BEGIN { printf "%.2f", (n + 0 ? t * 1000000 / hz / n : 0) }'
}

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The vocabulary of the benches, on top of tests/lib.sh: paths to a model, what
# the load driver measured on each, and what it cost their processes.  Linux
# only (/proc).
# shellcheck disable=SC2034,SC2154,SC1091

. "$(dirname "$0")/../tests/lib.sh"
need lighttpd
[ -r /proc/self/smaps_rollup ] || skip_all 'no /proc/PID/smaps_rollup'
# shellcheck disable=SC3045
ulimit -n "$(ulimit -H -n)"

# The load and the stub stay on the first processor, the measured programs on
# the second: figures then scatter by a few percent instead of a quarter.
pinned=
cores=$(nproc)
[ "$cores" -lt 2 ] || ! command -v taskset >/dev/null || pinned=yes

# seat load|measured: the processor for all programs that are started next.
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

# keep PATH PID...: records that PATH is reached at $base, and that its cost is
# that of these processes and their descendants.  A worker that ends is replaced
# by another.
keep()
{
	keep_name=$(echo "$1" | tr - _)
	eval "${keep_name}_host=\${base#http://}"
	shift
	eval "${keep_name}_pids='$*'"
}

tick=$(getconf CLK_TCK)

# tree PID...: these processes, and all their present descendants, one per line.
# The named ones must be alive, or the figures are worthless.
tree()
{
	for p; do
		alive "$p" || {
			echo "# process $p, which is measured, has ended" >&2
			echo "$p" >>"$dir/ended"
		}
	done
	ps -A -o pid= -o ppid= | awk -v roots="$*" '
		{ above[$1] = $2 }
		END {
			n = split(roots, root, " ")
			for (i = 1; i <= n; i++)
				counted[root[i]] = 1
			for (pid in above) {
				p = pid
				while (p > 1 && !counted[p])
					p = above[p]
				if (p > 1)
					print pid
			}
		}'
}

# of_tree FILE PID...: /proc/PID/FILE of each; one may end in between.
of_tree()
{
	tree_file=$1
	shift
	for p in $(tree "$@"); do
		cat "/proc/$p/$tree_file" 2>/dev/null
	done
}

# cpu PID...: user and system time so far, in ticks, of these processes and all
# descendants.  Those that have ended are included (in their parent's account).
cpu()
{
	of_tree stat "$@" | sed 's/.*) //' |
		awk '{ t += $12 + $13 + $14 + $15 } END { print t + 0 }'
}

# pss PID...: proportional set size of these and all descendants, KiB.
pss()
{
	of_tree smaps_rollup "$@" |
		awk '/^Pss:/ { t += $2 } END { print t + 0 }'
}

# whole: no measured process has ended; otherwise the figures are void.
whole()
{
	[ ! -e "$dir/ended" ] || broken 'a measured process has ended (above)'
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

# drive PATH METRIC arguments: one run of the load driver.  Its line goes to
# $dir/line, the ticks that PATH's processes used to $ticks.
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

# microseconds TICKS COUNT: the time for one of COUNT.
microseconds()
{
	awk -v t="$1" -v n="$2" -v hz="$tick" \
		'BEGIN { printf "%.2f", (n + 0 ? t * 1000000 / hz / n : 0) }'
}

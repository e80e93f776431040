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

# keep PATH PID...: where PATH is reached, and the processes that it costs, with
# all that they start: a worker that ends is replaced by another.
keep()
{
	keep_name=$(echo "$1" | tr - _)
	eval "${keep_name}_host=\${base#http://}"
	shift
	eval "${keep_name}_pids='$*'"
}

tick=$(getconf CLK_TCK)

# tree PID...: these processes, which have to be alive or no figure is worth
# anything, and all below them that are now, each on a line.
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

# of_tree FILE PID...: /proc/PID/FILE of each; one may end meanwhile.
of_tree()
{
	tree_file=$1
	shift
	for p in $(tree "$@"); do
		cat "/proc/$p/$tree_file" 2>/dev/null
	done
}

# cpu PID...: user and system time so far of them and all below, those included
# that have ended (they are in their parent's account), in ticks.
cpu()
{
	of_tree stat "$@" | sed 's/.*) //' |
		awk '{ t += $12 + $13 + $14 + $15 } END { print t + 0 }'
}

# pss PID...: proportional set size of them and all below, KiB.
pss()
{
	of_tree smaps_rollup "$@" |
		awk '/^Pss:/ { t += $2 } END { print t + 0 }'
}

# whole: no process that was measured has ended; else the figures are void.
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

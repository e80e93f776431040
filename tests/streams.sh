# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A thousand simultaneous streams all complete.  Clients that do not read and
# uploads that drip in disturb no one, although there are more of either than
# requests that may be begun at once.
. "${abs_srcdir:-.}/tests/lib.sh"

shape= # one of its own, below

# shellcheck disable=SC3045 # every sh of today has it
[ "$(ulimit -n)" -ge 6000 ] || ulimit -n 6000 2>/dev/null ||
	skip_all 'needs 6000 descriptors'

start_upstream stub -n
# Twice the default's room, so that chance can't fill one worker.
more='processes = 2; requests = 1024;'
stub_config
add_client anna
start_tailgate

# Proportional set size of all tailgate processes, KiB; empty where the
# kernel does not tell.
pss()
{
	for p in "$tailgate_pid" $(children "$tailgate_pid"); do
		cat "/proc/$p/smaps_rollup" 2>/dev/null
	done | awk '/^Pss:/ { sum += $2 } END { if (NR) print sum }'
}

crowd=$((2 * $(getconf _NPROCESSORS_ONLN) + 4))

streams()
{
	tell stub reset >/dev/null
	"$load" -c 1000 -r 4000 -S $crowd -D $crowd -e '[DONE]' -k "$key" \
		-b "$(chat gate,n=20,ms=200,stamp '"stream":true')" \
		"${base#http://}" >"$dir/load" 2>&1 &
	adopt load $!
	check "$1: a thousand streams at once" wait_until -p "$load_pid" \
		stat_reaches stub in_flight 1000
	# All hold their first chunk and wait; now the other nineteen come.
	memory=$(pss)
	tell stub release >/dev/null
	wait "$load_pid"
	forget "$load_pid"
	detail "$(cat "$dir/load")"
	detail "PSS of tailgate: $memory KiB"
	like "$1: all complete, despite stalled clients and dripping uploads" \
		"$(cat "$dir/load")" '^complete=1000 failed=0 '
	check "$1: nothing is left over" wait_until stat_is stub in_flight 0
}

# Under Caddy a client that reads nothing is bound by its write timeout only; it
# disturbs no other request, which is the question here.
start_lighttpd
streams lighttpd
if [ -n "$memory" ] && ! sanitized; then
	at_most 'memory of a thousand streams, KiB' "$memory" 81920
fi
stop_server
need caddy nginx
start_caddy
streams caddy
stop_server
start_nginx
streams nginx
finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The end of a day for a budget that three hosts share.  It comes by the
# engine's clock, whatever a host's own clock says.  A reservation that is held
# over midnight is spent from the new day.  Each day has its 1 USD and not a
# nano-dollar more.
. "${abs_srcdir:-.}/tests/lib.sh"

models()
{
	echo '{ id = "day"; targets = ( { provider = "stub";
	  model = "n=20,delay=20"; price = { input = 30.0; output = 30.0; };
	} ); budget = { usd_per_day = 1.0; shared = true; }; }'
}

# set_clock NAME SECONDS: that much later than it is.
set_clock()
{
	[ -e "$dir/$1.clock" ] || truncate -s 64 "$dir/$1.clock"
	printf '%-12d\n' "$2" |
		dd of="$dir/$1.clock" conv=notrunc 2>"$dir/dd.log"
}

# engine_day N SECONDS: it is so many seconds before the end of the Nth day from
# today.  $midnight is the host's time at which that comes.
engine_day()
{
	now=$(date +%s)
	midnight=$((now + $2))
	set_clock engine $(((now / 86400 + $1 + 1) * 86400 - midnight))
}

. "$tests/store_hosts.sh"
for name in engine three; do
	eval "${name}_env=\"LD_PRELOAD=\$clock_preload \
		TAILGATE_TEST_CLOCK=\$dir/$name.clock\""
done
engine_day 0 3600
set_clock three 3600
start_hosts

# burst_ends: waits for it.
burst_ends()
{
	wait "$burst_pid"
	forget "$burst_pid"
	wait_until all_idle
	detail "$(tr '\n' ';' <"$dir/day.tally")"
}

# ended: when by the hosts' time, and nano-USD, of each request.
ended()
{
	for host in one two three; do
		[ $host = three ] && shift_s=3600 || shift_s=0
		jq -r --argjson s "$shift_s" 'select(.cost_nanousd) |
			"\((.time | sub("\\.[0-9]+Z$"; "Z") | fromdateiso8601) - $s
			+ ((.time | capture("\\.(?<ms>[0-9]+)Z").ms | tonumber)
			+ .total_ms) / 1000) \(.cost_nanousd)"' \
			"$dir/$host/state/ledger.jsonl"
	done
}

# spent_until SECONDS, spent_from SECONDS: what ended before it, or after.
spent_until()
{
	ended | awk -v t="$1" '$1 < t { n += $2 } END { printf "%.0f\n", n }'
}
spent_from()
{
	ended | awk -v t="$1" '$1 >= t { n += $2 } END { printf "%.0f\n", n }'
}

# --- A day ---------------------------------------------------------------------

burst day
burst_ends
first=$(spent day)
at_most 'the first day' "$first" 1000000000
at_most 'nearly all of it' 950000000 "$first"
like 'a host says that its clock is wrong' "$(cat "$dir/three.log")" \
	"this host's clock is -?[0-9]+ seconds from the store's"

# --- Its end, while it is spent ---------------------------------------------------

engine_day 0 2
sleep 3
engine_day 1 3600
burst day 60 12 200
burst_ends
at_most 'the second day has its own' 150 "$(sed -n 's/ 200$//p' "$dir/day.tally")"
engine_day 1 2
while [ "$(date +%s)" -le $((midnight + 1)) ]; do
	burst day 60 8 40
	burst_ends
done
at_most 'some of it was spent after midnight' 1 "$(spent_from "$midnight")"
burst day
burst_ends
second=$(($(spent_until "$midnight") - first))
third=$(spent_from "$midnight")
detail "second day $second, third day $third"
# Of a request in the second around midnight, a host may take one day and its
# line the other: the host knows the engine's clock but for a call's way.
at_most 'the second day but its last second' \
	"$(($(spent_until $((midnight - 1))) - first))" 1000000000
at_most 'the third day but its first second' \
	"$(spent_from $((midnight + 1)))" 1000000000
at_most 'both' "$((second + third))" 2000000000
at_most 'nearly all of that' 950000000 "$third"

# --- Its runtime_dir is lost, and its ledger has other times than the engine --------

stop "$three_pid"
mv "$dir/three/run" "$dir/three/gone"
pool three
burst day 60 30
burst_ends
is 'a lost runtime_dir, by a wrong clock, brings no new budget' \
	"$(sed -n 's/ 200$//p' "$dir/day.tally")" ''

finish

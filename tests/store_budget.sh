# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A budget of 1 USD (of a day, of a month, or as tokens) that three hosts share,
# each with directories, ledger and web server of its own, under 500 clients at
# once.  The engine is paused,
# killed, started again empty and with an old snapshot; one host is cut off from
# it or loses its runtime_dir; workers are killed.  All ledgers together never
# exceed the budget, nor fall below 95 % of it, and each refusal has a name.
. "${abs_srcdir:-.}/tests/lib.sh"

phases=${PHASES:-'calm paused killed snapshot empty cut lost workers cgi'}
# bound PHASE: 1 USD, each token of which costs 30 USD a million.
bound()
{
	case $1 in
	killed | snapshot) echo 'usd_per_month = 1.0;' ;;
	empty | cut) echo 'tokens_per_day = 33333;' ;;
	*) echo 'usd_per_day = 1.0;' ;;
	esac
}

models()
{
	for phase in $phases; do
		echo "$comma { id = \"$phase\"; targets = ( { provider = \"stub\";
		  model = \"n=20,delay=2\"; price = { input = 30.0; output = 30.0; };
		} ); budget = { $(bound "$phase") shared = true; }; }"
		comma=,
	done
	for phase in rated ahead both; do
		echo ", { id = \"$phase\"; targets = ( { provider = \"stub\";
		  model = \"n=20\"; price = { input = 30.0; output = 30.0; };
		} ); budget = { shared = true;"
		case $phase in
		rated) echo 'requests_per_minute = 60; }; }' ;;
		ahead) echo 'requests_per_minute = 256; }; }' ;;
		both) echo 'usd_per_day = 100.0; requests_per_minute = 100000;
			tokens_per_minute = 10000000; }; }' ;;
		esac
	done
}

. "$tests/store_hosts.sh"
# What incarnations before and after the host's first one would have left.
(umask 077 && mkdir -p "$dir/one/state/budget.host" &&
	: >"$dir/one/state/budget.host/0" && : >"$dir/one/state/budget.host/99")
chmod 755 "$dir/one" "$dir/one/state"
start_hosts
check 'the file of a later incarnation is left alone' \
	test -e "$dir/one/state/budget.host/99"
check_not 'that of an earlier one, which no process uses, is removed' \
	test -e "$dir/one/state/budget.host/0"
check 'the settings are proved' "$TAILGATE" -f "$conf" check

# judge PHASE [RESULTS]: once its burst has ended; RESULTS are not refusals.
judge()
{
	wait "$burst_pid"
	forget "$burst_pid"
	wait_until all_idle
	detail "$(tr '\n' ';' <"$dir/$1.tally")"
	sum=$(spent "$1")
	at_most "$1: never over by a nano-dollar" "$sum" 1000000000
	at_most "$1: at most 5 % of it is left" $((1000000000 - sum)) 50000000
	# The web server's own error for a killed worker has no code.
	unlike "$1: each refusal has a name, and says when to come back" \
		"$(sed "/${2:-^$}/d" "$dir/$1.tally")" \
		'unnamed|without-retry-after|broken'
	told=$(sed -n 's/ 429 budget_exceeded$//p' "$dir/$1.tally")
	at_most "$1: nine clients of ten were told that it is spent" \
		"$((burst_clients * 9 / 10))" "${told:-0}"
}

# --- Nothing happens ----------------------------------------------------------

# The engine has been there for longer than it waits for hosts.
old_enough()
{
	[ "$(cli info server | sed -n 's/^uptime_in_seconds:\([0-9]*\).*/\1/p')" -ge 6 ]
}
wait_until old_enough

burst calm
judge calm

# calls: to scripts, so far.
calls()
{
	cli info commandstats |
		sed -n 's/^cmdstat_eval[sha]*:calls=\([0-9]*\),.*/\1/p' |
		awk '{ n += $1 } END { print n + 0 }'
}

# measured PHASE: what 600 requests of 12 clients cost the engine, in $cost.
measured()
{
	cost=$(calls)
	burst "$1" 300 12 600
	wait "$burst_pid"
	forget "$burst_pid"
	is "$1: all are served" "$(cat "$dir/$1.tally")" '600 200'
	cost=$(($(calls) - cost))
	detail "$1: 600 requests, $cost calls"
}
measured both
detail "$(cli info commandstats | grep eval)"
at_most 'a shared rate and budget: at most two calls for each' "$cost" 1300

# --- Rates --------------------------------------------------------------------

burst rated 15 40 200
wait "$burst_pid"
forget "$burst_pid"
detail "$(tr '\n' ';' <"$dir/rated.tally")"
is 'a rate holds over all hosts' \
	"$(sed -n 's/ 200$//p' "$dir/rated.tally")" 60
unlike 'and refuses by its name' "$(grep -v ' 200$' "$dir/rated.tally")" \
	'^[0-9]+ ([^4]|4[^2]|429 [^r])'
# Each process may have two requests of this one in advance.
burst ahead 30 40 1500
wait "$burst_pid"
forget "$burst_pid"
detail "$(tr '\n' ';' <"$dir/ahead.tally")"
served=$(sed -n 's/ 200$//p' "$dir/ahead.tally")
at_most 'so does one of which each process has a part in advance' \
	"$served" 256
# A request whose reply from the engine comes too late was counted there, and so
# was its part.
late=$(sed -n 's/ 503 rate_store_unavailable$//p' "$dir/ahead.tally")
at_most 'and nothing of it is lost' "$((256 - 3 * ${late:-0}))" "$served"
pause_process "$engine_pid"
burst rated 5 6 30
wait "$burst_pid"
forget "$burst_pid"
resume_process "$engine_pid"
is 'a rate that cannot be asked refuses by another' \
	"$(cat "$dir/rated.tally")" '30 503 rate_store_unavailable'

# --- The engine ---------------------------------------------------------------

burst paused
reached paused 100
pause_process "$engine_pid"
sleep 2
resume_process "$engine_pid"
judge paused

burst killed
reached killed 200
cli save >/dev/null
stop "$engine_pid" KILL
sleep 1
start_engine
judge killed

burst snapshot
reached snapshot 100
cli save >/dev/null
cp "$dir/engine/dump.rdb" "$dir/old.rdb"
reached snapshot 500
stop "$engine_pid" KILL
cp "$dir/old.rdb" "$dir/engine/dump.rdb"
start_engine
judge snapshot

burst empty
reached empty 400
stop "$engine_pid" KILL
rm -f "$dir/engine/dump.rdb"
start_engine
judge empty

# --- A host -------------------------------------------------------------------

burst cut
reached cut 200
pause_process "$relay_three_pid"
reached cut 400
stop "$engine_pid" KILL
start_engine
sleep 3
resume_process "$relay_three_pid"
judge cut

burst lost 120
reached lost 300
mv "$dir/two/run" "$dir/two/gone"
kill -HUP "$two_pid"
judge lost

burst workers 120
reached workers 300
for host in one three; do
	eval "host_pid=\$${host}_pid"
	for worker in $(workers_of "$host_pid"); do
		kill -9 "$worker"
	done
done
judge workers ' 500 unnamed at [13]'
# What a killed worker had is in no ledger.
told=$(jq -n '[inputs | select(.route == "workers")] | length' \
	"$dir"/*/state/ledger.jsonl)
asked=$(awk '$2 != "late" { n += $1 } END { print n + 0 }' "$dir/workers.tally")
at_most 'workers: only what was killed with its worker has none' \
	"$(awk '/unnamed/ { n += $1 } END { print n + 0 }' "$dir/workers.tally")" \
	$((asked - told))

# --- Plain CGI, and a pool -----------------------------------------------------------

mkdir -p "$dir/four/state"
relay four
sed -e "s|$dir/one/|$dir/four/|g" -e 's|gateway = "one"|gateway = "four"|' \
	"$dir/one/tailgate.conf" >"$dir/four/tailgate.conf"
cat >"$dir/four/tailgate.cgi" <<END
#!/bin/sh
exec "$TAILGATE_FCGI" -f "$dir/four/tailgate.conf"
END
chmod 755 "$dir/four/tailgate.cgi"
lighttpd_conf "$dir/four/lighttpd" <<END
var.tailgate_program = "$dir/four/tailgate.cgi"
include "$abs_srcdir/contrib/lighttpd/cgi.conf"
END
start_lighttpd "$dir/four/lighttpd"
targets="${one_base#http://} ${base#http://}"
burst cgi 120 24
reached cgi 200
pause_process "$engine_pid"
sleep 1
resume_process "$engine_pid"
judge cgi
check 'CGI has spent a part of it' test -s "$dir/four/state/ledger.jsonl"

# --- What is said of it -------------------------------------------------------------

for host in one two three four; do
	conf=$dir/$host/tailgate.conf
	check "the ledger of $host is whole" \
		"$TAILGATE" -f "$conf" usage --verify
done
conf=$dir/one/tailgate.conf
"$TAILGATE" -f "$conf" status >"$dir/status" 2>&1
like 'status has what all hosts used' "$(grep calm "$dir/status")" \
	'usd_per_day.* 0\.9[5-9]|usd_per_day.* 1'

finish

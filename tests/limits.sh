# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# One limit over everything at once: two pools that were started separately (one
# under lighttpd, one under Caddy) and the CGI binary share a runtime_dir; two
# hundred clients send requests, and workers are killed in between.  The
# upstream's own count never exceeds the limit, and every client whose worker
# lived gets a response.
. "${abs_srcdir:-.}/tests/lib.sh"

need lighttpd caddy

start_upstream stub -n
cat >"$dir/tailgate.cgi" <<END
#!/bin/sh
exec "$TAILGATE_FCGI" -f "$dir/tailgate.conf" 2>>"$dir/cgi.err"
END
chmod 755 "$dir/tailgate.cgi"
lighttpd_conf "$dir/cgi.lighttpd" <<END
var.tailgate_program = "$dir/tailgate.cgi"
include "$abs_srcdir/contrib/lighttpd/cgi.conf"
END
# Two threads per process would leave 120 clients in the backlog of a pool; that
# is why there is one thread per process.
shape=${TAILGATE_SHAPE:-processes = 2; requests = 256;}

# with_limit SLOTS: the configuration, and the three that serve by it.
with_limit()
{
	stub_more='limit = "gpu";'
	more="limits = ( { name = \"gpu\"; slots = $1; queue = 400;
	    wait = 900.0; } ); body = { spool_dir = \"$dir/spool\"; };"
	stub_config
	if [ -z "$key" ]; then
		add_client a
		add_client b
		add_client cgi
	fi
	socket=$dir/a.sock
	spawn pool_a "$TAILGATE_FCGI" -f "$conf" -s "$socket"
	wait_until -p "$pool_a_pid" "$bin/listen" -c "$socket" ||
		broken 'pool A did not start'
	start_lighttpd
	at_a=${base#http://} server_a=$lighttpd_pid
	start_lighttpd "$dir/cgi.lighttpd"
	at_cgi=${base#http://} server_cgi=$lighttpd_pid
	socket=$dir/b.sock
	spawn pool_b "$TAILGATE_FCGI" -f "$conf" -s "$socket"
	wait_until -p "$pool_b_pid" "$bin/listen" -c "$socket" ||
		broken 'pool B did not start'
	start_caddy
	at_b=${base#http://}
}

without()
{
	for p in "$server_a" "$server_cgi" "$caddy_pid" "$caddy_holder_pid" \
		"$pool_a_pid" "$pool_b_pid"; do
		stop "$p"
	done
}

# ask NAME TARGET CLIENTS: in the background, until asked_enough.
ask()
{
	eval "key=\$${1}_key"
	"$load" -c "$3" -n 1000000 -k "$key" -b "$(chat delay=3)" "$2" \
		>"$dir/$1.load" 2>&1 &
	adopt "$1" $!
}

count()
{
	sed -n "s/^\\(.* \\)*$2=\\([0-9]*\\).*/\\2/p" "$dir/$1.load"
}

# Connections of the web servers that a stopped process holds.
connections()
{
	# The kernel may leave out some while others come and go.
	for _ in 1 2 3 4 5; do
		awk '$6 == "03" && $8 ~ /\.sock$/ { print $7 }' /proc/net/unix
	done | sort -u >"$dir/inodes"
	for fd in "/proc/$1/fd"/*; do
		readlink "$fd"
	done 2>/dev/null | sed -n 's/^socket:\[\(.*\)\]$/\1/p' | sort |
		comm -12 - "$dir/inodes" | wc -l
}

# victim PARENT N: one of its workers, another one for another N.
victim()
{
	workers_of "$1" | sort | awk -v n="$2" '{ w[NR] = $1 }
		END { if (NR) print w[n % NR + 1] }'
}

has_workers()
{
	[ -n "$(workers_of "$1")" ]
}

# kill_some: under the load, a worker now and then; $lost is how many requests
# they held.
kill_some()
{
	lost=0
	kills=0
	n=$(od -An -N1 -tu1 /dev/urandom)
	detail "seed $n"
	while [ $kills -lt 6 ] && alive "$a_pid" && alive "$b_pid"; do
		n=$((n * 5 + 3))
		parent=$pool_a_pid
		[ $((n / 4 % 2)) -eq 0 ] || parent=$pool_b_pid
		w=$(victim "$parent" $((n / 8)))
		if [ -z "$w" ]; then
			wait_until -t 60 -p "$parent" has_workers "$parent" ||
				break
			continue
		fi
		pause_process "$w" 2>/dev/null || continue
		held=$(connections "$w")
		kill -KILL "$w"
		lost=$((lost + held))
		kills=$((kills + 1))
		# What follows proves nothing unless the others go on.
		wait_until -t 60 -p "$a_pid" stat_reaches stub requests \
			$(($(stat stub requests) + 40))
	done
}

# asked_enough: no more is asked once there was enough by each way.  The load
# can't be over before the workers were killed.
asked_enough()
{
	check "limit $1: the upstream gets its requests" \
		wait_until -t 120 -p "$a_pid" stat_reaches stub requests 800
	check "limit $1: by CGI, too" \
		wait_until -t 120 -p "$cgi_pid" cgi_served $((by_cgi + 20))
	for who in a b cgi; do
		eval "kill -USR1 \$${who}_pid"
	done
}

# cgi_lines, cgi_served N: the ledger's lines of CGI requests.
cgi_lines()
{
	if [ -e "$dir/state/ledger.jsonl" ]; then
		grep -c '"client":"cgi".*"status":200' \
			"$dir/state/ledger.jsonl"
	else
		echo 0
	fi
}

cgi_served()
{
	[ "$(cgi_lines)" -ge "$1" ]
}

none_is_here()
{
	"$TAILGATE" -f "$conf" status >"$dir/status" 2>&1 &&
		! grep -q -e running -e waiting "$dir/status"
}

total=0
limited()
{
	with_limit "$1"
	tell stub reset >/dev/null
	by_cgi=$(cgi_lines)
	ask a "$at_a" 90
	ask b "$at_b" 90
	ask cgi "$at_cgi" 20
	kill_some
	asked_enough "$1"
	for who in a b cgi; do
		eval "wait \$${who}_pid"
		eval "forget \$${who}_pid"
		detail "$who: $(cut -d ' ' -f 1-6 "$dir/$who.load")"
	done
	detail "limit $1: $kills workers killed with $lost requests"
	is "limit $1: the upstream's greatest count" \
		"$(stat stub max_in_flight)" "$1"
	unanswered=0
	sent=0
	started=0
	for who in a b cgi; do
		total=$((total + $(count $who complete)))
		sent=$((sent + $(count $who complete) + $(count $who failed)))
		started=$((started + $(count $who started)))
		unanswered=$((unanswered + $(count $who failed) - \
			$(count $who refused)))
	done
	is "limit $1: all have come to an end" "$sent" "$started"
	is "limit $1: workers were killed" "$kills" 6
	# Without the right to look at our own workers, the test can't tell.
	if [ "$(id -u)" -eq 0 ]; then
		at_most "limit $1: only their own clients are without a response" \
			"$unanswered" "$lost"
	fi
	is "limit $1: none by CGI" "$(count cgi failed)" 0
	check "limit $1: nothing runs on" wait_until stat_is stub in_flight 0
	check "limit $1: no request has a slot or waits any more" \
		wait_until none_is_here
	without
}

for slots in 1 2 7; do
	limited $slots
done
at_most 'more than two thousand were served' 2000 "$total"
finish

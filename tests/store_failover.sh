#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A store of a master and two replicas that three Sentinels watch, HAProxy on
# each of three hosts (contrib/haproxy/valkey.cfg), and many clients of a shared
# limit of 1 and a shared budget of 2 USD.  The master hangs and goes on when
# another one has taken its place; then the master of that time is cut off
# together with one host, which still reaches the model server.  The stub never
# gets two requests at once, and the budget is never exceeded.
#
# All six are network namespaces.
TAILGATE_NETNS=${TAILGATE_NETNS-wanted}
. "${abs_srcdir:-.}/tests/netns.sh"
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/hosts.sh"

[ -n "${TAILGATE_NETNS:-}" ] ||
	skip_all 'network namespaces can not be made here (as root they can)'
need jq lighttpd haproxy python3
engine=$(command -v valkey-server || command -v redis-server) ||
	skip_all 'neither valkey-server nor redis-server is installed'
grep -q 'built without hiredis' "$TAILGATE_FCGI" &&
	skip_all 'built without a store'
lease=9

network one two three first second third
# The side on which a master is cut off.
ip link add net3 type bridge
ip link set net3 up || broken 'no bridge'
start_upstream stub -n

# --- The store --------------------------------------------------------------------

# address_of NAME: in the store's network.
address_of()
{
	eval "echo \"10.97.2.\${${1}_address##*.}\""
}

# says NAME COMMAND...
says()
{
	to=$dir/$1/sock
	shift
	"${engine%-server}-cli" -s "$to" "$@" 2>&1
}

# engine NAME [ARGUMENT...]
engine()
{
	engine_name=$1
	in_host "$1"
	shift
	mkdir -p "$dir/$engine_name"
	# shellcheck disable=SC2086 # words
	spawn "$engine_name" $in_host "$engine" --port 6379 --protected-mode no \
		--bind "$(address_of "$engine_name")" --save '' \
		--dir "$dir/$engine_name" --unixsocket "$dir/$engine_name/sock" \
		--min-replicas-to-write 1 --min-replicas-max-lag $((lease / 3)) \
		--repl-timeout 4 --repl-diskless-sync-delay 0 "$@"
	wait_until -t 30 -p "$pid" says "$engine_name" ping ||
		broken "$engine_name did not start"
}

# sentinel NAME: beside that engine.
sentinel()
{
	in_host "$1"
	mkdir -p "$dir/sentinel-$1"
	cat >"$dir/sentinel-$1/conf" <<-END
		port 26379
		bind $(address_of "$1")
		protected-mode no
		dir $dir/sentinel-$1
		unixsocket $dir/sentinel-$1/sock
		sentinel monitor tailgate $(address_of first) 6379 2
		sentinel down-after-milliseconds tailgate 1000
		sentinel failover-timeout tailgate 4000
	END
	# shellcheck disable=SC2086 # words
	spawn "sentinel_$1" $in_host "$engine" "$dir/sentinel-$1/conf" --sentinel
}

# sees_all NAME: its Sentinel knows two others and two replicas.
sees_all()
{
	says "sentinel-$1" sentinel master tailgate >"$dir/seen"
	[ "$(sed -n '/^num-slaves$/{n;p;}
		/^num-other-sentinels$/{n;p;}' "$dir/seen" | tr '\n' ' ')" = '2 2 ' ]
}

role()
{
	says "$1" info replication | sed -n 's/^role:\([a-z]*\).*/\1/p'
}

# is_role NAME ROLE
is_role()
{
	[ "$(role "$1")" = "$2" ]
}

# has_replicas NAME N
has_replicas()
{
	says "$1" info replication |
		grep -q "^connected_slaves:[$2-9]"
}

# other_master NAME: $master is another one, and a majority agrees.
other_master()
{
	for master in first second third; do
		[ "$master" != "$1" ] || continue
		is_role "$master" master || continue
		for watch in first second third; do
			[ "$watch" = "$1" ] ||
				[ "$(says "sentinel-$watch" sentinel \
					get-master-addr-by-name tailgate |
					head -n 1)" = "$(address_of "$master")" ] ||
				return 1
		done
		return 0
	done
	return 1
}

engine first
for name in second third; do
	engine $name --replicaof "$(address_of first)" 6379
done
wait_until -t 30 has_replicas first 2 || broken 'no replicas'
for name in first second third; do
	sentinel $name
done
for name in first second third; do
	wait_until -t 30 sees_all $name || broken 'the Sentinels do not agree'
done

# --- The hosts --------------------------------------------------------------------

sed -e "s|192.0.2.1:6379|$(address_of first):6379|" \
	-e "s|192.0.2.2:6379|$(address_of second):6379|" \
	-e "s|192.0.2.3:6379|$(address_of third):6379|" \
	"$abs_srcdir/contrib/haproxy/valkey.cfg" >"$dir/haproxy.cfg"
bind_to=0.0.0.0
targets=
for name in one two three; do
	in_host $name
	# shellcheck disable=SC2086 # words
	spawn "haproxy_$name" $in_host haproxy -db -f "$dir/haproxy.cfg"
	host $name "$dir/clients.conf" <<-END
		drain = 1.0; requests = 400;
		ledger = { gateway = "$name"; };
		store = { url = "redis://127.0.0.1:6379"; timeout = 1.0;
		  lease = $lease.0; };
		limits = ( { name = "card"; slots = 1; queue = 1024; wait = 20.0;
		  shared = true; } );
		providers = ( { name = "card"; place = "local";
		  url = "$(seen "$stub_url")"; limit = "card";
		  circuit = { failures = 0; }; } );
		models = ( { id = "paid"; targets = ( { provider = "card";
		  model = "n=20,delay=2"; price = { input = 30.0; output = 30.0; };
		  } ); budget = { usd_per_day = 2.0; shared = true; }; },
		  { id = "copied"; targets = ( { provider = "card"; model = "n=1";
		  price = { input = 30.0; output = 30.0; }; } );
		  budget = { usd_per_day = 2.0; shared = true; }; },
		  { id = "*"; targets = ( { provider = "card"; model = "*"; } ); } );
	END
	[ $name != one ] || add_client anna
	serve $name
	reached $name
	eval "${name}_key=\$anna_key targets=\"\$targets \${${name}_base#http://}\""
done

chats()
{
	ask "$1" plain
	[ "$status" = 200 ]
}

for name in one two three; do
	check "$name serves" wait_until -t 60 chats $name
done

# found MASTER HOST...: they use it.
found()
{
	run=$(says "$1" info server | sed -n 's/^run_id:\(.\{8\}\).*/\1/p')
	shift
	for name; do
		file_has "$dir/$name.log" "run $run" || return 1
	done
}

# so_far: how many the burst has served.
so_far()
{
	cat "$dir/served" 2>/dev/null || echo 0
}

goes_on()
{
	[ "$(so_far)" -ge "$1" ]
}

# --- A master that is alone ----------------------------------------------------------

# Its data would be lost with it, and a host that is cut off with it would spend
# a part that nobody knows of.
says first config set min-replicas-to-write 0 >/dev/null
before=$(stat stub requests)
for name in second third; do
	eval "pause_process \$${name}_pid"
done
not_copied()
{
	ask one copied
	[ "$status" = 503 ] &&
		grep -q budget_store_unavailable "$dir/response" &&
		file_has "$dir/one.log" \
			"not even 1 of the engine's replicas has its data"
}
check 'no part of a budget is used of which the replicas have not heard' \
	wait_until -t 60 not_copied
is 'nothing was sent for it' "$(stat stub requests)" "$before"
resume_process "$second_pid"
served_copied()
{
	ask one copied
	[ "$status" = 200 ]
}
check 'when one of two has, it is' wait_until -t 60 served_copied
resume_process "$third_pid"
says first config set min-replicas-to-write 1 >/dev/null
for name in first second third; do
	wait_until -t 60 sees_all $name || broken 'the Sentinels do not agree'
done

# --- A master that hangs -------------------------------------------------------------

# One request has the slot all the time; the others wait, or try again.
hold two
echo 0 >"$dir/served"
# shellcheck disable=SC2086 # words
python3 "$tests/burst.py" 60 paid "$anna_key" 240 0 "$dir/served" $targets \
	>"$dir/tally" 2>"$dir/burst.log" &
adopt burst $!
pause_process "$first_pid"
check 'the master hangs: Sentinel has another one' \
	wait_until -t 90 other_master first
detail "$master"
check 'which all hosts find' wait_until -t 60 found "$master" one two three
# A process that has never seen the new one, while the old one believes that it
# is the master.
resume_process "$first_pid"
kill_worker three
check 'the old one goes on: it becomes a replica' \
	wait_until -t 90 is_role first slave
is 'until then nobody else got the slot' "$(stat stub max_in_flight)" 1
detail "the request that had it: $(stat stub in_flight) at the model server"
hold_off
check 'then the others are served' wait_until -t 60 -p "$burst_pid" goes_on 150
at_most 'one at a time' "$(stat stub max_in_flight)" 1

# --- One that is cut off, with a host --------------------------------------------------

# Nothing is spent until it is cut off: some of the budget must be left then.
: >"$dir/served.pause"
wait_until -t 60 has_replicas "$master" 2 || broken 'a replica is missing'
for name in first second third; do
	wait_until -t 60 sees_all $name || broken 'the Sentinels do not agree'
done
rm "$dir/served.pause"
old=$master
for name in "$old" one; do
	ip link set "$name-2" master net3
done
check 'the master is cut off with a host: Sentinel has another one' \
	wait_until -t 90 other_master "$old"
detail "$master"
check 'which the other hosts find' wait_until -t 60 found "$master" two three
# refused HOST: for the store.
refused()
{
	ask "$1" plain
	[ "$status" = 503 ] && grep -q limit_store_unavailable "$dir/response"
}
check 'the host on the old side is refused' wait_until -t 60 refused one
like 'the log says why' "$(cat "$dir/one.log")" 'store: away: .*NOREPLICAS'
check 'the others are served by slots of the new master' \
	wait_until -t 60 chats two
check 'each' wait_until -t 60 chats three
# Only the host that is cut off knows what it has spent.
waits_for_it()
{
	ask two paid
	[ "$status" = 503 ] && grep -q budget_store_unavailable "$dir/response"
}
check 'the budget waits for the host that is cut off' \
	wait_until -t 60 waits_for_it
now=$(so_far)
for name in "$old" one; do
	ip link set "$name-2" master net2
done
check 'the line is back: the old one becomes a replica' \
	wait_until -t 90 is_role "$old" slave
check 'and the host serves again' wait_until -t 60 chats one
check 'the budget goes on' \
	wait_until -t 90 -p "$burst_pid" goes_on $((now + 50))
wait_until -t 240 pid_died "$burst_pid"
wait "$burst_pid"
forget "$burst_pid"
detail "$(tr '\n' ';' <"$dir/tally")"
at_most 'all the time, one request at once' "$(stat stub max_in_flight)" 1

# --- The account ------------------------------------------------------------------------

for name in one two three; do
	eval "stop \$${name}_pid"
done
sum=$(cat "$dir"/*/state/ledger.jsonl | jq -n '[inputs |
	select(.route == "paid") | .cost_nanousd // 0] | add // 0')
at_most 'the budget is never exceeded by a nano-dollar' "$sum" 2000000000
at_most 'at most 5 % of it is left' $((2000000000 - sum)) 100000000
# One worker was killed, of host three; what it had gets lighttpd's own 500, and
# is in no ledger.
unlike 'each refusal has a name, and says when to come back' \
	"$(sed '/ 500 unnamed at 3 /d' "$dir/tally")" \
	'unnamed|without-retry-after|broken|slow|late'
at_most 'only what was killed with its worker has none' \
	"$(awk '/unnamed/ { n += $1 } END { print n + 0 }' "$dir/tally")" \
	$(($(sed -n 3p "$dir/served.asked") - $(jq -n \
		'[inputs | select(.route == "paid")] | length' \
		"$dir/three/state/ledger.jsonl")))

finish

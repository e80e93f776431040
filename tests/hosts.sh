# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# hosts.sh: several gateways in one test, each with directories, clients and a
# web server of its own; and what tests of a shared limit say of hosts under
# load.  For tests that source it after lib.sh.

# Variables of lib.sh and of the tests, and ones that are made by eval.
# shellcheck disable=SC2154,SC2034

later_pids=

# in_host NAME: sets $in_host, with which a command there begins (netns.sh).
in_host()
{
	eval "in_host=\${in_$1:-}"
}

# host NAME [CLIENTS]: $conf = $dir/NAME/tailgate.conf from stdin, after the
# directories of this gateway, its clients file ($dir/NAME/clients.conf, or
# CLIENTS) and the settings of all hosts in $host_settings.
host()
{
	mkdir -p "$dir/$1/state"
	conf=$dir/$1/tailgate.conf
	host_clients=${2:-$dir/$1/clients.conf}
	{
		cat <<-END
			runtime_dir = "$dir/$1/run"; state_dir = "$dir/$1/state";
			clients_file = "$host_clients"; ${host_settings:-}
		END
		cat
	} >"$conf"
	[ -e "$host_clients" ] || echo 'clients = ( );' >"$host_clients"
	chmod 600 "$host_clients"
}

# pool NAME: the processes of a gateway, without its web server; NAME_env has
# settings of their environment.
pool()
{
	rm -f "$dir/$1/sock"
	in_host "$1"
	eval "pool_env=\${${1}_env:-}"
	# shellcheck disable=SC2086 # words
	spawn "$1" $in_host env $pool_env "$TAILGATE_FCGI" -f "$dir/$1/tailgate.conf" \
		-s "$dir/$1/sock"
	wait_until -t 60 -p "$pid" "$bin/listen" -c "$dir/$1/sock" ||
		broken "$1 did not start"
}

# pool_kill NAME: all processes of it.
pool_kill()
{
	eval "kill_pid=\$${1}_pid"
	# shellcheck disable=SC2046 # numbers
	kill -KILL "$kill_pid" $(children "$kill_pid")
	wait "$kill_pid" 2>/dev/null
	forget "$kill_pid"
}

# kill_worker NAME: one of its workers.
kill_worker()
{
	eval "kill_pid=\$${1}_pid"
	# shellcheck disable=SC2046 # numbers
	set -- $(workers_of "$kill_pid")
	kill -KILL "$1"
}

# serve NAME [SERVER]: its pool, and lighttpd or SERVER before it at $NAME_base.
serve()
{
	pool "$1"
	socket=$dir/$1/sock
	within=$in_host
	start_server "${2:-lighttpd}"
	within=
	eval "${1}_base=\$base ${1}_server=$server"
	eval "${1}_server_pid=\$${server}_pid"
}

unserve()
{
	eval "stop \$${1}_server_pid; stop \$${1}_pid"
}

# card_settings SLOTS [MORE]: a limit with these settings, and the providers and
# models under it.  With netns.sh, whose seen() it uses.
card_settings()
{
	cat <<-END
		limits = ( { name = "card"; slots = $1; queue = 1024; wait = 60.0;
		  ${2-} } );
		providers = ( { name = "card"; place = "local"; url = "$(seen "$stub_url")";
		  limit = "card"; circuit = { failures = 0; }; },
		  { name = "noted"; place = "local"; url = "$(seen "$noted_url")";
		  limit = "card"; } );
		models = ( { id = "*"; targets = (
		  { provider = "card"; model = "*"; } ); },
		  { id = "noted/*"; targets = (
		  { provider = "noted"; model = "*"; } ); } );
	END
}

# --- Under load ----------------------------------------------------------------

# load_on HOST REQUESTS: 100 clients in the background.
load_on()
{
	eval "load_key=\$${1}_key load_base=\$${1}_base"
	in_host "$1"
	$in_host "$load" -c 100 -n "$2" -k "$load_key" \
		-b '{"model":"plain,delay=2","messages":[]}' \
		"${load_base#http://}" >"$dir/$1.load" 2>&1 &
	adopt "load_$1" $!
}

load_off()
{
	eval "wait \$load_${1}_pid; forget \$load_${1}_pid"
	detail "$1: $(cut -c1-120 "$dir/$1.load")"
}

# ledger_lines NAME
ledger_lines()
{
	wc -l <"$dir/$1/state/ledger.jsonl" 2>/dev/null || echo 0
}

ledger_has()
{
	[ "$(ledger_lines "$1")" -ge "$2" ]
}

# unnamed NAME: what its ledger has since loads_on of requests that failed
# without a reason; a line of which only a part was written does not count.
unnamed()
{
	eval "unnamed_after=\$${1}_lines"
	tail -n +$((unnamed_after + 1)) "$dir/$1/state/ledger.jsonl" |
		jq -cR 'fromjson? | select(.status != 200 and .refusal == null)'
}

# loads_on, loads_off SLOTS: 2,000 requests of the hosts one, two and three to
# one limit of so many slots.  The test may do what it likes to the hosts one and
# two in between, but not to three.  It defines none_held: no slot is held.
loads_on()
{
	tell stub reset >/dev/null
	one_lines=$(ledger_lines one) two_lines=$(ledger_lines two)
	three_lines=$(ledger_lines three)
	load_on one 667
	load_on two 666
	load_on three 667
}

loads_off()
{
	for name in one two three; do
		load_off $name
	done
	at_most "$1 slots: never more at once" \
		"$(stat stub max_in_flight)" "$1"
	check "$1 slots: each request of the host that was left alone is in its ledger" \
		wait_until ledger_has three $((three_lines + 667))
	is "$1 slots: with a response, or with a reason" "$(unnamed three)" ''
	# Of the others, what is in the ledger was not killed with its worker; a
	# gap says how many were.
	is "$1 slots: those of the others, unless their worker was killed" \
		"$({ unnamed one; unnamed two; } | grep -v '"gap":true')" ''
	check "$1 slots: nothing is held in the end" \
		wait_until -t 60 none_held
	is "$1 slots: nor at the stub" "$(stat stub in_flight)" 0
}

# --- One at a time -------------------------------------------------------------

# ask HOST MODEL [CLIENT]: of the client HOST or CLIENT.  The response's body is
# in $dir/response, its head in $dir/response.head, its status in $status.
ask()
{
	eval "ask_key=\$${3:-$1}_key ask_base=\$${1}_base"
	in_host "$1"
	status=$($in_host curl -s -o "$dir/response" -D "$dir/response.head" \
		--max-time 60 -w '%{http_code}' \
		-H "Authorization: Bearer $ask_key" \
		-H 'Content-Type: application/json' \
		--data-binary "{\"model\":\"$2\",\"messages\":[]}" \
		"$ask_base/v1/chat/completions")
}

# hold HOST [CLIENT]: a request that has a slot until hold_off.
hold()
{
	tell stub reset >/dev/null
	ask "$1" stall-head "${2:-$1}" &
	adopt hold $!
	wait_until stat_is stub in_flight 1
}

hold_off()
{
	tell stub release >/dev/null
	wait "$hold_pid"
	forget "$hold_pid"
}

# later HOST: a request of its client newHOST, in the background.
later()
{
	ask "$1" "noted/$1" "new$1" &
	later_pids="$later_pids $!"
	pids="$! $pids"
}

# fair_to_hosts: while the one slot is held, 50 requests wait at host one, and
# then one at host three.  The test defines `queued N`: so many wait.
fair_to_hosts()
{
	i=0
	while [ $i -lt 50 ]; do
		later one
		i=$((i + 1))
	done
	wait_until queued 50
	later three
	wait_until queued 51
	hold_off
	for p in $later_pids; do
		wait "$p"
		forget "$p"
	done
	is 'all of them were served' "$(stat noted completed)" 51
	like 'one request is served before the fifty of another host' \
		"$(cat "$dir/noted/1.body" "$dir/noted/2.body")" '"three"'
}

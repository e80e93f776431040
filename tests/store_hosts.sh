# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# store_hosts.sh: three hosts that share through one engine, each with
# directories, ledger and web server of its own; for tests that source it after
# lib.sh and define models(), which prints the models of all hosts, and, if they
# want, more_providers(), which prints further providers of $host, and
# more_settings().

# Variables of lib.sh, and ones that only the tests use.
# shellcheck disable=SC2154,SC2034

. "$tests/hosts.sh"

need jq lighttpd python3
engine=$(command -v valkey-server || command -v redis-server) ||
	skip_all 'neither valkey-server nor redis-server is installed'
grep -q 'built without hiredis' "$TAILGATE_FCGI" &&
	skip_all 'built without a store'

start_upstream stub -n
command -v more_providers >/dev/null || more_providers()
{
	:
}
command -v more_settings >/dev/null || more_settings()
{
	:
}

# --- The engine, and a way to it for each host --------------------------------

mkdir -p "$dir/engine"

# start_engine: with the data that is in its directory.
start_engine()
{
	rm -f "$dir/engine/sock"
	# shellcheck disable=SC2086 # words
	spawn engine env ${engine_env:-} "$engine" --port 0 --unixsocket "$dir/engine/sock" \
		--save '' --dir "$dir/engine"
	wait_until -p "$engine_pid" cli ping || broken 'the engine did not start'
}

cli()
{
	"${engine%-server}-cli" -s "$dir/engine/sock" "$@" 2>&1
}

# relay HOST: passes on what comes to $dir/HOST/store; stopped, the host is cut
# off.
relay()
{
	spawn "relay_$1" python3 "$tests/relay.py" "$dir/$1/store" \
		"$dir/engine/sock"
	wait_until -p "$pid" test -S "$dir/$1/store"
}

# --- Three hosts --------------------------------------------------------------

# start_hosts: the engine, and the hosts one, two and three with the client
# anna.  HOST_env and engine_env are settings of their environment.
start_hosts()
{
	start_engine
	targets=
	for host in one two three; do
		mkdir -p "$dir/$host"
		relay $host
		comma=
		host $host "$dir/clients.conf" <<-END
			drain = 5.0;
			processes = 2; requests = 400; sandbox = "on";
			ledger = { gateway = "$host"; };
			store = { url = "unix://$dir/$host/store"; timeout = ${store_timeout:-1.0};
			  lease = ${store_lease:-15.0}; };
			providers = ( { name = "stub"; place = "local"; url = "$stub_url";
			  circuit = { failures = 0; }; } $(more_providers) );
			models = ( $(models) );
			$(more_settings)
		END
		[ $host != one ] || add_client anna
		serve $host
		targets="$targets ${base#http://}"
	done
}

# burst PHASE [SECONDS [CLIENTS REQUESTS]]: in the background.
burst()
{
	echo 0 >"$dir/$1.served"
	burst_clients=${3:-500}
	# shellcheck disable=SC2086 # words
	python3 "$tests/burst.py" "${3:-500}" "$1" "$anna_key" "${2:-300}" \
		"${4:-0}" "$dir/$1.served" $targets >"$dir/$1.tally" 2>"$dir/$1.log" &
	adopt burst $!
}

# served PHASE N: so many were.
served()
{
	[ "$(cat "$dir/$1.served")" -ge "$2" ] 2>/dev/null
}

reached()
{
	wait_until -t 120 -p "$burst_pid" served "$1" "$2" ||
		broken "$1: not even $2 were served"
}

spent()
{
	cat "$dir"/*/state/ledger.jsonl | jq -n --arg m "$1" \
		'[inputs | select(.route == $m) | .cost_nanousd // 0] | add // 0'
}

# all_idle: no request is at the stub.
all_idle()
{
	[ "$(stat stub in_flight)" = 0 ]
}

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A provider whose host sleeps (`wake`): a request wakes it, by a magic packet or
# a program, waits for it in a queue of its own, with signs of life, and goes on;
# many requests wake it once; nothing of that counts as a failure.
. "${abs_srcdir:-.}/tests/lib.sh"

need python3 jq
mac=02:ab:cd:ef:00:19
host=$dir/host
mkdir "$host"
python3 "$tests/wake_host.py" "$host" 2>"$dir/host.log" &
adopt host $!
wait_until -p "$host_pid" test -s "$host/ports" || broken "no host"
read -r tcp udp <"$host/ports"
start_upstream stub

# config WAKE [WAIT] [MORE]
config()
{
	new_config <<-END
		processes = 2; commit = 0.3; heartbeat = 0.3; ${3:-}
		limits = ( { name = "gpu"; slots = 1; queue = 32; } );
		providers = (
		  { name = "box"; place = "local"; limit = "gpu";
		    url = "http://127.0.0.1:$tcp/v1"; wake = { $1 };
		    wake_wait = ${2:-30}; },
		  { name = "stub"; place = "local"; url = "$stub_url"; }
		);
		models = (
		  { id = "m"; targets = ( { provider = "box"; model = "m"; } ); },
		  { id = "either"; fallback = [ "unavailable" ]; targets = (
		    { provider = "box"; model = "m"; },
		    { provider = "stub"; model = "ok"; } ); }
		);
	END
}
packet="mac = \"$mac\"; address = \"127.0.0.1\"; port = $udp;"
# begin ARGUMENTS OF config: a gateway that knows nothing yet; the host sleeps.
begin()
{
	[ -z "${tailgate_pid:-}" ] || stop "$tailgate_pid"
	rm -rf "$dir/run" "$dir/state"
	config "$@"
	start_tailgate
	fall_asleep
}
fall_asleep()
{
	: >"$host/log"
	echo >"$host/sleep"
	wait_until file_has "$host/log" '^asleep' || broken "it stays awake"
	: >"$host/log"
}
told()
{
	grep -c "^$1" "$host/log"
}
ask()
{
	post /v1/chat/completions "$(printf \
		'{"model":"%s","messages":[{"role":"user","content":"hi"}]}' \
		"${1:-m}")"
}
state()
{
	"$TAILGATE" -f "$conf" status --json |
		jq -c ".providers[] | select(.name == \"box\") | $1"
}
# shellcheck disable=SC2317 # wait_until calls these two
waits()
{
	[ "$(state .wake.waiting)" -eq "$1" ]
}
# served_are N: so many lines have a try; they are in $dir/served.
served_are()
{
	grep '"tries"' "$dir/state/ledger.jsonl" >"$dir/served"
	[ "$(wc -l <"$dir/served")" -eq "$1" ]
}
explain()
{
	printf '{"model":"m"}' | "$TAILGATE" -f "$conf" explain --client one
}

# --- what is wrong ----------------------------------------------------------------
refused()
{
	config "$2" "${4:-30}"
	like "check: $1" "$("$TAILGATE" -f "$conf" check 2>&1)" "$3"
}
refused 'two ways' "mac = \"$mac\"; command = [ \"/bin/true\" ];" \
	'wake.command: is instead of mac, not beside it'
refused 'none' '' 'providers\[0\].wake: needs a mac or a command'
refused 'no mac' 'mac = "02:ab:cd:ef:00:1g";' \
	'wake.mac: must be six bytes such as "aa:bb:cc:dd:ee:ff"'
refused 'no address' "mac = \"$mac\"; address = \"box.lan\";" \
	'wake.address: must be one address, of the host or .* is "box.lan"'
refused 'a network' "mac = \"$mac\"; address = \"192.168.1.0/24\";" \
	'wake.address: must be one address, .* is "192.168.1.0/24"'
refused 'no path' 'command = [ "wakeonlan" ];' \
	'wake.command: must begin with a program.s absolute path'
refused 'no program' 'command = [ "/nowhere/wake" ];' \
	'warning: .*wake.command: "/nowhere/wake" can.t be executed'
refused 'a long wait' "$packet" 'wake_wait: must be less than total' 3600

# --- one packet for many, through each web server ------------------------------------
config "$packet"
add_client one
add_client chief --operator
# shellcheck disable=SC2154 # add_client sets it
key=$one_key

many()
{
	begin "$packet"
	wait_until serves || broken "$1 does not serve"
	like "$1: explain says how it is woken" "$(explain)" \
		'wake +awake, as far as is known; a magic packet wakes it; a request waits for 30'
	n=0
	while [ $((n += 1)) -le 12 ]; do
		curl -s -o /dev/null -w '%{http_code}\n' --max-time 50 \
			-H "Authorization: Bearer $one_key" \
			-H 'Content-Type: application/json' \
			-d '{"model":"m","messages":[]}' \
			"$base/v1/chat/completions" >"$dir/many.$n" &
		adopt "many$n" $!
	done
	n=0
	while [ $((n += 1)) -le 12 ]; do
		eval "wait \$many${n}_pid; forget \$many${n}_pid"
	done
	is "$1: all are served" "$(sort "$dir"/many.* | uniq -c |
		tr -s ' ')" ' 12 200'
	is "$1: one packet" "$(told packet)" 1
	is "$1: it is a magic packet" "$(grep ^packet "$host/log")" \
		"packet ffffffffffff$(for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 \
			15 16; do printf '%s' "$mac" | tr -d :; done)"
	wait_until served_are 12
	is "$1: the ledger has how long they waited" "$(jq -c \
		'.tries[0].wake_ms >= 500 and .tries[0].outcome == "ok"' \
		"$dir/served" | sort | uniq -c | tr -s ' ')" ' 12 true'
	check "$1: and it is a ledger" "$TAILGATE" -f "$conf" usage --verify
	is "$1: no failure, none waits" "$(state \
		'[.state, .failures, .errors, .wake.asleep, .wake.waiting, .wake.wakes]')" \
		'["closed",0,0,false,0,1]'
	like "$1: status" "$("$TAILGATE" -f "$conf" status)" \
		'box +awake +- +0 +1$'
	curl -s -H "Authorization: Bearer $chief_key" "$base/metrics" \
		>"$dir/metrics"
	is "$1: metrics" "$(grep -c -e '_asleep{provider="box"} 0' \
		-e '_wake_waiting{provider="box"} 0' \
		-e '_wakes_total{provider="box"} 1' "$dir/metrics")" 3
}
each_server many
start_lighttpd
wait_until serves || broken "lighttpd does not serve"

# --- a stream gets signs of life ------------------------------------------------------
begin "$packet"
request /v1/chat/completions -H 'Content-Type: application/json' -d \
	'{"model":"m","stream":true,"messages":[]}'
is 'a stream waits' "$status" 200
like 'with signs of life' "$(head -n 1 "$dir/body")" '^:'
like 'and is served' "$(body)" 'awake.*'
like 'to its end' "$(body)" '\[DONE\]'

# filters PID: how many of system calls are in force there.
filters()
{
	awk '$1 == "Seccomp_filters:" { print $2 }' "/proc/$1/status"
}
if [ "$(filters "$tailgate_pid")" -gt 0 ] 2>/dev/null; then
	waker=$(ps -A -o pid= -o ppid= -o comm= | awk -v parent="$tailgate_pid" \
		'$2 == parent && $3 == "tailgate-wake" { print $1 }')
	is 'who only sends packets is held to that' "$(filters "$waker")" \
		$(($(filters "$tailgate_pid") + 1))
fi

# --- a connection from before it slept -------------------------------------------------
# One that was reached within five seconds is taken for awake.
ask
is 'it is awake' "$status" 200
fall_asleep
sleep 5.2
ask
is 'after it has slept, a request is served' "$status" 200
is 'on no connection from before' "$(told dead)" 0
is 'and it was woken' "$(told packet)" 1

# --- it does not come ----------------------------------------------------------------
echo >"$host/stay"
begin "$packet" 1.5
ask
check 'a host that does not wake up is refused clearly' error_is 503 \
	provider_waking
like 'with what happened' "$(body)" 'box was woken, but can.t be reached after 1 s'
is 'and when to come back' "$(header retry-after)" 5
is 'that is a failure' "$(state '[.failures, .last_error, .wake.asleep]')" \
	'[1,"no connection",true]'
like 'explain' "$(explain)" 'wake +asleep since 20'
ask either
is 'another target is tried if it is permitted' \
	"$status $(header x-tailgate-provider) $(header x-tailgate-fallback)" \
	'200 stub unavailable'
begin "$packet" 0
ask
check 'wake_wait = 0 waits for nothing' error_is 503 provider_waking
wait_until file_has "$host/log" '^packet'
is 'but wakes' "$(told packet)" 1
is 'and is no failure' "$(state .failures)" 0

begin "$packet" 30
curl -s -o /dev/null --max-time 50 -H "Authorization: Bearer $one_key" \
	-H 'Content-Type: application/json' -d '{"model":"m","messages":[]}' \
	"$base/v1/chat/completions" &
adopt leaver $!
wait_until waits 1 || broken "nobody waits"
like 'status says so' "$("$TAILGATE" -f "$conf" status)" \
	'box +waking up +[0-9]+[a-z]+ +1 +1$'
stop "$leaver_pid"
check 'a client that leaves ends its wait' wait_until waits 0
wait_until served_are 1
is 'it has a line' "$(jq -c '[.status, .client_gone, .tries[0].sent,
	.tries[0].wake_ms > 0]' "$dir/served")" '[499,true,null,true]'
is 'and is no failure' "$(state .failures)" 0

begin "$packet queue = 1;" 30 'requests = 64;'
sed -i 's/processes = 2/processes = 1/' "$conf"
kill -HUP "$tailgate_pid"
wait_until file_has "$dir/tailgate.log" 'configuration 2 is in force'
curl -s -o /dev/null --max-time 50 -H "Authorization: Bearer $one_key" \
	-H 'Content-Type: application/json' -d '{"model":"m","messages":[]}' \
	"$base/v1/chat/completions" &
adopt leaver $!
wait_until waits 1 || broken "nobody waits"
ask
check 'no more wait than may' error_is 503 provider_waking
like 'and it says so' "$(body)" 'as many requests as may wait for it do'
stop "$leaver_pid"

# --- the probe -----------------------------------------------------------------------
begin "$packet"
like 'the probe says that it sleeps' \
	"$("$TAILGATE" -f "$conf" probe box 2>&1)" 'asleep, a request wakes it'
is 'which is no failure' "$(state '[.state, .failures, .wake.asleep]')" \
	'["closed",0,true]'
is 'and wakes no host' "$(told packet)" 0
rm "$host/stay"

# --- the disk of the log hangs -------------------------------------------------------
# woken_by MODEL
woken_by()
{
	fall_asleep
	ask "$1"
	is "the log's disk hangs: $1 is woken" "$status $(told packet)" '200 1'
}
if ! sanitized; then
	stop "$tailgate_pid"
	: >"$dir/tailgate.log"
	new_config <<-END
		providers = (
		  { name = "box"; place = "local"; wake = { $packet };
		    url = "http://127.0.0.1:$tcp/v1"; },
		  { name = "other"; place = "local"; wake = { $packet };
		    url = "http://127.0.0.1:$tcp/v1"; }
		);
		models = (
		  { id = "m"; targets = ( { provider = "box"; model = "m"; } ); },
		  { id = "o"; targets = ( { provider = "other"; model = "m"; } ); }
		);
	END
	echo 0 >"$dir/stall"
	truncate -s 64 "$dir/stall"
	cat >"$dir/stalled" <<-END
		#!/bin/sh
		TAILGATE_TEST_STALL=$dir/stall LD_PRELOAD=$bin/stall.so
		export TAILGATE_TEST_STALL LD_PRELOAD
		exec "$TAILGATE_FCGI" "\$@"
	END
	chmod 755 "$dir/stalled"
	fcgi=$TAILGATE_FCGI
	TAILGATE_FCGI=$dir/stalled
	start_tailgate
	printf 1 | dd of="$dir/stall" conv=notrunc 2>"$dir/dd.log"
	woken_by m
	woken_by o
	check_not "the log's disk hangs: nothing is written" \
		grep -q 'magic packet for' "$dir/tailgate.log"
	printf 0 | dd of="$dir/stall" conv=notrunc 2>"$dir/dd.log"
	for name in box other; do
		check "the log's disk hangs: later the log has it ($name)" \
			wait_until file_has "$dir/tailgate.log" \
			"provider $name: magic packet for"
	done
	TAILGATE_FCGI=$fcgi
fi

# --- a program -----------------------------------------------------------------------
cat >"$dir/wake-it" <<-END
	#!/bin/sh
	{ printf '%s|' "\$@"; echo; env; } >"$dir/ran"
	ls -l /proc/self/fd | wc -l >"$dir/ran.fds"
	echo >"$host/woken"
END
chmod 755 "$dir/wake-it"
waker()
{
	ps -A -o pid= -o ppid= -o comm= | awk -v parent="$tailgate_pid" \
		'$2 == parent && $3 == "tailgate-wake" { print $1 }'
}
TG_SECRET=sk-not-for-it
export TG_SECRET
begin "command = [ \"$dir/wake-it\", \"one two\", \"\$(id)\" ];"
ask
is 'a program wakes it' "$status" 200
# shellcheck disable=SC2016 # as it is
is 'with its arguments as they are written' "$(head -n 1 "$dir/ran")" \
	'one two|$(id)|'
unlike 'and nothing of our environment' "$(cat "$dir/ran")" 'TG_SECRET'
like 'it had no descriptor of ours' "$(cat "$dir/ran.fds")" '^ *[1-5]$'
old=$(waker)
kill -KILL "$old"
# shellcheck disable=SC2317 # wait_until calls it
has_another()
{
	new=$(waker)
	[ -n "$new" ] && [ "$new" != "$old" ]
}
check 'the process that wakes is replaced' wait_until has_another
rm "$dir/ran"
fall_asleep
"$TAILGATE" -f "$conf" probe box >"$dir/probe.out" 2>&1
# The one before was asked ten seconds ago at the most.
ask
is 'and wakes again' "$status $(test -e "$dir/ran" && echo ran)" '200 ran'

# --- plain CGI -----------------------------------------------------------------------
stop_server
stop "$tailgate_pid"
rm -rf "$dir/run" "$dir/state"
config "$packet"
cat >"$dir/tailgate.cgi" <<-END
	#!/bin/sh
	exec "$TAILGATE_FCGI" -f "$conf"
END
chmod 755 "$dir/tailgate.cgi"
lighttpd_conf "$dir/cgi.lighttpd" <<-END
	var.tailgate_program = "$dir/tailgate.cgi"
	include "$abs_srcdir/contrib/lighttpd/cgi.conf"
END
fall_asleep
start_lighttpd "$dir/cgi.lighttpd"
key=$one_key
ask
is 'a CGI program wakes it, too' "$status $(told packet)" '200 1'

# Its own process that wakes has no key, and holds nobody's log.
if [ -r /proc/self/environ ]; then
	cat >"$dir/wake-it" <<-END
		#!/bin/sh
		cat "/proc/\$PPID/environ" >"$dir/ran.environ"
		readlink "/proc/\$PPID/fd/2" >"$dir/ran.stderr"
		echo >"$host/woken"
	END
	config "command = [ \"$dir/wake-it\" ];"
	fall_asleep
	body='{"model":"m","messages":[]}'
	printf '%s' "$body" | env -i PATH="$PATH" TG_SECRET="$TG_SECRET" \
		GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST QUERY_STRING= \
		SCRIPT_NAME=/v1/chat/completions PATH_INFO= \
		REQUEST_URI=/v1/chat/completions SERVER_PROTOCOL=HTTP/1.1 \
		REMOTE_ADDR=127.0.0.1 CONTENT_TYPE=application/json \
		CONTENT_LENGTH=${#body} HTTP_AUTHORIZATION="Bearer $one_key" \
		"$TAILGATE_FCGI" -f "$conf" 2>&1 >"$dir/cgi.out" |
		cat >"$dir/cgi.err"
	like 'a program wakes it for CGI' "$(cat "$dir/cgi.out")" \
		'^Status: 200'
	check 'it looked' test -s "$dir/ran.stderr"
	check_not "no key is in the waker's environment" grep -q -a \
		-e "$one_key" -e "$TG_SECRET" "$dir/ran.environ"
	is "and it has left the web server's pipe" \
		"$(cat "$dir/ran.stderr")" /dev/null
fi
finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Two fronts, lighttpd and Caddy, between HAProxy (contrib/haproxy) and one GPU
# host.  Each front is reloaded, taken out, stopped and started again under
# load, and no request is lost.  A front that dies is taken out at once, and so
# is one whose line is cut; the client of a request that was there is told.  The
# clients' own addresses count.  The test follows doc/fleet.md.
#
# The four are network namespaces, if this machine allows them.
TAILGATE_NETNS=${TAILGATE_NETNS-wanted}
. "${abs_srcdir:-.}/tests/netns.sh"
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/hosts.sh"

haproxy=${HAPROXY:-haproxy}
need lighttpd caddy python3 "$haproxy"

network gpu one two balancer
balancer_at=${balancer_address:-127.0.0.1}
[ -z "${TAILGATE_NETNS:-}" ] || bind_to=0.0.0.0
proxy_at=$balancer_at/32
start_upstream stub -n

host_settings="drain = 20.0; trusted_proxies = [ \"$balancer_at/32\" ];"

host gpu <<-END
	ledger = { gateway = "gpu"; };
	limits = ( { name = "card"; slots = 4; queue = 256; wait = 60.0; } );
	providers = ( { name = "card"; place = "local"; url = "$(seen "$stub_url")";
	  limit = "card"; circuit = { failures = 0; }; } );
	models = ( { id = "*"; targets = (
	  { provider = "card"; model = "*"; } ); } );
END
add_client fronts --relay --priority 100
(umask 077 && printf '%s\n' "$fronts_key" >"$dir/key.fronts")
serve gpu
reached gpu

# The fronts share a clients file, as rsync would have it on each.
for front in one two; do
	host $front "$dir/clients.fronts" <<-END
		ledger = { gateway = "$front"; };
		providers = ( { name = "gpu"; kind = "tailgate"; place = "local";
		  url = "$gpu_base/v1"; key = { file = "$dir/key.fronts"; }; } );
		models = ( { id = "*"; targets = (
		  { provider = "gpu"; model = "*"; } ); } );
	END
	if [ $front = one ]; then
		add_client anna
		add_client near --networks "${balancer_address:+10.97.1.1/32,}127.0.0.1/32"
		add_client far --networks 198.51.100.0/24
	fi
	case $front in
	one) serve one lighttpd ;;
	two) serve two caddy ;;
	esac
	reached $front
done

within=${in_balancer:-}
reserve_port balancer
sed -e "s|@runstatedir@/haproxy/tailgate.sock|$dir/haproxy.sock|" \
	-e "s|127.0.0.1:8080|$balancer_at:$balancer_port|" \
	-e "s|192.0.2.1:80|${one_base#http://}|" \
	-e "s|192.0.2.2:80|${two_base#http://}|" \
	"$abs_srcdir/contrib/haproxy/haproxy.cfg" >"$dir/haproxy.cfg"
# shellcheck disable=SC2086 # words
spawn haproxy $within "$haproxy" -db -f "$dir/haproxy.cfg"
within=
base=http://$balancer_at:$balancer_port
key=$anna_key
check 'the balancer serves' wait_until -p "$haproxy_pid" serves

# tell_balancer COMMAND
tell_balancer()
{
	python3 - "$dir/haproxy.sock" "$1" <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		s.sendall((sys.argv[2] + "\n").encode())
		out = b""
		while part := s.recv(65536):
		    out += part
		sys.stdout.write(out.decode())
	END
}

# idle FRONT: no request is there any more (scur of `show stat`).
idle()
{
	[ "$(tell_balancer 'show stat' | awk -F, -v front="$1" \
		'$1 == "fronts" && $2 == front { print $5 }')" = 0 ]
}

# answers FRONT: its web server serves again.  lighttpd leaves out a pool that
# was away for a second.
answers()
{
	eval "curl -s -f -o '$dir/health' \"\$${1}_base/health\""
}

# checked FRONT: the balancer's last look at it was good.
checked()
{
	tell_balancer 'show stat' | awk -F, -v front="$1" '
		{ sub(/^# /, "") }
		$1 == "pxname" { for (i = 1; i <= NF; i++) at[$i] = i }
		$1 == "fronts" && $2 == front &&
			$at["check_status"] == "L7OK" { n = 1 }
		END { exit !n }'
}

up()
{
	tell_balancer 'show stat' | awk -F, -v front="$1" -v want="$2" '
		$1 == "fronts" && $2 == front && index($18, want) == 1 { n = 1 }
		END { exit !n }'
}

# weighted FRONT drain|ready
weighted()
{
	tell_balancer "set server fronts/$1 state $2" >/dev/null
}

# --- Whose address ------------------------------------------------------------

for front in one two; do
	for other in one two; do
		[ $other = $front ] || weighted $other drain
	done
	key=$near_key
	post /v1/chat/completions '{"model":"plain","messages":[]}'
	is "$front: a client in its network is served" "$status" 200
	key=$far_key
	post /v1/chat/completions '{"model":"plain","messages":[]}'
	check "$front: one outside of its network is not" \
		error_is 401 invalid_api_key
	request /v1/models -H 'X-Forwarded-For: 198.51.100.7'
	check "$front: whatever it says of itself" error_is 401 invalid_api_key
	weighted one ready
	weighted two ready
done
key=$anna_key

# --- Under load ---------------------------------------------------------------

"$load" -c 16 -d 1800 -n 100000000 -k "$anna_key" \
	-b '{"model":"plain,delay=5","messages":[]}' \
	"$balancer_at:$balancer_port" >"$dir/load" 2>&1 &
adopt load $!
wait_until stat_reaches stub completed 200
for front in one two; do
	eval "front_pid=\$${front}_pid"
	kill -HUP "$front_pid"
	wait_until file_has "$dir/$front.log" 'configuration 2 is in force' ||
		broken "$front did not reload"
	weighted $front drain
	wait_until idle "$front" || broken "$front is not idle"
	stop "$front_pid"
	pool $front
	wait_until answers "$front" || broken "$front does not serve"
	wait_until checked "$front" || broken "$front is not found well"
	weighted $front ready
	wait_until up $front UP || broken "$front is not up"
	now=$(stat stub completed)
	wait_until stat_reaches stub completed $((now + 200))
done
check 'all of it was done under load' alive "$load_pid"
kill -USR1 "$load_pid"
wait "$load_pid"
forget "$load_pid"
detail "$(cat "$dir/load")"
like 'two fronts were restarted one after the other: no request is lost' \
	"$(cat "$dir/load")" '^complete=[1-9][0-9]* failed=0 '
for front in one two; do
	check "$front had a part of it" test -s "$dir/$front/state/ledger.jsonl"
done

# --- One that dies ------------------------------------------------------------

# all_served WHAT: twenty requests, one after the other.
all_served()
{
	failed=0
	i=0
	while [ $i -lt 20 ]; do
		post /v1/chat/completions '{"model":"plain","messages":[]}'
		[ "$status" = 200 ] || failed=$((failed + 1))
		i=$((i + 1))
	done
	is "$1" "$failed" 0
}

pool_kill one
check 'a front whose pool died is left out' wait_until -t 60 up one DOWN
all_served 'the other one serves all'
pool one
check 'it is used again when it is there again' wait_until -t 60 up one UP

# --- One whose line is cut ------------------------------------------------------

if [ -n "${TAILGATE_NETNS:-}" ]; then
	# A request that has begun, at front one.
	weighted two drain
	curl -s -o "$dir/held" -w '%{http_code}' --max-time 120 \
		-H "Authorization: Bearer $anna_key" \
		-H 'Content-Type: application/json' \
		--data-binary '{"model":"stall-head","messages":[]}' \
		"$base/v1/chat/completions" >"$dir/held.status" 2>&1 &
	adopt held $!
	wait_until stat_is stub in_flight 1
	weighted two ready
	unplug one
	check 'a front whose line is cut is left out' wait_until -t 60 up one DOWN
	all_served 'the other one serves all'
	check "the client of the cut one's request need not wait for it" \
		wait_until -t 60 pid_died "$held_pid"
	wait "$held_pid"
	forget "$held_pid"
	like 'it is told by the balancer' "$(cat "$dir/held.status")" '^50[24]$'
	tell stub release >/dev/null
	plug one
	check 'the line is there again: so is the front' wait_until -t 60 up one UP
	stop "$one_pid"
fi

# --- The account ------------------------------------------------------------------

stop "$two_pid"
"$TAILGATE" usage --verify "$dir/one/state/ledger.jsonl" \
	"$dir/two/state/ledger.jsonl" "$dir/gpu/state/ledger.jsonl" \
	>"$dir/verified"
is 'the three ledgers hold together' "$?" 0
like 'each with its name' "$(tr '\n' ' ' <"$dir/verified")" 'one: .*two: '

finish

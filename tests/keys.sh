# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Where a provider's key is in memory: in the key pages of workers whose
# configuration has it, and nowhere else, also after it was changed; and in no
# core file that a debugger makes, also while requests are under way, with and
# without TLS.  The test searches for it as it is, in other case, and in base64
# at every offset.
. "${abs_srcdir:-.}/tests/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all 'only root may look into it'
need lighttpd gdb gcore caddy openssl
grep -q '^CFLAGS = .*sanitize' "$abs_builddir/Makefile" &&
	skip_all 'sanitizers need what the cage forbids'

key_is()
{
	printf '%s\n' "$1" >"$dir/provider.secret"
	chmod 600 "$dir/provider.secret"
}
key_is sk-MARKFIRSTKEY
start_upstream stub

# The same with TLS: Caddy, with a certificate of its own.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
	-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
	-keyout "$dir/tls.key" -out "$dir/tls.pem" >"$dir/openssl.log" 2>&1 ||
	broken 'openssl req -x509'
reserve_port tls
mkdir "$dir/caddy"
cat >"$dir/Caddyfile" <<-END
	{
		admin off
		auto_https off
	}
	https://:$tls_port {
		bind 127.0.0.1
		tls $dir/tls.pem $dir/tls.key
		reverse_proxy 127.0.0.1:$stub_port {
			flush_interval -1
		}
	}
END
spawn tls env "HOME=$dir/caddy" "XDG_DATA_HOME=$dir/caddy" \
	"XDG_CONFIG_HOME=$dir/caddy" \
	caddy run --adapter caddyfile --config "$dir/Caddyfile"
wait_until -p "$tls_pid" curl -s -o /dev/null -k \
	"https://127.0.0.1:$tls_port/_stats" || broken 'no TLS server'

stub_more="key = { file = \"$dir/provider.secret\"; };"
more_providers=", { name = \"tls\"; place = \"local\";
	url = \"https://127.0.0.1:$tls_port/v1\"; ca_file = \"$dir/tls.pem\";
	key = { file = \"$dir/provider.secret\"; }; }"
more_models=', { id = "tls/*"; targets = (
	{ provider = "tls"; model = "*"; } ); }'
stub_config
add_client anna
start_tailgate
start_lighttpd

# ask_often: so that each worker has sent it.
ask_often()
{
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
		post /v1/chat/completions "$(chat plain)"
	done
}

# whole PID FILE: all of its memory; core PID FILE: what a core file has.
whole()
{
	gdb -q -batch -nx -p "$1" -ex 'set dump-excluded-mappings on' \
		-ex 'set use-coredump-filter off' -ex "gcore $2" \
		>"$dir/gdb" 2>&1 </dev/null
	[ -s "$2" ]
}
core()
{
	gdb -q -batch -nx -p "$1" -ex "gcore $2" >"$dir/gdb" 2>&1 </dev/null
	[ -s "$2" ]
}

# spellings KEY: the key, and what base64 has of it after 0, 1 and 2 bytes.
spellings()
{
	echo "$1"
	for before in '' x xx; do
		printf '%s%s' "$before" "$1" | base64 -w 0 |
			sed -e 's/^\(.*\)....$/\1/' -e "s/^.\{$((${#before} * 4 / 3 + \
				(${#before} > 0)))\}//"
		echo
	done
}

# finds KEY FILE: it is there, in any letters.
finds()
{
	spellings "$1" >"$dir/spellings"
	grep -q -a -i -F -f "$dir/spellings" "$2"
}

# has PID KEY: it is in its memory.  in_core PID KEY: it would be in a core
# file.
has()
{
	whole "$1" "$dir/all" && finds "$2" "$dir/all"
	has_it=$?
	rm -f "$dir/all"
	return $has_it
}
in_core()
{
	core "$1" "$dir/core" || return 0
	finds "$2" "$dir/core"
	has_it=$?
	rm -f "$dir/core"
	return $has_it
}

# keepers_of KEY: which of the gateway's processes have it.
keepers_of()
{
	for pid in "$tailgate_pid" $(children "$tailgate_pid"); do
		has "$pid" "$1" || continue
		case $pid in
		"$tailgate_pid") echo parent ;;
		"$(keeper_of "$tailgate_pid")") echo ledger ;;
		*) echo worker ;;
		esac
	done | sort -u | tr '\n' ' '
}

# cores_of KEY: which of them have it outside of key pages.
cores_of()
{
	for pid in "$tailgate_pid" $(children "$tailgate_pid"); do
		! in_core "$pid" "$1" || cat "/proc/$pid/comm"
	done
}

# under_way NAME MODEL: a stream that has begun and waits.
under_way()
{
	curl -sN --max-time 100 -H "Authorization: Bearer $key" \
		-H 'Content-Type: application/json' --data-binary "{\"model\":
		\"$2/gate,n=3\",\"stream\":true,\"messages\":[]}" \
		"$base/v1/chat/completions" >"$dir/$1.out" 2>/dev/null &
	adopt "$1" $!
	check "$2: a stream is under way" \
		wait_until -p $! file_longer "$dir/$1.out" 100
}

# The search itself: a key that is there is found, however it is written.
for spelling in xsk-markFIRSTkey "$(printf 'ab:sk-MARKFIRSTKEY!!' | base64)" \
	"$(printf 'abc:sk-MARKFIRSTKEY!!' | base64)" \
	"$(printf ':sk-MARKFIRSTKEY!!' | base64)"; do
	printf 'a\0%s\0b' "$spelling" >"$dir/planted"
	check "it would find $spelling" finds sk-MARKFIRSTKEY "$dir/planted"
done
printf 'a\0sk-MARK-FIRST-KEY\0b' >"$dir/planted"
check_not 'and nothing else' finds sk-MARKFIRSTKEY "$dir/planted"

ask_often
is 'a request arrives' "$status" 200
post /v1/chat/completions '{"model":"tls/plain","messages":[]}'
is 'a request arrives through TLS' "$status" 200
under_way plain stub
under_way secure tls
is 'under way, the key is in workers, and nowhere else' \
	"$(keepers_of sk-MARKFIRSTKEY)" 'worker '
is 'and nowhere but in their key pages' "$(cores_of sk-MARKFIRSTKEY)" ''
tell stub release >/dev/null
for pid in $plain_pid $secure_pid; do
	wait "$pid"
	forget "$pid"
done
is 'the key is in workers, and nowhere else' "$(keepers_of sk-MARKFIRSTKEY)" \
	'worker '

key_is sk-MARKSECONDKEY
kill -HUP "$tailgate_pid"
wait_until -p "$tailgate_pid" file_has "$dir/tailgate.log" \
	'configuration 2 is in force'
settled()
{
	[ "$(workers_of "$tailgate_pid" | wc -l)" -eq 2 ]
}
check 'the workers before the change are gone' wait_until settled
ask_often
is 'a request arrives after it' "$status" 200
check 'with the new key' grep -q -r MARKSECONDKEY "$stub_dir"
is 'the new key is in workers, and nowhere else' \
	"$(keepers_of sk-MARKSECONDKEY)" 'worker '
is 'the old one is nowhere' "$(keepers_of sk-MARKFIRSTKEY)" ''
for key_then in sk-MARKFIRSTKEY sk-MARKSECONDKEY; do
	is "no core file has $key_then" "$(cores_of $key_then)" ''
done
stop_server
stop "$tailgate_pid"

# --- The probe, while a provider has its question -----------------------------

spawn silent "$bin/listen" -p "$dir/silent.port" sleep 100
wait_until -p "$silent_pid" test -s "$dir/silent.port"
silent_port=$(cat "$dir/silent.port")
sed "s|\"$stub_url\"|\"http://127.0.0.1:$silent_port/v1\"|" "$conf" \
	>"$dir/silent.conf"
# asked: bytes for it wait there.
asked()
{
	awk -v at=":$(printf %04X "$silent_port")" '
		$2 ~ at && $5 !~ /:00000000$/ { found = 1 }
		END { exit !found }' /proc/net/tcp
}
spawn probe "$TAILGATE" -f "$dir/silent.conf" probe stub
check 'probe: its question is under way' wait_until -p "$probe_pid" asked
check_not 'probe: the key is in its key pages only' \
	in_core "$probe_pid" sk-MARKSECONDKEY
check 'probe: it has it there' has "$probe_pid" sk-MARKSECONDKEY
stop "$probe_pid"
stop "$silent_pid"

# --- CGI: the process that serves has it, the one that writes has not ---------

mkdir -p "$dir/cgi-bin"
cat >"$dir/cgi-bin/tailgate.cgi" <<-END
	#!/bin/sh
	exec "$TAILGATE_FCGI" -f "$conf"
END
chmod 755 "$dir/cgi-bin/tailgate.cgi"
lighttpd_conf "$dir/cgi.lighttpd" <<-END
	var.tailgate_program = "$dir/cgi-bin/tailgate.cgi"
	include "$abs_srcdir/contrib/lighttpd/cgi.conf"
END
start_lighttpd "$dir/cgi.lighttpd"
curl -sN --max-time 60 -H "Authorization: Bearer $key" \
	-H 'Content-Type: application/json' --data-binary \
	"$(chat gate,n=3 '"stream":true')" \
	"$base/v1/chat/completions" >"$dir/gated" 2>/dev/null &
adopt gated $!
check 'CGI: a stream is under way' \
	wait_until -p "$gated_pid" file_longer "$dir/gated" 100
serving=$(children "$lighttpd_pid" | head -n 1)
writing=$(keeper_of "$serving")
check 'CGI: the process that serves has the key' has "$serving" sk-MARKSECONDKEY
check 'CGI: there is one that writes the ledger' test -n "$writing"
check_not 'CGI: which has not' has "$writing" sk-MARKSECONDKEY
check_not 'CGI: the key is in its key pages only' \
	in_core "$serving" sk-MARKSECONDKEY
is 'CGI: no core file is ever made of it' "$(awk \
	'/^Max core file size/ { print $5, $6 }' "/proc/$serving/limits")" '0 0'
tell stub release >/dev/null
wait "$gated_pid"
forget "$gated_pid"
finish

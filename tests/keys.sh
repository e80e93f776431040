# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Where a provider's key is: in the memory of workers whose configuration has
# it, and nowhere else, also after it was changed; and, once no request is under
# way, in no core file that a debugger makes.
. "${abs_srcdir:-.}/tests/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all 'only root may look into it'
need lighttpd gdb gcore
grep -q '^CFLAGS = .*sanitize' "$abs_builddir/Makefile" &&
	skip_all 'sanitizers need what the cage forbids'

key_is()
{
	printf '%s\n' "$1" >"$dir/provider.secret"
	chmod 600 "$dir/provider.secret"
}
key_is sk-MARKFIRSTKEY
start_upstream stub
stub_more="key = { file = \"$dir/provider.secret\"; };"
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

# has PID KEY: it has it, by "whole"; and is in no core file of it.
has()
{
	whole "$1" "$dir/all" && grep -q -a "$2" "$dir/all"
	has_it=$?
	rm -f "$dir/all"
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

ask_often
is 'a request arrives' "$status" 200
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
for pid in "$tailgate_pid" $(children "$tailgate_pid"); do
	check "core file of $(cat "/proc/$pid/comm"): it is made" \
		core "$pid" "$dir/core"
	check_not "core file of $(cat "/proc/$pid/comm"): no key is in it" \
		grep -q -a -e MARKFIRSTKEY -e MARKSECONDKEY "$dir/core"
	rm -f "$dir/core"
done
stop_server
stop "$tailgate_pid"

# --- CGI: the process that serves has it, the one that writes has not -----------

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
check 'CGI: the process that serves has the key' has "$serving" MARKSECONDKEY
check 'CGI: there is one that writes the ledger' test -n "$writing"
check_not 'CGI: which has not' has "$writing" MARKSECONDKEY
# While a request is under way its head is in memory too, so that it could be
# sent again.
is 'CGI: no core file is ever made of it' "$(awk \
	'/^Max core file size/ { print $5, $6 }' "/proc/$serving/limits")" '0 0'
tell stub release >/dev/null
wait "$gated_pid"
forget "$gated_pid"
finish

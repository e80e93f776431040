# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The setting `sandbox` on kernels with fewer features (tests/lessened.c): what
# is enforced is reported wherever an operator looks, and "require" does not
# start without at least files and system calls.
. "${abs_srcdir:-.}/tests/lib.sh"

need lighttpd
sanitized && skip_all 'sanitizers need what the cage forbids'
"$bin/lessened" nolandlock true || skip_all 'no seccomp here'
start_upstream stub
stub_config
add_client anna
add_client chief --operator
key=$anna_key

# set_to VALUE: the setting.
set_to()
{
	sed -i '/^sandbox = /d' "$conf"
	echo "sandbox = \"$1\";" >>"$conf"
}

# says WHAT: the log, status and the metrics name what is in force, and no more.
says()
{
	is "$1: the log says so" "$(sed -n \
		's/.*sandbox of a worker: //p' "$dir/tailgate.log")" "$2"
	is "$1: status says so" \
		"$("$TAILGATE" -f "$conf" status | sed -n 's/^sandbox: //p')" "$2"
	key=$chief_key
	request /metrics
	key=$anna_key
	is "$1: /metrics says so" "$(body | tr -d '\r' | sed -n \
		's/^tailgate_sandbox{part="\(.*\)"} 1$/\1/p' | paste -sd ' ' -)" \
		"$(echo "$2" | sed 's/^none$//')"
}

# with LESS WHAT: it serves with what is left.
with()
{
	rm -f "$dir/tailgate.log"
	socket=$dir/sock
	spawn tailgate "$bin/lessened" "$1" "$TAILGATE_FCGI" -f "$conf" \
		-s "$socket"
	wait_until -t 60 -p "$tailgate_pid" file_has "$dir/tailgate.log" \
		'info: serving' || broken "it does not start with $1"
	start_lighttpd
	post /v1/chat/completions "$(chat plain)"
	is "$1: it serves" "$status" 200
	says "$1" "$2"
	stop_server
	stop "$tailgate_pid"
}

# never LESS: it refuses to start, and says what the kernel has.
never()
{
	"$bin/lessened" "$1" "$TAILGATE_FCGI" -f "$conf" -s "$dir/sock" \
		>"$dir/refused" 2>&1 &
	adopt refused $!
	check "require, $1: it ends" wait_until pid_died "$refused_pid"
	wait "$refused_pid"
	unlike "require, $1: and not well" "$?" '^0$'
	forget "$refused_pid"
	like "require, $1: it says what there is" "$(cat "$dir/refused")" \
		"sandbox = .require., but this system has only: $2; use"
	check_not "require, $1: no process listens" "$bin/listen" -c "$dir/sock"
	"$bin/lessened" "$1" "$TAILGATE" -f "$conf" status >"$dir/out" 2>&1
	is "require, $1: nor does a command run" "$?" 1
	like "require, $1: which says why" "$(cat "$dir/out")" 'this system has'
}

set_to on
with nolandlock 'no_new_privs calls'
with noseccomp 'no_new_privs files ports scopes'
with 1 'no_new_privs files calls'
with 4 'no_new_privs files ports calls'
set_to require
with 1 'no_new_privs files calls'
never nolandlock 'no_new_privs calls'
never noseccomp 'no_new_privs'
set_to off
with nolandlock none
finish

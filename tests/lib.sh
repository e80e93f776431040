# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# lib.sh: the vocabulary of the integration tests.  A test is a POSIX shell
# script that starts with
#
#	. "${abs_srcdir:-.}/tests/lib.sh"
#
# says what it needs (need), starts what it needs (start_*), makes its
# assertions (ok, is, like, check ...) and ends with `finish`.  It prints TAP
# and exits 0, 1, 77 (skipped) or 99 (broken setup).
#
# Every test has a directory of its own, $dir, which is kept if it fails.  It
# ends its processes by their ids whatever happens.  Nothing sleeps to wait for
# something: wait_until polls, bounded, and gives up at once when the process in
# question has died.
#
# From the environment:
#   TAILGATE, TAILGATE_FCGI   the programs under test
#   TAILGATE_CI=1             a skip is a failure
#   TAILGATE_KEEP=1           keep $dir anyway
#   TAILGATE_SHAPE            settings for all configurations that do not
#                             have their own $shape, such as
#                             'processes = 4; requests = 1;'
#   TAILGATE_SANDBOX          "require": no configuration starts with less
#   TAILGATE_UNDER            a command that runs other programs of which the
#                             gateway's code is a part: tests/memcheck.sh
#   TAILGATE_PATIENCE         how many times as long the script waits for
#                             something (1): tests/memcheck.sh
#   abs_srcdir, abs_builddir  as automake's test environment gives them

# Variables made by eval, and ones that only tests use.
# shellcheck disable=SC2034,SC2154,SC2119,SC2120

set -u
LC_ALL=C
export LC_ALL
# Nothing of the caller's may lead requests elsewhere.
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
# In a sanitizer build an allocation that is too large fails, as it does
# without one.
ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1}
TSAN_OPTIONS=${TSAN_OPTIONS:-allocator_may_return_null=1}
export ASAN_OPTIONS TSAN_OPTIONS

abs_srcdir=${abs_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
abs_builddir=${abs_builddir:-$PWD}
patience=${TAILGATE_PATIENCE:-1}
TAILGATE=${TAILGATE:-$abs_builddir/tailgate}
TAILGATE_FCGI=${TAILGATE_FCGI:-$abs_builddir/tailgate.fcgi}
tests=$abs_srcdir/tests
bin=$abs_builddir/tests
load=$abs_builddir/bench/load
# For programs that are not ours, too: in a sanitizer build its library has to
# come first.
clock_preload=$(ldd "$bin/clock.so" 2>/dev/null |
	awk '/lib[at]san/ { printf "%s:", $3 }')$bin/clock.so
PATH=$PATH:/usr/sbin:/usr/local/sbin:/sbin

test_name=$(basename "$0" .sh)
dir=$(mktemp -d "${TMPDIR:-/tmp}/tailgate-$test_name.XXXXXX") || exit 99
# lighttpd and Caddy may run as another user; sockets are here.
chmod 755 "$dir"
pids=
tap_count=0
tap_failures=0
key=
base=
status=

# --- Assertions ---------------------------------------------------------------

# pass DESCRIPTION
pass()
{
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $*"
}

# fail DESCRIPTION [detail on stdin is not read]
fail()
{
	tap_count=$((tap_count + 1))
	tap_failures=$((tap_failures + 1))
	echo "not ok $tap_count - $*"
}

# detail TEXT: more about the assertion before, as TAP comments.
detail()
{
	printf '%s\n' "$*" | sed 's/^/# /' | cut -c1-2000 | head -n 40
}

# check DESCRIPTION COMMAND...: the command succeeds.
check()
{
	what=$1
	shift
	if "$@" >"$dir/check.out" 2>&1; then
		pass "$what"
	else
		fail "$what"
		detail "$* failed: $(cat "$dir/check.out")"
	fi
}

# check_not DESCRIPTION COMMAND...: the command fails.
check_not()
{
	what=$1
	shift
	if "$@" >"$dir/check.out" 2>&1; then
		fail "$what"
		detail "$* should have failed: $(cat "$dir/check.out")"
	else
		pass "$what"
	fi
}

# is DESCRIPTION GOT WANT
is()
{
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1"
		detail " got: $2"
		detail "want: $3"
	fi
}

# like DESCRIPTION GOT ERE
like()
{
	if printf '%s\n' "$2" | grep -E -q -e "$3"; then
		pass "$1"
	else
		fail "$1"
		detail " got: $2"
		detail "want: /$3/"
	fi
}

# unlike DESCRIPTION GOT ERE
unlike()
{
	if printf '%s\n' "$2" | grep -E -q -e "$3"; then
		fail "$1"
		detail "      got: $2"
		detail "don't want: /$3/"
	else
		pass "$1"
	fi
}

# same DESCRIPTION FILE FILE: byte for byte.
same()
{
	if cmp -s "$2" "$3"; then
		pass "$1"
	else
		fail "$1"
		detail "$(cmp "$2" "$3" 2>&1)"
	fi
}

# at_most DESCRIPTION GOT LIMIT (integers)
at_most()
{
	if [ "$2" -le "$3" ]; then
		pass "$1 ($2 <= $3)"
	else
		fail "$1 ($2 > $3)"
	fi
}

# take FILE PREFIX: assertions that another program made, as lines "ok TEXT",
# "not ok TEXT", "# ...".
take()
{
	while IFS= read -r line; do
		case $line in
		'ok '*) pass "$2: ${line#ok }" ;;
		'not ok '*) fail "$2: ${line#not ok }" ;;
		'#'*) detail "${line#\# }" ;;
		esac
	done <"$1"
}

# The test can't be made: exit 99.
broken()
{
	echo "Bail out! $*"
	exit 99
}

# The test can't be made here, and that is fine.
skip_all()
{
	if [ "${TAILGATE_CI:-0}" = 1 ]; then
		echo "not ok 1 - $test_name: $* (in CI a skip is a failure)"
		echo 1..1
		exit 1
	fi
	echo "1..0 # SKIP $*"
	echo "ok # SKIP $*"
	exit 77
}

# need COMMAND...: skips the test if one is missing.
need()
{
	for tool in "$@"; do
		command -v "$tool" >/dev/null 2>&1 ||
			skip_all "$tool is not installed"
	done
}

# sanitized: this build has a sanitizer in it, with an allocator of its own.
sanitized()
{
	grep -q -e __asan_init -e __tsan_init "$TAILGATE_FCGI"
}

# The last line of a test.
finish()
{
	echo "1..$tap_count"
	[ "$tap_count" -gt 0 ] || broken "no assertion was made"
	[ "$tap_failures" -eq 0 ] || exit 1
	exit 0
}

# --- Processes ----------------------------------------------------------------

# alive PID: it runs, and is no zombie.  If it was adopted, it is that process:
# the shell reaps a child that ends, and the kernel gives its number to another.
alive()
{
	look_at "$1"
	case $seen_state in
	'' | [ZX]*) return 1 ;;
	esac
	eval "[ \"\${born_$1:-$seen_born}\" = \"$seen_born\" ]"
}

# look_at PID: $seen_state, empty if there is none, and $seen_born (ticks since
# the boot; Linux only).
look_at()
{
	seen_state=
	seen_born=
	if [ ! -e /proc/self/stat ]; then
		seen_state=$(ps -o stat= -p "$1" 2>/dev/null)
		seen_born=unknown
		return 0
	fi
	{ read -r seen_line <"/proc/$1/stat"; } 2>/dev/null || return 0
	# After the name, which may hold anything but ends at the last ")".
	# shellcheck disable=SC2086 # words
	set -- ${seen_line##*)}
	seen_state=$1
	seen_born=${20}
}

# spawn NAME COMMAND...: in the background, output to $dir/NAME.log, id in
# $NAME_pid and $pid.  It ends with the test.
spawn()
{
	spawn_name=$1
	shift
	"$@" >>"$dir/$spawn_name.log" 2>&1 &
	adopt "$spawn_name" $!
}

# adopt NAME PID: it ends with the test.
adopt()
{
	pid=$2
	look_at "$2"
	eval "${1}_pid=$2 born_$2=${seen_born:-gone}"
	pids="$2 $pids"
}

# stop PID [SIGNAL]: ends it and waits; KILL when it has not gone in 10 s.
stop()
{
	! alive "$1" || kill "-${2:-TERM}" "$1" 2>/dev/null
	stop_tries=0
	while [ $stop_tries -lt $((500 * patience)) ] && alive "$1"; do
		stop_tries=$((stop_tries + 1))
		sleep 0.02
	done
	[ $stop_tries -lt $((500 * patience)) ] || kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	stop_status=$?
	forget "$1"
	return $stop_status
}

# forget PID: it is not ours to end any more.
forget()
{
	rest=
	for p in $pids; do
		[ "$p" = "$1" ] || rest="$rest $p"
	done
	pids=$rest
	unset "born_$1"
}

# pause_process PID...: stops them, and returns when no thread of theirs runs:
# kill(1) returns while they may still do something.  False if one has died.
# resume_process PID...: they go on.
pause_process()
{
	kill -STOP "$@"
	pause_status=$?
	for paused in "$@"; do
		wait_until -t 60 -p "$paused" is_paused "$paused" ||
			pause_status=1
	done
	return $pause_status
}

resume_process()
{
	kill -CONT "$@"
}

is_paused()
{
	ps -L -o stat= -p "$1" | awk '!/^[TtZX]/ { runs = 1 }
		END { exit runs || NR == 0 }'
}

# wait_until [-t SECONDS] [-p PID] COMMAND...: polls until the command
# succeeds; false after 20 s, or as soon as PID has died.
wait_until()
{
	wait_end=$(($(date +%s) + 20 * patience))
	wait_pid=
	while :; do
		case $1 in
		-t) wait_end=$(($(date +%s) + $2 * patience)) && shift 2 ;;
		-p) wait_pid=$2 && shift 2 ;;
		*) break ;;
		esac
	done
	while ! "$@" >/dev/null 2>&1; do
		if [ -n "$wait_pid" ] && ! alive "$wait_pid"; then
			echo "# process $wait_pid died before: $*"
			return 1
		fi
		if [ "$(date +%s)" -ge "$wait_end" ]; then
			echo "# gave up waiting for: $*"
			return 1
		fi
		sleep 0.02
	done
}

# pid_died PID
pid_died()
{
	! alive "$1"
}

# file_has FILE ERE
file_has()
{
	grep -E -q -e "$2" "$1" 2>/dev/null
}

# file_longer FILE BYTES: it holds more than that.
file_longer()
{
	[ "$(wc -c <"$1" 2>/dev/null || echo 0)" -gt "$2" ]
}

lib_end()
{
	lib_status=$?
	trap - EXIT HUP INT TERM
	for p in $pids; do
		# Twice: the second one ends a drain.
		alive "$p" && kill -TERM "$p" 2>/dev/null &&
			kill -TERM "$p" 2>/dev/null
	done
	for p in $pids; do
		stop "$p"
	done
	if grep -E -l 'Sanitizer: |runtime error:' "$dir"/*.log >/dev/null \
		2>&1; then
		echo '# a sanitizer has found something:'
		grep -h -A 30 -E 'Sanitizer: |runtime error:' "$dir"/*.log |
			head -n 60 | sed 's/^/# /'
		lib_status=1
	fi
	if [ $lib_status -eq 1 ] || [ $lib_status -eq 99 ]; then
		for log in "$dir"/*.log; do
			[ -s "$log" ] || continue
			echo "# --- $(basename "$log")"
			tail -n 15 "$log" | cut -c1-400 | sed 's/^/# /'
		done
		echo "# kept: $dir"
	elif [ "${TAILGATE_KEEP:-0}" != 1 ]; then
		# A worker may write its last line meanwhile.
		wait_until -t 5 rm -rf "$dir"
	fi
	exit $lib_status
}
trap lib_end EXIT
trap 'exit 99' HUP INT TERM

# set_clock SECONDS: the wall clock of processes that have clock.so is off by
# that much ($dir/clock, of 64 bytes).  In place: a process that looks at a file
# that was cut to nothing dies.
set_clock()
{
	printf '%-12d\n' "$1" |
		dd of="$dir/clock" conv=notrunc 2>"$dir/dd.log"
}

# --- The servers around tailgate
# -------------------------------------------------

# start_upstream NAME [-n] [arguments]: the stub (tests/upstream.c).  Sets
# NAME_port, NAME_url (with /v1), and NAME_dir, where it records what it got;
# -n: it records nothing.
start_upstream()
{
	up=$1
	shift
	mkdir -p "$dir/$up"
	if [ "${1:-}" = -n ]; then
		shift
	else
		set -- --record "$dir/$up" "$@"
	fi
	rm -f "$dir/$up.port"
	"$bin/upstream" ${upstream_address:+-a "$upstream_address"} \
		--raw "$tests/replies" "$@" \
		>"$dir/$up.port" 2>"$dir/$up.log" &
	adopt "$up" $!
	wait_until -p $! test -s "$dir/$up.port" || broken "$up did not start"
	eval "${up}_port=\$(cat \"\$dir/$up.port\")"
	eval "${up}_url=http://127.0.0.1:\$${up}_port/v1"
	eval "${up}_dir=\$dir/$up"
}

# start_keyed_upstream: tests/keyed_upstream.py at $url.  It reads $answers, and
# writes $log.
start_keyed_upstream()
{
	answers=$dir/answers
	log=$dir/asked
	: >"$answers"
	: >"$log"
	python3 "$tests/keyed_upstream.py" "$answers" "$log" \
		>"$dir/up.port" 2>"$dir/up.log" &
	adopt up $!
	wait_until -p "$up_pid" test -s "$dir/up.port" || broken "no upstream"
	url=http://127.0.0.1:$(cat "$dir/up.port")/v1
}

# tell NAME WHAT: asks the stub NAME (stats, release, reset).
tell()
{
	eval "tell_port=\$${1}_port"
	curl -sS --max-time 20 "http://127.0.0.1:$tell_port/_$2"
}

# stat NAME FIELD: one of the stub's counts.
stat()
{
	tell "$1" stats | sed -n "s/.*\"$2\":\\([0-9]*\\).*/\\1/p"
}

# stat_is NAME FIELD VALUE
stat_is()
{
	[ "$(stat "$1" "$2")" = "$3" ]
}

# stat_reaches NAME FIELD VALUE: it is that much or more.
stat_reaches()
{
	[ "$(stat "$1" "$2")" -ge "$3" ]
}

# reserve_port NAME: a port on 127.0.0.1 that refuses connections, in
# NAME_port and NAME_url; a server with SO_REUSEADDR may take it over.
reserve_port()
{
	rm -f "$dir/$1.port"
	${within:-} "$bin/listen" -r -p "$dir/$1.port" >"$dir/$1.log" 2>&1 &
	adopt "$1" $!
	wait_until -p $! test -s "$dir/$1.port" || broken "no port"
	eval "${1}_port=\$(cat \"\$dir/$1.port\")"
	eval "${1}_url=http://127.0.0.1:\$${1}_port/v1"
}

# new_config [NAME]: $conf = $dir/NAME.conf (tailgate.conf) from stdin, with
# the directories of this test and the $shape of the pool in front.
new_config()
{
	conf=$dir/${1:-tailgate}.conf
	mkdir -p "$dir/run" "$dir/state" "$dir/spool"
	{
		cat <<-END
			runtime_dir = "$dir/run";
			state_dir = "$dir/state";
			clients_file = "$dir/clients.conf"; ${shape-${TAILGATE_SHAPE:-}}
		END
		[ -z "${TAILGATE_SANDBOX:-}" ] ||
			echo "sandbox = \"$TAILGATE_SANDBOX\";"
		cat
	} >"$conf"
	[ -e "$dir/clients.conf" ] || echo 'clients = ( );' >"$dir/clients.conf"
	chmod 600 "$dir/clients.conf"
}

# stub_config: the config that most tests need.  The stub `stub` serves all
# endpoints under the models "stub/SCRIPT"; $stub_more has further settings of
# its provider, $more_providers and $more_models further providers and models
# (each with a comma in front), $more further settings.
stub_config()
{
	stub_body="body = { spool_dir = \"$dir/spool\"; };"
	new_config <<-END
		providers = (
		  { name = "stub"; place = "local"; url = "$stub_url";
		    endpoints = [ "chat", "completions", "embeddings",
		      "rerank", "responses", "messages", "count_tokens",
		      "speech", "transcriptions", "translations", "images",
		      "image_edits", "image_variations", "moderations",
		      "voices", "responses_get", "responses_delete",
		      "responses_cancel", "responses_items",
		      "responses_compact", "responses_tokens", "chat_tokens",
		      "infill" ];
		    circuit = { failures = 0; };
		    ${stub_more:-} }
		  ${more_providers:-}
		);
		models = (
		  { id = "stub/*"; targets = (
		    { provider = "stub"; model = "*"; } ); }
		  ${more_models:-}
		);
		${more:-$stub_body}
	END
}

# add_client NAME [arguments of `tailgate client add`]: its key becomes $key
# and $NAME_key.
add_client()
{
	client=$1
	"$TAILGATE" -f "$conf" client add "$@" >"$dir/$client.key" \
		2>"$dir/client.log" || {
		cat "$dir/client.log"
		broken "tailgate client add $client"
	}
	key=$(sed -n 's/.*\(tg-[A-Za-z0-9]\{43\}\).*/\1/p' "$dir/$client.key" |
		head -n 1)
	[ -n "$key" ] || broken "no key for $client"
	eval "${client}_key=\$key"
}

# start_tailgate [CONFIG]: tailgate.fcgi -f CONFIG -s $socket.  The log is
# $dir/tailgate.log.
start_tailgate()
{
	socket=$dir/sock
	spawn tailgate "$TAILGATE_FCGI" -f "${1:-$conf}" -s "$socket"
	wait_until -t 60 -p "$tailgate_pid" "$bin/listen" -c "$socket" || {
		cat "$dir/tailgate.log"
		broken "tailgate.fcgi did not start"
	}
}

# answers: a server responds at $base.  $within begins the commands of servers
# and their clients that run elsewhere (netns.sh); lighttpd and Caddy listen on
# $bind_to, if it is not empty.
answers()
{
	${within:-} curl -s -o /dev/null --max-time 5 "$base/"
}

# start_lighttpd [FILE]: the shipped contrib/lighttpd/lighttpd.conf (or FILE,
# run the same way) before $socket, at $base.
start_lighttpd()
{
	need lighttpd
	mkdir -p "$dir/lighttpd"
	rm -f "$dir/lighttpd.port"
	lighttpd_file=${1:-$abs_srcdir/contrib/lighttpd/lighttpd.conf}
	if [ -n "${bind_to:-}" ]; then
		sed -e "s/^server.bind = .*/server.bind = \"$bind_to\"/" \
			-e "s|^include \"|&$(dirname "$lighttpd_file")/|" \
			"$lighttpd_file" >"$dir/lighttpd.bound"
		lighttpd_file=$dir/lighttpd.bound
	fi
	# shellcheck disable=SC2086 # words
	spawn lighttpd ${within:-} env "TAILGATE_SOCKET=${socket:-$dir/sock}" \
		"TAILGATE_DIR=$dir/lighttpd" \
		"TAILGATE_WWW=${www:-$abs_srcdir/contrib/www}" \
		"$bin/listen" -a "${bind_to:-127.0.0.1}" -e TAILGATE_PORT \
		-p "$dir/lighttpd.port" "$(command -v lighttpd)" -D \
		-f "$lighttpd_file"
	wait_until -p "$lighttpd_pid" test -s "$dir/lighttpd.port" ||
		broken "lighttpd did not start"
	base=http://127.0.0.1:$(cat "$dir/lighttpd.port")
	wait_until -p "$lighttpd_pid" answers || broken "lighttpd does not answer"
	server=lighttpd
}

# lighttpd_conf FILE: a lighttpd.conf around what comes from stdin, for
# start_lighttpd.
lighttpd_conf()
{
	{
		cat <<-END
			server.bind = "127.0.0.1"
			server.port = env.TAILGATE_PORT
			server.document-root = "/var/empty"
			server.upload-dirs = ( env.TAILGATE_DIR )
			server.systemd-socket-activation = "enable"
			server.modules = ( )
		END
		cat
	} >"$1"
}

# start_caddy [FILE]: the same with contrib/caddy/Caddyfile.
start_caddy()
{
	need caddy
	reserve_port caddy_holder
	mkdir -p "$dir/caddy"
	# shellcheck disable=SC2086 # words
	spawn caddy ${within:-} env "TAILGATE_PORT=$caddy_holder_port" \
		"TAILGATE_BIND=${bind_to:-127.0.0.1}" \
		"TAILGATE_PROXY=${proxy_at:-}" \
		"TAILGATE_SOCKET=${socket:-$dir/sock}" \
		"TAILGATE_WWW=${www:-$abs_srcdir/contrib/www}" \
		"HOME=$dir/caddy" "XDG_DATA_HOME=$dir/caddy" \
		"XDG_CONFIG_HOME=$dir/caddy" \
		caddy run --adapter caddyfile \
		--config "${1:-$abs_srcdir/contrib/caddy/Caddyfile}"
	base=http://127.0.0.1:$caddy_holder_port
	wait_until -p "$caddy_pid" answers || broken "caddy does not answer"
	server=caddy
}

# start_nginx [FILE]: the same with contrib/nginx/nginx.conf and what it
# includes, with the paths of this test in them as `make install` would.  FILE,
# if given, replaces contrib/nginx/tailgate_fastcgi.conf.
start_nginx()
{
	need nginx
	reserve_port nginx_holder
	mkdir -p "$dir/share/tailgate/nginx" "$dir/nginx"
	ln -sfn "${www:-$abs_srcdir/contrib/www}" "$dir/share/tailgate/www"
	for file in nginx.conf tailgate.conf tailgate_fastcgi.conf; do
		from=$abs_srcdir/contrib/nginx/$file
		[ $file != tailgate_fastcgi.conf ] || from=${1:-$from}
		sed -e "s|@datadir@|$dir/share|g" \
			-e "s|@runstatedir@/tailgate/sock|${socket:-$dir/sock}|" \
			-e "s|127.0.0.1:8080|127.0.0.1:$nginx_holder_port|" \
			"$from" >"$dir/share/tailgate/nginx/$file"
	done
	# As root, its workers would be another user, who can't use the tests'
	# sockets.
	# shellcheck disable=SC2086 # words
	spawn nginx ${within:-} nginx -p "$dir/nginx" -e stderr \
		-c "$dir/share/tailgate/nginx/nginx.conf" \
		-g "daemon off; $([ "$(id -u)" -ne 0 ] || echo 'user root;')"
	base=http://127.0.0.1:$nginx_holder_port
	wait_until -p "$nginx_pid" answers || broken "nginx does not answer"
	server=nginx
}

# start_server lighttpd|caddy|nginx, stop_server: for loops over them.
start_server()
{
	"start_$1"
}

stop_server()
{
	eval "stop \$${server}_pid"
	[ "$server" = lighttpd ] || eval "stop \$${server}_holder_pid"
}

# each_server COMMAND...: runs it under each web server of $servers (lighttpd
# and Caddy), whose name is put after the arguments.
# shellcheck disable=SC2086 # one word per server
each_server()
{
	servers=${servers:-lighttpd caddy}
	need $servers
	for each in $servers; do
		start_server $each
		"$@" $each
		stop_server
	done
}

# children PID: its child processes, each on a line.
children()
{
	ps -A -o pid= -o ppid= | awk -v parent="$1" '$2 == parent { print $1 }'
}

# workers_of PID: those of a pool, without what serves them.
workers_of()
{
	ps -A -o pid= -o ppid= -o comm= | awk -v parent="$1" \
		'$2 == parent && $3 != "tailgate-ledger" &&
		$3 != "tailgate-wake" { print $1 }'
}

# renew_workers [-t SECONDS] [PID]: reloads tailgate, and waits until all of its
# workers (as many as before) are new ones, for 60 s at most.  Before that one
# of the old ones may take the next request, although the new configuration is
# in force.
renew_workers()
{
	renew_s=60
	[ "${1:-}" != -t ] || {
		renew_s=$2
		shift 2
	}
	renewed_pid=${1:-$tailgate_pid}
	old_workers=$(workers_of "$renewed_pid")
	kill -HUP "$renewed_pid"
	wait_until -t "$renew_s" -p "$renewed_pid" workers_are_new ||
		broken "no reload"
}

workers_are_new()
{
	new_workers=$(workers_of "$renewed_pid")
	[ "$(printf '%s\n' "$new_workers" | wc -l)" -eq \
		"$(printf '%s\n' "$old_workers" | wc -l)" ] || return 1
	for worker in $old_workers; do
		printf '%s\n' "$new_workers" | grep -q -x "$worker" && return 1
	done
	return 0
}

# keeper_of PID: its ledger's process.
keeper_of()
{
	ps -A -o pid= -o ppid= -o comm= | awk -v parent="$1" \
		'$2 == parent && $3 == "tailgate-ledger" { print $1 }'
}

# lock_ledger FILE, unlock_ledger: another process has the lock of that ledger,
# which its user may write and not read.
lock_ledger()
{
	(
		exec 7>&- 8>>"$1.lock"
		flock 8 && exec sleep 600
	) &
	adopt lock_holder $!
	wait_until ledger_is_locked "$1"
}

ledger_is_locked()
{
	! flock -n 8 8>>"$1.lock"
}

unlock_ledger()
{
	kill "$lock_holder_pid"
	wait "$lock_holder_pid" 2>/dev/null
	forget "$lock_holder_pid"
}

# sources: a tar of the sources as in a clone: the files that git knows, or all
# files, where there is no git.
sources()
{
	(cd "$abs_srcdir" && if [ -e .git ] && command -v git >/dev/null; then
		git -c safe.directory='*' ls-files -co --exclude-standard
	else
		find . \( -name 'build*' -o -name .git \) -prune -o \
			-type f -print
	fi | while read -r file; do
		[ ! -f "$file" ] || printf '%s\n' "$file"
	done | tar -cf - -T -)
}

# --- Requests -----------------------------------------------------------------

# request PATH [curl arguments]: with $key (if it is not empty), from $base.
# The response's status is $status, its head $dir/head, its body $dir/body,
# curl's own exit status $curl_status.
request()
{
	request_path=$1
	shift
	rm -f "$dir/body" "$dir/head"
	: >"$dir/body"
	status=$(curl -sS --max-time $((60 * patience)) -D "$dir/head" -o "$dir/body" \
		-w '%{http_code}' ${key:+-H "Authorization: Bearer $key"} \
		"$@" "$base$request_path" 2>"$dir/curl.err")
	curl_status=$?
}

# post PATH JSON [curl arguments]
post()
{
	post_path=$1
	post_body=$2
	shift 2
	request "$post_path" -H 'Content-Type: application/json' \
		--data-binary "$post_body" "$@"
}

# hold_slot KEY MODEL [URL], let_slot_go: a request of another client has the
# only slot.  The stub is `stub`.
hold_slot()
{
	curl -s -o /dev/null --max-time 600 -H "Authorization: Bearer $1" \
		-H 'Content-Type: application/json' \
		--data-binary "{\"model\":\"$2\",\"messages\":[]}" \
		"${3:-$base}/v1/chat/completions" &
	adopt holder $!
	wait_until -p "$holder_pid" stat_is stub in_flight 1
}

let_slot_go()
{
	tell stub release >/dev/null
	wait "$holder_pid"
	forget "$holder_pid"
}

# serves: it serves a good request.
serves()
{
	request /v1/models --max-time 5
	[ "$status" = 200 ]
}

# all_settled: waits until the ledger, the log and the metrics have all requests
# that have ended, which is right after a client has its response: only the
# request that asks is open, and no line waits to be written.  It asks as the
# operator `chief`, at $base, and leaves the last response alone.  If a test no
# longer needs the gateway, `stop` does the same.  CGI processes are not
# counted: wait_until their line is there.
all_settled()
{
	wait_until nobody_else_is_busy
}

nobody_else_is_busy()
{
	curl -sS --max-time 5 -H "Authorization: Bearer $chief_key" \
		"$base/metrics" | grep -c -e '^tailgate_requests_open 1$' \
		-e '^tailgate_ledger_waiting 0$' \
		-e '^tailgate_log_waiting 0$' | grep -qx 3
}

# body, header NAME: of the last response.
body()
{
	cat "$dir/body"
}

header()
{
	tr -d '\r' <"$dir/head" | awk -v name="$1" '
		/^HTTP\// { value = "" }
		{
			colon = index($0, ":")
			if (colon > 0 && tolower(substr($0, 1, colon - 1)) == \
			    tolower(name)) {
				value = substr($0, colon + 1)
				sub(/^[ \t]*/, "", value)
			}
		}
		END { print value }'
}

# error_is STATUS CODE: the last response is this error, in the documented
# shape: all four members, code a string.
error_is()
{
	error_text=$(tr -d '\n' <"$dir/body")
	[ "$status" = "$1" ] || {
		echo "status is $status, not $1: $error_text"
		return 1
	}
	for member in message type param code; do
		case $error_text in
		*"\"$member\":"*) ;;
		*)
			echo "no $member in $error_text"
			return 1
			;;
		esac
	done
	printf '%s\n' "$error_text" |
		grep -E -q "\"code\": ?\"$2\"" || {
		echo "code is not $2: $error_text"
		return 1
	}
}

# chat SCRIPT [more members]: the JSON of a chat request for the stub.
chat()
{
	printf '{"model":"stub/%s","messages":[{"role":"user",' "$1"
	printf '"content":"hello"}]%s}' "${2:+,$2}"
}

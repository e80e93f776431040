# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The sandbox of real processes: those that lighttpd starts, and those of each
# role when lighttpd starts the break-out test instead.  A debugger then makes a
# real worker try what an attacker would who has taken it over.
. "${abs_srcdir:-.}/tests/lib.sh"

need lighttpd
[ -r /proc/self/status ] || skip_all 'no /proc'
grep -q '^CFLAGS = .*sanitize' "$abs_builddir/Makefile" &&
	skip_all 'sanitizers need what the cage forbids'

printf 'sk-MARKCAGEDKEY\n' >"$dir/provider.secret"
chmod 600 "$dir/provider.secret"
start_upstream stub
stub_more="key = { file = \"$dir/provider.secret\"; };"
stub_config
add_client anna

# under PROGRAM: lighttpd spawns it, with the shipped file.
under()
{
	lighttpd_conf "$dir/spawn.lighttpd" <<-END
		var.tailgate_program = "$1"
		var.tailgate_socket = "$dir/spawned"
		include "$abs_srcdir/contrib/lighttpd/spawn.conf"
	END
	start_lighttpd "$dir/spawn.lighttpd"
}

# --- What the kernel says of the gateway's processes --------------------------

under "$TAILGATE_FCGI -f $conf"
# More than once, so that every worker has held the provider's key.
for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
	post /v1/chat/completions "$(chat plain)"
done
is 'spawned by lighttpd: it serves' "$status" 200
parent=$(children "$lighttpd_pid" | head -n 1)

# of PID FIELD: from its status.
of()
{
	awk -v field="$2:" '$1 == field { print $2 }' "/proc/$1/status"
}

# left_out PID: it has memory that is left out of core files, and wiped in a
# child.
left_out()
{
	awk '/^VmFlags:/ && / dd / && / wf / { found = 1 }
		END { exit !found }' "/proc/$1/smaps"
}

force=$("$TAILGATE" -f "$conf" status | sed -n 's/^sandbox: //p')
detail "in force: $force"
ledgers=$(keeper_of "$parent")
check 'it has a process for its ledger' test -n "$ledgers"
for pid in "$parent" $ledgers $(workers_of "$parent"); do
	case $pid in
	"$parent") name=parent ;;
	"$ledgers") name="the ledger's" ;;
	*) name=worker ;;
	esac
	is "$name: no core file" \
		"$(awk '/^Max core file size/ { print $5, $6 }' \
			"/proc/$pid/limits")" '0 0'
	# The owner of /proc/PID is root's once a process is not dumpable.
	if [ "$(id -u)" -ne 0 ]; then
		check_not "$name: no process of its user looks into it" \
			head -c 1 "/proc/$pid/environ"
	fi
	case $force in
	*no_new_privs*) is "$name: no new privileges" "$(of "$pid" NoNewPrivs)" 1 ;;
	esac
	case $force in
	*calls*) is "$name: a filter of system calls" "$(of "$pid" Seccomp)" 2 ;;
	esac
done
is 'the web server itself has none' "$(of "$lighttpd_pid" Seccomp)" \
	"$(of $$ Seccomp)"
worker=$(workers_of "$parent" | head -n 1)
# Only a process that may look into it can tell; a debugger of root may.
if head -c 1 "/proc/$worker/smaps" >/dev/null 2>&1; then
	check "a worker's keys are in memory that no core file has, nor a child" \
		left_out "$worker"
fi

# --- Who else has the user of the gateway ---------------------------------------

# The same user does not look into its processes: as root, which may, one that
# another user runs.
nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'
if [ "$(id -u)" -eq 0 ] && $nobody test -x "$TAILGATE_FCGI" 2>/dev/null; then
	mkdir "$dir/nobody"
	sed "s|\"$dir/run\"|\"$dir/nobody/run\"|
		s|\"$dir/state\"|\"$dir/nobody/state\"|
		s|\"$dir/spool\"|\"$dir/nobody/spool\"|
		s|$dir/provider.secret|$dir/nobody/secret|
		s|\"$dir/clients.conf\"|\"\"|" "$conf" >"$dir/nobody/conf"
	mkdir "$dir/nobody/run" "$dir/nobody/state" "$dir/nobody/spool"
	cp "$dir/provider.secret" "$dir/nobody/secret"
	chown -R 65534:65534 "$dir/nobody"
	# shellcheck disable=SC2086 # words
	spawn others $nobody "$TAILGATE_FCGI" -f "$dir/nobody/conf" \
		-s "$dir/nobody/sock"
	wait_until -t 60 -p "$others_pid" "$bin/listen" -c "$dir/nobody/sock" ||
		broken "it does not start as nobody: $(cat "$dir/others.log")"
	wait_until file_has "$dir/others.log" 'info: serving'
	for pid in "$others_pid" $(children "$others_pid"); do
		# shellcheck disable=SC2086 # words
		check_not "$(cat "/proc/$pid/comm"): nobody of its user looks into it" \
			$nobody head -c 1 "/proc/$pid/environ"
	done
	# shellcheck disable=SC2086 # words
	check_not 'nobody of its user holds the lock of the ledger by reading it' \
		$nobody flock -n "$dir/nobody/state/ledger.jsonl.lock" true
	stop "$others_pid"
fi

# --- A worker is taken over ---------------------------------------------------

# forced_call PID CALL: what it returns there.
forced_call()
{
	gdb -q -batch -nx -p "$1" -ex 'set unwindonsignal on' \
		-ex "print $2" >"$dir/gdb" 2>&1 </dev/null
	# shellcheck disable=SC2016 # gdb's
	sed -n 's/^\$1 = \(-\{0,1\}[0-9]*\).*/\1/p' "$dir/gdb"
}

open='((int(*)(const char *, int, int))open)'
execl='((int(*)(const char *, const char *, void *))execl)'
# tries PID: each line is a name, a path and the flags to open it with.
tries()
{
	while IFS='|' read -r what path flags; do
		[ "$flags" != 0 ] || [ -e "$path" ] || broken "no $path"
		is "$name that was taken over never $what" \
			"$(forced_call "$1" "$open(\"$path\", $flags, 0600)")" -1
	done
}

if [ "$(id -u)" -eq 0 ] && command -v gdb >/dev/null &&
	[ "$(forced_call "$worker" '((int(*)(void))getpid)()')" = "$worker" ]
then
	# A process without restrictions on files may: so the failures below
	# have a cause.
	is 'a debugger opens in the parent what root may open' "$(forced_call \
		"$parent" "$open(\"/etc/shadow\", 0, 0) > 2")" 1
	case $force in
	*files*)
		name='a worker'
		is 'a worker reads the ledger' "$(forced_call "$worker" \
			"$open(\"$dir/state/ledger.jsonl\", 0, 0) > 2")" 1
		tries "$worker" <<-END
			reads /etc/shadow|/etc/shadow|0
			reads the clients file|$dir/clients.conf|0
			reads the configuration|$conf|0
			reads its key again|$dir/provider.secret|0
			reads its parent's memory|/proc/$parent/mem|0
			writes the ledger|$dir/state/ledger.jsonl|1
			writes where it likes|$dir/mine|65
		END
		name="the ledger's process"
		is "the ledger's process writes it" "$(forced_call "$ledgers" \
			"$open(\"$dir/state/ledger.jsonl\", 1025, 0) > 2")" 1
		tries "$ledgers" <<-END
			reads the clients file|$dir/clients.conf|0
			reads a key|$dir/provider.secret|0
			writes to runtime_dir|$dir/run/mine|65
		END
		is "the ledger's process connects nowhere" "$(forced_call \
			"$ledgers" '((int(*)(int, int, int))socket)(2, 1, 0)')" -1
		;;
	esac
	if command -v gcore >/dev/null; then
		for pid in $(workers_of "$parent"); do
			gcore -o "$dir/core" "$pid" >/dev/null 2>&1 </dev/null
			check 'a core that a debugger makes holds the rest' \
				grep -q -a "$stub_port" "$dir/core.$pid"
			check_not 'and not the key, wherever it was used' \
				grep -q -a MARKCAGEDKEY "$dir/core.$pid"
			rm -f "$dir/core.$pid"
		done
	fi
	case $force in
	*calls*)
		forced_call "$worker" "$execl(\"/bin/sh\", \"sh\", 0)" >"$dir/rc"
		# A shell would go on under its number.
		check 'a worker that was taken over ends when it runs a shell' \
			wait_until pid_died "$worker"
		;;
	esac
	# It has a successor, and the others did not notice.
	post /v1/chat/completions "$(chat plain)"
	is 'and the gateway serves' "$status" 200
fi
stop_server

# --- Each role, in the web server's place for it ------------------------------

cat >"$dir/breakout" <<-END
	#!/bin/sh
	"$bin/unit/sandbox_test" >"$dir/broken.out" 2>&1
	echo "ended \$?" >>"$dir/broken.out"
	exec sleep 150
END
chmod 755 "$dir/breakout"
under "$dir/breakout"
check 'the break-out test, spawned by lighttpd, ends' \
	wait_until -t 120 file_has "$dir/broken.out" '^ended'
is 'and no role breaks out' "$(grep -c '^not ok' "$dir/broken.out")" 0
like 'in as many tries as there are' "$(tail -n 3 "$dir/broken.out" |
	tr '\n' ' ')" '1\.\.[1-9][0-9][0-9].*ended 0'
stop_server
finish

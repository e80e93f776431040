# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# From one version of the program to another and back, while it serves.  No
# request is refused, stalled or cut, the process id stays, and budgets and
# slots survive, although the other version (tests/other) keeps all files in
# runtime_dir in another format.  A new program that does not work changes
# nothing.
. "${abs_srcdir:-.}/tests/lib.sh"

need curl flock lighttpd

shape= # two workers, and threads for all streams of this test

start_upstream stub -n
# 11 tokens in and 20 out are 31 millionths of a dollar.
price='price = { input = 1.0; output = 1.0; };'
stub_more='limit = "gpu";'
more="limits = ( { name = \"gpu\"; slots = 40; queue = 64; wait = 30; },
	  { name = \"one\"; slots = 1; queue = 8; wait = 30; } );
	body = { spool_dir = \"$dir/spool\"; };"
more_providers=", { name = \"single\"; place = \"local\"; url = \"$stub_url\";
	  limit = \"one\"; circuit = { failures = 0; }; },
	{ name = \"cloud\"; place = \"external\"; url = \"$stub_url\"; }"
more_models=", { id = \"priced\"; targets = ( { provider = \"stub\";
	  model = \"n=20,delay=5\"; $price } ); budget = { usd_per_day = 100.0; }; },
	{ id = \"minute\"; targets = ( { provider = \"stub\";
	  model = \"n=20,delay=8\";
	  $price } ); budget = { requests_per_minute = 700; }; },
	{ id = \"once\"; targets = ( { provider = \"stub\"; model = \"gate,n=3\";
	  } ); budget = { concurrent = 1; }; },
	{ id = \"slot\"; targets = ( { provider = \"single\";
	  model = \"gate,n=3\"; } ); },
	{ id = \"outside\"; place = \"external\"; targets = (
	  { provider = \"cloud\"; model = \"plain\"; } ); }"
stub_config
add_client anna --place external
add_client chief --operator
key=$anna_key

# install FILE: as `make install` does, which renames.
program=$dir/sbin/tailgate.fcgi
mkdir "$dir/sbin"
install_program()
{
	cp "$1" "$program.new"
	chmod 755 "$program.new"
	mv "$program.new" "$program"
}

install_program "$TAILGATE_FCGI"
own_program=$TAILGATE_FCGI
TAILGATE_FCGI=$program
start_tailgate
start_lighttpd
host=${base#http://}
own_version=$("$own_program" --version | sed 's/.* //')

# serving VERSION: by it, and by nothing before it.
serving()
{
	curl -s --max-time 5 -H "Authorization: Bearer $chief_key" \
		"$base/metrics" | grep -q "^tailgate_info{version=\"$1\"} 1$"
}

# to FILE VERSION: an upgrade; true when its workers serve.
to()
{
	before=$(grep -c "version $2 has taken over" "$dir/tailgate.log")
	install_program "$1"
	kill -HUP "$tailgate_pid"
	wait_until -p "$tailgate_pid" taken_over "$2" "$before" &&
		wait_until -p "$tailgate_pid" serving "$2"
}

taken_over()
{
	[ "$(grep -c "version $1 has taken over" "$dir/tailgate.log")" -gt "$2" ]
}

count()
{
	sed -n "s/.*\\b$2=\\([0-9]*\\).*/\\1/p" "$dir/$1"
}

# held NAME MODEL [-w]: a stream that waits at the stub's gate, in $dir/NAME;
# -w: it may wait before that.
held()
{
	: >"$dir/$1"
	curl -sN --max-time 60 -H "Authorization: Bearer $key" \
		-H 'Content-Type: application/json' --data-binary \
		"{\"model\":\"$2\",\"stream\":true,\"max_tokens\":20,
		\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}" \
		"$base/v1/chat/completions" >"$dir/$1" 2>&1 &
	adopt "$1" $!
	[ "${3:-}" = -w ] ||
		wait_until -p "$pid" file_longer "$dir/$1" 100
}

# whole NAME: it ends, and well.
whole()
{
	eval "wait \$${1}_pid; forget \$${1}_pid"
	grep -q '\[DONE\]' "$dir/$1"
}

ask()
{
	post /v1/chat/completions "{\"model\":\"$1\",\"max_tokens\":20,
		\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
}

workers()
{
	workers_of "$tailgate_pid" | wc -l
}

# Two workers, and the ledger's process.
settled()
{
	[ "$(workers)" -eq 2 ] &&
		[ "$(keeper_of "$tailgate_pid" | wc -l)" -eq 1 ]
}

# Filters of system calls stay over an execve.
filters()
{
	awk '$1 == "Seccomp_filters:" { print $2 }' \
		"/proc/$tailgate_pid/status" 2>/dev/null
}
filters_at_start=$(filters)

# --- There and back under load ------------------------------------------------

"$load" -c 12 -e '[DONE]' -k "$key" -b "$(chat n=400,ms=25 '"stream":true')" \
	"$host" >"$dir/long" 2>&1 &
adopt long $!
check 'twelve streams run' wait_until -p "$long_pid" \
	stat_reaches stub in_flight 12
"$load" -c 8 -n 10000000 -k "$key" -b '{"model":"priced","max_tokens":20,
	"messages":[{"role":"user","content":"hi"}]}' "$host" \
	>"$dir/short" 2>&1 &
adopt short $!
check 'requests go through' wait_until -p "$short_pid" \
	file_longer "$dir/state/ledger.jsonl" 100000
check 'the other version takes over' to "$bin/other" 99.0.0
check 'under the same process id' alive "$tailgate_pid"
check 'this one takes over again' to "$own_program" "$own_version"
check 'and the other again' to "$bin/other" 99.0.0
is 'an upgrade adds no filter of system calls' "$(filters)" \
	"$filters_at_start"
check 'the load went on until now' alive "$short_pid"
check 'and so did the streams' alive "$long_pid"
kill -USR1 "$short_pid" # it begins no other one
wait "$short_pid"
forget "$short_pid"
wait "$long_pid"
forget "$long_pid"
detail "$(cat "$dir/long" "$dir/short")"
is 'no stream was cut' "$(count long complete) $(count long failed)" '12 0'
is 'no request was lost' "$(count short complete) $(count short failed)" \
	"$(count short started) 0"
at_most 'none waited long, in us' "$(count short max_us)" 5000000
check 'the workers before them are gone' wait_until settled

# --- A bound of requests, over both versions ----------------------------------

# Counted while two versions serve, 700 are 700.
"$load" -c 4 -d 50 -n 2500 -k "$key" -b '{"model":"minute",
	"max_tokens":20,"messages":[{"role":"user","content":"hi"}]}' "$host" \
	>"$dir/bound" 2>&1 &
adopt bound $!
check 'requests of a bounded model go through' wait_until -p "$bound_pid" \
	grep -q '"route":"minute"' "$dir/state/ledger.jsonl"
check 'this version takes over' to "$own_program" "$own_version"
wait "$bound_pid"
forget "$bound_pid"
detail "$(cat "$dir/bound")"
is 'what may be asked in a minute, and no more' "$(count bound complete)" 700
all_settled

# --- Slots and places stay held
# --------------------------------------------------

tell stub reset >/dev/null
held first once
check 'a stream holds the only place' test -s "$dir/first"
held slot slot
held next slot -w
check 'another waits for a slot' wait_until stat_is stub in_flight 2
check 'the other version takes over, with both at work' \
	to "$bin/other" 99.0.0
ask once
check 'the place is still held' error_is 429 rate_limit_exceeded
is 'and the slot: no other request got it' "$(stat stub in_flight)" 2
check 'back again, with both at work' to "$own_program" "$own_version"
ask once
check 'held still, by a version before the last' \
	error_is 429 rate_limit_exceeded
tell stub release >/dev/null
check 'the stream ends well' whole first
check 'so does the one with the slot' whole slot
check 'the waiting request has it now' wait_until -p "$next_pid" \
	file_longer "$dir/next" 100
tell stub release >/dev/null
check 'and ends well' whole next
free_again()
{
	held again once
	grep -q '^data' "$dir/again" || {
		wait "$again_pid"
		forget "$again_pid"
		return 1
	}
}
check 'the place is free again' wait_until free_again
tell stub release >/dev/null
check 'for one that ends well' whole again

# --- Nothing was lost, nothing counted twice ----------------------------------

check 'the old workers are gone' wait_until settled
stop "$tailgate_pid"
${TAILGATE_UNDER:-} "$bin/budget_look" "$conf" >"$dir/counted"
rm "$dir/run/budget"
rm -f "$dir/run/budget.journal"
${TAILGATE_UNDER:-} "$bin/budget_look" "$conf" >"$dir/in_ledger"
same 'the budgets say what the ledger says' "$dir/counted" "$dir/in_ledger"
detail "$(cat "$dir/counted" "$dir/in_ledger")"
check 'the chain of the ledger holds' "$TAILGATE" -f "$conf" usage --verify

# --- A new program that is no good --------------------------------------------

start_tailgate
check 'served again' wait_until serves

# --- While the ledger is stuck ------------------------------------------------

# Requests that would leave are refused; those that stay are served and counted
# here.
stuck()
{
	ask priced
	[ "$status" = 200 ] && asked=$((asked + 1))
	ask outside
	error_is 503 ledger_unavailable
}

# How many requests are recorded as served, or counted: a worker that ends waits
# for the ledger no longer than 2 seconds.
recorded()
{
	awk '/"status":200/ { n++ }
		/"gap":/ { sub(/.*"lost":/, ""); n += $0 }
		END { print n + 0 }' "$dir/state/ledger.jsonl"
}

recorded_are()
{
	[ "$(recorded)" -ge "$1" ]
}

all_settled
before_lines=$(recorded)
asked=0
lock_ledger "$dir/state/ledger.jsonl"
check 'stuck: what would leave is refused' wait_until -t 60 stuck
check 'stuck: an upgrade takes over' to "$own_program" "$own_version"
for n in 1 2 3 4 5; do
	ask priced
	[ "$status" = 200 ] && asked=$((asked + 1))
done
is 'stuck: it serves' "$status" 200
check 'stuck: and refuses what would leave' wait_until -t 60 stuck
check 'stuck: another one as well' to "$own_program" "$own_version"
check 'stuck: which refuses that, too' wait_until -t 60 stuck
"$load" -c 4 -n 400 -k "$key" -b '{"model":"priced","max_tokens":20,
	"messages":[{"role":"user","content":"hi"}]}' "$host" >"$dir/stuck" 2>&1
is 'stuck: four hundred more are served' \
	"$(count stuck complete) $(count stuck failed)" '400 0'
asked=$((asked + 400))
unlock_ledger
outside_served()
{
	ask outside
	[ "$status" = 200 ] && asked=$((asked + 1))
}
check 'stuck no more: what leaves is served' wait_until -t 60 outside_served
check 'stuck no more: the old workers are gone' wait_until settled
check 'stuck no more: each request is recorded or counted' \
	wait_until recorded_are $((before_lines + asked))
detail "$before_lines before, $asked asked, $(recorded) recorded or counted;" \
	"$(grep -c '"gap":' "$dir/state/ledger.jsonl") gaps"
check 'stuck no more: and the chain holds' "$TAILGATE" -f "$conf" usage \
	--verify


# refused WHAT ERE: the program that was put there changes nothing.
refused()
{
	kill -HUP "$tailgate_pid"
	check "$1: the log says why" wait_until -p "$tailgate_pid" \
		file_has "$dir/tailgate.log" "$2"
	check "$1: this version goes on" wait_until serving "$own_version"
	post /v1/chat/completions "$(chat plain)"
	is "$1: and serves" "$status" 200
}

# The same, but it was in our place already.
went_back()
{
	before=$(grep -c "version $own_version has taken over" \
		"$dir/tailgate.log")
	refused "$@"
	check "$1: with workers of its own again" \
		wait_until -p "$tailgate_pid" taken_over "$own_version" \
		"$before"
}

cat >"$dir/refuses" <<'END'
#!/bin/sh
echo 'no such luck'
exit 1
END
install_program "$dir/refuses"
refused 'it refuses' 'the new program says: no such luck'

echo 'not a program' >"$dir/nonsense"
install_program "$dir/nonsense"
refused 'it is no program' 'the new program does not accept'

# A part of one, as a copy that ended too early leaves it.
tried_again()
{
	[ "$(grep -c 'the old one goes on' "$dir/tailgate.log")" -gt "$1" ]
}
head -c 20000 "$own_program" >"$dir/part"
install_program "$dir/part"
before=$(grep -c 'the old one goes on' "$dir/tailgate.log")
kill -HUP "$tailgate_pid"
check 'it is a part of a program: the log says that this one stays' \
	wait_until -p "$tailgate_pid" tried_again "$before"
check 'it is a part of a program: and it does' wait_until serving "$own_version"

cat >"$dir/dies" <<'END'
#!/bin/sh
kill -SEGV $$
END
install_program "$dir/dies"
refused 'it dies in its check' 'the new program died of signal 11'

install_program "$bin/other"
mv "$dir/clients.conf" "$dir/clients.kept"
refused 'its clients file is gone' 'says: .*/clients.conf is gone; if it shall'
mv "$dir/clients.kept" "$dir/clients.conf"

cat >"$dir/no-config" <<END
#!/bin/sh
[ "\$1" = --prove ] && exit 0
exec "$bin/other" -f "$dir/none.conf" -s "$socket"
END
install_program "$dir/no-config"
went_back 'it finds no configuration after all' 'none.conf'

# Its directory of slots can't be one.
sed "s|^runtime_dir.*|runtime_dir = \"$dir/bad-run\";|" "$conf" \
	>"$dir/bad.conf"
mkdir -m 755 "$dir/bad-run"
echo >"$dir/bad-run/slots"
cat >"$dir/no-workers" <<END
#!/bin/sh
[ "\$1" = --prove ] && exit 0
exec "$bin/other" -f "$dir/bad.conf" -s "$socket"
END
install_program "$dir/no-workers"
went_back 'its workers cannot start' \
	'the workers of version 99.0.0 can.t start; the previous program goes on'
check 'under the same process id still' alive "$tailgate_pid"
check 'a good one takes over after all that' to "$bin/other" 99.0.0

stop "$tailgate_pid"
is 'it ends well' $? 0
check_not 'its socket is gone' test -e "$socket"

# --- Killed in the midst ------------------------------------------------------

# again WHAT [cut]: a supervisor starts it again, with a good program; what was
# spent is known, and all places are free.  cut: the running stream may be cut,
# because its worker was ending already.
again()
{
	tell stub release >/dev/null
	if [ "${2:-}" = cut ]; then
		wait "$held_pid" 2>/dev/null
		forget "$held_pid"
	else
		check "$1: the stream that ran goes on to its end" whole held
	fi
	check "$1: then none of its processes is left" wait_until -t 60 all_gone
	wait "$tailgate_pid" 2>/dev/null
	forget "$tailgate_pid"
	install_program "$own_program"
	start_tailgate
	check "$1: started again, it serves" wait_until serves
	ask priced
	is "$1: with its budgets" "$status" 200
	check "$1: the only place is free" wait_until free_again
	tell stub release >/dev/null
	check "$1: for one that ends well" whole again
	"$TAILGATE" -f "$conf" usage --verify >"$dir/verify" 2>&1
	unlike "$1: no line is torn" "$(cat "$dir/verify")" torn
}

all_gone()
{
	for one in $everybody; do
		! alive "$one" || return 1
	done
}

start_with_a_stream()
{
	install_program "$own_program"
	[ -z "${1:-}" ] || start_tailgate
	check 'served' wait_until serves
	held held once
	everybody=$(children "$tailgate_pid")
}

# While the new program is tried.
cat >"$dir/slow" <<END
#!/bin/sh
echo \$\$ >"$dir/trying"
exec sleep 60
END
start_with_a_stream start
install_program "$dir/slow"
kill -HUP "$tailgate_pid"
check 'it is being tried' wait_until test -s "$dir/trying"
adopt trying "$(cat "$dir/trying")"
kill -KILL "$tailgate_pid"
again 'the parent is killed as it tries another'

# The new one has the place of the old one, and dies before it serves.
cat >"$dir/short" <<'END'
#!/bin/sh
[ "$1" = --prove ] && exit 0
kill -KILL $$
END
start_with_a_stream
install_program "$dir/short"
kill -HUP "$tailgate_pid"
again 'the new one dies in our place'

# As its workers start.
start_with_a_stream
install_program "$bin/other"
kill -HUP "$tailgate_pid"
executed()
{
	[ "$(readlink "/proc/$tailgate_pid/exe")" = "$program" ] &&
		cmp -s "/proc/$tailgate_pid/exe" "$bin/other"
}
check 'the other one is there' wait_until -p "$tailgate_pid" executed
everybody="$everybody $(children "$tailgate_pid")"
kill -KILL "$tailgate_pid"
again 'it is killed as its workers start' cut
stop "$tailgate_pid"
is 'it ends well after all that' $? 0

# --- Started by lighttpd, and with a socket that was handed over --------------

stop_server
install_program "$own_program"
lighttpd_conf "$dir/spawn.lighttpd" <<END
var.tailgate_program = "$program -f $conf"
var.tailgate_socket = "$dir/spawned"
include "$abs_srcdir/contrib/lighttpd/spawn.conf"
END
start_lighttpd "$dir/spawn.lighttpd"
tailgate_pid=$(children "$lighttpd_pid" | head -n 1)
check 'lighttpd bin-path: served' wait_until serves
cp "$dir/tailgate.log" "$dir/earlier"
dir_log=$dir/lighttpd.log
install_program "$bin/other"
kill -HUP "$tailgate_pid"
check 'lighttpd bin-path: the other version takes over' \
	wait_until -p "$tailgate_pid" serving 99.0.0
is 'lighttpd bin-path: it is still the one child' \
	"$(children "$lighttpd_pid")" "$tailgate_pid"
detail "$(tail -n 3 "$dir_log")"
stop_server
check 'lighttpd bin-path: its end is the end of all' \
	wait_until pid_died "$tailgate_pid"

install_program "$own_program"
rm -f "$socket"
spawn tailgate "$bin/listen" -u "$socket" "$program" -f "$conf"
start_lighttpd
check 'LISTEN_FDS: served' wait_until serves
check 'LISTEN_FDS: the other version takes over' to "$bin/other" 99.0.0
stop "$tailgate_pid"
is 'LISTEN_FDS: it ends well' $? 0
finish

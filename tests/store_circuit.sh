# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Three hosts that share circuits through a store.  What one opens, all leave
# alone as soon as the engine has told them, and models that a provider limits
# as well.  Half open, one request in the whole fleet goes; its success closes
# the circuit for all, and its host's death ends its lease.  A host without a
# connection closes nothing for the others, unless a second one says the same; a
# host whose requests time out no more than one request takes.  While the engine
# is away, each host has its own circuits; afterwards all know what one had found
# out.  A request costs no call to the engine.
. "${abs_srcdir:-.}/tests/lib.sh"

# provider NAME COOLDOWN [URL]
provider()
{
	echo ", { name = \"$1\"; place = \"local\"; url = \"${3:-$stub_url}\";
	  timeouts = { first_byte = ${4:-60.0}; };
	  retries = 0; circuit = { failures = 3; cooldown = $2;
	  cooldown_max = 60.0; }; }"
}

more_providers()
{
	provider quick 2.0
	provider twice 6.0
	provider long 60.0
	provider lost 60.0
	provider late 60.0
	provider solo 2.0
	provider slow 8.0 '' 0.5
	# far and dead can't be reached by all.
	case $host in
	one)
		provider far 8.0 "$nobody_url"
		provider dead 8.0 "$nobody_url"
		;;
	two)
		provider far 8.0
		provider dead 8.0 "$nobody_url"
		;;
	*)
		provider far 8.0
		provider dead 8.0
		;;
	esac
}

models()
{
	comma=
	for m in quick twice long lost late solo slow far dead; do
		echo "$comma { id = \"$m/*\"; targets = (
		  { provider = \"$m\"; model = \"*\"; } ); }"
		comma=,
	done
}

. "$tests/store_hosts.sh"
reserve_port nobody
# Longer than this machine may stand still.
store_lease=15.0 store_timeout=1.8
start_hosts

# ask HOST MODEL: its status in $status.
ask()
{
	eval "base=\$${1}_base"
	key=$anna_key
	post /v1/chat/completions "{\"model\":\"$2\",\"messages\":[]}"
}

served()
{
	ask "$1" "$2/plain"
	[ "$status" = 200 ]
}

# left_alone HOST PROVIDER: it is refused, and not asked.
left_alone()
{
	ask "$1" "$2/plain"
	[ "$status" = 503 ] && error_is 503 provider_unavailable
}

# told HOST PROVIDER: the engine has said to it that all leave it alone, since
# its log was emptied.
told()
{
	file_has "$dir/$1.log" "provider $2: .*, left alone by all hosts for "
}

# state HOST PROVIDER
state()
{
	"$TAILGATE" -f "$dir/$1/tailgate.conf" status --json | jq -r \
		--arg p "$2" '.providers[] | select(.name == $p) | .state'
}

state_is()
{
	[ "$(state "$1" "$2")" = "$3" ]
}

# fail HOST MODEL: three times.
fail3()
{
	for n in 1 2 3; do
		ask "$1" "$2"
	done
}

calls()
{
	cli info commandstats | tr -d '\r' |
		sed -n 's/^cmdstat_\(evalsha\|eval\|publish\):calls=\([0-9]*\),.*/\2/p' |
		awk '{ n += $1 } END { print n + 0 }'
}

# many MODEL N: that many requests to each of the hosts at once; the responses
# in $dir/many.
many()
{
	rm -rf "$dir/many"
	mkdir "$dir/many"
	for host in one two three; do
		eval "base=\$${host}_base"
		n=0
		while [ $n -lt "$2" ]; do
			n=$((n + 1))
			echo "url = \"$base/v1/chat/completions\""
			echo "header = \"Authorization: Bearer $anna_key\""
			echo 'header = "Content-Type: application/json"'
			echo "data = \"{\\\"model\\\":\\\"$1\\\",\\\"messages\\\":[]}\""
			echo "output = \"$dir/many/$host.$n\""
			echo 'max-time = 60'
			echo next
		done
	done | sed '$d' >"$dir/many.curl"
	curl -sS --no-progress-meter -Z --parallel-max 100 \
		--parallel-immediate -K "$dir/many.curl" 2>"$dir/many.err" &
	adopt many $!
}

# lease_of PROVIDER: when the lease of its trial ends, by the engine's clock.
lease_of()
{
	cli hget 'tailgate:{circuits:all}' "c $1" | cut -d' ' -f3
}

# renewed PROVIDER MS: the lease ends later than $leased by that much.
renewed()
{
	[ "$(lease_of "$1")" -ge $((leased + $2)) ]
}

many_say()
{
	[ "$(cat "$dir/many"/* 2>/dev/null | grep -o "$2" | wc -l)" = "$1" ]
}

for host in one two three; do
	check "$host serves" wait_until served $host quick
done

# --- Opened by one -------------------------------------------------------------

before=$(calls)
for n in 1 2 3 4 5 6 7 8 9 10; do
	served one long
done
is 'requests cost no call' "$(calls)" "$before"
fail3 one long/500
calls_reach()
{
	[ "$(calls)" -ge "$1" ]
}
# One script, which publishes once.
wait_until calls_reach $((before + 2))
is 'an open circuit costs one' "$(calls)" $((before + 2))
check 'the host leaves it alone' left_alone one long
check 'so does another one' wait_until left_alone two long
check 'and the third' wait_until left_alone three long
is 'status says so' "$(state three long)" open
check 'the log says which host knows' wait_until file_has "$dir/two.log" \
	'provider long: error, says host one, left alone by all hosts'
is 'and no process asks the engine for it' "$(calls)" $((before + 2))

# --- Half open: one in the whole fleet -------------------------------------------

fail3 two quick/500
for host in one three; do
	check "$host hears of it" wait_until told $host quick
done
wait_until state_is one quick half-open
tell stub reset >/dev/null
many quick/stall-head 20
check 'of 60 on three hosts 59 are sent away' wait_until -p "$many_pid" \
	many_say 59 '"code":"provider_unavailable"'
is 'and one tries' "$(stat stub requests)" 1
tell stub release >/dev/null
wait "$many_pid"
forget "$many_pid"
check 'it is served' many_say 1 '"object":"chat.completion"'
for host in one two three; do
	check "and $host serves" wait_until served $host quick
done

# A trial that fails: twice as long for all.
fail3 three twice/500
wait_until -t 60 state_is one twice half-open
ask one twice/500
is 'a trial fails' "$status" 500
check 'all leave it alone again' wait_until left_alone three twice
like 'for twice as long' \
	"$(cli hget 'tailgate:{circuits:all}' 'c twice')" '^[0-9]* o [0-9]* 1 '
check 'then it is served again' wait_until -t 60 served two twice

# A probe is the trial that is due.
fail3 two quick/500
wait_until state_is three quick half-open
"$TAILGATE" -f "$dir/one/tailgate.conf" probe quick >"$dir/probe.out" 2>&1
is 'a probe' $? 0
like 'closes the circuit for all' \
	"$(cli hget 'tailgate:{circuits:all}' 'c quick')" '^[0-9]* c .* one -'
check 'they know' wait_until state_is three quick closed

# The host whose request tries is killed.
fail3 three quick/500
wait_until state_is three quick half-open
tell stub reset >/dev/null
many_base=$two_base
curl -s -o /dev/null --max-time 60 -H "Authorization: Bearer $anna_key" \
	-H 'Content-Type: application/json' \
	--data-binary '{"model":"quick/stall-head","messages":[]}' \
	"$many_base/v1/chat/completions" &
adopt trial $!
check 'one tries' wait_until stat_is stub in_flight 1
check 'no other host does' left_alone one quick
leased=$(lease_of quick)
check 'its lease is renewed' wait_until -t 20 renewed quick 3000
check 'so no other host does, however long it takes' left_alone one quick
is 'for there is one still' "$(stat stub requests)" 1
"$TAILGATE" -f "$dir/one/tailgate.conf" probe quick >"$dir/probe.out" 2>&1
like 'a probe does not take it away' \
	"$(cli hget 'tailgate:{circuits:all}' 'c quick')" '^[0-9]* t .* two -'
# shellcheck disable=SC2046 # numbers
kill -KILL "$two_pid" $(children "$two_pid")
wait "$two_pid" 2>/dev/null
forget "$two_pid"
check 'its host killed, another one may after the lease' \
	wait_until -t 90 served one quick
tell stub release >/dev/null
wait "$trial_pid"
forget "$trial_pid"
pool two
check 'the killed host starts again' wait_until -t 20 served two quick

# --- A model that the provider limits ----------------------------------------------

ask one lost/429,retry=20
is 'one model is limited' "$status" 429
tell stub reset >/dev/null
limited()
{
	ask "$1" lost/429,retry=20
	[ "$status" = 503 ]
}
check 'another host leaves that model alone' wait_until limited three
at_most 'having asked once at the most' "$(stat stub requests)" 1
check 'and not the others' served three lost

# --- What one host can't reach ---------------------------------------------------

fail3 one far/plain
check 'a host without a connection leaves it alone' left_alone one far
check 'the others go on' served two far
check 'and the third' served three far
fail3 two far/500
check 'if it fails for all, all leave it alone' wait_until told three far
wait_until -t 60 state_is three far half-open
ask one far/plain
detail "$(cli hget 'tailgate:{circuits:all}' 'c far')"
check 'a trial of the host without a connection closes nothing' \
	wait_until served three far
check 'for another' wait_until served two far
check_not 'it stays without' served one far

fail3 one dead/plain
check 'one of two' served three dead
fail3 two dead/plain
check 'two say the same: all leave it alone' wait_until told three dead
check 'until one is served' wait_until -t 60 served three dead

# --- What hangs for one host -------------------------------------------------------

row_is()
{
	cli hget 'tailgate:{circuits:all}' "c $1" | grep -E -q "$2"
}
fail3 one slow/stall-head
is 'three time out' "$status" 504
check 'the host leaves it alone' left_alone one slow
check 'the engine knows that it is alone with that' \
	wait_until row_is slow '^[0-9]+ o [0-9]+ 0 - one '
check 'one request of another host tries' served two slow
check 'so all others go on' wait_until served three slow
check 'and the engine knows who was wrong' row_is slow '^[0-9]+ c 0 0 - one [1-9]'
check_not 'it still leaves it alone' served one slow
wait_until -t 60 state_is one slow half-open
ask one slow/stall-head
is 'its next try times out, too' "$status" 504
said()
{
	cli hget 'tailgate:{circuits:all}' 'd slow' | grep -q '^one '
}
check 'which is only noted' wait_until said
check 'and takes nothing from the others' row_is slow '^[0-9]+ c '
check 'who go on' served three slow
fail3 two slow/stall-head
check 'a second host times out: all leave it alone' \
	wait_until -t 1 left_alone three slow
like 'until its cooldown is over' \
	"$(cli hget 'tailgate:{circuits:all}' 'c slow')" '^[0-9]* o [0-9]* 0 - - 0 '
tell stub release >/dev/null
check 'then it is served' wait_until -t 60 served three slow

# --- The engine is away ----------------------------------------------------------

kill -KILL "$engine_pid"
wait "$engine_pid" 2>/dev/null
forget "$engine_pid"
fail3 one lost/500
check 'engine killed: a host has its own circuit' left_alone one lost
check 'the others theirs' served two lost
fail3 one quick/500
check 'half open without the engine' wait_until -t 20 served one quick
start_engine
check 'it is back, empty: all know what one knew' \
	wait_until left_alone two lost
check 'and the third' wait_until left_alone three lost
check 'the other is served' served three quick

# --- One host is cut off from the engine -------------------------------------------

fleet_row()
{
	cli hget 'tailgate:{circuits:all}' "c $1"
}

store_away()
{
	[ "$("$TAILGATE" -f "$dir/$1/tailgate.conf" status --json |
		jq .store.away)" = "$2" ]
}

# What the engine knows is older than what the host finds out.
cli hset 'tailgate:{circuits:all}' 'c late' \
	"$(cli time | head -n 1)000 c 0 0 - - 0 0 three -" >/dev/null
pause_process "$relay_one_pid"
check 'a host is cut off' wait_until -t 20 store_away one 2
fail3 one late/500
check 'it has its own circuit' left_alone one late
check 'the others theirs' served two late
fail3 one solo/500
check 'half open without the engine' wait_until state_is one solo half-open
resume_process "$relay_one_pid"
check 'it is back' wait_until -t 20 store_away one 0
check 'what it knew is newer, so all know it' \
	wait_until left_alone two late
check 'it keeps it, too' left_alone one late

is 'of what is over the engine knows nothing' "$(fleet_row solo)" ''
tell stub reset >/dev/null
curl -s -o /dev/null --max-time 60 -H "Authorization: Bearer $anna_key" \
	-H 'Content-Type: application/json' \
	--data-binary '{"model":"solo/stall-head","messages":[]}' \
	"$one_base/v1/chat/completions" &
adopt alone $!
check 'one request of the host tries' wait_until stat_is stub in_flight 1
like 'the engine knows whose' "$(fleet_row solo)" ' t .* one quiet$'
check 'for the others it stays as it was' served two solo
tell stub release >/dev/null
wait "$alone_pid"
forget "$alone_pid"
row_is_closed()
{
	fleet_row "$1" | grep -q '^[0-9]* c '
}
check 'its success is known' wait_until row_is_closed solo

# --- An engine that stands still, and one with an old snapshot ------------------------

pause_process "$engine_pid"
for host in one two three; do
	check "the engine stands still: $host serves" served $host quick
done
resume_process "$engine_pid"
for host in one two three; do
	wait_until -t 20 store_away $host 0
done
# In the snapshot, all leave it alone for five minutes more.
at=$(cli time | head -n 1)
cli hset 'tailgate:{circuits:all}' 'c twice' \
	"${at}000 o $((at + 300))000 0 - - 0 0 three -" >/dev/null
is 'a snapshot has it' "$(cli save)" OK
stop "$engine_pid" KILL
start_engine
for host in one two three; do
	wait_until -t 20 store_away $host 0
done
dropped()
{
	[ "$(fleet_row twice)" = '' ]
}
check 'an old snapshot is dropped' wait_until dropped
for host in one two three; do
	check "what it had of circuits holds for nobody: $host" \
		served $host twice
done

finish

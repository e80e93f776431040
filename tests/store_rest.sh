# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Three hosts that share circuits, in two odd cases.  The engine's clock is set
# back by an hour: what a provider limits after that is still told to all, and
# nothing lasts for longer than it should.  A provider's host sleeps: that is no
# failure for the fleet, also if it can't be woken from one host.
. "${abs_srcdir:-.}/tests/lib.sh"

more_providers()
{
	echo ", { name = \"far\"; place = \"local\"; url = \"$stub_url\";
	  retries = 0; circuit = { failures = 3; cooldown = 4.0; cooldown_max = 60.0; };
	}, { name = \"nap\"; place = \"local\";"
	[ "$host" = one ] && echo "url = \"$nobody_url\";" ||
		echo "url = \"$stub_url\";"
	echo "retries = 0; circuit = { failures = 3; cooldown = 60.0; };
	  wake = { mac = \"02:00:00:00:00:01\"; address = \"127.0.0.1\"; };
	  wake_wait = ${nap_wait:-0}; }"
}

models()
{
	echo '{ id = "far/*"; targets = ( { provider = "far"; model = "*"; } ); },
	{ id = "nap/*"; targets = ( { provider = "nap"; model = "*"; } ); }'
}

. "$tests/store_hosts.sh"
reserve_port nobody
truncate -s 64 "$dir/clock"
# shellcheck disable=SC2089 # words
engine_env="LD_PRELOAD=$clock_preload TAILGATE_TEST_CLOCK=$dir/clock"
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
	ask "$1" "$2"
	[ "$status" = 200 ]
}

for host in one two three; do
	check "$host serves" wait_until served $host far/plain
done

# --- The engine's clock is set back ---------------------------------------------

# row NAME: what the engine knows.
row()
{
	cli hget 'tailgate:{circuits:all}' "$1"
}

# limited HOST MODEL: it is refused, and not asked.
limited()
{
	ask "$1" "$2"
	[ "$status" = 503 ] && error_is 503 provider_unavailable
}

ask one far/429,retry=3
is 'a model is limited' "$status" 429
check 'another host leaves it alone' wait_until limited three far/429,retry=3
printf '%-12d\n' -3600 | dd of="$dir/clock" conv=notrunc 2>"$dir/dd.log"
again()
{
	ask one far/429,retry=3
	[ "$status" = 429 ]
}
# told: the engine has a rest that ends within the next three seconds.
told()
{
	cli hgetall 'tailgate:{circuits:all}' | tr -d '\r' |
		awk -v now="$(cli time | head -n 1)" '
		rest { left = $2 / 1000 - now; if (left > 0 && left < 4) ok = 1 }
		{ rest = /^h / }
		END { exit !ok }'
}
check_not 'the rest that the engine has ends in an hour' told
check 'after its time it is tried again, and limited' wait_until again
# The rest may have ended before we look.
told_again()
{
	told && return
	again
	return 1
}
check 'the engine knows it although its clock is an hour back' \
	wait_until told_again
check 'another host does' wait_until limited two far/429,retry=3

for n in 1 2 3; do
	ask one far/500
done
check 'a circuit opens for all' wait_until file_has "$dir/two.log" \
	'provider far: .*, left alone by all hosts for '
printf '%-12d\n' -7200 | dd of="$dir/clock" conv=notrunc 2>"$dir/dd.log"
check 'the clock is set back again: it does not stay open' \
	wait_until served two far/plain
printf '%-12d\n' 0 | dd of="$dir/clock" conv=notrunc 2>"$dir/dd.log"
check 'it is put right: nothing changes' served three far/plain

# --- A host that sleeps -----------------------------------------------------------

for n in 1 2 3 4; do
	ask one nap/plain
done
check 'a host that sleeps is refused by name' error_is 503 provider_waking
is 'the engine hears of no failure' "$(row 'c nap')$(row 'd nap')" ''
check 'the others are served' served two nap/plain
check 'all of them' served three nap/plain

finish

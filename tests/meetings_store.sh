# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Where rules meet at the store (tests/meetings.sh has the others): a budget that
# hosts share and a gateway that asks them, and an upgrade while the store is
# away.  The budget is never exceeded, refusals have their names, nobody is
# blamed, nothing is lost.
. "${abs_srcdir:-.}/tests/lib.sh"

models()
{
	for phase in chain upgrade; do
		echo "${comma:-} { id = \"$phase\"; targets = ( { provider = \"stub\";
		  model = \"n=20,delay=2\"; price = { input = 30.0; output = 30.0; };
		} ); budget = { usd_per_day = 1.0; shared = true; }; }"
		comma=,
	done
}

. "$tests/store_hosts.sh"

# As `make install` does, which renames.
program=$dir/sbin/tailgate.fcgi
mkdir "$dir/sbin"
install_program()
{
	cp "$own_program" "$program.new"
	chmod 755 "$program.new"
	mv "$program.new" "$program"
}
own_program=$TAILGATE_FCGI
install_program
TAILGATE_FCGI=$program
start_hosts

# --- A gateway that asks two of them --------------------------------------------

add_client relay --relay --models '*'
(umask 077 && printf '%s\n' "$relay_key" >"$dir/key.relay")
for host in one two; do
	eval "renew_workers \$${host}_pid"
done
host front "$dir/clients.conf" <<-END
	processes = 2; requests = 400;
	providers = (
	  { name = "one"; kind = "tailgate"; place = "local";
	    url = "$one_base/v1"; key = { file = "$dir/key.relay"; }; },
	  { name = "two"; kind = "tailgate"; place = "local";
	    url = "$two_base/v1"; key = { file = "$dir/key.relay"; }; } );
	models = ( { id = "chain"; select = "round_robin"; targets = (
	    { provider = "one"; model = "chain"; },
	    { provider = "two"; model = "chain"; } ); } );
END
serve front

# Some ask the front, some the hosts themselves.
targets="$targets ${front_base#http://} ${front_base#http://}"
burst chain 600 200
wait "$burst_pid"
forget "$burst_pid"
wait_until all_idle
detail "$(tr '\n' ';' <"$dir/chain.tally")"
# The front's ledger tells of the same requests once more.
sum=$(cat "$dir/one/state/ledger.jsonl" "$dir/two/state/ledger.jsonl" \
	"$dir/three/state/ledger.jsonl" | jq -n '[inputs
	| select(.route == "chain") | .cost_nanousd // 0] | add // 0')
at_most 'a shared budget behind a gateway: never over' "$sum" 1000000000
at_most 'and used up' $((1000000000 - sum)) 50000000
unlike 'each refusal has a name, whichever way it came' \
	"$(cat "$dir/chain.tally")" 'unnamed|without-retry-after'
check 'clients of both are told that it is spent' \
	file_has "$dir/chain.tally" '^[0-9]+ 429 budget_exceeded'
is 'the front blames no host for that' "$("$TAILGATE" -f \
	"$dir/front/tailgate.conf" status --json | jq -c \
	'[.providers[] | select(.failures > 0 or .state != "closed") | .name]')" \
	'[]'
# What the front says it got is what the hosts say they served it.
served_to_front()
{
	[ "$(jq -n '[inputs | select(.route == "chain" and .status == 200)]
		| length' "$dir/front/state/ledger.jsonl")" -eq \
	  "$(cat "$dir/one/state/ledger.jsonl" "$dir/two/state/ledger.jsonl" |
		jq -n '[inputs | select(.route == "chain" and .status == 200
		and (.client | contains("/")))] | length')" ]
}
check 'both accounts have the same number of them' \
	wait_until served_to_front

# --- An upgrade while the store is away -----------------------------------------

# shellcheck disable=SC2086 # words
targets=$(printf '%s\n' $targets | head -n 3 | tr '\n' ' ')
burst upgrade 600 100
reached upgrade 100
before=$(workers_of "$two_pid")
pause_process "$engine_pid"
install_program
kill -HUP "$two_pid"
others_serve()
{
	now=$(workers_of "$two_pid")
	[ "$(printf '%s\n' "$now" | wc -l)" -ge 2 ] || return 1
	for worker in $before; do
		printf '%s\n' "$now" | grep -q -x "$worker" && return 1
	done
	return 0
}
check 'the store is away: a host is upgraded' \
	wait_until -t 40 -p "$two_pid" others_serve
resume_process "$engine_pid"
check 'it is back: the burst goes on to the end of the budget' \
	wait_until -t 600 pid_died "$burst_pid"
forget "$burst_pid"
wait_until all_idle
detail "$(tr '\n' ';' <"$dir/upgrade.tally")"
sum=$(spent upgrade)
at_most 'an upgrade while it was away: never over' "$sum" 1000000000
at_most 'and at most 5 % of it is left' $((1000000000 - sum)) 50000000
unlike 'each refusal has a name' "$(cat "$dir/upgrade.tally")" 'unnamed'
for host in one two three; do
	check "$host: the ledger verifies" \
		"$TAILGATE" -f "$dir/$host/tailgate.conf" usage --verify
done
finish

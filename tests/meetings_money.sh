# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Where budgets, rates and rests meet a queue, clients that leave, timeouts, a
# reload, fallbacks, bridges, a clock that is set, an upgrade, a ledger that
# can't be written, and plain CGI; and where the last ones meet others.
# (doc/meetings.md has the table of all pairs.)
. "${abs_srcdir:-.}/tests/lib.sh"

need flock jq lighttpd

# A request of 11 tokens in and 20 out costs 310 millionths of a dollar, and is
# estimated at 200 at least: a budget of 300 is for one.
price='price = { input = 10.0; output = 10.0; };'
every='fallback = [ "busy", "unavailable", "error", "timeout", "rate_limited" ];'
start_upstream stub -n
start_upstream cloud -n
shape='processes = 2; commit = 0.2; heartbeat = 0.2;'
new_config <<-END
	limits = ( { name = "gpu"; slots = 1; queue = 8; wait = 600; },
	  { name = "brief"; slots = 1; queue = 8; wait = 1; } );
	private = ( { name = "marked"; pattern = "OMEGA-[0-9]{3}"; } );
	providers = (
	  { name = "here"; place = "local"; url = "$stub_url";
	    endpoints = [ "chat" ]; circuit = { failures = 0; }; },
	  { name = "frail"; place = "local"; url = "$stub_url";
	    circuit = { failures = 1; cooldown = 600.0; cooldown_max = 600.0; }; },
	  { name = "tired"; place = "local"; url = "$stub_url"; },
	  { name = "slow"; place = "local"; url = "$stub_url"; limit = "gpu"; },
	  { name = "brief"; place = "local"; url = "$stub_url";
	    limit = "brief"; },
	  { name = "cloud"; place = "external"; url = "$cloud_url"; }
	);
	models = (
	  { id = "held"; targets = (
	    { provider = "slow"; model = "stall-head"; } ); },
	  { id = "held-brief"; targets = (
	    { provider = "brief"; model = "stall-head"; } ); },
	  { id = "queued"; budget = { usd_per_day = 0.0003; }; targets = (
	    { provider = "slow"; model = "n=20"; $price } ); },
	  { id = "spent"; place = "external"; $every
	    budget = { usd_per_day = 0.0003; }; targets = (
	    { provider = "here"; model = "n=20"; $price },
	    { provider = "cloud"; model = "plain"; } ); },
	  { id = "rated"; place = "external"; $every
	    budget = { requests_per_minute = 2; }; targets = (
	    { provider = "here"; model = "500"; },
	    { provider = "cloud"; model = "plain"; } ); },
	  { id = "bridged"; targets = (
	    { provider = "here"; model = "n=20"; usage = "ask"; $price } ); },
	  { id = "frail"; targets = (
	    { provider = "frail"; model = "500"; } ); },
	  { id = "limited"; targets = (
	    { provider = "tired"; model = "429,retry=600"; } ); },
	  { id = "out"; place = "external"; targets = (
	    { provider = "cloud"; model = "plain"; } ); },
	  { id = "late"; place = "external"; $every targets = (
	    { provider = "brief"; model = "plain"; },
	    { provider = "cloud"; model = "plain"; } ); },
	  { id = "cut"; targets = (
	    { provider = "here"; model = "cut-mid,n=4"; } ); },
	  { id = "gate"; targets = (
	    { provider = "here"; model = "gate,n=3"; } ); },
	  { id = "here"; targets = (
	    { provider = "here"; model = "plain"; } ); }
	);
END
add_client anna --place external
add_client chief --operator
key=$anna_key
# As `make install` does, which renames.
own_program=$TAILGATE_FCGI
fcgi=$dir/sbin/tailgate.fcgi
mkdir "$dir/sbin"
install_program()
{
	cp "$own_program" "$fcgi.new"
	chmod 755 "$fcgi.new"
	mv "$fcgi.new" "$fcgi"
}
install_program
TAILGATE_FCGI=$fcgi
if ! sanitized; then
	echo 0 >"$dir/clock"
	truncate -s 64 "$dir/clock"
	cat >"$dir/timed" <<-END
		#!/bin/sh
		TAILGATE_TEST_CLOCK=$dir/clock LD_PRELOAD=$bin/clock.so
		export TAILGATE_TEST_CLOCK LD_PRELOAD
		exec "$fcgi" "\$@"
	END
	chmod 755 "$dir/timed"
	TAILGATE_FCGI=$dir/timed
fi
start_tailgate
start_lighttpd

# ask MODEL [curl arguments]; $asked is how many requests were made.
asked=0
ask()
{
	m=$1
	shift
	asked=$((asked + 1))
	post /v1/chat/completions "{\"model\":\"$m\",\"max_tokens\":20,
		\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}" "$@"
}

# ask_behind MODEL: in the background; its status is in $dir/behind.
ask_behind()
{
	asked=$((asked + 1))
	curl -sS -o /dev/null -w '%{http_code}' --max-time 600 \
		-H "Authorization: Bearer $key" \
		-H 'Content-Type: application/json' -d "{\"model\":\"$1\",
		\"max_tokens\":20,\"messages\":[{\"role\":\"user\",
		\"content\":\"hi\"}]}" "$base/v1/chat/completions" \
		>"$dir/behind" 2>>"$dir/curl.err" &
	adopt behind $!
}

waiting_are()
{
	[ "$("$TAILGATE" -f "$conf" status --json |
		jq '.limits[0].queued')" -eq "$1" ]
}

spent()
{
	"$bin/budget_look" "$conf" | sed -n "s/^model $1: //p"
}

# hold PROVIDER'S_MODEL [URL]
hold()
{
	asked=$((asked + 1))
	hold_slot "$anna_key" "$@"
}

# --- A budget, and a queue --------------------------------------------------------

held_back()
{
	error_is 429 rate_limit_exceeded &&
		file_has "$dir/body" 'still running hold the rest of the daily'
}

# The slot is in use; the budget is enough for one request at a time.
hold held
ask_behind queued
check 'queue: one waits' wait_until -p "$behind_pid" waiting_are 1
ask queued
check 'queue: what one that waits may cost is reserved' held_back
stop "$behind_pid"
check 'queue: its client leaves' wait_until waiting_are 0
ask queued -H 'Request-Timeout: 0.3'
check 'queue: the budget is free again, and the time that one gives ends' \
	error_is 503 local_queue_timeout
ask_behind queued
check 'queue: so it is after that' wait_until -p "$behind_pid" waiting_are 1
renewed_pid=$tailgate_pid
old_workers=$(workers_of "$renewed_pid")
kill -HUP "$tailgate_pid"
check 'queue: a reload' wait_until -p "$tailgate_pid" file_has \
	"$dir/tailgate.log" 'configuration 2 is in force'
ask queued
check 'queue: new workers know what it may cost' held_back
let_slot_go
wait "$behind_pid"
forget "$behind_pid"
is 'queue: it is served by the old ones' "$(cat "$dir/behind")" 200
wait_until workers_are_new
ask queued
check 'queue: it cost more than is left' \
	error_is 429 budget_exceeded
all_settled
live=$(spent queued)
is 'queue: the account has it once' "$(jq -n -c '[inputs
	| select(.route == "queued") | .cost_nanousd // 0] | add' \
	"$dir/state/ledger.jsonl")" 310000
like 'queue: so has the budget' "$live" ', 310000 nanousd today, .* 0 held$'
mv "$dir/run/budget" "$dir/budget.live"
is 'queue: made again from the ledger, it is the same' "$(spent queued)" "$live"
mv "$dir/budget.live" "$dir/run/budget"

# --- Budgets and rates, and fallbacks ---------------------------------------------

ask spent
is 'fallback: a budget lets one pass' "$status $(header x-tailgate-provider)" \
	'200 here'
ask spent
check 'fallback: none goes round a budget that is used up' \
	error_is 429 budget_exceeded
is 'fallback: nobody else was asked' "$(stat cloud requests)" 0
rated_from=$(date +%s)
ask rated
is 'fallback: two tries are one request of a rate' "$status \
$(header x-tailgate-provider) $(header x-ratelimit-remaining-requests)" \
	'200 cloud 1'
ask rated
is 'fallback: so are the next two' "$status $(stat cloud requests)" '200 2'

# rate_holds ROW: for a minute.
rate_holds()
{
	ask rated
	if [ $(($(date +%s) - rated_from)) -lt 55 ]; then
		check "$1: a rate that is used up stays so" \
			error_is 429 rate_limit_exceeded
	fi
}
rate_holds fallback

# --- A price, and the bridges -----------------------------------------------------

for stream in false true; do
	ask bridged
	text='[{"role":"user","content":"hi"}]'
	post /v1/messages "{\"model\":\"bridged\",\"max_tokens\":20,
		\"stream\":$stream,\"messages\":$text}"
	post /v1/responses "{\"model\":\"bridged\",\"max_output_tokens\":20,
		\"stream\":$stream,\"input\":$text}"
	asked=$((asked + 2))
done
all_settled
is 'bridges: each request costs the same in each of them' "$(jq -n -c '[inputs
	| select(.route == "bridged") | [.status, .cost_nanousd]]
	| [length, unique]' "$dir/state/ledger.jsonl")" '[6,[[200,310000]]]'

# --- A clock that is set ----------------------------------------------------------

ask frail
ask frail
check 'clock: a circuit is open' error_is 503 provider_unavailable
ask limited
ask limited
check 'clock: a model rests' error_is 503 provider_unavailable
seen=$(stat stub requests)
if ! sanitized; then
	for jump in 86400 -86400 0; do
		set_clock $jump
		ask frail
		check "clock: $jump: the circuit stays open" \
			error_is 503 provider_unavailable
		ask limited
		check "clock: $jump: the model rests" \
			error_is 503 provider_unavailable
		rate_holds "clock: $jump"
		ask spent
		check "clock: $jump: a budget that is used up stays so" \
			error_is 429 budget_exceeded
	done
	is 'clock: nobody was asked' "$(stat stub requests)" "$seen"
fi

# --- An upgrade, and a recording --------------------------------------------------

"$TAILGATE" -f "$conf" capture --client anna --for 10m >"$dir/capture" 2>&1 ||
	broken capture
install_program
renew_workers
check 'upgrade: it was one' file_has "$dir/tailgate.log" 'has taken over'
ask frail
check 'upgrade: the circuit stays open' error_is 503 provider_unavailable
ask limited
check 'upgrade: the model rests' error_is 503 provider_unavailable
rate_holds upgrade
ask spent
check 'upgrade: a budget that is used up stays so' error_is 429 budget_exceeded
tell stub reset >/dev/null
curl -sN --max-time 600 -H "Authorization: Bearer $key" \
	-H 'Content-Type: application/json' \
	-d '{"model":"gate","stream":true,"messages":[]}' \
	"$base/v1/chat/completions" >"$dir/gate" 2>"$dir/curl.err" &
adopt gate $!
asked=$((asked + 1))
check 'upgrade: a stream has begun' wait_until -p "$gate_pid" \
	file_longer "$dir/gate" 100
stop "$gate_pid"
# recorded MEMBER VALUE: such an exchange is, in the recording that goes on.
recorded()
{
	for file in "$dir"/run/capture/*.capture; do
		head -n 1 "$file" | jq ".$1"
	done | grep -q -x "$2"
}
check 'upgrade: the recording goes on' wait_until recorded status 429
check 'upgrade: it knows of the client that has left' \
	wait_until recorded client_gone true
post /v1/chat/completions '{"model":"cut","stream":true,"messages":[]}'
asked=$((asked + 1))
check 'upgrade: and of the response that the provider broke off' \
	wait_until recorded upstream_cut true
(umask 077 && printf '%s\n' "$anna_key" >"$dir/key")
"$TAILGATE" replay --url "$base" --key-file "$dir/key" \
	"$(grep -l '"upstream_cut":true' "$dir"/run/capture/*.capture)" \
	>"$dir/replay" 2>&1
asked=$((asked + 1))
like 'upgrade: which is said when it is sent again' "$(cat "$dir/replay")" \
	'The provider ended the first response early\.'
tell stub release >/dev/null
"$TAILGATE" -f "$conf" capture --remove >"$dir/capture" 2>&1

# --- A ledger that can't be written -----------------------------------------------

out_refused()
{
	ask out
	error_is 503 ledger_unavailable
}
all_settled
lock_ledger "$dir/state/ledger.jsonl"
check 'ledger: what would leave is refused' wait_until out_refused
left=$(stat cloud requests)
hold held-brief
ask late
check 'ledger: a fallback leaves neither' error_is 503 ledger_unavailable
# late_stream ROW: it waits, has signs of life, and falls back.
late_stream()
{
	asked=$((asked + 1))
	post /v1/messages '{"model":"late","max_tokens":20,"stream":true,
		"messages":[{"role":"user","content":"hi"}]}'
	is "$1: nor that of a stream that has had signs of life" "$status \
$(grep -c '^event: ping' "$dir/body" | sed 's/^[1-9].*/some/') \
$(grep -c '"type":"error"' "$dir/body")" '200 some 1'
}
late_stream ledger
is 'ledger: nothing went there' "$(stat cloud requests)" "$left"
let_slot_go
ask here
is 'ledger: local requests go on' "$status" 200
ask spent
check 'ledger: and budgets hold' error_is 429 budget_exceeded
ask bridged
ask bridged
renew_workers
check 'ledger: new workers refuse, too' wait_until out_refused
ask bridged
is 'ledger: and serve' "$status" 200

# --- Plain CGI --------------------------------------------------------------------

cat >"$dir/tailgate.cgi" <<-END
	#!/bin/sh
	exec "$TAILGATE_FCGI" -f "$conf"
END
chmod 755 "$dir/tailgate.cgi"
lighttpd_conf "$dir/cgi.lighttpd" <<-END
	var.tailgate_program = "$dir/tailgate.cgi"
	include "$abs_srcdir/contrib/lighttpd/cgi.conf"
END
fast_lighttpd=$lighttpd_pid
fast_base=$base
start_lighttpd "$dir/cgi.lighttpd"
ask spent
check 'CGI: a budget that is used up' error_is 429 budget_exceeded
rate_holds CGI
ask limited
check 'CGI: a model that rests' error_is 503 provider_unavailable
ask out
check 'CGI: a ledger that is stuck' error_is 503 ledger_unavailable
hold held-brief "$fast_base"
late_stream CGI
let_slot_go
"$TAILGATE" -f "$conf" capture --client anna --for 10m >"$dir/capture" 2>&1 ||
	broken capture
ask here
is 'CGI: local requests go on' "$status" 200
one_file()
{
	[ "$(find "$dir/run/capture" -name '*.capture' | wc -l)" -eq 1 ]
}
check 'CGI: and are recorded' wait_until one_file
is 'CGI: nothing went outside' "$(stat cloud requests)" "$left"
"$TAILGATE" -f "$conf" capture --remove >"$dir/capture" 2>&1
unlock_ledger
out_served()
{
	ask out
	[ "$status" = 200 ]
}
check 'CGI: the ledger can be written again' wait_until out_served
left=$(stat cloud requests)
ask out -H 'X-Tailgate-Place: local'
is 'CGI: a place is kept' "$status" 403
post /v1/chat/completions '{"model":"out","messages":[{"role":"user",
	"content":"OMEGA-123"}]}'
asked=$((asked + 1))
is 'CGI: so is a private text' "$status" 403
is 'CGI: neither went outside' "$(stat cloud requests)" "$left"
stop "$lighttpd_pid"
lighttpd_pid=$fast_lighttpd
base=$fast_base
is 'no provider is blamed for any of that' "$("$TAILGATE" -f "$conf" \
	status --json | jq -c '[.providers[] | select(.state != "closed")
	| .name]')" '["frail"]'
all_settled
# One whose confirmation was on its way when its process ended is counted as
# well.
lines=$(jq -n '[inputs | .lost // 1] | add' "$dir/state/ledger.jsonl")
detail "$asked requests, $lines recorded or counted"
check 'ledger: what old workers and CGI could not write is counted' \
	test "$lines" -ge "$asked"
at_most 'ledger: once' "$((lines - asked))" 8
check 'the ledger verifies' "$TAILGATE" -f "$conf" usage --verify
finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A circuit that is half open lets one request try.  Here that request ends
# early, in each way that another rule has for it: its client leaves, a slot, a
# budget, the ledger or a rule of the plan refuse it, a reload comes.  The next
# request tries then, at once.  (doc/meetings.md has the table of all pairs.)
. "${abs_srcdir:-.}/tests/lib.sh"

need flock jq lighttpd

circuit='circuit = { failures = 1; cooldown = 1.0; cooldown_max = 1.0; };'
start_upstream stub -n
shape='processes = 2; commit = 0.2;'
new_config <<-END
	limits = ( { name = "gpu"; slots = 1; queue = 1; wait = 600; } );
	private = ( { name = "marked"; pattern = "OMEGA-[0-9]{3}"; } );
	providers = (
	  { name = "near"; place = "local"; url = "$stub_url"; limit = "gpu";
	    endpoints = [ "chat" ]; $circuit },
	  { name = "far"; place = "external"; url = "$stub_url"; $circuit },
	  { name = "other"; place = "local"; url = "$stub_url"; limit = "gpu"; },
	  { name = "out"; place = "external"; url = "$stub_url"; },
	  { name = "next"; place = "local"; url = "$stub_url"; }
	);
	models = (
	  { id = "near/*"; targets = (
	    { provider = "near"; model = "*"; } ); },
	  { id = "busy"; fallback = [ "busy" ]; targets = (
	    { provider = "near"; model = "plain"; },
	    { provider = "next"; model = "plain"; } ); },
	  { id = "poor"; budget = { tokens_per_day = 5; }; targets = (
	    { provider = "near"; model = "plain"; } ); },
	  { id = "rated"; budget = { requests_per_minute = 1; }; targets = (
	    { provider = "near"; model = "plain"; } ); },
	  { id = "short"; targets = (
	    { provider = "near"; model = "plain"; context = 1000; } ); },
	  { id = "far/*"; place = "external"; targets = (
	    { provider = "far"; model = "*"; } ); },
	  { id = "out"; place = "external"; targets = (
	    { provider = "out"; model = "plain"; } ); },
	  { id = "other/*"; targets = (
	    { provider = "other"; model = "*"; } ); }
	);
END
add_client anna --place external
add_client chief --operator
key=$anna_key
start_tailgate
start_lighttpd

# ask MODEL [curl arguments]
ask()
{
	m=$1
	shift
	post /v1/chat/completions "{\"model\":\"$m\",\"messages\":[]}" "$@"
}

# leaver MODEL [true]: asks in the background; streamed or not.
leaver()
{
	curl -sN -o /dev/null --max-time 600 -H "Authorization: Bearer $key" \
		-H 'Content-Type: application/json' -d "{\"model\":\"$1\",
		\"stream\":${2:-false},\"messages\":[]}" \
		"$base/v1/chat/completions" 2>>"$dir/curl.err" &
	adopt leaver $!
}

state_is()
{
	[ "$("$TAILGATE" -f "$conf" status --json | jq -r --arg p "$1" \
		'.providers[] | select(.name == $p) | .state')" = "$2" ]
}

queued_are()
{
	[ "$("$TAILGATE" -f "$conf" status --json |
		jq '.limits[0].queued')" -eq "$1" ]
}

# half_open [PROVIDER]: a request of it may try.
half_open()
{
	ask "${1:-near}/500"
	wait_until state_is "${1:-near}" half-open ||
		broken 'its circuit is not half open'
}

# tries ROW [PROVIDER]: the next request tries, and closes the circuit.
tries()
{
	all_settled
	ask "${2:-near}/plain"
	is "$1: the next one tries" "$status" 200
	check "$1: and the circuit is closed" state_is "${2:-near}" closed
}

# --- Its client leaves ------------------------------------------------------------

for stream in false true; do
	half_open
	leaver near/stall-head $stream
	wait_until -p "$leaver_pid" stat_is stub in_flight 1
	ask near/plain
	check "left at the provider, stream $stream: only one tries" \
		error_is 503 provider_unavailable
	stop "$leaver_pid"
	wait_until stat_is stub in_flight 0
	tries "left at the provider, stream $stream"
	half_open
	hold_slot "$anna_key" other/stall-head
	leaver near/plain $stream
	wait_until -p "$leaver_pid" queued_are 1
	stop "$leaver_pid"
	wait_until queued_are 0
	let_slot_go
	tries "left in the queue, stream $stream"
done
half_open
leaver near/gate,n=3 true
wait_until -p "$leaver_pid" stat_is stub in_flight 1
stop "$leaver_pid"
wait_until stat_is stub in_flight 0
tell stub release >/dev/null
tries 'left in the stream'

# --- It is refused ----------------------------------------------------------------

half_open
hold_slot "$anna_key" other/stall-head
ask near/plain -H 'Request-Timeout: 0.3'
check 'no slot in time' error_is 503 local_queue_timeout
leaver other/plain
wait_until -p "$leaver_pid" queued_are 1
ask near/plain
check 'a full queue' error_is 503 local_queue_full
ask busy
is 'a full queue: the next target' "$status $(header x-tailgate-provider)" \
	'200 next'
let_slot_go
wait "$leaver_pid"
forget "$leaver_pid"
tries 'no slot'

for bound in poor rated; do
	ask $bound
	half_open
	ask $bound
	is "$bound: refused" "$status" 429
	tries $bound
done

half_open
post /v1/chat/completions "{\"model\":\"short\",\"messages\":[{\"role\":\"user\",
	\"content\":\"$(head -c 20000 /dev/zero | tr '\0' ' ' |
	sed 's/  /a /g')\"}]}"
is 'too long: refused' "$status" 400
post /v1/messages '{"model":"near/plain","max_tokens":9,"messages":"no"}'
is 'not to be translated: refused' "$status" 400
tries 'a rule of the plan'

half_open far
post /v1/chat/completions '{"model":"far/plain","messages":[{"role":"user",
	"content":"OMEGA-123"}]}'
like 'private: refused' "$status" '^40[03]$'
tries private far
half_open far
lock_ledger "$dir/state/ledger.jsonl"
out_is()
{
	ask out
	[ "$status" = "$1" ]
}
check 'a stuck ledger: it is' wait_until out_is 503
ask far/plain
check 'a stuck ledger: refused' error_is 503 ledger_unavailable
unlock_ledger
check 'a stuck ledger: no more' wait_until out_is 200
tries 'a stuck ledger' far

# --- A reload ---------------------------------------------------------------------

half_open
leaver near/stall-head
wait_until -p "$leaver_pid" stat_is stub in_flight 1
kill -HUP "$tailgate_pid"
wait_until -p "$tailgate_pid" file_has "$dir/tailgate.log" \
	'configuration 2 is in force'
ask near/plain
check 'a reload: the one that tries still does' \
	error_is 503 provider_unavailable
tell stub release >/dev/null
wait "$leaver_pid"
forget "$leaver_pid"
check 'a reload: it has closed the circuit' wait_until state_is near closed
check 'the ledger verifies' "$TAILGATE" -f "$conf" usage --verify
finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Each reason for a fallback, through lighttpd, in both directions.  With the
# permission the next target responds.  Without it the client gets the reason as
# the documented error, and the second upstream has seen nothing.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq python3

start_upstream first
start_upstream second -n
reserve_port dead

# A comment in tiny chunks, which come faster than anybody reads them.
cat >"$dir/chunks.py" <<'END'
import os
import socketserver
import sys


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        self.wfile.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n"
                         b"Content-Type: text/event-stream\r\n\r\n")
        for _ in range(6000):
            self.wfile.write(b"1\r\n:\r\n" * 1000)
        self.wfile.write(b"0\r\n\r\n")


server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(sys.argv[1] + ".new", "w") as f:
    f.write(str(server.server_address[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
END
spawn chunks python3 "$dir/chunks.py" "$dir/chunks.port"
wait_until -p "$chunks_pid" test -s "$dir/chunks.port" || broken 'no upstream'
chunks_url=http://127.0.0.1:$(cat "$dir/chunks.port")/v1

# model REASON PROVIDER UPSTREAM-MODEL [what the target says]: two models,
# REASON-yes and REASON-no, which permits something else.
model()
{
	other=busy
	[ "$1" != busy ] || other=unsupported
	for permit in yes no; do
		reason=$1
		[ $permit = yes ] || reason=$other
		cat <<-END
			{ id = "$1-$permit"; fallback = [ "$reason" ];
			  targets = (
			    { provider = "$2"; model = "$3"; ${4:-} },
			    { provider = "second"; model = "plain"; } ); },
		END
	done
}

price='price = { input = 1.0; output = 1.0; };'
new_config <<-END
	limits = ( { name = "one"; slots = 1; queue = 0; } );
	providers = (
	  { name = "first"; place = "local"; url = "$first_url";
	    circuit = { failures = 0; }; },
	  { name = "hasty"; place = "local"; url = "$first_url";
	    circuit = { failures = 0; };
	    timeouts = { first_byte = 0.3; }; },
	  { name = "limited"; place = "local"; url = "$first_url";
	    limit = "one"; },
	  { name = "dead"; place = "local"; url = "$dead_url";
	    circuit = { failures = 0; }; },
	  { name = "second"; place = "local"; url = "$second_url"; },
	  { name = "slow"; place = "external"; url = "$first_url";
	    circuit = { failures = 0; };
	    timeouts = { first_byte = 0.3; }; },
	  { name = "chunks"; place = "local"; url = "$chunks_url";
	    endpoints = [ "chat" ]; circuit = { failures = 0; };
	    timeouts = { total = 0.05; }; },
	  { name = "gone"; place = "external"; url = "$dead_url"; },
	  { name = "far"; place = "external"; url = "$second_url"; }
	);
	models = (
	  $(model busy limited plain)
	  $(model unavailable dead plain)
	  $(model error first 500)
	  $(model timeout hasty stall-head)
	  $(model rate_limited first 429,retry=7)
	  $(model too_long first plain 'context = 12;')
	  $(model unsupported first plain 'tools = false;')
	  { id = "chunks"; fallback = [ "timeout" ]; targets = (
	    { provider = "chunks"; model = "x"; },
	    { provider = "second"; model = "plain"; } ); },
	  { id = "loading"; fallback = [ "unavailable" ]; targets = (
	    { provider = "first"; model = "503,loading"; },
	    { provider = "second"; model = "plain"; } ); },
	  { id = "loading-no"; fallback = [ "busy" ]; targets = (
	    { provider = "first"; model = "503,loading"; },
	    { provider = "second"; model = "plain"; } ); },
	  { id = "dressed"; fallback = [ "error" ]; targets = (
	    { provider = "first"; model = "error-body"; },
	    { provider = "second"; model = "plain"; } ); },
	  { id = "dressed-no"; fallback = [ "busy" ]; targets = (
	    { provider = "first"; model = "error-body"; },
	    { provider = "second"; model = "plain"; } ); },
	  { id = "first-event"; fallback = [ "error" ]; targets = (
	    { provider = "first"; model = "error-first"; },
	    { provider = "second"; model = "plain"; } ); },
	  { id = "first-event-no"; fallback = [ "busy" ]; targets = (
	    { provider = "first"; model = "error-first"; },
	    { provider = "second"; model = "plain"; } ); },
	  { id = "late"; fallback = [ "error", "timeout" ]; targets = (
	    { provider = "first"; model = "cut-mid"; },
	    { provider = "second"; model = "plain"; } ); },
	  { id = "html"; fallback = [ "busy" ]; targets = (
	    { provider = "first"; model = "502,html"; },
	    { provider = "second"; model = "plain"; } ); },
	  { id = "three"; fallback = [ "error", "rate_limited" ];
	    max_attempts = 2; targets = (
	    { provider = "first"; model = "500"; },
	    { provider = "first"; model = "429"; },
	    { provider = "second"; model = "plain"; } ); },
	  { id = "left"; place = "external"; fallback = [ "timeout" ]; targets = (
	    { provider = "slow"; model = "stall-head"; $price },
	    { provider = "gone"; model = "plain"; $price } ); },
	  { id = "twice"; place = "external"; fallback = [ "timeout" ]; targets = (
	    { provider = "slow"; model = "stall-head"; $price },
	    { provider = "far"; model = "plain"; $price } ); },
	  { id = "hold"; targets = (
	    { provider = "limited"; model = "gate"; } ); }
	);
END
add_client anna --place external
start_tailgate
start_lighttpd

# ask MODEL [more members]
ask()
{
	post /v1/chat/completions "$(printf \
		'{"model":"%s","messages":[{"role":"user","content":"%s"}]%s}' \
		"$1" 'hello, how is the weather today in the town by the sea' \
		"${2:+,$2}")"
}

# both REASON STATUS CODE [more members]
both()
{
	tell second reset >/dev/null
	ask "$1-no" "${4:-}"
	check "$1 without the permission: $2 $3" error_is "$2" "$3"
	is "$1 without the permission: the second saw no byte" \
		"$(stat second requests)" 0
	ask "$1-yes" "${4:-}"
	is "$1 with the permission: the next one serves it" "$status" 200
	is "$1: the client gets the provider's name" \
		"$(header x-tailgate-provider)" second
	is "$1: and why" "$(header x-tailgate-fallback)" "$1"
	is "$1: the second was asked once" "$(stat second requests)" 1
}

tools='"tools":[{"type":"function","function":{"name":"f","parameters":{}}}]'
both unavailable 503 provider_unavailable
both timeout 504 upstream_timeout
tell first release >/dev/null
both too_long 400 context_length_exceeded
both unsupported 400 unsupported_feature "$tools"

# An error of the upstream's own is shown as it is.
both error 500 'stub_error|server_error|internal_error|500'
both rate_limited 429 '[a-z_]*'
ask rate_limited-no
is 'the Retry-After of the upstream is kept' "$(header Retry-After)" 7

# Busy: another request has the only slot.
curl -sN -H "Authorization: Bearer $key" -H 'Content-Type: application/json' \
	--data-binary '{"model":"hold","stream":true,"messages":[]}' \
	"$base/v1/chat/completions" >"$dir/held" &
adopt held $!
wait_until -p "$held_pid" file_longer "$dir/held" 50
both busy 503 local_queue_full
like 'and when to come again' "$(ask busy-no; header Retry-After)" '^[1-9]'
tell first release >/dev/null
wait "$held_pid"
forget "$held_pid"

# The other faces of an error.
tell second reset >/dev/null
ask loading-no
is 'a model being loaded: 503' "$status" 503
ask dressed-no
is '200 with an error inside: 502' "$status" 502
ask first-event-no '"stream":true'
is 'an error as first event: 502' "$status" 502
like 'with the error itself' "$(body)" '"error"'
ask html
check 'a web page is wrapped' error_is 502 upstream_error
is 'none of them reached the second' "$(stat second requests)" 0
for model in loading dressed; do
	ask $model
	is "$model: the next one serves it" "$status" 200
done
ask first-event '"stream":true'
is 'first event: the next one serves it' "$status" 200
like 'with its whole stream' "$(body)" '\[DONE\]'
unlike 'and nothing of the error' "$(body)" '"error"'

# Never after the first byte went to the client.
tell second reset >/dev/null
ask late '"stream":true'
is 'a cut stream stays with its first upstream' "$(stat second requests)" 0
unlike 'does not look whole' "$(body)" '\[DONE\]'
like 'and says so' "$(body)" '"error"'

# No more than max_attempts.
ask three
is 'the second attempt is the last' "$status" 429
is 'the third target was not asked' "$(stat second requests)" 0

# A response that has more bytes at any time has no more time than others.
for n in 1 2 3 4 5 6 7 8; do
	post /v1/messages '{"model":"chunks","stream":true,"max_tokens":5,
		"messages":[{"role":"user","content":"x"}]}'
	is "a response without a pause has its time, no more ($n)" \
		"$status $(header x-tailgate-fallback)" '200 timeout'
done

# The account keeps what went to one provider, whatever followed.
ask left
is 'the second of two outside cannot be reached' "$status" 503
ask twice
is 'or serves it' "$status $(header x-tailgate-provider)" '200 far'

# Every try is in the ledger.
stop "$tailgate_pid"
is 'a request that timed out outside is reported' \
	"$(jq -c 'select(.model == "left") | [.tries[] | [.provider, .outcome,
		.sent // false, .host, .allowed_by, .bytes_sent > 0,
		.cost_nanousd > 0, .usage]], .sent, .external, .provider' \
		"$dir/state/ledger.jsonl" | tr '\n' ' ')" \
	"$(printf '%s' '[["slow","timeout",true,"127.0.0.1",' \
		'"client anna, model left",true,true,"estimated"],' \
		'["gone","unavailable",false,"127.0.0.1",' \
		'"client anna, model left",false,false,null]] true true "gone" ')"
is 'and so are both of two, with their sum' \
	"$(jq -c 'select(.model == "twice") | [.tries[] | [.provider, .outcome,
		.cost_nanousd > 0]], .cost_nanousd ==
		([.tries[].cost_nanousd] | add), .bytes_sent ==
		([.tries[].bytes_sent] | add)' \
		"$dir/state/ledger.jsonl" | tr '\n' ' ')" \
	'[["slow","timeout",true],["far","ok",true]] true true '
out=$("$TAILGATE" -f "$conf" usage --by provider)
like 'usage says what left' "$out" '^3 requests left this network'
like 'and what it may have cost' "$out" '^slow  *0 .*[$]0[.]0000'
like 'the ledger names the reasons' "$(cat "$dir/state/ledger.jsonl")" \
	'"outcome":"timeout".*"provider":"second",.*"outcome":"ok".*"fallback":"timeout"'
finish

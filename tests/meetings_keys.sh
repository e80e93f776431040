# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Where a client's own key (auth = "client") meets a bridge, a fallback, several
# keys of another provider, and a recording: it goes to its provider alone, no
# other provider's key goes there, and no file has any of them.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq lighttpd

start_upstream plan
start_upstream paid
printf 'sk-paid-one-0123456789abcdef\n' >"$dir/one"
printf 'sk-paid-two-0123456789abcdef\n' >"$dir/two"
chmod 600 "$dir/one" "$dir/two"
new_config <<-END
	providers = (
	  { name = "plan"; place = "external"; url = "$plan_url"; auth = "client";
	    endpoints = [ "chat" ]; circuit = { failures = 0; }; },
	  { name = "paid"; place = "external"; url = "$paid_url";
	    keys = ( { file = "one"; }, { file = "two"; } );
	    endpoints = [ "chat" ]; }
	);
	models = (
	  { id = "own/*"; place = "external"; fallback = [ "error",
	    "rate_limited", "unavailable", "timeout", "unsupported" ]; targets = (
	    { provider = "plan"; model = "*"; },
	    { provider = "paid"; model = "plain"; } ); }
	);
END
add_client anna --place external
start_tailgate
start_lighttpd
"$TAILGATE" -f "$conf" capture --client anna --for 10m >"$dir/capture" 2>&1 ||
	broken 'capture'
own=sk-ant-own-0123456789abcdef
key=

# say MODEL PATH: with the client's own key, and a text that has it too.
say()
{
	post "$2" "{\"model\":\"own/$1\",\"max_tokens\":9,\"$3\":$4,
		\"stream\":${5:-false}}" -H "X-Tailgate-Key: $anna_key" \
		-H "Authorization: Bearer $own"
}
for script in plain 500 429,retry=1 401 402 close cut-mid; do
	for stream in false true; do
		say "$script" /v1/chat/completions messages \
			"[{\"role\":\"user\",\"content\":\"my $own\"}]" $stream
		say "$script" /v1/messages messages \
			"[{\"role\":\"user\",\"content\":\"my $own\"}]" $stream
		say "$script" /v1/responses input "\"my $own\"" $stream
	done
done

# heads STUB KEY: how many of its requests had it in their head.
heads()
{
	cat "$dir/$1"/*.head | grep -c -i "^authorization: *bearer $2"
}
check 'the client is served by its own provider' test "$(heads plan "$own")" -ge 6
check 'and by the next one' test "$(heads paid 'sk-paid-')" -ge 1
is "the client's key goes to no other provider" "$(heads paid "$own")" 0
is "nor does another provider's key go to its" "$(heads plan 'sk-paid-')" 0
is "nor the gateway's own key to any" \
	"$(cat "$dir"/plan/*.head "$dir"/paid/*.head | grep -c -e "$anna_key" \
		-e '^X-Tailgate')" 0
files()
{
	[ "$(find "$dir/run/capture" -name '*.capture' | wc -l)" -ge 5 ]
}
check 'exchanges were recorded' wait_until files
for secret in "$own" "$anna_key" sk-paid-one sk-paid-two; do
	is "no file of the gateway's has $secret" "$(grep -r -l -a -e "$secret" \
		"$dir/run" "$dir/state" "$dir/tailgate.log")" ''
done
finish

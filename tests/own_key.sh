# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A provider that its clients sign in to (auth = "client"): their own key goes
# there and nowhere else, only when the gateway's came in X-Tailgate-Key, in the
# form of the API that is spoken; a refusal counts against no one else; and
# nothing that tailgate writes or sends holds it.
. "${abs_srcdir:-.}/tests/lib.sh"

need python3 jq

start_keyed_upstream
echo sk-ours-of-the-gateway >"$dir/ours"
chmod 600 "$dir/ours"
own=sk-ant-oat01-MARKOWNabcdefghijklmnopqrstuvwxyz0123456789MARKOWN

new_config <<-END
	processes = 2;
	cors = { origins = [ "https://page.example" ]; };
	providers = (
	  { name = "plan"; place = "external"; url = "$url"; auth = "client";
	    circuit = { failures = 1; };
	    endpoints = [ "chat", "messages" ]; },
	  { name = "talk"; place = "external"; url = "$url"; auth = "client"; },
	  { name = "paid"; place = "external"; url = "$url";
	    key = { file = "ours"; }; },
	  { name = "free"; place = "external"; url = "$url";
	    auth = "none"; }
	);
	models = (
	  { id = "own"; place = "external"; targets = (
	    { provider = "plan"; model = "o"; } ); },
	  { id = "bridged"; place = "external"; targets = (
	    { provider = "talk"; model = "b"; } ); },
	  { id = "chain"; place = "external"; targets = (
	    { provider = "plan"; model = "o"; },
	    { provider = "paid"; model = "p"; },
	    { provider = "free"; model = "f"; } );
	    fallback = [ "rate_limited", "error", "unavailable" ]; },
	  { id = "either"; place = "external"; targets = (
	    { provider = "plan"; model = "o"; },
	    { provider = "free"; model = "f"; } );
	    fallback = [ "unsupported" ]; }
	);
END
add_client near
# shellcheck disable=SC2154 # add_client sets them
near=$near_key
add_client anna --place external --operator
# shellcheck disable=SC2154
anna=$anna_key
who=$anna
key=
start_tailgate

body_of()
{
	printf '{"model":"%s","max_tokens":9,"messages":[{"role":"user",' "$1"
	printf '"content":"%s"}]}' "${2:-hi}"
}
# ask MODEL [curl arguments]: with the gateway's key in X-Tailgate-Key.
ask()
{
	: >"$log"
	model=$1
	shift
	post /v1/chat/completions "$(body_of "$model")" \
		-H "X-Tailgate-Key: $who" "$@"
}
messages()
{
	: >"$log"
	model=$1
	shift
	post /v1/messages "$(body_of "$model")" \
		-H 'anthropic-version: 2023-06-01' \
		-H "X-Tailgate-Key: $anna" "$@"
}
asked()
{
	cat "$log"
}
bearer="Authorization: Bearer $own"

through()
{
	ask own -H "$bearer"
	is "$1: the client's own key goes upstream" "$status:$(asked)" \
		"200:200 $own o"
	ask own -H "$bearer" -H 'ChatGPT-Account-ID: acct-7'
	is "$1: and the account that it is for" "$(asked)" "200 $own/acct-7 o"
	messages own -H "x-api-key: $own"
	is "$1: x-api-key stays that for Messages" "$status:$(asked)" \
		"200:200 x-api-key:$own o"
	messages own -H "$bearer"
	is "$1: and a bearer token stays one" "$(asked)" "200 $own o"
	messages bridged -H "x-api-key: $own"
	is "$1: over a bridge it is in the form of the target's API" \
		"$status:$(asked)" "200:200 $own b"
	ask own -H "x-api-key: $own"
	is "$1: so it is in chat" "$(asked)" "200 $own o"
}
each_server through
start_lighttpd

# --- without one --------------------------------------------------------------
: >"$log"
request /v1/chat/completions -H "Authorization: Bearer $anna" \
	-H 'Content-Type: application/json' -d "$(body_of own)"
check 'the key in Authorization alone is the gateway'"'"'s' \
	error_is 401 own_key_missing
like 'and it says what to do' "$(body)" \
	'Send the gateway.s key in X-Tailgate-Key, and yours'
ask own
check 'no key of its own' error_is 401 own_key_missing
like 'is said' "$(body)" 'no Authorization came'
ask own -H "Authorization: Bearer $near"
check 'a key of the gateway is not handed on' error_is 401 own_key_missing
like 'whosever it is' "$(body)" 'holds a key of this gateway'
ask own -H 'Authorization: Basic YW5uYTpwdw=='
check 'nor is what is no bearer token' error_is 401 own_key_missing
ask own -H "Authorization: Bearer a b"
check 'nor what is none in its form' error_is 401 own_key_missing
is 'no provider was asked' "$(asked)" ''
ask own -H "$bearer" -H 'X-Tailgate-Key: tg-nobody'
check 'an unknown gateway key' error_is 401 invalid_api_key
post /v1/messages "$(body_of own)" -H 'anthropic-version: 2023-06-01' \
	-H "x-api-key: $anna"
is 'Messages has its own shape for that' "$status:$(jq -r \
	'.type, .error.type' "$dir/body" | tr '\n' ' ')" \
	'401:error authentication_error '

# --- places -------------------------------------------------------------------
who=$near
ask own -H "$bearer"
who=$anna
check 'a local client goes nowhere with it' error_is 403 private_route_blocked
ask own -H "$bearer" -H 'X-Tailgate-Place: local'
check 'nor does a request that stays' error_is 403 private_route_blocked
is 'and no provider was asked' "$(asked)" ''

# --- chains -------------------------------------------------------------------
ask either -H "$bearer"
is 'the first of a chain' "$(asked)" "200 $own o"
ask either
is 'without it the next, if that is permitted' "$(asked)" '200  f'
is 'which is a fallback' "$(header x-tailgate-fallback)" unsupported
ask chain
check 'and not if it is not' error_is 401 own_key_missing
echo "$own 429 7" >"$answers"
ask chain -H "$bearer"
is 'the next of a chain has its own key, never the client'"'"'s' "$(asked)" \
	"429 $own o
200 sk-ours-of-the-gateway p"
ask own -H "$bearer"
is 'a limit of the client reaches it' "$status:$(header retry-after)" 429:7
: >"$answers"
ask own -H 'Authorization: Bearer sk-of-another-user'
is 'and holds no other client back' "$status:$(asked)" \
	'200:200 sk-of-another-user o'

# --- refused ------------------------------------------------------------------
for code in 401 402 403; do
	echo "$own $code" >"$answers"
	ask own -H "$bearer"
	is "$code: as the provider says it" "$status" "$code"
	unlike "$code: without the key" "$(cat "$dir/body" "$dir/head")" MARKOWN
	is "$code: the provider is well" "$("$TAILGATE" -f "$conf" status --json |
		jq -c '.providers[0] | [.state, .failures, .held]')" \
		'["closed",0,[]]'
done
echo "$own 401" >"$answers"
ask chain -H "$bearer"
is 'a refused key is not replaced by the operator'"'"'s' "$status:$(asked)" \
	"401:401 $own o"
messages bridged -H "$bearer"
is 'over a bridge, too' "$status:$(jq -r .type "$dir/body")" 401:error
unlike 'and without it' "$(body)" MARKOWN
: >"$answers"

# --- what the model says ------------------------------------------------------
post /v1/chat/completions "$(body_of own MARKSAY)" \
	-H "X-Tailgate-Key: $anna" -H "$bearer"
is 'a response that repeats it passes' "$status" 200
unlike 'without it' "$(body)" MARKOWN

# --- what is said of it -------------------------------------------------------
explain()
{
	body_of own | "$TAILGATE" -f "$conf" explain --client anna "$@"
}
like 'explain without it' "$(explain 2>&1)" \
	'key +plan needs the client.s own key, but no X-Tailgate-Key came'
like 'explain with it' "$(explain --header "X-Tailgate-Key: x" --header "$bearer")" \
	'key +the client.s own, as it sends it'
unlike 'it is not shown' "$(explain --header "X-Tailgate-Key: x" --header "$bearer" \
	--json)" MARKOWN
like 'status' "$("$TAILGATE" -f "$conf" status)" "plan +each client's own"
is 'status in JSON' "$("$TAILGATE" -f "$conf" status --json |
	jq -c '[.providers[].auth]')" '["client","client",null,null]'
echo 'NONE 401' >>"$answers"
: >"$log"
like 'probe asks without a key' "$("$TAILGATE" -f "$conf" probe)" 'plan'
unlike 'and has none' "$(asked)" MARKOWN
request /v1/chat/completions -X OPTIONS -H 'Origin: https://page.example' \
	-H 'Access-Control-Request-Method: POST' \
	-H 'Access-Control-Request-Headers: authorization,x-tailgate-key'
like 'a page may send it' "$(header access-control-allow-headers)" \
	'x-tailgate-key'

# --- nowhere ------------------------------------------------------------------
key=$anna
all_lines()
{
	[ "$(wc -l <"$dir/state/ledger.jsonl")" -ge 20 ]
}
wait_until all_lines
for file in "$dir/tailgate.log" "$dir/state/ledger.jsonl"; do
	check_not "it is not in $(basename "$file")" grep -q MARKOWN "$file"
done
check_not 'nor in runtime_dir' grep -r -q -a MARKOWN "$dir/run"
check 'the ledger verifies' "$TAILGATE" -f "$conf" usage --verify

# --- what is wrong in a configuration -----------------------------------------
check 'the configuration is good' "$TAILGATE" -f "$conf" check
cp "$conf" "$dir/good.conf"
wrong()
{
	sed "$2" "$dir/good.conf" >"$conf"
	like "$1" "$("$TAILGATE" -f "$conf" check 2>&1)" "$3"
}
wrong 'a key beside it' 's/auth = "client"; }/auth = "client"; key = { file = "ours"; }; }/' \
	'providers\[1\].auth: is client, so each client sends its own'
wrong 'an echo' 's/name = "talk"/name = "talk"; kind = "echo"/' \
	'providers\[1\].auth: cannot be client here'
finish

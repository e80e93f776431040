# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# contrib/realtime: a web server passes /v1/realtime, a WebSocket, to its provider
# after it has asked the gateway about the key, the model and the place; the
# gateway's key goes no further, and each has a line in the ledger.
. "${abs_srcdir:-.}/tests/lib.sh"

need python3 jq
python3 "$tests/websocket.py" serve "$dir/voice" >"$dir/voice.port" \
	2>"$dir/voice.log" &
adopt voice $!
wait_until -p "$voice_pid" test -s "$dir/voice.port" || broken "no upstream"
port=$(cat "$dir/voice.port")
: >"$dir/voice"

new_config <<-END
	providers = (
	  { name = "voice"; place = "local"; url = "http://127.0.0.1:$port/v1";
	    endpoints = [ "realtime" ]; circuit = { failures = 0; }; },
	  { name = "cloud"; place = "external"; url = "http://127.0.0.1:$port/v1";
	    endpoints = [ "realtime" ]; }
	);
	cors = { origins = [ "https://a.example" ]; };
	models = (
	  { id = "talk"; targets = (
	    { provider = "voice"; model = "talk"; } ); },
	  { id = "alias"; targets = (
	    { provider = "voice"; model = "talk"; } ); },
	  { id = "far"; place = "external"; targets = (
	    { provider = "cloud"; model = "far"; } ); }
	);
END
add_client one --models 'talk,alias,far'
add_client few --models talk --requests-per-minute 1
add_client none --models far --endpoints chat
add_client boss --models far --operator
start_tailgate
. "$tests/realtime_servers.sh"

# ask KEY QUERY [FIELD...]
ask()
{
	ask_key=$1
	ask_url="$base/v1/realtime?$2"
	shift 2
	python3 "$tests/websocket.py" ask "$ask_url" "$ask_key" hello "$@" 2>&1
}
last_line()
{
	tail -n 1 "$dir/state/ledger.jsonl"
}
# shellcheck disable=SC2317 # wait_until calls it
lines_are()
{
	[ "$(wc -l <"$dir/state/ledger.jsonl")" -eq "$1" ]
}

# shellcheck disable=SC2154 # add_client sets them
passes()
{
	: >"$dir/voice"
	lines=$(wc -l <"$dir/state/ledger.jsonl" 2>/dev/null || echo 0)
	is "$1: a WebSocket passes" "$(ask "$one_key" model=talk | tr '\n' ' ')" \
		'hello HELLO '
	is "$1: to the provider, with its own key alone" "$(cat "$dir/voice")" \
		'GET /v1/realtime?model=talk HTTP/1.1|Bearer its-own'
	wait_until lines_are $((lines + 1))
	is "$1: the ledger has it" "$(last_line | jq -c '[.client, .endpoint,
		.model, .provider, .place, .status, .sent, .usage,
		.tries[0].outcome]')" \
		'["one","realtime","talk","voice","local",200,true,"none","passed_on"]'
	: >"$dir/voice"
	is "$1: the gateway's key may come in a field of its own" "$(ask own \
		model=talk "X-Tailgate-Key: $one_key" 'Cookie: a=b' |
		tr '\n' ' ')" 'hello HELLO '
	is "$1: which stays here, too" "$(cat "$dir/voice")" \
		'GET /v1/realtime?model=talk HTTP/1.1|Bearer its-own'
	: >"$dir/voice"
	# As a browser does it, which can send no field of its own.
	offered="Sec-WebSocket-Protocol: realtime, x"
	ask own model=talk "$offered, openai-insecure-api-key.$one_key" \
		>"$dir/out"
	like "$1: a key in Authorization goes first" "$(cat "$dir/out")" '^401'
	is "$1: else the key may be a subprotocol" "$(ask '' model=talk \
		"$offered, openai-insecure-api-key.$one_key" |
		tr '\n' ' ')" 'hello HELLO '
	is "$1: and stays here" "$(cat "$dir/voice")" \
		"GET /v1/realtime?model=talk HTTP/1.1|Bearer its-own|Sec-WebSocket-Protocol: realtime"
	: >"$dir/voice"
	is "$1: without Realtime's own, none goes further" "$(ask '' model=talk \
		"Sec-WebSocket-Protocol: openai-insecure-api-key.$one_key" |
		tr '\n' ' ')$(cat "$dir/voice")" \
		'hello HELLO GET /v1/realtime?model=talk HTTP/1.1|Bearer its-own'
	is "$1: no field is lost because Connection names it" "$(ask own \
		model=talk "X-Tailgate-Key: $one_key" \
		'Connection: X-Tailgate-Key' | tr '\n' ' ')" 'hello HELLO '
	: >"$dir/voice"
	is "$1: without a model, the one there is" \
		"$(ask "$one_key" intent=transcription | head -n 1)" hello
	: >"$dir/voice"
	like "$1: a wrong key" "$(ask tg-wrong model=talk)" '^401'
	like "$1: a model that is not allowed" "$(ask "$few_key" model=far)" \
		'^403'
	like "$1: what may not leave" "$(ask "$one_key" model=far)" '^403'
	like "$1: an endpoint that is not allowed" \
		"$(ask "$none_key" model=far)" '^403'
	like "$1: nor if its plan is asked for" "$(ask "$boss_key" model=far \
		'X-Tailgate-Explain: 1')" '^403'
	# nginx has no other answers than 401, 403 and an error of its own.
	like "$1: another name than the provider's" \
		"$(ask "$one_key" model=alias)" '^(400|503)'
	like "$1: no such model" "$(ask "$one_key" model=nothing)" '^(404|503)'
	like "$1: two models" "$(ask "$one_key" 'model=talk&model=far')" \
		'^(400|503)'
	like "$1: one as Azure calls it" \
		"$(ask "$one_key" 'model=talk&deployment=far')" '^(400|503)'
	is "$1: none of these reached the provider" "$(cat "$dir/voice")" ''
	wait_until lines_are $((lines + 16))
	is "$1: but all are in the ledger" "$(tail -n 9 \
		"$dir/state/ledger.jsonl" | jq -c '[.status, .sent]' |
		sort | uniq -c | sed 's/^ *//' | tr '\n' ' ')" \
		'3 [400,null] 1 [401,null] 4 [403,null] 1 [404,null] '
	for method in OPTIONS POST; do
		# shellcheck disable=SC2154 # lib.sh's
		curl -s -o /dev/null -X "$method" -H 'Origin: https://a.example' \
			-H 'Access-Control-Request-Method: GET' \
			-H "Authorization: Bearer $one_key" --data '' \
			"$base/v1/realtime?model=talk"
	done
	is "$1: nothing but GET reaches the provider" "$(cat "$dir/voice")" ''
}

start_caddy_realtime
passes caddy
stop_server
start_lighttpd_realtime
passes lighttpd
key=$one_key
request /v1/models/talk
check 'what the gateway serves itself is never authorized' error_is 404 \
	unknown_url
is 'a budget counts it' "$(ask "$few_key" model=talk | head -n 1) $(ask \
	"$few_key" model=talk)" 'hello 429 rate_limit_exceeded'
stop_server
start_nginx_realtime
passes nginx
stop_server

# --- without a web server that passes it on -------------------------------------------
start_lighttpd
wait_until serves
key=$one_key
request '/v1/realtime?model=talk'
check 'a web server that does not pass it on' error_is 404 unknown_url
like 'says so' "$(body)" 'the web server has to pass on itself'
request '/v1/realtime?model=talk' -H 'Tailgate-Provider: voice' \
	-H 'Tailgate_Provider: voice'
check 'and no header of a client changes that' error_is 404 unknown_url
like 'explain knows it' "$(: | "$TAILGATE" -f "$conf" explain --client one \
	--endpoint realtime --query model=talk 2>&1)" 'IN +voice'
finish

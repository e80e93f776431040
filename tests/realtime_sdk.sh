# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Realtime by the official SDKs' own classes: OpenAIRealtimeWS and
# OpenAIRealtimeWebSocket in JavaScript (the second is for browsers, and sends the
# key as a subprotocol), realtime.connect() in Python, today's and the beta's.
# They want TLS, so each web server is behind a Caddy with a certificate.
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/clients/suite.sh"
. "$tests/certificates.sh"

need python3 jq openssl caddy
need_js ws
need_py websockets
spawn voice python3 "$tests/websocket.py" realtime "$dir/voice"
wait_until -p "$voice_pid" test -s "$dir/voice.log" || broken "no upstream"
port=$(cat "$dir/voice.log")

new_config <<-END
	providers = (
	  { name = "voice"; place = "local"; url = "http://127.0.0.1:$port/v1";
	    endpoints = [ "realtime" ]; } );
	models = (
	  { id = "talk"; targets = (
	    { provider = "voice"; model = "talk"; } ); } );
END
add_client one
start_tailgate
. "$tests/realtime_servers.sh"
authority ours
certificate right ours IP:127.0.0.1
mkdir "$dir/js"
cp "$tests/clients/realtime.mjs" "$tests/clients/say.mjs" "$dir/js/"
ln -s "$clients/node_modules" "$dir/js/node_modules"

# secured: $base with TLS, at $secure.
secured()
{
	reserve_port front
	mkdir -p "$dir/front"
	cat >"$dir/front/Caddyfile" <<-END
		{
			admin off
			auto_https off
		}
		https://:$front_port {
			bind 127.0.0.1
			tls $dir/right.pem $dir/right.key
			reverse_proxy ${base#http://}
		}
	END
	spawn front env "HOME=$dir/front" "XDG_DATA_HOME=$dir/front" \
		"XDG_CONFIG_HOME=$dir/front" caddy run --adapter caddyfile \
		--config "$dir/front/Caddyfile"
	secure=https://127.0.0.1:$front_port
	wait_until -p "$front_pid" curl -fs -o /dev/null \
		--cacert "$dir/ours.pem" "$secure/health" || broken 'no TLS'
}

# shellcheck disable=SC2154 # add_client sets it
speak()
{
	secured
	: >"$dir/voice"
	rm -f "$dir/state/ledger.jsonl"
	BASE_URL=$secure/v1 API_KEY=$one_key NODE_EXTRA_CA_CERTS=$dir/ours.pem \
		"$node" "$dir/js/realtime.mjs" >"$dir/out" 2>&1
	is "$1: the script in JavaScript ran to its end" "$?" 0
	take "$dir/out" "$1"
	is "$1: all of it" "$(tail -n 1 "$dir/out")" 'done'
	BASE_URL=$secure/v1 API_KEY=$one_key SSL_CERT_FILE=$dir/ours.pem \
		"$python" "$tests/clients/realtime.py" >"$dir/out" 2>&1
	is "$1: the script in Python ran to its end" "$?" 0
	take "$dir/out" "$1"
	is "$1: all of it" "$(tail -n 1 "$dir/out")" 'done'
	at='GET /v1/realtime?model=talk HTTP/1.1|Bearer its-own'
	protocol='Sec-WebSocket-Protocol: realtime'
	is "$1: none of them brought its key to the provider" \
		"$(sort "$dir/voice" | uniq -c | sed 's/^ *//')" "\
3 $at
3 $at|OpenAI-Beta: realtime=v1
1 $at|$protocol
1 $at|$protocol, openai-beta.realtime-v1"
	check_not "$1: nor into a log" grep -rqF "$one_key" "$dir/tailgate.log" \
		"$dir/front.log" "$dir/$1.log" "$dir/state"
	is "$1: the ledger has each, and the refusals" "$(jq -c \
		'[.endpoint, .status, .client]' "$dir/state/ledger.jsonl" |
		sort | uniq -c | sed 's/^ *//')" '8 ["realtime",200,"one"]
3 ["realtime",401,null]'
	stop "$front_pid"
	stop_server
}

start_caddy_realtime
speak caddy
start_lighttpd_realtime
speak lighttpd
finish

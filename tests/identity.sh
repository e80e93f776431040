# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# How a client is identified: by key, by network (also through a proxy of one's
# own), by the user that the web server has checked, by two of them; and what
# the client may then see and call.
. "${abs_srcdir:-.}/tests/lib.sh"

start_upstream stub -n
reserve_port dead

new_config <<-END
	trusted_proxies = [ "127.0.0.1/32" ];
	client_address_header = "X-Forwarded-For";
	providers = (
	  { name = "stub"; place = "local"; url = "$stub_url"; },
	  { name = "dead"; place = "local"; url = "$dead_url"; retries = 0;
	    circuit = { failures = 1; cooldown = 100.0; }; },
	  { name = "far"; place = "external"; url = "$stub_url"; }
	);
	models = (
	  { id = "org/plain"; aliases = [ "gpt-x" ];
	    targets = ( { provider = "stub"; model = "plain";
	      context = 4096; } ); },
	  { id = "dead"; targets = ( { provider = "dead"; model = "x"; } ); },
	  { id = "far"; place = "external";
	    targets = ( { provider = "far"; model = "plain"; } ); }
	);
	clients = (
	  { name = "lan"; networks = [ "192.0.2.0/24" ]; },
	  { name = "carla"; user = "carla"; },
	  { name = "embed"; networks = [ "198.51.100.9" ];
	    endpoints = [ "embeddings" ]; }
	);
END
add_client anna --models 'org/*' --explain
add_client boss --operator --place external
# A key that is good from one network only.
cat >>"$dir/clients.conf" <<-END
	# nothing here
END
sed 's/name = "anna";/name = "anna"; networks = [ "203.0.113.0\/24" ];/' \
	"$dir/clients.conf" >"$dir/clients.new"
start_tailgate

lighttpd_conf "$dir/user.conf" <<-'END'
	server.modules += ( "mod_setenv", "mod_fastcgi" )
	$HTTP["url"] =~ "^/as-carla/" {
	  setenv.set-environment = ( "REMOTE_USER" => "carla" )
	}
	fastcgi.server = ( "/" => (( "socket" => env.TAILGATE_SOCKET,
	  "check-local" => "disable", "fix-root-scriptname" => "enable" )) )
END
start_lighttpd "$dir/user.conf"

# as NAME [curl arguments]: the models that this client sees, in one line.
seen()
{
	request /v1/models "$@"
	grep -o '"id":"[^"]*"' "$dir/body" | sed 's/"id":"\(.*\)"/\1/' |
		tr '\n' ' '
}

key=
is 'no key, no client' "$(seen >/dev/null; request /v1/models; echo "$status")" 401
is 'by network, named by a trusted proxy' \
	"$(seen -H 'X-Forwarded-For: 192.0.2.7')" 'org/plain gpt-x dead '
request /v1/models -H 'X-Forwarded-For: 192.0.3.7'
check 'another network is no client' error_is 401 invalid_api_key
request /v1/models -H 'X-Forwarded-For: 192.0.2.7, 192.0.3.7'
check 'addresses before the last foreign one are not believed' \
	error_is 401 invalid_api_key
request /as-carla/v1/models
is 'by the user that the web server names' "$status" 200
request /v1/models -H 'Remote-User: carla' -H 'REMOTE_USER: carla'
check 'not by one that the client names' error_is 401 invalid_api_key
request /v1/models -H 'Authorization: Bearer tg-wrong' \
	-H 'X-Forwarded-For: 192.0.2.7'
is 'an unknown key is as good as none' "$status" 200

key=$anna_key
is 'by key: the models it may use' "$(seen)" 'org/plain gpt-x '
like 'with place' "$(body)" '"place":"local"'
like 'with context' "$(body)" '"context_length":4096'
like 'and readiness' "$(body)" '"ready":true'
request /v1/models/org%2Fplain
is 'one, with %2F' "$status" 200
like 'by its id' "$(body)" '"id":"org/plain"'
request /v1/models/gpt-x
is 'one, by alias' "$status" 200
request /v1/models/dead
check 'one that it may not use is not there' error_is 404 model_not_found
post /v1/chat/completions '{"model":"dead","messages":[]}'
check 'nor may it call it' error_is 403 model_not_allowed
key=$boss_key
is 'external ones only if client and model allow it' "$(seen)" \
	'org/plain gpt-x dead far '

# Endpoints.
key=
post /v1/chat/completions '{"model":"org/plain","messages":[]}' \
	-H 'X-Forwarded-For: 198.51.100.9'
check 'an endpoint that is not its own' error_is 403 endpoint_not_allowed
post /v1/embeddings '{"model":"org/plain","input":"x"}' \
	-H 'X-Forwarded-For: 198.51.100.9'
is 'and one that is' "$status" 200

# Explain: the plan, and nothing is sent.
key=$anna_key
tell stub reset >/dev/null
post /v1/chat/completions '{"model":"gpt-x","messages":[]}' \
	-H 'X-Tailgate-Explain: 1'
is 'explain: a response' "$status" 200
like 'with the candidates' "$(body)" '"provider": ?"stub"'
is 'and nothing sent' "$(stat stub requests)" 0
key=$boss_key
post /v1/chat/completions '{"model":"gpt-x","messages":[]}' \
	-H 'X-Tailgate-Explain: 1'
is 'an operator may ask, too' "$(stat stub requests)" 0
key=
post /v1/chat/completions '{"model":"gpt-x","messages":[]}' \
	-H 'X-Tailgate-Explain: 1' -H 'X-Forwarded-For: 192.0.2.7'
is 'not for clients that may not: it is a request like any other' \
	"$(stat stub requests)" 1

# Health, for anybody; the rest for operators.
key=
for path in /health '/health?ready' /ready; do
	request "$path"
	is "$path: all is well" "$status" 200
done
key=$boss_key
post /v1/chat/completions '{"model":"dead","messages":[]}'
check 'a provider goes down' error_is 503 provider_unavailable
key=
for path in '/health?ready' /ready '/health?a=b&ready=1'; do
	request "$path"
	is "$path: one model has no target left" "$status" 503
	unlike "$path: no names" "$(body)" 'dead'
done
request /ready -I
is 'the same by HEAD' "$status" 503
for path in /health '/health?already'; do
	request "$path"
	is "$path: the gateway lives" "$status" 200
	like "$path: and says what is wrong" "$(body)" '"degraded".*"ready":2'
done
key=$boss_key
request /v1/models
like 'and it is listed as not ready' "$(body)" '"id":"dead"[^}]*"ready":false'
# Paths about the gateway exist only at the root of a site: a web server may
# guard it there.
key=$boss_key
for path in /v1/metrics /v1/x/metrics /x/metrics /v1/x/tailgate/usage.json \
	/x/tailgate/status.json /x/health /v1/ready /metrics/; do
	request $path
	check "$path: is not served" error_is 404 unknown_url
done
for path in /metrics /tailgate/status.json; do
	key=$boss_key
	request $path
	is "$path: an operator" "$status" 200
	key=$anna_key
	request $path
	check "$path: no other client" error_is 403 endpoint_not_allowed
done
key=$anna_key
request /tailgate/usage.json
is 'a client sees its own budgets' "$status $(body)" \
	"200 $(body | grep '^{"client": "anna", .*"budgets": \[')"

# Key and network.
cp "$dir/clients.new" "$dir/clients.conf"
chmod 600 "$dir/clients.conf"
kill -HUP "$tailgate_pid"
away()
{
	request /v1/models
	[ "$status" = 401 ]
}
key=$anna_key
check 'a key that is good in a network: not elsewhere' wait_until away
request /v1/models -H 'X-Forwarded-For: 203.0.113.77'
is 'but there' "$status" 200
finish

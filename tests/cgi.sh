# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The same program as plain CGI, under lighttpd's mod_cgi with the shipped
# contrib/lighttpd/cgi.conf.
. "${abs_srcdir:-.}/tests/lib.sh"

start_upstream stub
stub_config
add_client anna

# mod_cgi passes no arguments.
cat >"$dir/tailgate.cgi" <<END
#!/bin/sh
exec "$TAILGATE_FCGI" -f "$conf"
END
chmod 755 "$dir/tailgate.cgi"
lighttpd_conf "$dir/cgi.lighttpd" <<END
var.tailgate_program = "$dir/tailgate.cgi"
include "$abs_srcdir/contrib/lighttpd/cgi.conf"
END
start_lighttpd "$dir/cgi.lighttpd"

request /v1/models
is 'models' "$status" 200
post /v1/chat/completions "$(chat plain)"
is 'chat' "$status" 200
same 'chat: byte for byte' "$dir/body" "$stub_dir/1.answer"
is 'x-tailgate-provider' "$(header x-tailgate-provider)" stub
is 'the request' "$(cat "$stub_dir/1.body")" "$(chat plain | sed 's|stub/||')"
post /v1/chat/completions "$(chat plain)" -H 'Transfer-Encoding: chunked'
is 'a chunked upload' "$status" 200
post /v1/chat/completions "$(chat 429,retry=5)"
check 'an error' error_is 429 stub_error
is 'its Retry-After' "$(header retry-after)" 5
request /v1/chat/completions -H 'Authorization: Bearer wrong' -d '{}'
check 'a wrong key' error_is 401 invalid_api_key
post /v1/chat/completions '{"model":'
check 'bad JSON' error_is 400 invalid_json

curl -sN --max-time 60 -H "Authorization: Bearer $key" \
	-H 'Content-Type: application/json' \
	--data-binary "$(chat gate,n=3 '"stream":true')" \
	"$base/v1/chat/completions" >"$dir/gated" 2>&1 &
adopt gated $!
check 'the first chunk comes before the second' \
	wait_until -p "$gated_pid" file_longer "$dir/gated" 100
is 'the upstream is still at it' "$(stat stub in_flight)" 1
tell stub release >/dev/null
check 'the stream ends well' wait "$gated_pid"
like 'and is whole' "$(cat "$dir/gated")" '\[DONE\]'

post /v1/chat/completions "$(chat cut-mid,n=4 '"stream":true')"
unlike 'a cut stream does not look whole' "$(body)" '\[DONE\]'

head -c 3000000 /dev/urandom >"$dir/audio"
request /v1/audio/transcriptions -F "file=@$dir/audio" -F model=stub/plain
is 'an upload of 3 MB' "$status" 200
is 'arrives whole' "$(stat stub bytes_in)" "$(
	cat "$stub_dir"/*.body | wc -c | tr -d ' ')"
check 'with the audio in it' test "$(stat stub bytes_in)" -gt 3000000

# The client goes: the program ends, and its upstream connection with it.
curl -sN --max-time 60 -H "Authorization: Bearer $key" \
	-H 'Content-Type: application/json' \
	--data-binary "$(chat n=100000,ms=20 '"stream":true')" \
	"$base/v1/chat/completions" >"$dir/gone" 2>&1 &
adopt gone $!
wait_until -p "$gone_pid" file_longer "$dir/gone" 100
stop "$gone_pid"
check 'a gone client ends the upstream request' \
	wait_until stat_is stub in_flight 0
finish

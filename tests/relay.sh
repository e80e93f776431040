# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Bytes pass unchanged, both ways, as they come; and a response that was cut
# never looks complete.
. "${abs_srcdir:-.}/tests/lib.sh"

start_upstream stub
printf 'sk-of-the-provider\n' >"$dir/stub.secret"
chmod 600 "$dir/stub.secret"
stub_more="key = { file = \"$dir/stub.secret\"; };"
more_models=', { id = "kept"; targets = ( { provider = "stub";
    model = "plain"; attribution = "keep"; } ); }'
stub_config
add_client anna
start_tailgate

# The number of the stub's last request, which names its record.
last()
{
	find "$stub_dir" -name '*.head' | sed 's|.*/||; s|\.head$||' |
		sort -n | tail -n 1
}

# sent_as DESCRIPTION FILE: what the upstream got is FILE with "stub/x" in
# the place of the model replaced by "x".
sent_as()
{
	sed 's|"stub/plain"|"plain"|; s|^stub/plain|plain|' "$2" >"$dir/want"
	same "$1" "$stub_dir/$(last).body" "$dir/want"
}

# A body that no JSON library would write again like this.
cat >"$dir/odd.json" <<'END'
{ "unknown" : [ 0.10, 1.10, 1E5, -0, 1e-7, 18446744073709551615, 1.0e+2 ],
	"messages":[{"role":"user","content":"\u00e9\/\ud83d\ude00 é 世界\n"}],
  "model" :	"stub/plain"  , "temperature":0.10,"x":1,"x":2,
 "metadata" : { "model": "stub/plain-not-me", "a\u0000b": null } }
END

exact_requests()
{
	request /v1/chat/completions -H 'Content-Type: application/json' \
		--data-binary "@$dir/odd.json"
	is "$1: odd JSON is served" "$status" 200
	sent_as "$1: odd JSON arrives byte for byte" "$dir/odd.json"

	request /v1/chat/completions -H 'Content-Type: application/json' \
		-H 'Transfer-Encoding: chunked' --data-binary "@$dir/odd.json"
	is "$1: a chunked upload is served" "$status" 200
	sent_as "$1: a chunked upload arrives whole" "$dir/odd.json"

	request /v1/chat/completions -H 'Content-Type: application/json' \
		-H 'Expect: 100-continue' --data-binary "@$dir/odd.json"
	is "$1: Expect is served" "$status" 200
	unlike "$1: Expect stays here" \
		"$(cat "$stub_dir/$(last).head")" '^[Ee]xpect:'

	like "$1: the provider's key goes up" \
		"$(cat "$stub_dir/$(last).head")" \
		'^[Aa]uthorization: Bearer sk-of-the-provider'
	check_not "$1: the client's key does not" \
		grep -r -q "$key" "$stub_dir"
}

# billing SYSTEM FILE: a request with this `system`, and the billing line in
# another place, too.
billing()
{
	printf '{"model": "stub/plain" ,"max_tokens":9,"system":%s ,\n%s}' "$1" \
		'"messages":[{"role":"user","content":"x-anthropic-billing-header: cch=a;"}],"x":1.0' \
		>"$2"
}

# Claude Code's billing line as a block, as the beginning of one, of a text;
# and what is none.
exact_billing()
{
	while IFS='|' read -r system want; do
		billing "$system" "$dir/billing.json"
		billing "$want" "$dir/billing.want"
		request /v1/messages -H 'Content-Type: application/json' \
			--data-binary "@$dir/billing.json"
		sent_as "$1: without the billing line: $system" \
			"$dir/billing.want"
		[ "$system" = "$want" ] || is "$1: and it is named" \
			"$(header x-tailgate-dropped)" \
			x-anthropic-billing-header
	done <<-'END'
		[ {"type":"text","text":"x-anthropic-billing-header: cch=\"a\\b\";"} , { "text":"B" } ]|[ { "text":"B" } ]
		[ { "text":"x-anthropic-billing-header: cch=a;"} ]|[  ]
		[{"text":"x-anthropic-billing-header: cch=a;\n\nYou are.","type":"text"},1]|[{"text":"You are.","type":"text"},1]
		"x-anthropic-billing-header: cch=a;\nYou are."|"You are."
		"x-anthropic-billing-header: cch=a;"|""
		[{"text":"B"},{"text":"x-anthropic-billing-header: c;"}]|[{"text":"B"},{"text":"x-anthropic-billing-header: c;"}]
		"See x-anthropic-billing-header: cch=a;"|"See x-anthropic-billing-header: cch=a;"
	END
	billing '"x-anthropic-billing-header: cch=a;"' "$dir/billing.json"
	sed 's|stub/plain|kept|' "$dir/billing.json" >"$dir/kept.json"
	request /v1/messages -H 'Content-Type: application/json' \
		--data-binary "@$dir/kept.json"
	sed 's|"kept"|"plain"|' "$dir/kept.json" >"$dir/kept.want"
	same "$1: attribution = keep keeps it" \
		"$stub_dir/$(last).body" "$dir/kept.want"
}

# form FIRST|LAST FILE: a form of 25 MB, with the model first or last.
form()
{
	{
		[ "$1" = LAST ] || printf -- '--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nstub/plain\r\n'
		printf -- '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
		cat "$dir/audio"
		printf '\r\n'
		[ "$1" = FIRST ] || printf -- '--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nstub/plain\r\n'
		printf -- '--b--\r\n'
	} >"$2"
}
head -c 25000000 /dev/urandom >"$dir/audio"
form FIRST "$dir/first"
form LAST "$dir/last"

exact_forms()
{
	for where in first last; do
		request /v1/audio/transcriptions \
			-H 'Content-Type: multipart/form-data; boundary=b' \
			--data-binary "@$dir/$where"
		is "$1: 25 MB, model $where, is served" "$status" 200
		sent_as "$1: 25 MB, model $where, arrives byte for byte" \
			"$dir/$where"
		rm -f "$stub_dir/$(last).body"
	done
	request /v1/audio/translations \
		-H 'Content-Type: multipart/form-data; boundary=b' \
		-H 'Transfer-Encoding: chunked' --data-binary "@$dir/last"
	is "$1: 25 MB, chunked, is served" "$status" 200
	sent_as "$1: 25 MB, chunked, arrives byte for byte" "$dir/last"
	rm -f "$stub_dir/$(last).body"
}

# Endpoint, script, further members: the response is the upstream's.
cat >"$dir/answers" <<'END'
/v1/chat/completions plain
/v1/chat/completions blank
/v1/chat/completions reasoning
/v1/chat/completions size=2000000
/v1/chat/completions until-close
/v1/chat/completions 1xx
/v1/chat/completions drip,ms=1,size=500
/v1/chat/completions n=3 "stream":true
/v1/chat/completions n=3,comments "stream":true
/v1/chat/completions n=3,crlf,comments "stream":true
/v1/chat/completions n=3,blank,crlf "stream":true
/v1/chat/completions n=3,big-event "stream":true
/v1/chat/completions n=3,usage-twice "stream":true
/v1/chat/completions n=3,usage-last,usage-cost "stream":true
/v1/chat/completions n=3,tools "stream":true
/v1/chat/completions n=4,reasoning "stream":true
/v1/chat/completions n=300,size=300 "stream":true
/v1/chat/completions n=2,drip,ms=1 "stream":true
/v1/completions plain "prompt":"x"
/v1/completions n=3 "prompt":"x","stream":true
/v1/embeddings plain "input":["a","b"],"encoding_format":"base64"
/v1/embeddings plain "input":"a"
/v1/rerank plain "query":"a","documents":["b"]
/v1/responses plain "input":"x"
/v1/responses n=3 "input":"x","stream":true
/v1/messages plain "max_tokens":10
/v1/messages n=3,comments "max_tokens":10,"stream":true
/v1/messages/count_tokens plain
/v1/audio/speech size=300000,n=7 "input":"x","voice":"y"
/v1/audio/speech n=3 "input":"x","voice":"y","stream_format":"sse"
END

exact_answers()
{
	while read -r path script members; do
		post "$path" "$(chat "$script" "$members")"
		is "$1: $path $script $members: status" \
			"$status $curl_status" '200 0'
		same "$1: $path $script $members: byte for byte" \
			"$dir/body" "$stub_dir/$(last).answer"
	done <"$dir/answers"
}

# Replies as they were seen in the wild, and the bytes to expect.  A name's
# beginning may tell the endpoint.
recorded()
{
	for reply in "$tests"/replies/*.http; do
		name=$(basename "$reply" .http)
		# tests/faults.tsv has the errors that do not pass unchanged.
		[ -e "$tests/replies/$name.body" ] || continue
		case $name in
		responses-*) path=/v1/responses members='"input":"x"' ;;
		messages-*) path=/v1/messages members='"max_tokens":9' ;;
		*) path=/v1/chat/completions members='"n":1' ;;
		esac
		! grep -a -q -e event-stream -e '^data: ' "$reply" ||
			members=$members,'"stream":true'
		post "$path" "$(chat "raw,file=$name" "$members")"
		is "$1: recorded $name: status" "$status $curl_status" '200 0'
		same "$1: recorded $name: byte for byte" "$dir/body" \
			"$tests/replies/$name.body"
	done
}

# The first piece is at the client while the upstream is still held at a gate
# before its second: no timing in it.
as_it_comes()
{
	while read -r path members; do
		rm -f "$dir/gated"
		curl -sN --max-time 60 -H "Authorization: Bearer $key" \
			-H 'Content-Type: application/json' \
			--data-binary "$(chat gate,n=3,size=400 "$members")" \
			"$base$path" >"$dir/gated" 2>"$dir/gated.err" &
		gated=$!
		check "$1: $path: the first piece comes before the second" \
			wait_until -p "$gated" file_longer "$dir/gated" 100
		is "$1: $path: the upstream is still at it" \
			"$(stat stub in_flight)" 1
		tell stub release >/dev/null
		check "$1: $path: it ends well" wait "$gated"
		same "$1: $path: byte for byte" "$dir/gated" \
			"$stub_dir/$(last).answer"
	done <<-END
		/v1/chat/completions "stream":true
		/v1/responses "input":"x","stream":true
		/v1/messages "max_tokens":9,"stream":true
		/v1/audio/speech "input":"x","voice":"y"
	END
}

# Complete would be: curl is content, and the stream's own end is there.
looks_complete()
{
	[ "$status $curl_status" = '200 0' ] || return 1
	case $members in
	*stream*) grep -q -e '\[DONE\]' -e 'response\.completed' \
		-e message_stop "$dir/body" ;;
	esac
}

# An end that says what happened: an error event, or a transfer that HTTP
# itself calls broken.
says_so()
{
	[ "$curl_status" -ne 0 ] || [ "$status" -ge 500 ] ||
		grep -q '"error"' "$dir/body"
}

cut_short()
{
	while read -r path script members; do
		post "$path" "$(chat "$script" "$members")"
		# Caddy 2.6 ends its chunked response properly whatever the
		# FastCGI side does, and sound has no place for an error.
		case $1$path in
		caddy*speech) continue ;;
		esac
		check_not "$1: $path $script $members: not complete" \
			looks_complete
		# A proper end is the upstream's own affair: it goes as it is,
		# without the end that it lacks.
		case $path$script in
		*/chat/*clean* | */chat/*no-done*) ;;
		*) check "$1: $path $script $members: says so" says_so ;;
		esac
	done <<-END
		/v1/chat/completions cut-mid,size=200000
		/v1/chat/completions cut-mid
		/v1/chat/completions length-long
		/v1/chat/completions cut-head
		/v1/chat/completions cut-mid,n=4 "stream":true
		/v1/chat/completions cut-mid,rst,n=4 "stream":true
		/v1/chat/completions cut-mid,clean,n=4 "stream":true
		/v1/chat/completions cut-utf8,n=4 "stream":true
		/v1/chat/completions no-done,n=4 "stream":true
		/v1/chat/completions error-mid,n=4 "stream":true
		/v1/responses cut-mid,n=4 "input":"x","stream":true
		/v1/responses cut-mid,clean,n=4 "input":"x","stream":true
		/v1/messages cut-mid,n=4 "max_tokens":9,"stream":true
		/v1/messages cut-utf8,rst,n=4 "max_tokens":9,"stream":true
		/v1/audio/speech cut-mid,n=4,size=90000 "input":"x","voice":"y"
	END
	post /v1/responses "$(chat cut-mid,n=4 '"input":"x","stream":true')"
	is "$1: a cut Responses stream ends in an error and response.failed" \
		"$(grep '^event: ' "$dir/body" | tail -n 2 | tr '\n' ' ')" \
		'event: error event: response.failed '
	post /v1/messages "$(chat cut-mid,n=4 '"max_tokens":9,"stream":true')"
	like "$1: a cut Messages stream ends in an error event" \
		"$(body)" '^event: error'
}

heads()
{
	post /v1/chat/completions "$(chat inject)"
	is "$1: hostile headers: the response is still good" \
		"$status $curl_status" '200 0'
	for name in Set-Cookie Location X-Sendfile X-LIGHTTPD-send-file \
		X-Accel-Redirect OpenAI-Organization X-Folded X-Control; do
		is "$1: $name is not passed" "$(header "$name")" ''
	done
	is "$1: x-tailgate-place is ours" "$(header x-tailgate-place)" local
	is "$1: x-tailgate-provider" "$(header x-tailgate-provider)" stub
	is "$1: x-tailgate-model" "$(header x-tailgate-model)" inject
	is "$1: x-tailgate-fallback is not there" \
		"$(header x-tailgate-fallback)" ''
	check "$1: x-request-id" test -n "$(header x-request-id)"
	id=$(header x-request-id)
	post /v1/chat/completions "$(chat plain)"
	check "$1: x-request-id differs from request to request" \
		test "$id" != "$(header x-request-id)"

	post /v1/chat/completions "$(chat 429,retry=7)"
	is "$1: an upstream's 429" "$status" 429
	is "$1: its Retry-After" "$(header retry-after)" 7
	same "$1: its body" "$dir/body" "$stub_dir/$(last).answer"
	post /v1/chat/completions "$(chat 502,html)"
	check "$1: a web page becomes an error" error_is 502 upstream_error
	post /v1/chat/completions "$(chat 500,numeric)"
	same "$1: a JSON error passes as it is" "$dir/body" \
		"$stub_dir/$(last).answer"
	post /v1/chat/completions "$(chat gzip)"
	is "$1: gzip without being asked: a client that did not ask either can read it" \
		"$status $(header content-encoding)" '200 '
	like "$1: all of it" "$(body)" '^\{.*\}$'
}

methods()
{
	request /v1/models
	is "$1: GET /v1/models" "$status" 200
	request /v1/models -I
	is "$1: HEAD /v1/models" "$status" 200
	is "$1: HEAD has no body" "$(body | grep -c object)" 0
	request /v1/models/stub%2Fplain
	is "$1: GET /v1/models/{id} with an escaped slash" "$status" 200
	request /v1/chat/completions
	check "$1: GET instead of POST" error_is 405 method_not_allowed
	like "$1: Allow" "$(header allow)" POST
	request /v1/models -X DELETE
	check "$1: DELETE" error_is 405 method_not_allowed
	request /v1/models -X OPTIONS -H 'Origin: http://x' \
		-H 'Access-Control-Request-Method: POST'
	like "$1: OPTIONS without cors" "$status" '^(204|405)$'
	is "$1: it allows no page" \
		"$(header access-control-allow-origin)" ''
	request /v1/nothing
	check "$1: an unknown path" error_is 404 unknown_url
	request /v1
	is "$1: the mount itself says that it is a gateway" "$status $(body)" \
		'200 {"service":"tailgate","status":"ok"}'
	post /ai/v1/chat/completions "$(chat plain)"
	is "$1: under a prefix" "$status" 200
	request /ai/v1/models
	is "$1: models under a prefix" "$status" 200
	post '/v1/messages?beta=true' "$(chat plain '"max_tokens":9')" \
		-H 'anthropic-version: 2023-06-01' -H 'anthropic-beta: x-1'
	is "$1: a query" "$status" 200
	like "$1: Anthropic's headers go up" "$(cat "$stub_dir/$(last).head")" \
		'^[Aa]nthropic-[Vv]ersion: 2023-06-01'
	its=$key
	key=
	request /v1/messages -H 'Content-Type: application/json' \
		-H "x-api-key: $its" \
		--data-binary "$(chat plain '"max_tokens":9')"
	key=$its
	is "$1: the key as x-api-key" "$status" 200
}

for part in exact_requests exact_billing exact_forms exact_answers recorded as_it_comes \
	cut_short heads methods; do
	each_server $part
done
finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Web pages.  A page of an origin that `cors` names may call with whatever its
# SDK sends, and may read why it failed and when to try again.  No other page
# can use a client that is known by network or user instead of a key.  Programs
# of such clients work as before, and clients with a key are not checked.
. "${abs_srcdir:-.}/tests/lib.sh"

mkdir "$dir/raw"
printf 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%s\r\n%s' \
	'anthropic-ratelimit-of-its-own: 7' \
	"$(printf 'Content-Length: 2\r\n\r\n{}')" >"$dir/raw/own.http"
start_upstream stub -n --raw "$dir/raw"
more='cors = { origins = [ "https://chat.home" ]; };'
stub_config
add_client anna
start_tailgate

sdk=authorization,content-type,x-api-key,anthropic-version,anthropic-beta
sdk=$sdk,anthropic-dangerous-direct-browser-access,user-agent
sdk=$sdk,x-stainless-arch,x-stainless-lang,x-stainless-os,x-stainless-timeout
sdk=$sdk,x-stainless-package-version,x-stainless-retry-count
sdk=$sdk,x-stainless-runtime,x-stainless-runtime-version,x-tailgate-place

# preflight ORIGIN PATH [curl arguments]
preflight()
{
	from=$1
	path=$2
	shift 2
	key=
	request "$path" -X OPTIONS -H "Origin: $from" \
		-H 'Access-Control-Request-Method: POST' \
		-H "Access-Control-Request-Headers: $sdk" "$@"
	key=$anna_key
}

# exposed NAME...: the last response lets a page read these.
exposed()
{
	for name in "$@"; do
		header access-control-expose-headers | tr ',' '\n' |
			tr -d ' ' | grep -i -q -x -e "$name" || {
			echo "$name is not exposed"
			return 1
		}
	done
}

# readable DESCRIPTION: by a page of chat.home.
readable()
{
	is "$1: for this origin" "$(header access-control-allow-origin)" \
		https://chat.home
	is "$1: and no other" "$(header vary)" Origin
	check "$1: advice, names and rates are exposed" exposed retry-after \
		retry-after-ms x-should-retry x-request-id \
		x-tailgate-provider x-tailgate-model x-tailgate-place \
		x-tailgate-fallback x-tailgate-dropped \
		x-ratelimit-remaining-tokens
}

cors()
{
	for path in /v1/chat/completions /v1/messages /v1/models /v1/files; do
		preflight https://chat.home "$path"
		is "$1: $path: a preflight" "$status" 204
		is "$1: $path: of this origin" \
			"$(header access-control-allow-origin)" \
			https://chat.home
		is "$1: $path: may send what it names" \
			"$(header access-control-allow-headers)" "$sdk"
		like "$1: $path: by POST" \
			"$(header access-control-allow-methods)" POST
		is "$1: $path: depends on the origin" "$(header vary)" Origin
	done
	preflight https://chat.home /v1/models \
		-H 'Access-Control-Request-Private-Network: true'
	is "$1: from outside into this network" \
		"$(header access-control-allow-private-network)" true
	preflight https://chat.home /v1/models \
		-H 'Access-Control-Request-Headers: a<b>'
	unlike "$1: no text of others is said back" "$(cat "$dir/head")" '<'
	for from in https://evil.example null https://chat.home.evil.example \
		http://chat.home https://chat.home:444; do
		preflight "$from" /v1/chat/completions
		is "$1: $from is not allowed" "$status" 405
		is "$1: $from: nothing is" \
			"$(grep -i -c '^access-control' "$dir/head")" 0
	done

	set -- "$1" -H 'Origin: https://chat.home'
	server=$1
	shift
	post /v1/chat/completions "$(chat plain)" "$@"
	is "$server: a call" "$status" 200
	readable "$server: a call"
	post /v1/chat/completions "$(chat 'n=3' '"stream":true')" "$@"
	readable "$server: a stream"
	post /v1/chat/completions "$(chat 429,retry=2)" "$@"
	is "$server: a limit upstream" "$status" 429
	readable "$server: a limit upstream"
	post /v1/chat/completions "$(chat raw,file=own)" "$@"
	check "$server: a rate of a provider" exposed \
		anthropic-ratelimit-of-its-own
	post /v1/messages '{' "$@"
	is "$server: a bad request" "$status" 400
	readable "$server: a bad request"
	request /v1/files "$@"
	is "$server: no such path" "$status" 404
	readable "$server: no such path"
	key=
	request /v1/models "$@"
	is "$server: no key" "$status" 401
	readable "$server: no key"
	key=$anna_key
	request /v1/models
	is "$server: no page: it depends on the origin all the same" \
		"$(header vary)" Origin
	is "$server: no page: nothing is allowed" \
		"$(grep -i -c '^access-control' "$dir/head")" 0
}
servers=${servers:-lighttpd caddy nginx}
each_server cors
stop "$tailgate_pid"

# The same, but clients on this host need no key.
more='hosts = [ "ai.home" ];
	cors = { origins = [ "https://chat.home", "*" ]; };
	clients = ( { name = "lan"; networks = [ "127.0.0.0/8", "::1" ];
	    operator = true; } );'
stub_config
start_tailgate
head -c 3000 /dev/zero >"$dir/a.wav"

# refused STATUS CODE DESCRIPTION PATH [curl arguments]: nothing goes up.
refused()
{
	want="$1 $2"
	what="$server: $3"
	path=$4
	shift 4
	tell stub reset >/dev/null
	request "$path" "$@"
	# shellcheck disable=SC2086 # two words
	check "$what: $path: $want" error_is $want
	is "$what: $path: nothing is sent" "$(stat stub requests)" 0
	unlike "$what: $path: and nothing told" "$(body)" '"(data|providers)":'
}

# served DESCRIPTION PATH [curl arguments]
served()
{
	what="$server: $1"
	path=$2
	shift 2
	request "$path" "$@"
	is "$what: $path" "$status" 200
}

ask='{"model":"stub/plain","messages":[{"role":"user","content":"spend"}]}'
json='Content-Type: application/json'

# What a page on evil.example can make a browser send unasked: in the browsers
# of today over https or to localhost, and elsewhere, without Sec-Fetch-Site.
foreign_pages()
{
	evil='Origin: https://evil.example'
	for site in 'Sec-Fetch-Site: cross-site' 'Sec-Fetch-Site: same-site' \
		'X-None: at all'; do
		set -- -H "$site" -H "$evil"
		refused 403 origin_not_allowed 'a form post' \
			/v1/audio/transcriptions "$@" -F model=stub/plain \
			-F "file=@$dir/a.wav"
		refused 403 origin_not_allowed 'fetch, no-cors, no type' \
			/v1/chat/completions "$@" -H 'Content-Type:' -d "$ask"
		refused 403 origin_not_allowed 'fetch, text/plain' \
			/v1/chat/completions "$@" \
			-H 'Content-Type: text/plain' -d "$ask"
		refused 403 origin_not_allowed 'fetch, JSON' \
			/v1/chat/completions "$@" -H "$json" -d "$ask"
		refused 403 origin_not_allowed 'a sandboxed frame' \
			/v1/chat/completions -H "$site" -H 'Origin: null' \
			-H "$json" -d "$ask"
		refused 403 origin_not_allowed 'fetch, cors' \
			/tailgate/usage.json "$@"
	done
	for path in /v1/models /metrics /tailgate/status.json; do
		refused 403 origin_not_allowed 'an image, a link' "$path" \
			-H 'Sec-Fetch-Site: cross-site'
	done
	refused 403 origin_not_allowed 'another port of this host' \
		/v1/chat/completions -H "Origin: http://localhost:3000" \
		-H "$json" -d "$ask"
	refused 403 origin_not_allowed 'two origins' /v1/models \
		-H 'Origin: https://chat.home' -H "$evil"
}

# DNS rebinding: the page is at a name that leads here; it is the same origin.
rebinding()
{
	for host in evil.example "evil.example:${base##*:}" localhost.evil.example \
		127.0.0.1.evil.example; do
		set -- -H "Host: $host"
		refused 403 host_not_allowed "by $host" /tailgate/usage.json "$@"
		refused 403 host_not_allowed "by $host" /tailgate/status.json "$@"
		refused 403 host_not_allowed "by $host" /metrics "$@"
		refused 403 host_not_allowed "by $host" /v1/models "$@"
		refused 403 host_not_allowed "by $host" /v1/chat/completions \
			"$@" -H "Origin: http://$host" -H "$json" -d "$ask"
		refused 403 host_not_allowed "by $host, as a browser says" \
			/v1/models "$@" -H 'Sec-Fetch-Site: same-origin'
	done
	request /health -H 'Host: evil.example'
	is "$server: /health needs no key" "$status" 200
}

# What goes on as it was.
programs()
{
	refused 415 unsupported_media_type 'a body without a type' \
		/v1/chat/completions -H 'Content-Type:' -d "$ask"
	served 'curl' /v1/chat/completions -H "$json" -d "$ask"
	served 'curl, a form' /v1/audio/transcriptions -F model=stub/plain \
		-F "file=@$dir/a.wav"
	served 'an SDK, its key unknown' /v1/chat/completions -H "$json" \
		-H 'Authorization: Bearer sk-none' -d "$ask"
	served 'by a name of ours' /v1/models -H 'Host: AI.home:8080'
	served 'by localhost' /v1/models -H "Host: localhost:${base##*:}"
	served 'the status page' /tailgate/usage.json \
		-H 'Sec-Fetch-Site: same-origin'
	served 'the status page, plain http' /tailgate/status.json
	served 'a page of ours, by POST' /v1/chat/completions \
		-H "Origin: $base" -H "$json" -d "$ask"
	served 'an address that was typed' /v1/models -H 'Sec-Fetch-Site: none'
	served 'a page that the operator trusts' /v1/chat/completions \
		-H 'Origin: https://chat.home' -H 'Sec-Fetch-Site: cross-site' \
		-H "$json" -d "$ask"
	key=$anna_key
	# Caddy makes a missing type application/x-www-form-urlencoded.
	[ "$server" = caddy ] || served 'a key, without a type' \
		/v1/chat/completions -H 'Content-Type:' -d "$ask"
	served 'a key, from any page, by any name' \
		/v1/chat/completions -H "$json" -d "$ask" \
		-H 'Host: evil.example' -H 'Origin: https://evil.example' \
		-H 'Sec-Fetch-Site: cross-site'
	key=
}

ambient()
{
	key=
	foreign_pages
	rebinding
	programs
}
each_server ambient
finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Web pages.  A page of an origin that `cors` names may call with whatever its
# SDK sends, and read why it failed and when to try again.
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
		preflight https://chat.home $path
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
each_server cors
finish

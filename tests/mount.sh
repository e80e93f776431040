# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# What we assume of a web server, under each with the configuration that we
# ship.  A header whose name has an underscore never stands in for the one
# with a hyphen; no field of the FastCGI protocol reaches a client; each path
that is served arrives.
. "${abs_srcdir:-.}/tests/lib.sh"

start_upstream stub -n
more='trusted_proxies = [ "127.0.0.1" ];
	client_address_header = "X-Forwarded-For";
	clients = ( { name = "lan"; networks = [ "10.0.0.0/8" ];
	    operator = true; place = "external"; } );'
more_providers=", { name = \"far\"; place = \"external\"; url = \"$stub_url\"; }"
more_models=', { id = "far"; place = "external"; targets = (
	{ provider = "far"; model = "plain"; } ); }'
stub_config
add_client anna --place external
start_tailgate

# statuses PATH [curl arguments]: of 50 requests, each status once.
statuses()
{
	path=$1
	shift
	curl -sS --max-time 60 -o /dev/null -w '%{http_code}\n' "$@" \
		"$base$path?n=[1-50]" 2>&1 | sort -u | tr '\n' ' '
}

# Caddy keeps headers in a map: which of two comes last is a matter of chance,
# so each is tried often enough.
twins()
{
	is "$1: the client's address is the one that the proxy gave" \
		"$(statuses /metrics -H 'X-Forwarded-For: 203.0.113.9' \
			-H 'X_Forwarded_For: 10.1.2.3')" '401 '
	printf '{"model":"far","messages":[]}' >"$dir/far"
	is "$1: what is marked local does not leave" \
		"$(statuses /v1/chat/completions --data-binary "@$dir/far" \
			-H "Authorization: Bearer $anna_key" \
			-H 'Content-Type: application/json' \
			-H 'X-Tailgate-Place: local' \
			-H 'X_Tailgate_Place: external')" "$2"
	is "$1: and nothing has left" "$(stat stub requests)" 0
}

# head_has_status: the last answer's head says the status again.
head_has_status()
{
	grep -i '^status:' "$dir/head"
}

no_status_field()
{
	key=$anna_key
	request /v1/models
	check_not "$1: no Status field with 200" head_has_status
	request /v1/nothing
	check_not "$1: nor with an error" head_has_status
	is "$1: whose status it is" "$status" 404
	post /v1/chat/completions "$(chat 'n=3' '"stream":true')"
	check_not "$1: nor with a stream" head_has_status
	tell stub reset >/dev/null
}

# Paths, and whose errors a path that is not served answers with.
paths()
{
	key=$anna_key
	request /v1/models/
	is "$1: /v1/models/ is the list" "$status" 200
	same "$1: the same list" "$dir/body" "$dir/models"
	unlike "$1: a pattern is no model" "$(body)" 'stub/[*]'
	request '/v1/models/stub%2F*'
	check "$1: nor does it exist" error_is 404 model_not_found
	post /v1/chat/completions '{"model":"stub/*","messages":[]}'
	check "$1: nor can it be asked for" error_is 404 model_not_found
	for path in /v1/files /v1/batches/x /ai/v1/nothing; do
		request "$path"
		check "$1: $path: OpenAI's error" error_is 404 unknown_url
		like "$1: $path: says so" "$(body)" 'does not serve this path'
	done
	for path in /v1/messages/batches /ai/v1/messages/x; do
		request "$path"
		like "$1: $path: Anthropic's error" "$status $(body)" \
			'^404 {"type":"error","error":{"type":"not_found_error"'
	done
	request /v1/files -H 'anthropic-version: 2023-06-01'
	like "$1: Anthropic's SDK at a path of nobody" "$(body)" \
		'^{"type":"error"'
	request /v1/models/nothing -H 'anthropic-version: 2023-06-01'
	like "$1: and at one of both" "$status $(body)" \
		'^404 {"type":"error"'
	for path in /health /ready '/health?ready'; do
		request "$path"
		is "$1: $path" "$status" 200
	done
	is "$1: no browser guesses a type" \
		"$(header x-content-type-options)" nosniff
}

# lighttpd hands both headers on, and neither is believed; nginx drops the one
# with underscores.
all()
{
	case $1 in
	lighttpd) twins "$1" '400 ' ;;
	*) twins "$1" '403 ' ;;
	esac
	no_status_field "$1"
	[ -s "$dir/models" ] || {
		request /v1/models
		cp "$dir/body" "$dir/models"
	}
	paths "$1"
}
servers=${servers:-lighttpd caddy nginx}
each_server all
finish

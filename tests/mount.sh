# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# What we assume of a web server, under each one with the configuration that we
# ship.  A header whose name has an underscore never replaces the one with a
# hyphen; no field of the FastCGI protocol reaches a client; each path that is
# served arrives; tailgate probe --mount reports what holds for each, and what
# to change in one that is wrong.
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
		"$base$path#[1-50]" 2>&1 | sort -u | tr '\n' ' '
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
	is "$1: nor if the client says that the mark is for one hop" \
		"$(statuses /v1/chat/completions --data-binary "@$dir/far" \
			-H "Authorization: Bearer $anna_key" \
			-H 'Content-Type: application/json' \
			-H 'X-Tailgate-Place: local' \
			-H 'Connection: X-Tailgate-Place')" '403 '
	is "$1: nor is a client's address forgotten for that" \
		"$(statuses /metrics -H 'X-Forwarded-For: 203.0.113.9' \
			-H 'Connection: X-Forwarded-For')" '401 '
	is "$1: and nothing has left" "$(stat stub requests)" 0
}

# head_has_status: the last response's head has the status again.
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

# Paths, and the shape of the error for a path that is not served.
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
	like "$1: Anthropic's SDK at an unknown path" "$(body)" \
		'^{"type":"error"'
	request /v1/models/nothing -H 'anthropic-version: 2023-06-01'
	like "$1: and at one of both" "$status $(body)" \
		'^404 {"type":"error"'
	for path in / /v1 /v1/ /ai/v1; do
		request "$path"
		is "$1: GET $path says that it is a gateway" "$status $(body)" \
			'200 {"service":"tailgate","status":"ok"}'
		request "$path" -I
		is "$1: HEAD $path" "$status" 200
	done
	post /v1 '{}'
	check "$1: which accepts no POST" error_is 405 method_not_allowed
	for path in /v1/nothing/v1 /v1/nothing/; do
		request "$path"
		check "$1: $path is no root" error_is 404 unknown_url
	done
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
stop "$tailgate_pid"

# --- tailgate probe --mount ---------------------------------------------------

more="body = { json = 2097152; spool_dir = \"$dir/spool\"; };"
stub_config
add_client chief --operator
printf '%s\n' "$chief_key" >"$dir/chief.key"
printf '%s\n' "$anna_key" >"$dir/anna.key"
start_tailgate

# probe [arguments]: output in $out, exit status in $code.
probe()
{
	out=$("$TAILGATE" probe --mount "$base/v1" "$@" 2>&1)
	code=$?
}

# holds yes|NO TEXT...: the lines that begin so.
holds()
{
	holds_want=$1
	shift
	for text in "$@"; do
		like "$server: $text: $holds_want" \
			"$(printf '%s\n' "$out" | grep "^$text")" \
			"^$text.*  $holds_want( |\$)"
	done
}

shipped()
{
	probe --key-file "$dir/chief.key" --silence 1
	is "$1: as shipped: all hold" "$code $(
		printf '%s\n' "$out" | grep -c '  NO ')" '0 0'
	like "$1: the web server is known" "$out" \
		'reached.* (lighttpd|Caddy|nginx)$'
	is "$1: a line for each" "$(printf '%s\n' "$out" | wc -l)" 18
	detail "$out"
	unlike "$1: the key is not printed" "$out" "$chief_key"
	probe --key-file "$dir/anna.key"
	is "$1: not for anybody" "$code" 1
	like "$1: and this is reported" "$out" "NO .*not an operator's"
	unlike "$1: the mount is not to blame" "$out" 'change: mount'
	probe
	is "$1: nor without a key" "$code" 1
	base=$base/elsewhere probe --key-file "$dir/chief.key"
	is "$1: no gateway there" "$code" 1
	tell stub reset >/dev/null
}
each_server shipped

# Wrong on purpose.  What the kernel knows of clients would hide what a web
# server does not tell.
stop "$tailgate_pid"
more="$more watch_peer = false;"
stub_config
start_tailgate
lighttpd_conf "$dir/bad.lighttpd" <<-'END'
	server.modules += ( "mod_fastcgi" )
	server.stream-request-body = 1
	server.stream-response-body = 0
	server.max-request-size = 1024
	server.http-parseopts = ( "url-normalize-unreserved" => "enable",
	  "url-normalize-required" => "enable" ) # as Debian's
	fastcgi.server = ( "/" => (( "socket" => env.TAILGATE_SOCKET,
	  "check-local" => "disable", "fix-root-scriptname" => "enable" )) )
END
cat >"$dir/bad.caddy" <<-'END'
	{
		admin off
		auto_https off
	}
	http://:{$TAILGATE_PORT} {
		bind {$TAILGATE_BIND}
		request_body {
			max_size 1MB
		}
		reverse_proxy unix/{$TAILGATE_SOCKET} {
			transport fastcgi {
				read_timeout 1s
			}
			@failed status 5xx
			handle_response @failed {
				respond "broken" 503
			}
		}
	}
END
sed -e '/HTTP_PROXY/d' -e '/REMOTE_ADDR/d' -e '/REQUEST_URI/d' \
	-e 's/^\(client_max_body_size\) .*/\1 1m;/' \
	-e 's/^\(fastcgi_buffering\) .*/\1 on;/' \
	-e 's/^\(fastcgi_read_timeout\) .*/\1 1s;/' \
	-e 's/^\(fastcgi_ignore_client_abort\) .*/\1 on;/' \
	-e 's/^\(fastcgi_intercept_errors\) .*/\1 on; error_page 503 =503 @bad;/' \
	"$abs_srcdir/contrib/nginx/tailgate_fastcgi.conf" >"$dir/bad.nginx"

sizes='the largest JSON body'
start_lighttpd "$dir/bad.lighttpd"
probe --key-file "$dir/chief.key"
holds NO 'a stream passes' 'a hang-up before' "$sizes" 'the largest upload' \
	'a body of unknown length' 'path and query'
holds yes 'errors keep' 'no header with underscores' 'no header is dropped' \
	'a header Proxy' 'Authorization' \
	"the client's address" 'OPTIONS' 'no Status'
like "$server: what to change" "$out" \
	'change: in server.http-parseopts, "url-normalize-required"'
is "$server: wrong: the exit status says so" "$code" 1
stop_server

start_caddy "$dir/bad.caddy"
# Since the mends of 2026 (Debian 13 has them) Caddy itself drops such headers.
twins_wanted=NO
key=$chief_key
post /v1/tailgate/mount '{}' -H 'X_Tailgate_Twin: underscore'
like "$server: what becomes of one with an underscore" "$(body)" \
	'"twin": ?"(none|underscore)"'
! file_has "$dir/body" '"twin": ?"none"' || twins_wanted=yes
probe --key-file "$dir/chief.key" --silence 3
holds $twins_wanted 'no header with underscores'
holds NO 'no header is dropped' 'a header Proxy' 'no Status' "$sizes" \
	'errors keep' \
	'a silent response'
holds yes 'Authorization' "the client's address" 'path and query' 'OPTIONS' \
	'a stream passes'
[ $twins_wanted = yes ] ||
	like "$server: what to change" "$out" 'change: header_up -[*]_[*]'
stop_server

start_nginx "$dir/bad.nginx"
probe --key-file "$dir/chief.key" --silence 3
holds NO 'a header Proxy' "the client's address" 'path and query' \
	"$sizes" 'the largest upload' 'a stream passes' 'a silent response'
holds yes 'no header with underscores' 'no header is dropped' \
	'Authorization' 'OPTIONS' 'no Status'
like "$server: what to change" "$out" 'change: client_max_body_size'
stop_server

"$TAILGATE" probe --mount ftp://x 2>"$dir/err"
is 'no such scheme: wrongly called' "$?" 2
"$TAILGATE" probe --key-file x 2>"$dir/err"
is 'a key without a mount: wrongly called' "$?" 2
finish

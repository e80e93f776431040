# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# An upstream cannot write our head: what it sends becomes a header field only
# by the allow-list, whatever its own head looks like.
. "${abs_srcdir:-.}/tests/lib.sh"

mkdir "$dir/raw"
evil='X-Evil: 1\r\nSet-Cookie: evil=1\r\n\r\nowned'

# A field that leaves no room in a head of ours, and a body that goes on at the
# place where such a head would have broken off.
wide()
{
	printf 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n'
	printf 'Connection: close\r\nx-ratelimit-pad: %s\r\n\r\n' "$(
		head -c "$1" /dev/zero | tr '\0' a)"
	# shellcheck disable=SC2059
	printf "\r\n$evil"
}
for size in 32000 32500 32700 40000 60000; do
	wide "$size" >"$dir/raw/wide-$size.http"
done
# More fields than anybody sends, before those that matter.
for n in 250 5000; do
	{
		printf 'HTTP/1.1 200 OK\r\n'
		i=0
		while [ $i -lt $n ]; do
			printf 'x-%s: 1\r\n' $i
			i=$((i + 1))
		done
		printf 'Content-Type: application/json\r\n'
		printf 'x-ratelimit-last: 7\r\nContent-Length: 2\r\n\r\n{}'
	} >"$dir/raw/fields-$n.http"
done
# No status that HTTP knows.
for status in 099 600 999; do
	printf 'HTTP/1.1 %s Odd\r\nContent-Length: 2\r\n\r\n{}' $status \
		>"$dir/raw/status-$status.http"
done
# A page.
printf 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<script>' \
	>"$dir/raw/page.http"
printf 'HTTP/1.1 200 OK\r\n\r\n<html><script>' >"$dir/raw/untyped.http"
printf 'HTTP/1.1 200 OK\r\nContent-Type:\r\n\r\n<html><script>' \
	>"$dir/raw/empty-type.http"
printf 'HTTP/1.1 200 OK\r\nContent-Type: text/%s\r\n\r\n<html><script>' "$(
	head -c 33000 /dev/zero | tr '\0' a)" >"$dir/raw/long-type.http"
# A body, although the head has not ended.
{
	printf 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'
	# shellcheck disable=SC2059
	printf "Status: 200 OK\r\n$evil"
} >"$dir/raw/switch.http"
# Advice after twenty other fields, and a body that is not JSON.
{
	printf 'HTTP/1.1 503 Busy\r\nContent-Type: text/html\r\n'
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		printf 'x-other-%s: 1\r\n' "$i"
	done
	printf 'Retry-After: 77\r\nContent-Length: 4\r\n\r\nbusy'
} >"$dir/raw/advice.http"

start_upstream stub --raw "$dir/raw"
stub_config
add_client anna
start_tailgate

hostile()
{
	for size in 32000 32500 32700 40000 60000; do
		post /v1/chat/completions "$(chat "raw,file=wide-$size")"
		unlike "$1: a head of $size bytes lets no field in" \
			"$(cat "$dir/head")" '[Ee]vil'
		is "$1: nor loses the body" "$(tail -c 5 "$dir/body")" owned
	done
	for n in 250 5000; do
		post /v1/chat/completions "$(chat "raw,file=fields-$n")"
		is "$1: a head of $n fields" "$status $(body)" '200 {}'
	done
	post /v1/chat/completions "$(chat "raw,file=fields-250")"
	is "$1: the last one passes" "$(header x-ratelimit-last)" 7
	for odd in 099 600 999; do
		post /v1/chat/completions "$(chat "raw,file=status-$odd")"
		check "$1: a status of $odd" error_is 502 upstream_error
	done
	post /v1/chat/completions "$(chat "raw,file=page")"
	is "$1: a page is none in a browser" \
		"$(header content-type) $(header x-content-type-options)" \
		'text/html nosniff'
	is "$1: nor are its scripts run" \
		"$(header content-security-policy)" sandbox
	for type in untyped empty-type long-type; do
		post /v1/chat/completions "$(chat "raw,file=$type")"
		is "$1: what has no type is no page either: $type" \
			"$(header content-type) $(header x-content-type-options) $(body)" \
			'application/octet-stream nosniff <html><script>'
	done
	post /v1/chat/completions "$(chat "raw,file=switch")"
	unlike "$1: a body without a head lets no field in" \
		"$(cat "$dir/head")" '[Ee]vil'
	is "$1: it is an error of the upstream" "$status" 502
	post /v1/chat/completions "$(chat "raw,file=advice")"
	is "$1: an error that is no JSON keeps its status" "$status" 503
	like "$1: and its advice, at any place" "$(cat "$dir/head")" \
		'^[Rr]etry-[Aa]fter: 77'
}
each_server hostile
finish

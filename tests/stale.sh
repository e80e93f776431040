# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A kept upstream connection that turns out to be closed is replaced, and the
# client does not notice.
. "${abs_srcdir:-.}/tests/lib.sh"

shape= # one of its own, below

start_upstream stub --raw "$dir"
more='processes = 1;'
stub_config
add_client anna
start_tailgate
start_lighttpd

# The stub closes the connection at the very moment it is used again.
n=0
while [ $n -lt 10 ]; do
	n=$((n + 1))
	post /v1/chat/completions "$(chat close-reuse)"
	is "pair $n: the first" "$status" 200
	post /v1/chat/completions "$(chat plain)"
	is "pair $n: on a connection that closes under it" "$status" 200
done
is 'each was served once' "$(stat stub requests)" 20

# It says that it keeps the connection, and closes right after the response.
n=0
while [ $n -lt 10 ]; do
	n=$((n + 1))
	post /v1/chat/completions "$(chat close-after)"
	is "closed after the response $n" "$status" 200
done
is 'each was served once there, too' "$(stat stub requests)" 30

# A body of 2 MB on a dead connection goes up again as a whole.
{
	printf '{"model":"stub/plain","x":"'
	head -c 2000000 /dev/zero | tr '\0' x
	printf '"}'
} >"$dir/big.json"
post /v1/chat/completions "$(chat close-reuse)"
request /v1/chat/completions -H 'Content-Type: application/json' \
	--data-binary "@$dir/big.json"
is 'a big body on a closed connection' "$status" 200
sed 's|stub/plain|plain|' "$dir/big.json" >"$dir/want"
same 'arrives whole' "$stub_dir/32.body" "$dir/want"

# A new connection that is reset is no stale one: it may have been served.
post /v1/chat/completions "$(chat until-close)"
post /v1/chat/completions "$(chat reset)"
check 'a reset before the head is an error' test "$status" -ge 502
is 'and is not sent twice' "$(stat stub requests)" 34

# Bytes after a response's end belong to no response.
n=0
while [ $n -lt 10 ]; do
	n=$((n + 1))
	post /v1/chat/completions "$(chat length-short)"
	post /v1/chat/completions "$(chat "size=$((100 + n))")"
	is "after a body that was too long $n" "$status" 200
	same "the next one gets its own response $n" "$dir/body" \
		"$stub_dir/$(stat stub requests).answer"
done

# Nor is a connection used again whose response gave its length in two ways.
{
	printf 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
	printf 'Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n'
	printf '2\r\n{}\r\n0\r\n\r\n'
} >"$dir/twice.http"
tell stub reset >/dev/null
post /v1/chat/completions "$(chat raw,file=twice)"
is 'a length together with chunks' "$status $(cat "$dir/body")" '200 {}'
post /v1/chat/completions "$(chat plain)"
is 'ends its connection' "$(stat stub connections)" 1

# A response that was compressed without being asked for has to be whole, too.
printf '{"choices":[{"index":0,"message":{"content":"%s"}}]}' \
	'of a length that compression leaves something of' |
	gzip -c >"$dir/gz"
{
	printf 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
	printf 'Content-Encoding: gzip\r\nContent-Length: 40\r\n\r\n'
	head -c 40 "$dir/gz"
} >"$dir/gzip-cut.http"
post /v1/chat/completions "$(chat raw,file=gzip-cut)"
is 'a compressed response without its end is refused' "$status" 502

# Four requests in a row share one connection.
tell stub reset >/dev/null
for n in 1 2 3 4; do
	post /v1/chat/completions "$(chat plain)"
done
at_most 'four requests open at most one connection' \
	"$(stat stub connections)" 1
finish

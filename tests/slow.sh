# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Clients that stop reading, if the web server passes that on: under Caddy, and
# under lighttpd with stream-response-body = 2.  A response that is complete at
# the provider releases its slot though the client does not read it.  One that
# is not complete is dropped after client_idle when another request waits for
# its slot.  The other streams of the process go on meanwhile.
. "${abs_srcdir:-.}/tests/lib.sh"

need lighttpd caddy

shape='processes = 1; requests = 64;' # one process: one loop
mkdir "$dir/raw"
start_upstream stub -n --raw "$dir/raw"
more_providers=", { name = \"gpu\"; place = \"local\"; url = \"$stub_url\";
	  limit = \"gpu\"; },
	{ name = \"gpu-chat\"; place = \"local\"; url = \"$stub_url\";
	  limit = \"gpu\"; endpoints = [ \"chat\" ]; }"
more_models=', { id = "gpu/*"; targets = (
	  { provider = "gpu"; model = "*"; } ); },
	{ id = "bridged/*"; targets = (
	  { provider = "gpu-chat"; model = "*"; } ); }'
# idle_of SECONDS
idle_of()
{
	more="limits = (
	  { name = \"gpu\"; slots = 1; queue = 8; wait = 600.0; } );
	  client_idle = $1; body = { spool_dir = \"$dir/spool\"; };"
	stub_config
}
idle_of 120.0
add_client anna
add_client bob

sed 's/stream-response-body *=.*/stream-response-body = 2/' \
	"$abs_srcdir/contrib/lighttpd/tailgate.conf" >"$dir/inner.conf"
grep -q 'stream-response-body = 2' "$dir/inner.conf" ||
	broken 'no such setting in contrib/lighttpd'
sed "s|include \"tailgate.conf\"|include \"$dir/inner.conf\"|" \
	"$abs_srcdir/contrib/lighttpd/lighttpd.conf" >"$dir/slow.lighttpd"

mkfifo "$dir/fifo"
exec 9<>"$dir/fifo"

# stuck PATH JSON: a client that stops reading: what it is sent goes into a
# pipe, and few bytes of that are read.
stuck()
{
	curl -sN --max-time 600 -H "Authorization: Bearer $anna_key" \
		-H 'Content-Type: application/json' --data-binary "$2" \
		"$base$1" >"$dir/fifo" 2>"$dir/stuck.err" &
	adopt stuck $!
	head -c 1000 <&9 >"$dir/stuck.begin"
}

# read_on: it reads all of it after all, into $dir/stuck.rest.
read_on()
{
	cat <&9 >"$dir/stuck.rest" &
	adopt reader $!
	wait "$stuck_pid"
	stuck_status=$?
	forget "$stuck_pid"
	echo 'the end of the rest' >&9
	wait_until file_has "$dir/stuck.rest" 'the end of the rest$'
	stop "$reader_pid"
}

# The rest of an ended one in the pipe.
drain_fifo()
{
	dd if="$dir/fifo" iflag=nonblock bs=65536 of=/dev/null 2>/dev/null
}

# bob_is_served WHAT
bob_is_served()
{
	key=$bob_key
	post /v1/chat/completions '{"model":"gpu/plain","messages":[]}'
	is "$1" "$status" 200
}

bob_streams()
{
	key=$bob_key
	post /v1/chat/completions "$(chat n=20,ms=50 '"stream":true')"
	like "$1: another stream goes on" "$(body)" '\[DONE\]'
}

# Larger than the sockets and buffers between us and the client, but not by more
# than 4 MiB.
arrives_whole()
{
	stuck "$2" "$3"
	wait_until stat_is stub in_flight 0
	bob_is_served "$1: the slot of a complete response is free"
	check "$1: although the client reads nothing" alive "$stuck_pid"
	bob_streams "$1"
	read_on
	is "$1: a client that reads on gets all of it" "$stuck_status" 0
	check "$1: to the end" file_has "$dir/stuck.rest" "$4"
}

each_way()
{
	start_tailgate
	if [ "$1" = caddy ]; then
		start_caddy
	else
		start_lighttpd "$dir/slow.lighttpd"
	fi
}

no_way()
{
	stop_server
	stop "$tailgate_pid"
	rm -f "$socket"
}

for at in lighttpd caddy; do
	each_way $at
	arrives_whole "$at" /v1/chat/completions \
		'{"model":"gpu/n=60,size=100000","stream":true,"messages":[]}' \
		'\[DONE\]'
	arrives_whole "$at, bridged" /v1/responses \
		'{"model":"bridged/n=60,size=60000","stream":true,"input":"x"}' \
		'response.completed'
	no_way
done

# --- Back-pressure ------------------------------------------------------------

# 40 MB of events that gzip makes little shorter.
{
	printf 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n'
	printf 'Content-Encoding: gzip\r\nConnection: close\r\n\r\n'
	head -c 30000000 /dev/urandom | base64 -w 60000 |
		sed 's/.*/data: {"choices":[{"index":0,"delta":{"content":"&"}}]}\n/' |
		gzip -1
} >"$dir/raw/coded.http"

taken_is_quiet()
{
	quiet=$(stat stub taken)
	sleep 0.5
	[ "$quiet" -gt 0 ] && [ "$quiet" = "$(stat stub taken)" ]
}

# held_back WHAT PATH JSON: of 40 MB a provider can write what lies in sockets,
# in the web server and in a queue (4 MiB while it holds a slot, else 64 KiB).
held_back()
{
	wait_until stat_is stub in_flight 0
	tell stub reset >/dev/null
	stuck "$2" "$3"
	check "$1: the provider comes to a halt" wait_until -t 30 taken_is_quiet
	at_most "$1: bytes that it could write" "$(stat stub taken)" 25000000
	check "$1: and its client is still there" alive "$stuck_pid"
	stop "$stuck_pid"
	forget "$stuck_pid"
	drain_fifo
}

for at in lighttpd caddy; do
	each_way $at
	held_back "$at, passed on" /v1/chat/completions \
		'{"model":"stub/n=400,size=100000","stream":true,"messages":[]}'
	held_back "$at, with a slot" /v1/chat/completions \
		'{"model":"gpu/n=400,size=100000","stream":true,"messages":[]}'
	held_back "$at, bridged" /v1/messages \
		'{"model":"bridged/n=400,size=100000","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"x"}]}'
	held_back "$at, coded" /v1/chat/completions \
		'{"model":"stub/raw,file=coded","stream":true,"messages":[]}'
	no_way
done

# --- A client that is in the way ----------------------------------------------

# Far larger: it can't be complete.
idle_of 2.0
for at in lighttpd caddy; do
	each_way $at
	stuck /v1/chat/completions \
		'{"model":"gpu/n=400,size=100000","stream":true,"messages":[]}'
	bob_streams "$at, a large response"
	check "$at: it keeps the slot while no other request waits" \
		stat_is stub in_flight 1
	bob_is_served "$at: it is dropped when somebody waits"
	read_on
	unlike "$at: and does not look whole" \
		"$(tail -c 2000 "$dir/stuck.rest")" '\[DONE\]'
	check "$at: the log says why" \
		file_has "$dir/tailgate.log" 'reads nothing of its response'
	no_way
	: >"$dir/tailgate.log"
done
finish

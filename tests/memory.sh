# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# What bodies and responses cost in memory: bodies of tiny values, responses of
# many megabytes, and more of them at once than there is memory for.  In all
# cases every request gets a response, no worker dies, and the memory is given
# back.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq curl caddy lighttpd
if sanitized; then
	# Its allocator keeps freed memory: the figures would be the
	# allocator's.
	pass 'a sanitizer is in this build'
	finish
fi

start_upstream stub -n

# The same upstream, which speaks only chat, through the bridges.
more_providers=", { name = \"chat\"; place = \"local\"; url = \"$stub_url\";
	endpoints = [ \"chat\" ]; circuit = { failures = 0; }; },
	{ name = \"echo\"; kind = \"echo\"; place = \"local\"; }"
more_models=', { id = "chat/*"; targets = ( { provider = "chat"; model = "*"; } ); },
	{ id = "echo"; targets = ( { provider = "echo"; model = "echo"; } ); }'
base_more="body = { spool_dir = \"$dir/spool\"; };"
mkdir "$dir/spool"

# begin [SETTINGS]: a gateway with them, under Caddy.
begin()
{
	more="$base_more ${1:-}"
	stub_config
	[ -n "${alice_key:-}" ] || add_client alice
	key=$alice_key
	start_tailgate
	start_caddy
	# Memory that the first requests load does not count.
	post /v1/chat/completions "$(chat plain)"
	post /v1/messages '{"model":"chat/plain","max_tokens":5,"messages":[
		{"role":"user","content":"x"}]}'
	workers=$(workers_of "$tailgate_pid" | sort | tr '\n' ' ')
	start_kb=$(resident VmRSS)
}

end()
{
	stop_server
	stop "$tailgate_pid"
}

# resident VmRSS|VmHWM: of all workers, in KB.
resident()
{
	for worker in $workers; do
		grep "^$1:" "/proc/$worker/status"
	done | awk '{ kb += $2 } END { print kb }'
}

# same_workers NAME
same_workers()
{
	is "$1: no worker has died" "$(
		workers_of "$tailgate_pid" | sort | tr '\n' ' '
	)" "$workers"
}

is_near_start()
{
	[ "$(resident VmRSS)" -le $((start_kb + 24 * 1024)) ]
}

# gives_back NAME
gives_back()
{
	check "$1: the memory is given back" wait_until is_near_start
	detail "from $start_kb KB to $(resident VmRSS) KB"
}

# body_of MIB UNIT MODEL BEFORE AFTER: a body of so many MiB of one unit between
# two texts, in $dir/big.
body_of()
{
	{
		printf '{"model":"%s",%s' "$3" "$4"
		yes "$2" | tr -d '\n' | head -c $(($1 * 1048576 / ${#2} * ${#2}))
		printf '%s}' "$5"
	} >"$dir/big"
}

messages='"max_tokens":5,"messages":[{"role":"user","content":"x"}]'

# send PATH [curl arguments]: $dir/big.
send()
{
	send_path=$1
	shift
	request "$send_path" -H 'Content-Type: application/json' \
		-X POST -T "$dir/big" "$@"
}

# --- Values without number ----------------------------------------------------

# tiny NAME PATH MODEL BEFORE AFTER: 16 MiB of them cost a few bodies' size.
tiny()
{
	for unit in '{},' '0,' '[[]],' '{"a":0},'; do
		begin
		body_of 16 "$unit" "$3" "$4" "0$5"
		send "$2"
		is "$1 $unit: is served" "$status" 200
		at_most "$1 $unit: KB at the most" \
			$(($(resident VmHWM) - start_kb)) $((112 * 1024))
		same_workers "$1 $unit"
		gives_back "$1 $unit"
		end
	done
}

tiny 'echo,' /v1/chat/completions echo "$messages,\"metadata\":[" ']'
tiny 'bridged Messages,' /v1/messages chat/plain \
	"$messages,"'"tools":[{"name":"f","input_schema":{"type":"object",
	"enum":[' ']}}]'
tiny 'bridged Responses,' /v1/responses chat/plain \
	'"input":"x","tools":[{"type":"function","name":"f","parameters":
	{"type":"object","enum":[' ']}}]'

# --- Many numbers for a few bytes ---------------------------------------------

begin
jq -nc '{model: "echo", input: [range(2048) | "x"], dimensions: 4096}' \
	>"$dir/big"
send /v1/embeddings
check 'echo: eight million numbers are too many' error_is 400 invalid_value
jq -nc '{model: "echo", input: [range(256) | "x"], dimensions: 4096}' \
	>"$dir/big"
send /v1/embeddings
is 'echo: a million are not' \
	"$status $(jq -c '[.data[].embedding | length] | add' "$dir/body")" \
	'200 1048576'
same_workers 'many numbers'
gives_back 'many numbers'
end

# --- Responses of many megabytes ----------------------------------------------

begin 'memory = "24 MiB";'
post /v1/chat/completions "$(chat size=31457280)"
is 'a long response passes without being held' \
	"$status $(wc -c <"$dir/body" | awk '{ print ($1 > 20000000) }')" '200 1'
post /v1/messages '{"model":"chat/size=31457280","max_tokens":5,
	"messages":[{"role":"user","content":"x"}]}'
like 'one that has to be held, and cannot' "$status $(body)" \
	'^503 .*gateway itself lacks'
like 'it can be tried again' "$(header Retry-After)" '^[0-9]+$'
is 'no provider is blamed' "$(
	"$TAILGATE" -f "$conf" status --json |
		jq -c '[.providers[] | select(.failures > 0) | .name]'
)" '[]'
same_workers 'long response'

# --- More than there is -------------------------------------------------------

in_text='"messages":[{"role":"user","content":"'
body_of 15 'x y ' stub/plain "$in_text" '"}]'
send /v1/chat/completions
is 'a body over the budget lies in a file' "$status" 200
sed -i 's,stub/plain,chat/plain,' "$dir/big"
send /v1/messages
like 'one that cannot be translated in it is refused' "$status $(body)" \
	'^413 .*too large to be translated'
same_workers 'over the budget'
gives_back 'over the budget'
end

# --- Readers that do not read, responses that are held ------------------------

# One process, so that one budget is all.
begin_one()
{
	shape='processes = 1; requests = 64;'
	begin 'memory = "32 MiB";'
	unset shape
	stop_server
	sed 's/stream-response-body *=.*/stream-response-body = 2/' \
		"$abs_srcdir/contrib/lighttpd/tailgate.conf" >"$dir/inner.conf"
	sed "s|include \"tailgate.conf\"|include \"$dir/inner.conf\"|" \
		"$abs_srcdir/contrib/lighttpd/lighttpd.conf" \
		>"$dir/slow.lighttpd"
	start_lighttpd "$dir/slow.lighttpd"
}

# bob_is_served NAME: with a body of some size.
bob_is_served()
{
	key=$bob_key
	body_of 1 'x y ' stub/plain "$in_text" '"}]'
	send /v1/chat/completions
	is "$1: another client is served" "$status" 200
	key=$alice_key
}

[ -n "${bob_key:-}" ] || add_client bob
in_text='"messages":[{"role":"user","content":"'

begin_one
slow_body='{"model":"stub/n=400,size=100000","stream":true,"messages":[]}'
readers=
tell stub reset >/dev/null
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	curl -sN --max-time 60 --limit-rate 1k -o /dev/null \
		-H "Authorization: Bearer $alice_key" \
		-H 'Content-Type: application/json' -d "$slow_body" \
		"$base/v1/chat/completions" 2>"$dir/slow.err" &
	adopt slow $!
	readers="$readers $!"
done
check 'twelve clients that do not read' \
	wait_until -p "$tailgate_pid" stat_reaches stub requests 12
bob_is_served 'slow readers'
is 'slow readers: nothing of theirs is lost' "$(stat stub in_flight)" 12
at_most 'slow readers: KB at the most' \
	$(($(resident VmHWM) - start_kb)) $((40 * 1024))
for reader in $readers; do
	stop "$reader"
done
same_workers 'slow readers'
gives_back 'slow readers'
end

# Whole responses, which a bridge has to hold: as many as there is room for.
# Eight of alice, each as good as whole.
hold_responses()
{
	tell stub reset >/dev/null
	for i in 1 2 3 4 5 6 7 8; do
		printf 'url = "%s/v1/messages"\n' "$base"
		printf 'header = "Authorization: Bearer %s"\n' "$alice_key"
		printf 'header = "Content-Type: application/json"\n'
		printf 'data-binary = "{\\"model\\":\\"chat/size=2500000,stall-mid\\",'
		printf '\\"max_tokens\\":5,\\"messages\\":[{\\"role\\":\\"user\\",'
		printf '\\"content\\":\\"x\\"}]}"\n'
		printf 'output = "%s/held.%d"\nwrite-out = "%%{http_code}\\n"\n' \
			"$dir" $i
		[ $i -eq 8 ] || echo next
	done >"$dir/held.conf"
	curl -s --parallel --parallel-immediate --max-time 60 -K "$dir/held.conf" \
		>"$dir/codes" 2>"$dir/held.err" &
	adopt held $!
	wait_until -p "$held_pid" stat_reaches stub requests 8
}

begin_one
hold_responses
bob_is_served 'held responses'
tell stub release >/dev/null
wait "$held_pid"
forget "$held_pid"
is 'held responses: each is served or refused' \
	"$(grep -c -x -e 200 -e 503 "$dir/codes")" 8
check 'held responses: some are refused' grep -q -x 503 "$dir/codes"
like 'held responses: for the share of their client' \
	"$(cat "$dir"/held.[0-9])" 'hold its share of the gateway.s memory'
is 'held responses: no provider is blamed' "$(
	"$TAILGATE" -f "$conf" status --json |
		jq -c '[.providers[] | select(.failures > 0) | .name]'
)" '[]'
at_most 'held responses: KB at the most' \
	$(($(resident VmHWM) - start_kb)) $((40 * 1024))
post /v1/messages '{"model":"chat/size=600000","max_tokens":5,
	"messages":[{"role":"user","content":"x"}]}'
is 'held responses: one alone has room' "$status" 200
same_workers 'held responses'
gives_back 'held responses'
end

# --- A client at its share, a provider that limits one of its models ----------

# Each gets its own reason, whichever comes first, and neither is charged to the
# other: no provider is blamed for memory, no model for another one, and no byte
# stays charged.
more_providers="$more_providers,
	{ name = \"picky\"; place = \"local\"; url = \"$stub_url\";
	  endpoints = [ \"chat\" ]; }"
more_models="$more_models, { id = \"picky/*\"; targets = (
	{ provider = \"picky\"; model = \"*\"; } ); }"
begin_one

# told_of_limit NAME: a request for the limited model gets that refusal.
told_of_limit()
{
	post /v1/chat/completions '{"model":"picky/429,retry=60","messages":[]}'
	like "$1 gets the model's limit as the reason" "$status $(body)" \
		'^(429|503) .*rate limit'
	like "$1 gets the time" "$(header Retry-After)" '^[1-9][0-9]?$'
}

# served_by_picky NAME: another model of the same provider goes on.
served_by_picky()
{
	post /v1/chat/completions '{"model":"picky/plain","messages":[]}'
	is "$1 is served by another model of that provider" "$status" 200
}

# big_to MODEL: a translation, which needs as much memory.
big_to()
{
	body_of 3 'x y ' "$1" "\"max_tokens\":5,$in_text" '"}]'
	send /v1/messages
}

key=$alice_key
post /v1/chat/completions '{"model":"picky/429,retry=60","messages":[]}'
is 'a model is limited' "$status" 429
told_of_limit 'a client'
hold_responses
big_to picky/plain
like 'at its share: what needs memory is refused for that' \
	"$status $(body)" "^503 .*hold its share of the gateway.s memory"
big_to picky/429,retry=60
like 'at its share: for the limited model it is one of both' \
	"$status $(body)" "^503 .*(its share of the gateway.s memory|rate limit)"
told_of_limit 'at its share: who needs no memory'
served_by_picky 'at its share: the client'
key=$bob_key
told_of_limit 'at its share: another client'
served_by_picky 'at its share: another client'
bob_is_served 'at its share'
tell stub release >/dev/null
wait "$held_pid"
forget "$held_pid"
is 'at its share: one model is limited, no provider blamed' "$(
	"$TAILGATE" -f "$conf" status --json | jq -c '[.providers[] |
		select(.failures > 0 or .state != "closed") | .name]'
)" '[]'
same_workers 'at its share'
gives_back 'at its share'
big_to picky/plain
is 'at its share no more: served' "$status" 200
end

# --- Without a key ------------------------------------------------------------

# No server keeps it in memory: Caddy a little of each, lighttpd in files that
# go with the request, tailgate nothing.
peak_kb()
{
	sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"
}

nothing_spooled()
{
	[ -z "$(find "$dir/lighttpd" "$dir/spool" -type f -size +0 \
		! -name '*.log')" ] &&
		[ -z "$(find "/proc/$lighttpd_pid/fd" \
			-lname "$dir/lighttpd/*" ! -lname '*.log')" ]
}

# uploads SERVER PID: five at once, without a key.
uploads()
{
	server_kb=$(peak_kb "$2")
	for i in 1 2 3 4 5; do
		printf 'url = "%s/v1/audio/transcriptions"\n' "$base"
		printf 'request = POST\nupload-file = "%s/zeros"\n' "$dir"
		printf 'header = "Content-Type: multipart/form-data; '
		printf 'boundary=b"\nheader = "Expect:"\n'
		printf 'output = /dev/null\nwrite-out = "%%{http_code}\\n"\n'
		[ $i -eq 5 ] || echo next
	done >"$dir/zeros.conf"
	curl -s --parallel --parallel-immediate --max-time 60 \
		-K "$dir/zeros.conf" >"$dir/codes" 2>"$dir/zeros.err"
	is "$1: five uploads without a key are refused" \
		"$(tr '\n' ' ' <"$dir/codes")" '401 401 401 401 401 '
	at_most "$1: five times 100 MB: KB in it" \
		$(($(peak_kb "$2") - server_kb)) $((48 * 1024))
	at_most "$1: five times 100 MB: KB in tailgate" \
		$(($(resident VmHWM) - start_kb)) $((24 * 1024))
}

begin
truncate -s 100000000 "$dir/zeros"
uploads Caddy "$caddy_pid"
stop_server
start_lighttpd
uploads lighttpd "$lighttpd_pid"
check 'lighttpd: and nothing of them stays on the disk' \
	wait_until nothing_spooled
end

# --- More than the system gives -----------------------------------------------

# flood N: so many at once, all held by the upstream; $dir/codes.
flood()
{
	body_of 15 'x y ' stub/stall-head "$in_text" '"}]'
	for i in $(seq "$1"); do
		printf 'url = "%s/v1/chat/completions"\n' "$base"
		printf 'request = POST\nupload-file = "%s/big"\n' "$dir"
		printf 'header = "Authorization: Bearer %s"\n' "$alice_key"
		printf 'header = "Content-Type: application/json"\n'
		printf 'output = "%s/flood.%d"\n' "$dir" "$i"
		printf 'write-out = "%%{http_code}\\n"\nmax-time = 120\n'
		[ "$i" = "$1" ] || echo next
	done >"$dir/flood.conf"
	curl -s --parallel --parallel-immediate --parallel-max "$1" \
		-K "$dir/flood.conf" >"$dir/codes" 2>"$dir/flood.err" &
	adopt flood $!
}

# All that were not refused are at the upstream.
all_there()
{
	refused=$(find "$dir" -name 'flood.[0-9]*' -size +0 | wc -l)
	[ $((refused + $(stat stub in_flight))) -ge "$1" ]
}

limit_kb=1200000
flooded=160
begin_limited()
{
	old_fcgi=$TAILGATE_FCGI
	cat >"$dir/limited" <<-END
		#!/bin/sh
		ulimit -v $limit_kb
		exec "$old_fcgi" "\$@"
	END
	chmod 755 "$dir/limited"
	TAILGATE_FCGI=$dir/limited
	begin
	TAILGATE_FCGI=$old_fcgi
}

begin_limited
flood $flooded
check "$flooded bodies of 15 MiB in $limit_kb KB: each is refused or sent" \
	wait_until -t 90 -p "$flood_pid" all_there $flooded
bob_is_served flood
tell stub release >/dev/null
wait "$flood_pid"
forget "$flood_pid"
counts=$(sort "$dir/codes" | uniq -c | awk '{ printf "%s:%s ", $2, $1 }')
detail "$counts"
is 'every one gets a response' "$(grep -c -x -e 200 -e 503 "$dir/codes")" $flooded
check 'some are served' grep -q -x 200 "$dir/codes"
check 'some are refused' grep -q -x 503 "$dir/codes"
is 'and told why' "$(cat "$dir"/flood.[0-9]* | grep -o '"code": *"[a-z_]*"' |
	sort -u)" '"code":"client_overloaded"'
same_workers flood
gives_back flood
end

finish

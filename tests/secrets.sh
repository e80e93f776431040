# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# No byte of a prompt, a response or a key is in anything that tailgate writes
# or shows: markers are planted in each, then everything is searched.
. "${abs_srcdir:-.}/tests/lib.sh"

secret=sk-MARKPROVIDERKEYabcdefghijMARKPROVIDERKEY
printf '%s\n' $secret >"$dir/provider.secret"
chmod 600 "$dir/provider.secret"
start_upstream stub
reserve_port nobody
stub_more="key = { file = \"$dir/provider.secret\"; };
	headers = ( { name = \"X-Extra\"; value = \"MARKHEADER\"; } );"
more_providers=", { name = \"dead\"; place = \"local\"; url = \"$nobody_url\";
	key = { file = \"$dir/provider.secret\"; }; },
	{ name = \"bridged\"; place = \"local\"; url = \"$stub_url\";
	key = { file = \"$dir/provider.secret\"; }; endpoints = [ \"chat\" ];
	circuit = { failures = 0; }; }"
more_models=', { id = "bridged/*"; targets = (
	{ provider = "bridged"; model = "*"; } ); }, { id = "dead"; targets = ( { provider = "dead"; model = "x"; },
	{ provider = "stub"; model = "plain"; } ); fallback = [ "unavailable" ]; }'
more='log = { level = "debug"; };'
stub_config
add_client anna
start_tailgate
start_lighttpd

say()
{
	printf '{"model":"%s","messages":[{"role":"user","content":' "$1"
	printf '"MARKPROMPT"}],"input":"MARKPROMPT","user":"MARKPROMPT"%s}' \
		"${2:+,$2}"
}

# Every way a request can end.
for script in plain 500 429,retry=1 502,html error-body cut-mid reset close \
	length-long 400,toolong stub-unknown; do
	post /v1/chat/completions "$(say "stub/$script")"
done
for script in n=3 cut-mid,n=4 cut-utf8,n=4 error-first error-mid,n=4 \
	no-done,n=3; do
	post /v1/chat/completions "$(say "stub/$script" '"stream":true')"
	post /v1/responses "$(say "stub/$script" '"stream":true')"
done
post /v1/chat/completions "$(say dead)"
is 'fallback works' "$status" 200
post /v1/embeddings "$(say stub/plain)"
printf 'MARKPROMPT' >"$dir/spool-in"
request /v1/audio/transcriptions -F "file=@$dir/spool-in" \
	-F prompt=MARKPROMPT -F model=stub/plain
is 'a form works' "$status" 200
request /v1/audio/transcriptions -F "file=@$dir/spool-in" -F prompt=MARKPROMPT
post /v1/chat/completions "$(say nothing)"
post /v1/chat/completions '{"MARKPROMPT":'
post /v1/chat/completions '{"messages":"MARKPROMPT"}'
# shellcheck disable=SC2016
unlike 'an error does not repeat the body' "$(body)" MARKPROMPT
post '/v1/chat/completions?key=MARKQUERY' "$(say stub/plain)"
request /v1/chat/completions -H 'Authorization: Bearer tg-MARKWRONGKEY' \
	-d '{}'
unlike 'an error does not repeat the key' "$(body)" MARKWRONGKEY
request /v1/models -H 'Authorization: Basic TUFSS1dST05HS0VZ'

# Echoes of the key by an upstream: in errors of each status, in a good one, as
# an event, in headers; whole, shortened, escaped.
echoes='\"sk-MARKPROVIDERKEY\" sk-MARKP***RKEY, sk-MARK...RKEY; sk-\u004dARKPROVIDERKEY ending in RKEY'
mkdir "$dir/raw"
raw()
{
	printf 'HTTP/1.1 %s X\r\nContent-Type: %s\r\nConnection: close\r\n' "$1" "$2"
	printf 'x-ratelimit-account: sk-MARKPROVIDERKEY\r\n\r\n%s' "$3"
}
for code in 400 402 403 404 409 422 429 500 503 200; do
	raw $code application/json '{"error":{"message":"'"$echoes"'","type":"x"}}' \
		>"$dir/raw/$code.http"
done
raw 200 text/html "<p>Error: $echoes</p>" >"$dir/raw/html.http"
raw 200 text/event-stream 'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}

data: {"error":{"message":"'"$echoes"'"}}

' >"$dir/raw/event.http"
raw 200 text/event-stream 'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}

data: {"detail":"'"$echoes"'"}

' >"$dir/raw/event-detail.http"
raw 200 application/json '{"detail":"'"$echoes"'"}' >"$dir/raw/detail.http"
raw 200 application/json '{"choices":[{"message":{"content":"a"},"finish_reason":"'"$echoes"'"}]}' \
	>"$dir/raw/reason.http"
# spelled BEFORE: every letter of it in one coding.
spelled()
{
	printf %s "$secret" | od -An -v -tx1 | tr -d ' \n' |
		sed "s/../$1&/g"
}
data='data: {"choices":[{"index":0,"delta":{"content":"'
raw 200 text/event-stream ": debug: Authorization: Bearer $secret

$data"'a"}}]}

: key sk-MARKP***RKEY of MARKPROVIDERKEYab
x-debug: '"$secret
event: $secret
id: $secret
$data"'b"}}]}

data: [DONE]

' >"$dir/raw/lines.http"
raw 200 text/event-stream "$data$secret"'"}}]}

'"${data}sk-MARKPROVIDERKEYabcd"'"}}]}

'"${data}efghijMARKPROVIDERKEY"'"}}]}

'"${data}see $(spelled '\\u00')"'"}}]}

'"${data}$(spelled %)"'"}}]}

'"$data$(printf %s "$secret" | tr '[:lower:]' '[:upper:]')"'"}}]}

'"$data$(printf 'user:%s' "$secret" | base64 -w 0)"'"}}]}

data: [DONE]

' >"$dir/raw/words.http"
raw 200 application/json '{"choices":[{"message":{"content":"'"$secret"'"}}],
	"debug":{"authorization":"Bearer '"$secret"'"}}' >"$dir/raw/whole.http"
for coding in '\\u00' '%'; do
	raw 400 application/json '{"error":{"message":"wrong: '"$(
		spelled "$coding")"'"}}' >"$dir/raw/spelled$coding.http"
done
mv "$dir/raw/spelled%.http" "$dir/raw/percent.http"
mv "$dir"/raw/spelled*u00.http "$dir/raw/escapes.http"
raw 400 application/json '{"error":{"message":"wrong: '"$(printf %s "$secret" |
	tr '[:lower:]' '[:upper:]')"' SK-MARKP***RKEY"}}' >"$dir/raw/capitals.http"
# Fields that pass, with it in their names and values; a trailer; two reads.
{
	printf 'HTTP/1.1 200 %s\r\nContent-Type: audio/wav; k=%s\r\n' \
		"$secret" "$secret"
	printf 'x-ratelimit-%s: 1\r\nanthropic-ratelimit-x: %s\r\n' \
		"$secret" "$(printf %s "$secret" | tr '[:lower:]' '[:upper:]')"
	printf 'Content-Disposition: attachment; filename="%s"\r\n' "$secret"
	printf 'Cache-Control: sk-MARKP...RKEY\r\nRetry-After: %s\r\n' \
		"$(spelled %)"
	printf 'Transfer-Encoding: chunked\r\nTrailer: X-Key\r\n\r\n'
	printf 'a\r\nRIFF sk-MA\r\n1\r\nR\r\n'
	printf '%x\r\n%s\r\n' $((${#secret} - 6)) "${secret#sk-MAR}"
	printf '5\r\n error\r\n0\r\nX-Key: %s\r\n\r\n' "$secret"
} >"$dir/raw/chunks.http"
sed -i 's/^5\r$/6\r/' "$dir/raw/chunks.http"
start_upstream echoer --raw "$dir/raw"
sed "s|$stub_url|$echoer_url|" "$conf" >"$dir/echoer.conf"
stop "$tailgate_pid"
start_tailgate "$dir/echoer.conf"
all_spelled=$(spelled % ''
	echo
	spelled '\\\\u00'
	echo
	printf 'user:%s' "$secret" | base64 -w 0 | cut -c 8-30)
for file in 400 402 403 404 409 422 429 500 503 200 html event \
	event-detail detail reason lines words whole percent escapes capitals \
	chunks; do
	for stream in false true; do
		post /v1/chat/completions \
			"$(say "stub/raw,file=$file" "\"stream\":$stream")"
		unlike "echoed by $file, stream $stream: not in the body" \
			"$(body)" 'MARKPROV|MARKP|RKEY'
		unlike "echoed by $file, stream $stream: in no coding" \
			"$(tail -c 1000 "$dir/body"; cat "$dir/head")" \
			"$(echo "$all_spelled" | cut -c 1-60 | paste -sd'|')"
		unlike "echoed by $file, stream $stream: not in the head" \
			"$(cat "$dir/head")" 'MARKPROV|%4[dD]'
		case $file in
		429 | html | lines | words | whole | chunks) continue ;;
		esac
		like \
			"echoed by $file, stream $stream: the rest is said" \
			"$(body)" 'ending in|wrong|error'
	done
done
# Over the bridges, and recorded.  (An event at the end has what others had in
# pieces.)
"$TAILGATE" -f "$dir/echoer.conf" capture --client anna --for 10m --max 100 \
	>"$dir/capture.out" 2>&1 || broken 'capture'
for file in 400 401 403 429 500 200 html event event-detail detail reason \
	lines words whole percent escapes capitals; do
	for path in /v1/messages /v1/responses; do
		for stream in false true; do
			post $path "$(say "bridged/raw,file=$file" \
				"\"stream\":$stream,\"max_tokens\":9")"
			unlike "echoed by $file, stream $stream, to $path" \
				"$(cat "$dir/body" "$dir/head")" \
				'MARKPROV|MARKP|RKEY|%4[dD]'
			unlike "echoed by $file, stream $stream, to $path: coded" \
				"$(cat "$dir/body")" \
				"$(echo "$all_spelled" | cut -c 1-60 | paste -sd'|')"
		done
	done
done
files_are()
{
	[ "$(find "$dir/run/capture" -name '*.capture' | wc -l)" -eq "$1" ]
}
check 'echoed: all of it is recorded' wait_until files_are 68
check_not 'echoed: but no key' grep -rqa -e MARKPROV -e 'MARKP[*.]' -e RKEY \
	"$dir/run/capture"
"$TAILGATE" -f "$dir/echoer.conf" capture --remove >"$dir/capture.out" 2>&1
for reason in $secret 'sk-MARKP***RKEY'; do
	raw 200 text/event-stream 'event: response.created
data: {"type":"response.created","response":{"id":"r1"}}

event: response.incomplete
data: {"type":"response.incomplete","response":{"id":"r1","incomplete_details":{"reason":"'"$reason"'"}}}

' >"$dir/raw/incomplete.http"
	post /v1/responses "$(say stub/raw,file=incomplete '"stream":true')"
	like 'why a response is incomplete is said' "$(body)" incomplete_details
	unlike 'without a key in it' "$(body)" 'MARKPROV|MARKP|RKEY'
done
post /v1/audio/speech '{"model":"stub/raw,file=chunks","input":"x","voice":"a"}'
is 'sound that holds it in three reads passes' \
	"$(head -c 5 "$dir/body") $(wc -c <"$dir/body")" \
	"RIFF  $((11 + ${#secret}))"
unlike 'without it' "$(cat "$dir/body" "$dir/head")" 'MARKPROV|MARKP|RKEY'
check 'the upstream has said all that' alive "$echoer_pid"
stop "$tailgate_pid"
start_tailgate

# One that is under way, to look at what ps shows meanwhile.
curl -sN --max-time 60 -H "Authorization: Bearer $key" \
	-H 'Content-Type: application/json' \
	--data-binary "$(say stub/gate,n=3 '"stream":true')" \
	"$base/v1/chat/completions" >"$dir/gated.body" 2>/dev/null &
adopt gated $!
wait_until -p "$gated_pid" file_longer "$dir/gated.body" 100
shown=
for p in "$tailgate_pid" $(children "$tailgate_pid"); do
	shown="$shown $(ps -ww -o args= -p "$p")"
done
# holders KEY: which of our processes have it in their memory: "p" the parent,
# "w" a worker, "l" the ledger's.
holders()
{
	for p in "$tailgate_pid" $(children "$tailgate_pid"); do
		if python3 - "$p" "$1" <<-'END'
			import sys
			pid, key = sys.argv[1], sys.argv[2].encode()
			memory = open(f"/proc/{pid}/mem", "rb", 0)
			for line in open(f"/proc/{pid}/maps"):
			    ends, access = line.split()[:2]
			    if not access.startswith("rw"):
			        continue
			    start, end = (int(x, 16) for x in ends.split("-"))
			    if end - start > 1 << 32: # a sanitizer's shadow
			        continue
			    try:
			        memory.seek(start)
			        if key in memory.read(end - start):
			            sys.exit(0)
			    except OSError:
			        pass
			sys.exit(1)
		END
		then
			case $p in
			"$tailgate_pid") echo p ;;
			"$(keeper_of "$tailgate_pid")") echo l ;;
			*) echo w ;;
			esac
		fi
	done | sort -u | tr -d '\n'
}
# Only root may look into them, and not below another sandbox.
if [ "$(id -u)" -eq 0 ] && command -v python3 >/dev/null &&
	head -c 1 "/proc/$tailgate_pid/auxv" >/dev/null 2>&1; then
	is 'a provider key is in workers only, not in the parent or the ledger' \
		"$(holders sk-MARKPROVIDERKEY)" w
fi
tell stub release >/dev/null
wait "$gated_pid"
forget "$gated_pid"

"$TAILGATE" -f "$conf" check --dump >"$dir/dump" 2>&1
"$TAILGATE" -f "$conf" client list >"$dir/list" 2>&1
"$TAILGATE" -f "$conf" status >"$dir/status" 2>&1
stop "$tailgate_pid"

check 'the log was written' test -s "$dir/tailgate.log"
check 'the ledger was written' test -s "$dir/state/ledger.jsonl"

# What a person may find: log, ledger, state, runtime files, clients, dump.
written="$dir/tailgate.log $dir/state $dir/run $dir/clients.conf $dir/list
	$dir/status $dir/lighttpd $dir/lighttpd.log"
for marker in MARKHEADER "$key" "${key#tg-}" MARKPROVIDERKEY MARKPROMPT \
	MARKWRONGKEY MARKQUERY 'from the stub' 't.*k[0-9] '; do
	case $marker in
	"$key" | "${key#tg-}") name='the client key' ;;
	*) name=$marker ;;
	esac
	# A provider's `headers` are settings, and the dump shows settings.
	[ "$marker" = MARKHEADER ] || written="$written $dir/dump"
	# shellcheck disable=SC2086 # a list of files
	found=$(grep -r -l -a -e "$marker" $written 2>/dev/null)
	is "not written: $name" "$found" ''
	unlike "not shown by ps: $name" "$shown" "$marker"
done
is 'no spool file is left' "$(find "$dir/spool" -type f)" ''
check_not 'the clients file is not for everybody' \
	sh -c "find '$dir/clients.conf' -perm -004 | grep -q ."
finish

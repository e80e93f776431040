# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# tailgate capture and replay: a client's exchanges are written to files while
# it is recorded, bounded in number and time, over workers and a reload, without
# any key; it is shown wherever one looks; and a file can be sent again.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq

secret=sk-MARKPROVIDERabcdefghijklmnopqrstuv
echo $secret >"$dir/provider.key"
chmod 600 "$dir/provider.key"
# It answers with what a terminal obeys.
mkdir "$dir/raw"
said='{"error":{"message":"MARKERROR\u001b[31m","type":"x"}}'
printf 'HTTP/1.1 400 Bad Request\r\nContent-Type: %s\r\nContent-Length: %s\r\n\r\n%s' \
	application/json ${#said} "$said" >"$dir/raw/terminal.http"
start_upstream stub -n --raw "$dir/raw"
short=shrt-9-key
stub_more="key = { file = \"$dir/provider.key\"; };
	headers = ( { name = \"X-Project-Key\"; value = \"$short\"; } );"
more='processes = 2;'
stub_config
add_client other
# shellcheck disable=SC2154 # add_client sets them
other=$other_key
add_client chief --operator
add_client anna
# shellcheck disable=SC2154
anna=$anna_key
start_tailgate
start_lighttpd

capture()
{
	"$TAILGATE" -f "$conf" capture "$@"
}
# ask TEXT [more members]
ask()
{
	key=$anna
	post /v1/chat/completions "$(printf '{"model":"stub/n=2","messages":[{%s,"content":"%s"}]%s}' \
		'"role":"user"' "$1" "${2:+,$2}")"
}
files()
{
	find "$dir/run/capture" -name '*.capture' | wc -l
}
# shellcheck disable=SC2317 # wait_until calls it
files_are()
{
	[ "$(files)" -eq "$1" ]
}

# --- nothing is kept unless one asks ----------------------------------------------
ask MARKBEFORE
is 'nothing is recorded at first' "$status:$(header x-tailgate-recording)" 200:
like 'and that is said' "$(capture list)" '^nothing is being recorded'
is 'in status, too' "$("$TAILGATE" -f "$conf" status --json |
	jq -c .recording)" null
capture --client nobody --for 1m >"$dir/out" 2>&1
is 'an unknown client' "$?" 1
capture --client anna >"$dir/out" 2>&1
is 'without a time' "$?" 2
capture --client anna --for 2d >"$dir/out" 2>&1
is 'for too long' "$?" 2
capture --client anna --for 1m --max 0 >"$dir/out" 2>&1
is 'for no exchange' "$?" 2

# --- while it is on ------------------------------------------------------------------
like 'it is begun' "$(capture --client anna --for 10m --max 4)" \
	'Recording client anna until .*, 4 exchanges'
capture --client other --for 1m >"$dir/out" 2>&1
is 'one at a time' "$?" 1
like 'is said' "$(cat "$dir/out")" 'client anna is being recorded'
like 'status says it' "$("$TAILGATE" -f "$conf" status)" \
	'^anna +(9m[0-9]+s|10m00s) +0 +4'
ask "MARKREQUEST $secret $anna $other $short" '"stream":true'
is 'a streamed exchange' "$status" 200
like 'the response says it' "$(header x-tailgate-recording)" \
	'^until 20[0-9-]+T[0-9:.]+Z'
post /v1/chat/completions \
	'{"model":"stub/n=2","messages":[{"role":"user","content":"MARKSECOND"}]}' \
	-H 'OpenAI-Beta: MARKBETA' -H 'ChatGPT-Account-ID: MARKACCOUNT'
key=$other
post /v1/chat/completions "$(chat n=1 '"user":"MARKOTHER"')"
is 'nobody else is recorded' "$status:$(header x-tailgate-recording)" 200:
key=$anna
request /v1/models
like 'every response to the client says it' "$(header x-tailgate-recording)" \
	'^until '
check 'two files' wait_until files_are 2
renew_workers
ask MARKTHIRD
check 'a reload changes nothing' wait_until files_are 3
is 'it counts' "$("$TAILGATE" -f "$conf" status --json |
	jq -c '.recording | [.client, .exchanges, .most, .bytes > 0]')" \
	'["anna",3,4,true]'
key=$chief_key
request /tailgate/status.json
is 'the page is told' "$(jq -r .recording.client "$dir/body")" anna
post /v1/chat/completions "$(chat n=1)"
ask MARKFOURTH
ask MARKFIFTH
is 'after the last it ends' "$(header x-tailgate-recording)" ''
check 'and no more are written' wait_until files_are 4
all_settled
like 'it has ended' "$(capture)" '^nothing is being recorded'

# --- what is in them -------------------------------------------------------------------
is 'nobody else can read them' "$(find "$dir/run/capture" -perm /077 -name '*.capture')" ''
check_not 'no provider key' grep -r -q -a MARKPROVIDER "$dir/run/capture"
check_not 'nor a short one' grep -r -q -a "$short" "$dir/run/capture"
check_not 'no key of a client' grep -r -q -a "$anna" "$dir/run/capture"
check_not 'of any client' grep -r -q -a "$other" "$dir/run/capture"
check_not 'nothing of others' grep -r -q -a -e MARKOTHER -e MARKBEFORE -e MARKFIFTH \
	"$dir/run/capture"
one=$(grep -l MARKREQUEST "$dir"/run/capture/*.capture)
is 'the first line says what it was' "$(head -n 1 "$one" | jq -c \
	'[.client, .method, .path, .model, .provider, .status, .headers]')" \
	'["anna","POST","/v1/chat/completions","stub/n=2","stub",200,{"Content-Type":"application/json"}]'
like 'then the request' "$(sed -n 2p "$one")" '^{"model":"stub/n=2",.*MARKREQUEST \*+ \*+ \*+ \*+"'
like 'and the response' "$(sed -n '3,$p' "$one")" 'data: \[DONE\]'
check_not 'the ledger has nothing of it' grep -q MARK "$dir/state/ledger.jsonl"
check_not 'nor the log' grep -q MARK "$dir/tailgate.log"
like 'the list names them' "$(capture list)" "anna +chat +stub/n=2 +200 .*$one"
is 'all of them' "$(capture list | grep -c '\.capture$')" 4
two=$(grep -l MARKSECOND "$dir"/run/capture/*.capture)
is 'its headers' "$(head -n 1 "$two" | jq -c .headers)" \
	'{"Content-Type":"application/json","openai-beta":"MARKBETA"}'
check_not 'none that goes with a key' grep -q MARKACCOUNT "$two"

# --- again --------------------------------------------------------------------------------
echo "$anna" >"$dir/anna.key"
again()
{
	"$TAILGATE" replay --url "$base" --key-file "$dir/anna.key" "$@"
}
again "$one" >"$dir/out" 2>&1
is 'a file is sent again' "$?" 0
like 'the status is the same' "$(cat "$dir/out")" '^status +200 +200 +the same'
like 'so is the text' "$(cat "$dir/out")" '^text +([0-9]+) bytes +\1 bytes +the same'
like 'with its tokens' "$(cat "$dir/out")" '^tokens in +[0-9]+ +([0-9]+|-)'
again --model stub/500 "$one" >"$dir/out" 2>&1
is 'to another model, which fails' "$?" 1
like 'is told' "$(cat "$dir/out")" '^model +stub/n=2 +stub/500'
like 'by its status' "$(cat "$dir/out")" '^status +200 +50[0-9]'
again --model nothing "$one" >"$dir/out" 2>&1
like 'a replay is a request as any other' "$(cat "$dir/out")" \
	'error now: There is no model'
again "$two" >"$dir/out" 2>&1
is 'with its headers' "$?" 0
"$TAILGATE" replay --url "${stub_url%/v1}" --model raw,file=terminal "$one" \
	>"$dir/out" 2>&1
like 'an error is shown' "$(cat "$dir/out")" 'error now: MARKERROR\\x1b\[31m'
check_not 'and no terminal obeys it' grep -q "$(printf '\033')" "$dir/out"
sed '1s/"openai-beta"/"Authorization"/' "$two" >"$dir/edited"
again "$dir/edited" >"$dir/out" 2>&1
is 'a header that no recording has' "$?" 1
like 'is refused' "$(cat "$dir/out")" 'its header .Authorization. is none'
again "$dir/anna.key" >"$dir/out" 2>&1
is 'what is no such file' "$?" 1
like 'is said to be none' "$(cat "$dir/out")" 'not a recorded exchange'

# --- the end -----------------------------------------------------------------------------
capture --client anna --for 1s >"$dir/out" 2>&1
is 'another one would mix with its files' "$?" 1
like 'is said' "$(cat "$dir/out")" \
	"the files of an earlier recording are in $dir/run/capture"
is 'they are all there' "$(files)" 4
capture --remove >/dev/null
like 'without them it begins' "$(capture --client anna --for 1s)" 'Recording client anna'
over()
{
	capture list | grep -q '^nothing is being recorded'
}
check 'it ends by itself' wait_until over
capture --client anna --for 10m >/dev/null
like 'it is ended' "$(capture --stop)" 'has ended; its files are kept'
ask MARKSIXTH
is 'then nothing is recorded' "$(header x-tailgate-recording):$(files)" :0
capture --client anna --for 10m >/dev/null
ask MARKSIXTH
check 'one is' wait_until files_are 1
like 'what was recorded is removed' "$(capture --remove)" 'are removed'
is 'all of it' "$(files)" 0

# What was in flight then, and ends afterwards.
capture --client anna --for 10m >/dev/null
hold_slot "$anna" stub/stall-head
capture --remove >/dev/null
let_slot_go
all_settled
is 'what ends after that is not written' "$(files)" 0
like 'and the log says so' "$(cat "$dir/tailgate.log")" \
	'client anna is not recorded: the recording was removed'
capture --client anna --for 10m >/dev/null
hold_slot "$anna" stub/stall-head
capture --remove >/dev/null
capture --client other --for 10m >/dev/null
let_slot_go
all_settled
is 'nor into another recording' "$(files)" 0
mkdir "$dir/run/capture/one" "$dir/run/capture/two"
capture --remove >"$dir/out" 2>&1
is 'what cannot be removed is a failure' "$?" 1
is 'what stays is said once' "$(grep -c . "$dir/out")" 1
like 'with its number' "$(cat "$dir/out")" 'warning: 2 files of a recording'
rmdir "$dir/run/capture/one" "$dir/run/capture/two"

# A row that was made anew knows nothing of them.
capture --client anna --for 10m >/dev/null
ask MARKLEFT
check 'one is left' wait_until files_are 1
stop "$tailgate_pid"
rm "$dir/run/recording"
start_tailgate
check 'a start removes it' wait_until files_are 0

# A day later: the time is in the row that all share.
capture --client anna --for 10m >/dev/null
ask MARKSEVENTH
check 'one more' wait_until files_are 1
stop "$tailgate_pid"
echo 0 >"$dir/clock"
truncate -s 64 "$dir/clock"
cat >"$dir/timed" <<-END
	#!/bin/sh
	LD_PRELOAD=$clock_preload TAILGATE_TEST_CLOCK=$dir/clock
	export LD_PRELOAD TAILGATE_TEST_CLOCK
	exec "$TAILGATE_FCGI" "\$@"
END
chmod 755 "$dir/timed"
TAILGATE_FCGI=$dir/timed
start_tailgate
ask MARKEIGHTH
check 'and another' wait_until files_are 2
mv "$dir/run/capture" "$dir/run/aside"
: >"$dir/run/capture"
set_clock 90000
check 'after a day a request is served' serves
check 'what cannot be removed is said' wait_until file_has "$dir/tailgate.log" \
	'files of a recording can.t be removed: .*/capture: Not a directory'
rm "$dir/run/capture"
mv "$dir/run/aside" "$dir/run/capture"
check 'a request' serves
is 'does not try at once' "$(files)" 2
set_clock 90061
check 'a minute later a request' serves
is 'removes them' "$(files)" 0
set_clock 0
capture --client anna --for 10m >/dev/null
ask MARKNINTH
check 'again one' wait_until files_are 1
stop "$tailgate_pid"
set_clock 90000
LD_PRELOAD=$clock_preload TAILGATE_TEST_CLOCK=$dir/clock \
	"$TAILGATE" -f "$conf" capture list >"$dir/out" 2>&1
is 'after a day, who looks removes them' "$(files)" 0
finish

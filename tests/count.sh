# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A local server that can count (`counts`): it is asked before a request that is
# a little too long by estimate is refused, for what would be sent; its count
# goes before the estimate.  One that cannot say is left alone, and is not ill.
. "${abs_srcdir:-.}/tests/lib.sh"

need python3 jq lighttpd

log=$dir/asked
: >"$log"
python3 "$tests/count_upstream.py" "$log" >"$dir/up.port" 2>"$dir/up.log" &
adopt up $!
wait_until -p "$up_pid" test -s "$dir/up.port" || broken "no upstream"
root=http://127.0.0.1:$(cat "$dir/up.port")

# provider NAME HOW [SETTINGS]; model NAME PROVIDERS...: of a context of 1000.
provider()
{
	printf '%s{ name = "%s"; place = "local"; url = "%s/%s/v1"; %s }\n' \
		"$comma" "$1" "$root" "$2" "${3:-}"
	comma=,
}
model()
{
	printf '%s{ id = "%s"; fallback = [ "too_long" ]; targets = (\n' \
		"$comma" "$1"
	comma=
	for name; do
		[ "$name" = "$1" ] && [ $# -gt 1 ] && continue
		printf '%s{ provider = "%s"; model = "up"; %s }\n' "$comma" \
			"$name" "$([ "$name" = any ] || echo context = 1000\;)"
		comma=,
	done
	echo ') ; }'
}
{
	echo 'processes = 1; providers = ('
	comma=
	for count in 900 901 1001; do
		provider "c$count" "$count" 'counts = "input_tokens";'
	done
	for odd in 404 500 hang junk text minus deep; do
		provider "$odd" "$odd" 'counts = "input_tokens";'
	done
	provider vllm list 'counts = "tokenize";'
	provider silent 900
	provider any 900 'counts = "input_tokens";'
	echo '); models = ('
	comma=
	for name in c900 c901 c1001 404 500 hang junk text minus deep vllm silent; do
		model "$name"
	done
	model near c900 any
	model far c1001 any
	echo ');'
} >"$dir/settings"
new_config <"$dir/settings"
add_client anna --operator
start_tailgate
start_lighttpd

# words N: so many tokens by estimate.
words()
{
	awk -v n="$1" 'BEGIN { while (n-- > 0) printf "hello " }'
}
# ask MODEL WORDS [MORE]
ask()
{
	: >"$log"
	post /v1/chat/completions "$(printf \
		'{"model":"%s",%s"messages":[{"role":"user","content":"%s"}]}' \
		"$1" "${3:-}" "$(words "$2")")"
}
paths()
{
	cut -d' ' -f1 "$log" | tr '\n' ' '
}
one_body()
{
	[ "$(wc -l <"$log")" -eq 2 ] &&
		[ "$(cut -d' ' -f2 "$log" | sort -u | wc -l)" -eq 1 ]
}
q=v1/chat/completions/input_tokens
c=v1/chat/completions

# --- its count goes before the estimate ---------------------------------------
ask c900 1100
is 'too long by estimate, but not for the server' "$status" 200
is 'it was asked, and then got the request' "$(paths)" "/900/$q /900/$c "
check 'about what was sent then' one_body
wait_until file_has "$dir/state/ledger.jsonl" '"tries"'
sent=$(tail -n 1 "$log" | cut -d' ' -f3)
is 'the question is no try, and its bytes are in no account' \
	"$(jq -c 'select(.tries) | [.bytes_sent, [.tries[].bytes_sent]]' \
		"$dir/state/ledger.jsonl")" "[$sent,[$sent]]"

ask c1001 1100
is 'too long for the server, too' "$status" 400
like 'that says how many there are' "$(body)" \
	'needs 1001 tokens \(1001 in as its server counts, 0 out\), .* 1000'
is 'it got the question alone' "$(paths)" "/1001/$q "

ask c900 1000 '"max_tokens":100,'
is 'with the output it fits exactly' "$status" 200
ask c901 1000 '"max_tokens":100,'
is 'or by one token not' "$status" 400
like 'and that is counted' "$(body)" 'needs 1001 tokens \(901 in'

ask vllm 1100
is 'tokenize, which lists the tokens' "$status" 200
is 'is beside /v1' "$(paths)" "/list/tokenize /list/$c "

# --- when it is asked ---------------------------------------------------------
ask c900 500
is 'what fits by estimate is sent' "$status:$(paths)" "200:/900/$c "
ask c900 1300
is 'more than 15 % above the context: not asked' "$status:$(paths)" '400:'
ask silent 1100
is 'a provider that does not count: not asked' "$status:$(paths)" '400:'
: >"$log"
post /v1/chat/completions '{"model":"c900","messages":[{"role":"user",
  "content":[{"type":"image_url",
  "image_url":{"url":"data:image/png;base64,AAAA"}},
  {"type":"text","text":"'"$(words 60)"'"}]}]}'
is 'a request with a picture: not asked' "$status:$(paths)" '400:'

# --- bridges, streams, fallback -----------------------------------------------
ask c900 1100 '"stream":true,'
is 'a stream' "$status:$(paths)" "200:/900/$q /900/$c "
check 'is asked about as it is sent' one_body
for stream in false true; do
	: >"$log"
	post /v1/messages '{"model":"c900","max_tokens":10,"stream":'$stream',
	  "messages":[{"role":"user","content":"'"$(words 1100)"'"}]}'
	is "messages through chat, stream $stream" "$status:$(paths)" \
		"200:/900/$q /900/$c "
	check 'the translation is counted' one_body
	: >"$log"
	post /v1/responses '{"model":"c900","stream":'$stream',
	  "input":"'"$(words 1100)"'"}'
	is "responses through chat, stream $stream" "$status:$(paths)" \
		"200:/900/$q /900/$c "
	check 'the translation is counted' one_body
done

ask near 1100
is 'the first target is asked before the next is used' \
	"$(header x-tailgate-provider):$(header x-tailgate-fallback)" c900:
ask far 1100
is 'the next is used if it is too long' \
	"$(header x-tailgate-provider):$(header x-tailgate-fallback)" \
	any:too_long

# --- explain ------------------------------------------------------------------
printf '{"model":"c900","messages":[{"role":"user","content":"%s"}]}' \
	"$(words 1100)" >"$dir/long"
: >"$log"
"$TAILGATE" -f "$conf" explain --client anna "$dir/long" >"$dir/out"
like 'explain says that it would be asked' "$(cat "$dir/out")" \
	'fit +1[01][0-9][0-9] of 1000 tokens by estimate; its server would be asked'
is 'and as JSON' "$("$TAILGATE" -f "$conf" explain --json --client anna \
	"$dir/long" | jq -c '.candidates[0] | [.verdict, .fit.asks_count]')" \
	'["too_long",true]'
is 'it asks nobody' "$(paths)" ''
post /v1/chat/completions "$(cat "$dir/long")" -H 'X-Tailgate-Explain: 1'
is 'X-Tailgate-Explain has the count' "$(body | jq -c \
	'.candidates[0] | [.verdict, .fit.counted_tokens, .fit.asks_count]')" \
	'["in",900,null]'
is 'and sends nothing else' "$(paths)" "/900/$q "

# --- one that cannot say --------------------------------------------------------
for odd in 404 junk text minus deep; do
	ask "$odd" 1100
	is "$odd: by estimate" "$status:$(paths)" "400:/$odd/$q "
	like 'which the refusal says' "$(body)" 'needs about 1[01][0-9][0-9] tokens'
	ask "$odd" 1100
	is "$odd: not asked again" "$status:$(paths)" '400:'
done
ask 500 1100
ask 500 1100
is 'an error may be of that request alone: the next is asked about' \
	"$status:$(paths)" "400:/500/$q "
ask hang 1100
is 'one that never answers: by estimate' "$status:$(paths)" "400:/hang/$q "
check 'the log says what is wrong' grep -q \
	'provider 404: it was asked to count tokens .*HTTP status 404' \
	"$dir/tailgate.log"
is 'no provider is ill of that' "$("$TAILGATE" -f "$conf" status --json | jq -c \
	'[.providers[] | select(.state != "closed" or .failures > 0)]')" '[]'
ask 404 500
is 'and gets what fits' "$status:$(paths)" "200:/404/$c "
check 'the chain holds' "$TAILGATE" -f "$conf" usage --verify
finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The rows of the endpoint table that only pass through, under both web servers:
# what is sent up and what comes back, the endpoint in the ledger, and that
# explain says the same; the one provider that can be meant; ids and queries;
# the number of pictures.  And the rules (`when`) that choose a target.  (The
# SDKs: sdk_py.sh, sdk_js.sh; private patterns: hiding.sh.)
. "${abs_srcdir:-.}/tests/lib.sh"

start_upstream stub
start_upstream other
kept='"responses_get", "responses_delete", "responses_cancel", "responses_items"'
more_providers=", { name = \"other\"; place = \"local\"; url = \"$other_url\";
    endpoints = [ \"chat\", \"voices\", $kept ]; },
  { name = \"far\"; place = \"external\"; url = \"$other_url\";
    endpoints = [ \"chat\", \"voices\", $kept ]; }"
more_models=', { id = "priced"; targets = ( { provider = "stub";
    model = "plain"; price = { image = 0.04; input = 5.0; output = 40.0; }; } ); },
  { id = "unpriced"; targets = ( { provider = "stub"; model = "usage-none";
    price = { image = 0.04; input = 5.0; output = 40.0; }; } ); },
  { id = "ruled"; targets = ( { provider = "stub"; model = "plain";
      when = { max_tokens_in = 50; tools = false; endpoint = [ "chat" ];
        header = { name = "X-Task"; value = "s*l"; }; }; },
    { provider = "stub"; model = "n=3"; } ); },
  { id = "other"; targets = ( { provider = "other"; model = "o"; } ); },
  { id = "far"; place = "external"; targets = (
    { provider = "far"; model = "f"; } ); }'
stub_config
add_client chief --operator
add_client talker --endpoints chat
add_client both --models 'stub/*,other'
add_client lost --models far
add_client away --models far --place external
add_client anna --models 'stub/*,priced,unpriced,ruled' --explain
start_tailgate
printf '\211PNG\r\n\032\n%01000d' 0 >"$dir/a.png"

# The number of the stub's last request, which names its record.
last()
{
	find "$stub_dir" -name '*.head' | sed 's|.*/||; s|\.head$||' |
		sort -n | tail -n 1
}

# up DESCRIPTION LINE: the request line of what went up.
up()
{
	is "$1: what went up" \
		"$(head -n 1 "$stub_dir/$(last).head" | tr -d '\r')" \
		"$2 HTTP/1.1"
}

# bare METHOD PATH: without a body; a POST says so.
bare()
{
	if [ "$1" = POST ]; then
		request "$2" -d ''
	else
		request "$2" -X "$1"
	fi
}

# One row: NAME METHOD PATH UPSTREAM MEMBERS, the path upstream or "=", the
# members of a JSON body or "-".
row()
{
	row_name=$2
	row_as="$1: $2"
	row_body=
	row_up=$5
	[ "$5" != = ] || row_up=$4
	[ "$6" = - ] || row_body="{\"model\":\"stub/plain\",$6}"
	if [ "$6" = - ]; then
		bare "$3" "$4"
	else
		post "$4" "$row_body"
	fi
	is "$row_as" "$status" 200
	up "$row_as" "$3 $row_up"
	is "$row_as: its provider" "$(header x-tailgate-provider)" stub
	is "$row_as: its body" "$(cat "$stub_dir/$(last).body")" \
		"$(printf '%s' "$row_body" | sed 's|stub/plain|plain|')"
	row_query=$(printf '%s' "$4" | sed -n 's/.*?//p')
	printf '%s' "$row_body" >"$dir/in"
	check "$row_as: explain agrees" "$TAILGATE" -f "$conf" explain \
		--client anna --endpoint "$2" --id resp_stub \
		${row_query:+--query "$row_query"} "$dir/in"
	key=$talker_key
	if [ "$6" = - ]; then
		bare "$3" "$4"
	else
		post "$4" "$row_body"
	fi
	check "$row_as: a right of its own" error_is 403 endpoint_not_allowed
	key=$anna_key
	printf '%s\n' "$2" >>"$dir/rows"
}

rows()
{
	kept=/v1/responses/resp_stub
	: >"$dir/rows"
	while IFS='|' read -r name method path upstream members; do
		row "$1" "$name" "$method" "$path" "$upstream" "$members"
	done <<-END
		images|POST|/v1/images/generations|=|"prompt":"a cat","n":2
		moderations|POST|/v1/moderations|=|"input":"hello"
		voices|GET|/v1/audio/voices|=|-
		responses_get|GET|/v1/responses/resp_stub|=|-
		responses_get|GET|$kept?include=a.b_c&x=y&stream=false|$kept?include=a.b_c&stream=false|-
		responses_delete|DELETE|/v1/responses/resp_stub|=|-
		responses_cancel|POST|/v1/responses/resp_stub/cancel|=|-
		responses_items|GET|/v1/responses/resp_stub/input_items?limit=5&order=asc&after=item_1|=|-
		responses_compact|POST|/v1/responses/compact|=|"input":"hello"
		responses_tokens|POST|/v1/responses/input_tokens|=|"input":"hello"
		chat_tokens|POST|/v1/chat/completions/input_tokens|=|"messages":[]
		infill|POST|/v1/infill|/infill|"input_prefix":"a","input_suffix":"b"
		rerank|POST|/v1/reranking|/v1/rerank|"query":"a","documents":["b"]
	END
}

# Forms: the model's field is replaced, all else stays.
forms()
{
	for form in edits variations; do
		request "/v1/images/$form" -F model=stub/plain -F n=2 \
			-F prompt=hello -F "image[]=@$dir/a.png" \
			-F "image[]=@$dir/a.png"
		is "$1: $form" "$status" 200
		like "$1: $form: two pictures come" "$(body)" 'json".*json"'
		up "$1: $form" "POST /v1/images/$form"
		is "$1: $form: both files went up" \
			"$(grep -c -a 'filename="a.png"' \
				"$stub_dir/$(last).body")" 2
	done
	request /v1/images/edits -F model=stub/plain -F n=two -F prompt=x \
		-F "image=@$dir/a.png"
	check "$1: a bad n" error_is 400 invalid_value
	request /v1/images/edits -F model=stub/plain -F n=1 -F n=2
	check "$1: n twice" error_is 400 invalid_value
	post /v1/images/edits '{"model":"stub/plain"}'
	check "$1: JSON instead of a form" error_is 415 unsupported_media_type
}

streams()
{
	post /v1/images/generations \
		'{"model":"stub/n=2","prompt":"x","stream":true}'
	is "$1: pictures streamed" "$(grep -c '^event: ' "$dir/body")" 3
	like "$1: as events" "$(header content-type)" '^text/event-stream'
	post /v1/infill '{"model":"stub/n=2","input_prefix":"x","stream":true}'
	is "$1: infill streamed" "$(grep -c '^data: ' "$dir/body")" 3
	post /v1/infill '{"model":"stub/cut-mid,n=8","input_prefix":"x","stream":true}'
	like "$1: one that is cut says so" "$(body)" '"error"'
}

# What may come without a model, and what may not.
models()
{
	post /v1/infill '{"input_prefix":"a","stream":false}'
	is "$1: infill without a model" "$status" 200
	is "$1: its body as it came" "$(cat "$stub_dir/$(last).body")" \
		'{"input_prefix":"a","stream":false}'
	post /v1/images/generations '{"prompt":"a cat"}'
	check "$1: pictures without a model" error_is 400 missing_model
	post /v1/infill '{"model":"other","input_prefix":"a"}'
	check "$1: a model of others" error_is 403 model_not_allowed
	request '/v1/audio/voices?model=nothing'
	check "$1: no such model" error_is 404 model_not_found
	request '/v1/audio/voices?model=stub/x&model=stub/y'
	check "$1: two models" error_is 400 invalid_value
}

# Exactly one provider can be meant.
owners()
{
	key=$both_key
	request /v1/responses/resp_stub
	check "$1: two providers could be meant" error_is 400 invalid_value
	like "$1: they are named, and what to do" "$(body)" \
		'stub and other.*model=NAME'
	check_not "$1: explain agrees" "$TAILGATE" -f "$conf" explain \
		--client both --endpoint responses_get
	request '/v1/responses/resp_stub?model=other'
	is "$1: the one whose model is named" \
		"$status $(header x-tailgate-provider)" '200 other'
	check "$1: explain agrees on that" "$TAILGATE" -f "$conf" explain \
		--client both --endpoint responses_get --query model=other
	key=$lost_key
	request /v1/responses/resp_stub
	check "$1: none within the client's ceiling" \
		error_is 400 unsupported_feature
	request '/v1/responses/resp_stub?model=far'
	check "$1: the ceiling holds for a named one" \
		error_is 403 private_route_blocked
	key=$away_key
	request /v1/responses/resp_stub
	is "$1: the one that this client may reach" \
		"$status $(header x-tailgate-place)" '200 external'
	request /v1/responses/resp_stub -H 'X-Tailgate-Place: local'
	check "$1: the place header narrows that, too" \
		error_is 403 private_route_blocked
	key=$anna_key
}

# Which target a rule sends a request to: MODEL, MEMBERS, curl's arguments.
ruled()
{
	ruled_want=$2
	ruled_more=$3
	shift 3
	post /v1/chat/completions "{\"model\":\"ruled\",$ruled_more}" "$@"
	is "rules: $ruled_more $*" \
		"$status $(header x-tailgate-model) $(header x-tailgate-fallback)" \
		"200 $ruled_want "
}

rules()
{
	hello='"messages":[{"role":"user","content":"hello"}]'
	tool='"tools":[{"type":"function","function":{"name":"f"}}]'
	ruled "$1" plain "$hello" -H 'X-Task: small'
	ruled "$1" n=3 "$hello"
	ruled "$1" n=3 "$hello" -H 'X-Task: smaller'
	ruled "$1" n=3 "$hello,$tool" -H 'X-Task: small'
	ruled "$1" n=3 '"messages":[{"role":"user","content":"'"$(
		printf 'word %.0s' $(seq 60))"'"}]' -H 'X-Task: small'
	post /v1/embeddings '{"model":"ruled","input":"x"}' -H 'X-Task: small'
	is "$1: rules: another endpoint" "$(header x-tailgate-model)" n=3
}

hostile()
{
	for id in 'resp.x' 'resp%2fx' 'resp%00' 'resp%3Fa' "$(printf '%0129d' 0)"
	do
		tell stub reset >/dev/null
		request "/v1/responses/$id"
		check "$1: the id $id is refused" test "$status" -ge 400
		is "$1: and nothing goes up" "$(stat stub requests)" 0
	done
	request '/v1/responses/resp_stub/input_items?after=a%26b&limit=x&order=up'
	up "$1: what no such parameter says stays here" \
		'GET /v1/responses/resp_stub/input_items'
	request '/v1/audio/voices?stream=true'
	check "$1: a stream, which it does not have" error_is 400 invalid_value
	request /v1/responses/resp_stub -X PUT
	check "$1: another method" error_is 405 method_not_allowed
	is "$1: all that the path knows" "$(header allow)" 'GET, DELETE'
	request /v1/responses/resp_stub -I
	is "$1: a HEAD is none" "$status" 405
	request /v1/responses/resp_stub -X DELETE -d '{"secret":1}'
	is "$1: a body that is not read" "$status" 200
	is "$1: is not sent on" "$(cat "$stub_dir/$(last).body")" ''
}

under()
{
	key=$anna_key
	rows "$1"
	forms "$1"
	streams "$1"
	models "$1"
	owners "$1"
	rules "$1"
	hostile "$1"
}
each_server under

# The account: every row by its name; pictures by their number.
start_lighttpd
for script in priced unpriced; do
	post /v1/images/generations \
		"{\"model\":\"$script\",\"prompt\":\"x\",\"n\":3}"
	is "$script pictures" "$status" 200
done
post /v1/infill '{"model":"stub/n=5","input_prefix":"a","stream":true}'
stop_server
stop "$tailgate_pid"
ledger=$dir/state/ledger.jsonl
while read -r name; do
	check "the ledger has $name" grep -q "\"endpoint\":\"$name\"" "$ledger"
done <"$dir/rows"
# 3 images of 0.04, 11 tokens in of 5 and 5 out of 40 per million.
like 'the price of pictures and of tokens' \
	"$(grep '"route":"priced"' "$ledger")" \
	'"input":11,.*"images":3,.*"cost_nanousd":120255000'
like 'by the picture alone if no tokens are reported' \
	"$(grep '"route":"unpriced"' "$ledger")" \
	'"images":3,"cost_nanousd":12000[0-9]*'
unlike 'whose bytes are not taken for tokens' \
	"$(grep '"route":"unpriced"' "$ledger")" '"output":[1-9]'
like "infill's timings are its usage" \
	"$(grep '"endpoint":"infill"' "$ledger" | tail -n 1)" \
	'"usage":"reported","input":11,"cached":4,.*"output":5'
unlike 'what is only looked at costs nothing' \
	"$(grep '"endpoint":"responses_get"' "$ledger")" \
	'"cost_nanousd":[1-9]|"input":[1-9]'
check 'the ledger is whole' "$TAILGATE" -f "$conf" usage --verify
finish

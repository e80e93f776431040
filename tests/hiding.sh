# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The table of hiding places of tailgate.conf(5), row by row through the
# gateway, under both web servers.  What is found stays here; what is not sent
# does not arrive, and no form names a second model in another spelling.  A
# picture that the upstream would have to fetch is refused, unless it may.
. "${abs_srcdir:-.}/tests/lib.sh"

start_upstream stub
echo tg-of-the-other-gateway >"$dir/peer.key"
chmod 600 "$dir/peer.key"
new_config <<-END
	providers = ( { name = "stub"; place = "external"; url = "$stub_url";
	    circuit = { failures = 0; };
	    endpoints = [ "chat", "completions", "embeddings", "rerank",
	      "responses", "messages", "count_tokens", "speech",
	      "transcriptions", "translations", "images", "image_edits",
	      "image_variations", "moderations", "voices", "responses_get",
	      "responses_delete", "responses_cancel", "responses_items",
	      "responses_compact", "responses_tokens", "chat_tokens",
	      "infill" ]; },
	  { name = "home"; place = "local"; url = "$stub_url";
	    endpoints = [ "chat", "responses", "messages", "images",
	      "image_edits", "embeddings" ]; },
	  { name = "fetcher"; place = "local"; url = "$stub_url";
	    endpoints = [ "chat", "responses", "messages" ];
	    fetches_media = true; },
	  { name = "peer"; kind = "tailgate"; place = "external";
	    url = "$stub_url"; key = { file = "$dir/peer.key"; };
	    endpoints = [ "chat" ]; } );
	models = ( { id = "peer"; place = "external"; targets = (
	    { provider = "peer"; model = "plain"; } ); },
	  { id = "m"; place = "external";
	    targets = ( { provider = "stub"; model = "plain"; } ); },
	  { id = "home"; targets = (
	    { provider = "home"; model = "plain"; } ); },
	  { id = "fetcher"; targets = (
	    { provider = "fetcher"; model = "plain"; } ); } );
	private = ( { name = "marked"; pattern = "OMEGA-123|4111111111111111|Zürich"; } );
END
add_client anna --place external
start_tailgate

# found WHAT: the last request stayed here, and a rule was why.
found()
{
	is "$server: found: $1" "$status" 403
	like "$server: found: $1: it is said why" "$(body)" 'private pattern'
	is "$server: found: $1: nothing went up" "$(stat stub requests)" 0
	tell stub reset >/dev/null
}

mark64=T01FR0EtMTIz
mark16le=TwBNAEUARwBBAC0AMQAyADMA
marked16=QQHzAGQAegEgAE8ATQBFAEcAQQAtADEAMgAzAA==
mark16be=/v8ATwBNAEUARwBBAC0AMQAyADM=

# json PATH WHAT MEMBERS
json()
{
	post "$1" "{\"model\":\"m\",$3}"
	found "$1: $2"
}

# picture MODEL URL: in a request to $path, which is sent if it may be.
picture()
{
	rm -f "$stub_dir"/*
	tell stub reset >/dev/null
	case $path in
	*/completions) set -- "$1" "{\"type\":\"image_url\",\"image_url\":
		{\"url\":\"$2\"}}" messages ;;
	*/responses) set -- "$1" "{\"type\":\"input_image\",
		\"image_url\":\"$2\"}" input ;;
	*) set -- "$1" "{\"type\":\"image\",\"source\":$(anthropic "$2")}" \
		'max_tokens":9,"messages' ;;
	esac
	post "$path" "{\"model\":\"$1\",\"$3\":[{\"role\":\"user\",\"content\":[$2]}]}"
}

# anthropic URL: the source of a picture in Messages.
anthropic()
{
	case $1 in
	data:*) printf '{"type":"base64","media_type":"image/png","data":"%s"}' \
		"${1#*,}" ;;
	*) printf '{"type":"url","url":"%s"}' "$1" ;;
	esac
}

# blocked MODEL URL WHY
blocked()
{
	picture "$1" "$2"
	is "$server: $path: $1: blocked: $2" "$status" 403
	like "$server: $path: $1: with its code: $2" "$(body)" "\"$code\""
	like "$server: $path: $1: it is said why: $2" "$(body)" "$3"
	is "$server: $path: $1: nothing went up: $2" "$(stat stub requests)" 0
}

# passed MODEL URL [TEXT]
passed()
{
	picture "$1" "$2"
	is "$server: $path: $1: passed: $2" "$status" 200
	is "$server: $path: $1: went up: $2" "$(stat stub requests)" 1
	like "$server: $path: $1: as it was: $2" "$(cat "$stub_dir"/*)" "${3:-$2}"
}

media()
{
	for path in /v1/chat/completions /v1/responses /v1/messages; do
		code=remote_media_blocked
		[ "$path" != /v1/messages ] || code=permission_error
		blocked home 'https://pics.example/1.png?q=secret' \
			'stays local may not have media.*fetches_media.*data: URL'
		passed home data:image/png\;base64,iVBORw0KGgo= iVBORw0KGgo=
		passed fetcher 'https://pics.example/1.png?q=secret' \
			'https://pics.example/1.png.q=secret'
		passed fetcher http://192.168.7.7/1.png
		blocked fetcher file:///etc/passwd 'only https and data: URLs'
		passed m https://pics.example/1.png
		passed m data:image/png\;base64,iVBORw0KGgo= iVBORw0KGgo=
		blocked m http://pics.example/1.png 'media by http://'
		for host in 10.0.0.7 127.0.0.1 169.254.169.254 2130706433 \
			'[::1]' '[fd00::1]' localhost nas.local 010.0.0.1 \
			10.0.0.08 '10.0.0.1;a.example'; do
			blocked m "https://$host/1.png" 'in a private network'
		done
	done
	# Other names, and names in another spelling.
	refused()
	{
		is "$server: blocked: $1" "$status" 403
		like "$server: it is said why: $1" "$(body)" \
			'remote_media_blocked'
		is "$server: nothing went up: $1" "$(stat stub requests)" 0
	}
	tell stub reset >/dev/null
	post /v1/chat/completions '{"model":"home","messages":[{"role":"user",
		"content":[{"type":"image_url","image\u005furl":
		{"\u0075rl":"https://pics.example/1.png"}}]}]}'
	refused 'a key with escapes'
	for member in '"ref_images":["https://a.example/1"]' \
		'"file":"https://a.example/1"' '"mask":"http://10.0.0.1/"'; do
		post /v1/images/generations \
			"{\"model\":\"home\",\"prompt\":\"a\",$member}"
		refused "$member"
	done
	post /v1/embeddings '{"model":"home","modality":"image",
		"input":["https://a.example/1"]}'
	refused 'an input that is no text'
	for field in 'image[]' 'mask' 'image_url[0]'; do
		request /v1/images/edits -F model=home \
			-F "$field=https://a.example/1"
		refused "the field $field"
	done
	rm -f "$stub_dir"/*
	tell stub reset >/dev/null
}

# texts PATH BEFORE BEHIND: each encoding of a text between them.
texts()
{
	json "$1" 'as it is' "$2\"OMEGA-123\"$3"
	json "$1" 'escaped' "$2\"OMEG\\u0041-123\"$3"
	json "$1" 'base64' "$2\"$mark64\"$3"
	json "$1" 'base64 in words' "$2\"see $mark64.\"$3"
	json "$1" 'base64 on lines' "$2\"T01F\\nR0Et\\nMTIz\"$3"
	json "$1" 'UTF-16 in base64' "$2\"-enc $mark16le\"$3"
	json "$1" 'UTF-16 in base64, the other way' "$2\"$mark16be\"$3"
	json "$1" 'UTF-16 of other letters in base64' "$2\"$marked16\"$3"
	json "$1" 'a data URL' "$2\"data:text/plain;a=$mark64;base64,$mark64\"$3"
	json "$1" 'a data URL, percent' "$2\"data:text/plain,OMEGA%2d123\"$3"
	json "$1" 'JSON in a string' "$2\"{\\\"a\\\":\\\"OMEGA\\\\u002d123\\\"}\"$3"
	json "$1" 'JSON in a log' "$2\"a {\\\"b\\\":\\\"OMEGA\\\\u002d123\\\"}\"$3"
	json "$1" 'a soft hyphen' "$2\"OME\\u00adGA-123\"$3"
	json "$1" 'a hyphen of another kind' "$2\"OMEGA\\u2011123\"$3"
	json "$1" 'an accent apart' "$2\"Zu\\u0308rich\"$3"
	json "$1" 'a number' "$2\"x\"$3,\"y\":4111111111111111"
	json "$1" 'a number with an exponent' "$2\"x\"$3,\"y\":4.111111111111111e15"
	json "$1" 'a number below one with an exponent' \
		"$2\"x\"$3,\"y\":0.04111111111111111e17"
	json "$1" 'a key' "$2\"x\"$3,\"y\":{\"OMEGA-123\":1}"
}
# Requests without a body: their id and query.
bare()
{
	request "$@"
	found "without a body: $*"
}

table()
{
	texts /v1/chat/completions '"messages":[{"role":"user","content":' '}]'
	texts /v1/completions '"prompt":' ''
	texts /v1/embeddings '"input":[' ']'
	texts /v1/rerank '"query":"q","documents":[' ']'
	texts /v1/responses '"input":[{"role":"user","content":' '}]'
	texts /v1/messages '"max_tokens":9,"messages":[{"role":"user","content":' '}]'
	texts /v1/messages/count_tokens '"messages":[{"role":"user","content":' '}]'
	texts /v1/audio/speech '"voice":"a","input":' ''
	texts /v1/images/generations '"prompt":' ''
	texts /v1/moderations '"input":[' ']'
	texts /v1/responses/compact '"input":' ''
	texts /v1/responses/input_tokens '"instructions":' ''
	texts /v1/chat/completions/input_tokens \
		'"messages":[{"role":"user","content":' '}]'
	texts /v1/infill '"input_extra":[{"filename":"a.c","text":' '}]'
	bare /v1/responses/OMEGA-123
	bare "/v1/responses/$mark64"
	bare /v1/responses/OMEGA-123 -X DELETE
	bare /v1/responses/OMEGA-123/cancel -d ''
	bare /v1/responses/OMEGA-123/input_items
	bare '/v1/responses/x/input_items?after=OMEGA-123'
	bare '/v1/responses/x/input_items?after=OMEG%41-123'
	bare '/v1/audio/voices?OMEGA-123'
	bare /v1/audio/voices -H 'openai-beta: OMEGA-123'

	# Headers that are passed on.
	for header in Idempotency-Key anthropic-beta openai-beta anthropic-version; do
		post /v1/chat/completions '{"model":"m","messages":[]}' \
			-H "$header: OMEGA-123"
		found "the header $header"
	done
	post /v1/chat/completions '{"model":"peer","messages":[]}' \
		-H 'X-Tailgate-Hops: 4111111111111111'
	found 'the gateways on the way'

	# Forms.
	printf 'ID3\377\373' >"$dir/sound"
	printf 'my OMEGA-123' >"$dir/text"
	printf '\377\376m\0y\0 \0O\0M\0E\0G\0A\0-\0001\0002\0003\0' >"$dir/utf16"
	printf '\001\002\377' >"$dir/unknown"
	printf 'm\0y\0 \0\004\034' >"$dir/field16"
	printf '\211PNG\r\n\032\n\0\0\0\rIHDR' >"$dir/png"
	form()
	{
		form_what=$1
		shift
		request "$form_path" -F model=m "$@"
		found "$form_path: $form_what"
	}
	for form_path in /v1/audio/transcriptions /v1/audio/translations \
		/v1/images/edits /v1/images/variations; do
		form 'a field' -F "file=@$dir/sound" -F hotwords=OMEGA-123
		form 'a field of UTF-16' -F "file=@$dir/sound" \
			-F "hotwords=<$dir/field16;type=text/plain"
		form "a field's name" -F "file=@$dir/sound" -F OMEGA-123=x
		form "a file's name" -F "file=@$dir/sound;filename=OMEGA-123"
		form "a part's type" -F "file=@$dir/sound;type=audio/OMEGA-123"
		form "a part's header" \
			-F "file=@$dir/sound;headers=\"X-Note: OMEGA-123\""
		form "a part's header, base64 with blanks" \
			-F "file=@$dir/sound;headers=\"X-Note: T01F R0Et MTIz\""
		form "a part's header, JSON" \
			-F "file=@$dir/sound;headers=\"X-Note: [\\\"\\\\u004fMEGA-123\\\"]\""
		form "a parameter of a part's type, base64 with blanks" \
			-F "file=@$dir/sound;headers=\"X-Note: a; b=T01F R0Et MTIz\""
		form 'a text file' -F "file=@$dir/text"
		form 'a text file in UTF-16' -F "file=@$dir/utf16"
		form 'a file that cannot be read' -F "file=@$dir/unknown"
		form 'a field that is not UTF-8' -F "file=@$dir/sound" \
			-F "x=<$dir/unknown"
	done
	rm -f "$stub_dir"/*
	request /v1/images/edits -F model=m -F "image=<$dir/png"
	is "$server: a picture without a file name is served" "$status" 200
	rm -f "$stub_dir"/*
	tell stub reset >/dev/null
	part='Content-Disposition: form-data; name='
	printf -- '--OMEGA-123\r\n%s"model"\r\n\r\nm\r\n--OMEGA-123--\r\n' "$part" \
		>"$dir/form"
	request /v1/audio/transcriptions --data-binary "@$dir/form" \
		-H 'Content-Type: multipart/form-data; boundary=OMEGA-123'
	found 'the boundary of a form'

	# Fields that are not sent: the request goes up without them.
	sent()
	{
		is "$server: not sent: $1: the rest is served" "$status" 200
		wait_until stat_reaches stub requests 1
		unlike "$server: not sent: $1" "$(cat "$stub_dir"/*)" OMEGA-123
		rm -f "$stub_dir"/*
		tell stub reset >/dev/null
	}
	rm -f "$stub_dir"/*
	post '/v1/chat/completions?user=OMEGA-123&x=y' '{"model":"m","messages":[]}'
	sent 'the query'
	post '/v1/chat/completions' '{"model":"m","messages":[]}' -H 'X-Note: OMEGA-123'
	sent 'another header'
	request /v1/chat/completions -d '{"model":"m","messages":[]}' \
		-H 'Content-Type: application/json; note=OMEGA-123'
	sent 'a parameter of Content-Type'
	printf -- 'OMEGA-123\r\n--b\r\n%s"model"\r\n\r\nm\r\n--b--\r\nOMEGA-123' \
		"$part" >"$dir/form"
	request /v1/audio/transcriptions --data-binary "@$dir/form" \
		-H 'Content-Type: multipart/form-data; boundary=b; note=OMEGA-123'
	sent 'what stands around a form'
	post '/v1/messages?beta=true' '{"model":"m","max_tokens":9,"messages":[]}'
	is "Messages' beta=true is served" "$status" 200
	like 'and sent' "$(cat "$stub_dir"/*)" 'beta=true'
	tell stub reset >/dev/null

	# A second model.
	for query in model=n 'mod%65l=n' stream=true 'prompt=x' 'Model=n' 'models=n'; do
		post "/v1/chat/completions?$query" '{"model":"m","messages":[]}'
		check "$server: refused: ?$query" error_is 400 invalid_value
	done
	request /v1/audio/transcriptions -F model=m -F "file=@$dir/sound" \
		-F 'model=<-;filename=""' </dev/null
	check "$server: refused: a part model with an empty file name" \
		error_is 400 invalid_value
	for name in '"mod%65l"' '"%6D%6f%64%65%6C"' '"mod%2565l"' '"m&#111;del"' \
		'"Model"' '"MODEL"' '"model "' '" model"' '"model[]"' '"model[0]"' \
		'"mo\\del"' "'model'" '"=?utf-8?B?bW9kZWw=?="' 'x; name*=utf-8'"''model" \
		'x; name*0=mod; name*1=el' '"x"; name="model"' '"model"; filename*0=a' \
		'"stre%61m"' '"Prompt"' '"models"' '"fallb%61cks"' '"engine"' \
		'"extra_body[model]"' '"[model]"' '"extraBody[x][Model]"' \
		'"x"; filename="a; name=model; b"'; do
		{
			printf -- '--b\r\n%s"model"\r\n\r\nm\r\n' "$part"
			printf -- '--b\r\n%s%s\r\n\r\nn\r\n--b--\r\n' \
				"$part" "$name"
		} >"$dir/form"
		request /v1/audio/transcriptions --data-binary "@$dir/form" \
			-H 'Content-Type: multipart/form-data; boundary=b'
		like "$server: refused: a part with name=$name" "$status $(body)" \
			'^400 .*"code":"invalid_(value|multipart)"'
	done
	for member in '"mod%65l":"n"' '"Model":"n"' '"model ":"n"' \
		'"model\u0000x":"n"' '"extra_body":{"model":"n"}' \
		'"extra_body":{"x":[{"MODEL":"n"}]}' '"body":{"stream":true}' \
		'"litellm_params":{"fallbacks":["n"]}' \
		'"extraBody":{"model":"n"}' '"content_policy_fallbacks":[]' \
		'"params":{"messages":[]}'; do
		post /v1/chat/completions "{\"model\":\"m\",\"messages\":[],$member}"
		check "$server: refused: $member" error_is 400 invalid_value
	done
	is "$server: none of them went up" "$(stat stub requests)" 0
	for member in '"metadata":{"model":"n"}' '"extra_body":{"top_k":1}' \
		'"tools":[{"type":"image_generation","model":"n"}]'; do
		post /v1/chat/completions "{\"model\":\"m\",\"messages\":[],$member}"
		is "$server: not another model: $member" "$status" 200
	done
	rm -f "$stub_dir"/*
	tell stub reset >/dev/null

	# By design not found: split, compressed, spelled in another way.
	for text in '"OMEGA-","x":"123"' '"O M E G A - 1 2 3"' '"4f4d4547412d313233"' \
		'"H4sIAAAAAAAAA/N3dXXUNTQyBgBmR0TnCQAAAA=="' '"&#79;MEGA-123"' \
		'"xxT01FR0EtMTIz"' '"WvxyaWNoIGlzIG5lYXI="' '"OMEGA\\055123"' '"OMEGA\\u{2d}123"' \
		'"T01FR0E="' '"OMEGA=2D123"'; do
		post /v1/chat/completions "{\"model\":\"m\",\"messages\":[],\"user\":$text}"
		is "$server: not found, as the manual says: $text" "$status" 200
	done
	rm -f "$stub_dir"/*
	tell stub reset >/dev/null
}
each_server table
each_server media
finish

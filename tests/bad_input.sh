# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Bad input: the right status and code, nothing crashes, and nothing is sent
# upstream that should not be.
. "${abs_srcdir:-.}/tests/lib.sh"

start_upstream stub
more='body = { json = 65536; multipart = 100000; spool_over = 20000;
	spool_dir = "'$dir'/spool"; };'
stub_config
add_client anna
start_tailgate
workers=$(workers_of "$tailgate_pid" | sort)

# refused STATUS CODE DESCRIPTION: the last response was this error, and the
# upstream has seen nothing.
refused()
{
	check "$server: $3: $1 $2" error_is "$1" "$2"
	is "$server: $3: nothing went up" "$(stat stub requests)" 0
	tell stub reset >/dev/null
}

# json STATUS CODE DESCRIPTION BODY
json()
{
	printf '%s' "$4" >"$dir/in"
	json_file "$1" "$2" "$3"
}

# json_file STATUS CODE DESCRIPTION: the body is in $dir/in.
json_file()
{
	request /v1/chat/completions -H 'Content-Type: application/json' \
		--data-binary "@$dir/in"
	refused "$@"
}

# nest N CHARACTER
nest()
{
	awk -v n="$1" -v c="$2" 'BEGIN { while (n-- > 0) printf "%s", c }'
}

bad_json()
{
	json 400 invalid_json 'an empty body' ''
	json 400 invalid_json 'no JSON' 'hello'
	json 400 invalid_json 'an array' '[]'
	json 400 invalid_json 'a string' '"model"'
	json 400 invalid_json 'cut off' '{"model":"stub/x","messages":['
	json 400 invalid_json 'a trailing comma' '{"model":"stub/x",}'
	json 400 invalid_json 'something behind' '{"model":"stub/x"} {}'
	json 400 invalid_json 'single quotes' "{'model':'stub/x'}"
	json 400 invalid_json 'a bad escape' '{"model":"stub/x","a":"\x41"}'
	json 400 invalid_json 'a bad number' '{"model":"stub/x","a":01}'
	printf '{"model":"stub/x","a":"\001"}' >"$dir/in"
	json_file 400 invalid_json 'a control character'
	printf '{"model":"stub/x","a":"\300\257"}' >"$dir/in"
	json_file 400 invalid_json 'overlong UTF-8'
	printf '{"model":"stub/x","a":"\355\240\200"}' >"$dir/in"
	json_file 400 invalid_json 'a surrogate in UTF-8'
	printf '{"model":"stub/x","a":"\377"}' >"$dir/in"
	json_file 400 invalid_json 'no UTF-8 at all'
	printf '{"model":"stub/x","a":"\303"}' >"$dir/in"
	json_file 400 invalid_json 'cut UTF-8'
	printf '{"model":"stub/x"}\000' >"$dir/in"
	json_file 400 invalid_json 'a NUL behind'
	{
		printf '{"model":"stub/x","a":'
		nest 30000 '['
	} >"$dir/in"
	json_file 400 invalid_json 'a depth bomb, cut off'
	{
		printf '{"model":"stub/x","a":'
		nest 20000 '['
		nest 20000 ']'
		printf '}'
	} >"$dir/in"
	json_file 400 invalid_json 'a depth bomb'
}

# Any of the codes of a 400: which one it is, is a matter of taste.
bad_model()
{
	json 400 missing_model 'no model' '{"messages":[]}'
	json 400 '(missing_model|invalid_request|invalid_value|invalid_json|invalid_type)' \
		'a model that is a number' '{"model":1}'
	json 400 '[a-z_]*' 'a model that is null' '{"model":null}'
	json 400 '[a-z_]*' 'a model that is a list' '{"model":["stub/x"]}'
	json 400 '[a-z_]*' 'an empty model' '{"model":""}'
	json 400 '[a-z_]*' 'two models' '{"model":"stub/x","model":"stub/y"}'
	json 400 '[a-z_]*' 'two models, one escaped' \
		'{"model":"stub/x","m\u006fdel":"stub/y"}'
	json 400 '[a-z_]*' 'the escaped one alone' '{"m\u006fdel":"stub/y"}'
	json 404 model_not_found 'an unknown model' '{"model":"nothing"}'
	json 404 model_not_found 'a model above the tree' \
		'{"model":"../stub/x"}'
	{
		printf '{"model":"'
		nest 5000 x
		printf '"}'
	} >"$dir/in"
	json_file '40[04]' '[a-z_]*' 'a model of 5000 letters'
}

# status may be a pattern there.
error_is()
{
	error_text=$(tr -d '\n' <"$dir/body")
	if ! printf '%s\n' "$status" | grep -E -q "^($1)\$" ||
		! printf '%s\n' "$error_text" | grep -E -q \
			'"message":.*"type":.*"param":.*"code": ?"('"$2"')"'; then
		echo "$status $error_text"
		return 1
	fi
}

# The model's name never becomes a header.
injection()
{
	post /v1/chat/completions \
		'{"model":"stub/a\r\nX-Injected: yes\r\n\r\nbody","messages":[]}'
	is "$server: a line break in the model: no header of its own" \
		"$(header x-injected)" ''
	unlike "$server: a line break in the model: one head, one body" \
		"$(cat "$dir/head")" '^X-Injected'
	tell stub reset >/dev/null
	post /v1/chat/completions '{"model":"nothing\r\nX-Injected: yes"}'
	is "$server: the same in an error" "$(header x-injected)" ''
	refused '40[04]' '[a-z_]*' 'a line break in an unknown model'
	request /v1/models/x%0d%0aX-Injected:%20yes
	is "$server: the same in a path" "$(header x-injected)" ''
	check "$server: and it is an error" test "$status" -ge 400
}

bad_size()
{
	{
		printf '{"model":"stub/x","a":"'
		nest 70000 x
		printf '"}'
	} >"$dir/in"
	json_file 413 request_too_large 'a JSON body over the cap'
	request /v1/chat/completions -H 'Content-Type: application/json' \
		-H 'Transfer-Encoding: chunked' --data-binary "@$dir/in"
	refused 413 request_too_large 'the same, chunked'
}

# form STATUS CODE DESCRIPTION [curl arguments]: the body is in $dir/in.
form()
{
	form_type=${4:-multipart/form-data; boundary=b}
	request /v1/audio/transcriptions -H "Content-Type: $form_type" \
		--data-binary "@$dir/in"
	refused "$@"
}

bad_form()
{
	model='--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n'
	file='--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'

	: >"$dir/in"
	form 400 '[a-z_]*' 'an empty form'
	# shellcheck disable=SC2059 # the escapes are meant
	printf -- "${model}stub/x\r\n--b--\r\n" >"$dir/in"
	form '400|415' '[a-z_]*' 'no boundary' 'multipart/form-data'
	form 400 '[a-z_]*' 'another boundary' 'multipart/form-data; boundary=c'
	form 415 unsupported_media_type 'JSON for a form' application/json
	# shellcheck disable=SC2059
	printf -- "${model}stub/x\r\n${file}abc" >"$dir/in"
	form 400 '[a-z_]*' 'a truncated form'
	# shellcheck disable=SC2059
	printf -- "${file}abc\r\n--b--\r\n" >"$dir/in"
	form 400 missing_model 'a form without a model'
	# shellcheck disable=SC2059
	printf -- "${model}stub/x\r\n${model}stub/y\r\n--b--\r\n" >"$dir/in"
	form 400 '[a-z_]*' 'a form with two models'
	# shellcheck disable=SC2059
	printf -- "${model}nothing\r\n--b--\r\n" >"$dir/in"
	form 404 model_not_found 'a form with an unknown model'
	{
		# shellcheck disable=SC2059
		printf -- "${model}stub/x\r\n${file}"
		nest 200000 x
		printf -- '\r\n--b--\r\n'
	} >"$dir/in"
	form 413 request_too_large 'a form over the cap'
	printf '{"model":"stub/x"}' >"$dir/in"
	request /v1/chat/completions -H 'Content-Type: text/plain' \
		--data-binary "@$dir/in"
	refused 415 unsupported_media_type 'text for JSON'
}

bad_key()
{
	its=$key
	key=
	for header in 'Authorization: Bearer tg-wrong' 'Authorization: Bearer ' \
		"Authorization: Basic $its" "Authorization: $its" \
		"Authorization: Bearer $its$its" 'X-Nothing: at all'; do
		request /v1/chat/completions -H "$header" \
			-H 'Content-Type: application/json' \
			--data-binary '{"model":"stub/x"}'
		refused 401 invalid_api_key "$(echo "$header" | cut -c1-24)"
	done
	request /v1/models -H "Authorization: $its"
	like "$server: a key without Bearer: how it is sent" "$(body)" \
		'holds no key as this gateway reads it; send .Authorization: B'
	request /v1/models
	like "$server: WWW-Authenticate or not, no key is named" \
		"$(body)" '"invalid_api_key"'
	unlike "$server: the wrong key is not said again" "$(body)" "$its"
	key=$its
}

# A body that ends early: the upstream sees nothing of it.
cut_upload()
{
	head='POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
	# shellcheck disable=SC2059
	printf -- "${head}Authorization: Bearer $key\r\nContent-Length: 1000\r\n\r\n{\"model\":\"stub/x\"}" |
		curl -s -o "$dir/cut" --max-time 5 -T - \
			"telnet://${base#http://}" >/dev/null 2>&1
	post /v1/chat/completions '{"model":"nothing"}'
	is "$server: a cut upload: nothing went up" "$(stat stub requests)" 0
}

big_heads()
{
	post /v1/chat/completions "$(chat huge-headers)"
	like "$server: 100 KB of headers from upstream" \
		"$status" '^(200|502)$'
	post /v1/chat/completions "$(chat huge-headers,size=3000000)"
	like "$server: 3 MB of headers from upstream" "$status" '^(200|502)$'
	request /v1/models -H "X-Big: $(nest 60000 x)"
	like "$server: a big request header" "$status" '^(200|400|431)$'
	tell stub reset >/dev/null
}

still_alive()
{
	post /v1/chat/completions "$(chat plain)"
	is "$server: it still serves" "$status" 200
	is "$server: by the same processes" \
		"$(workers_of "$tailgate_pid" | sort)" "$workers"
	tell stub reset >/dev/null
}

all()
{
	bad_json
	bad_model
	injection
	bad_size
	bad_form
	bad_key
	cut_upload
	big_heads
	still_alive
}
each_server all

# Garbage straight at the socket, past any web server.
if command -v python3 >/dev/null 2>&1; then
	python3 - "$socket" <<-'END'
		import os, random, socket, sys
		random.seed(7)
		for n in range(60):
		    s = socket.socket(socket.AF_UNIX)
		    s.connect(sys.argv[1])
		    data = os.urandom(random.randrange(0, 4000))
		    if n % 10 == 1:
		        # A request, and parameters of lengths that are none.
		        pair = [(0x7ffffffe, 2), (0x7fffffff, 0x7fffffff),
		            (0x40000000, 0x40000000), (1, 0x7ffffff0)][n // 10 % 4]
		        body = b"".join((m | 0x80000000).to_bytes(4, "big")
		            for m in pair) + b"Ax"
		        data = bytes([1, 1, 0, 1, 0, 8, 0, 0, 0, 1]) + bytes(6)
		        data += bytes([1, 4, 0, 1, 0, len(body), 0, 0]) + body
		    elif n % 3 == 0:
		        data = bytes([1, random.randrange(0, 12), 0, 1,
		            random.randrange(0, 256), random.randrange(0, 256),
		            0, 0]) + data
		    try:
		        s.sendall(data)
		    except OSError:
		        pass
		    s.close()
	END
	start_lighttpd
	still_alive
fi
finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Under valgrind: no error, no lost byte, and nothing that grows with the number
# of requests.
. "${abs_srcdir:-.}/tests/lib.sh"

shape= # one of its own, below
need valgrind lighttpd
if sanitized; then
	# A sanitizer build looks for the same, and valgrind can't run it.
	echo 'ok 1 - a sanitizer is in this build'
	echo 1..1
	exit 0
fi

start_upstream stub -n
# One worker and one request thread: the same work leaves the same memory.
# valgrind's own system calls are not on the sandbox's list.
more='processes = 1; requests = 4; sandbox = "off";'
stub_config
add_client anna

# One of each kind.
mixture()
{
	post /v1/chat/completions "$(chat plain)"
	post /v1/chat/completions "$(chat n=4,comments '"stream":true')"
	post /v1/responses "$(chat n=3 '"input":"x","stream":true')"
	post /v1/messages "$(chat n=3 '"max_tokens":5,"stream":true')"
	post /v1/embeddings "$(chat plain '"input":"x"')"
	post /v1/chat/completions "$(chat cut-mid,n=4 '"stream":true')"
	post /v1/chat/completions "$(chat 500)"
	post /v1/chat/completions "$(chat 502,html)"
	post /v1/chat/completions "$(chat close-reuse)"
	post /v1/chat/completions '{"model":'
	post /v1/chat/completions '{"model":"nothing"}'
	request /v1/models
	request /v1/nothing
	request /v1/models -H 'Authorization: Bearer wrong'
	request /v1/audio/transcriptions -F "file=@$dir/audio" \
		-F model=stub/plain
	request /v1/audio/speech -H 'Content-Type: application/json' \
		--data-binary "$(chat size=50000,n=3 '"input":"x","voice":"y"')"
}

# run COUNT: as many mixtures; the worker's bytes in use at exit in $in_use.
run()
{
	rm -f "$socket" "$dir"/vg.*
	spawn "valgrind$1" valgrind -q --leak-check=full --num-callers=25 \
		--errors-for-leak-kinds=definite,indirect \
		--error-exitcode=9 --log-file="$dir/vg.%p" --verbose \
		"$TAILGATE_FCGI" -f "$conf" -s "$socket"
	tailgate_pid=$pid
	wait_until -t 60 -p "$pid" "$bin/listen" -c "$socket" ||
		broken 'it does not start under valgrind'
	start_lighttpd
	n=0
	while [ $n -lt "$1" ]; do
		mixture
		is "$1: mixture $n: the last was served" "$status" 200
		n=$((n + 1))
	done
	stop_server
	worker=$(workers_of "$tailgate_pid" | head -n 1)
	stop "$tailgate_pid"
	is "$1: valgrind finds no error in the parent" $? 0
	is "$1: valgrind finds no error in any process" \
		"$(cat "$dir"/vg.* | grep -c 'ERROR SUMMARY: [1-9]')" 0
	is "$1: nothing is lost" \
		"$(cat "$dir"/vg.* | grep -E -c '(definitely|indirectly) lost: [1-9]')" 0
	check "$1: the worker's account is there" \
		grep -q 'in use at exit' "$dir/vg.$worker"
	in_use=$(sed -n 's/.*in use at exit: \([0-9,]*\) bytes.*/\1/p' \
		"$dir/vg.$worker" | tr -d ,)
	[ "$tap_failures" -eq 0 ] || grep -h -A 25 -E 'lost|Invalid|uninit' \
		"$dir"/vg.* | head -n 120 | sed 's/^/# /'
}

head -c 2000000 /dev/urandom >"$dir/audio"
socket=$dir/sock
run 2
few=$in_use
run 6
detail "in use at exit: $few bytes after 2 mixtures, $in_use after 6"
# Less than one byte for each of the further requests would be a leak too
# small to be one; pools that grow by chance get 4 KiB.
at_most 'what is in use at exit does not grow with the requests' \
	$((in_use - few)) 4096
finish

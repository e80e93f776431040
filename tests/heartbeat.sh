# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Streaming clients that wait do not time out.  After `commit` they get the
# head, and each API's own heartbeats between events, in bursts under Caddy.  An
# error after that is the endpoint's own error event; one before it keeps its
# status.  Clients that do not stream get nothing early.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq

start_upstream stub
stub_more='limit = "gpu";'
more_providers=", { name = \"chatonly\"; place = \"local\";
	url = \"$stub_url\"; limit = \"gpu\"; endpoints = [ \"chat\" ];
	circuit = { failures = 0; }; }"
more_models=', { id = "only/*"; targets = (
	{ provider = "chatonly"; model = "*"; } ); }'
more="limits = ( { name = \"gpu\"; slots = 1; queue = 4; wait = 300.0; } );
	commit = 0.3; heartbeat = 0.2;
	body = { spool_dir = \"$dir/spool\"; };"
stub_config
add_client holder
add_client anna
start_tailgate

# The number of the stub's last request, which names its record.
last()
{
	find "$stub_dir" -name '*.head' | sed 's|.*/||; s|\.head$||' |
		sort -n | tail -n 1
}

# begin PATH BODY: in the background, to $dir/stream and $dir/stream.head.
begin()
{
	rm -f "$dir/stream" "$dir/stream.head"
	curl -sN --max-time 300 -H "Authorization: Bearer $anna_key" \
		-H 'Content-Type: application/json' -D "$dir/stream.head" \
		--data-binary "$2" -o "$dir/stream" "$base$1" &
	adopt stream $!
}

end()
{
	wait "$stream_pid"
	curl_status=$?
	forget "$stream_pid"
}

# The gateway's own signs of life: a comment, or an event that counts if clients
# count events.
mine='"type":"ping"}|"background":false,"error":null,"incomplete_details":null,"instructions":null,"metadata":\{\},"model"'

signs()
{
	grep -cE "^: waiting\$|^data: .*($mine)" "$dir/stream" 2>/dev/null || :
}

# has_signs N: that many have come.
has_signs()
{
	[ "$(signs)" -ge "$1" ]
}

# events_come: the signs are events, if the API has one for it.
events_come()
{
	case $path in
	*/responses) grep -q '^event: response.in_progress' "$dir/stream" ;;
	*/messages) grep -q '^data: {"type":"ping"}' "$dir/stream" ;;
	*) grep -q '^: waiting$' "$dir/stream" ;;
	esac
}

# without_signs FILE: each sign is between two events, or before the first; a
# comment has one newline, as a second one ends an event for some decoders.
without_signs()
{
	awk -v mine="$mine" '
		/^: waiting$/ {
			if (!blank) print "a comment inside an event"
			comment = 1
			next
		}
		comment && $0 == "" { print "a blank line inside an event" }
		{ comment = 0 }
		/^event: (ping|response\.(created|in_progress))$/ && blank {
			name = $0
			blank = 0
			next
		}
		name != "" && $0 ~ mine { name = ""; skip = 1; next }
		name != "" { print name; name = "" }
		skip { if ($0 != "") print "a sign inside an event"
			skip = 0; blank = 1; next }
		{ print; blank = $0 == "" }
		BEGIN { blank = 1 }' "$1"
}

# numbered FILE STEP: numbers of events (Responses) go on by one, or where
# STEP is 0 stay at times.
numbered()
{
	sed -n 's/^data: .*"sequence_number": *\([0-9]*\).*/\1/p' "$1" |
		awk -v least="$2" '
			NR > 1 && ($1 < last + least || $1 > last + 1) { bad = 1 }
			{ last = $1 }
			END { exit bad }'
}

head_has()
{
	tr -d '\r' <"$dir/stream.head" | grep -i -q -e "$1"
}

# waited NAME: assertions for each stream that waited long.
waited()
{
	# More than a burst.
	enough=3
	[ "$server" = lighttpd ] || enough=5
	check "$1: signs of life come" wait_until -p "$stream_pid" \
		has_signs "$enough"
	check "$1: the API's own" events_come
	check "$1: the head is a stream's" head_has \
		'^content-type: text/event-stream'
	check "$1: and good" head_has '^HTTP/1.1 200'
	check "$1: and has its id" head_has '^x-request-id: req_'
}

# whole NAME: it ended well, and is the upstream's except for the comments.
whole()
{
	is "$1: it ends well" "$curl_status" 0
	without_signs "$dir/stream" >"$dir/bare"
	# The response has one id, which was told before the upstream's.
	id=$(sed -n 's/.*"id":"\(resp_req_[0-9a-f]*\)".*/\1/p' "$dir/stream" |
		head -n 1)
	own=$(sed -n 's/.*"id": *"\(resp_[^"]*\)".*/\1/p' \
		"$stub_dir/$(last).answer" | head -n 1)
	[ -z "$id" ] || sed "s/$id/$own/" "$dir/bare" >"$dir/bare.id"
	[ -z "$id" ] || mv "$dir/bare.id" "$dir/bare"
	check "$1: its numbers go on" numbered "$dir/stream" 0
	same "$1: byte for byte, signs of life between events" \
		"$dir/bare" "$stub_dir/$(last).answer"
}

# Path, model, further members, what ends the stream, what an error is.
cat >"$dir/endpoints" <<'END'
/v1/chat/completions stub "stream":true
/v1/responses stub "input":"x","stream":true
/v1/messages stub "max_tokens":9,"stream":true
END

# body MODEL SCRIPT MEMBERS
body_of()
{
	case $3 in
	*input*) printf '{"model":"%s/%s",%s}' "$1" "$2" "$3" ;;
	*) chat "$2" "$3" | sed "s|\"stub/|\"$1/|" ;;
	esac
}

patient()
{
	while read -r path model members; do
		at="$1: $path"
		hold_slot "$holder_key" stub/stall-head
		begin "$path" "$(body_of "$model" n=3 "$members")"
		waited "$at, queued"
		is "$at, queued: no upstream byte yet" \
			"$(stat stub in_flight)" 1
		let_slot_go
		end
		whole "$at, queued"

		# The head is there, the first event is not.
		begin "$path" "$(body_of "$model" stall-first,n=3 "$members")"
		waited "$at, first event"
		tell stub release >/dev/null
		end
		whole "$at, first event"

		# A gap in the middle.
		begin "$path" "$(body_of "$model" gate,n=3 "$members")"
		wait_until -p "$stream_pid" file_has "$dir/stream" '^data:'
		waited "$at, in the middle"
		tell stub release >/dev/null
		end
		whole "$at, in the middle"
	done <"$dir/endpoints"
}

# Through a bridge, whose events are its own.
bridged()
{
	while read -r path last members; do
		at="$1: $path, bridged"
		hold_slot "$holder_key" stub/stall-head
		begin "$path" "$(body_of only n=3 "$members")"
		waited "$at"
		let_slot_go
		end
		is "$at: it ends well" "$curl_status" 0
		check "$at: its numbers go on" numbered "$dir/stream" 1
		unlike "$at: no sign inside an event" \
			"$(without_signs "$dir/stream")" 'inside|waiting'
		is "$at: it is whole" "$(grep -c "^event: $last" \
			"$dir/stream")" 1
	done <<-END
		/v1/responses response.completed "input":"x","stream":true
		/v1/messages message_stop "max_tokens":9,"stream":true
	END
}

# The error comes when signs of life have come.
late_errors()
{
	while read -r path event members; do
		for model in stub only; do
			case $model$path in
			only*/completions | only/v1/chat*) continue ;;
			esac
			at="$1: $path, $model, an error after the head"
			begin "$path" "$(body_of "$model" stall-head,500 \
				"$members")"
			waited "$at"
			tell stub release >/dev/null
			end
			bare=$(without_signs "$dir/stream")
			is "$at: the stream itself is whole" "$curl_status" 0
			like "$at: it is the endpoint's error" "$bare" "$event"
			like "$at: with the words" "$bare" 'stub broke|rovider|Overloaded'
			unlike "$at: no end as if complete" "$bare" \
				'\[DONE\]|response\.completed|message_stop'
			unlike "$at: no sign inside an event" "$bare" \
				'inside an event'
			printf '%s\n' "$bare" | sed -n 's/^data: //p' |
				jq . >/dev/null 2>&1
			is "$at: its data is JSON" $? 0
		done
	done <<-END
		/v1/chat/completions ^data:.*"error" "stream":true
		/v1/completions ^data:.*"error" "prompt":"x","stream":true
		/v1/responses ^event:.response.failed "input":"x","stream":true
		/v1/messages ^event:.error "max_tokens":9,"stream":true
	END
}

# Our own refusal after the head: the slot is not free in time, which is long
# after `commit`, also where everything stops for seconds.  All wait at once.
late_refusal()
{
	hold_slot "$holder_key" stub/stall-head
	cat >"$dir/refusals" <<-END
		/v1/chat/completions ^data:.*"error" "stream":true
		/v1/responses ^event:.response.failed "input":"x","stream":true
		/v1/messages ^event:.error "max_tokens":9,"stream":true
	END
	n=0
	while read -r path event members; do
		n=$((n + 1))
		rm -f "$dir/stream.$n"
		curl -sN --max-time 300 -H "Authorization: Bearer $anna_key" \
			-H 'Content-Type: application/json' \
			-H 'x-stainless-read-timeout: 10' \
			--data-binary "$(chat n=3 "$members")" \
			-o "$dir/stream.$n" "$base$path" &
		adopt "refused$n" $!
	done <"$dir/refusals"
	n=0
	while read -r path event members; do
		n=$((n + 1))
		at="$1: $path, no slot in time"
		eval "pid=\$refused${n}_pid"
		wait "$pid"
		is "$at: the stream itself is whole" $? 0
		forget "$pid"
		like "$at: an error event" \
			"$(without_signs "$dir/stream.$n")" "$event"
		like "$at: it says why" "$(cat "$dir/stream.$n")" \
			'local_queue_timeout|did not become free'
		unlike "$at: no end as if complete" "$(cat "$dir/stream.$n")" \
			'\[DONE\]|response\.completed|message_stop'
	done <"$dir/refusals"
	let_slot_go
}

# Before `commit`, which is an hour here: the status is the upstream's.
early_errors()
{
	key=$anna_key
	while read -r path members; do
		post "$path" "$(chat 429,retry=7 "$members")"
		is "$1: $path: an early error keeps its status" \
			"$status $(header retry-after)" '429 7'
	done <<-END
		/v1/chat/completions "stream":true
		/v1/responses "input":"x","stream":true
		/v1/messages "max_tokens":9,"stream":true
	END
}

# A whole response: its head has the upstream's status, however long it took.
left_alone()
{
	begin /v1/chat/completions "$(chat stall-head,500)"
	wait_until -p "$stream_pid" stat_is stub in_flight 1
	# A stream that began later has had its comments.
	curl -sN --max-time 300 -H "Authorization: Bearer $holder_key" \
		-H 'Content-Type: application/json' -o "$dir/beside" \
		--data-binary "$(chat n=3 '"stream":true')" \
		"$base/v1/chat/completions" &
	adopt beside $!
	wait_until -p "$beside_pid" file_has "$dir/beside" '^: waiting'
	check "$1: a whole response gets no early byte" test ! -s "$dir/stream"
	check "$1: nor an early head" test ! -s "$dir/stream.head"
	tell stub release >/dev/null
	end
	check "$1: and keeps its status" head_has '^HTTP/1.1 500'
	# Which of the two arrived first at the stub is not ours to say.
	whole=$(grep -l 'stall-head,500' "$stub_dir"/*.body |
		sed 's|.*/||; s|[.]body||' | sort -n | tail -n 1)
	same "$1: and its body" "$dir/stream" "$stub_dir/$whole.answer"
	wait "$beside_pid"
	forget "$beside_pid"
}

# start_with SED-SCRIPT: the gateway, anew, with its configuration changed.
start_with()
{
	sed "$1" "$conf" >"$conf.new" && mv "$conf.new" "$conf"
	stop "$tailgate_pid"
	rm -f "$socket"
	start_tailgate
}

# Bursts: with `heartbeat` at an hour there is one after the head, and no more
# than one.
bursts()
{
	for server in lighttpd caddy; do
		start_$server
		wait_until serves
		burst=1
		[ $server = lighttpd ] || burst=4
		begin /v1/chat/completions "$(chat stall-head,n=3 \
			'"stream":true')"
		check "$server: a burst of $burst" wait_until -p \
			"$stream_pid" has_signs $burst
		tell stub release >/dev/null
		end
		is "$server: and no more" "$(signs)" $burst
		stop_server
	done
}

clients=${TAILGATE_CLIENTS:-$abs_builddir/clients}
node=$(command -v node)
for n in "$clients"/node_modules/node-linux-*/bin/node; do
	[ ! -x "$n" ] || node=$n
done

sdks()
{
	if [ -n "$node" ] && [ -d "$clients/node_modules/openai" ]; then
		mkdir -p "$dir/js"
		cp "$tests/clients/wait.mjs" "$dir/js/"
		ln -sfn "$clients/node_modules" "$dir/js/node_modules"
		sdk "$1, JavaScript" "$node" "$dir/js/wait.mjs"
	fi
	if "$clients/venv/bin/python" -c 'import openai' >/dev/null 2>&1; then
		sdk "$1, Python" "$clients/venv/bin/python" \
			"$tests/clients/wait.py"
	fi
}

# sdk NAME COMMAND...
sdk()
{
	sdk_name=$1
	shift
	BASE_URL=$base/v1 API_KEY=$anna_key "$@" >"$dir/sdk.out" 2>&1
	is "$sdk_name: the script ran to its end" "$?" 0
	take "$dir/sdk.out" "$sdk_name"
	like "$sdk_name: all of it" "$(tail -n 1 "$dir/sdk.out")" '^done$'
}

for part in patient bridged late_errors late_refusal left_alone sdks; do
	each_server $part
done
start_with 's/heartbeat = 0.2/heartbeat = 3600.0/'
bursts
start_with 's/commit = 0.3/commit = 3600.0/'
each_server early_errors
finish

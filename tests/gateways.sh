# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Gateways that ask each other (kind = "tailgate"): a front before a GPU host,
# lighttpd before Caddy and the other way round, and a laptop before both.  The
# GPU host knows the client, within what the front's own entry allows.  Its
# refusals reach the client as if there were one gateway.  Nothing that a client
# sends is mistaken for a gateway's word.
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/hosts.sh"

need jq lighttpd caddy

start_upstream stub
start_upstream far
reserve_port dead

mkdir "$dir/spool"
host_settings="body = { spool_dir = \"$dir/spool\"; };
	commit = 0.3; heartbeat = 0.3; drain = 2.0;"

# front_config URL: a gateway whose providers are the GPU host at URL, asked as
# one that keeps all local, and as one that may send further.
front_config()
{
	host front <<-END
		providers = (
		  { name = "gpu"; kind = "tailgate"; place = "local"; url = "$1/v1";
		    key = { file = "$dir/key.relay"; };
		    circuit = { failures = 2; cooldown = 60.0; }; },
		  { name = "hasty"; kind = "tailgate"; place = "local";
		    url = "$1/v1"; key = { file = "$dir/key.relay"; };
		    timeouts = { first_byte = 1.5; }; },
		  { name = "hub"; kind = "tailgate"; place = "external";
		    url = "$1/v1"; key = { file = "$dir/key.relay"; }; },
		  { name = "own"; place = "local"; url = "$stub_url"; }
		);
		models = (
		  { id = "gpu/*"; targets = ( { provider = "gpu"; model = "*"; } ); },
		  { id = "hasty/*"; targets = ( { provider = "hasty"; model = "*"; } ); },
		  { id = "hub/*"; place = "external";
		    targets = ( { provider = "hub"; model = "*"; } ); },
		  { id = "busy-else"; fallback = [ "busy" ]; targets = (
		    { provider = "hasty"; model = "slot/plain"; },
		    { provider = "own"; model = "plain"; } ); },
		  { id = "long-else"; fallback = [ "too_long" ]; targets = (
		    { provider = "gpu"; model = "small"; },
		    { provider = "own"; model = "plain"; } ); },
		  { id = "down-else"; fallback = [ "unavailable" ]; targets = (
		    { provider = "gpu"; model = "down"; },
		    { provider = "own"; model = "plain"; } ); }
		);
	END
}

host gpu <<-END
	limits = ( { name = "card"; slots = 1; queue = 16; wait = 30.0; } );
	providers = (
	  { name = "card"; place = "local"; url = "$stub_url"; limit = "card"; },
	  { name = "free"; place = "local"; url = "$stub_url";
	    endpoints = [ "chat", "completions", "embeddings", "responses",
	      "messages" ]; circuit = { failures = 0; }; },
	  { name = "dead"; place = "local"; url = "$dead_url"; retries = 0; },
	  { name = "far"; place = "external"; url = "$far_url"; }
	);
	models = (
	  { id = "slot/*"; targets = ( { provider = "card"; model = "*"; } ); },
	  { id = "free/*"; targets = ( { provider = "free"; model = "*"; } ); },
	  { id = "small"; targets = ( { provider = "free"; model = "plain";
	    context = 64; images = true; tools = true; } ); },
	  { id = "card"; targets = ( { provider = "card"; model = "plain";
	    context = 8192; } ); },
	  { id = "down"; targets = ( { provider = "dead"; model = "x"; } ); },
	  { id = "far"; place = "external";
	    targets = ( { provider = "far"; model = "plain"; } ); }
	);
END
add_client relay --relay --place external --models '*' --priority 50 --operator
(umask 077 && printf '%s\n' "$relay_key" >"$dir/key.relay")
add_client near --relay
add_client few --relay --requests-per-minute 2
add_client some --relay --models small
add_client mallory --place external
add_client chief --operator
front_config "$dead_url"
add_client anna --place external
add_client bob
# Who has never asked before, for each web server.
for name in crowdlighttpd lonelighttpd crowdcaddy lonecaddy; do
	add_client $name
done
gpu_ledger=$dir/gpu/state/ledger.jsonl
front_ledger=$dir/front/state/ledger.jsonl

# ask MODEL [more members [curl arguments]]: a chat request.
ask()
{
	ask_model=$1 ask_more=${2:-}
	[ $# -lt 2 ] || shift
	shift
	post /v1/chat/completions "{\"model\":\"$ask_model\",\"messages\":
		[{\"role\":\"user\",\"content\":\"hello\"}]${ask_more:+,$ask_more}}" "$@"
}

# ledger_grew FILE LINES: it has more than that.
ledger_grew()
{
	[ "$(wc -l <"$1" 2>/dev/null || echo 0)" -gt "$2" ]
}

mark()
{
	gpu_lines=$(wc -l <"$gpu_ledger" 2>/dev/null || echo 0)
	front_lines=$(wc -l <"$front_ledger" 2>/dev/null || echo 0)
}

# both: waits for the line that each of the two has written since `mark`.
both()
{
	wait_until ledger_grew "$gpu_ledger" "$gpu_lines" &&
		wait_until ledger_grew "$front_ledger" "$front_lines"
}

last()
{
	eval "tail -n 1 \"\$${1}_ledger\"" | jq -r "$2"
}

# hop NAME [PLACE [PRIORITY]]: the field, as a gateway writes it.
hop()
{
	printf 'X-Tailgate-Relay: v=1; client=%s; priority=%s; place=%s; ' \
		"$1" "${3:-10}" "${2:-external}"
	printf 'id=req_%s; patience_ms=20000' 0123456789abcdef0123
}

# --- Who asks ----------------------------------------------------------------

who_asks()
{
	key=$anna_key
	mark
	ask gpu/free/plain '' -H "$(hop boss)" -H 'X_Tailgate_Relay: x' \
		-H 'X-Tailgate-Hops: 1111111111111111'
	is "$1: a request goes through both" "$status" 200
	check "$1: both have it in their ledgers" both
	is "$1: as the front's client" "$(last gpu .client)" relay/anna
	is "$1: under one id" "$(last gpu .id)" "$(last front .id)"
	is "$1: that the client knows, too" "$(header x-request-id)" \
		"$(last gpu .id)"
	unlike "$1: which is not the one that the client made up" \
		"$(last gpu .id)" 0123456789abcdef0123
	unlike "$1: the model server gets nothing of it" \
		"$(cat "$stub_dir"/*.head)" '[Tt]ailgate-'

	base=$gpu_base key=$mallory_key
	mark
	ask free/plain '' -H "$(hop boss)"
	is "$1: a client that is no relay is served" "$status" 200
	wait_until ledger_grew "$gpu_ledger" "$gpu_lines"
	is "$1: as itself" "$(last gpu .client)" mallory
	unlike "$1: under an id of ours" "$(last gpu .id)" \
		0123456789abcdef0123

	key=$relay_key
	for wrong in 'v=2; client=a' "$(hop a/ | cut -d' ' -f2-)" \
		"$(hop boss | cut -d' ' -f2-); x=1" x; do
		ask free/plain '' -H "X-Tailgate-Relay: $wrong"
		check "$1: a relay's field must be of the form: $wrong" \
			error_is 400 invalid_value
	done
	ask free/plain '' -H "$(hop a)" -H "$(hop b)"
	check "$1: and there may be one of it" error_is 400 invalid_value
	mark
	ask free/plain ''
	wait_until ledger_grew "$gpu_ledger" "$gpu_lines"
	is "$1: a relay that names no client asks for itself" \
		"$(last gpu .client)" relay
	curl -s -H "Authorization: Bearer $chief_key" "$base/metrics" \
		>"$dir/metrics"
	check "$1: meters count by the entry" \
		grep -q 'tailgate_requests_total{client="relay",' "$dir/metrics"
	check_not "$1: not by the name that it gives" grep -q 'relay/' "$dir/metrics"
	base=$front_base
}

# --- No wider than the relay's own entry --------------------------------------

bounds()
{
	base=$gpu_base key=$near_key
	ask far '' -H "$(hop boss external)"
	check "$1: the relay's ceiling holds" error_is 403 private_route_blocked
	key=$relay_key
	ask far '' -H "$(hop boss local)"
	check "$1: and so does the place that it gives" error_is 403 private_route_blocked
	ask far '' -H "$(hop boss external)"
	is "$1: both wide, it goes" "$status" 200
	key=$some_key
	ask small '' -H "$(hop boss)"
	is "$1: a model of the relay's" "$status" 200
	ask free/plain '' -H "$(hop boss)"
	check "$1: and none but those" error_is 403 model_not_allowed
	key=$few_key
	ask small '' -H "$(hop one)"
	ask small '' -H "$(hop two)"
	ask small '' -H "$(hop three)"
	check "$1: its budget is for all its clients" \
		error_is 429 rate_limit_exceeded

	base=$front_base key=$anna_key
	before=$(stat far requests)
	ask gpu/far
	check "$1: what the front calls local stays so there" \
		error_is 403 private_route_blocked
	key=$bob_key
	ask hub/far
	check "$1: the client's ceiling, too" error_is 403 private_route_blocked
	is "$1: nothing has left" "$(stat far requests)" "$before"
	key=$anna_key
	ask hub/far
	is "$1: with leave of both it goes" "$status" 200
}

# --- Refusals ----------------------------------------------------------------

long=$(awk 'BEGIN { for (i = 0; i < 400; i++) printf("word ") }')

refusals()
{
	key=$anna_key
	hold_slot "$chief_key" slot/stall-head "$gpu_base"
	ask hasty/slot/plain
	check "$1: no slot in time" error_is 503 local_queue_timeout
	like "$1: the inner words" "$(body)" \
		'card did not become free in time \(position 1 in'
	like "$1: the inner Retry-After" "$(header retry-after)" \
		'^[1-9][0-9]*$'
	ask hasty/slot/plain '"stream":true'
	like "$1: in a stream that has begun, by an event" "$(body)" \
		'position 1 in .*"code":"local_queue_timeout"'
	post /v1/messages '{"model":"hasty/slot/plain","max_tokens":9,
		"messages":[{"role":"user","content":"hello"}]}'
	is "$1: for Messages the same" "$status" 503
	like "$1: in its own form" "$(body)" \
		'"type":"overloaded_error","message":"card did not become free'
	ask busy-else
	is "$1: busy is a reason to go elsewhere" \
		"$status $(header x-tailgate-fallback)" '200 busy'
	let_slot_go

	ask gpu/small "\"user\":\"$long\",\"stop\":\"x\"" # what is not counted
	post /v1/chat/completions "{\"model\":\"gpu/small\",\"messages\":
		[{\"role\":\"user\",\"content\":\"$long\"}]}"
	check "$1: too long" error_is 400 context_length_exceeded
	post /v1/messages "{\"model\":\"gpu/small\",\"max_tokens\":9,
		\"messages\":[{\"role\":\"user\",\"content\":\"$long\"}]}"
	is "$1: told to Claude Code once" \
		"$(body | grep -o 'prompt is too long' | wc -l)" 1
	post /v1/responses "{\"model\":\"gpu/small\",\"stream\":true,
		\"input\":\"$long\"}"
	like "$1: and to Codex by its event" "$(body)" \
		'"response.failed".*"code":"context_length_exceeded"'
	post /v1/chat/completions "{\"model\":\"long-else\",\"messages\":
		[{\"role\":\"user\",\"content\":\"$long\"}]}"
	is "$1: too_long is a reason to go elsewhere" \
		"$status $(header x-tailgate-fallback)" '200 too_long'

	for i in 1 2 3 4; do
		ask gpu/down
		check "$1: its provider is down, $i" \
			error_is 503 provider_unavailable
	done
	ask down-else
	is "$1: unavailable is a reason to go elsewhere" \
		"$status $(header x-tailgate-fallback)" '200 unavailable'
	ask gpu/free/plain
	is "$1: the gateway itself is not blamed for it" "$status" 200
	ask gpu/none
	check "$1: a model that is not there" \
		error_is 404 model_not_found
	ask gpu/free/429,retry=7
	is "$1: a provider's 429 with its time" \
		"$status $(header retry-after)" '429 7'
}

# --- Signs of life, and the end ------------------------------------------------

# slot_is USED QUEUED, on the GPU host.
slot_is()
{
	[ "$("$TAILGATE" -f "$dir/gpu/tailgate.conf" status --json |
		jq -r '.limits[0] | "\(.used) \(.queued)"')" = "$1 $2" ]
}

signs()
{
	base=$gpu_base key=$relay_key
	ask free/stall-head '"stream":true' -H "$(hop anna)" --max-time 1.5
	is "$1: a relay is sent no signs of life" \
		"$curl_status $(wc -c <"$dir/body")" '28 0'
	ask free/stall-head '"stream":true' --max-time 1.5
	like "$1: a client that asks for itself gets them" "$(body)" '^: waiting'
	base=$front_base key=$anna_key
	ask gpu/free/stall-head '"stream":true' --max-time 1.5
	like "$1: and so is the front's client" "$(body)" '^: waiting'
	check "$1: those that left are gone" wait_until stat_is stub in_flight 0
}

# goes MODEL: a client that hangs up after the stub has its request.
goes()
{
	before=$(stat stub requests)
	curl -s -N -o /dev/null --max-time 60 -H "Authorization: Bearer $anna_key" \
		-H 'Content-Type: application/json' --data-binary \
		"{\"model\":\"$1\",\"stream\":true,\"messages\":[]}" \
		"$front_base/v1/chat/completions" &
	adopt goner $!
	wait_until -p "$goner_pid" "$2" "$3" "$4" "$5"
	stop "$goner_pid"
	began=$(date +%s%N)
	wait_until "$6" "$7" "$8" "$9" || return
	took=$((($(date +%s%N) - began) / 1000000))
}

cancels()
{
	for what in stall-head stall-first gate; do
		check "$1: cancelled through both ($what)" \
			goes "gpu/slot/$what" stat_is stub in_flight 1 \
			stat_is stub in_flight 0
		detail "after $took ms"
	done
	hold_slot "$chief_key" slot/stall-head "$gpu_base"
	check "$1: in the queue, too" \
		goes gpu/slot/plain slot_is 1 1 '' slot_is 1 0 ''
	detail "after $took ms"
	let_slot_go
}

# --- Fairness ------------------------------------------------------------------

# later NAME NUMBER: a request of the front's client NAME for the slot, in the
# background.
later_pids=
later()
{
	eval "later_key=\$${1}_key"
	curl -s -o /dev/null --max-time 60 -H "Authorization: Bearer $later_key" \
		-H 'Content-Type: application/json' --data-binary \
		"{\"model\":\"gpu/slot/$1-$2\",\"messages\":[]}" \
		"$front_base/v1/chat/completions" &
	later_pids="$later_pids $!"
	pids="$! $pids"
}

fairness()
{
	hold_slot "$chief_key" slot/stall-head "$gpu_base"
	for i in 1 2 3 4 5; do
		later "crowd$2" $i
		wait_until slot_is 1 $i
	done
	later "lone$2" 1
	wait_until slot_is 1 6
	"$TAILGATE" -f "$dir/gpu/tailgate.conf" status --json |
		jq -r '.requests[].client' | sort | uniq -c >"$dir/status"
	like "$1: status names the front's clients" "$(cat "$dir/status")" \
		"1 relay/lone$2"
	before=$(stat stub requests)
	let_slot_go
	for p in $later_pids; do
		wait "$p"
		forget "$p"
	done
	later_pids=
	# What the model server got first and second.
	like "$1: one request comes before the many of another" \
		"$(cat "$stub_dir/$((before + 1)).body" \
			"$stub_dir/$((before + 2)).body")" "lone$2"
}

# --- What is learned -----------------------------------------------------------

learns()
{
	out=$("$TAILGATE" -f "$dir/front/tailgate.conf" probe gpu)
	like "$1: probe knows a gateway" "$out" 'gpu +local +ok .* tailgate'
	key=$anna_key
	models_of_both()
	{
		request /v1/models
		file_has "$dir/body" gpu/small
	}
	check "$1: its models are taken over" wait_until models_of_both
	is "$1: with their facts" \
		"$(jq -c '.data[] | select(.id == "gpu/small") |
			[.context_length, .tools, .architecture.input_modalities]' \
			"$dir/body")" '[64,true,["text","image"]]'
	is "$1: patterns are no models" \
		"$(jq -r '.data[].id' "$dir/body" | grep -c '\*')" 0
	is "$1: how busy it is is for gateways" \
		"$(jq -c '[.data[].tailgate] | unique' "$dir/body")" '[null]'
	is "$1: they learn it" \
		"$(jq -c '.learned[] | select(.model == "card") |
			[.slots, .busy]' "$dir/front/run/learned.json")" '[1,0]'
	small_is()
	{
		request /v1/models/gpu%2Fsmall
		[ "$(jq .context_length "$dir/body")" = 64 ]
	}
	check "$1: one of them" wait_until small_is
	front_says()
	{
		post /v1/chat/completions "{\"model\":\"gpu/small\",\"messages\":
			[{\"role\":\"user\",\"content\":\"$long\"}]}"
		file_has "$dir/body" 'Model gpu/\*'
	}
	check "$1: what is too long is not even sent" wait_until front_says
	check "$1: but refused" error_is 400 context_length_exceeded
}

# --- Circles -------------------------------------------------------------------

# Two gateways that lead to each other.
circle()
{
	host two <<-END
		providers = ( { name = "one"; kind = "tailgate"; place = "local";
		  url = "$dead_url"; key = { file = "$dir/key.circle"; }; } );
		models = ( { id = "*"; targets = (
		  { provider = "one"; model = "*"; } ); } );
	END
	add_client one --relay
	(umask 077 && printf '%s\n' "$one_key" >"$dir/key.circle")
	serve two lighttpd
	host one <<-END
		providers = ( { name = "two"; kind = "tailgate"; place = "local";
		  url = "$two_base/v1"; key = { file = "$dir/key.circle"; }; } );
		models = ( { id = "*"; targets = (
		  { provider = "two"; model = "*"; } ); } );
	END
	# It does not even believe the other.
	sed 's/relay = true;//' "$dir/two/clients.conf" >"$dir/one/clients.conf"
	serve one lighttpd
	sed -i "s|url = \"$dead_url\"|url = \"$one_base/v1\"|" \
		"$dir/two/tailgate.conf"
	kill -HUP "$two_pid"
	key=$one_key base=$one_base
	turns()
	{
		ask anything
		[ "$status" = 508 ]
	}
	check 'a circle of gateways is refused' wait_until turns
	check 'with a clear error' error_is 508 relay_loop
	like 'not to be tried again' "$(header x-should-retry)" '^false$'
	unserve one
	unserve two
}

# --- Three in a row -------------------------------------------------------------

three()
{
	host laptop <<-END
		providers = ( { name = "office"; kind = "tailgate"; place = "local";
		  url = "$front_base/v1"; key = { file = "$dir/key.laptop"; }; } );
		models = ( { id = "office/*"; targets = (
		  { provider = "office"; model = "*"; } ); } );
	END
	add_client me
	serve laptop lighttpd
	key=$me_key
	mark
	ask office/gpu/free/plain
	is "three in a row" "$status" 200
	both
	is 'the last one knows the first one'"'"'s client' \
		"$(last gpu .client)" relay/laptop/me
	is 'under one id' "$(last gpu .id)" "$(header x-request-id)"
	unserve laptop
}

play()
{
	serve gpu "$2"
	front_config "$gpu_base"
	serve front "$1"
	both_names="$1 before $2"
	who_asks "$both_names"
	bounds "$both_names"
	refusals "$both_names"
	signs "$both_names"
	cancels "$both_names"
	fairness "$both_names" "$1"
	learns "$both_names"
}

# --- What check says -------------------------------------------------------------

# refused WHAT SETTINGS FINDING: check finds that.
refused()
{
	host wrong <<-END
		$2
		models = ( { id = "m"; targets = (
		  { provider = "p"; model = "m"; } ); } );
	END
	"$TAILGATE" -f "$conf" check >"$dir/check.out" 2>&1 &&
		fail "check refuses $1"
	like "check refuses $1" "$(cat "$dir/check.out")" "$3"
}

kind='name = "p"; kind = "tailgate"; place = "local"; url = "http://127.0.0.1:9/v1";'
refused 'a gateway that is asked without a key' "providers = ( { $kind } );" \
	'providers\[0\]\.key: is missing; the other gateway trusts'
refused 'fields in the place of its own' "providers = ( { $kind
	key = { env = \"PATH\"; };
	headers = ( { name = \"x-tailgate-Relay\"; value = \"x\"; } ); } );" \
	'name: X-Tailgate-.* is what gateways tell each other'
refused 'a relay that only an address shows' 'providers = ( { name = "p";
	  kind = "echo"; place = "local"; } );
	clients = ( { name = "r"; relay = true; networks = [ "10.0.0.0/8" ]; } );' \
	'clients\[0\]\.relay: a relay is trusted to name its clients'

# shellcheck disable=SC2034 # by eval
front_base=
play lighttpd caddy
unserve front
unserve gpu
rm -rf "$dir/front/run" "$dir/gpu/run"
conf=$dir/front/tailgate.conf
add_client laptop --relay
(umask 077 && printf '%s\n' "$laptop_key" >"$dir/key.laptop")
play caddy lighttpd
three
circle
finish

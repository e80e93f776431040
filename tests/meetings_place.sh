# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Where the place meets everything else: a request that is kept inside (by its
# header, its client or its text) never reaches an external provider, however
# the local ones fail, at whatever endpoint, although every fallback is permitted
# and the external targets have several keys, the client's own key, a gateway
# after them, rules, sessions and a recording.  Without a ceiling the same
# requests leave.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq lighttpd

start_upstream here -n
start_upstream out -n
reserve_port down
printf 'sk-one-0123456789abcdef\n' >"$dir/one"
printf 'sk-two-0123456789abcdef\n' >"$dir/two"
chmod 600 "$dir/one" "$dir/two"
printf '#!/bin/sh\nexit 1\n' >"$dir/wake-it"
chmod 755 "$dir/wake-it"

all='"chat", "completions", "embeddings", "rerank", "responses", "messages",
	"count_tokens", "speech", "transcriptions", "translations", "images",
	"moderations", "responses_compact", "responses_tokens", "chat_tokens"'
# target PROVIDER MODEL
target()
{
	printf '{ provider = "%s"; model = "%s"; }' "$1" "$2"
}
# model ID LOCAL_TARGET: which goes to every external provider after it.
model()
{
	printf '{ id = "%s"; place = "external"; sticky_by = "session";\n' "$1"
	printf 'sticky = true; select = "round_robin"; fallback = [ "busy",\n'
	printf '"unavailable", "error", "timeout", "rate_limited", "too_long",\n'
	printf '"unsupported" ]; targets = ( %s,\n' "$2"
	printf '%s, %s, { provider = "ruled"; model = "plain"; when = {\n' \
		"$(target keys plain)" "$(target plan plain)"
	printf 'max_tokens_in = 100000; }; }, %s ); }' "$(target hub any/plain)"
}
failures='500 429,retry=60 401 close cut-head stall-head 400,toolong
	503,loading error-body'
models=$(for f in $failures; do
	model "$f" "$(target here "$f")"
	echo ,
done)
new_config <<-END
	processes = 1;
	ledger = { when_stuck = "count"; };
	body = { spool_dir = "$dir/spool"; spool_over = 65536; };
	limits = ( { name = "one"; slots = 1; queue = 0; } );
	private = ( { name = "marked"; pattern = "OMEGA-[0-9]{3}"; } );
	providers = (
	  { name = "here"; place = "local"; url = "$here_url";
	    circuit = { failures = 0; };
	    timeouts = { first_byte = 0.1; }; },
	  { name = "full"; place = "local"; url = "$here_url"; limit = "one";
	    timeouts = { idle = 900.0; total = 1800.0; }; },
	  { name = "down"; place = "local"; url = "$down_url";
	    circuit = { failures = 1; cooldown = 600.0; cooldown_max = 600.0; }; },
	  { name = "asleep"; place = "local"; url = "$down_url";
	    wake = { command = [ "$dir/wake-it" ]; }; wake_wait = 0; },
	  { name = "keys"; place = "external"; url = "$out_url";
	    keys = ( { file = "one"; }, { file = "two"; } );
	    endpoints = [ $all ]; circuit = { failures = 0; }; },
	  { name = "plan"; place = "external"; url = "$out_url"; auth = "client";
	    endpoints = [ $all ]; circuit = { failures = 0; }; },
	  { name = "ruled"; place = "external"; url = "$out_url";
	    endpoints = [ $all ]; circuit = { failures = 0; }; },
	  { name = "hub"; kind = "tailgate"; place = "external";
	    url = "$out_url"; key = { file = "one"; };
	    circuit = { failures = 0; }; }
	);
	models = ( $models
	  $(model full "$(target full plain)"),
	  $(model down "$(target down plain)"),
	  $(model asleep "$(target asleep plain)"),
	  { id = "gate"; targets = ( { provider = "full"; model = "gate,n=3"; } ); }
	);
END
add_client anna --place external
add_client bob
start_tailgate
start_lighttpd
"$TAILGATE" -f "$conf" capture --client anna --for 10m >"$dir/capture" 2>&1 ||
	broken 'capture'
curl -sN -o "$dir/gate" --max-time 900 -H "Authorization: Bearer $anna_key" \
	-H 'Content-Type: application/json' \
	-d '{"model":"gate","stream":true,"messages":[]}' \
	"$base/v1/chat/completions" 2>"$dir/gate.err" &
adopt gate $!
wait_until -p "$gate_pid" stat_is here in_flight 1

# each MODEL TEXT [curl arguments]: at each endpoint.
each()
{
	m=$1
	t=$2
	shift 2
	for at in \
		"chat/completions messages" "messages messages" \
		"messages/count_tokens messages" "responses input" \
		"responses/compact input" "responses/input_tokens input" \
		"chat/completions/input_tokens messages" "completions prompt" \
		"embeddings input" "moderations input" "audio/speech input" \
		"images/generations prompt" "rerank query"; do
		value="\"$t\""
		case $at in
		*messages) value="[{\"role\":\"user\",\"content\":$value}]" ;;
		esac
		post "/v1/${at% *}" "{\"model\":\"$m\",\"max_tokens\":9,
			\"${at#* }\":$value,\"documents\":[],\"voice\":\"v\"}" \
			-H 'X-Tailgate-Session: s1' -H 'X-Api-Key: sk-own' "$@"
		echo "$m ${at% *} $status"
	done
	printf 'RIFF\001' >"$dir/a.wav"
	request /v1/audio/transcriptions -F "model=$m" -F "prompt=$t" \
		-F "file=@$dir/a.wav" -H 'X-Tailgate-Session: s1' "$@"
	echo "$m transcriptions $status"
}

left_before=$(stat out requests)
for m in $failures full down asleep; do
	key=$anna_key
	each "$m" 'OMEGA-123' >>"$dir/asked"
	each "$m" 'hello' -H 'X-Tailgate-Place: local' >>"$dir/asked"
	key=$bob_key
	each "$m" 'hello' >>"$dir/asked"
	is "$m: nothing that is kept inside has left" "$(stat out requests)" \
		"$left_before"
	left_before=$(stat out requests)
done
detail "$(awk '{ n[$3]++ } END { for (s in n) print s, n[s] }' "$dir/asked")"
all_asked()
{
	[ "$(wc -l <"$dir/state/ledger.jsonl")" -ge "$(wc -l <"$dir/asked")" ]
}
check 'the account has a line for each' wait_until -p "$tailgate_pid" all_asked
is 'and says of none that a byte went to an external provider' "$(jq -n -c \
	'[inputs | .tries[]? | select(.place == "external" and
	(.bytes_sent // 0) > 0)] | length' "$dir/state/ledger.jsonl")" 0
key=$anna_key
for m in $failures full down asleep; do
	before=$(stat out requests)
	post /v1/chat/completions "{\"model\":\"$m\",\"messages\":[]}"
	detail "$m: $status $(header x-tailgate-provider)"
	check "$m: without a ceiling it leaves" \
		test "$(stat out requests)" -gt "$before"
done
tell here release >/dev/null
check 'the ledger verifies' "$TAILGATE" -f "$conf" usage --verify
finish

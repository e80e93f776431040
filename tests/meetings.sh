# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Where rules meet: each of them holds alone (its own test), and here two at
# once.  Nothing private leaves, the account is what was sent, no slot is given
# twice.  (doc/meetings.md has the table of all pairs and their tests.)
. "${abs_srcdir:-.}/tests/lib.sh"

need jq lighttpd python3

mkdir "$dir/spool"
every='fallback = [ "busy", "unavailable", "error", "timeout",
	"rate_limited", "too_long", "unsupported" ];'
rules='private = ( { name = "marked"; pattern = "OMEGA-[0-9]{3}"; } );'

# begin: a gateway with the configuration from stdin, ledger and slots of its
# own, and the client anna, who may ask outside.
begin()
{
	[ -z "${tailgate_pid:-}" ] || stop "$tailgate_pid"
	rm -rf "$dir/run" "$dir/state"
	new_config
	[ -n "${anna_key:-}" ] || add_client anna --place external
	[ -n "${chief_key:-}" ] || add_client chief --operator
	key=$anna_key
	start_tailgate
	[ -n "${lighttpd_pid:-}" ] || start_lighttpd
}

# ask MODEL [TEXT [PATH]]
ask()
{
	post "${3:-/v1/chat/completions}" "{\"model\":\"$1\",\"max_tokens\":9,
		\"messages\":[{\"role\":\"user\",\"content\":\"${2:-hello}\"}]}"
}

# went PROVIDER: what the account says was sent there is what its stub got.
went()
{
	all_settled
	is "the account has each byte that $1 got" "$(jq -n --arg p "$1" \
		'[inputs | .tries[]? | select(.provider == $p) | .bytes_sent // 0]
		| add // 0' "$dir/state/ledger.jsonl")" "$(stat "$1" bytes_in)"
}

# verified: and it holds.
verified()
{
	check "$1: the ledger verifies" "$TAILGATE" -f "$conf" usage --verify
}

# --- Rules by size, and the memory ---------------------------------------------

start_upstream here -n
start_upstream cloud -n
shape='processes = 1; requests = 64; memory = "24 MiB";'
begin <<-END
	body = { spool_dir = "$dir/spool"; spool_over = 65536; };
	providers = (
	  { name = "here"; place = "local"; url = "$here_url";
	    endpoints = [ "chat" ]; circuit = { failures = 1; }; },
	  { name = "cloud"; place = "external"; url = "$cloud_url";
	    endpoints = [ "chat" ]; circuit = { failures = 1; }; }
	);
	models = (
	  { id = "sized"; place = "external"; $every targets = (
	    { provider = "here"; model = "plain";
	      when = { max_tokens_in = 1000; }; },
	    { provider = "cloud"; model = "plain"; } ); },
	  { id = "bounded"; place = "external"; $every targets = (
	    { provider = "here"; model = "plain"; },
	    { provider = "cloud"; model = "plain";
	      when = { max_tokens_in = 1000; }; } ); }
	);
	$rules
END

# A body of 15 MiB, which the memory does not hold twice, with a text in it.
big()
{
	printf '{"model":"%s","max_tokens":9,"messages":[{"role":"user",' "$1"
	printf '"content":"'
	yes 'x y ' | tr -d '\n' | head -c 15728640
	printf '%s"}]}' "${2:-}"
}

# ask_big MODEL [TEXT [PATH]]
ask_big()
{
	big "$1" "${2:-}" >"$dir/big.json"
	post "${3:-/v1/chat/completions}" "@$dir/big.json"
}

ask sized
is 'a small one stays' "$status $(header x-tailgate-provider)" '200 here'
ask_big sized
is 'one that lies in a file is measured as well: outside' \
	"$status $(header x-tailgate-provider)" '200 cloud'
outside=$(stat cloud bytes_in)
ask_big sized ' OMEGA-123'
like 'and searched to its end: with a private text no target is left' \
	"$status" '^40[03]$'
inside=$(stat here bytes_in)
ask_big bounded '' /v1/messages
is 'one that the memory does not translate is refused' "$status" 413
ask_big sized '' /v1/messages
is 'whatever it could fall back to' "$status" 413
ask_big sized ' OMEGA-123' /v1/messages
like 'the same with a private text' "$status" '^4(0[03]|13)$'
is 'and goes nowhere' \
	"$(stat cloud bytes_in) $(stat here bytes_in)" "$outside $inside"
ask sized
is 'no provider was blamed' "$status $(header x-tailgate-provider)" '200 here'
went cloud
went here
verified 'rules by size, and the memory'

# --- The share of a client, and what is held of a provider ----------------------

shape='processes = 1; requests = 16;'
begin <<-END
	body = { spool_dir = "$dir/spool"; };
	providers = (
	  { name = "here"; place = "local"; url = "$here_url";
	    endpoints = [ "chat" ]; circuit = { failures = 2; }; },
	  { name = "cloud"; place = "external"; url = "$cloud_url";
	    endpoints = [ "chat" ]; }
	);
	models = (
	  { id = "here/*"; place = "external"; $every targets = (
	    { provider = "here"; model = "*"; } ); },
	  { id = "limited"; place = "external"; $every targets = (
	    { provider = "here"; model = "429,retry=60"; },
	    { provider = "cloud"; model = "plain"; } ); }
	);
	$rules
END
[ -n "${bob_key:-}" ] || add_client bob
key=$anna_key
renew_workers
tell here reset >/dev/null
tell cloud reset >/dev/null

ask limited
is 'a model that is limited: the next target' \
	"$status $(header x-tailgate-provider)" '200 cloud'
is 'which was tried once' "$(stat here requests)" 1
# Anna has all that one client may have.
"$load" -c 24 -n 24 -d 20 -k "$anna_key" \
	-b '{"model":"here/gate,n=3","stream":true,"messages":[]}' \
	"${base#http://}" >"$dir/load" 2>&1 &
adopt load $!
wait_until -p "$load_pid" stat_reaches here in_flight 8
refused=0
for n in 1 2 3 4 5 6; do
	ask here/plain
	[ "$status" = 200 ] || refused=$((refused + 1))
done
detail "anna: $refused of 6 more refused; $(body)"
key=$bob_key
ask here/plain
is 'another client is served by the same provider' "$status" 200
is 'what a share refused is no failure of a provider' \
	"$("$TAILGATE" -f "$conf" status --json | jq -c \
		'[.providers[] | select(.failures > 0 or .state != "closed")
		| .name]')" '[]'
seen=$(stat here requests)
key=$anna_key
tell here release >/dev/null
wait "$load_pid"
forget "$load_pid"
ask limited
is 'the model is left alone as long as its provider said' \
	"$status $(header x-tailgate-provider)" '200 cloud'
at_most 'and is not asked' "$(stat here requests)" "$((seen + 24))"
check_not 'nor is a request with a private text served outside meanwhile' \
	test "$(ask limited OMEGA-123; echo "$status")" = 200
went cloud
went here
verified 'shares'

# --- Private texts, and what is measured by samples -----------------------------

shape=
begin <<-END
	body = { spool_dir = "$dir/spool"; spool_over = 65536; };
	providers = (
	  { name = "here"; place = "local"; url = "$here_url"; },
	  { name = "cloud"; place = "external"; url = "$cloud_url"; }
	);
	models = (
	  { id = "long"; place = "external"; fallback = [ "too_long" ];
	    targets = (
	    { provider = "here"; model = "plain"; context = 8192; },
	    { provider = "cloud"; model = "plain"; } ); }
	);
	$rules
END
tell cloud reset >/dev/null
# sampled KIND AT: a megabyte as one text, or as many, with the private one at
# so many thousandths.
sampled()
{
	python3 - "$1" "$2" >"$dir/sampled.json" <<-'END'
		import json, sys
		kind, at = sys.argv[1], float(sys.argv[2]) / 1000
		n = 1 << 20
		if kind == "one":
		    words = "lorem ipsum " * (n // 12)
		    cut = int(len(words) * at)
		    texts = [words[:cut] + " OMEGA-123 " + words[cut:]]
		else:
		    texts = ["a line of some sixty letters, number %06d, as they are"
		             % i for i in range(n // 60)]
		    texts[int((len(texts) - 1) * at)] += " OMEGA-123"
		if at < 0:
		    texts = [t.replace("OMEGA-123", "OMEGA-x") for t in texts]
		print(json.dumps({"model": "long", "messages": [
		    {"role": "user", "content": t} for t in texts]}))
	END
	post /v1/chat/completions "@$dir/sampled.json"
}
for kind in one many; do
	for at in 0 3 77 261 500 618 803 951 997 1000; do
		sampled $kind $at
		is "a private text in $kind, at $at of 1000: it stays" \
			"$status $(stat cloud requests)" '400 0'
	done
	sampled $kind -1
	is "$kind without one: outside, since it is too long here" \
		"$status $(header x-tailgate-provider)" '200 cloud'
	tell cloud reset >/dev/null
done
all_settled
is 'the account has whose pattern it was' "$(jq -n -c '[inputs
	| select(.private == "marked")] | length' \
	"$dir/state/ledger.jsonl")" 20
verified 'samples'

# --- A server that loads one model at a time, and several keys ------------------

start_keyed_upstream
for n in 1 2 3; do
	echo "sk-meeting-number-$n-MARK" >"$dir/key$n"
	chmod 600 "$dir/key$n"
done
begin <<-END
	limits = ( { name = "gpu"; slots = 1; queue = 64; wait = 600;
	  swap = "group"; swap_wait = 500; } );
	providers = ( { name = "here"; place = "local"; limit = "gpu";
	    url = "$here_url"; },
	  { name = "box"; place = "local"; limit = "gpu"; url = "$url";
	    keys = ( { file = "$dir/key1"; }, { file = "$dir/key2"; },
	      { file = "$dir/key3"; } );
	    circuit = { cooldown = 60.0; cooldown_max = 60.0; }; } );
	models = (
	  { id = "held"; targets = ( {
	    provider = "here"; model = "stall-head"; } ); },
	  { id = "a"; targets = ( { provider = "box"; model = "a"; } ); },
	  { id = "b"; targets = ( { provider = "box"; model = "b"; } ); } );
END
# One that is refused, one that is limited, and the last for all.
printf '%s\n' 'sk-meeting-number-1-MARK 401' \
	'sk-meeting-number-2-MARK 429 60' >"$answers"
# All wait before the first one is served: each is served faster than a busy
# machine starts the next one.
tell here reset >/dev/null
curl -s -o /dev/null --max-time 600 -H "Authorization: Bearer $key" \
	-H 'Content-Type: application/json' \
	-d '{"model":"held","messages":[]}' "$base/v1/chat/completions" &
adopt held $!
wait_until -p "$held_pid" stat_is here in_flight 1
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
	for model in a b; do
		curl -sS --max-time 600 -o /dev/null -w '%{http_code}\n' \
			-H "Authorization: Bearer $key" \
			-H 'Content-Type: application/json' \
			-d "{\"model\":\"$model\",\"messages\":[]}" \
			"$base/v1/chat/completions" >>"$dir/codes" \
			2>>"$dir/curl.err" &
		adopt "curl_$model$n" $!
	done
done
all_wait()
{
	[ "$("$TAILGATE" -f "$conf" status --json |
		jq '.limits[0].queued')" -eq 24 ]
}
check 'swap and keys: all wait' wait_until -t 120 all_wait
tell here release >/dev/null
wait "$held_pid"
forget "$held_pid"
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
	eval "wait \$curl_a${n}_pid \$curl_b${n}_pid"
	eval "forget \$curl_a${n}_pid; forget \$curl_b${n}_pid"
done
is 'swap and keys: all are served by the key that is good' \
	"$(sort "$dir/codes" | uniq -c | tr -s ' ')" ' 24 200'
is 'swap and keys: the slot is one, whatever the key' \
	"$(cat "$log.most")" 1
at_most 'swap and keys: a key that is refused rests, for both models' \
	"$(grep -c '^401' "$log")" 2
at_most 'swap and keys: the model changes seldom' "$(awk '
	/^200/ { n += $3 != last; last = $3 }
	END { print n }' "$log")" 6
all_settled
is 'swap and keys: the slot is free at the end' \
	"$("$TAILGATE" -f "$conf" status --json |
		jq -c '[.limits[] | .used, .queued]')" '[0,0]'
is 'swap and keys: the account has the key that each try had' \
	"$(jq -n '[inputs | .tries[]? | select(.provider == "box") | .key]
		| sort | unique' -c "$dir/state/ledger.jsonl")" '[1,2,3]'
check_not 'swap and keys: by its number only' \
	grep -q MARK "$dir/state/ledger.jsonl" "$dir/tailgate.log"
verified 'swap and keys'

# --- Sessions that stay, and fallbacks ------------------------------------------

start_upstream first -n
begin <<-END
	providers = (
	  { name = "first"; place = "local"; url = "$first_url";
	    circuit = { failures = 2; cooldown = 60.0; cooldown_max = 60.0; }; },
	  { name = "here"; place = "local"; url = "$here_url"; },
	  { name = "cloud"; place = "external"; url = "$cloud_url"; }
	);
	models = (
	  { id = "kept"; place = "external"; select = "round_robin";
	    sticky = true; sticky_by = "session"; fallback = [ "unavailable" ];
	    targets = (
	    { provider = "first"; model = "plain"; },
	    { provider = "here"; model = "plain"; },
	    { provider = "cloud"; model = "plain"; } ); },
	  { id = "firm"; place = "external"; select = "round_robin";
	    sticky = true; sticky_by = "session"; targets = (
	    { provider = "first"; model = "plain"; },
	    { provider = "here"; model = "plain"; } ); }
	);
	$rules
END
for stub in first here cloud; do
	tell $stub reset >/dev/null
done
# kept MODEL SESSION [TEXT]: "STATUS PROVIDER" of a request in that session.
kept()
{
	post /v1/chat/completions "{\"model\":\"$1\",\"messages\":[
		{\"role\":\"user\",\"content\":\"${3:-hi}\"}]}" \
		-H "X-Tailgate-Session: $2"
	echo "$status $(header x-tailgate-provider)"
}
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
	echo "$n $(kept kept "s$n")"
done >"$dir/sessions"
mine=$(awk '$3 == "first" { print $1; exit }' "$dir/sessions")
other=$(awk '$3 == "here" { print $1; exit }' "$dir/sessions")
check 'sessions: some are at the first, some at another' \
	test -n "$mine" -a -n "$other"
mine_firm=
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
	[ "$(kept firm "s$n")" != '200 first' ] || mine_firm=$n
done
stop "$first_pid"
outside=$(stat cloud requests)
# A session that leaves its place stays inside if its text is private.
like 'a session whose target has gone goes on elsewhere' \
	"$(kept kept "s$mine")" '^200 (here|cloud)$'
is 'others stay where they are' "$(kept kept "s$other")" '200 here'
outside=$(stat cloud requests)
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
	kept kept "s$n" "OMEGA-12$((n % 10))"
done >"$dir/sessions"
is 'with a private text no session leaves' \
	"$(sort "$dir/sessions" | uniq -c | tr -s ' ') $(stat cloud requests)" \
	" 12 200 here $outside"
like 'without the permission a session falls back nowhere' \
	"$(kept firm "s$mine_firm")" '^503 $'
is 'nor outside' "$(stat cloud requests)" "$outside"
all_settled
is 'a try that reached nobody sent nothing' "$(jq -n -c '[inputs
	| .tries[]? | select(.provider == "first" and .outcome != "ok")
	| .bytes_sent // 0] | unique' "$dir/state/ledger.jsonl")" '[0]'
went cloud
verified 'sessions'

# --- Gateways that ask each other, and the patterns of both ----------------------

begin <<-END
	providers = ( { name = "cloud"; place = "external"; url = "$cloud_url"; },
	  { name = "here"; place = "local"; url = "$here_url"; } );
	models = (
	  { id = "out"; place = "external"; targets = (
	    { provider = "cloud"; model = "plain"; } ); },
	  { id = "any"; place = "external"; $every targets = (
	    { provider = "here"; model = "500"; },
	    { provider = "cloud"; model = "plain"; } ); } );
	private = ( { name = "theirs"; pattern = "SIGMA-[0-9]{3}"; } );
END
add_client relay --relay --place external --models '*'
key=$anna_key
renew_workers
(umask 077 && printf '%s\n' "$relay_key" >"$dir/key.relay")
mkdir -p "$dir/front/run" "$dir/front/state"
cat >"$dir/front/tailgate.conf" <<-END
	runtime_dir = "$dir/front/run"; state_dir = "$dir/front/state";
	clients_file = "$dir/clients.conf";
	providers = (
	  { name = "near"; kind = "tailgate"; place = "local"; url = "$base/v1";
	    key = { file = "$dir/key.relay"; }; },
	  { name = "hub"; kind = "tailgate"; place = "external";
	    url = "$base/v1"; key = { file = "$dir/key.relay"; }; } );
	models = (
	  { id = "near/*"; targets = ( { provider = "near"; model = "*"; } ); },
	  { id = "hub/*"; place = "external";
	    targets = ( { provider = "hub"; model = "*"; } ); } );
	$rules
END
behind_base=$base
spawn front "$TAILGATE_FCGI" -f "$dir/front/tailgate.conf" -s "$dir/front/sock"
wait_until -t 60 -p "$front_pid" "$bin/listen" -c "$dir/front/sock" ||
	broken 'the front did not start'
behind_lighttpd=$lighttpd_pid
socket=$dir/front/sock
start_lighttpd
key=$anna_key
tell cloud reset >/dev/null
tell here reset >/dev/null
ask hub/out
is 'two gateways: what nobody minds leaves' "$status $(stat cloud requests)" \
	'200 1'
sent=$(stat cloud bytes_in)
# Each encoding of each one's pattern, on each way.
for text in OMEGA-123 SIGMA-123 'T01FR0EtMTIz' 'U0lHTUEtMTIz' \
	'OMEGA%2d123' 'SIGMA%2d123' '{\"a\":\"SIGMA\\u002d123\"}'; do
	for model in hub/out near/out near/any hub/any; do
		ask "$model" "see $text"
		like "two gateways: $text by $model stays" "$status" \
			'^(403|500|502|503)$'
	done
done
is 'two gateways: nothing of it left' "$(stat cloud bytes_in)" "$sent"
ask near/out
is 'two gateways: what is kept local before stays local after' \
	"$status $(stat cloud bytes_in)" "403 $sent"
base=$behind_base
all_settled
went cloud
is 'two gateways: the account of the first has no byte of it for the hub' \
	"$(jq -n '[inputs | select(.private == "marked") | .tries[]?
		| select(.provider == "hub") | .bytes_sent // 0] | add // 0' \
		"$dir/front/state/ledger.jsonl")" 0
is 'two gateways: that of the second says whose pattern it was' \
	"$(jq -n -c '[inputs | .private // empty] | unique' \
		"$dir/state/ledger.jsonl")" '["theirs"]'
verified 'two gateways'
stop "$lighttpd_pid"
stop "$front_pid"
lighttpd_pid=$behind_lighttpd
finish

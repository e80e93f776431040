# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Where the newer features meet, two or three at once: what is recorded and a
# client's own key over a bridge; a question about tokens, and a recording, a
# limit in use, a chain; Realtime and a ledger that can't be written; a host that
# sleeps and several keys.  (Meetings of the older ones: tests/meetings.sh.)
. "${abs_srcdir:-.}/tests/lib.sh"

need jq lighttpd python3 flock

# begin: a gateway with the configuration from stdin and the clients anna and
# chief, who may ask outside.
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
capture()
{
	"$TAILGATE" -f "$conf" capture "$@"
}
# shellcheck disable=SC2317 # wait_until calls it
files_are()
{
	[ "$(find "$dir/run/capture" -name '*.capture' | wc -l)" -eq "$1" ]
}
# words N: so many tokens by estimate.
words()
{
	awk -v n="$1" 'BEGIN { while (n-- > 0) printf "hello " }'
}

# --- A recording, a client's own key, a bridge --------------------------------------

start_keyed_upstream
own=sk-ant-oat01-MARKOWNabcdefghijklmnopqrstuvwxyz0123456789MARKOWN
provider_key=sk-MARKPROVIDERabcdefghijklmnopqrstuvwxyz
echo $provider_key >"$dir/provider.key"
chmod 600 "$dir/provider.key"
begin <<-END
	providers = (
	  { name = "plan"; place = "external"; url = "$url"; auth = "client";
	    endpoints = [ "chat" ]; circuit = { failures = 0; }; },
	  { name = "paid"; place = "external"; url = "$url";
	    key = { file = "$dir/provider.key"; }; endpoints = [ "chat" ]; }
	);
	models = (
	  { id = "own"; place = "external"; fallback = [ "rate_limited" ];
	    targets = ( { provider = "plan"; model = "o"; },
	    { provider = "paid"; model = "p"; } ); },
	  { id = "paid"; place = "external"; targets = (
	    { provider = "paid"; model = "p"; } ); }
	);
END
key= # it comes in the other field
# own_message TEXT: as Claude Code, signed in to the provider, sends it.
own_message()
{
	post /v1/messages '{"model":"own","max_tokens":9,"messages":[{"role":
		"user","content":"'"$1"'"}]}' -H "X-Tailgate-Key: $anna_key" \
		-H 'anthropic-version: 2023-06-01' -H "Authorization: Bearer $own"
}
capture --client anna --for 10m >"$dir/out"
own_message "MARKSAY one, with $own and $anna_key"
is 'own key and bridge: served' "$status $(tail -n 1 "$log")" "200 200 $own o"
like 'the client has the text with its key covered' "$(body)" \
	'"type":"message".*it is \*+"'
echo "$own 429 7" >"$answers"
own_message 'MARKSAY two'
is 'limited: the next, with its own key' "$status $(tail -n 1 "$log")" \
	"200 200 $provider_key p"
echo "$own 401" >"$answers"
own_message three
is 'refused: the client is' "$status" 401
: >"$answers"
check 'three are recorded' wait_until files_are 3
check_not 'no key of the client is in any of them' grep -rqaF -e "$own" \
	-e MARKOWN "$dir/run/capture"
check_not 'none of the gateway' grep -rqaF "$anna_key" "$dir/run/capture"
check_not 'none of a provider' grep -rqaF MARKPROVIDER "$dir/run/capture"
check_not 'nor does the ledger or the log have one' grep -rqF -e MARK \
	-e "$anna_key" "$dir/state" "$dir/tailgate.log"
one=$(grep -l 'MARKSAY one' "$dir"/run/capture/*.capture)
is 'the request is kept as it came, and the response as it went' \
	"$(sed 1d "$one" | jq -c '[.max_tokens, .type]')" '[9,null]
[null,"message"]'
printf '%s\n' "$anna_key" >"$dir/anna.key"
capture --stop >"$dir/out"
again()
{
	"$TAILGATE" replay --url "$base" --key-file "$dir/anna.key" "$@" \
		>"$dir/out" 2>&1
}
again --model paid "$one"
is 'it is sent again, to a model with a key of its own' "$?" 0
like 'and compared' "$(cat "$dir/out")" '^status +200 +200 +the same'
is 'by the gateway' "$(tail -n 1 "$log")" "200 $provider_key p"
again "$one"
is 'but not where the client signs in itself' "$?" 1
like 'whose key no file has' "$(cat "$dir/out")" \
	'error now: .*X-Tailgate-Key'

# --- Questions about tokens ---------------------------------------------------------

log=$dir/counted
: >"$log"
python3 "$tests/count_upstream.py" "$log" >"$dir/count.port" 2>"$dir/count.log" &
adopt counter $!
wait_until -p "$counter_pid" test -s "$dir/count.port" || broken 'no counter'
root=http://127.0.0.1:$(cat "$dir/count.port")
start_upstream stub -n
counts='place = "local"; counts = "input_tokens"; limit = "gpu";'
begin <<-END
	limits = ( { name = "gpu"; slots = 1; queue = 8; wait = 60; } );
	providers = (
	  { name = "c900"; url = "$root/900/v1"; $counts },
	  { name = "c1001"; url = "$root/1001/v1"; $counts },
	  { name = "hang"; url = "$root/hang/v1"; $counts },
	  { name = "any"; place = "local"; url = "$root/900/v1"; },
	  { name = "stub"; place = "local"; limit = "gpu"; url = "$stub_url"; }
	);
	models = (
	  { id = "c900"; targets = (
	    { provider = "c900"; model = "up"; context = 1000; } ); },
	  { id = "c1001"; targets = (
	    { provider = "c1001"; model = "up"; context = 1000; } ); },
	  { id = "hang"; targets = (
	    { provider = "hang"; model = "up"; context = 1000; } ); },
	  { id = "chain"; fallback = [ "too_long", "busy" ]; targets = (
	    { provider = "hang"; model = "up"; context = 1000; },
	    { provider = "c1001"; model = "up"; context = 1000; },
	    { provider = "any"; model = "up"; } ); },
	  { id = "second"; fallback = [ "too_long" ]; targets = (
	    { provider = "c1001"; model = "up"; context = 1000; },
	    { provider = "c900"; model = "up"; context = 1000; } ); },
	  { id = "stub/*"; targets = ( { provider = "stub"; model = "*"; } ); }
	);
END
q=v1/chat/completions/input_tokens
c=v1/chat/completions
long()
{
	: >"$log"
	post /v1/chat/completions "$(printf \
		'{"model":"%s","messages":[{"role":"user","content":"%s"}]}' \
		"$1" "$(words 1100)")"
}
paths()
{
	cut -d' ' -f1 "$log" | tr '\n' ' '
}
capture --client anna --for 10m >"$dir/out"
long c900
is 'counts and a recording: asked and served' "$status $(paths)" \
	"200 /900/$q /900/$c "
check 'it is one exchange' wait_until files_are 1
is 'with the response of the request, not of the question' \
	"$(sed -n '3,$p' "$dir"/run/capture/*.capture | jq -c .object)" \
	'"chat.completion"'
long c1001
is 'one that was asked about only' "$status $(paths)" "400 /1001/$q "
check 'is recorded as it was refused' wait_until files_are 2
is 'without the question' "$(grep -l 'as its server counts' \
	"$dir"/run/capture/*.capture | xargs head -n 1 |
	jq -c '[.status, .provider]')" '[400,null]'
capture --stop >"$dir/out"

hold_slot "$anna_key" stub/stall-head
long c1001
is 'counts and a limit in use: asked at once, without a slot' \
	"$status $(paths)" "400 /1001/$q "
began=$(date +%s)
long hang
is 'a server that does not answer meanwhile' "$status $(paths)" \
	"400 /hang/$q "
at_most 'holds the refusal for two seconds, and what a busy machine adds' \
	$(($(date +%s) - began)) 8
: >"$log"
long c900 &
adopt waiter $!
wait_until file_has "$log" "^/900/$q" || fail 'the question is asked'
# shellcheck disable=SC2317 # wait_until calls it
one_waits()
{
	[ "$("$TAILGATE" -f "$conf" status --json |
		jq '.limits[0].queued')" -eq 1 ]
}
check 'what fits by its count waits for the slot' wait_until one_waits
is 'and is not sent meanwhile' "$(paths)" "/900/$q "
let_slot_go
wait "$waiter_pid"
forget "$waiter_pid"
is 'then it is' "$(paths)" "/900/$q /900/$c "
all_settled
is 'the slot is free at the end' "$("$TAILGATE" -f "$conf" status --json |
	jq -c '.limits[0] | [.used, .queued]')" '[0,0]'

long second
is 'counts and a chain: the second server counts, too, and is used' \
	"$status $(header x-tailgate-provider) $(header x-tailgate-fallback)
$(paths)" "200 c900 too_long
/1001/$q /900/$q /900/$c "
stop "$tailgate_pid"
start_tailgate
began=$(date +%s)
long chain
is 'the first does not answer: the last is used' \
	"$status $(header x-tailgate-provider) $(header x-tailgate-fallback)" \
	'200 any too_long'
at_most 'two seconds are for all of them' $(($(date +%s) - began)) 8
check 'the ledger verifies' "$TAILGATE" -f "$conf" usage --verify

# --- Realtime, and a ledger that can't be written -----------------------------------

# A web server that names the provider; authorized MODEL: what it hears.
realtime()
{
	sed "s|include \"tailgate.conf\"|include \"$abs_srcdir/contrib/lighttpd/tailgate.conf\"|" \
		"$abs_srcdir/contrib/lighttpd/lighttpd.conf"
	for name in near far; do
		cat <<-END
			\$HTTP["querystring"] == "model=$name" {
				setenv.set-environment = (
					"TAILGATE_PROVIDER" => "$name" )
			}
		END
	done
}
realtime >"$dir/realtime.conf"
stop "$lighttpd_pid"
start_lighttpd "$dir/realtime.conf"
authorized()
{
	request "/v1/realtime?model=$1"
	echo "$status $(jq -r '.error.code // .provider' "$dir/body")"
}
# shellcheck disable=SC2317 # wait_until calls it
is_refused()
{
	[ "$(authorized far)" = '503 ledger_unavailable' ]
}
# shellcheck disable=SC2317 # wait_until calls it
is_served()
{
	[ "$(authorized far)" = '200 far' ]
}
# shellcheck disable=SC2317 # wait_until calls it
near_is_refused()
{
	[ "$(authorized near)" = '503 ledger_unavailable' ]
}
for stuck in refuse_external refuse count; do
	begin <<-END
		processes = 1;
		ledger = { when_stuck = "$stuck"; };
		providers = (
		  { name = "near"; place = "local"; url = "$root/900/v1";
		    endpoints = [ "realtime" ]; },
		  { name = "far"; place = "external"; url = "$root/900/v1";
		    endpoints = [ "realtime" ]; } );
		models = (
		  { id = "near"; targets = (
		    { provider = "near"; model = "near"; } ); },
		  { id = "far"; place = "external"; targets = (
		    { provider = "far"; model = "far"; } ); } );
	END
	is "$stuck: both are authorized" "$(authorized near) $(authorized far)" \
		'200 near 200 far'
	all_settled
	lock_ledger "$dir/state/ledger.jsonl"
	case $stuck in
	refuse_external)
		check "$stuck: what would leave is refused" wait_until is_refused
		is "$stuck: what stays is not" "$(authorized near)" '200 near' ;;
	refuse)
		check "$stuck: both are refused" wait_until is_refused
		check "$stuck: the near one, too" wait_until near_is_refused ;;
	count)
		for n in 1 2 3 4 5 6; do
			authorized far
			sleep 0.5
		done | sort -u >"$dir/out"
		is "$stuck: it goes on" "$(cat "$dir/out") $(authorized near)" \
			'200 far 200 near' ;;
	esac
	unlock_ledger
	check "$stuck: over" wait_until is_served
done
stop "$lighttpd_pid"
start_lighttpd

# --- A host that sleeps, and several keys -------------------------------------------

host=$dir/host
mkdir "$host"
for n in 1 2; do
	echo "sk-meeting-number-$n-MARK" >"$dir/key$n"
	chmod 600 "$dir/key$n"
done
echo sk-meeting-number-1-MARK >"$host/refused"
python3 "$tests/wake_host.py" "$host" 2>"$dir/host.log" &
adopt host $!
wait_until -p "$host_pid" test -s "$host/ports" || broken 'no host'
read -r tcp udp <"$host/ports"
begin <<-END
	processes = 2;
	providers = ( { name = "box"; place = "local";
	    url = "http://127.0.0.1:$tcp/v1"; wake_wait = 30;
	    wake = { mac = "02:ab:cd:ef:00:19"; address = "127.0.0.1";
	      port = $udp; };
	    keys = ( { file = "$dir/key1"; }, { file = "$dir/key2"; } );
	    circuit = { failures = 2; cooldown = 60.0; cooldown_max = 60.0; }; } );
	models = ( { id = "m"; targets = ( { provider = "box"; model = "m"; } ); } );
END
told()
{
	grep -c "^$1" "$host/log"
}
for n in 1 2 3 4 5 6; do
	curl -sS --max-time 60 -o /dev/null -w '%{http_code}\n' \
		-H "Authorization: Bearer $key" \
		-H 'Content-Type: application/json' \
		-d '{"model":"m","messages":[]}' \
		"$base/v1/chat/completions" >"$dir/code$n" 2>>"$dir/curl.err" &
	adopt "curl$n" $!
done
for n in 1 2 3 4 5 6; do
	eval "wait \$curl${n}_pid; forget \$curl${n}_pid"
done
is 'wake and keys: all are served, by the key that is good' \
	"$(cat "$dir"/code[1-6] | sort | uniq -c | tr -s ' ')" ' 6 200'
is 'wake and keys: it is woken once' "$(told packet)" 1
all_settled
is 'wake and keys: the account has each try with its key' "$(jq -n -c '
	[inputs | .tries // empty | map([.key, .outcome == "ok"])] | unique |
	map(select(. != [[2, true]] and . != [[1, false], [2, true]]))' \
	"$dir/state/ledger.jsonl")" '[]'
is 'wake and keys: neither is a failure of the provider' \
	"$("$TAILGATE" -f "$conf" status --json |
		jq -c '[.providers[] | [.state, .failures]]')" '[["closed",0]]'
refused=$(told refused)
echo >"$host/sleep"
wait_until file_has "$host/log" '^asleep' || broken 'it stays awake'
# What was reached is believed to be there for five seconds.
sleep 5.2
post /v1/chat/completions '{"model":"m","messages":[]}'
is 'wake and keys: woken again, it gets the good one at once' \
	"$status $(told packet) $(told refused)" "200 2 $refused"
check_not 'wake and keys: a key is known by its number only' grep -rq MARK \
	"$dir/state" "$dir/tailgate.log"
check 'the ledger verifies at last' "$TAILGATE" -f "$conf" usage --verify
finish

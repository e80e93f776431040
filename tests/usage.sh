# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The ledger of many requests at once: mixed endpoints, streamed and not, a
# third cut by the client, a third by the upstream.  Each has one line, the sums
# are what the stub served, the chain shows changes to it, the budgets hold, and
# no byte of any content is in the ledger.
. "${abs_srcdir:-.}/tests/lib.sh"

need curl gzip jq lighttpd

ledger=$dir/state/ledger.jsonl
marker=mArKeR-$$-of-the-prompt
start_upstream stub
more_models=', { id = "limited"; targets = ( { provider = "limited";
	model = "n=9"; } ); }'
more='limits = ( { name = "gpu"; slots = 2; queue = 5; } );'
more_providers=", { name = \"limited\"; place = \"local\"; url = \"$stub_url\";
	limit = \"gpu\"; }"
stub_config
add_client anna
add_client chief --operator
start_tailgate
start_server lighttpd
key=$anna_key

# usage ARGUMENTS: output in $out, exit status in $code.
usage()
{
	out=$("$TAILGATE" -f "$conf" usage "$@" 2>&1)
	code=$?
}

lines()
{
	wc -l <"$ledger"
}

# has_lines N
has_lines()
{
	[ -e "$ledger" ] && [ "$(lines)" -ge "$1" ]
}

sum()
{
	jq -n "[inputs | select($1) | $2] | add // 0" "$ledger"
}

# --- Many at once -------------------------------------------------------------

# send SCRIPT STREAM...: a request of each kind for each, in the background.
send()
{
	post_all=
	script=$1
	shift
	for kind in chat/completions:messages completions:prompt \
		responses:input messages:messages; do
		for stream in "$@"; do
			body="{\"model\":\"stub/$script\",\"stream\":$stream"
			case $kind in
			*:messages)
				body="$body,\"max_tokens\":99,\"messages\":[{
				\"role\":\"user\",\"content\":\"$marker\"}]}"
				;;
			*)
				body="$body,\"${kind#*:}\":\"$marker\"}"
				;;
			esac
			curl -sS --max-time 60 -o /dev/null \
				-H "Authorization: Bearer $key" \
				-H 'Content-Type: application/json' \
				--data-binary "$body" \
				"$base/v1/${kind%:*}" 2>/dev/null &
			post_all="$post_all $!"
		done
	done
}

# Cut by the client: they wait at the stub's gate, until their curl ends.
send gate,usage-own,n=4 true true true true
gone=$post_all
wait_until stat_is stub in_flight 16
send usage-own,n=20 true false true false
whole=$post_all
send cut-mid,n=40 true false true false
cut=$post_all
# shellcheck disable=SC2086
wait $whole $cut
wait_until has_lines 32
for pid in $(children $$); do
	case $(ps -o args= -p "$pid" 2>/dev/null) in
	curl*) kill "$pid" 2>/dev/null ;;
	esac
done
# shellcheck disable=SC2086
wait $gone 2>/dev/null
wait_until has_lines 48
tell stub release >"$dir/released"

is 'one line for each of 48 requests' "$(lines)" 48
is 'each has an id of its own' \
	"$(jq -r .id "$ledger" | sort -u | wc -l)" 48
is '16 were served whole, and their tokens are reported' \
	"$(jq -c 'select(.model == "stub/usage-own,n=20")
	| [.status, .usage, .cut, .client_gone]' "$ledger" | sort | uniq -c |
		sed 's/^ *//')" '16 [200,"reported",null,null]'
is 'the sum of their input is what the stub served' \
	"$(sum '.model == "stub/usage-own,n=20"' .input)" \
	"$(((12 * 11) + (4 * 15)))"
is 'and of their output' \
	"$(sum '.model == "stub/usage-own,n=20"' .output)" 320
is '16 were cut by the upstream' \
	"$(jq -c 'select(.model == "stub/cut-mid,n=40") | .cut or
	.status == 502' "$ledger" | grep -c true)" 16
is '16 were left by the client' \
	"$(jq -c 'select(.model == "stub/gate,usage-own,n=4")
	| .client_gone' "$ledger" | grep -c true)" 16
is 'none of these is marked as reported' \
	"$(sum '.cut and .usage == "reported"' 1)" 0

# --- The sums -----------------------------------------------------------------

usage --format json --by model
is 'usage --format json sums up the same' \
	"$(printf '%s' "$out" | jq -c '[.total.requests, .total.input,
	.total.output]')" \
	"[48,$(sum true .input),$(sum true .output)]"
usage --by place,status
like 'a table with a total' "$out" '^total .* 48 '
like 'that says that nothing left' "$out" 'Nothing left this network'
usage --format csv --by client,endpoint
like 'CSV has a head' "$(printf '%s\n' "$out" | sed 1q)" \
	'^client,endpoint,requests,'
like 'and a line for each group' "$out" '^"anna","chat",12,'
usage --since 2001-01-01 --until 2001-12-31
like 'nothing in another year' "$out" '^No requests'
usage --by size
is 'a column that there is not' "$code" 2

# --- The chain ----------------------------------------------------------------

usage --verify
is 'the chain holds' "$code" 0
like 'and says so' "$out" '^48 lines, none changed'
cp "$ledger" "$dir/copy"

# Where the chain ends is recorded within a second of the last line.
end_is_recorded()
{
	[ -n "$(find "$ledger.tail" -newer "$ledger")" ]
}
wait_until end_is_recorded

# found HOW ERE: after $ledger was changed.
found()
{
	usage --verify
	is "$1 is found" "$code" 1
	like "$1 is named" "$out" "$2"
	cat "$dir/copy" >"$ledger"
}

sed '20s/"status":[0-9]*/"status":201/' "$dir/copy" >"$ledger"
found 'a changed line' ':21: the line before it was changed'
sed 20d "$dir/copy" >"$ledger"
found 'a removed line' ':20: 1 lines before it are missing'
sed '20{h;d;};21G' "$dir/copy" >"$ledger"
found 'a swapped pair' 'out of order'
sed '$d' "$dir/copy" >"$ledger"
found 'a removed last line' 'missing'
usage --verify
is 'put back, it holds' "$code" 0

mv "$ledger" "$ledger.1"
post /v1/chat/completions "$(chat n=3)"
wait_until has_lines 1
usage --verify
like 'the chain goes on over a rotation' "$out" '^49 lines, none changed'
unlike 'from its first line' "$out" 'It begins with'

# Compressed parts are read as the others.
# summed: what --format json says, without when it was asked.
summed()
{
	usage --format json --by model
	printf '%s' "$out" | jq -c 'del(.since, .until)'
}
plain=$(summed)
is 'the plain part counts' "$(printf '%s' "$plain" | jq .total.requests)" 49

# packed_as NAME COMMAND...: ledger.jsonl.1 as NAME, by a command that writes to
# its output; the same is read of it.
packed_as()
{
	name=$1
	shift
	"$@" <"$ledger.1" >"$ledger.$name"
	is "$name together with the plain one: counted once" "$(summed)" "$plain"
	mv "$ledger.1" "$dir/unpacked"
	is "$name: the same sums" "$(summed)" "$plain"
	usage --verify
	is "$name: the chain holds" "$code" 0
	like "$name: all of it" "$out" '^49 lines, none changed'
	rm "$ledger.$name"
	mv "$dir/unpacked" "$ledger.1"
}
packed_as 1.gz gzip -c
packed_as 1-20261122.gz gzip -9c
# As a person who joins months makes it.
two_members()
{
	sed -n '1,20p' "$dir/copy" | gzip -c
	sed -n '21,$p' "$dir/copy" | gzip -c
}
packed_as 1.gz two_members
if grep -q 'define HAVE_ZSTD 1' "$abs_builddir/config.h"; then
	need zstd
	packed_as 1.zst zstd -qc
fi

# Files that can't be read are named, and so are damaged ones.
mv "$ledger.1" "$dir/unpacked"
cp "$dir/unpacked" "$ledger.1.xz"
"$TAILGATE" -f "$conf" usage >"$dir/out" 2>"$dir/err"
like 'a part that is not read is named, not silently missing' \
	"$(cat "$dir/err")" 'ledger\.jsonl\.1\.xz is left out'
usage --verify
like 'and the chain is said to begin later' "$out" \
	'^It begins with number 49: the 48 lines before'
rm "$ledger.1.xz"
gzip -c "$dir/unpacked" >"$dir/packed"
# damaged WHAT COMMAND...: makes $ledger.1.gz of $dir/packed.
damaged()
{
	what=$1
	shift
	"$@" <"$dir/packed" >"$ledger.1.gz"
	usage --verify
	is "$what: the chain does not hold" "$code" 1
	like "$what: the file is named" "$out" \
		'ledger\.jsonl\.1\.gz: damaged: '
	"$TAILGATE" -f "$conf" usage >"$dir/out" 2>"$dir/err"
	like "$what: and in a sum too" "$(cat "$dir/err")" \
		'ledger\.jsonl\.1\.gz: damaged: '
	rm "$ledger.1.gz"
}
damaged 'a compressed part that ends too early' \
	head -c $(($(wc -c <"$dir/packed") / 2))
damaged 'one without its check' head -c $(($(wc -c <"$dir/packed") - 4))
damaged 'an empty one' head -c 0
damaged 'one that is no such file' tr '\037' x

# A changed line shows in a compressed part, too.
sed '20s/"status":[0-9]*/"status":201/' "$dir/unpacked" | gzip -c \
	>"$ledger.1.gz"
usage --verify
like 'a changed line in a compressed part is named' "$out" \
	'1\.gz:21: the line before it was changed'
rm "$ledger.1.gz"
mv "$dir/unpacked" "$ledger.1"

# The writers' record names a file that has been compressed since.
mv "$ledger" "$dir/unpacked"
gzip -c "$dir/unpacked" >"$ledger-20261123.gz"
usage --verify
is 'the last line is found where it is now' "$code" 0
gzip -c "$ledger.1" >"$ledger-20261123.gz"
usage --verify
is 'and is missed where it is not' "$code" 1
rm "$ledger-20261123.gz"
mv "$dir/unpacked" "$ledger"

# --- Following ----------------------------------------------------------------

"$TAILGATE" -f "$conf" usage --follow >"$dir/follow" 2>&1 &
adopt follow $!
# It has begun when it shows a request that came after it.
followed()
{
	post /v1/chat/completions "$(chat plain)"
	grep -q 'anna .*stub/plain > stub' "$dir/follow"
}
wait_until -p "$follow_pid" followed
pass '--follow prints requests as they end'
stop "$follow_pid"

# --- Metrics ------------------------------------------------------------------

post /v1/chat/completions '{"model":"limited","messages":[]}'
is 'one with a limit' "$status" 200
all_settled
key=$chief_key
request /metrics
is 'the operator may read the metrics' "$status" 200
cp "$dir/body" "$dir/metrics"
is 'they count each line of the ledger' \
	"$(awk '/^tailgate_requests_total/ { n += $NF } END { print n }' \
		"$dir/metrics")" "$(cat "$ledger" "$ledger.1" | wc -l | tr -d ' ')"
promtool_is_content()
{
	promtool check metrics <"$dir/metrics" >"$dir/promtool.out" 2>&1 &&
		[ ! -s "$dir/promtool.out" ] && return
	cat "$dir/promtool.out"
	return 1
}
like 'a slot, a queue and its waiting' "$(grep gpu "$dir/metrics" |
	tr '\n' ' ')" \
	'slots.*2 .*slots_used.* 0 .*queue_length.* 0 .*wait.*_count.* 1'
like 'circuits' "$(cat "$dir/metrics")" \
	'provider_circuit.provider="stub",state="closed". 1'
if command -v promtool >/dev/null 2>&1; then
	check 'promtool check metrics' promtool_is_content
fi
key=$anna_key
request /metrics
is 'others may not' "$status" 403

# --- No content ---------------------------------------------------------------

all_settled
usage --format json --by client,model
printf '%s\n' "$out" >"$dir/usage.json"
for word in "$marker" "$anna_key" "$chief_key"; do
	is "no '${word%"${word#????}"}...' in ledger, state, log, metrics" \
		"$(grep -rlF "$word" "$dir/state" "$dir/run" \
			"$dir/tailgate.log" "$dir/metrics" "$dir/usage.json" \
			"$dir/follow" 2>/dev/null)" ''
done

finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The examples of tailgate.ledger(5), taken from the manual and run on a ledger
# that real requests have written.
. "${abs_srcdir:-.}/tests/lib.sh"

need curl jq sqlite3 sha256sum lighttpd

manual=$abs_srcdir/man/tailgate.ledger.5
ledger=$dir/state/ledger.jsonl

# example N: the Nth display under EXAMPLES, as a reader sees it, with the
# ledger of this test.
example()
{
	awk -v n="$1" '
		/^\.Sh/ { inside = $2 == "EXAMPLES" }
		inside && /^\.Bd/ { count++; next }
		/^\.Ed/ { if (count == n) exit; next }
		inside && count == n' "$manual" |
		sed -e 's/^\\&//' -e 's/\\e/\\/g' \
			-e "s|@localstatedir@/lib/tailgate|$dir/state|g" \
			>"$dir/example.sh"
	[ -s "$dir/example.sh" ] || broken "no example $1"
	sh "$dir/example.sh" 2>"$dir/example.err"
	[ ! -s "$dir/example.err" ] || detail "$(cat "$dir/example.err")"
}

start_upstream stub
start_upstream other
stub_more='limit = "gpu";'
more_providers=", { name = \"cloud\"; place = \"external\"; url = \"$other_url\"; }"
more_models=', { id = "big"; place = "external"; fallback = [ "error" ];
	targets = ( { provider = "stub"; model = "500"; },
	  { provider = "cloud"; model = "n=50";
	    price = { input = 2.0; output = 10.0; }; } ); },
	{ id = "busy"; place = "external"; fallback = [ "busy" ];
	targets = ( { provider = "stub"; model = "plain"; },
	  { provider = "cloud"; model = "plain"; } ); }'
more="limits = ( { name = \"gpu\"; slots = 1; queue = 0; wait = 1; } );"
stub_config
add_client anna --place external
add_client ben --place external
start_tailgate
start_server lighttpd

ask()
{
	post /v1/chat/completions \
		"{\"model\":\"$1\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
	[ "$status" = 200 ] || broken "$1: $status $(body)"
}

# Two of ben's that stay, one of anna's that leaves: 11 tokens in and 50 out,
# 22 and 500 millionths of a dollar.
key=$ben_key
ask stub/n=7
ask stub/n=7
key=$anna_key
ask big
# One that finds no free slot, and leaves.
key=$ben_key
post /v1/chat/completions '{"model":"stub/stall-head","messages":[]}' &
adopt waiting $!
wait_until -p $! stat_is stub requests 4
ask busy
tell stub release >"$dir/released"
wait "$waiting_pid"
forget "$waiting_pid"
stop "$tailgate_pid"
[ "$(wc -l <"$ledger")" = 5 ] || broken "$(cat "$ledger")"

tab=$(printf '\t')
out=$(example 1)
is 'two left this network' "$(printf '%s\n' "$out" | wc -l)" 2
like 'one of them of anna' "$out" \
	"^2[-0-9T:.]+Z${tab}anna${tab}big${tab}127.0.0.1${tab}[0-9]+${tab}.*anna.*big"

is 'dollars by client' "$(example 2 | jq -c '.anna')" 0.000522

id=$(jq -r 'select(.route == "busy") | .id' "$ledger")
is 'what found the local model busy' "$(example 3)" \
	"$id${tab}200${tab}stub > cloud"

out=$(example 4)
is 'the table has a row for each model' "$(printf '%s\n' "$out" | wc -l)" 3
is 'its first row is what costs most' "$(printf '%s\n' "$out" | sed 1q)" \
	'big|1|11|50|0.000522'
like 'the others cost nothing' "$out" '^stub/\*\|3\|'

is "the hash of the last line but one" "$(example 5)" \
	"$(tail -n 1 "$ledger" | jq -r .prev)"

finish

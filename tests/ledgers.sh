# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Ledgers of several hosts, given by name: sums in which a forwarded request
# counts once, and chains that hold or show changes to them, each in files of
# its own or concatenated.
. "${abs_srcdir:-.}/tests/lib.sh"

need python3 jq

mkdir "$dir/made"
python3 "$tests/ledgers.py" make "$dir/made" 400
one=$dir/made/front-1.jsonl two=$dir/made/front-2.jsonl
gpu=$dir/made/gpu.home.jsonl

# usage ARGUMENTS: without a configuration; output in $out, status in $code.
usage()
{
	out=$(cd "$dir" && "$TAILGATE" -f /nonexistent usage "$@" 2>"$dir/err")
	code=$?
}

# --- Chains -------------------------------------------------------------------

lines=$(cat "$one" "$two" "$gpu" | wc -l)
usage --verify "$one" "$two" "$gpu"
is 'three chains hold' "$code" 0
like 'all lines are good' "$out" "^$lines lines, none changed"
for gateway in front-1 front-2 gpu.home; do
	like "the last of $gateway is named" "$out" "$gateway: $(
		wc -l <"$dir/made/$gateway.jsonl") lines, numbers 1 to .* hash $(
		tail -n 1 "$dir/made/$gateway.jsonl" | tr -d '\n' |
			sha256sum | cut -c 1-32)\."
done

# Put together by a shipper: mixed, each host's lines in their order.
jq -cs 'sort_by(.time) | .[].n' "$one" "$two" "$gpu" >/dev/null ||
	broken 'the ledgers are no JSON'
python3 - "$one" "$two" "$gpu" >"$dir/mixed" <<'END'
import json, sys
rows = [(json.loads(t)["time"], i, n, t) for i, name in enumerate(sys.argv[1:])
        for n, t in enumerate(open(name, encoding="utf-8"))]
sys.stdout.write("".join(t for _, _, _, t in sorted(rows)))
END
usage --verify "$dir/mixed"
is 'they hold when they are mixed' "$code" 0
like 'as so many lines' "$out" "^$lines lines, none changed"

# Rotated, and named in any order.
head -n 100 "$one" >"$dir/rotated.1"
sed -n '101,$p' "$one" >"$dir/rotated"
usage --verify "$dir/rotated" "$dir/rotated.1" "$dir/rotated"
is 'a chain goes on over files, each of which is read once' "$code" 0
like 'as one' "$out" "^front-1: $(wc -l <"$one") lines, numbers 1 to "

# Sent again by a shipper.
{
	head -n 60 "$dir/mixed"
	sed -n '50,$p' "$dir/mixed"
} >"$dir/again"
usage --verify "$dir/again"
is 'lines that come again are no break' "$code" 0
like 'and are named' "$out" 'more than once'

# damage NAME SED-SCRIPT FINDING
damage()
{
	sed "$2" "$dir/mixed" >"$dir/damaged"
	usage --verify "$dir/damaged"
	is "$1 is found" "$code" 1
	like "$1 is named, with its host" "$out" "damaged:[0-9]+: $3"
}
damage 'a line that was removed' 200d \
	'(front-.|gpu.home): 1 lines before it are missing'
damage 'a line that was changed' '200s/"client":"/&x/' \
	'(front-.|gpu.home): the line before it was changed'
damage 'a host that was changed' '200s/"gateway":"/&x/' \
	'x(front-.|gpu.home): the line before it was changed'
damage 'a line that was torn' '200s/,"prev".*//' 'torn'
{
	sed -n '1,199p' "$dir/mixed"
	sed -n '260,$p' "$dir/mixed"
	sed -n '200,259p' "$dir/mixed"
} >"$dir/damaged"
usage --verify "$dir/damaged"
is 'lines in another order are found' "$code" 1
tail -n +51 "$one" >"$dir/part"
usage --verify "$dir/part"
is 'a chain may begin anywhere' "$code" 0
like 'which is said' "$out" 'numbers 51 to '
usage --verify "$dir/nowhere"
is 'a file that is not there' "$code" 1
like 'is named' "$(cat "$dir/err")" 'nowhere: No such file'

# --- Sums ---------------------------------------------------------------------

all='--since 2026-01-01 --until 2027-06-01'
# shellcheck disable=SC2086 # words
usage $all --by client --format csv "$one" "$two" "$gpu"
is 'they are summed up' "$code" 0
printf '%s\n' "$out" | sed -e 1d -e 's/"//g' -e '/^,/d' -e '/^$/d' | awk -F, '{ print $1 "," $2 }' >"$dir/got"
python3 "$tests/ledgers.py" ask 1 "$one" "$two" "$gpu" |
	cut -d, -f1 | sort -u >"$dir/clients"
is 'by the names of the clients at the gateway that they asked' \
	"$(cut -d, -f1 "$dir/got" | sort -u)" "$(cat "$dir/clients")"
is 'each request once' "$(awk -F, '{ n += $2 } END { print n }' "$dir/got")" \
	"$(cat "$one" "$two" "$gpu" | jq -r 'select(.id) | .id' | sort -u |
		wc -l)"
# shellcheck disable=SC2086 # words
usage $all --by client --format csv "$one" "$two" "$gpu" "$dir/again"
printf '%s\n' "$out" | sed -e 1d -e 's/"//g' -e '/^,/d' -e '/^$/d' |
	awk -F, '{ print $1 "," $2 }' >"$dir/twice"
same 'and each line once, however often it was shipped' "$dir/got" "$dir/twice"
like 'and that others are left out is said' "$(cat "$dir/err")" \
	'handed on; they are counted once'
# shellcheck disable=SC2086 # words
usage $all --by gateway,client --format csv "$gpu"
like 'alone, a GPU host has its fronts'"'"' clients' "$out" \
	'^"?gpu.home"?,"?front-1/anna"?,'
is 'none of them is left out' "$(cat "$dir/err")" ''
usage --follow "$one"
is 'only the own ledger can be followed' "$code" 2

finish

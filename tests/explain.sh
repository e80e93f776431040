# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# `tailgate explain --json` agrees with tests/plan.cases, case by case: the
# same file that tests/unit/plan_test.c runs through plan_make().
. "${abs_srcdir:-.}/tests/lib.sh"

# JSON on standard input, one object on one line as explain prints it; in the
# words of plan.cases.
in_words()
{
	awk '
	function field(text, name,    at, rest) {
		at = index(text, "\"" name "\": ")
		if (at == 0)
			return ""
		rest = substr(text, at + length(name) + 4)
		if (substr(rest, 1, 1) == "\"") {
			rest = substr(rest, 2)
			return substr(rest, 1, index(rest, "\"") - 1)
		}
		if (substr(rest, 1, 1) == "[") {
			rest = substr(rest, 2, index(rest, "]") - 2)
			gsub(/[" ]/, "", rest)
			return rest
		}
		sub(/[,}].*/, "", rest)
		return rest == "null" ? "" : rest
	}
	{
		n = split($0, part, /\{"provider": "/)
		if (n > 1) {
			printf "%s", field($0, "ceiling")
			if (field($0, "ceiling_by") != "")
				printf " by %s", field($0, "ceiling_by")
		}
		for (i = 2; i <= n; i++) {
			printf "%s%s/%s %s", (i == 2 ? ": " : "; "),
			    substr(part[i], 1, index(part[i], "\"") - 1),
			    field(part[i], "model"), field(part[i], "verdict")
			if (field(part[i], "bridge") != "")
				printf " via %s", field(part[i], "bridge")
			if (field(part[i], "next_on") != "")
				printf " > %s", field(part[i], "next_on")
		}
		at = index($0, "\"refused\": {")
		if (at > 0)
			printf "%s! %s %s", (n > 1 ? " " : ""),
			    field(substr($0, at), "status"),
			    field(substr($0, at), "code")
		print ""
	}'
}

# run: the case in $name, $as, $send, $when, $plan.
run()
{
	# shellcheck disable=SC2086
	set -- $as
	printf '%s' "$send" >"$dir/body"
	printf '%s' "$when" >"$dir/facts"
	query=
	case $2 in
	voices | responses_*) query=$send ;;
	esac
	# Without a body, the query is sent.
	"$TAILGATE" -f "$tests/plan.conf" explain --json --client "$1" \
		--endpoint "$2" --facts "$dir/facts" --query "$query" \
		--header "X-Tailgate-Place: ${3:-external}" "$dir/body" \
		>"$dir/out" 2>"$dir/err"
	code=$?
	is "$name" "$(in_words <"$dir/out")" "$plan"
	case $plan in
	*'!'*) is "$name: exit status of a refusal" "$code" 1 ;;
	*) is "$name: exit status" "$code" 0 ;;
	esac
}

cases=0
while IFS= read -r line; do
	rest=$(printf '%s' "$line" | sed 's/^[a-z]*  *//')
	case $line in
	'case '*) name=$rest when='{}' ;;
	'as '*) as=$rest ;;
	'send '*) send=$rest ;;
	'when '*) when=$rest ;;
	'plan '*)
		plan=$rest
		run
		cases=$((cases + 1))
		;;
	esac
done <"$tests/plan.cases"
check "$cases cases" test "$cases" -ge 60

# The text for people says the same and more.
printf '%s' '{"model":"free","max_tokens":9,"messages":[]}' >"$dir/body"
printf '%s' '{"providers":{"den":{"open_ms":4000}},
	"limits":{"gpu":{"used":2,"queued":1}}}' >"$dir/facts"
"$TAILGATE" -f "$tests/plan.conf" explain --client owner \
	--facts "$dir/facts" <"$dir/body" >"$dir/out"
is "text: exit status" $? 0
out=$(cat "$dir/out")
like "text: client and endpoint" "$out" '^request +chat, by client owner, for model free'
like "text: the ceiling" "$out" '^ceiling +external'
like "text: slots" "$out" 'gpu: 2 of 2 slots used, 1 of 4 queued, waits 10 s'
like "text: a circuit" "$out" 'circuit open for 4 s'
like "text: timeouts" "$out" 'timeouts +connect [0-9]'
like "text: outcomes" "$out" 'next on +busy, unavailable, error'
like "text: cost" "$out" 'no price known'
like "text: what a local one costs" "$out" 'cost +nothing \(local\)'
like "text: what fits" "$out" 'fit +[0-9]+ of '

# Both files are in directories that only their names give.
mkdir "$dir/elsewhere"
cp "$dir/body" "$dir/facts" "$dir/elsewhere"
"$TAILGATE" -f "$tests/plan.conf" explain --client owner \
	--facts "$dir/elsewhere/facts" "$dir/elsewhere/body" >"$dir/same"
same "the body by name says the same" "$dir/same" "$dir/out"

# Called wrongly.
"$TAILGATE" -f "$tests/plan.conf" explain "$dir/body" >"$dir/out" 2>"$dir/err"
is "without --client: exit status" $? 2
like "without --client: it says so" "$(cat "$dir/err")" '--client NAME is needed'
"$TAILGATE" -f "$tests/plan.conf" explain --client nobody "$dir/body" \
	>"$dir/out" 2>"$dir/err"
is "an unknown client: exit status" $? 1
like "an unknown client: it says so" "$(cat "$dir/err")" 'no client nobody'
"$TAILGATE" -f "$tests/plan.conf" explain --client owner --endpoint models \
	"$dir/body" >"$dir/out" 2>"$dir/err"
is "an endpoint of our own: exit status" $? 2
"$TAILGATE" -f "$tests/plan.conf" explain --client owner "$dir/none" \
	>"$dir/out" 2>"$dir/err"
is "a body that is not there: exit status" $? 1

"$TAILGATE" -f "$tests/plan.conf" explain --client owner \
	--header 'X-Tailgate-Place: away' "$dir/body" >"$dir/out" 2>"$dir/err"
is "a place that is none: exit status" $? 2

# Forms: the boundary from the body itself.
printf -- '--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nnotes\r\n--b--\r\n' \
	>"$dir/form"
"$TAILGATE" -f "$tests/plan.conf" explain --json --client owner \
	--endpoint transcriptions --facts "$dir/facts" "$dir/form" >"$dir/out"
is "a form" "$(in_words <"$dir/out")" 'local by model notes: home/q8 in'

finish

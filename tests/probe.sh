# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# tailgate probe and tailgate status: what they find out about working and
# failing providers, what they keep, and what they never show.
. "${abs_srcdir:-.}/tests/lib.sh"

start_upstream stub
root=http://127.0.0.1:$stub_port
printf 'sk-very-secret-0123456789' >"$dir/key"
chmod 600 "$dir/key"

# providers_are SCRIPT: the config, with `turns` at the stub's SCRIPT.
providers_are()
{
	new_config <<-END
		limits = ( { name = "gpu"; slots = 2; queue = 5; } );
		providers = (
		  { name = "good"; place = "local"; limit = "gpu";
		    url = "$root/s/context=8192/v1"; },
		  { name = "turns"; place = "local"; url = "$root/s/$1/v1"; },
		  { name = "loading"; place = "local";
		    url = "$root/s/503,loading/v1"; },
		  { name = "cloud"; place = "external";
		    url = "$root/s/context=99/v1";
		    key = { file = "$dir/key"; }; },
		  { name = "limited"; place = "external";
		    url = "$root/s/429,retry=30/v1"; },
		  { name = "strict"; place = "external";
		    url = "$root/s/401/v1"; key = { file = "$dir/key"; }; }
		);
		models = ( { id = "m"; place = "external";
		  fallback = [ "unavailable", "error", "rate_limited" ];
		  targets = (
		    { provider = "good"; model = "qwen3"; },
		    { provider = "turns"; model = "x"; },
		    { provider = "loading"; model = "x"; },
		    { provider = "cloud"; model = "x"; },
		    { provider = "limited"; model = "x"; },
		    { provider = "strict"; model = "x"; } ); } );
	END
}

# tailgate ARGUMENTS: output in $out, exit status in $code.
tailgate()
{
	out=$("$TAILGATE" -f "$conf" "$@" 2>&1)
	code=$?
	printf '%s\n' "$out" >>"$dir/all.out"
}

# line NAME: the line of the output that begins with it.
line()
{
	printf '%s\n' "$out" | grep "^$1 "
}

providers_are 500

tailgate probe good cloud
is "providers that are well: 0" "$code" 0
like "with a line each" "$(line good)" '^good +local +ok '
like "the context of a local one is learned" "$(line good)" ' 8192 '
unlike "an external one is not asked for it" "$(line cloud)" ' 99 '
is "two providers named, two asked" "$(printf '%s\n' "$out" | wc -l)" 3

tailgate probe
is "one that is not well: 1" "$code" 1
like "500" "$(line turns)" 'failed.*HTTP 500'
like "Loading model" "$(line loading)" 'failed.*loading'
like "429" "$(line limited)" 'failed.*HTTP 429'
like "401" "$(line strict)" 'failed.*refuses the key'

check "what was learned is kept" \
	file_has "$dir/run/learned.json" '"context": 8192'
check "under the name that our target uses" \
	file_has "$dir/run/learned.json" '"qwen3"'
check_not "and nothing of external ones" \
	file_has "$dir/run/learned.json" '"cloud"'

tailgate status
is "status: 0" "$code" 0
like "one failure does not open a circuit" "$(line turns)" ' closed '
like "its last error is shown" "$(line turns)" ' error '
like "a 429 of the list keeps no request from its models" "$(line limited)" \
	' closed '
like "a refused key is no failure of the provider" "$(line strict)" ' closed '
like "limits have a line" "$(line gpu)" '^gpu +2 +0 +0 +5$'

tailgate probe turns
tailgate probe turns
tailgate status
like "failures in a row open it" "$(line turns)" ' open \('
tailgate status --json
like "status --json says so" "$out" \
	'"name":"turns","place":"local","limit":null,"state":"open"'
if command -v python3 >/dev/null 2>&1; then
	printf '%s\n' "$out" >"$dir/status.json"
	check "status --json is JSON" python3 -m json.tool "$dir/status.json"
fi

providers_are 200
tailgate probe turns
is "it responds again: 0" "$code" 0
tailgate status
like "and its circuit is closed" "$(line turns)" ' closed '

# What went over the wire.
check "the key went to its provider" grep -rq \
	'Authorization: Bearer sk-very-secret-0123456789' "$stub_dir"
grep -rl 'Authorization: Bearer sk-very-secret' "$stub_dir" |
	while read -r head; do
		head -n 1 "$head"
	done | sort -u >"$dir/cloud.paths"
is "external providers are asked for their models and nothing else" \
	"$(grep -v '/v1/models ' "$dir/cloud.paths")" ""
check_not "nothing printed holds the key" grep -q sk-very "$dir/all.out"
check_not "nor does anything kept" grep -rq sk-very "$dir/run" "$dir/state"

# An unchanged file is not written again: its readers watch it.
before=$(ls -i "$dir/run/learned.json")
tailgate probe good
is "the same again: learned.json stays the same file" \
	"$(ls -i "$dir/run/learned.json")" "$before"

# For a timer: only a line for each change.
tailgate probe --changes good turns
like "changes: at first all is new" "$out" ' good: ok.*'
is "changes: a line each" "$(printf '%s\n' "$out" | wc -l)" 2
tailgate probe --changes good turns
is "changes: nothing has changed, nothing is said" "$out" ''
is "changes: and all is well" "$code" 0
tailgate probe --changes loading
like "changes: another one is new" "$out" '^[^ ]+ loading: failed, .*loading$'
providers_are 500
tailgate probe --changes
like "changes: what failed" "$out" ' turns: failed, HTTP 500'
unlike "changes: not what stayed" "$out" ' (good|loading): '
is "changes: 1 for what is not well, said or not" "$code" 1
providers_are 200
tailgate probe --changes turns
like "changes: what is well again" "$out" ' turns: ok'
tailgate probe --changes --watch good
is "changes: not in a watch, which does so anyhow" "$code" 2
for broken in '' '{' '[]' '{"version":1,"seen":[]}' \
	'{"version":1,"seen":{"turns":7}}' '{"version":2,"seen":{}}'; do
	printf '%s' "$broken" >"$dir/run/probed.json"
	"$TAILGATE" -f "$conf" probe --changes turns >"$dir/out" 2>/dev/null
	like "changes: a file with '$broken' is none" "$(cat "$dir/out")" \
		' turns: ok'
done

if command -v jq >/dev/null 2>&1; then
	# of PROVIDER FILTER: of the JSON in $out.
	of()
	{
		printf '%s' "$out" | jq -c ".providers[] |
			select(.name == \"$1\") | $2"
	}
	tailgate probe --json
	is "json: one line" "$(printf '%s\n' "$out" | wc -l)" 1
	is "json: one that is well" "$(of good '[.place, .ok, .remark]')" \
		'["local",true,null]'
	is "json: what was learned" "$(of good '.learned[0] | [.model, .context,
		.images]')" '["qwen3",8192,false]'
	is "json: one that is not" "$(of loading '[.ok, .models, .learned]')" \
		'[false,null,[]]'
	like "json: and why" "$(of loading .remark)" 'loading'
	is "json: 1, as without it" "$code" 1
fi
check_not "nothing printed holds the key" grep -q sk-very "$dir/all.out"

tailgate probe nobody
is "a provider that is not there: 1" "$code" 1
tailgate probe --watch 0
is "a watch of 0 seconds: wrongly called" "$code" 2
tailgate status everything
is "status accepts no names: wrong arguments" "$code" 2

# more_than N: the stub has seen more requests.
# shellcheck disable=SC2317 # wait_until calls it
more_than()
{
	[ "$(stat stub requests)" -gt "$1" ]
}

seen=$(stat stub requests)
spawn watch "$TAILGATE" -f "$conf" probe --watch 1 good
check "a watch asks over and over" \
	wait_until -p "$watch_pid" more_than $((seen + 6))
# It holds the providers' keys.
like "a watch leaves no core file" "$(
	grep '^Max core file size' "/proc/$watch_pid/limits" 2>/dev/null ||
		echo 'Max core file size 0 0 bytes')" ' 0  *0 '
stop "$watch_pid" TERM
is "and ends well when told to" "$stop_status" 0
is "it prints its table once" "$(grep -c '^good ' "$dir/watch.log")" 1

finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# tailgate prices import: LiteLLM's list and OpenRouter's become rows of
# price_file, rows that an operator wrote stay, a request costs what the rows
# say, and `check` names those that are older than 90 days.
. "${abs_srcdir:-.}/tests/lib.sh"

mkdir -p "$dir/run" "$dir/state"
conf=$dir/tailgate.conf
cat >"$conf" <<END
runtime_dir = "$dir/run"; state_dir = "$dir/state";
price_file = "$dir/prices.conf";
providers = (
  { name = "openai"; url = "https://api.openai.com/v1"; place = "external";
    auth = "none"; },
  { name = "fast"; url = "https://api.groq.com/openai/v1"; auth = "none";
    place = "external"; },
  { name = "claude"; url = "https://api.anthropic.com/v1"; auth = "none";
    place = "external"; },
  { name = "router"; url = "https://openrouter.ai/api/v1"; auth = "none";
    place = "external"; },
  { name = "box"; url = "http://127.0.0.1:9/v1"; place = "local"; } );
models = (
  { id = "a"; place = "external";
    targets = ( { provider = "openai"; model = "gpt-x"; } ); },
  { id = "b"; place = "external"; fallback = [ "error" ];
    targets = ( { provider = "fast"; model = "llama-x"; },
      { provider = "openai"; model = "gpt-x"; } ); },
  { id = "c"; place = "external";
    targets = ( { provider = "claude"; model = "claude-x"; } ); },
  { id = "d"; place = "external";
    targets = ( { provider = "router"; model = "a/b-x"; } ); },
  { id = "e"; targets = ( { provider = "box"; model = "gpt-x"; } ); },
  { id = "f"; place = "external";
    targets = ( { provider = "openai"; model = "own";
      price = { input = 1.0; output = 2.0; }; } ); } );
private = ( );
clients = ( );
END
sed -i -e '/^private/d' -e '/^clients/d' "$conf"

cat >"$dir/litellm.json" <<'END'
{ "sample_spec": { "litellm_provider": "one of", "input_cost_per_token": 0 },
  "azure/gpt-x": { "litellm_provider": "azure", "mode": "chat",
    "input_cost_per_token": 9e-6, "output_cost_per_token": 9e-6 },
  "gpt-x": { "litellm_provider": "openai", "mode": "chat",
    "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
    "cache_read_input_token_cost": 1.25e-06,
    "input_cost_per_token_above_200k_tokens": 5e-06,
    "input_cost_per_image": 0.5, "max_input_tokens": 128000 },
  "own": { "litellm_provider": "openai", "input_cost_per_token": 7e-6 },
  "groq/llama-x": { "litellm_provider": "groq", "mode": "chat",
    "input_cost_per_token": 5.9e-07, "output_cost_per_token": -1 },
  "claude-x": { "litellm_provider": "anthropic", "mode": "chat",
    "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
    "cache_read_input_token_cost": 3e-07,
    "cache_creation_input_token_cost": 3.75e-06,
    "cache_creation_input_token_cost_above_1hr": 6e-06 } }
END
cat >"$dir/openrouter.json" <<'END'
{ "data": [
  { "id": "a/b-x", "context_length": 1000, "pricing": { "prompt": "0.0000001",
    "completion": "0.0000004", "image": "0.1", "request": "0.001",
    "input_cache_read": "0", "input_cache_write_1h": "0.0000002",
    "internal_reasoning": "x" } },
  { "id": "openrouter/auto", "pricing": { "prompt": "-1" } },
  { "id": "gpt-x", "pricing": { "prompt": "1" } } ] }
END
touch -d '2026-05-04T03:02:01Z' "$dir/litellm.json"

import()
{
	"$TAILGATE" -f "$conf" prices import "$@" >"$dir/out" 2>&1
	status=$?
}

import "$dir/litellm.json" --dry-run
is "a look" "$status" 0
like "shows what would be new" "$(cat "$dir/out")" \
	'^\+.*provider = "claude".*model = "claude-x"'
check_not "and writes nothing" test -e "$dir/prices.conf"

import "$dir/litellm.json"
is "LiteLLM's list" "$status" 0
[ "$status" = 0 ] || detail "$(cat "$dir/out")"
like "targets that are not in it are named" "$(cat "$dir/out")" \
	'^a/b-x at router: no price in the list$'
like "and what a price here cannot say" "$(cat "$dir/out")" \
	'^1 of these models cost more for long prompts'
row()
{
	tr '\n' ' ' <"$dir/prices.conf" |
		sed -n "s/.*{\([^{]*\"$1\"[^}]*\)}.*/\1/p" | tr -s ' '
}
is "of the seller that it is, at its date" "$(row gpt-x)" \
	"$(printf '%s%s %s\n' ' provider = "openai"; model = "gpt-x";' \
		' date = "2026-05-04";' \
		'input = 2.5; cached = 1.25; output = 10.0; ')"
is "with the seller's name before it" "$(row llama-x)" \
	"$(printf '%s%s %s\n' ' provider = "fast"; model = "llama-x";' \
		' date = "2026-05-04";' \
		'input = 0.59; ')"
is "cache writes by their duration" "$(row claude-x)" \
	"$(printf '%s %s %s\n' ' provider = "claude"; model = "claude-x";' \
		'date = "2026-05-04"; input = 3.0; cached = 0.3;' \
		'cache_write = 3.75; cache_write_1h = 6.0; output = 15.0; ')"
is "once for each target" "$(grep -c '"gpt-x"' "$dir/prices.conf")" 1
unlike "not if the operator gave a price" "$(cat "$dir/prices.conf")" '"own"'
unlike "nor of one's own" "$(cat "$dir/prices.conf")" '"box"'

# Says which prices are old, and only these.
"$TAILGATE" -f "$conf" check 2>"$dir/check"
is "the configuration is good" "$?" 0
like "check names what is old" "$(cat "$dir/check")" \
	'price of claude-x at claude was looked up [0-9]+ days ago.*import'
now=$(date -u +%Y-%m-%d)
import "$dir/litellm.json" --date "$now"
"$TAILGATE" -f "$conf" check 2>"$dir/check"
unlike "and no longer, once it is looked up again" \
	"$(cat "$dir/check")" 'days ago'
"$TAILGATE" -f "$conf" check --dump >"$dir/dump"
like "the date is in effect" "$(cat "$dir/dump")" "date = \"$now"

# A person's text stays: comments, rows, and the form of correct values.
cat >"$dir/prices.conf" <<'END'
# mine
prices = (
  { provider = "openai"; model = "gpt-x"; // by the contract
    input = 2.50; output = 8; },
  { provider = "box"; model = "power"; input = 0.1; } # our electricity
);
END
chmod 640 "$dir/prices.conf"
import "$dir/litellm.json" --date 2026-11-01
is "into a file of one's own" "$status" 0
like "it shows the lines that change" "$(cat "$dir/out")" '^-.*output = 8;'
is "what is right is left as it is written" \
	"$(grep -c 'input = 2.50; output = 10.0;' "$dir/prices.conf")" 1
is "comments and rows stay" "$(grep -c -e '^# mine' \
	-e '// by the contract' -e '"power"' -e '# our electricity' \
	"$dir/prices.conf")" 4
is "and its mode" "$(find "$dir/prices.conf" -perm 640)" \
	"$dir/prices.conf"
# Only root can give a file to a group that it is not in.
if [ "$(id -u)" -eq 0 ]; then
	chown 0:65534 "$dir/prices.conf"
	import "$dir/litellm.json" --date 2026-11-02
	is "whose it is, too" "$(command stat -c %u:%g:%a "$dir/prices.conf")" \
		0:65534:640
	import "$dir/litellm.json" --date 2026-11-01
fi
# A file that is named has to be there, even if the list has nothing for it.
mv "$dir/prices.conf" "$dir/kept"
echo '{ "nobody/x": { "litellm_provider": "nobody", "mode": "chat",
	"input_cost_per_token": 1e-6 } }' >"$dir/foreign.json"
check_not "without price_file: a mistake" "$TAILGATE" -f "$conf" check
import "$dir/foreign.json"
check "a list without our models makes it" [ -s "$dir/prices.conf" ]
check "and it is good" "$TAILGATE" -f "$conf" check
mv "$dir/kept" "$dir/prices.conf"
cp "$dir/prices.conf" "$dir/once"
import "$dir/litellm.json" --date 2026-11-01
same "again: nothing changes" "$dir/once" "$dir/prices.conf"
like "which is said" "$(cat "$dir/out")" 'has these prices already'

import "$dir/openrouter.json" --date 2026-11-02
is "OpenRouter's list" "$status" 0
is "its own models" "$(row a.b-x)" \
	"$(printf '%s%s %s %s\n' ' provider = "router"; model = "a/b-x";' \
		' date = "2026-11-02";' \
		'input = 0.1; cached = 0.0; cache_write_1h = 0.2;' \
		'output = 0.4; request = 0.001; ')"
like "not those of others" "$(cat "$dir/out")" \
	'^gpt-x at openai: .*sold there by openrouter; --seller openai=NAME'
import "$dir/openrouter.json" --seller openai=openrouter --dry-run
like "unless they are said to be" "$(cat "$dir/out")" '^\+.*input = 1000000\.0'

# The gateway charges by it.
"$TAILGATE" -f "$conf" check --dump | grep -A 30 '"claude-x"' >"$dir/dump"
like "a target has its price" "$(cat "$dir/dump")" 'cache_write_1h = 6'

# Lists are written by others.
cat >"$dir/hostile.json" <<'END'
{ "claude-x": { "litellm_provider": "", "input_cost_per_token": 1e-6 },
  "gpt-x": { "litellm_provider": "com", "input_cost_per_token": 1e-6 },
  "llama-x": { "litellm_provider": "api.groq.com",
    "input_cost_per_token": 1e-6 },
  "a/b-x": { "litellm_provider": "\u001b]0;x\u0007il",
    "input_cost_per_token": 1e-6 } }
END
import "$dir/hostile.json" --dry-run
is "a hostile list" "$status" 0
like "a seller without a name sells nothing" "$(cat "$dir/out")" \
	'^claude-x at claude: no price in the list: sold there by ;'
like "nor does what hosts end in" "$(cat "$dir/out")" \
	'^gpt-x at openai: no price in the list: sold there by com;'
unlike "a whole host does" "$(cat "$dir/out")" '^llama-x at fast: no price'
like "no name reaches the terminal as it is" "$(cat "$dir/out")" \
	'sold there by \\x1[bB]\]0;x\\x07il;'
printf '{ "a": x\033[31m }' >"$dir/hostile.json"
import "$dir/hostile.json"
is "broken JSON" "$status" 1
check_not "nor what is wrong in it" grep -q "$(printf '\033')" "$dir/out"

# Mistakes are reported.
: >"$dir/empty"
import "$dir/empty"
like "an empty file" "$status $(cat "$dir/out")" '^1 .*empty: line [0-9]+: '
echo '{ "a": { "b": 1 }, "data": {} }' >"$dir/else"
import "$dir/else"
like "something else" "$status $(cat "$dir/out")" '^1 .*neither LiteLLM'
import "$dir/none"
like "a file that is not there" "$status $(cat "$dir/out")" \
	'^1 .*No such file'
import "$dir/litellm.json" --date tomorrow
is "a date that is none" "$status" 2
sed -i '/^price_file/d' "$conf"
import "$dir/litellm.json"
like "no price_file" "$status $(cat "$dir/out")" \
	'^1 .*price_file = "prices.conf";'
finish

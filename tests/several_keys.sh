# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A provider with several keys: when one is refused or limited the next is used,
# within the same provider and without a fallback permission.  Each key is left
# alone by itself, over a reload too, and none is shown.
. "${abs_srcdir:-.}/tests/lib.sh"

need python3 jq

start_keyed_upstream

for n in 1 2 3; do
	echo "sk-several-number-$n-MARK" >"$dir/key$n"
	chmod 600 "$dir/key$n"
done
k1=sk-several-number-1-MARK
k2=sk-several-number-2-MARK
k3=sk-several-number-3-MARK

# config [MORE]: of the provider "cloud"; both models lead there alone.
config()
{
	new_config <<-END
		processes = 2;
		providers = (
		  { name = "cloud"; place = "external"; url = "$url";
		    keys = ( { file = "key1"; }, { file = "key2"; },
		      { file = "key3"; } );
		    circuit = { failures = 3; cooldown = ${1:-600};
		      cooldown_max = 600; }; }
		);
		models = (
		  { id = "m"; place = "external"; targets = (
		    { provider = "cloud"; model = "big";
		      price = { request = 0.5; }; } ); },
		  { id = "small"; place = "external"; targets = (
		    { provider = "cloud"; model = "tiny"; } ); }
		);
	END
}
# shellcheck disable=SC2154 # add_client sets them
ask()
{
	: >"$log"
	post /v1/chat/completions "$(printf \
		'{"model":"%s","messages":[{"role":"user","content":"hi"}]}' \
		"${1:-m}")"
}
last_line()
{
	tail -n 1 "$dir/state/ledger.jsonl"
}
lines_are()
{
	[ "$(wc -l <"$dir/state/ledger.jsonl")" -eq "$1" ]
}
rests()
{
	"$TAILGATE" -f "$conf" status --json | jq -c \
		'[.providers[0].keys[] | select(.rests | length > 0) | .number]'
}

config
add_client anna --place external --operator
start_tailgate
start_lighttpd

ask
is 'all is well: the first key' "$status:$(cat "$log")" "200:200 $k1 big"

# --- refused: the second, at once, within one request -------------------------
echo "$k1 401" >"$answers"
ask
is 'a key that is refused: the next one is used' "$status" 200
is 'each was asked once' "$(cat "$log")" "401 $k1 big
200 $k2 big"
is 'it is no fallback' "$(header x-tailgate-fallback)" ''
wait_until lines_are 2
is 'each try is in the account, with its key' "$(last_line | jq -c \
	'[.tries[] | [.provider, .host, .key, .outcome, .sent, .bytes_sent > 0,
	.cost_nanousd]], .fallback')" \
	'[["cloud","127.0.0.1",1,"error",true,true,0],'\
'["cloud","127.0.0.1",2,"ok",true,true,500000000]]
null'
is 'it rests' "$(rests)" '[1]'
like 'status says so' "$("$TAILGATE" -f "$conf" status)" \
	'cloud +key 1 of 3 rests +-? *key or account not accepted'
is 'the circuit is closed' "$("$TAILGATE" -f "$conf" status --json |
	jq -r '.providers[0].state')" closed
ask
is 'the next request does not ask it' "$(cat "$log")" "200 $k2 big"
ask small
is 'nor for another model' "$(cat "$log")" "200 $k2 tiny"

# --- a limit of one model -----------------------------------------------------
echo "$k2 429 400" >>"$answers"
ask
is 'one that is limited: the third is used' "$status:$(cat "$log")" \
	"200:429 $k2 big
200 $k3 big"
is 'both rest' "$(rests)" '[1,2]'
like 'for the time that it said' "$("$TAILGATE" -f "$conf" status)" \
	'key 2 of 3 rests +big +one model rate limited +([1-6]m|[1-3][0-9][0-9]s|400s)'
sed -i "/$k2/d" "$answers"
ask small
is 'a limit of one model leaves the key to others' "$(cat "$log")" \
	"200 $k2 tiny"

renew_workers
ask
is 'a reload keeps the rests' "$(cat "$log")" "200 $k3 big"

# --- all of them ---------------------------------------------------------------
echo "$k3 402" >>"$answers"
ask
check 'the last key is refused, too: that is said' \
	error_is 502 provider_account
unlike 'without the key' "$(cat "$dir/body" "$dir/head")" 'MARK'
ask
check 'then all rest, and no provider is asked' error_is 503 provider_unavailable
is 'none was' "$(cat "$log")" ''
like 'it says when to come back' "$(header retry-after)" '^[1-9][0-9]*$'
like 'and why' "$(cat "$dir/body")" 'all 3 keys of cloud rest'
like 'explain says it in the same words' "$(printf '{"model":"m"}' |
	"$TAILGATE" -f "$conf" explain --client anna 2>&1)" \
	'all 3 keys of cloud rest'
ask small
is 'a model of which one key is free is served' "$status:$(cat "$log")" \
	"200:200 $k2 tiny"

# --- probe ----------------------------------------------------------------------
like 'probe says which keys are refused' "$("$TAILGATE" -f "$conf" probe)" \
	'key 1 of 3 is refused, key 3 of 3 is refused'

# --- a rest ends ------------------------------------------------------------------
stop "$tailgate_pid"
rm -rf "$dir/run"
: >"$answers"
config 0.2
start_tailgate
echo "$k1 403" >"$answers"
ask
is '403 by a limit of the key: the next' "$status:$(wc -l <"$log")" 200:2
: >"$answers"
first_again()
{
	ask && [ "$(cat "$log")" = "200 $k1 big" ]
}
check 'after its rest it is the first again' wait_until first_again
echo "$k1 529" >"$answers"
ask
is 'a limit of all models without a time: the next' \
	"$status:$(wc -l <"$log")" 200:2

# --- nowhere ---------------------------------------------------------------------
for file in "$dir/tailgate.log" "$dir/state/ledger.jsonl"; do
	check_not "no key is in $(basename "$file")" grep -q MARK "$file"
done
check_not 'nor in runtime_dir' grep -r -q -a MARK "$dir/run"
unlike 'nor in the dump' "$("$TAILGATE" -f "$conf" check --dump)" MARK
like 'which names their files' "$("$TAILGATE" -f "$conf" check --dump)" \
	'file = ".*/key3"'
check 'the ledger verifies' "$TAILGATE" -f "$conf" usage --verify

# --- what is wrong in a configuration ----------------------------------------------
cp "$dir/key1" "$dir/key2"
like 'a key that is there twice' "$("$TAILGATE" -f "$conf" check 2>&1)" \
	'keys\[1\]: is the same key as keys\[0\]'
sed -i 's/keys = (/key = { file = "key3"; }; keys = (/' "$conf"
like 'key and keys' "$("$TAILGATE" -f "$conf" check 2>&1)" \
	'keys: there is a .key., too; move it into keys'
sed -i 's/keys = ( {[^}]*}/keys = ( "sk-MARK"/' "$conf"
like 'a key itself' "$("$TAILGATE" -f "$conf" check 2>&1)" \
	'keys\[0\]: do not write the key itself here'
unlike 'is not shown' "$("$TAILGATE" -f "$conf" check 2>&1)" MARK
finish

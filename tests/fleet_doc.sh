#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The settings in doc/fleet.md are accepted as they are there, and its commands
# that need one host only do what it says.  (What the recipes do on several hosts
# is tested by the scripts that it names.)
. "${abs_srcdir:-.}/tests/lib.sh"

doc=$abs_srcdir/doc/fleet.md
awk -v dir="$dir" '
	/^```/ { inside = !inside; n += inside; next }
	inside { print >(dir "/block." n) }' "$doc"

settings=0
for block in "$dir"/block.*; do
	# Settings, and none that leave something out.
	grep -q '^[a-z]* = [({]' "$block" || continue
	! grep -q '\.\.\.' "$block" || continue
	settings=$((settings + 1))
	new_config "recipe$settings" <"$block"
	if [ ! -e "$dir/office.key" ]; then
		arguments=$(sed -n 's/^# tailgate \(client .*\) > office.key$/\1/p' \
			"$dir"/block.*)
		# shellcheck disable=SC2086 # words
		"$TAILGATE" -f "$conf" $arguments \
			>"$dir/office.key" 2>"$dir/client.log"
		chmod 600 "$dir/office.key"
		like 'a relay gets a key' "$(cat "$dir/office.key")" \
			'^tg-[A-Za-z0-9]{43}$'
		cp "$dir/office.key" "$dir/store.key"
	fi
	check "recipe $settings is accepted: $(head -n 1 "$block" | cut -c1-50)" \
		"$TAILGATE" -f "$conf" check
done
is 'there are four' "$settings" 4

cd "$dir" || broken 'no directory'
python3 "$tests/ledgers.py" make "$dir" 60 >"$dir/made.log"
mv front-1.jsonl one.jsonl
mv front-2.jsonl two.jsonl
mv gpu.home.jsonl gpu.jsonl
# What the doc says of ledgers, word for word.
grep -h '^tailgate usage ' "$dir"/block.* >"$dir/usage"
is 'two commands about ledgers' "$(wc -l <"$dir/usage")" 2
while read -r _ arguments; do
	# shellcheck disable=SC2086 # words
	check "tailgate $arguments" "$TAILGATE" -f "$conf" $arguments
done <"$dir/usage"
is 'the ledgers hold' "$(grep -c 'none changed, removed or swapped' \
	"$dir/check.out")" 1

finish

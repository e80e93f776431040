#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# How long `tailgate usage` needs for a large ledger, and how much memory.
# Usage: bench/usage.sh [LINES], with tailgate in the current directory or named
# by $TAILGATE.  Needs GNU time.
set -eu

lines=${1:-1000000}
tailgate=${TAILGATE:-./tailgate}
dir=$(mktemp -d "${TMPDIR:-/tmp}/tailgate-usage.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

cat >"$dir/tailgate.conf" <<CONF
runtime_dir = "$dir"; state_dir = "$dir";
ledger = { file = "$dir/ledger.jsonl"; };
providers = ( { name = "echo"; kind = "echo"; place = "local"; } );
models = (
  { id = "chat"; targets = ( { provider = "echo"; model = "x"; } ); }
);
CONF

# A week of 9 models, 7 clients and 3 providers, in two files; lines as the
# responder writes them.  The chain's hashes are not real, since --verify is not
# measured.
awk -v lines="$lines" -v dir="$dir" -v first="$(date -u +%Y-%m-%dT)" '
BEGIN {
	split("qwen-local deepseek openrouter", provider, " ")
	split("local external external", place, " ")
	split("x api.deepseek.com openrouter.ai", host, " ")
	file = dir "/ledger.jsonl.1"
	for (i = 1; i <= lines; i++) {
		if (i == int(lines * 2 / 3))
			file = dir "/ledger.jsonl"
		p = i % 3 + 1
		printf "{\"v\":2,\"time\":\"%s%02d:%02d:%02d.%03dZ\"," \
		    "\"id\":\"req_%024x\",\"client\":\"client%d\"," \
		    "\"endpoint\":\"chat\",\"model\":\"model%d\"," \
		    "\"route\":\"model%d\",\"provider\":\"%s\"," \
		    "\"place\":\"%s\",\"sent\":true,%s\"tries\":[{" \
		    "\"provider\":\"%s\",\"upstream_model\":" \
		    "\"some-model-%d\",\"place\":\"%s\",\"host\":\"%s\"," \
		    "\"allowed_by\":\"client client%d, model model%d\"," \
		    "\"outcome\":\"ok\",\"sent\":true,\"bytes_sent\":%d," \
		    "\"usage\":\"reported\",\"input\":%d,\"cached\":%d," \
		    "\"output\":%d,\"cost_nanousd\":%d," \
		    "\"first_byte_ms\":%d,\"at_ms\":0,\"ms\":%d}]," \
		    "\"stream\":true,\"status\":200,\"bytes_in\":%d," \
		    "\"bytes_out\":%d,\"bytes_sent\":%d,\"usage\":" \
		    "\"reported\",\"input\":%d,\"cached\":%d,\"output\":%d," \
		    "\"cost_nanousd\":%d,\"queue_ms\":0,\"first_byte_ms\":%d," \
		    "\"total_ms\":%d,\"n\":%d,\"prev\":" \
		    "\"0123456789abcdef0123456789abcdef\"}\n", first,
		    int(i / 3600) % 24, int(i / 60) % 60, i % 60, i % 1000, i,
		    i % 7, i % 9, i % 9, provider[p], place[p],
		    (p > 1 ? "\"external\":true," : ""), provider[p], i % 9,
		    place[p], host[p], i % 7, i % 9, i % 90000, i % 30000,
		    i % 10000, i % 4000, i % 1000000, i % 3000, i % 5000,
		    i % 90000, i % 40000, i % 90000, i % 30000, i % 10000,
		    i % 4000, i % 1000000, i % 3000, i % 9000, i >file
	}
}'

wc -c "$dir"/ledger.jsonl* | awk '$2 != "total" { b += $1 } END {
	printf "%d lines, %.0f MB\n", '"$lines"', b / 1e6 }'
touch "$dir/clients.conf"
for by in client,model,provider,place day status,refusal; do
	/usr/bin/time -o "$dir/time" -f "%e s (%U + %S s of CPU), %M KB" \
	    "$tailgate" -f "$dir/tailgate.conf" usage --since 2d --until today \
	    --by "$by" >"$dir/out"
	echo "--by $by: $(cat "$dir/time")"
done
sed -n '1,12p' "$dir/out"

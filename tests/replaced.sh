# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Directories that are replaced while the gateway runs: workers are held to
# the old ones, so the parent starts new workers, by itself.
. "${abs_srcdir:-.}/tests/lib.sh"

need lighttpd
start_upstream stub
stub_config
add_client anna
start_tailgate
start_lighttpd

# What holds the workers is said wherever an operator looks.
wait_until -p "$tailgate_pid" file_has "$dir/tailgate.log" 'sandbox of a worker'
said=$(sed -n 's/.*sandbox of a worker: //p' "$dir/tailgate.log" | head -n 1)
is 'status says what the log says' \
	"$("$TAILGATE" -f "$conf" status | sed -n 's/^sandbox: //p')" "$said"

for name in state run; do
	mv "$dir/$name" "$dir/$name.old"
	mkdir -m 750 "$dir/$name"
done
# The socket lay in neither, so that requests still arrive.
wait_until -p "$tailgate_pid" file_has "$dir/tailgate.log" 'is in force'
post /v1/chat/completions "$(chat plain)"
is 'requests are served' "$status" 200
wait_until -p "$tailgate_pid" test -s "$dir/state/ledger.jsonl"
check 'and accounted in the new directory' \
	grep -q '"status":200' "$dir/state/ledger.jsonl"
check 'slots and health live in the new one' test -d "$dir/run/slots" -o \
	-n "$(ls "$dir/run")"
finish

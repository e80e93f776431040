# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# contrib/otel: the recipe by which OpenTelemetry's collector reads the ledger, held
# against a ledger that real requests have written; and by the collector itself,
# where there is one ($OTELCOL, or otelcol-contrib or otelcol in PATH).
. "${abs_srcdir:-.}/tests/lib.sh"

need python3 jq
python3 -c 'import yaml' 2>/dev/null || skip_all "Python has no yaml"

start_upstream stub
stub_config
add_client anna
start_tailgate
start_lighttpd
wait_until serves
post /v1/chat/completions "$(chat plain)" -H 'X-Tailgate-Session: one' -H \
	'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
post /v1/completions '{"model":"stub/plain","prompt":"x"}'
post /v1/embeddings '{"model":"stub/plain","input":"x"}'
post /v1/messages '{"model":"stub/plain","max_tokens":9,"messages":[]}'
post /v1/chat/completions '{"model":"nothing","messages":[]}'
post /v1/chat/completions "$(chat 500)"
stop "$tailgate_pid"
ledger=$dir/state/ledger.jsonl
recipe=$abs_srcdir/contrib/otel/collector.yaml

python3 "$tests/otel.py" check "$recipe" "$ledger" \
	"$abs_srcdir/src/ledger/form.c" >"$dir/taken" 2>&1 ||
	fail "the recipe is read: $(cat "$dir/taken")"
take "$dir/taken" recipe

collector=${OTELCOL:-}
for name in otelcol-contrib otelcol; do
	[ -n "$collector" ] || collector=$(command -v $name)
done
if [ -n "$collector" ]; then
	mkdir "$dir/otelcol"
	sed -e "s|@localstatedir@/lib/tailgate|$dir/state|" \
		-e "s|@localstatedir@/lib/otelcol|$dir/otelcol|" \
		"$recipe" >"$dir/collector.yaml"
	spawn collector "$collector" --config "file:$dir/collector.yaml"
	# shellcheck disable=SC2317 # wait_until calls it
	has_all()
	{
		[ "$(grep -o '"timeUnixNano"' "$dir/otelcol/tailgate.json" |
			wc -l)" -eq "$(wc -l <"$ledger")" ]
	}
	check 'the collector reads all lines' \
		wait_until -p "$collector_pid" has_all
	python3 "$tests/otel.py" same "$dir/otelcol/tailgate.json" "$ledger" \
		>"$dir/taken" 2>&1 ||
		fail "its output is read: $(cat "$dir/taken")"
	take "$dir/taken" collector
else
	detail 'no collector is here'
fi
finish

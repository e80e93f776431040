# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The Grafana dashboard and the alert rules use only metrics that /metrics has.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq curl lighttpd

start_upstream stub
stub_more='limit = "gpu";'
more='limits = ( { name = "gpu"; slots = 2; queue = 5; } );'
stub_config
add_client chief --operator
start_tailgate
start_server lighttpd
post /v1/chat/completions "$(chat plain)"
all_settled
request /metrics
is 'the metrics are there' "$status" 200

board=$abs_srcdir/contrib/grafana/tailgate.json
jq -r '.panels[].targets[].expr, .templating.list[].query.query?' "$board" |
	cat - "$abs_srcdir/contrib/prometheus/alerts.yml" |
	grep -o 'tailgate_[a-z_]*' | sort -u >"$dir/asked"
check 'the dashboard asks for metrics' test -s "$dir/asked"
while read -r metric; do
	check "$metric is there" grep -q "^${metric}[{ ]" "$dir/body"
done <"$dir/asked"

finish

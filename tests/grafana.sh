# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The Grafana dashboards, of a host and of a fleet, and the alert rules use only
# metrics that /metrics has.
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

for board in tailgate fleet; do
	jq -r '.panels[].targets[].expr, .templating.list[].query.query?' \
		"$abs_srcdir/contrib/grafana/$board.json" |
		cat - "$abs_srcdir/contrib/prometheus/alerts.yml" |
		grep -o 'tailgate_[a-z_]*' | sort -u >"$dir/asked"
	check "$board: the dashboard asks for metrics" test -s "$dir/asked"
	while read -r metric; do
		check "$board: $metric is there" grep -q "^${metric}[{ ]" "$dir/body"
	done <"$dir/asked"
	is "$board: each panel has a place and a number of its own" "$(jq -c \
		'[.panels[].id] == ([.panels[].id] | unique) and
		 [.panels[].gridPos | [.x, .y]] ==
		 ([.panels[].gridPos | [.x, .y]] | unique | sort_by(.[1], .[0]))' \
		"$abs_srcdir/contrib/grafana/$board.json")" true
	if command -v promtool >/dev/null; then
		jq '{ groups: [ { name: "board", rules:
			([.panels[].targets[].expr] | to_entries | map({
			record: "board\(.key)", expr: .value |
			gsub("\\$__rate_interval"; "5m") })) } ] }' \
			"$abs_srcdir/contrib/grafana/$board.json" >"$dir/rules.yml"
		check "$board: promtool reads each expression" \
			promtool check rules "$dir/rules.yml"
	fi
done

finish

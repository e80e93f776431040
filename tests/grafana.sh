# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The Grafana dashboards, of a host and of a fleet, and the alert rules use only
# metrics that /metrics has.  Those of the store are there whether it can be
# reached or not: here there is none.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq curl lighttpd

start_upstream stub
stub_more='limit = "gpu";'
more='limits = ( { name = "gpu"; slots = 2; queue = 5; } );'
without_store=
if grep -q 'built without hiredis' "$TAILGATE_FCGI"; then
	without_store='^tailgate_store_'
else
	more="$more store = { url = \"unix://$dir/store\"; };"
fi
stub_config
add_client chief --operator --usd-per-day 5
start_tailgate
start_server lighttpd
post /v1/chat/completions "$(chat plain)"
all_settled
request /metrics
is 'the metrics are there' "$status" 200
[ -n "$without_store" ] ||
	like 'those of a store that is away, too' "$(body)" \
		'^tailgate_store_up 0$'

for board in tailgate fleet; do
	jq -r '.panels[].targets[].expr, .templating.list[].query.query?' \
		"$abs_srcdir/contrib/grafana/$board.json" |
		cat - "$abs_srcdir/contrib/prometheus/alerts.yml" |
		grep -o 'tailgate_[a-z_]*' | sort -u |
		grep -v "${without_store:-^$}" >"$dir/asked"
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

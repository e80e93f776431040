# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Every row of tests/faults.tsv through each web server: what the client gets,
# how its SDK reads it, what the ledger says, and whether the next target was
# asked.  The columns are explained in the table.
#
# One curl sends the requests of all rows at once, except those that need an
# order: `leave` (the client leaves once the first piece has arrived) and
# `close-reuse` (a connection that closes as it is used again).
. "${abs_srcdir:-.}/tests/lib.sh"

shape= # one of its own, below

servers=${servers:-lighttpd caddy nginx}
need awk
table=$tests/faults.tsv
clients=${TAILGATE_CLIENTS:-$abs_builddir/clients}
ledger=$dir/state/ledger.jsonl

start_upstream first
start_upstream second
start_upstream kept -n
reserve_port dead

# The rows as r1, r2, ...; or only those that were chosen, for a closer look.
awk -F '\t' -v only="${FAULTS:-.}" '
	/^#/ || $1 == "fault" { next }
	{ n++ }
	($1 "\t" $2 "\t" $3) ~ only { print "r" n "\t" $0 }
' "$table" >"$dir/rows"
rows=$(wc -l <"$dir/rows")
[ "${FAULTS:-}" != '' ] || [ "$rows" -ge 150 ] || broken "only $rows rows"

# like URL: what all providers have.
like()
{
	echo "place = \"local\"; url = \"$1\"; circuit = { failures = 0; };" \
	    'endpoints = [ "chat", "completions", "embeddings", "rerank",' \
	    '"responses", "messages", "count_tokens", "speech",' \
	    '"transcriptions" ];'
}

# provider NAME URL [timeouts]
provider()
{
	echo "{ name = \"$1\"; $(like "$2") timeouts = { ${3:-} }; }"
}

new_config <<-END
	processes = 1;
	commit = 60.0;
	providers = (
	  $(provider kept "$kept_url"),
	  $(provider first "$first_url"),
	  $(provider dead "$dead_url"),
	  $(provider hasty "$first_url" 'first_byte = 0.3;'),
	  $(provider lazy "$first_url" 'idle = 0.3;'),
	  $(provider brief "$first_url" 'total = 1.0;'),
	  $(provider second "$second_url")
	  $(awk -f "$tests/faults.awk" -v what=providers \
	    -v like="$(like "$first_url")" "$dir/rows")
	);
	models = (
	  { id = "prime"; targets = (
	    { provider = "kept"; model = "close-reuse"; } ); }
	  $(awk -f "$tests/faults.awk" -v what=models "$dir/rows")
	);
END
add_client anna

# Then all requests that have ended are in the ledger.
stop_gateway()
{
	[ -z "${tailgate_pid:-}" ] || stop "$tailgate_pid"
	tailgate_pid=
}

# What the gateway learned from one pass (429, Retry-After) must not be known to
# the next.
start_afresh()
{
	stop_gateway
	rm -rf "$dir/run"
	mkdir "$dir/run"
	start_tailgate
	wait_until -t 60 serves || broken "$server does not find it again"
}

head -c 3000 /dev/zero >"$dir/a.wav"

# only ERE: the rows with such a fault: those rows.
only()
{
	awk -F '\t' -v re="$1" '$2 ~ re' "$dir/rows"
}

# The rows that are in the ledger: all but those about ourselves.
accounted()
{
	awk -F '\t' '$3 != "models"' "$dir/rows" | wc -l
}

# lines_since MARK: what the ledger has got since it had that many lines.
lines_since()
{
	tail -n "+$(($1 + 1))" "$ledger"
}

ledger_len()
{
	if [ -e "$ledger" ]; then
		wc -l <"$ledger"
	else
		echo 0
	fi
}

ledger_reaches()
{
	[ "$(ledger_len)" -ge "$1" ]
}

# config_of ID: curl's config for this row alone.
config_of()
{
	awk -F '\t' -v id="$1" '$1 == id { $2 = ""; print }' OFS='\t' \
	    "$dir/rows" | awk -f "$tests/faults.awk" -v what=requests \
	    -v key="$key" -v base="$base" -v out="$out" \
	    -v audio="$dir/a.wav" | sed 1d
}

ask_together()
{
	awk -f "$tests/faults.awk" -v what=requests -v key="$key" \
	    -v base="$base" -v out="$out" -v audio="$dir/a.wav" \
	    "$dir/rows" | sed 1d >"$out/config"
	curl -q -s -Z --parallel-max 12 -K "$out/config" >"$out/curl" \
	    2>"$out/curl.err"
}

# A connection that closes just as it is used again: no client may notice.
ask_reused()
{
	tell kept reset >/dev/null
	only close-reuse >"$out/reused"
	while IFS='	' read -r id rest; do
		post /v1/chat/completions '{"model":"prime","messages":[]}'
		config_of "$id" >"$out/config"
		curl -q -K "$out/config" >>"$out/curl"
	done <"$out/reused"
	n=$(wc -l <"$out/reused")
	primed=$n
	[ "$n" -gt 0 ] || return 0
	is "$server: each was asked once" "$(stat kept requests)" $((2 * n))
	is "$server: and each on a connection that closed under it" \
	    "$(stat kept connections)" $((n + 1))
}

# The client goes as soon as the first piece is there.
ask_and_leave()
{
	only leave >"$out/left"
	while IFS='	' read -r id rest; do
		config_of "$id" >"$out/$id.config"
		curl -q -N -K "$out/$id.config" >"$out/$id.curl" 2>&1 &
		adopt "$id" $!
	done <"$out/left"
	while IFS='	' read -r id rest; do
		eval "its_pid=\$${id}_pid"
		wait_until -p "$its_pid" file_longer "$out/$id.body" 20
		kill "$its_pid"
		wait "$its_pid" 2>/dev/null
		forget "$its_pid"
		echo "$id $(awk 'NR == 1 { print $2 }' "$out/$id.head") 0 1" \
		    >>"$out/curl"
	done <"$out/left"
}

# sdk PASS: the rows through the SDKs, in the words "ID CLASS".
sdk()
{
	BASE_URL=$base/v1 API_KEY=$key ROWS=$dir/rows AUDIO=$dir/a.wav \
	    "$node" "$dir/js/faults.mjs" "$1" >"$out/sdk.$1" \
	    2>"$out/sdk.err" || {
		fail "$server: the SDKs' script ran to its end"
		detail "$(cat "$out/sdk.err")"
	}
}

have_sdk=0
if [ -d "$clients/node_modules/openai" ] &&
	[ -d "$clients/node_modules/@anthropic-ai/sdk" ]; then
	for node in "$clients"/node_modules/node-linux-*/bin/node node; do
		[ ! -x "$node" ] || break
	done
	command -v "$node" >/dev/null && have_sdk=1
	# Where the script's imports are looked for.
	mkdir "$dir/js"
	cp "$tests/clients/faults.mjs" "$dir/js/"
	ln -s "$clients/node_modules" "$dir/js/node_modules"
fi
[ "$have_sdk${TAILGATE_CI:-0}" != 01 ] || broken "the SDKs are not installed"

ask_all()
{
	out=$dir/by-$1
	primed=0
	mkdir "$out"
	rm -f "$second_dir"/*
	: >"$out/sdk"
	: >"$out/retried"
	start_afresh
	from=$(ledger_len)
	ask_together
	ask_and_leave
	ask_reused
	check "$1: each request is accounted" \
	    wait_until ledger_reaches $((from + $(accounted) + primed))
	lines_since "$from" >"$out/ledger"
	find "$second_dir" -name '*.body' -exec \
	    grep -a -o -h 'next-r[0-9]*' {} + | sort -u >"$out/seen"
	if [ "$have_sdk" = 1 ]; then
		start_afresh
		sdk none
		cp "$out/sdk.none" "$out/sdk"
		start_afresh
		from=$(ledger_len)
		sdk default
		stop_gateway
		lines_since "$from" >"$out/retried"
	fi
	awk -f "$tests/faults.awk" -v what=judge -v out="$out" -v server="$1" \
	    -v sdk="$have_sdk" "$dir/rows" >"$out/judged"
	take "$out/judged" "$1"
}

# What the manual says of each error that is our own; of the upstream's there
# are only the status and the advice.
check 'the table and tailgate.fcgi(8) agree' \
	awk -f "$tests/faults.awk" -v what=manual \
	"$abs_srcdir/man/tailgate.fcgi.8" "$dir/rows"
each_server ask_all
finish

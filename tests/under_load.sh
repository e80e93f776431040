# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# under_load.sh: a load through lighttpd and Caddy at once, for the rows of the
# table of failures; for tests that source it after lib.sh.

# Variables of lib.sh, and ones that only the tests use.
# shellcheck disable=SC2154,SC2034

need caddy lighttpd

# start_both: the web servers, before the same gateway; $base is lighttpd's.
start_both()
{
	start_caddy
	caddy_base=$base
	start_lighttpd
	lighttpd_base=$base
}

# at_each COMMAND...: it is so through each web server.
at_each()
{
	at_each_rc=0
	for base in "$caddy_base" "$lighttpd_base"; do
		if ! "$@"; then
			at_each_rc=1
			break
		fi
	done
	base=$lighttpd_base
	return $at_each_rc
}

# load_on MODEL SECONDS: sixteen clients of anna's send requests as fast as they
# can, half of them through each web server.
load_on()
{
	tell stub reset >/dev/null
	for each in lighttpd caddy; do
		eval "base=\$${each}_base"
		"$load" -c 8 -n 1000000 -d "$2" -k "$anna_key" \
			-b "$(printf '{"model":"%s","messages":[]}' "$1")" \
			"${base#http://}" >"$dir/load.$each" 2>&1 &
		adopt "load_$each" $!
	done
	base=$lighttpd_base
	wait_until -p "$load_lighttpd_pid" stat_reaches stub requests 20
}

# load_over ROW: waits for the load, and adds up what the two had, if each was
# served.
load_over()
{
	for each in lighttpd caddy; do
		eval "wait \$load_${each}_pid; forget \$load_${each}_pid"
		detail "$1: $each: $(cat "$dir/load.$each")"
	done
	cat "$dir/load.lighttpd" "$dir/load.caddy" | awk '/^complete=[1-9]/ {
		n++
		for (i = 1; i <= NF; i++) {
			split($i, field, "=")
			sum[field[1]] += field[2]
		}
	}
	END {
		if (n == 2)
			printf "complete=%d failed=%d refused=%d both\n",
				sum["complete"], sum["failed"], sum["refused"]
	}' >"$dir/load"
	like "$1: both web servers had responses" "$(cat "$dir/load")" \
		'^complete='
}

# load_count FIELD: of both.
load_count()
{
	sed -n "s/^\(.* \)*$1=\([0-9]*\) .*/\2/p" "$dir/load"
}

# load_off ROW: the load is over.  Each of its requests was served or refused.
load_off()
{
	load_over "$1"
	is "$1: none got lost" "$(load_count failed)" "$(load_count refused)"
}

now_ms()
{
	date +%s%3N
}

# took ROW: how long it was since $row_from.
took()
{
	detail "$1: after $(($(now_ms) - row_from)) ms"
}

# back ROW SECONDS COMMAND...: without a restart.
back()
{
	back_row=$1
	back_within=$2
	shift 2
	row_from=$(now_ms)
	check "$back_row: back within $back_within s, without a restart" \
		wait_until -t "$back_within" -p "$tailgate_pid" "$@"
	took "$back_row: back"
}

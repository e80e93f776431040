#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Two losses at once: a host loses its runtime_dir while a request holds most of
# a shared budget from the lost file, and the engine starts again, empty or with
# a snapshot from before that request.  Nobody else gets what that request
# holds.  (The old worker is stopped meanwhile, so that it can't say anything.)
. "${abs_srcdir:-.}/tests/lib.sh"

models()
{
	for phase in empty old; do
		echo "$comma { id = \"$phase/*\"; targets = ( { provider = \"stub\";
		  model = \"*\"; price = { input = 30.0; output = 30.0; }; } );
		  budget = { usd_per_day = 1.0; shared = true; }; }"
		comma=,
	done
}

. "$tests/store_hosts.sh"
start_hosts

# post HOST MODEL TOKENS: asks for so many, 30 USD a million; "STATUS CODE" in
# $said.
post()
{
	eval "post_base=\$${1}_base"
	said=$(curl -s --max-time 120 -w ' %{http_code}' \
		-H "Authorization: Bearer $anna_key" \
		-H 'Content-Type: application/json' --data-binary \
		"{\"model\":\"$2\",\"max_tokens\":$3,\"messages\":[]}" \
		"$post_base/v1/chat/completions" |
		jq -rRs '.[-3:] + ((.[:-4] | fromjson? |
			.error.code | values | " " + .) // "")')
}

# answers_with WANT HOST MODEL TOKENS
answers_with()
{
	want_said=$1
	shift
	post "$@"
	echo "$said"
	[ "$said" = "$want_said" ]
}

engine_up_for()
{
	[ "$(cli info server |
		sed -n 's/^uptime_in_seconds:\([0-9]*\).*/\1/p')" -ge "$1" ]
}

# replaced HOST: it serves with the new file.
replaced()
{
	file_has "$dir/$1.log" 'configuration .* is in force' &&
		test -e "$dir/$1/run/budget"
}

# gone_all PID...
gone_all()
{
	for old; do
		! alive "$old" || return 1
	done
}

for phase in empty old; do
	lost=one
	[ $phase = empty ] || lost=three
	check "$phase: $lost serves" wait_until -t 60 \
		answers_with 200 $lost $phase/plain 10
	check "$phase: two serves" wait_until -t 60 \
		answers_with 200 two $phase/plain 10
	cli save >/dev/null
	tell stub reset >/dev/null
	post $lost $phase/stall-head 20000 &
	adopt hold $!
	wait_until stat_is stub in_flight 1
	is "$phase: the rest is less than another one needs" "$(
		post two $phase/plain 20000
		echo "$said"
	)" '429 rate_limit_exceeded'

	eval "lost_pid=\$${lost}_pid"
	old_workers=$(workers_of "$lost_pid")
	for worker in $old_workers; do
		adopt "old_$worker" "$worker"
	done
	: >"$dir/$lost.log"
	mv "$dir/$lost/run" "$dir/$lost/gone"
	kill -HUP "$lost_pid"
	wait_until -t 60 replaced $lost || broken "$lost did not reload"
	for worker in $old_workers; do
		! alive "$worker" || kill -STOP "$worker"
	done
	stop "$engine_pid" KILL
	[ $phase = old ] || rm "$dir/engine/dump.rdb"
	start_engine
	check "$phase: the lost file's host has nothing to spend" \
		wait_until -t 60 answers_with '503 budget_store_unavailable' \
		$lost $phase/plain 10
	# For hosts that it does not know, the engine waits three seconds.
	wait_until engine_up_for 5
	is "$phase: nor gets another what its old worker holds" "$(
		post two $phase/plain 20000
		echo "$said"
	)" '503 budget_store_unavailable'
	for worker in $old_workers; do
		! alive "$worker" || kill -CONT "$worker"
	done
	tell stub release >/dev/null
	wait "$hold_pid"
	forget "$hold_pid"
	# shellcheck disable=SC2086 # numbers
	wait_until -t 60 gone_all $old_workers
	check "$phase: when it has ended, the rest is granted" \
		wait_until -t 60 answers_with 200 two $phase/plain 20000
	for worker in $old_workers; do
		forget "$worker"
	done
done

finish

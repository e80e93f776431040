# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# GET /metrics through lighttpd: counters never go down, whatever happens to the
# processes that count, and promtool accepts each state of it.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq curl lighttpd

start_upstream stub -n
stub_config
add_client laptop
add_client chief --operator
start_tailgate
start_lighttpd

# metrics NAME: what it says now, in $dir/NAME.
metrics()
{
	key=$chief_key
	request /metrics
	is "$1: the metrics are there" "$status" 200
	cp "$dir/body" "$dir/$1"
	if command -v promtool >/dev/null; then
		is "$1: promtool has nothing to say" \
			"$(promtool check metrics <"$dir/$1" 2>&1)" ''
	fi
	key=$laptop_key
}

# counters FILE: each counter (histograms' too) with its value.
counters()
{
	awk '/^# TYPE / { counts = $4 == "counter" || $4 == "histogram" }
		!/^#/ && counts {
			at = match($0, / [^ ]*$/)
			print substr($0, at + 1) "\t" substr($0, 1, at - 1)
		}' "$1"
}

# never_down BEFORE AFTER: prints each counter that has gone or is less.
never_down()
{
	counters "$dir/$1" >"$dir/was.tsv"
	counters "$dir/$2" >"$dir/is.tsv"
	[ -s "$dir/was.tsv" ] || echo "no counter in $1"
	awk -F '\t' 'NR == FNR { now[$2] = $1; next }
		!($2 in now) || now[$2] + 0 < $1 + 0 { print $2 }' \
		"$dir/is.tsv" "$dir/was.tsv"
}

# requests FILE: how many it has counted.
requests()
{
	awk '/^tailgate_requests_total/ { n += $NF } END { print n + 0 }' \
		"$dir/$1"
}

# work N: so many requests, one in three refused.
work()
{
	n=0
	while [ $n -lt "$1" ]; do
		post /v1/chat/completions "$(chat plain)"
		post /v1/chat/completions "$(chat plain '"stream":true')"
		post /v1/chat/completions '{"model":"none","messages":[]}'
		n=$((n + 3))
	done
}

# count_is N: the metrics have counted so many requests.
count_is()
{
	key=$chief_key
	request /metrics
	cp "$dir/body" "$dir/count"
	key=$laptop_key
	[ "$(requests count)" = "$1" ]
}

metrics none
is 'at first nothing is counted' "$(requests none)" 0
key=$laptop_key
work 30
all_settled
check 'each request is counted' count_is 30
metrics worked
is 'bytes, tokens and time, too' "$(counters "$dir/worked" |
	grep -cE '_bytes_total|_tokens_total.*kind="output"|_seconds_count')" 6

turn=$(awk '/^tailgate_longest_turn_seconds / { print $2 * 1000000 }' \
	"$dir/worked")
is 'the longest turn of the loop is measured' \
	"$(awk -v us="$turn" 'BEGIN { print (us > 0 && us < 60000000) }')" 1
like 'and tailgate status shows it' "$("$TAILGATE" -f "$conf" status)" \
	'^longest turn of a request: [0-9.]+ ms$'

workers=$(workers_of "$tailgate_pid")
for worker in $workers; do
	kill -KILL "$worker"
done
replaced()
{
	for worker in $workers; do
		alive "$worker" && return 1
	done
	[ "$(workers_of "$tailgate_pid" | wc -l)" -ge 2 ] && serves
}
check 'all workers are killed and replaced' wait_until replaced
metrics killed
is 'no counter goes down when workers are killed' \
	"$(never_down worked killed)" ''
work 30
all_settled
check 'and they go on counting' count_is 60

workers=$(workers_of "$tailgate_pid")
metrics before
kill -HUP "$tailgate_pid"
check 'SIGHUP: a new generation serves' wait_until replaced
metrics reloaded
is 'no counter goes down over it' "$(never_down before reloaded)" ''
work 30
all_settled
check 'and it goes on counting' count_is 90

stop "$tailgate_pid"
start_tailgate
check 'a gateway that was started again serves' wait_until serves
metrics again
is 'no counter goes down over a restart' "$(never_down reloaded again)" ''
is 'and nothing is forgotten' "$(requests again)" 90

# An operator's own looks are no requests of the account.
for path in /metrics /tailgate/status.json /tailgate/usage.json; do
	key=$chief_key
	request "$path"
done
all_settled
metrics looked
is 'looking at it is not counted' "$(requests looked)" 90

finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The table of failures in tailgate.fcgi(8), row by row, under load: what fails
# is made to fail, and made good again.  Each request is answered meanwhile,
# nothing goes to a provider that a failure of our own must not reach, and the
# gateway is back without a restart within the time that the table gives.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq lighttpd prlimit

shape='processes = 2; threads = 32;'
start_upstream stub -n
start_upstream paid -n
stub_more='limit = "gpu";'
more_providers=", { name = \"free\"; place = \"local\"; url = \"$stub_url\"; },
	{ name = \"paid\"; place = \"local\"; url = \"$paid_url\"; }"
more_models=', { id = "any/*"; fallback = [ "unavailable", "error", "timeout",
	    "busy" ]; targets = (
	  { provider = "free"; model = "*"; },
	  { provider = "paid"; model = "plain"; } ); },
	{ id = "limited/*"; fallback = [ "unavailable", "error", "timeout" ];
	  targets = (
	  { provider = "stub"; model = "*"; },
	  { provider = "paid"; model = "plain"; } ); }'
more="limits = ( { name = \"gpu\"; slots = 4; queue = 64; wait = 20.0; } );
	body = { spool_dir = \"$dir/spool\"; spool_over = 65536; };"
stub_config
add_client anna
add_client chief --operator
start_tailgate
start_lighttpd
key=$anna_key

workers()
{
	children "$tailgate_pid"
}

# load_on MODEL SECONDS: sixteen clients ask as fast as they are answered; what
# they saw is in $dir/load after load_off.
load_on()
{
	tell stub reset >/dev/null
	"$load" -c 16 -n 1000000 -d "$2" -k "$anna_key" \
		-b "$(printf '{"model":"%s","messages":[]}' "$1")" \
		"${base#http://}" >"$dir/load" 2>&1 &
	adopt load $!
	wait_until -p "$load_pid" stat_reaches stub requests 20
}

served()
{
	post /v1/chat/completions '{"model":"any/plain","messages":[]}' \
		--max-time 5
	[ "$status" = 200 ]
}

served_with_a_slot()
{
	post /v1/chat/completions '{"model":"limited/plain","messages":[]}' \
		--max-time 5
	[ "$status" = 200 ] &&
		[ "$(header x-tailgate-provider)" = stub ]
}

# back ROW SECONDS COMMAND...: without a restart.
back()
{
	back_row=$1
	back_within=$2
	shift 2
	back_from=$(date +%s)
	check "$back_row: back within $back_within s, without a restart" \
		wait_until -t "$back_within" -p "$tailgate_pid" "$@"
	detail "back after $(($(date +%s) - back_from)) s"
}

circuits_closed()
{
	[ "$("$TAILGATE" -f "$conf" status --json 2>/dev/null |
		jq -c '[.providers[].state] | unique')" = '["closed"]' ]
}

# load_off ROW: the load is over.  Each of its requests was served or refused.
load_off()
{
	wait "$load_pid"
	forget "$load_pid"
	detail "$1: $(cat "$dir/load")"
	like "$1: each request was served or refused" "$(cat "$dir/load")" \
		'^complete='
	is "$1: none got lost" "$(sed -n 's/.* failed=\([0-9]*\) .*/\1/p' \
		"$dir/load")" "$(sed -n 's/.* refused=\([0-9]*\) .*/\1/p' \
		"$dir/load")"
}

# --- Descriptors --------------------------------------------------------------

# Each worker may open so many more than it has.
descriptors_left()
{
	for w in $(workers); do
		find "/proc/$w/fd" -mindepth 1 -printf '%f\n' | sort -n |
			awk -v left="$1" '{ open[$1] = 1 }
			END {
				for (fd = 0; left > 0; fd++)
					left -= !(fd in open)
				print fd
			}' >"$dir/limit"
		prlimit --pid "$w" --nofile="$(cat "$dir/limit"):"
	done
}

descriptors_right()
{
	for w in $(workers); do
		prlimit --pid "$w" --nofile="4096:"
	done
}

descriptors_left 1
post /v1/chat/completions '{"model":"any/plain","messages":[]}'
check 'descriptors: our own failure, which permits no fallback' \
	error_is 503 gateway_exhausted
like 'descriptors: Retry-After' "$(header retry-after)" '^[1-9][0-9]*$'
post /v1/chat/completions '{"model":"limited/plain","messages":[]}'
check 'descriptors: the same of a limit' error_is 503 gateway_exhausted
head -c 100000 /dev/zero | tr '\0' x >"$dir/large"
post /v1/chat/completions "@$dir/large"
check 'descriptors: and of a large body' error_is 503 gateway_exhausted
descriptors_right
load_on any/plain 4
descriptors_left 0
wait_until file_has "$dir/tailgate.log" 'accept: Too many open files'
descriptors_right
back descriptors 5 served
load_off descriptors
is 'descriptors: nothing went elsewhere' "$(stat paid requests)" 0
check 'descriptors: no circuit has opened' circuits_closed
at_most 'descriptors: lines of the log about it' \
	"$(grep -c -i 'descriptor\|too many open' "$dir/tailgate.log")" 40

# --- A reload for which something is missing ----------------------------------

same_workers()
{
	[ "$(workers)" = "$before" ]
}

new_workers()
{
	[ "$(workers | wc -l)" -eq 2 ] && ! same_workers
}

# reload_without WHAT LIMIT VALUE
reload_without()
{
	before=$(workers)
	: >"$dir/tailgate.log"
	prlimit --pid "$tailgate_pid" "--$2=$3:"
	kill -HUP "$tailgate_pid"
	check "a reload without $1: the log says why nothing changes" \
		wait_until -p "$tailgate_pid" file_has "$dir/tailgate.log" \
		'the old configuration stays'
	check "a reload without $1: the same workers go on" same_workers
	post /v1/chat/completions '{"model":"any/plain","messages":[]}'
	is "a reload without $1: and serve" "$status" 200
	prlimit --pid "$tailgate_pid" "--$2=$4:"
	kill -HUP "$tailgate_pid"
	check "a reload with $1 again: new workers" \
		wait_until -p "$tailgate_pid" new_workers
}

reload_without descriptors nofile 4 4096
if ! grep -q -e __asan_init -e __tsan_init "$TAILGATE_FCGI"; then
	reload_without memory as 4096 unlimited
fi

# --- Commands beside it -------------------------------------------------------

sed "s|^runtime_dir = .*|runtime_dir = \"$dir/nobody/run\";|" "$conf" \
	>"$dir/nobody.conf"
mkdir "$dir/nobody"
for command in status 'explain --client anna --model any/plain' usage; do
	# shellcheck disable=SC2086 # a command and its arguments
	"$TAILGATE" -f "$dir/nobody.conf" $command >"$dir/out" 2>&1 </dev/null
	is "tailgate ${command%% *} makes nothing" \
		"$(find "$dir/nobody" -mindepth 1)" ''
done
before=$(cksum <"$dir/run/processes/table")
for n in 1 2 3; do
	"$TAILGATE" -f "$conf" status >"$dir/out" 2>&1
done
like 'tailgate status works beside it' "$(cat "$dir/out")" '^gpu'
is 'and is no process of the pool' "$(cksum <"$dir/run/processes/table")" \
	"$before"
mkdir "$dir/other"
cp -R "$dir/run" "$dir/other/"
sed "s|^runtime_dir = .*|runtime_dir = \"$dir/other/run\";|" "$conf" \
	>"$dir/other.conf"
printf X | dd of="$dir/other/run/health" conv=notrunc 2>"$dir/dd.log"
before=$(ls -i "$dir/other/run/health")
for command in status probe; do
	"$TAILGATE" -f "$dir/other.conf" $command >"$dir/out" 2>&1
	like "tailgate $command: not with a file of another version" \
		"$(cat "$dir/out")" 'is of another version'
done
is 'which stays where it is' "$(ls -i "$dir/other/run/health")" "$before"
finish

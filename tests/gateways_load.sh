# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Three fronts before one GPU host (kind = "tailgate"), 300 clients and 2,000
# requests against a limit of 1, 2 and 7 slots.  Workers of the GPU host and of
# a front are killed, and all workers of another front.  The stub's own count
# never exceeds the limit; every request whose worker was not killed gets a
# response or a refusal with a reason; and a single request is served before the
# fifty of another front's client.  Last, the GPU host's whole pool is killed and
# started again under load.
#
# If this machine allows it, all of them are network namespaces, one front with
# nginx, and a front is stopped for a while or its line cut.
TAILGATE_NETNS=${TAILGATE_NETNS-wanted}
. "${abs_srcdir:-.}/tests/netns.sh"
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/hosts.sh"

need jq lighttpd caddy
[ -z "${TAILGATE_NETNS:-}" ] || need nginx

network gpu one two three
start_upstream stub -n
start_upstream noted

host_settings='drain = 1.0;'

# gpu_host SLOTS
gpu_host()
{
	host gpu <<-END
		$(card_settings "$1")
	END
}

gpu_host 1
add_client relay --relay --priority 100
add_client holder
(umask 077 && printf '%s\n' "$relay_key" >"$dir/key.relay")
gpu_key=$holder_key
if [ -n "${TAILGATE_NETNS:-}" ]; then
	three_server=nginx
	bind_to=0.0.0.0
	serve gpu caddy
	bind_to=
	gpu_seen=http://$gpu_address:${gpu_base##*:}
else
	serve gpu
	gpu_seen=$gpu_base
fi
two_server=caddy
for front in one two three; do
	host $front <<-END
		providers = ( { name = "gpu"; kind = "tailgate"; place = "local";
		  url = "$gpu_seen/v1"; key = { file = "$dir/key.relay"; };
		  circuit = { failures = 0; }; } );
		models = ( { id = "*"; targets = (
		  { provider = "gpu"; model = "*"; } ); } );
	END
	add_client $front
	# One that has never asked before.
	add_client new$front
	eval "serve $front \${${front}_server:-lighttpd}"
done

# reload_gpu SLOTS: waits until they are in force, and the old workers gone.
reload_gpu()
{
	gpu_host "$1"
	generation=$((${generation:-1} + 1))
	kill -HUP "$gpu_pid"
	wait_until -p "$gpu_pid" file_has "$dir/gpu.log" \
		"configuration $generation is in force" ||
		broken 'the GPU host did not reload'
	wait_until two_workers
}

two_workers()
{
	[ "$(workers_of "$gpu_pid" | wc -l)" = 2 ]
}

# --- Never more than the slots ------------------------------------------------

none_held()
{
	[ "$("$TAILGATE" -f "$dir/gpu/tailgate.conf" status --json |
		jq '.limits[0].used')" = 0 ]
}

for slots in 1 2 7; do
	reload_gpu $slots
	loads_on
	wait_until stat_reaches stub completed 200
	kill_worker one
	wait_until stat_reaches stub completed 500
	kill_worker gpu
	wait_until stat_reaches stub completed 800
	pool_kill two
	pool two
	if [ -n "${TAILGATE_NETNS:-}" ]; then
		# shellcheck disable=SC2046 # numbers
		set -- "$two_pid" $(children "$two_pid")
		pause_process "$@"
		wait_until -t 60 stat_reaches stub completed 1000
		resume_process "$@"
		unplug one
		wait_until -t 60 stat_reaches stub completed 1200
		plug one
	fi
	loads_off $slots
	like "$slots slots: a front whose workers were not killed has all its responses" \
		"$(cat "$dir/three.load")" '^complete=6[0-9][0-9] '
done

# The GPU host itself: its slots are free when its processes are dead, and not
# before.
reload_gpu 2
loads_on
wait_until stat_reaches stub completed 1000
pool_kill gpu
pool gpu
generation=1
loads_off 2

# --- Fair over fronts -----------------------------------------------------------

queued()
{
	[ "$("$TAILGATE" -f "$dir/gpu/tailgate.conf" status --json |
		jq '.limits[0].queued')" = "$1" ]
}

reload_gpu 1
hold gpu
fair_to_hosts

# --- What a hop costs -------------------------------------------------------------

# median HOST: of one client's requests there.
median()
{
	eval "of_key=\$${1}_key of_base=\$${1}_base"
	in_host "$1"
	$in_host "$load" -c 1 -n 300 -k "$of_key" \
		-b '{"model":"plain","messages":[]}' "${of_base#http://}" 2>&1 |
		sed -n 's/.* p50_us=\([0-9]*\).*/\1/p'
}
at_gpu=$(median gpu)
over_one=$(median one)
at_most 'a front passes requests on' 1 "${over_one:-0}"
detail "the median takes $at_gpu us at the GPU host, $over_one us over a front"

finish

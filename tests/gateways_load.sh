# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Three fronts before one GPU host (kind = "tailgate"), 300 clients and 2,000
# requests against a limit of 1, 2 and 7 slots.  Workers of the GPU host and of
# a front are killed, and all workers of another front.  The stub's own count
# never exceeds the limit; every request whose worker was not killed gets a
# response or a refusal with a reason; and a single request is served before the
# fifty of another front's client.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq lighttpd caddy

start_upstream stub -n
start_upstream noted

# host NAME: $conf from stdin for a gateway of that name.
host()
{
	mkdir -p "$dir/$1/state"
	conf=$dir/$1/tailgate.conf
	{
		cat <<-END
			runtime_dir = "$dir/$1/run"; state_dir = "$dir/$1/state";
			clients_file = "$dir/$1/clients.conf"; drain = 1.0;
		END
		cat
	} >"$conf"
	[ -e "$dir/$1/clients.conf" ] ||
		echo 'clients = ( );' >"$dir/$1/clients.conf"
	chmod 600 "$dir/$1/clients.conf"
}

# pool NAME: its processes, without the web server.
pool()
{
	rm -f "$dir/$1/sock"
	spawn "$1" "$TAILGATE_FCGI" -f "$dir/$1/tailgate.conf" -s "$dir/$1/sock"
	wait_until -t 60 -p "$pid" "$bin/listen" -c "$dir/$1/sock" ||
		broken "$1 did not start"
}

# gpu_host SLOTS
gpu_host()
{
	host gpu <<-END
		limits = ( { name = "card"; slots = $1; queue = 1024; wait = 60.0; } );
		providers = ( { name = "card"; place = "local"; url = "$stub_url";
		  limit = "card"; circuit = { failures = 0; }; },
		  { name = "noted"; place = "local"; url = "$noted_url";
		  limit = "card"; } );
		models = ( { id = "*"; targets = (
		  { provider = "card"; model = "*"; } ); },
		  { id = "noted/*"; targets = (
		  { provider = "noted"; model = "*"; } ); } );
	END
}

gpu_host 1
add_client relay --relay --priority 100
add_client holder
(umask 077 && printf '%s\n' "$relay_key" >"$dir/key.relay")
pool gpu
socket=$dir/gpu/sock
start_lighttpd
gpu_base=$base
for front in one two three; do
	host $front <<-END
		providers = ( { name = "gpu"; kind = "tailgate"; place = "local";
		  url = "$gpu_base/v1"; key = { file = "$dir/key.relay"; };
		  circuit = { failures = 0; }; } );
		models = ( { id = "*"; targets = (
		  { provider = "gpu"; model = "*"; } ); } );
	END
	add_client $front
	# Who has never asked before.
	add_client new$front
	pool $front
	socket=$dir/$front/sock
	case $front in
	two) start_caddy ;;
	*) start_lighttpd ;;
	esac
	eval "${front}_base=\$base"
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

# load_on FRONT REQUESTS
load_on()
{
	eval "load_key=\$${1}_key load_base=\$${1}_base"
	"$load" -c 100 -n "$2" -k "$load_key" \
		-b '{"model":"plain,delay=2","messages":[]}' \
		"${load_base#http://}" >"$dir/$1.load" 2>&1 &
	adopt "load_$1" $!
}

load_off()
{
	eval "wait \$load_${1}_pid; forget \$load_${1}_pid"
	detail "$1: $(cut -c1-120 "$dir/$1.load")"
}

lines()
{
	wc -l <"$dir/$1/state/ledger.jsonl" 2>/dev/null || echo 0
}

lines_are()
{
	[ "$(lines "$1")" -ge "$2" ]
}

kill_worker()
{
	eval "kill_pid=\$${1}_pid"
	# shellcheck disable=SC2046 # one of them
	set -- $(workers_of "$kill_pid")
	kill -KILL "$1"
}

none_held()
{
	[ "$("$TAILGATE" -f "$dir/gpu/tailgate.conf" status --json |
		jq '.limits[0].used')" = 0 ]
}

for slots in 1 2 7; do
	reload_gpu $slots
	tell stub reset >/dev/null
	before=$(lines three)
	load_on one 667
	load_on two 666
	load_on three 667
	wait_until stat_reaches stub completed 200
	kill_worker one
	wait_until stat_reaches stub completed 500
	kill_worker gpu
	wait_until stat_reaches stub completed 800
	# All of it: its parent, its workers, its ledger's process.
	# shellcheck disable=SC2046 # numbers
	kill -KILL "$two_pid" $(children "$two_pid")
	wait "$two_pid" 2>/dev/null
	forget "$two_pid"
	pool two
	for front in one two three; do
		load_off $front
	done
	at_most "$slots slots: never more at once" \
		"$(stat stub max_in_flight)" "$slots"
	like "$slots slots: who was not killed has all its responses" \
		"$(cat "$dir/three.load")" '^complete=6[0-9][0-9] '
	check "$slots slots: each is in the ledger" \
		wait_until lines_are three $((before + 667))
	is "$slots slots: as an answer, or with a reason" \
		"$(tail -n +$((before + 1)) "$dir/three/state/ledger.jsonl" |
			jq -c 'select(.status != 200 and .refusal == null)')" ''
	check "$slots slots: nothing is held in the end" wait_until none_held
	is "$slots slots: nor at the stub" "$(stat stub in_flight)" 0
done

# --- Fair over fronts -----------------------------------------------------------

# later FRONT: a request for the slot, in the background.
later()
{
	eval "later_key=\$new${1}_key later_base=\$${1}_base"
	curl -s -o /dev/null --max-time 60 \
		-H "Authorization: Bearer $later_key" \
		-H 'Content-Type: application/json' \
		--data-binary "{\"model\":\"noted/$1\",\"messages\":[]}" \
		"$later_base/v1/chat/completions" &
	later_pids="$later_pids $!"
	pids="$! $pids"
}

queued()
{
	[ "$("$TAILGATE" -f "$dir/gpu/tailgate.conf" status --json |
		jq '.limits[0].queued')" = "$1" ]
}

reload_gpu 1
curl -s -o /dev/null --max-time 60 -H "Authorization: Bearer $holder_key" \
	-H 'Content-Type: application/json' \
	--data-binary '{"model":"stall-head","messages":[]}' \
	"$gpu_base/v1/chat/completions" &
adopt holder $!
wait_until stat_is stub in_flight 1
later_pids=
i=0
while [ $i -lt 50 ]; do
	later one
	i=$((i + 1))
done
wait_until queued 50
later three
wait_until queued 51
tell stub release >/dev/null
for p in $later_pids $holder_pid; do
	wait "$p"
	forget "$p"
done
is 'all of them were served' "$(stat noted completed)" 51
like 'one request comes before the fifty of another front' \
	"$(cat "$dir/noted/1.body" "$dir/noted/2.body")" '"three"'

finish

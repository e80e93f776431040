# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Random conversations through both bridges: both make the same chat request and
# the same response, as the official SDKs read them
# (tests/clients/differential.mjs).  The usage that clients get is the one in
# the ledger.  SEED, COUNT and FROM play chosen ones again.
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/clients/suite.sh"

need jq lighttpd caddy
need_js openai
need_js @anthropic-ai/sdk

mkdir "$dir/js" "$dir/run" "$dir/state"
for file in differential differential_make say; do
	cp "$tests/clients/$file.mjs" "$dir/js/"
done
ln -s "$clients/node_modules" "$dir/js/node_modules"
SEED=${SEED:-$(date +%j)} # another one each day
export SEED
run()
{
	DIR=$dir exec "$node" "$dir/js/differential.mjs" >"$dir/said" 2>&1
}
run &
adopt upstream $!
wait_until -p "$upstream_pid" test -s "$dir/port" ||
	broken "the scripted upstream did not start"

conf=$dir/tailgate.conf
cat >"$conf" <<END
runtime_dir = "$dir/run"; state_dir = "$dir/state";
clients_file = "$dir/clients.conf"; commit = 60.0;
providers = ( { name = "chat"; place = "local"; circuit = { failures = 0; };
	url = "http://127.0.0.1:$(cat "$dir/port")/v1";
	endpoints = [ "chat" ]; } );
models = ( { id = "*"; targets = (
	{ provider = "chat"; model = "*"; usage = "ask";
	  reasoning = "all"; } ); } );
END
add_client anna
start_tailgate
for each in lighttpd caddy; do
	start_server $each
	wait_until serves || broken "$each does not find the gateway"
	printf '%s %s\n' "$base/v1" "$key" >>"$dir/go.new"
done
mv "$dir/go.new" "$dir/go"
wait "$upstream_pid"
forget "$upstream_pid"
echo "# SEED=$SEED"
grep '^#' "$dir/said"
take "$dir/said" "both SDKs"
is 'the script ran to its end' "$(tail -n 1 "$dir/said")" 'done'

stop "$tailgate_pid"
sort "$dir/told" >"$dir/told.sorted"
jq -r 'select(.status == 200) | "\(.model) \(.output)"' \
	"$dir/state/ledger.jsonl" | sort >"$dir/booked"
is 'a client gets the numbers that the ledger has' \
	"$(comm -23 "$dir/told.sorted" "$dir/booked" | head -n 5)" ''
finish

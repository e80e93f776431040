# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Each way to the store: a Unix socket, TCP, TLS with an authority of one's own,
# a user with a password from a file or a credential, a prefix, a master behind
# one name that Sentinel replaces, a cluster of one node and of three.  What is
# wrong with one (certificate, password, rights, a replica, a cluster without a
# hash tag) is refused, and the log says what.
. "${abs_srcdir:-.}/tests/lib.sh"

need jq lighttpd openssl
engine=$(command -v valkey-server || command -v redis-server) ||
	skip_all 'neither valkey-server nor redis-server is installed'
grep -q 'built without hiredis' "$TAILGATE_FCGI" &&
	skip_all 'built without a store'
cli=${engine%-server}-cli
lease=4
. "$tests/certificates.sh"

start_upstream stub -n

# engine NAME ARGUMENT...
engine()
{
	engine_name=$1
	shift
	mkdir -p "$dir/$engine_name"
	spawn "$engine_name" "$engine" "$@" --dir "$dir/$engine_name" \
		--save '' --unixsocket "$dir/$engine_name/sock"
	wait_until -t 30 -p "$pid" tell_engine "$engine_name" ping ||
		broken "$engine_name did not start"
}

engine_kill()
{
	kill -KILL "$1"
	wait "$1" 2>/dev/null
	forget "$1"
}

# tell_engine NAME COMMAND...
tell_engine()
{
	to=$dir/$1/sock
	shift
	"$cli" -s "$to" "$@" 2>&1
}

# --- The gateway -----------------------------------------------------------------

# configure URL [MORE]: its store.
configure()
{
	new_config <<-END
		processes = 1; drain = 1.0; sandbox = "on";
		store = { url = "$1"; lease = $lease.0; ${2-} };
		limits = ( { name = "card"; slots = 1; queue = 8; wait = 30.0;
		  shared = true; } );
		providers = ( { name = "card"; place = "local"; url = "$stub_url";
		  limit = "card"; circuit = { failures = 0; }; },
		  { name = "free"; place = "local"; url = "$stub_url";
		  circuit = { failures = 0; }; } );
		models = ( { id = "card/*"; targets = (
		  { provider = "card"; model = "*"; } ); },
		  { id = "paid"; targets = (
		  { provider = "free"; model = "plain"; price = { input = 1.0;
		    output = 1.0; }; } );
		    budget = { shared = true; usd_per_day = 1000.0;
		      requests_per_minute = 10000; }; } );
	END
}

generation=1
# way URL [MORE]: the gateway goes on with this store.
way()
{
	configure "$@"
	: >"$dir/tailgate.log"
	generation=$((generation + 1))
	kill -HUP "$tailgate_pid"
	wait_until -t 60 -p "$tailgate_pid" file_has "$dir/tailgate.log" \
		"configuration $generation is in force" ||
		broken 'the gateway did not reload'
	wait_until -t 60 one_worker || broken 'the old worker stays'
}

one_worker()
{
	[ "$(workers_of "$tailgate_pid" | wc -l)" = 1 ]
}

chat_with()
{
	post /v1/chat/completions "{\"model\":\"$1\",\"messages\":[],\"max_tokens\":10}"
}

both_served()
{
	chat_with card/plain
	[ "$status" = 200 ] || return 1
	chat_with paid
	[ "$status" = 200 ]
}

# field ENGINE KEY FIELD
field()
{
	tell_engine "$1" hget "$2" "$3"
}

# works WHAT ENGINE PREFIX: what is shared is kept at that engine.
works()
{
	check "$1: served" wait_until -t 60 both_served
	fence_was=$(field "$2" "$3:{limit:card}:state" fence)
	chat_with card/plain
	is "$1: by a slot of the engine" \
		"$(field "$2" "$3:{limit:card}:state" fence)" \
		$((fence_was + 1))
	is "$1: and from its budget" \
		"$(tell_engine "$2" exists "$3:{budget:model:paid}")" 1
	like "$1: the log says which engine" "$(cat "$dir/tailgate.log")" \
		'store: (redis|valkey) [0-9.]+, run [0-9a-f]{8}'
}

# fails WHAT ERE: no request waits for it, and the log says why.
fails()
{
	check "$1: the log says what" \
		wait_until file_has "$dir/tailgate.log" "store: away: .*$2"
	chat_with card/plain
	check "$1: a slot is refused by name" \
		error_is 503 limit_store_unavailable
	chat_with paid
	check "$1: so is a budget" error_is 503 '(budget|rate)_store_unavailable'
	unlike "$1: no password in the log" "$(cat "$dir/tailgate.log")" \
		'correct-horse|wrong-horse'
}

refused()
{
	chat_with card/plain
	error_is 503 limit_store_unavailable
}

# --- One engine --------------------------------------------------------------------

authority ours
authority theirs
certificate named ours 'DNS:localhost,IP:127.0.0.1'
certificate wrongname ours DNS:elsewhere.invalid
reserve_port plain
reserve_port tls

# The rights are those that the manual gives.
rights=$(sed -n '/^ACL SETUSER tailgate/,/^[.]Ed/s/^ *\(+@.*\)/\1/p' \
	"$abs_srcdir/man/tailgate.conf.5")
like 'the manual has the rights of a user' "$rights" '\+@scripting'
cat >"$dir/engine.acl" <<-END
	user default on nopass ~* &* +@all
	user tailgate on >correct-horse ~tailgate:* &tailgate:* $rights
	user older on >correct-horse ~tailgate:* &tailgate:* $rights -wait
	user office on >correct-horse ~office:* &office:* +@all
	user deaf on >correct-horse ~tailgate:* &tailgate:* +@connection +@read
END
engine one --bind 127.0.0.1 --port "$plain_port" --tls-port "$tls_port" \
	--tls-cert-file "$dir/named.pem" --tls-key-file "$dir/named.key" \
	--tls-ca-cert-file "$dir/ours.pem" --tls-auth-clients no \
	--aclfile "$dir/engine.acl"
(umask 077 && echo correct-horse >"$dir/right" && echo wrong-horse >"$dir/wrong")
ca="ca_file = \"$dir/ours.pem\";"
# user NAME FILE
user()
{
	echo "user = \"$1\"; key = { file = \"$dir/$2\"; };"
}

configure "unix://$dir/one/sock"
mkdir "$dir/credentials"
cp "$dir/right" "$dir/credentials/store"
CREDENTIALS_DIRECTORY=$dir/credentials
export CREDENTIALS_DIRECTORY
add_client anna
start_tailgate
start_lighttpd
works 'Unix socket' one tailgate
way "redis://127.0.0.1:$plain_port"
works 'TCP' one tailgate
way "valkey://localhost:$plain_port/"
works 'TCP by name' one tailgate
way "rediss://127.0.0.1:$tls_port" "$ca"
works 'TLS' one tailgate
way "valkeys://localhost:$tls_port" "$ca $(user tailgate right)"
works 'TLS by name, with a user of the manual' one tailgate
way "unix://$dir/one/sock" 'user = "tailgate"; key = { credential = "store"; };'
works 'a password from a credential' one tailgate
way "unix://$dir/one/sock" "prefix = \"office\"; $(user office right)"
works 'a prefix' one office

way "unix://$dir/one/sock" "$(user older right)"
works 'a user without WAIT' one tailgate
like 'a user without WAIT: the log says what it needs' \
	"$(cat "$dir/tailgate.log")" 'WAIT: NOPERM; the rights that its user needs'

way "unix://$dir/one/sock" "$(user office right)"
fails 'a user of another prefix' 'names with the prefix.*NOPERM'
way "unix://$dir/one/sock" "$(user deaf right)"
fails 'a user without rights' 'INFO: NOPERM'
way "unix://$dir/one/sock" "$(user tailgate wrong)"
fails 'a wrong password' 'the password is not accepted: WRONGPASS'
way "rediss://127.0.0.1:$tls_port" "ca_file = \"$dir/theirs.pem\";"
fails "another authority's certificate" \
	"rediss://127.0.0.1:$tls_port: .*certificate"
way "rediss://127.0.0.1:$plain_port" "$ca"
fails 'TLS where none is spoken' "rediss://127.0.0.1:$plain_port: "
way "redis://127.0.0.1:$tls_port"
fails 'none where TLS is spoken' '(closed the connection|no reply of an engine|reset by peer)'
way "unix://$dir/nowhere"
fails 'no socket' "$dir/nowhere: No such file"
stop "$one_pid"
way "redis://127.0.0.1:$plain_port"
fails 'no engine' "redis://127.0.0.1:$plain_port: .*onnect"

engine one --bind 127.0.0.1 --port 0 --tls-port "$tls_port" \
	--tls-cert-file "$dir/wrongname.pem" --tls-key-file "$dir/wrongname.key" \
	--tls-ca-cert-file "$dir/ours.pem" --tls-auth-clients no \
	--requirepass correct-horse
way "rediss://127.0.0.1:$tls_port" "$ca"
fails "another host's certificate" "rediss://127.0.0.1:$tls_port: .*name"
way "unix://$dir/one/sock"
fails 'no password' 'NOAUTH'
way "unix://$dir/one/sock" "key = { file = \"$dir/right\"; };"
check 'a password without a user: served' wait_until -t 60 both_served
stop "$one_pid"

# --- A master that is replaced, behind one name ----------------------------------------

# holds: the stub's one request.
holds()
{
	tell stub reset >/dev/null
	chat_with card/stall-head &
	adopt hold $!
	wait_until stat_is stub in_flight 1
}

hold_ends()
{
	tell stub release >/dev/null
	wait "$hold_pid"
	forget "$hold_pid"
}

has_replica()
{
	tell_engine "$1" info replication | grep -q '^connected_slaves:[1-9]'
}

is_master()
{
	tell_engine "$1" info replication | grep -q '^role:master'
}

is_not_master()
{
	! is_master "$1"
}

sentinel_sees()
{
	"$cli" -p "$sentinel_at_port" sentinel replicas tailgate |
		grep -qx "$second_at_port"
}

if command -v haproxy >/dev/null; then
	for name in first second sentinel name; do
		reserve_port "${name}_at"
	done
	engine first --bind 127.0.0.1 --port "$first_at_port"
	engine second --bind 127.0.0.1 --port "$second_at_port" \
		--replicaof 127.0.0.1 "$first_at_port"
	wait_until -t 30 has_replica first || broken 'no replica'
	mkdir "$dir/sentinel"
	cat >"$dir/sentinel/conf" <<-END
		port $sentinel_at_port
		bind 127.0.0.1
		dir $dir/sentinel
		sentinel monitor tailgate 127.0.0.1 $first_at_port 1
		sentinel down-after-milliseconds tailgate 1000
		sentinel failover-timeout tailgate 4000
	END
	spawn sentinel "$engine" "$dir/sentinel/conf" --sentinel
	sed -e "s|127.0.0.1:6379|127.0.0.1:$name_at_port|" \
		-e "s|192.0.2.1:6379|127.0.0.1:$first_at_port|" \
		-e "s|192.0.2.2:6379|127.0.0.1:$second_at_port|" \
		-e '/192.0.2.3:6379/d' \
		"$abs_srcdir/contrib/haproxy/valkey.cfg" >"$dir/haproxy.cfg"
	spawn haproxy haproxy -db -f "$dir/haproxy.cfg"
	lease=16
	way "redis://127.0.0.1:$name_at_port"
	works 'a master behind a name' first tailgate
	wait_until -t 30 sentinel_sees || broken 'Sentinel sees no replica'
	holds
	pause_process "$first_pid"
	check 'the master is stopped: Sentinel has another one' \
		wait_until -t 60 is_master second
	check 'which the gateway finds' wait_until -t 60 file_has \
		"$dir/tailgate.log" "run $(tell_engine second info server |
			sed -n 's/^run_id:\(.\{8\}\).*/\1/p')"
	is 'the request that held the slot goes on' \
		"$(stat stub in_flight)" 1
	chat_with card/plain &
	adopt next $!
	resume_process "$first_pid"
	check 'the old master becomes a replica' \
		wait_until -t 60 is_not_master first
	# On a loaded machine it would change its mind.
	stop "$sentinel_pid"
	is 'no other request got the slot meanwhile' "$(stat stub max_in_flight)" 1
	hold_ends
	wait "$next_pid"
	forget "$next_pid"
	works 'the new master' second tailgate
	way "redis://127.0.0.1:$first_at_port"
	fails 'a replica' 'the engine is a replica; store.url must lead to the master'
	for name in haproxy first second; do
		eval "stop \$${name}_pid"
	done
	lease=4
fi

# --- A cluster ---------------------------------------------------------------------------

# Its nodes are on one port of several addresses, as they would be on several
# hosts: the sandbox lets the gateway connect to that port only.
reserve_port node
reserve_port bus

# node N
node()
{
	engine "node$1" --bind "127.0.0.$1" --port "$node_port" \
		--cluster-enabled yes --cluster-port "$bus_port" \
		--cluster-announce-ip "127.0.0.$1"
}

# nodes_agree N: so many know each other, and each slot has one of them.
nodes_agree()
{
	for n in $(seq "$1"); do
		tell_engine "node$n" cluster info >"$dir/cluster.info"
		grep -q '^cluster_state:ok' "$dir/cluster.info" &&
			grep -q "^cluster_known_nodes:$1" "$dir/cluster.info" ||
			return 1
	done
}

node 1
tell_engine node1 cluster addslotsrange 0 16383 >/dev/null
wait_until -t 30 nodes_agree 1 || broken 'no cluster of one'
way "redis://127.0.0.1:$node_port"
works 'a cluster of one node' node1 tailgate
stop "$node1_pid"
rm -f "$dir/node1/nodes.conf"

i=1
for slots in '0 5460' '5461 10922' '10923 16383'; do
	node $i
	# shellcheck disable=SC2086 # two numbers
	tell_engine node$i cluster addslotsrange $slots >/dev/null
	[ $i = 1 ] || tell_engine node1 cluster meet 127.0.0.$i "$node_port" \
		"$bus_port" >/dev/null
	i=$((i + 1))
done
wait_until -t 60 nodes_agree 3 || broken 'no cluster of three'
way "redis://127.0.0.1:$node_port"
fails 'a cluster without a hash tag' 'store.prefix = "\{tailgate\}"'
slot=$(tell_engine node1 cluster keyslot '{tailgate}')
owner=$((slot < 5461 ? 1 : slot < 10923 ? 2 : 3))
other=$((owner % 3 + 1))
third=$((other % 3 + 1))
tag='prefix = "{tailgate}";'
way "redis://127.0.0.$other:$node_port" "$tag"
works 'a cluster of three nodes, by another node' node$owner '{tailgate}'

# The slot goes to another node, with all that it holds, while it is used.
id_of()
{
	tell_engine "node$1" cluster myid
}
holds
# slot_is N HOW OF: node N has it so.
slot_is()
{
	tell_engine "node$1" cluster setslot "$slot" "$2" "$(id_of "$3")" \
		>/dev/null
}
slot_is $third importing $owner
slot_is $owner migrating $third
tell_engine node$owner cluster getkeysinslot "$slot" 100 |
	while read -r name; do
		tell_engine node$owner migrate 127.0.0.$third "$node_port" \
			"$name" 0 5000
	done >/dev/null
for n in $third $owner $other; do
	slot_is "$n" node $third
done
check 'the names move to another node: the gateway follows' \
	wait_until -t 30 file_has "$dir/tailgate.log" \
	"the cluster's node is 127.0.0.$third"
is 'the request that held the slot goes on' "$(stat stub in_flight)" 1
hold_ends
works 'the other node' node$third '{tailgate}'
at_most 'one at a time' "$(stat stub max_in_flight)" 1

eval "pause_process \$node${third}_pid"
check 'the node is stopped: refused by name' wait_until -t 30 refused
eval "resume_process \$node${third}_pid"
works 'the node goes on' node$third '{tailgate}'
eval "engine_kill \$node${third}_pid"
check 'the node is killed: refused by name' wait_until -t 30 refused
check 'the log says which' wait_until file_has "$dir/tailgate.log" \
	"store: away: 127.0.0.$third: .*onnect"
node $third
works 'it is there again, empty' node$third '{tailgate}'

finish

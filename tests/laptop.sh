#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A laptop that is its own gateway, with a model of its own and the office's
# gateway as a provider (doc/fleet.md).  At home: the office serves, and its
# ledger has the laptop's client.  Away: a clear error at once, or the laptop's
# own model if the route permits it.  Back again, or at another address: the
# office serves.
#
# Both are network namespaces, the laptop's model in a network that stays.
TAILGATE_NETNS=${TAILGATE_NETNS-wanted}
. "${abs_srcdir:-.}/tests/netns.sh"
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/hosts.sh"

[ -n "${TAILGATE_NETNS:-}" ] ||
	skip_all 'network namespaces can not be made here (as root they can)'
need jq lighttpd caddy

network office laptop
bind_to=0.0.0.0
start_upstream stub -n
start_upstream here -n

host office <<-END
	ledger = { gateway = "office"; };
	limits = ( { name = "gpu"; slots = 2; queue = 16; wait = 30.0; } );
	providers = ( { name = "qwen"; place = "local"; url = "$(seen "$stub_url")";
	  limit = "gpu"; } );
	models = ( { id = "gpu/*"; targets = (
	  { provider = "qwen"; model = "*"; } ); } );
END
add_client laptop --relay
(umask 077 && printf '%s\n' "$laptop_key" >"$dir/office.key")
serve office caddy
reached office

host laptop <<-END
	ledger = { gateway = "laptop"; };
	providers = (
	  { name = "here"; place = "local"; url = "http://10.97.2.1:$here_port/v1"; },
	  { name = "office"; kind = "tailgate"; place = "local";
	    url = "$office_base/v1"; key = { file = "$dir/office.key"; };
	    timeouts = { connect = 2.0; first_byte = 20.0; idle = 3.0; };
	    circuit = { cooldown = 2.0; cooldown_max = 4.0; }; } );
	models = (
	  { id = "chat"; fallback = [ "unavailable", "too_long" ]; targets = (
	    { provider = "here"; model = "plain"; context = 64; },
	    { provider = "office"; model = "gpu/plain"; } ); },
	  { id = "big"; fallback = [ "unavailable" ]; targets = (
	    { provider = "office"; model = "gpu/plain"; },
	    { provider = "here"; model = "plain"; } ); },
	  { id = "office/*"; targets = ( { provider = "office"; model = "*"; } ); } );
END
add_client anna
serve laptop lighttpd

# asks MODEL [MORE]: anna, at the laptop itself.  $status, $seconds, $provider.
asks()
{
	# shellcheck disable=SC2154 # network() sets it
	seconds=$($in_laptop curl -s -o "$dir/body" -D "$dir/head" --max-time 60 \
		-w '%{time_total} %{http_code}' \
		-H "Authorization: Bearer $anna_key" \
		-H 'Content-Type: application/json' --data-binary \
		"{\"model\":\"$1\",\"messages\":[{\"role\":\"user\",\"content\":\"${2-hello}\"}]}" \
		"$laptop_base/v1/chat/completions")
	status=${seconds#* }
	seconds=${seconds%% *}
	provider=$(header x-tailgate-provider)
}

# asks_gets MODEL PROVIDER
asks_gets()
{
	asks "$1"
	[ "$status $provider" = "200 $2" ]
}

long=$(printf '%400s' '' | sed 's/ /word /g')

# --- In the office --------------------------------------------------------------

check 'in the office: the office serves its models' asks_gets office/gpu/plain office
check 'what is asked first is used first' asks_gets big office
check "the laptop's own model serves what fits" asks_gets chat here
asks chat "$long"
is 'the office what is too long for it' "$status $provider" '200 office'
check "the office's ledger has the laptop's client" wait_until \
	file_has "$dir/office/state/ledger.jsonl" '"laptop/anna"'

# --- Away -------------------------------------------------------------------------

# A stream that has begun, and is silent after that.
# shellcheck disable=SC2154
$in_laptop curl -s -N -o "$dir/stream" --max-time 60 \
	-H "Authorization: Bearer $anna_key" \
	-H 'Content-Type: application/json' --data-binary \
	'{"model":"office/gpu/stall-mid","messages":[],"stream":true}' \
	"$laptop_base/v1/chat/completions" &
adopt stream $!
wait_until stat_is stub in_flight 1
wait_until test -s "$dir/stream"
unplug laptop
check 'away: a stream that was under way ends' \
	wait_until -t 30 pid_died "$stream_pid"
wait "$stream_pid"
forget "$stream_pid"
like 'with an error' "$(cat "$dir/stream")" '"error"'
tell stub release >/dev/null
# The first ones may find a connection that was kept, which leads nowhere now.
for i in 1 2 3 4; do
	check 'the laptop serves with its own model' asks_gets big here
	detail "$seconds s: $status $(body)"
done
check 'and what is its own anyway' asks_gets chat here
# refused_at_once: so it is when the circuit is open.
refused_at_once()
{
	asks office/gpu/plain
	error_is 503 provider_unavailable && [ "${seconds%%.*}" -lt 1 ]
}
check 'what only the office has: an error, at once' \
	wait_until refused_at_once
detail "$seconds s: $(body)"
like 'which names the provider' "$(body)" office
check 'and says when to try again' test -n "$(header retry-after)"
asks chat "$long"
like 'so it is for what is too long for the laptop' "$status $(body)" \
	'^(400 .*context_length_exceeded|503 .*provider_unavailable)'
detail "$(body)"
like 'tailgate status says it' "$("$TAILGATE" -f "$dir/laptop/tailgate.conf" \
	status)" 'office .*open'

# --- Back -------------------------------------------------------------------------

plug laptop
check 'back: the office serves' wait_until asks_gets office/gpu/plain office
check 'also what the laptop served meanwhile' wait_until asks_gets big office

# Another network: the connections that were open lead nowhere.
ip -n laptop addr del "$laptop_address/24" dev eth1
ip -n laptop addr add 10.97.1.99/24 dev eth1
for i in 1 2 3 4; do
	asks office/gpu/plain
	is 'at another address: the office serves' "$status $provider" \
		'200 office'
	detail "$seconds s: $status $(body)"
done

stop "$laptop_pid"
stop "$office_pid"
check 'both ledgers hold together' "$TAILGATE" usage --verify \
	"$dir/laptop/state/ledger.jsonl" "$dir/office/state/ledger.jsonl"

finish

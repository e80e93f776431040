# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A local provider is only ever connected to inside the private networks: for a
# name that resolves to a public address no connection is made, and a listener
# there would have noticed one.  The public addresses are documentation ones
# (RFC 5737), put on the loopback interface of the test's own network namespace.
if [ "${1:-}" != inside ]; then
	. "${abs_srcdir:-.}/tests/lib.sh"
	need unshare ip getent
	unshare -rmn true 2>/dev/null || unshare -mn true 2>/dev/null ||
		skip_all 'no network namespaces here'
	how=-mn
	[ "$(id -u)" = 0 ] || how=-rmn
	rmdir "$dir"
	exec unshare "$how" "${SH:-/bin/sh}" "$0" inside
fi
. "${abs_srcdir:-.}/tests/lib.sh"

public=203.0.113.5
listed=198.51.100.7
ip link set lo up || broken 'no loopback interface'
for address in $public $listed; do
	ip addr add "$address/32" dev lo || broken 'no address'
done
# Names of our own: evil is public, box is one that the config lists, both
# begins private and would go on to the public one.
printf '%s\n' '127.0.0.1 localhost' "$public evil.test" "$listed box.test" \
	"127.0.0.1 mine.test" "$public both.test" '127.0.0.1 both.test' \
	>"$dir/hosts"
mount --bind "$dir/hosts" /etc/hosts || broken 'no hosts file of our own'

start_upstream outside -a $public
start_upstream listed -a $listed
start_upstream inside
reserve_port dead

# One port number everywhere, so that `both` could reach the public one.
new_config <<-END
	providers = (
	  { name = "evil"; place = "local"; retries = 2;
	    url = "http://evil.test:$outside_port/v1"; },
	  { name = "both"; place = "local";
	    url = "http://both.test:$outside_port/v1"; },
	  { name = "box"; place = "local"; addresses = [ "$listed/32" ];
	    url = "http://box.test:$listed_port/v1"; },
	  { name = "unlisted"; place = "local";
	    url = "http://box.test:$listed_port/v1"; },
	  { name = "mine"; place = "local";
	    url = "http://mine.test:$inside_port/v1"; },
	  { name = "world"; place = "external";
	    url = "http://evil.test:$outside_port/v1"; },
	  { name = "turned"; place = "local";
	    url = "http://mine.test:$inside_port/v1"; }
	);
	models = (
	  { id = "evil"; targets = ( { provider = "evil"; model = "x"; } ); },
	  { id = "both"; targets = ( { provider = "both"; model = "x"; } ); },
	  { id = "box"; targets = ( { provider = "box"; model = "x"; } ); },
	  { id = "unlisted"; targets = (
	    { provider = "unlisted"; model = "x"; } ); },
	  { id = "mine"; targets = ( { provider = "mine"; model = "x"; } ); },
	  { id = "world"; place = "external"; targets = (
	    { provider = "world"; model = "x"; } ); }
	);
	private = ( { name = "badge"; pattern = "BADGE-[0-9]+"; } );
END
add_client anna --place external
add_client berta
# A proxy from the environment must not be asked.
http_proxy=http://$public:$outside_port
https_proxy=$http_proxy
all_proxy=$http_proxy
export http_proxy https_proxy all_proxy
start_tailgate
unset http_proxy https_proxy all_proxy
start_lighttpd

# seen ADDRESS PORT FIELD: the count of the stub there, this question included.
seen()
{
	curl -s "http://$1:$2/_stats" | sed -n "s/.*\"$3\":\\([0-9]*\\).*/\\1/p"
}

# ask MODEL [CONTENT] [curl arguments]
ask()
{
	ask_model=$1
	ask_text=${2:-hello}
	[ $# -lt 2 ] || shift
	shift
	post /v1/chat/completions "$(printf \
		'{"model":"%s","messages":[{"role":"user","content":"%s"}]}' \
		"$ask_model" "$ask_text")" "$@"
}

key=$anna_key
connections=$(seen $public "$outside_port" connections)
[ "$connections" = "$(seen $listed "$listed_port" connections)" ] ||
	broken 'two fresh stubs count differently'
ask evil
check 'a public name: refused' error_is 503 provider_unavailable
like 'the message says why' "$(body)" 'private networks'
ask both
unlike 'a name with a public and a private address: not the public one' \
	"$status" '^200$'
ask unlisted
check 'not listed: refused' error_is 503 provider_unavailable
is 'no connection came to the public address' \
	"$(seen $public "$outside_port" connections)" "$connections"
is 'nor to the other one' \
	"$(seen $listed "$listed_port" connections)" "$connections"
ask box
is 'listed in addresses: served' "$status" 200
ask mine
is 'a private one: served' "$status" 200

# An address that the config itself shows to be public is refused at load.
sed "s|http://mine.test:|http://$public:|" "$conf" >"$dir/literal.conf"
check_not 'a public address in the url' \
	"$TAILGATE" -f "$dir/literal.conf" check
like 'is named with its rule' "$(cat "$dir/check.out")" \
	'providers.*\.url: 203.0.113.5 is a public address'

# External is allowed by client and model, and by nothing less.
ask world
is 'an external one: served' "$status" 200
is 'and named so' "$(header x-tailgate-place)" external
requests=$(seen $public "$outside_port" requests)
ask world hello -H 'X-Tailgate-Place: local'
check 'the header keeps it here' error_is 403 private_route_blocked
like 'and is named' "$(body)" 'X-Tailgate-Place'
ask world 'my BADGE-123 is lost'
check 'a private pattern keeps it here' error_is 403 private_route_blocked
like 'and is named' "$(body)" 'badge'
unlike 'its text is not' "$(body)" 'BADGE-123'
ask world 'my B\u0041DGE-123 is lost'
check 'also when it is escaped' error_is 403 private_route_blocked
key=$berta_key
ask world
check 'so does the client' error_is 403 private_route_blocked
like 'and what the operator can do is said' "$(body)" \
	'tailgate client set [a-z]* --place external'
like 'and is named' "$(body)" 'berta'
is 'none of them was sent' "$(seen $public "$outside_port" requests)" \
	"$requests"
stop "$tailgate_pid"
check 'the ledger notes the rule' grep -q '"private":"badge"' \
	"$dir/state/ledger.jsonl"
check_not 'but not the text' grep -q 'BADGE-123' "$dir/state/ledger.jsonl"
finish

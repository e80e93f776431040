# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# netns.sh: the hosts of a test are network namespaces, each with a web server, a
# pool and files of its own.  The test itself runs in one more namespace, with the
# model server and the engine.  Two networks lead there: the model server is at
# 10.97.1.1, the engine at 10.97.2.1.  A test sources this before lib.sh.
#
# That needs root.  TAILGATE_NETNS (from the environment, or set by the test
# before) is 1 if the test is to fail without, "wanted" if it is to say so and to
# go on with hosts that share 127.0.0.1, and empty if they are to do so anyway.

if [ -n "${TAILGATE_NETNS:-}" ] && [ -z "${TAILGATE_NETNS_INSIDE:-}" ]; then
	if [ "$TAILGATE_NETNS" != wanted ] || [ "${TAILGATE_CI:-0}" = 1 ] ||
		unshare --mount --net true 2>/dev/null; then
		TAILGATE_NETNS_INSIDE=1 exec unshare --mount --net --fork \
			--kill-child sh "$0"
	fi
	echo '# no network namespaces can be made here: the hosts share 127.0.0.1'
	TAILGATE_NETNS=
fi

# network HOST...: namespaces for them; $in_HOST begins a command there.
network()
{
	[ -n "${TAILGATE_NETNS:-}" ] || return 0
	need ip
	mkdir -p /run/netns
	mount -t tmpfs none /run/netns ||
		broken 'no place for the names of namespaces'
	ip link set lo up
	for net in 1 2; do
		bridge $net || broken 'no bridge'
	done
	last=10
	for name; do
		last=$((last + 1))
		ip netns add "$name" || broken 'no namespace'
		ip -n "$name" link set lo up
		for net in 1 2; do
			link_to "$name" $net $last || broken 'no link'
		done
		eval "in_$name='ip netns exec $name' ${name}_address=10.97.1.$last"
	done
	upstream_address=0.0.0.0
}

# bridge NET
bridge()
{
	ip link add "net$1" type bridge &&
		ip addr add "10.97.$1.1/24" dev "net$1" &&
		ip link set "net$1" up
}

# link_to HOST NET LAST: it has the address 10.97.NET.LAST in that network.
link_to()
{
	ip link add "$1-$2" type veth peer name "eth$2" netns "$1" &&
		ip link set "$1-$2" master "net$2" up &&
		ip -n "$1" addr add "10.97.$2.$3/24" dev "eth$2" &&
		ip -n "$1" link set "eth$2" up
}

# reached HOST: its $HOST_base is an address at which other hosts reach it; it was
# started with bind_to=0.0.0.0.
reached()
{
	[ -z "${TAILGATE_NETNS:-}" ] ||
		eval "${1}_base=http://\$${1}_address:\${${1}_base##*:}"
}

# seen URL: of a server of the test, as the hosts reach it.
seen()
{
	[ -z "${TAILGATE_NETNS:-}" ] || set -- "$(echo "$1" |
		sed 's|127\.0\.0\.1|10.97.1.1|')"
	echo "$1"
}

# unplug HOST, plug HOST: its way to the other hosts.
unplug()
{
	ip link set "$1-1" down
}

plug()
{
	ip link set "$1-1" up
}

# cut_off HOST, uncut HOST: its way to the engine.
cut_off()
{
	ip link set "$1-2" down
}

uncut()
{
	ip link set "$1-2" up
}

#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# tests/distro.sh NAME...: both README commands on a bare system.  Makes a root
# directory of each named release (bookworm, trixie, noble …) with debootstrap,
# clones this tree's HEAD into it, runs `./bootstrap run` until the gateway
# answers and `./bootstrap check` to its end, and prints the closing lines.
#
# By hand only, as root; not a part of `make check`.  A root takes some 3 GB.
#
#   DISTRO_DIR=DIR    where the roots are made and kept (a temporary directory
#                     that is removed afterwards)
#   DISTRO_ONLY=run   the first command only
set -eu
cd "$(dirname "$0")/.."
top=$PWD

die() {
	echo "distro.sh: $*" >&2
	exit 1
}

[ $# -gt 0 ] || die 'name a release: tests/distro.sh bookworm trixie'
[ "$(id -u)" -eq 0 ] || die 'this needs root'
for tool in debootstrap unshare chroot git; do
	command -v "$tool" >/dev/null ||
	    die "$tool is missing (apt-get install debootstrap util-linux git)"
done
unshare --mount --pid --fork true ||
    die 'no mount and process namespaces here: unshare fails (see above)'

roots=${DISTRO_DIR:-}
if [ -z "$roots" ]; then
	roots=$(mktemp -d)
	trap 'rm -rf "$roots"' EXIT
fi

# inside ROOT COMMAND: in its own process namespace, so that nothing outlives
# it, with the network of this machine.
inside() {
	# shellcheck disable=SC2016 # the inner shell expands them
	unshare --mount --pid --fork --kill-child sh -c '
		# A mount point of its own, so that tests can make namespaces.
		mount --bind "$1" "$1" && cd "$1" && mount --make-rprivate / &&
		mount -t proc proc "$1/proc" &&
		mount --rbind /dev "$1/dev" && mount -t sysfs sys "$1/sys" &&
		exec chroot "$1" /usr/bin/env -i HOME=/root TERM=dumb \
		    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		    CI="$3" ${NODE_EXTRA_CA_CERTS:+"NODE_EXTRA_CA_CERTS=$NODE_EXTRA_CA_CERTS"} \
		    sh -c "cd /tailgate && $2"
	' sh "$1" "$2" "${CI:-}"
}

make_root() {
	[ -e "$1/etc/debian_version" ] || debootstrap --variant=minbase "$2" "$1"
	cp /etc/resolv.conf "$1/etc/resolv.conf"
	# A machine whose way out has its own proxy or certificate authority.
	for setting in /etc/apt/apt.conf.d/*proxy* /etc/pip.conf /root/.npmrc \
	    /usr/local/share/ca-certificates/*.crt; do
		[ ! -f "$setting" ] ||
		    install -D -m 644 "$setting" "$1$setting"
	done
	rm -rf "$1/tailgate"
	git clone -q "$top" "$1/tailgate"
}

# The main job: the printed line works.
try_run() {
	# shellcheck disable=SC2016 # the shell in the root expands them
	inside "$1" '
		: >/tmp/run.log
		./bootstrap run >/tmp/run.log 2>&1 & job=$!
		until line=$(grep "^curl " /tmp/run.log); do
			kill -0 $job || { cat /tmp/run.log; exit 1; }
			sleep 1
		done
		eval "$line" && echo && kill -TERM $job && wait $job'
}

failed=0
for name; do
	root=$roots/$name
	make_root "$root" "$name" >"$roots/$name.log" 2>&1 ||
	    die "$name: no root could be made; see $roots/$name.log"
	try_run "$root" >>"$roots/$name.log" 2>&1 && run=works || run=fails
	check='not run'
	if [ "${DISTRO_ONLY:-}" != run ]; then
		inside "$root" './bootstrap check' >>"$roots/$name.log" 2>&1 ||
		    failed=1
		check=$(tail -n 1 "$roots/$name.log")
	fi
	[ "$run" = works ] || failed=1
	printf '%s: ./bootstrap run %s; ./bootstrap check: %s\n' \
	    "$name" "$run" "$check"
done
exit "$failed"

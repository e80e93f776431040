# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# roots.sh: bare systems in directories of their own, for distro.sh and
# packages.sh.  By hand only, as root.
# shellcheck disable=SC2154 # ROOTS_NET is the caller's

die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# need_roots TOOL...: or says what is missing.
need_roots() {
	[ "$(id -u)" -eq 0 ] || die 'this needs root'
	for tool in debootstrap unshare chroot "$@"; do
		command -v "$tool" >/dev/null ||
		    die "$tool is missing (apt-get install debootstrap util-linux $*)"
	done
	unshare --mount --pid --fork true ||
	    die 'no mount and process namespaces here: unshare fails (see above)'
}

# bare_root ROOT RELEASE: what debootstrap makes, if it is not there yet.
bare_root() {
	[ -e "$1/etc/debian_version" ] || debootstrap --variant=minbase "$2" "$1"
	cp /etc/resolv.conf "$1/etc/resolv.conf"
	# A machine whose way out has its own proxy or certificate authority.
	for setting in /etc/apt/apt.conf.d/*proxy* /etc/pip.conf /root/.npmrc \
	    /usr/local/share/ca-certificates/*.crt; do
		[ ! -f "$setting" ] ||
		    install -D -m 644 "$setting" "$1$setting"
	done
}

# inside ROOT COMMAND: in its own process namespace, so that nothing outlives
# it; with the network of this machine, or, where ROOTS_NET=none, with a
# loopback of its own on which every port is free.
inside() {
	# shellcheck disable=SC2016,SC2086 # the inner shell expands them; a flag
	unshare --mount --pid --fork --kill-child \
	    ${ROOTS_NET:+--net} sh -c '
		# A mount point of its own, so that tests can make namespaces.
		mount --bind "$1" "$1" && cd "$1" && mount --make-rprivate / &&
		mount -t proc proc "$1/proc" &&
		mount --rbind /dev "$1/dev" && mount -t sysfs sys "$1/sys" &&
		{ [ -z "$4" ] || ip link set lo up; } &&
		exec chroot "$1" /usr/bin/env -i HOME=/root TERM=dumb \
		    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		    CI="$3" ${NODE_EXTRA_CA_CERTS:+"NODE_EXTRA_CA_CERTS=$NODE_EXTRA_CA_CERTS"} \
		    sh -c "$2"
	' sh "$1" "$2" "${CI:-}" "${ROOTS_NET:-}"
}

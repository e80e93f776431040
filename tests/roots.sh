# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# roots.sh: bare systems in directories of their own, for distro.sh,
# packages.sh, packaging.sh and cross.sh.  By hand only, as root.
#
#   ROOTS_CACHE=DIR   keeps there what is fetched (packages of Debian, npm and
#                     PyPI), for the next root of the same release
# shellcheck disable=SC2154 # ROOTS_NET and ROOTS_CACHE are the caller's

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
	if [ -n "${ROOTS_CACHE:-}" ]; then
		mkdir -p "$ROOTS_CACHE"
		ROOTS_CACHE=$(cd "$ROOTS_CACHE" && pwd)
	fi
}

# bare_root ROOT RELEASE: what debootstrap makes, if it is not there yet.  A
# directory that it left half done is made again.
bare_root() {
	if [ ! -e "$1.made" ] || [ ! -e "$1/etc/debian_version" ]; then
		rm -rf --one-file-system "${1:?}" "$1.made"
		[ -z "${ROOTS_CACHE:-}" ] || mkdir -p "$ROOTS_CACHE/$2/apt"
		debootstrap --variant=minbase \
		    ${ROOTS_CACHE:+"--cache-dir=$ROOTS_CACHE/$2/apt"} "$2" "$1"
		: >"$1.made"
	fi
	cp /etc/resolv.conf "$1/etc/resolv.conf"
	# A machine whose way out has its own proxy or certificate authority.
	for setting in /etc/apt/apt.conf.d/*proxy* /etc/pip.conf /root/.npmrc \
	    /usr/local/share/ca-certificates/*.crt; do
		[ ! -f "$setting" ] ||
		    install -D -m 644 "$setting" "$1$setting"
	done
}

# inside ROOT COMMAND: in its own process namespace, so that nothing outlives
# it; with the network of this machine, or, if ROOTS_NET=none, with a loopback
# of its own on which every port is free.
inside() {
	cache=
	if [ -n "${ROOTS_CACHE:-}" ]; then
		# A root is of one release, as bare_root() made it.
		cache=$ROOTS_CACHE/$(. "$1/etc/os-release" && echo "$VERSION_CODENAME")
		mkdir -p "$cache/apt/partial" "$cache/npm" "$cache/pip" \
		    "$1/root/.npm" "$1/root/.cache/pip"
	fi
	# shellcheck disable=SC2016 # the inner shell expands them
	unshare --mount --pid --fork --kill-child \
	    ${ROOTS_NET:+--net} sh -c '
		# A mount point of its own, so that tests can make namespaces.
		mount --bind "$1" "$1" && cd "$1" && mount --make-rprivate / &&
		mount -t proc proc "$1/proc" &&
		mount --rbind /dev "$1/dev" && mount -t sysfs sys "$1/sys" &&
		if [ -n "$5" ]; then
			mount --bind "$5/apt" "$1/var/cache/apt/archives" &&
			mount --bind "$5/npm" "$1/root/.npm" &&
			mount --bind "$5/pip" "$1/root/.cache/pip"
		fi &&
		{ [ -z "$4" ] || ip link set lo up; } &&
		exec chroot "$1" /usr/bin/env -i HOME=/root TERM=dumb \
		    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		    CI="$3" ${NODE_EXTRA_CA_CERTS:+"NODE_EXTRA_CA_CERTS=$NODE_EXTRA_CA_CERTS"} \
		    sh -c "$2"
	' sh "$1" "$2" "${CI:-}" "${ROOTS_NET:-}" "$cache"
}

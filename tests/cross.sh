#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# tests/cross.sh ARCH...: builds this tree's HEAD for other kinds of machine
# (arm64, armhf, i386, s390x, riscv64 …: Debian's names), and runs its unit
# tests by qemu's user mode, in a bare Debian root with Debian's cross
# compilers.  Prints a closing line for each; doc/platforms.md has the last
# ones.
#
# By hand only, as root.  A root needs about 1.5 GB.
#
#   CROSS_DIR=DIR      where the roots are made and kept (a temporary directory
#                      that is removed afterwards)
#   ROOTS_CACHE=DIR    as tests/roots.sh says
#   CROSS_RELEASE=NAME Debian's (bookworm)
set -eu
cd "$(dirname "$0")/.."
top=$PWD

. tests/roots.sh

[ $# -gt 0 ] || die 'name a kind of machine: tests/cross.sh arm64 s390x i386'
need_roots git
release=${CROSS_RELEASE:-bookworm}

roots=${CROSS_DIR:-}
if [ -z "$roots" ]; then
	roots=$(mktemp -d)
	trap 'rm -rf "$roots"' EXIT
fi

# What bootstrap installs to build with, but for the tools.
libraries=$(sed -n "/^packages_build='/,/'\$/p" bootstrap |
    tr -s " ='" '\n' | grep -e '-dev$' | grep -v '^libc6-dev$')

# qemu's name for it, and the compiler's.
names() {
	case $1 in
	arm64) qemu=aarch64 host=aarch64-linux-gnu ;;
	armhf) qemu=arm host=arm-linux-gnueabihf ;;
	i386) qemu=i386 host=i686-linux-gnu ;;
	ppc64el) qemu=ppc64le host=powerpc64le-linux-gnu ;;
	*) qemu=$1 host=$1-linux-gnu ;;
	esac
}

try() {
	root=$roots/$release-$1
	bare_root "$roots/$release-bare" "$release"
	[ -e "$root" ] || cp -a "$roots/$release-bare" "$root"
	rm -rf "$root/tailgate"
	git clone -q "$top" "$root/tailgate"
	# Nothing is to be started by its package; store_test runs an engine.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	packages="crossbuild-essential-$1 autoconf automake pkg-config
	    qemu-user-static redis-server"
	for library in $libraries; do
		packages="$packages $library:$1"
	done
	# shellcheck disable=SC2086,SC2116 # one line
	inside "$root" "dpkg --add-architecture $1 && apt-get update -q &&
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
	    --no-install-recommends $(echo $packages)"
	inside "$root" "cd /tailgate && autoreconf -fi && mkdir build &&
	    cd build && ../configure -q --host=$host \
	    PKG_CONFIG=$host-pkg-config && make -s -j2 &&
	    file=\$(od -An -tx1 -j4 -N2 tailgate.fcgi) &&
	    echo \"class and byte order:\$file\" &&
	    EMULATED=1 make -s -j2 check-unit LOG_COMPILER=qemu-$qemu-static VERBOSE=1"
}

failed=0
for arch; do
	names "$arch"
	log=$roots/$arch.log
	# In a shell of its own, so that -e holds in it.
	set +e
	(
		set -e
		try "$arch"
	) >"$log" 2>&1
	result=$?
	set -e
	[ "$result" -eq 0 ] || failed=1
	warnings=$(grep -c 'warning:' "$log" || :)
	sed -n 's/^not ok /&/p' "$log"
	printf '%s: %s; %s warnings; %s\n' "$arch" \
	    "$([ "$result" -eq 0 ] && echo built || echo fails)" "$warnings" \
	    "$(grep -E '^# (TOTAL|PASS|FAIL|ERROR|SKIP):' "$log" |
		tail -n 6 | tr -s ' \n' ' ')"
done
exit "$failed"

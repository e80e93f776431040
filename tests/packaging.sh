#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# tests/packaging.sh TARBALL: the parts of packaging/ that can be tried with
# Debian's tools, in a bare root.  The RPM is built from a tarball of `make
# dist-xz`, checked by rpmlint and installed.  OpenRC starts, reloads and stops
# the service.  The container's command serves as its user on a read-only root.
# Prints a line for each check and a closing one.
#
# By hand only, as root: `make check-packaging`.  The root needs about 2 GB.
#
#   PACKAGING_DIR=DIR  where the roots are made and kept (a temporary directory
#                      that is removed afterwards): DIR/bookworm-bare, and
#                      DIR/bookworm-packaging, which is made anew each time
#   ROOTS_CACHE=DIR    as tests/roots.sh says
set -eu
cd "$(dirname "$0")/.."

. tests/roots.sh

tarball=${1:?usage: tests/packaging.sh TARBALL}
need_roots ip xz
[ -f "$tarball" ] || die "$tarball: no such file"
release=bookworm

roots=${PACKAGING_DIR:-}
if [ -z "$roots" ]; then
	roots=$(mktemp -d)
	trap 'rm -rf "$roots"' EXIT
fi
mkdir -p "$roots"
root=$roots/$release-packaging
log=$roots/packaging.log

# What bootstrap installs to build with.
packages=$(sed -n "/^packages_build='/,/'\$/p" bootstrap |
    tr -d "='" | sed 's/packages_build//' | tr -s '\n\t' ' ')

prepare() {
	bare_root "$roots/$release-bare" "$release"
	rm -rf --one-file-system "${root:?}"
	cp -a "$roots/$release-bare" "$root"
	# Nothing is to be started by its package.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	inside "$root" "apt-get update -q && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -q --no-install-recommends $packages rpm \
	    rpmlint openrc lighttpd curl procps iproute2 util-linux xz-utils"
	rm -rf "$root/packaging" "$root/root/rpmbuild"
	mkdir "$root/packaging"
	cp -R packaging/. "$root/packaging/"
	cp "$tarball" "$root/packaging/"
	cp tests/packaging_root.sh tests/inside.sh "$root/"
}

if ! prepare >"$log" 2>&1; then
	tail -n 20 "$log"
	die "no root could be made; see $log"
fi
ROOTS_NET=none
inside "$root" 'sh /packaging_root.sh' >>"$log" 2>&1 && result=0 || result=1
grep -E '^(not )?ok |^# ' "$log" || :
tail -n 1 "$log"
exit "$result"

#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# tests/packages.sh TARBALL [RELEASE...]: the Debian package on bare systems
# (bookworm and trixie).  Builds it there from a tarball of `make dist`, and
# again as a later version.  Checks it with lintian.  Installs, serves from,
# upgrades, removes and purges it in a root without a compiler
# (packages_root.sh).  Prints a closing line for each release.
#
# By hand only, as root: `make check-packages`.  The roots need about 2 GB each.
#
#   PACKAGES_DIR=DIR  where the roots are made and kept (a temporary directory
#                     that is removed afterwards)
#   ROOTS_CACHE=DIR   as tests/roots.sh says
set -eu
cd "$(dirname "$0")/.."

. tests/roots.sh

tarball=${1:?usage: tests/packages.sh TARBALL [RELEASE...]}
shift
[ $# -gt 0 ] || set -- bookworm trixie
need_roots ip xz
[ -f "$tarball" ] || die "$tarball: no such file"

roots=${PACKAGES_DIR:-}
if [ -z "$roots" ]; then
	roots=$(mktemp -d)
	trap 'rm -rf "$roots"' EXIT
fi
mkdir -p "$roots"

apt='DEBIAN_FRONTEND=noninteractive apt-get -y -q --no-install-recommends'
later=99.0.0

# unpack DIR: the tarball, with debian/changelog at the version of configure.
unpack() {
	rm -rf "$1"
	mkdir -p "$1"
	tar -xJf "$tarball" -C "$1" --strip-components 1
	version=$(sed -n 's/^AC_INIT(\[tailgate\], \[\(.*\)\])$/\1/p' \
	    "$1/configure.ac")
	sed -n 1p "$1/debian/changelog" | grep -q "^tailgate ($version) " ||
	    die "debian/changelog does not begin with version $version"
}

# make_later DIR: the same, as another version.
make_later() {
	sed -i "s/^AC_INIT(\[tailgate\], .*/AC_INIT([tailgate], [$later])/" \
	    "$1/configure.ac"
	sed "s/^tailgate (.*) /tailgate ($later) /
		s/^  \*.*/  * A later version./" "$1/debian/changelog" >"$1/new"
	cat "$1/debian/changelog" >>"$1/new"
	mv "$1/new" "$1/debian/changelog"
}

# build ROOT DIR: the package, beside the directory.  The tests were run by
# `make check`.
build() {
	inside "$1" "cd $2 && nice -n 10 env DEB_BUILD_OPTIONS='nocheck \
	    parallel=$(getconf _NPROCESSORS_ONLN)' dpkg-buildpackage -b -us -uc"
}

# try RELEASE: all of it; what it prints goes to the log.
try() {
	bare_root "$roots/$1-bare" "$1"
	maker=$roots/$1-maker
	[ -e "$maker" ] || cp -a "$roots/$1-bare" "$maker"
	unpack "$maker/first/tree"
	unpack "$maker/later/tree"
	make_later "$maker/later/tree"
	inside "$maker" "apt-get update -q &&
	    $apt install build-essential lintian &&
	    $apt build-dep /first/tree"
	build "$maker" /first/tree
	build "$maker" /later/tree
	inside "$maker" 'lintian --allow-root --fail-on error,warning \
	    --display-info --pedantic --show-overrides /first/*.changes'

	user=$roots/$1-user
	rm -rf "$user"
	cp -a "$roots/$1-bare" "$user"
	cp "$maker/first"/tailgate_*.deb "$user/first.deb"
	cp "$maker/later"/tailgate_*.deb "$user/later.deb"
	cp tests/packages_root.sh tests/inside.sh "$user/"
	# What it needs comes first, so that what is left after the purge is
	# the package's own.  Nothing is started: there is no init.
	inside "$user" "apt-get update -q &&
	    $apt satisfy \"\$(dpkg-deb -f /first.deb Depends Pre-Depends |
		sed 's/^[^:]*: //' | paste -sd ,), lighttpd, curl, logrotate\""
	ROOTS_NET=none
	inside "$user" "sh /packages_root.sh /first.deb /later.deb $later"
	ROOTS_NET=
}

failed=0
for release; do
	log=$roots/$release.log
	# In a shell of its own, so that -e holds in it.
	set +e
	(
		set -e
		try "$release"
	) >"$log" 2>&1
	result=$?
	set -e
	if [ "$result" -ne 0 ]; then
		failed=1
		tail -n 30 "$log"
	fi
	grep -E '^(not )?ok |^[EWIPO]: ' "$log" || :
	printf '%s: %s\n' "$release" "$(tail -n 1 "$log")"
done
exit "$failed"

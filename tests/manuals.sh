#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# tests/manuals.sh PAGE...: makes doc/man/NAME.md of each man/NAME, for those
# who read the repository on the web: `make manuals`.  With -c as the first
# argument it only prints the names of outdated ones.  The paths are those of a
# build without options except README's.
set -eu
cd "$(dirname "$0")/.."

check=
[ "${1:-}" != -c ] || { check=yes && shift; }

# The last line, of the system and the date, depends on mandoc's version.
render() {
	mandoc -T markdown "$1" | sed -e 's|@bindir@|/usr/local/bin|g' \
	    -e 's|@sbindir@|/usr/local/sbin|g' \
	    -e 's|@datadir@|/usr/local/share|g' -e 's|@sysconfdir@|/etc|g' \
	    -e 's|@localstatedir@|/var|g' -e 's|@runstatedir@|/run|g' \
	    -e '$d'
}

mkdir -p doc/man
for page; do
	text=doc/man/${page##*/}.md
	if [ -z "$check" ]; then
		render "$page" >"$text"
	elif ! render "$page" | cmp -s - "$text"; then
		echo "$text: is not made of $page; run make manuals"
	fi
done

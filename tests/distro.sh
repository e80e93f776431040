#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# tests/distro.sh NAME...: both README commands on a bare system.  Makes a root
# directory of each named release (bookworm, trixie, noble …) with debootstrap,
# copies it, clones this tree's HEAD into the copy, runs `./bootstrap run` until
# the gateway answers and `./bootstrap check` to its end, and prints the closing
# lines.
#
# By hand only, as root; not a part of `make check`.  A root needs about 4 GB.
#
#   DISTRO_DIR=DIR    where the roots are made and kept (a temporary directory
#                     that is removed afterwards): DIR/NAME-bare, and DIR/NAME,
#                     which is made anew each time
#   ROOTS_CACHE=DIR   as tests/roots.sh says
#   DISTRO_ONLY=run   the first command only
set -eu
cd "$(dirname "$0")/.."
top=$PWD

. tests/roots.sh

[ $# -gt 0 ] || die 'name a release: tests/distro.sh bookworm trixie'
need_roots git

roots=${DISTRO_DIR:-}
if [ -z "$roots" ]; then
	roots=$(mktemp -d)
	trap 'rm -rf "$roots"' EXIT
fi
mkdir -p "$roots"

make_root() {
	bare_root "$1-bare" "$2"
	rm -rf --one-file-system "${1:?}"
	cp -a "$1-bare" "$1"
	git clone -q "$top" "$1/tailgate"
}

# The main job: the printed line works.
try_run() {
	# shellcheck disable=SC2016 # the shell in the root expands them
	inside "$1" '
		cd /tailgate
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
		inside "$root" 'cd /tailgate && ./bootstrap check' \
		    >>"$roots/$name.log" 2>&1 ||
		    failed=1
		check=$(tail -n 1 "$roots/$name.log")
	fi
	[ "$run" = works ] || failed=1
	printf '%s: ./bootstrap run %s; ./bootstrap check: %s\n' \
	    "$name" "$run" "$check"
done
exit "$failed"

#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# tests/systemd.sh BUILDDIR: the units as they are shipped, under a running
# systemd.  A copy of this machine's system (an overlay, thrown away) boots with
# systemd as its first process, in namespaces of its own.  The build in BUILDDIR
# is installed there, and systemd_inside.sh starts, queries, reloads and attacks
# the service.  Prints TAP and systemd's own figures.
#
# By hand only, as root: `make check-systemd`.  It needs systemd, lighttpd, curl
# and gdb on this machine, overlayfs and control groups of version 2.
#
#   SYSTEMD_ROOT=DIR  a root that was made by debootstrap stands in for this
#                     machine's own; what is built must run there
set -eu
build=$(cd "${1:?usage: tests/systemd.sh BUILDDIR}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
below=${SYSTEMD_ROOT:-/}
init=$below/lib/systemd/systemd

die() {
	echo "systemd.sh: $*" >&2
	exit 99
}

# The rest runs in namespaces of its own, as their process 1.
if [ -z "${INSIDE_NAMESPACES:-}" ]; then
	[ "$(id -u)" -eq 0 ] || die 'this needs root'
	for file in "$init" "$below/usr/sbin/lighttpd" "$below/usr/bin/curl" \
	    "$below/usr/bin/gdb"; do
		[ -x "$file" ] || die "$file is missing"
	done
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	INSIDE_NAMESPACES=$dir
	export INSIDE_NAMESPACES
	timeout -k 5 "${SYSTEMD_SECONDS:-300}" unshare --mount --pid --uts \
	    --ipc --net --cgroup --fork --kill-child \
	    sh "$here/systemd.sh" "$build" >"$dir/boot.log" 2>&1 || :
	if [ ! -s "$dir/results" ]; then
		tail -n 40 "$dir/boot.log"
		die 'the system did not come up'
	fi
	cat "$dir/results"
	if ! tail -n 1 "$dir/results" | grep -q '^1\.\.'; then
		tail -n 20 "$dir/boot.log"
		die 'it did not come to its end'
	fi
	if grep -q '^not ok' "$dir/results"; then
		exit 1
	fi
	exit 0
fi

dir=$INSIDE_NAMESPACES
unset INSIDE_NAMESPACES
root=$dir/root
mount --make-rprivate /
mkdir "$dir/layer" "$root"
mount -t tmpfs layer "$dir/layer"
mkdir "$dir/layer/upper" "$dir/layer/work"
mount -t overlay system -o \
    "lowerdir=$below,upperdir=$dir/layer/upper,workdir=$dir/layer/work" "$root"

# Nothing of this machine's own is started.
rm -rf "$root/etc/systemd/system" "$root/etc/fstab" "$root/var/log/journal"
mkdir -p "$root/etc/systemd/system" "$root/trial"
: >"$root/etc/machine-id"
make -s -C "$build" install DESTDIR="$root" prefix=/usr sysconfdir=/etc \
    localstatedir=/var runstatedir=/run \
    systemdsystemunitdir=/usr/lib/systemd/system >/dev/null
install -m 755 "$build/tests/unit/sandbox_test" "$root/usr/lib/breakout"
cp "$here/systemd_inside.sh" "$here/inside.sh" "$root/trial/"
cat >"$root/etc/systemd/system/trial.service" <<-'END'
	[Unit]
	After=systemd-journald.service
	[Service]
	Type=oneshot
	ExecStart=/bin/sh /trial/systemd_inside.sh
	StandardOutput=file:/trial/results
	StandardError=file:/trial/errors
	ExecStopPost=/bin/systemctl --no-block exit
END
cat >"$root/etc/systemd/system/trial.target" <<-'END'
	[Unit]
	Requires=trial.service
	After=trial.service
END

: >"$dir/results"
: >"$root/trial/results"
mount --bind "$dir/results" "$root/trial/results"
mount -t proc proc "$root/proc"
mount -t sysfs sys "$root/sys"
mount -t tmpfs cgroup "$root/sys/fs/cgroup"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs run "$root/run"
mount -t tmpfs tmp "$root/tmp" -o mode=1777
mount --rbind /dev "$root/dev"
ip link set lo up
mkdir -p "$root/trial/old"
cd "$root"
pivot_root . trial/old
umount -l /trial/old
exec env -i container=trial PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --unit=trial.target --show-status=no

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The systemd units as they are installed: systemd finds no fault in them, and
# the exposure that it reckons stays at 1.5 or below.
. "${abs_srcdir:-.}/tests/lib.sh"

need systemd-analyze

# unit NAME: the file with an installation's paths.
unit()
{
	sed -e "s|@bindir@/tailgate|$TAILGATE|; s|@sbindir@/tailgate.fcgi|$TAILGATE_FCGI|" \
		-e 's|@sysconfdir@|/etc|g; s|@localstatedir@|/var|g' \
		-e 's|@runstatedir@|/run|g' "$abs_srcdir/contrib/systemd/$1" \
		>"$dir/$1"
}

for name in tailgate.socket tailgate.service tailgate-probe.timer \
	tailgate-probe.service; do
	unit "$name"
done
for name in tailgate.service tailgate-probe.service; do
	is "$name: every setting is known to systemd" \
		"$(systemd-analyze verify --man=no "$dir/$name" 2>&1 |
			grep "^$dir\|$name:.*\(Unknown\|Failed\)")" ''
	score=$(systemd-analyze security --offline=true "$dir/$name" 2>&1 |
		sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p')
	check "$name: exposure $score is at most 1.5" \
		awk "BEGIN { exit !(\"$score\" != \"\" && $score + 0 <= 1.5) }"
done

# A service of a user that exists only while it runs, and of a host that is
# held to its own networks, are the same unit with a drop-in.
for name in dynamic-user local-only; do
	cat "$dir/tailgate.service" "$abs_srcdir/contrib/systemd/$name.conf" \
		>"$dir/$name.service"
	is "$name.conf: every setting is known to systemd" \
		"$(systemd-analyze verify --man=no "$dir/$name.service" 2>&1 |
			grep "$name.service:.*\(Unknown\|Failed\)")" ''
done

finish

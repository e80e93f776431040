#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# `make install` into an empty root: everything is there, the shipped files name
# the right places and are accepted by their web servers, a configuration that
# somebody wrote is never overwritten, and uninstall leaves only that.

. "${abs_srcdir:-.}/tests/lib.sh"

make=${MAKE:-make}
root=$dir/root
datadir=$root/usr/share/tailgate
conf=$root/etc/tailgate/tailgate.conf
# The make that runs this test shares neither jobs nor settings with ours.
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR

make_here() {
	"$make" -C "$abs_builddir" DESTDIR="$root" prefix=/usr \
	    exec_prefix=/usr bindir=/usr/bin sbindir=/usr/sbin \
	    datarootdir=/usr/share datadir=/usr/share mandir=/usr/share/man \
	    sysconfdir=/etc localstatedir=/var runstatedir=/run \
	    docdir=/usr/share/doc/tailgate \
	    systemdsystemunitdir=/usr/lib/systemd/system "$@"
}

check "make install" make_here install
for file in bin/tailgate sbin/tailgate.fcgi; do
	check "$file is a program" test -x "$root/usr/$file"
done
for page in tailgate.1 tailgate.conf.5 tailgate.fcgi.8; do
	check "$page is installed" \
	    test -s "$root/usr/share/man/man${page##*.}/$page"
done
for file in ChangeLog README.md SECURITY.md clients.md providers.md; do
	check "the document $file" \
	    test -s "$root/usr/share/doc/tailgate/$file"
done
for file in systemd/system/tailgate.service systemd/system/tailgate.socket \
    systemd/system/tailgate-probe.service systemd/system/tailgate-probe.timer \
    sysusers.d/tailgate.conf tmpfiles.d/tailgate.conf; do
	check "$file is in systemd's directory" test -s "$root/usr/lib/$file"
done
for file in bash-completion/completions/tailgate \
    zsh/site-functions/_tailgate fish/vendor_completions.d/tailgate.fish; do
	check "the completion $file" \
	    grep -q probe "$root/usr/share/$file"
done
for file in index.html style.css app.js icon.svg; do
	same "the status page's $file" "$datadir/www/$file" \
	    "$abs_srcdir/contrib/www/$file"
done
check "a tailgate.conf comes with it" test -s "$conf"
same "and is the sample" "$conf" "$conf.sample"
is "no file keeps a place holder" \
    "$(grep -rlE '@[a-z]+dir@' "$root" | head -n 3)" ""
like "the socket unit names the runtime directory" \
    "$(cat "$datadir/systemd/tailgate.socket")" \
    '^ListenStream=/run/tailgate/sock$'

if command -v lighttpd >/dev/null; then
	# The lines that the include's own comment tells a person to write.
	{
		echo 'server.document-root = "/var/empty"'
		sed -n 's/^#   \(var\.\|include\)/\1/p' \
		    "$datadir/lighttpd/tailgate.conf" |
		    sed "s|include \"|&$root|"
	} >"$dir/lighttpd.conf"
	check "lighttpd accepts the include as its comment says" \
	    lighttpd -tt -f "$dir/lighttpd.conf"
	is "and it is three lines" "$(wc -l <"$dir/lighttpd.conf")" 4
fi
if command -v promtool >/dev/null; then
	check "Prometheus accepts the alert rules" \
	    promtool check rules "$datadir/prometheus/alerts.yml"
	# The rules and the key are where an installation has them.
	sed -e "s|/usr/share/tailgate|$datadir|" \
	    -e "s|/etc/prometheus/tailgate.key|$dir/prometheus.key|" \
	    "$datadir/prometheus/scrape.yml" >"$dir/prometheus.yml"
	: >"$dir/prometheus.key"
	check "and the scrape" promtool check config "$dir/prometheus.yml"
fi
if command -v logrotate >/dev/null; then
	check "logrotate accepts its file" \
	    logrotate -d "$datadir/logrotate/tailgate"
fi
if command -v systemd-sysusers >/dev/null; then
	check "systemd-sysusers makes the user" systemd-sysusers --root="$root"
	like "and it is there" "$(cat "$root/etc/passwd")" '^tailgate:'
	if [ "$(id -u)" -eq 0 ]; then
		check "systemd-tmpfiles accepts its file" systemd-tmpfiles \
		    --create --root="$root" \
		    "$root/usr/lib/tmpfiles.d/tailgate.conf"
		is "the configuration is the user's to read" \
		    "$(command stat -c %a:%g "$root/etc/tailgate")" \
		    "750:$(sed -n 's/^tailgate:[^:]*:\([0-9]*\):.*/\1/p' \
			"$root/etc/group")"
		check "and what a restart may lose has its directory" \
		    rmdir "$root/run/tailgate"
		check "and so has what must last" \
		    rmdir "$root/var/lib/tailgate"
	fi
	rm -f "$root/etc/passwd" "$root/etc/group" "$root/etc/shadow" \
	    "$root/etc/gshadow" "$root/etc/.pwd.lock"
fi
if command -v caddy >/dev/null; then
	check "Caddy accepts the Caddyfile" env "HOME=$dir" \
	    caddy validate --adapter caddyfile \
	    --config "$datadir/caddy/Caddyfile"
fi

echo '# mine' >>"$conf"
cp "$conf" "$dir/mine"
rm "$conf.sample"
check "make install again" make_here install
same "a configuration that somebody wrote stays" "$conf" "$dir/mine"
check "the sample comes back" test -s "$conf.sample"

check "make uninstall" make_here uninstall
is "leaves that configuration alone" \
    "$(find "$root" -type f -o -type l)" "$conf"
rm -f "$conf"
make_here install >/dev/null
check "make uninstall of an untouched installation" make_here uninstall
is "leaves nothing" "$(find "$root" -type f -o -type l)" ""
is "and no directory of its own" "$(find "$root" -name 'tailgate*')" ""

finish

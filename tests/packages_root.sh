#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# packages_root.sh FIRST.deb LATER.deb VERSION: what packages.sh runs inside a
# root: install, serve, upgrade to VERSION, remove and purge.  Destroys what is
# in /etc/tailgate and /var/lib/tailgate; only for a root that is thrown away.
. "$(dirname "$0")/inside.sh"
first=$1 later=$2 version=$3

# All paths, except those that dpkg, logs and users leave by policy.
everything() {
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp \
	    -o -path /var/lib/dpkg -o -path /var/log -o -path /var/cache \) \
	    -prune -o -print | grep -Evx '/etc/(passwd|group|shadow|gshadow)-|/etc/\.pwd\.lock' | sort
}

mode() {
	stat -c '%a %U:%G' "$1"
}

ask() {
	curl -sS --max-time 30 -H "Authorization: Bearer $(cat "$dir/key")" \
	    -H 'Content-Type: application/json' \
	    -d '{"model":"echo","messages":[{"role":"user","content":"Hello"}]}' \
	    http://127.0.0.1/v1/chat/completions
}

# answers: the echo came through lighttpd and the gateway.
answers() {
	ask >"$dir/answer"
	grep -q '"content":"Hello"' "$dir/answer" && return 0
	cat "$dir/answer" "$dir/log"
	return 1
}

is_version() {
	"$1" -V 2>&1 | grep -F "$2"
}

# in_ledger COUNT: of the client's requests.
in_ledger() {
	[ "$(grep -c '"laptop"' /var/lib/tailgate/ledger.jsonl)" -eq "$1" ]
}

everything >"$dir/before"

### install

check 'it is installed' dpkg -i "$first"
check 'the service has its user' id tailgate
is 'no unit is enabled' \
    "$(find /etc/systemd -name '*tailgate*')" ''
check 'the units are there' sh -c 'cd /lib/systemd/system &&
    ls tailgate.service tailgate.socket tailgate-probe.service \
    tailgate-probe.timer'
sed -n 's/^Exec[A-Za-z]*=\([^ ]*\).*/\1/p' \
    /lib/systemd/system/tailgate*.service | sort -u >"$dir/programs"
while read -r program; do
	check "the units start $program, which is there" test -x "$program"
done <"$dir/programs"
is 'the configuration is for the service to read' \
    "$(mode /etc/tailgate)" '750 root:tailgate'
is 'and there is none yet' "$(ls -A /etc/tailgate)" ''
is 'the ledger is the service'"'"'s own' \
    "$(mode /var/lib/tailgate)" '750 tailgate:tailgate'
check 'logrotate accepts its file' logrotate -d /etc/logrotate.d/tailgate
for page in man1/tailgate.1 man5/tailgate.conf.5 man5/tailgate.ledger.5 \
    man8/tailgate.fcgi.8; do
	check "the manual $page" test -s "/usr/share/man/$page.gz"
done
for file in nginx/tailgate.conf caddy/Caddyfile www/index.html; do
	check "$file is there" test -s "/usr/share/tailgate/$file"
done
for file in bash-completion/completions/tailgate \
    zsh/vendor-completions/_tailgate \
    fish/vendor_completions.d/tailgate.fish; do
	check "the completion $file" test -s "/usr/share/$file"
done
is 'no file keeps a place holder or a place of ours' \
    "$(dpkg -L tailgate | while read -r file; do
	[ ! -f "$file" ] || grep -IlE '@[a-z]+dir@|/usr/local/s' "$file"
    done | grep -v /usr/share/doc/)" ''

### serve, as README.Debian says; by hand, since nothing is started here

cp /usr/share/doc/tailgate/examples/tailgate.conf /etc/tailgate/
check 'a client is made' sh -c "tailgate client add laptop >$dir/key"
check 'the configuration is right' tailgate check
check 'the service can read and write what it must' \
    tailgate check --user tailgate
setpriv --reuid=tailgate --regid=tailgate --init-groups \
    tailgate.fcgi -s /run/tailgate/sock >"$dir/log" 2>&1 &
gateway=$!
check 'the gateway listens' until_true test -S /run/tailgate/sock
chgrp www-data /run/tailgate/sock
check 'lighttpd accepts the module' lighty-enable-mod tailgate
install -d -o www-data -g www-data /run/lighttpd
lighttpd -D -f /etc/lighttpd/lighttpd.conf >"$dir/lighttpd.log" 2>&1 &
web=$!
check 'lighttpd serves' until_true curl -sf -o "$dir/out" \
    http://127.0.0.1/health
check 'a request is served' answers
check 'the page is served' curl -sf http://127.0.0.1/tailgate/
check 'the request is in the ledger' until_true in_ledger 1

### upgrade

echo '# mine' >>/etc/tailgate/tailgate.conf
sum=$(cksum </etc/tailgate/tailgate.conf)
check 'it is upgraded' dpkg -i "$later"
check 'the command is the later one' is_version tailgate "$version"
is 'the configuration is as it was' \
    "$(cksum </etc/tailgate/tailgate.conf)" "$sum"
check 'the running one goes on' answers
kill -HUP "$gateway"
check 'after a reload the later one serves' until_true sh -c \
    "readlink /proc/$gateway/exe | grep -qx /usr/sbin/tailgate.fcgi"
check 'it serves a request' answers
check 'both versions wrote the ledger' until_true in_ledger 3
check 'the ledger is one chain' tailgate usage --verify

### remove and purge

kill -TERM "$web" "$gateway"
check 'the gateway ends well' wait "$gateway"
wait "$web"
rm -f /run/lighttpd.pid
echo secret >/etc/tailgate/provider.key
check 'it is removed' dpkg -r tailgate
check 'lighttpd would start without it' \
    lighttpd -tt -f /etc/lighttpd/lighttpd.conf
check 'the ledger stays' test -s /var/lib/tailgate/ledger.jsonl
check 'the configuration stays' test -s /etc/tailgate/tailgate.conf
check 'it is purged' dpkg -P tailgate
is 'a file of its owner stays' "$(ls -A /etc/tailgate)" provider.key
rm -r /etc/tailgate
everything >"$dir/after"
check 'nothing else is left' diff "$dir/before" "$dir/after"

check 'it is installed again' dpkg -i "$later"
check 'and purged' dpkg -P tailgate
everything >"$dir/after"
check 'nothing is left' diff "$dir/before" "$dir/after"

inside_end

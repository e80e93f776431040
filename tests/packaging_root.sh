#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# packaging_root.sh: what packaging.sh runs inside a root, which is thrown away.
. "$(dirname "$0")/inside.sh"

mode() {
	[ "$(stat -c '%a %U:%G' "$1")" = "$2" ] || {
		stat -c '%a %U:%G' "$1"
		return 1
	}
}

### RPM

# Debian's rpm has not Fedora's macros for systemd.
build() {
	rpmbuild -bb --nodeps --define "_sourcedir /packaging" \
	    --define '_unitdir /usr/lib/systemd/system' \
	    --define '_sysusersdir /usr/lib/sysusers.d' \
	    --define '_tmpfilesdir /usr/lib/tmpfiles.d' \
	    --define '_docdir /usr/share/doc' --define '_smp_mflags -j2' \
	    --define '_build_id_links none' --define 'debug_package %{nil}' \
	    --define 'systemd_post() true %*' \
	    --define 'systemd_preun() true %*' \
	    --define 'systemd_postun() true %*' \
	    /packaging/rpm/tailgate.spec
}

check 'rpmbuild builds the package, and its unit tests pass' build
package=$(find /root/rpmbuild/RPMS -name 'tailgate-*.rpm' | head -n 1)
check 'rpmlint has no error in the spec' sh -c '
	rpmlint /packaging/rpm/tailgate.spec >/tmp/lint 2>&1
	cat /tmp/lint; ! grep -E "E: " /tmp/lint'
check 'it is installed' rpm -i --nodeps --force-debian "$package"
check 'with its user' id tailgate
check 'the configuration is for the service to read' \
    mode /etc/tailgate '750 root:tailgate'
check 'and there is none yet' test -z "$(ls -A /etc/tailgate)"
check 'the ledger is the service'"'"'s own' \
    mode /var/lib/tailgate '750 tailgate:tailgate'
check 'the command runs' tailgate --version
for file in bash-completion/completions/tailgate \
    zsh/site-functions/_tailgate fish/vendor_completions.d/tailgate.fish; do
	check "the completion $file" grep -q probe "/usr/share/$file"
done

### OpenRC

cp /usr/share/doc/tailgate/tailgate.conf /etc/tailgate/
tailgate client add laptop >"$dir/key" 2>/dev/null
install -m 755 /packaging/openrc/tailgate.initd /etc/init.d/tailgate
install -m 644 /packaging/openrc/tailgate.confd /etc/conf.d/tailgate
mkdir -p /run/openrc
: >/run/openrc/softlevel
# The other services that it `needs` are not in a root.
rc() {
	rc-service --nodeps tailgate "$1"
}
# Not every root may raise the limit.
# shellcheck disable=SC3045 # every sh of today has it
(ulimit -n 65536) 2>/dev/null ||
	echo 'rc_ulimit="-c 0"' >>/etc/conf.d/tailgate
# Debian's start-stop-daemon is dpkg's, which writes no log for a service.
echo 'TAILGATE_LOG=""' >>/etc/conf.d/tailgate
check 'OpenRC starts it' rc start
check 'it listens' until_true test -S /run/tailgate/sock
pid=$(cat /run/tailgate.pid)
check 'as its own user' sh -c "ps -o user= -p $pid | grep -qx tailgate"
check 'OpenRC says so' rc status
check 'OpenRC reloads it' rc reload
reloaded() {
	[ "$(grep -c serving /var/log/tailgate.log)" -ge 2 ]
}
check 'it serves again' until_true reloaded
echo 'no_such_setting = 1;' >>/etc/tailgate/tailgate.conf
check 'a reload of a file with a mistake fails' sh -c \
    '! rc-service --nodeps tailgate reload'
sed -i '$d' /etc/tailgate/tailgate.conf
check 'under the same process id' kill -0 "$pid"
check 'OpenRC stops it' rc stop
check 'it has ended' sh -c "! kill -0 $pid"

### The container's command

groupadd -g 10000 container && useradd -u 10000 -g 10000 -M container
install -m 755 /packaging/container/serve /usr/bin/tailgate-serve
chgrp -R 10000 /etc/tailgate
chown -R 10000:10000 /var/lib/tailgate
# As `podman run --read-only --tmpfs /run --tmpfs /tmp --cap-drop=all`.
unshare --mount sh -c '
	mount -t tmpfs none /mnt && cp -a /var/lib/tailgate /mnt/state &&
	mount --bind / /media && mount -o remount,ro,bind /media &&
	mount -t tmpfs -o mode=1777 none /media/run &&
	mount -t tmpfs -o mode=1777 none /media/tmp &&
	mount --rbind /dev /media/dev && mount -t proc proc /media/proc &&
	mount --bind /mnt/state /media/var/lib/tailgate &&
	exec chroot /media setpriv --reuid=10000 --regid=10000 --clear-groups \
	    --no-new-privs --bounding-set=-all --inh-caps=-all \
	    /usr/bin/tailgate-serve
' >/root/container.log 2>&1 &
serve=$!
health() {
	curl -fsS -o "$dir/out" http://127.0.0.1:8080/health
}
check 'the container is well, by its health check' until_true health
# shellcheck disable=SC2016 # the inner shell expands them
check 'a request is served' sh -c '
	curl -sS --max-time 30 -H "Authorization: Bearer $(cat "$1")" \
	    -H "Content-Type: application/json" -d "{\"model\":\"echo\",
	    \"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}" \
	    http://127.0.0.1:8080/v1/chat/completions | tee /dev/stderr |
	grep -q "\"content\":\"Hello\""' sh "$dir/key"
check 'TERM ends it' kill -TERM "$serve"
wait "$serve"
check 'and nothing is left' sh -c '! pgrep -x "tailgate.fcgi|lighttpd"'
sed 's/^/# /' /root/container.log | tail -n 10

inside_end

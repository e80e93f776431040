#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# What systemd.sh runs inside the system that it has booted: the service as it
# is shipped, from its start to an attacker in each of its processes.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd /trial || exit 99
. ./inside.sh

end() {
	echo "1..$count"
	exit 0
}

# --- As an administrator installs it ------------------------------------------

systemd-sysusers
systemd-tmpfiles --create tailgate.conf
cat >/etc/tailgate/tailgate.conf <<-'END'
	runtime_dir = "/run/tailgate/state";
	state_dir = "/var/lib/tailgate";
	clients_file = "clients.conf";
	sandbox = "require";
	providers = (
	  { name = "echo"; kind = "echo"; place = "local"; },
	  { name = "gpu"; place = "local"; url = "http://127.0.0.1:9/v1";
	    key = { file = "gpu.key"; };
	  } );
	models = (
	  { id = "echo"; targets = ( { provider = "echo"; model = "echo"; } ); },
	  { id = "gpu"; targets = ( { provider = "gpu"; model = "x"; } ); } );
END
printf 'sk-MARKPROVIDERKEY' >/etc/tailgate/gpu.key
tailgate -f /etc/tailgate/tailgate.conf client add anna --operator >key.out 2>&1
key=$(grep -o 'tg-[A-Za-z0-9]*' key.out | head -n 1)
chgrp tailgate /etc/tailgate /etc/tailgate/*
chmod 640 /etc/tailgate/*.conf /etc/tailgate/gpu.key
systemctl daemon-reload
check 'the socket and the service start' \
	systemctl start tailgate.socket tailgate.service
is 'it says that it serves' "$(systemctl is-active tailgate.service)" active
systemctl -q is-active tailgate.service || {
	journalctl --no-pager -o cat -u tailgate.service | tail -n 20 |
		sed 's/^/# /'
	end
}
main=$(systemctl show -p MainPID --value tailgate.service)
# no_exec DIR...: nothing there can be run, nor mapped to be, by the service.
no_exec()
{
	for place; do
		awk -v place="$place" '$5 == place { options = $6 }
			END { exit options !~ /(^|,)noexec(,|$)/ }' \
			"/proc/$(systemctl show -p MainPID --value \
			tailgate.service)/mountinfo" || return 1
	done
}
check 'what it writes cannot be run' \
	no_exec /run/tailgate /var/lib/tailgate /tmp /var/tmp
systemctl status tailgate.service | sed -n 's/^ *\(Status:.*\)/# \1/p'

cat >lighttpd.conf <<-'END'
	server.bind = "127.0.0.1"
	server.port = 8080
	server.document-root = "/var/empty"
	server.username = "www-data"
	server.groupname = "www-data"
	server.modules = ( )
	var.tailgate_socket = "/run/tailgate/sock"
	var.tailgate_www = "/usr/share/tailgate/www"
	include "/usr/share/tailgate/lighttpd/tailgate.conf"
END
printf '[Service]\nExecStart=/usr/sbin/lighttpd -D -f /trial/lighttpd.conf\n' \
	>/etc/systemd/system/web.service
systemctl daemon-reload
systemctl start web.service

# ask MODEL: the status of a response.
ask() {
	curl -sS -o answer -w '%{http_code}' --max-time 20 \
		-H "Authorization: Bearer $key" \
		-H 'Content-Type: application/json' -d "{\"model\":\"$1\",
		\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}" \
		http://127.0.0.1:8080/v1/chat/completions
}
serves() {
	[ "$(ask echo)" = 200 ]
}
serves_gpu() {
	[ "$(ask gpu)" = 200 ] && grep -q 'from the GPU' answer
}
check 'a request is served through the web server' until_true serves
force=$(tailgate -f /etc/tailgate/tailgate.conf status | sed -n 's/^sandbox: //p')
echo "# in force: $force"
is 'all of the sandbox is in force inside of systemd'"'s" "$force" \
	'no_new_privs files ports calls scopes'

# workers, keeper: the processes of the service.
of_service() {
	cat /sys/fs/cgroup/system.slice/tailgate.service/cgroup.procs
}
keeper() {
	for pid in $(of_service); do
		[ "$(cat "/proc/$pid/comm")" != tailgate-ledger ] || echo "$pid"
	done
}
workers() {
	for pid in $(of_service); do
		[ "$pid" = "$main" ] || [ "$pid" = "$(keeper)" ] || echo "$pid"
	done
}
# of PID FIELD
of() {
	awk -v field="$2:" '$1 == field { print $2 }' "/proc/$1/status"
}

# --- Reload, and the probe ----------------------------------------------------

before=$(workers | tr '\n' ' ')
check 'systemctl reload' systemctl reload tailgate.service
replaced() {
	[ "$(workers | wc -l)" -eq 2 ] && [ "$(workers | tr '\n' ' ')" != "$before" ]
}
check 'it has new workers then' until_true replaced
is 'under the same process' \
	"$(systemctl show -p MainPID --value tailgate.service)" "$main"
check 'which serve' serves
echo 'no_such = 1;' >>/etc/tailgate/tailgate.conf
check 'a file with mistakes is refused' \
	sh -c '! systemctl reload tailgate.service'
sed -i '/no_such/d' /etc/tailgate/tailgate.conf
check 'and changes nothing' serves
check 'the probe, as its unit has it' systemctl start tailgate-probe.service
check 'it says what it found' sh -c \
	'journalctl -u tailgate-probe.service | grep -q echo'
check 'the journal has the service'"'s lines, without keys" sh -c \
	"journalctl -u tailgate.service | grep -q serving &&
	! journalctl | grep -q -e MARKPROVIDERKEY -e '$key'"

# --- Keys as credentials: from the start and over a reload --------------------

# start_gpu: a provider that refuses whoever has not its key.
start_gpu() {
	mkdir -p gpu/v1/chat
	echo '{"id":"1","object":"chat.completion","created":1,"model":"x",
		"choices":[{"index":0,"finish_reason":"stop","message":{
		"role":"assistant","content":"from the GPU"}}]}' \
		>gpu/v1/chat/completions
	cat >gpu.conf <<-'END'
		server.bind = "127.0.0.1"
		server.port = 8081
		server.document-root = "/trial/gpu"
		server.modules = ( "mod_access" )
		mimetype.assign = ( "" => "application/json" )
		$REQUEST_HEADER["Authorization"] != "Bearer sk-MARKPROVIDERKEY" {
			url.access-deny = ( "" )
		}
	END
	printf '[Service]\nExecStart=/usr/sbin/lighttpd -D -f /trial/gpu.conf\n' \
		>/etc/systemd/system/gpu.service
	systemctl daemon-reload
	systemctl start gpu.service
}
# with_store: the provider's slots come from an engine that has a password.
with_store() {
	printf 'MARKSTOREKEY' >store.key
	chmod 600 store.key
	printf 'port 6379\nbind 127.0.0.1\nrequirepass MARKSTOREKEY\nsave ""\n' \
		>store.conf
	printf '[Service]\nExecStart=%s /trial/store.conf\n' \
		"$(command -v redis-server)" \
		>/etc/systemd/system/store.service
	printf 'LoadCredential=store:/trial/store.key\n' \
		>>/etc/systemd/system/tailgate.service.d/credential.conf
	cat >>/etc/tailgate/tailgate.conf <<-'END'
		store = { url = "redis://127.0.0.1:6379";
		  key = { credential = "store"; }; };
		limits = ( { name = "gpus"; slots = 1; shared = true; } );
	END
	sed -i 's|name = "gpu"; place|name = "gpu"; limit = "gpus"; place|' \
		/etc/tailgate/tailgate.conf
	systemctl daemon-reload
	systemctl start store.service
}
store_is_used() {
	tailgate -f /etc/tailgate/tailgate.conf status | grep -q '^store: reachable.*us a call'
}

# They need a file system with access lists below /run, which a kernel may not
# have in a namespace.
# shellcheck disable=SC2016 # the inner shell expands it
if systemd-run -q --wait -p LoadCredential=gpu:/etc/tailgate/gpu.key \
	-p DynamicUser=yes /bin/sh -c 'grep -q MARK "$CREDENTIALS_DIRECTORY/gpu"'
then
	cp /etc/tailgate/tailgate.conf plain.conf
	sed -i -e 's|key = { file = "gpu.key"; }|key = { credential = "gpu"; }|' \
		-e 's|http://127.0.0.1:9/v1|http://127.0.0.1:8081/v1|' \
		/etc/tailgate/tailgate.conf
	chmod 600 /etc/tailgate/gpu.key
	chown root: /etc/tailgate/gpu.key
	mkdir -p /etc/systemd/system/tailgate.service.d
	printf '[Service]\nLoadCredential=gpu:/etc/tailgate/gpu.key\n' \
		>/etc/systemd/system/tailgate.service.d/credential.conf
	start_gpu
	! command -v redis-server >/dev/null || with_store
	systemctl daemon-reload
	check 'credentials: the service starts' \
		systemctl restart tailgate.service
	main=$(systemctl show -p MainPID --value tailgate.service)
	check 'credentials: it serves' until_true serves
	check 'credentials: the provider gets its key' until_true serves_gpu
	[ ! -e store.key ] || check 'credentials: by a slot of the store' \
		until_true store_is_used
	before=$(workers | tr '\n' ' ')
	check 'credentials: systemctl reload' systemctl reload tailgate.service
	check 'credentials: new workers have the key' until_true replaced
	check 'credentials: which serve' until_true serves_gpu
	check 'credentials: no key in the journal' sh -c \
		'! journalctl | grep -q -e MARKPROVIDERKEY -e MARKSTOREKEY'
	is 'credentials: under the same process' "$(systemctl show -p MainPID \
		--value tailgate.service)" "$main"
	systemctl stop gpu.service
	rm -r /etc/systemd/system/tailgate.service.d
	cp plain.conf /etc/tailgate/tailgate.conf
	chgrp tailgate /etc/tailgate/gpu.key
	chmod 640 /etc/tailgate/gpu.key
	systemctl daemon-reload
	systemctl restart tailgate.service
	systemctl -q stop store.service 2>/dev/null
	main=$(systemctl show -p MainPID --value tailgate.service)
	check 'and files again' until_true serves
else
	echo '# systemd has no credentials here: not tried'
fi

# --- A process is taken over --------------------------------------------------

for pid in $(of_service); do
	name=$(cat "/proc/$pid/comm")
	is "$name: no capability" "$(of "$pid" CapBnd)" 0000000000000000
	is "$name: no new privileges" "$(of "$pid" NoNewPrivs)" 1
	is "$name: a filter of system calls" "$(of "$pid" Seccomp)" 2
	check "$name: more than one of them: systemd's and its own" \
		test "$(of "$pid" Seccomp_filters)" -gt 1
	is "$name: no core file" \
		"$(awk '/^Max core file size/ { print $5, $6 }' \
			"/proc/$pid/limits")" '0 0'
done

# forced PID CALL: what it returns there.
forced() {
	gdb -q -batch -nx -p "$1" -ex 'set unwindonsignal on' \
		-ex "print $2" >gdb.out 2>&1 </dev/null
	# shellcheck disable=SC2016 # gdb's
	sed -n 's/^\$1 = \(-\{0,1\}[0-9]*\).*/\1/p' gdb.out
}
open='((int(*)(const char *, int, int))open)'
worker=$(workers | head -n 1)
is 'a debugger can call in a worker' \
	"$(forced "$worker" '((int(*)(void))getpid)()')" "$worker"
for who in worker keeper; do
	[ "$who" = worker ] && pid=$worker || pid=$(keeper)
	while IFS='|' read -r what path flags; do
		is "a $who that was taken over never $what" \
			"$(forced "$pid" "$open(\"$path\", $flags, 0600)")" -1
	done <<-END
		reads /etc/shadow|/etc/shadow|0
		reads the clients file|/etc/tailgate/clients.conf|0
		reads the configuration|/etc/tailgate/tailgate.conf|0
		reads its key again|/etc/tailgate/gpu.key|0
		reads the service's memory|/proc/$main/mem|0
		writes beside its directories|/var/lib/mine|65
		writes to /run/tailgate|/run/tailgate/mine|65
		writes to /var/tmp|/var/tmp/mine|65
		opens a disk|/dev/vda|2
	END
	is "a $who that was taken over never opens a raw socket" "$(forced \
		"$pid" '((int(*)(int, int, int))socket)(2, 3, 1)')" -1
	is "a $who that was taken over never kills the service" "$(forced \
		"$pid" "((int(*)(int, int))kill)($main, 15)")" -1
	is "a $who that was taken over never sends what systemd listens to" \
		"$(forced "$pid" '((int(*)(int, int, int))socket)(1, 2, 0)')" -1
done
is 'a worker that was taken over never writes the ledger' "$(forced \
	"$worker" "$open(\"/var/lib/tailgate/ledger.jsonl\", 1, 0)")" -1
forced "$worker" '((int(*)(const char *, const char *, void *))execl)("/bin/sh", "sh", 0)' >/dev/null
check 'a worker that runs a shell ends' until_true sh -c "! test -e /proc/$worker"
check 'and the gateway goes on' until_true serves

# --- The break-out test, in the service's place -------------------------------

sed -e 's|^ExecStart=.*|ExecStart=/usr/lib/breakout|' \
	-e 's/^Type=.*/Type=oneshot/' \
	-e '/^ExecStartPre=/d; /^ExecReload=/d; /^NotifyAccess=/d' \
	-e '/^Requires=/d; /^Restart/d' \
	/usr/lib/systemd/system/tailgate.service \
	>/etc/systemd/system/breakout.service
# The confinement is the service's, and so are the directories.
printf 'StandardOutput=file:/trial/breakout.out\n' |
	sed -i '/^\[Service\]/r /dev/stdin' /etc/systemd/system/breakout.service
systemctl daemon-reload
check 'the break-out test runs with the confinement of the service' \
	systemctl start breakout.service
grep '^#' breakout.out
grep '^not ok' breakout.out | sed 's/^/# /'
is 'and no role breaks out' "$(grep -c '^not ok' breakout.out)" 0
check 'in hundreds of tries' test "$(grep -c '^ok' breakout.out)" -gt 200
echo "# $(grep -c '^ok' breakout.out) tries"

# --- systemd's own assessment
# ---------------------------------------------------------

exposure() {
	systemd-analyze --no-pager security "$1" 2>/dev/null |
		sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p'
}
for unit in tailgate.service tailgate-probe.service; do
	score=$(exposure $unit)
	check "$unit: exposure $score is at most 1.5" \
		awk "BEGIN { exit !(\"$score\" != \"\" && $score + 0 <= 1.5) }"
done

# --- The user that exists only while it runs ----------------------------------

systemctl stop tailgate.service
userdel tailgate 2>/dev/null
chmod 755 /etc/tailgate
chmod 644 /etc/tailgate/*.conf
# No file can be given to such a user.
sed -i -e '/key = /d' -e 's|/run/tailgate/state|/run/tailgate-private/state|' \
	/etc/tailgate/tailgate.conf
systemctl stop tailgate.socket
rm -rf /var/lib/tailgate /run/tailgate
for unit in tailgate tailgate-probe; do
	mkdir -p /etc/systemd/system/$unit.service.d
	cp /usr/share/tailgate/systemd/dynamic-user.conf \
		/etc/systemd/system/$unit.service.d/
done
systemctl daemon-reload
check 'DynamicUser: it starts' systemctl restart tailgate.socket tailgate.service
check 'DynamicUser: it serves' until_true serves
check 'DynamicUser: what it writes cannot be run' no_exec \
	/run/private/tailgate-private /var/lib/private/tailgate /tmp /var/tmp
check 'DynamicUser: the probe' systemctl start tailgate-probe.service
is 'DynamicUser: it keeps a ledger' "$(grep -c '"status":200' \
	/var/lib/private/tailgate/ledger.jsonl | sed 's/^[1-9].*/some/')" some
for unit in tailgate.service tailgate-probe.service; do
	score=$(exposure $unit)
	check "DynamicUser: $unit: exposure $score is at most 1.5" \
		awk "BEGIN { exit !(\"$score\" != \"\" && $score + 0 <= 1.5) }"
done
tailgate -f /etc/tailgate/tailgate.conf check 2>&1 | sed 's/^/# /'
check 'it stops within its time' systemctl stop tailgate.service
is 'and well' "$(systemctl show -p Result --value tailgate.service)" success
end

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The systemd units as they are installed: systemd finds no fault in them, and
# the exposure that it computes stays at 1.5 or below.
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
	for setting in \
		'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK' \
		MemoryDenyWriteExecute=yes 'NoExecPaths=-/tmp -/var/tmp' \
		'NoExecPaths=-/run/tailgate -/var/lib/tailgate'; do
		check "$name: $setting" grep -q -x -e "$setting" "$dir/$name"
	done
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

# --- The addresses that a service is held to ----------------------------------

new_config <<-END
	providers = (
	  { name = "here"; place = "local"; url = "http://127.0.0.1:8080/v1"; },
	  { name = "six"; place = "local"; url = "http://[fd00::5]:8080/v1"; },
	  { name = "box"; place = "external"; url = "https://192.0.2.7/v1"; },
	  { name = "by"; place = "external"; url = "https://deep.example/v1";
	    proxy = "http://192.0.2.9:3128"; },
	  { name = "echo"; kind = "echo"; place = "local"; } );
	models = ( { id = "m"; targets = ( { provider = "here"; model = "m"; } ); } );
END
allow()
{
	"$TAILGATE" -f "$conf" check --systemd-allow >"$dir/allow.conf" \
		2>"$dir/allow.err"
}

check 'check --systemd-allow' allow
is 'nothing but the addresses of providers and of their proxies' \
	"$(grep -v '^#' "$dir/allow.conf" | tr '\n' ' ')" \
	"[Service] IPAddressDeny=any $(printf 'IPAddressAllow=%s ' \
		127.0.0.1 fd00::5 192.0.2.7 192.0.2.9)"
like 'it says what it is made of, and for how long' \
	"$(cat "$dir/allow.conf")" "$conf.*other addresses tomorrow"
cat "$dir/tailgate.service" "$dir/allow.conf" >"$dir/allowed.service"
is 'as a drop-in: every setting is known to systemd' \
	"$(systemd-analyze verify --man=no "$dir/allowed.service" 2>&1 |
		grep "allowed.service:.*\(Unknown\|Failed\|Invalid\)")" ''

sed -i 's|192.0.2.7|localhost|' "$conf"
allow
like 'a name: its present addresses, and their source' \
	"$(tr '\n' ' ' <"$dir/allow.conf")" \
	'# box: localhost, port 443 IPAddressAllow=[0-9a-f.:]+ .*# name servers'

sed -i 's|localhost|nowhere.invalid|' "$conf"
check_not 'a name that means nothing is a mistake' allow
is 'and half of a list is none' "$(wc -c <"$dir/allow.conf" | tr -d ' ')" 0
like 'the provider is named' "$(cat "$dir/allow.err")" \
	'providers\[2\]: nowhere.invalid: '

sed -i 's|nowhere.invalid|192.0.2.7|; s|127.0.0.1|192.0.2.8|' "$conf"
check_not 'nor is an address that a local provider may not have' allow

# --- What systemd is told, and the journal --------------------------------------

command -v python3 >/dev/null 2>&1 || finish

cat >"$dir/hear.py" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    sys.stdout.write(s.recv(4096).decode())
    sys.stdout.flush()
END
spawn heard python3 "$dir/hear.py" "$dir/notify"
wait_until -p "$heard_pid" test -S "$dir/notify"
new_config <<-END
	providers = ( { name = "echo"; kind = "echo"; place = "local"; } );
	models = ( { id = "m"; targets = ( { provider = "echo"; model = "m"; } ); } );
END
: >"$dir/tailgate.log"
NOTIFY_SOCKET=$dir/notify
JOURNAL_STREAM=$(command stat -c %d:%i "$dir/tailgate.log")
export NOTIFY_SOCKET JOURNAL_STREAM
start_tailgate
# heard ERE [TIMES]: so often by now.
heard()
{
	[ "$(grep -E -c "$1" "$dir/heard.log")" -ge "${2:-1}" ]
}
check 'it says when it serves' wait_until heard '^READY=1$'
kill -HUP "$tailgate_pid"
check 'that it reloads' wait_until heard '^RELOADING=1$'
check 'since when' heard '^MONOTONIC_USEC=[0-9]+$'
check 'and that it has' wait_until heard '^READY=1$' 2
cp "$conf" "$dir/good.conf"
echo 'no_such_setting = 1;' >>"$conf"
kill -HUP "$tailgate_pid"
check 'what kept it from that' wait_until heard '^STATUS=.*mistakes'
check 'which is an error in the journal' \
	file_has "$dir/tailgate.log" '^<3>error: .*no_such_setting'
cp "$dir/good.conf" "$conf"
is 'every line there has its priority, and no time of its own' \
	"$(grep -E -v -m 1 '^<[3-7]>(error|warning|info|debug): ' \
		"$dir/tailgate.log")" ''
stop "$tailgate_pid"
check 'it says when it ends' heard '^STOPPING=1$'
JOURNAL_STREAM=1:1
start_tailgate
check 'another file than the journal has times' \
	wait_until file_has "$dir/tailgate.log" '^20[0-9-]+T.* info: serving'

# --- Who may not read the keys checks the rest ---------------------------------

sed 's/kind = "echo";/url = "http:\/\/127.0.0.1:9\/v1"; key = { credential = "none"; };/' \
	"$conf" >"$dir/keyless.conf"
chmod 600 "$dir/keyless.conf"
check_not 'check: a credential that is not there is a mistake' env \
	-u CREDENTIALS_DIRECTORY "$TAILGATE" -f "$dir/keyless.conf" check
check 'check --no-keys: not when keys are not read' env \
	-u CREDENTIALS_DIRECTORY "$TAILGATE" -f "$dir/keyless.conf" check \
	--no-keys
echo 'no_such = 1;' >>"$dir/keyless.conf"
check_not 'check --no-keys: what else is wrong is found' \
	"$TAILGATE" -f "$dir/keyless.conf" check --no-keys

finish

#!/bin/sh
# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Configuration, clients and keys that are the same on two hosts, by rsync over
# ssh and a reload (doc/fleet.md): a client that was made on one host is served
# by the other one, no request is lost meanwhile, and a transfer that was
# interrupted, half a file, a bad file and none at all leave the other host as it
# was.
#
# The hosts are network namespaces with a name and directories of their own at
# the same paths.
TAILGATE_NETNS=${TAILGATE_NETNS-wanted}
. "${abs_srcdir:-.}/tests/netns.sh"
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/hosts.sh"

[ -n "${TAILGATE_NETNS:-}" ] ||
	skip_all 'network namespaces can not be made here (as root they can)'
need jq lighttpd caddy rsync ssh ssh-keygen sshd

network one two
start_upstream stub -n

# $dir/in HOST COMMAND...: there, etc and var are those of the host.
mkdir "$dir/etc" "$dir/var"
cat >"$dir/in" <<-END
	#!/bin/sh
	mount --bind "$dir/\$1/etc" "$dir/etc" &&
		mount --bind "$dir/\$1/var" "$dir/var" || exit 99
	exec unshare --uts sh -c 'hostname "\$0" && exec "\$@"' "\$@"
END
chmod 755 "$dir/in"
for name in one two; do
	mkdir -p "$dir/$name/etc" "$dir/$name/var/state"
	eval "in_$name=\"\$in_$name $dir/in $name\""
done

# on HOST COMMAND...
on()
{
	in_host "$1"
	shift
	# shellcheck disable=SC2086 # words
	$in_host "$@"
}

etc=$dir/etc/tailgate.conf
cat >"$dir/one/etc/tailgate.conf" <<-END
	runtime_dir = "$dir/var/run"; state_dir = "$dir/var/state";
	clients_file = "$dir/etc/clients.conf"; drain = 10.0;
	providers = ( { name = "stub"; place = "local"; url = "$(seen "$stub_url")";
	  key = { file = "stub.key"; }; } );
	models = ( { id = "*"; targets = (
	  { provider = "stub"; model = "*"; } ); } );
END
(umask 077 && echo secret >"$dir/one/etc/stub.key" &&
	echo 'clients = ( );' >"$dir/one/etc/clients.conf")

# client COMMAND...: `tailgate client` on host one; $key.
client()
{
	on one "$TAILGATE" -f "$etc" client "$@" >"$dir/client" 2>&1 ||
		broken "client $*: $(cat "$dir/client")"
	key=$(sed -n 's/.*\(tg-[A-Za-z0-9]\{43\}\).*/\1/p' "$dir/client" |
		head -n 1)
}

# --- The transport ----------------------------------------------------------------

for name in host user; do
	ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh.$name" ||
		broken 'no key for ssh'
done
mkdir -p /run/sshd
cat >"$dir/sshd.conf" <<-END
	ListenAddress 10.97.2.12:22
	HostKey $dir/ssh.host
	AuthorizedKeysFile $dir/ssh.user.pub
	PermitRootLogin prohibit-password
	StrictModes no
	UsePAM no
	PidFile none
END
cat >"$dir/ssh.conf" <<-END
	Host two
	  HostName 10.97.2.12
	  User root
	  IdentityFile $dir/ssh.user
	  IdentitiesOnly yes
	  UserKnownHostsFile $dir/ssh.known
	  BatchMode yes
END
echo "10.97.2.12 $(cat "$dir/ssh.host.pub")" >"$dir/ssh.known"
# shellcheck disable=SC2086 # words
spawn sshd $in_two "$(command -v sshd)" -D -e -f "$dir/sshd.conf"

remote()
{
	on one ssh -F "$dir/ssh.conf" two "$@"
}
wait_until -p "$sshd_pid" remote true || broken 'no ssh'

# copy [OPTION...]: all of it, to host two.
copy()
{
	on one rsync -a -e "ssh -F $dir/ssh.conf" "$@" "$dir/etc/" \
		"two:$dir/etc/"
}

# reload: it is checked first.  kill stands for systemctl.
reload()
{
	remote "$TAILGATE -f $etc check && kill -HUP $two_pid" \
		>"$dir/reload.log" 2>&1
}

# in_force N: so many configurations were.
in_force()
{
	file_has "$dir/two.log" "configuration $1 is in force"
}

# --- Two hosts with the same files ----------------------------------------------------

pool_of()
{
	rm -f "$dir/$1/sock"
	in_host "$1"
	# shellcheck disable=SC2086 # words
	spawn "$1" $in_host "$TAILGATE_FCGI" -f "$etc" -s "$dir/$1.sock"
	wait_until -t 60 -p "$pid" "$bin/listen" -c "$dir/$1.sock" ||
		broken "$1 did not start"
}

client add anna
anna_key=$key
check 'the files are copied' copy
bind_to=0.0.0.0
for name in one two; do
	pool_of $name
	socket=$dir/$name.sock within=$in_host
	case $name in
	one) start_lighttpd ;;
	two) start_caddy ;;
	esac
	eval "${name}_base=\$base"
	reached $name
	within=
done
base=$two_base

# is_served KEY: at host two.
is_served()
{
	key=$1
	post /v1/chat/completions '{"model":"plain","messages":[]}'
	[ "$status" = 200 ]
}

check 'a client that was made on one is served by two' is_served "$anna_key"
base=$one_base
check 'and by one' is_served "$anna_key"
base=$two_base
for name in one two; do
	is "$name is named in its ledger by the host's name" \
		"$(wait_until test -s "$dir/$name/var/state/ledger.jsonl" &&
			jq -r .gateway "$dir/$name/var/state/ledger.jsonl" |
			sort -u)" $name
done

# --- Ten changes under load --------------------------------------------------------------

"$load" -c 8 -n 1000000 -d 120 -k "$anna_key" \
	-b '{"model":"plain,delay=5","messages":[]}' "${two_base#http://}" \
	>"$dir/load" 2>&1 &
adopt load $!
generation=1
bad=0
for i in 1 2 3 4 5; do
	client add new$i
	eval "new${i}_key=\$key"
	copy && reload || bad=$((bad + 1))
	generation=$((generation + 1))
	wait_until -t 60 in_force $generation || bad=$((bad + 1))
	is_served "$key" || bad=$((bad + 1))
done
is 'five new clients, one after the other: each is served after the reload' \
	"$bad" 0
alive "$load_pid" || fail 'all of it was done under load'
kill -USR1 "$load_pid"
wait "$load_pid"
forget "$load_pid"
detail "$(cat "$dir/load")"
like 'no request was lost meanwhile' "$(cat "$dir/load")" \
	'^complete=[1-9][0-9]* failed=0 '
client rm new1
check 'one is removed' copy
check 'which is checked and put into force' reload
generation=$((generation + 1))
wait_until -t 60 in_force $generation
check_not 'its key is not accepted by two any more' is_served "$new1_key"
is 'but refused' "$status" 401

# --- What must not get through ------------------------------------------------------------

good=$dir/good
cp -p "$dir/two/etc/clients.conf" "$good"

# kept WHAT [-]: neither the check lets it through (-: it does), nor a reload, nor
# a worker that is replaced.
kept()
{
	if [ $# = 1 ]; then
		check_not "$1: the check says no, so there is no reload" reload
		detail "$(cat "$dir/reload.log")"
	fi
	: >"$dir/two.log"
	kill -HUP "$two_pid"
	check "$1: a reload without a check says so" wait_until \
		file_has "$dir/two.log" 'not reloaded; the old configuration stays'
	like "$1: and why" "$(cat "$dir/two.log")" '(clients|tailgate)[.]conf'
	detail "$(cat "$dir/two.log")"
	check "$1: two serves as before" is_served "$anna_key"
	kill_worker two
	check "$1: so does a worker that takes another one's place" \
		wait_until is_served "$anna_key"
}

# A transfer that is interrupted: the file is large, and the line slow.
{
	cat "$dir/one/etc/clients.conf"
	yes '# a long comment, so that it takes a while' | head -n 100000
} >"$dir/one/etc/large"
chmod 600 "$dir/one/etc/large"
mv "$dir/one/etc/clients.conf" "$dir/clients.one"
mv "$dir/one/etc/large" "$dir/one/etc/clients.conf"
in_host one
# shellcheck disable=SC2086 # words
spawn copy $in_host rsync -a --bwlimit=300 -W -e "ssh -F $dir/ssh.conf" \
	"$dir/etc/" "two:$dir/etc/"
begun()
{
	[ -n "$(find "$dir/two/etc" -name '.clients.conf.*')" ]
}
check 'a transfer has begun' wait_until -p "$copy_pid" begun
ip link set two-2 down
same 'it is interrupted: the file is still the old one' \
	"$dir/two/etc/clients.conf" "$good"
kill -KILL "$copy_pid"
wait "$copy_pid" 2>/dev/null
forget "$copy_pid"
ip link set two-2 up
check 'and a reload is harmless' reload
generation=$((generation + 1))
wait_until -t 60 in_force $generation
mv "$dir/clients.one" "$dir/one/etc/clients.conf"

head -c 150 "$good" >"$dir/two/etc/clients.conf"
kept 'half a file'
sed 's/name = /nmae = /' "$good" >"$dir/two/etc/clients.conf"
kept 'a bad file'
check_not 'a bad file: a gateway that starts refuses' on two timeout 20 \
	"$TAILGATE_FCGI" -f "$etc" -s "$dir/none.sock"
like 'and says why' "$(cat "$dir/check.out")" \
	'clients[.]conf:.*nmae: there is no such setting'
# The check can't know that there was one: it warns.
rm "$dir/two/etc/clients.conf"
kept 'no file' -
cp "$dir/one/etc/tailgate.conf" "$dir/tailgate.one"
echo 'limits = ( { name = "x"; slots = 0; } );' >>"$dir/one/etc/tailgate.conf"
copy
kept 'a bad tailgate.conf'
cp "$dir/tailgate.one" "$dir/one/etc/tailgate.conf"
client add late
check 'then all is copied again' copy
: >"$dir/two.log"
check 'and checked, and put into force' reload
wait_until -t 60 file_has "$dir/two.log" 'is in force'
check 'the new client is served' is_served "$key"
same 'the files are the same' "$dir/one/etc/clients.conf" \
	"$dir/two/etc/clients.conf"

finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# README's Install and Upgrade, word for word: the commands are taken from
# README.md and run as root in a temporary copy of this system (an overlay),
# with processes and a network of its own.  Then a request goes through
# lighttpd, Caddy and nginx as their packages configure them, each as its own
# user, to the service as the user `tailgate`.
#
# The replacement for systemd is below: it starts what the installed units say,
# as their users, with their limits.  README has only one step that this test
# does not do: all tests in `make check`.

if [ "${1:-}" != inside ]; then
	. "${abs_srcdir:-.}/tests/lib.sh"
	[ "$(id -u)" -eq 0 ] || skip_all 'needs root'
	need unshare lighttpd caddy nginx ip setpriv autoreconf systemd-tmpfiles
	for file in lighttpd/lighttpd.conf caddy/Caddyfile \
		nginx/sites-available/default; do
		[ -f "/etc/$file" ] || skip_all "no /etc/$file of Debian's here"
	done
	# shellcheck disable=SC2016 # the inner shell expands them
	unshare --mount --pid --net --fork --kill-child sh -c '
		set -e
		mount --make-rprivate /
		mount -t tmpfs -o mode=755 none "$1"
		mkdir "$1/upper" "$1/work" "$1/root"
		mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" \
		    none "$1/root"
	' sh "$dir" >"$dir/overlay.log" 2>&1 ||
		skip_all 'no overlays in namespaces of our own here'
	sources >"$dir/source.tar"
	# shellcheck disable=SC2016
	unshare --mount --pid --net --fork --kill-child sh -c '
		set -e
		mount --make-rprivate /
		mkdir "$1/tmp"
		mount -t tmpfs -o mode=755 none "$1/tmp"
		mkdir "$1/tmp/upper" "$1/tmp/work" "$1/tmp/root"
		mount -t overlay -o \
		    "lowerdir=/,upperdir=$1/tmp/upper,workdir=$1/tmp/work" \
		    none "$1/tmp/root"
		cd "$1/tmp/root"
		mount -t proc proc proc
		mount --rbind /dev dev
		mount -t tmpfs -o mode=755 none run
		mount -t tmpfs -o mode=1777 none tmp
		ip link set lo up
		mkdir root/tailgate
		tar -xf "$1/source.tar" -C root/tailgate
		cp "$2" tmp/listen
		exec chroot . /usr/bin/env -i HOME=/root TERM=dumb LC_ALL=C \
		    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		    sh /root/tailgate/tests/readme.sh inside
	' sh "$dir" "$bin/listen" >"$dir/inside" 2>"$dir/inside.log" ||
		fail 'it ran to its end'
	grep -qx 'it is over' "$dir/inside" || {
		fail 'it said all that it has to say'
		detail "$(tail -n 20 "$dir/inside" "$dir/inside.log")"
	}
	take "$dir/inside" README
	finish
fi

### Inside

set -u
cd /root/tailgate || exit 1
dir=/tmp/readme
mkdir "$dir"
readme=README.md

# ok WHAT STATUS: what happened is in $dir/out.
ok()
{
	if [ "$2" -eq 0 ]; then
		echo "ok $1"
	else
		echo "not ok $1"
		tail -n 15 "$dir/out" | sed 's/^/# /'
	fi
}

# section NAME: its lines.
section()
{
	awk -v name="## $1" '/^##? / { on = $0 == name } on' "$readme"
}

# block SECTION ERE: the indented block in which a line matches.
block()
{
	section "$1" | awk -v want="$2" '
		/^    / {
			sub(/^ +/, "")
			text = text $0 "\n"
			if ($0 ~ want)
				found = 1
			next
		}
		{
			if (found)
				exit
			text = ""
		}
		END { if (found) printf "%s", text }'
}

# commands SECTION ERE: runs the block, one line after the other; the output of
# a line that succeeds is kept in $dir/said.
commands()
{
	block "$1" "$2" >"$dir/block"
	[ -s "$dir/block" ] || {
		echo "not ok a block with $2 stands in README"
		return 1
	}
	while IFS= read -r line <&3; do
		eval "$line" >"$dir/out" 2>&1
		result=$?
		cat "$dir/out" >>"$dir/said"
		ok "$line" $result
	done 3<"$dir/block"
}

# until_true COMMAND...: for 30 s at the most.
until_true()
{
	tries=0
	until "$@" >"$dir/out" 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || return 1
		sleep 0.1
	done
}

# --- In place of systemd ------------------------------------------------------

# value UNIT NAME: of its last setting of that name.
value()
{
	sed -n "s/^$2=//p" "/etc/systemd/system/$1" | tail -n 1
}

# as_service COMMAND: as ExecStart would run it.
as_service()
{
	user=$(value tailgate.service User)
	(
		umask "$(value tailgate.service UMask)"
		# Not every root may raise it.
		limit=$(value tailgate.service LimitNOFILE)
		# shellcheck disable=SC3045 # every sh of today has it
		if (ulimit -n "$limit") 2>/dev/null; then
			ulimit -n "$limit"
		fi
		# shellcheck disable=SC3045
		ulimit -c "$(value tailgate.service LimitCORE)"
		exec setpriv --reuid="$user" \
			--regid="$(value tailgate.service Group)" \
			--init-groups --no-new-privs --bounding-set=-all \
			--inh-caps=-all sh -c "$1"
	)
}

# StateDirectory= and the like.
directory()
{
	install -d -o tailgate -g tailgate \
		-m "$(value tailgate.service "$2Mode")" \
		"$1/$(value tailgate.service "$2")"
}

start_service()
{
	directory /run RuntimeDirectory
	directory /var/lib StateDirectory
	as_service "$(value tailgate.service ExecStartPre)" || return 1
	path=$(value tailgate.socket ListenStream)
	(
		# The service inherits it.
		# shellcheck disable=SC2016 # the inner shell expands them
		exec /tmp/listen -u "$path" sh -c '
			chown "$1" "$2" && chmod "$3" "$2" &&
			exec setpriv --reuid="$4" --regid="$4" --init-groups \
			    --no-new-privs --bounding-set=-all --inh-caps=-all \
			    $5' sh \
			"$(value tailgate.socket SocketUser):$(
				value tailgate.socket SocketGroup)" "$path" \
			"$(value tailgate.socket SocketMode)" \
			"$(value tailgate.service User)" \
			"$(value tailgate.service ExecStart)"
	) >/tmp/journal 2>&1 &
	gateway=$!
	until_true grep -q serving /tmp/journal || {
		cat /tmp/journal
		return 1
	}
}

systemctl()
{
	case "$*" in
	daemon-reload) ;;
	'enable --now tailgate.socket tailgate.service tailgate-probe.timer')
		for unit in tailgate.socket tailgate.service \
			tailgate-probe.timer tailgate-probe.service; do
			[ -s "/etc/systemd/system/$unit" ] || return 1
		done
		start_service
		;;
	'reload tailgate')
		as_service "$(sed -n 's/^ExecReload=//p' \
			/etc/systemd/system/tailgate.service | head -n 1)" &&
			kill -HUP "$gateway"
		;;
	*)
		echo "systemctl $*: not known here"
		return 1
		;;
	esac
}

# --- Install ------------------------------------------------------------------

# Fast to build, and without the tests, one of which this is.
CFLAGS='-O0 -pipe'
MAKEFLAGS='-j2 TESTS= check_PROGRAMS='
export CFLAGS MAKEFLAGS
commands Install '^make install$'

commands Install 'client add'
key=$(sed -n 's/.*\(tg-[A-Za-z0-9]\{43\}\).*/\1/p' "$dir/said" | head -n 1)
[ -n "$key" ]
ok 'the key is printed' $?
commands Install 'systemctl enable'
cd /root/tailgate || exit 1
ps -o user= -p "$gateway" | grep -qx tailgate
ok 'the service runs as its own user' $?

# --- Mount --------------------------------------------------------------------

ask()
{
	curl -sS --max-time 20 -H "Authorization: Bearer $key" \
		-H 'Content-Type: application/json' -d '{"model":"echo",
		"messages":[{"role":"user","content":"Hello"}]}' \
		http://localhost/v1/chat/completions >"$dir/out" 2>&1 &&
		grep -q '"content":"Hello"' "$dir/out"
}

page()
{
	curl -sSf http://localhost/tailgate/ >"$dir/out" 2>&1 &&
		grep -q '<title>' "$dir/out"
}

listens()
{
	curl -s -o /dev/null http://localhost/
}

# through NAME USER COMMAND...: a web server, and a request through it.
through()
{
	web=$1 user=$2
	shift 2
	"$@" >"$dir/$web.log" 2>&1 &
	pid=$!
	until_true listens
	started=$?
	tail -n 15 "$dir/$web.log" >"$dir/out"
	ok "$web starts" $started
	# shellcheck disable=SC2009 # pgrep does not tell whose
	ps -o user= -C "$web" | grep -qx "$user"
	ok "$web runs as $user" $?
	ask
	ok "$web: a request is served" $?
	page
	ok "$web: the page is served" $?
	grep -c '"laptop".*"chat".*"status":200' \
		/var/lib/tailgate/ledger.jsonl >"$dir/out" 2>&1
	kill "$pid" 2>/dev/null
	wait "$pid"
	! listens
	ok "$web has ended" $?
}

block Install 'var.tailgate_www' >>/etc/lighttpd/lighttpd.conf
install -d -o www-data -g www-data /run/lighttpd
through lighttpd www-data lighttpd -D -f /etc/lighttpd/lighttpd.conf

include=$(block Install 'nginx/tailgate.conf;')
sed -i "s|^server {|&\n$include|" /etc/nginx/sites-available/default
ln -sf ../sites-available/default /etc/nginx/sites-enabled/default
through nginx www-data nginx -g 'daemon off;'

commands Install 'usermod'
# A site as Caddy's package has one, on a port.
block Install '^import tailgate$' >"$dir/imports"
awk -v above="$(sed -n 1p "$dir/imports")" -v in_site="$(sed -n 2p "$dir/imports")" '
	BEGIN { print above }
	{ print }
	/^:80 \{/ { print in_site }' /etc/caddy/Caddyfile >"$dir/Caddyfile"
cp "$dir/Caddyfile" /etc/caddy/Caddyfile
# As caddy.service does.
through caddy caddy env HOME=/var/lib/caddy setpriv --reuid=caddy \
	--regid=caddy --init-groups --inh-caps=+net_bind_service \
	--ambient-caps=+net_bind_service --no-new-privs \
	caddy run --config /etc/caddy/Caddyfile

# --- Upgrade ------------------------------------------------------------------

before=$(grep -c 'serving' /tmp/journal)
commands Upgrade '^make install$'
again()
{
	[ "$(grep -c 'serving' /tmp/journal)" -gt "$before" ]
}
until_true again
ok 'it serves again' $?
kill -0 "$gateway"
ok 'under the same process id' $?
through lighttpd www-data lighttpd -D -f /etc/lighttpd/lighttpd.conf

kill "$gateway"
wait "$gateway"
ok 'it ends well' $?
[ "$(grep -c '"laptop"' /var/lib/tailgate/ledger.jsonl)" -eq 4 ]
ok 'the ledger has all four requests' $?
tailgate usage --verify >"$dir/out" 2>&1
ok 'and is one chain' $?
echo 'it is over'

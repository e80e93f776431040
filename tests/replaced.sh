# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Directories that others could replace, and that are replaced: before the
# start, about which `tailgate check` warns; between a check and the start,
# which then refuses; and while the gateway runs.  Workers are confined to the
# old directories, so the parent starts new workers by itself, unless the new
# directories are not ours.
. "${abs_srcdir:-.}/tests/lib.sh"

need lighttpd
start_upstream stub
stub_config
add_client anna
start_tailgate
start_lighttpd

# An operator sees in each place what restricts the workers.
wait_until -p "$tailgate_pid" file_has "$dir/tailgate.log" 'sandbox of a worker'
said=$(sed -n 's/.*sandbox of a worker: //p' "$dir/tailgate.log" | head -n 1)
is 'status says what the log says' \
	"$("$TAILGATE" -f "$conf" status | sed -n 's/^sandbox: //p')" "$said"

for name in state run; do
	mv "$dir/$name" "$dir/$name.old"
	mkdir -m 750 "$dir/$name"
done
# The socket lay in neither, so that requests still arrive.
wait_until -p "$tailgate_pid" file_has "$dir/tailgate.log" 'is in force'
post /v1/chat/completions "$(chat plain)"
is 'requests are served' "$status" 200
wait_until -p "$tailgate_pid" test -s "$dir/state/ledger.jsonl"
check 'and accounted in the new directory' \
	grep -q '"status":200' "$dir/state/ledger.jsonl"
check 'slots and health live in the new one' test -d "$dir/run/slots" -o \
	-n "$(ls "$dir/run")"

# --- By something of another user
# -------------------------------------------------------

# as_link, as_open, as_others: what stands in the place of $dir/run then.
as_link()
{
	mkdir -m 750 "$dir/elsewhere"
	ln -s elsewhere "$dir/run"
}

as_open()
{
	mkdir -m 777 "$dir/run"
	chmod 777 "$dir/run"
}

as_others()
{
	mkdir -m 750 "$dir/run"
	chown nobody "$dir/run"
}

# put_back: the directory that was there.
put_back()
{
	rm -rf "$dir/run" "$dir/elsewhere"
	mv "$dir/run.ours" "$dir/run"
}

why_link='symbolic link'
why_open='others may write to it'
why_others='belongs to user'
ways='link open'
# For root, a directory of another user is a service's.
[ "$(id -u)" -eq 0 ] || ways="$ways others"
for way in $ways; do
	: >"$dir/tailgate.log"
	mv "$dir/run" "$dir/run.ours"
	"as_$way"
	eval "why=\$why_$way"
	check "$way, while it runs: the log says why it is not used" wait_until \
		-p "$tailgate_pid" file_has "$dir/tailgate.log" "$why"
	post /v1/models '{}'
	request /v1/models
	is "$way, while it runs: the old workers serve" "$status" 200
	is "$way, while it runs: nothing is written there" \
		"$(ls -A "$dir/run/")" ''
	put_back
	check "$way, while it runs: and go on when ours is back" \
		wait_until -p "$tailgate_pid" serves
done
stop "$tailgate_pid"
is 'it ends well' $? 0

for way in $ways; do
	check "$way: good when it is checked" "$TAILGATE" -f "$conf" check
	mv "$dir/run" "$dir/run.ours"
	"as_$way"
	eval "why=\$why_$way"
	"$TAILGATE_FCGI" -f "$conf" -s "$dir/refused" >"$dir/out" 2>&1 &
	adopt refused $!
	check "$way: the start refuses it" wait_until pid_died "$refused_pid"
	wait "$refused_pid"
	is "$way: and ends with an error" "$?" 1
	forget "$refused_pid"
	like "$way: which says why" "$(cat "$dir/out")" "$why"
	is "$way: nothing is written there" "$(ls -A "$dir/run/")" ''
	put_back
done

# --- What check warns of ------------------------------------------------------

mkdir "$dir/etc"
printf 'sk-key\n' >"$dir/etc/key"
chmod 600 "$dir/etc/key"
ln -s run "$dir/way-in"

# warns CONF KEY CLIENTS RUN MORE: what check says of such a configuration.
warns()
{
	cp -p "$dir/etc/key" "$2" 2>/dev/null
	cat >"$1" <<-END
		runtime_dir = "$4"; state_dir = "$dir/state";
		clients_file = "$3";
		providers = ( { name = "p"; place = "local";
		  url = "http://127.0.0.1:8080/v1"; key = { file = "$2"; }; } );
		models = ( { id = "m"; targets = ( { provider = "p";
		  model = "m"; } ); } );
		body = { spool_dir = "$dir/spool"; }; $5
	END
	"$TAILGATE" -f "$1" check 2>&1 | grep -E 'is in|is shared'
}

is 'all in its place: no warning' "$(warns "$dir/etc/c" "$dir/etc/key" \
	"$dir/etc/clients" "$dir/run" '')" ''
# shellcheck disable=SC2034 # the table's
in_run="ledger = { file = \"$dir/run/l\"; };"
while IFS='|' read -r what file key clients run more want; do
	eval "said=\$(warns $file $key $clients $run \"$more\")"
	like "$what" "$said" "$want"
	is "$what, and nothing else" "$(printf '%s\n' "$said" | wc -l)" 1
done <<'END'
the configuration in runtime_dir|$dir/run/c|$dir/etc/key|$dir/etc/clients|$dir/run||c. is in runtime_dir .*workers may write
a key in runtime_dir|$dir/etc/c|$dir/run/key|$dir/etc/clients|$dir/run||key: .*is in runtime_dir .*workers may write
a key in the spool|$dir/etc/c|$dir/spool/key|$dir/etc/clients|$dir/run||key: .*is in body.spool_dir
a key in state_dir|$dir/etc/c|$dir/state/key|$dir/etc/clients|$dir/run||key: .*is in state_dir .*workers may read
a key by a link to there|$dir/etc/c|$dir/way-in/key2|$dir/etc/clients|$dir/run||key: .*is in runtime_dir
the clients file in state_dir|$dir/etc/c|$dir/etc/key|$dir/state/clients|$dir/run||clients_file: .*is in state_dir
the ledger where workers write|$dir/etc/c|$dir/etc/key|$dir/etc/clients|$dir/run|$in_run|ledger.file: .*is in runtime_dir
END

mkdir "$dir/public" "$dir/public/run"
chmod 777 "$dir/public"
chmod 750 "$dir/public/run"
like 'a directory below one that everybody may write' "$(warns "$dir/etc/c" \
	"$dir/etc/key" "$dir/etc/clients" "$dir/public/run" '')" \
	'runtime_dir: is in .*public.*can replace the directory'
like 'a directory that all programs use' "$(warns "$dir/etc/c" "$dir/etc/key" \
	"$dir/etc/clients" /tmp '')" 'runtime_dir: ./tmp. is shared with other'
finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# `tailgate check --user` proves that the service's user can read and write what
# it must, and each command that it suggests fixes what it reports.
. "${abs_srcdir:-.}/tests/lib.sh"

if [ "$(id -u)" -ne 0 ]; then
	skip_all 'only root becomes another user'
fi

user=nobody
group=$(id -gn $user)
chmod 711 "$dir"
mkdir -m 750 "$dir/etc"
conf=$dir/etc/tailgate.conf
printf 'sk-key\n' >"$dir/etc/deep.key"
chmod 600 "$dir/etc/deep.key"
cat >"$conf" <<-END
	runtime_dir = "$dir/run"; state_dir = "$dir/state";
	clients_file = "clients.conf";
	providers = ( { name = "deep"; place = "external";
	  url = "https://deep.example/v1"; key = { file = "deep.key"; }; } );
	models = ( { id = "deep"; place = "external";
	  targets = ( { provider = "deep"; model = "d"; } ); } );
END
chmod 640 "$conf"

# look: what check says of that user, in $out.
look()
{
	"$TAILGATE" -f "$conf" check --user $user >"$dir/out" 2>&1
	rc=$?
	out=$(cat "$dir/out")
}

look
is 'nothing is right yet' "$rc" 1
like 'the last line says so' "$(tail -n 1 "$dir/out")" \
	"^$conf: not usable until that is put right"
like 'the configuration' "$out" "configuration: user $user cannot read $conf"
like 'the key' "$out" "providers\\[0\\].key: user $user cannot read .*deep.key"
like 'a directory that it cannot make' "$out" \
	"runtime_dir: user $user cannot write to $dir/run"
like 'and the other' "$out" "state_dir: user $user cannot write to"
unlike 'root could make them' "$("$TAILGATE" -f "$conf" check 2>&1)" \
	'cannot write'

# The commands as they are printed.
chgrp "$group" "$dir/etc"
sed -n 's/^  to fix it: \([^(]*\).*/\1/p' "$dir/out" >"$dir/mend.sh"
check 'its commands run' sh -e "$dir/mend.sh"
look
is 'then all is right' "$rc" 0

mv "$dir/run" "$dir/real"
ln -s real "$dir/run"
look
like 'a link to a directory, which the start would not follow' "$out" \
	'runtime_dir: .*symbolic link is not followed'
rm "$dir/run"
mv "$dir/real" "$dir/run"
chmod g+w "$dir/run"
look
like 'one that others may write to' "$out" 'runtime_dir: .*chmod go-w'
chmod g-w "$dir/run"
mkdir "$dir/state/ledger.jsonl"
look
like 'a directory in the place of the ledger' "$out" \
	"ledger.file: user $user cannot write to .*ledger.jsonl: Is a directory"
rmdir "$dir/state/ledger.jsonl"

# A gateway that root starts leaves a ledger that the service can write.
sed '/place = "external"/,$d' "$conf" >"$dir/etc/local.conf"
cat >>"$dir/etc/local.conf" <<-'END'
	providers = ( { name = "echo"; kind = "echo"; place = "local"; } );
	models = ( { id = "echo";
	  targets = ( { provider = "echo"; model = "e"; } ); } );
END
start_tailgate "$dir/etc/local.conf"
# The files are made one after the other, and each is given away then.
owned()
{
	[ "$(command stat -c %U "$dir/state/ledger.jsonl" \
		"$dir/state/ledger.jsonl.lock" "$dir/state/ledger.jsonl.tail")" = \
		"$(printf '%s\n' "$user" "$user" "$user")" ]
}
check 'a ledger that root has made is the service'"'"'s' \
	wait_until -p "$tailgate_pid" owned
stop "$tailgate_pid"
look
is 'it is good for the service' "$rc" 0
for file in ledger.jsonl ledger.jsonl.lock ledger.jsonl.tail; do
	chown root "$dir/state/$file"
	look
	like "$file of another user" "$out" \
		"user $user cannot write to .*$file: Permission denied"
	like 'with the command for it' "$out" \
		"to fix it: chown -h $user:$group $dir/state/$file\$"
	chown $user "$dir/state/$file"
done

"$TAILGATE" -f "$conf" client add anna >"$dir/anna.key" 2>/dev/null
look
is 'a new clients file can be read by the service' "$rc" 0
is 'but not by everybody' "$(command stat -c '%a %G' "$dir/etc/clients.conf")" \
	"640 $group"
chmod 600 "$dir/etc/clients.conf"
look
like 'one that it cannot read is named' "$out" \
	"clients_file: user $user cannot read"

"$TAILGATE" -f "$conf" check --user no-such-user >"$dir/out" 2>&1
is 'a user that does not exist' "$?" 1
like 'is named with what makes it' "$(cat "$dir/out")" \
	'no user no-such-user .*systemd-sysusers'

# init: a client keeps its key unless it is to be replaced.
mkdir -m 750 "$dir/new"
chgrp "$group" "$dir/new"
"$TAILGATE" init --client me "$dir/new" >"$dir/me.key" 2>/dev/null
is 'init writes for the group of the directory' \
	"$(command stat -c '%a %G' "$dir/new/tailgate.conf")" "640 $group"
before=$(cat "$dir/new/clients.conf")
"$TAILGATE" init --client me "$dir/new" >"$dir/again.key" 2>"$dir/err"
is 'a second init keeps the key' "$(cat "$dir/new/clients.conf")" "$before"
check 'and prints none' test ! -s "$dir/again.key"
"$TAILGATE" init --force --client me "$dir/new" >"$dir/again.key" 2>/dev/null
check 'with --force there is a new one' test -s "$dir/again.key"
finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# `tailgate client` from add to rm, as an operator uses it: the file keeps what
# a person wrote in it, wrong values are reported by the option's name, a
# rotated key stays valid for the given time, and what is spent is shown.
. "${abs_srcdir:-.}/tests/lib.sh"

need curl lighttpd

price='price = { input = 1.0; output = 1.0; };'
start_upstream stub
more_models=", { id = \"paid\"; targets = ( { provider = \"stub\";
	model = \"n=20\"; $price } ); }"
more="client_groups = ( { name = \"team\"; budget = { usd_per_day = 5.0; }; } );"
stub_config
cat >"$dir/clients.conf" <<-'END'
	# Written by hand.
	clients = (
	  { name = "hand"; user = "hand"; } # stays
	);
END
chmod 600 "$dir/clients.conf"

# client ARGUMENTS...: its status in $rc, output in $out and $err.
client()
{
	"$TAILGATE" -f "$conf" client "$@" >"$dir/out" 2>"$dir/err"
	rc=$?
	out=$(cat "$dir/out")
	err=$(cat "$dir/err")
}

add_client anna --usd-per-day 0.001 --concurrent 4 --group team \
	--models 'paid,stub/*' --expires 2036-01-01
client set anna --priority 20 --usd-per-month 1 --operator=no
is 'a client is changed' "$rc" 0
file=$(cat "$dir/clients.conf")
like 'comments stay' "$file" '^# Written by hand\.'
like 'in their lines' "$file" 'name = "hand"; user = "hand"; \}, # stays|\} # stays'
mode=$(ls -l "$dir/clients.conf")
like 'and so does the mode' "$mode" '^-rw-------'
client show anna
like 'show prints the settings in effect' "$out" '^priority +20'
like 'with the bounds' "$out" '^usd_per_day +0\.001 +0 +0 +0\.001'
client list --json
check 'list speaks JSON' python3 -c 'import json, sys
rows = json.load(open(sys.argv[1]))
assert [r["name"] for r in rows] == ["hand", "anna"], rows
assert rows[1]["budgets"][0]["bound"] == "usd_per_day", rows' "$dir/out"

# Wrong values, by the option's name; the file is as it was.
cp "$dir/clients.conf" "$dir/before"
for wrong in '--place mars:--place: must be one of' \
	'--expires soon:--expires: must be a date' \
	'--usd-per-day much:--usd-per-day: must be a number' \
	'--concurrent 0:--concurrent: must be' \
	'--priority 1.5:--priority: must be a whole number' \
	'--networks here:--networks: must be' \
	'--endpoints chat,talk:--endpoints: must be' \
	'--group tem:--group: must be one of client_groups: .*did you mean team' \
	'--key-sha256 tg-abc:--key-sha256: must be the SHA-256' \
	'--operator=maybe:--operator: must be yes or no' \
	'--overlap 7d:set does not take --overlap|set does not take 7d'; do
	# shellcheck disable=SC2086
	client set anna ${wrong%%:*}
	check_not "${wrong%%:*} is refused" [ "$rc" -eq 0 ]
	like 'by the name of the option' "$err" "${wrong#*:}"
done
# A group that is taken out of tailgate.conf: what mends that still works.
sed 's/name = "team"/name = "crew"/' "$conf" >"$dir/crew.conf"
printf 'clients = ( %s, %s );\n' \
	'{ name = "anna"; user = "a"; group = "team"; }' \
	'{ name = "ben"; user = "b"; group = "team"; }' >"$dir/crew_clients"
sed -i 's,clients_file = "[^"]*";,clients_file = "crew_clients";,' "$dir/crew.conf"
check_not 'a group that there is not: a mistake' \
	"$TAILGATE" -f "$dir/crew.conf" check
check 'a client may leave it' \
	"$TAILGATE" -f "$dir/crew.conf" client set anna --group ''
check 'or be removed' "$TAILGATE" -f "$dir/crew.conf" client rm ben
check 'then it is good' "$TAILGATE" -f "$dir/crew.conf" check
client set anna --models 'chatx,paid'
is 'a glob of models that matches none is accepted' "$rc" 0
like 'with a warning' "$err" 'warning: --models: chatx matches no model of '
cp "$dir/before" "$dir/clients.conf"
client sett anna
like 'a word that is nearly one' "$err" 'did you mean "set"'
same 'and nothing is changed' "$dir/clients.conf" "$dir/before"

start_tailgate
start_server lighttpd

ask()
{
	post /v1/chat/completions '{"model":"paid","max_tokens":20,
		"messages":[{"role":"user","content":"hi"}]}'
}

# reload: until all workers are new ones.
reload()
{
	old=$(children "$tailgate_pid")
	kill -HUP "$tailgate_pid"
	wait_until -p "$tailgate_pid" none_of_old
}
none_of_old()
{
	for each in $old; do
		case " $(children "$tailgate_pid" | tr '\n' ' ') " in
		*" $each "*) return 1 ;;
		esac
	done
}

ask
is 'the client is served' "$status" 200
spent()
{
	client show anna
	printf '%s\n' "$out" | grep -Eq '^usd_per_day +0\.001 +0\.000031 '
}
check 'and what it spent is shown' wait_until spent
request /tailgate/usage.json
is 'it may see its own' "$status" 200
like 'with what is left' "$(body)" \
	'"of": "client anna", "bound": "usd_per_day", "limit": 0.001, "used": 0.000031, "held": 0, "left": 0.000969'
unlike 'and nothing of others' "$(body)" 'hand|rows'
request /tailgate/status.json
is 'but not the status' "$status" 403
"$TAILGATE" -f "$conf" status >"$dir/status"
like 'status shows it' "$(cat "$dir/status")" \
	'client anna +usd_per_day +0\.001 +0\.000031'

key=
add_client chief --operator
reload
request /metrics
like 'and so do the metrics' "$(body)" \
	'^tailgate_budget_used\{of="client",name="anna",bound="usd_per_day"\} 0\.000031'
request /tailgate/status.json
like 'and the status of the page' "$(body)" '"budgets":\[\{"of":"client anna"'

# --- A new key

key=$anna_key
client rotate anna --overlap 1h
new=$out
like 'rotate prints a key' "$new" '^tg-[A-Za-z0-9]{43}$'
reload
ask
is 'the old key is good for a while' "$status" 200
key=$new
ask
is 'the new one too' "$status" 200
client rotate anna
reload
ask
is 'without --overlap the old one is refused' "$status" 401
key=$out
ask
is 'and the new one is served' "$status" 200

# --- A key of one's own

key=tg-0123456789012345678901234567890123456789abc
digest=$(printf %s "$key" | sha256sum | cut -d ' ' -f 1)
client add ben --key-sha256 "$digest"
is 'a client with a key that it has' "$rc" 0
is 'prints none' "$out" ''
reload
request /v1/models
is 'and is known' "$status" 200
client rm ben
client show ben
is 'until it is removed' "$rc" 1
like 'the hand-written rest stays' "$(cat "$dir/clients.conf")" '# stays'
finish

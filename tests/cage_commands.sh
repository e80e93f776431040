# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The sandbox of each command of `tailgate`: a debugger stops the real process
# at its end, makes it try what an attacker in it would try, and searches all of
# its memory for a provider's key.
. "${abs_srcdir:-.}/tests/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all 'only root may trace it'
need gdb lighttpd
grep -q '^CFLAGS = .*sanitize' "$abs_builddir/Makefile" &&
	skip_all 'sanitizers need what the cage forbids'

printf 'sk-MARKCOMMANDKEY\n' >"$dir/provider.secret"
chmod 600 "$dir/provider.secret"
start_upstream stub
stub_more="key = { file = \"$dir/provider.secret\"; };"
stub_config
add_client anna --operator
start_tailgate
start_lighttpd
post /v1/chat/completions "$(chat plain)"
is 'the gateway serves' "$status" 200
force=$("$TAILGATE" -f "$conf" status | sed -n 's/^sandbox: //p')
detail "in force: $force"
case $force in
*files*calls*) ;;
*) skip_all "this kernel has only: $force" ;;
esac
printf '%s\n' "$anna_key" >"$dir/anna.key"
"$TAILGATE" -f "$conf" capture --client anna --for 10m --max 1 >/dev/null
key=$anna_key
post /v1/chat/completions "$(chat plain)"
# shellcheck disable=SC2317 # wait_until calls it
is_recorded()
{
	ls "$dir"/run/capture/*.capture
}
wait_until is_recorded >/dev/null 2>&1 || broken 'nothing is recorded'
mv "$dir"/run/capture/*.capture "$dir/exchange"
chat plain >"$dir/request"
HOME=$dir/home
export HOME
unset XDG_CONFIG_HOME XDG_STATE_HOME CODEX_HOME
mkdir "$HOME"

open='((int(*)(const char *, int, int))open)'
socket='((int(*)(int, int, int))socket)'
# at_end COMMAND...: what the tries came to there, a line each; $dir/core is
# its whole memory, what is left out of core files included.
at_end()
{
	rm -f "$dir/core"
	gdb -q -batch -nx -ex 'set unwindonsignal on' \
		-ex 'set dump-excluded-mappings on' \
		-ex 'set use-coredump-filter off' \
		-ex 'catch syscall exit_group' -ex run -ex "gcore $dir/core" \
		-ex "print $open(\"/etc/shadow\", 0, 0)" \
		-ex "print $open(\"$dir/mine\", 65, 0600)" \
		-ex "print $open(\"$HOME/.profile\", 65, 0600)" \
		-ex "print $open(\"$dir/state/ledger.jsonl\", 1, 0)" \
		-ex "print $open(\"/proc/$tailgate_pid/mem\", 0, 0)" \
		-ex "print $socket(2, 3, 1)" \
		-ex "print $socket(17, 3, 0)" \
		-ex "print ((int(*)(int, int))kill)($tailgate_pid, 15)" \
		-ex "print $socket(2, 1, 0) > 0" \
		-ex 'print ((int(*)(const char *, const char *, void *))execl)("/bin/sh", "sh", 0)' \
		--args "$TAILGATE" "$@" >"$dir/gdb" 2>&1 </dev/null
	# shellcheck disable=SC2016 # gdb's
	sed -n 's/^\$[0-9]* = \(-\{0,1\}[0-9]*\).*/\1/p' "$dir/gdb"
}

# `client` may write the directory of the clients file, so that is another here.
mkdir "$dir/clients"
echo 'clients = ( );' >"$dir/clients/clients.conf"
sed "s|$dir/clients.conf|$dir/clients/clients.conf|" "$conf" >"$dir/edit.conf"

# So may `prices` that of price_file.
mkdir "$dir/prices"
cat >"$dir/prices.conf" <<-END
	runtime_dir = "$dir/run"; state_dir = "$dir/state";
	price_file = "$dir/prices/prices.conf";
	providers = ( { name = "openai"; url = "https://api.openai.com/v1";
	  place = "external"; key = { file = "$dir/provider.secret"; }; } );
	models = ( { id = "a"; place = "external"; targets = (
	  { provider = "openai"; model = "gpt-x"; } ); } );
END
echo '{ "gpt-x": { "litellm_provider": "openai", "input_cost_per_token": 1e-6,
	"output_cost_per_token": 2e-6 } }' >"$dir/list.json"

# NAME|CONNECTS|ARGUMENTS: 1 if it may make sockets of TCP.
while IFS='|' read -r name connects arguments; do
	# shellcheck disable=SC2086 # words
	got=$(at_end $arguments | head -n 9 | tr '\n' ' ')
	is "$name that was taken over gets nowhere" "$got" \
		"-1 -1 -1 -1 -1 -1 -1 -1 $connects "
	like "$name: and ends when it runs a shell" "$(cat "$dir/gdb")" SIGSYS
	check "$name: its memory is at hand" test -s "$dir/core"
	check_not "$name: no provider's key is in it" \
		grep -q -a MARKCOMMANDKEY "$dir/core"
	rm -f "$dir/core" "$dir/mine"
done <<-END
	capture|0|-f $conf capture --client anna --for 1m
	capture --remove|0|-f $conf capture --remove
	capture list|0|-f $conf capture list
	check|0|-f $conf check
	check --dump|0|-f $conf check --dump
	check --systemd-allow|1|-f $conf check --systemd-allow
	client list|0|-f $conf client list
	client add|0|-f $dir/edit.conf client add berta
	explain|0|-f $conf explain --client anna $dir/request
	init|1|init $dir/made
	prices import|0|-f $dir/prices.conf prices import $dir/list.json
	probe|1|-f $conf probe
	probe --mount|1|probe --mount $base/v1 --key-file $dir/anna.key
	replay|1|replay --url $base --key-file $dir/anna.key $dir/exchange
	replay of what is no recording|1|replay --url $base $dir/list.json
	setup|0|setup codex --url $base/v1 --key-file $dir/anna.key
	setup --undo|0|setup codex --undo
	status|0|-f $conf status
	usage|0|-f $conf usage
	usage --verify|0|-f $conf usage --verify
END
check 'the gateway did not notice' serves
check 'what was to be written is' test -s "$dir/prices/prices.conf" -a \
	-s "$dir/clients/clients.conf" -a -s "$dir/made/tailgate.conf"

# Another process asks for `setup`: it connects, and writes nothing.
gdb -q -batch -nx -ex 'set unwindonsignal on' -ex 'set follow-fork-mode child' \
	-ex 'catch syscall exit_group' -ex run \
	-ex "print $open(\"/etc/shadow\", 0, 0)" \
	-ex "print $open(\"$HOME/.codex/config.toml\", 65, 0600)" \
	-ex "print $socket(2, 1, 0) > 0" \
	--args "$TAILGATE" setup codex --url "$base/v1" --key-file \
	"$dir/anna.key" >"$dir/gdb" 2>&1 </dev/null
# shellcheck disable=SC2016 # gdb's
is 'what asks for setup connects, and opens nothing' "$(sed -n \
	's/^\$[0-9]* = \(-\{0,1\}[0-9]*\).*/\1/p' "$dir/gdb" | tr '\n' ' ')" \
	'-1 -1 1 '
finish

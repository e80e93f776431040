# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Codex and Claude Code, headless, do a task with a tool call against a
# scripted model: through the bridges to one that speaks only chat, and Codex
# to one that serves Responses itself.  They are looked for beside the SDKs
# (npm install @openai/codex @anthropic-ai/claude-code there) and in PATH.
. "${abs_srcdir:-.}/tests/lib.sh"

need python3
clients=${TAILGATE_CLIENTS:-$abs_builddir/clients}
PATH=$clients/node_modules/.bin:$PATH
agents=
for agent in codex claude; do
	! command -v "$agent" >/dev/null || agents="$agents $agent"
done
[ -n "$agents" ] || skip_all "neither codex nor claude is installed"

mkdir -p "$dir/model" "$dir/run" "$dir/state" "$dir/home/.codex"
spawn model python3 "$tests/clients/model.py" "$dir/model"
wait_until -p "$model_pid" test -s "$dir/model/port" ||
	broken "the scripted model did not start"
url=http://127.0.0.1:$(cat "$dir/model/port")/v1

conf=$dir/tailgate.conf
cat >"$conf" <<END
runtime_dir = "$dir/run"; state_dir = "$dir/state";
clients_file = "$dir/clients.conf";
providers = (
  { name = "chat"; place = "local"; url = "$url"; endpoints = [ "chat" ]; },
  { name = "responses"; place = "local"; url = "$url";
    endpoints = [ "chat", "responses" ]; } );
models = (
  { id = "bridged"; targets = (
    { provider = "chat"; model = "scripted"; usage = "ask"; } ); },
  { id = "passed"; targets = (
    { provider = "responses"; model = "scripted"; } ); } );
END
add_client anna
start_tailgate

# Of what the agents find at home nothing may be the caller's.
HOME=$dir/home
export HOME

# ended AGENT MODEL: it has run the tool, and said what the tool said.
ended()
{
	is "$server: $1 with the model $2 ends well" "$status" 0
	is "$server: its tool has run" \
		"$(cat "$dir/work/proof.txt" 2>/dev/null)" bridged-42
	like "$server: it tells what the tool said" \
		"$(cat "$dir/$1.out")" 'bridged-42'
	[ "$status" -eq 0 ] || tail -n 15 "$dir/$1.out" "$dir/$1.err"
}

in_new_work()
{
	rm -rf "$dir/work"
	mkdir "$dir/work"
	cd "$dir/work" || exit 99
	timeout 120 "$@" </dev/null
	status=$?
	cd "$dir" || exit 99
}

run_codex()
{
	cat >"$HOME/.codex/config.toml" <<-END
		model = "$1"
		model_provider = "tailgate"
		[model_providers.tailgate]
		name = "tailgate"
		base_url = "$base/v1"
		env_key = "TAILGATE_KEY"
		wire_api = "responses"
	END
	in_new_work env "TAILGATE_KEY=$key" codex exec --skip-git-repo-check \
		--dangerously-bypass-approvals-and-sandbox \
		"write the proof" >"$dir/codex.out" 2>"$dir/codex.err"
	ended codex "$1"
}

run_claude()
{
	in_new_work env "ANTHROPIC_BASE_URL=$base" "ANTHROPIC_API_KEY=$key" \
		ANTHROPIC_MODEL=bridged ANTHROPIC_SMALL_FAST_MODEL=bridged \
		CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 IS_SANDBOX=1 \
		claude -p --dangerously-skip-permissions \
		"write the proof" >"$dir/claude.out" 2>"$dir/claude.err"
	ended claude bridged
}

suite()
{
	for agent in $agents; do
		case $agent in
		codex)
			run_codex bridged
			run_codex passed
			;;
		claude) run_claude ;;
		esac
	done
}
each_server suite
# Two turns under each server, and none of them by Claude Code.
case $agents in
*codex*) want=4 ;;
*) want=0 ;;
esac
is "Responses passed where they are served, and only there" \
	"$(grep -c responses "$dir/model/log")" "$want"
finish

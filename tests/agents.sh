# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Codex, Claude Code and opencode, headless, do a task with a tool call against
# a scripted model: through the bridges to one that speaks only chat, and
# passed through to one that speaks their own API.  opencode is not among what
# tests/clients/install brings; it is taken from PATH.
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/clients/suite.sh"

PATH=$clients/node_modules/.bin:$PATH
agents=
for agent in codex claude opencode; do
	! command -v "$agent" >/dev/null || agents="$agents $agent"
done
[ -n "$agents" ] ||
	skip_all "no agent is installed (tests/clients/install $clients)"

start_model
mkdir -p "$dir/run" "$dir/state" "$dir/home/.codex"

conf=$dir/tailgate.conf
cat >"$conf" <<END
runtime_dir = "$dir/run"; state_dir = "$dir/state";
clients_file = "$dir/clients.conf";
providers = (
  { name = "chat"; place = "local"; url = "$model_url";
    endpoints = [ "chat" ]; },
  { name = "all"; place = "local"; url = "$model_url";
    endpoints = [ "chat", "responses", "messages", "count_tokens" ]; } );
models = (
  { id = "bridged"; targets = (
    { provider = "chat"; model = "bridged"; usage = "ask"; } ); },
  { id = "passed"; targets = (
    { provider = "all"; model = "passed"; } ); } );
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
		"ANTHROPIC_MODEL=$1" "ANTHROPIC_SMALL_FAST_MODEL=$1" \
		CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 IS_SANDBOX=1 \
		claude -p --dangerously-skip-permissions \
		"write the proof" >"$dir/claude.out" 2>"$dir/claude.err"
	ended claude "$1"
}

run_opencode()
{
	mkdir -p "$HOME/.config/opencode"
	cat >"$HOME/.config/opencode/opencode.json" <<-END
		{ "model": "tailgate/$1", "small_model": "tailgate/$1",
		  "autoupdate": false, "share": "disabled",
		  "provider": { "tailgate": {
		    "npm": "@ai-sdk/openai-compatible", "name": "tailgate",
		    "options": { "baseURL": "$base/v1",
		      "apiKey": "{env:TAILGATE_KEY}" },
		    "models": { "$1": { "name": "$1" } } } },
		  "permission": { "bash": "allow" } }
	END
	in_new_work env "TAILGATE_KEY=$key" OPENCODE_DISABLE_MODELS_FETCH=1 \
		opencode run "write the proof" \
		>"$dir/opencode.out" 2>"$dir/opencode.err"
	ended opencode "$1"
}

# What Codex makes of a key that is none: it tries again, then says so.
refuse_codex()
{
	in_new_work env TAILGATE_KEY=tg-wrong codex exec --skip-git-repo-check \
		"write the proof" >"$dir/codex.out" 2>"$dir/codex.err"
	is "$server: codex with a wrong key fails" "$status" 1
	like "$server: and says why" "$(cat "$dir/codex.err")" \
		'401 Unauthorized: The key is not known .*request id: req_'
}

suite()
{
	for agent in $agents; do
		for model in bridged passed; do
			"run_$agent" $model
		done
		[ "$agent" != codex ] || refuse_codex
	done
}
each_server suite

# passed AGENT PATH: it has come where it is served, and nowhere else.
passed()
{
	case $agents in
	*"$1"*)
		check "what $1 speaks is passed where it is served" \
			grep -q "^$2 True" "$dir/model/log"
		;;
	esac
	is "$2 goes nowhere else" "$(grep "^$2 True" "$dir/model/log" |
		grep -cv ' passed$')" 0
}
passed codex /v1/responses
passed claude /v1/messages
finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Codex, Claude Code, opencode and Qwen Code, headless, do a task with a tool
# call against a scripted model, set up as doc/clients.md says: through the
# bridges to a model that speaks only chat, and passed through to one that
# speaks their own API.  Codex and Claude Code also call the tool of an MCP
# server, one that they know or one that they have searched for.  They send a
# model's signatures back, and they wait for a model that thinks longer than
# their idle timers run.
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/clients/suite.sh"

agents_first
agents=
for agent in codex claude opencode qwen; do
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
commit = 0.5; heartbeat = 0.5;
providers = (
  { name = "chat"; place = "local"; url = "$model_url";
    endpoints = [ "chat" ]; },
  { name = "all"; place = "local"; url = "$model_url";
    endpoints = [ "chat", "responses", "messages", "count_tokens" ]; } );
models = (
  { id = "bridged"; targets = (
    { provider = "chat"; model = "bridged"; usage = "ask"; } ); },
  { id = "mcp"; aliases = [ "gpt-5.5" ]; targets = (
    { provider = "chat"; model = "mcp"; usage = "ask"; } ); },
  { id = "signed"; targets = (
    { provider = "chat"; model = "signed"; usage = "ask"; } ); },
  { id = "slow"; targets = (
    { provider = "chat"; model = "slow-9"; } ); },
  { id = "slower"; targets = (
    { provider = "chat"; model = "slow-13"; } ); },
  { id = "passed-slow"; targets = (
    { provider = "all"; model = "slow-9"; } ); },
  { id = "passed"; targets = (
    { provider = "all"; model = "passed"; } ); } );
END
add_client anna
start_tailgate

# Nothing that the agents find at home may belong to the caller.
HOME=$dir/home
TAILGATE_KEY=$key
# Claude Code needs this if it runs as root.
IS_SANDBOX=1
export HOME TAILGATE_KEY IS_SANDBOX

# ended AGENT MODEL: it has run the tool, and printed the tool's output.  (Qwen
# Code may hear of a command's end before it has its output.)
ended()
{
	is "$server: $1 with the model $2 ends well" "$status" 0
	is "$server: its tool has run" \
		"$(cat "$dir/task/proof.txt" 2>/dev/null)" bridged-42
	said=bridged-42
	[ "$1" = qwen ] && said='bridged-42|Exit Code: 0'
	like "$server: it prints the tool's output" "$(cat "$dir/$1.out")" "$said"
	[ "$status" -eq 0 ] || tail -n 15 "$dir/$1.out" "$dir/$1.err"
}

# proved AGENT: the tool of the MCP server has run, with the model's arguments.
proved()
{
	is "$server: $1 with an MCP server ends well" "$status" 0
	is "$server: its tool has run" \
		"$(cat "$dir/proof.mcp" 2>/dev/null)" mcp-x
	like "$server: it prints the tool's output" \
		"$(cat "$dir/$1.out")" 'mcp-proved'
	[ "$status" -eq 0 ] || tail -n 15 "$dir/$1.out" "$dir/$1.err"
}

in_new_work()
{
	rm -rf "$dir/task" "$dir/proof.mcp"
	mkdir "$dir/task"
	cd "$dir/task" || exit 99
	timeout 300 "$@" </dev/null
	status=$?
	cd "$dir" || exit 99
}

# Models that it knows get a search instead of the tools (tool_search).
mcp_codex()
{
	recipe Codex "$1" >"$HOME/.codex/config.toml"
	cat >>"$HOME/.codex/config.toml" <<-END

		[mcp_servers.proof]
		command = "python3"
		args = [ "$tests/clients/mcp.py", "$dir/proof.mcp" ]
	END
	do_codex
	proved codex
}

# Nothing comes for longer than it waits, and it must not ask again.
slow_codex()
{
	recipe Codex "$1" >"$HOME/.codex/config.toml"
	cat >>"$HOME/.codex/config.toml" <<-END
		stream_idle_timeout_ms = 6000
		stream_max_retries = 0
	END
	do_codex
	ended codex "$1"
}

run_codex()
{
	recipe Codex "$1" >"$HOME/.codex/config.toml"
	do_codex
	ended codex "$1"
}

do_codex()
{
	in_new_work codex exec --skip-git-repo-check \
		--dangerously-bypass-approvals-and-sandbox \
		"write the proof" >"$dir/codex.out" 2>"$dir/codex.err"
}

run_claude()
{
	recipe "Claude Code" "$1" >"$dir/claude.env"
	do_claude
	ended claude "$1"
}

# do_claude [arguments]
do_claude()
{
	in_new_work sh -c ". $dir/claude.env; exec claude -p $* \
		--dangerously-skip-permissions 'write the proof'" \
		>"$dir/claude.out" 2>"$dir/claude.err"
}

# The tool's schema comes only when a search has found it (tool_reference).
mcp_claude()
{
	recipe "Claude Code" mcp >"$dir/claude.env"
	echo 'export ENABLE_TOOL_SEARCH=true' >>"$dir/claude.env"
	cat >"$dir/mcp.json" <<-END
		{ "mcpServers": { "proof": { "command": "python3",
		  "args": [ "$tests/clients/mcp.py", "$dir/proof.mcp" ] } } }
	END
	do_claude --strict-mcp-config --mcp-config "$dir/mcp.json"
	proved claude
}

# Ten seconds are the least that its timers can be set to.
slow_claude()
{
	recipe "Claude Code" "$1" >"$dir/claude.env"
	cat >>"$dir/claude.env" <<-END
		export CLAUDE_ENABLE_STREAM_WATCHDOG=1
		export CLAUDE_ENABLE_BYTE_WATCHDOG=1
		export CLAUDE_STREAM_IDLE_TIMEOUT_MS=10000
		export CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS=10000
		export CLAUDE_STREAM_FIRST_BYTE_TIMEOUT_MS=10000
		export CLAUDE_CODE_MAX_RETRIES=0
	END
	do_claude
	ended claude "$1"
}

run_opencode()
{
	mkdir -p "$HOME/.config/opencode"
	recipe opencode "$1" >"$HOME/.config/opencode/opencode.json"
	in_new_work env OPENCODE_DISABLE_MODELS_FETCH=1 \
		opencode run "write the proof" \
		>"$dir/opencode.out" 2>"$dir/opencode.err"
	ended opencode "$1"
}

run_qwen()
{
	mkdir -p "$HOME/.qwen"
	recipe "Qwen Code" "$1" >"$HOME/.qwen/settings.json"
	in_new_work qwen --yolo -p "write the proof" \
		>"$dir/qwen.out" 2>"$dir/qwen.err"
	ended qwen "$1"
}

# With an invalid key, Codex tries again, then says so.
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
			"run_$agent" "$model"
		done
		[ "$agent" != codex ] || refuse_codex
	done
	case $agents in *codex*)
		run_codex signed
		mcp_codex mcp
		mcp_codex gpt-5.5
		slow_codex slow
		slow_codex passed-slow
		;;
	esac
	case $agents in *claude*)
		run_claude signed
		mcp_claude
		slow_claude slower
		;;
	esac
}
each_server suite

# passed AGENT PATH: the request has reached only the provider that serves it.
passed()
{
	case $agents in
	*"$1"*)
		check "$1's own API is passed through if the target serves it" \
			grep -q "^$2 True" "$dir/model/log"
		;;
	esac
	is "$2 goes nowhere else" "$(grep "^$2 True" "$dir/model/log" |
		grep -cvE ' (passed|slow-9)$')" 0
}
passed codex /v1/responses
passed claude /v1/messages
finish

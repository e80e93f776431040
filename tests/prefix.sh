# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A local server keeps the part of a prompt that it has read, if the next prompt
# begins with the same bytes.  In conversations of Codex, Claude Code and
# opencode, each request's prompt is a byte prefix of the next one's, through
# the bridges and passed through.  So nothing that tailgate adds, leaves out or
# reorders invalidates a cache.
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/clients/suite.sh"

agents_first
command -v codex claude opencode >/dev/null ||
	skip_all "no agent is installed (tests/clients/install $clients)"

start_model
new_config <<-END
	providers = (
	  { name = "chat"; place = "local"; url = "$model_url";
	    endpoints = [ "chat" ]; },
	  { name = "all"; place = "local"; url = "$model_url";
	    endpoints = [ "chat", "responses", "messages", "count_tokens" ]; } );
	models = (
	  { id = "bridged"; targets = (
	    { provider = "chat"; model = "m"; context = 200000; } ); },
	  { id = "passed"; targets = (
	    { provider = "all"; model = "m"; context = 200000; } ); } );
END
add_client anna
printf '%s\n' "$key" >"$dir/anna.key"
start_tailgate
unset XDG_CONFIG_HOME XDG_STATE_HOME XDG_DATA_HOME CODEX_HOME CLAUDE_CONFIG_DIR
unset ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL OPENAI_API_KEY
IS_SANDBOX=1
OPENCODE_DISABLE_MODELS_FETCH=1
export IS_SANDBOX OPENCODE_DISABLE_MODELS_FETCH

# say COMMAND...: a turn of the conversation.
say()
{
	(cd "$dir/task" && timeout 100 "$@") </dev/null \
		>"$dir/tool.out" 2>"$dir/tool.err" || {
		fail "$1 ends well"
		detail "$(tail -n 15 "$dir/tool.out" "$dir/tool.err")"
	}
}

codex_turns()
{
	say codex exec --skip-git-repo-check \
		--dangerously-bypass-approvals-and-sandbox "write the proof"
	say codex exec resume --last --skip-git-repo-check \
		--dangerously-bypass-approvals-and-sandbox "do it again"
}

claude_turns()
{
	say claude -p --dangerously-skip-permissions "write the proof"
	say claude -c -p --dangerously-skip-permissions "do it again"
}

opencode_turns()
{
	say opencode run "write the proof"
	say opencode run -c "do it again"
}

# converse COMMAND TOOL MODEL
converse()
{
	HOME=$dir/home.$1.$3
	export HOME
	rm -rf "$dir/model/bodies" "$dir/task"
	mkdir -p "$HOME" "$dir/task" "$dir/model/bodies"
	"$TAILGATE" setup "$2" --url "$base" --key-file "$dir/anna.key" \
		--model "$3" >"$dir/setup.out" 2>&1 ||
		broken "tailgate setup $2: $(cat "$dir/setup.out")"
	"$1_turns"
	check "$2, $3: each prompt is the beginning of the next" \
		python3 "$tests/clients/prefix.py" "$dir/model/bodies"
	detail "$(cat "$dir/check.out")"
}

start_lighttpd
for pair in ${PAIRS:-codex=codex claude=claude-code opencode=opencode}; do
	command -v "${pair%%=*}" >/dev/null || continue
	for model in bridged passed; do
		converse "${pair%%=*}" "${pair#*=}" $model
	done
done
finish

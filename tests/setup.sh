# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# tailgate setup, from `./bootstrap run` and nothing else: the sources as they
# are after a clone, with the objects of this build, started by that command.
# In the configuration that it made, a model server replaces the echo.  Then, for each tool that is
# installed here and has a user's settings already: set up, a task with a tool
# call through the bridge to a model that speaks only chat, --undo, and the
# files are as before.
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/clients/suite.sh"

agents_first
PATH=$PATH:$clients/aider/bin

# objects_copy: what is built here, for the copy; make builds what is missing.
# In another place than build/ it is of no use to ./bootstrap.
objects_copy()
{
	[ "$(cd "$abs_builddir" && pwd)" = "$(cd "$abs_srcdir" && pwd)/build" ] ||
		return 0
	mkdir "$dir/source/build"
	(cd "$abs_srcdir" && exec cp -Rp configure aclocal.m4 build-aux \
		Makefile.in config.h.in "$dir/source/") ||
		broken 'no copy of configure'
	(cd "$abs_builddir" && exec cp -Rp Makefile config.h config.status \
		stamp-h1 src tailgate tailgate.fcgi "$dir/source/build/") ||
		broken 'no copy of the build'
}

# make's variables for the makes below it are of another build.
bootstrap_run()
{
	unset MAKEFLAGS MFLAGS MAKELEVEL
	cd "$dir/source" && exec ./bootstrap run
}

# asks_model: the new configuration is in force.
asks_model()
{
	request /v1/models --max-time 5
	grep -q 'org/chat.1' "$dir/body"
}

is_up()
{
	grep -q '^The configuration is ' "$dir/bootstrap.log"
}

start_model
mkdir "$dir/source"
sources | tar -xf - -C "$dir/source"
objects_copy
spawn bootstrap bootstrap_run
wait_until -t 900 -p "$bootstrap_pid" is_up ||
	broken "./bootstrap run: $(tail -n 5 "$dir/bootstrap.log")"
run=$dir/source/build/run
conf=$run/tailgate.conf
TAILGATE=$dir/source/build/tailgate
base=$(sed -n 's|^base_url=\(.*\)/v1$|\1|p' "$dir/bootstrap.log")
key=$(sed -n 's/^api_key=//p' "$dir/bootstrap.log")
anna_key=$key
printf '%s\n' "$key" >"$dir/anna.key"
tailgate_pid=$(ps -o pid=,args= --ppid "$bootstrap_pid" |
	awk '/tailgate\.fcgi/ { print $1; exit }')

# As a user adds a model server to it.
sed -i '/^providers = ($/,$d' "$conf"
cat >>"$conf" <<-END
	commit = 0.5; heartbeat = 0.5;
	providers = (
	  { name = "chat"; place = "local"; url = "$model_url";
	    endpoints = [ "chat" ]; } );
	models = (
	  { id = "no-tools"; targets = (
	    { provider = "chat"; model = "m"; tools = false; } ); },
	  { id = "org/chat.1"; aliases = [ "small" ]; targets = (
	    { provider = "chat"; model = "m"; usage = "ask"; tools = true;
	      context = 131072; } ); },
	  { id = "more/*"; targets = (
	    { provider = "chat"; model = "*"; } ); } );
END
check "the configuration is good" "$TAILGATE" -f "$conf" check
kill -HUP "$tailgate_pid"
wait_until -p "$bootstrap_pid" asks_model || broken "no reload"

# Nothing that the tools find at home may belong to the caller.
unset XDG_CONFIG_HOME XDG_STATE_HOME CODEX_HOME CLAUDE_CONFIG_DIR TAILGATE_URL
unset OPENAI_API_KEY OPENAI_BASE_URL OPENAI_API_BASE ANTHROPIC_API_KEY
unset ANTHROPIC_BASE_URL ANTHROPIC_AUTH_TOKEN CONTINUE_GLOBAL_DIR
IS_SANDBOX=1
export IS_SANDBOX

new_home()
{
	HOME=$dir/home.$1
	export HOME
	rm -rf "${dir:?}/home.$1" "${dir:?}/task"
	mkdir -p "$HOME" "$dir/task"
}

# files: all files at home that are not the tool's own memory of its runs.
files()
{
	(cd "$HOME" && find . -type f -exec cksum {} + | sort -k 3)
}

# set_up TOOL [arguments]
set_up()
{
	"$TAILGATE" setup "$@" --url "$base/v1" >"$dir/setup.out" 2>&1
	status=$?
}

# begin TOOL: set up in a home with settings.
begin()
{
	files >"$dir/before"
	(cd "$HOME" && find . -type f) >"$dir/names"
	(cd "$HOME" && tar cf "$dir/home.tar" .)
	set_up "$1" --key-file "$dir/anna.key" --dry-run
	like "$1: a diff" "$(cat "$dir/setup.out")" '^\+.*org/chat\.1'
	unlike "$1: without the key" "$(cat "$dir/setup.out")" "$key"
	files >"$dir/after"
	same "$1: and nothing is written" "$dir/before" "$dir/after"
	set_up "$1" --key-file "$dir/anna.key"
	is "$1: set up" "$status" 0
	[ "$status" = 0 ] || detail "$(cat "$dir/setup.out")"
	unlike "$1: the key is not shown" "$(cat "$dir/setup.out")" "$key"
	is "$1: no other user can read the key" \
		"$(cd "$HOME" && grep -rl "$key" . | while read -r file; do
			find "$file" -perm /077
		done)" ""
	files >"$dir/after"
	set_up "$1"
	files >"$dir/again"
	same "$1: a second time changes nothing" "$dir/after" "$dir/again"
}

# work COMMAND...: a task of the tool.  Each needs less than a minute, of which
# aider computes for ten seconds: on a machine that is busy with other tests
# they take longer, and the bound is for one that hangs.
work()
{
	(cd "$dir/task" && timeout 300 "$@") </dev/null \
		>"$dir/tool.out" 2>"$dir/tool.err"
	status=$?
}

# worked TOOL: it has run the tool, and printed the tool's output.
worked()
{
	is "$1: the task ends well" "$status" 0
	is "$1: its tool has run" \
		"$(cat "$dir/task/proof.txt" 2>/dev/null)" bridged-42
	# Qwen Code's shell tool may miss what a command wrote at its end.
	like "$1: it prints the tool's output" "$(cat "$dir/tool.out")" \
		'bridged-42|Exit Code: 0'
	[ "$status" = 0 ] || detail "$(tail -n 15 "$dir/tool.out" "$dir/tool.err")"
}

# end TOOL: the home is as it was, and nothing of ours is left.
end()
{
	"$TAILGATE" setup "$1" --undo >"$dir/setup.out" 2>&1
	is "$1: undone" "$?" 0
	while read -r file; do
		tar xOf "$dir/home.tar" "$file" | cmp -s - "$HOME/$file" ||
			echo "$file differs"
	done <"$dir/names" >"$dir/differ"
	is "$1: the files are as before" "$(cat "$dir/differ")" ""
	is "$1: no key is left" "$(grep -rl "$key" "$HOME" |
		grep -v -e /sessions/ -e /projects/ -e '/tmp/' -e /logs/)" ""
	is "$1: nor anything else of ours" \
		"$(cd "$HOME" && find . -path '*/tailgate/*' -type f)" ""
	check_not "$1: there is nothing more to undo" \
		"$TAILGATE" setup "$1" --undo
}

have()
{
	command -v "$1" >/dev/null && return
	# There is none for this machine's Python.
	if [ "$1" = aider ] && [ -s "$clients/aider.none" ]; then
		pass "not applicable: $(cat "$clients/aider.none")"
		return 1
	fi
	[ "${TAILGATE_CI:-0}" != 1 ] ||
		fail "$1 is not installed (tests/clients/install $clients)"
	return 1
}

try_codex()
{
	new_home codex
	mkdir "$HOME/.codex"
	printf '%s' '# mine
model = "gpt-x" # the best

[model_providers.other]
name = "other"
base_url = "http://127.0.0.1:9/v1"

[model_providers.tailgate]
env_key = "NO_SUCH_KEY"

[tui]
notifications = [
  "a", # ]
]' \
		>"$HOME/.codex/config.toml"
	begin codex
	work codex exec --skip-git-repo-check \
		--dangerously-bypass-approvals-and-sandbox "write the proof"
	worked codex
	end codex
}

try_claude()
{
	new_home claude
	mkdir "$HOME/.claude"
	printf '{\r\n\t"env": {"FOO": "1"},\r\n\t"permissions": { "deny": [] }}' \
		>"$HOME/.claude/settings.json"
	begin claude-code
	work claude -p --dangerously-skip-permissions "write the proof"
	worked claude-code
	end claude-code
}

try_opencode()
{
	new_home opencode
	mkdir -p "$HOME/.config/opencode"
	cat >"$HOME/.config/opencode/opencode.jsonc" <<-'END'
		{
		    // mine
		    "autoupdate": false, /* never */
		    "provider": { "other": { "name": "other" }, },
		}
	END
	begin opencode
	work env OPENCODE_DISABLE_MODELS_FETCH=1 opencode run "write the proof"
	worked opencode
	end opencode
}

try_qwen()
{
	new_home qwen
	mkdir "$HOME/.qwen"
	# shellcheck disable=SC2016 # a name of Qwen Code's
	printf '{"ui":{"theme":"GitHub"},"$version":4}' \
		>"$HOME/.qwen/settings.json"
	printf 'OTHER_KEY=1' >"$HOME/.qwen/.env"
	begin qwen-code
	work qwen --yolo -p "write the proof"
	worked qwen-code
	end qwen-code
}

try_cn()
{
	new_home cn
	mkdir "$HOME/.continue"
	cat >"$HOME/.continue/config.yaml" <<-'END'
		name: mine
		version: 1.0.0
		schema: v1
		# the end
	END
	begin continue
	work cn -p --auto --config "$HOME/.continue/config.yaml" \
		"write the proof"
	worked continue
	end continue
}

# aider calls no tools: the model writes a file, aider runs the test that it is
# given, and what this says is the model's next prompt.
try_aider()
{
	new_home aider
	printf 'gitignore: false\n# mine\nmodel: gpt-x # old' \
		>"$HOME/.aider.conf.yml"
	begin aider
	cat >"$dir/task/check" <<-'END'
		grep -qx "bridged-$((40+2))" proof.txt && exit
		echo "want bridged-$((40+2))"
		exit 1
	END
	# It would ask for a list of prices, far away.
	work env LITELLM_LOCAL_MODEL_COST_MAP=True aider --yes-always --no-git \
		--no-check-update --analytics-disable --no-show-release-notes \
		--no-pretty --auto-test --test-cmd 'sh ./check' \
		--message "write the proof"
	worked aider
	is "aider: with the test's words, the second time" \
		"$(grep -c '^Applied edit to proof.txt' "$dir/tool.out")" 2
	end aider
}

# What needs no tool: a client made at once, files that a tool would not read
# either, lines changed since, and what is asked wrongly.
try_rest()
{
	new_home rest
	for model in nosuch org/chat; do
		"$TAILGATE" -f "$conf" setup codex --client made --url "$base" \
			--model $model >"$dir/setup.out" 2>&1
		like "no client is made for a model that is none" \
			"$? $(cat "$dir/setup.out")" \
			"^1 .*no model \"$model\" for a local client; it has: no-"
	done
	unlike "it is not in the file" "$(cat "$run/clients.conf")" '"made"'
	"$TAILGATE" -f "$conf" setup codex --client made --place local \
		--url "$base" --small-model more/small \
		>"$dir/setup.out" 2>"$dir/setup.err"
	is "a client is made for it" "$?" 0
	like "which is said" "$(cat "$dir/setup.out")" 'client made after'
	like "the model is the configuration's" \
		"$(cat "$HOME/.codex/config.toml")" '^model = "org/chat.1"'
	is "as its context is" "$(grep -c '^model_context_window = 131072$' \
		"$HOME/.codex/config.toml")" 1
	made=$(sed -n 's/^experimental_bearer_token = "\(.*\)"/\1/p' \
		"$HOME/.codex/config.toml")
	kill -HUP "$tailgate_pid"
	key=$made
	wait_until -p "$tailgate_pid" serves ||
		fail "the gateway knows the key after a reload"
	key=$anna_key
	sed -i -e 's/^model = .*/model = "mine"/' -e '$a\
# my end' "$HOME/.codex/config.toml"
	"$TAILGATE" setup codex --undo >"$dir/setup.out" 2>&1
	is "lines of ours that were changed stay" "$?" 1
	like "which is said, with the backup" "$(cat "$dir/setup.out")" \
		'changed since.*state/tailgate/setup/codex'
	sed -i 's/^model = .*/model = "org\/chat.1"/' "$HOME/.codex/config.toml"
	check "undone, with a new line in the file" "$TAILGATE" setup codex --undo
	like "and the client that was made is named" "$(cat "$dir/check.out")" \
		'client made is still there; .*client rm made'
	is "which stays" "$(cat "$HOME/.codex/config.toml")" '# my end'

	printf '{ "a": [1, 2 }' >"$HOME/broken"
	mkdir "$HOME/.claude"
	ln -s ../broken "$HOME/.claude/settings.json"
	set_up claude-code --key-file "$dir/anna.key"
	is "what is not JSON is not touched" "$status $(cat "$HOME/broken")" \
		'1 { "a": [1, 2 }'
	like "and it is said what to do" "$(cat "$dir/setup.out")" \
		'settings.json|broken: .*not JSON.*stays as it is'
	is "nor is anything else written" "$(find "$HOME" -name '*.key')" ''
	echo '{}' >"$HOME/broken"
	set_up claude-code --key-file "$dir/anna.key"
	is "a link stays a link" "$(readlink "$HOME/.claude/settings.json")" \
		../broken
	like "and its file is written" "$(cat "$HOME/broken")" apiKeyHelper

	echo tg-wrong >"$dir/wrong.key"
	set_up codex --key-file "$dir/wrong.key"
	like "a wrong key" "$status $(cat "$dir/setup.out")" \
		'^1 .*does not know the key'
	set_up codxe
	like "a wrong name" "$status $(cat "$dir/setup.out")" \
		'^2 .*did you mean "codex"'
	set_up codex
	like "no key" "$status $(cat "$dir/setup.out")" '^1 .*--key-file'
	set_up codex --key-file "$dir/anna.key" --model 'x";y'
	is "a name that is none" "$status" 2
	for shown in cursor open-webui librechat python js curl; do
		set_up "$shown" --model chat
		like "$shown: the URL is printed" "$status $(cat "$dir/setup.out")" \
			"$base/v1"
	done
	set_up env --key-file "$dir/anna.key"
	is "the environment, for sh" "$(unset OPENAI_API_KEY
		. "$HOME/.config/tailgate/env.sh"
		echo "$OPENAI_API_KEY $OPENAI_BASE_URL $ANTHROPIC_BASE_URL")" \
		"$anna_key $base/v1 $base"
}

try_rest
for tool in ${TOOLS:-codex claude opencode qwen cn aider}; do
	have "$tool" || continue
	began=$(date +%s)
	"try_$tool"
	echo "# $tool: $(($(date +%s) - began)) s, from set-up to undo"
done
finish

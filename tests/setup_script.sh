# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# shellcheck disable=SC2016 # names and patterns of others
# tailgate setup --script: the script changes a user's files exactly as
# `tailgate setup` does, byte for byte, records and modes included; under dash
# and under busybox, each with its own awk.  Either undoes what the other has
# set up.
. "${abs_srcdir:-.}/tests/lib.sh"

command -v dash >/dev/null || skip_all "dash is not installed"
command -v busybox >/dev/null || skip_all "busybox is not installed"

new_config <<-END
	providers = (
	  { name = "chat"; place = "local"; url = "http://127.0.0.1:9/v1"; } );
	models = (
	  { id = "org/chat.1"; aliases = [ "small" ]; targets = (
	    { provider = "chat"; model = "m"; tools = true; images = true;
	      context = 65536; } ); },
	  { id = "second"; targets = (
	    { provider = "chat"; model = "m2"; } ); },
	  { id = "any/*"; targets = (
	    { provider = "chat"; model = "*"; } ); } );
END
add_client anna
printf '%s\n' "$key" >"$dir/anna.key"
start_tailgate
start_lighttpd

unset XDG_CONFIG_HOME XDG_STATE_HOME CODEX_HOME CLAUDE_CONFIG_DIR TAILGATE_URL
unset CONTINUE_GLOBAL_DIR
HOME=$dir/home
export HOME
mkdir "$dir/busybox"
busybox --install -s "$dir/busybox"

new_home()
{
	rm -rf "${dir:?}/home"
	mkdir "$dir/home"
	"home_$1"
}

# What people have at home: nothing, and what the editors must find their way
# through.
home_none()
{
	:
}

home_mine()
{
	mkdir -p "$HOME/.codex" "$HOME/.claude" "$HOME/.config/opencode" \
		"$HOME/.qwen" "$HOME/.continue" "$HOME/.config/zed" \
		"$HOME/.cline/data/settings"
	printf '%s' '# mine
model = "gpt-x" # the best
"model_context_window"=1

[model_providers.other]
name = "other # no comment"
base_url = '\''http://127.0.0.1:9/v1'\''

[model_providers.tailgate]
env_key = "NO_SUCH_KEY"

[tui]
notifications = [
  "a", # ]
  """x ] ""]""", { a = "}" } ]' >"$HOME/.codex/config.toml"
	printf '{\r\n\t"env": {"FOO": "1"},\r\n\t"permissions": { "deny": [] }}' \
		>"$HOME/.claude/settings.json"
	cat >"$HOME/.config/opencode/opencode.jsonc" <<-'END'
		{
		    // mine
		    "autoupdate": false, /* never */
		    "provider": { "other": { "name": "other" }, },
		}
	END
	printf '{"ui":{"theme":"GitHub"},"$version":4}' \
		>"$HOME/.qwen/settings.json"
	printf 'OTHER_KEY=1' >"$HOME/.qwen/.env"
	chmod 640 "$HOME/.qwen/.env"
	cat >"$HOME/.continue/config.yaml" <<-'END'
		name: mine
		version: 1.0.0
		schema: v1
		# the end
	END
	printf 'gitignore: false\n# mine\nmodel: gpt-x # old' \
		>"$HOME/.aider.conf.yml"
	printf '{ "agent": { "default_model": { "provider": "a" } } }\n' \
		>"$HOME/.config/zed/settings.json"
	printf '{"providers":{},\n"version":\n2}' \
		>"$HOME/.cline/data/settings/providers.json"
}

# Once more, otherwise: what is there is changed, and lies elsewhere.
home_other()
{
	mkdir -p "$HOME/.codex" "$HOME/.claude" "$HOME/.config/opencode" \
		"$HOME/.qwen" "$HOME/.continue" "$HOME/.config/zed" \
		"$HOME/.cline/data/settings" "$HOME/dotfiles"
	printf '[profiles."a.b"]\r\nmodel = "x"\r\n' >"$HOME/.codex/config.toml"
	printf '\357\273\277{\n  "apiKeyHelper": "x" // old\n, "env": {}\n}\n' \
		>"$HOME/dotfiles/claude.json"
	chmod 600 "$HOME/dotfiles/claude.json"
	ln -s ../dotfiles/claude.json "$HOME/.claude/settings.json"
	echo '{"model":"a/b","provider":{"tailgate":{"name":"x","models":{}}}}' \
		>"$HOME/.config/opencode/opencode.json"
	printf '{\n\t"security": {\n\t\t"auth": {\n\t\t\t%s\n\t\t}\n\t}\n}\n' \
		'"x": [1, {"y": "}"}]' \
		>"$HOME/.qwen/settings.json"
	printf 'export TAILGATE_KEY=old\r\nB=2\r\n' >"$HOME/.qwen/.env"
	printf '%s\n' '---' 'models:' '  - name: a' '    roles: [chat]' \
		'# between' 'rules: []' >"$HOME/.continue/config.yaml"
	printf 'TAILGATE_KEY=x' >"$HOME/.continue/.env"
	printf 'model: |\n  long\n  name\n"weak-model" : x\n' \
		>"$HOME/.aider.conf.yml"
	printf '{"openai/org/chat.1": {"mode": "x"}, "b": {}}' \
		>"$HOME/.aider.model.metadata.json"
	printf '// Zed\n{\n}\n' >"$HOME/.config/zed/settings.json"
	: >"$HOME/.cline/data/settings/providers.json"
}

# Where records of set-ups lie may stay, empty.
without_state()
{
	rmdir "$HOME/.local/state" "$HOME/.local" 2>/dev/null || :
}

# keep NAME: a copy of home, with what a tool's file says of the time left out.
keep()
{
	rm -rf "${dir:?}/kept.$1"
	cp -a "$HOME" "$dir/kept.$1"
	find "$dir/kept.$1" -type f -exec sed -i \
		's/"updatedAt": *"[^"]*"/"updatedAt": "now"/' {} +
	(cd "$HOME" && find . -printf '%p %m %l\n' | sort) >"$dir/modes.$1"
}

# alike NAME A B
alike()
{
	diff -r "$dir/kept.$2" "$dir/kept.$3" >"$dir/differ" 2>&1
	diff "$dir/modes.$2" "$dir/modes.$3" >>"$dir/differ"
	is "$1" "$(cat "$dir/differ")" ""
}

by_setup()
{
	"$TAILGATE" setup "$@" --url "$base" >"$dir/out" 2>&1
}

by_script()
{
	case $shell in
	busybox)
		(cd / && PATH=$dir/busybox "$dir/busybox/sh" \
			"$dir/script" "$@") ;;
	*) (cd / && dash "$dir/script" "$@") ;;
	esac >"$dir/script.out" 2>&1 </dev/null
	status=$?
	[ "$status" = 0 ] || detail "$(cat "$dir/script.out")"
}

try_tool()
{
	new_home "$1"
	keep before
	by_setup "$tool" --key-file "$dir/anna.key"
	keep setup
	for shell in dash busybox; do
		new_home "$1"
		by_script --key-file "$dir/anna.key"
		keep script
		alike "$tool, home $1, $shell: as setup has it" setup script
		unlike "the key is not shown" "$(cat "$dir/script.out")" "$key"
		by_script
		keep script
		alike "and a second time" setup script
		by_script --undo
		is "$tool, home $1, $shell: undone" "$status" 0
		without_state
		keep script
		alike "with nothing left" before script
	done
	by_script --key-file "$dir/anna.key"
	check "setup undoes the script's work" "$TAILGATE" setup "$tool" --undo
	without_state
	keep script
	alike "whole" before script
	by_setup "$tool" --key-file "$dir/anna.key"
	by_script --undo
	without_state
	keep script
	alike "and the script takes setup back" before script
}

for tool in ${TOOLS:-$("$TAILGATE" setup | cut -d ' ' -f 1)}; do
	by_setup "$tool" --script --key-file "$dir/anna.key"
	mv "$dir/out" "$dir/script"
	unlike "$tool: no key is in the script" "$(cat "$dir/script")" "$key"
	try_tool none
	# For a tool without a file, it prints something, and no more.
	grep -q 'shows_only=1$' "$dir/script" && continue
	try_tool mine
	try_tool other
done

# The gateway makes the same, for the models of who asks.
by_setup codex --script --key-file "$dir/anna.key"
request "/v1/tailgate/setup?tool=codex&url=$base"
is "the gateway's script" "$status $(header Content-Type)" \
	'200 text/plain; charset=utf-8'
same "is the command's" "$dir/body" "$dir/out"
escaped=$(printf %s "$base/" | sed 's|/|%2F|g')
request "/v1/tailgate/setup?url=$escaped&tool=codex"
same "of a URL in the form of forms" "$dir/body" "$dir/out"
request "/v1/tailgate/setup?tool=codex&url=$base&model=second"
like "to begin with another model" "$(cat "$dir/body")" "^url=.* model='second'"
request /v1/tailgate/setup
like "it lists the tools" "$status $(cat "$dir/body")" \
	'^200 .*"name": *"codex", *"title": *"Codex", *"tells": *false'
for wrong in tool=codex "tool=codex&url=ftp://x" \
	"tool=codex&url=http://%27x" \
	"tool=codex&url=https://evil.example/v1" \
	"tool=codex&url=http://127.0.0.1.evil.example" \
	"tool=codex&url=$base&model=%27%0a" "tool=codex&url=$base&model="; do
	request "/v1/tailgate/setup?$wrong"
	is "$wrong is refused" "$status" 400
done
request "/v1/tailgate/setup?tool=codex&url=https://evil.example"
like "another host than the one asked: it is said" "$(cat "$dir/body")" \
	'names another host than this request was sent to'
request "/v1/tailgate/setup?tool=codex&url=http://AI.example:8443/x" \
	-H 'Host: ai.example'
is "the host is asked for, not its port, path or letters" "$status" 200
request "/v1/tailgate/setup?tool=codxe&url=$base"
is "as is a tool that it does not know" "$status" 404
key=tg-wrong
request "/v1/tailgate/setup?tool=codex&url=$base"
is "and a key that it does not know" "$status" 401
key=$anna_key

# What setup says: of names, keys and what it cannot know.
said()
{
	new_home none
	"$TAILGATE" setup codex --print "$@" >"$dir/printed" 2>"$dir/said"
	said="$? $(tr '\n' ' ' <"$dir/said")"
}
said --url "$base" --key-file "$dir/anna.key" --model nosuch
like "a name that the gateway does not have" "$said" \
	'^1 .*has no model "nosuch" for this key; it has: org/chat.1, small, second'
said --url "$base" --key-file "$dir/anna.key" --small-model nosuch
like "nor for small tasks" "$said" '^1 .*"nosuch"'
said --url "$base" --key-file "$dir/anna.key" --model any/thing
like "a name after a pattern" "$said" '^0 .*any/thing: its context is not known'
like "is the model" "$(cat "$dir/printed")" '^model = "any/thing"'
said --url "$base" --key-file "$dir/anna.key" --model second
like "a context that is not known" "$said" '^0 .*context = N.*tailgate probe'
said --url "$base" --key-file "$dir/anna.key"
is "nothing is said of one that is" "$said" '0 '
said --url "$base"
like "without a key" "$said" '^0 .*MODEL stands for'
echo tg-wrong >"$dir/wrong.key"
said --url "$base" --key-file "$dir/wrong.key" --model second
like "a wrong key, with a name" "$said" '^1 .*does not know the key .*reload'
said --url http://127.0.0.1:9 --key-file "$dir/anna.key"
like "a gateway that is away" "$said" '^1 .*--model NAME sets it up without'
said --url http://127.0.0.1:9 --key-file "$dir/anna.key" --model second
like "and a name for it" "$said" '^0 .*second is taken as it is named'
said --url "$base" --client builder
like "--client and --print" "$said" '^2 .*writes at once .*client add builder'

# If it is ended while it asks for the key, the terminal shows again what is
# typed.
cat >"$dir/ask.py" <<'END'
import os, pty, signal, subprocess, sys, termios, time
def echo(fd):
    return bool(termios.tcgetattr(fd)[3] & termios.ECHO)
pid, fd = pty.fork()
if pid == 0:  # keeps the terminal, whose settings would go with its session
    signal.signal(signal.SIGINT, lambda *_: None)
    status = subprocess.call(sys.argv[1:])
    os.write(1, f"ended {status}, echo {echo(0)}".encode())
    os._exit(0)
seen, asked, end = b"", False, time.monotonic() + 30
while time.monotonic() < end:
    try:
        piece = os.read(fd, 4096)
    except OSError:
        break
    if not piece:
        break
    seen += piece
    while not asked and b"The key of" in seen and time.monotonic() < end:
        if not echo(fd):
            asked = True
            os.write(fd, b"\x03")
        time.sleep(0.01)
print(f"asked {asked}", seen.decode())
END
if command -v python3 >/dev/null; then
	by_setup codex --script --key-file "$dir/anna.key"
	mv "$dir/out" "$dir/script"
	new_home none
	for shell in dash 'busybox sh'; do
		# shellcheck disable=SC2086 # words
		like "$shell: Ctrl-C at the prompt leaves the echo on" \
			"$(python3 "$dir/ask.py" $shell "$dir/script" 2>&1 |
				tr '\r\n' '  ')" 'asked True.*ended 1, echo True'
	done
fi

# Lines around ours that were changed since stay; ours that were, too.
by_setup codex --script --key-file "$dir/anna.key"
mv "$dir/out" "$dir/script"
for shell in dash busybox; do
	new_home mine
	by_script --key-file "$dir/anna.key"
	cp "$HOME/.codex/config.toml" "$dir/set.toml"
	sed -e 's/^model = .*/model = "mine"/' "$dir/set.toml" \
		>"$HOME/.codex/config.toml"
	by_script --undo 2>/dev/null
	is "$shell: a line of ours that was changed stays" "$status" 1
	like "and the backup's path is printed" \
		"$(cat "$dir/script.out")" 'changed since.*tailgate/setup/codex'
	sed -e '$a\
\
[projects."/x"]\
trust_level = "trusted"' -e '1i\
# first' "$dir/set.toml" >"$HOME/.codex/config.toml"
	cp "$HOME/.codex/config.toml" "$dir/used.toml"
	by_script --undo
	is "$shell: undone, with new lines in the file" "$status" 0
	mv "$HOME/.codex/config.toml" "$dir/by_script.toml"
	new_home mine
	by_setup codex --key-file "$dir/anna.key"
	cp "$dir/used.toml" "$HOME/.codex/config.toml"
	"$TAILGATE" setup codex --undo >/dev/null
	same "as setup undoes it" "$dir/by_script.toml" \
		"$HOME/.codex/config.toml"

	# It names what is in the way, and writes nothing.
	new_home mine
	printf '[model_providers]\ntailgate = { name = "x" }\n' \
		>"$HOME/.codex/config.toml"
	keep before
	by_script --key-file "$dir/anna.key"
	like "$shell: a file that cannot be edited" \
		"$status $(cat "$dir/script.out")" \
		'^1 .*config\.toml: .*in one line; it stays as it is'
	without_state
	keep script
	alike "and nothing is written" before script
	by_script
	like "$shell: no key" "$status $(cat "$dir/script.out")" \
		'^1 .*no key: .*--key-file'
	printf 'tg-$(touch %s)\n' "$dir/touched" >"$dir/bad.key"
	by_script --key-file "$dir/bad.key"
	like "$shell: what is no key" "$status $(cat "$dir/script.out")" \
		'^1 .*not a key'
	check_not "is not run" test -e "$dir/touched"
done
finish

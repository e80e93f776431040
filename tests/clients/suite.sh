# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# What the tests that run an SDK have in common; sourced after lib.sh.
#
# The models they find: stub/SCRIPT (passed through at every endpoint) and
# chat/SCRIPT (only chat completions, so the rest goes through the bridges) at
# the stub; passed and bridged, the same of the scripted model; plain, also
# called gpt-4o-mini; and hidden, which is not theirs.

# shellcheck disable=SC2154 # of lib.sh

clients=${TAILGATE_CLIENTS:-$abs_builddir/clients}

# agents_first: the agents of tests/clients/install come first in PATH, with the
# node that they want: not every npm links that into .bin (9.2 does not).
agents_first()
{
	PATH=$clients/agents/node_modules/.bin:$PATH
	PATH=$clients/node_modules/.bin:$PATH
	for node in "$clients"/node_modules/node-linux-*/bin; do
		[ ! -x "$node/node" ] || PATH=$node:$PATH
	done
}

# need_js PACKAGE: sets $node.
need_js()
{
	[ -d "$clients/node_modules/$1" ] ||
		skip_all "no $1 (tests/clients/install $clients)"
	# The SDKs may want a newer node than the system's; it comes as a package,
	# which not every npm links into .bin (9.2 does not).
	for node in "$clients"/node_modules/node-linux-*/bin/node node; do
		[ ! -x "$node" ] || break
	done
	need "$node"
}

# need_py MODULE: sets $python.
need_py()
{
	python=$clients/venv/bin/python
	"$python" -c "import $1" >/dev/null 2>&1 ||
		skip_all "no $1 (tests/clients/install $clients)"
}

# recipe HEADING [MODEL]: the first block under that heading of doc/clients.md,
# with this test's gateway in it and, instead of "chat", MODEL.
recipe()
{
	awk -v heading="## $1" '
		/^## / { here = $0 == heading }
		/^```/ && here { if (on) exit; on = 1; next }
		on { print }
	' "$abs_srcdir/doc/clients.md" | sed -e "s|https://ai.example|$base|" \
		-e "s|\([\"/]\)chat\"|\1${2:-chat}\"|g" \
		-e "s|=chat\$|=${2:-chat}|"
}

# start_model: the scripted model, at $model_url; its log is $dir/model/log.
start_model()
{
	need python3
	mkdir -p "$dir/model"
	spawn model python3 "$tests/clients/model.py" "$dir/model"
	wait_until -p "$model_pid" test -s "$dir/model/port" ||
		broken "the scripted model did not start"
	model_url=http://127.0.0.1:$(cat "$dir/model/port")/v1
}

# start_all: the upstreams and tailgate.
start_all()
{
	start_upstream stub -n
	start_model
	only='endpoints = [ "chat" ]; circuit = { failures = 0; };'
	more_providers=", { name = \"chat\"; place = \"local\"; $only
		url = \"$stub_url\"; },
	  { name = \"chat-model\"; place = \"local\"; $only
		url = \"$model_url\"; },
	  { name = \"model\"; place = \"local\"; url = \"$model_url\";
		endpoints = [ \"chat\", \"responses\", \"messages\",
		  \"count_tokens\" ]; }"
	more_models=', { id = "chat/*"; targets = (
		{ provider = "chat"; model = "*"; usage = "ask"; } ); },
	  { id = "bridged"; targets = (
		{ provider = "chat-model"; model = "m"; usage = "ask"; } ); },
	  { id = "passed"; targets = (
		{ provider = "model"; model = "m"; } ); },
	  { id = "plain"; aliases = [ "gpt-4o-mini" ]; targets = (
		{ provider = "stub"; model = "plain"; } ); },
	  { id = "hidden"; targets = (
		{ provider = "stub"; model = "x"; } ); }'
	stub_config
	add_client sdk --models 'stub/*,chat/*,bridged,passed,plain'
	start_tailgate
}

# run_suite COMMAND... SERVER: what it says under that web server.
run_suite()
{
	for suite_server in "$@"; do :; done
	BASE_URL=$base/v1 API_KEY=$key STUB=http://127.0.0.1:$stub_port \
		DIR=$dir "$@" >"$dir/sdk.out" 2>&1
	is "$suite_server: the script ran to its end" "$?" 0
	take "$dir/sdk.out" "$suite_server"
	is "$suite_server: all of it" "$(tail -n 1 "$dir/sdk.out")" 'done'
}

# js_suite SCRIPT: with both web servers.
js_suite()
{
	start_all
	# Where the script's imports are looked for.
	mkdir "$dir/js"
	cp "$tests/clients/$1" "$tests/clients/say.mjs" "$dir/js/"
	ln -s "$clients/node_modules" "$dir/js/node_modules"
	each_server run_suite "$node" "$dir/js/$1"
}

# py_suite SCRIPT
py_suite()
{
	start_all
	each_server run_suite "$python" "$tests/clients/$1"
}

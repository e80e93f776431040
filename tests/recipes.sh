# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# The recipes of doc/clients.md for curl and the SDKs work as written; agents.sh
# runs those for the agents.
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/clients/suite.sh"

need_js openai
need_py openai
start_model
mkdir "$dir/js"
ln -s "$clients/node_modules" "$dir/js/node_modules"
new_config <<-END
	providers = ( { name = "model"; place = "local"; url = "$model_url";
	  endpoints = [ "chat" ]; } );
	models = ( { id = "chat"; targets = (
	  { provider = "model"; model = "scripted"; usage = "ask"; } ); } );
END
add_client anna
start_tailgate
TAILGATE_KEY=$key
export TAILGATE_KEY

# works HEADING FILE COMMAND...: the block, as FILE, run by the command, says
# what the model says.
works()
{
	heading=$1
	file=$2
	shift 2
	recipe "$heading" >"$file"
	check "$server: $heading: the page has a recipe" test -s "$file"
	like "$server: $heading" "$("$@" "$file" 2>&1)" 'Hello from the model'
}

suite()
{
	works curl "$dir/curl" sh
	works "OpenAI SDK, Python" "$dir/recipe.py" "$python"
	for name in "OpenAI SDK, JavaScript" "Anthropic SDK, JavaScript" \
		"Vercel AI SDK" LangChain; do
		works "$name" "$dir/js/recipe.mjs" "$node"
	done
}
each_server suite
finish

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# How tools find their models: GET /v1/models as OpenAI's list, as Anthropic's
# list and as Codex's catalogue, and how Codex and Claude Code read them.  Also
# the other requests that Claude Code sends to a gateway.
. "${abs_srcdir:-.}/tests/lib.sh"
. "$tests/clients/suite.sh"
need python3

start_upstream stub
new_config <<-END
	providers = (
	  { name = "stub"; place = "local"; url = "$stub_url";
	    endpoints = [ "chat", "messages", "count_tokens" ]; },
	  { name = "chat"; place = "local"; url = "$stub_url";
	    endpoints = [ "chat" ]; },
	  { name = "voice"; place = "local"; url = "$stub_url";
	    endpoints = [ "speech", "embeddings" ]; },
	  { name = "far"; place = "external"; url = "$stub_url"; } );
	models = (
	  { id = "claude-local"; aliases = [ "coder" ]; targets = (
	    { provider = "chat"; model = "plain"; context = 32768;
	      max_output = 4096; tools = true; images = true;
	      json_schema = true; usage = "ask";
	      price = { input = 0.28; cached = 0.028; output = 12.5; }; } ); },
	  { id = "both"; place = "external"; targets = (
	    { provider = "chat"; model = "plain"; context = 100; tools = false; },
	    { provider = "far"; model = "plain"; context = 900; tools = true;
	      images = false; } ); fallback = [ "too_long" ]; },
	  { id = "bare"; targets = ( { provider = "stub"; model = "plain"; } ); },
	  { id = "voice"; targets = (
	    { provider = "voice"; model = "plain";
	      price = { input = 0.02; output = 0.5; }; } ); },
	  { id = "more/*"; targets = ( { provider = "stub"; model = "*"; } ); }
	);
END
add_client anna
add_client boss --place external
start_tailgate

# entry ID [MEMBERS...]: those of one model of the last list, one on a line.
entry()
{
	python3 - "$dir/body" "$@" <<-'END'
	import json, sys
	body = json.load(open(sys.argv[1]))
	rows = body["models"] if "models" in body else body["data"]
	row = [r for r in rows if sys.argv[2] in (r.get("id"), r.get("slug"))][0]
	for path in sys.argv[3:]:
	    value = row
	    for name in path.split("."):
	        value = value.get(name)
	    print(json.dumps(value, separators=(",", ":")))
	END
}

# names MEMBER: of all models, in one line.
names()
{
	grep -o "\"$1\":\"[^\"]*\"" "$dir/body" | cut -d'"' -f4 | tr '\n' ' '
}

openai()
{
	key=$anna_key
	request /v1/models
	is "$1: OpenAI's list has all names, and no pattern" "$(names id)" \
		'claude-local coder both bare voice '
	is "$1: what a model can" "$(entry coder context_length \
		max_output_tokens tools architecture.input_modalities \
		supported_parameters place ready)" '32768
4096
true
["text","image"]
["tools","tool_choice","response_format","structured_outputs"]
"local"
true'
	is "$1: its price, in USD for each token" "$(entry coder \
		pricing.prompt pricing.completion pricing.input_cache_read)" \
		'"0.000000280000000"
"0.000012500000000"
"0.000000028000000"'
	is "$1: what is not known is not said" \
		"$(entry bare context_length tools pricing)" 'null
null
null'
	is "$1: no price of the cache that was not given" \
		"$(entry voice pricing)" \
		'{"prompt":"0.000000020000000","completion":"0.000000500000000"}'
	is "$1: what does not talk" \
		"$(entry voice architecture.output_modalities)" \
		'["audio","embeddings"]'
	is "$1: as far as its client goes" \
		"$(entry both context_length tools)" '100
false'
	key=$boss_key
	request /v1/models
	is "$1: another goes farther" "$(entry both context_length tools place \
		architecture.input_modalities)" '900
true
"external"
["text"]'
}

anthropic()
{
	key=$anna_key
	request '/v1/models?limit=1000' -H 'anthropic-version: 2023-06-01'
	is "$1: Anthropic's list has what talks" "$(names id)" \
		'claude-local coder both bare '
	is "$1: in its shape" "$(entry coder type display_name created_at \
		max_input_tokens max_tokens object)" '"model"
"coder"
"1970-01-01T00:00:00Z"
32768
4096
null'
	like "$1: in one page" "$(body)" \
		'"has_more":false,"first_id":"claude-local","last_id":"bare"}$'
	request /v1/models/coder -H 'anthropic-version: 2023-06-01'
	like "$1: one" "$(body)" '^{"type":"model","id":"coder"'
}

codex_list()
{
	key=$anna_key
	request '/v1/models?client_version=0.169.0'
	is "$1: Codex's catalogue has what talks" "$(names slug)" \
		'claude-local coder both bare '
	is "$1: in its shape" "$(entry coder visibility context_window \
		input_modalities)" '"list"
32768
["text","image"]'
}

# What the real tools read.
agents_first
HOME=$dir/home
IS_SANDBOX=1
export HOME IS_SANDBOX
mkdir -p "$HOME/.codex" "$dir/task"

codex_reads()
{
	cat >"$HOME/.codex/config.toml" <<-END
		model = "$2"
		model_provider = "tailgate"
		[model_providers.tailgate]
		name = "tailgate"
		base_url = "$base/v1"
		model_catalog_url = "$base/v1/models"
		wire_api = "responses"
		env_key = "TAILGATE_KEY"
	END
	rm -f "$HOME/.codex/models_cache.json"
	(cd "$dir/task" && TAILGATE_KEY=$key timeout 300 codex exec \
		--skip-git-repo-check "say hello" </dev/null \
		>"$dir/codex.out" 2>"$dir/codex.err")
}

codex_takes_it()
{
	key=$anna_key
	codex_reads "$1" coder
	unlike "$1: Codex knows a model of the catalogue" \
		"$(cat "$dir/codex.err")" 'metadata for'
	check "$1: and has asked for it" grep -q '"slug":"coder"\|"slug": "coder"' \
		"$HOME/.codex/models_cache.json"
	codex_reads "$1" more/x
	like "$1: it says so of one that is not there" \
		"$(cat "$dir/codex.err")" 'metadata for .?more/x'
}

claude_takes_it()
{
	key=$anna_key
	rm -rf "${dir:?}/home/.claude"
	(cd "$dir/task" && ANTHROPIC_BASE_URL=$base ANTHROPIC_AUTH_TOKEN=$key \
		CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY=1 \
		ANTHROPIC_MODEL=coder timeout 300 claude -p "say hello" \
		--debug-file "$dir/claude.debug" </dev/null \
		>"$dir/claude.out" 2>&1)
	check "$1: Claude Code finds the models that it shows" \
		found claude-local
}

found()
{
	grep -rqs "\"$1\"" "$HOME/.claude/cache" "$HOME/.claude.json" ||
		{ grep -i discovery "$dir/claude.debug"; return 1; }
}

last()
{
	find "$stub_dir" -name '*.head' | sed 's/.*\/\([0-9]*\).head/\1/' |
		sort -n | tail -n 1
}

# Claude Code's contract for gateways, a row each: what goes up as it came, and
# what comes back.
contract()
{
	key=
	for row in 'anthropic-version: 2023-06-01' \
		'anthropic-beta: context-1m-2025-08-07,x-2'; do
		for path in /v1/messages '/v1/messages?beta=true' \
			/v1/messages/count_tokens; do
			request "$path" -H "$row" -H "x-api-key: $anna_key" \
				-H 'Content-Type: application/json' \
				--data-binary '{"model":"bare","max_tokens":9,
				"system":[{"type":"text","text":"s",
				"cache_control":{"type":"ephemeral"}}],
				"messages":[{"role":"user","content":"hi"}]}'
			is "$1: POST $path" "$status" 200
			like "$1: $row goes up" "$(tr -d '\r' \
				<"$stub_dir/$(last).head" |
				tr '[:upper:]' '[:lower:]')" "^$row\$"
			unlike "$1: the key does not" \
				"$(cat "$stub_dir/$(last).head")" "$anna_key"
			like "$1: marks of the cache go up" \
				"$(cat "$stub_dir/$(last).body")" \
				'"cache_control":\{"type":"ephemeral"\}'
		done
	done
	key=$anna_key
	post /v1/messages/count_tokens '{"model":"coder",
		"messages":[{"role":"user","content":"hi"}]}'
	like "$1: tokens are counted without an upstream that counts" \
		"$status $(body)" '^200 {"input_tokens": ?[1-9]'
	post /v1/messages '{"model":"nothing","max_tokens":9,"messages":[]}'
	like "$1: errors are Anthropic's" "$status $(body)" \
		'^404 {"type":"error","error":{"type":"not_found_error"'
	request / -I
	is "$1: HEAD / says that it is there" "$status" 200
}

suite()
{
	contract "$1"
	openai "$1"
	anthropic "$1"
	codex_list "$1"
	! command -v codex >/dev/null || codex_takes_it "$1"
	! command -v claude >/dev/null || claude_takes_it "$1"
}
each_server suite
finish

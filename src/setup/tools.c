/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The tools: where each keeps its user's settings, and what the settings must
 * be.  setup.h has the language of the templates.
 *
 * Formats as the tools read them: Codex 0.169.0 (config.toml), Claude Code
 * 2.1.330 (settings.json), opencode 1.18.33 (opencode.json), Qwen Code 0.24.4
 * (settings.json), aider 0.86.2 (.aider.conf.yml), Continue 1.5.47
 * (config.yaml), Cline 3.0.65 (providers.json); Zed by its manual.
 */
#include "config.h"

#include <string.h>

#include "setup/setup.h"

static const char opencode_provider[] =
    "{\"npm\":\"@ai-sdk/openai-compatible\",\"name\":\"tailgate\","
    "\"options\":{\"baseURL\":\"<v1>\",\"apiKey\":\"{file:<keyfile>}\"},"
    "\"models\":{<[>\"<id>\":{\"name\":\"<id>\""
    "<?images>,\"attachment\":true,"
    "\"modalities\":{\"input\":[\"text\",\"image\"],\"output\":[\"text\"]}<.>"
    "<?context>,\"limit\":{\"context\":<context>,\"output\":<output>}<.>"
    "}<]>}}";

static const char qwen_models[] =
    "[<[>{\"id\":\"<id>\",\"name\":\"<id>\",\"baseUrl\":\"<v1>\","
    "\"envKey\":\"TAILGATE_KEY\""
    "<?context>,\"generationConfig\":{\"contextWindowSize\":<context>}<.>"
    "}<]>]";

static const char aider_facts[] =
    "{\"max_tokens\":<output>,\"max_input_tokens\":<context>,"
    "\"max_output_tokens\":<output>,\"litellm_provider\":\"openai\","
    "\"mode\":\"chat\"}";

static const char continue_models[] =
    "<{>- name: \"<id>\"\n"
    "  provider: openai\n"
    "  model: \"<id>\"\n"
    "  apiBase: \"<v1>\"\n"
    "  apiKey: \"${{ secrets.TAILGATE_KEY }}\"\n"
    "  roles: [chat, edit, apply]\n"
    "  capabilities: [<?tools>tool_use, <.><?images>image_input<.>]\n"
    "<?context>  defaultCompletionOptions:\n"
    "    contextLength: <context>\n<.><}>";

static const char cline_provider[] =
    "{\"settings\":{\"provider\":\"openai-compatible\","
    "\"apiKey\":\"<key>\",\"model\":\"<model>\",\"baseUrl\":\"<v1>\"},"
    "\"updatedAt\":\"<now>\",\"tokenSource\":\"manual\"}";

static const char zed_provider[] =
    "{\"api_url\":\"<v1>\",\"available_models\":[<[>{\"name\":\"<id>\","
    "\"display_name\":\"<id>\",\"max_tokens\":"
    "<window>,"
    "\"capabilities\":{\"tools\":<tools>,\"images\":<images>}}<]>]}";

static const char env_sh[] =
    "# Written by `tailgate setup env`.\n"
    "TAILGATE_KEY=$(cat '<keyfile>')\n"
    "OPENAI_API_KEY=$TAILGATE_KEY\n"
    "OPENAI_BASE_URL='<v1>'\n"
    "OPENAI_API_BASE='<v1>'\n"
    "ANTHROPIC_API_KEY=$TAILGATE_KEY\n"
    "ANTHROPIC_BASE_URL='<url>'\n"
    "export TAILGATE_KEY OPENAI_API_KEY OPENAI_BASE_URL OPENAI_API_BASE\n"
    "export ANTHROPIC_API_KEY ANTHROPIC_BASE_URL\n";

static const char env_fish[] = "# Written by `tailgate setup env`.\n"
			       "set -gx TAILGATE_KEY (cat '<keyfile>')\n"
			       "set -gx OPENAI_API_KEY $TAILGATE_KEY\n"
			       "set -gx OPENAI_BASE_URL '<v1>'\n"
			       "set -gx OPENAI_API_BASE '<v1>'\n"
			       "set -gx ANTHROPIC_API_KEY $TAILGATE_KEY\n"
			       "set -gx ANTHROPIC_BASE_URL '<url>'\n";

static const char env_ps1[] = "# Written by `tailgate setup env`.\n"
			      "$env:TAILGATE_KEY = (Get-Content '<keyfile>')\n"
			      "$env:OPENAI_API_KEY = $env:TAILGATE_KEY\n"
			      "$env:OPENAI_BASE_URL = '<v1>'\n"
			      "$env:OPENAI_API_BASE = '<v1>'\n"
			      "$env:ANTHROPIC_API_KEY = $env:TAILGATE_KEY\n"
			      "$env:ANTHROPIC_BASE_URL = '<url>'\n";

#define PROVIDER "model_providers|tailgate|"

const struct setup_tool setup_tools[] = {
	{ .name = "aider",
	    .title = "aider",
	    .run = "aider",
	    .files = { { .path = "~/.aider.conf.yml",
			   .secret = true,
			   .edits = {
			       { edit_yaml, "model", "\"openai/<model>\"", 0 },
			       { edit_yaml, "weak-model", "\"openai/<small>\"",
				   0 },
			       { edit_yaml, "openai-api-base", "\"<v1>\"", 0 },
			       { edit_yaml, "openai-api-key", "\"<key>\"", 0 },
			   } },
		{ .path = "~/.aider.model.metadata.json",
		    .edits = {
			{ edit_json, "openai/<model>", aider_facts, 0 },
		    } } } },
	{ .name = "claude-code",
	    .title = "Claude Code",
	    .run = "claude",
	    .files = { { .path = "${CLAUDE_CONFIG_DIR:-~/.claude}/"
				 "settings.json",
		.edits = {
		    { edit_json, "apiKeyHelper", "\"cat '<keyfile>'\"", 0 },
		    { edit_json, "env|ANTHROPIC_BASE_URL", "\"<url>\"", 0 },
		    { edit_json, "env|ANTHROPIC_MODEL", "\"<model>\"", 0 },
		    { edit_json, "env|ANTHROPIC_DEFAULT_OPUS_MODEL",
			"\"<model>\"", 0 },
		    { edit_json, "env|ANTHROPIC_DEFAULT_SONNET_MODEL",
			"\"<model>\"", 0 },
		    { edit_json, "env|ANTHROPIC_DEFAULT_HAIKU_MODEL",
			"\"<small>\"", 0 },
		    { edit_json, "env|ANTHROPIC_SMALL_FAST_MODEL",
			"\"<small>\"", 0 },
		    { edit_json, "env|CLAUDE_CODE_MAX_CONTEXT_TOKENS",
			"\"<context>\"", 0 },
		    { edit_json, "env|CLAUDE_CODE_ATTRIBUTION_HEADER", "\"0\"",
			0 },
		    { edit_json,
			"env|CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
			"\"1\"", 0 },
		    { edit_json,
			"env|CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY",
			"\"1\"", 0 },
		} } } },
	{ .name = "cline",
	    .title = "Cline",
	    .run = "cline",
	    .files = { { .path = "~/.cline/data/settings/providers.json",
		.secret = true,
		.edits = {
		    { edit_json, "version", "1", true },
		    { edit_json, "modes", "{}", true },
		    { edit_json, "lastUsedProvider", "\"openai-compatible\"",
			0 },
		    { edit_json, "providers|openai-compatible", cline_provider,
			0 },
		} } } },
	{ .name = "codex",
	    .title = "Codex",
	    .run = "codex",
	    .files = { { .path = "${CODEX_HOME:-~/.codex}/config.toml",
		.secret = true,
		.edits = {
		    { edit_toml, "model", "\"<model>\"", 0 },
		    { edit_toml, "model_provider", "\"tailgate\"", 0 },
		    { edit_toml, "model_context_window", "<context>", 0 },
		    /* A provider named OpenAI would compact remotely. */
		    { edit_toml, PROVIDER "name", "\"tailgate\"", 0 },
		    { edit_toml, PROVIDER "base_url", "\"<v1>\"", 0 },
		    { edit_toml, PROVIDER "wire_api", "\"responses\"", 0 },
		    /* Users who set it up by hand have the key in the
		     * environment. */
		    { edit_toml, PROVIDER "env_key", NULL, 0 },
		    /* With a command for the key (auth) Codex would take its
		     * instructions from the gateway's catalogue. */
		    { edit_toml, PROVIDER "experimental_bearer_token",
			"\"<key>\"", 0 },
		} } } },
	{ .name = "continue",
	    .title = "Continue",
	    .run = "cn",
	    .files = { { .path = "${CONTINUE_GLOBAL_DIR:-~/.continue}/"
				 "config.yaml",
			   .edits = {
			       { edit_yaml, "name", "tailgate", true },
			       { edit_yaml, "version", "0.0.1", true },
			       { edit_yaml, "schema", "v1", true },
			       { edit_yaml_list, "models", continue_models, 0 },
			   } },
		{ .path = "${CONTINUE_GLOBAL_DIR:-~/.continue}/.env",
		    .secret = true,
		    .edits = { { edit_env, "TAILGATE_KEY", "<key>", 0 } } } } },
	{ .name = "curl",
	    .title = "curl",
	    .show = "curl <v1>/chat/completions \\\n"
		    "  -H \"Authorization: Bearer $TAILGATE_KEY\" \\\n"
		    "  -H 'Content-Type: application/json' \\\n"
		    "  -d '{ \"model\": \"<model>\", \"messages\": "
		    "[ { \"role\": \"user\", \"content\": \"hello\" } ] }'\n" },
	{ .name = "cursor",
	    .title = "Cursor",
	    .show =
		"Settings, Models, API Keys:\n"
		"  OpenAI API Key            the client's key\n"
		"  Override OpenAI Base URL  <v1>\n"
		"then add a custom model:    <model>\n"
		"Cursor sends these requests from its own servers: the gateway "
		"must be reachable\nfrom the internet over https, and what you "
		"ask passes through Cursor.\n" },
	{ .name = "env",
	    .title = "OPENAI_* and ANTHROPIC_* in the environment",
	    .note = "In ~/.profile:              "
		    ". \"${XDG_CONFIG_HOME:-$HOME/.config}/tailgate/env.sh\"\n"
		    "in ~/.config/fish/config.fish: "
		    "source ~/.config/tailgate/env.fish\n"
		    "in PowerShell's $PROFILE:      "
		    ". ~/.config/tailgate/env.ps1\n",
	    .files = { { .path =
			     "${XDG_CONFIG_HOME:-~/.config}/tailgate/env.sh",
			   .whole = env_sh },
		{ .path = "${XDG_CONFIG_HOME:-~/.config}/tailgate/env.fish",
		    .whole = env_fish },
		{ .path = "${XDG_CONFIG_HOME:-~/.config}/tailgate/env.ps1",
		    .whole = env_ps1 } } },
	{ .name = "js",
	    .title = "OpenAI SDK, JavaScript",
	    .show = "import OpenAI from 'openai';\n\n"
		    "const client = new OpenAI({ baseURL: '<v1>',\n"
		    "\tapiKey: process.env.TAILGATE_KEY });\n"
		    "const response = await client.chat.completions.create({\n"
		    "\tmodel: '<model>', messages: "
		    "[{ role: 'user', content: 'hello' }] });\n"
		    "console.log(response.choices[0].message.content);\n" },
	{ .name = "librechat",
	    .title = "LibreChat",
	    .show = "In librechat.yaml, beside docker-compose.yml:\n\n"
		    "endpoints:\n"
		    "  custom:\n"
		    "    - name: tailgate\n"
		    "      apiKey: \"${TAILGATE_KEY}\"\n"
		    "      baseURL: \"<v1>\"\n"
		    "      models:\n"
		    "        default: [<[>\"<id>\"<]>]\n"
		    "        fetch: true\n"
		    "      titleConvo: true\n"
		    "      titleModel: \"<small>\"\n\n"
		    "In .env there: TAILGATE_KEY=the client's key\n" },
	{ .name = "open-webui",
	    .title = "Open WebUI",
	    .show = "Admin Settings, Connections, OpenAI API:\n"
		    "  URL  <v1>\n"
		    "  Key  the client's key\n"
		    "or in the environment of the server:\n"
		    "  OPENAI_API_BASE_URL=<v1>\n"
		    "  OPENAI_API_KEY=the client's key\n" },
	{ .name = "opencode",
	    .title = "opencode",
	    .run = "opencode",
	    .files = { { .path =
			     "${XDG_CONFIG_HOME:-~/.config}/opencode/"
			     "opencode.json"
			     "|${XDG_CONFIG_HOME:-~/.config}/opencode/"
			     "opencode.jsonc",
		.edits = {
		    { edit_json, "$schema",
			"\"https://opencode.ai/config.json\"", true },
		    { edit_json, "model", "\"tailgate/<model>\"", 0 },
		    { edit_json, "small_model", "\"tailgate/<small>\"", 0 },
		    { edit_json, "provider|tailgate", opencode_provider, 0 },
		} } } },
	{ .name = "python",
	    .title = "OpenAI SDK, Python",
	    .show = "import os\n"
		    "from openai import OpenAI\n\n"
		    "client = OpenAI(base_url=\"<v1>\",\n"
		    "                api_key=os.environ[\"TAILGATE_KEY\"])\n"
		    "response = client.chat.completions.create(\n"
		    "    model=\"<model>\", messages="
		    "[{\"role\": \"user\", \"content\": \"hello\"}])\n"
		    "print(response.choices[0].message.content)\n" },
	{ .name = "qwen-code",
	    .title = "Qwen Code",
	    .run = "qwen",
	    .files = { { .path = "~/.qwen/settings.json",
			   .edits = {
			       { edit_json, "modelProviders|tailgate",
				   qwen_models, 0 },
			       { edit_json, "providerProtocol|tailgate",
				   "\"openai\"", 0 },
			       { edit_json, "security|auth|selectedType",
				   "\"openai\"", 0 },
			       { edit_json, "security|auth|baseUrl",
				   "\"<v1>\"", 0 },
			       { edit_json, "model|name", "\"<model>\"", 0 },
			   } },
		{ .path = "~/.qwen/.env",
		    .secret = true,
		    .edits = { { edit_env, "TAILGATE_KEY", "<key>", 0 } } } } },
	{ .name = "zed",
	    .title = "Zed",
	    .run = "zed",
	    .note = "Zed keeps keys in the system's keychain: in Agent "
		    "Settings, enter the key from\n<keyfile> at the provider "
		    "tailgate, or start Zed with it as TAILGATE_API_KEY.\n",
	    .files = { { .path =
			     "${XDG_CONFIG_HOME:-~/.config}/zed/settings.json",
		.edits = {
		    { edit_json,
			"language_models|openai_compatible|tailgate",
			zed_provider, 0 },
		    { edit_json, "agent|default_model",
			"{\"provider\":\"tailgate\",\"model\":\"<model>\"}",
			0 },
		} } } },
	{ .name = NULL },
};

const struct setup_tool *
setup_tool_find(const char *name)
{
	for (const struct setup_tool *t = setup_tools; t->name != NULL; t++)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

static bool
names_context(const char *template)
{
	return template != NULL &&
	    (strstr(template, "<context>") != NULL ||
		strstr(template, "<window>") != NULL);
}

bool
setup_tool_wants_context(const struct setup_tool *tool)
{
	for (size_t i = 0; i < SETUP_FILES_MAX; i++) {
		const struct setup_file *file = &tool->files[i];

		if (names_context(file->whole))
			return true;
		for (size_t j = 0; j < SETUP_EDITS_MAX; j++)
			if (names_context(file->edits[j].value))
				return true;
	}
	return false;
}

const char *
setup_tool_name(const void *ctx, size_t i)
{
	(void)ctx;
	return i < sizeof(setup_tools) / sizeof(setup_tools[0])
	    ? setup_tools[i].name
	    : NULL;
}

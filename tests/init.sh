# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# `tailgate init` finds the model servers of this host at their usual ports, and
# writes what they report about their models: context, images, tools.  In a
# network of its own, in which those ports are free.
if [ "${1:-}" != inside ]; then
	. "${abs_srcdir:-.}/tests/lib.sh"
	need unshare ip python3 jq
	how=-n
	[ "$(id -u)" = 0 ] || how=-rn
	unshare "$how" true 2>/dev/null ||
		skip_all 'no network namespaces here'
	rmdir "$dir"
	exec unshare "$how" "${SH:-/bin/sh}" "$0" inside
fi
. "${abs_srcdir:-.}/tests/lib.sh"
ip link set lo up

# servers.py PORT=KIND...: prints "ready", then serves.
cat >"$dir/servers.py" <<'END'
import http.server, json, sys, threading, time

def models(*rows, owner="x"):
    return {"object": "list", "data": [
        dict({"id": r[0], "object": "model", "owned_by": owner}, **r[1]) for r in rows]}

KINDS = {
    "llama": {
        "/v1/models": models(("qwen3.gguf", {"meta": {"n_ctx_train": 262144}}), owner="llamacpp"),
        "/v1/chat/completions/input_tokens": {"input_tokens": 9},
        "/props": {"default_generation_settings": {"n_ctx": 16384},
                   "modalities": {"vision": True, "audio": False},
                   "chat_template_caps": {"supports_tools": True, "supports_tool_calls": True}}},
    "ollama": {
        "/v1/models": models(("llava:7b", {}), ("qwen3:8b", {}), ("plain:1b", {})),
        "/api/tags": {"models": [{"name": "llava:7b"}, {"name": "qwen3:8b"}, {"name": "plain:1b"}]},
        "/api/ps": {"models": [{"name": "llava:7b", "context_length": 4096}]},
        "/api/show": {
            "llava:7b": {"capabilities": ["completion", "vision"], "model_info": {"llama.context_length": 32768}},
            "qwen3:8b": {"capabilities": ["completion", "tools"], "parameters": "top_k 20\nnum_ctx 8192",
                         "model_info": {"qwen3.context_length": 40960}},
            "plain:1b": {"capabilities": ["completion"]}}},
    "vllm": {"/v1/models": models(("org/big", {"max_model_len": 131072}), owner="vllm"),
             "/tokenize": {"count": 9, "max_model_len": 131072, "tokens": [1]}},
    "studio": {"/v1/models": models(("one", {"loaded_context_length": 12288}), ("two", {}))},
    "words": {"/v1/models": models(("old.gguf", {}), owner="llamacpp"), "/tokenize": {"tokens": []}},
    # Servers that are no model servers, or can't be believed.
    "web": {},
    "lies": {"/v1/models": models(("a\"b", {"max_model_len": 2 ** 62}), ("c d", {}), ("*", {}),
                                  ("ok", {"max_model_len": -5, "meta": {"n_ctx": "8"}}), owner="vllm")},
    "odd": {"/v1/models": {"data": {"id": 7}}, "/api/tags": []},
    "silent": None,
}

def handler(kind):
    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            n = int(self.headers.get("content-length", 0))
            asked = json.loads(self.rfile.read(n)) if n else {}
            if KINDS[kind] is None:
                time.sleep(30)
            found = KINDS[kind].get(self.path)
            if self.path == "/api/show" and found:
                found = found.get(asked.get("model"))
            self.send_response(200 if found is not None else 404)
            self.end_headers()
            self.wfile.write(json.dumps(found if found is not None else {}).encode())
        do_GET = do_POST = answer
        def log_message(self, *args):
            pass
    return Handler

for word in sys.argv[1:]:
    port, kind = word.split("=")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), handler(kind))
    threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
END

# init PORT=KIND...: what is found there, in $out as `check --json` says it.
init()
{
	rm -rf "$dir/made" "$dir/servers.log"
	if [ $# -gt 0 ]; then
		spawn servers python3 "$dir/servers.py" "$@"
		wait_until -p "$servers_pid" file_has "$dir/servers.log" ready ||
			broken 'no servers'
	fi
	"$TAILGATE" init "$dir/made" >"$dir/init.out" 2>&1 ||
		detail "$(cat "$dir/init.out")"
	[ $# -eq 0 ] || stop "$servers_pid"
	"$TAILGATE" -f "$dir/made/tailgate.conf" check >"$dir/check.out" 2>&1
	code=$?
	[ $code -eq 0 ] || detail "$(cat "$dir/check.out")"
	conf=$(cat "$dir/made/tailgate.conf")
}

# target MODEL: its line of the configuration.
target()
{
	printf '%s\n' "$conf" | grep -F "model = \"$1\";"
}

init 8080=llama 11434=ollama 8000=vllm 1234=studio
is 'what it writes is right' "$code" 0
like 'llama.cpp: the context of a slot, and what it can do' \
	"$(target qwen3.gguf)" \
	'"llama-cpp"; .* context = 16384; images = true; audio = false; tools = true; usage = "ask";'
like 'Ollama: the context with which a model runs' "$(target llava:7b)" \
	'"ollama"; .* context = 4096; images = true; tools = false;'
like 'Ollama: the context of its modelfile' "$(target qwen3:8b)" \
	' context = 8192; images = false; tools = true;'
unlike 'Ollama: never the one that a model was trained for' \
	"$(target plain:1b)" 'context'
like 'vLLM: the context of its list' "$(target org/big)" \
	'"vllm"; .* context = 131072; usage'
like 'LM Studio: the context of a loaded model' "$(target one)" \
	'"lm-studio"; .* context = 12288; usage'
unlike 'and of another nothing' "$(target two)" 'context'
is 'how a server of one model counts tokens' \
	"$(printf '%s\n' "$conf" | grep -o 'url = .*counts = [^;]*')" \
	'url = "http://127.0.0.1:8080/v1"; counts = "input_tokens"
url = "http://127.0.0.1:8000/v1"; counts = "tokenize"'
is 'each with its limit' \
	"$(printf '%s\n' "$conf" | grep -c ' slots = ')" 4

# llama.cpp's own /tokenize takes a text, and has no count.
init 8080=words
like 'a server of one model is found' "$(target old.gguf)" '"llama-cpp"; '
unlike 'one that has no count is not asked for it' "$conf" 'counts'

init 8080=web 11434=odd 8000=lies 1234=silent
is 'of odd servers: what it writes is right' "$code" 0
like 'a name that can be one stays' "$(target ok)" '"vllm"; '
unlike 'with nothing that can not be' "$conf" 'context'
like 'one with a quote is quoted' "$(target 'a\"b')" '"vllm"; '
is 'and no other' "$(printf '%s\n' "$conf" | grep -c 'targets')" 2

init
is 'without servers: what it writes is right' "$code" 0
like 'the echo is there' "$conf" 'kind = "echo"'

"$TAILGATE" init "$dir/made" >"$dir/init.out" 2>&1
is 'a configuration that is there: exit status' $? 1
like 'and the way to write over it' "$(cat "$dir/init.out")" \
	'stays as it is; --force writes over it'
is 'nothing is changed' "$(cat "$dir/made/tailgate.conf")" "$conf"
"$TAILGATE" init --force "$dir/made" >"$dir/init.out" 2>&1
is '--force does' $? 0

finish

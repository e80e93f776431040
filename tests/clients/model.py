# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A scripted model for agents and SDKs, as chat completions, Responses and
# Messages, whole and streamed.  Asked anew it calls the tool it knows (an
# agent's shell, to write a proof; an application's `weather`), told what the
# tool said it repeats it, asked for a JSON schema it fills it.  As the model
# mcp (only by chat) it calls the tool `prove` of an MCP server, having searched
# for it if the client has it do so; as signed (only by chat) it signs what it
# thinks, calls and says, and goes on only if it has its signatures again; as
# slow-N it takes N seconds before it calls a tool.
# usage: model.py DIR; the port goes to DIR/port, one line for each request to
# DIR/log, and its body, where there is a directory DIR/bodies, into a file there
# whose name is its number.
import http.server
import itertools
import json
import os
import re
import sys
import time

COMMAND = "echo bridged-$((40+2)) >proof.txt && cat proof.txt"
TOOLS = ("exec_command", "shell_command", "shell", "Bash", "bash",
         "run_shell_command", "run_terminal_command", "weather")
SEARCHES = {"ToolSearch": {"query": "select:mcp__proof__prove",
                           "max_results": 5},
            "tool_search": {"query": "proves that it was called"}}
RESULTS = ('"role": "tool"', "function_call_output", "tool_result")


def filled(schema):
    """A value of a JSON schema, and always the same one."""
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: filled(properties[name]) for name in properties}
    if kind == "array":
        return [filled(schema["items"])]
    return {"integer": 1815, "number": 1.5, "boolean": True}.get(kind, "Ada")


def arguments(schema):
    """Of the tool, whichever of the agents' it is."""
    out = {name: "x" for name in schema.get("required", [])}
    for name, kind in schema.get("properties", {}).items():
        if name in ("cmd", "command"):
            words = kind.get("type") == "array"
            out[name] = ["sh", "-c", COMMAND] if words else COMMAND
        if name == "timeout":
            out[name] = 10000
    return json.dumps(out)


def turn(told, tools, schema):
    """What it says: a text, or a tool's name and arguments.  told is what
    the last tool said, tools are names and schemas."""
    name = next((name for name in TOOLS if name in tools), None)
    if told is not None:
        return told if isinstance(told, str) else json.dumps(told), None
    if name is not None:
        return None, (name, arguments(tools[name]))
    if schema is not None:
        return json.dumps(filled(schema)), None
    return "Hello from the model", None


def mcp_turn(said, tools):
    """The same with an MCP server, whose tool it calls.  said are all that
    tools have said."""
    name = next((name for name in tools if name.endswith("prove")), None)
    proof = next((text for text in said if "mcp-proved" in text), None)
    if proof is not None:
        return "It said " + proof, None
    if name is not None and not any("failed" in text for text in said):
        return None, (name, json.dumps({"word": "x"}))
    for search in SEARCHES:
        if search in tools and not said:
            return None, (search, json.dumps(SEARCHES[search]))
    return "There is no such tool: " + " ".join([*tools, *said]), None


ids = itertools.count(1)


def fresh(kind):
    """Claude Code takes two messages of the same id for one."""
    return "%s_%d" % (kind, next(ids))


def pieces(text, size):
    return [text[at:at + size] for at in range(0, len(text), size)]


# Chat completions

def listing(text):
    """aider has no tools: a file is what is in such a block."""
    return "I write it.\n\nproof.txt\n```\n%s\n```\n" % text


def aider_turn(messages):
    """What aider's test has said is what the file has to be."""
    found = re.search(r"want (bridged-\d+)", json.dumps(messages[-1]))
    return listing(found[1] if found else "draft"), None


def chat_turn(body):
    last = body["messages"][-1]
    form = body.get("response_format", {}).get("json_schema", {})
    told = last["content"] if last["role"] == "tool" else None
    tools = {t["function"]["name"]: t["function"].get("parameters", {})
             for t in body.get("tools", [])}
    if body["model"] == "mcp":
        return mcp_turn([json.dumps(m["content"]) for m in body["messages"]
                         if m["role"] == "tool"], tools)
    if "*file listing*" in json.dumps(body["messages"][0]):
        return aider_turn(body["messages"])
    return turn(told, tools, form.get("schema"))


CHAT_USAGE = {"prompt_tokens": 100, "completion_tokens": 20,
              "total_tokens": 120}


def chat(body):
    text, call = chat_turn(body)
    message = {"role": "assistant", "content": text}
    if call:
        message["tool_calls"] = [{
            "id": fresh("call"), "type": "function",
            "function": {"name": call[0], "arguments": call[1]}}]
    return {"id": "c", "object": "chat.completion", "created": 1,
            "model": "scripted", "choices": [
                {"index": 0, "message": message,
                 "finish_reason": "tool_calls" if call else "stop"}],
            "usage": CHAT_USAGE}


def chunk(delta, finish=None):
    return {"id": "c", "object": "chat.completion.chunk", "created": 1,
            "model": "scripted", "choices": [
                {"index": 0, "delta": delta, "finish_reason": finish}]}


DETAIL = {"type": "reasoning.text", "format": "f", "index": 0}
DETAILS = [dict(DETAIL, text="I run it.", signature="S1")]
SIGNED_CALL = {"own": {"thought_signature": "S2"}}


def has_signatures(body):
    """Of the turn before: its calls are answered."""
    said = [m for m in body["messages"] if m["role"] == "assistant"]
    return not said or (
        said[-1].get("reasoning_details") == DETAILS and
        all(c.get("own") == SIGNED_CALL["own"]
            for c in said[-1].get("tool_calls", [{}])))


def signed_events(body):
    """The last signature comes after the text."""
    text, call = chat_turn(body)
    if not has_signatures(body):
        yield chunk({"content": "signatures are lost: " +
                     json.dumps(body["messages"][-2])}, "stop")
        return
    for piece in pieces("I run it.", 5):
        yield chunk({"reasoning": piece,
                     "reasoning_details": [dict(DETAIL, text=piece)]})
    yield chunk({"reasoning_details": [dict(DETAIL, signature="S1")]})
    if call:
        yield chunk({"tool_calls": [{
            "index": 0, "id": fresh("call"), "type": "function",
            "function": {"name": call[0], "arguments": call[1]},
            **SIGNED_CALL}]})
    else:
        yield chunk({"content": text})
        yield chunk({"content": "", "own": {"thought_signature": "S3"}})
    yield chunk({}, "tool_calls" if call else "stop")


def chat_events(body):
    if body["model"] == "signed" and body.get("tools"):
        yield from signed_events(body)
        return
    text, call = chat_turn(body)
    yield chunk({"role": "assistant", "content": None})
    for piece in pieces(text or "", 9):
        yield chunk({"content": piece})
    if call:
        yield chunk({"reasoning_content": "I run it."})
        yield chunk({"tool_calls": [{"index": 0, "id": fresh("call"),
                    "type": "function",
                    "function": {"name": call[0], "arguments": ""}}]})
        for piece in pieces(call[1], 7):
            yield chunk({"tool_calls": [{"index": 0, "function": {
                "arguments": piece}}]})
    yield chunk({}, "tool_calls" if call else "stop")
    if body.get("stream_options", {}).get("include_usage"):
        yield dict(chunk({}), choices=[], usage=CHAT_USAGE)


# Responses

def responses_item(body):
    asked = body["input"] if isinstance(body["input"], list) else []
    outputs = [i for i in asked if i.get("type") == "function_call_output"]
    form = body.get("text", {}).get("format", {})
    text, call = turn(outputs[-1]["output"] if outputs else None,
                      {t["name"]: t["parameters"] for t in
                       body.get("tools", []) if t["type"] == "function"},
                      form.get("schema"))
    if call:
        return {"id": fresh("fc"), "type": "function_call",
                "status": "completed", "call_id": fresh("call"), "name": call[0], "arguments": call[1]}
    return {"id": fresh("msg"), "type": "message", "role": "assistant",
            "status": "completed", "content": [
                {"type": "output_text", "annotations": [], "text": text}]}


def response(status, output):
    return {"id": "resp_1", "object": "response", "created_at": 1,
            "model": "scripted", "status": status, "output": output,
            "error": None, "incomplete_details": None, "instructions": None,
            "metadata": {}, "parallel_tool_calls": True, "temperature": 1,
            "tool_choice": "auto", "tools": [], "top_p": 1, "usage": {
                "input_tokens": 100, "output_tokens": 20, "total_tokens": 120,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens_details": {"reasoning_tokens": 0}}}


def responses(body):
    return response("completed", [responses_item(body)])


def responses_parts(item):
    at = {"item_id": item["id"], "output_index": 0}
    begun = dict(item, status="in_progress")
    if item["type"] == "function_call":
        kind, whole = "function_call_arguments", {
            "name": item["name"], "arguments": item["arguments"]}
        text, part = item["arguments"], None
        begun["arguments"] = ""
    else:
        kind, part = "output_text", item["content"][0]
        text, whole = part["text"], {"text": part["text"], "logprobs": []}
        begun["content"] = []
        at["content_index"] = 0
    yield {"type": "response.output_item.added", "output_index": 0,
           "item": begun}
    if part:
        yield dict(at, type="response.content_part.added",
                   part=dict(part, text=""))
    for piece in pieces(text, 9):
        yield dict(at, type="response.%s.delta" % kind, delta=piece,
                   **({"logprobs": []} if part else {}))
    yield dict(at, type="response.%s.done" % kind, **whole)
    if part:
        yield dict(at, type="response.content_part.done", part=part)
    yield {"type": "response.output_item.done", "output_index": 0,
           "item": item}


def responses_events(body):
    item = responses_item(body)
    events = [{"type": "response.created",
               "response": response("in_progress", [])}]
    events += responses_parts(item)
    events.append({"type": "response.completed",
                   "response": response("completed", [item])})
    for number, event in enumerate(events):
        yield dict(event, sequence_number=number)


# Messages

def messages(body):
    blocks = body["messages"][-1]["content"]
    blocks = blocks if isinstance(blocks, list) else []
    told = [b["content"] for b in blocks if b["type"] == "tool_result"]
    form = body.get("output_config", {}).get("format", {})
    text, call = turn(told[-1] if told else None,
                      {t["name"]: t.get("input_schema", {})
                       for t in body.get("tools", [])}, form.get("schema"))
    block = {"type": "text", "text": text}
    if call:
        block = {"type": "tool_use", "id": fresh("toolu"), "name": call[0],
                 "input": json.loads(call[1])}
    return {"id": fresh("msg"), "type": "message", "role": "assistant",
            "model": "scripted", "content": [block],
            "stop_reason": "tool_use" if call else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 100, "output_tokens": 20}}


def messages_events(body):
    whole = messages(body)
    block = whole["content"][0]
    if block["type"] == "text":
        begun, text = dict(block, text=""), block["text"]
        deltas = [{"type": "text_delta", "text": p} for p in pieces(text, 9)]
    else:
        begun, text = dict(block, input={}), json.dumps(block["input"])
        deltas = [{"type": "input_json_delta", "partial_json": p}
                  for p in pieces(text, 7)]
    yield {"type": "message_start", "message": dict(
        whole, content=[], stop_reason=None)}
    yield {"type": "content_block_start", "index": 0, "content_block": begun}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "usage": whole["usage"], "delta": {
        "stop_reason": whole["stop_reason"], "stop_sequence": None}}
    yield {"type": "message_stop"}


ENDPOINTS = {
    "/v1/chat/completions": (chat, chat_events),
    "/v1/responses": (responses, responses_events),
    "/v1/messages": (messages, messages_events),
    "/v1/messages/count_tokens": (lambda body: {"input_tokens": 7}, None),
}


count = itertools.count(1)


def keep(raw):
    if os.path.isdir(sys.argv[1] + "/bodies"):
        with open("%s/bodies/%d" % (sys.argv[1], next(count)), "wb") as f:
            f.write(raw)


class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def event(self, name, data):
        text = "event: %s\n" % name if name else ""
        text = (text + "data: %s\n\n" % data).encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
        self.wfile.flush()

    def whole(self, answer):
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def stream(self, events, done):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            self.event(event.get("type"), json.dumps(event))
        if done:
            self.event(None, "[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        keep(raw)
        body = json.loads(raw)
        path = self.path.partition("?")[0]
        log.write("%s %s %s\n" % (
            path, body.get("stream", False), body["model"]))
        answer, events = ENDPOINTS[path]
        if body["model"].startswith("slow-") and body.get("tools") and \
                not any(t in json.dumps(body) for t in RESULTS):
            time.sleep(float(body["model"][5:]))
        if body.get("stream"):
            self.stream(events(body), answer is chat)
        else:
            self.whole(answer(body))


log = open(sys.argv[1] + "/log", "a", 1)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
with open(sys.argv[1] + "/port.new", "w") as f:
    f.write(str(server.server_address[1]))
os.rename(sys.argv[1] + "/port.new", sys.argv[1] + "/port")
server.serve_forever()

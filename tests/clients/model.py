# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# A scripted model for agents, as chat completions and as Responses: asked
# anew it calls the shell tool to write a proof, told what the tool said it
# repeats it.  usage: model.py DIR; the port goes to DIR/port, one line for
# each request to DIR/log.
import http.server
import json
import os
import sys

COMMAND = "echo bridged-$((40+2)) >proof.txt && cat proof.txt"
SHELLS = ("exec_command", "shell_command", "shell", "Bash")
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def arguments(schema):
    """Of the shell tool, whichever of the agents' it is."""
    out = {name: "x" for name in schema.get("required", [])}
    for name, kind in schema.get("properties", {}).items():
        if name in ("cmd", "command"):
            words = kind.get("type") == "array"
            out[name] = ["sh", "-c", COMMAND] if words else COMMAND
    return json.dumps(out)


def chunk(delta, finish=None):
    return {"id": "c", "object": "chat.completion.chunk", "created": 1,
            "model": "scripted", "choices": [
                {"index": 0, "delta": delta, "finish_reason": finish}]}


def chat(body):
    last = body["messages"][-1]
    tools = {t["function"]["name"]: t["function"] for t in body.get("tools", [])}
    shell = next((name for name in SHELLS if name in tools), None)
    yield chunk({"role": "assistant", "content": None})
    if last["role"] == "tool":
        said = json.dumps(last["content"])
        for at in range(0, len(said), 9):
            yield chunk({"content": said[at:at + 9]})
        yield chunk({}, "stop")
    elif shell is None:
        yield chunk({"content": "A title"}, "stop")
    else:
        args = arguments(tools[shell]["parameters"])
        yield chunk({"reasoning_content": "I run it."})
        yield chunk({"tool_calls": [{"index": 0, "id": "call_1",
                    "type": "function",
                    "function": {"name": shell, "arguments": ""}}]})
        for at in range(0, len(args), 7):
            yield chunk({"tool_calls": [{"index": 0, "function": {
                "arguments": args[at:at + 7]}}]})
        yield chunk({}, "tool_calls")
    yield dict(chunk({}), choices=[], usage=USAGE)


def responses(body):
    outputs = [i for i in body["input"] if i["type"] == "function_call_output"]
    tools = {t.get("name"): t for t in body["tools"]}
    shell = next(name for name in SHELLS if name in tools)
    response = {"id": "resp_1", "object": "response", "created_at": 1,
                "model": "scripted", "status": "in_progress", "output": []}
    if outputs:
        item = {"id": "msg_1", "type": "message", "role": "assistant",
                "status": "completed", "content": [{
                    "type": "output_text", "annotations": [],
                    "text": json.dumps(outputs[-1]["output"])}]}
    else:
        item = {"id": "fc_1", "type": "function_call", "status": "completed",
                "call_id": "call_1", "name": shell,
                "arguments": arguments(tools[shell]["parameters"])}
    yield {"type": "response.created", "response": response}
    yield {"type": "response.output_item.added", "output_index": 0,
           "item": item}
    yield {"type": "response.output_item.done", "output_index": 0,
           "item": item}
    yield {"type": "response.completed", "response": dict(
        response, status="completed", output=[item], usage={
            "input_tokens": 100, "output_tokens": 20, "total_tokens": 120,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0}})}


class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def event(self, name, data):
        text = "event: %s\n" % name if name else ""
        text = (text + "data: %s\n\n" % data).encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
        self.wfile.flush()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_chat = self.path.endswith("/chat/completions")
        log.write("%s %s\n" % (self.path, body.get("stream")))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in chat(body) if is_chat else responses(body):
            self.event(event.get("type"), json.dumps(event))
        if is_chat:
            self.event(None, "[DONE]")
        self.wfile.write(b"0\r\n\r\n")


log = open(sys.argv[1] + "/log", "a", 1)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
with open(sys.argv[1] + "/port.new", "w") as f:
    f.write(str(server.server_address[1]))
os.rename(sys.argv[1] + "/port.new", sys.argv[1] + "/port")
server.serve_forever()

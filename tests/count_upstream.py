# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# count_upstream.py LOG: a chat server that counts tokens, on a port of 127.0.0.1
# (printed first).  How it does is the first part of the path: a number is what
# it counts; "list" is 900 with as many tokens in a list; "hang" never answers;
# "404" knows no such path, "500" fails; "junk", "text", "minus" and "deep" answer
# with what is no count.  LOG gets "PATH DIGEST LENGTH" of each request, both of
# its body.
import hashlib
import http.server
import json
import sys
import time

USAGE = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
ODD = {
    "junk": b"count: 900",
    "text": b'{"input_tokens": "900"}',
    "minus": b'{"input_tokens": -900}',
    "deep": b'{"data": {"input_tokens": 900}}',
}


def counted(how):
    """The status and the body for a question."""
    if how == "500":
        return 500, b'{"error": {"message": "no template for that"}}'
    if how == "404":
        return 404, b'{"error": {"message": "no such path"}}'
    if how == "hang":
        time.sleep(3600)
    if how in ODD:
        return 200, ODD[how]
    count = 900 if how in ("list", "hang") else int(how)
    said = {"input_tokens": count, "count": count, "max_model_len": 1000}
    if how == "list":
        said["tokens"] = list(range(count))
    return 200, json.dumps(said).encode()


def chat(body):
    """A response to a chat request, and its type."""
    if not body.get("stream"):
        message = {"role": "assistant", "content": "hi"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return json.dumps(
            {"id": "c", "object": "chat.completion", "created": 1,
             "model": body["model"], "choices": [choice], "usage": USAGE}
        ).encode(), "application/json"
    events = b""
    for delta, reason in (({"content": "hi"}, None), ({}, "stop")):
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1,
                 "model": body["model"], "choices": [choice]}
        events += b"data: " + json.dumps(chunk).encode() + b"\n\n"
    return events + b"data: [DONE]\n\n", "text/event-stream"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        digest = hashlib.sha256(body).hexdigest()[:16]
        with open(sys.argv[1], "a", encoding="ascii") as log:
            print(self.path, digest, len(body), file=log)
        status, kind = 200, "application/json"
        how, path = self.path[1:].split("/", 1)
        if path in ("v1/chat/completions/input_tokens", "tokenize"):
            status, out = counted(how)
        elif path == "v1/chat/completions":
            out, kind = chat(json.loads(body))
        else:
            status, out = 404, b"{}"
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(out)))
            self.end_headers()
            self.wfile.write(out)
        except OSError:
            self.close_connection = True


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# keyed_upstream.py ANSWERS LOG: an upstream on a port of 127.0.0.1 (printed
# first) whose response depends on the key.  ANSWERS has lines "KEY STATUS
# [RETRY-AFTER]", read at each request; any other key is good.  An error repeats
# the key, as providers do, and so does a response to MARKSAY.  LOG gets "STATUS
# KEY MODEL" of each request; KEY is x-api-key:KEY if it came in that field, and
# ends in /ACCOUNT if the request names one.  LOG.most has how many were open at
# once at the most.
import http.server
import json
import sys
import threading
import time

WORDS = {
    401: ("invalid_api_key", "Incorrect API key provided: {key}."),
    402: ("insufficient_quota", "You have run out of credit ({key})."),
    403: ("key_limit", "Key limit exceeded for {key} (total limit)."),
    429: ("rate_limit_exceeded", "Rate limit reached for {model}."),
    529: ("rate_limit_exceeded", "Rate limit reached for all models."),
}


class Open:
    """How many requests are open."""

    lock, now, most = threading.Lock(), 0, 0

    def __enter__(self):
        with Open.lock:
            Open.now += 1
            if Open.now > Open.most:
                Open.most = Open.now
                with open(sys.argv[2] + ".most", "w", encoding="ascii") as f:
                    print(Open.most, file=f)
        time.sleep(0.005)

    def __exit__(self, *_):
        with Open.lock:
            Open.now -= 1


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def prepare(self, body):
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        field = self.headers.get("x-api-key")
        shown = key
        if field is not None:
            key, shown = field, f"{key}x-api-key:{field}"
        if "ChatGPT-Account-ID" in self.headers:
            shown += "/" + self.headers["ChatGPT-Account-ID"]
        model = body.get("model", "-")
        status, retry = 200, None
        with open(sys.argv[1], encoding="ascii") as answers:
            for line in answers:
                name, code, *rest = line.split()
                if name == key:
                    status, retry = int(code), (rest or [None])[0]
        with open(sys.argv[2], "a", encoding="utf-8") as log:
            log.write(f"{status} {shown} {model}\n")
        if status == 200:
            out = {"object": "list", "data": []}
            if self.command == "POST":
                out = {"id": "c", "object": "chat.completion", "created": 1,
                       "model": model, "choices": [{"index": 0,
                           "message": {"role": "assistant", "content": "yes"},
                           "finish_reason": "stop"}],
                       "usage": {"prompt_tokens": 3, "completion_tokens": 1,
                                 "total_tokens": 4}}
            if self.path.endswith("/messages"):
                out = {"id": "m", "type": "message", "role": "assistant",
                       "model": model, "stop_reason": "end_turn",
                       "content": [{"type": "text", "text": "yes"}],
                       "usage": {"input_tokens": 3, "output_tokens": 1}}
            if "MARKSAY" in json.dumps(body):
                out["choices"][0]["message"]["content"] = "it is " + key
        else:
            code, text = WORDS[status]
            out = {"error": {"message": text.format(key=key, model=model),
                             "type": code, "code": code}}
        return status, retry, json.dumps(out).encode()

    def answer(self, status, retry, text):
        self.send_response(429 if status == 529 else status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if retry is not None:
            self.send_header("Retry-After", retry)
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.answer(*self.prepare({}))

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        with Open():
            answer = self.prepare(json.loads(self.rfile.read(length)))
        # With its last byte the gateway may send the next one.
        self.answer(*answer)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()

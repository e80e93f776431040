# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# For swap.sh: a server that loads one model at a time, and its clients.
#
#   swap_load.py serve LOG       an upstream on a port that it prints; a request
#                                takes "ms=N" of its content, or, if that is
#                                "hold", until LOG.go is there; LOG gets
#                                "MODEL MILLISECONDS" as each begins
#   swap_load.py many URL KEY... 200 requests for the models a, b and c, by 12
#                                at a time for each key
#   swap_load.py starve URL KEY LOG  three keep asking for a; one asks for b; it
#                                ends when b has its response
import http.client
import http.server
import json
import os
import random
import sys
import threading
import time
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(
            self.rfile.read(int(self.headers.get("Content-Length", 0))))
        ms = body["messages"][0]["content"].removeprefix("ms=")
        with open(sys.argv[2], "a", encoding="ascii") as log:
            log.write(f"{body['model']} {time.monotonic_ns() // 1000000}\n")
        while ms == "hold" and not os.path.exists(sys.argv[2] + ".go"):
            time.sleep(0.02)
        time.sleep(0 if ms == "hold" else int(ms) / 1000)
        text = json.dumps({
            "id": "c", "object": "chat.completion", "created": 1,
            "model": body["model"], "choices": [{"index": 0,
                "message": {"role": "assistant", "content": "yes"},
                "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1,
                      "total_tokens": 4}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def ask(url, key, model, ms):
    at = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(at.hostname, at.port, timeout=120)
    connection.request("POST", "/v1/chat/completions", json.dumps(
        {"model": model,
         "messages": [{"role": "user", "content": f"ms={ms}"}]}),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def run(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def many(url, keys):
    """Each key its own list of models, the same in each run."""
    lists = {key: [random.Random(200 + n * 50 + i).choice("abc")
                   for i in range(50)] for n, key in enumerate(keys)}
    lock = threading.Lock()
    bad = []

    def client(key):
        while True:
            with lock:
                if not lists[key]:
                    return
                model = lists[key].pop()
            status = ask(url, key, model, 5)
            if status != 200:
                bad.append(status)

    run([threading.Thread(target=client, args=(key,))
         for key in keys for _ in range(12)])
    return bad


def starve(url, key, log):
    done = threading.Event()
    bad = []

    def others():
        while not done.is_set():
            if ask(url, key, "a", 20) != 200:
                bad.append("a")
                return

    def one():
        # Once they are at it.
        while len(open(log, encoding="ascii").readlines()) < 6 and not bad:
            time.sleep(0.02)
        if ask(url, key, "b", 20) != 200:
            bad.append("b")
        done.set()

    run([threading.Thread(target=others) for _ in range(3)]
        + [threading.Thread(target=one)])
    return bad


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    elif sys.argv[1] == "many":
        sys.exit(bool(many(sys.argv[2], sys.argv[3:])))
    else:
        sys.exit(bool(starve(*sys.argv[2:])))

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Requests of each kind, one after the other, and in each of them another
# allocation of the worker fails (tests/starve.c, tests/starving.sh).
#
#   starving.py tls DIR CERTIFICATE KEY    a provider with TLS; DIR/tls.port
#   starving.py walk DIR BASE KEY STUB PID KIND MODE

import http.client
import json
import mmap
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time

FAR_KEY = "sk-starving-0123456789abcdefghijklmnop"
PRIVATE = "OMEGA-123"

# --- A provider with TLS ---------------------------------------------------

CHAT = json.dumps({"id": "c", "object": "chat.completion", "choices": [
    {"index": 0, "finish_reason": "stop", "message": {
        "role": "assistant", "content": "over TLS"}}]}).encode()


def serve_one(context, plain):
    try:
        plain.settimeout(20)
        s = context.wrap_socket(plain, server_side=True)
        text = b""
        while b"\r\n\r\n" not in text:
            part = s.recv(65536)
            if not part:
                return
            text += part
        head, body = text.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"content-length: (\d+)", head, re.I)[1])
        while len(body) < length:
            body += s.recv(65536)
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                  b"Connection: close\r\nContent-Length: %d\r\n\r\n"
                  % len(CHAT) + CHAT)
        s.unwrap()
    except (OSError, ssl.SSLError, TypeError):
        pass
    finally:
        plain.close()


def serve_tls(directory, certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    with open(directory + "/tls.port.new", "w") as f:
        print(listener.getsockname()[1], file=f)
    os.rename(directory + "/tls.port.new", directory + "/tls.port")
    while True:
        plain, _ = listener.accept()
        threading.Thread(target=serve_one, args=(context, plain),
                         daemon=True).start()


# --- The requests -----------------------------------------------------------

def chat(model, content="hello", **more):
    return dict({"model": model, "messages": [
        {"role": "user", "content": content}]}, **more)


def form(model, pad):
    part = "--b\r\nContent-Disposition: form-data; name="
    return (part + '"model"\r\n\r\n' + model + "\r\n" + part +
            '"file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n' +
            "RIFF" + "\x01" * pad + "\r\n--b--\r\n").encode()


JSON = "application/json"
FORM = "multipart/form-data; boundary=b"
LONG = "x y " * 50000
TOOLS = {"tools": [{"type": "function", "function": {
    "name": "f", "parameters": {"type": "object"}}}]}
# name: path, type, body, what must be in a whole response, how a stream ends
KINDS = {
    "plain": ("/v1/chat/completions", JSON, chat("any/plain")),
    "again": ("/v1/chat/completions", JSON, chat("any/close-after")),
    "stream": ("/v1/chat/completions", JSON,
               chat("any/n=6", stream=True)),
    "restream": ("/v1/chat/completions", JSON,
                 chat("any/raw,file=whole", stream=True)),
    "large": ("/v1/chat/completions", JSON, chat("any/plain", LONG)),
    "long": ("/v1/chat/completions", JSON, chat("any/size=300000")),
    "long stream": ("/v1/chat/completions", JSON,
                    chat("any/size=20000,n=20", stream=True)),
    "gzip": ("/v1/chat/completions", JSON, chat("any/gzip")),
    "error": ("/v1/chat/completions", JSON, chat("any/400")),
    "echo of a key": ("/v1/chat/completions", JSON, chat(
        "any/plain", "say " + FAR_KEY)),
    "raw key": ("/v1/chat/completions", JSON, chat(
        "any/raw,file=key", stream=True)),
    "messages": ("/v1/messages", JSON, chat("any/plain", max_tokens=9)),
    "messages stream": ("/v1/messages", JSON, chat(
        "any/tools", max_tokens=9, stream=True)),
    "messages long": ("/v1/messages", JSON, chat(
        "any/size=200000", LONG, max_tokens=9)),
    "responses": ("/v1/responses", JSON, {
        "model": "any/plain", "input": "hello"}),
    "responses stream": ("/v1/responses", JSON, {
        "model": "any/tools", "input": "hello", "stream": True}),
    "responses long": ("/v1/responses", JSON, {
        "model": "any/size=20000,n=20", "input": LONG, "stream": True}),
    "form": ("/v1/audio/transcriptions", FORM, form("any/plain", 100)),
    "large form": ("/v1/audio/transcriptions", FORM,
                   form("any/plain", 200000)),
    "private": ("/v1/chat/completions", JSON, chat(
        "far", "my " + PRIVATE)),
    "private escaped": ("/v1/chat/completions", JSON, chat(
        "far", "my T01FR0EtMTIz", user='{"a":"OMEGA\\u002d123"}')),
    "private form": ("/v1/audio/transcriptions", FORM, form(
        "far", 5).replace(b"RIFF", PRIVATE.encode())),
    "allowed": ("/v1/chat/completions", JSON, chat("far", "nothing")),
    "tls": ("/v1/chat/completions", JSON, chat("secure", "x")),
    "echo": ("/v1/chat/completions", JSON, chat("echo", LONG)),
    "slot": ("/v1/chat/completions", JSON, chat("slot/n=6", stream=True)),
    "models": ("/v1/models", None, None),
    "status": ("/tailgate/status.json", None, None),
    "usage": ("/tailgate/usage.json", None, None),
    "metrics": ("/metrics", None, None),
}
UNACCOUNTED = ("models", "status", "usage", "metrics")
STUB_SAW = {"private": 0, "private escaped": 0, "private form": 0}


class Starve:
    """struct starve of tests/starve.c"""

    def __init__(self, path):
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 48)

    def set(self, pid, at, many, least):
        struct.pack_into("=q", self.map, 0, 0)
        struct.pack_into("=5q", self.map, 8, at, many, least, 0, 0)
        struct.pack_into("=q", self.map, 0, pid)

    def end(self):
        struct.pack_into("=q", self.map, 0, 0)
        return struct.unpack_from("=2q", self.map, 32)


class Gateway:
    def __init__(self, base, key):
        self.host = base.split("//")[1]
        self.key = key

    def ask(self, path, kind, body):
        c = http.client.HTTPConnection(self.host, timeout=30)
        head = {"Authorization": "Bearer " + self.key}
        if kind is not None:
            head["Content-Type"] = kind
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        try:
            c.request("GET" if body is None else "POST", path, body, head)
            r = c.getresponse()
            try:
                data, broken = r.read(), False
            except http.client.IncompleteRead as e:
                data, broken = e.partial, True
            except (ConnectionError, http.client.HTTPException):
                data, broken = b"", True
            return r.status, r.getheader("content-type", ""), data, broken
        except (ConnectionError, http.client.HTTPException):
            return 0, "", b"", True
        finally:
            c.close()


# --- Whole responses ------------------------------------------------

VARIES = re.compile(
    r'"(id|created|created_at|completed_at|item_id|call_id|response_id|'
    r'request_id)":("[^"]*"|[0-9.]+)')


def steady(data):
    """Without what differs from one response to the next."""
    text = data.decode("utf-8", "replace")
    text = re.sub(r"^:.*\n\n?", "", text, flags=re.M)
    return VARIES.sub(r'"\1":0', text)


def stream_error(data):
    return (re.search(rb'^(event: error|data: *\{"error":|event: response'
                      rb'\.failed)', data, re.M) is not None)


CODES = ("gateway_exhausted", "gateway_overloaded", "client_overloaded",
         "ledger_unavailable", "internal_error")


def same_members(a, b):
    try:
        return json.loads(a).keys() == json.loads(b).keys()
    except ValueError:
        return len(a.split(b"\n")) == len(b.split(b"\n"))


def judge(kind, whole, seen):
    """None, or what is wrong."""
    status, type_, data, broken = seen
    if FAR_KEY.encode() in data:
        return "the provider's key"
    if broken:
        return None
    if status == whole[0] and steady(data) == steady(whole[2]):
        return None
    if kind in UNACCOUNTED and status == 200 and same_members(data, whole[2]):
        return None
    if kind.startswith("private") and status == 200:
        return "a private text was served"
    if status == 200:
        if "event-stream" in type_ and stream_error(data) and \
                b"[DONE]" not in data and b"message_stop" not in data:
            return None
        return "no whole response, which looks whole"
    if status >= 500 and (b'"code":' not in data and
                          b'"error"' not in data):
        return None if status in (500, 502, 503) else "an odd status"
    try:
        said = json.loads(data)
        code = said["error"].get("code") or said["error"].get("type")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "an error that cannot be read"
    if status == 503 and (code in CODES or code == "overloaded_error" or
                          code == "api_error"):
        return None
    if status == 413 and "translated" in said["error"]["message"]:
        return None
    if status == 500 and code == "internal_error":
        return None
    return "another error: %d %s" % (status, code)


# --- Walking -----------------------------------------------------------------

class Lines:
    """Counts the ledger's lines, and reads each byte of it once."""

    def __init__(self, directory):
        self.path = directory + "/state/ledger.jsonl"
        self.file = None
        self.n = 0

    def count(self):
        if self.file is None:
            try:
                self.file = open(self.path, "rb", buffering=0)
            except FileNotFoundError:
                return 0
        while part := self.file.read(65536):
            self.n += part.count(b"\n")
        return self.n

    def reach(self, n):
        end = time.monotonic() + 10
        while self.count() < n and time.monotonic() < end:
            time.sleep(0.001)
        return self.n


def stub_count(port, what):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    c.request("GET", "/_stats")
    n = json.loads(c.getresponse().read())[what]
    c.close()
    return n


MODES = {"one": (1, 0), "some": (3, 0), "many": (40, 0),
         "large": (100000, 330000)}


class Walk:
    def __init__(self, directory, base, key, stub, pid):
        self.lines = Lines(directory)
        self.starve = Starve(directory + "/starve")
        self.gateway = Gateway(base, key)
        self.stub = int(stub)
        self.pid = int(pid)
        self.wrong = []
        self.outcome = {}

    def alive(self):
        try:
            with open("/proc/%d/stat" % self.pid) as f:
                return f.read().split(")")[1].split()[0] not in "ZX"
        except OSError:
            return False

    def note(self, kind, mode, n, what):
        self.wrong.append("%s, %s from %d on: %s" % (kind, mode, n, what))

    def one(self, kind, whole, mode, n, before):
        many, least = MODES[mode]
        self.starve.set(self.pid, n, many, least)
        seen = self.gateway.ask(*KINDS[kind])
        accounted = kind not in UNACCOUNTED and seen[0] != 0
        after = self.lines.reach(before + 1) if accounted else 0
        _, failed = self.starve.end()
        wrong = judge(kind, whole, seen)
        if wrong is not None:
            self.note(kind, mode, n, "%s: %r ... %r" % (
                wrong, seen[2][:200], seen[2][-300:]))
        where = "broken" if seen[3] else str(seen[0])
        self.outcome[where] = self.outcome.get(where, 0) + 1
        if not self.alive():
            self.note(kind, mode, n, "the worker has died")
            return None
        if accounted and seen[0] in (200, whole[0]) and not seen[3] \
                and after != before + 1:
            self.note(kind, mode, n, "%d lines for one request"
                      % (after - before))
        return failed > 0

    def walk(self, kind, mode):
        before = self.lines.count()
        self.gateway.ask(*KINDS[kind])
        whole = self.gateway.ask(*KINDS[kind])
        if kind not in UNACCOUNTED:
            self.lines.reach(before + 2)
        unmet = 0
        step = 17 if kind == "tls" and mode != "one" else 1
        for n in range(1, 20000, step):
            before = self.lines.count()
            met = self.one(kind, whole, mode, n, before)
            if met is None:
                return n
            unmet = 0 if met else unmet + 1
            if unmet == 3:
                return n - 2 * step
        return n


def main():
    if sys.argv[1] == "tls":
        serve_tls(*sys.argv[2:5])
        return
    directory, base, key, stub, pid, kind, mode = sys.argv[2:9]
    w = Walk(directory, base, key, stub, pid)
    n = w.walk(kind, mode)
    for text in w.wrong[:12]:
        print(text)
    print("# %s, %s: %d allocations: %s; %d wrong" % (
        kind, mode, n - 1, " ".join("%s x %d" % x for x in sorted(
            w.outcome.items())), len(w.wrong)))
    sys.exit(1 if w.wrong else 0)


main()

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
"""WebSockets (RFC 6455) of one text frame.

websocket.py serve LOG: at a port, which it prints, sends back what it gets;
LOG gets the request line, the Authorization field, the names of other fields
with secrets, and the subprotocols, of each connection.
websocket.py realtime LOG: the same, but it sends the events of a scripted
Realtime session.
websocket.py ask URL KEY TEXT [FIELD...]: prints what came back, or the status, the code of
the error and nothing more.
"""
import base64
import hashlib
import json
import os
import re
import socket
import sys
import threading
import urllib.parse

SECRETS = ("X-Tailgate-Key", "X-Api-Key", "Cookie")
PROTOCOL = "Sec-WebSocket-Protocol"
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def read(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def read_head(s):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += read(s, 1)
    return head.decode("latin-1")


def field(head, name):
    found = re.search(r"\r\n%s: *([^\r]*)" % name, head, re.I)
    return found[1] if found else None


def read_frame(s):
    first, length = read(s, 2)
    if first & 15 == 8:
        raise EOFError
    is_masked, length = length & 128, length & 127
    if length > 125:
        length = int.from_bytes(read(s, 2 if length == 126 else 8), "big")
    mask = read(s, 4) if is_masked else bytes(4)
    data = read(s, length)
    return bytes(b ^ mask[i % 4] for i, b in enumerate(data))


def frame(text, mask=None):
    data = text if isinstance(text, bytes) else text.encode()
    masked = 0 if mask is None else 128
    if len(data) < 126:
        head = bytes([0x81, masked | len(data)])
    else:
        head = bytes([0x81, masked | 126]) + len(data).to_bytes(2, "big")
    if mask is None:
        return head + data
    return head + mask + bytes(
        b ^ mask[i % 4] for i, b in enumerate(data))


def echo(text):
    return [] if text is None else [text]


SESSION = {"id": "sess_1", "object": "realtime.session", "type": "realtime",
           "model": "talk"}
RESPONSE = {"id": "resp_1", "object": "realtime.response", "output": []}


def session(text):
    """Events; text is what the client sent, None at the beginning."""
    kind = None if text is None else json.loads(text)["type"]
    part = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0,
            "content_index": 0}
    events = {
        None: [{"type": "session.created", "session": SESSION}],
        "session.update": [{"type": "session.updated", "session": SESSION}],
        "response.create": [
            dict(part, type="response.output_text.delta", delta="Spoken "),
            dict(part, type="response.output_text.delta", delta="words. " * 30),
            {"type": "response.done",
             "response": dict(RESPONSE, status="completed")}],
    }.get(kind, [{"type": "error", "error": {
        "type": "invalid_request_error", "code": "unknown", "param": None,
        "message": "no event %s here" % kind}}])
    return [json.dumps(dict(e, event_id="event_%d" % i))
            for i, e in enumerate(events)]


def serve_one(s, log, respond):
    try:
        head = read_head(s)
        with open(log, "a") as f:
            f.write("|".join([head.split("\r\n")[0],
                              field(head, "Authorization") or ""] +
                             [name for name in SECRETS
                              if field(head, name)] + [
                              name + ": " + field(head, name) for name in
                              ("OpenAI-Beta", PROTOCOL)
                              if field(head, name) is not None]) + "\n")
        key = field(head, "Sec-WebSocket-Key").encode()
        accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
        s.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket"
                  b"\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
                  accept + b"\r\n" + (
                      ("%s: realtime\r\n" % PROTOCOL).encode()
                      if field(head, PROTOCOL) else b"") + b"\r\n")
        text = None
        while True:
            for out in respond(text):
                s.sendall(frame(out))
            text = read_frame(s)
    except (EOFError, OSError):
        s.close()


def serve(log, respond):
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        s, _ = listener.accept()
        threading.Thread(target=serve_one, args=(s, log, respond),
                         daemon=True).start()


def ask(url, key, text, *fields):
    u = urllib.parse.urlsplit(url)
    s = socket.create_connection((u.hostname, u.port), 20)
    nonce = base64.b64encode(os.urandom(16)).decode()
    s.sendall(("GET %s?%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
               "Sec-WebSocket-Version: 13\r\nAuthorization: Bearer %s\r\n"
               "%s\r\n" % (u.path, u.query, u.netloc, nonce, key, "".join(
                   f + "\r\n" for f in fields))).encode())
    head = read_head(s)
    status = head.split(" ")[1]
    if status != "101":
        length = int(field(head, "Content-Length") or 0)
        body = read(s, length) if length else b""
        try:
            code = json.loads(body)["error"]["code"]
        except (ValueError, KeyError):
            code = ""
        print(status, code)
        return
    for part in (text, text.upper()):
        s.sendall(frame(part, os.urandom(4)))
        print(read_frame(s).decode())


if sys.argv[1] in ("serve", "realtime"):
    serve(sys.argv[2], echo if sys.argv[1] == "serve" else session)
else:
    ask(*sys.argv[2:])

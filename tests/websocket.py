# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
"""WebSockets (RFC 6455) of one text frame.

websocket.py serve LOG: at a port, which it prints, sends back what it gets;
LOG gets the request line, the Authorization field, and the names of other
fields with secrets, of each connection.
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
    mask = read(s, 4) if length & 128 else bytes(4)
    data = read(s, length & 127)
    return bytes(b ^ mask[i % 4] for i, b in enumerate(data))


def frame(text, mask=None):
    data = text if isinstance(text, bytes) else text.encode()
    if mask is None:
        return bytes([0x81, len(data)]) + data
    return bytes([0x81, 128 | len(data)]) + mask + bytes(
        b ^ mask[i % 4] for i, b in enumerate(data))


def serve_one(s, log):
    try:
        head = read_head(s)
        with open(log, "a") as f:
            f.write("|".join([head.split("\r\n")[0],
                              field(head, "Authorization") or ""] +
                             [name for name in SECRETS
                              if field(head, name)]) + "\n")
        key = field(head, "Sec-WebSocket-Key").encode()
        accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
        s.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket"
                  b"\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
                  accept + b"\r\n\r\n")
        while True:
            s.sendall(frame(read_frame(s)))
    except (EOFError, OSError):
        s.close()


def serve(log):
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        s, _ = listener.accept()
        threading.Thread(target=serve_one, args=(s, log), daemon=True).start()


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


if sys.argv[1] == "serve":
    serve(sys.argv[2])
else:
    ask(*sys.argv[2:])

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
"""A provider's host that sleeps: wake_host.py DIR

DIR gets `ports` (of TCP and UDP) and `log`.  The TCP port refuses connections
until a magic packet arrives at the UDP port or DIR/woken appears, and while
DIR/stay is there.  When DIR/sleep appears, it refuses them again, and what is
connected gets nothing more, nor an end.  A request with the key that
DIR/refused names gets 401.
"""
import os
import re
import socket
import sys
import threading
import time

directory = sys.argv[1]
lock = threading.Lock()
generation = 0


def there(name):
    return os.path.exists(os.path.join(directory, name))


def take(name):
    if there(name):
        os.unlink(os.path.join(directory, name))
        return True
    return False


def log(line):
    with lock, open(os.path.join(directory, "log"), "a") as f:
        f.write(line + "\n")


def bound(port=0):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    return s


WHOLE = b'{"id":"c","object":"chat.completion","choices":[{"index":0,' \
    b'"message":{"role":"assistant","content":"awake"},' \
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":3,' \
    b'"completion_tokens":1,"total_tokens":4}}'
EVENTS = b'data: {"id":"c","object":"chat.completion.chunk","choices":[' \
    b'{"index":0,"delta":{"content":"awake"},"finish_reason":"stop"}]}\n\n' \
    b'data: [DONE]\n\n'


BAD_KEY = b'{"error":{"message":"Incorrect API key provided.",' \
    b'"type":"invalid_request_error","code":"invalid_api_key"}}'


def refuses(head):
    try:
        with open(os.path.join(directory, "refused"), "rb") as f:
            return f.read().strip() in head
    except FileNotFoundError:
        return False


def serve(connection, born):
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return
            data += more
        head, data = data.split(b"\r\n\r\n", 1)
        length = int((re.search(rb"content-length: *(\d+)", head, re.I) or
                      [0, 0])[1])
        while len(data) < length:
            data += connection.recv(65536)
        body, data = data[:length], data[length:]
        if born != generation:
            log("dead")
            time.sleep(60)
            return
        if refuses(head):
            log("refused")
            connection.sendall(
                b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json"
                b"\r\nContent-Length: %d\r\n\r\n" % len(BAD_KEY) + BAD_KEY)
            continue
        log("request")
        streams = b'"stream":true' in body
        out = EVENTS if streams else WHOLE
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
            b"\r\n" % (b"text/event-stream" if streams
                       else b"application/json", len(out)) + out)


def accept(s):
    kept = []
    while True:
        try:
            connection, _ = s.accept()
        except OSError:
            return
        kept.append(connection)
        threading.Thread(target=serve, args=(connection, generation),
                         daemon=True).start()


def main():
    global generation
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    udp.settimeout(0.05)
    s = bound()
    port = s.getsockname()[1]
    with open(os.path.join(directory, "ports.new"), "w") as f:
        f.write("%d %d\n" % (port, udp.getsockname()[1]))
    os.rename(os.path.join(directory, "ports.new"),
              os.path.join(directory, "ports"))
    asleep, called = True, False
    while True:
        try:
            log("packet " + udp.recv(2048).hex())
            called = True
        except socket.timeout:
            pass
        called |= take("woken")
        if called and asleep and not there("stay"):
            time.sleep(0.5)
            s.listen(64)
            threading.Thread(target=accept, args=(s,), daemon=True).start()
            asleep = called = False
            log("awake")
        if take("sleep"):
            generation += 1
            if not asleep:
                s.shutdown(socket.SHUT_RDWR)  # ends accept()
            s.close()
            s, asleep, called = bound(port), True, False
            log("asleep")


main()

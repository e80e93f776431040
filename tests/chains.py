# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Random chains of providers with a fault at every point, compared with the
# ledger (tests/chains.sh).
#
#   chains.py stub DIR             serves until its stdin ends; writes DIR/ports
#   chains.py config SEED DIR      prints providers and models
#   chains.py ask SEED DIR BASE KEY SECONDS
#   chains.py judge DIR LEDGER     0: each upstream received what was accounted
#
# A provider's URL names its fault and itself: http://HOST:PORT/FAULT/NAME/v1.
# The stub counts, by name, the bytes of the bodies that it read.

import http.client
import json
import os
import random
import select
import socket
import socketserver
import struct
import sys
import threading
import time

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
# Bodies that the stub reads to their end, with or without a response: it must
# have received exactly the accounted bytes.
WHOLE = ("good", "good", "slow", "cut", "cut-head", "reset", "close", "500",
         "503", "429", "400", "html", "error-inside", "timeout", "stall",
         "kept-reset", "no-usage", "empty", "half-event", "reset-event",
         "interim", "drip", "usage-cut", "error-event", "close-good",
         "twice", "kept-close")
# Bodies that it does not read to their end: at most the accounted bytes, which
# are at most the body's.
PART = ("reset-early", "part", "early-500", "unread", "early-200",
        "early-429", "early-413", "kept-part", "upload-stall")
LOCK = threading.Lock()
RECEIVED = {}


def note(name, n):
    with LOCK:
        RECEIVED[name] = RECEIVED.get(name, 0) + n


# --- The stub ----------------------------------------------------------------

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def chat(stream, usage):
    if not stream:
        return [json.dumps(dict(
            {"id": "c", "object": "chat.completion", "choices": [
                {"index": 0, "finish_reason": "stop", "message": {
                    "role": "assistant", "content": "hello there"}}]},
            **({"usage": USAGE} if usage else {}))).encode()]
    piece = {"id": "c", "object": "chat.completion.chunk", "choices": [
        {"index": 0, "delta": {"content": "hello"}}]}
    end = {"id": "c", "object": "chat.completion.chunk", "choices": [
        {"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if usage:
        end["usage"] = USAGE
    return [b"data: " + json.dumps(piece).encode() + b"\n\n"] * 3 + [
        b"data: " + json.dumps(end).encode() + b"\n\ndata: [DONE]\n\n"]


class Stub(socketserver.BaseRequestHandler):
    def setup(self):
        self.buffer = b""
        self.request.settimeout(30)

    def fill(self):
        part = self.request.recv(65536)
        self.buffer += part
        return len(part) > 0

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill():
                return None
        text, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = text.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        return lines[0].split(" ")[1], int(fields.get("content-length", 0))

    def reset(self):
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0))

    def wait_for_end(self):
        while self.request.recv(65536):
            pass

    # Reads nothing, until the other side has given up.
    def wait_for_end_unread(self):
        poll = select.poll()
        poll.register(self.request, 0)
        poll.poll(6000)

    def answer(self, status, kind, body, extra=""):
        self.request.sendall((
            f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body)

    def stream(self, parts, fault):
        self.request.sendall(
            b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n")
        for i, part in enumerate(parts):
            if fault == "cut" and i == 2:
                return False
            if fault in ("half-event", "reset-event") and i == 2:
                self.request.sendall(b"%x\r\n%s" % (len(part), part[:20]))
                if fault == "reset-event":
                    time.sleep(0.02)
                    self.reset()
                return False
            if fault == "usage-cut" and i == 3:
                part = part.replace(b"data: [DONE]\n\n", b"")
                self.request.sendall(b"%x\r\n%s\r\n" % (len(part), part))
                return False
            if fault == "error-event" and i == 2:
                part = b'data: {"error":{"message":"overloaded"}}\n\n'
            if fault == "stall" and i == 2:
                self.wait_for_end()
                return False
            if fault == "slow":
                time.sleep(0.02)
            self.request.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        self.request.sendall(b"0\r\n\r\n")
        return True

    # Only a part of the body is read, or none of it.
    def part(self, fault, name, length):
        had = len(self.buffer[:length])
        note(name, had)
        if fault == "part":
            want = min(length, had + 1000)
            while len(self.buffer) < want and self.fill():
                pass
            note(name, len(self.buffer[:length]) - had)
        elif fault in ("early-500", "early-429", "early-413"):
            self.answer(int(fault[6:]), "text/plain", b"no")
        elif fault == "early-200":
            self.answer(200, "application/json", chat(False, True)[0])
            if length % 2:
                time.sleep(0.2)
        elif fault == "upload-stall":
            self.wait_for_end_unread()
        elif fault == "unread":
            # Until the other side has had enough of it.
            time.sleep(2.5)
        self.reset()
        return False

    def whole(self, fault, name, length):
        had = 0
        while True:
            now = min(len(self.buffer), length)
            note(name, now - had)
            had = now
            if had == length:
                break
            if not self.fill():
                return None
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return body

    def serve(self, fault, body, first):
        asked = json.loads(body) if body[:1] == b"{" else {}
        if fault == "kept-reset":
            fault = "good" if first else "reset"
        if fault == "kept-close":
            fault = "good" if first else "close"
        if fault == "interim":
            self.request.sendall(b"HTTP/1.1 100 Continue\r\n\r\n"
                                 b"HTTP/1.1 103 Early Hints\r\n"
                                 b"Link: </x>\r\n\r\n")
        if fault == "reset":
            self.reset()
            return False
        if fault == "close":
            return False
        if fault == "timeout":
            self.wait_for_end()
            return False
        if fault in ("500", "503", "400"):
            self.answer(int(fault), "application/json",
                        b'{"error":{"message":"no","type":"x","code":null}}')
            return True
        if fault == "429":
            self.answer(429, "application/json",
                        b'{"error":{"message":"slow down"}}',
                        "Retry-After: 0\r\n")
            return True
        if fault == "html":
            self.answer(502, "text/html", b"<h1>Bad gateway</h1>")
            return True
        if fault == "error-inside":
            self.answer(200, "application/json",
                        b'{"error":{"message":"overloaded"}}')
            return True
        if fault == "empty":
            self.answer(200, "application/json", b"")
            return True
        if fault == "cut-head":
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Ty")
            return False
        parts = chat(asked.get("stream"), fault != "no-usage")
        if asked.get("stream"):
            return self.stream(parts, fault)
        if fault in ("cut", "stall"):
            self.request.sendall(
                b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n"
                b"Content-Length: 1000\r\n\r\n" + parts[0][:40])
            if fault == "stall":
                self.wait_for_end()
            return False
        if fault in ("half-event", "reset-event", "usage-cut"):
            self.request.sendall(
                b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n40\r\n" + parts[0][:40])
            if fault == "reset-event":
                time.sleep(0.02)
                self.reset()
            return False
        if fault == "error-event":
            parts[0] = b'{"error":{"message":"overloaded"}}'
        if fault == "drip":
            for byte in b"HTTP/1.1 200 X\r\nContent-Le":
                self.request.sendall(bytes((byte,)))
                time.sleep(0.005)
            self.request.sendall(b"ngth: %d\r\n\r\n%s" % (
                len(parts[0]), parts[0]))
            return True
        self.answer(200, "application/json", parts[0],
                    "Connection: close\r\n" if fault == "close-good" else "")
        if fault == "twice":
            self.answer(200, "application/json", parts[0])
        return fault != "close-good"

    def handle(self):
        first = True
        try:
            while True:
                said = self.head()
                if said is None:
                    return
                fault, name = said[0].split("/")[1:3]
                if fault == "kept-part":
                    fault = "good" if first else "part"
                if fault in PART:
                    self.part(fault, name, said[1])
                    return
                body = self.whole(fault, name, said[1])
                if body is None or not self.serve(fault, body, first):
                    return
                first = False
        except (OSError, ValueError):
            pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256


def stub(where):
    servers = [Server((host, 0), Stub) for host in HOSTS]
    # Refuses: bound, but not listening.
    dead = socket.socket()
    dead.bind((HOSTS[0], 0))
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    ports = [server.server_address[1] for server in servers]
    with open(where + "/ports.new", "w") as f:
        json.dump({"ports": ports, "dead": dead.getsockname()[1]}, f)
    os.rename(where + "/ports.new", where + "/ports")
    # "count FILE" writes the counts up to now, and starts them again.
    for line in sys.stdin:
        name = line.split()[1]
        with LOCK, open(name + ".new", "w") as f:
            json.dump(RECEIVED, f)
            RECEIVED.clear()
        os.rename(name + ".new", name)


# --- The configuration -------------------------------------------------------

def chains(seed):
    rng = random.Random(seed)
    number = 0
    for i in range(50):
        chain = []
        for _ in range(rng.randint(2, 5)):
            fault = rng.choice(WHOLE * 2 + PART * 2 + ("refuse",) * 4)
            # A stub that is late counts nothing for another seed.
            chain.append((f"p{seed}-{number}", fault, rng.choice(
                ("local", "external")), rng.randrange(len(HOSTS))))
            number += 1
        # Local ones go first; let most chains end well.
        chain.sort(key=lambda t: t[2] == "external")
        if rng.random() < 0.6:
            chain[-1] = (chain[-1][0], "good") + chain[-1][2:]
        yield f"m{i}", chain


def config(seed, where):
    with open(where + "/ports") as f:
        ports = json.load(f)
    rng = random.Random(seed + 1)
    providers, models = [], []
    for model, chain in chains(seed):
        targets = []
        for name, fault, place, host in chain:
            at = (f"{HOSTS[0]}:{ports['dead']}" if fault == "refuse"
                  else f"{HOSTS[host]}:{ports['ports'][host]}")
            circuit = rng.choice((0, 0, 3))
            providers.append(
                f'{{ name = "{name}"; place = "{place}"; '
                f'url = "http://{at}/{fault}/{name}/v1"; '
                f'retries = {rng.randint(0, 2)}; '
                'endpoints = [ "chat", "embeddings", "transcriptions" ]; '
                f'circuit = {{ failures = {circuit}; }}; '
                'timeouts = { connect = 2.0; first_byte = 1.0; idle = 1.0; '
                'total = 8.0; }; }')
            price = rng.choice((
                "", "price = { input = 1.0; output = 2.0; };",
                "price = { input = 0.5; output = 4.0; request = 0.001; };"))
            targets.append(f'{{ provider = "{name}"; model = "x"; {price} }}')
        models.append(
            f'{{ id = "{model}"; place = "external"; max_attempts = 5; '
            'budget = { concurrent = 1000; }; '
            f'targets = ( {", ".join(targets)} ); '
            'fallback = [ "busy", "unavailable", "error", "timeout", '
            '"rate_limited", "too_long", "unsupported" ]; }')
    print("providers = (\n  " + ",\n  ".join(providers) + "\n);")
    print("models = (\n  " + ",\n  ".join(models) + "\n);")


# --- The clients -------------------------------------------------------------

BOUNDARY = "----chains"


def make_form(rng, model):
    """An upload; the larger ones are spooled to a file."""
    size = rng.choice((3000, 70000, 900000, 5000000))
    return (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"'
            f'\r\n\r\n{model}\r\n--{BOUNDARY}\r\nContent-Disposition: '
            'form-data; name="file"; filename="a.wav"\r\nContent-Type: '
            'audio/wav\r\n\r\n').encode() + rng.randbytes(size) + (
                f'\r\n--{BOUNDARY}--\r\n').encode()


def make_body(rng, endpoint, model):
    if endpoint == "audio/transcriptions":
        return make_form(rng, model)
    text = "w" * rng.choice((20, 300, 13000, 200000, 900000))
    if endpoint == "embeddings":
        return json.dumps({"model": model, "input": text})
    body = {"model": model, "stream": rng.random() < 0.5}
    if endpoint == "responses":
        body["input"] = text
    else:
        body["messages"] = [{"role": "user", "content": text}]
    if endpoint == "messages":
        body["max_tokens"] = 50
    return json.dumps(body)


def ask_one(rng, address, key):
    endpoint = rng.choice(("chat/completions", "responses", "messages",
                           "embeddings", "audio/transcriptions"))
    kind = (f"multipart/form-data; boundary={BOUNDARY}"
            if endpoint == "audio/transcriptions" else "application/json")
    model = f"m{rng.randrange(50)}"
    hang_up = rng.random() < 0.1
    connection = http.client.HTTPConnection(*address, timeout=60)
    try:
        connection.request("POST", f"/v1/{endpoint}",
                           make_body(rng, endpoint, model),
                           {"Authorization": f"Bearer {key}",
                            "Content-Type": kind})
        if hang_up:
            time.sleep(rng.random() * 0.6)
            return
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()


def ask(seed, base, key, seconds):
    host, port = base.split("//")[1].split(":")
    begin = time.monotonic()
    asked = [0] * 8

    def goes_on():
        """Longer, while there were too few to tell anything."""
        passed = time.monotonic() - begin
        return passed < seconds or (sum(asked) < 60 and passed < 8 * seconds)

    def client(number):
        rng = random.Random(seed * 100 + number)
        while goes_on():
            ask_one(rng, (host, int(port)), key)
            asked[number] += 1

    threads = [threading.Thread(target=client, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# --- The judgement -----------------------------------------------------------

SUMMED = ("bytes_sent", "input", "cached", "cache_write", "output",
          "reasoning", "characters", "audio_ms")


def check_sums(line, say):
    tries = line.get("tries", [])
    for name in SUMMED:
        if line.get(name, 0) != sum(t.get(name, 0) for t in tries):
            say(f"{line['id']}: {name} is not the sum of its tries")
    costs = [t["cost_nanousd"] for t in tries
             if t.get("sent") and t["cost_nanousd"] is not None]
    if line["cost_nanousd"] != (sum(costs) if costs else None):
        say(f"{line['id']}: cost_nanousd is not the sum of its tries")
    sent = [t for t in tries if t.get("sent")]
    if line.get("sent", False) != bool(sent) or \
            line.get("external", False) != any(
                t["place"] == "external" for t in sent):
        say(f"{line['id']}: sent, external: {line}")
    for t in tries:
        if not t.get("sent") and any(n in t for n in SUMMED):
            say(f"{line['id']}: a try that was not sent used something")
        if t["outcome"] == "timeout" and t.get("bytes_sent") and \
                t.get("usage") == "none":
            say(f"{line['id']}: a timeout that may be billed used nothing")


def judge(where, ledger):
    bad = []
    with open(where + "/received") as f:
        received = json.load(f)
    with open(where + "/chain.json") as f:
        faults = {name: fault for _, chain in json.load(f)
                  for name, fault, _, _ in chain}
    sent, loose, outside, tries = {}, set(), 0, 0
    with open(ledger) as f:
        lines = [json.loads(line) for line in f]
    for line in lines:
        check_sums(line, bad.append)
        for t in line.get("tries", []):
            tries += 1
            name = t["provider"]
            sent[name] = sent.get(name, 0) + t.get("bytes_sent", 0)
            if t["place"] == "external":
                outside += t.get("bytes_sent", 0)
            # We reset such a connection: what was under way is lost.  (On a
            # machine that has no time for the stubs, good ones are late, too.)
            if t["outcome"] in ("gone", "timeout") or line.get("client_gone"):
                loose.add(name)
    for name, fault in faults.items():
        ours, theirs = sent.get(name, 0), received.get(name, 0)
        if fault == "refuse":
            fine = ours == 0
        elif fault in PART or name in loose:
            fine = theirs <= ours
        else:
            fine = theirs == ours
        if not fine:
            bad.append(f"{name} ({fault}) received {theirs} bytes, the "
                       f"ledger says {ours}")
    if len(lines) < 20 or not any("tries" in x and len(x["tries"]) > 2
                                  for x in lines):
        bad.append(f"{len(lines)} requests are too few to tell")
    for what in bad[:20]:
        print("#", what)
    print(f"# {len(lines)} requests, {tries} tries, "
          f"{sum(sent.values())} bytes, {outside} of them outside")
    with open(where + "/outside", "w") as f:
        f.write(str(outside))
    return 1 if bad else 0


def main(argv):
    command = argv[1]
    if command == "stub":
        stub(argv[2])
    elif command == "config":
        config(int(argv[2]), argv[3])
        with open(argv[3] + "/chain.json", "w") as f:
            json.dump(list(chains(int(argv[2]))), f)
    elif command == "ask":
        ask(int(argv[2]), argv[4], argv[5], float(argv[6]))
    elif command == "judge":
        return judge(argv[2], argv[3])
    return 0


sys.exit(main(sys.argv))

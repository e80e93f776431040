# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Plays the exchanges of tests/exchange.cases; started by tests/cases.sh.
#
#	cases.py serve FILE DIR		the upstream; its port goes to DIR/port
#	cases.py config FILE DIR	providers and models for a configuration
#	cases.py play FILE DIR BASE KEY	asks, and prints lines for lib.sh's `take`
#
# The beginning of the file describes its form.
import concurrent.futures
import http.client
import http.server
import json
import os
import re
import sys
import time

PROVIDER = 'endpoints = [ "chat" ]; circuit = { failures = 0; };'


# --- The file ---------------------------------------------------------------

class Case:
    def __init__(self, number, title):
        self.id, self.title = "c%02d" % number, title
        self.provider, self.target, self.model = PROVIDER, "", ""
        self.then_echo = self.dead = False
        self.method, self.path, self.headers = "GET", "/", {}
        self.body, self.status, self.type = None, 200, None
        self.reply, self.wants = [], []


def filled(text, case):
    """@WORD*N@ is the word N times, @ alone the case's model."""
    text = re.sub(r"@([^@]+)\*(\d+)@", lambda m: m[1] * int(m[2]), text)
    return text.replace('"@"', '"%s"' % case.id)


def read_setting(case, word, rest):
    """A line that says how the case is asked or set up."""
    if word in ("provider", "target", "model"):
        setattr(case, word, rest)
    elif word == "then-echo":
        case.then_echo = True
    elif word == "refuses":
        case.dead = True
    elif word == "ask":
        case.method, case.path = rest.split(" ", 1)
    elif word == "header" and ": " in rest:
        name, value = rest.split(": ", 1)
        case.headers[name] = value
    elif word == "body":
        case.body = filled(rest, case).encode()
    elif word == "reply":
        status, _, case.type = rest.partition(" ")
        case.status = int(status)
    else:
        return False
    return True


def read_cases(path):
    cases, in_reply = [], False
    with open(path, encoding="utf-8") as f:
        for line in f.read().split("\n"):
            if in_reply and line == ".":
                in_reply = False
            elif in_reply:
                cases[-1].reply.append(line)
            elif line.strip() and not line.startswith("#"):
                word, _, rest = line.partition(" ")
                if word == "case":
                    cases.append(Case(len(cases) + 1, rest))
                elif not read_setting(cases[-1], word, rest):
                    cases[-1].wants.append((word, rest))
                in_reply = word == "reply"
    return cases


# --- The upstream -----------------------------------------------------------

def chunk(delta, finish):
    return 'data: {"choices":[{"index":0,"delta":%s,"finish_reason":%s}]}\n\n' \
        % (delta, finish)


def pieces(case):
    """What is sent, and floats: seconds to wait."""
    out = ""
    for line in case.reply:
        line = filled(line, case)
        if line.startswith("#sleep "):
            yield out.encode()
            yield float(line[7:])
            out = ""
        elif line.startswith("+ "):
            out += chunk(line[2:], "null")
        elif line.startswith("= "):
            out += chunk("{}", '"%s"' % line[2:])
        else:
            out += line + "\n"
    yield out.encode()


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        case = cases[self.path.split("/")[1]]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open("%s/%s.asked" % (where, case.id), "wb") as f:
            f.write(body)
        self.send_response(case.status)
        if case.type:
            self.send_header("Content-Type", case.type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces(case):
            if isinstance(piece, float):
                time.sleep(piece)
            elif piece:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    with open(where + "/port.new", "w", encoding="utf-8") as f:
        f.write(str(server.server_address[1]))
    os.rename(where + "/port.new", where + "/port")
    server.serve_forever()


# --- The configuration ------------------------------------------------------

def config(port):
    providers = ['{ name = "echo"; kind = "echo"; place = "local"; }']
    models = ['{ id = "pattern/*"; targets = ( { provider = "echo"; '
              'model = "*"; } ); }']
    for c in cases.values():
        at = 1 if c.dead else port # where nobody listens
        providers.append('{ name = "%s"; place = "local"; url = '
                         '"http://127.0.0.1:%d/%s/v1"; %s }' %
                         (c.id, at, c.id, c.provider))
        more = ', { provider = "echo"; model = "echo"; }'
        models.append('{ id = "%s"; %s targets = ( { provider = "%s"; '
                      'model = "m"; usage = "ask"; %s }%s ); }' %
                      (c.id, c.model, c.id, c.target,
                       more if c.then_echo else ""))
    print("providers = ( %s );\nmodels = ( %s );" %
          (",\n".join(providers), ",\n".join(models)))


# --- What the client makes of its response ------------------------------------

def events(text):
    for block in re.split(r"\n\n", text.replace("\r\n", "\n")):
        data = [x[5:].removeprefix(" ") for x in block.split("\n")
                if x.startswith("data:")]
        if data and data[0].strip() != "[DONE]":
            yield json.loads("\n".join(data))


class Read:
    """text, thought, calls, end and error of a response of any API."""

    def __init__(self, text, kind):
        self.text, self.thought, self.calls = "", "", []
        self.end, self.error, self.usage = "", "", None
        if kind.startswith("text/event-stream"):
            parts = {}
            for e in events(text):
                self.event(e, parts)
            self.calls += [p for _, p in sorted(parts.items())]
        elif text.startswith("{"):
            self.whole(json.loads(text))

    def failed(self, error):
        error = error if isinstance(error, dict) else {"message": error}
        self.error = "%s: %s" % (error.get("code") or error.get("type"),
                                 error.get("message"))

    def whole(self, o):
        if o.get("error"):
            self.failed(o["error"])
        for c in o.get("choices", []):
            self.chat(c.get("message") or {})
            self.end = c.get("finish_reason")
        for b in o.get("content", []):
            self.block(b)
        for i in o.get("output", []):
            self.item(i)
        self.end = o.get("stop_reason") or o.get("status") or self.end
        self.usage = o.get("usage")

    def chat(self, m):
        self.text += m.get("content") or ""
        self.thought += m.get("reasoning_content") or ""
        for t in m.get("tool_calls") or []:
            f = t["function"]
            self.calls.append([f["name"], f["arguments"]])

    def block(self, b):
        self.text += b.get("text", "")
        self.thought += b.get("thinking", "")
        if b["type"] == "tool_use":
            self.calls.append([b["name"], json.dumps(b["input"])])

    def item(self, i):
        for p in i.get("content") or []:
            self.text += p.get("text") or p.get("refusal") or ""
        for p in i.get("summary") or []:
            self.thought += p["text"]
        self.call(i)

    def call(self, i):
        if i["type"].endswith("_call"):
            name = i.get("namespace", "") + i.get("name", i["type"])
            self.calls.append([name, i.get("arguments", i.get("input"))])

    def event(self, e, parts):
        kind = e.get("type", "")
        if e.get("error") and (kind in ("", "error")):
            self.failed(e["error"])
        for c in e.get("choices", []):
            self.text += c["delta"].get("content") or ""
            self.end = c.get("finish_reason") or self.end
        if kind == "content_block_start" and \
                e["content_block"]["type"] == "tool_use":
            parts[e["index"]] = [e["content_block"]["name"], ""]
        elif kind == "content_block_delta":
            d = e["delta"]
            self.text += d.get("text", "")
            self.thought += d.get("thinking", "")
            if "partial_json" in d:
                parts[e["index"]][1] += d["partial_json"]
        elif kind == "message_delta":
            self.end, self.usage = e["delta"]["stop_reason"], e["usage"]
        elif kind in ("response.output_text.delta", "response.refusal.delta"):
            self.text += e["delta"]
        elif kind == "response.reasoning_summary_text.delta":
            self.thought += e["delta"]
        elif kind == "response.output_item.done":
            self.call(e["item"])
        elif kind in ("response.completed", "response.incomplete",
                      "response.failed"):
            self.end = e["response"]["status"]
            self.usage = e["response"].get("usage")


# --- Asking and judging -------------------------------------------------------

class Got:
    def __init__(self, case, address, key):
        c = http.client.HTTPConnection(address, timeout=60)
        head = {"Authorization": "Bearer " + key}
        if case.body is not None:
            head["Content-Type"] = "application/json"
        c.request(case.method, case.path, case.body, {**head, **case.headers})
        r = c.getresponse()
        self.status, self.headers = r.status, r.headers
        self.raw = r.read().decode("utf-8")
        self.read = Read(self.raw, r.headers.get("Content-Type", ""))
        c.close()
        try:
            with open("%s/%s.asked" % (where, case.id), "rb") as f:
                self.asked = f.read().decode("utf-8")
        except OSError:
            self.asked = ""


def as_written(text):
    """JSON whose numbers are what was written."""
    return json.loads(text, parse_int=lambda s: "n" + s,
                      parse_float=lambda s: "n" + s)


def member(path, value):
    for step in [s for s in path.split(".") if s]:
        if isinstance(value, list):
            value = value[int(step)]
        else:
            value = value[step] if step in value else "absent"
    return value


def of_ledger(case, name):
    with open(where + "/state/ledger.jsonl", encoding="utf-8") as f:
        lines = [json.loads(x) for x in f if '"%s"' % case.id in x]
    if name == "outcomes":
        return ",".join(t["outcome"] for t in lines[-1]["tries"])
    return str(lines[-1].get(name))


def judge(case, got, word, rest):
    """None, or what is wrong."""
    name, _, value = rest.partition(" ")
    if word in ("text", "thought", "end"):
        seen, want = getattr(got.read, word), filled(rest, case)
    elif word == "call":
        seen = got.read.calls.pop(0) if got.read.calls else "no more calls"
        want = [name, value]
        if seen[0] == name and value == "{}":
            want[1] = seen[1] if seen[1] in ("", "{}") else want[1]
    elif word == "no-more-calls":
        seen, want = got.read.calls, []
    elif word == "status":
        seen, want = str(got.status), rest
    elif word == "usage":
        seen, want = str(got.read.usage.get(name)), value
    elif word == "header":
        seen, want = got.headers.get(name, "-"), value
    elif word == "asked":
        seen = member(name, as_written(got.asked)) if got.asked else "nothing"
        want = "absent" if value == "-" else as_written(value)
    elif word == "ledger":
        seen, want = of_ledger(case, name), value
    elif word in ("error", "has", "has-not", "asked-has"):
        where_ = {"error": got.read.error, "asked-has": got.asked}.get(
            word, got.raw)
        rest = filled(rest, case).replace("\\n", "\n")
        held = rest in where_
        return None if held != (word == "has-not") else \
            "%s %s: %s" % (word, rest, where_[:600])
    else:
        return "no such word: " + word
    return None if seen == want else "%s: got %r, want %r" % (
        word, seen, want)


def play(address, key):
    def ask(case):
        try:
            return Got(case, address, key)
        except Exception as e: # whatever it is, it is this case's failure
            return e
    both = []
    for has_body in (True, False): # what only looks comes after the rest
        some = [c for c in cases.values() if (c.body is not None) == has_body]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            both += zip(some, pool.map(ask, some))
    for _ in range(200): # the ledger's lines come after the responses
        with open(where + "/state/ledger.jsonl", encoding="utf-8") as f:
            text = f.read()
        if all('"%s"' % c.id in text for c in cases.values()
               if any(w == "ledger" for w, _ in c.wants)):
            break
        time.sleep(0.05)
    for case, got in both:
        wrong = [repr(got)] if isinstance(got, Exception) else [
            w for w in (judge(case, got, *want) for want in case.wants) if w]
        print("%sok %s" % ("not " if wrong else "", case.title))
        for line in wrong:
            print("# " + line.replace("\n", "\\n"))
    print("done")


mode, source, where = sys.argv[1:4]
cases = {c.id: c for c in read_cases(source)}
if mode == "serve":
    serve()
elif mode == "config":
    with open(where + "/port", encoding="utf-8") as port_file:
        config(int(port_file.read()))
else:
    play(sys.argv[4], sys.argv[5])

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Random states of a gateway: in each, what `tailgate explain` says of a request
# is compared with what the gateway does (tests/explain_states.sh).
#
#   explain_states.py config SEED URL    prints limits, providers, models and
#                                        clients, all with random bounds
#   explain_states.py play SEED COUNT BASE STUB COMMAND...
#                                        walks through COUNT states; COMMAND is
#                                        `tailgate -f FILE`; 0: no difference
#   explain_states.py account SEED COMMAND...
#                                        prints what is said without a gateway

import hashlib
import http.client
import json
import random
import subprocess
import sys
import threading
import time

CLIENTS = 10
MODELS = ("plain", "priced", "cheap", "one", "line", "both", "away", "small",
          "ruled", "ruled", "guarded")


def key_of(i):
    return "tg-" + hashlib.sha256(b"client %d" % i).hexdigest()[:43]


# --- The configuration -------------------------------------------------------

def budget(r, chance):
    bounds = []
    for name, values in (
            ("usd_per_day", (0.0002, 0.001, 0.01)),
            ("usd_per_month", (0.0003, 0.002, 0.02)),
            ("requests_per_minute", (1, 3, 8, 40)),
            ("tokens_per_minute", (60, 300, 2000)),
            ("tokens_per_day", (80, 500, 4000)),
            ("concurrent", (1, 2, 4))):
        if r.random() < chance:
            bounds.append(f"{name} = {r.choice(values)};")
    return f"budget = {{ {' '.join(bounds)} }};" if bounds else ""


def client(r, i):
    now = time.time()
    expires = r.choice(("",) * 8 + (now - 86400, now + 2, now + 86400))
    more = budget(r, 0.35)
    if expires:
        more += " expires = \"%s\";" % time.strftime(
            "%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires))
    if r.random() < 0.15:
        more += " endpoints = [ \"chat\" ];"
    if r.random() < 0.15:
        more += " models = [ \"p*\", \"both\" ];"
    place = r.choice(("local", "external", "external"))
    digest = hashlib.sha256(key_of(i).encode()).hexdigest()
    return (f"{{ name = \"c{i}\"; key_sha256 = \"{digest}\"; explain = true;"
            f" operator = true; place = \"{place}\"; {more} }}")


def print_config(seed, url):
    r = random.Random(seed)
    price = "price = { input = 1.0; output = 2.0; };"
    free = "circuit = { failures = 0; };"
    targets = {
        "plain": [("den", "n=7", "")],
        "priced": [("cloud", "n=7", price)],
        "cheap": [("cloud", "n=3", "price = { input = 0.1; };")],
        "one": [("one", "n=5", "")],
        "line": [("line", "n=5", "")],
        "both": [("one", "n=5", ""), ("cloud", "n=7", price)],
        "away": [("cloud", "n=3", "")],
        "small": [("den", "n=3", "context = 200;")],
        "guarded": [("den", "n=5", "")],
        "ruled": [
            ("den", "n=2", "when = { max_tokens_in = 40; tools = false; "
             "images = false; endpoint = [ \"chat\" ]; };"),
            ("den", "n=3", "when = { thinking = true; };"),
            ("cloud", "n=4", "when = { header = { name = \"X-Task\"; "
             "value = \"b*g\"; }; };" + price),
            ("cloud", "n=6", "when = { images = true; };"),
            ("den", "n=8", "when = { tools = true; };"),
            ("den", "n=9", "")],
    }
    rules = {"guarded": "when = { max_tokens_in = 60; tools = false; };"}
    models = []
    for name in dict.fromkeys(MODELS):
        listed = ", ".join(
            f"{{ provider = \"{p}\"; model = \"{m}\"; {more} }}"
            for p, m, more in targets[name])
        models.append(
            f"{{ id = \"{name}\"; place = \"external\"; "
            f"fallback = [ \"busy\" ]; targets = ( {listed} ); "
            f"{rules.get(name, '')} {budget(r, 0.15)} }}")
    # Requests that hold slots and budgets until the stub releases them.
    for name in ("den", "one", "line", "cloud"):
        models.append(
            f"{{ id = \"hold-{name}\"; place = \"external\"; targets = ( "
            f"{{ provider = \"{name}\"; model = \"stall-head\"; }} ); }}")
    clients = [client(r, i) for i in range(CLIENTS)]
    chief = hashlib.sha256(key_of(99).encode()).hexdigest()
    clients.append(f"{{ name = \"chief\"; key_sha256 = \"{chief}\"; "
                   "operator = true; place = \"external\"; }")
    endpoints = "endpoints = [ \"chat\", \"embeddings\", \"responses\" ];"
    print("limits = ( { name = \"one\"; slots = 1; queue = 0; wait = 1; },\n"
          "  { name = \"line\"; slots = 1; queue = 1; wait = 60; } );\n"
          "providers = (\n"
          + ",\n".join(
              f"  {{ name = \"{name}\"; place = \"{place}\"; "
              f"url = \"{url}\"; {endpoints} {free} {more} }}"
              for name, place, more in (
                  ("den", "local", ""), ("one", "local", "limit = \"one\";"),
                  ("line", "local", "limit = \"line\";"),
                  ("cloud", "external", "")))
          + "\n);\nmodels = (\n  " + ",\n  ".join(models)
          + "\n);\nclients = (\n  " + ",\n  ".join(clients) + "\n);")


# --- The gateway -------------------------------------------------------------

class Gateway:
    def __init__(self, base, stub):
        self.host, self.stub = base.split("//")[1], stub.split("//")[1]
        self.holds = []

    def ask(self, host, method, path, body, headers):
        connection = http.client.HTTPConnection(host, timeout=120)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, data

    def send(self, who, path, body, **headers):
        headers["Authorization"] = f"Bearer {key_of(who)}"
        headers["Content-Type"] = "application/json"
        return self.ask(self.host, "POST", path, body, headers)

    def tell(self, what):
        return self.ask(self.stub, "GET", f"/_{what}", None, {})[1]

    def in_flight(self):
        return json.loads(self.tell("stats"))["in_flight"]

    # The account of all others is complete when no other request is open.
    def settle(self):
        while True:
            self.holds = [h for h in self.holds if h.is_alive()]
            text = self.ask(self.host, "GET", "/metrics", None, {
                "Authorization": f"Bearer {key_of(99)}"})[1].decode()
            busy = [line.split()[1] for line in text.split("\n")
                    if line.startswith("tailgate_requests_open ")]
            if busy == [str(1 + len(self.holds))]:
                return
            time.sleep(0.002)

    # One more request that stays: at the stub, or in a queue.
    def hold(self, who, provider):
        body = json.dumps({"model": f"hold-{provider}", "max_tokens": 9,
                           "messages": [{"role": "user", "content": "x"}]})
        thread = threading.Thread(target=self.send, args=(
            who, "/v1/chat/completions", body))
        before = self.in_flight(), self.queued()
        thread.start()
        while thread.is_alive() and \
                (self.in_flight(), self.queued()) == before:
            time.sleep(0.002)
        self.holds.append(thread)

    def queued(self):
        data = self.ask(self.host, "GET", "/tailgate/status.json", None, {
            "Authorization": f"Bearer {key_of(99)}"})[1]
        return sum(row["queued"] for row in json.loads(data)["limits"])

    def release(self):
        while any(h.is_alive() for h in self.holds):
            self.tell("release")
            time.sleep(0.005)
        self.holds = []
        self.tell("reset")


# --- The two results ---------------------------------------------------------

def random_request(r):
    model = r.choice(MODELS)
    if r.random() < 0.04:
        model = "nobody"
    text = "word " * r.choice((1, 1, 5, 60, 300))
    endpoint = r.choice(("chat", "chat", "chat", "responses", "embeddings"))
    if endpoint == "embeddings":
        return endpoint, "/v1/embeddings", {"model": model, "input": text}
    if endpoint == "responses":
        return endpoint, "/v1/responses", {
            "model": model, "input": text,
            "max_output_tokens": r.choice((5, 50, 500))}
    said = {
        "model": model, "max_tokens": r.choice((1, 5, 50, 500)),
        "messages": [{"role": "user", "content": text}]}
    if r.random() < 0.25:
        said["tools"] = [{"type": "function", "function": {"name": "f"}}]
    if r.random() < 0.25:
        said["reasoning_effort"] = r.choice(("none", "low", None))
    if r.random() < 0.15:
        said["messages"][0]["content"] = [
            {"type": "text", "text": text}, {"type": "image_url", "image_url":
             {"url": "data:image/png;base64,iVBORw0KGgo="}}]
    return endpoint, "/v1/chat/completions", said


# (status, code, message) or None; what it says of when to come back; all.
def explain(command, who, endpoint, body, headers=None):
    lines = [f"--header={name}: {value}"
             for name, value in (headers or {}).items()]
    done = subprocess.run(
        command + ["explain", "--json", "--client", f"c{who}", "--endpoint",
                   endpoint, *lines, "-"], input=body.encode(), capture_output=True,
        check=False)
    try:
        said = json.loads(done.stdout)
    except ValueError:
        sys.exit(f"explain said {done.stdout!r}, {done.stderr!r}")
    if done.stderr:
        sys.exit(f"explain complained: {done.stderr.decode()}")
    refused = said["refused"]
    if (done.returncode == 1) != (refused is not None):
        sys.exit(f"exit status {done.returncode} with {refused}")
    if refused is None:
        return None, 0, said
    return ((refused["status"], refused["code"], refused["message"]),
            refused["retry_after_ms"], said)


def answer(status, data):
    if status == 200:
        return None
    error = json.loads(data)["error"]
    return status, error["code"], error["message"]


def fate(candidate):
    return [candidate[k] for k in ("provider", "model", "verdict")]


# The target that served it is the first that explain called in; the stub gives
# its name.
def check_target(said, data):
    model = json.loads(data).get("model")
    return model in (None, next(
        c["model"] for c in said["candidates"] if c["verdict"] == "in"))


# The gateway's own explanation is the command's, as it was before or as it is
# now: meanwhile a second may have ended, and with it what counts for a minute.
def check_own(gateway, who, path, body, said, headers, again):
    status, data = gateway.send(
        who, path, body, **{"X-Tailgate-Explain": "1"}, **headers)
    if status != 200:
        return True  # refused before there is a plan: compared below
    own = json.loads(data)
    return explains_as(said, own) or explains_as(again(), own)


def explains_as(said, own):
    same = all(
        [b["of"], b["bound"], b["limit"], b["used"], b["held"]]
        == [o["of"], o["bound"], o["limit"], o["used"], o["held"]]
        for b, o in zip(said["budgets"], own["budgets"]))
    same = same and [fate(c) for c in said["candidates"]] == [
        fate(c) for c in own["candidates"]]
    keys = ("status", "code", "message")
    if said["refused"] and own["refused"]:
        same = same and all(
            said["refused"][k] == own["refused"][k] for k in keys)
    return same and len(said["budgets"]) == len(own["budgets"]) and (
        (said["refused"] is None) == (own["refused"] is None))


def change(r, gateway):
    if gateway.holds and (len(gateway.holds) > 5 or r.random() < 0.15):
        gateway.release()
    elif r.random() < 0.3:
        gateway.hold(r.choice((99, r.randrange(CLIENTS))),
                     r.choice(("den", "one", "line", "line", "cloud")))


# A place in the queue is free, so the request would wait: a state in which
# there is nothing to compare.
def would_wait(said, gateway):
    rows = [c for c in said["candidates"] if c["verdict"] == "in"
            and c["admission"] is None and c["limit"] is not None]
    return gateway.holds and any(
        c["limit"]["name"] == "line" and c["limit"]["used"] > 0
        for c in rows[:1])


def play(seed, count, base, stub, command):
    r = random.Random(seed)
    gateway = Gateway(base, stub)
    codes, moved, done = {}, 0, 0
    while done < count:
        change(r, gateway)
        gateway.settle()
        who = r.randrange(CLIENTS)
        endpoint, path, fields = random_request(r)
        body = json.dumps(fields)
        headers = r.choice(({}, {}, {"X-Task": "big"}, {"X-Task": "bag"},
                            {"X-Task": "small"}))
        begun = time.monotonic()

        def now():
            return explain(command, who, endpoint, body, headers)

        said, retry_ms, whole = now()
        if said is None and would_wait(whole, gateway):
            continue
        if r.random() < 0.2 and not check_own(
                gateway, who, path, body, whole, headers, lambda: now()[2]):
            return f"state {done}: the gateway explains another thing"
        gateway.settle()
        status, data = gateway.send(who, path, body, **headers)
        got = answer(status, data)
        took_ms = (time.monotonic() - begun) * 1000
        gateway.settle()
        done += 1
        codes[got[1] if got else "ok"] = codes.get(
            got[1] if got else "ok", 0) + 1
        if said == got:
            if fields["model"] == "ruled" and not got and not check_target(
                    whole, data):
                return f"state {done} of seed {seed}: another target answered"
            continue
        # Between the two a second has passed, or a client's last one.  That is
        # rare, unless the machine let more than a second pass there.
        again = now()[0] if got else None
        if (got and again == got) or (
                said and not got and retry_ms < 1500 + took_ms):
            moved += took_ms < 1000
            continue
        gateway.release()
        return (f"state {done} of seed {seed}: client c{who}, {endpoint}, "
                f"{fields['model']}\n  explain: {said}\n  gateway: {got}")
    gateway.release()
    gateway.settle()
    print(done, "states:", ", ".join(
        f"{n} {code}" for code, n in sorted(codes.items())))
    return f"{moved} differences by time" if moved > count / 50 + 1 else None


# The lasting state, of each client for each model: money and tokens of a day
# and a month.  The rest changes at once.
def account(seed, command):
    r = random.Random(seed)
    for who in range(CLIENTS):
        for model in r.sample(MODELS, 2):
            body = json.dumps({"model": model, "max_tokens": r.choice(
                (1, 50)), "messages": [{"role": "user", "content": "x"}]})
            said = explain(command, who, "chat", body)[2]
            for b in said["budgets"]:
                if "minute" not in b["bound"]:
                    print(who, model, b["of"], b["bound"], b["limit"],
                          b["used"], b["held"], b["left"])


def main():
    what, seed = sys.argv[1], int(sys.argv[2])
    if what == "config":
        print_config(seed, sys.argv[3])
    elif what == "account":
        account(seed, sys.argv[3:])
    else:
        wrong = play(seed, int(sys.argv[3]), sys.argv[4], sys.argv[5],
                     sys.argv[6:])
        if wrong:
            sys.exit(wrong)


main()

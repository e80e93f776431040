# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Ledgers of three gateways, chained as tailgate.ledger(5) says, and the results
# of the ten questions of contrib/ledger.
#
#   ledgers.py make DIR [LINES]    DIR/NAME.jsonl for each gateway
#   ledgers.py ask N FILE...       the answer to question N, as CSV
#   ledgers.py same A B            0: two such answers agree

import collections
import csv
import hashlib
import io
import json
import random
import sys

GATEWAYS = ("front-1", "front-2", "gpu.home")
CLIENTS = ("anna", "bob", "agent.7")
PRICES = {"cloud": 420, "other": 0}


# --- The ledgers ----------------------------------------------------------------

class Ledger:
    def __init__(self, gateway):
        self.gateway, self.n, self.prev = gateway, 0, "0" * 32
        self.lines = []

    def add(self, **members):
        self.n += 1
        members = dict({"v": 2}, **members)
        members.update(gateway=self.gateway, n=self.n, prev=self.prev)
        line = json.dumps(members, separators=(",", ":"), ensure_ascii=False)
        self.prev = hashlib.sha256(line.encode()).hexdigest()[:32]
        self.lines.append(line)


def when(minute):
    day, minute = divmod(minute, 1440)
    month, day = divmod(day, 28)
    return "2026-%02d-%02dT%02d:%02d:00.%03dZ" % (
        10 + month, day + 1, minute // 60, minute % 60, minute % 1000)


def a_try(rand, provider, place, host, outcome, at):
    t = {"provider": provider, "upstream_model": "m", "place": place,
         "host": host}
    if place == "external":
        t["allowed_by"] = "client anna, model chat"
    t["outcome"] = outcome
    if outcome not in ("busy", "unavailable"):
        ok = outcome == "ok"
        t.update(sent=True, bytes_sent=rand.randrange(100, 9000),
                 usage=rand.choice(("reported", "reported", "estimated"))
                 if ok else "none")
        if ok:
            t["input"] = rand.randrange(10, 4000)
            t["output"] = rand.randrange(1, 900)
        t["cost_nanousd"] = (None if provider == "other" and ok else
                             t.get("output", 0) * PRICES.get(provider, 0))
        if ok:
            t["first_byte_ms"] = rand.randrange(1, 5000)
    t["at_ms"] = at
    if place == "local":
        t["queue_ms"] = rand.randrange(0, 2000)
    t["ms"] = rand.randrange(1, 9000)
    return t


def request(ledger, minute, ident, client, tries, status=200, refusal=None,
            fallback=None):
    sent = [t for t in tries if t.get("sent")]
    costs = [t["cost_nanousd"] for t in sent if t["cost_nanousd"] is not None]
    words = {t["usage"] for t in sent} - {"none"}
    waits = [t["queue_ms"] for t in tries if "queue_ms" in t]
    line = {"time": when(minute), "id": ident, "client": client,
            "endpoint": "chat", "model": "chat", "route": "chat",
            "provider": tries[-1]["provider"] if tries else None,
            "place": tries[-1]["place"] if tries else None}
    if sent:
        line["sent"] = True
    if any(t["place"] == "external" for t in sent):
        line["external"] = True
    if tries:
        line["tries"] = tries
    if fallback:
        line["fallback"] = fallback
    line["status"] = status
    if refusal:
        line["refusal"] = refusal
    line.update(bytes_in=10, bytes_out=20)
    if sent:
        line["bytes_sent"] = sum(t["bytes_sent"] for t in sent)
    line.update(
        usage="none" if not words else
        "reported" if words == {"reported"} else "estimated",
        input=sum(t.get("input", 0) for t in sent),
        output=sum(t.get("output", 0) for t in sent),
        cost_nanousd=sum(costs) if costs else None,
        queue_ms=sum(waits) if waits else None,
        first_byte_ms=next((t["first_byte_ms"] for t in reversed(tries)
                            if "first_byte_ms" in t), None),
        total_ms=sum(t["ms"] for t in tries))
    ledger.add(**line)


def one(rand, ledgers, minute):
    ident = "req_%020x" % rand.getrandbits(80)
    client = rand.choice(CLIENTS)
    kind = rand.choice(("gpu", "gpu", "own", "cloud", "fallback", "refused",
                        "other"))
    front = ledgers[rand.randrange(2)]
    if kind == "own":
        request(ledgers[2], minute, ident, client, [
            a_try(rand, "card", "local", "127.0.0.1", "ok", 0)])
    elif kind == "refused":
        request(front, minute, ident, client, [], 403, "model_not_allowed")
    elif kind == "gpu":
        # The GPU host has it first: the front's line comes at the end.
        inner = a_try(rand, "card", "local", "127.0.0.1", "ok", 0)
        request(ledgers[2], minute, ident, front.gateway + "/" + client,
                [inner])
        request(front, minute, ident, client, [dict(
            inner, provider="gpu", host="gpu.home")])
    elif kind == "fallback":
        request(front, minute, ident, client, [
            a_try(rand, "gpu", "local", "gpu.home", "busy", 0),
            a_try(rand, "cloud", "external", "api.cloud.example", "ok", 9)],
            fallback="busy")
    else:
        request(front, minute, ident, client, [
            a_try(rand, kind, "external", "api.%s.example" % kind, "ok", 0)])


def make(directory, count):
    rand = random.Random(7)
    ledgers = [Ledger(name) for name in GATEWAYS]
    for i in range(count):
        if i % 97 == 96:
            rand.choice(ledgers).add(
                time=when(i * 90), gap=True, until=when(i * 90 + 1),
                lost=rand.randrange(1, 9), lost_external=1)
        one(rand, ledgers, i * 90)
    for ledger in ledgers:
        with open("%s/%s.jsonl" % (directory, ledger.gateway), "w",
                  encoding="utf-8") as out:
            out.write("".join(line + "\n" for line in ledger.lines))


# --- The ten questions ------------------------------------------------------------

def read(files):
    lines = {}
    for name in files:
        with open(name, encoding="utf-8") as f:
            for text in f:
                line = json.loads(text)
                lines[line["gateway"], line["n"]] = line
    return list(lines.values())


def once(lines):
    hops = {}
    for r in lines:
        if "id" in r:
            h = (r["client"] or "").count("/")
            hops[r["id"]] = min(h, hops.get(r["id"], h))
    return [r for r in lines if "id" in r and
            (r["client"] or "").count("/") == hops[r["id"]]]


def p95(values):
    """The least value that 95 of 100 do not exceed."""
    values = sorted(values)
    return values[-(-95 * len(values) // 100) - 1]


def grouped(rows):
    groups = collections.defaultdict(list)
    for key, value in rows:
        groups[key].append(value)
    return sorted(groups.items())


def tries_of(lines):
    return [t for r in lines for t in r.get("tries", [])]


def answer(number, lines):
    first = once(lines)
    every = [t for t in tries_of(lines)]
    sent = [t for t in every if t.get("sent")]
    if number == 1:
        return [(c, m, sum(v)) for (c, m), v in grouped(
            ((r["client"], r["time"][:7]), r["cost_nanousd"] or 0)
            for r in first)]
    if number == 2:
        return [(m, len(v), v.count(True)) for m, v in grouped(
            (r["time"][:7], not r.get("external", False))
            for r in first if r.get("sent"))]
    if number == 3:
        return [(p, len(v), p95(v)) for p, v in grouped(
            (t["provider"], t["first_byte_ms"]) for t in sent
            if "first_byte_ms" in t)]
    if number == 4:
        return [(c, len(v)) for c, v in grouped(
            (r.get("refusal", str(r["status"])), 1) for r in first
            if r["status"] >= 400)]
    if number == 5:
        return [(h, len(v), sum(v)) for h, v in grouped(
            (t["host"], t["bytes_sent"]) for t in sent
            if t["place"] == "external")]
    if number == 6:
        return [(p, u, len(v), sum(v)) for (p, u), v in grouped(
            ((t["provider"], t["usage"]),
             t.get("input", 0) + t.get("output", 0)) for t in sent)]
    if number == 7:
        return [(d, m, len(v), sum(v)) for (d, m), v in grouped(
            ((r["time"][:10], r["route"]), r["input"] + r["output"])
            for r in first)]
    if number == 8:
        return [(g, len(v), p95(v)) for g, v in grouped(
            (r["gateway"], r["queue_ms"]) for r in lines
            if "id" in r and r["queue_ms"] is not None)]
    if number == 9:
        return [(f, a, b, len(v)) for (f, a, b), v in grouped(
            ((r["fallback"], r["tries"][0]["provider"], r["provider"]), 1)
            for r in first if "fallback" in r)]
    return [(g, sum(a for a, _ in v), sum(b for _, b in v))
            for g, v in grouped(
                [(r["gateway"], (r["lost"], 0)) for r in lines
                 if r.get("gap")] +
                [(r["gateway"], (0, 1)) for r in lines
                 for t in r.get("tries", []) if t.get("sent") and
                 t["place"] == "external" and t["cost_nanousd"] is None])]


def rows_of(name):
    """Numbers as numbers, whatever an engine prints them as."""
    with open(name, encoding="utf-8") as f:
        rows = [row for row in csv.reader(f) if row]
    out = []
    for row in rows:
        cells = []
        for cell in row:
            try:
                cells.append("%g" % float(cell))
            except ValueError:
                cells.append(cell.strip('"'))
        out.append(tuple(cells))
    return sorted(out)


def main():
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 600)
    elif sys.argv[1] == "ask":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            answer(int(sys.argv[2]), read(sys.argv[3:])))
        sys.stdout.write(text.getvalue())
    else:
        a, b = rows_of(sys.argv[2]), rows_of(sys.argv[3])
        if a != b or not a:
            print("these differ, or are empty:", a[:20], b[:20], sep="\n")
            sys.exit(1)


if __name__ == "__main__":
    main()

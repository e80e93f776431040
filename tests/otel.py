# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
"""contrib/otel/collector.yaml, without a collector: otel.py check FILE LEDGER

and what one has made of a ledger: otel.py same OUT LEDGER (lines "ok ..." and
"not ok ..." for lib.sh).
"""
import datetime
import json
import re
import sys

import yaml

# Of OpenTelemetry's semantic conventions (registry of gen_ai, http, error, host,
# service), those that the recipe may use.
NAMES = {
    "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model",
    "gen_ai.conversation.id", "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens", "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.reasoning.output_tokens", "error.type",
    "http.response.status_code", "host.name", "service.name"}
# What each kind of operator has (pkg/stanza/docs of the collector).
OPERATORS = {
    "json_parser": {"parse_to", "parse_ints", "timestamp"},
    "remove": {"field"},
    "severity_parser": {"parse_from", "mapping"},
    "regex_parser": {"parse_from", "regex", "parse_to", "trace"},
    "add": {"field", "value"},
    "move": {"from", "to"}}
MAPPED = {"provider": "gen_ai.provider.name", "model": "gen_ai.request.model",
          "session": "gen_ai.conversation.id",
          "input": "gen_ai.usage.input_tokens",
          "output": "gen_ai.usage.output_tokens",
          "cached": "gen_ai.usage.cache_read.input_tokens",
          "cache_write": "gen_ai.usage.cache_creation.input_tokens",
          "reasoning": "gen_ai.usage.reasoning.output_tokens",
          "refusal": "error.type", "status": "http.response.status_code"}


def ok(good, what, detail=""):
    print(("ok " if good else "not ok ") + what)
    if not good:
        print("# %s" % (detail,))


def lines_of(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


def check(path, ledger, members):
    with open(path) as f:
        conf = yaml.safe_load(f)
    operators = conf["receivers"]["filelog"]["operators"]
    wrong = [o for o in operators
             if set(o) - {"type", "if"} != OPERATORS.get(o["type"])]
    ok(not wrong, "each operator has what its kind has", wrong)
    with open(path) as f:
        text = f.read()
    used = set(re.findall(r'(?:attributes|resource)\["([^"]+)"\]', text))
    ok(used == NAMES, "the names are the conventions'", used ^ NAMES)
    read = set(re.findall(r"attributes\.tailgate\.(\w+)", text)) - {"context"}
    with open(members) as f:
        known = set(re.findall(r'\{ "(\w+)", ', f.read())) | {"gateway"}
    ok(read <= known, "each member that is read is one of the ledger's",
       read - known)
    moves = {o["from"].split(".")[-1]: re.search(r'"(.*)"', o["to"])[1]
             for o in operators if o["type"] == "move"}
    moves.pop("gateway")
    ok(moves == MAPPED, "and has its name", moves)
    layout = operators[0]["timestamp"]["layout"]
    # Z07:00 is an offset, or Z.
    shape = re.sub(r"\d", "9", layout.replace("Z07:00", "Z"))
    times = {re.sub(r"\d", "9", line["time"]) for line in lines_of(ledger)}
    ok(times == {shape}, "the time has the layout of the ledger's", times)
    pipeline = conf["service"]["pipelines"]["logs"]
    ok(pipeline == {"receivers": ["filelog"], "exporters": ["file"]} and
       set(conf) == {"receivers", "exporters", "service"}, "one pipeline")


def plain(value):
    if not value:
        return None
    kind, v = next(iter(value.items()))
    if kind == "intValue":
        return int(v)
    if kind == "kvlistValue":
        return {m["key"]: plain(m["value"]) for m in v.get("values", [])}
    if kind == "arrayValue":
        return [plain(m) for m in v.get("values", [])]
    return v


def nanoseconds(text):
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round(at.timestamp() * 1000) * 1000000


def records(out):
    for line in lines_of(out):
        for resource in line["resourceLogs"]:
            about = {a["key"]: plain(a["value"])
                     for a in resource["resource"].get("attributes", [])}
            for scope in resource["scopeLogs"]:
                for record in scope["logRecords"]:
                    yield about, record, {
                        a["key"]: plain(a["value"])
                        for a in record.get("attributes", [])}


def same(out, ledger):
    lines = {line["id"]: line for line in lines_of(ledger) if "id" in line}
    made = {a["tailgate"]["id"]: (about, record, a)
            for about, record, a in records(out)}
    ok(set(made) == set(lines), "each line is a record", len(made))
    wrong = []
    for key, line in lines.items():
        about, record, a = made[key]
        for member, name in MAPPED.items():
            if line.get(member) is not None and a.get(name) != line[member]:
                wrong.append((member, line[member], a.get(name)))
        if about.get("host.name") != line["gateway"]:
            wrong.append(about)
        if int(record["timeUnixNano"]) != nanoseconds(line["time"]):
            wrong.append((record["timeUnixNano"], line["time"]))
        if line.get("trace") and line["trace"].split("-")[1:3] != [
                record.get("traceId"), record.get("spanId")]:
            wrong.append(record)
    ok(not wrong, "with the members under their names", wrong[:3])
    kinds = {a["gen_ai.operation.name"] for _, _, a in made.values()
             if "gen_ai.operation.name" in a}
    ok({"chat", "embeddings", "text_completion"} <= kinds,
       "and the kinds of requests that the conventions know", kinds)
    severities = {(r["severityText"] if "severityText" in r else "",
                   str(a["http.response.status_code"])[0])
                  for _, r, a in made.values()}
    ok(all(len(s) == 2 for s in severities), "with a severity", severities)


{"check": check, "same": same}[sys.argv[1]](*sys.argv[2:])

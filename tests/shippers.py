# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Compares contrib/ledger/vector.yaml or fluent-bit.yaml with what the shipper's
# reference documents of the plugins that the file uses, as no package of the
# shippers themselves is at hand.
#
#   shippers.py FILE
#
# Prints what is wrong, and then exits with 1.

import re
import sys
import yaml

SIZE = re.compile(r"\d+[kKMG]?$")
TEXT, WHOLE, YES = str, int, bool
# Vector 0.34 and later: names of options with their types, patterns, values, or
# options; a list: of such.
VECTOR = {"data_dir": TEXT,
    "sources": {"*": {"type": ("file",), "include": [TEXT],
        "read_from": ("beginning", "end"), "max_line_bytes": WHOLE}},
    "sinks": {"*": {"type": ("http",), "inputs": [TEXT],
        "method": ("post", "put"), "uri": re.compile("https://"),
        "auth": {"strategy": ("basic",), "user": TEXT, "password": TEXT},
        "encoding": {"codec": ("text",)},
        "framing": {"method": ("newline_delimited",)},
        "batch": {"timeout_secs": WHOLE},
        "acknowledgements": {"enabled": YES},
        "buffer": {"type": ("disk",), "max_size": WHOLE,
            "when_full": ("block", "drop_newest")}}}}
# Fluent Bit 3.2 and later.
FLUENT_BIT = {"service": {"flush": WHOLE, "storage.path": TEXT},
    "parsers": [{"name": TEXT, "format": ("json",)}],
    "pipeline": {
        "inputs": [{"name": ("tail",), "tag": TEXT, "path": TEXT,
            "read_from_head": YES, "db": TEXT, "parser": TEXT,
            "buffer_max_size": SIZE,
            "storage.type": ("filesystem", "memory")}],
        "outputs": [{"name": ("http",), "match": TEXT, "host": TEXT,
            "port": WHOLE, "tls": YES, "uri": re.compile("/"),
            "format": ("json_lines",), "json_date_key": (False,),
            "http_user": TEXT, "http_passwd": TEXT,
            "retry_limit": ("no_limits", "no_retries")}]}}
VECTOR_DISK_LEAST = 268435488
wrong = []


def say(place, text):
    wrong.append("%s: %s" % (".".join(place) or "the file", text))


def compare(value, known, place=()):
    if isinstance(known, dict):
        if not isinstance(value, dict):
            return say(place, "is no mapping")
        for name in value:
            if name in known or "*" in known:
                compare(value[name], known.get(name, known.get("*")),
                        place + (name,))
            else:
                say(place, "has no option %s" % name)
    elif isinstance(known, list):
        if not isinstance(value, list) or not value:
            return say(place, "is no list")
        for i, one in enumerate(value):
            compare(one, known[0], place + (str(i),))
    elif isinstance(known, tuple):
        if value not in known:
            say(place, "is none of %s: %r" % (known, value))
    elif isinstance(known, re.Pattern):
        if not isinstance(value, str) or not known.match(value):
            say(place, "%r" % value)
    elif type(value) is not known:
        say(place, "is no %s: %r" % (known.__name__, value))


with open(sys.argv[1]) as f:
    settings = yaml.safe_load(f.read().replace("@localstatedir@", "/var"))
if "sinks" in settings:
    compare(settings, VECTOR)
    for sink in settings["sinks"].values():
        if not set(sink["inputs"]) <= set(settings["sources"]):
            say(("sinks",), "an input is no source")
        if sink["buffer"]["max_size"] < VECTOR_DISK_LEAST:
            say(("sinks",), "a buffer that is too small for a disk")
else:
    compare(settings, FLUENT_BIT)
    parsers = [p["name"] for p in settings["parsers"]]
    for entry in settings["pipeline"]["inputs"]:
        if entry["parser"] not in parsers:
            say(("inputs",), "there is no parser %s" % entry["parser"])
        if [o["match"] for o in settings["pipeline"]["outputs"]] != \
                [entry["tag"]]:
            say(("outputs",), "match another tag")
print("\n".join(wrong))
sys.exit(1 if wrong else 0)

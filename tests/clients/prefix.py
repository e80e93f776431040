# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# usage: prefix.py DIR: the requests of a conversation, one file each in DIR, in
# their order.  Is what each tells the model a byte prefix of what the next one
# tells it?  A server renders tools and instructions first, then the messages,
# so its cache holds as far as these bytes are the same.  A mark of where to
# cache (cache_control) moves on and is no part of the prompt; Claude Code writes
# a text as a part where it marks it, and as a string later.
import json
import os
import re
import sys

MARK = re.compile(rb',"cache_control":\{[^{}]*\}|"cache_control":\{[^{}]*\},?')
PART = re.compile(
    rb'"content":\[\{"type":"text","text":("(?:[^"\\]|\\.)*")\}\]')
HEAD = (b'"tools"', b'"system"', b'"instructions"')
TURNS = (b'"messages"', b'"input"')


def spans(text, opener):
    """The raw items of an object (as name and value) or of an array."""
    decoder, text = json.JSONDecoder(), text.decode()
    at, name, out = 1, None, []
    while True:
        while text[at] in " \t\r\n,:":
            at += 1
        if text[at] in "]}":
            return out
        end = decoder.raw_decode(text, at)[1]
        raw = text[at:end].encode()
        if opener == "[":
            out.append(raw)
        elif name is None:
            name = raw
        else:
            out.append((name, raw))
            name = None
        at = end


def prompt(body):
    members = spans(body, "{")
    head = b"".join(MARK.sub(b"", value) for want in HEAD
                    for name, value in members if name == want)
    turns = [PART.sub(rb'"content":\1', MARK.sub(b"", item))
             for want in TURNS
             for name, value in members if name == want
             for item in spans(value, "[")]
    return head + b"".join(turns), len(turns)


def main():
    names = sorted(os.listdir(sys.argv[1]), key=int)
    bodies = [open(os.path.join(sys.argv[1], n), "rb").read() for n in names]
    # Titles and the like are asked for without tools, beside it.
    prompts = [prompt(b) for b in bodies if b'"tools":[{' in b]
    for (one, _), (two, _) in zip(prompts, prompts[1:]):
        if not two.startswith(one):
            at = next((i for i, (a, b) in enumerate(zip(one, two)) if a != b),
                      len(two))
            print("they part at byte %d of %d:" % (at, len(one)))
            print(one[max(0, at - 150):at + 150])
            print(two[max(0, at - 150):at + 150])
            sys.exit(1)
    print("%d requests, %d to %d messages" % (
        len(prompts), prompts[0][1], prompts[-1][1]))
    sys.exit(len(prompts) < 3 or prompts[-1][1] <= prompts[0][1] + 2)


main()

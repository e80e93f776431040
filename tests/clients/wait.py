# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
"""The OpenAI SDK reads streams with comments in them.

Run by tests/heartbeat.sh; one line per assertion, "ok TEXT" or "not ok TEXT".
"""
import os

import openai

client = openai.OpenAI(
    base_url=os.environ["BASE_URL"], api_key=os.environ["API_KEY"],
    max_retries=0)
WORDS = "tök0 tök1 tök2 "


def is_(got, want, what):
    """One assertion."""
    if got == want:
        print(f"ok {what}")
    else:
        print(f"not ok {what}\n# got {got!r}, not {want!r}")


def chat(script):
    """A chat stream."""
    return client.chat.completions.create(
        model=f"stub/{script}", stream=True,
        messages=[{"role": "user", "content": "hello"}])


is_("".join(c.choices[0].delta.content or ""
            for c in chat("delay=800,ms=500,n=3") if c.choices),
    WORDS, "openai: a chat stream with comments")
events = list(client.responses.create(
    model="stub/delay=800,ms=500,n=3", input="hello", stream=True))
is_("".join(e.delta for e in events
            if e.type == "response.output_text.delta"),
    WORDS, "openai: a Responses stream with comments")
is_(events[-1].type, "response.completed", "openai: and its last event")
with client.responses.stream(
        model="stub/delay=800,ms=500,n=3", input="hello") as stream:
    is_(stream.get_final_response().output_text, WORDS,
        "openai: the same, put together by the SDK")
try:
    list(chat("delay=800,500"))
    is_("nothing", "an error", "openai: an error after comments is raised")
except openai.APIError:
    is_("an error", "an error", "openai: an error after comments is raised")
print("done")

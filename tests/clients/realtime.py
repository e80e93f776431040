# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
"""The official OpenAI SDK's realtime.connect(), as realtime.mjs does it.

Run by tests/realtime_sdk.sh; one line per assertion, "ok TEXT" or "not ok
TEXT".  BASE_URL and API_KEY are the gateway.
"""

import asyncio
import os

from openai import AsyncOpenAI, OpenAI
from websockets.exceptions import InvalidStatus

BASE_URL = os.environ["BASE_URL"]
UPDATE = {"type": "realtime", "instructions": "Be brief. " * 99}
WANT = (["session.created", "session.updated", "response.output_text.delta",
         "response.output_text.delta", "response.done"],
        "Spoken " + "words. " * 30)


def equal(got, want, text):
    print(("ok " if got == want else "not ok ") + text, flush=True)
    if got != want:
        print(f"# got {got!r}, want {want!r}", flush=True)


def session(connect):
    """What a session says: its events' types, and the text."""
    types, text = [], ""
    with connect as connection:
        for event in connection:
            types.append(event.type)
            if event.type == "session.created":
                connection.session.update(session=UPDATE)
                connection.response.create()
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type == "response.done":
                break
    return types, text


async def async_session(connect):
    types, text = [], ""
    async with connect as connection:
        async for event in connection:
            types.append(event.type)
            if event.type == "session.created":
                await connection.session.update(session=UPDATE)
                await connection.response.create()
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type == "response.done":
                break
    return types, text


def main(key):
    client = OpenAI(base_url=BASE_URL, api_key=key)
    later = AsyncOpenAI(base_url=BASE_URL, api_key=key)
    equal(session(client.realtime.connect(model="talk")), WANT,
          "realtime.connect(): a session")
    equal(asyncio.run(async_session(later.realtime.connect(model="talk"))),
          WANT, "realtime.connect(), asynchronous: a session")
    equal(session(client.beta.realtime.connect(model="talk")), WANT,
          "beta.realtime.connect(): a session")
    equal(asyncio.run(async_session(later.beta.realtime.connect(
        model="talk"))), WANT,
        "beta.realtime.connect(), asynchronous: a session")
    try:
        wrong = OpenAI(base_url=BASE_URL, api_key="tg-wrong")
        got = session(wrong.realtime.connect(model="talk"))
    except InvalidStatus as e:
        got = e.response.status_code
    equal(got, 401, "realtime.connect(): a wrong key is refused")
    print("done")


main(os.environ["API_KEY"])

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
"""The official OpenAI SDK for Python, as sdk.mjs does it in JavaScript.

Run by tests/sdk_py.sh; one line per assertion, "ok TEXT" or "not ok TEXT".
BASE_URL and API_KEY are the gateway, STUB the stub upstream behind it, DIR a
directory to write to.
"""

import json
import os
import time
import urllib.request

import openai
from openai import OpenAI
from pydantic import BaseModel

BASE_URL = os.environ["BASE_URL"]
STUB = os.environ["STUB"]
DIR = os.environ["DIR"]
HELLO = [{"role": "user", "content": "hello"}]
WHOLE = "H\u00e9llo from the stub, \u4e16\u754c"

client = OpenAI(base_url=BASE_URL, api_key=os.environ["API_KEY"], max_retries=0)


def report(good, text, more=None):
    print(("ok " if good else "not ok ") + text, flush=True)
    if not good and more is not None:
        print("# " + str(more).replace("\n", " "), flush=True)


def equal(got, want, text):
    report(got == want, text, f"got {got!r}, want {want!r}")


def stub(what):
    with urllib.request.urlopen(f"{STUB}/_{what}", timeout=20) as answer:
        return json.load(answer)


def until(test, text):
    for _ in range(500):
        if test():
            return report(True, text)
        time.sleep(0.02)
    return report(False, text, "not within 10 s")


def part(run):
    try:
        run()
    except Exception as e:  # whatever it is, it is a failure
        report(False, f"{run.__name__}: no exception", repr(e))


def raises(kind, status, code, run, text):
    try:
        got = run()
    except openai.APIError as e:
        seen = (type(e).__name__, getattr(e, "status_code", None), e.code)
        equal(seen, (kind.__name__, status, code), text)
    else:
        report(False, text, f"no exception but {got!r}")


def chat(script, **more):
    return client.chat.completions.create(
        model=f"stub/{script}", messages=HELLO, **more
    )


class Person(BaseModel):
    name: str
    born: int


WEATHER = {"type": "object", "required": ["city"],
           "properties": {"city": {"type": "string"}}}


def test_chat():
    raw = client.chat.completions.with_raw_response.create(
        model="stub/plain", messages=HELLO
    )
    data = raw.parse()
    equal(data.choices[0].message.content, WHOLE, "chat: the answer")
    equal(data.usage.total_tokens, 16, "chat: the usage")
    equal(raw.headers.get("x-tailgate-place"), "local", "chat: x-tailgate-place")


def test_stream():
    deltas, finish, usage = [], None, None
    for chunk in chat(
        "gate,n=3", stream=True, stream_options={"include_usage": True}
    ):
        usage = chunk.usage or usage
        if not chunk.choices:
            continue
        finish = chunk.choices[0].finish_reason or finish
        if chunk.choices[0].delta.content:
            deltas.append(chunk.choices[0].delta.content)
            if len(deltas) == 1:
                equal(
                    stub("stats")["in_flight"],
                    1,
                    "stream: the first chunk is here before the second",
                )
                stub("release")
    equal(deltas, ["t\u00f6k0 ", "t\u00f6k1 ", "t\u00f6k2 "], "stream: all deltas")
    equal(finish, "stop", "stream: the finish reason")
    equal(usage and usage.total_tokens, 14, "stream: the usage")


def test_stream_helper():
    with client.chat.completions.stream(
        model="stub/n=3", messages=HELLO
    ) as stream:
        deltas = [e.delta for e in stream if e.type == "content.delta"]
    equal(deltas, ["t\u00f6k0 ", "t\u00f6k1 ", "t\u00f6k2 "],
          "stream helper: all deltas")


def test_tools():
    tools = [{"type": "function", "function": {
        "name": "weather", "parameters": WEATHER}}]
    first = client.chat.completions.create(
        model="bridged", messages=HELLO, tools=tools
    ).choices[0].message
    call = first.tool_calls[0]
    equal((call.function.name, json.loads(call.function.arguments)),
          ("weather", {"city": "x"}), "tools: the call")
    last = client.chat.completions.create(
        model="bridged", tools=tools, messages=HELLO + [first, {
            "role": "tool", "tool_call_id": call.id, "content": "mild"}]
    )
    equal(last.choices[0].message.content, "mild", "tools: the answer")


def test_structured():
    want = Person(name="Ada", born=1815)
    data = client.chat.completions.parse(
        model="bridged", messages=HELLO, response_format=Person
    )
    equal(data.choices[0].message.parsed, want, "structured output: chat")
    for model in ("passed", "bridged"):
        data = client.responses.parse(
            model=model, input="who?", text_format=Person
        )
        equal(data.output_parsed, want,
              f"structured output: responses, {model}")


def test_embeddings():
    data = client.embeddings.create(model="stub/plain", input=["one", "two, three"])
    equal(
        [d.embedding for d in data.data],
        [[1, 0.5, -0.25]] * 2,
        "embeddings: base64 by default, decoded",
    )


def test_speech():
    path = os.path.join(DIR, "speech.mp3")
    with client.audio.speech.with_streaming_response.create(
        model="stub/size=100000,n=4", voice="alloy", input="hello"
    ) as answer:
        answer.stream_to_file(path)
    with open(path, "rb") as f:
        got = f.read()
    want = bytes((i * 7 + i // 251) & 255 for i in range(100000))
    report(got == want, "speech: every byte", f"{len(got)} bytes")


def test_transcription():
    path = os.path.join(DIR, "speech.wav")
    with open(path, "wb") as f:
        f.write(b"RIFF\r\n--x" * 30000)
    with open(path, "rb") as f:
        data = client.audio.transcriptions.create(model="stub/plain", file=f)
    equal(data.text, "H\u00e9llo from the stub", "transcription: of a file")
    last = None
    with open(path, "rb") as f:
        for last in client.audio.transcriptions.create(
            model="stub/n=2", file=f, stream=True
        ):
            pass
    equal(last and last.text, "t\u00f6k0 t\u00f6k1 ", "transcription: streamed")
    with open(path, "rb") as f:
        data = client.audio.translations.create(model="stub/plain", file=f)
    equal(data.text, "H\u00e9llo from the stub", "translation")


def test_images():
    made = client.images.generate(model="stub/plain", prompt="a cat", n=2)
    equal(([i.b64_json for i in made.data], made.usage.output_tokens),
          (["iVBORw0KGgo="] * 2, 5), "images: generated")
    path = os.path.join(DIR, "a.png")
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + b"\0" * 2000)
    with open(path, "rb") as f:
        made = client.images.edit(
            model="stub/plain", image=f, prompt="a dog", n=3)
    equal(len(made.data), 3, "images: edited")
    with open(path, "rb") as f:
        made = client.images.create_variation(model="stub/plain", image=f)
    equal(len(made.data), 1, "images: a variation")
    kinds = [event.type for event in client.images.generate(
        model="stub/n=2", prompt="a cat", stream=True, partial_images=2)]
    equal(kinds, ["image_generation.partial_image"] * 2
          + ["image_generation.completed"], "images: streamed")
    raises(
        openai.BadRequestError, 400, "missing_model",
        lambda: client.images.generate(prompt="a cat"),
        "images: no model",
    )


def test_kept_responses():
    equal(client.responses.retrieve("resp_stub").id, "resp_stub",
          "a kept response: retrieved")
    equal(client.responses.cancel("resp_stub").status, "cancelled",
          "a kept response: cancelled")
    equal(client.responses.delete("resp_stub"), None,
          "a kept response: deleted")
    equal(list(client.responses.input_items.list("resp_stub", limit=5)), [],
          "a kept response: its input")
    equal(client.responses.compact(model="stub/plain", input="hello").object,
          "response.compaction", "responses: compacted")
    equal(client.responses.input_tokens.count(
        model="stub/plain", input="hello").input_tokens, 11,
        "responses: counted")


def test_moderations():
    made = client.moderations.create(model="stub/plain", input="hello")
    equal(made.results[0].flagged, False, "moderations: judged")
    made = client.moderations.create(input="hello")
    equal(made.results[0].flagged, False, "moderations: without a model")


def test_models():
    ids = [m.id for m in client.models.list()]
    report("plain" in ids, "models: listed", ids)
    equal(client.models.retrieve("plain").id, "plain", "models: retrieved")


def test_responses():
    data = client.responses.create(model="stub/n=3", input="hello")
    equal(data.output_text, "t\u00f6k0 t\u00f6k1 t\u00f6k2 ", "responses: the answer")
    text, last = "", None
    for event in client.responses.create(
        model="stub/n=3", input="hello", stream=True
    ):
        if event.type == "response.output_text.delta":
            text += event.delta
        last = event
    equal(text, "t\u00f6k0 t\u00f6k1 t\u00f6k2 ", "responses: the deltas")
    equal(last.type, "response.completed", "responses: the last event")


def test_responses_helper():
    # Passed through, and translated to chat completions.
    for prefix in ("stub", "chat"):
        with client.responses.stream(
            model=f"{prefix}/n=3", input="hello"
        ) as stream:
            deltas = [e.delta for e in stream
                      if e.type == "response.output_text.delta"]
            last = stream.get_final_response()
        equal(deltas, ["t\u00f6k0 ", "t\u00f6k1 ", "t\u00f6k2 "],
              f"{prefix}: responses helper: the deltas")
        equal((last.output_text, last.usage.output_tokens),
              ("t\u00f6k0 t\u00f6k1 t\u00f6k2 ", 3),
              f"{prefix}: responses helper: the end")


def test_responses_tools():
    tools = [{"type": "function", "name": "weather", "parameters": WEATHER}]
    for model in ("passed", "bridged"):
        first = client.responses.create(
            model=model, input=HELLO, tools=tools
        )
        call = next(i for i in first.output if i.type == "function_call")
        equal(json.loads(call.arguments), {"city": "x"},
              f"{model}: responses tools: the call")
        last = client.responses.create(
            model=model, tools=tools, input=HELLO + first.output + [{
                "type": "function_call_output", "output": "mild",
                "call_id": call.call_id}]
        )
        equal(last.output_text, "mild",
              f"{model}: responses tools: the answer")


def test_errors():
    bad = OpenAI(base_url=BASE_URL, api_key="tg-wrong", max_retries=0)
    retrying = client.with_options(max_retries=2)
    raises(
        openai.AuthenticationError, 401, "invalid_api_key",
        bad.models.list, "errors: a wrong key",
    )
    for kind, status, code, model, text in (
        (openai.NotFoundError, 404, "model_not_found", "nothing",
         "an unknown model"),
        (openai.PermissionDeniedError, 403, "model_not_allowed", "hidden",
         "a model of others"),
        (openai.BadRequestError, 400, "context_length_exceeded",
         "stub/400,toolong", "the upstream's 400"),
        (openai.ConflictError, 409, "stub_error", "stub/409",
         "the upstream's 409"),
        (openai.UnprocessableEntityError, 422, "stub_error", "stub/422",
         "the upstream's 422"),
        (openai.RateLimitError, 429, "stub_error", "stub/429",
         "the upstream's 429"),
        (openai.InternalServerError, 500, "stub_error", "stub/500",
         "the upstream's 500"),
        (openai.InternalServerError, 502, "upstream_error", "stub/502,html",
         "a web page"),
    ):
        raises(
            kind, status, code,
            lambda model=model: client.chat.completions.create(
                model=model, messages=HELLO
            ),
            f"errors: {text}",
        )
    for script, tries in (
        ("429,retry=0", 3), ("500,retry=0", 3), ("502,html,retry=0", 3),
        ("503,loading,retry=0", 3), ("400", 1), ("404", 1),
    ):
        before = stub("stats")["requests"]
        try:
            retrying.chat.completions.create(
                model=f"stub/{script}", messages=HELLO
            )
        except openai.APIStatusError:
            pass
        equal(stub("stats")["requests"] - before, tries,
              f"errors: {script}: {tries} requests")


def test_broken_responses():
    for model in ("stub/cut-mid,n=4", "stub/error-mid,n=4",
                  "stub/error-first", "chat/cut-mid,n=4",
                  "chat/error-mid,n=4", "chat/cut-utf8,n=4",
                  "chat/error-first"):
        error = None
        try:
            for _ in client.responses.create(
                model=model, input="hello", stream=True
            ):
                pass
        except openai.APIError as e:
            error = e
        report(error is not None, f"responses: {model}: it raises")


def test_broken_streams():
    for script in ("cut-mid,n=4", "error-mid,n=4", "cut-utf8,n=4", "error-first"):
        chunks, error = 0, None
        try:
            for _ in chat(script, stream=True):
                chunks += 1
        except Exception as e:  # which one is the SDK's and httpx's affair
            error = e
        report(
            error is not None,
            f"{script}: a broken stream raises",
            f"{chunks} chunks and no exception",
        )


def test_abort():
    before = stub("stats")["aborted"]
    stream = chat("n=10000,ms=20", stream=True)
    next(iter(stream))
    stream.close()
    until(lambda: stub("stats")["aborted"] > before, "abort: the upstream is told")


def test_timeout():
    try:
        client.with_options(timeout=0.3).chat.completions.create(
            model="stub/stall-head", messages=HELLO
        )
        report(False, "timeout: APITimeoutError", "no exception")
    except openai.APITimeoutError:
        report(True, "timeout: APITimeoutError")
    stub("release")


for test in (
    test_chat,
    test_stream,
    test_stream_helper,
    test_tools,
    test_structured,
    test_embeddings,
    test_speech,
    test_transcription,
    test_images,
    test_kept_responses,
    test_moderations,
    test_models,
    test_responses,
    test_responses_helper,
    test_responses_tools,
    test_errors,
    test_broken_streams,
    test_broken_responses,
    test_abort,
    test_timeout,
):
    part(test)
print("done")

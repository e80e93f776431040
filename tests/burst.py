# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# burst.py: many clients at once that spend a budget until it refuses them.
#
#	burst.py CLIENTS MODEL KEY SECONDS MOST PROGRESS HOST:PORT...
#
# Each client posts to one of the hosts, again and again, until it is refused
# with budget_exceeded, the time is over or MOST requests were made (0: no such
# bound); after other refusals it tries again.  PROGRESS is a file with the
# number of requests that were served so far; while PROGRESS.pause is there, no
# client begins another request.  Prints how often each "STATUS CODE" came,
# sorted.  An error without a code, as a web server makes it, is "unnamed at N",
# the host's number from 1; "broken": the connection ended without a response;
# "slow": none came in time.  PROGRESS.asked is how many each host was asked, on
# a line each.

import asyncio
import collections
import json
import os
import sys
import time

clients, model, key, seconds, most, progress = sys.argv[1:7]
hosts = [h.rsplit(":", 1) for h in sys.argv[7:]]
most = int(most)
asked = [0] * len(hosts)
until = time.monotonic() + float(seconds)
body = json.dumps({"model": model, "max_tokens": 20,
    "messages": [{"role": "user", "content": "Please say something that is "
        "longer than what this stub says it has been asked."}]}).encode()
head = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
    f"authorization: Bearer {key}\r\ncontent-type: application/json\r\n"
    f"content-length: {len(body)}\r\nconnection: close\r\n\r\n").encode()
seen = collections.Counter()


async def ask(number):
    host, port = hosts[number]
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(head + body)
        data = await asyncio.wait_for(reader.read(-1), 30)
    finally:
        writer.close()
    top, _, rest = data.partition(b"\r\n\r\n")
    status = top.split(b" ", 2)[1].decode()
    if status == "200":
        return "200"
    start, end = rest.find(b"{"), rest.rfind(b"}")
    try:
        code = json.loads(rest[start:end + 1])["error"]["code"]
    except (ValueError, KeyError, TypeError):
        code = f"unnamed at {number + 1}"
    retry = b"\r\nretry-after:" in top.lower()
    return f"{status} {code}" + ("" if retry else " without-retry-after")


async def client(number):
    host = number % len(hosts)
    while time.monotonic() < until:
        if sum(asked) == most > 0:
            return
        if os.path.exists(progress + ".pause"):
            await asyncio.sleep(0.05)
            continue
        asked[host] += 1
        try:
            result = await ask(host)
        except asyncio.TimeoutError:
            result = "slow"
        except (OSError, IndexError):
            result = "broken"
        seen[result] += 1
        if "budget_exceeded" in result:
            return
        if result == "200":
            with open(progress, "w") as f:
                f.write(f"{seen['200']}\n")
        else:
            await asyncio.sleep(0.1)
    seen["late"] += 1


async def main():
    await asyncio.gather(*(client(i) for i in range(int(clients))))

asyncio.run(main())
with open(progress + ".asked", "w") as f:
    f.writelines(f"{n}\n" for n in asked)
for name, n in sorted(seen.items()):
    print(n, name)

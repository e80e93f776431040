# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# relay.py: passes connections to one socket on to another.
#
#	relay.py LISTEN TARGET
#
# Both are paths.  Stopped (SIGSTOP), it is a network that is cut.

import asyncio
import sys

listen, target = sys.argv[1:3]


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def serve(reader, writer):
    try:
        there, back = await asyncio.open_unix_connection(target)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pump(reader, back), pump(there, writer))


async def main():
    server = await asyncio.start_unix_server(serve, listen)
    await server.serve_forever()

asyncio.run(main())

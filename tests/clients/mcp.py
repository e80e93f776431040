# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# An MCP server with one tool, on its standard input and output: `prove`
# writes its word to the file that is named on the command line.
import json
import sys

TOOL = {"name": "prove", "description": "Proves that it was called.",
        "inputSchema": {"type": "object", "required": ["word"],
                        "properties": {"word": {"type": "string"}}}}


def result(method, params):
    """What a request is answered with, or None."""
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "proof", "version": "1"}}
    if method == "tools/list":
        return {"tools": [TOOL]}
    if method == "tools/call":
        with open(sys.argv[1], "w", encoding="utf-8") as f:
            f.write("mcp-" + params["arguments"]["word"])
        return {"content": [{"type": "text", "text": "mcp-proved"}]}
    return {} if method == "ping" else None


for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    said = result(asked["method"], asked.get("params") or {})
    reply = {"jsonrpc": "2.0", "id": asked["id"]}
    if said is None:
        reply["error"] = {"code": -32601, "message": "no such method"}
    else:
        reply["result"] = said
    print(json.dumps(reply), flush=True)

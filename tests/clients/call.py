"""Calls a tool with the official Python client: python call.py URL TOOL [legacy|auto]."""

import asyncio
import json
import sys
import time

from mcp.client.client import Client


async def main(url: str, tool: str, mode: str) -> None:
    async with Client(url, mode=mode) as client:
        began = time.monotonic()
        result = await client.call_tool(tool, {}, read_timeout_seconds=60)
        seconds = time.monotonic() - began
        text = result.content[0].text
        print(json.dumps({"version": client.protocol_version, "text": text, "seconds": seconds}))


asyncio.run(main(*sys.argv[1:4]))

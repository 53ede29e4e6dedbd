"""Uses the knowledge server with the official Python client: python use.py URL legacy|auto all|ask."""

import asyncio
import json
import sys
import time
import urllib.request

from mcp.client.client import Client

QUESTION = {"question": "Why do retries make overload worse?"}


def seats(url: str) -> float:
    with urllib.request.urlopen(url.removesuffix("/mcp") + "/metrics") as page:
        for line in page.read().decode().splitlines():
            if line.startswith('lifeline_gate_in_flight{gate="mcp"} '):
                return float(line.split()[-1])
    return 0.0


async def ask(url: str, mode: str) -> None:
    async with Client(url, mode=mode) as client:
        heard = []

        async def on_progress(progress, total, message):
            heard.append([progress, message])

        answer = await client.call_tool("ask_papers", QUESTION, progress_callback=on_progress)
        print(json.dumps({
            "version": client.protocol_version,
            "is_error": answer.is_error,
            "answer": answer.structured_content,
            "text": answer.content[0].text,
            "progress": heard,
        }))


async def everything(url: str, mode: str) -> None:
    async with Client(url, mode=mode) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        found = await client.call_tool("search_papers", {"query": "retries and overload", "limit": 3})
        unknown = await client.call_tool("get_paper", {"id": "no such paper"})
        heard = []

        async def on_progress(progress, total, message):
            heard.append([progress, message])

        began = time.monotonic()
        answer = await client.call_tool("ask_papers", QUESTION, progress_callback=on_progress)
        took = time.monotonic() - began
        call = asyncio.create_task(client.call_tool("ask_papers", QUESTION))
        began = time.monotonic()
        while (taken := await asyncio.to_thread(seats, url)) == 0 and time.monotonic() - began < 10:
            await asyncio.sleep(0.02)
        call.cancel()
        began = time.monotonic()
        while await asyncio.to_thread(seats, url) > 0 and time.monotonic() - began < 10:
            await asyncio.sleep(0.02)
        print(json.dumps({
            "version": client.protocol_version,
            "tools": tools,
            "papers": [paper["id"] for paper in found.structured_content["papers"]],
            "unknown": [unknown.is_error, unknown.content[0].text],
            "answer": answer.structured_content,
            "text": answer.content[0].text,
            "took": took,
            "progress": heard,
            "taken": taken,
            "released": time.monotonic() - began,
        }))


url, mode, what = sys.argv[1:4]
asyncio.run((ask if what == "ask" else everything)(url, mode))

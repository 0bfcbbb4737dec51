"""An endpoint like vLLM's for thousands of requests: asyncio, in a separate process.

Each prompt begins with a number, which its answer repeats. Some first tries fail: with 429 or 503
and a Retry-After, or with a connection that ends before the answer or within it. `GET /stats` gives
what was counted.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

FAULTS = ("429", "503", "drop", "half")
SHARE = 0.01  # of tries that fail; a prompt fails at most twice


class Server:
    """Counts tries by prompt number, and requests in flight."""

    def __init__(self, together: int) -> None:
        self.together = together
        self.full = asyncio.Event()
        self.tries: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.active = self.most_active = self.connections = 0

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests until the client, or a fault, ends the connection."""
        self.connections += 1
        try:
            while (reply := await self.reply(*await request(reader))) is not None:
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has closed it
        except Half as half:
            writer.write(half.args[0])
        finally:
            writer.close()

    async def reply(self, path: str, body: bytes) -> bytes | None:
        """Return a reply's bytes; None ends the connection without a reply."""
        if path == "/stats":
            return http("200 OK", self.stats())
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        if self.active == self.together:
            self.full.set()
        try:
            return await self.completion(json.loads(body))
        finally:
            self.active -= 1

    async def completion(self, body: dict) -> bytes | None:
        """Answer after a delay, or fail. The first requests wait until all slots are in flight."""
        number = body["messages"][-1]["content"].split()[0]
        self.tries[number] += 1
        rng = random.Random(f"{number} {self.tries[number]}")
        await asyncio.wait_for(self.full.wait(), 60)
        await asyncio.sleep(rng.uniform(0.01, 0.06))
        fault = rng.choice(FAULTS) if self.tries[number] <= 2 and rng.random() < SHARE else ""
        if fault:
            self.failed[number] += 1
            self.faults[fault] += 1
        if fault in ("429", "503"):
            return http(
                f"{fault} Later", {"error": "busy"}, f"Retry-After: {rng.randint(0, 1)}\r\n"
            )
        if fault == "drop":
            return None
        answer = http("200 OK", completion(body["model"], f"[{number}]"))
        if fault == "half":
            raise Half(answer[: len(answer) // 2])
        self.answered[number] += 1
        return answer

    def stats(self) -> dict:
        """Return the counts."""
        return {name: value for name, value in vars(self).items() if name != "full"}


class Half(Exception):
    """Ends the connection within an answer; holds the part that is sent."""


def completion(model: str, text: str) -> dict:
    """Return a chat completion in vLLM's form."""
    choice = {
        "index": 0, "message": {"role": "assistant", "content": text, "tool_calls": []},
        "logprobs": None, "finish_reason": "stop", "stop_reason": None,
    }  # fmt: skip
    usage = {"prompt_tokens": 500, "total_tokens": 505, "completion_tokens": 5}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": int(time.time()),
        "model": model, "choices": [choice], "usage": usage, "prompt_logprobs": None,
    }  # fmt: skip


async def request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """Return a request's path and body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return head[0].split()[1], await reader.readexactly(int(fields.get("content-length", 0)))


def http(status: str, value: dict, more: str = "") -> bytes:
    """Return a reply's bytes."""
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nserver: uvicorn\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def serve(together: int) -> None:
    """Serve on a free port, print it, and run until the process is terminated."""
    server = await asyncio.start_server(Server(together).connection, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def load_server(together: int) -> Iterator[str]:
    """Yield the address of a server that first waits until `together` requests are in flight."""
    command = [sys.executable, "-m", "tests.llm.load_server", str(together)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))

"""A server that speaks Gemini's protocol and answers every request alike after a time: for timing its clients.

    python benchmarks/canned_gemini.py --latency 0.2

Prints its port. `GET /` returns what was counted since the last `GET /` as JSON. It costs about 0.1 ms a request, so
that one core serves several thousand a second; `tests/gemini_server.py` is the one that checks what it is asked.
"""

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import cast

MODEL = "gemini-3.5-flash-lite"
QUERIES = 2


def _answer() -> bytes:
    queries = [
        {"task_type": "retrieval", "task": "find the text", "query": f"what part {place} of the text is about"}
        for place in range(QUERIES)
    ]
    part = {"text": json.dumps({"queries": queries})}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 420, "candidatesTokenCount": 60, "totalTokenCount": 480}
    return json.dumps({"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL}).encode()


@dataclass
class Canned:
    """What is answered, after how many seconds, and what was counted: times in seconds of the monotonic clock."""

    latency: float
    body: bytes = field(default_factory=_answer)
    answered: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    first: float = 0.0
    last: float = 0.0

    def counted(self) -> bytes:
        """Returns the counts as JSON and begins anew; `seconds` is from the first request to the last answer."""
        found = {
            "answered": self.answered,
            "most_in_flight": self.most_in_flight,
            "seconds": self.last - self.first,
            "cpu": time.process_time(),
        }
        self.answered = self.most_in_flight = 0
        return json.dumps(found).encode()


class Connection(asyncio.Protocol):
    """One connection, over which requests come one after the other."""

    def __init__(self, canned: Canned) -> None:
        self._canned = canned
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        """Takes a request, in however many pieces it comes, and answers it later."""
        self._waiting += data
        head, found, rest = self._waiting.partition(b"\r\n\r\n")
        if not found:
            return
        if head.startswith(b"GET"):
            self._waiting = b""
            self._send(self._canned.counted())
            return
        _, _, stated = head.lower().partition(b"content-length:")
        if len(rest) < int(stated.split(b"\r\n", 1)[0]):
            return
        self._waiting = b""
        canned = self._canned
        if not canned.answered and not canned.in_flight:
            canned.first = time.monotonic()
        canned.in_flight += 1
        canned.most_in_flight = max(canned.most_in_flight, canned.in_flight)
        self._loop.call_later(canned.latency, self._answer)

    def _answer(self) -> None:
        canned = self._canned
        canned.in_flight -= 1
        canned.answered += 1
        canned.last = time.monotonic()
        self._send(canned.body)

    def _send(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def serve(latency: float) -> None:
    """Serves until the process is ended."""
    canned = Canned(latency)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(canned), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Serves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds before each answer")
    asyncio.run(serve(parser.parse_args().latency))


if __name__ == "__main__":
    main()

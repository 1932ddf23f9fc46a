"""A local HTTP server in a thread of its own, which counts what it is asked and makes faults on demand.

`gemini_server` and `openai_server` give it their protocols.
"""

import asyncio
import base64
import hashlib
import json
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import quote

from gemini_writer import Schema, Writer
from oreline.ids import Json
from server_faults import CutOff, Endless, Errors, Fault, FaultKind, HttpError, break_off, struck


@dataclass(frozen=True)
class Call:
    """A request over HTTP; header names are in lower case, `path` is without its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes


def nothing_canned(model: str, prompt: str) -> str | None:
    """Leaves every answer to the writer."""
    del model, prompt
    return None


@dataclass
class LocalServer(ABC):
    """The server, running while it is entered. `url` is its address."""

    key: str = "local-key"
    latency: float = 0.0
    port: int = 0
    models: frozenset[str] | None = None
    faults: list[Fault] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    """How often each prompt was asked, faults included."""
    answers: Counter[str] = field(default_factory=Counter)
    """How often each prompt was answered (200), by sha256 of everything that changes the answer."""
    answered_prompts: list[str] = field(default_factory=list)
    bodies: list[dict[str, Json]] = field(default_factory=list)
    asked_models: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    """How many calls met which kind of fault; an empty name for none."""
    leaking: bool = False
    """Whether errors repeat what the caller was known by, in message and headers, plain and encoded."""
    in_flight: int = 0
    most_in_flight: int = 0
    canned: Callable[[str, str], str | None] = nothing_canned
    """Answers a prompt of a model by a text of the test's own; where it returns None, `gemini_writer` answers."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fault(
        self,
        kind: FaultKind,
        containing: str = "",
        *,
        times: int | None = None,
        share: float = 1.0,
        delay: float | None = None,
        text: str = "",
        after: int = 0,
    ) -> None:
        self.faults.append(Fault(kind, containing, times, share, delay, text, after))

    def written(self, model: str, prompt: str, schema: Schema) -> str:
        """The text that answers a prompt."""
        canned = self.canned(model, prompt)
        return Writer(prompt, schema).answer() if canned is None else canned

    @abstractmethod
    async def answer(self, call: Call) -> bytes:
        """Returns the body of an answer; raises HttpError or CutOff."""

    async def asked(self, model: str, body: dict[str, Json], prompt: str, errors: Errors) -> Fault | None:
        """Counts a prompt, waits the latency, and returns the fault that its answer is to show, if any."""
        call = self.calls[prompt]
        self.calls[prompt] += 1
        self.bodies.append(body)
        self.asked_models[model] += 1
        if self.latency:
            await asyncio.sleep(self.latency)
        begun = [fault for fault in self.faults if len(self.answered_prompts) >= fault.after]
        fault = struck(begun, prompt, call)
        self.met[fault.kind if fault else ""] += 1
        if fault is not None:
            await break_off(fault, errors)
        return fault

    def answered(self, model: str, body: dict[str, Json], prompt: str) -> None:
        """Counts a prompt that gets its answer."""
        self.answers[hashlib.sha256(json.dumps([model, body], sort_keys=True).encode()).hexdigest()] += 1
        self.answered_prompts.append(prompt)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._connection, "127.0.0.1", self.port, backlog=1024)
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="local-server", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _shut(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one request; returns whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        code, further = 200, {"Content-Type": "application/json"}
        try:
            content = await self.answer(Call(method, path.partition("?")[0], headers, body))
        except HttpError as error:
            leaked, told = _leaked(headers, error.body) if self.leaking else ({}, error.body)
            code, content = error.status, json.dumps(told).encode()
            further.update({**error.headers, **leaked})
        except CutOff as cut:
            writer.write(cut.sent)
            await writer.drain()
            return False
        except Endless as endless:
            await _send_on(writer, endless)
            return False
        finally:
            self.in_flight -= 1
        lines = "".join(f"{name}: {value}\r\n" for name, value in further.items())
        writer.write(f"HTTP/1.1 {code} -\r\n{lines}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        await writer.drain()
        return True


async def _send_on(writer: asyncio.StreamWriter, endless: Endless) -> None:
    """Sends a body until the client goes, which raises ConnectionError, or the server is shut."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(f"{len(endless.chunk):x}\r\n".encode() + endless.chunk + b"\r\n")
        await writer.drain()
        await asyncio.sleep(endless.pause)


def _leaked(asked: Mapping[str, str], body: Json) -> tuple[dict[str, str], Json]:
    """Returns headers and a body that repeat a request's credentials, as careless servers and proxies do."""
    secret = asked.get("x-goog-api-key", asked.get("authorization", "").removeprefix("Bearer "))
    forms = " ".join([secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()])
    stated = body.get("error") if isinstance(body, dict) else None
    if isinstance(body, dict) and isinstance(stated, dict):
        body = {**body, "error": {**stated, "message": f"{stated.get('message')} (asked with {forms})"}}
    return {"X-Asked-With": secret, "Www-Authenticate": f'Bearer token="{secret}"'}, body


def tokens(text: str) -> int:
    """A token count that anyone can recompute: a token per 4 characters."""
    return (len(text) + 3) // 4


def pieces(text: str) -> list[str]:
    """The tokens that `tokens` counts."""
    return [text[begin : begin + 4] for begin in range(0, len(text), 4)]


def logprob(piece: str) -> float:
    """A token's log-probability at a local server: a function of its text that anyone can recompute."""
    return -(int(hashlib.sha256(piece.encode()).hexdigest()[:4], 16) + 1) / 65536


def variants(piece: str) -> list[str]:
    """The tokens that might stand where one does that holds a grade: itself with each of the grades 0 to 3."""
    place = next((place for place, sign in enumerate(piece) if sign in "0123"), None)
    return [piece] if place is None else [f"{piece[:place]}{grade}{piece[place + 1 :]}" for grade in "0123"]


def likely(piece: str, most: int) -> list[Json]:
    """The likeliest tokens where one stands, best first, as OpenAI's `top_logprobs` has them."""
    found = sorted(variants(piece), key=lambda each: (-logprob(each), each))[:most]
    return [{"token": each, "logprob": logprob(each), "bytes": None} for each in found]

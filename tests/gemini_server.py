"""A local server that speaks the wire protocol of the Gemini Developer API, for tests and by hand.

    python tests/gemini_server.py --port 8900 --latency 0.2
    GEMINI_API_KEY=local-key oreline run recipe.yaml --set llm.base_url=http://127.0.0.1:8900 --set llm.server=local

It checks key and request, answers with what `gemini_writer` makes of the prompt, counts what it was asked, and makes
faults on demand. Its answers are no model's: they show that everything fits together, and nothing else.
"""

import argparse
import asyncio
import hashlib
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self, cast

from gemini_writer import Schema, Writer
from oreline.ids import Json, seeded_fraction

FaultKind = Literal[
    "rate", "quota", "server", "slow", "reset", "garbage", "malformed", "off_schema", "empty", "no_candidates",
    "blocked_prompt", "safety", "recitation", "max_tokens", "bad_request",
]  # fmt: skip

_CONFIG_KEYS = frozenset(
    {"responseMimeType", "responseJsonSchema", "responseSchema", "maxOutputTokens", "temperature", "candidateCount"}
)
_BODY_KEYS = frozenset({"contents", "systemInstruction", "generationConfig", "safetySettings"})
_RPC = "type.googleapis.com/google.rpc."
_FINISH: dict[str, str] = {"safety": "SAFETY", "recitation": "RECITATION", "max_tokens": "MAX_TOKENS"}


@dataclass
class Fault:
    """What goes wrong, for prompts that hold `containing`, the first `times` times each (None: always).

    `share` picks that share of the calls by a hash of prompt and count. `delay` is what a 429 states, in seconds.
    """

    kind: FaultKind
    containing: str = ""
    times: int | None = None
    share: float = 1.0
    delay: float | None = None

    def strikes(self, prompt: str, call: int) -> bool:
        return (
            self.containing in prompt
            and (self.times is None or call < self.times)
            and (self.share >= 1.0 or seeded_fraction(7, prompt, str(call)) < self.share)
        )


class HttpError(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: int, status: str, message: str, details: list[Json] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.body: Json = {"error": {"code": code, "status": status, "message": message, "details": details or []}}


@dataclass
class GeminiServer:
    """The server, in a thread of its own while it is entered. `url` is its address."""

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
    in_flight: int = 0
    most_in_flight: int = 0

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
    ) -> None:
        self.faults.append(Fault(kind, containing, times, share, delay))

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._connection, "127.0.0.1", self.port, backlog=1024)
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="gemini-server", daemon=True)
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
        try:
            content = await self._answer(method, path, headers, body)
            code = 200
        except HttpError as error:
            code, content = error.code, json.dumps(error.body).encode()
        except ConnectionAbortedError:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
            await writer.drain()
            return False
        finally:
            self.in_flight -= 1
        writer.write(f"HTTP/1.1 {code} -\r\nContent-Type: application/json\r\n".encode())
        writer.write(f"Content-Length: {len(content)}\r\n\r\n".encode() + content)
        await writer.drain()
        return True

    async def _answer(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> bytes:
        model, _, action = path.partition("?")[0].removeprefix("/v1beta/models/").partition(":")
        known = path.startswith("/v1beta/models/") and action in ("generateContent", "countTokens")
        if method != "POST" or not known:
            raise HttpError(404, "NOT_FOUND", f"{method} {path} is not served")
        if headers.get("x-goog-api-key") != self.key:
            info: Json = {"@type": f"{_RPC}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
            raise HttpError(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", [info])
        if self.models is not None and model not in self.models:
            raise HttpError(404, "NOT_FOUND", f"models/{model} is not found for API version v1beta")
        body, prompt, system = _checked(raw)
        if action == "countTokens":
            return json.dumps({"totalTokens": tokens(prompt)}).encode()
        call = self.calls[prompt]
        self.calls[prompt] += 1
        self.bodies.append(body)
        if self.latency:
            await asyncio.sleep(self.latency)
        kind = next((fault for fault in self.faults if fault.strikes(prompt, call)), None)
        if kind is not None:
            await _fail(kind)
        content = _content(kind, model, prompt, system, cast("Schema", body["generationConfig"]))
        self.answers[hashlib.sha256(json.dumps([model, body], sort_keys=True).encode()).hexdigest()] += 1
        self.answered_prompts.append(prompt)
        return content


def tokens(text: str) -> int:
    """A token count that anyone can recompute: a token per 4 characters."""
    return (len(text) + 3) // 4


def _checked(raw: bytes) -> tuple[dict[str, Json], str, str]:
    """Returns body, prompt and system instruction of a request; raises HttpError as the API does."""
    body = json.loads(raw)
    if unknown := set(body) - _BODY_KEYS:
        raise HttpError(400, "INVALID_ARGUMENT", f"Unknown name {min(unknown)!r}: Cannot find field.")
    contents = body.get("contents")
    if not contents or contents[0].get("role") != "user" or not contents[0].get("parts"):
        raise HttpError(400, "INVALID_ARGUMENT", "contents: needs a part by the user")
    config = body.get("generationConfig", {})
    if unknown := set(config) - _CONFIG_KEYS:
        raise HttpError(400, "INVALID_ARGUMENT", f"Unknown name {min(unknown)!r} at 'generation_config'")
    schema = config.get("responseJsonSchema", config.get("responseSchema"))
    if schema is not None and config.get("responseMimeType") != "application/json":
        raise HttpError(400, "INVALID_ARGUMENT", "a response schema needs the MIME type application/json")
    if schema is not None and not isinstance(schema, dict):
        raise HttpError(400, "INVALID_ARGUMENT", "the response schema is no object")
    system = "".join(part["text"] for part in body.get("systemInstruction", {}).get("parts", []))
    return body, "".join(part["text"] for part in contents[0]["parts"]), system


async def _fail(fault: Fault) -> None:
    """Raises what keeps a request from being answered; returns for faults that are answers."""
    delay: list[Json] = [] if fault.delay is None else [{"@type": f"{_RPC}RetryInfo", "retryDelay": f"{fault.delay}s"}]
    match fault.kind:
        case "rate":
            raise HttpError(429, "RESOURCE_EXHAUSTED", "Too many requests per minute", delay)
        case "quota":
            violation: Json = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}
            details: Json = {"@type": f"{_RPC}QuotaFailure", "violations": [violation]}
            raise HttpError(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", [details, *delay])
        case "server":
            raise HttpError(500, "INTERNAL", "An internal error has occurred")
        case "bad_request":
            raise HttpError(400, "INVALID_ARGUMENT", "The request is not taken")
        case "reset":
            raise ConnectionAbortedError
        case "slow":
            await asyncio.sleep(30)


def _content(fault: Fault | None, model: str, prompt: str, system: str, config: Schema) -> bytes:
    kind = fault.kind if fault else ""
    if kind == "garbage":
        return b"<html>not JSON</html>"
    schema = cast("Schema", config.get("responseJsonSchema", config.get("responseSchema", {"type": "string"})))
    text = Writer(prompt, schema).answer()
    cut = {"malformed": text[: len(text) // 2], "max_tokens": text[: len(text) // 2], "off_schema": '{"other": 1}'}
    text = "" if kind in ("empty", "safety", "recitation", "blocked_prompt", "no_candidates") else cut.get(kind, text)
    counted = tokens(text)
    usage: Json = {
        "promptTokenCount": tokens(system + prompt),
        "candidatesTokenCount": counted,
        "totalTokenCount": tokens(system + prompt) + counted,
    }
    body: dict[str, Json] = {"usageMetadata": usage, "modelVersion": model, "responseId": "local"}
    if kind == "blocked_prompt":
        body["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT"}
    elif kind != "no_candidates":
        candidate: dict[str, Json] = {"finishReason": _FINISH.get(kind, "STOP"), "index": 0}
        if text:
            candidate["content"] = {"role": "model", "parts": [{"text": text}]}
        body["candidates"] = [candidate]
    return json.dumps(body).encode()


def main() -> None:
    """Serves until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--key", default="local-key", help="the key that is accepted")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--fault-share", type=float, default=0.0, help="share of calls answered with 500")
    arguments = parser.parse_args()
    faults = [Fault("server", share=arguments.fault_share)] if arguments.fault_share else []
    with GeminiServer(arguments.key, arguments.latency, arguments.port, faults=faults) as server:
        print(f"serving at {server.url}; the key is {arguments.key!r}; Ctrl-C ends it", flush=True)  # noqa: T201 - a program
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"{sum(server.answers.values())} answers")  # noqa: T201 - a program


if __name__ == "__main__":
    main()

"""What goes wrong at a local server, on demand: faults for the Gemini and the OpenAI protocol alike.

A server asks `struck` which fault strikes a call, lets `break_off` do what keeps the call from being answered, and
gives the answer's text through `spoiled`. There are three sorts of faults, and to add a kind is to name it in
`FaultKind` and then:

an error     a status with a body: an entry in `ERRORS` of each server that knows it (a server without one fails the
             test with KeyError)
a break      nothing whole comes back: a case in `break_off`, which raises `CutOff` or sleeps
an answer    200 with something odd in it: a case in `spoiled` if its text is changed, and an entry in `FINISH` of each
             server if it ends for another reason
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from oreline.ids import Json, seeded_fraction

FaultKind = Literal[
    "rate", "quota", "server", "slow", "reset", "garbage", "malformed", "off_schema", "empty", "no_candidates",
    "blocked_prompt", "safety", "recitation", "max_tokens", "bad_request", "unavailable", "deadline", "unauthorized",
    "forbidden", "unknown_model", "prohibited", "endless", "flood", "says", "body",
]  # fmt: skip


@dataclass
class Fault:
    """What goes wrong, for prompts that hold `containing`, the first `times` times each (None: always).

    `share` picks that share of the calls by a hash of prompt and count. `delay` is what a 429 states, in seconds.
    `text` is what the answer of a fault `says`, or the whole body of a fault `body`. It begins once the server
    has given `after` answers.
    """

    kind: FaultKind
    containing: str = ""
    times: int | None = None
    share: float = 1.0
    delay: float | None = None
    text: str = ""
    after: int = 0

    def strikes(self, prompt: str, call: int) -> bool:
        return (
            self.containing in prompt
            and (self.times is None or call < self.times)
            and (self.share >= 1.0 or seeded_fraction(7, prompt, str(call)) < self.share)
        )


@dataclass
class HttpError(Exception):
    """A request that is answered with an error: status, body as JSON, further headers."""

    status: int
    body: Json
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class CutOff(Exception):
    """An answer of which only `sent` arrives, head included, before the connection is closed."""

    sent: bytes


@dataclass
class Endless(Exception):
    """An answer whose body has no end: `chunk` after `chunk`, `pause` seconds between them, until the client goes."""

    chunk: bytes
    pause: float


Errors = Mapping[str, Callable[[Fault], HttpError]]
"""A protocol's errors by kind of fault."""

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
GARBAGE = b"<html>not JSON</html>"


def struck(faults: Iterable[Fault], prompt: str, call: int) -> Fault | None:
    """Returns the first fault that strikes the `call`-th call, from 0, with a prompt."""
    return next((fault for fault in faults if fault.strikes(prompt, call)), None)


async def break_off(fault: Fault, errors: Errors) -> None:
    """Raises what keeps a call from being answered; returns for faults that are answers."""
    match fault.kind:
        case "reset":
            raise CutOff(_HEAD + b"Content-Length: 1000\r\n\r\n{")
        case "slow":
            await asyncio.sleep(30)
        case "endless":
            raise Endless(b" ", 0.02)
        case "flood":
            raise Endless(b" " * 2**20, 0.0)
        case (
            "rate" | "quota" | "server" | "bad_request"
            | "unavailable" | "deadline" | "unauthorized" | "forbidden" | "unknown_model"
        ):  # fmt: skip
            raise errors[fault.kind](fault)


def spoiled(fault: Fault | None, text: str) -> str:
    """Returns what a fault leaves of an answer's text."""
    match fault.kind if fault else "":
        case "malformed" | "max_tokens":
            return text[: len(text) // 2]
        case "off_schema":
            return '{"other": 1}'
        case "says":
            return fault.text if fault else text
        case "empty" | "safety" | "recitation" | "prohibited" | "blocked_prompt" | "no_candidates":
            return ""
        case _:
            return text

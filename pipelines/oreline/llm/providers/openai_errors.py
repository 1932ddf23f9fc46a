"""What an error of an OpenAI-compatible server means: its HTTP status, code, words and headers."""

import re
from collections.abc import Mapping

from oreline.ids import Json
from oreline.llm.providers.connections import retry_after
from oreline.llm.providers.protocol import FailureKind

_PASSING = frozenset({408, 409, 499})
_USED_UP = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_DAILY = re.compile(r"per day|\b(RPD|TPD)\b")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_RATE_HEADERS = ("requests", "tokens")


def failure_kind(status: int, code: str, message: str) -> FailureKind:
    """Returns what kind of failure an HTTP status with a body's code (or type) and message is."""
    if status == 429:
        return "quota" if code in _USED_UP or _DAILY.search(message) else "rate"
    if status == 402:
        return "quota"
    if status in (401, 403):
        return "key"
    if status == 404 or code == "model_not_found":
        return "model"
    return "transient" if status >= 500 or status in _PASSING else "request"


def code_and_message(body: Json, shown: str) -> tuple[str, str]:
    """Returns an error body's code, else its type, and its message, else what the library shows."""
    error = body.get("error", body) if isinstance(body, Mapping) else {}
    if not isinstance(error, Mapping):
        return "", str(error)
    code = error.get("code")
    kind = error.get("type")
    found = code if isinstance(code, str) and code else kind
    return str(found or ""), str(error.get("message") or shown)


def wait_asked(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds that a server wants to be left alone, or None.

    That is retry-after-ms, Retry-After, or the x-ratelimit-reset-* of a limit of which nothing remains.
    """
    milliseconds = headers.get("retry-after-ms", "")
    if re.fullmatch(r"\d+(\.\d+)?", milliseconds):
        return float(milliseconds) / 1000
    if (asked := retry_after(headers)) is not None:
        return asked
    resets = [
        duration(headers.get(f"x-ratelimit-reset-{name}", ""))
        for name in _RATE_HEADERS
        if headers.get(f"x-ratelimit-remaining-{name}") == "0"
    ]
    return max((each for each in resets if each is not None), default=None)


def duration(text: str) -> float | None:
    """Returns the seconds of a duration such as 6m0s or 120ms, or None if it is none."""
    found = _DURATION.findall(text)
    if not found or "".join(number + unit for number, unit in found) != text:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in found)

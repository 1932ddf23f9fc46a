"""What a model costs, from the dated file `prices.json` beside this module."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import TypedDict, cast

MILLION = 1_000_000


class _Entry(TypedDict):
    """A row of the file; `from` is the day, in ISO 8601, from which it holds."""

    provider: str
    model: str
    input: float
    cached: float
    output: float


@dataclass(frozen=True)
class Price:
    """What a model costs, in US dollars per million tokens; `output` includes thinking. `date` is the file's."""

    input: float
    cached: float
    output: float
    date: str

    def dollars(self, prompt_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """Returns what a call costs; `cached_tokens` are some of the prompt's, `output_tokens` include thinking."""
        fresh = prompt_tokens - cached_tokens
        return (fresh * self.input + cached_tokens * self.cached + output_tokens * self.output) / MILLION


def price(provider: str, model: str, on: date | None = None) -> Price | None:
    """Returns a model's price on a day (default: today, UTC), or None if the file does not know the model.

    A `models/` before the name makes no difference.
    """
    day = (on or datetime.now(UTC).date()).isoformat()
    name = model.removeprefix("models/")
    stated, entries = _price_file()
    found = [
        (begins, entry)
        for begins, entry in entries
        if entry["provider"] == provider and entry["model"] == name and begins <= day
    ]
    if not found:
        return None
    latest = max(found, key=lambda each: each[0])[1]
    return Price(latest["input"], latest["cached"], latest["output"], stated)


@cache
def _price_file() -> tuple[str, tuple[tuple[str, _Entry], ...]]:
    body = json.loads(files("oreline.llm").joinpath("prices.json").read_text(encoding="utf-8"))
    entries = tuple((each["from"] or "", cast("_Entry", each)) for each in body["prices"])
    return str(body["date"]), entries

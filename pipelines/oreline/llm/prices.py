"""What a model costs, and which ones are retired: from the dated file `prices.json` beside this module."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import cast

from oreline.ids import Json
from oreline.recipe.settings import ModelSettings

MILLION = 1_000_000

_Entry = Mapping[str, Json]


@dataclass(frozen=True)
class Rates:
    """US dollars per million tokens; `output` includes thinking, `cached` None is as `input`."""

    input: float
    cached: float | None
    output: float

    def dollars(self, prompt_tokens: int, output_tokens: int, cached_tokens: int) -> float:
        """Returns what a call costs."""
        cached = self.input if self.cached is None else self.cached
        fresh = prompt_tokens - cached_tokens
        return (fresh * self.input + cached_tokens * cached + output_tokens * self.output) / MILLION


@dataclass(frozen=True)
class Price:
    """What a model costs. `date` is the price file's, None for a price that the recipe states.

    A call whose prompt has more than `long_above` tokens costs `long` as a whole. `batch` is the share of the price
    that batch mode costs, None if no such price is known.
    """

    rates: Rates
    date: str | None
    batch: float | None = None
    long: Rates | None = None
    long_above: int = 0

    def dollars(self, prompt_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """Returns what a call costs; `cached_tokens` are some of the prompt's, `output_tokens` include thinking."""
        long = self.long is not None and prompt_tokens > self.long_above
        rates = self.long if long and self.long is not None else self.rates
        return rates.dollars(prompt_tokens, output_tokens, cached_tokens)

    def __str__(self) -> str:
        stated = "llm.price" if self.date is None else f"price of {self.date}"
        return f"{self.rates.input:g}/{self.rates.output:g} dollars per million tokens in/out, {stated}"


@dataclass(frozen=True)
class Retirement:
    """A model that is, or will be, switched off `on` a day (ISO 8601); from then `successor` answers and is billed."""

    model: str
    on: str
    successor: str

    def warning(self, today: date) -> str:
        """Returns a sentence that says so."""
        told = "is retired since" if self.on <= today.isoformat() else "will be retired on"
        return (
            f"{self.model} {told} {self.on}; from then {self.successor} answers in its place, at its own price: "
            f"set llm.model to {self.successor}"
        )


def price_of(model: ModelSettings, on: date | None = None) -> Price | None:
    """Returns what a recipe's model costs on a day (default: today, UTC): as the recipe or else the file states it.

    None if neither does. A server behind `base_url` that speaks OpenAI's protocol is not OpenAI.
    """
    stated = model.price
    if stated is not None:
        return Price(Rates(stated.input, stated.cached, stated.output), None, stated.batch)
    if model.provider == "openai" and model.base_url is not None:
        return None
    return price(model.provider, model.model, on)


def price(provider: str, model: str, on: date | None = None) -> Price | None:
    """Returns the file's price of a model on a day (default: today, UTC), or None if it does not know the model.

    A `models/` before the name makes no difference. A model that is retired by then costs what its successor does.
    """
    day = on or today()
    retired = retirement(provider, model)
    name = retired.successor if retired is not None and retired.on <= day.isoformat() else _plain(model)
    found = [
        (str(entry["from"] or ""), entry)
        for entry in (*_entries("prices"), *_entries("embeddings"))
        if entry["provider"] == provider and entry["model"] == name and str(entry["from"] or "") <= day.isoformat()
    ]
    return _price(max(found, key=lambda each: each[0])[1]) if found else None


def retirement(provider: str, model: str) -> Retirement | None:
    """Returns when a model is retired and what follows it, or None if no such plan is known."""
    for entry in _entries("retired"):
        if entry["provider"] == provider and entry["model"] == _plain(model):
            return Retirement(_plain(model), str(entry["on"]), str(entry["successor"]))
    return None


def retirements(models: Iterable[ModelSettings]) -> list[str]:
    """Returns a warning for each of a recipe's models that is retired or will be; behind an address none is."""
    found = (retirement(each.provider, each.model) for each in models if each.base_url is None)
    return [each.warning(today()) for each in found if each is not None]


def thinking_of(model: ModelSettings) -> str | None:
    """Returns how much a model thinks unless it is told to: none, minimal, low, medium or high; None if not known."""
    defaults = cast("Mapping[str, Mapping[str, str]]", _price_file()["thinking"])
    return defaults.get(model.provider, {}).get(_plain(model.model))


def today() -> date:
    """Returns the day, UTC, whose prices count."""
    return datetime.now(UTC).date()


def price_date() -> str:
    """Returns the day, ISO 8601, on which the file's prices were looked up."""
    return str(_price_file()["date"])


def _plain(model: str) -> str:
    return model.removeprefix("models/")


def _price(entry: _Entry) -> Price:
    long = cast("_Entry | None", entry.get("long"))
    return Price(
        rates=_rates(entry),
        date=price_date(),
        batch=cast("float | None", entry["batch"]),
        long=_rates(long) if long is not None else None,
        long_above=cast("int", long["above"]) if long is not None else 0,
    )


def _rates(entry: _Entry) -> Rates:
    stated = cast("Mapping[str, float]", entry)
    return Rates(stated["input"], stated["cached"], stated["output"])


def _entries(name: str) -> list[_Entry]:
    return cast("list[_Entry]", _price_file()[name])


@cache
def _price_file() -> dict[str, Json]:
    body = json.loads(files("oreline.llm").joinpath("prices.json").read_text(encoding="utf-8"))
    return cast("dict[str, Json]", body)

"""Where a written query stands in the answer that it came from, and how likely its tokens were (InPars, 2202.05144)."""

import json
import math
import re
from collections.abc import Sequence

from oreline.llm.requests import TokenLogprob
from oreline.scripts import one_line

DIGITS = 4
"""Digits after the point of a mean log-probability: so many values can be counted one by one."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_WAITING = 8

Span = tuple[int, int]


def query_logprob(text: str, tokens: Sequence[TokenLogprob], query: str) -> float | None:
    """Returns the mean log-probability of the tokens that wrote a query in an answer, or None if they are not found.

    `text` is the raw answer, JSON in which the query is a string; of several equal ones the first counts. A token
    counts if any of its characters is the query's.
    """
    place = _place_of(query, text)
    spans = token_spans(text, [each.token for each in tokens])
    if place is None or spans is None:
        return None
    start, end = place
    chosen = [
        each.logprob
        for each, (first, last) in zip(tokens, spans, strict=True)
        if first < end and last > start and last > first
    ]
    if not chosen or not all(map(math.isfinite, chosen)):
        return None
    return round(math.fsum(chosen) / len(chosen), DIGITS) + 0.0


def token_spans(text: str, tokens: Sequence[str]) -> list[Span] | None:
    """Returns the characters that each token stands for, or None if the tokens do not write the text.

    A token that is a part of a character, of which servers show what cannot be decoded, gets the characters up to the
    next token that can be.
    """
    start = "".join(tokens).find(text)
    if start >= 0:
        return _running(tokens, -start)
    spans: list[Span] = []
    at, waiting = 0, 0
    for token in tokens:
        found = text.find(token, at, at + waiting + len(token)) if token else -1
        if found < 0:
            waiting += 1
            if waiting > _WAITING:
                return None
            spans.append((at, at))
            continue
        spans[len(spans) - waiting :] = [(at, found)] * waiting
        spans.append((found, found + len(token)))
        at, waiting = found + len(token), 0
    spans[len(spans) - waiting :] = [(at, len(text))] * waiting
    return spans if at + waiting >= len(text) else None


def _running(tokens: Sequence[str], at: int) -> list[Span]:
    spans = []
    for token in tokens:
        spans.append((at, at + len(token)))
        at += len(token)
    return spans


def _place_of(query: str, text: str) -> Span | None:
    """Returns where the characters of a query stand in an answer, quotes left out."""
    for found in _STRING.finditer(text):
        try:
            value = json.loads(found.group(), strict=False)
        except ValueError:
            continue
        if one_line(value) == query:
            return found.start() + 1, found.end() - 1
    return None

"""Near-duplicate queries: nearly the same words for the same positives, which train nothing new."""

from collections.abc import Sequence
from dataclasses import dataclass

from oreline.filters.judged import JudgedQuery, stays_first
from oreline.filters.words import words

THRESHOLD = 0.9
"""Jaccard similarity of the sets of words from which two queries are near-duplicates."""


@dataclass(frozen=True)
class Duplicate:
    """A query that is dropped, the one that stays in its place, and the similarity of their words, 0 to 1."""

    judged: JudgedQuery
    keeper: JudgedQuery
    similarity: float


def near_scope(judged: JudgedQuery) -> tuple[str, str | None, str, tuple[str, ...]] | None:
    """Returns what near-duplicates must share: dataset, instruction, split and positives; None without a positive."""
    query = judged.query
    positives = judged.positives
    return (query.dataset, query.instruction, query.split, positives) if positives else None


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Returns the Jaccard similarity of two sets of words, 0 to 1; 0 if both are empty."""
    union = len(one | other)
    return len(one & other) / union if union else 0.0


def near_duplicates(queries: Sequence[JudgedQuery]) -> list[Duplicate]:
    """Returns the queries to drop: written ones whose words overlap those of a staying query by 0.9 or more.

    Queries are looked at as they stay: human, synthetic, extractive, then by id; human ones always stay. So nothing is
    dropped for a query that is dropped itself, and no chain of small changes drops unlike queries.
    """
    scopes: dict[tuple[str, str | None, str, tuple[str, ...]], list[JudgedQuery]] = {}
    for judged in queries:
        scope = near_scope(judged)
        if scope is not None:
            scopes.setdefault(scope, []).append(judged)
    found: list[Duplicate] = []
    for group in scopes.values():
        kept: list[tuple[JudgedQuery, frozenset[str]]] = []
        for judged in sorted(group, key=lambda each: stays_first(each.query)):
            own = frozenset(words(judged.query.query))
            duplicate = None if judged.query.origin == "human" else _first_near(judged, own, kept)
            if duplicate is None:
                kept.append((judged, own))
            else:
                found.append(duplicate)
    return found


def _first_near(
    judged: JudgedQuery, own: frozenset[str], kept: Sequence[tuple[JudgedQuery, frozenset[str]]]
) -> Duplicate | None:
    for keeper, others in kept:
        found = similarity(own, others)
        if found >= THRESHOLD:
            return Duplicate(judged, keeper, found)
    return None

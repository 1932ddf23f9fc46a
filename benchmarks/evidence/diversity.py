"""How varied written queries are, and how much of their documents stands in them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oreline.filters.words import words


@dataclass(frozen=True)
class Written:
    """A query with the text of the documents that its writer was shown (empty if it wrote them), and its task."""

    query: str
    shown: str
    task: str


@dataclass(frozen=True)
class Diversity:
    """Figures of some queries.

    `distinct` are the shares of distinct word 1-grams and 2-grams among all of them (Li et al., NAACL 2016), over at
    most `SAMPLE` queries, as they fall with the number. `overlap` is the mean share of a query's words that stand in
    the documents shown; `copied` the share of queries that stand there word for word.
    """

    queries: int
    distinct: tuple[float, float]
    length: float
    spread: float
    overlap: float
    copied: float
    tasks: Mapping[str, int]


SAMPLE = 200


def diversity(written: Sequence[Written]) -> Diversity:
    """Returns the figures of some queries, at least one."""
    spoken = [[word.casefold() for word in words(each.query)] for each in written]
    lengths = [len(each) for each in spoken]
    overlaps, copied = [], 0
    for each, own in zip(written, spoken, strict=True):
        if not each.shown:
            continue
        shown = [word.casefold() for word in words(each.shown)]
        there = set(shown)
        overlaps.append(sum(word in there for word in own) / max(1, len(own)))
        copied += f" {' '.join(own)} " in f" {' '.join(shown)} "
    tasks: dict[str, int] = {}
    for each in written:
        tasks[each.task] = tasks.get(each.task, 0) + 1
    return Diversity(
        queries=len(written),
        distinct=(_distinct(spoken[:SAMPLE], 1), _distinct(spoken[:SAMPLE], 2)),
        length=statistics.fmean(lengths),
        spread=statistics.pstdev(lengths),
        overlap=statistics.fmean(overlaps) if overlaps else 0.0,
        copied=copied / max(1, len(overlaps)),
        tasks=dict(sorted(tasks.items(), key=lambda each: (-each[1], each[0]))),
    )


def _distinct(spoken: Sequence[Sequence[str]], size: int) -> float:
    grams = [tuple(each[at : at + size]) for each in spoken for at in range(len(each) - size + 1)]
    return len(set(grams)) / max(1, len(grams))

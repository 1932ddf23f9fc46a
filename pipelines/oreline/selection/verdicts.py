"""Verdicts: what all scorers together say about each document of a query."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from oreline.records import Judgement
from oreline.selection.fusion import fuse

Relevance = Literal["relevant", "partly_relevant", "irrelevant"]
_GRAVEST_FIRST: tuple[Relevance, ...] = ("relevant", "partly_relevant", "irrelevant")


@dataclass(frozen=True)
class Verdict:
    """What the scorers say about a document.

    `relevance` is the most favourable that any scorer states, None if none states one (then the document counts as
    unjudged). `grade` is the value, 0 to 3, of the first of the recipe's scorers that states a relevance. `fused` is
    the reciprocal-rank-fusion score over all scorers.
    """

    relevance: Relevance | None
    grade: float | None
    fused: float


def verdicts_of(judgements: Iterable[Judgement], scorers: Sequence[str]) -> dict[str, Verdict]:
    """Returns the verdicts on one query's documents, by doc_id; of equal (document, scorer) the higher value counts."""
    best: dict[tuple[str, str], Judgement] = {}
    for judgement in judgements:
        key = (judgement.scorer, judgement.doc_id)
        if key not in best or best[key].value < judgement.value:
            best[key] = judgement
    values: dict[str, dict[str, float]] = {}
    by_document: dict[str, list[Judgement]] = {}
    for (scorer, doc_id), judgement in sorted(best.items()):
        values.setdefault(scorer, {})[doc_id] = judgement.value
        by_document.setdefault(doc_id, []).append(judgement)
    fused = fuse(values)
    return {doc_id: _verdict(given, scorers, fused[doc_id]) for doc_id, given in by_document.items()}


def _verdict(given: Sequence[Judgement], scorers: Sequence[str], fused: float) -> Verdict:
    stated = {judgement.scorer: judgement for judgement in given if judgement.verdict is not None}
    said = {judgement.verdict for judgement in stated.values()}
    relevance = next((each for each in _GRAVEST_FIRST if each in said), None)
    ordered = [*(name for name in scorers if name in stated), *sorted(set(stated) - set(scorers))]
    return Verdict(relevance, stated[ordered[0]].value if ordered else None, fused)

"""Verdicts: what all scorers together say about each document of a query."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from oreline.recipe.settings import GRADING, STRONG
from oreline.records import Judgement
from oreline.selection.fusion import fuse

Relevance = Literal["relevant", "partly_relevant", "irrelevant"]

GRAVEST_FIRST: tuple[Relevance, ...] = ("relevant", "partly_relevant", "irrelevant")
"""Of several verdicts on a document the first of these counts: a mistake about a relevant one does most harm."""
_GRADE_OF: Mapping[str, float] = {"relevant": 2.0, "partly_relevant": 1.0, "irrelevant": 0.0}
"""The grade that a verdict stands for whose scorer gives no grades."""


@dataclass(frozen=True)
class Verdict:
    """What the scorers say about a document.

    `relevance` is the most favourable that any scorer states, but the strong scorer's of a cascade where it judged the
    document; None if none states one (then the document counts as unjudged). `grade`, 0 to 3, is that of the strong
    scorer, else of the first of the recipe's scorers that states a relevance: its value's nearest whole grade, or what
    its verdict amounts to if it gives no grades. `fused` is the reciprocal-rank-fusion score over all scorers.
    """

    relevance: Relevance | None
    grade: float | None
    fused: float


def nearest(value: float) -> int:
    """Returns the whole grade next to a value; a half goes up."""
    return math.floor(value + 0.5)


def verdicts_of(judgements: Iterable[Judgement], scorers: Sequence[str]) -> dict[str, Verdict]:
    """Returns the verdicts on one query's documents, by doc_id; of equal (document, scorer) the higher value counts.

    A strong scorer is no further voice in the fusion, as it has a say on flagged documents only: for those its value
    takes the place of the cheap scorer's that asks in the same way.
    """
    best: dict[tuple[str, str], Judgement] = {}
    for judgement in judgements:
        key = (judgement.scorer, judgement.doc_id)
        if key not in best or best[key].value < judgement.value:
            best[key] = judgement
    voices = {judgement.scorer for judgement in best.values() if not judgement.scorer.endswith(STRONG)}
    values: dict[str, dict[str, float]] = {}
    by_document: dict[str, list[Judgement]] = {}
    for (scorer, doc_id), judgement in sorted(best.items()):  # a strong scorer's name follows the cheap one's
        by_document.setdefault(doc_id, []).append(judgement)
        voice = scorer.removesuffix(STRONG)
        if voice in voices or scorer == voice:
            values.setdefault(voice, {})[doc_id] = judgement.value
    fused = fuse(values)
    return {doc_id: _verdict(given, scorers, fused.get(doc_id, 0.0)) for doc_id, given in by_document.items()}


def _verdict(given: Sequence[Judgement], scorers: Sequence[str], fused: float) -> Verdict:
    stated = {judgement.scorer: judgement for judgement in given if judgement.verdict is not None}
    strong = {scorer: judgement for scorer, judgement in stated.items() if scorer.endswith(STRONG)}
    deciding = strong or stated
    said = {judgement.verdict for judgement in deciding.values()}
    relevance = next((each for each in GRAVEST_FIRST if each in said), None)
    ordered = [*(name for name in scorers if name in deciding), *sorted(set(deciding) - set(scorers))]
    return Verdict(relevance, _grade(deciding[ordered[0]]) if ordered else None, fused)


def _grade(judgement: Judgement) -> float:
    if judgement.scorer.removesuffix(STRONG) in GRADING:
        return float(nearest(judgement.value))
    return _GRADE_OF.get(judgement.verdict or "", 0.0)

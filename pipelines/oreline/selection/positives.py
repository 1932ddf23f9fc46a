"""Positives of a row: from the pairs, with what mining and judging said about each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from oreline.records import Pair, PairSource, Scored, TriplePositive
from oreline.selection.cases import Case, Passage
from oreline.selection.verdicts import Verdict

_SOURCES: tuple[PairSource, ...] = ("human", "relabel", "class", "generated", "seed")
"""Who is believed first where one document is a positive twice."""


@dataclass(frozen=True)
class Positive:
    """A positive document.

    `grade` is the pair's own. `score` and `rank` are mining's, None where it has none; `rank` counts from 1.
    """

    passage: Passage
    source: PairSource
    grade: float | None = None
    score: float | None = None
    rank: int | None = None
    verdict: Verdict | None = None

    @property
    def doc_id(self) -> str:
        """The document's id."""
        return self.passage.doc_id

    def record(self) -> TriplePositive:
        """Returns the positive as a triple holds it: with the judge's grade, else the pair's own."""
        judged = self.verdict.grade if self.verdict else None
        grade = self.grade if judged is None else judged
        return TriplePositive(self.doc_id, self.passage.content_hash, self.source, self.score, grade)


def labelled_positives(case: Case, verdicts: Mapping[str, Verdict]) -> list[Positive]:
    """Returns the positives that the pairs state, one per document that exists, sorted by id."""
    scored: dict[str, Scored] = {each.doc_id: each for each in case.candidate.positives} if case.candidate else {}
    found: list[Positive] = []
    for doc_id, pair in sorted(_one_per_document(case.pairs).items()):
        passage = case.passages.get(doc_id)
        if passage is not None:
            mined = scored.get(doc_id)
            score, rank = (mined.score, mined.rank) if mined else (None, None)
            found.append(Positive(passage, pair.source, pair.grade, score, rank, verdicts.get(doc_id)))
    return found


def in_order(positives: Iterable[Positive]) -> list[Positive]:
    """Returns positives in the order of a row: labelled before relabelled, then best grade, best score, id."""
    return sorted(positives, key=_place)


def _place(positive: Positive) -> tuple[bool, float, float, str]:
    grade = positive.record().grade
    return (
        positive.source == "relabel",
        float("inf") if grade is None else -grade,
        float("inf") if positive.score is None else -positive.score,
        positive.doc_id,
    )


def _one_per_document(pairs: Iterable[Pair]) -> dict[str, Pair]:
    chosen: dict[str, Pair] = {}
    for pair in pairs:
        if pair.label == "positive":
            earlier = chosen.get(pair.doc_id)
            if earlier is None or _belief(pair) < _belief(earlier):
                chosen[pair.doc_id] = pair
    return chosen


def _belief(pair: Pair) -> tuple[int, float]:
    return _SOURCES.index(pair.source), float("inf") if pair.grade is None else -pair.grade

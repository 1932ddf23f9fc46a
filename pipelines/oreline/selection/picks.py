"""Picks: which documents of the window become a row's negatives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from oreline.ids import sha256_json
from oreline.records import TripleNegative
from oreline.selection.cases import Passage
from oreline.selection.verdicts import Verdict

Pick = Literal["hardest", "random", "lowest_ranked"]


@dataclass(frozen=True)
class Negative:
    """A document that may become a negative, or was given as one.

    `rank` is the rank in the miner's list from 1; `miner` is `known` for a given one and `spare` for one that no
    miner's list holds.
    """

    passage: Passage
    score: float | None
    miner: str
    rank: int | None
    verdict: Verdict | None

    def record(self) -> TripleNegative:
        """Returns the negative as a triple holds it."""
        grade, fused = (self.verdict.grade, self.verdict.fused) if self.verdict else (None, None)
        passage = self.passage
        return TripleNegative(passage.doc_id, passage.content_hash, self.miner, self.rank, self.score, grade, fused)


def pick_from(window: Sequence[Negative], pick: Pick, number: int, seed: int, query_id: str) -> list[Negative]:
    """Returns at most `number` documents of a window that is sorted by eligible rank: the first by `preferred`.

    Those of `random` stand in the window's order.
    """
    picked = preferred(window, pick, seed, query_id)[:number]
    if pick == "random":
        drawn = {each.passage.doc_id for each in picked}
        return [each for each in window if each.passage.doc_id in drawn]
    return picked


def preferred(window: Sequence[Negative], pick: Pick, seed: int, query_id: str) -> list[Negative]:
    """Returns a window in the order in which a rule picks from it.

    `hardest` keeps the window's order; `random` goes by sha256 of (seed, query_id, doc_id); `lowest_ranked` by the
    judge's fused score, then the reference score, then the id, each from the lowest. Without a verdict the fused
    score counts as 0.
    """
    match pick:
        case "hardest":
            return list(window)
        case "random":
            return sorted(window, key=lambda each: sha256_json([seed, query_id, each.passage.doc_id]))
        case "lowest_ranked":
            return sorted(window, key=_lowest)


def in_turn(lists: Sequence[Sequence[Negative]], number: int, *, duplicates: bool) -> list[Negative]:
    """Returns at most `number` documents, one of each list in turn until all are used up.

    With `duplicates` a document is given by every list that has it; else it, or one of equal content, by the first
    whose turn it is, and the others pass on to their next. One per teacher: NV-Retriever (arXiv:2407.15831), section
    5.2.
    """
    waiting = [list(reversed(each)) for each in lists]
    picked: list[Negative] = []
    taken: set[str] = set()
    while len(picked) < number and any(waiting):
        for each in waiting:
            while each and not duplicates and each[-1].passage.content_hash in taken:
                each.pop()
            if each and len(picked) < number:
                picked.append(each.pop())
                taken.add(picked[-1].passage.content_hash)
    return picked


def _lowest(negative: Negative) -> tuple[float, float, str]:
    fused = negative.verdict.fused if negative.verdict else 0.0
    return fused, float("-inf") if negative.score is None else negative.score, negative.passage.doc_id

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
    """Returns at most `number` documents of a window that is sorted by eligible rank.

    `hardest` takes the first; `random` those with the smallest sha256 of (seed, query_id, doc_id), in the window's
    order; `lowest_ranked` those with the lowest fused score of the judge, then the lowest reference score, then the
    smallest id, lowest first.
    """
    match pick:
        case "hardest":
            return list(window[:number])
        case "random":
            drawn = {
                each.passage.doc_id
                for each in sorted(window, key=lambda each: sha256_json([seed, query_id, each.passage.doc_id]))[:number]
            }
            return [each for each in window if each.passage.doc_id in drawn]
        case "lowest_ranked":
            return sorted(window, key=_lowest)[:number]


def _lowest(negative: Negative) -> tuple[float, float, str]:
    fused = negative.verdict.fused if negative.verdict else 0.0
    return fused, float("-inf") if negative.score is None else negative.score, negative.passage.doc_id

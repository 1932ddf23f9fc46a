"""Shortages: why a row has fewer negatives than asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from oreline.recipe.settings.mine import DENSE
from oreline.records import Scored, Shortage
from oreline.selection.cases import Rules
from oreline.selection.ceilings import ceiling_of
from oreline.selection.mined import Mined
from oreline.selection.positives import Positive


@dataclass(frozen=True)
class Supply:
    """What a short row's search for negatives came to.

    `eligible` documents of the pool passed every rule, `withheld` ones failed the judge's rules alone; `needed`
    negatives were wanted besides the known ones. `exhausted` says whether the pool holds all of the searched corpus
    that could be eligible.
    """

    eligible: int
    withheld: int
    needed: int
    exhausted: bool


def places(window: Sequence[int], eligible: int) -> int:
    """Returns how many ranks of a window [first, last], from 1, there are among `eligible` documents."""
    first, last = window
    return max(0, min(last, eligible) - first + 1)


def cause_of(supply: Supply, window: Sequence[int]) -> Shortage:
    """Returns why a row is short.

    `judged`: without the judge's rules there would have been enough. `corpus`: the pool holds all that the corpus
    has for this query, and the window asks for more. `spare`: the corpus has more than mining brought (raise
    `mine.spare`, `mine.top_k`, or lower `mine.ceiling` to that of select) or than the window holds.
    """
    if supply.withheld and places(window, supply.eligible + supply.withheld) >= supply.needed:
        return "judged"
    return "corpus" if supply.exhausted and supply.eligible < window[1] else "spare"


def pool_is_exhausted(candidate: Mined, rules: Rules, ceiling: float | None) -> bool:
    """Says whether a pool surely holds every document of the searched corpus that could be eligible under `ceiling`.

    It does if the dense miner found fewer than `mine.top_k`; or mining fewer than `mine.spare` below its own ceiling,
    while select's is no higher and siblings, which are never spare, are not allowed. Of a file that is the reference
    nobody knows what it left away.
    """
    if rules.mine.reference != DENSE:
        return False
    if DENSE in rules.mine.miners and hits_of(candidate, DENSE) < rules.mine.top_k:
        return True
    limit = mine_ceiling(rules, candidate.positives)
    below = sum(1 for entry in candidate.pool if limit is None or entry.score < limit)
    if rules.select.siblings == "allow" or below >= rules.mine.spare:
        return False
    return limit is None or (ceiling is not None and ceiling <= limit)


def hits_of(candidate: Mined, miner: str) -> int:
    """Returns how many documents of a pool a miner found."""
    return sum(1 for entry in candidate.pool for hit in entry.hits if hit.miner == miner)


def mine_ceiling(rules: Rules, positives: Sequence[Scored]) -> float | None:
    """Returns the ceiling below which mining looked for spare documents of a query."""
    return ceiling_of(rules.mine.ceiling, [each.score for each in positives])


def is_stricter(ceiling: float | None, than: float | None) -> bool:
    """Says whether a ceiling lies below another; None is no limit."""
    return ceiling is not None and (than is None or ceiling < than)


def scores_of(positives: Sequence[Positive]) -> list[float]:
    """Returns the reference scores of those positives that have one."""
    return [positive.score for positive in positives if positive.score is not None]

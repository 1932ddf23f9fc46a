"""Relabelling: what a judge's verdicts do to a row's positives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from oreline.recipe.settings import Relabel
from oreline.records import QueryOrigin
from oreline.selection.cases import Case, Rules
from oreline.selection.exclusions import guard_of
from oreline.selection.mined import Mined
from oreline.selection.positives import Positive
from oreline.selection.shortages import hits_of
from oreline.selection.verdicts import Verdict

Policy = Literal["best", "add", "keep"]


@dataclass(frozen=True)
class Relabelled:
    """Positives after relabelling, none if no document is relevant; `changed` says whether they differ from before.

    `further` counts the documents that the judge found relevant and that were no positives before, but for the one
    that `best` made the positive; `left` counts those of them that are no positives now either.
    """

    positives: tuple[Positive, ...]
    changed: bool = False
    further: int = 0
    left: int = 0


def policy_for(settings: Relabel, origin: QueryOrigin) -> Policy:
    """Returns the recipe's policy for queries of an origin."""
    match origin:
        case "synthetic":
            return settings.synthetic
        case "extractive":
            return settings.extractive
        case "human":
            return settings.human


def relabel(
    policy: Policy, case: Case, positives: Sequence[Positive], verdicts: Mapping[str, Verdict], rules: Rules
) -> Relabelled:
    """Returns a row's positives after relabelling by a policy.

    `keep` leaves them. `add` lets further relevant documents join: those of the pool, and given negatives too with
    `select.false_negatives.given`. `best` makes the best-judged relevant document the only positive: labelled
    positives and further ones compete by fused score; an equal score goes to a labelled one, then to the better
    reference score, then to the smaller id. Where no document is relevant, `best` leaves nothing, unless a labelled
    positive has no verdict. Where a query was written for several documents together, `best` leaves them all: each
    holds a part of the answer. A document that is known to be partial, or whose identity bars it from being a negative
    (of equal content, derived, ...), never becomes a positive.

    Relabelling to the best-ranked passage: Gecko (arXiv:2403.20327), section 3.2. As further positives: RLHN
    (arXiv:2505.16967), section 3.
    """
    if not verdicts:
        return Relabelled(tuple(positives))
    found = _further_relevant(case, positives, verdicts, rules)
    number = len(found)
    if policy == "keep" or (policy == "best" and _answer_together(case, positives)):
        return Relabelled(tuple(positives), further=number, left=number)
    if policy == "add":
        return Relabelled((*positives, *found), changed=bool(found), further=number)
    running = [*(each for each in positives if _is_relevant(each.verdict)), *found]
    if running:
        best = min(running, key=_merit)
        number -= best in found
        return Relabelled((best,), changed=[best] != list(positives), further=number, left=number)
    if any(each.verdict is None or each.verdict.relevance is None for each in positives):
        return Relabelled(tuple(positives))
    return Relabelled((), changed=True)


def _answer_together(case: Case, positives: Sequence[Positive]) -> bool:
    """Says whether several positives are documents that the query was written for."""
    lineage = case.query.lineage
    return lineage is not None and sum(each.doc_id in lineage.doc_ids for each in positives) > 1


def _further_relevant(
    case: Case, positives: Sequence[Positive], verdicts: Mapping[str, Verdict], rules: Rules
) -> list[Positive]:
    relevant = {doc_id for doc_id, verdict in verdicts.items() if _is_relevant(verdict)}
    if case.candidate is None or not relevant:
        return []
    guard = guard_of(case, positives)
    given = {pair.doc_id for pair in case.pairs if pair.label == "negative"}
    scored = {entry.doc_id: entry.score for entry in case.candidate.pool.among(relevant)}
    wanted = set(scored) - given
    if rules.select.false_negatives.given:
        scored |= {each.doc_id: each.score for each in case.candidate.known}
        wanted |= given
    found: list[Positive] = []
    for doc_id in sorted(wanted & relevant):
        passage = case.passages.get(doc_id)
        if passage is not None and guard.identity(passage) is None:
            rank = found_rank(case.candidate, doc_id, rules.mine.reference)
            found.append(Positive(passage, "relabel", None, scored.get(doc_id), rank, verdicts[doc_id]))
    return found


def found_rank(candidate: Mined, doc_id: str, reference: str) -> int | None:
    """Returns a document's rank by the reference miner, from 1, labelled positives left out.

    A pool document that this miner did not find stands behind all that it found, and the least rank that allows is
    returned; where it did not search, it stands behind what the pool has of a higher reference score. A given negative
    has the rank that mining gave it; a document that is neither has none.
    """
    for entry in candidate.pool.among((doc_id,)):
        ranks = [hit.rank for hit in entry.hits if hit.miner == reference]
        ahead = sum(1 for other in candidate.pool if (-other.score, other.doc_id) < (-entry.score, entry.doc_id))
        return ranks[0] if ranks else 1 + (hits_of(candidate, reference) or ahead)
    return next((each.rank for each in candidate.known if each.doc_id == doc_id), None)


def _is_relevant(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.relevance == "relevant"


def _merit(positive: Positive) -> tuple[float, bool, float, str]:
    fused = positive.verdict.fused if positive.verdict else 0.0
    score = float("-inf") if positive.score is None else positive.score
    return -fused, positive.source == "relabel", -score, positive.doc_id

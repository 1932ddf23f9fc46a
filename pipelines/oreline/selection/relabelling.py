"""Relabelling: what a judge's verdicts do to a row's positives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from oreline.recipe.settings import Relabel
from oreline.records import Candidate, QueryOrigin
from oreline.selection.cases import Case
from oreline.selection.exclusions import guard_of
from oreline.selection.positives import Positive
from oreline.selection.verdicts import Verdict

Policy = Literal["best", "add", "keep"]


@dataclass(frozen=True)
class Relabelled:
    """Positives after relabelling, none if no document is relevant; `changed` says whether they differ from before."""

    positives: tuple[Positive, ...]
    changed: bool = False


def policy_for(settings: Relabel, origin: QueryOrigin) -> Policy:
    """Returns the recipe's policy for queries of an origin."""
    match origin:
        case "synthetic":
            return settings.synthetic
        case "extractive":
            return settings.extractive
        case "human":
            return settings.human


def relabel(policy: Policy, case: Case, positives: Sequence[Positive], verdicts: Mapping[str, Verdict]) -> Relabelled:
    """Returns a row's positives after relabelling by a policy.

    `keep` leaves them. `add` lets the pool's relevant documents join. `best` makes the best-judged relevant document
    the only positive: labelled positives and the pool compete by fused score; an equal score goes to a labelled one,
    then to the better reference score, then to the smaller id. Where no document is relevant, `best` leaves nothing,
    unless a labelled positive has no verdict. A document that is known to be negative or partial, or whose identity
    bars it from being a negative (of equal content, derived, ...), never becomes a positive.

    Relabelling to the best-ranked passage: Gecko (arXiv:2403.20327), section 3.2.
    """
    kept = Relabelled(tuple(positives))
    if policy == "keep" or not verdicts:
        return kept
    found = _relevant_in_pool(case, positives, verdicts)
    if policy == "add":
        return Relabelled((*positives, *found), changed=bool(found))
    running = [*(each for each in positives if _is_relevant(each.verdict)), *found]
    if running:
        best = min(running, key=_merit)
        return Relabelled((best,), changed=[best] != list(positives))
    if any(each.verdict is None or each.verdict.relevance is None for each in positives):
        return kept
    return Relabelled((), changed=True)


def _relevant_in_pool(case: Case, positives: Sequence[Positive], verdicts: Mapping[str, Verdict]) -> list[Positive]:
    if case.candidate is None:
        return []
    guard = guard_of(case, positives)
    negatives = {pair.doc_id for pair in case.pairs if pair.label == "negative"}
    found: list[Positive] = []
    for entry in case.candidate.pool:
        verdict = verdicts.get(entry.doc_id)
        passage = case.passages.get(entry.doc_id)
        if passage is None or entry.doc_id in negatives or not _is_relevant(verdict):
            continue
        if guard.identity(passage) is None:
            rank = pool_rank(case.candidate, entry.doc_id)
            found.append(Positive(passage, "relabel", None, entry.score, rank, verdict))
    return sorted(found, key=lambda positive: positive.doc_id)


def pool_rank(candidate: Candidate, doc_id: str) -> int:
    """Returns a pool document's rank by the reference miner, from 1, labelled positives left out.

    A spare document has no rank: it stands behind all that were found, and the least rank that allows is returned.
    Raises KeyError if the pool does not hold the document.
    """
    for entry in candidate.pool:
        if entry.doc_id == doc_id:
            ranks = [hit.rank for hit in entry.hits]
            return ranks[0] if ranks else 1 + sum(1 for other in candidate.pool if other.hits)
    raise KeyError(doc_id)


def _is_relevant(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.relevance == "relevant"


def _merit(positive: Positive) -> tuple[float, bool, float, str]:
    fused = positive.verdict.fused if positive.verdict else 0.0
    score = float("-inf") if positive.score is None else positive.score
    return -fused, positive.source == "relabel", -score, positive.doc_id

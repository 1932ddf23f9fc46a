"""Negatives of a row: the known ones first, then those that mining found."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from oreline.records import Candidate, PoolEntry, Scored, Shortage
from oreline.selection.cases import Case, Rules
from oreline.selection.exclusions import Guard, Identity, Rule, Screen, guard_of, judged_relevant
from oreline.selection.picks import Negative, pick_from
from oreline.selection.shortages import Supply, cause_of, places, pool_is_exhausted


@dataclass(frozen=True)
class Sought:
    """Where a row's negatives come from, and what keeps documents out."""

    case: Case
    candidate: Candidate
    rules: Rules
    screen: Screen
    guard: Guard = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "guard", guard_of(self.case, self.screen.positives))


def known_negatives(sought: Sought, counts: Counter[str]) -> list[Negative]:
    """Returns the known negatives of a row, best score first, unscored ones last, at most `select.negatives`.

    They pass without regard to ceiling, siblings, near-equality or a missing verdict, but not if they are a positive
    or equal, equivalent or parent to one, or were judged relevant or partly relevant.
    """
    scored: dict[str, Scored] = {each.doc_id: each for each in sought.candidate.known}
    given = {pair.doc_id for pair in sought.case.pairs if pair.label == "negative"}
    kept: list[Negative] = []
    for doc_id in sorted(given):
        passage = sought.case.passages.get(doc_id)
        verdict = sought.screen.verdicts.get(doc_id)
        reason: Identity | Rule | None = "no_document"
        if passage is not None:
            reason = sought.guard.identity(passage) or judged_relevant(verdict)
        if passage is None or reason is not None:
            counts[f"known_excluded_{reason}"] += 1
            continue
        mined = scored.get(doc_id)
        score, rank = (mined.score, mined.rank) if mined else (None, None)
        kept.append(Negative(passage, score, "known", rank, verdict))
    kept.sort(key=_best_score_first)
    return kept[: sought.rules.select.negatives]


def _best_score_first(negative: Negative) -> tuple[float, str]:
    return float("inf") if negative.score is None else -negative.score, negative.passage.doc_id


def mined_negatives(
    sought: Sought, known: Sequence[Negative], counts: Counter[str]
) -> tuple[list[Negative], Shortage | None]:
    """Returns what the window gives besides the known negatives, and why that is too little, if it is.

    The pool is walked by reference score, and no further than the window's end: `counts` says why the documents on
    that way were excluded. Of two pool documents with equal scores the one with the smaller id comes first.
    """
    select = sought.rules.select
    needed = select.negatives - len(known)
    if needed == 0:
        return [], None
    first, last = select.window
    eligible: list[Negative] = []
    withheld: list[Negative] = []
    for negative, rule in _walk(sought, {each.passage.doc_id for each in known}, counts):
        if rule is None:
            eligible.append(negative)
            if len(eligible) == last:
                break
            continue
        counts[f"excluded_{rule}"] += 1
        if rule in ("unjudged", "judged_relevant", "judged_partly_relevant"):
            withheld.append(negative)
    picked = pick_from(eligible[first - 1 :], select.pick, needed, sought.rules.seed, sought.case.query.query_id)
    if len(picked) == needed:
        return picked, None
    return picked, _cause(sought, len(eligible), withheld, needed)


def _walk(sought: Sought, taken: set[str], counts: Counter[str]) -> Iterator[tuple[Negative, Identity | Rule | None]]:
    screen = sought.screen
    for entry in sorted(sought.candidate.pool, key=lambda each: (-each.score, each.doc_id)):
        passage = sought.case.passages.get(entry.doc_id)
        if entry.doc_id in taken:
            continue
        if passage is None:
            counts["excluded_no_document"] += 1
            continue
        negative = _from_pool(sought, entry)
        rule = (
            sought.guard.identity(passage)
            or screen.free_rule(passage, entry.score)
            or screen.judged_rule(entry.doc_id)
            or screen.near_equal_rule(passage)
        )
        yield negative, rule


def _from_pool(sought: Sought, entry: PoolEntry) -> Negative:
    passage = sought.case.passages[entry.doc_id]
    miner, rank = (entry.hits[0].miner, entry.hits[0].rank) if entry.hits else ("spare", None)
    return Negative(passage, entry.score, miner, rank, sought.screen.verdicts.get(entry.doc_id))


def _cause(sought: Sought, eligible: int, withheld: Sequence[Negative], needed: int) -> Shortage:
    """Returns the cause; texts of documents that only the judge withheld are compared here, for short rows alone."""
    screen, select = sought.screen, sought.rules.select
    acquitted = 0
    for negative in withheld:
        if places(select.window, eligible + acquitted) >= needed:
            break
        if screen.near_equal_rule(negative.passage) is None:
            acquitted += 1
    exhausted = pool_is_exhausted(sought.candidate, sought.rules, screen.ceiling)
    return cause_of(Supply(eligible, acquitted, needed, exhausted), select.window)

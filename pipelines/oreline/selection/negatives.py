"""Negatives of a row: the known ones first, then those that mining found."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from oreline.records import PoolEntry, Scored, Shortage
from oreline.selection.cases import Case, Passage, Rules
from oreline.selection.exclusions import Guard, Identity, Rule, Screen, guard_of, judged_relevant
from oreline.selection.mined import Mined
from oreline.selection.picks import Negative, in_turn, pick_from, preferred
from oreline.selection.shortages import Supply, cause_of, places, pool_is_exhausted


@dataclass(frozen=True)
class Sought:
    """Where a row's negatives come from, and what keeps documents out."""

    case: Case
    candidate: Mined
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
    that way were excluded. Of two pool documents with equal scores the one with the smaller id comes first; of those
    with equal content the first stands for all, unless a known negative does. With `select.per_miner` each miner's own
    list is walked by its ranks, and each gives its share in turn.
    """
    select, query_id = sought.rules.select, sought.case.query.query_id
    needed = select.negatives - len(known)
    if needed == 0:
        return [], None
    taken = {each.passage.doc_id for each in known}
    told = frozenset(each.passage.content_hash for each in known)
    pool = (entry for entry in sought.candidate.pool if entry.doc_id not in taken)
    if select.per_miner is None:
        walked = _walk(sought, (_Found(entry, *_first_hit(entry)) for entry in pool), told, counts)
        window = walked.eligible[select.window[0] - 1 :]
        picked = pick_from(window, select.pick, needed, sought.rules.seed, query_id)
        return picked, None if len(picked) == needed else _cause(sought, walked, told, needed)
    lists = [_walk(sought, each, told, counts) for each in _lists_of_miners(sought, list(pool))]
    picked = _in_turn(sought, [each.eligible for each in lists], needed)
    return picked, None if len(picked) == needed else _cause_of_lists(sought, lists, told, needed)


@dataclass(frozen=True)
class _Found:
    """A document of the pool as one list has it."""

    entry: PoolEntry
    miner: str
    rank: int | None


@dataclass(frozen=True)
class _Walked:
    """Documents of one list in its order, up to the window's end: eligible ones, and those that the judge withheld.

    `acquitted` holds both, in the list's order.
    """

    eligible: list[Negative]
    withheld: list[Negative]
    acquitted: list[Negative]


def _first_hit(entry: PoolEntry) -> tuple[str, int | None]:
    return (entry.hits[0].miner, entry.hits[0].rank) if entry.hits else ("spare", None)


def _walk(sought: Sought, entries: Iterable[_Found], told: Collection[str], counts: Counter[str]) -> _Walked:
    last = sought.rules.select.window[1]
    walked = _Walked([], [], [])
    contents = set(told)
    for found in entries:
        passage = sought.case.passages.get(found.entry.doc_id)
        if passage is None:
            counts["excluded_no_document"] += 1
            continue
        rule = _rule(sought, passage, found.entry.score)
        if rule is None and passage.content_hash in contents:
            rule = "repeated"
        if rule is not None:
            counts[f"excluded_{rule}"] += 1
            if rule not in ("unjudged", "judged_relevant", "judged_partly_relevant"):
                continue
        verdict = sought.screen.verdicts.get(found.entry.doc_id)
        negative = Negative(passage, found.entry.score, found.miner, found.rank, verdict)
        (walked.eligible if rule is None else walked.withheld).append(negative)
        if rule is None:
            contents.add(passage.content_hash)
        walked.acquitted.append(negative)
        if len(walked.eligible) == last:
            break
    return walked


def _distinct(negatives: Iterable[Negative], told: Collection[str]) -> list[Negative]:
    """Returns the first of each content that was not told before."""
    found: dict[str, Negative] = {}
    for each in negatives:
        if each.passage.content_hash not in told:
            found.setdefault(each.passage.content_hash, each)
    return list(found.values())


def _rule(sought: Sought, passage: Passage, score: float) -> Identity | Rule | None:
    screen = sought.screen
    return (
        sought.guard.identity(passage)
        or screen.free_rule(passage, score)
        or screen.judged_rule(passage.doc_id)
        or screen.near_equal_rule(passage)
    )


def _lists_of_miners(sought: Sought, pool: Sequence[PoolEntry]) -> list[list[_Found]]:
    """Returns each miner's list by its ranks; spare documents end the reference's, else the first's, by score."""
    lists: dict[str, list[_Found]] = {miner: [] for miner in sought.rules.mine.miners}
    for entry in pool:
        for hit in entry.hits:
            lists.setdefault(hit.miner, []).append(_Found(entry, hit.miner, hit.rank))
    for found in lists.values():
        found.sort(key=lambda each: (each.rank or 0, each.entry.doc_id))
    spare = sorted((entry for entry in pool if not entry.hits), key=lambda each: (-each.score, each.doc_id))
    miners, reference = sought.rules.mine.miners, sought.rules.mine.reference
    lists[reference if reference in miners else miners[0]] += [_Found(entry, "spare", None) for entry in spare]
    return [lists[name] for name in (*miners, *sorted(set(lists) - set(miners)))]


def _in_turn(sought: Sought, lists: Iterable[Sequence[Negative]], needed: int) -> list[Negative]:
    select, query_id = sought.rules.select, sought.case.query.query_id
    windows = [each[select.window[0] - 1 : select.window[1]] for each in lists]
    ordered = [preferred(window, select.pick, sought.rules.seed, query_id) for window in windows]
    keep = select.per_miner is not None and select.per_miner.duplicates == "keep"
    return in_turn(ordered, needed, duplicates=keep)


def _cause_of_lists(sought: Sought, lists: Sequence[_Walked], told: Collection[str], needed: int) -> Shortage:
    screen, last = sought.screen, sought.rules.select.window[1]
    acquitted = [
        [each for each in _distinct(walked.acquitted, told) if not screen.near_equal_rule(each.passage)]
        for walked in lists
    ]
    if len(_in_turn(sought, acquitted, needed)) == needed:
        return "judged"
    exhausted = pool_is_exhausted(sought.candidate, sought.rules, screen.ceiling)
    return "corpus" if exhausted and all(len(walked.eligible) < last for walked in lists) else "spare"


def _cause(sought: Sought, walked: _Walked, told: Collection[str], needed: int) -> Shortage:
    """Returns the cause; texts of documents that only the judge withheld are compared here, for short rows alone."""
    screen, select = sought.screen, sought.rules.select
    eligible, acquitted = len(walked.eligible), 0
    for negative in _distinct(walked.withheld, {*told, *(each.passage.content_hash for each in walked.eligible)}):
        if places(select.window, eligible + acquitted) >= needed:
            break
        if screen.near_equal_rule(negative.passage) is None:
            acquitted += 1
    exhausted = pool_is_exhausted(sought.candidate, sought.rules, screen.ceiling)
    return cause_of(Supply(eligible, acquitted, needed, exhausted), select.window)

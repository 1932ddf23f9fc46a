"""Rows: the way of one query through gates, relabelling, exclusions and picks to a triple, or to a reject."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from oreline.recipe.settings import MarginCeiling, PercentCeiling
from oreline.records import Reject, Shortage, Triple
from oreline.selection.cases import Case, Rules
from oreline.selection.ceilings import ceiling_of
from oreline.selection.exclusions import Screen, family_of
from oreline.selection.gates import gate_by_grade, passes_round_trip, rank_among, searched_datasets
from oreline.selection.mined import Mined
from oreline.selection.near_equal import NearEqual
from oreline.selection.negatives import Sought, known_negatives, mined_negatives
from oreline.selection.picks import Negative
from oreline.selection.positives import Positive, in_order, labelled_positives
from oreline.selection.relabelling import Relabelled, policy_for, relabel
from oreline.selection.shortages import is_stricter, mine_ceiling, scores_of
from oreline.selection.verdicts import Verdict, verdicts_of


@dataclass(frozen=True)
class Selected:
    """What became of one query: a triple or a reject, and what is counted about the way there."""

    triple: Triple | None
    reject: Reject | None
    counts: Counter[str]


class _Dropped(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def select_row(case: Case, rules: Rules, near_equal: NearEqual) -> Selected:
    """Makes the training row of one query.

    `near_equal` compares texts by `select.near_equal` and may be shared by queries, as it only remembers shingles.
    Reasons of a reject: no_positive, not_mined, no_relevant_passage, false_negatives, low_grade, failed_round_trip,
    short_row.
    """
    counts: Counter[str] = Counter()
    try:
        triple = _Way(case, rules, near_equal, counts).triple()
    except _Dropped as dropped:
        reject = Reject(case.query.query_id, "triples", dropped.reason, dropped.detail, None, case.query.query)
        return Selected(None, reject, counts)
    return Selected(triple, None, counts)


@dataclass(frozen=True)
class _Way:
    """The steps of one query, in their order; each drops the query or hands on what the next one needs."""

    case: Case
    rules: Rules
    near_equal: NearEqual
    counts: Counter[str]

    def triple(self) -> Triple:
        """Returns the query's row; raises the reject that stands for it if it gets none."""
        case, rules = self.case, self.rules
        verdicts = verdicts_of(case.judgements or (), rules.scorers)
        labelled = labelled_positives(case, verdicts)
        if not labelled:
            stated = sum(1 for pair in case.pairs if pair.label == "positive")
            raise _Dropped("no_positive", f"{stated} pairs name a positive, and none of their documents is there")
        if rules.select.negatives == 0:
            return self._row(labelled, [], None)
        candidate = self._candidate()
        self._compare_with_judge(labelled)
        positives = self._gated(self._relabelled(labelled, verdicts), labelled)
        ceiling = self._ceiling(positives, candidate)
        family = family_of(positives, case.passages)
        judged = case.judgements is not None
        screen = Screen(rules.select, tuple(positives), family, ceiling, judged, verdicts, self.near_equal)
        sought = Sought(case, candidate, rules, screen)
        known = known_negatives(sought, self.counts)
        mined, short = mined_negatives(sought, known, self.counts)
        if short is not None:
            self._short(short, len(known) + len(mined))
        return self._row(positives, [*known, *mined], short)

    def _candidate(self) -> Mined:
        if self.case.candidate is None:
            raise _Dropped("not_mined", "mine has no row for this query; its rejects and those of embed say why")
        return self.case.candidate

    def _compare_with_judge(self, labelled: Sequence[Positive]) -> None:
        """Counts whether round trip and judge agree about the labelled positives, before anything acts on them."""
        settings = self.rules.select.gates.round_trip
        said = [each.verdict.relevance for each in labelled if each.verdict and each.verdict.relevance]
        if settings.action == "off" or not said or all(each.rank is None for each in labelled):
            return
        found = "found" if passes_round_trip(settings, labelled) else "missed"
        judged = "relevant" if "relevant" in said else "not_relevant"
        self.counts[f"round_trip_{found}_judged_{judged}"] += 1

    def _relabelled(self, labelled: Sequence[Positive], verdicts: dict[str, Verdict]) -> Sequence[Positive]:
        policy = policy_for(self.rules.select.relabel, self.case.query.origin)
        relabelled = relabel(policy, self.case, labelled, verdicts, self.rules)
        if not relabelled.positives:
            shown = sum(1 for verdict in verdicts.values() if verdict.relevance is not None)
            raise _Dropped("no_relevant_passage", f"none of the {shown} documents that the judge saw is relevant")
        if relabelled.changed:
            self.counts["relabelled"] += 1
        if relabelled.further:
            self.counts["false_negatives"] += relabelled.further
            self.counts["rows_with_false_negatives"] += 1
        self._check_further(relabelled)
        return relabelled.positives

    def _check_further(self, relabelled: Relabelled) -> None:
        settings = self.rules.select.false_negatives
        if settings.most is not None and relabelled.further > settings.most:
            found = f"the judge finds {relabelled.further} further documents relevant"
            raise _Dropped("false_negatives", f"{found}, select.false_negatives.most is {settings.most}")
        if settings.action == "drop_row" and relabelled.left:
            found = f"the judge finds {relabelled.left} documents relevant that are no positives of the row"
            raise _Dropped("false_negatives", f"{found}, select.false_negatives.action is drop_row")

    def _gated(self, positives: Sequence[Positive], labelled: Sequence[Positive]) -> list[Positive]:
        gates = self.rules.select.gates
        graded = gate_by_grade(gates.positive_grade, positives)
        self.counts["positives_below_grade"] += len(graded.failed)
        if not graded.passed:
            best = max(each.verdict.grade or 0.0 for each in graded.failed if each.verdict)
            raise _Dropped(
                "low_grade", f"the best positive has grade {best:g}, positive_grade is {gates.positive_grade}"
            )
        ranked = rank_among(graded.passed, labelled, searched_datasets(self.rules.mine, self.case.query.dataset))
        if not passes_round_trip(gates.round_trip, ranked):
            self.counts["round_trip_failed"] += 1
            if gates.round_trip.action == "drop":
                best_rank = min(each.rank for each in ranked if each.rank is not None)
                limit = gates.round_trip.rank
                raise _Dropped("failed_round_trip", f"its best positive has rank {best_rank}, the gate is {limit}")
        return in_order(ranked)

    def _ceiling(self, positives: Sequence[Positive], candidate: Mined) -> float | None:
        settings = self.rules.select.ceiling
        scores = scores_of(positives)
        if not scores and isinstance(settings, PercentCeiling | MarginCeiling):
            raise _Dropped("not_mined", "no positive has a reference score, so select.ceiling has nothing to refer to")
        ceiling = ceiling_of(settings, scores)
        if is_stricter(ceiling, mine_ceiling(self.rules, candidate.positives)):
            self.counts["ceiling_stricter_than_mine"] += 1
        return ceiling

    def _short(self, short: Shortage, negatives: int) -> None:
        self.counts[f"short_{short}"] += 1
        if self.rules.select.shortage == "drop":
            wanted = self.rules.select.negatives
            raise _Dropped("short_row", f"{negatives} of {wanted} negatives; cause: {short}")

    def _row(self, positives: Sequence[Positive], negatives: Sequence[Negative], short: Shortage | None) -> Triple:
        query = self.case.query
        self.counts["positives"] += len(positives)
        self.counts["known_negatives"] += sum(1 for each in negatives if each.miner == "known")
        self.counts["mined_negatives"] += sum(1 for each in negatives if each.miner != "known")
        return Triple(
            query_id=query.query_id,
            query_hash=query.query_hash,
            dataset=query.dataset,
            split=query.split,
            positives=[each.record() for each in in_order(positives)],
            negatives=[each.record() for each in negatives],
            weight=1.0,
            group=query.group,
            short=short,
            lineage=query.lineage,
        )

"""Suggestions: which ceiling to take for an encoder and a corpus, with the reason in a sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oreline.calibration.yields import Yield, ceiling_told
from oreline.ids import Json
from oreline.recipe.settings import Ceiling, PercentCeiling, ScoreCeiling

FULL = 0.95
"""Share of the queries that are to get all their negatives, or of what is possible without a ceiling."""

TOLERATED = 0.05
"""Share of relevant documents among the negatives that is still taken; where none reaches it, the least is."""

HALVED = 0.5
"""Where the share is larger without a ceiling, at most this part of it: 95 % took away half (NV-Retriever)."""

PUBLISHED = 0.95


@dataclass(frozen=True)
class Suggestion:
    """A ceiling, its yield, and why; `settings` is what to give to `oreline run --set`."""

    ceiling: Ceiling
    reason: str
    yields: Yield

    @property
    def settings(self) -> str:
        """The setting as the command line takes it."""
        if isinstance(self.ceiling, str):
            return f"select.ceiling={self.ceiling}"
        ((name, value),) = self.ceiling.model_dump(mode="json").items()
        return f"select.ceiling={{{name}: {value:g}}}"

    def to_json(self) -> dict[str, Json]:
        """Returns setting, reason and yield."""
        return {"set": self.settings, "reason": self.reason, "yield": self.yields.to_json()}


def suggest(own: Yield, unlimited: Yield, curves: Mapping[str, Sequence[Yield]], source: str | None) -> Suggestion:
    """Returns a suggestion from the yields along each kind of ceiling.

    `own` is the recipe's yield, `unlimited` that without a ceiling.

    Where verdicts or labels know of relevant candidates: the hardest negatives (by mean share of the positive's score)
    among ceilings that fill rows and leave few relevant documents in. Else 95 % of the positive, the best rule of
    NV-Retriever (arXiv:2407.15831), raised or lowered only as far as rows would else be short. Fixed scores, its worst
    rule, are taken only where no ceiling below the positive fills rows.
    """
    every = [each for curve in curves.values() for each in curve if each.full]
    aware = [each for each in every if not isinstance(each.rule.ceiling, ScoreCeiling)] or every
    most = max((each.full_share for each in aware), default=0.0)
    filling = [each for each in aware if each.full_share >= FULL * most]
    if not filling:
        return Suggestion(own.rule.ceiling, _nothing_fills(own), own)
    known = [each for each in filling if each.relevant is not None]
    if source is not None and known and unlimited.relevant:
        most_relevant = min(TOLERATED, HALVED * unlimited.relevant) if unlimited.relevant > TOLERATED else TOLERATED
        return _by_relevance(known, most_relevant, source)
    shares = [each for each in filling if isinstance(each.rule.ceiling, PercentCeiling)]
    return _by_yield(shares or filling, own)


def _by_relevance(known: Sequence[Yield], most: float, source: str) -> Suggestion:
    tolerated = [each for each in known if (each.relevant or 0.0) <= most]
    who = "the judge finds" if source == "verdicts" else "the labels name"
    if tolerated:
        best = max(tolerated, key=lambda each: (each.of_positive or 0.0, -(each.relevant or 0.0)))
        why = (
            f"of the ceilings that fill enough rows (this one {_percent(best.full_share)}) and under which {who} at "
            f"most {_percent(most)} of the negatives relevant (this one {_percent(best.relevant)}), it has the "
            f"hardest: {_percent(best.of_positive)} of the positive's score on average"
        )
        return Suggestion(best.rule.ceiling, why, best)
    best = min(known, key=lambda each: (each.relevant or 0.0, -(each.of_positive or 0.0)))
    why = (
        f"under every ceiling that fills rows {who} more than {_percent(most)} of the negatives relevant; this "
        f"one has the fewest ({_percent(best.relevant)}), so let a judge rule them out or relabel them"
    )
    return Suggestion(best.rule.ceiling, why, best)


def _by_yield(filling: Sequence[Yield], own: Yield) -> Suggestion:
    def distance(each: Yield) -> tuple[float, float]:
        ceiling = each.rule.ceiling
        share = ceiling.percent_of_positive if isinstance(ceiling, PercentCeiling) else 0.0
        return abs(share - PUBLISHED), -share

    best = min(filling, key=distance)
    ceiling = best.rule.ceiling
    published = isinstance(ceiling, PercentCeiling) and ceiling.percent_of_positive == PUBLISHED
    if not isinstance(ceiling, PercentCeiling):
        why = f"it fills {_percent(best.full_share)} of the rows, and no share of the positive's score does as well"
    elif published:
        why = (
            f"95 % of the positive is the best published rule (NV-Retriever), and here it fills "
            f"{_percent(best.full_share)} of the rows"
        )
    else:
        why = (
            f"it is the nearest to 95 % of the positive, the best published rule (NV-Retriever), that fills "
            f"{_percent(best.full_share)} of the rows with this encoder and corpus"
        )
    note = "; nothing here knows of relevant documents among the candidates: give --labels, or run judge"
    same = " (as it is now)" if ceiling == own.rule.ceiling else ""
    return Suggestion(ceiling, f"{why}{same}{note}", best)


def _nothing_fills(own: Yield) -> str:
    return (
        f"no ceiling fills rows with {list(own.rule.window)} as window; ask for fewer negatives, a wider window, or "
        f"raise mine.top_k and mine.spare (kept: {ceiling_told(own.rule.ceiling)})"
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"

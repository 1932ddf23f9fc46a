"""Ceilings: the score that a negative must stay below."""

from collections.abc import Sequence

from oreline.recipe.settings import Ceiling, MarginCeiling, PercentCeiling, ScoreCeiling


def ceiling_of(settings: Ceiling, positive_scores: Sequence[float]) -> float | None:
    """Returns the score that a negative must stay below (`score < ceiling`), or None if there is no limit.

    `positive_scores` are the reference scores of a row's positives, -1 to 1; r is the lowest of them. A percentage p
    gives r - (1 - p)·|r|, which lies below r for a negative r too; a margin gives r - margin; a score is itself;
    `none` gives None. Without any positive score, percentage and margin have nothing to refer to and give None.

    Percentage and margin: NV-Retriever (arXiv:2407.15831), section 3, TopK-PercPos and TopK-MarginPos.
    """
    match settings:
        case ScoreCeiling(score=score):
            return score
        case PercentCeiling(percent_of_positive=share) if positive_scores:
            lowest = min(positive_scores)
            return lowest - (1.0 - share) * abs(lowest)
        case MarginCeiling(margin=margin) if positive_scores:
            return min(positive_scores) - margin
    return None

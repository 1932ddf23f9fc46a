"""Arms beside each other: what their rows are made of, and whether the published orders are found."""

import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from training.draws import Drawn
from training.imperfect import Labels
from training.results import mean_and_spread
from training.retrieval import Floats, interval
from training.trials import Trial

PUBLISHED = (
    ("none", "hardest", "unjudged neighbours as negatives are worse than none (Gecko, of a random one and the 20th)"),
    ("random", "hardest", "harder is not better by itself: random documents are no worse (follows from both papers)"),
    ("95 %", "hardest", "a ceiling of 95 % of the positive mends the nearest (NV-Retriever)"),
    ("relabelled, none", "none", "relabelling helps before any negative does (Gecko)"),
    ("relabelled, lowest-ranked", "none", "relabelled rows with lowest-ranked negatives beat none (Gecko)"),
    ("relabelled, lowest-ranked", "relabelled, none", "once relabelled, lowest-ranked negatives add to it (Gecko)"),
    ("relabelled, lowest-ranked", "95 %", "judging beats the ceiling (RLHN)"),
    ("cascade, lowest-ranked", "relabelled, lowest-ranked", "a second judge helps (expected of RLHN's; not measured)"),
)
"""The arm that should be the better one, the other, and who says so."""


def composition(
    draws: Sequence[Mapping[str, Drawn]], labels: Labels, trials: Sequence[Trial], arms: Mapping[str, str]
) -> list[str]:
    """Returns the table of what the arms train on, by the labels, and what comes of it: means over the seeds."""
    before = float(trials[0].measured.ndcg.mean())
    lines = [
        "| arm | rows replaced | wrong positives | rows with a known false negative | nDCG@10 | standard deviation |"
    ]
    lines += ["| --- | --: | --: | --: | --: | --: |", f"| as packaged | | | | {before:.4f} | |"]
    for arm in arms:
        own = [each[arm] for each in draws]
        faults = [labels.faults(each.rows) for each in own]
        found = [float(each.measured.ndcg.mean()) for each in trials if each.arm == arm]
        lines.append(
            f"| {arm} | {statistics.mean(each.replaced for each in own):.0f} | "
            f"{statistics.mean(each.positives for each in faults):.1%} | "
            f"{statistics.mean(each.negatives for each in faults):.1%} | {mean_and_spread(found).lstrip('+')} |"
        )
    return lines


def comparisons(trials: Sequence[Trial], component: Sequence[str]) -> list[str]:
    """Returns the table of the published orders: the difference of two arms, and whether it is there.

    It is there if the 95 % interval by queries is above zero and every seed agrees, and the other way round if it is
    below and every seed agrees; all else is no difference that these queries and seeds can tell.
    """
    lines = ["| order | better | than | difference, nDCG@10 | standard deviation | 95 % by queries | here |"]
    lines += ["| --- | --- | --- | --: | --: | --- | --- |"]
    for better, other, told in PUBLISHED:
        by_seed = differences(trials, better, other)
        means = [float(each.mean()) for each in by_seed]
        low, high = interval(np.mean(by_seed, axis=0), component)
        cells = f"{better} | {other} | {mean_and_spread(means)} | {low:+.4f} to {high:+.4f}"
        lines.append(f"| {told} | {cells} | {_found(means, low, high)} |")
    return lines


def differences(trials: Sequence[Trial], better: str, other: str) -> list[Floats]:
    """Returns by seed how much more nDCG@10 an arm has than another, query by query."""
    of = {(each.arm, each.seed): each.measured.ndcg for each in trials}
    seeds = sorted(seed for arm, seed in of if arm == better and (other, seed) in of)
    return [of[better, seed] - of[other, seed] for seed in seeds]


def _found(means: Sequence[float], low: float, high: float) -> str:
    if low > 0 and min(means) > 0:
        return "found"
    if high < 0 and max(means) < 0:
        return "the other way round"
    return "no difference to tell"

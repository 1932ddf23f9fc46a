"""The results as markdown: a row per seed, a row per arm, and a verdict that the figures give."""

import statistics
from collections.abc import Sequence

import numpy as np

from training.retrieval import Floats, interval
from training.trials import ARMS, TITLES, Arm, Trial


def tables(trials: Sequence[Trial], component: Sequence[str]) -> list[str]:
    """Returns the lines of both tables; `component` is that of each query, in the order of ids."""
    before, *trained = trials
    ndcg, mrr = float(before.measured.ndcg.mean()), float(before.measured.mrr.mean())
    lines = [f"As packaged: nDCG@10 {ndcg:.4f}, MRR@10 {mrr:.4f}. After training, by seed:", ""]
    lines += ["| trained on | seed | nDCG@10 | gain | MRR@10 | gain | loss, first to last quarter | weights moved |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- | --- |"]
    lines += [_seed_line(each, ndcg, mrr) for each in trained]
    lines += ["", "| trained on | mean gain, nDCG@10 | standard deviation | 95 % by queries | mean gain, MRR@10 |"]
    lines[-1] += " standard deviation |"
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    arms = [arm for arm in ARMS if any(each.arm == arm for each in trained)]
    lines += [_arm_line(arm, before, trained, component) for arm in arms]
    return lines


def gains(arm: Arm, before: Trial, trained: Sequence[Trial]) -> list[float]:
    """Returns an arm's gains in mean nDCG@10, by seed."""
    return [float((each.measured.ndcg - before.measured.ndcg).mean()) for each in trained if each.arm == arm]


def verdict(trials: Sequence[Trial]) -> str:
    """Returns whether the gain is above the spread and the control has none: a sentence on the figures alone.

    The gain counts as above the spread if its mean exceeds the standard deviation and every seed gains; the control
    has none if no seed of it gains more than the spread.
    """
    before, *trained = trials
    mined, control = gains("mined", before, trained), gains("shuffled", before, trained)
    if min(len(mined), len(control)) < 2:
        return "Verdict: none, as it takes two seeds of the triples and of the control."
    mean, spread = statistics.mean(mined), statistics.stdev(mined)
    above = mean > spread and min(mined) > 0
    word = "is" if above else "is NOT"
    none = max(control) <= spread
    return (
        f"Verdict: the gain in nDCG@10 {word} above the spread ({mean:+.4f} against {spread:.4f}; least seed "
        f"{min(mined):+.4f}); with shuffled positives there is {'none' if none else 'STILL A GAIN'} "
        f"(best seed {max(control):+.4f})."
    )


def _seed_line(trial: Trial, ndcg: float, mrr: float) -> str:
    after, ranked, course = float(trial.measured.ndcg.mean()), float(trial.measured.mrr.mean()), trial.course
    if trial.arm is None or course is None:
        raise ValueError("the trial without training has no line of its own")
    return (
        f"| {TITLES[trial.arm]} | {trial.seed} | {after:.4f} | {after - ndcg:+.4f} | {ranked:.4f} "
        f"| {ranked - mrr:+.4f} | {course.first_loss:.2f} to {course.last_loss:.2f} | {course.moved:.2%} |"
    )


def _arm_line(arm: Arm, before: Trial, trained: Sequence[Trial], component: Sequence[str]) -> str:
    own = [each for each in trained if each.arm == arm]
    by_query: Floats = np.mean([each.measured.ndcg - before.measured.ndcg for each in own], axis=0)
    low, high = interval(by_query, component)
    ranked = [float((each.measured.mrr - before.measured.mrr).mean()) for each in own]
    cells = [_mean_and_spread(gains(arm, before, trained)), f"{low:+.4f} to {high:+.4f}", _mean_and_spread(ranked)]
    return f"| {TITLES[arm]} | {' | '.join(cells)} |"


def _mean_and_spread(found: Sequence[float]) -> str:
    spread = f"{statistics.stdev(found):.4f}" if len(found) > 1 else "-"
    return f"{statistics.mean(found):+.4f} | {spread}"
